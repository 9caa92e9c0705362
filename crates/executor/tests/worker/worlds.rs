//! Units of every world in workers: their statements are those of the same work in process, byte for
//! byte, and a death among them costs the one unit that ran.

use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

use opensky_executor::{Inputs, Run, RunError};
use opensky_protocol::{
    Abort, Class, Digest, NodeKey, Outputs, Statement, Work, World, codec, names,
};

use crate::{
    fixture::{echo, sandbox, work},
    programs::{ENDLESS, bytes, copy, countdown},
    run::{ALICE, alone, artifact, children, inputs, is_busy, kill, pool, wait_for_busy},
    tests,
};

tests! {
    steppers_statements_are_those_in_process,
    map_reduces_statements_are_those_in_process,
    commands_statements_are_those_in_process,
    inputs_that_no_message_takes_are_taken,
    death_among_steppers_costs_one_unit,
    death_among_maps_costs_one_unit,
    deaths_at_any_moment_cost_no_other_unit,
}

/// What a node would sign.
fn statement(work: &Work, run: &Run) -> Vec<u8> {
    let outputs = Outputs::of(&run.outputs);
    let node = NodeKey([7; 32]);
    let said = Statement::new(node, work, run.class, run.fuel, &run.transcript, &outputs);
    codec::encode(&(said, &run.states, &run.log))
}

/// Runs the units in process, and compares their statements with `there`'s. Gives the runs.
fn check_statements(
    component: &[u8],
    works: &[Arc<Work>],
    inputs: &Inputs,
    there: impl IntoIterator<Item = Result<Run, RunError>>,
) -> Vec<Run> {
    let sandbox = sandbox();
    let program = sandbox.compile(component).unwrap();
    let compare = |(work, there): (&Arc<Work>, Result<Run, RunError>)| {
        let here = sandbox.run(&program, work, inputs, None).unwrap();
        let there = there.unwrap();
        assert_eq!(statement(work, &there), statement(work, &here));
        assert_eq!(there.outputs, here.outputs);
        here
    };
    works.iter().zip(there).map(compare).collect()
}

fn check(component: &[u8], works: Vec<Work>, inputs: &Inputs) -> Vec<Run> {
    let works: Vec<_> = works.into_iter().map(Arc::new).collect();
    let there = pool().run(&artifact(component), &ALICE, &works, inputs);
    assert_eq!(there.len(), works.len());
    check_statements(component, &works, inputs, there)
}

fn classes(runs: &[Run]) -> Vec<Class> {
    runs.iter().map(|run| run.class).collect()
}

fn steppers(component: &[u8], from: &[u8]) -> Vec<Work> {
    let world = World::Stepper { steps: 4 };
    let unit = |state: &u8| work(component, world, &[*state]);
    from.iter().map(unit).collect()
}

fn steppers_statements_are_those_in_process() {
    let component = countdown();
    let mut works = steppers(&component, &[0, 3, 9]);
    // One that goes on from a state, and one that runs out of fuel between two steps.
    works[2].inputs = BTreeMap::from([(names::STATE.into(), Digest::of(&[9]))]);
    let mut tight = works[1].clone();
    tight.limits.fuel = 2_500;
    works.push(tight);
    let runs = check(&component, works, &inputs(&[&[0], &[3], &[9]]));
    assert_eq!(
        classes(&runs),
        [Class::Ok, Class::Ok, Class::Ok, Class::OutOfFuel]
    );
    assert_eq!(runs[1].states.len(), 4);
    assert_eq!(runs[2].outputs[names::STATE], [5]);
}

fn map_reduces_statements_are_those_in_process() {
    const PARTITIONS: u32 = 2;
    let component = bytes();
    let shards: [&[u8]; 3] = [b"banana", b"", b"cab"];
    let mut blobs = inputs(&shards);
    let world = World::Map {
        partitions: PARTITIONS,
    };
    let maps = shards.map(|shard| work(&component, world, shard)).to_vec();
    let maps = check(&component, maps, &blobs);

    let mut reduces = Vec::new();
    for partition in 0..PARTITIONS {
        let mut unit = work(&component, World::Reduce, b"");
        let part = |map: &Run| map.outputs[&names::partition(partition)].clone();
        let parts = maps.iter().map(|map| blobs.insert(part(map)));
        unit.inputs = (0..).map(names::shard).zip(parts).collect();
        reduces.push(unit);
    }
    let reduces = check(&component, reduces, &blobs);
    let made: usize = reduces
        .iter()
        .map(|run| run.outputs[names::OUTPUT].len())
        .sum();
    // Four keys: `a` and `b` of two shards, `n` and `c` of one.
    assert_eq!(made, 4 + 6);

    let mut finish = work(&component, World::Finish, b"");
    let parts = reduces
        .iter()
        .map(|run| blobs.insert(run.outputs[names::OUTPUT].clone()));
    finish.inputs = (0..).map(names::partition).zip(parts).collect();
    let mut empty = finish.clone();
    let nothing = blobs.insert(Vec::new());
    empty.inputs = BTreeMap::from([(names::partition(0), nothing)]);
    let runs = check(&component, vec![finish, empty], &blobs);
    assert_eq!(classes(&runs), [Class::Ok, Class::Err]);
}

fn commands_statements_are_those_in_process() {
    let component = copy();
    let texts: [&[u8]; 3] = [b"", b"two", b"three"];
    let works = texts.map(|text| work(&component, World::Command, text));
    let runs = check(&component, works.to_vec(), &inputs(&texts));
    assert_eq!(classes(&runs), [Class::Ok, Class::Err, Class::Err]);
    assert_eq!(runs[2].outputs[names::OUTPUT], b"three");
    assert_eq!(runs[2].log, b"three");
    assert!(runs[2].transcript.count > 3);
}

fn inputs_that_no_message_takes_are_taken() {
    let component = copy();
    let mut unit = work(&component, World::Command, b"");
    let mut blobs = inputs(&[b""]);
    // Each is short enough to be carried in a message.
    for number in 0..6_000u32 {
        let bytes = number.to_le_bytes().repeat(3 << 10);
        let digest = blobs.insert(bytes);
        unit.inputs.insert(format!("data/{number}"), digest);
    }
    let runs = check(&component, vec![unit], &blobs);
    assert_eq!(classes(&runs), [Class::Ok]);
}

/// Runs units of which the one at `endless` does not end until its worker is killed.
fn check_death(component: &[u8], mut works: Vec<Work>, endless: usize, inputs: &Inputs) {
    works[endless].limits.fuel = u64::MAX / 4;
    let mut works: Vec<_> = works.into_iter().map(Arc::new).collect();
    let program = artifact(component);
    let pool = pool();
    let mut results = thread::scope(|scope| {
        let running = scope.spawn(|| pool.run(&program, &ALICE, &works, inputs));
        kill(wait_for_busy());
        running.join().unwrap()
    });
    assert_eq!(results.len(), works.len());
    let died = results.remove(endless);
    assert!(
        matches!(died, Err(RunError::Abort(Abort::WorkerDied(_)))),
        "{:?}",
        died.map(|run| run.class)
    );
    works.remove(endless);
    check_statements(component, &works, inputs, results);
}

fn death_among_steppers_costs_one_unit() {
    if !alone("death_among_steppers_costs_one_unit") {
        return;
    }
    let component = countdown();
    let states = [2, 5, ENDLESS + 2, 5, 0];
    let blobs = states.map(|state| [state]);
    let blobs: Vec<&[u8]> = blobs.iter().map(|blob| blob.as_slice()).collect();
    check_death(
        &component,
        steppers(&component, &states),
        2,
        &inputs(&blobs),
    );
}

fn death_among_maps_costs_one_unit() {
    if !alone("death_among_maps_costs_one_unit") {
        return;
    }
    let component = bytes();
    let shards: [&[u8]; 5] = [b"banana", b"", &[ENDLESS], b"cab", b"banana"];
    let world = World::Map { partitions: 3 };
    let works = shards.map(|shard| work(&component, world, shard));
    check_death(&component, works.to_vec(), 2, &inputs(&shards));
}

/// Tiny units, whose answers gather, in workers that are killed again and again.
fn deaths_at_any_moment_cost_no_other_unit() {
    if !alone("deaths_at_any_moment_cost_no_other_unit") {
        return;
    }
    const KILLS: usize = 12;
    let component = echo();
    let texts: Vec<String> = (0..1500).map(|unit| format!("unit {unit}")).collect();
    let blobs: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    let works: Vec<_> = blobs
        .iter()
        .map(|text| Arc::new(work(&component, World::Job, text)))
        .collect();
    let inputs = inputs(&blobs);
    let program = artifact(&component);
    let pool = pool();
    let mut aborted = 0;
    thread::scope(|scope| {
        let killer = scope.spawn(|| {
            let mut killed = 0;
            while killed < KILLS {
                thread::sleep(Duration::from_millis(17));
                let mut children = children().into_iter().map(|(_, id)| id);
                if let Some(busy) = children.find(|id| is_busy(*id)) {
                    kill(busy);
                    killed += 1;
                }
            }
        });
        while !killer.is_finished() {
            let results = pool.run(&program, &ALICE, &works, &inputs);
            assert_eq!(results.len(), works.len());
            for (text, result) in blobs.iter().zip(results) {
                match result {
                    Ok(run) => assert_eq!(run.outputs[names::OUTPUT], *text),
                    Err(RunError::Abort(Abort::WorkerDied(_))) => aborted += 1,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    });
    assert!((1..=KILLS).contains(&aborted), "{aborted} units died");
}
