//! How what the node knows is shown.

use opensky_api::{
    Amount, Bytes, Count, Ending, EndingKind, Fuel, JobId, JobSpec, JobState, JobSummary, Need,
    NodeId, Passed, Plan as Shown, Replicas, Stage, Time, Turn, Unit, UnitId, UnitState,
    World as Called, Wrong,
};
use opensky_core::{self as core, JobView, NodeWhy, Plan, SeatView, Submission, Unfit, UnitView};
use opensky_node::Unpinned;
use opensky_protocol::{Class, JobPlan, NodeKey, Offer, Work, World, names};

use crate::names::Names;

/// Nodes that are listed one by one where something keeps them from a job.
const LISTED: usize = 64;
/// Nodes that are named with a job because their results were wrong: as many as fit a line.
const CAUGHT: usize = 4;

pub(crate) fn count(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

pub(crate) fn time(time: core::Time) -> Time {
    Time::saturating(time.0)
}

/// A job in a list, and what its program is called.
pub(crate) fn summary(job: &JobView, order: &Submission, names: &Names) -> JobSummary {
    let ending = match &job.state {
        core::JobState::Winding(ending) | core::JobState::Over(ending) => Some(ending),
        _ => None,
    };
    JobSummary {
        job: JobId::new(job.id),
        state: state(&job.state),
        ending: ending.map(shown_ending),
        program: (*program(&order.plan)).into(),
        name: names.of(program(&order.plan), order.deployment.as_ref()),
        submitted: time(job.created),
        deadline: time(job.deadline),
        ended: (job.ended.0 > 0).then(|| time(job.ended)),
        units: count(job.planned),
        units_done: count(job.agreed),
        running: count(job.running),
        promised: count(job.promised),
        verified: (job.verified > 0).then(|| job.verified.into()),
        verified_of: (job.verified > 0).then_some(job.verified_of),
        wrong: (job.wrong > 0).then(|| wrong(job)),
        replicas: replicas(order.replicas),
        encrypted: order.is_encrypted,
        fuel: Fuel(job.fuel),
        price: Amount(job.spent),
        price_under_way: Amount(job.reserved),
        escrow: Amount(job.locked),
    }
}

fn wrong(job: &JobView) -> Wrong {
    let caught = job.caught.iter().take(CAUGHT);
    Wrong {
        results: count(job.wrong),
        of: count(job.compared),
        providers: caught.map(|node| (*node).into()).collect(),
    }
}

/// What the ledger holds for a job.
pub(crate) fn held(held: &opensky_node::Held) -> opensky_api::Held {
    opensky_api::Held {
        amount: Amount(held.amount),
        returned: Amount(held.returned),
        claimed: held.claimed,
        back: held.back.map(Time::saturating),
    }
}

fn state(state: &core::JobState) -> JobState {
    match state {
        core::JobState::Funding => JobState::Funding,
        core::JobState::Running => JobState::Running,
        core::JobState::Collecting => JobState::Collecting,
        core::JobState::Winding(_) => JobState::Settling,
        core::JobState::Over(_) => JobState::Ended,
    }
}

/// How a job ended.
pub(crate) fn shown_ending(ending: &core::Ending) -> Ending {
    let kind = match ending {
        core::Ending::Done => EndingKind::Result(Class::Ok.into()),
        core::Ending::Failed { class, .. } => EndingKind::Result((*class).into()),
        core::Ending::Disputed { .. } => EndingKind::Undecided,
        core::Ending::Unrunnable { .. } => EndingKind::Unrunnable,
        core::Ending::Stuck { .. } => EndingKind::Stuck,
        core::Ending::Tainted { .. } | core::Ending::Unmended { .. } => EndingKind::Tainted,
        core::Ending::Unfunded(_) => EndingKind::Unfunded,
        core::Ending::Cancelled => EndingKind::Cancelled,
        core::Ending::Deadline => EndingKind::Expired,
        core::Ending::Budget => EndingKind::OverBudget,
    };
    let detail = match ending {
        core::Ending::Done => None,
        other => Some(other.to_string()),
    };
    Ending { kind, detail }
}

fn replicas(wanted: core::Replicas) -> Replicas {
    match wanted {
        core::Replicas::Auto => Replicas::Auto,
        core::Replicas::Fixed(count) => Replicas::Exactly(count),
    }
}

fn program(plan: &Plan) -> &opensky_protocol::Digest {
    match plan {
        Plan::Single(work) => &work.program,
        Plan::Job(spec) => &spec.program,
    }
}

/// What was asked for in a job.
pub(crate) fn spec(order: &Submission) -> JobSpec {
    let (world, plan) = world_and_plan(&order.plan);
    let work = any_work(&order.plan);
    JobSpec {
        program: work.program.into(),
        world,
        plan,
        inputs: named_inputs(&order.plan),
        args: work.args,
        env: work.env,
        params: work.params,
        limits: work.limits.into(),
        profile: work.profile.id().to_owned(),
        entropy: opensky_api::Hex(work.entropy),
        virtual_time: Time::saturating(work.virtual_time.saturating_mul(1_000)),
        replicas: replicas(order.replicas),
        replica_cap: order.replica_cap,
        price: order.price.into(),
        max_price: order.max_total.map(Amount),
        deadline: time(order.deadline),
        require: order.require.clone(),
        encrypt: order.is_encrypted,
    }
}

/// A work with all that the units of a plan have in common.
fn any_work(plan: &Plan) -> Work {
    let spec = match plan {
        Plan::Single(work) => return (**work).clone(),
        Plan::Job(spec) => spec,
    };
    Work {
        profile: spec.profile.clone(),
        program: spec.program,
        world: World::Job,
        inputs: spec.inputs.clone(),
        args: spec.args.clone(),
        env: spec.env.clone(),
        params: spec.params.clone(),
        shard: opensky_protocol::Shard::WHOLE,
        entropy: spec.entropy,
        virtual_time: spec.virtual_time,
        limits: spec.limits,
    }
}

fn world_and_plan(plan: &Plan) -> (Called, Shown) {
    let spec = match plan {
        Plan::Single(work) => {
            let world = match work.world {
                World::Command => Called::Command,
                _ => Called::Job,
            };
            let input = work.inputs.get(names::INPUT).copied();
            let input = input.map(Into::into);
            return (world, Shown::One { input });
        }
        Plan::Job(spec) => spec,
    };
    match &spec.plan {
        JobPlan::MapReduce {
            shards,
            partitions,
            finish,
        } => {
            let world = match finish {
                true => Called::MapReduceFinish,
                false => Called::MapReduce,
            };
            let inputs = shards.iter().copied().map(Into::into).collect();
            let partitions = *partitions;
            (world, Shown::Map { inputs, partitions })
        }
        JobPlan::Stepper { input, steps } => {
            let (input, steps) = ((*input).into(), *steps);
            (Called::Stepper, Shown::Steps { input, steps })
        }
    }
}

/// Inputs that every unit gets, without the one that the plan gives.
fn named_inputs(plan: &Plan) -> std::collections::BTreeMap<String, opensky_api::Hex> {
    let inputs = match plan {
        Plan::Single(work) => &work.inputs,
        Plan::Job(spec) => &spec.inputs,
    };
    let named = inputs.iter().filter(|(name, _)| *name != names::INPUT);
    named
        .map(|(name, digest)| (name.clone(), (*digest).into()))
        .collect()
}

/// A unit of a job.
pub(crate) fn unit(unit: &UnitView, order: &Submission, is_over: Over) -> Unit {
    let agreed = unit.agreed.map(|(_, voices)| voices);
    let state = match (agreed, is_over, unit.seats.is_empty()) {
        (Some(_), ..) => UnitState::Agreed,
        (None, Over::Yes, _) => UnitState::Dropped,
        (None, Over::No, true) => UnitState::Placing,
        (None, Over::No, false) => UnitState::Running,
    };
    Unit {
        unit: UnitId::new(unit.unit),
        index: unit.index,
        stage: stage(&order.plan, unit.index),
        state,
        agreed: agreed.unwrap_or(0).into(),
        wanted: unit.wanted.into(),
        promised: unit.promised,
        compared: unit.compared,
        lacks: match is_over {
            Over::Yes => 0,
            Over::No => unit.lacks,
        },
        turns: (0..).zip(&unit.seats).map(turn).collect(),
    }
}

/// Whether a job is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Yes,
    No,
}

impl From<&JobView> for Over {
    fn from(job: &JobView) -> Self {
        match job.state {
            core::JobState::Over(_) => Self::Yes,
            _ => Self::No,
        }
    }
}

/// Which part of its job the unit at a place of the plan is.
pub(crate) fn stage(plan: &Plan, index: u32) -> Stage {
    let spec = match plan {
        Plan::Single(_) => return Stage::Whole,
        Plan::Job(spec) => spec,
    };
    match &spec.plan {
        JobPlan::Stepper { .. } => Stage::Steps,
        JobPlan::MapReduce {
            shards, partitions, ..
        } => match (index as usize).checked_sub(shards.len()) {
            None => Stage::Map,
            Some(after) if after < *partitions as usize => Stage::Reduce,
            Some(_) => Stage::Finish,
        },
    }
}

fn turn((attempt, seat): (u32, &SeatView)) -> Turn {
    Turn {
        provider: seat.node.into(),
        operator: seat.operator.into(),
        attempt,
        asked: time(seat.asked),
        state: match seat.earned {
            0 => seat.state.clone(),
            earned => format!("{}, and earned {}", seat.state, Amount(earned).rounded()),
        },
    }
}

/// Says of turns whose nodes do not answer for how long that is.
pub(crate) fn silence(unit: &mut Unit, why: &core::Why) {
    for silent in why.silent.iter().filter(|turn| turn.index == unit.index) {
        if let Some(turn) = unit.turns.get_mut(silent.attempt as usize) {
            let begun = match turn.state.ends_with(UNANSWERED) {
                true => "",
                false => ", and has not answered",
            };
            turn.state = format!("{}{begun} for {} s", turn.state, silent.seconds);
        }
    }
}

/// How the state of a turn ends that was asked for more than once.
const UNANSWERED: &str = "has not answered";

/// What keeps nodes from a job: how many each reason, the most frequent first, and last those
/// that have done their part.
pub(crate) fn needs(nodes: &[NodeWhy]) -> Vec<Need> {
    let of = count(nodes.len());
    let mut summary = NodeWhy::summary(nodes);
    let is_theirs = |unfit: &Unfit| matches!(unfit, Unfit::Seated | Unfit::Own);
    summary.sort_by_key(|(unfit, nodes)| (is_theirs(unfit), std::cmp::Reverse(*nodes)));
    let need = |(unfit, nodes): (Unfit, usize)| Need {
        nodes: count(nodes),
        of,
        reason: reason(&unfit),
    };
    summary.into_iter().map(need).collect()
}

/// As in `4 of 4 nodes: it is busy`.
pub(crate) fn need_text(need: &Need) -> String {
    format!("{} of {} nodes: {}", need.nodes, need.of, need.reason)
}

/// The nodes that something keeps from a job.
pub(crate) fn passed(why: &core::Why) -> Vec<Passed> {
    let passed = why.nodes.iter().filter_map(|node| {
        Some(Passed {
            node: NodeId::from(node.node),
            reason: own_reason(node.unfit.as_ref()?),
        })
    });
    passed.take(LISTED).collect()
}

/// Why one node cannot take a unit.
fn own_reason(unfit: &Unfit) -> String {
    match unfit {
        Unfit::Memory { has, .. } => format!("it has {} of memory", size(*has)),
        Unfit::Disk { has, .. } => format!("it has {} of disk", size(*has)),
        Unfit::Credit { has, .. } => format!("it lets one requester owe {}", Amount(*has)),
        other => other.to_string(),
    }
}

/// Why nodes cannot take a unit; of those that lack something, what the largest has.
fn reason(unfit: &Unfit) -> String {
    match unfit {
        Unfit::Memory { has, needs } => {
            format!(
                "needs {} memory, the largest has {}",
                size(*needs),
                size(*has)
            )
        }
        Unfit::Disk { has, needs } => {
            format!(
                "needs {} of disk, the largest has {}",
                size(*needs),
                size(*has)
            )
        }
        Unfit::Credit { has, needs } => {
            let (has, needs) = (Amount(*has), Amount(*needs));
            format!(
                "one requester may owe {has} at most, and one unit may cost {needs}: give a lower --fuel"
            )
        }
        other => other.to_string(),
    }
}

/// A number for people: its digits in groups of three.
pub(crate) fn digits(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.iter().find(|(_, shift)| bytes >> shift > 0);
    let Some((name, shift)) = unit else {
        return format!("{bytes} B");
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {name}"),
        (whole, tenth) => format!("{whole}.{tenth} {name}"),
    }
}

/// An offer.
pub(crate) fn offer(offer: &Offer, own: &NodeKey) -> opensky_api::Offer {
    opensky_api::Offer {
        provider: offer.node.into(),
        operator: offer.operator.into(),
        own: offer.node == *own,
        ask: offer.ask.into(),
        credit: Amount(offer.credit),
        capacity: offer.capacity.into(),
        free: offer.free,
        speed: Fuel(offer.speed),
        profiles: offer
            .profiles
            .iter()
            .map(|one| one.id().to_owned())
            .collect(),
        labels: offer.labels.clone(),
        expires: Time::saturating(offer.expires),
        record: None,
    }
}

/// An output by its name.
pub(crate) fn output(name: &str, output: &opensky_protocol::Output) -> opensky_api::JobOutput {
    opensky_api::JobOutput {
        name: name.to_owned(),
        digest: output.digest.into(),
        len: Bytes::saturating(output.len),
    }
}

/// Nodes that said no, and why.
pub(crate) fn refused(nodes: &[(NodeKey, Unpinned)]) -> Vec<Passed> {
    let refused = nodes.iter().map(|(node, reason)| Passed {
        node: (*node).into(),
        reason: reason.to_string(),
    });
    refused.collect()
}

/// A deployment, of which nobody was asked who has it.
pub(crate) fn deployment(record: &opensky_protocol::Deployment) -> opensky_api::Deployment {
    let manifest = &record.manifest;
    opensky_api::Deployment {
        deployment: opensky_api::DeploymentId::new(record.id()),
        publisher: record.publisher.into(),
        name: record.name.clone(),
        program: record.program.into(),
        len: Bytes::saturating(record.program_len),
        sequence: Count::saturating(record.sequence),
        limits: manifest.limits.into(),
        profile: manifest.profile.id().to_owned(),
        replicas: manifest.replicas.map_or(Replicas::Auto, Replicas::Exactly),
        price: manifest.price.map(Into::into),
        about: manifest.about.clone(),
        pinned: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_from_the_right() {
        assert_eq!(digits(0), "0");
        assert_eq!(digits(123_456), "123 456");
        assert_eq!(digits(1_234_567), "1 234 567");
    }

    #[test]
    fn sizes_are_short() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (200 << 30, "200 GiB"),
            (u64::MAX, "16777215.9 TiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text);
        }
    }
}
