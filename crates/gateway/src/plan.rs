//! Makes the work of a job from what was asked for.

use std::collections::BTreeMap;

use opensky_api::{Code, Hex, JobRequest, Plan as Asked, ProgramRef, World};
use opensky_core::Plan;
use opensky_executor::{Rules, admit, inspect::Entry};
use opensky_protocol::{
    Deployment, Digest, JobPlan, JobSpec, Limits, Profile, Shard, Work, World as Called, names,
};
use opensky_storage::StoreError;
use tokio::task::spawn_blocking;

use crate::{answer::Fault, blobs::died, desk::Desk, names as known, refusal};

/// The work of a job.
pub(crate) async fn plan(
    desk: &Desk,
    request: JobRequest,
    deployment: Option<&Deployment>,
) -> Result<Plan, Fault> {
    let program = match (&request.program, deployment) {
        (_, Some(found)) => found.program,
        (ProgramRef::Digest(digest), None) => (*digest).into(),
        (ProgramRef::Deployment(name), None) => {
            return Err(known::no_deployment(desk, name));
        }
    };
    let world = match request.world {
        Some(world) => world,
        None => world_of(desk, program, &request.plan).await?,
    };
    let manifest = deployment.map(|found| &found.manifest);
    let common = Common {
        profile: match (&request.profile, manifest) {
            (Some(id), _) => Profile::new(id.clone()),
            (None, Some(manifest)) => manifest.profile.clone(),
            (None, None) => Rules::DEFAULT.profile(),
        },
        program,
        limits: request
            .limits
            .over(manifest.map_or(Limits::DEFAULT, |found| found.limits)),
    };
    make(world, common, request)
}

/// What a request and its deployment come to.
struct Common {
    profile: Profile,
    program: Digest,
    limits: Limits,
}

fn make(world: World, common: Common, request: JobRequest) -> Result<Plan, Fault> {
    let plan = match (request.plan, world) {
        (Asked::One { input }, World::Job | World::Command) => {
            let called = match world {
                World::Command => Called::Command,
                _ => Called::Job,
            };
            let mut inputs = digests(request.inputs);
            if let Some(input) = input {
                inputs.insert(names::INPUT.into(), input.into());
            }
            return Ok(Plan::Single(Box::new(Work {
                profile: common.profile,
                program: common.program,
                world: called,
                inputs,
                args: request.args,
                env: request.env,
                params: request.params,
                shard: Shard::WHOLE,
                entropy: request.entropy.map_or([0; 32], |entropy| entropy.0),
                virtual_time: request.virtual_time.map_or(0, |time| time.value() / 1_000),
                limits: common.limits,
            })));
        }
        (Asked::Map { inputs, partitions }, World::MapReduce | World::MapReduceFinish) => {
            JobPlan::MapReduce {
                shards: inputs.into_iter().map(Into::into).collect(),
                partitions,
                finish: world == World::MapReduceFinish,
            }
        }
        (Asked::Steps { input, steps }, World::Stepper) => JobPlan::Stepper {
            input: input.into(),
            steps,
        },
        (asked, world) => return Err(mismatch(&asked, world)),
    };
    Ok(Plan::Job(Box::new(JobSpec {
        profile: common.profile,
        program: common.program,
        inputs: digests(request.inputs),
        args: request.args,
        env: request.env,
        params: request.params,
        entropy: request.entropy.map_or([0; 32], |entropy| entropy.0),
        virtual_time: request.virtual_time.map_or(0, |time| time.value() / 1_000),
        limits: common.limits,
        plan,
    })))
}

fn digests(inputs: BTreeMap<String, Hex>) -> BTreeMap<String, Digest> {
    let inputs = inputs.into_iter();
    inputs.map(|(name, digest)| (name, digest.into())).collect()
}

fn mismatch(asked: &Asked, world: World) -> Fault {
    let (plan, wants) = match asked {
        Asked::One { .. } => ("one", "a job or a command"),
        Asked::Map { .. } => ("map", "map-reduce"),
        Asked::Steps { .. } => ("steps", "a stepper"),
    };
    let exports = match world {
        World::Job => "a job",
        World::Command => "a command",
        World::MapReduce | World::MapReduceFinish => "map-reduce",
        World::Stepper => "a stepper",
    };
    Fault::new(
        Code::Refused,
        format!("the plan `{plan}` is for {wants}, and what is to be called is {exports}"),
    )
}

/// What the program exports that goes with the plan.
async fn world_of(desk: &Desk, program: Digest, asked: &Asked) -> Result<World, Fault> {
    let node = desk.node.clone();
    let read = move || -> Result<Vec<Entry>, Fault> {
        let bytes = node.bytes(&program).map_err(unread)?;
        let admitted = admit(&bytes).map_err(|refused| Fault::new(Code::Refused, refused))?;
        Ok(admitted.inspection().entries.clone())
    };
    let entries = spawn_blocking(read).await.map_err(died)??;
    let worlds: Vec<World> = entries.into_iter().map(world).collect();
    let goes = |world: &&World| {
        matches!(
            (asked, world),
            (Asked::One { .. }, World::Job | World::Command)
                | (Asked::Map { .. }, World::MapReduce | World::MapReduceFinish)
                | (Asked::Steps { .. }, World::Stepper)
        )
    };
    match (worlds.iter().find(goes), worlds.first()) {
        (Some(world), _) => Ok(*world),
        (None, Some(other)) => Err(mismatch(asked, *other)),
        (None, None) => Err(Fault::new(
            Code::Refused,
            "the program exports nothing to call",
        )),
    }
}

/// The node cannot look at the program: it fetches it when the job is submitted, not before.
fn unread(error: StoreError) -> Fault {
    match error {
        StoreError::Missing(program) => Fault::new(
            Code::NotFound,
            format!("the program {program} is not here, so what it exports is not known"),
        )
        .help("say what to call in it with `world`, or put it there first"),
        other => refusal::of_store(other),
    }
}

fn world(entry: Entry) -> World {
    match entry {
        Entry::Stepper => World::Stepper,
        Entry::MapReduce { finish: true } => World::MapReduceFinish,
        Entry::MapReduce { finish: false } => World::MapReduce,
        Entry::Job => World::Job,
        Entry::Command => World::Command,
    }
}
