//! The market as a broker sees it: offers, how much of each is taken, and who gets a seat.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Account, Digest, NodeKey, Offer, Refusal};

use crate::{
    alarm::{Alarm, Alarms},
    need::{Need, Run, Unfit},
    policy::Policy,
    time::{Time, back_off, millis},
};

/// Offers that are looked at for one that may go, those that came longest ago first.
const LOOKED_AT: usize = 256;

/// A provider, as far as it is known.
pub(crate) struct Listing {
    pub(crate) offer: Offer,
    /// When it came.
    heard: Time,
    /// Turns of ours that it has not committed to.
    pub(crate) flying: u32,
    /// How many of them it may have: grows while it is quick, shrinks when it is not.
    pub(crate) window: u32,
    /// Until when it is left alone, and why.
    pub(crate) rest: (Time, Unfit),
    /// How often in a row it was busy or gone.
    pub(crate) strikes: u8,
    /// When it was first found not to answer, since it was last heard of.
    silent: Option<Time>,
    /// Milliseconds to it and back.
    pub(crate) latency: u64,
}

impl Listing {
    fn most(&self, policy: &Policy) -> u32 {
        u32::from(self.offer.capacity.cores.max(1)).saturating_mul(policy.depth)
    }

    /// Whether it is left alone.
    pub(crate) fn rests(&self, now: Time) -> bool {
        self.rest.0 > now
    }

    /// For how many seconds it has not answered, if it does not.
    pub(crate) fn silent_for(&self, now: Time) -> Option<u64> {
        self.silent.map(|since| now.since(since) / 1_000)
    }

    /// Whether it would take one more.
    fn is_ready(&self, now: Time) -> bool {
        let has_room = self.offer.free > 0 || self.flying > 0;
        has_room && self.flying < self.window && !self.rests(now) && self.offer.expires > now.0
    }
}

/// The providers that do for one need and have room, and the jobs that have it and want seats.
struct Pool {
    need: Need,
    ready: Vec<NodeKey>,
    places: BTreeMap<NodeKey, usize>,
    jobs: usize,
}

impl Pool {
    fn put(&mut self, node: NodeKey) {
        if !self.places.contains_key(&node) {
            self.places.insert(node, self.ready.len());
            self.ready.push(node);
        }
    }

    fn take(&mut self, node: &NodeKey) {
        let Some(place) = self.places.remove(node) else {
            return;
        };
        self.ready.swap_remove(place);
        if let Some(moved) = self.ready.get(place) {
            self.places.insert(*moved, place);
        }
    }
}

/// All that is offered.
pub(crate) struct Market {
    ledger: Digest,
    own: Account,
    listings: BTreeMap<NodeKey, Listing>,
    /// All of them, by when their offers came.
    heard: BTreeSet<(Time, NodeKey)>,
    excluded: BTreeMap<Account, Time>,
    /// What operators have earned from this node's jobs that are over, as far as it remembers these. They
    /// let it owe as much more.
    paid: BTreeMap<Account, u128>,
    pools: BTreeMap<Digest, Pool>,
}

/// What is looked for.
pub(crate) struct Search<'a> {
    pub(crate) pool: &'a Digest,
    pub(crate) draw: u64,
    /// Operators that had a turn.
    pub(crate) seated: &'a [Account],
    /// What one run takes.
    pub(crate) run: Run,
}

impl Market {
    pub(crate) fn new(ledger: Digest, own: Account) -> Self {
        Self {
            ledger,
            own,
            listings: BTreeMap::new(),
            heard: BTreeSet::new(),
            excluded: BTreeMap::new(),
            paid: BTreeMap::new(),
            pools: BTreeMap::new(),
        }
    }

    pub(crate) fn listings(&self) -> impl Iterator<Item = (&NodeKey, &Listing)> {
        self.listings.iter()
    }

    pub(crate) fn listing(&self, node: &NodeKey) -> Option<&Listing> {
        self.listings.get(node)
    }

    /// Takes an offer, unless a newer one of the node is known. Where there are too many, the one that
    /// came longest ago goes, of those whose nodes have no turn of ours and whose operators have not
    /// `worked`: names cost nothing, and whoever has many must not keep out whoever does something.
    pub(crate) fn offer(
        &mut self,
        offer: Offer,
        now: Time,
        policy: &Policy,
        alarms: &mut Alarms,
        worked: impl Fn(&Account) -> bool,
    ) {
        let node = offer.node;
        let is_new = !self.listings.contains_key(&node) && offer.expires > now.0;
        if is_new && self.listings.len() >= policy.offers {
            self.make_room(alarms, worked);
        }
        let is_full = self.listings.len() >= policy.offers;
        match self.listings.get_mut(&node) {
            Some(listing) if listing.offer.sequence >= offer.sequence => return,
            Some(listing) => {
                // It may not do any more for what it did before.
                self.pools.values_mut().for_each(|pool| pool.take(&node));
                self.heard.remove(&(listing.heard, node));
                listing.heard = now;
                listing.offer = offer;
                // Whoever offers again is there, and says itself what it takes; but of its disk it says how
                // much it may use, not how much there is.
                listing.silent = None;
                if listing.rest.1 != Unfit::Refused(Refusal::Disk) {
                    listing.rest.0 = listing.rest.0.min(now);
                }
                listing.window = listing.window.clamp(1, listing.most(policy));
            }
            None if is_full || offer.expires <= now.0 => return,
            None => {
                let window = u32::from(offer.capacity.cores.max(1));
                let listing = Listing {
                    offer,
                    heard: now,
                    flying: 0,
                    window,
                    rest: (Time::default(), Unfit::Busy),
                    strikes: 0,
                    silent: None,
                    latency: 0,
                };
                self.listings.insert(node, listing);
            }
        }
        self.heard.insert((now, node));
        let expires = Time(self.listings[&node].offer.expires);
        alarms.set(Alarm::Expiry(node), expires);
        self.changed(&node, now);
    }

    fn make_room(&mut self, alarms: &mut Alarms, worked: impl Fn(&Account) -> bool) {
        let is_idle = |node: &NodeKey| {
            let listing = self.listings.get(node);
            listing.is_some_and(|known| known.flying == 0 && !worked(&known.offer.operator))
        };
        let mut oldest = self.heard.iter().map(|(_, node)| node).take(LOOKED_AT);
        if let Some(node) = oldest.find(|node| is_idle(node)).copied() {
            alarms.clear(Alarm::Expiry(node));
            self.remove(&node);
        }
    }

    fn remove(&mut self, node: &NodeKey) {
        self.pools.values_mut().for_each(|pool| pool.take(node));
        if let Some(listing) = self.listings.remove(node) {
            self.heard.remove(&(listing.heard, *node));
        }
    }

    /// Forgets a node whose offer is over.
    pub(crate) fn expire(&mut self, node: &NodeKey, now: Time) {
        let is_over = |listing: &Listing| listing.offer.expires <= now.0;
        if self.listings.get(node).is_some_and(is_over) {
            self.remove(node);
        }
    }

    /// Gives nothing to that operator until then.
    pub(crate) fn exclude(
        &mut self,
        operator: Account,
        until: Time,
        now: Time,
        alarms: &mut Alarms,
    ) {
        self.excluded.insert(operator, until);
        let nodes = self.listings.iter();
        let nodes = nodes.filter(|(_, listing)| listing.offer.operator == operator);
        let nodes: Vec<_> = nodes.map(|(node, _)| *node).collect();
        for node in nodes {
            alarms.set(Alarm::Rest(node), until);
            self.changed(&node, now);
        }
    }

    pub(crate) fn round_trip(&mut self, node: &NodeKey, millis: u64) {
        if let Some(listing) = self.listings.get_mut(node) {
            listing.silent = None;
            listing.latency = match listing.latency {
                0 => millis,
                before => (before * 7 + millis) / 8,
            };
        }
    }

    /// Opens the pool of that need, for one job more.
    pub(crate) fn open(&mut self, need: &Need, now: Time) -> Digest {
        let id = need.id();
        if let Some(pool) = self.pools.get_mut(&id) {
            pool.jobs += 1;
            return id;
        }
        let pool = Pool {
            need: need.clone(),
            ready: Vec::new(),
            places: BTreeMap::new(),
            jobs: 1,
        };
        self.pools.insert(id, pool);
        let nodes: Vec<_> = self.listings.keys().copied().collect();
        nodes.iter().for_each(|node| self.changed(node, now));
        id
    }

    pub(crate) fn close(&mut self, pool: &Digest) {
        let Some(found) = self.pools.get_mut(pool) else {
            return;
        };
        found.jobs -= 1;
        if found.jobs == 0 {
            self.pools.remove(pool);
        }
    }

    /// Whether anyone in that pool has room.
    pub(crate) fn has_room(&self, pool: &Digest) -> bool {
        let pool = self.pools.get(pool);
        pool.is_some_and(|pool| !pool.ready.is_empty())
    }

    /// Why that offer does not do for any unit of that need, whatever its load.
    fn fit(&self, need: &Need, listing: &Listing) -> Result<(), Unfit> {
        need.fits(&listing.offer, &self.ledger)?;
        if listing.offer.operator == self.own {
            return Err(Unfit::Own);
        }
        match self.excluded.contains_key(&listing.offer.operator) {
            true => Err(Unfit::Excluded),
            false => Ok(()),
        }
    }

    /// Why that offer does not do for that run of a unit of that need, whatever its load.
    pub(crate) fn fits(&self, need: &Need, run: &Run, listing: &Listing) -> Result<(), Unfit> {
        self.fit(need, listing)?;
        self.is_large_enough(run, &listing.offer)
    }

    fn is_large_enough(&self, run: &Run, offer: &Offer) -> Result<(), Unfit> {
        let paid = self.paid.get(&offer.operator);
        run.fits(offer, paid.copied().unwrap_or_default())
    }

    /// An operator has earned so much from a job that is over.
    pub(crate) fn paid(&mut self, operator: Account, amount: u128) {
        let paid = self.paid.entry(operator).or_default();
        *paid = paid.saturating_add(amount);
    }

    /// Of the providers that have room some are drawn, and of the best of these one. `score` is less
    /// for a better one.
    pub(crate) fn pick(
        &self,
        search: &Search<'_>,
        policy: &Policy,
        score: impl Fn(&Listing) -> u128,
    ) -> Option<NodeKey> {
        let ready = &self.pools.get(search.pool)?.ready;
        let start = search.draw.checked_rem(ready.len() as u64)? as usize;
        let (before, after) = ready.split_at(start);
        // Nodes that do not do are looked at too, so they are bounded as well.
        let looked_at = after.iter().chain(before).take(8 * policy.considered);
        let drawn = looked_at.filter_map(|node| {
            let listing = self.listings.get(node)?;
            let is_seated = search.seated.contains(&listing.offer.operator);
            let does = !is_seated && self.is_large_enough(&search.run, &listing.offer).is_ok();
            does.then_some((score(listing), *node))
        });
        let mut best: Vec<_> = drawn.take(policy.considered).collect();
        best.sort_unstable();
        best.truncate(policy.finalists.max(1));
        // Nobody who is far worse than the best gets in by luck.
        let enough = best.first()?.0.saturating_mul(5) / 4;
        let finalists = best
            .iter()
            .take_while(|(score, _)| *score <= enough)
            .count();
        let place = (search.draw >> 32) as usize % finalists.max(1);
        best.get(place).map(|(_, node)| *node)
    }

    /// A seat goes to it.
    pub(crate) fn seat(&mut self, node: &NodeKey, now: Time) {
        if let Some(listing) = self.listings.get_mut(node) {
            listing.flying += 1;
        }
        self.changed(node, now);
    }

    /// It has committed to a turn, so long after it was asked.
    pub(crate) fn committed(&mut self, node: &NodeKey, took: u64, now: Time, policy: &Policy) {
        if let Some(listing) = self.listings.get_mut(node) {
            listing.flying = listing.flying.saturating_sub(1);
            listing.strikes = 0;
            let most = listing.most(policy);
            let least = u32::from(listing.offer.capacity.cores.max(1));
            listing.window = match took <= millis(policy.queue_time) {
                true => (listing.window + 1).min(most),
                false => (listing.window - listing.window / 8)
                    .saturating_sub(1)
                    .max(least),
            };
        }
        self.changed(node, now);
    }

    /// A turn of it is over without a result of it.
    pub(crate) fn released(&mut self, node: &NodeKey, now: Time) {
        if let Some(listing) = self.listings.get_mut(node) {
            listing.flying = listing.flying.saturating_sub(1);
        }
        self.changed(node, now);
    }

    /// It was busy or gone: it is left alone for a while.
    pub(crate) fn rest(
        &mut self,
        node: &NodeKey,
        why: Unfit,
        now: Time,
        policy: &Policy,
        alarms: &mut Alarms,
    ) {
        if let Some(listing) = self.listings.get_mut(node) {
            let span = back_off(policy.rest, policy.longest_rest, listing.strikes);
            listing.strikes = listing.strikes.saturating_add(1);
            listing.rest = (now.after(span), why);
            listing.window = listing.flying.max(1);
            alarms.set(Alarm::Rest(*node), listing.rest.0);
        }
        self.changed(node, now);
    }

    /// It does not answer: it is left alone for a while.
    pub(crate) fn miss(&mut self, node: &NodeKey, now: Time, policy: &Policy, alarms: &mut Alarms) {
        self.unheard(node, now);
        self.rest(node, Unfit::Silent { seconds: 0 }, now, policy, alarms);
    }

    /// It has not answered yet.
    pub(crate) fn unheard(&mut self, node: &NodeKey, now: Time) {
        if let Some(listing) = self.listings.get_mut(node) {
            listing.silent.get_or_insert(now);
        }
    }

    /// It says something.
    pub(crate) fn heard_of(&mut self, node: &NodeKey) {
        if let Some(listing) = self.listings.get_mut(node) {
            listing.silent = None;
        }
    }

    /// Looks again whether that node has room.
    pub(crate) fn changed(&mut self, node: &NodeKey, now: Time) {
        let Some(listing) = self.listings.get(node) else {
            return;
        };
        let operator = &listing.offer.operator;
        let over = |until: &Time| *until <= now;
        if self.excluded.get(operator).is_some_and(over) {
            self.excluded.remove(operator);
        }
        let listing = &self.listings[node];
        let is_ready = listing.is_ready(now)
            && listing.offer.operator != self.own
            && !self.excluded.contains_key(&listing.offer.operator);
        for pool in self.pools.values_mut() {
            let is_in = pool.places.contains_key(node);
            let fits = is_ready && (is_in || pool.need.fits(&listing.offer, &self.ledger).is_ok());
            match (is_in, fits) {
                (false, true) => pool.put(*node),
                (true, false) => pool.take(node),
                _ => {}
            }
        }
    }

    /// Why a provider that does has no room, if it has none.
    pub(crate) fn load(listing: &Listing, now: Time) -> Option<Unfit> {
        match () {
            () if listing.rests(now) => Some(listing.rest.1.clone()),
            () if !listing.is_ready(now) => Some(Unfit::Busy),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use opensky_protocol::{Capacity, Limits, PriceTerms, Profile};

    use super::*;

    const ASK: PriceTerms = PriceTerms {
        dispatch: 10,
        per_gfuel: 10,
        per_gib: 10,
    };
    const LEDGER: Digest = Digest([1; 32]);

    fn offer(number: u8) -> Offer {
        Offer {
            node: NodeKey([number; 32]),
            operator: Account([number; 32]),
            ledger: LEDGER,
            sequence: 1,
            expires: 1_000_000,
            ask: ASK,
            credit: 10,
            capacity: Capacity {
                cores: 2,
                memory: 1_000,
                disk: 1_000,
                uplink: 1_000,
            },
            free: 2,
            speed: 1_000,
            profiles: vec![Profile::new("1")],
            labels: BTreeMap::from([("region".into(), "eu".into())]),
        }
    }

    fn need() -> Need {
        Need {
            profile: Profile::new("1"),
            memory: 1_000,
            price: ASK,
            require: BTreeMap::new(),
        }
    }

    struct Place {
        market: Market,
        policy: Policy,
        alarms: Alarms,
        pool: Digest,
    }

    impl Place {
        fn new(offers: impl IntoIterator<Item = Offer>) -> Self {
            let mut market = Market::new(LEDGER, Account([0; 32]));
            let (policy, mut alarms) = (Policy::default(), Alarms::default());
            let pool = market.open(&need(), Time(0));
            for one in offers {
                market.offer(one, Time(0), &policy, &mut alarms, |_| false);
            }
            Self {
                market,
                policy,
                alarms,
                pool,
            }
        }

        fn pick(&self, draw: u64, seated: &[Account]) -> Option<u8> {
            self.pick_for(0, draw, seated)
        }

        /// Who gets a unit that may use so much fuel.
        fn pick_for(&self, fuel: u64, draw: u64, seated: &[Account]) -> Option<u8> {
            let limits = Limits {
                fuel,
                memory: 1_000,
                output: 1_000,
                log: 0,
            };
            let search = Search {
                pool: &self.pool,
                draw,
                seated,
                run: Run {
                    limits,
                    input_len: 0,
                    cap: ASK,
                },
            };
            let price = |listing: &Listing| listing.offer.ask.per_gfuel;
            let node = self.market.pick(&search, &self.policy, price)?;
            Some(node.0[0])
        }
    }

    #[test]
    fn each_reason_keeps_an_offer_away() {
        let check = |change: fn(&mut Offer, &mut Need), unfit: Unfit| {
            let (mut offer, mut need) = (offer(1), need());
            assert_eq!(need.fits(&offer, &LEDGER), Ok(()));
            change(&mut offer, &mut need);
            assert_eq!(need.fits(&offer, &LEDGER), Err(unfit));
        };
        check(|offer, _| offer.ledger = Digest([2; 32]), Unfit::Ledger);
        check(|_, need| need.profile = Profile::new("2"), Unfit::Profile);
        let (has, needs) = (999, 1_000);
        check(
            |offer, _| offer.capacity.memory = 999,
            Unfit::Memory { has, needs },
        );
        check(|offer, _| offer.ask.per_gib = 11, Unfit::Price);
        check(
            |_, need| {
                let values = BTreeSet::from(["us".to_owned()]);
                need.require.insert("region".into(), values);
            },
            Unfit::Label("region".into()),
        );
    }

    #[test]
    fn seats_are_spread_over_the_best_and_not_over_the_rest() {
        let mut offers: Vec<Offer> = (1..=20).map(offer).collect();
        offers[8..]
            .iter_mut()
            .for_each(|offer| offer.ask.per_gfuel = 10);
        offers[..8]
            .iter_mut()
            .for_each(|offer| offer.ask.per_gfuel = 5);
        let place = Place::new(offers);
        let draws = (0..1_000u64).map(|draw| draw.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut counts = BTreeMap::<u8, u32>::new();
        for draw in draws {
            *counts.entry(place.pick(draw, &[]).unwrap()).or_default() += 1;
        }
        assert!(counts.keys().all(|node| *node <= 8), "{counts:?}");
        // Ties go to some of the equals, by their names: at least as many as there are finalists.
        assert!(counts.len() >= 4, "{counts:?}");
    }

    #[test]
    fn operators_that_are_seated_full_or_resting_get_nothing() {
        let mut place = Place::new([offer(1), offer(2)]);
        let both = [Account([1; 32]), Account([2; 32])];
        assert_eq!(place.pick(0, &both[..1]), Some(2));
        assert_eq!(place.pick(0, &both), None);

        let second = NodeKey([2; 32]);
        place.market.seat(&second, Time(0));
        assert_eq!(place.pick(0, &both[..1]), Some(2));
        place.market.seat(&second, Time(0));
        assert_eq!(place.pick(0, &both[..1]), None, "its window is full");
        place.market.committed(&second, 1, Time(0), &place.policy);
        assert_eq!(place.pick(0, &both[..1]), Some(2));

        place.market.rest(
            &second,
            Unfit::Busy,
            Time(0),
            &place.policy,
            &mut place.alarms,
        );
        assert_eq!(place.pick(0, &both[..1]), None, "it rests");
        let later = Time(0).after(place.policy.rest);
        place.market.released(&second, later);
        assert_eq!(place.pick(0, &both[..1]), Some(2));

        let end = Time(1_000_000);
        place.market.exclude(both[1], end, later, &mut place.alarms);
        assert_eq!(place.pick(0, &both[..1]), None, "it was caught");
        place.market.expire(&second, end);
        place.market.expire(&NodeKey([1; 32]), end);
        assert_eq!(place.pick(0, &[]), None, "the offers are over");
        assert_eq!(place.market.listings().count(), 0);
    }

    #[test]
    fn silence_lasts_from_the_first_miss_until_something_is_heard() {
        let mut place = Place::new([offer(1)]);
        let node = NodeKey([1; 32]);
        let (market, policy) = (&mut place.market, &place.policy);
        let alarms = &mut place.alarms;
        let silent = |market: &Market| market.listing(&node).unwrap().silent_for(Time(9_000));
        market.miss(&node, Time(1_000), policy, alarms);
        market.miss(&node, Time(5_000), policy, alarms);
        assert_eq!(silent(market), Some(8));
        market.heard_of(&node);
        market.rest(&node, Unfit::Busy, Time(6_000), policy, alarms);
        assert_eq!(silent(market), None, "it has answered: it is busy");
        market.miss(&node, Time(7_000), policy, alarms);
        let mut again = offer(1);
        again.sequence = 2;
        market.offer(again, Time(8_000), policy, alarms, |_| false);
        assert_eq!(silent(market), None);
    }

    #[test]
    fn new_offer_ends_every_rest_but_that_of_a_full_disk() {
        let mut place = Place::new([offer(1)]);
        let node = NodeKey([1; 32]);
        let (market, policy) = (&mut place.market, &place.policy);
        for (sequence, why, rests) in [
            (2, Unfit::Busy, false),
            (3, Unfit::Refused(Refusal::Disk), true),
        ] {
            market.rest(&node, why, Time(1_000), policy, &mut place.alarms);
            let mut again = offer(1);
            again.sequence = sequence;
            market.offer(again, Time(1_001), policy, &mut place.alarms, |_| false);
            assert_eq!(market.listing(&node).unwrap().rests(Time(1_002)), rests);
        }
    }

    #[test]
    fn nobody_is_asked_for_a_unit_that_can_cost_more_than_it_lets_a_requester_owe() {
        let mut generous = offer(2);
        generous.credit = 20;
        let mut place = Place::new([offer(1), generous]);
        let second = [Account([2; 32])];
        assert_eq!(place.pick_for(0, 0, &second), Some(1));
        let gfuel = 1_000_000_000;
        for draw in 0..10 {
            assert_eq!(place.pick_for(gfuel, draw, &[]), Some(2));
        }
        assert_eq!(place.pick_for(gfuel, 0, &second), None);
        assert_eq!(place.pick_for(2 * gfuel, 0, &[]), None);
        place.market.paid(Account([1; 32]), 20);
        assert_eq!(place.pick_for(2 * gfuel, 0, &[]), Some(1), "it was paid");
    }

    #[test]
    fn only_the_newest_offer_of_a_node_counts_and_there_are_never_too_many() {
        let mut place = Place::new([offer(1)]);
        let mut newer = offer(1);
        newer.sequence = 2;
        newer.ask.per_gfuel = 11;
        let (policy, alarms) = (&place.policy, &mut place.alarms);
        let nobody = |_: &Account| false;
        place.market.offer(newer, Time(0), policy, alarms, nobody);
        place
            .market
            .offer(offer(1), Time(0), policy, alarms, nobody);
        assert_eq!(place.pick(0, &[]), None, "the newer one asks too much");

        place.policy.offers = 2;
        let (policy, alarms) = (&place.policy, &mut place.alarms);
        (2..10).for_each(|number| {
            let offer = offer(number);
            place.market.offer(offer, Time(0), policy, alarms, nobody);
        });
        assert_eq!(place.market.listings().count(), 2);
        assert_eq!(place.market.heard.len(), 2);
    }

    #[test]
    fn flood_of_names_keeps_nobody_out_and_pushes_nobody_out_who_works() {
        let mut place = Place::new((1..=4).map(offer));
        place.policy.offers = 4;
        let worked = |operator: &Account| operator.0[0] == 1;
        place.market.seat(&NodeKey([2; 32]), Time(0));
        let (policy, alarms) = (&place.policy, &mut place.alarms);
        let listed = |market: &Market| -> Vec<u8> {
            let nodes = market.listings.keys();
            nodes.map(|node| node.0[0]).collect()
        };
        // The fourth offers again, so the third is the one that was heard of longest ago.
        let mut again = offer(4);
        again.sequence = 2;
        place.market.offer(again, Time(1), policy, alarms, worked);
        place
            .market
            .offer(offer(5), Time(2), policy, alarms, worked);
        assert_eq!(listed(&place.market), [1, 2, 4, 5]);
        for number in 6..100 {
            let now = Time(u64::from(number));
            place
                .market
                .offer(offer(number), now, policy, alarms, worked);
        }
        assert_eq!(listed(&place.market), [1, 2, 98, 99]);
        assert_eq!(place.market.heard.len(), 4);
        let all = |_: &Account| true;
        place
            .market
            .offer(offer(100), Time(100), policy, alarms, all);
        assert_eq!(listed(&place.market), [1, 2, 98, 99], "all of them work");
        assert_eq!(place.market.pools[&place.pool].ready.len(), 4);
    }

    #[test]
    fn quick_providers_get_more_at_once_and_slow_ones_less() {
        let mut place = Place::new([offer(1)]);
        let node = NodeKey([1; 32]);
        let window = |place: &Place| place.market.listing(&node).unwrap().window;
        let policy = place.policy.clone();
        for _ in 0..1_000 {
            place.market.committed(&node, 10, Time(0), &policy);
        }
        assert_eq!(window(&place), 2 * policy.depth);
        for _ in 0..1_000 {
            place.market.committed(&node, 10_000, Time(0), &policy);
        }
        assert_eq!(window(&place), 2);
    }
}
