//! Benchmarks, run in a runtime's WebAssembly as a chain would run it.

use std::{collections::BTreeMap, error::Error};

use frame_benchmarking::{
    Analysis, BenchmarkBatch, BenchmarkConfig, BenchmarkList, BenchmarkMetadata,
    BenchmarkParameter, BenchmarkResult, BenchmarkSelector, benchmarking,
};
use frame_support::traits::StorageInfo;
use parity_scale_codec::{Decode, Encode};
use sc_client_db::BenchmarkingState;
use sc_executor::WasmExecutor;
use sp_core::traits::{CallContext, RuntimeCode, WrappedRuntimeCode};
use sp_externalities::Extensions;
use sp_io::SubstrateHostFunctions;
use sp_runtime::traits::BlakeTwo256;
use sp_state_machine::{OverlayedChanges, StateMachine};

type Executor = WasmExecutor<(SubstrateHostFunctions, benchmarking::HostFunctions)>;
type Failure = Box<dyn Error>;

/// A row's way to the root, in a map of a million rows.
const LAYERS: u32 = 5;

/// What each layer of that adds to a proof: the hashes of a row's neighbours.
const LAYER: u32 = 15 * 33;

/// A runtime that can be measured.
pub struct Bench {
    code: Vec<u8>,
    executor: Executor,
}

/// What one call costs: something, and something more for each entry of its list, if it has one.
pub struct Cost {
    pub name: String,
    pub list: Option<String>,
    /// In picoseconds.
    pub time: Line,
    /// In bytes.
    pub proof: Line,
    pub reads: Line,
    pub writes: Line,
}

/// A base, and what each entry adds.
#[derive(Clone, Copy)]
pub struct Line {
    pub base: u128,
    pub each: u128,
}

impl Bench {
    pub fn new(code: Vec<u8>) -> Self {
        let executor = Executor::builder().build();
        Self { code, executor }
    }

    /// All calls of a pallet, by name.
    ///
    /// # Errors
    /// It is no runtime, or has no such pallet, or a benchmark fails.
    pub fn measure(&self, pallet: &str, steps: u32, repeat: u32) -> Result<Vec<Cost>, Failure> {
        let (list, rows) = self.list()?;
        let wanted = list
            .into_iter()
            .find(|list| list.pallet == pallet.as_bytes());
        let wanted = wanted.ok_or_else(|| format!("nothing of `{pallet}` can be measured"))?;
        let maps = Maps::new(rows);
        let measured = wanted.benchmarks.iter().map(|one| {
            let subject = Subject {
                list: &wanted,
                one,
                maps: &maps,
            };
            self.cost(&subject, steps, repeat)
        });
        measured.collect()
    }

    fn list(&self) -> Result<(Vec<BenchmarkList>, Vec<StorageInfo>), Failure> {
        let answer = self.call(
            &state(false)?,
            "Benchmark_benchmark_metadata",
            &false.encode(),
        )?;
        Ok(Decode::decode(&mut &answer[..])?)
    }

    fn cost(&self, subject: &Subject<'_>, steps: u32, repeat: u32) -> Result<Cost, Failure> {
        let (mut times, mut rows) = (Vec::new(), Vec::new());
        for lengths in subject.lengths(steps) {
            times.extend(self.run(subject, &lengths, repeat, false)?);
            rows.extend(self.run(subject, &lengths, 1, true)?);
        }
        for result in &mut rows {
            result.proof_size += subject.unmeasured(result);
        }
        Ok(Cost {
            name: String::from_utf8_lossy(&subject.one.name).into_owned(),
            list: subject
                .one
                .components
                .first()
                .map(|(name, ..)| format!("{name:?}")),
            time: line(&times, BenchmarkSelector::ExtrinsicTime)?,
            proof: line(&rows, BenchmarkSelector::ProofSize)?,
            reads: line(&rows, BenchmarkSelector::Reads)?,
            writes: line(&rows, BenchmarkSelector::Writes)?,
        })
    }

    /// The clock stands beside a state that is in memory; what rows cost is told apart, and counted in another state,
    /// which is slower for that.
    fn run(
        &self,
        subject: &Subject<'_>,
        lengths: &[(BenchmarkParameter, u32)],
        internal_repeats: u32,
        counted: bool,
    ) -> Result<Vec<BenchmarkResult>, Failure> {
        let config = BenchmarkConfig {
            pallet: subject.list.pallet.clone(),
            instance: subject.list.instance.clone(),
            benchmark: subject.one.name.clone(),
            selected_components: lengths.to_vec(),
            verify: false,
            internal_repeats,
        };
        let state = state(counted)?;
        // What is checked by each benchmark is checked once, outside of what is measured.
        if counted {
            let verified = BenchmarkConfig {
                verify: true,
                ..config.clone()
            };
            self.dispatch(&state, &verified)?;
        }
        let batches = self.dispatch(&state, &config)?;
        Ok(batches
            .into_iter()
            .flat_map(|batch| batch.results)
            .collect())
    }

    fn dispatch(
        &self,
        state: &BenchmarkingState<BlakeTwo256>,
        config: &BenchmarkConfig,
    ) -> Result<Vec<BenchmarkBatch>, Failure> {
        let answer = self.call(state, "Benchmark_dispatch_benchmark", &config.encode())?;
        let done: Result<Vec<BenchmarkBatch>, String> = Decode::decode(&mut &answer[..])?;
        let name = String::from_utf8_lossy(&config.benchmark);
        let lengths = &config.selected_components;
        Ok(done.map_err(|error| format!("`{name}` of {lengths:?}: {error}"))?)
    }

    fn call(
        &self,
        state: &BenchmarkingState<BlakeTwo256>,
        method: &str,
        data: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let code = WrappedRuntimeCode((&self.code).into());
        let runtime = RuntimeCode {
            code_fetcher: &code,
            heap_pages: None,
            hash: vec![0],
        };
        let mut changes = OverlayedChanges::default();
        let mut extensions = Extensions::new();
        let mut machine = StateMachine::new(
            state,
            &mut changes,
            &self.executor,
            method,
            data,
            &mut extensions,
            &runtime,
            CallContext::Offchain,
        );
        Ok(machine.execute().map_err(|error| error.to_string())?)
    }
}

/// An empty one: benchmarks bring what they need.
fn state(counted: bool) -> Result<BenchmarkingState<BlakeTwo256>, Failure> {
    Ok(BenchmarkingState::new(
        Default::default(),
        None,
        counted,
        counted,
    )?)
}

fn line(results: &Vec<BenchmarkResult>, selector: BenchmarkSelector) -> Result<Line, Failure> {
    let fit = Analysis::min_squares_iqr(results, selector).map_err(|error| error.to_string())?;
    Ok(Line {
        base: fit.base,
        each: fit.slopes.first().copied().unwrap_or_default(),
    })
}

/// One benchmark, and what is known of the rows that it may touch.
struct Subject<'a> {
    list: &'a BenchmarkList,
    one: &'a BenchmarkMetadata,
    maps: &'a Maps,
}

impl Subject<'_> {
    /// The lengths of its list that are tried, the shortest and the longest among them.
    fn lengths(&self, steps: u32) -> Vec<Vec<(BenchmarkParameter, u32)>> {
        let Some(&(name, low, high)) = self.one.components.first() else {
            return vec![Vec::new()];
        };
        let steps = steps.clamp(2, (high - low).max(1) + 1);
        let at =
            |step| low + (u64::from(high - low) * u64::from(step) / u64::from(steps - 1)) as u32;
        (0..steps).map(|step| vec![(name, at(step))]).collect()
    }

    /// What a proof has more on a chain than here, where maps have few rows. Of a map that is `Measured` all rows that
    /// matter are here: it has one way to the root that is longer than here.
    fn unmeasured(&self, result: &BenchmarkResult) -> u32 {
        let ways = result.keys.iter().map(|(prefix, reads, writes, _)| {
            let Some(name) = self.maps.0.get(prefix) else {
                return 0;
            };
            let measured = (name.clone().into_bytes(), b"Measured".to_vec());
            match self.one.pov_modes.contains(&measured) {
                true => 1,
                false => *reads.max(writes),
            }
        });
        ways.sum::<u32>() * LAYERS * LAYER
    }
}

/// The names of a runtime's maps, by the beginnings of their keys.
struct Maps(BTreeMap<Vec<u8>, String>);

impl Maps {
    fn new(rows: Vec<StorageInfo>) -> Self {
        let maps = rows.into_iter().filter(|row| row.max_values != Some(1));
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let named = maps.map(|row| {
            let name = format!("{}::{}", name(&row.pallet_name), name(&row.storage_name));
            (row.prefix, name)
        });
        Self(named.collect())
    }
}
