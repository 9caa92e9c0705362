//! Where a result is not believed yet, or not any more: more operators are asked.

use core::time::Duration;
use std::collections::BTreeSet;

use opensky_protocol::{Account, Digest};

use crate::{
    alarm::Alarm,
    broker::Broker,
    job::Job,
    judge::{Verdict, judge},
    judging::Release,
    market::Listing,
    moment::Moment,
    row::Stored,
    time::Time,
    unit::{Again, Audit, Over, Seat, SeatState, Stage, Unit},
};

/// Results that are compared at most because those who agree may be of one mind.
const PANEL: u8 = 7;

impl Broker {
    /// How many results are to be compared before `key` is believed, if somebody has another: as many as it
    /// takes that those who agree could be outvoted, or to make up for those who do not. Only so many that
    /// there are operators for all of them, and money.
    pub(crate) fn panel(&self, job: &Job, index: u32, key: Digest, now: Time) -> Option<u8> {
        let unit = &job.units[&index];
        let keys = unit.keys();
        let agreeing = keys.iter().filter(|said| **said == key).count();
        let is_decided = unit.audit == Audit::Doubted || agreeing == keys.len();
        if is_decided || !job.wants(index) {
            return None;
        }
        let sizes = [
            self.outvoters(job, unit, key),
            substitutes(job, unit, agreeing),
        ];
        let more = |wanted: &u8| usize::from(*wanted).saturating_sub(keys.len());
        let sizes = sizes.into_iter().flatten();
        let sizes =
            sizes.filter(|wanted| more(wanted) > 0 && self.can_be(job, unit, more(wanted), now));
        sizes.max()
    }

    /// How many results it takes to outvote those who agree on `key`, where nothing is known of these, or
    /// where somebody who is tested has another. Of two strangers who outvote a third one nobody knows who
    /// is wrong.
    fn outvoters(&self, job: &Job, unit: &Unit, key: Digest) -> Option<u8> {
        let is_known = |seat: &Seat| {
            let known = self.standings.of(&seat.operator, job.profile());
            known.is_some_and(|known| known.row >= self.policy.probation)
        };
        let is_tested = matches!(unit.again, Again::Canary | Again::Remake);
        let agreeing = || unit.seats.iter().filter(|seat| seat.voice() == Some(key));
        let is_told_by_strangers = is_tested || !agreeing().any(is_known);
        outvoting(agreeing().count(), job).filter(|_| is_told_by_strangers)
    }

    /// Whether so many more operators could have a turn at a unit, and be paid.
    fn can_be(&self, job: &Job, unit: &Unit, more: usize, now: Time) -> bool {
        let each = job.run(unit.input_len).worst(&job.order.price);
        let others = self.others(job, unit);
        let others = others.filter(|listing| !listing.rests(now));
        let others: BTreeSet<&Account> = others.map(|listing| &listing.offer.operator).collect();
        others.len() >= more && each.saturating_mul(more as u128) <= job.left()
    }

    /// Offers of operators who have had no turn at a unit and could have one, had they room.
    pub(crate) fn others(&self, job: &Job, unit: &Unit) -> impl Iterator<Item = &Listing> {
        let (seated, run) = (unit.seated(), job.run(unit.input_len));
        let listings = self.market.listings().map(|(_, listing)| listing);
        listings.filter(move |listing| {
            !seated.contains(&listing.offer.operator)
                && self.market.fits(&job.need, &run, listing).is_ok()
        })
    }

    /// Asks so many in all.
    pub(crate) fn ask_a_panel(&mut self, id: Digest, index: u32, wanted: u8, at: &mut Moment<'_>) {
        let unit = self.jobs.get_mut(&id);
        if let Some(unit) = unit.and_then(|job| job.units.get_mut(&index)) {
            unit.audit = Audit::Doubted;
        }
        self.ask_more(id, index, wanted, at);
        // Whoever takes much longer than others is not waited for: most agree already.
        at.wake(Alarm::Quorum(id, index), self.patience(id));
    }

    /// How long a turn of the job takes at most, if it is like the others.
    fn patience(&self, id: Digest) -> Duration {
        let job = self.jobs.get(&id);
        let usual = job.and_then(|job| job.median(self.policy.straggler_sample));
        let most = usual.map_or(0, |usual| {
            usual.saturating_mul(u64::from(self.policy.straggler))
        });
        self.policy.impatience.max(Duration::from_millis(most))
    }

    /// More voices were wanted for a unit whose results differ, and for a long time nobody could be
    /// found: those that there are have to do.
    pub(crate) fn quorum_timed_out(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        self.witness_timed_out(id, index, at);
        if self.is_short(id, index) {
            self.ask_no_more(id, index, at);
            return;
        }
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_running()) else {
            return;
        };
        let Some(unit) = job.units.get_mut(&index) else {
            return;
        };
        let keys = unit.keys();
        let is_again = unit.again != Again::No;
        let has_spoken = keys.len() > 1 || (is_again && !keys.is_empty());
        let most = keys.len() as u8;
        let is_gathering = unit.stage == Stage::Gathering && has_spoken;
        let is_doubted = is_gathering && unit.audit == Audit::Doubted;
        if is_doubted && matches!(judge(&keys, 0, most), Verdict::Agreed(_)) {
            self.ask_no_more(id, index, at);
            return;
        }
        let waits = is_gathering && unit.lacks() > 0;
        let mut live = unit.seats.iter().filter(|seat| seat.is_live());
        if !waits {
            return;
        }
        if !live.all(|seat| matches!(seat.state, SeatState::Shown { .. })) {
            at.wake(Alarm::Quorum(id, index), self.policy.quorum);
            return;
        }
        // Equal results may be fewer than were wanted where the unit had one before.
        let is_one = keys.iter().all(|key| *key == keys[0]);
        match judge(&keys, unit.wanted, most) {
            Verdict::Agreed(key) if is_again || !is_one => self.agree(id, index, key, at),
            _ if is_one => at.wake(Alarm::Quorum(id, index), self.policy.quorum),
            _ => self.dispute(id, index, at),
        }
        self.finish_winding(id, at);
    }

    /// Whether a unit lacks results and there is nobody else who could have a turn at it, while most of those who
    /// were wanted have promised one, and none has shown another than the others. Whoever has let a turn at it pass
    /// in silence is not waited for.
    fn is_short(&self, id: Digest, index: u32) -> bool {
        let job = self.jobs.get(&id).filter(|job| job.is_running());
        let Some((job, unit)) = job.and_then(|job| Some((job, job.units.get(&index)?))) else {
            return false;
        };
        let is_silent = |seat: &&Seat| matches!(seat.state, SeatState::Over(Over::Silent));
        let silent = unit.seats.iter().filter(is_silent);
        let silent: BTreeSet<&Account> = silent.map(|seat| &seat.operator).collect();
        let promised = unit.seats.iter().filter(|seat| seat.has_promised());
        let mut live = unit.seats.iter().filter(|seat| seat.is_live());
        let mut others = self.others(job, unit);
        unit.stage == Stage::Gathering
            && unit.again == Again::No
            && promised.count() * 2 > usize::from(unit.wanted)
            && unit.keys().windows(2).all(|pair| pair[0] == pair[1])
            && live.all(|seat| seat.has_promised() || silent.contains(&seat.operator))
            && !others.any(|listing| !silent.contains(&listing.offer.operator))
    }

    /// Goes on with what was promised: whoever has promised nothing is not waited for.
    fn ask_no_more(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        self.release(id, index, Release::Waiting, at);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(unit) = job.units.get_mut(&index) {
            let promised = unit.seats.iter().filter(|seat| seat.has_promised());
            unit.wanted = promised.count() as u8;
        }
        job.sort(index);
        at.changed(Stored::Unit(id, index));
        self.advance(id, index, at);
    }

    /// Runs a unit again that has a result, if its order has a seat for that.
    pub(crate) fn reopen(&mut self, id: Digest, index: u32, again: Again, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_running()) else {
            return;
        };
        let cap = usize::from(job.order.replica_cap);
        let Some(unit) = job.units.get_mut(&index) else {
            return;
        };
        let voices = unit.keys().len();
        if unit.stage != Stage::Closed || unit.is_outdated() || voices >= cap {
            return;
        }
        unit.stage = Stage::Gathering;
        unit.again = again;
        unit.audit = Audit::Settled;
        unit.wanted = voices as u8 + 1;
        job.sort(index);
        at.changed(Stored::Unit(id, index));
        at.wake(Alarm::Quorum(id, index), self.policy.quorum);
        self.queue(id);
    }

    /// Runs again what was believed because that operator had said it, wherever that still matters.
    pub(crate) fn doubt(&mut self, operator: Account, at: &mut Moment<'_>) {
        let jobs = self.jobs.values_mut().filter(|job| job.is_running());
        let doubted = jobs.filter_map(|job| Some((job.id, job.alone.remove(&operator)?)));
        let doubted: Vec<_> = doubted.collect();
        for (id, units) in doubted {
            units
                .iter()
                .for_each(|index| self.reopen(id, *index, Again::Doubt, at));
        }
    }
}

/// How many results it takes that as many agree as were asked for, if so many are paid for: somebody else
/// for each who does not.
fn substitutes(job: &Job, unit: &Unit, agreeing: usize) -> Option<u8> {
    let lacks = usize::from(job.first_replicas()).checked_sub(agreeing)?;
    let wanted = u8::try_from(unit.keys().len() + lacks).ok();
    wanted.filter(|wanted| *wanted <= job.order.replica_cap)
}

/// How many results it takes to outvote so many that are wrong, if so many are paid for.
pub(crate) fn outvoting(wrong: usize, job: &Job) -> Option<u8> {
    let wanted = u8::try_from(2 * wrong + 1).ok();
    wanted.filter(|wanted| *wanted <= PANEL.min(job.order.replica_cap))
}
