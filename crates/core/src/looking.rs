//! Views of a participant.

use std::cmp::Reverse;

use opensky_protocol::{Account, Digest, NodeKey, Profile, Turn};

use crate::{
    job::Job,
    participant::Participant,
    phase::Phase,
    standing::Standing,
    unit::{Over, Seat, SeatState, Unit},
    view::{JobState, JobView, SeatView, UnitView, WorkerView},
};

impl Participant {
    /// All own jobs that are remembered.
    pub fn jobs(&self) -> impl Iterator<Item = JobView> {
        self.broker().jobs.values().map(view)
    }

    /// An own job.
    pub fn job(&self, id: &Digest) -> Option<JobView> {
        self.broker().jobs.get(id).map(view)
    }

    /// The units of an own job that anyone was asked for, in the order of its plan.
    pub fn units(&self, id: &Digest) -> Vec<UnitView> {
        let job = self.broker().jobs.get(id);
        let units = job.into_iter().flat_map(|job| &job.units);
        let wanted = job.map_or(0, Job::first_replicas);
        units
            .map(|(index, unit)| view_unit(*index, unit, wanted))
            .collect()
    }

    /// What units of an own job were before they were begun anew, because what they took in turned out to
    /// be wrong: each with what was agreed on for it, in no order.
    pub fn replaced(&self, id: &Digest) -> Vec<UnitView> {
        let job = self.broker().jobs.get(id);
        let past = job.into_iter().flat_map(|job| job.past.values());
        let wanted = job.map_or(0, Job::first_replicas);
        past.map(|past| view_unit(past.index, &past.unit, wanted))
            .collect()
    }

    /// Whether that node was asked to show the result of its turn at an own job, and has not yet.
    pub fn awaits(&self, from: &NodeKey, turn: &Turn) -> bool {
        let seat = || {
            let job = self.broker().jobs.get(&turn.job)?;
            let unit = job.units.get(job.places.get(&turn.unit)?)?;
            unit.seats.get(turn.attempt as usize)
        };
        let is_open = |seat: &Seat| matches!(seat.state, SeatState::Opened(..));
        seat().is_some_and(|seat| seat.node == *from && is_open(seat))
    }

    /// The work of a unit of an own job, if its inputs are still known.
    pub fn work(&self, id: &Digest, index: u32) -> Option<opensky_protocol::Work> {
        self.broker().jobs.get(id)?.work(index)
    }

    /// What was asked for in an own job.
    pub fn submission(&self, id: &Digest) -> Option<&crate::event::Submission> {
        self.broker().jobs.get(id).map(|job| &job.order)
    }

    /// What is known of an operator, by profile.
    pub fn standing(&self, operator: &Account) -> Vec<(Profile, Standing)> {
        self.broker().standings.all(operator)
    }

    /// What this node does for others.
    pub fn worker_view(&self) -> WorkerView {
        let worker = self.worker();
        let earnings = || worker.earnings.values();
        let with_results = worker.tasks.values().filter(|task| task.done().is_some());
        let refusals = worker.refusals.iter();
        WorkerView {
            queued: worker.queue.len(),
            running: worker.running.iter().copied().collect(),
            unsettled: with_results.count(),
            free: worker.free(),
            earned: earnings().map(|earning| earning.earned).sum(),
            claimed: earnings().map(|earning| earning.claimed).sum(),
            refusals: refusals.map(|(why, count)| (*why, *count)).collect(),
        }
    }
}

fn view(job: &Job) -> JobView {
    let units = || job.units.values().filter(|unit| !unit.is_outdated());
    let agreements = || units().filter_map(|unit| unit.agreement);
    let (verified, verified_of) = fewest(job).unwrap_or_default();
    let judged = || job.all_units().flat_map(|(_, unit)| &unit.seats);
    let wrong = || judged().filter(|seat| seat.was_wrong());
    let seats = || job.units.values().flat_map(|unit| &unit.seats);
    let live = || seats().filter(|seat| seat.is_live());
    let state = match &job.progress.phase {
        Phase::Funding => JobState::Funding,
        Phase::Running => JobState::Running,
        Phase::Winding(ending) => JobState::Winding(ending.clone()),
        Phase::Collecting => JobState::Collecting,
        Phase::Over { ending, .. } => JobState::Over(ending.clone()),
    };
    let last = match job.is_complete() || job.is_over() {
        true => job.last_units(),
        false => (0, 0),
    };
    let outputs = job.outputs.range(last.0..last.1);
    let outputs = outputs.flat_map(|(_, outputs)| &outputs.0);
    JobView {
        id: job.id,
        state,
        created: job.progress.created,
        ended: job.progress.ended,
        deadline: job.order.deadline,
        planned: job.planned(),
        agreed: agreements().count() as u64,
        running: live().count() as u64,
        promised: live().filter(|seat| seat.has_committed()).count() as u64,
        locked: job.progress.locked,
        spent: job.spent,
        reserved: job.reserved,
        fuel: agreements().map(|agreement| agreement.fuel).sum(),
        verified,
        verified_of,
        compared: judged().filter(|seat| seat.was_judged()).count() as u64,
        wrong: wrong().count() as u64,
        caught: wrong().map(|seat| seat.node).collect(),
        outputs: outputs
            .map(|(name, output)| (name.clone(), *output))
            .collect(),
    }
}

/// How many operators agree on the unit that fewest agree on, and of how many. Fewer have to do once a job
/// winds down, and were not what was asked for.
fn fewest(job: &Job) -> Option<(u8, u32)> {
    let units = job.units.values().filter(|unit| !unit.is_outdated());
    let agreed = units.filter_map(|unit| {
        let shown = unit.seats.iter().filter_map(Seat::voice).count();
        let of = shown.max(job.first_replicas().into());
        Some((unit.agreement?.voices, of as u32))
    });
    // Of two that as many agree on, the one where more do not.
    agreed.min_by_key(|(voices, of)| (*voices, Reverse(*of)))
}

/// A unit of a job that asks for so many results. Fewer have to do once the job winds down, and were not
/// what was asked for.
fn view_unit(index: u32, unit: &Unit, wanted: u8) -> UnitView {
    let promised = unit.seats.iter().filter(|seat| seat.has_promised());
    UnitView {
        index,
        unit: unit.id,
        wanted: unit.wanted.max(wanted),
        promised: promised.count() as u32,
        compared: unit.keys().len() as u32,
        lacks: unit.lacks() as u32,
        agreed: unit
            .agreement
            .map(|agreement| (agreement.key, agreement.voices)),
        seats: unit.seats.iter().map(view_seat).collect(),
    }
}

fn view_seat(seat: &Seat) -> SeatView {
    SeatView {
        node: seat.node,
        operator: seat.operator,
        asked: seat.asked,
        earned: match seat.state {
            SeatState::Over(Over::Paid { amount, .. } | Over::PaidWrong { amount, .. }) => amount,
            _ => 0,
        },
        state: words(&seat.state),
    }
}

fn words(state: &SeatState) -> String {
    let text = match state {
        SeatState::Asked { tries: 0 } => "asked to run it",
        SeatState::Asked { tries } => {
            return format!("asked {} times, and has not answered", tries + 1);
        }
        SeatState::Working => "runs it",
        SeatState::Committed(_) => "has a result, and waits for the others",
        SeatState::Opened(..) => "was asked to show its result",
        SeatState::Shown { .. } => "has shown its result",
        SeatState::Over(over) => return ended(over),
    };
    text.into()
}

fn ended(over: &Over) -> String {
    match over {
        Over::Refused(why) => format!("refused: {why}"),
        Over::Aborted(why) => format!("failed: {why}"),
        Over::Silent => "did not answer in time".into(),
        Over::Hidden => "did not show the result that it had promised".into(),
        Over::Lacked => "could not get an input".into(),
        Over::Released => "was not needed any more".into(),
        Over::Paid { .. } => "agreed".into(),
        Over::PaidWrong { .. } => "was believed and was wrong".into(),
        Over::Wrong { .. } => "had another result than the others".into(),
        Over::Unjudged => "had a result that could not be judged".into(),
        Over::False => "showed a result that cannot be true".into(),
    }
}
