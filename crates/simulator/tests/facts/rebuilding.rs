//! What was built upon a wrong result is built again, as far as the money reaches.

use std::collections::BTreeSet;

use opensky_core::{Draft, Ending, JobState, Plan, Policy, Replicas, Submission, Time};
use opensky_protocol::{Abort, Outputs, SecretKey, World as GuestWorld, ledger::Terms, names};
use opensky_simulator::{
    BEGIN, Character, Weather, World,
    orders::{self, map_reduce, stepper},
};
use proptest::prelude::*;

use crate::{
    HOUR, MONEY, auto,
    desk::{Answer, Desk, LIFE, false_result, result},
    honest,
};

use Character::{Honest, Turncoat};

fn providers() -> Vec<SecretKey> {
    let seeds = 1..=6;
    seeds
        .map(|seed| SecretKey::from_seed(&[seed; 32]))
        .collect()
}

/// One word is believed until there is reason to doubt it.
fn alone(mut order: Submission) -> Submission {
    (order.replicas, order.replica_cap) = (Replicas::Fixed(1), 7);
    order
}

fn spoil(outputs: &mut Outputs, name: &str) {
    outputs.0.get_mut(name).unwrap().digest.0[0] ^= 1;
}

/// A shard's input is that of the job's map of that number.
fn is_map(draft: &Draft, order: &Submission, index: u32) -> bool {
    let Plan::Job(spec) = &order.plan else {
        unreachable!()
    };
    let map = spec.map_work(index).unwrap();
    map.unit() == draft.work.unit()
}

/// What the first provider says, alone, until it is caught with something that cannot be true. Then there
/// are others, who are honest.
fn serve(desk: &mut Desk, first: impl Fn(&SecretKey, &Draft) -> Answer) {
    let all = providers();
    let say = |provider: &SecretKey, draft: &Draft| {
        let lie = || first(provider, draft).filter(|_| provider.node() == all[0].node());
        lie().or_else(|| Some(Ok(result(provider, draft))))
    };
    desk.finds(&all[0]);
    desk.serve(&all[..1], say);
    all[1..].iter().for_each(|provider| desk.finds(provider));
    desk.serve(&all, say);
}

/// What cannot be true.
fn impossible(provider: &SecretKey, draft: &Draft) -> Answer {
    let mut shown = result(provider, draft);
    shown.statement.fuel += 1;
    Some(Ok(shown))
}

fn lie(provider: &SecretKey, draft: &Draft, name: &str) -> Answer {
    Some(Ok(false_result(provider, draft, |outputs| {
        spoil(outputs, name);
    })))
}

/// The job is done, its output is what it should be, and so many of its units were begun anew.
#[track_caller]
fn is_done(desk: &Desk, order: &Submission, rebuilt: usize) {
    let view = desk.broker.job(&desk.job).unwrap();
    assert_eq!(view.state, JobState::Over(Ending::Done));
    assert_eq!(view.outputs, honest(&order.plan));
    let replaced = desk.broker.replaced(&desk.job);
    assert_eq!(replaced.len(), rebuilt, "{replaced:?}");
    // Whoever had worked was paid, and is.
    let units = desk.broker.units(&desk.job);
    let seats = units.iter().chain(&replaced).flat_map(|unit| &unit.seats);
    let earned: u128 = seats.map(|seat| seat.earned).sum();
    assert_eq!(view.spent, earned);
    assert!(view.spent <= view.locked);
}

#[test]
fn what_took_in_a_wrong_result_is_run_again_and_nothing_else_is() {
    let order = alone(map_reduce(1, 2, 3, true));
    for dies in [None].into_iter().chain((0..LIFE).map(Some)) {
        let mut desk = Desk::with(order.clone(), MONEY);
        desk.dies = dies;
        serve(&mut desk, |provider, draft| match draft.work.world {
            // Of its three partitions one is wrong.
            GuestWorld::Map { .. } if is_map(draft, &order, 1) => {
                lie(provider, draft, &names::partition(2))
            }
            GuestWorld::Finish => impossible(provider, draft),
            _ => None,
        });
        is_done(&desk, &order, 2);
        let replaced = desk.broker.replaced(&desk.job);
        let mut places: Vec<u32> = replaced.iter().map(|unit| unit.index).collect();
        places.sort_unstable();
        assert_eq!(places, [4, 5], "a reduce unit and the finish unit");
    }
}

#[test]
fn what_comes_out_the_same_keeps_what_was_built_upon_it() {
    let order = alone(map_reduce(1, 2, 1, true));
    let Plan::Job(spec) = &order.plan else {
        unreachable!()
    };
    let maps: Vec<_> = (0..2)
        .map(|map| opensky_simulator::guest::honest(&spec.map_work(map).unwrap()).1)
        .collect();
    let right = spec
        .reduce_work(0, &maps.iter().collect::<Vec<_>>())
        .unwrap();
    let right = opensky_simulator::guest::honest(&right).1;
    for dies in [None].into_iter().chain((0..LIFE).map(Some)) {
        let mut desk = Desk::with(order.clone(), MONEY);
        desk.dies = dies;
        serve(&mut desk, |provider, draft| match draft.work.world {
            GuestWorld::Map { .. } if is_map(draft, &order, 0) => {
                lie(provider, draft, &names::partition(0))
            }
            // What differs makes no difference.
            GuestWorld::Reduce => Some(Ok(false_result(provider, draft, |outputs| {
                outputs.clone_from(&right);
            }))),
            GuestWorld::Finish => impossible(provider, draft),
            _ => None,
        });
        is_done(&desk, &order, 1);
    }
}

#[test]
fn lie_that_others_did_not_take_in_makes_nobody_run_anything_again() {
    let order = alone(map_reduce(1, 2, 2, true));
    let mut desk = Desk::with(order.clone(), MONEY);
    serve(&mut desk, |provider, draft| match draft.work.world {
        GuestWorld::Map { .. } => Some(Ok(false_result(provider, draft, |outputs| {
            let more = outputs.0[&names::partition(0)];
            outputs.0.insert("more".into(), more);
        }))),
        GuestWorld::Finish => impossible(provider, draft),
        _ => None,
    });
    is_done(&desk, &order, 0);
    let finish = desk.broker.units(&desk.job).pop().unwrap();
    let turns: Vec<&str> = finish.seats.iter().map(|seat| &*seat.state).collect();
    assert_eq!(turns, ["showed a result that cannot be true", "agreed"]);
}

#[test]
fn stepper_goes_on_from_the_last_right_state() {
    let order = alone(stepper(1));
    for dies in [None].into_iter().chain((0..LIFE).map(Some)) {
        let mut desk = Desk::with(order.clone(), MONEY);
        desk.dies = dies;
        serve(&mut desk, |provider, draft| {
            let state = draft.work.inputs.get(names::STATE);
            match state.map(|state| state.0[0]) {
                // The first byte of a state counts what led to it.
                None => Some(Ok(false_result(provider, draft, |outputs| {
                    let state = outputs.0.get_mut(names::STATE).unwrap();
                    state.digest.0[9] ^= 1;
                }))),
                Some(1) => None,
                Some(_) => impossible(provider, draft),
            }
        });
        is_done(&desk, &order, 2);
    }
}

#[test]
fn job_without_the_money_to_build_again_says_so_and_costs_no_more_than_it_may() {
    let order = alone(map_reduce(1, 3, 2, true));
    let mut endings = Vec::new();
    for amount in (10_000..300_000).step_by(5_000) {
        let mut desk = Desk::with(order.clone(), amount);
        serve(&mut desk, |provider, draft| match draft.work.world {
            GuestWorld::Map { .. } if is_map(draft, &order, 0) => {
                lie(provider, draft, &names::partition(0))
            }
            GuestWorld::Finish => impossible(provider, draft),
            _ => None,
        });
        let view = desk.broker.job(&desk.job).unwrap();
        assert!(view.spent <= amount, "{} of {amount}", view.spent);
        let JobState::Over(ending) = view.state else {
            panic!("it has {amount}, and is {:?}", view.state);
        };
        endings.push(ending);
    }
    endings.dedup();
    let unmended = Ending::Unmended { index: 0 };
    assert_eq!(endings, [Ending::Budget, unmended, Ending::Done]);
}

/// A job with so many wrong maps, each of another provider, which are found out one after the other, and
/// each time after what they made was taken in.
fn wrong_one_after_the_other(wrong: u32) -> (Submission, Desk) {
    let order = alone(map_reduce(1, 4, 1, false));
    let all = providers();
    let mut desk = Desk::with(order.clone(), MONEY);
    let liars = &all[..4];
    liars.iter().for_each(|liar| desk.finds_with(liar, 1));
    let is_wrong = |draft: &Draft| (0..wrong).any(|map| is_map(draft, &order, map));
    let mut missed = BTreeSet::new();
    let mut answer = |provider: &SecretKey, draft: &Draft, is_late: bool| -> Answer {
        match draft.work.world {
            GuestWorld::Map { .. } if !is_late && is_wrong(draft) => {
                lie(provider, draft, &names::partition(0))
            }
            // Until all is right somebody lacks one more input; nobody else says anything meanwhile.
            GuestWorld::Reduce if !is_late || missed.contains(&draft.assignment.unit) => None,
            GuestWorld::Reduce if missed.len() < wrong as usize => {
                let name = names::shard(missed.len() as u32);
                missed.insert(draft.assignment.unit);
                Some(Err(Abort::MissingInput(name)))
            }
            _ => Some(Ok(result(provider, draft))),
        }
    };
    desk.serve(liars, |provider, draft| answer(provider, draft, false));
    all[4..].iter().for_each(|provider| desk.finds(provider));
    desk.serve(&all, |provider, draft| answer(provider, draft, true));
    (order, desk)
}

#[test]
fn a_unit_is_begun_anew_three_times_and_no_more() {
    let (order, desk) = wrong_one_after_the_other(3);
    is_done(&desk, &order, 3);
    let (_, desk) = wrong_one_after_the_other(4);
    assert_eq!(desk.state(), JobState::Over(Ending::Tainted { index: 3 }));
}

/// A world in which a provider lies once it is believed.
fn betrayed(seed: u64, weather: &Weather, after: u32, order: Submission) -> (World, Submission) {
    let mut world = World::new(seed, weather.clone(), Policy::default(), Terms::DEVELOPMENT);
    world.laws.is_thorough = true;
    world.join(Honest, None, MONEY);
    for character in [Honest, Honest, Turncoat(after), Honest, Honest] {
        world.join(character, Some(orders::terms()), MONEY);
    }
    let order = auto(order);
    world.submit(0, order.clone());
    let held = world.run(Time(BEGIN.0 + 3 * HOUR));
    held.and_then(|()| world.conclude()).unwrap();
    (world, order)
}

/// Whether anything had to be begun anew in a world, where the job is done all the same.
fn is_rebuilt(world: &World, order: &Submission) -> bool {
    let requester = &world.nodes[0];
    let id = order.id(&requester.who);
    assert_eq!(world.ending(&id), Some(&JobState::Over(Ending::Done)));
    let is_rebuilt = !requester.participant.replaced(&id).is_empty();
    if is_rebuilt {
        let view = requester.participant.job(&id).unwrap();
        assert_eq!(view.outputs, honest(&order.plan));
    }
    is_rebuilt
}

#[test]
fn whoever_is_found_out_late_costs_time_and_not_the_job() {
    let rebuilt = (0..20).filter(|seed| {
        let order = map_reduce(*seed, 120, 60, true);
        let (world, order) = betrayed(*seed, &Weather::CALM, 35, order);
        is_rebuilt(&world, &order)
    });
    let rebuilt = rebuilt.count();
    assert!(rebuilt > 1, "{rebuilt} of 20");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..Default::default() })]

    #[test]
    fn accepted_job_ends_untainted_whatever_is_lost_doubled_or_killed(
        seed: u64,
        loss in 0u64..100,
        twice in 0u64..100,
        crash in 0u64..40,
        after in 32u32..38,
        partitions in 20u32..60,
        finish: bool,
    ) {
        let weather = Weather { loss, twice, crash, ..Weather::CALM };
        let order = map_reduce(seed, 120, partitions, finish);
        let (world, order) = betrayed(seed, &weather, after, order);
        let id = order.id(&world.nodes[0].who);
        prop_assert_eq!(world.ending(&id), Some(&JobState::Over(Ending::Done)));
    }
}
