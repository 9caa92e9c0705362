//! What a chain knows of this node's operator: what it offers, and which programs it keeps at hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use opensky_ledger::{Chain, ChainAway};
use opensky_protocol::{
    Account, Digest,
    ledger::{LedgerReply, LedgerRequest, Offered, OnChain},
};
use tokio::time::Instant;

use super::words::Words;
use crate::{clock::Clock, config::Config, machine, pins::Pins};

/// How often it is looked whether the chain knows it.
const LOOK: Duration = Duration::from_secs(30);
/// For how long a program is said to be kept at hand, and how much of that is left when it is said again: half a year, and
/// a month.
const TERM: u64 = 180 * DAY;
const AGAIN: u64 = 30 * DAY;
const DAY: u64 = 86_400_000;
/// Programs of which that is said: as many as a chain takes of one operator.
const PROGRAMS: usize = 64;
/// Fuel that one unit may use: about an hour of a core.
const FUEL: u64 = 4_000_000_000_000;

/// What the task works with. Cheap to clone.
#[derive(Clone)]
pub(super) struct Listing {
    pub chain: Chain,
    pub words: Words,
    pub pins: Pins,
    pub operator: Account,
    pub offer: Offered,
    pub clock: Clock,
}

/// What a node offers: its prices, its memory for one unit, and an hour of one core.
pub(super) fn offer(config: &Config) -> Offered {
    Offered {
        ask: config.price.into(),
        memory: machine::memory_of_request(config),
        fuel: FUEL,
    }
}

impl Listing {
    /// Runs until the node ends.
    pub async fn keep(self) {
        let mut changes = self.chain.changes();
        let mut looked = None::<Instant>;
        let mut bond = None;
        while changes.next().await.is_some() {
            if looked.is_some_and(|last| last.elapsed() < LOOK) {
                continue;
            }
            looked = Some(Instant::now());
            if let Err(away) = self.look(&mut bond).await {
                tracing::debug!(%away, "the chain does not say what it knows of this node");
            }
        }
    }

    async fn look(&self, known: &mut Option<u128>) -> Result<(), ChainAway> {
        let account = LedgerRequest::Account(self.operator);
        let LedgerReply::Account(account) = self.chain.ask(account).await? else {
            return Ok(());
        };
        let bond = account.operator.bond;
        // Whoever had too little for a place may have enough now.
        if known.replace(bond) != Some(bond) {
            self.words.forgive();
        }
        // With less nobody is believed, and it would be charged for trying.
        let is_enough = bond >= self.chain.least_stake()?;
        let offer = is_enough.then_some(self.offer);
        if self.chain.offered(&self.operator).await? != offer {
            self.words.say(OnChain::SetOffer(offer));
        }
        if offer.is_some() {
            self.pin().await?;
        }
        Ok(())
    }

    async fn pin(&self) -> Result<(), ChainAway> {
        let said = self.chain.pinned(&self.operator).await?;
        let mut kept = self.pins.by_use();
        let now = self.clock.now();
        let is_said = |program: &Digest| said.contains_key(program);
        let all = kept.len();
        // As many others keep those as the chain takes: they need no place.
        kept.retain(|program| is_said(program) || !self.words.is_refused(&pin(*program, now)));
        if all - kept.len() >= PROGRAMS {
            // Each try has its price.
            kept.retain(is_said);
        }
        for call in news(&kept, &said, now) {
            self.words.say(call);
        }
        Ok(())
    }
}

fn pin(program: Digest, now: u64) -> OnChain {
    let until = now + TERM;
    OnChain::Pin { program, until }
}

/// What a chain that was said that is to be told of the programs that are kept, of which those come first that were used
/// last. Where there is no room for one, of those that are said what is over goes, and then what is not kept any more.
fn news(kept: &[Digest], said: &BTreeMap<Digest, u64>, now: u64) -> Vec<OnChain> {
    let first = &kept[..kept.len().min(PROGRAMS)];
    let (known, new): (Vec<Digest>, Vec<Digest>) = first
        .iter()
        .partition(|program| said.contains_key(*program));
    let due = known.iter().filter(|program| said[*program] < now + AGAIN);
    let free = PROGRAMS.saturating_sub(said.len());
    let lacking = new.len().saturating_sub(free);
    let (known, kept) = (BTreeSet::from_iter(&known), BTreeSet::from_iter(kept));
    let is_idle = |(program, until): &(&Digest, &u64)| {
        !known.contains(program) && (**until <= now || !kept.contains(program))
    };
    let mut idle: Vec<_> = said.iter().filter(is_idle).collect();
    // What is over comes before all else.
    idle.sort_by_key(|(_, until)| **until);
    let gone = idle.into_iter().take(lacking);
    let gone = gone.map(|(program, _)| OnChain::Unpin { program: *program });
    let pinned = due.chain(new.iter().take(free));
    pinned
        .map(|program| pin(*program, now))
        .chain(gone)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000 * DAY;

    fn programs(numbers: std::ops::Range<u32>) -> Vec<Digest> {
        let name = |number| Digest::derive("a program", &number);
        numbers.map(name).collect()
    }

    fn said(programs: &[Digest], until: u64) -> BTreeMap<Digest, u64> {
        programs.iter().map(|program| (*program, until)).collect()
    }

    fn pins(programs: &[Digest]) -> Vec<OnChain> {
        programs.iter().map(|program| pin(*program, NOW)).collect()
    }

    fn unpins(programs: &[Digest]) -> Vec<OnChain> {
        let unpin = |program: &Digest| OnChain::Unpin { program: *program };
        programs.iter().map(unpin).collect()
    }

    #[test]
    fn what_was_used_last_is_said_as_far_as_there_is_room() {
        let kept = programs(0..100);
        let told = news(&kept, &BTreeMap::new(), NOW);
        assert_eq!(told, pins(&kept[..PROGRAMS]));
        let said = said(&kept[..PROGRAMS], NOW + TERM);
        assert_eq!(news(&kept, &said, NOW), []);
        // Others were used since: what the chain was promised stays.
        let kept: Vec<Digest> = kept.into_iter().rev().collect();
        assert_eq!(news(&kept, &said, NOW), []);
    }

    #[test]
    fn what_is_kept_is_said_again_before_it_is_over() {
        let kept = programs(0..2);
        assert_eq!(news(&kept, &said(&kept, NOW + AGAIN), NOW), []);
        let told = news(&kept, &said(&kept, NOW + AGAIN - 1), NOW);
        assert_eq!(told, pins(&kept));
    }

    #[test]
    fn operator_that_has_pinned_many_in_its_life_can_pin_another() {
        let (old, gone, kept) = (programs(0..20), programs(20..40), programs(40..64));
        let mut all = said(&old, NOW - 1);
        all.extend(said(&gone, NOW + TERM));
        all.extend(said(&kept, NOW + TERM));
        let many = [programs(100..130), kept.clone()].concat();
        let mut told = news(&many, &all, NOW);
        assert!(told[..20].iter().all(|call| unpins(&old).contains(call)));
        assert!(told[20..].iter().all(|call| unpins(&gone).contains(call)));
        assert_eq!(told.len(), 30);
        // It is done, and there is room.
        for call in told.drain(..) {
            let OnChain::Unpin { program } = call else {
                panic!("{call:?}");
            };
            all.remove(&program);
        }
        assert_eq!(news(&many, &all, NOW), pins(&programs(100..130)));
    }

    #[test]
    fn what_is_over_stays_while_nobody_needs_its_place() {
        let all = said(&programs(0..40), NOW - 1);
        let kept = programs(50..60);
        assert_eq!(news(&kept, &all, NOW), pins(&kept));
    }
}
