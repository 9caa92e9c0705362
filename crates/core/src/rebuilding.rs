//! Begins anew what was built upon a result that turned out to be wrong: whoever has promised a result of
//! that shows it and is paid, for it has done what it was asked, and then the units are run again.

use std::collections::BTreeMap;

use opensky_protocol::{Class, Digest, Outputs, Turn};

use crate::{
    broker::Broker,
    event::Replicas,
    job::Job,
    moment::Moment,
    phase::Ending,
    row::Stored,
    unit::{Again, Over, Past, Seat, SeatState, Stage, Unit},
};

/// How often one unit is begun anew. Once is what a wrong result costs; whoever brings it about more often
/// spends somebody else's money.
const REBUILDS: usize = 3;

/// What becomes of an outdated unit once it is known again what it takes in.
#[derive(PartialEq, Eq)]
pub(crate) enum Renewed {
    /// It is the same unit, and has its result.
    Kept,
    /// It is the same unit, and lacks seats.
    Reopened,
    /// It is another unit.
    Buried,
}

impl Broker {
    /// A unit has a result, and others have taken in those `wrong` outputs. All that is built upon these
    /// winds down. What is paid for it stays paid: it is run again as far as the money reaches.
    pub(crate) fn rebuild(&mut self, id: Digest, index: u32, wrong: &Outputs, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_running()) else {
            return;
        };
        let outdated = job.outdated_by(index, wrong);
        let rebuilds = job.rebuilds();
        let is_last = |unit: &u32| rebuilds.get(unit).is_some_and(|count| *count >= REBUILDS);
        if outdated.iter().any(is_last) {
            self.wind(id, Ending::Tainted { index }, at);
            return;
        }
        for unit in &outdated {
            job.outdate(*unit);
            at.changed(Stored::Unit(id, *unit));
        }
        let open = |unit: &u32| job.open.contains(unit);
        let open: Vec<u32> = outdated.iter().copied().filter(open).collect();
        for unit in open {
            self.wind_unit(id, unit, at);
            self.end_outdated(id, unit, at);
        }
        self.queue(id);
    }

    /// Closes an outdated unit that nobody is at any more.
    pub(crate) fn end_outdated(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let unit = self.jobs.get(&id).and_then(|job| job.units.get(&index));
        let is_left = unit.is_some_and(|unit| {
            let mut seats = unit.seats.iter();
            unit.is_outdated() && unit.stage != Stage::Closed && !seats.any(Seat::is_live)
        });
        if is_left {
            self.close(id, index, at);
            self.proceed(id, at);
        }
    }

    /// Whether results of a unit are still of use.
    pub(crate) fn wants(&self, id: &Digest, index: u32) -> bool {
        self.jobs.get(id).is_some_and(|job| job.wants(index))
    }

    /// It is known again what an outdated unit takes in: that makes it `unit`.
    pub(crate) fn renew(
        &mut self,
        id: Digest,
        index: u32,
        unit: Option<Digest>,
        at: &mut Moment<'_>,
    ) -> Renewed {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Renewed::Buried;
        };
        if unit != Some(job.units[&index].id) {
            job.bury(index, at);
            return Renewed::Buried;
        }
        at.changed(Stored::Unit(id, index));
        match job.keep(index) {
            None => {}
            Some(Class::Ok) => {
                // Whoever said it alone may have been caught meanwhile.
                if job.units[&index].agreement.is_some_and(|it| it.voices < 2) {
                    self.reopen(id, index, Again::Doubt, at);
                }
                self.go_on(id, index, at);
            }
            Some(class) => self.wind(id, Ending::Failed { index, class }, at),
        }
        let unit = self.jobs.get(&id).and_then(|job| job.units.get(&index));
        match unit.map_or(0, Unit::lacks) {
            0 => Renewed::Kept,
            _ => Renewed::Reopened,
        }
    }
}

impl Job {
    /// Whether results of that unit are still of use.
    pub(crate) fn wants(&self, index: u32) -> bool {
        let unit = self.units.get(&index);
        self.is_running() && !unit.is_some_and(Unit::is_outdated)
    }

    /// Units that took in something else than they would now that a unit has other outputs than those
    /// `wrong` ones. Of what comes after these nobody knows yet.
    fn outdated_by(&self, index: u32, wrong: &Outputs) -> Vec<u32> {
        let right = self.outputs.get(&index);
        let of = |outputs: Option<&Outputs>, name: &str| {
            let output = outputs.and_then(|outputs| outputs.0.get(name));
            output.map(|output| output.digest)
        };
        let (mut outdated, mut is_any) = (Vec::new(), false);
        for unit in self.downstream(index) {
            let (inputs, name) = self.upstream(unit);
            let is_outdated = match inputs.contains(&index) {
                true => of(right, &name) != of(Some(wrong), &name),
                false => is_any,
            };
            is_any |= is_outdated;
            if is_outdated && !self.units.get(&unit).is_some_and(Unit::is_outdated) {
                outdated.push(unit);
            }
        }
        outdated
    }

    /// How often each unit was begun anew, if it was.
    fn rebuilds(&self) -> BTreeMap<u32, usize> {
        let mut counts = BTreeMap::new();
        for past in self.past.values() {
            *counts.entry(past.index).or_default() += 1;
        }
        counts
    }

    fn outdate(&mut self, index: u32) {
        if let Some(unit) = self.units.get_mut(&index) {
            unit.again = Again::Outdated;
        }
        if let Some(outputs) = self.outputs.remove(&index) {
            self.set_aside.insert(index, outputs);
        }
        for units in self.alone.values_mut() {
            units.remove(&index);
        }
        self.known.retain(|known| *known != index);
        self.sort(index);
    }

    /// Takes what was outdated for what it is. Returns how it ended, if it has a result.
    fn keep(&mut self, index: u32) -> Option<Class> {
        if let Some(outputs) = self.set_aside.remove(&index) {
            self.outputs.insert(index, outputs);
        }
        let wanted = match self.order.replicas {
            Replicas::Auto => 2,
            Replicas::Fixed(count) => count,
        };
        let cap = self.order.replica_cap;
        let unit = self.units.get_mut(&index)?;
        unit.again = Again::No;
        let class = unit.agreement.map(|agreement| agreement.class);
        if class.is_none() {
            unit.stage = Stage::Gathering;
            unit.wanted = wanted.min(cap);
        }
        self.sort(index);
        self.note_voices(index);
        class
    }

    /// Puts what an outdated unit was to what was before.
    pub(crate) fn bury(&mut self, index: u32, at: &mut Moment<'_>) {
        let Some(unit) = self.units.remove(&index) else {
            return;
        };
        self.places.remove(&unit.id);
        self.outdated.remove(&index);
        self.set_aside.remove(&index);
        self.failed.remove(&index);
        self.shown.retain(|(of, _), _| *of != index);
        at.changed(Stored::Unit(self.id, index));
        at.changed(Stored::Past(self.id, unit.id));
        at.out.rows.push(Stored::Result(self.id, index).row(None));
        self.past.insert(unit.id, Past { index, unit });
    }

    /// Takes note of what a unit gives. Returns what it gave before.
    pub(crate) fn put_outputs(
        &mut self,
        index: u32,
        class: Class,
        outputs: Outputs,
    ) -> Option<Outputs> {
        let unit = self.units.get(&index);
        let kept = match unit.is_some_and(Unit::is_outdated) {
            true => &mut self.set_aside,
            false => &mut self.outputs,
        };
        match class {
            Class::Ok => {
                self.failed.remove(&index);
                kept.insert(index, outputs)
            }
            _ => {
                self.failed.insert(index, outputs);
                kept.remove(&index)
            }
        }
    }

    /// All units, those too that were begun anew, as they were before.
    pub(crate) fn all_units(&self) -> impl Iterator<Item = (u32, &Unit)> {
        let past = self.past.values().map(|past| (past.index, &past.unit));
        let units = self.units.iter().map(|(index, unit)| (*index, unit));
        past.chain(units)
    }

    /// The seat of a turn, whoever has it; also one of a unit that was begun anew.
    pub(crate) fn seat_of(&self, turn: &Turn) -> Option<&Seat> {
        let place = self.places.get(&turn.unit);
        let unit = match place.and_then(|index| self.units.get(index)) {
            Some(unit) => unit,
            None => &self.past.get(&turn.unit)?.unit,
        };
        unit.seats.get(turn.attempt as usize)
    }

    /// The first unit that had a wrong result which somebody was paid for.
    pub(crate) fn wrong_unit(&self) -> u32 {
        let was_wrong = |seat: &Seat| matches!(seat.state, SeatState::Over(Over::PaidWrong { .. }));
        let mut units = self.units.iter();
        let wrong = units.find(|(_, unit)| unit.seats.iter().any(was_wrong));
        wrong.map_or(0, |(index, _)| *index)
    }

    /// How it ends if there is not enough money for its next turn.
    pub(crate) fn out_of_money(&self) -> Ending {
        match self.past.is_empty() && self.outdated.is_empty() {
            true => Ending::Budget,
            false => Ending::Unmended {
                index: self.wrong_unit(),
            },
        }
    }
}
