//! Lets other nodes to the ledger that this one keeps: what costs it much one at a time from each, so that
//! nobody's questions keep everybody else's money waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use opensky_protocol::{NodeKey, ledger::LedgerRequest};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Questions of one node that may wait for each other. Whoever asks more is told to come later.
const WAITING: usize = 8;

/// The way to the ledger.
#[derive(Default)]
pub(crate) struct Turnstile(Mutex<HashMap<NodeKey, Lane>>);

/// One node's way.
#[derive(Clone)]
struct Lane {
    places: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// What lets a question through, until it is answered.
#[derive(Default)]
pub(crate) struct Pass {
    _held: Option<[OwnedSemaphorePermit; 2]>,
}

impl Turnstile {
    /// Waits until that question of `from` may be asked; `None` if too many of it wait.
    pub async fn pass(&self, from: NodeKey, question: &LedgerRequest) -> Option<Pass> {
        if !is_dear(question) {
            return Some(Pass::default());
        }
        let Lane { places, turn } = self.lane(from);
        let place = places.try_acquire_owned().ok()?;
        let turn = turn.acquire_owned().await.ok()?;
        Some(Pass {
            _held: Some([place, turn]),
        })
    }

    fn lane(&self, from: NodeKey) -> Lane {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever is in one holds a place. There are never more than requests that are being answered.
        lanes.retain(|node, lane| *node == from || Arc::strong_count(&lane.places) > 1);
        let new = || Lane {
            places: Arc::new(Semaphore::new(WAITING)),
            turn: Arc::new(Semaphore::new(1)),
        };
        lanes.entry(from).or_insert_with(new).clone()
    }
}

/// Whether the keeper has to read a page of things, or to check signatures and to write, before it can
/// answer.
fn is_dear(request: &LedgerRequest) -> bool {
    match request {
        LedgerRequest::Genesis
        | LedgerRequest::Submit(_)
        | LedgerRequest::Events { .. }
        | LedgerRequest::History { .. }
        | LedgerRequest::Nodes(_)
        | LedgerRequest::Cases { .. } => true,
        LedgerRequest::Status(_)
        | LedgerRequest::Account(_)
        | LedgerRequest::Nonce(_)
        | LedgerRequest::Node(_)
        | LedgerRequest::Escrow(_)
        | LedgerRequest::Tab { .. }
        | LedgerRequest::Case { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use opensky_protocol::Digest;

    use super::*;

    /// What a future gives when it is looked at once.
    fn look<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_node_asks_what_is_dear_one_after_the_other_and_others_need_not_wait() {
        let (greedy, modest) = (NodeKey([1; 32]), NodeKey([2; 32]));
        let page = LedgerRequest::Events {
            after: 0,
            limit: 256,
        };
        let turnstile = Turnstile::default();
        let first = look(pin!(turnstile.pass(greedy, &page))).unwrap();
        assert!(first.is_some());
        let mut waiting: Vec<_> = (1..WAITING)
            .map(|_| Box::pin(turnstile.pass(greedy, &page)))
            .collect();
        for other in &mut waiting {
            assert!(look(other.as_mut()).is_none(), "it is another's turn");
        }
        let more = look(pin!(turnstile.pass(greedy, &page)));
        assert!(matches!(more, Some(None)), "too many wait");

        let cheap = LedgerRequest::Status(Digest([0; 32]));
        for (node, question) in [(modest, &page), (modest, &cheap), (greedy, &cheap)] {
            let passes = look(pin!(turnstile.pass(node, question)));
            assert!(passes.is_some_and(|pass| pass.is_some()));
        }
        drop(first);
        assert!(look(waiting[0].as_mut()).is_some(), "it is its turn now");
        drop(waiting);
        // Somebody else has a look, and sees that the lane is empty.
        let _pass = look(pin!(turnstile.pass(modest, &page))).unwrap();
        assert_eq!(turnstile.0.lock().unwrap().len(), 1);
    }
}
