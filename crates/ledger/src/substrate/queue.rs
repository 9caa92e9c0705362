//! Intents on their way to the chain: in which transaction each is, and with which nonce.
//!
//! An intent is in one transaction at a time that can still get into a block. Another one is made only when the first
//! cannot any more: its time is over, or another transaction has its nonce.
//!
//! Transactions of one signer come into blocks in the order of their nonces. So duties, which a block has room for when it is
//! full, get theirs first, and of all else little is on its way. Among themselves both keep their order.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{Call, Event, OnChain, Rejection, Status},
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

/// More transactions of an intent than it is tried, for those that a chain has lost.
const PAST: usize = 16;

/// Transactions of duties that are on their way at the same time, and of all else. A duty that comes later waits until there
/// is room for all of these; and no more of them come into one block.
const DUTIES: usize = 24;
const OTHERS: usize = 8;

/// An intent that is not decided.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Waiting {
    pub intent: Digest,
    pub account: Account,
    pub call: Call,
    /// The transaction that it is in, once it is signed.
    pub sent: Option<Sent>,
    /// The transactions that it was in before, which can come into no block: at most [`PAST`]. Should one be in
    /// a block nevertheless, because the chain has lost others, then that decides it.
    pub past: Vec<Digest>,
}

impl Waiting {
    /// The event of its rejection here and now, without the chain.
    pub fn rejected(&self, reason: Rejection) -> Event {
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        Event {
            sequence: 0,
            at: at.map_or(0, |at| at.as_millis() as u64),
            intent: self.intent,
            account: self.account,
            status: Status::Rejected { fee: 0, reason },
        }
    }

    /// Whether it hides something that is revealed once it is final.
    pub fn is_commitment(&self) -> bool {
        match &self.call {
            Call::OnChain(call) => matches!(**call, OnChain::Commit { .. }),
            _ => false,
        }
    }

    /// Whether the chain waits for it, keeps a part of each block for it, and has silence cost something. It is said because
    /// finalized blocks ask for it, so it leans on nothing else that is on its way.
    pub fn is_duty(&self) -> bool {
        let Call::OnChain(call) = &self.call else {
            return false;
        };
        matches!(
            **call,
            OnChain::Commit { .. }
                | OnChain::Reveal { .. }
                | OnChain::Promise { .. }
                | OnChain::Show { .. }
        )
    }
}

/// A signed transaction.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Sent {
    pub signer: NodeKey,
    pub nonce: u64,
    pub hash: Digest,
    pub bytes: Vec<u8>,
    /// The block upon which it was made.
    pub born: u64,
    /// The last block that can have it.
    pub dies: u64,
}

/// The intents that are not decided, in their order.
#[derive(Debug, Default)]
pub(crate) struct Queue(pub BTreeMap<u64, Waiting>);

impl Queue {
    /// Which intent is in that transaction, or was.
    pub fn by_hash(&self, hash: &Digest) -> Option<u64> {
        let is_in = |waiting: &Waiting| {
            let sent = waiting.sent.as_ref();
            sent.is_some_and(|sent| sent.hash == *hash) || waiting.past.contains(hash)
        };
        let mut entries = self.0.iter();
        entries.find_map(|(order, waiting)| is_in(waiting).then_some(*order))
    }

    /// The transactions that may still get into a block, in the order of their intents.
    pub fn sent(&self) -> impl Iterator<Item = (u64, &Sent)> {
        let entries = self.0.iter();
        entries.filter_map(|(order, waiting)| Some((*order, waiting.sent.as_ref()?)))
    }

    /// Intents that are in no transaction and are to be in one next: duties, then others, as far as there is room for each
    /// beside those that are on their way.
    pub fn unsent(&self) -> Vec<(u64, Waiting)> {
        let next = |is_kind: fn(&Waiting) -> bool, most: usize| {
            let all = self.0.iter().filter(move |(_, one)| is_kind(one));
            let sent = all.clone().filter(|(_, one)| one.sent.is_some()).count();
            let unsent = all.filter(|(_, one)| one.sent.is_none());
            unsent.take(most.saturating_sub(sent))
        };
        let duties = next(Waiting::is_duty, DUTIES);
        let others = next(|one| !one.is_duty(), OTHERS);
        let unsent = duties.chain(others);
        let unsent = unsent.map(|(order, waiting)| (*order, waiting.clone()));
        unsent.collect()
    }

    /// The lowest nonce from the chain's next one on that no transaction of the signer has.
    pub fn free_nonce(&self, signer: &NodeKey, next: u64) -> u64 {
        let mut nonce = next;
        while self
            .sent()
            .any(|(_, sent)| sent.signer == *signer && sent.nonce == nonce)
        {
            nonce += 1;
        }
        nonce
    }

    /// Gives up the transactions that are in no block up to `block`, and can be in none after it. `next` is the
    /// signer's nonce then. Returns whose they were.
    pub fn bury(&mut self, block: u64, signer: &NodeKey, next: u64) -> Vec<u64> {
        self.give_up(|sent| sent.signer == *signer && (sent.nonce < next || sent.dies <= block))
    }

    /// Gives up the transactions that were made upon blocks which are gone: all after `block`.
    pub fn uproot(&mut self, block: u64) -> Vec<u64> {
        self.give_up(|sent| sent.born > block)
    }

    fn give_up(&mut self, is_dead: impl Fn(&Sent) -> bool) -> Vec<u64> {
        let mut given_up = Vec::new();
        for (order, waiting) in &mut self.0 {
            if let Some(dead) = waiting.sent.take_if(|sent| is_dead(sent)) {
                if waiting.past.len() == PAST {
                    waiting.past.remove(0);
                }
                waiting.past.push(dead.hash);
                given_up.push(*order);
            }
        }
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNER: NodeKey = NodeKey([1; 32]);

    fn waiting(sent: Option<(u64, u64)>) -> Waiting {
        Waiting {
            intent: Digest([0; 32]),
            account: SIGNER.into(),
            call: Call::Withdraw,
            past: Vec::new(),
            sent: sent.map(|(nonce, dies)| Sent {
                signer: SIGNER,
                nonce,
                hash: Digest([nonce as u8; 32]),
                bytes: Vec::new(),
                born: dies - 63,
                dies,
            }),
        }
    }

    fn duty() -> Waiting {
        let (round, secret) = (7, Digest([7; 32]));
        Waiting {
            call: Call::OnChain(Box::new(OnChain::Reveal { round, secret })),
            ..waiting(None)
        }
    }

    fn queue(entries: &[Option<(u64, u64)>]) -> Queue {
        Queue((0..).zip(entries.iter().copied().map(waiting)).collect())
    }

    #[test]
    fn a_nonce_is_in_one_transaction_that_can_still_be_included() {
        let queue = queue(&[Some((4, 80)), Some((6, 80)), None]);
        assert_eq!(queue.free_nonce(&SIGNER, 4), 5);
        assert_eq!(queue.free_nonce(&SIGNER, 6), 7);
        assert_eq!(
            queue.free_nonce(&NodeKey([2; 32]), 4),
            4,
            "another's are its own"
        );
        assert_eq!(queue.unsent(), [(2, waiting(None))]);
    }

    #[test]
    fn duty_waits_behind_few_others() {
        let mut queue = queue(&[None; 70]);
        let orders = |queue: &Queue| -> Vec<u64> {
            let unsent = queue.unsent().into_iter();
            unsent.map(|(order, _)| order).collect()
        };
        let few: Vec<u64> = (0..OTHERS as u64).collect();
        assert_eq!(orders(&queue), few, "in their order");
        let duties = [70, 71, 72];
        queue.0.extend(duties.map(|order| (order, duty())));
        assert_eq!(orders(&queue), [&duties[..], &few].concat());
        for (order, nonce) in few.iter().zip(4..) {
            let sent = waiting(Some((nonce, 80))).sent;
            queue.0.get_mut(order).unwrap().sent = sent;
        }
        assert_eq!(orders(&queue), duties, "there is no room for others");
    }

    #[test]
    fn duties_that_cannot_be_paid_for_leave_room_for_what_brings_money() {
        let mut queue = queue(&[None]);
        queue.0.extend((1..100).map(|order| (order, duty())));
        let unsent = queue.unsent();
        assert_eq!(unsent.len(), DUTIES + 1);
        assert_eq!(unsent.last(), Some(&(0, waiting(None))));
    }

    #[test]
    fn what_can_still_be_included_is_not_made_again() {
        let mut queue = queue(&[Some((4, 80)), Some((5, 81))]);
        assert!(queue.bury(79, &SIGNER, 4).is_empty());
        assert_eq!(queue.bury(80, &SIGNER, 4), [0], "its time is over");
        assert_eq!(queue.bury(80, &SIGNER, 6), [1], "its nonce is another's");
        assert_eq!(queue.sent().count(), 0);
    }

    #[test]
    fn what_leans_on_a_block_that_is_gone_is_made_again() {
        let mut queue = queue(&[Some((4, 80)), Some((5, 81))]);
        assert_eq!(queue.uproot(17), [1]);
    }

    #[test]
    fn intent_is_known_by_all_of_its_transactions() {
        let mut queue = queue(&[Some((4, 80))]);
        for nonce in 0..2 * PAST {
            let mut next = waiting(Some((nonce as u64, 80)));
            queue.0.get_mut(&0).unwrap().sent = next.sent.take();
            assert_eq!(queue.uproot(0), [0]);
        }
        let past = &queue.0[&0].past;
        assert_eq!(past.len(), PAST);
        assert!(past.iter().all(|hash| queue.by_hash(hash) == Some(0)));
    }
}
