//! What comes before the first unit, and what stays after the last: compilation, a program from the
//! cache, and the memory of idle slots.

use std::{
    fs,
    sync::{Arc, Barrier},
};

use opensky_executor::{Backend, Inputs, Observer, Program, Rules, Sandbox, worker::Compiler};
use opensky_kernels::MEET;
use opensky_protocol::Work;

use crate::{
    Effort, Error, Figures,
    guest::Guests,
    measure::{Contender, best, micros},
    noop::work,
};

/// Units at once, to fill as many slots. Fewer than a pool has.
const SLOTS: usize = 48;

/// Measures compilation, a start from the cache, and idle slots. The compiler has compiled the
/// smallest guest before.
pub fn measure(
    effort: Effort,
    sandbox: &Sandbox,
    guests: &Guests,
    compiler: &Compiler,
    figures: &mut Figures,
) -> Result<(), Error> {
    let mut compile = [Contender::new("the sandbox", || {
        sandbox.compile(&guests.kernels)?;
        Ok(0)
    })];
    let time = best("compilation", effort.pick(1, 5), &mut compile)?[0];
    let megabytes = guests.kernels.len() as f64 / 1e6;
    figures.add("compile_mb_per_s", megabytes / time.as_secs_f64())?;

    let mut start = [Contender::new("the cache", || {
        compiler.compile(sandbox, &guests.hello)?;
        Ok(0)
    })];
    let time = best("start", effort.pick(3, 200), &mut start)?[0];
    figures.add("cached_start_us", micros(time))?;

    figures.add("resident_kib_per_idle_slot", idle_slot(&guests.kernels)?)?;
    Ok(())
}

/// KiB of memory that a slot keeps after its unit: the growth from one used slot to many.
fn idle_slot(guest: &[u8]) -> Result<f64, Error> {
    let (work, inputs) = work(guest, MEET);
    let sandbox = Sandbox::new(&Rules::DEFAULT.profile(), Backend::Cranelift)?;
    // As many threads have run before, so that what the allocator keeps for each is not counted.
    threads_of(SLOTS);
    let program = sandbox.compile(guest)?;
    meet(&sandbox, &program, &work, &inputs, 1)?;
    let one = resident()?;
    meet(&sandbox, &program, &work, &inputs, SLOTS)?;
    let all = resident()?;
    Ok((all - one) / 1024.0 / (SLOTS - 1) as f64)
}

/// Holds every unit in its call until all of them are in theirs.
struct Meeting(Barrier);

impl Observer for Meeting {
    fn log(&self, _: &str) {}

    fn progress(&self, _: u64, _: Option<u64>) {
        self.0.wait();
    }
}

/// Lets so many threads take a little memory at the same time, and end.
fn threads_of(count: usize) {
    let meeting = Barrier::new(count);
    let run = || {
        std::hint::black_box(vec![1u8; 64 << 10]);
        meeting.wait();
    };
    std::thread::scope(|scope| (0..count).for_each(|_| drop(scope.spawn(run))));
}

/// Runs units that are all alive at the same time.
fn meet(
    sandbox: &Sandbox,
    program: &Program,
    work: &Arc<Work>,
    inputs: &Inputs,
    units: usize,
) -> Result<(), Error> {
    let meeting = Arc::new(Meeting(Barrier::new(units)));
    std::thread::scope(|scope| {
        let run = || sandbox.run(program, work, inputs, Some(meeting.clone()));
        let threads: Vec<_> = (0..units).map(|_| scope.spawn(run)).collect();
        for thread in threads {
            thread.join().expect("a unit does not panic")?;
        }
        Ok(())
    })
}

/// Bytes of this process that are in memory.
fn resident() -> Result<f64, Error> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .unwrap_or_default()
        .trim()
        .trim_end_matches("kB")
        .trim();
    Ok(kib.parse::<f64>()? * 1024.0)
}
