//! The compile worker: one component in, its native code out.

use std::{fs::File, io::Write};

use opensky_protocol::Abort;

use crate::{
    CompileError,
    engine::Sandbox,
    worker::{
        SandboxReport, filter,
        line::{Lost, WorkerEnd},
        lockdown,
        message::{Compile, Compiled, Setup},
        ready,
        sealed::Sealed,
    },
};

/// Stack of each compiling thread: the compiler recurses over what the component nests.
const STACK: usize = 16 << 20;

pub(super) fn serve(
    parent: &mut WorkerEnd,
    setup: &Setup,
    mut report: SandboxReport,
) -> Result<(), Lost> {
    let sandbox = match prepare(setup) {
        Ok(sandbox) => sandbox,
        Err(error) => return ready(parent, Err(error)),
    };
    report.seccomp = filter::compiling().is_ok();
    ready(parent, Ok(report))?;

    let (Compile, files) = parent.receive()?;
    let files: [_; 2] = files
        .try_into()
        .map_err(|_| Lost::Rules("a compilation takes two files"))?;
    let [component, native] = files;
    let compiled = compile(&sandbox, Sealed::accept(component)?, native.into());
    parent.send(&Compiled(compiled), &[])
}

/// Starts every thread that will be, and makes the compiler.
fn prepare(setup: &Setup) -> Result<Sandbox, String> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(setup.threads as usize)
        .stack_size(STACK)
        .build_global()
        .map_err(|error| error.to_string())?;
    // Each has done its own first system calls when it answers.
    rayon::broadcast(|_| ());
    lockdown::close_threads().map_err(|error| error.to_string())?;
    Sandbox::without_pool(&setup.engine.profile, setup.engine.backend())
        .map_err(|error| error.to_string())
}

fn compile(sandbox: &Sandbox, component: Sealed, mut native: File) -> Result<u64, CompileError> {
    let failed = |error: std::io::Error| Abort::Internal(format!("the compile worker: {error}"));
    let component = component.map().map_err(failed)?;
    let code = sandbox.precompile(component.as_ref())?;
    native.write_all(&code).map_err(failed)?;
    Ok(code.len() as u64)
}
