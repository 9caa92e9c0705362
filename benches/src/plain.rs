//! Plain wasmtime: what an embedder gets who follows its documentation and asks for nothing else.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, ComponentExportIndex, ComponentType, InstancePre, Lift, Linker},
};

use crate::Error;

/// A way to configure plain wasmtime.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Setting {
    /// The defaults, with a pool of instances.
    Pool,
    /// A pool that copies data segments, keeps small memories mapped and clears only the pages that
    /// were written: what suits the smallest guests best.
    SmallPool,
    /// As `Pool`, with wasmtime's own fuel and its canonical NaNs.
    FuelAndNan,
}

impl Setting {
    /// An engine that is set so.
    pub fn engine(self) -> Result<Engine, Error> {
        Ok(Engine::new(&config(self))?)
    }
}

/// A component, compiled and linked.
pub struct Plain {
    pre: InstancePre<()>,
    run: ComponentExportIndex,
    fuel: Option<u64>,
}

/// `opensky:compute/types.job-error`.
#[derive(ComponentType, Lift, Debug, thiserror::Error)]
#[component(variant)]
enum JobError {
    #[component(name = "invalid-input")]
    #[error("invalid input: {0}")]
    InvalidInput(String),
    #[component(name = "failed")]
    #[error("failed: {0}")]
    Failed(String),
    #[component(name = "missing-blob")]
    #[error("missing blob {0:?}")]
    MissingBlob((u64, u64, u64, u64)),
}

/// The component does not export a job.
#[derive(Debug, thiserror::Error)]
#[error("the component does not export a job")]
struct NoJob;

const JOB: &str = "opensky:compute/job@0.1.0";

impl Plain {
    /// Compiles and links a component that exports a job, in an engine of its own.
    pub fn new(component: &[u8], setting: Setting) -> Result<Self, Error> {
        Self::within(&setting.engine()?, component, setting)
    }

    /// The same in an engine of that setting, which reserves address space for its pool only once. All
    /// that a component may call is the seed of its hash maps, which is a constant here.
    pub fn within(engine: &Engine, component: &[u8], setting: Setting) -> Result<Self, Error> {
        let component = Component::from_binary(engine, component)?;
        let mut linker = Linker::new(engine);
        linker.define_unknown_imports_as_traps(&component)?;
        define_seed(&mut linker, &component)?;
        let pre = linker.instantiate_pre(&component)?;
        let interface = component.get_export_index(None, JOB).ok_or(NoJob)?;
        let run = component.get_export_index(Some(&interface), "run");
        Ok(Self {
            pre,
            run: run.ok_or(NoJob)?,
            fuel: (setting == Setting::FuelAndNan).then_some(u64::MAX),
        })
    }

    /// Makes an instance and calls it once.
    pub fn run(&self, input: &[u8]) -> Result<Vec<u8>, Error> {
        let mut store = Store::new(self.pre.engine(), ());
        if let Some(fuel) = self.fuel {
            store.set_fuel(fuel)?;
        }
        let instance = self.pre.instantiate(&mut store)?;
        let run = instance
            .get_typed_func::<(&[u8],), (Result<Vec<u8>, JobError>,)>(&mut store, self.run)?;
        let (output,) = run.call(&mut store, (input,))?;
        Ok(output?)
    }
}

fn define_seed(linker: &mut Linker<()>, component: &Component) -> wasmtime::Result<()> {
    let ty = component.component_type();
    let mut imports = ty.imports(component.engine()).map(|(name, _)| name);
    let Some(seed) = imports.find(|name| name.starts_with("wasi:random/insecure-seed@")) else {
        return Ok(());
    };
    linker.allow_shadowing(true);
    let mut seed = linker.instance(seed)?;
    seed.func_wrap("insecure-seed", |_, ()| Ok(((1u64, 2u64),)))
}

fn config(setting: Setting) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    let mut config = Config::new();
    config.concurrency_support(false);
    match setting {
        Setting::Pool => {}
        Setting::SmallPool => {
            config.memory_init_cow(false);
            pool.linear_memory_keep_resident(64 << 10);
            pool.table_keep_resident(64 << 10);
            pool.pagemap_scan(Enabled::Auto);
        }
        Setting::FuelAndNan => {
            config.consume_fuel(true);
            config.cranelift_nan_canonicalization(true);
        }
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
