//! A job of many units: its spec, the works that follow from it, and the receipt of the whole.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{
    Class, Digest, Limits, NodeKey, Output, Outputs, Profile, Receipt, ReceiptError, SecretKey,
    Shard, Signature, Work, WorkError, World,
    codec::{self, CodecError, FileKind},
    merkle_root, names,
    work::{MAX_FOLDERS, MAX_SHARDS, check_len},
};

/// Shards times partitions of one job: each is a blob that travels, and a line of a work.
const MAX_CELLS: usize = 4 << 20;

/// How a job is cut into units.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum JobPlan {
    /// One map unit for each shard, one reduce unit for each partition, and one that finishes if
    /// the program can.
    MapReduce {
        /// The shards' digests, in order.
        shards: Vec<Digest>,
        /// Reduce units, at least 1.
        partitions: u32,
        /// Whether the program exports `finish`.
        finish: bool,
    },
    /// One unit after the other until the program is done.
    Stepper {
        /// What `init` gets.
        input: Digest,
        /// The most steps of one unit, at least 1.
        steps: u32,
    },
}

/// A job of many units. Together with the units' outputs it determines every unit's work.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct JobSpec {
    /// The rules of execution.
    pub profile: Profile,
    /// The component's digest.
    pub program: Digest,
    /// Named inputs that every unit gets.
    pub inputs: BTreeMap<String, Digest>,
    /// Command-line arguments, for a program that looks.
    pub args: Vec<String>,
    /// Environment variables, for a program that looks.
    pub env: BTreeMap<String, String>,
    /// Parameters.
    pub params: BTreeMap<String, String>,
    /// Feeds each unit's seed.
    pub entropy: [u8; 32],
    /// Each unit's virtual time at its start, in Unix seconds.
    pub virtual_time: u64,
    /// What each unit may use.
    pub limits: Limits,
    /// How the job is cut.
    pub plan: JobPlan,
}

impl JobSpec {
    /// The job's id: `H("opensky job 1", spec)`.
    pub fn id(&self) -> Digest {
        Digest::derive("opensky job 1", self)
    }

    /// Whether anyone could run this job, as far as that can be told before a unit ran: the limits of
    /// each unit's [`Work::check`], at most [`MAX_SHARDS`] shards and named inputs together, and at
    /// most 4,194,304 pairs of a shard and a partition.
    ///
    /// # Errors
    /// The first rule that is broken. [`WorkError::ReservedName`] where a named input has the name of
    /// one that the plan gives to its units.
    pub fn check(&self) -> Result<(), WorkError> {
        if let Some(name) = self.inputs.keys().find(|name| names::is_planned(name)) {
            return Err(WorkError::ReservedName(name.clone()));
        }
        let JobPlan::MapReduce {
            shards, partitions, ..
        } = &self.plan
        else {
            return self.first_steps().map_or(Ok(()), |work| work.check());
        };
        let first = self
            .map_work(0)
            .ok_or(WorkError::Shard { index: 0, count: 0 })?;
        first.check()?;
        // A reduce unit has the job's named inputs and one of each shard, in a folder of their own.
        check_len("folders of inputs", first.count_folders() + 1, MAX_FOLDERS)?;
        check_len(
            "shards and named inputs",
            shards.len() + self.inputs.len(),
            MAX_SHARDS,
        )?;
        let cells = shards.len().saturating_mul(*partitions as usize);
        check_len("pairs of a shard and a partition", cells, MAX_CELLS)
    }

    /// The work of map unit `index`. `None` if the plan has no such unit.
    pub fn map_work(&self, index: u32) -> Option<Work> {
        let JobPlan::MapReduce {
            shards, partitions, ..
        } = &self.plan
        else {
            return None;
        };
        let shard = shards.get(index as usize)?;
        let count = shards.len() as u32;
        let inputs = [(names::INPUT.into(), *shard)];
        let world = World::Map {
            partitions: *partitions,
        };
        Some(self.work(world, Shard { index, count }, inputs))
    }

    /// The work of reduce unit `index`, from the outputs of all map units in order. `None` if the
    /// plan has no such unit or an output is missing.
    pub fn reduce_work(&self, index: u32, maps: &[&Outputs]) -> Option<Work> {
        let JobPlan::MapReduce {
            shards, partitions, ..
        } = &self.plan
        else {
            return None;
        };
        if index >= *partitions || maps.len() != shards.len() {
            return None;
        }
        let name = names::partition(index);
        let inputs: Option<Vec<_>> = (0..)
            .zip(maps)
            .map(|(shard, outputs)| Some((names::shard(shard), outputs.0.get(&name)?.digest)))
            .collect();
        Some(self.work(
            World::Reduce,
            Shard {
                index,
                count: *partitions,
            },
            inputs?,
        ))
    }

    /// The work of the finish unit, from the outputs of all reduce units in order. `None` if the
    /// plan has no such unit or an output is missing.
    pub fn finish_work(&self, reduces: &[&Outputs]) -> Option<Work> {
        let JobPlan::MapReduce {
            partitions,
            finish: true,
            ..
        } = &self.plan
        else {
            return None;
        };
        if reduces.len() != *partitions as usize {
            return None;
        }
        let inputs: Option<Vec<_>> = (0..)
            .zip(reduces)
            .map(|(index, outputs)| {
                Some((
                    names::partition(index),
                    outputs.0.get(names::OUTPUT)?.digest,
                ))
            })
            .collect();
        Some(self.work(World::Finish, Shard::WHOLE, inputs?))
    }

    /// The work of the first stepper unit. `None` if the plan is another.
    pub fn first_steps(&self) -> Option<Work> {
        let JobPlan::Stepper { input, steps } = self.plan else {
            return None;
        };
        let inputs = [(names::INPUT.into(), input)];
        Some(self.work(World::Stepper { steps }, Shard::WHOLE, inputs))
    }

    /// The work of the stepper unit that goes on where one with these outputs stopped. `None` if
    /// that one was done.
    pub fn next_steps(&self, last: &Outputs) -> Option<Work> {
        let JobPlan::Stepper { steps, .. } = self.plan else {
            return None;
        };
        let inputs = [(names::STATE.into(), last.0.get(names::STATE)?.digest)];
        Some(self.work(World::Stepper { steps }, Shard::WHOLE, inputs))
    }

    /// How many units the plan has, given the outputs of those that ran. `None` if there are no
    /// partitions, shards or partitions beyond the limits, or a stepper that is not done.
    fn units(&self, outputs: &[&Outputs]) -> Option<usize> {
        match &self.plan {
            JobPlan::MapReduce {
                shards,
                partitions,
                finish,
            } => {
                let partitions = *partitions as usize;
                let cells = shards.len().checked_mul(partitions)?;
                let fits = partitions > 0 && shards.len() <= MAX_SHARDS && cells <= MAX_CELLS;
                fits.then_some(shards.len() + partitions + usize::from(*finish))
            }
            JobPlan::Stepper { .. } => {
                let done = outputs.last()?.0.contains_key(names::OUTPUT);
                done.then_some(outputs.len())
            }
        }
    }

    /// The work of the unit at `index` in the order of the plan, from the outputs of the units
    /// before it.
    fn unit_work(&self, index: usize, outputs: &[&Outputs]) -> Option<Work> {
        let JobPlan::MapReduce {
            shards, partitions, ..
        } = &self.plan
        else {
            return match index.checked_sub(1) {
                None => self.first_steps(),
                Some(last) => self.next_steps(outputs.get(last)?),
            };
        };
        let Some(after_map) = index.checked_sub(shards.len()) else {
            return self.map_work(index as u32);
        };
        let (maps, rest) = outputs.split_at_checked(shards.len())?;
        if after_map < *partitions as usize {
            self.reduce_work(after_map as u32, maps)
        } else {
            self.finish_work(rest.get(..*partitions as usize)?)
        }
    }

    fn work(
        &self,
        world: World,
        shard: Shard,
        inputs: impl IntoIterator<Item = (String, Digest)>,
    ) -> Work {
        let mut all = self.inputs.clone();
        all.extend(inputs);
        Work {
            profile: self.profile.clone(),
            program: self.program,
            world,
            inputs: all,
            args: self.args.clone(),
            env: self.env.clone(),
            params: self.params.clone(),
            shard,
            entropy: self.entropy,
            virtual_time: self.virtual_time,
            limits: self.limits,
        }
    }
}

/// The receipt of a whole job: its spec, its units' receipts in the order of the plan, and what came
/// out. Map units come first, then reduce units, then the one that finishes; or steps in order.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct JobReceipt {
    /// What was asked for.
    pub spec: JobSpec,
    /// The units' receipts. All are `Ok`.
    pub units: Vec<Receipt>,
    /// The job's output: see [`JobReceipt::output_of`].
    pub output: Digest,
    /// Who drove the job and signs.
    pub node: NodeKey,
    /// Over job id, root of the units' statements, and output.
    pub signature: Signature,
}

/// Why bytes are not a job receipt that holds together.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JobError {
    /// The bytes are not a job receipt file, or a bit of it has changed.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The job is impossible.
    #[error("the job is impossible: {0}")]
    Spec(#[from] WorkError),
    /// A unit's receipt is bad.
    #[error("receipt of unit {index}: {error}")]
    Unit {
        /// Position in the list, from 0.
        index: usize,
        /// What is wrong with it.
        error: ReceiptError,
    },
    /// A unit did not succeed, or is not the one that the plan asks for at this place.
    #[error("unit {0} is not the one that the plan asks for, or did not succeed")]
    Plan(usize),
    /// There are more or fewer units than the plan asks for.
    #[error("the plan asks for more or fewer than {0} units")]
    Count(usize),
    /// The output is not that of the last units.
    #[error("the output does not follow from the units")]
    Output,
    /// The receipt is not signed by the node it names.
    #[error("the signature is not that of node {0}")]
    Signature(NodeKey),
}

const DOMAIN: &str = "opensky job receipt 1";

impl JobReceipt {
    /// Signs a finished job as `secret`'s node. The units' receipts come in the order of the plan; what
    /// each says of itself is not checked here ([`JobReceipt::check`] does), only that each follows
    /// from the spec and from the outputs of those before it.
    ///
    /// # Errors
    /// What is wrong with the plan, or the place of the first unit that is not the one planned.
    pub fn sign(secret: &SecretKey, spec: JobSpec, units: Vec<Receipt>) -> Result<Self, JobError> {
        let output = Self::output_of(&spec, &units)?;
        let node = secret.node();
        let mut receipt = Self {
            spec,
            units,
            output,
            node,
            signature: Signature([0; 64]),
        };
        receipt.signature = secret.sign(DOMAIN, &receipt.signed_part());
        receipt.check_units()?;
        Ok(receipt)
    }

    /// The receipt file's bytes.
    pub fn to_file(&self) -> Vec<u8> {
        codec::seal(FileKind::JobReceipt, self)
    }

    /// Reads a job receipt file and checks all that can be checked without running a unit.
    ///
    /// # Errors
    /// [`JobError::Codec`], or what [`check`](Self::check) finds.
    pub fn from_file(bytes: &[u8]) -> Result<Self, JobError> {
        let receipt: Self = codec::open(FileKind::JobReceipt, bytes)?;
        receipt.check()?;
        Ok(receipt)
    }

    /// Checks the signature, every unit's receipt, and that each unit's work follows from the spec
    /// and the outputs of the units before it.
    ///
    /// # Errors
    /// The first thing that is wrong, in that order.
    pub fn check(&self) -> Result<(), JobError> {
        if !self
            .node
            .verify(DOMAIN, &self.signed_part(), &self.signature)
        {
            return Err(JobError::Signature(self.node));
        }
        for (index, unit) in self.units.iter().enumerate() {
            unit.check()
                .map_err(|error| JobError::Unit { index, error })?;
        }
        self.check_units()
    }

    /// The digest of a job's output, from the receipts of its units: where one unit makes the
    /// output, that of its bytes; where several partitions are joined,
    /// `H("opensky parts 1", outputs in order)`, which needs no bytes to check.
    ///
    /// # Errors
    /// [`JobError::Count`] where there are fewer units than make the output, [`JobError::Output`] where
    /// one of these has no output named [`names::OUTPUT`].
    pub fn output_of(spec: &JobSpec, units: &[Receipt]) -> Result<Digest, JobError> {
        let parts = match &spec.plan {
            JobPlan::MapReduce {
                partitions,
                finish: false,
                ..
            } => *partitions as usize,
            JobPlan::MapReduce { .. } | JobPlan::Stepper { .. } => 1,
        };
        let start = units
            .len()
            .checked_sub(parts)
            .ok_or(JobError::Count(units.len()))?;
        let outputs: Option<Vec<Output>> = units[start..]
            .iter()
            .map(|unit| unit.outputs.0.get(names::OUTPUT).copied())
            .collect();
        match outputs.ok_or(JobError::Output)?.as_slice() {
            [one] => Ok(one.digest),
            many => Ok(Digest::derive("opensky parts 1", &many)),
        }
    }

    fn signed_part(&self) -> (Digest, Digest, Digest, NodeKey) {
        let root = merkle_root(self.units.iter().map(|unit| &unit.statement));
        (self.spec.id(), root, self.output, self.node)
    }

    fn check_units(&self) -> Result<(), JobError> {
        let outputs: Vec<&Outputs> = self.units.iter().map(|unit| &unit.outputs).collect();
        if self.spec.units(&outputs) != Some(self.units.len()) {
            return Err(JobError::Count(self.units.len()));
        }
        self.spec.check()?;
        for (index, unit) in self.units.iter().enumerate() {
            let planned = self.spec.unit_work(index, &outputs);
            if unit.statement.class != Class::Ok || planned.as_ref() != Some(&unit.work) {
                return Err(JobError::Plan(index));
            }
        }
        if self.output == Self::output_of(&self.spec, &self.units)? {
            Ok(())
        } else {
            Err(JobError::Output)
        }
    }
}
