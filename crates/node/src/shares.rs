//! Room for what is done at the same time, shared so that whoever has much to be done keeps nobody else waiting.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use opensky_protocol::Account;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// What one thing takes of it, until this is dropped.
pub(crate) type Room<'a> = (OwnedSemaphorePermit, SemaphorePermit<'a>);

/// The room, and what each party has of it.
pub(crate) struct Shares {
    all: Semaphore,
    of_one: usize,
    each: Mutex<BTreeMap<Account, Arc<Semaphore>>>,
}

impl Shares {
    /// Room for `all` things, of which one party has `of_one` at most.
    pub fn new(all: usize, of_one: usize) -> Self {
        Self {
            all: Semaphore::new(all),
            of_one,
            each: Mutex::default(),
        }
    }

    /// Waits for room: first among the party's own, so that no others wait with it.
    pub async fn room(&self, party: Account) -> Option<Room<'_>> {
        // Nobody closes them.
        let own = self.own(party).acquire_owned().await.ok()?;
        let all = self.all.acquire().await.ok()?;
        Some((own, all))
    }

    /// Room for so many more, as far as there is some now.
    pub fn room_beside(&self, party: Account, most: usize) -> Vec<Room<'_>> {
        let own = self.own(party);
        let one = || {
            let own = own.clone().try_acquire_owned().ok()?;
            Some((own, self.all.try_acquire().ok()?))
        };
        std::iter::from_fn(one).take(most).collect()
    }

    /// What nobody has.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.all.available_permits()
    }

    fn own(&self, party: Account) -> Arc<Semaphore> {
        let mut each = self.each.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has nothing under way is forgotten.
        each.retain(|_, room| Arc::strong_count(room) > 1);
        let own = each.entry(party);
        own.or_insert_with(|| Arc::new(Semaphore::new(self.of_one)))
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::{FutureExt, poll};

    use super::*;

    #[tokio::test]
    async fn whoever_has_its_share_waits_alone_until_something_of_it_is_done() {
        let shares = Shares::new(3, 2);
        let [greedy, other] = [1, 2].map(|party| Account([party; 32]));
        let first = shares.room(greedy).await;
        let second = shares.room_beside(greedy, 5);
        assert_eq!((second.len(), shares.free()), (1, 1));
        let mut third = pin!(shares.room(greedy));
        assert!(poll!(third.as_mut()).is_pending());
        let last = shares.room(other).now_or_never().flatten();
        assert!(last.is_some() && poll!(third.as_mut()).is_pending());
        drop(first);
        assert!(poll!(third.as_mut()).is_ready());
        drop((second, last));
        assert_eq!(shares.free(), 3);
        shares.room(other).await;
        assert!(!shares.each.lock().unwrap().contains_key(&greedy));
    }
}
