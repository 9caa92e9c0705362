//! Gives seats to providers: which unit next, and who runs it.

use opensky_protocol::{Account, Assignment, Digest, NodeKey, Turn};

use crate::{
    alarm::Alarm,
    broker::Broker,
    doubting::outvoting,
    draw::Purpose,
    effect::Draft,
    event::Replicas,
    job::Job,
    market::{Listing, Search},
    moment::Moment,
    phase::Ending,
    rebuilding::Renewed,
    row::Stored,
    standing::Standings,
    time::{Time, millis},
    unit::{Again, Audit, Seat, SeatState, Unit},
};

/// Jobs in a row that get no seat before the rest has to wait: a moment is bounded.
const MISSES: usize = 8;
/// Units that lack seats which are looked at for one job at a time.
const LACKING: usize = 16;
/// Units that wait for their second seat before no more are begun.
const BEGUN: usize = 64;

/// Turns of one unit, refused ones included, as a multiple of those that may come to nothing.
const REFUSALS: usize = 16;

/// Whether a seat was given.
#[derive(PartialEq, Eq)]
enum Placed {
    Yes,
    /// There is nobody for it now.
    No,
    /// The job takes a different course now.
    Ended,
}

impl Broker {
    /// Gives out seats as long as there are some and somebody wants them.
    pub(crate) fn place(&mut self, at: &mut Moment<'_>) {
        let mut misses = 0;
        while misses < MISSES.min(self.line.len()) {
            let Some(id) = self.line.pop_front() else {
                return;
            };
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            if !job.is_hungry() {
                job.is_queued = false;
                continue;
            }
            self.line.push_back(id);
            match self.place_some(id, at) {
                0 => misses += 1,
                _ => misses = 0,
            }
        }
        if misses < self.line.len() {
            at.wake(Alarm::Place, self.policy.rest);
        }
    }

    /// Gives seats to one job, at most a message full. Returns how many.
    fn place_some(&mut self, id: Digest, at: &mut Moment<'_>) -> usize {
        let Some(job) = self.jobs.get_mut(&id) else {
            return 0;
        };
        if !self.market.has_room(&job.pool) {
            return 0;
        }
        let (before, after) = (
            job.lacking.range(..job.cursor),
            job.lacking.range(job.cursor..),
        );
        let lacking: Vec<u32> = after.chain(before).copied().take(LACKING).collect();
        job.cursor = lacking.last().map_or(0, |last| last + 1);
        let mut placed = 0;
        for index in lacking {
            match self.fill(id, index, at) {
                Some(count) => placed += count,
                None => return placed,
            }
        }
        while placed < self.policy.batch {
            let Some(index) = self.begin(id, at) else {
                break;
            };
            match self.fill(id, index, at) {
                None | Some(0) => break,
                Some(count) => placed += count,
            }
            self.test_somebody(id, index, at);
        }
        placed
    }

    /// Now and then sends a unit whose result is known beside a new one: nobody can tell which is which.
    fn test_somebody(&mut self, id: Digest, beside: u32, at: &mut Moment<'_>) {
        let drawn = self.draws.number(Purpose::Canary, &(id, beside));
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        let is_drawn = drawn % 65_536 < u64::from(self.policy.canaries);
        let place = (drawn >> 32).checked_rem(job.known.len() as u64);
        let Some(place) = place.filter(|_| is_drawn && job.order.replicas == Replicas::Auto) else {
            return;
        };
        let index = job.known[place as usize];
        // Whoever cannot be outvoted whatever it has said finds everybody wrong who is tested with that.
        let known = job.units[&index].agreement;
        if known.is_none_or(|known| outvoting(known.voices.into(), job).is_none()) {
            return;
        }
        self.reopen(id, index, Again::Canary, at);
    }

    /// Gives units whose turns take much longer than others a second one, when nothing else is left
    /// to begin.
    pub(crate) fn look_at_stragglers(&mut self, id: Digest, at: &mut Moment<'_>) {
        let times = u64::from(self.policy.straggler);
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_running()) else {
            return;
        };
        if job.open.is_empty() {
            return;
        }
        at.wake(Alarm::Stragglers(id), self.policy.first_retry);
        let usual = job.median(self.policy.straggler_sample);
        // Few turns tell less: some had to fetch and compile, others not.
        let least = millis(self.policy.impatience);
        let few = || Some(job.longest()?.saturating_mul(times).max(least));
        let patience = usual.map(|usual| usual.saturating_mul(times)).or_else(few);
        if job.fresh().is_some() {
            return;
        }
        let waits = |seat: &Seat| seat.is_live() && !seat.has_committed();
        // A quarter of a lease is what the longest honest turn takes at the speed that was offered.
        let is_slow = |seat: &Seat| {
            waits(seat) && at.now.since(seat.asked) > patience.unwrap_or(seat.lease / 4)
        };
        let slow = job.open.iter().copied().filter(|index| {
            let unit = &job.units[index];
            let is_first = unit.spare == 0 && unit.again == Again::No && unit.lacks() == 0;
            is_first && unit.seats.iter().any(is_slow)
        });
        let slow: Vec<u32> = slow.collect();
        for index in slow {
            if let Some(unit) = job.units.get_mut(&index) {
                unit.spare = 1;
            }
            job.sort(index);
            at.changed(Stored::Unit(id, index));
        }
        self.queue(id);
    }

    /// Begins the next unit of a job, without a seat yet.
    fn begin(&mut self, id: Digest, at: &mut Moment<'_>) -> Option<u32> {
        loop {
            let job = self.jobs.get(&id)?;
            if job.lacking.len() >= BEGUN || !self.market.has_room(&job.pool) {
                return None;
            }
            let index = job.fresh().filter(|_| job.is_running())?;
            let unit = job.work(index).map(|work| work.unit());
            if !job.outdated.contains(&index) {
                return self.begin_as(id, index, unit, at);
            }
            match self.renew(id, index, unit, at) {
                Renewed::Buried => return self.begin_as(id, index, unit, at),
                Renewed::Reopened => return Some(index),
                Renewed::Kept => {}
            }
        }
    }

    /// Begins that unit at that place, if the plan can go on to it.
    fn begin_as(
        &mut self,
        id: Digest,
        index: u32,
        unit: Option<Digest>,
        at: &mut Moment<'_>,
    ) -> Option<u32> {
        let job = self.jobs.get_mut(&id)?;
        if unit.is_some_and(|unit| job.past.contains_key(&unit)) {
            let index = job.wrong_unit();
            self.wind(id, Ending::Tainted { index }, at);
            return None;
        }
        let Some(unit) = unit.filter(|unit| !job.places.contains_key(unit)) else {
            let index = index.saturating_sub(1);
            self.wind(id, Ending::Stuck { index }, at);
            return None;
        };
        let (wanted, audit) = match job.order.replicas {
            Replicas::Auto => (1, Audit::Undrawn),
            Replicas::Fixed(count) => (count, Audit::Settled),
        };
        let unit = Unit::new(unit, job.input_len(index), wanted, audit);
        job.put(index, unit);
        at.changed(Stored::Unit(id, index));
        Some(index)
    }

    /// Gives a unit the seats that it lacks, as far as there are some. Returns how many, or `None` if
    /// the job takes a different course now.
    fn fill(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) -> Option<usize> {
        let mut count = 0;
        loop {
            let job = self.jobs.get_mut(&id)?;
            let lacks = job.units.get(&index).is_some_and(|unit| unit.lacks() > 0);
            if !lacks {
                break;
            }
            match self.seat_one(id, index, at) {
                Placed::Yes => count += 1,
                Placed::No => break,
                Placed::Ended => return None,
            }
        }
        let job = self.jobs.get_mut(&id)?;
        job.sort(index);
        let unit = job.units.get(&index);
        let has_spoken = |seat: &Seat| seat.has_promised() || seat.has_failed();
        if unit.is_some_and(|unit| unit.lacks() > 0 && unit.seats.iter().any(has_spoken)) {
            // Perhaps there is nobody else at all.
            let late = at.now.after(self.policy.quorum);
            at.alarms.bring_forward(Alarm::Quorum(id, index), late);
        }
        Some(count)
    }

    fn seat_one(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) -> Placed {
        let Some(node) = self.choose(id, index, at.now) else {
            return Placed::No;
        };
        let (Some(job), Some(listing)) = (self.jobs.get_mut(&id), self.market.listing(&node))
        else {
            return Placed::No;
        };
        let unit = &job.units[&index];
        let is_tried = unit.attempts() >= self.policy.attempts;
        if is_tried || unit.seats.len() >= REFUSALS * self.policy.attempts {
            let reason = "too many turns at it came to nothing".into();
            self.wind(id, Ending::Unrunnable { index, reason }, at);
            return Placed::Ended;
        }
        let offer = &listing.offer;
        let reserved = job.run(unit.input_len).worst(&offer.ask);
        if reserved > job.left() {
            if !job.is_in_progress() {
                let ending = job.out_of_money();
                self.wind(id, ending, at);
                return Placed::Ended;
            }
            return Placed::No;
        }
        let needed = u128::from(job.limits().fuel) * 4_000 / u128::from(offer.speed.max(1));
        // Inputs have to be fetched first, many of them one after the other.
        let inputs = job.taken(index).count() as u64;
        let fetched = unit.input_len / SLOW_BYTES_PER_MILLI + inputs * FETCH_MILLIS;
        let lease = millis(self.policy.lease)
            .saturating_add(u64::try_from(needed).unwrap_or(u64::MAX))
            .saturating_add(fetched)
            .min(millis(self.policy.longest_lease));
        let seat = Seat {
            node,
            operator: offer.operator,
            ask: offer.ask,
            asked: at.now,
            lease,
            reserved,
            state: SeatState::Asked { tries: 0 },
        };
        self.take_seat(id, index, seat, at);
        Placed::Yes
    }

    fn take_seat(&mut self, id: Digest, index: u32, seat: Seat, at: &mut Moment<'_>) {
        let node = seat.node;
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.reserved = job.reserved.saturating_add(seat.reserved);
        let profile = job.profile();
        let known = self.standings.of(&seat.operator, profile);
        let audits = known.map_or(u32::MAX, |known| known.audits(&self.policy));
        let unit = job.units.get_mut(&index).expect("it is being seated");
        // A newcomer's word is never enough; whether a known one's is, is drawn when it is given.
        if unit.audit == Audit::Undrawn && unit.seats.is_empty() && audits >= 65_536 {
            unit.wanted = unit.wanted.max(2).min(job.order.replica_cap);
            unit.audit = Audit::Settled;
        }
        let turn = Turn {
            job: id,
            unit: unit.id,
            attempt: unit.seats.len() as u32,
        };
        unit.seats.push(seat);
        at.changed(Stored::Unit(id, index));
        at.to(node).assign.push(turn);
        at.wake(Alarm::Seat(turn), self.policy.first_retry);
        let soon = at.now.after(self.policy.first_retry);
        at.alarms.bring_forward(Alarm::Stragglers(id), soon);
        self.market.seat(&node, at.now);
    }

    /// Who gets the next seat of a unit: if there is nobody who had none, somebody whose host has failed
    /// at it and has had time since.
    fn choose(&self, id: Digest, index: u32, now: Time) -> Option<NodeKey> {
        let job = self.jobs.get(&id)?;
        let unit = job.units.get(&index)?;
        let mut seated = unit.seated();
        let chosen = self.choose_beside(job, unit, index, &seated);
        if chosen.is_some() {
            return chosen;
        }
        let recovered = unit.recovered(now, self.policy.quorum);
        if recovered.is_empty() || self.others(job, unit).next().is_some() {
            return None;
        }
        seated.retain(|operator| !recovered.contains(operator));
        self.choose_beside(job, unit, index, &seated)
    }

    /// The same of all but those operators.
    fn choose_beside(
        &self,
        job: &Job,
        unit: &Unit,
        index: u32,
        seated: &[Account],
    ) -> Option<NodeKey> {
        let local = job.local(index);
        let search = Search {
            pool: &job.pool,
            draw: self
                .draws
                .number(Purpose::Seat, &(job.id, unit.id, unit.seats.len() as u32)),
            seated,
            run: job.run(unit.input_len),
        };
        // Where a host has failed, somebody who is known tells more than a stranger.
        let has_failed = unit.seats.iter().any(Seat::has_failed);
        let doubt = |listing: &Listing| {
            let is_known = !has_failed || self.standings.has_worked(&listing.offer.operator);
            if is_known { 1 } else { DOUBT }
        };
        let score = |listing: &Listing| {
            let has = local.get(&listing.offer.node).copied().unwrap_or(0);
            let missing = unit.input_len.saturating_sub(has);
            score(
                listing,
                job,
                &self.standings,
                missing,
                self.policy.second,
                self.policy.distrust,
            )
            .saturating_mul(doubt(listing))
        };
        self.market.pick(&search, &self.policy, score)
    }

    /// The order for a turn, as it is sent. `None` if it is not wanted any more.
    pub(crate) fn draft(&self, turn: &Turn) -> Option<Draft> {
        let job = self.jobs.get(&turn.job)?;
        let index = *job.places.get(&turn.unit)?;
        let unit = job.units.get(&index)?;
        let seat = unit.seats.get(turn.attempt as usize)?;
        // Of what it took in there is nothing left. Whoever has promised a result says so again.
        if !seat.is_live() || unit.is_outdated() {
            return None;
        }
        Some(Draft {
            work: job.work(index)?,
            ticket: job.ticket(&self.who, unit),
            assignment: Assignment {
                unit: unit.id,
                job: job.id,
                broker: self.who.node,
                provider: seat.node,
                operator: seat.operator,
                ask: seat.ask,
                attempt: turn.attempt,
                lease: seat.lease,
            },
            sources: job.sources(index),
            encrypted: job.order.is_encrypted.then_some(job.order.nonce),
        })
    }
}

/// How often the price of a stranger counts where a witness is looked for: no price makes up for that.
const DOUBT: u128 = 1 << 64;

/// Bytes that cross the network in a millisecond, where nothing better is known: 10 MB/s. And what is
/// waited for at least: 1 MB/s, and a round trip for each input.
const BYTES_PER_MILLI: u64 = 10_000;
const SLOW_BYTES_PER_MILLI: u64 = 1_000;
const FETCH_MILLIS: u64 = 20;

/// What a provider costs, all in all: its price, and what distrust and waiting add to that.
fn score(
    listing: &Listing,
    job: &Job,
    standings: &Standings,
    missing: u64,
    second: u64,
    distrust: u64,
) -> u128 {
    let offer = &listing.offer;
    let fuel = job.fuel.unwrap_or(job.limits().fuel / 16);
    let price = offer.ask.of_unit(fuel, missing).max(1);
    let risk = standings.risk(&offer.operator, job.profile());
    let runs = u128::from(fuel) * 1_000 / u128::from(offer.speed.max(1));
    let ahead = u128::from(listing.flying / u32::from(offer.capacity.cores.max(1)));
    let wait = runs * (ahead + 1) + u128::from(missing / BYTES_PER_MILLI + listing.latency);
    let trust = 1_024 * 1_024 + u128::from(risk * distrust);
    let time = 1_024_000 + u128::from(second) * wait;
    // Parts of 1,024 each: prices below 2^70 stay exact.
    price
        .saturating_mul(trust >> 10)
        .saturating_mul(time / 1_000)
}
