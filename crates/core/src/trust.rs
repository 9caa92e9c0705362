//! What a worker's turns and accounts count for, with whoever ordered them and in their escrows.

use opensky_protocol::{Digest, NodeKey, Refusal, Turn};

use crate::{
    alarm::Alarm, earning::Earning, effect::Effect, event::Funding, moment::Moment, row::Stored,
    worker::Worker,
};

impl Worker {
    /// Whether a turn more that can cost so much is taken on: by what its requester owes, and by what its
    /// escrow holds.
    pub(crate) fn trusts(
        &self,
        job: &Digest,
        funding: &Funding,
        price: u128,
    ) -> Result<(), Refusal> {
        if !self.credits.may_order(&funding.requester, price) {
            return Err(Refusal::Owed);
        }
        let account = self.earnings.get(job);
        let worth = account.map_or(0, |account| account.worth());
        let taken = worth.saturating_add(self.credits.committed(job));
        // What this node was paid of it was there for what it has taken on.
        let there = funding.amount.saturating_add(funding.received);
        match taken.saturating_add(price) <= there {
            true => Ok(()),
            false if taken == 0 => Err(Refusal::Escrow),
            false => Err(Refusal::Committed),
        }
    }

    /// An order was refused. Where that was for want of money, it is looked for.
    pub(crate) fn look_for_money(
        &mut self,
        requester: &NodeKey,
        job: Digest,
        why: Refusal,
        at: &mut Moment<'_>,
    ) {
        match why {
            Refusal::Owed => self.call_in(requester, at),
            // Others may have been paid since it was looked at, or it holds more now.
            Refusal::Committed => self.look_for(job, at),
            _ => {}
        }
    }

    /// Claims at once what a requester owes, and asks the ledger what it has paid.
    pub(crate) fn call_in(&mut self, requester: &NodeKey, at: &mut Moment<'_>) {
        for job in self.credits.jobs(requester) {
            let account = self.earnings.get(&job);
            if account.is_some_and(|account| account.owed() > 0) {
                at.alarms.bring_forward(Alarm::Account(job), at.now);
            }
        }
    }

    /// Whether vouchers of a requester are to become money at once: it owes half of what it may, or its turns
    /// wait because of what it owes.
    pub(crate) fn needs_money_of(&self, requester: &NodeKey) -> bool {
        self.credits.is_stretched(requester) || self.held_up.contains(requester)
    }

    /// Counts a turn as what it is now.
    pub(crate) fn weigh(&mut self, turn: &Turn) {
        if let Some(task) = self.tasks.get_mut(turn) {
            let now = task.weight();
            let before = core::mem::replace(&mut task.counted, now);
            let requester = task.ticket.value.requester;
            self.credits.weigh(requester, turn.job, before, now);
        }
    }

    /// Counts an account as what it is now. Whatever changes one calls this.
    pub(crate) fn count(&mut self, job: &Digest, at: &mut Moment<'_>) {
        if let Some(account) = self.earnings.get_mut(job) {
            let now = account.owed();
            let before = core::mem::replace(&mut account.counted, now);
            self.credits.owes(account.requester, *job, before, now);
            at.changed(Stored::Earning(*job));
        }
    }

    /// Takes up an account as it was before a restart.
    pub(crate) fn restore_account(&mut self, job: Digest, mut account: Earning) {
        account.counted = account.owed();
        self.credits
            .owes(account.requester, job, 0, account.counted);
        self.earnings.insert(job, account);
    }

    /// The ledger has paid so much from an escrow in all.
    pub(crate) fn received(&mut self, job: &Digest, all: u128, at: &mut Moment<'_>) {
        let Some(account) = self.earnings.get_mut(job) else {
            return;
        };
        let more = all.saturating_sub(account.received);
        if more > 0 {
            account.received = all;
            let requester = account.requester;
            self.credits.paid(requester, more);
            self.remember(requester, at);
            self.count(job, at);
        }
    }

    /// What the ledger has shown of an escrow that pays for this node's work.
    pub(crate) fn note_funding(&mut self, job: Digest, found: Funding, at: &mut Moment<'_>) {
        let account = self.earnings.get_mut(&job);
        let Some(account) = account.filter(|account| account.requester == found.requester) else {
            return;
        };
        if found.ends < account.ends {
            account.ends = found.ends;
            at.changed(Stored::Earning(job));
            at.alarms.bring_forward(Alarm::Account(job), at.now);
        }
        self.funding.insert(job, found);
        self.received(&job, found.received, at);
    }

    /// Asks the ledger for an escrow, unless it was asked and has not answered.
    pub(crate) fn look_for(&mut self, job: Digest, at: &mut Moment<'_>) {
        if self.looked_for.insert(job) {
            at.want(Effect::FindEscrow { job });
        }
    }

    /// Work on a turn that will never be paid is lost: a result, or what was run of it so far.
    pub(crate) fn write_off(&mut self, turn: &Turn, at: &mut Moment<'_>) {
        let Some(task) = self.tasks.get(turn) else {
            return;
        };
        let speed = self.terms.as_ref().map_or(0, |terms| terms.speed);
        let amount = task.spent(speed, at.now);
        let requester = task.ticket.value.requester;
        self.lose(requester, amount, at);
    }

    /// So much work for a requester will never be paid.
    pub(crate) fn lose(&mut self, requester: NodeKey, amount: u128, at: &mut Moment<'_>) {
        if amount > 0 {
            self.credits.lost(requester, amount);
            self.remember(requester, at);
        }
    }

    fn remember(&mut self, requester: NodeKey, at: &mut Moment<'_>) {
        at.changed(Stored::Requester(requester));
        if let Some(forgotten) = self.credits.forget_one(self.policy.remembered) {
            at.changed(Stored::Requester(forgotten));
        }
    }
}
