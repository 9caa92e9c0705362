//! What a job may cost, has cost and can still cost.

use opensky_protocol::{Account, Digest, JobPlan, Ticket};

use crate::{
    event::{Identity, Plan, Replicas},
    job::Job,
    need::Run,
    policy::Policy,
    purse::Purse,
    unit::Unit,
};

impl Job {
    /// The requester's order for a unit.
    pub(crate) fn ticket(&self, who: &Identity, unit: &Unit) -> Ticket {
        Ticket {
            unit: unit.id,
            job: self.id,
            requester: who.node,
            payer: who.operator,
            ledger: who.ledger,
            price: self.order.price,
            replicas: self.first_replicas(),
            replica_cap: self.order.replica_cap,
            input_len: unit.input_len,
            limits: *self.limits(),
            deadline: self.order.deadline.0,
        }
    }

    /// How many operators are asked for each unit, if that is fixed; one where it is not.
    pub(crate) fn first_replicas(&self) -> u8 {
        match self.order.replicas {
            Replicas::Auto => 1,
            Replicas::Fixed(count) => count,
        }
    }

    /// One run of a unit whose inputs have so many bytes together.
    pub(crate) fn run(&self, input_len: u64) -> Run {
        Run::of(&self.order, input_len)
    }

    /// Pays a turn, once.
    pub(crate) fn pay(&mut self, operator: Account, unit: &Digest, attempt: u32, amount: u128) {
        let purse = self.purses.entry(operator).or_insert(Purse::EMPTY);
        purse.pay(unit, attempt, amount);
        self.spent = self.spent.saturating_add(amount);
    }

    /// What is neither spent nor promised.
    pub(crate) fn left(&self) -> u128 {
        let used = self.spent.saturating_add(self.reserved);
        self.progress.locked.saturating_sub(used)
    }

    /// What is to be set aside: the worst case, unless the user gives less. `None` if that is beyond
    /// any amount of money.
    pub(crate) fn escrow(&self, policy: &Policy) -> Option<u128> {
        let worst = self.worst_case(policy);
        match self.order.max_total {
            Some(most) => Some(worst.map_or(most, |worst| worst.min(most))),
            None => worst,
        }
    }

    fn worst_case(&self, policy: &Policy) -> Option<u128> {
        let limits = self.limits();
        let cap = u128::from(self.order.replica_cap);
        let of_unit = |input: u64| match self.order.price.worst_case(limits, input) {
            u128::MAX => None,
            price => price.checked_mul(cap),
        };
        let spec = match &self.order.plan {
            Plan::Single(_) => return of_unit(self.input_len(0)),
            Plan::Job(spec) => spec,
        };
        let times = |price: Option<u128>, count: u128| price?.checked_mul(count);
        match &spec.plan {
            JobPlan::Stepper { .. } => {
                let larger = self.input_len(0).max(limits.output);
                times(of_unit(larger), u128::from(policy.stepper_units))
            }
            JobPlan::MapReduce {
                shards,
                partitions,
                finish,
            } => {
                let mut maps = (0..shards.len() as u32).map(|index| of_unit(self.input_len(index)));
                let maps = maps.try_fold(0u128, |sum, price| sum.checked_add(price?));
                // All partitions of all shards together are no more than all outputs of all shards.
                let moved = limits.output.saturating_mul(shards.len() as u64);
                let each = moved.div_ceil(u64::from((*partitions).max(1)));
                let reduces = times(
                    of_unit(each.saturating_add(1 << 20)),
                    u128::from(*partitions),
                );
                let last = limits.output.saturating_mul(u64::from(*partitions));
                let last = times(of_unit(last), u128::from(*finish));
                maps?.checked_add(reduces?)?.checked_add(last?)
            }
        }
    }

    /// What is spent and what live seats can cost, counted anew.
    pub(crate) fn count_money(&mut self) {
        let totals = self.purses.values().map(|purse| purse.total);
        self.spent = totals.fold(0, u128::saturating_add);
        let seats = self.units.values().flat_map(|unit| &unit.seats);
        let live = seats.filter(|seat| seat.is_live());
        self.reserved = live.fold(0, |sum, seat| sum.saturating_add(seat.reserved));
    }
}
