//! From promises to a result: everyone shows, the judge compares, whoever agrees is paid.

use opensky_protocol::{Account, Class, Digest, Outputs, Reveal, Turn, World, names};

use crate::{
    alarm::Alarm,
    broker::Broker,
    effect::Effect,
    job::{Ending, Job, Phase},
    judge::{Verdict, judge},
    moment::Moment,
    row::Stored,
    standing::Conduct,
    unit::{Agreement, Over, SeatState, Stage},
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
        self.finish_winding(id, at);
    }

    /// Asks everyone who has committed to show, once enough have.
    fn open(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let unit = self
            .jobs
            .get_mut(&id)
            .and_then(|job| job.units.get_mut(&index));
        let Some(unit) = unit else {
            return;
        };
        match unit.stage {
            Stage::Gathering if unit.is_promised() => unit.stage = Stage::Showing,
            Stage::Showing => {}
            Stage::Gathering | Stage::Agreed(_) => return,
        }
        let unit_id = unit.id;
        for (attempt, seat) in (0..).zip(&mut unit.seats) {
            let SeatState::Committed(hash) = seat.state else {
                continue;
            };
            seat.state = SeatState::Opened(hash, 0);
            let turn = Turn {
                job: id,
                unit: unit_id,
                attempt,
            };
            at.to(seat.node).open.push(turn);
            at.wake(Alarm::Reveals(id, index), self.policy.first_retry);
        }
    }

    fn judge(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let unit = &job.units[&index];
        let keys = unit.keys();
        let most = match job.is_running() {
            true => job.order.replica_cap,
            false => keys.len() as u8,
        };
        match judge(&keys, unit.wanted, most) {
            Verdict::Agreed(key) => self.agree(id, index, key, at),
            Verdict::Need(wanted) if job.is_running() => self.ask_more(id, index, wanted, at),
            Verdict::Need(_) | Verdict::Disputed => self.dispute(id, index, at),
        }
    }

    /// More voices were wanted for a unit whose results differ, and for a long time nobody could be
    /// found: those that there are have to do.
    pub(crate) fn quorum_timed_out(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_running()) else {
            return;
        };
        let Some(unit) = job.units.get_mut(&index) else {
            return;
        };
        let keys = unit.keys();
        let waits = unit.stage == Stage::Gathering && unit.lacks() > 0 && keys.len() > 1;
        let mut live = unit.seats.iter().filter(|seat| seat.is_live());
        if !waits {
            return;
        }
        if !live.all(|seat| matches!(seat.state, SeatState::Shown { .. })) {
            at.wake(Alarm::Quorum(id, index), self.policy.quorum);
            return;
        }
        match judge(&keys, unit.wanted, keys.len() as u8) {
            Verdict::Agreed(key) => self.agree(id, index, key, at),
            Verdict::Need(_) | Verdict::Disputed => self.dispute(id, index, at),
        }
        self.finish_winding(id, at);
    }

    fn ask_more(&mut self, id: Digest, index: u32, wanted: u8, at: &mut Moment<'_>) {
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

    /// Ends what a unit's seats still do, after it has a result or will get none. Returns who had
    /// shown what, and what for.
    fn close(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) -> Vec<Voice> {
        let Some(job) = self.jobs.get_mut(&id) else {
            return Vec::new();
        };
        at.alarms.clear(Alarm::Reveals(id, index));
        at.alarms.clear(Alarm::Quorum(id, index));
        at.changed(Stored::Unit(id, index));
        let unit = &job.units[&index];
        let unit_id = unit.id;
        let seats: Vec<_> = (0..).zip(unit.seats.clone()).collect();
        let mut voices = Vec::new();
        for (attempt, seat) in seats {
            let turn = Turn {
                job: id,
                unit: unit_id,
                attempt,
            };
            match seat.state {
                SeatState::Shown { key, amount } => voices.push(Voice {
                    turn,
                    node: seat.node,
                    operator: seat.operator,
                    key,
                    amount,
                }),
                SeatState::Over(_) => {}
                ref live => {
                    let has_room_again = !live_has_committed(live);
                    job.end_seat(index, attempt, Over::Released);
                    at.alarms.clear(Alarm::Seat(turn));
                    at.to(seat.node).release.push(turn);
                    if has_room_again {
                        self.market.released(&seat.node, at.now);
                    }
                }
            }
        }
        voices
    }

    fn agree(&mut self, id: Digest, index: u32, key: Digest, at: &mut Moment<'_>) {
        let voices = self.close(id, index, at);
        let agreeing = voices.iter().filter(|voice| voice.key == key).count();
        for voice in voices {
            let agrees = voice.key == key;
            self.settle(&voice, index, agrees, at);
            let conduct = match agrees {
                true => Conduct::Agreed(agreeing),
                false => Conduct::Caught,
            };
            self.learn(id, voice.operator, conduct, at);
        }
        let Some(reveal) = self.take_result(id, index, &key) else {
            return;
        };
        let said = &reveal.statement;
        let agreement = Agreement {
            key,
            class: said.class,
            fuel: said.fuel,
            output_len: said.output_len,
            voices: u8::try_from(agreeing).unwrap_or(u8::MAX),
        };
        at.out.rows.push(Stored::Result(id, index).holding(&reveal));
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(unit) = job.units.get_mut(&index) {
            unit.stage = Stage::Agreed(agreement);
        }
        job.sort(index);
        job.fuel = Some(agreement.fuel);
        if agreement.class == Class::Ok {
            job.outputs.insert(index, reveal.outputs);
            self.go_on(id, index, at);
        } else if job.is_running() {
            let class = agreement.class;
            self.wind(id, Ending::Failed { index, class }, at);
        }
    }

    /// A unit has succeeded: what is next?
    fn go_on(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_running()) else {
            return;
        };
        if !job.gives_what_is_planned(index) {
            self.wind(id, Ending::Stuck { index }, at);
            return;
        }
        if job.is_complete() {
            job.progress.phase = Phase::Collecting;
            at.changed(Stored::Job(id));
            self.collect(id, at);
        } else {
            self.queue(id);
        }
    }

    /// Asks for the outputs of a job whose units are all done.
    pub(crate) fn collect(&mut self, id: Digest, at: &mut Moment<'_>) {
        if let Some(job) = self.jobs.get(&id) {
            let blobs = job.results();
            at.want(Effect::Collect { job: id, blobs });
        }
    }

    /// Pays a turn, or says that it is not paid. Each turn comes here once: after it its seat is over.
    fn settle(&mut self, voice: &Voice, index: u32, agrees: bool, at: &mut Moment<'_>) {
        let turn = voice.turn;
        let Some(job) = self.jobs.get_mut(&turn.job) else {
            return;
        };
        let (paid, refused) = at.to(voice.node).settle.entry(turn.job).or_default();
        if agrees {
            paid.push(turn);
            job.end_seat(index, turn.attempt, Over::Paid(voice.amount));
            job.pay(voice.operator, &turn.unit, turn.attempt, voice.amount);
            at.changed(Stored::Purse(turn.job, voice.operator));
        } else {
            refused.push(turn);
            job.end_seat(index, turn.attempt, Over::Wrong);
        }
    }

    fn take_result(&mut self, id: Digest, index: u32, key: &Digest) -> Option<Reveal> {
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
    fn dispute(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        for voice in self.close(id, index, at) {
            let turn = voice.turn;
            if let Some(job) = self.jobs.get_mut(&id) {
                job.end_seat(index, turn.attempt, Over::Unjudged);
            }
            at.to(voice.node).settle.entry(id).or_default().1.push(turn);
        }
        self.take_result(id, index, &Digest([0; 32]));
        if let Some(job) = self.jobs.get_mut(&id) {
            if let Some(unit) = job.units.get_mut(&index) {
                unit.stage = Stage::Gathering;
            }
            job.sort(index);
        }
        self.wind(id, Ending::Disputed { index }, at);
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
    }
}

/// A result that was shown.
struct Voice {
    turn: Turn,
    node: opensky_protocol::NodeKey,
    operator: Account,
    key: Digest,
    amount: u128,
}

fn live_has_committed(state: &SeatState) -> bool {
    matches!(state, SeatState::Committed(_) | SeatState::Opened(..))
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
