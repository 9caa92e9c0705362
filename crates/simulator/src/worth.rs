//! What the runs of a job are worth by what is right, whatever anybody says of them.

use std::collections::{BTreeMap, BTreeSet};

use opensky_core::{Draft, Time};
use opensky_protocol::{Account, Digest, NodeKey, PriceTerms, Statement, Ticket, Turn};

/// What an operator's run of a unit came to.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    /// What its right result is worth: nothing where it is wrong.
    pub right: u128,
    /// What a wrong result would cost whoever believes it.
    pub wrong: u128,
    /// Whether the requester has asked to be shown the result: that is what the ledger asks for.
    pub is_summoned: bool,
    /// When the result was shown that the requester has seen last.
    pub seen: Option<Time>,
}

/// Who ran what for whom, by orders of whoever may spend the escrow.
#[derive(Default)]
pub(crate) struct Worth {
    orders: BTreeMap<Turn, (Ticket, PriceTerms)>,
    runs: BTreeMap<(Digest, Account, Digest), Run>,
}

impl Worth {
    pub fn ordered(&mut self, draft: &Draft) {
        let turn = Turn::from(&draft.assignment);
        let order = (draft.ticket.clone(), draft.assignment.ask);
        self.orders.insert(turn, order);
    }

    /// How many results of the turn's unit are paid for at most.
    pub fn cap(&self, turn: &Turn) -> Option<u8> {
        let (ticket, _) = self.orders.get(turn)?;
        Some(ticket.replica_cap)
    }

    /// An operator has a result, of which it says this where that is what is right.
    pub fn ran(&mut self, turn: &Turn, operator: Account, said: &Statement, right: &Statement) {
        let Some((ticket, ask)) = self.orders.get(turn) else {
            return;
        };
        let is_right = said.compare_key == right.compare_key;
        let of = match is_right {
            true => right,
            false => said,
        };
        let amount = ticket.payment(ask, of.fuel, of.output_len);
        let run = self.run(turn, operator);
        match is_right {
            true => run.right = run.right.max(amount),
            false => run.wrong = run.wrong.max(amount),
        }
    }

    /// The requester has seen what an operator has.
    pub fn seen(&mut self, turn: &Turn, operator: Account, shown: Time) {
        if self.orders.contains_key(turn) {
            self.run(turn, operator).seen = Some(shown);
        }
    }

    /// A node asks to be shown what an operator has promised.
    pub fn summoned(&mut self, turn: &Turn, by: &NodeKey, operator: Account) {
        let order = self.orders.get(turn);
        if order.is_some_and(|(ticket, _)| ticket.requester == *by) {
            self.run(turn, operator).is_summoned = true;
        }
    }

    /// What the ledger pays at least for a right result of a unit that comes to `amount`: all of it, or the same
    /// part as for all others where more can claim one than the requester said it pays for. Whoever was asked to
    /// show its result can, whether it did or not: the ledger cannot know what gets lost on the way. Who works
    /// for nothing takes nothing from others.
    pub fn part(&self, job: Digest, unit: Digest, amount: u128) -> u128 {
        let least = Turn {
            job,
            unit,
            attempt: 0,
        };
        let most = Turn {
            attempt: u32::MAX,
            ..least
        };
        let orders = self.orders.range(least..=most);
        let seats = orders.map(|(_, (ticket, _))| u128::from(ticket.replica_cap));
        let operators = self.operators(job).into_iter();
        let claims = operators.filter(|operator| {
            let run = self.runs.get(&(job, *operator, unit));
            run.is_some_and(|run| run.right > 0 && run.is_summoned)
        });
        let (seats, claims) = (seats.max().unwrap_or(0), claims.count() as u128);
        amount.min(amount * seats / claims.max(1))
    }

    fn run(&mut self, turn: &Turn, operator: Account) -> &mut Run {
        let run = self.runs.entry((turn.job, operator, turn.unit));
        run.or_default()
    }

    /// An operator's runs of a job's units.
    pub fn of(&self, job: Digest, operator: Account) -> impl Iterator<Item = (Digest, Run)> {
        let least = (job, operator, Digest([0; 32]));
        let most = (job, operator, Digest([255; 32]));
        let runs = self.runs.range(least..=most);
        runs.map(|((_, _, unit), run)| (*unit, *run))
    }

    /// Who has run anything of a job.
    pub fn operators(&self, job: Digest) -> BTreeSet<Account> {
        let least = (job, Account([0; 32]), Digest([0; 32]));
        let most = (job, Account([255; 32]), Digest([255; 32]));
        let runs = self.runs.range(least..=most);
        runs.map(|((_, operator, _), _)| *operator).collect()
    }
}
