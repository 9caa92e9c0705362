//! What one peer may take of this node, and all peers together: slots for streams, and bytes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Kind;
use crate::config::Limits;

/// Bytes are counted in steps: what a request of a few bytes takes is its slot.
pub const STEP: usize = 16 << 10;

/// Slots and bytes that are left.
#[derive(Debug)]
struct Budget {
    requests: Arc<Semaphore>,
    blobs: Arc<Semaphore>,
    steps: Arc<Semaphore>,
}

impl Budget {
    fn slots(&self, kind: Kind) -> &Arc<Semaphore> {
        match kind {
            Kind::Control => &self.requests,
            Kind::Blob => &self.blobs,
        }
    }
}

/// One peer's budget within everybody's. All connections of a peer have the same one.
#[derive(Clone, Debug)]
pub struct Share {
    own: Arc<Budget>,
    all: Arc<Budget>,
}

/// A slot or bytes in use; given back when dropped.
#[derive(Debug)]
pub struct Held {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

impl Share {
    /// The budget of all peers, as a share of which every peer gets its own.
    pub fn of_all(limits: &Limits) -> Self {
        let all = Arc::new(Budget {
            requests: Arc::new(Semaphore::new(limits.requests)),
            blobs: Arc::new(Semaphore::new(limits.blob_streams)),
            steps: Arc::new(Semaphore::new(limits.held_bytes / STEP)),
        });
        Self {
            own: all.clone(),
            all,
        }
    }

    /// A new peer's share.
    pub fn for_peer(&self, limits: &Limits) -> Self {
        Self {
            own: Arc::new(Budget {
                requests: Arc::new(Semaphore::new(limits.requests_per_peer)),
                blobs: Arc::new(Semaphore::new(limits.blob_streams_per_peer)),
                steps: Arc::new(Semaphore::new(limits.held_bytes_per_peer / STEP)),
            }),
            all: self.all.clone(),
        }
    }

    /// A slot for one stream, if there is one.
    pub fn slot(&self, kind: Kind) -> Option<Held> {
        Some(Held {
            _own: self.own.slots(kind).clone().try_acquire_owned().ok()?,
            _all: self.all.slots(kind).clone().try_acquire_owned().ok()?,
        })
    }

    /// Room for `steps` times [`STEP`] bytes, if there is room.
    pub fn room(&self, steps: usize) -> Option<Held> {
        let steps = u32::try_from(steps).ok()?;
        let take = |budget: &Budget| budget.steps.clone().try_acquire_many_owned(steps).ok();
        Some(Held {
            _own: take(&self.own)?,
            _all: take(&self.all)?,
        })
    }

    /// Whether nobody uses this peer's share but its keeper.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.own) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_cannot_take_what_is_anothers() {
        let limits = Limits {
            requests: 3,
            requests_per_peer: 2,
            ..Limits::default()
        };
        let all = Share::of_all(&limits);
        let (greedy, modest) = (all.for_peer(&limits), all.for_peer(&limits));
        let taken = [greedy.slot(Kind::Control), greedy.slot(Kind::Control)];
        assert!(taken.iter().all(Option::is_some));
        assert!(greedy.slot(Kind::Control).is_none(), "its own are gone");
        let last = modest.slot(Kind::Control).expect("one is left");
        assert!(modest.slot(Kind::Control).is_none(), "all are gone");
        drop(taken);
        assert!(modest.slot(Kind::Control).is_some(), "they come back");
        drop(last);
    }

    #[test]
    fn bytes_are_given_back() {
        let limits = Limits::default();
        let all = Share::of_all(&limits);
        let peer = all.for_peer(&limits);
        let most = limits.held_bytes_per_peer / STEP;
        let held = peer.room(most).expect("as much as one peer may have");
        assert!(peer.room(1).is_none());
        drop(held);
        assert!(peer.room(most).is_some());
    }
}
