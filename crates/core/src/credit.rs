//! What requesters owe this node, and how much more they may: nobody works on for one that does not pay.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Digest, NodeKey};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

/// How a requester has paid so far. It outlives the jobs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Record {
    /// What the ledger has paid from its escrows.
    pub(crate) paid: u128,
    /// What was done for it and will not be paid.
    pub(crate) lost: u128,
}

/// What a turn counts for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Weight {
    /// What it can still take from its escrow.
    pub(crate) committed: u128,
    /// What it is worth, once it has a result.
    pub(crate) done: u128,
    /// What it can cost while it runs.
    pub(crate) running: u128,
}

/// One requester.
#[derive(Default)]
struct Credit {
    record: Record,
    /// What is done and not paid, by results, vouchers and evidence.
    owed: u128,
    /// What its running turns can cost.
    running: u128,
    /// Its jobs that have an account here.
    jobs: BTreeSet<Digest>,
}

impl Credit {
    /// What is done and not paid, or ever will be.
    fn unpaid(&self) -> u128 {
        self.owed.saturating_add(self.record.lost)
    }

    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.owed == 0 && self.running == 0
    }
}

/// All requesters, and what each escrow is needed for.
pub(crate) struct Credits {
    max_unpaid: u128,
    each: BTreeMap<NodeKey, Credit>,
    /// What turns that are not settled can still take, by job.
    committed: BTreeMap<Digest, u128>,
}

impl Credits {
    /// Nobody owes anything. Whoever has paid nothing yet may owe `max_unpaid`.
    pub(crate) fn new(max_unpaid: u128) -> Self {
        Self {
            max_unpaid,
            each: BTreeMap::new(),
            committed: BTreeMap::new(),
        }
    }

    fn limit(&self, record: &Record) -> u128 {
        self.max_unpaid.saturating_add(record.paid)
    }

    /// Whether a turn that can cost so much may be run for a requester now, beside what runs.
    pub(crate) fn may_run(&self, requester: &NodeKey, price: u128) -> bool {
        let Some(credit) = self.each.get(requester) else {
            return price <= self.max_unpaid;
        };
        let all = credit.unpaid().saturating_add(credit.running);
        all.saturating_add(price) <= self.limit(&credit.record)
    }

    /// Whether such a turn could be run, were it the only one.
    pub(crate) fn may_order(&self, requester: &NodeKey, price: u128) -> bool {
        let Some(credit) = self.each.get(requester) else {
            return price <= self.max_unpaid;
        };
        credit.unpaid().saturating_add(price) <= self.limit(&credit.record)
    }

    /// Whether a requester owes half of what it may.
    pub(crate) fn is_stretched(&self, requester: &NodeKey) -> bool {
        let credit = self.each.get(requester);
        credit.is_some_and(|credit| credit.owed >= self.limit(&credit.record) / 2)
    }

    /// What turns of a job that are not settled can still take from its escrow.
    pub(crate) fn committed(&self, job: &Digest) -> u128 {
        self.committed.get(job).copied().unwrap_or_default()
    }

    /// A turn that counted for `before` counts for `now`.
    pub(crate) fn weigh(&mut self, requester: NodeKey, job: Digest, before: Weight, now: Weight) {
        let credit = self.each.entry(requester).or_default();
        move_by(&mut credit.owed, before.done, now.done);
        move_by(&mut credit.running, before.running, now.running);
        let committed = self.committed.entry(job).or_default();
        move_by(committed, before.committed, now.committed);
        if *committed == 0 {
            self.committed.remove(&job);
            self.tidy(&requester);
        }
    }

    /// Of a requester's account as much is owed now.
    pub(crate) fn owes(&mut self, requester: NodeKey, job: Digest, before: u128, now: u128) {
        let credit = self.each.entry(requester).or_default();
        credit.jobs.insert(job);
        move_by(&mut credit.owed, before, now);
    }

    /// A requester's account is closed.
    pub(crate) fn close(&mut self, requester: &NodeKey, job: &Digest, counted: u128) {
        if let Some(credit) = self.each.get_mut(requester) {
            credit.jobs.remove(job);
            move_by(&mut credit.owed, counted, 0);
        }
        self.tidy(requester);
    }

    /// Whoever has nothing here and never had needs no place.
    fn tidy(&mut self, requester: &NodeKey) {
        let credit = self.each.get(requester);
        if credit.is_some_and(|credit| credit.is_idle() && credit.record == Record::default()) {
            self.each.remove(requester);
        }
    }

    /// The jobs of a requester that have an account here.
    pub(crate) fn jobs(&self, requester: &NodeKey) -> Vec<Digest> {
        let credit = self.each.get(requester).into_iter();
        credit.flat_map(|credit| &credit.jobs).copied().collect()
    }

    /// The ledger has paid so much more from a requester's escrows.
    pub(crate) fn paid(&mut self, requester: NodeKey, amount: u128) {
        let record = &mut self.each.entry(requester).or_default().record;
        record.paid = record.paid.saturating_add(amount);
    }

    /// What was done for a requester will not be paid.
    pub(crate) fn lost(&mut self, requester: NodeKey, amount: u128) {
        let record = &mut self.each.entry(requester).or_default().record;
        record.lost = record.lost.saturating_add(amount);
    }

    /// How a requester has paid so far, if there is anything to say.
    pub(crate) fn record(&self, requester: &NodeKey) -> Option<Record> {
        let record = self.each.get(requester)?.record;
        (record != Record::default()).then_some(record)
    }

    /// Takes up what was known before a restart.
    pub(crate) fn restore(&mut self, requester: NodeKey, record: Record) {
        self.each.entry(requester).or_default().record = record;
    }

    /// Forgets one requester for whom nothing is under way, if more than so many are known. Whoever comes
    /// back after that is new: no worse for this node than a new key, which everyone can have.
    pub(crate) fn forget_one(&mut self, most: usize) -> Option<NodeKey> {
        if self.each.len() <= most {
            return None;
        }
        let idle = self.each.iter().find(|(_, credit)| credit.is_idle());
        let node = idle.map(|(node, _)| *node)?;
        self.each.remove(&node);
        Some(node)
    }
}

fn move_by(sum: &mut u128, before: u128, now: u128) {
    *sum = sum.saturating_sub(before).saturating_add(now);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: NodeKey = NodeKey([1; 32]);
    const JOB: Digest = Digest([2; 32]);

    fn done(worth: u128) -> Weight {
        Weight {
            committed: worth,
            done: worth,
            running: 0,
        }
    }

    #[test]
    fn who_has_paid_may_owe_as_much_more() {
        let mut credits = Credits::new(100);
        assert!(credits.may_run(&ADA, 100) && credits.may_order(&ADA, 100));
        assert!(!credits.may_run(&ADA, 101) && !credits.may_order(&ADA, 101));
        credits.weigh(ADA, JOB, Weight::default(), done(60));
        assert!(credits.may_run(&ADA, 40) && !credits.may_run(&ADA, 41));
        credits.weigh(ADA, JOB, done(60), Weight::default());
        credits.paid(ADA, 60);
        credits.owes(ADA, JOB, 0, 100);
        assert!(credits.may_run(&ADA, 60) && !credits.may_run(&ADA, 61));
        assert!(credits.is_stretched(&ADA));
    }

    #[test]
    fn what_is_lost_is_owed_for_ever() {
        let mut credits = Credits::new(100);
        credits.owes(ADA, JOB, 0, 70);
        credits.close(&ADA, &JOB, 70);
        credits.lost(ADA, 70);
        assert!(credits.may_order(&ADA, 30) && !credits.may_order(&ADA, 31));
        assert_eq!(credits.forget_one(1), None);
        assert_eq!(credits.forget_one(0), Some(ADA));
    }

    #[test]
    fn what_runs_keeps_others_from_running_and_not_from_waiting() {
        let mut credits = Credits::new(100);
        let running = Weight {
            committed: 80,
            done: 0,
            running: 80,
        };
        credits.weigh(ADA, JOB, Weight::default(), running);
        assert!(credits.may_order(&ADA, 100) && !credits.may_run(&ADA, 21));
        assert_eq!(credits.committed(&JOB), 80);
        credits.weigh(ADA, JOB, running, Weight::default());
        assert_eq!(credits.committed(&JOB), 0);
    }
}
