//! How jobs end: what was promised is still shown and paid, nothing new is begun.

use std::collections::BTreeSet;

use opensky_protocol::{Digest, NodeKey};

use crate::{
    alarm::Alarm,
    broker::Broker,
    effect::Effect,
    job::Job,
    judging::Release,
    moment::Moment,
    phase::{Closing, Ending, Phase},
    row::Stored,
    unit::Audit,
};

/// Ended jobs that may still be claimed from, as a multiple of those that are remembered for people.
const UNSETTLED: usize = 16;

impl Broker {
    /// The user does not want a job any more.
    pub(crate) fn cancel(&mut self, id: Digest, at: &mut Moment<'_>) {
        self.stop(id, Ending::Cancelled, at);
    }

    /// A job has no more time.
    pub(crate) fn out_of_time(&mut self, id: Digest, at: &mut Moment<'_>) {
        self.stop(id, Ending::Deadline, at);
    }

    /// The ledger did not set its money aside.
    pub(crate) fn unfunded(&mut self, id: Digest, reason: String, at: &mut Moment<'_>) {
        self.end(id, Ending::Unfunded(reason), Closing::Done, at);
    }

    fn stop(&mut self, id: Digest, ending: Ending, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        match job.progress.phase {
            Phase::Running => self.wind(id, ending, at),
            Phase::Funding => self.end(id, ending, Closing::Asked, at),
            Phase::Collecting => {
                // That it has failed is known; its outputs are not here, and that is all.
                let ending = job.failure().unwrap_or(ending);
                self.end(id, ending, Closing::Asked, at);
            }
            // It waits for nothing but for what was promised, and that has had its time.
            Phase::Winding(_) | Phase::Over { .. } => {}
        }
    }

    /// Begins to end a job: whoever has promised a result shows it, the others stop.
    pub(crate) fn wind(&mut self, id: Digest, ending: Ending, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.is_running()) else {
            return;
        };
        job.progress.phase = Phase::Winding(ending);
        at.changed(Stored::Job(id));
        let open: Vec<u32> = job.open.iter().copied().collect();
        for index in open {
            self.wind_unit(id, index, at);
        }
        self.finish_winding(id, at);
    }

    /// Begins to end what is done about a unit.
    pub(crate) fn wind_unit(&mut self, id: Digest, index: u32, at: &mut Moment<'_>) {
        self.release(id, index, Release::Waiting, at);
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        if let Some(unit) = job.units.get_mut(&index) {
            let promised = unit.seats.iter().filter(|seat| seat.has_promised()).count();
            unit.wanted = u8::try_from(promised).unwrap_or(u8::MAX).min(unit.wanted);
            unit.audit = Audit::Settled;
        }
        at.changed(Stored::Unit(id, index));
        job.sort(index);
        if self.jobs[&id].units[&index]
            .seats
            .iter()
            .any(|seat| seat.has_committed())
        {
            self.advance(id, index, at);
        }
    }

    /// Ends a job that was about to, once nothing is promised any more.
    pub(crate) fn finish_winding(&mut self, id: Digest, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get(&id) else {
            return;
        };
        if let Phase::Winding(ending) = &job.progress.phase
            && !job.has_live_seats()
        {
            match ending {
                Ending::Failed { .. } if !job.results().is_empty() => self.fetch(id, at),
                ending => self.end(id, ending.clone(), Closing::Asked, at),
            }
        }
    }

    /// Nothing is left to do about a job but to get its outputs, or those of the unit that failed.
    pub(crate) fn fetch(&mut self, id: Digest, at: &mut Moment<'_>) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.progress.phase = Phase::Collecting;
            at.changed(Stored::Job(id));
            self.collect(id, at);
        }
    }

    /// The outputs of a job are here.
    pub(crate) fn collected(&mut self, id: Digest, at: &mut Moment<'_>) {
        let job = self.jobs.get(&id);
        if let Some(job) = job.filter(|job| job.progress.phase == Phase::Collecting) {
            let ending = job.failure().unwrap_or(Ending::Done);
            self.end(id, ending, Closing::Asked, at);
        }
    }

    fn end(&mut self, id: Digest, ending: Ending, escrow: Closing, at: &mut Moment<'_>) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let had_pool = !matches!(job.progress.phase, Phase::Funding);
        job.progress.phase = Phase::Over { ending, escrow };
        job.progress.ended = at.now;
        let (last, _) = job.last_units();
        job.outputs = job.outputs.split_off(&last);
        job.failed.clear();
        job.set_aside.clear();
        job.shown.clear();
        let pool = job.pool;
        for (operator, purse) in &job.purses {
            self.market.paid(*operator, purse.total);
        }
        let seats = job.all_units().flat_map(|(_, unit)| &unit.seats);
        let nodes: BTreeSet<NodeKey> = seats.map(|seat| seat.node).collect();
        nodes.into_iter().for_each(|node| at.to(node).over.push(id));
        at.alarms.clear(Alarm::Deadline(id));
        at.alarms.clear(Alarm::Stragglers(id));
        at.changed(Stored::Job(id));
        at.want(Effect::Ended(id));
        if had_pool {
            self.market.close(&pool);
        }
        self.ask_for_escrow(id, at);
        self.ended.push_back(id);
        self.forget_oldest(at);
    }

    /// Forgets jobs that ended long ago.
    fn forget_oldest(&mut self, at: &mut Moment<'_>) {
        while self.ended.len() > self.policy.ended_jobs {
            let oldest = self.ended.front().and_then(|id| self.jobs.get(id));
            let settles = |job: &Job| job.progress.ended.after(self.policy.settling) > at.now;
            let is_crowded = self.ended.len() > UNSETTLED * self.policy.ended_jobs;
            if oldest.is_some_and(settles) && !is_crowded {
                return;
            }
            let oldest = self.ended.pop_front();
            let Some((id, job)) = oldest.and_then(|id| self.jobs.remove_entry(&id)) else {
                continue;
            };
            at.alarms.clear(Alarm::Escrow(id));
            at.changed(Stored::Submission(id));
            at.changed(Stored::Job(id));
            for index in job.units.keys() {
                at.changed(Stored::Unit(id, *index));
                at.changed(Stored::Result(id, *index));
            }
            for unit in job.past.keys() {
                at.changed(Stored::Past(id, *unit));
            }
            for operator in job.purses.keys() {
                at.changed(Stored::Purse(id, *operator));
            }
        }
    }
}

impl Job {
    /// How its first unit that failed did, if one has.
    pub(crate) fn failure(&self) -> Option<Ending> {
        let mut failed = self.failed.keys();
        failed.find_map(|index| {
            let unit = self.units.get(index).filter(|unit| !unit.is_outdated())?;
            let class = unit.agreement?.class;
            let index = *index;
            Some(Ending::Failed { index, class })
        })
    }
}
