//! `opensky bench`: how fast this machine's sandbox is, as a provider would say it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use opensky_executor::{Backend, Inputs, Program, Rules, Run, Sandbox, on_guest_thread};
use opensky_protocol::{Class, Digest, Limits, Shard, Work, World};
use serde_json::json;

use crate::{
    Exit, Problem,
    local::{self, failed},
    progress::Bar,
    request::BackendName,
    term::{self, Format},
    value,
};

/// Measure the local sandbox: fuel per second by class of work
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = "\
Each class is a small program that does one kind of work. The figure is that of
its fastest run, on one processor: fuel is what is paid for, so fuel per second
is what this machine earns by.")]
pub struct Args {
    /// What executes the programs.
    #[arg(long, value_enum, default_value_t)]
    pub backend: BackendName,
    /// The rules of execution, whose fuel is counted: 1, or 0 for the engine's own.
    #[arg(long, value_name = "ID", value_parser = value::profile, default_value = Rules::DEFAULT.id)]
    pub profile: &'static Rules,
    /// Runs of each program; the fastest counts.
    #[arg(long, value_name = "N", default_value = "7")]
    pub runs: std::num::NonZeroU32,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// A class of work, and the module that does it.
const KERNELS: [(&str, &str); 5] = [
    ("integer", include_str!("../kernels/integer.wat")),
    ("float", include_str!("../kernels/float.wat")),
    ("memory", include_str!("../kernels/memory.wat")),
    ("call", include_str!("../kernels/call.wat")),
    ("simd", include_str!("../kernels/simd.wat")),
];

/// What one class came to.
struct Measured {
    class: &'static str,
    fuel: u64,
    best: Duration,
}

impl Measured {
    fn rate(&self) -> f64 {
        self.fuel as f64 / self.best.as_secs_f64()
    }
}

/// Measures and prints.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let sandbox = local::sandbox(&args.profile.profile(), args.backend.into())?;
    let bar = Bar::start();
    let mut measured = Vec::new();
    for (index, (class, kernel)) in KERNELS.into_iter().enumerate() {
        bar.set(class, index, KERNELS.len());
        measured.push(measure(&sandbox, class, kernel, args.runs.get())?);
    }
    drop(bar);
    match args.format {
        Format::Text => term::to_stdout(&text(&measured))?,
        Format::Json => term::json_to_stdout(&json(&sandbox, &measured))?,
    }
    Ok(Exit::Success)
}

fn measure(
    sandbox: &Sandbox,
    class: &'static str,
    kernel: &str,
    runs: u32,
) -> Result<Measured, Problem> {
    let component = command(kernel);
    let program = sandbox.compile(&component).map_err(local::not_compiled)?;
    let work = Arc::new(work(sandbox.rules(), &component));
    let measured = on_guest_thread(|| {
        let mut best = Duration::MAX;
        let mut fuel = 0;
        for _ in 0..runs {
            let run = once(sandbox, &program, &work)?;
            best = best.min(run.wall);
            fuel = run.fuel;
        }
        Ok(Measured { class, fuel, best })
    });
    measured.map_err(|abort| local::aborted(&abort))?
}

fn once(sandbox: &Sandbox, program: &Program, work: &Arc<Work>) -> Result<Run, Problem> {
    let run = sandbox
        .run(program, work, &Inputs::default(), None)
        .map_err(failed)?;
    match run.class {
        Class::Ok => Ok(run),
        class => Err(Problem::host(format!(
            "a benchmark program ended as `{class}`"
        ))),
    }
}

/// The command whose `run` is that of a core module.
fn command(module: &str) -> Vec<u8> {
    let body = module.find("(module").expect("a kernel is a module");
    let module = module[body..].replacen("(module", "(core module $kernel", 1);
    let text = format!(
        r#"(component
            {module}
            (core instance $made (instantiate $kernel))
            (func $run (result (result)) (canon lift (core func $made "run")))
            (instance $entry (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $entry)))"#
    );
    wat::parse_str(text).expect("the kernels are constant and valid")
}

fn work(rules: &Rules, component: &[u8]) -> Work {
    Work {
        profile: rules.profile(),
        program: Digest::of(component),
        world: World::Command,
        inputs: BTreeMap::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        params: BTreeMap::new(),
        shard: Shard::WHOLE,
        entropy: [0; 32],
        virtual_time: 0,
        limits: Limits::DEFAULT,
    }
}

fn text(measured: &[Measured]) -> String {
    let rows = measured.iter().map(|measured| {
        let Measured { class, fuel, best } = measured;
        let millions = measured.rate() / 1e6;
        let of = format!("{:.0} M fuel in {best:.1?}", *fuel as f64 / 1e6);
        (*class, format!("{millions:>7.0} Mfuel/s   {of}"))
    });
    term::columns(rows)
}

fn json(sandbox: &Sandbox, measured: &[Measured]) -> serde_json::Value {
    let rates = measured.iter().map(|measured| {
        (
            measured.class.to_owned(),
            (measured.rate().round() as u64).into(),
        )
    });
    json!({
        "profile": sandbox.rules().id,
        "backend": match sandbox.backend() {
            Backend::Cranelift => "cranelift",
            Backend::Pulley => "pulley",
        },
        "fuel_per_second": rates.collect::<serde_json::Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_admitted_and_succeeds() {
        let sandbox =
            local::sandbox(&Rules::DEFAULT.profile(), Backend::Cranelift).expect("starts");
        for (class, kernel) in KERNELS {
            opensky_executor::admit(&command(kernel)).expect(class);
            let measured = measure(&sandbox, class, kernel, 1).expect(class);
            assert!(measured.fuel > 1_000_000, "{class}: {}", measured.fuel);
        }
    }
}
