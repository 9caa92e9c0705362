//! One job from the requester's side: which units its plan has ready, and what is known of each.

use core::ops::Range;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use opensky_protocol::{
    Account, Digest, JobPlan, Limits, NodeKey, Order, Output, Outputs, Profile, Reveal, Work,
    World, names,
};

use crate::{
    event::{Plan, Submission},
    need::Need,
    phase::{Ending, Phase, Progress},
    purse::Purse,
    unit::{Again, Over, Past, SeatState, Stage, Unit},
};

/// A job, its units, and what is known of them.
pub(crate) struct Job {
    pub(crate) id: Digest,
    pub(crate) order: Submission,
    pub(crate) progress: Progress,
    pub(crate) need: Need,
    /// Where its providers are found, while it is not over.
    pub(crate) pool: Digest,
    pub(crate) units: BTreeMap<u32, Unit>,
    pub(crate) places: BTreeMap<Digest, u32>,
    /// Units that lack seats.
    pub(crate) lacking: BTreeSet<u32>,
    /// Which of them is to be looked at next.
    pub(crate) cursor: u32,
    /// Units that somebody is at, or will be.
    pub(crate) open: BTreeSet<u32>,
    /// Units that are to be begun anew, and that nobody is at.
    pub(crate) outdated: BTreeSet<u32>,
    /// What outdated units gave.
    pub(crate) set_aside: BTreeMap<u32, Outputs>,
    /// Units that were begun anew, as they were before.
    pub(crate) past: BTreeMap<Digest, Past>,
    /// Results that were shown and are not judged, by unit and compare key.
    pub(crate) shown: BTreeMap<(u32, Digest), Box<Reveal>>,
    /// Units whose result is the word of that operator alone.
    pub(crate) alone: BTreeMap<Account, BTreeSet<u32>>,
    /// Units whose result several agreed on: some of them, to test others with.
    pub(crate) known: Vec<u32>,
    /// What agreed units gave.
    pub(crate) outputs: BTreeMap<u32, Outputs>,
    /// What units gave of which it was agreed that they failed.
    pub(crate) failed: BTreeMap<u32, Outputs>,
    pub(crate) purses: BTreeMap<Account, Purse>,
    /// What all purses hold.
    pub(crate) spent: u128,
    /// The most that live seats can cost.
    pub(crate) reserved: u128,
    /// Milliseconds that turns took, the newest at the end.
    pub(crate) times: Vec<u64>,
    /// Fuel of the unit that was agreed on last: what others are guessed by.
    pub(crate) fuel: Option<u64>,
    /// Whether it stands in the line of those that want seats.
    pub(crate) is_queued: bool,
}

impl Job {
    pub(crate) fn new(id: Digest, order: Submission, progress: Progress) -> Self {
        let need = Need::of(&order);
        Self {
            id,
            progress,
            pool: need.id(),
            need,
            order,
            units: BTreeMap::new(),
            places: BTreeMap::new(),
            lacking: BTreeSet::new(),
            cursor: 0,
            open: BTreeSet::new(),
            outdated: BTreeSet::new(),
            set_aside: BTreeMap::new(),
            past: BTreeMap::new(),
            shown: BTreeMap::new(),
            alone: BTreeMap::new(),
            known: Vec::new(),
            outputs: BTreeMap::new(),
            failed: BTreeMap::new(),
            purses: BTreeMap::new(),
            spent: 0,
            reserved: 0,
            times: Vec::new(),
            fuel: None,
            is_queued: false,
        }
    }

    pub(crate) fn profile(&self) -> &Profile {
        self.order.plan.profile()
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.order.plan.limits()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.progress.phase == Phase::Running
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.progress.phase, Phase::Over { .. })
    }

    /// Units that the plan has, as far as that is known.
    pub(crate) fn planned(&self) -> u64 {
        match &self.order.plan {
            Plan::Single(_) => 1,
            Plan::Job(spec) => match &spec.plan {
                JobPlan::MapReduce {
                    shards,
                    partitions,
                    finish,
                } => shards.len() as u64 + u64::from(*partitions) + u64::from(*finish),
                JobPlan::Stepper { .. } => self.units.len() as u64,
            },
        }
    }

    fn agreed(&self) -> u32 {
        self.outputs.len() as u32
    }

    /// The next unit that nobody was asked for yet, or that is to be begun anew, if its inputs are known.
    pub(crate) fn fresh(&self) -> Option<u32> {
        let begun = self.units.len() as u32;
        let next = self.outdated.first().copied().unwrap_or(begun);
        let agreed = self.agreed();
        let ready = match &self.order.plan {
            Plan::Single(_) => 1,
            Plan::Job(spec) => match &spec.plan {
                JobPlan::MapReduce {
                    shards,
                    partitions,
                    finish,
                } => {
                    let maps = shards.len() as u32;
                    let reduces = maps + partitions;
                    match () {
                        () if agreed < maps => maps,
                        () if agreed < reduces => reduces,
                        () => reduces + u32::from(*finish),
                    }
                }
                JobPlan::Stepper { .. } if self.is_complete() => agreed,
                JobPlan::Stepper { .. } => agreed + 1,
            },
        };
        (next < ready && !self.waits_for_certainty(next)).then_some(next)
    }

    /// Whether a result that it is built upon is in doubt: what comes of it might be for nothing.
    fn waits_for_certainty(&self, next: u32) -> bool {
        let before = self.open.range(..self.stage_of(next).start);
        let mut before = before.filter_map(|index| self.units.get(index));
        before.any(|unit| unit.again == Again::Doubt)
    }

    /// The units of the plan that need the same ones to be done before: those of that unit's stage, as
    /// far as they are begun.
    fn stage_of(&self, index: u32) -> Range<u32> {
        let begun = self.units.len() as u32;
        let Plan::Job(spec) = &self.order.plan else {
            return 0..begun;
        };
        match &spec.plan {
            JobPlan::Stepper { .. } => index..index + 1,
            JobPlan::MapReduce {
                shards, partitions, ..
            } => {
                let maps = shards.len() as u32;
                let reduces = maps + partitions;
                match () {
                    () if index < maps => 0..maps.min(begun),
                    () if index < reduces => maps..reduces.min(begun),
                    () => reduces..begun,
                }
            }
        }
    }

    /// The units that are begun and built, directly or not, upon that one.
    pub(crate) fn downstream(&self, index: u32) -> Range<u32> {
        let begun = self.units.len() as u32;
        self.stage_of(index).end.min(begun)..begun
    }

    /// Whether every unit of the plan has a result.
    pub(crate) fn is_complete(&self) -> bool {
        match &self.order.plan {
            Plan::Job(spec) if matches!(spec.plan, JobPlan::Stepper { .. }) => {
                let last = self.outputs.last_key_value();
                last.is_some_and(|(_, outputs)| outputs.0.contains_key(names::OUTPUT))
            }
            _ => u64::from(self.agreed()) == self.planned(),
        }
    }

    /// The work of the unit at that place. `None` if the plan cannot go on to it.
    pub(crate) fn work(&self, index: u32) -> Option<Work> {
        let spec = match &self.order.plan {
            Plan::Single(work) => return Some((**work).clone()),
            Plan::Job(spec) => spec,
        };
        let JobPlan::MapReduce {
            shards, partitions, ..
        } = &spec.plan
        else {
            return match index.checked_sub(1) {
                None => spec.first_steps(),
                Some(last) => spec.next_steps(self.outputs.get(&last)?),
            };
        };
        let maps = shards.len() as u32;
        if index < maps {
            return spec.map_work(index);
        }
        let outputs = |from: u32, to: u32| -> Vec<&Outputs> {
            self.outputs.range(from..to).map(|(_, one)| one).collect()
        };
        match index - maps {
            reduce if reduce < *partitions => spec.reduce_work(reduce, &outputs(0, maps)),
            _ => spec.finish_work(&outputs(maps, maps + partitions)),
        }
    }

    /// What the unit at that place calls. `None` if the plan has no such unit.
    pub(crate) fn world(&self, index: u32) -> Option<World> {
        let spec = match &self.order.plan {
            Plan::Single(work) => return Some(work.world),
            Plan::Job(spec) => spec,
        };
        match &spec.plan {
            JobPlan::Stepper { steps, .. } => Some(World::Stepper { steps: *steps }),
            JobPlan::MapReduce {
                shards, partitions, ..
            } => match index.checked_sub(shards.len() as u32) {
                None => Some(World::Map {
                    partitions: *partitions,
                }),
                Some(reduce) if reduce < *partitions => Some(World::Reduce),
                Some(_) => Some(World::Finish),
            },
        }
    }

    /// The units whose outputs that unit takes in, and under which name.
    pub(crate) fn upstream(&self, index: u32) -> (Range<u32>, String) {
        let Plan::Job(spec) = &self.order.plan else {
            return (0..0, String::new());
        };
        match &spec.plan {
            JobPlan::MapReduce {
                shards, partitions, ..
            } => {
                let maps = shards.len() as u32;
                match index.checked_sub(maps) {
                    None => (0..0, String::new()),
                    Some(reduce) if reduce < *partitions => (0..maps, names::partition(reduce)),
                    Some(_) => (maps..maps + partitions, names::OUTPUT.into()),
                }
            }
            JobPlan::Stepper { .. } => (index.saturating_sub(1)..index, names::STATE.into()),
        }
    }

    /// What that unit takes in from others.
    pub(crate) fn taken(&self, index: u32) -> impl Iterator<Item = (u32, Output)> {
        let (units, name) = self.upstream(index);
        let outputs = self.outputs.range(units);
        outputs.filter_map(move |(unit, outputs)| Some((*unit, *outputs.0.get(&name)?)))
    }

    /// Bytes of all inputs of that unit together.
    pub(crate) fn input_len(&self, index: u32) -> u64 {
        let length = |digest: &Digest| self.order.lengths.get(digest).copied().unwrap_or(0);
        let sum = |sum: u64, len: u64| sum.saturating_add(len);
        let named = match &self.order.plan {
            Plan::Single(work) => return work.inputs.values().map(length).fold(0, sum),
            Plan::Job(spec) => spec.inputs.values().map(length).fold(0, sum),
        };
        let planned = match &self.order.plan {
            Plan::Job(spec) => match &spec.plan {
                JobPlan::MapReduce { shards, .. } => shards.get(index as usize).map(length),
                JobPlan::Stepper { input, .. } => (index == 0).then(|| length(input)),
            },
            Plan::Single(_) => None,
        };
        let taken = self.taken(index).map(|(_, output)| output.len);
        taken.fold(named, sum).saturating_add(planned.unwrap_or(0))
    }

    /// Bytes of that unit's inputs that each node has, because it made them.
    pub(crate) fn local(&self, index: u32) -> BTreeMap<NodeKey, u64> {
        let mut local = BTreeMap::new();
        for (unit, output) in self.taken(index) {
            let holders = self.units.get(&unit).into_iter().flat_map(Unit::holders);
            for node in holders {
                *local.entry(node).or_default() += output.len;
            }
        }
        local
    }

    /// Nodes that have that unit's inputs from others: of each input one at least, as far as an order may
    /// name so many. Those that have most come first.
    pub(crate) fn sources(&self, index: u32) -> Vec<NodeKey> {
        let local = self.local(index);
        let has = |node: &NodeKey| local.get(node).copied().unwrap_or(0);
        let mut chosen = BTreeSet::new();
        for (unit, _) in self.taken(index) {
            let holders = self.units.get(&unit).into_iter().flat_map(Unit::holders);
            let holders: Vec<NodeKey> = holders.collect();
            if !holders.iter().any(|node| chosen.contains(node)) {
                chosen.extend(holders.into_iter().max_by_key(has));
            }
        }
        // Then the others: whoever has asked one in vain asks them.
        let mut sources: Vec<NodeKey> = chosen.iter().copied().collect();
        sources.sort_by_key(|node| Reverse(has(node)));
        let mut others: Vec<NodeKey> = local.keys().copied().collect();
        others.retain(|node| !chosen.contains(node));
        others.sort_by_key(|node| Reverse(has(node)));
        sources.extend(others);
        sources.truncate(Order::MAX_SOURCES);
        sources
    }

    /// The outputs of the job, or of the unit that failed: each with who has it.
    pub(crate) fn results(&self) -> Vec<(Output, Vec<NodeKey>)> {
        let outputs = match self.failure() {
            Some(Ending::Failed { index, .. }) => self.failed.range(index..index + 1),
            _ => {
                let (from, to) = self.last_units();
                self.outputs.range(from..to)
            }
        };
        let with_holders = outputs.flat_map(|(index, outputs)| {
            let holders: Vec<_> = self.units[index].holders().collect();
            let blobs = outputs.0.values();
            blobs.map(move |output| (*output, holders.clone()))
        });
        with_holders.collect()
    }

    /// The places of the units that make the job's output.
    pub(crate) fn last_units(&self) -> (u32, u32) {
        let count = self.units.len() as u32;
        let last = match &self.order.plan {
            Plan::Job(spec) => match &spec.plan {
                JobPlan::MapReduce {
                    partitions,
                    finish: false,
                    ..
                } => *partitions,
                _ => 1,
            },
            Plan::Single(_) => 1,
        };
        (count.saturating_sub(last), count)
    }

    /// Puts a unit in the plan's next place, or back in its place after a restart.
    pub(crate) fn put(&mut self, index: u32, unit: Unit) {
        self.places.insert(unit.id, index);
        self.units.insert(index, unit);
        self.sort(index);
    }

    /// Sorts a unit after it has changed: whether it lacks seats, whether it has a result.
    pub(crate) fn sort(&mut self, index: u32) {
        let Some(unit) = self.units.get(&index) else {
            return;
        };
        match unit.lacks() {
            0 => self.lacking.remove(&index),
            _ => self.lacking.insert(index),
        };
        match unit.stage {
            Stage::Closed => self.open.remove(&index),
            Stage::Gathering | Stage::Showing => self.open.insert(index),
        };
        match unit.is_outdated() && unit.stage == Stage::Closed {
            true => self.outdated.insert(index),
            false => self.outdated.remove(&index),
        };
    }

    /// Ends a seat: what it might have cost is free again.
    pub(crate) fn end_seat(&mut self, index: u32, attempt: u32, over: Over) {
        let unit = self.units.get_mut(&index);
        let seat = unit.and_then(|unit| unit.seats.get_mut(attempt as usize));
        let Some(seat) = seat else {
            return;
        };
        if seat.is_live() {
            self.reserved = self.reserved.saturating_sub(seat.reserved);
        }
        seat.state = SeatState::Over(over);
    }

    /// Whether its units still have live seats.
    pub(crate) fn has_live_seats(&self) -> bool {
        let mut units = self.open.iter().filter_map(|index| self.units.get(index));
        units.any(|unit| unit.seats.iter().any(|seat| seat.is_live()))
    }

    /// Whether anything is under way that frees what it has reserved: a run, or results that are being
    /// shown. A promise that waits for a second one does not.
    pub(crate) fn is_in_progress(&self) -> bool {
        let mut units = self.open.iter().filter_map(|index| self.units.get(index));
        units.any(|unit| {
            let mut live = unit.seats.iter().filter(|seat| seat.is_live());
            unit.stage == Stage::Showing || live.any(|seat| !seat.has_committed())
        })
    }

    /// Whether it could use seats now.
    pub(crate) fn is_hungry(&self) -> bool {
        self.is_running() && (!self.lacking.is_empty() || self.fresh().is_some())
    }

    /// Notes whose word a unit's result is.
    pub(crate) fn note_voices(&mut self, index: u32) {
        const KNOWN: usize = 64;
        let Some(unit) = self.units.get(&index) else {
            return;
        };
        let mut paid = unit.seats.iter().filter(|seat| seat.is_paid());
        match (paid.next(), paid.next()) {
            (Some(only), None) => {
                self.alone.entry(only.operator).or_default().insert(index);
            }
            (Some(_), Some(_)) if self.known.len() < KNOWN => self.known.push(index),
            _ => {}
        }
    }

    /// The unit that makes the input of that name for a unit.
    pub(crate) fn maker(&self, index: u32, input: &str) -> Option<u32> {
        let (mut units, _) = self.upstream(index);
        let first = units.start;
        let is_named = |unit: &u32| match self.world(index) {
            Some(World::Reduce) => names::shard(unit - first) == input,
            Some(World::Finish) => names::partition(unit - first) == input,
            Some(World::Stepper { .. }) => input == names::STATE,
            _ => false,
        };
        units.find(is_named)
    }

    /// The usual time of a turn, once there are enough to tell.
    pub(crate) fn median(&self, sample: usize) -> Option<u64> {
        let mut times = self.times.clone();
        times.sort_unstable();
        times
            .get(times.len() / 2)
            .copied()
            .filter(|_| times.len() >= sample)
    }

    /// The longest time of a turn, if there was one.
    pub(crate) fn longest(&self) -> Option<u64> {
        self.times.iter().copied().max()
    }

    /// A turn took so long.
    pub(crate) fn took(&mut self, millis: u64) {
        const KEPT: usize = 64;
        if self.times.len() == KEPT {
            self.times.remove(0);
        }
        self.times.push(millis);
    }
}
