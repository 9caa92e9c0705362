//! A compiled component, checked against the host functions and ready to be started again and again.

use opensky_meter::MeterError;
use opensky_protocol::{Abort, World};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, types::ComponentItem};

use crate::{engine::Sandbox, fuel, host::Host};

/// A way into a component: which family of worlds it exports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Export {
    /// `opensky:compute/stepper`.
    Stepper,
    /// `opensky:compute/map-reduce`.
    MapReduce,
    /// `opensky:compute/finish`.
    Finish,
    /// `opensky:compute/job`.
    Job,
    /// `wasi:cli/run`.
    Command,
}

impl Export {
    /// The entry that a unit of `world` calls.
    pub fn of(world: World) -> Self {
        match world {
            World::Job => Self::Job,
            World::Map { .. } | World::Reduce => Self::MapReduce,
            World::Finish => Self::Finish,
            World::Stepper { .. } => Self::Stepper,
            World::Command => Self::Command,
        }
    }

    /// The exported interface, without its patch version.
    fn interface(self) -> &'static str {
        match self {
            Self::Stepper => "opensky:compute/stepper@0.1.",
            Self::MapReduce => "opensky:compute/map-reduce@0.1.",
            Self::Finish => "opensky:compute/finish@0.1.",
            Self::Job => "opensky:compute/job@0.1.",
            Self::Command => "wasi:cli/run@0.2.",
        }
    }
}

/// A component that can be run. Cheap to clone; shared by all threads.
#[derive(Clone)]
pub struct Program {
    pub(crate) pre: InstancePre<Host>,
    pub(crate) exports: Exports,
    /// Tells what the program has left of its fuel, where it counts for itself.
    pub(crate) counter: Option<ComponentExportIndex>,
}

/// Why a component does not become a program.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, thiserror::Error)]
pub enum CompileError {
    /// The profile cannot hold for it: every host refuses it.
    #[error("no rules of the profile hold for it: {0}")]
    Refused(String),
    /// This host could not compile it.
    #[error(transparent)]
    Abort(#[from] Abort),
}

impl From<MeterError> for CompileError {
    fn from(error: MeterError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// The functions of each entry, where the component has them.
#[derive(Clone, Copy)]
pub(crate) struct Exports {
    pub job: Option<[ComponentExportIndex; 1]>,
    /// `map-shard`, `combine`, `reduce`.
    pub map_reduce: Option<[ComponentExportIndex; 3]>,
    pub finish: Option<[ComponentExportIndex; 1]>,
    /// `init`, `step`.
    pub stepper: Option<[ComponentExportIndex; 2]>,
    pub command: Option<[ComponentExportIndex; 1]>,
}

impl Sandbox {
    /// Compiles a component in this process. A stranger's component is compiled in a process that
    /// can be killed instead.
    pub fn compile(&self, component: &[u8]) -> Result<Program, CompileError> {
        let metered = fuel::metered(self.rules, component)?;
        let component = Component::from_binary(&self.engine, &metered).map_err(compile_error)?;
        Ok(self.link(&component)?)
    }

    /// The native code of a component, for [`Sandbox::load`] on this machine.
    pub fn precompile(&self, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let metered = fuel::metered(self.rules, component)?;
        let native = self.engine.precompile_component(&metered);
        Ok(native.map_err(compile_error)?)
    }

    /// Loads native code that [`Sandbox::precompile`] made.
    ///
    /// # Safety
    /// The bytes are executed. They must come from `precompile` on this machine and nobody else may
    /// have been able to change them since.
    pub unsafe fn load(&self, native: &[u8]) -> Result<Program, Abort> {
        // SAFETY: the caller vouches for the bytes.
        let component = unsafe { Component::deserialize(&self.engine, native) };
        self.link(&component.map_err(compile_error)?)
    }

    pub(crate) fn link(&self, component: &Component) -> Result<Program, Abort> {
        // Now, because a worker that runs a stranger's program may make no file later.
        let images = component.initialize_copy_on_write_image();
        images.map_err(|error| Abort::Internal(format!("no image of the memory: {error:#}")))?;
        let pre = self
            .linker
            .instantiate_pre(component)
            .map_err(compile_error)?;
        let exports = Exports {
            job: functions(component, Export::Job, ["run"]),
            map_reduce: functions(
                component,
                Export::MapReduce,
                ["map-shard", "combine", "reduce"],
            ),
            finish: functions(component, Export::Finish, ["finish"]),
            stepper: functions(component, Export::Stepper, ["init", "step"]),
            command: functions(component, Export::Command, ["run"]),
        };
        Ok(Program {
            pre,
            exports,
            counter: fuel::counter(component),
        })
    }
}

fn functions<const N: usize>(
    component: &Component,
    export: Export,
    names: [&str; N],
) -> Option<[ComponentExportIndex; N]> {
    let ty = component.component_type();
    let (interface, _) = ty.exports(component.engine()).find(|(name, item)| {
        let is_instance = matches!(item.ty, ComponentItem::ComponentInstance(_));
        is_instance && name.starts_with(export.interface())
    })?;
    let instance = component.get_export_index(None, interface)?;
    let mut found = [instance; N];
    for (slot, name) in found.iter_mut().zip(names) {
        *slot = component.get_export_index(Some(&instance), name)?;
    }
    Some(found)
}

fn compile_error(error: wasmtime::Error) -> Abort {
    Abort::Compile(format!("{error:#}"))
}
