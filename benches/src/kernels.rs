//! What computing costs: every kernel natively, in plain wasmtime, in wasmtime with its own fuel and
//! canonical NaNs, and in the sandbox.

use std::{sync::Arc, time::Duration};

use opensky_executor::{Inputs, Program, Sandbox};
use opensky_kernels::{KERNELS, Kernel};
use opensky_protocol::{Work, names};
use wasmtime::Engine;

use crate::{
    Effort, Error, Figures, layout,
    measure::{Contender, best, geomean, ratio},
    noop::work,
    plain::{Plain, Setting},
};

/// One layout of the guest, in every engine.
struct Variant<'a> {
    plain: Plain,
    fuel_and_nan: Plain,
    sandbox: &'a Sandbox,
    program: Program,
}

/// The best times of one kernel over all layouts.
struct Times {
    native: Duration,
    plain: Duration,
    fuel_and_nan: Duration,
    profile: Duration,
}

/// The job did not return a checksum.
#[derive(Debug, thiserror::Error)]
#[error("the job ended with {0}, not with a checksum")]
struct NoChecksum(String);

/// Measures all kernels and adds their ratios to the figures.
pub fn measure(
    effort: Effort,
    sandbox: &Sandbox,
    guest: &[u8],
    figures: &mut Figures,
) -> Result<(), Error> {
    let layouts = layout::variants(guest, effort.pick(1, 12))?;
    let engines = [Setting::Pool.engine()?, Setting::FuelAndNan.engine()?];
    let variants: Result<Vec<_>, Error> = layouts
        .iter()
        .map(|guest| Variant::new(&engines, sandbox, guest))
        .collect();
    let variants = variants?;
    println!(
        "\n{:<14}{:>11}{:>11}{:>11}{:>11}   times plain {:>9}{:>9}",
        "kernel", "native ms", "plain ms", "fuel+nan", "profile", "fuel+nan", "profile"
    );
    let mut all = Vec::new();
    for kernel in KERNELS {
        let times = times(effort, kernel, guest, &variants)?;
        println!("{}", row(kernel, &times));
        all.push((kernel, times));
    }
    summarise(&all, figures)
}

fn times(
    effort: Effort,
    kernel: &Kernel,
    guest: &[u8],
    variants: &[Variant<'_>],
) -> Result<Times, Error> {
    let size = effort.pick(kernel.quick_size, kernel.size);
    let input = kernel.input(size);
    let (work, inputs) = work(guest, &input);
    let mut contenders: Vec<_> = variants
        .iter()
        .flat_map(|variant| variant.contenders(kernel, size, &input, &work, &inputs))
        .collect();
    let best = best(kernel.name, effort.pick(2, 15), &mut contenders)?;
    let of = |contender: usize| {
        let times = best.iter().skip(contender).step_by(CONTENDERS);
        *times.min().expect("there is at least one layout")
    };
    Ok(Times {
        native: of(0),
        plain: of(1),
        fuel_and_nan: of(2),
        profile: of(3),
    })
}

/// Of each layout.
const CONTENDERS: usize = 4;

impl<'a> Variant<'a> {
    fn new(engines: &[Engine; 2], sandbox: &'a Sandbox, guest: &[u8]) -> Result<Self, Error> {
        let [plain, fuel_and_nan] = engines;
        Ok(Self {
            plain: Plain::within(plain, guest, Setting::Pool)?,
            fuel_and_nan: Plain::within(fuel_and_nan, guest, Setting::FuelAndNan)?,
            sandbox,
            program: sandbox.compile(guest)?,
        })
    }

    fn contenders<'b>(
        &'b self,
        kernel: &'b Kernel,
        size: u32,
        input: &'b [u8],
        work: &'b Arc<Work>,
        inputs: &'b Inputs,
    ) -> [Contender<'b>; CONTENDERS] {
        [
            Contender::new("native", move || {
                Ok(kernel.compute(std::hint::black_box(size)))
            }),
            Contender::new("plain wasmtime", || checksum(&self.plain.run(input)?)),
            Contender::new("wasmtime's fuel and NaNs", || {
                checksum(&self.fuel_and_nan.run(input)?)
            }),
            Contender::new("the sandbox", || {
                let run = self.sandbox.run(&self.program, work, inputs, None)?;
                match run.outputs.get(names::OUTPUT) {
                    Some(output) => checksum(output),
                    None => Err(Box::new(NoChecksum(format!("{}", run.class)))),
                }
            }),
        ]
    }
}

fn checksum(output: &[u8]) -> Result<u64, Error> {
    let bytes = output
        .try_into()
        .map_err(|_| NoChecksum(format!("{} bytes", output.len())))?;
    Ok(u64::from_le_bytes(bytes))
}

fn row(kernel: &Kernel, times: &Times) -> String {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    format!(
        "{:<14}{:>11.3}{:>11.3}{:>11.3}{:>11.3}{:>24.2}{:>9.2}",
        kernel.name,
        millis(times.native),
        millis(times.plain),
        millis(times.fuel_and_nan),
        millis(times.profile),
        ratio(times.fuel_and_nan, times.plain),
        ratio(times.profile, times.plain),
    )
}

fn summarise(all: &[(&Kernel, Times)], figures: &mut Figures) -> Result<(), Error> {
    let ratios = |a: fn(&Times) -> Duration, b: fn(&Times) -> Duration| -> Vec<f64> {
        let ratios = all.iter().map(|(_, times)| ratio(a(times), b(times)));
        ratios.collect()
    };
    let profile = ratios(|times| times.profile, |times| times.plain);
    let native = ratios(|times| times.profile, |times| times.native);
    let fuel_and_nan = ratios(|times| times.fuel_and_nan, |times| times.plain);
    let plain = ratios(|times| times.plain, |times| times.native);
    let worst = profile.iter().copied().fold(0.0, f64::max);
    figures.add("profile_vs_plain_geomean", geomean(&profile))?;
    figures.add("profile_vs_plain_worst", worst)?;
    figures.add("profile_vs_native_geomean", geomean(&native))?;
    figures.add("fuel_nan_vs_plain_geomean", geomean(&fuel_and_nan))?;
    figures.add("plain_vs_native_geomean", geomean(&plain))?;
    for ((kernel, _), ratio) in all.iter().zip(profile) {
        figures.add(format!("{}_profile_vs_plain", kernel.name), ratio)?;
    }
    Ok(())
}
