//! Requesters object to what is claimed for other results than the agreed ones, as nodes do: after the
//! time for claims, and knowing no more than what their own broker has agreed on.

use opensky_core::UnitView;
use opensky_protocol::{
    Digest,
    ledger::{Call, Case, Phase},
};

use crate::{
    character::Character,
    node::State,
    world::{Coming, World},
};

impl World {
    /// Plans to look at the claims of an escrow once nothing more can be claimed.
    pub(crate) fn plan_objections(&mut self, place: usize, job: Digest) {
        let terms = self.bank.books().terms();
        let escrow = self.bank.escrow(&job);
        let at = escrow.map(|escrow| escrow.ends().saturating_add(terms.claims));
        if let Some(at) = at {
            let after = at.saturating_sub(self.now.0);
            self.plan(place, after, Coming::Objections(job));
        }
    }

    /// Objects, and looks again later: the process may not have been there.
    pub(crate) fn look_at_claims(&mut self, place: usize, job: Digest) {
        let terms = self.bank.books().terms();
        let pause = terms.objections / 8;
        let escrow = self.bank.escrow(&job);
        let is_time = escrow.is_some_and(|escrow| {
            escrow.phase(self.now.0, terms) == Phase::Objections && escrow.cases > 0
        });
        if !is_time {
            return;
        }
        self.plan(place, pause, Coming::Objections(job));
        if self.nodes[place].state != State::Up {
            return;
        }
        let participant = &self.nodes[place].participant;
        let units = participant.units(&job).into_iter();
        let units: Vec<UnitView> = units.chain(participant.replaced(&job)).collect();
        for unit in self.bank.books().cases(&job, None, usize::MAX) {
            let case = self.bank.books().case(&job, &unit);
            if case.is_some_and(|case| self.is_objected_to(place, &case, &unit, &units)) {
                self.object(place, job, unit, &units);
            }
        }
    }

    /// A crony objects to everything, others where they know better.
    fn is_objected_to(&self, place: usize, case: &Case, unit: &Digest, units: &[UnitView]) -> bool {
        let is_crony = self.nodes[place].character == Character::Crony;
        let agreed = agreed(unit, units);
        let differs = |key: &Digest| agreed.is_some_and(|agreed| agreed != *key);
        let mut claims = case.filed.iter();
        !case.is_disputed() && (is_crony || claims.any(|claim| differs(&claim.compare_key)))
    }

    fn object(&mut self, place: usize, escrow: Digest, unit: Digest, units: &[UnitView]) {
        let who = self.nodes[place].who;
        let agreed = agreed(&unit, units);
        if agreed.is_some_and(|agreed| self.gossip.truth.get(&unit) != Some(&agreed)) {
            self.laws.deceived.insert(who.operator);
        }
        self.laws.objections += 1;
        // Whoever has too little money for the stake has to let the claim stand.
        let _ = self.call(who.node, Call::Object { escrow, unit });
    }
}

fn agreed(unit: &Digest, units: &[UnitView]) -> Option<Digest> {
    let known = units.iter().find(|known| known.unit == *unit)?;
    known.agreed.map(|(key, _)| key)
}
