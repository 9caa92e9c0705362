//! What is asked of a node: blobs to keep, and jobs to run.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Amount, Bytes, DeploymentId, DeploymentRef, Fuel, Hex, JobId, Nonce, Prices, Span, Time,
};

/// A blob that the node has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Blob {
    /// The BLAKE3 digest of its bytes.
    pub digest: Hex,
    /// How long it is.
    pub len: Bytes,
}

/// A job to be run. What is left out comes from the deployment's manifest, else from the node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// What to run.
    pub program: ProgramRef,
    /// On what, and how it is cut into units.
    pub plan: Plan,
    /// What to call in the program. Where it is left out the node looks: it has to have the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<World>,
    /// Named inputs that every unit gets: blobs that the node has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Hex>,
    /// Command-line arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// What each unit may use.
    #[serde(default)]
    pub limits: Limits,
    /// The rules of execution, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Feeds the seed of each unit's random numbers; 64 zeros where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<Hex>,
    /// When each unit's clock starts; 0 where it is left out. Whole seconds count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_time: Option<Time>,
    /// How many operators run each unit at first. Where their results differ, more of them do: three more at
    /// most, or five in all where it is `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// The most that the whole job may cost: no more is set aside. A job that comes to need more ends
    /// with what it has. One that does not pay for a single unit, run to its limit of fuel, is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Amount>,
    /// The cap of each price; twice what is asked in the middle of the market where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Prices>,
    /// How long the job may take, from now on: 30 days at most, and an hour where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Span>,
    /// Labels that a provider must have, each with one of these values. Nobody checks what providers
    /// say of themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub require: BTreeMap<String, BTreeSet<String>>,
    /// Whether only the providers that are chosen can read inputs and outputs, and the program unless it
    /// is deployed, which makes it public. Arguments, variables, parameters and figures are in the
    /// receipt, for whoever gets it. Each input is in the node's memory as a whole while it is encrypted.
    #[serde(default)]
    pub encrypt: bool,
    /// Whether to say only what would be done, and its price.
    #[serde(default)]
    pub dry_run: bool,
    /// Of a dry run: blobs that the node need not have, and how long they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<Blob>,
    /// Makes the request safe to repeat: for as long as the node remembers the job, the same request with
    /// the same nonce is that job, and nothing is paid twice. Without one, each request is a job of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
}

impl JobRequest {
    /// How long a job may take at most: what is set aside for it comes back that late at the latest.
    pub const LONGEST: Span = Span::saturating(30 * 24 * 3_600_000);

    /// A job of which everything but this is left out.
    pub fn new(program: ProgramRef, plan: Plan) -> Self {
        Self {
            program,
            plan,
            world: None,
            inputs: BTreeMap::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            params: BTreeMap::new(),
            limits: Limits::default(),
            profile: None,
            entropy: None,
            virtual_time: None,
            replicas: None,
            max_price: None,
            price: None,
            deadline: None,
            require: BTreeMap::new(),
            encrypt: false,
            dry_run: false,
            blobs: Vec::new(),
            nonce: None,
        }
    }
}

/// The program of a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramRef {
    /// What is deployed there now.
    Deployment(DeploymentRef),
    /// A component that the node has, by its digest.
    Digest(Hex),
}

/// What a program exports, and what is called in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum World {
    /// `opensky:compute/job`.
    Job,
    /// `wasi:cli/run`.
    Command,
    /// `opensky:compute/map-reduce`.
    MapReduce,
    /// The same, and `opensky:compute/finish`.
    MapReduceFinish,
    /// `opensky:compute/stepper`.
    Stepper,
}

/// How a job is cut into units.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Plan {
    /// One unit: a job, or a command.
    #[serde(rename_all = "kebab-case")]
    One {
        /// The main input, or standard input; nothing where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input: Option<Hex>,
    },
    /// One map unit for each input, one reduce unit for each partition, and one that finishes if the
    /// program can.
    #[serde(rename_all = "kebab-case")]
    Map {
        /// The shards, in order: at most 65,536.
        inputs: Vec<Hex>,
        /// Reduce units, at least 1 and at most 4,096; 1 where it is left out.
        #[serde(default = "one_partition")]
        partitions: u32,
    },
    /// One unit after the other until the program is done.
    #[serde(rename_all = "kebab-case")]
    Steps {
        /// What the program begins with.
        input: Hex,
        /// The most steps of one unit, at least 1 and at most 65,536.
        steps: u32,
    },
}

fn one_partition() -> u32 {
    1
}

/// What each unit may use. A unit that needs more ends with a result of its own kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Fuel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<Fuel>,
    /// Memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
    /// All outputs together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Bytes>,
    /// Log and standard error together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Bytes>,
}

impl Limits {
    /// These, and `others` where they say nothing.
    pub fn or(self, others: Self) -> Self {
        Self {
            fuel: self.fuel.or(others.fuel),
            memory: self.memory.or(others.memory),
            output: self.output.or(others.output),
            log: self.log.or(others.log),
        }
    }

    /// As rules of execution have them: `default` where these say nothing.
    pub fn over(self, default: opensky_protocol::Limits) -> opensky_protocol::Limits {
        let bytes = |said: Option<Bytes>, default| said.map_or(default, Bytes::value);
        opensky_protocol::Limits {
            fuel: self.fuel.map_or(default.fuel, |fuel| fuel.0),
            memory: bytes(self.memory, default.memory),
            output: bytes(self.output, default.output),
            log: bytes(self.log, default.log),
        }
    }
}

impl From<opensky_protocol::Limits> for Limits {
    fn from(limits: opensky_protocol::Limits) -> Self {
        Self {
            fuel: Some(Fuel(limits.fuel)),
            memory: Some(Bytes::saturating(limits.memory)),
            output: Some(Bytes::saturating(limits.output)),
            log: Some(Bytes::saturating(limits.log)),
        }
    }
}

/// How many operators run each unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replicas {
    /// As many as what is known of them calls for.
    Auto,
    /// So many, at least 1.
    Exactly(u8),
}

/// A job as it will be run, with everything that was left out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobSpec {
    /// The component.
    pub program: Hex,
    /// What is called in the program.
    pub world: World,
    /// How it is cut into units.
    pub plan: Plan,
    /// Named inputs.
    pub inputs: BTreeMap<String, Hex>,
    /// Command-line arguments.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: BTreeMap<String, String>,
    /// Parameters.
    pub params: BTreeMap<String, String>,
    /// What each unit may use; nothing is left out.
    pub limits: Limits,
    /// The rules of execution.
    pub profile: String,
    /// Feeds the seeds.
    pub entropy: Hex,
    /// When each unit's clock starts.
    pub virtual_time: Time,
    /// How many operators run each unit.
    pub replicas: Replicas,
    /// How many operators the requester pays for one unit at most.
    pub replica_cap: u8,
    /// The cap of each price.
    pub price: Prices,
    /// The most that the whole job may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Amount>,
    /// When the job ends, done or not.
    pub deadline: Time,
    /// Labels that a provider must have.
    pub require: BTreeMap<String, BTreeSet<String>>,
    /// Whether only the chosen providers can read it. Where the job was submitted its blobs are named by
    /// the digests of what they were encrypted to.
    pub encrypt: bool,
}

/// What a job would be, and what it can cost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Quote {
    /// What would be run, exactly.
    pub spec: JobSpec,
    /// The deployment that the program was found by, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
    /// How many units that is; absent where only running it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    /// The most that it can cost: what is set aside before anything runs. What is not used goes back.
    pub escrow: Amount,
    /// What may keep it from a result, as sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One reason for which providers cannot take a unit.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Need {
    /// How many nodes it keeps from it.
    pub nodes: u32,
    /// Of how many.
    pub of: u32,
    /// The reason, as in `needs 200 GiB memory, the largest has 14 GiB`.
    pub reason: String,
}

/// The answer to a job that is to be run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Submitted {
    /// The job; absent after a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// What it is and may cost.
    pub quote: Quote,
}
