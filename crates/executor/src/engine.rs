//! The engine behind the sandbox: every switch that could change a result is set here, by name.

use std::num::NonZeroUsize;

use opensky_protocol::Profile;
use wasmparser::WasmFeatures;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Strategy, component::Linker,
};

use crate::{fuel, host, host::Host, profile::Rules};

/// What executes a component. Results are equal; speed is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// Native code. What providers run.
    Cranelift,
    /// The same compiler front end, interpreted: an independent back end to check results with.
    Pulley,
}

/// The native stack that a guest may use. A metered program never gets to the end of it; beyond it
/// profile 0 has no result. It is address space: a page of it takes memory when a guest gets there.
const GUEST_STACK: usize = opensky_meter::NATIVE_STACK;
/// What the host needs on the same stack, above the guest.
pub(crate) const THREAD_STACK: usize = GUEST_STACK + (8 << 20);

/// Instances that may be alive at once in one process, with what they are made of.
const INSTANCES: u32 = 64;
/// Memory that stays mapped in a freed slot, so that the next small unit pays no page faults.
const KEEP_RESIDENT: usize = 64 << 10;

/// Why a sandbox cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The profile is not one of ours.
    #[error("profile `{0}` is unknown here")]
    UnknownProfile(Profile),
    /// The engine refuses its configuration or the machine.
    #[error("the wasm engine does not start: {0}")]
    Engine(String),
}

/// An engine with the rules of one profile and every host function in place. Made once a process;
/// units run in it side by side, each on a thread of its own.
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Host>,
    pub(crate) rules: &'static Rules,
    backend: Backend,
}

impl Sandbox {
    /// A sandbox for units of `profile`.
    pub fn new(profile: &Profile, backend: Backend) -> Result<Self, SandboxError> {
        let instances = INSTANCES;
        Self::with_allocation(profile, backend, Allocation::Pool { instances })
    }

    /// The same sandbox for one unit after the other: its pool takes a fraction of the memory that
    /// counts against a process's limit.
    pub(crate) fn for_one(profile: &Profile, backend: Backend) -> Result<Self, SandboxError> {
        let instances = 1;
        Self::with_allocation(profile, backend, Allocation::Pool { instances })
    }

    /// The same sandbox without a pool of instances: slower to start, and no address space is
    /// reserved up front. Results are equal, which tests check.
    pub fn without_pool(profile: &Profile, backend: Backend) -> Result<Self, SandboxError> {
        Self::with_allocation(profile, backend, Allocation::OnDemand)
    }

    fn with_allocation(
        profile: &Profile,
        backend: Backend,
        allocation: Allocation,
    ) -> Result<Self, SandboxError> {
        let rules =
            Rules::of(profile).ok_or_else(|| SandboxError::UnknownProfile(profile.clone()))?;
        let failed = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
        let mut config = config(rules, backend).map_err(failed)?;
        if let Allocation::Pool { instances } = allocation {
            let pool = pool(rules, instances);
            config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        }
        let engine = Engine::new(&config).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        host::define(&mut linker, rules).map_err(failed)?;
        Ok(Self {
            engine,
            linker,
            rules,
            backend,
        })
    }

    /// The rules that units run by.
    pub fn rules(&self) -> &'static Rules {
        self.rules
    }

    /// What executes them.
    pub fn backend(&self) -> Backend {
        self.backend
    }
}

#[derive(Clone, Copy)]
enum Allocation {
    /// For so many instances at once.
    Pool {
        instances: u32,
    },
    OnDemand,
}

/// Everything that the compiled code and its result depend on. The order is that of the engine's
/// documentation; nothing is left to a default that another version might change.
pub(crate) fn config(rules: &Rules, backend: Backend) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    if backend == Backend::Pulley {
        config.target("pulley64")?;
    }
    config.strategy(Strategy::Cranelift);
    config.cranelift_opt_level(OptLevel::Speed);
    config.compiler_inlining(wasmtime::Inlining::No);
    fuel::configure(&mut config, rules);
    features(&mut config);

    // Guests run on plain threads; the second figure only has to be no smaller.
    config.max_wasm_stack(GUEST_STACK);
    config.async_stack_size(GUEST_STACK);
    config.memory_may_move(false);
    config.memory_reservation(4 << 30);
    config.memory_guard_size(32 << 20);
    config.guard_before_linear_memory(true);
    config.table_lazy_init(true);
    config.signals_based_traps(true);
    config.concurrency_support(false);
    config.shared_memory(false);

    // A trap names the guest's functions: for people, and to tell those of a meter from the guest's
    // own. No address map, so no cost in the image.
    config.wasm_backtrace_max_frames(NonZeroUsize::new(32));
    config.generate_address_map(false);
    let version = format!("{}+{}", rules.id, env!("CARGO_PKG_VERSION"));
    config.module_version(wasmtime::ModuleVersionStrategy::Custom(version))?;
    Ok(config)
}

/// The wasm proposals of the verified class. Multi-memory stays on for the engine's own glue
/// between components; admission refuses it in a guest's modules.
fn features(config: &mut Config) {
    config.wasm_bulk_memory(true);
    config.wasm_multi_value(true);
    config.wasm_multi_memory(true);
    config.wasm_simd(true);
    config.wasm_component_model(true);
    // Position-independent code needs it: a Python component is linked from that.
    config.wasm_extended_const(true);

    config.wasm_gc(false);
    config.gc_support(false);
    config.wasm_features(WasmFeatures::FUNCTION_REFERENCES, false);
    config.wasm_relaxed_simd(false);
    config.relaxed_simd_deterministic(true);
    config.wasm_tail_call(false);
    config.wasm_memory64(false);
    config.wasm_custom_page_sizes(false);
    config.wasm_wide_arithmetic(false);
    config.wasm_stack_switching(false);
    config.wasm_shared_everything_threads(false);
}

fn pool(rules: &Rules, instances: u32) -> PoolingAllocationConfig {
    /// Of core instances, memories and tables. The largest component fits even where it is alone.
    const MOST: u32 = 64;
    /// Of core instances, with that of the meter.
    const CORE_INSTANCES: u32 = MOST + 1;
    /// Bytes that a core instance is made of, beside its memory. It is made when it is asked for.
    const CORE_INSTANCE: usize = 8 << 20;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances);
    pool.total_core_instances(instances * CORE_INSTANCES);
    pool.total_memories((instances * 4).max(MOST));
    pool.total_tables((instances * 16).max(MOST));
    pool.max_core_instances_per_component(CORE_INSTANCES);
    pool.max_memories_per_component(MOST);
    pool.max_tables_per_component(MOST);
    pool.max_memories_per_module(16);
    // One module may have all the tables that admission accepts of its component.
    pool.max_tables_per_module(crate::inspect::MAX_TABLES);
    pool.max_memory_size(4 << 30);
    pool.table_elements(rules.table_elements);
    pool.max_core_instance_size(CORE_INSTANCE);
    // That of all its core instances is meant.
    pool.max_component_instance_size(CORE_INSTANCE * CORE_INSTANCES as usize);
    pool.linear_memory_keep_resident(KEEP_RESIDENT);
    pool.table_keep_resident(KEEP_RESIDENT);
    pool.pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Counter;

    /// What the engine says of itself, not what we asked for: a switch that a new version adds or
    /// turns shows up here, and is a new profile.
    #[test]
    fn engine_is_set_as_the_profiles_say() {
        for rules in Rules::ALL {
            check(rules);
        }
    }

    fn check(rules: &Rules) {
        let config = config(rules, Backend::Cranelift).expect("the configuration is valid");
        let engine = Engine::new(&config).expect("the engine starts");
        let features = engine.get_wasm_features();
        let on: Vec<&str> = features.iter_names().map(|(name, _)| name).collect();
        let expected = [
            "MUTABLE_GLOBAL",
            "SATURATING_FLOAT_TO_INT",
            "SIGN_EXTENSION",
            "REFERENCE_TYPES",
            "MULTI_VALUE",
            "BULK_MEMORY",
            "SIMD",
            "FLOATS",
            "MULTI_MEMORY",
            "EXTENDED_CONST",
            "COMPONENT_MODEL",
        ];
        assert_eq!(on, expected);
        let counts = rules.counter == Counter::Engine;
        let switches = [
            ("fuel", engine.get_consume_fuel() == counts),
            (
                "NaN canonicalisation",
                engine.get_cranelift_nan_canonicalization() == Some(counts),
            ),
            (
                "deterministic relaxed SIMD",
                engine.get_relaxed_simd_deterministic(),
            ),
            ("copy-on-write", engine.get_memory_init_cow() != counts),
            ("no epochs", !engine.get_epoch_interruption()),
            ("no concurrency", !engine.get_concurrency_support()),
            ("no shared memory", !engine.get_shared_memory()),
            (
                "no inlining",
                engine.get_compiler_inlining() == wasmtime::Inlining::No,
            ),
            (
                "optimised for speed",
                engine.get_cranelift_opt_level() == Some(OptLevel::Speed),
            ),
            ("memories stay in place", !engine.get_memory_may_move()),
            (
                "the guest's stack",
                engine.get_max_wasm_stack() == GUEST_STACK,
            ),
            (
                "Cranelift",
                engine.get_strategy() == Some(Strategy::Cranelift),
            ),
        ];
        let wrong: Vec<_> = switches.iter().filter(|(_, right)| !right).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", rules.id);
    }
}
