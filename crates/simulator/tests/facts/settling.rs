//! How providers are told what they have earned, and how soon they have it once a job is over.

use std::collections::BTreeMap;

use opensky_core::{Event, JobState, Outgoing, Time};
use opensky_protocol::{Message, Reveal, SecretKey, Turn, Voucher};
use opensky_simulator::{BEGIN, Character, Weather, World, orders::single};

use crate::{
    desk::{Desk, orders_to, result},
    world,
};

use Character::Honest;

/// How long a provider is away.
const AWAY: u64 = 20_000;
/// Longer than it takes to ask its requester where every message may be lost, and to have the ledger pay;
/// and less than whoever has nothing new to say waits.
const SOON: u64 = 40_000;

/// What a provider has earned from the only job, as its requester says, if that is over.
fn earned(world: &World, place: usize) -> Option<u128> {
    let requester = &world.nodes[0].participant;
    let job = requester.jobs().next()?;
    let units = requester.units(&job.id);
    let seats = units.iter().flat_map(|unit| &unit.seats);
    let node = world.nodes[place].who.node;
    let own = seats.filter(|seat| seat.node == node);
    let own = own.map(|seat| seat.earned).sum();
    matches!(job.state, JobState::Over(_)).then_some(own)
}

#[test]
fn provider_that_was_away_when_its_job_ended_is_paid_as_soon_as_it_is_back() {
    let mut missed = 0;
    let weather = Weather {
        loss: 150,
        ..Weather::CALM
    };
    for after in (200..5_000).step_by(20) {
        let mut world = world(after, weather.clone(), &[Honest; 3]);
        let job = world.submit(0, single(after));
        world.leave(1, after, Some(AWAY));
        world.run(Time(BEGIN.0 + after + AWAY - 1)).unwrap();
        let operator = world.nodes[1].who.operator;
        let Some(owed) = earned(&world, 1).filter(|owed| *owed > 0) else {
            continue;
        };
        missed += u32::from(world.bank.paid(&job, &operator) == 0);
        world.run(Time(BEGIN.0 + after + AWAY + SOON)).unwrap();
        let paid = world.bank.paid(&job, &operator);
        assert_eq!(paid, owed, "it was gone after {after} ms");
    }
    assert!(missed > 0, "it always had its money before it was gone");
}

/// A provider has shown its results of so many units. The last is what they are worth, each.
fn shown(units: u32) -> (Desk, SecretKey, Vec<Reveal>, BTreeMap<Turn, u128>) {
    let provider = SecretKey::from_seed(&[1; 32]);
    let mut desk = Desk::open(units);
    desk.finds(&provider);
    let drafts = orders_to(desk.says(), &provider);
    assert_eq!(drafts.len(), units as usize);
    let mut worth = BTreeMap::new();
    let results = drafts.iter().map(|draft| {
        let result = result(&provider, draft);
        let said = &result.statement;
        let ask = &draft.assignment.ask;
        let amount = draft.ticket.payment(ask, said.fuel, said.output_len);
        worth.insert(result.turn, amount);
        result
    });
    let results: Vec<_> = results.collect();
    desk.is_promised(&provider, &results);
    desk.is_told(provider.node(), Message::Reveal(results.clone()));
    (desk, provider, results, worth)
}

#[test]
fn whoever_is_paid_for_thousands_at_once_can_follow_every_voucher() {
    let (mut desk, _, results, worth) = shown(5_000);
    let mut root = Voucher::START;
    let (mut total, mut turns, mut messages) = (0, 0, 0);
    for (_, message) in desk.says() {
        let Outgoing::Settle { paid, voucher, .. } = message else {
            continue;
        };
        messages += 1;
        for turn in paid {
            root = Voucher::extend(&root, &turn.unit, turn.attempt, worth[&turn]);
            total += worth[&turn];
            turns += 1;
        }
        let voucher = voucher.unwrap();
        assert_eq!(
            (voucher.root, voucher.total, voucher.turns),
            (root, total, turns)
        );
    }
    assert_eq!((messages, turns), (2, results.len() as u64));
}

#[test]
fn whoever_asks_for_its_money_when_the_job_is_over_is_told_that_it_is() {
    let (mut desk, provider, shown, _) = shown(10);
    desk.hears(Event::Cancelled(desk.job));
    // It has heard nothing of all this.
    desk.says();
    desk.is_promised(&provider, &shown);
    let (mut paid, mut over) = (0, Vec::new());
    for (_, message) in desk.says() {
        match message {
            Outgoing::Settle { paid: turns, .. } => paid += turns.len(),
            Outgoing::Over(jobs) => over.extend(jobs),
            other => panic!("it has nothing else to say: {other:?}"),
        }
    }
    assert_eq!((paid, over), (shown.len(), vec![desk.job]));
}
