//! How a provider gets what it is owed: vouchers are kept and claimed, what is not paid is shown to
//! the ledger.

use opensky_protocol::{
    Digest, NodeKey, Settlement, Turn, Verified,
    ledger::{PaidTurn, Showing},
};

use crate::{
    alarm::Alarm,
    earning::{Listed, owed},
    effect::{Effect, Proof, UnpaidTurn},
    moment::Moment,
    policy::Contest,
    row::Stored,
    task::{Task, TaskState},
    worker::{Worker, commit},
};

impl Worker {
    /// The requester says what became of turns. The voucher's seal has been checked.
    pub(crate) fn settled(&mut self, from: NodeKey, news: Settlement, at: &mut Moment<'_>) {
        let Settlement {
            paid,
            refused,
            voucher,
        } = news;
        let job = paid.iter().chain(&refused).map(|turn| turn.job).next();
        let voucher = voucher.map(Verified::assume);
        if let (Some(job), Some(voucher)) = (job, &voucher) {
            let who = self.who;
            let earning = self.earnings.get_mut(&job);
            let ours = earning.filter(|earning| earning.is_ours(voucher, &job, &who));
            if let Some(earning) = ours {
                earning.keep(voucher);
                self.count(&job, at);
            }
        }
        if let Some(job) = job {
            self.paid(from, job, &paid, at);
            self.plan_claim(job, at);
        }
        for turn in refused {
            self.refused(from, turn, at);
        }
    }

    /// Turns are paid, if the best voucher of their job is enough for all.
    fn paid(&mut self, from: NodeKey, job: Digest, turns: &[Turn], at: &mut Moment<'_>) {
        let earning = self.earnings.get(&job);
        if earning.is_none_or(|earning| earning.requester != from) {
            return;
        }
        let shown = |turn: &&Turn| {
            let task = self.tasks.get(turn);
            let task = task.filter(|task| task.ticket.value.requester == from);
            turn.job == job && task.is_some_and(|task| task.done().is_some())
        };
        let turns: Vec<Turn> = turns.iter().filter(shown).copied().collect();
        let due: Vec<PaidTurn> = turns
            .iter()
            .map(|turn| owed(turn, self.tasks[turn].owed()))
            .collect();
        let opened = self.opened.entry(job).or_default();
        let earning = self.earnings.get_mut(&job);
        let Some(listed) = earning.and_then(|earning| earning.pay(&due, opened)) else {
            return;
        };
        if listed == Listed::Yes {
            for turn in due {
                at.changed(Stored::Paid(job, opened.len() as u32));
                opened.push_back(turn);
            }
        }
        self.count(&job, at);
        turns.iter().for_each(|turn| self.forget(*turn, None, at));
        self.close_account(job, at);
    }

    fn refused(&mut self, from: NodeKey, turn: Turn, at: &mut Moment<'_>) {
        let contest = self.policy.contest;
        let Some(task) = self.task_of(from, &turn) else {
            return;
        };
        let state = core::mem::replace(&mut task.state, TaskState::Running);
        task.state = match (state, contest) {
            (TaskState::Shown(done, _), Contest::Always) => {
                at.alarms.clear(Alarm::Result(turn));
                TaskState::Rejected(done)
            }
            (state @ TaskState::Rejected(_), _) => state,
            (state, _) => {
                task.state = state;
                self.write_off(&turn, at);
                self.forget(turn, None, at);
                return;
            }
        };
    }

    /// The requester says that a job is over.
    pub(crate) fn over(&mut self, from: NodeKey, job: Digest, at: &mut Moment<'_>) {
        let earning = self.earnings.get_mut(&job);
        let Some(earning) = earning.filter(|earning| earning.requester == from) else {
            return;
        };
        if earning.ends <= at.now {
            return;
        }
        earning.ends = at.now;
        at.changed(Stored::Earning(job));
        at.alarms.set(Alarm::Account(job), at.now);
    }

    fn plan_claim(&mut self, job: Digest, at: &mut Moment<'_>) {
        let Some(earning) = self.earnings.get(&job) else {
            return;
        };
        let when = match earning.unclaimed() {
            0 => return,
            // Nothing more will come, so there is nothing to wait for.
            _ if earning.ends <= at.now => at.now,
            much if much >= self.policy.claim_amount => at.now,
            _ if self.needs_money_of(&earning.requester) => at.now,
            _ => at.now.after(self.policy.claim_time),
        };
        at.alarms.bring_forward(Alarm::Account(job), when);
    }

    /// Looks at the account of a job: claims, shows, gives up.
    pub(crate) fn look_at_account(&mut self, job: Digest, at: &mut Moment<'_>) {
        let Some(earning) = self.earnings.get(&job) else {
            return;
        };
        let (ends, deadline) = (earning.ends, earning.deadline);
        let is_over = ends <= at.now;
        let is_unpaid = |turn: &Turn| self.tasks[turn].done().is_some();
        let may_be_closed = !is_over && self.turns_of(&job).iter().any(is_unpaid);
        let is_claimed = earning.unclaimed() == 0;
        let owes = earning.owed() > 0;
        let sulks = ends.after(self.policy.patience);
        if earning.unclaimed() > 0
            && let Some(best) = &earning.best
        {
            at.want(Effect::Claim(Verified::assume(best.clone())));
        }
        // Whoever has closed an escrow need not say so, and what they say may be lost.
        if may_be_closed || owes {
            self.look_for(job, at);
        }
        if is_over {
            self.stop_unfinished(job, at);
        }
        if sulks <= at.now {
            self.forget_unseen(job, at);
            self.show(job, at);
        }
        if deadline.after(self.policy.give_up) <= at.now {
            self.close_books(job, at);
            return;
        }
        // What was shown to the ledger is paid much later.
        let pause = match is_over && is_claimed && self.turns_of(&job).is_empty() {
            true => self.policy.claim_time,
            false => self.policy.last_retry,
        };
        let again = at.now.after(pause);
        let steps = [ends, sulks, again].into_iter();
        let next = steps.filter(|step| *step > at.now).min();
        at.alarms.set(Alarm::Account(job), next.unwrap_or(again));
        self.close_account(job, at);
    }

    /// What has no result by the deadline will not be paid.
    fn stop_unfinished(&mut self, job: Digest, at: &mut Moment<'_>) {
        for turn in self.turns_of(&job) {
            match self.tasks[&turn].state {
                TaskState::Running => at.want(Effect::Stop(turn)),
                TaskState::Unfunded(_) | TaskState::Queued(_) => {}
                _ => continue,
            }
            self.write_off(&turn, at);
            self.forget(turn, None, at);
        }
    }

    /// What nobody has asked to see will not be asked for any more, and is owed by nobody.
    fn forget_unseen(&mut self, job: Digest, at: &mut Moment<'_>) {
        for turn in self.turns_of(&job) {
            if self.tasks[&turn].summons.is_none() {
                self.write_off(&turn, at);
                self.forget(turn, None, at);
            }
        }
    }

    /// Shows the ledger what was not paid.
    fn show(&mut self, job: Digest, at: &mut Moment<'_>) {
        let Some(earning) = self.earnings.get(&job) else {
            return;
        };
        let turns = self.turns_of(&job);
        let unpaid = turns.iter().filter_map(|turn| {
            let task = &self.tasks[turn];
            self.unpaid(turn, task)
        });
        let unpaid: Vec<_> = unpaid.take(Showing::MAX_EVIDENCE).collect();
        if unpaid.is_empty() {
            return;
        }
        let opened = self.opened.get(&job);
        let proof = Proof {
            escrow: job,
            voucher: earning.known.clone(),
            opened: opened.into_iter().flatten().copied().collect(),
            turns: unpaid,
        };
        at.want(Effect::Show(Box::new(proof)));
    }

    fn unpaid(&self, turn: &Turn, task: &Task) -> Option<UnpaidTurn> {
        let (done, summons) = (task.done()?, task.summons.as_deref()?);
        let salt = self.draws.salt(turn);
        Some(UnpaidTurn {
            ticket: task.ticket.clone(),
            assignment: task.assignment.clone(),
            commit: commit(salt, &self.who.node, turn, done),
            summons: summons.clone(),
            salt,
            statement: done.statement.clone(),
            signature: done.signature,
        })
    }

    /// The ledger has taken what was shown, or will never.
    pub(crate) fn filed(&mut self, turns: &[Turn], at: &mut Moment<'_>) {
        for turn in turns {
            let worth = self.tasks.get(turn).map_or(0, |task| task.owed());
            if let Some(earning) = self.earnings.get_mut(&turn.job) {
                earning.filed = earning.filed.saturating_add(worth);
            }
            self.count(&turn.job, at);
            self.forget(*turn, None, at);
            self.close_account(turn.job, at);
        }
    }

    /// The ledger has paid vouchers up to that total, or will pay no more; and so much in all.
    pub(crate) fn claimed(
        &mut self,
        job: Digest,
        total: u128,
        received: u128,
        at: &mut Moment<'_>,
    ) {
        if let Some(earning) = self.earnings.get_mut(&job) {
            earning.claimed = earning.claimed.max(total);
        }
        self.count(&job, at);
        self.received(&job, received, at);
        // A better voucher may have come meanwhile.
        self.plan_claim(job, at);
        self.close_account(job, at);
    }

    /// Forgets a job that is over, whose turns are all settled and paid, or never will be. Until then what
    /// is owed counts.
    pub(crate) fn close_account(&mut self, job: Digest, at: &mut Moment<'_>) {
        let Some(earning) = self.earnings.get(&job) else {
            return;
        };
        let is_done = earning.ends <= at.now && earning.unclaimed() == 0;
        if !is_done || !self.turns_of(&job).is_empty() {
            return;
        }
        let is_empty = self.funding.get(&job).is_some_and(|found| found.left == 0);
        match earning.owed() == 0 || is_empty {
            true => self.close_books(job, at),
            // Only the money is waited for.
            false => at.want(Effect::Drop(job)),
        }
    }

    fn close_books(&mut self, job: Digest, at: &mut Moment<'_>) {
        for turn in self.turns_of(&job) {
            self.write_off(&turn, at);
            self.forget(turn, None, at);
        }
        if let Some(earning) = self.earnings.remove(&job) {
            let requester = earning.requester;
            self.credits.close(&requester, &job, earning.counted);
            self.lose(requester, earning.owed(), at);
        }
        self.funding.remove(&job);
        at.changed(Stored::Earning(job));
        let opened = self.opened.remove(&job).unwrap_or_default();
        (0..opened.len() as u32).for_each(|place| at.changed(Stored::Paid(job, place)));
        at.alarms.clear(Alarm::Account(job));
        at.want(Effect::Drop(job));
    }
}
