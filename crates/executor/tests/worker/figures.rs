//! What the hop to another process costs: `figures` as the first argument prints it, with a job in a
//! file as the second for that job.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use opensky_executor::{
    Backend, Inputs, Rules, Sandbox, on_guest_thread,
    worker::{Pool, PoolOptions, SandboxReport},
};
use opensky_protocol::{NodeKey, Work, World};

use crate::{
    fixture::{echo, work},
    launcher,
    run::{ALICE, artifact, inputs},
};

/// The best of `rounds` measurements: what else the machine does is not in it.
fn best(rounds: usize, mut measure: impl FnMut() -> Duration) -> f64 {
    let times = (0..rounds).map(|_| measure());
    times.min().unwrap().as_secs_f64() * 1e6
}

fn time(f: impl FnOnce()) -> Duration {
    let start = Instant::now();
    f();
    start.elapsed()
}

/// Prints one `name: value` line for each figure, in microseconds.
pub fn print() {
    let file = std::env::args().nth(2);
    let component = file.map_or_else(echo, |file| std::fs::read(file).unwrap());
    let units = |count: usize| -> Vec<Arc<Work>> {
        (0..count)
            .map(|_| Arc::new(work(&component, World::Job, b"hello")))
            .collect()
    };
    let inputs = inputs(&[b"hello"]);
    println!(
        "report: {:?}",
        SandboxReport::probe(&launcher("worker")).unwrap()
    );
    let start = best(21, || {
        time(|| assert!(SandboxReport::probe(&launcher("worker")).is_ok()))
    });
    println!("worker_start_and_end_us: {start:.0}");

    in_process(&component, &units(1000), &inputs);
    let program = artifact(&component);
    let pool = Pool::new(launcher("worker"), PoolOptions::default());
    for (batch, rounds) in [(1, 2000), (100, 200), (1000, 40)] {
        let works = units(batch);
        let whole = best(rounds, || {
            time(|| {
                for result in pool.run(&program, &ALICE, &works, &inputs) {
                    result.unwrap();
                }
            })
        });
        println!(
            "noop_worker_batch_{batch}_us_per_unit: {:.1}",
            whole / batch as f64
        );
    }
    let mut requester = 0u8;
    let hit = best(31, || {
        requester += 1;
        std::thread::sleep(Duration::from_millis(100));
        time(|| {
            assert!(pool.run(&program, &NodeKey([requester; 32]), &units(1), &inputs)[0].is_ok())
        })
    });
    println!("prefork_hit_first_unit_us: {hit:.0}");
}

fn in_process(component: &[u8], works: &[Arc<Work>], inputs: &Inputs) {
    let sandbox = Sandbox::new(&Rules::DEFAULT.profile(), Backend::Cranelift).unwrap();
    let program = sandbox.compile(component).unwrap();
    let whole = on_guest_thread(|| {
        best(20, || {
            time(|| {
                for work in works {
                    sandbox.run(&program, work, inputs, None).unwrap();
                }
            })
        })
    })
    .unwrap();
    println!("noop_in_process_us: {:.1}", whole / works.len() as f64);
}
