//! Looks at a world after all its times are over.

use std::collections::{BTreeMap, BTreeSet};

use opensky_core::{Ending, JobState, Replicas, Time, UnitView};
use opensky_protocol::{Account, Digest, Turn};

use crate::{
    character::Character,
    laws::Broken,
    node::{Node, State},
    world::World,
};

impl World {
    /// Looks at everything, after all times are over.
    ///
    /// # Errors
    /// The first law that is broken.
    pub fn conclude(&mut self) -> Result<(), Broken> {
        self.bank.books().check().map_err(Broken::Books)?;
        let taken: Vec<(Digest, usize)> = self.laws.taken.clone().into_iter().collect();
        for (job, place) in taken {
            let requester = &self.nodes[place];
            if requester.state == State::Gone {
                continue;
            }
            self.check_job(job, requester)?;
        }
        if self.laws.is_thorough {
            self.check_honest_work()?;
            self.check_debts()?;
            self.check_gains()?;
        }
        self.check_names()
    }

    fn check_job(&self, job: Digest, requester: &Node) -> Result<(), Broken> {
        let state = requester.participant.job(&job).map(|view| view.state);
        let forgotten = state.is_none() && self.laws.endings.contains_key(&job);
        if !forgotten && !matches!(state, Some(JobState::Over(_))) {
            return Err(Broken::NotEnded(job, state));
        }
        if let Some(escrow) = self.bank.escrow(&job)
            && escrow.left() > 0
        {
            return Err(Broken::Held(job, escrow.left()));
        }
        if forgotten || !self.laws.is_thorough || requester.character != Character::Honest {
            return Ok(());
        }
        if let Some(JobState::Over(Ending::Tainted { index })) = state {
            return Err(Broken::Tainted(job, index));
        }
        if state == Some(JobState::Over(Ending::Done)) && self.can_be_trusted(requester, &job) {
            self.check_result(job, requester)?;
        }
        self.check_payments(job, requester)
    }

    /// Whether no two say the same wrong thing.
    fn is_without_collusion(&self) -> bool {
        let liars = self.nodes.iter().filter(|node| node.character.lies());
        let mut kinds = BTreeSet::new();
        let mut liars = liars.map(|node| (node.character, node.character.colludes()));
        liars.all(|(character, colludes)| !colludes && kinds.insert(character))
    }

    /// Whether a result of that job must be right.
    fn can_be_trusted(&self, requester: &Node, job: &Digest) -> bool {
        let order = requester.participant.submission(job);
        let is_compared = order
            .is_some_and(|order| matches!(order.replicas, Replicas::Fixed(count) if count > 1));
        is_compared && self.is_without_collusion()
    }

    fn check_result(&self, job: Digest, requester: &Node) -> Result<(), Broken> {
        let units = all_units(requester, &job);
        let is_wrong = |unit: &UnitView| {
            let truth = self.gossip.truth.get(&unit.unit);
            unit.agreed.is_some_and(|(key, _)| Some(&key) != truth)
        };
        match units.iter().any(is_wrong) {
            true => Err(Broken::Wrong(job)),
            false => Ok(()),
        }
    }

    /// Of a unit no more are paid than its order says, and each operator once. Each has got what the
    /// requester has written down; more only if it was not told of all, and has shown turns to the
    /// ledger.
    fn check_payments(&self, job: Digest, requester: &Node) -> Result<(), Broken> {
        let mut earned: BTreeMap<Account, u128> = BTreeMap::new();
        for unit in all_units(requester, &job) {
            self.check_seats(job, &unit)?;
            for seat in &unit.seats {
                *earned.entry(seat.operator).or_default() += seat.earned;
            }
        }
        for (operator, owed) in earned {
            let Some(node) = self.provider(&operator) else {
                continue;
            };
            let has_shown = node.shown.iter().any(|turn| turn.job == job);
            let paid = self.bank.paid(&job, &operator);
            let tab = self.bank.books().tab(&job, &operator);
            // Whoever has not heard of all turns that a voucher pays cannot say which these are: the ledger
            // pays the voucher or what was shown beside it, whichever is more.
            let known = tab.voucher.saturating_add(tab.shown);
            let is_enough = paid == owed || (has_shown && paid.max(known) >= owed);
            if node.state == State::Up && !is_enough {
                return Err(Broken::Underpaid {
                    job,
                    operator,
                    paid,
                    owed,
                });
            }
        }
        Ok(())
    }

    fn check_seats(&self, job: Digest, unit: &UnitView) -> Result<(), Broken> {
        let mut payees = BTreeSet::new();
        for (attempt, seat) in (0..).zip(&unit.seats) {
            let turn = Turn {
                job,
                unit: unit.unit,
                attempt,
            };
            if seat.earned == 0 {
                continue;
            }
            if !payees.insert(seat.operator) {
                return Err(Broken::PaidTwice {
                    job,
                    unit: unit.unit,
                    operator: seat.operator,
                });
            }
            let cap = self.laws.worth.cap(&turn).unwrap_or(u8::MAX);
            if payees.len() > usize::from(cap) {
                return Err(Broken::PaidTooOften {
                    job,
                    unit: unit.unit,
                    cap,
                });
            }
        }
        Ok(())
    }

    fn provider(&self, operator: &Account) -> Option<&Node> {
        let mut nodes = self.nodes.iter();
        nodes.find(|node| node.who.operator == *operator)
    }

    /// What an honest provider has run, and its requester has seen, is paid whoever asked for it, as
    /// long as the escrow had something.
    fn check_honest_work(&self) -> Result<(), Broken> {
        for job in self.laws.taken.keys().copied() {
            let escrow = self.bank.escrow(&job);
            if escrow.is_none_or(|escrow| escrow.refunded == 0) {
                continue;
            }
            for operator in self.laws.worth.operators(job) {
                let node = self.provider(&operator);
                let is_there = |node: &&Node| node.state == State::Up && node.character.is_honest();
                if let Some(node) = node.filter(is_there) {
                    self.check_income(job, node)?;
                }
            }
        }
        Ok(())
    }

    fn check_income(&self, job: Digest, node: &Node) -> Result<(), Broken> {
        let operator = node.who.operator;
        let runs = self.laws.worth.of(job, operator);
        let seen = runs.filter(|(_, run)| run.seen.is_some());
        let worth: u128 = seen
            .map(|(unit, run)| self.laws.worth.part(job, unit, run.right))
            .sum();
        let paid = self.bank.paid(&job, &operator);
        let tab = self.bank.books().tab(&job, &operator);
        // Whoever has not heard of all turns that a voucher pays cannot say which these are: the ledger
        // pays the voucher or what was shown beside it, whichever is more.
        match paid.max(tab.voucher.saturating_add(tab.shown)) < worth {
            true => Err(Broken::Unpaid {
                job,
                operator,
                paid,
                worth,
            }),
            false => Ok(()),
        }
    }

    /// No requester has cost an honest provider more work than that lets it owe, whatever it did: what a
    /// provider lost with a process of its own apart.
    fn check_debts(&self) -> Result<(), Broken> {
        let providers = self.nodes.iter().filter(|node| {
            !node.is_requester() && node.character.is_honest() && node.stopped == Time::default()
        });
        for node in providers {
            for (place, requester) in self.nodes.iter().enumerate() {
                let (unpaid, paid) = self.debt(place, &node.who.operator);
                let requester = requester.who.node;
                let bound = self.policy.max_unpaid.saturating_add(paid);
                if unpaid > bound {
                    return Err(Broken::TooMuchUnpaid {
                        operator: node.who.operator,
                        requester,
                        unpaid,
                        bound,
                    });
                }
            }
        }
        Ok(())
    }

    /// What an operator's right results for a node's jobs are worth beyond what it was paid, and that.
    pub fn debt(&self, place: usize, operator: &Account) -> (u128, u128) {
        let jobs = self.laws.taken.iter().filter(|(_, of)| **of == place);
        jobs.fold((0, 0), |(unpaid, paid), (job, _)| {
            let worth = self.laws.worth(*job, *operator);
            let got = self.bank.books().tab(job, operator).paid;
            (unpaid + worth.saturating_sub(got), paid + got)
        })
    }

    /// Nobody has got more than its right results are worth, and those wrong ones that its requester
    /// believed or could not object to.
    fn check_gains(&self) -> Result<(), Broken> {
        for ((job, operator), paid) in &self.bank.paid {
            let is_accomplice = self.provider(operator).is_some_and(|node| {
                matches!(node.character, Character::Shill | Character::Drainer)
            });
            let units = self.units_of(job);
            let believed = self.laws.worth.of(*job, *operator);
            let believed = believed.filter(|(unit, run)| {
                run.wrong > 0 && self.may_believe(units.as_deref(), unit, operator)
            });
            let believed: u128 = believed.map(|(_, run)| run.wrong).sum();
            let worth = self.laws.worth(*job, *operator) + believed;
            if *paid > worth && !is_accomplice {
                return Err(Broken::Overpaid {
                    job: *job,
                    operator: *operator,
                    paid: *paid,
                    worth,
                });
            }
        }
        Ok(())
    }

    /// What an honest requester knows of its job.
    fn units_of(&self, job: &Digest) -> Option<Vec<UnitView>> {
        let place = self.laws.taken.get(job)?;
        let requester = &self.nodes[*place];
        let is_honest = requester.character == Character::Honest;
        is_honest.then(|| all_units(requester, job))
    }

    /// Whether a requester may have believed that operator's wrong result of a unit, or knows nothing
    /// better that it could object with.
    fn may_believe(&self, units: Option<&[UnitView]>, unit: &Digest, operator: &Account) -> bool {
        let known = units.and_then(|units| units.iter().find(|known| known.unit == *unit));
        let Some(known) = known else {
            return true;
        };
        let mut seats = known.seats.iter();
        let was_paid = seats.any(|seat| seat.operator == *operator && seat.earned > 0);
        let truth = self.gossip.truth.get(unit);
        let is_wrong = known.agreed.is_none_or(|(key, _)| Some(&key) != truth);
        was_paid || is_wrong
    }

    /// Nobody honest is taken for a liar where nobody colludes.
    fn check_names(&self) -> Result<(), Broken> {
        if !self.laws.is_thorough || !self.is_without_collusion() {
            return Ok(());
        }
        let requesters = self.nodes.iter().enumerate();
        let requesters = requesters.filter(|(_, node)| node.is_requester());
        for (place, _) in requesters.filter(|(_, node)| node.state == State::Up) {
            for node in self.nodes.iter().filter(|node| node.character.is_honest()) {
                let faults = self.faults(place, &node.who.operator);
                if faults > 0 {
                    return Err(Broken::Defamed(node.who.operator, faults));
                }
            }
        }
        Ok(())
    }
}

/// The units of a job, those too that were begun anew, as they were before.
fn all_units(requester: &Node, job: &Digest) -> Vec<UnitView> {
    let participant = &requester.participant;
    let units = participant.units(job).into_iter();
    units.chain(participant.replaced(job)).collect()
}
