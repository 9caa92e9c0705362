//! From promises to a result: everyone shows, the judge compares, whoever agrees is paid.

use opensky_protocol::{
    Account, Class, Commit, Digest, NodeKey, Outputs, Reveal, Summons, Turn, World, names,
};

use crate::{
    alarm::Alarm,
    broker::Broker,
    effect::Effect,
    job::Job,
    judge::{Verdict, judge},
    moment::Moment,
    paying::say_refused,
    phase::Ending,
    row::Stored,
    standing::Conduct,
    unit::{Again, Agreement, Audit, Over, Seat, SeatState, Stage, Unit},
};

impl Broker {
    /// Goes on with a unit as far as that is possible now.
    pub(crate) fn advance(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        self.open(id, index, at);
        let unit = self.jobs.get(&id).and_then(|job| job.units.get(&index));
        let is_shown = unit.is_some_and(|unit| unit.stage == Stage::Showing && unit.is_shown());
        if is_shown {
            self.judge(id, index, at);
        }
        self.end_outdated(id, index, at);
        self.finish_winding(id, at);
    }

    /// Asks everyone who has committed to show, once enough have.
    fn open(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let Some(unit) = job.units.get(&index) else {
            return;
        };
        // Nobody is asked any more for what ends: whoever has promised has to do.
        let is_last = !job.wants(index) && unit.is_all_promised();
        match unit.stage {
            // No more results are paid for than were wanted: first come, first served.
            Stage::Gathering if unit.is_promised() || is_last => {
                self.release(id, index, Release::Waiting, at);
            }
            Stage::Showing => {}
            Stage::Gathering | Stage::Closed => return,
        }
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(unit) = job.units.get_mut(&index) else {
            return;
        };
        let broker = self.who.node;
        unit.stage = Stage::Showing;
        unit.spare = 0;
        let unit_id = unit.id;
        let mut is_asked = false;
        for (attempt, seat) in (0..).zip(&mut unit.seats) {
            let SeatState::Committed(hash) = seat.state else {
                continue;
            };
            is_asked = true;
            seat.state = SeatState::Opened(hash, 0);
            let turn = Turn {
                job: id,
                unit: unit_id,
                attempt,
            };
            let node = seat.node;
            let commit = Commit { turn, node, hash };
            at.to(node).open.push(Summons { broker, commit });
        }
        job.sort(index);
        if is_asked {
            at.wake(Alarm::Reveals(id, index), self.policy.first_retry);
        }
    }

    fn judge(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let unit = &job.units[&index];
        let keys = unit.keys();
        let most = match job.wants(index) {
            true => job.order.replica_cap,
            false => keys.len() as u8,
        };
        // Most agreed before a panel was asked: whoever of it does not show is not waited for.
        let wanted = match unit.audit {
            Audit::Doubted => 0,
            Audit::Undrawn | Audit::Settled => unit.wanted,
        };
        match judge(&keys, wanted, most) {
            Verdict::Agreed(key) => match self.panel(job, index, key, at.now) {
                Some(wanted) => self.ask_a_panel(id, index, wanted, at),
                None => self.agree(id, index, key, at),
            },
            Verdict::Need(wanted) if job.wants(index) => self.ask_more(id, index, wanted, at),
            Verdict::Need(_) | Verdict::Disputed => self.dispute(id, index, at),
        }
    }

    pub(crate) fn ask_more(&mut self, id: Digest, index: u32, wanted: u8, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(unit) = job.units.get_mut(&index) {
            unit.wanted = wanted;
            unit.stage = Stage::Gathering;
        }
        job.sort(index);
        at.alarms.clear(Alarm::Reveals(id, index));
        at.changed(Stored::Unit(id, index));
        at.wake(Alarm::Quorum(id, index), self.policy.quorum);
        self.queue(id);
    }

    /// Ends what a unit's seats still do, after it has a result or will get none.
    pub(crate) fn close(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        at.alarms.clear(Alarm::Reveals(id, index));
        at.alarms.clear(Alarm::Quorum(id, index));
        at.changed(Stored::Unit(id, index));
        self.release(id, index, Release::All, at);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(unit) = job.units.get_mut(&index) {
            // Whoever was late may be at it still.
            let late = |seat: &Seat| matches!(seat.state, SeatState::Over(Over::Silent));
            let seats = (0..).zip(&unit.seats).filter(|(_, seat)| late(seat));
            for (attempt, seat) in seats {
                let turn = Turn {
                    job: id,
                    unit: unit.id,
                    attempt,
                };
                at.to(seat.node).release.push(turn);
            }
            unit.stage = Stage::Closed;
            unit.spare = 0;
            if !unit.is_outdated() {
                unit.again = Again::No;
            }
        }
        job.sort(index);
        self.queue(id);
    }

    /// Lets go of a unit's seats that have shown nothing yet.
    pub(crate) fn release(&mut self, id: Digest, index: u32, which: Release, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let unit = &job.units[&index];
        let unit_id = unit.id;
        let lets_go = |seat: &Seat| {
            seat.is_live()
                && match seat.state {
                    SeatState::Committed(_) | SeatState::Opened(..) => which == Release::All,
                    _ => seat.voice().is_none(),
                }
        };
        let seats = (0..).zip(&unit.seats).filter(|(_, seat)| lets_go(seat));
        let seats: Vec<(u32, NodeKey, bool)> = seats
            .map(|(attempt, seat)| (attempt, seat.node, seat.has_committed()))
            .collect();
        for (attempt, node, has_committed) in seats {
            let turn = Turn {
                job: id,
                unit: unit_id,
                attempt,
            };
            job.end_seat(index, attempt, Over::Released);
            at.changed(Stored::Unit(id, index));
            at.alarms.clear(Alarm::Seat(turn));
            at.to(node).release.push(turn);
            if !has_committed {
                self.market.released(&node, at.now);
            }
        }
    }

    pub(crate) fn agree(&mut self, id: Digest, index: u32, key: Digest, at: &mut Moment<'_>) {
        self.close(id, index, at);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let unit = &job.units[&index];
        for seat in &unit.seats {
            if let Some(units) = job.alone.get_mut(&seat.operator) {
                units.remove(&index);
            }
        }
        let (before, unit_id) = (unit.agreement, unit.id);
        let agreeing = unit.keys().iter().filter(|voice| **voice == key).count();
        let was_alone = before.is_some_and(|before| before.voices == 1);
        for (attempt, seat) in (0..).zip(unit.seats.clone()) {
            let turn = Turn {
                job: id,
                unit: unit_id,
                attempt,
            };
            let is_new = matches!(seat.state, SeatState::Shown { .. });
            let was_paid = seat.is_paid();
            let Some(voice) = seat.voice() else {
                continue;
            };
            self.settle(turn, index, &seat, key, at);
            match voice == key {
                true if is_new || (was_alone && agreeing > 1) => {
                    self.learn(id, seat.operator, Conduct::Agreed(agreeing), at);
                }
                false if is_new || was_paid => self.learn(id, seat.operator, Conduct::Caught, at),
                _ => {}
            }
        }
        self.conclude(id, index, key, agreeing, at);
    }

    /// Writes down what was agreed on, and goes on from there.
    fn conclude(
        &mut self,
        id: Digest,
        index: u32,
        key: Digest,
        voices: usize,
        at: &mut Moment<'_>,
    ) {
        let reveal = self.take_result(id, index, &key);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let Some(unit) = job.units.get_mut(&index) else {
            return;
        };
        let before = unit.agreement.take();
        let voices = u8::try_from(voices).unwrap_or(u8::MAX);
        let is_same = before.is_some_and(|before| before.key == key);
        let agreement = match (&reveal, before) {
            (_, Some(before)) if is_same => Agreement { voices, ..before },
            (Some(reveal), _) => Agreement::of(reveal, voices),
            (None, _) => return,
        };
        unit.agreement = Some(agreement);
        let is_outdated = unit.is_outdated();
        job.fuel = Some(agreement.fuel);
        let mut outputs = None;
        if let Some(reveal) = reveal.filter(|_| !is_same) {
            at.out
                .rows
                .push(Stored::Result(id, index).holding(&*reveal));
            outputs = job.put_outputs(index, agreement.class, reveal.outputs);
        }
        if is_outdated {
            self.proceed(id, at);
            return;
        }
        job.note_voices(index);
        match agreement.class {
            Class::Ok => {
                if let Some(wrong) = outputs {
                    self.rebuild(id, index, &wrong, at);
                }
                self.go_on(id, index, at);
            }
            class => self.wind(id, Ending::Failed { index, class }, at),
        }
    }

    /// A unit has succeeded: what is next?
    pub(crate) fn go_on(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_running()) else {
            return;
        };
        if !job.gives_what_is_planned(index) {
            self.wind(id, Ending::Stuck { index }, at);
            return;
        }
        self.proceed(id, at);
    }

    /// Begins what can be begun now, or collects the outputs if nothing is left to do.
    pub(crate) fn proceed(&mut self, id: Digest, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.is_running()) else {
            return;
        };
        if !job.is_complete() {
            self.queue(id);
            return;
        }
        self.drop_tests(id, at);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if job.open.is_empty() {
            let left: Vec<u32> = job.outdated.iter().copied().collect();
            left.iter().for_each(|index| job.bury(*index, at));
            self.fetch(id, at);
        }
    }

    /// A job does not wait for tests of others, nor for outputs that nobody asks for any more.
    fn drop_tests(&mut self, id: Digest, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let is_test = |index: &&u32| {
            let again = job.units.get(*index).map(|unit| unit.again);
            matches!(again, Some(Again::Canary | Again::Remake))
        };
        let tests: Vec<u32> = job.open.iter().filter(is_test).copied().collect();
        for index in tests {
            self.release(id, index, Release::Waiting, at);
            let unit = self.jobs.get(&id).and_then(|job| job.units.get(&index));
            let promised = |unit: &Unit| unit.seats.iter().any(|seat| seat.is_live());
            if !unit.is_some_and(promised) {
                self.close(id, index, at);
            }
        }
    }

    /// Asks for the outputs of a job whose units are all done.
    pub(crate) fn collect(&mut self, id: Digest, at: &mut Moment<'_>) {
        if let Some(job) = self.jobs.get(&id) {
            let blobs = job.results();
            at.want(Effect::Collect { job: id, blobs });
        }
    }

    fn take_result(&mut self, id: Digest, index: u32, key: &Digest) -> Option<Box<Reveal>> {
        let job = self.jobs.get_mut(&id)?;
        let least = (index, Digest([0; 32]));
        let most = (index, Digest([255; 32]));
        let shown: Vec<_> = job.shown.range(least..=most).map(|(at, _)| *at).collect();
        let mut found = None;
        for place in shown {
            let reveal = job.shown.remove(&place);
            if place.1 == *key {
                found = reveal;
            }
        }
        found
    }

    /// Nobody can say what the result of a unit is: nobody is paid for it, and nobody is at fault.
    pub(crate) fn dispute(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        self.close(id, index, at);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let unit = &job.units[&index];
        let unit_id = unit.id;
        let seats = (0..).zip(&unit.seats).filter(|(_, seat)| seat.is_live());
        let seats: Vec<(u32, NodeKey)> =
            seats.map(|(attempt, seat)| (attempt, seat.node)).collect();
        for (attempt, node) in seats {
            job.end_seat(index, attempt, Over::Unjudged);
            let turn = Turn {
                job: id,
                unit: unit_id,
                attempt,
            };
            say_refused(node, turn, at);
        }
        self.take_result(id, index, &Digest([0; 32]));
        match self.wants(&id, index) {
            true => self.wind(id, Ending::Disputed { index }, at),
            false => self.proceed(id, at),
        }
    }

    /// Learns from a turn, and acts upon it.
    pub(crate) fn learn(
        &mut self,
        id: Digest,
        operator: Account,
        conduct: Conduct,
        at: &mut Moment<'_>,
    ) {
        let Some(profile) = self.jobs.get(&id).map(|job| job.profile().clone()) else {
            return;
        };
        self.standings
            .learn(operator, &profile, conduct, at.now, &self.policy);
        let excluded = self.standings.excluded(&operator);
        if conduct == Conduct::Caught && excluded > at.now {
            self.market.exclude(operator, excluded, at.now, at.alarms);
        }
        at.changed(Stored::Standing(operator, profile));
        if conduct == Conduct::Caught {
            self.doubt(operator, at);
        }
    }
}

/// Which seats a unit lets go of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Those that have promised nothing.
    Waiting,
    /// Those that have not shown anything.
    All,
}

impl Agreement {
    fn of(reveal: &Reveal, voices: u8) -> Self {
        let said = &reveal.statement;
        Self {
            key: said.compare_key,
            class: said.class,
            fuel: said.fuel,
            voices,
        }
    }
}

impl Job {
    /// Whether a unit that succeeded has the outputs that the plan goes on with.
    fn gives_what_is_planned(&self, index: u32) -> bool {
        let (Some(outputs), Some(world)) = (self.outputs.get(&index), self.world(index)) else {
            return false;
        };
        gives(outputs, world)
    }
}

fn gives(Outputs(outputs): &Outputs, world: World) -> bool {
    match world {
        World::Map { partitions } => {
            let mut all = 0..partitions;
            all.all(|index| outputs.contains_key(&names::partition(index)))
        }
        World::Stepper { .. } => {
            outputs.contains_key(names::STATE) || outputs.contains_key(names::OUTPUT)
        }
        World::Job | World::Reduce | World::Finish => outputs.contains_key(names::OUTPUT),
        World::Command => true,
    }
}
