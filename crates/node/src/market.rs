//! The offers that are known: this node's own is announced by digest, those of others are asked for
//! when an announcement says that there is something new. An announcement is passed on once the offer
//! that it is about is here: so whoever passes one on has the offer, and hardly anybody else needs to be
//! asked.

mod board;
mod tempo;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_core::Event;
use opensky_network::{AnnounceError, Network, Verdict};
use opensky_protocol::{
    Account, Digest, NodeKey, Offer, Reply, Request, SecretKey, Signed, Verified, codec,
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use tokio::{
    sync::{Mutex as Turn, Semaphore, mpsc},
    task::spawn_blocking,
    time::{sleep, timeout},
};

use self::{
    board::{Board, Seen},
    tempo::Tempo,
};
use crate::{clock::Clock, metrics::Metrics, tasks::Tasks};

/// Offers that are kept, at most.
const KEPT: usize = 10_000;
/// Offers in one reply, the own one first.
const TOLD: usize = 256;
/// An announcement that nobody heard is made again after this.
const AGAIN: Duration = Duration::from_millis(300);
/// Nodes that are asked for all that they know at once: any of them may be slow, or have to be looked for.
const ASKED: usize = 32;
/// Nodes that are asked for what they passed on, at once: as many as may be connected.
const ASKED_FOR_SOME: usize = 256;
/// Announcements that wait while whoever passed them on is asked.
const WAITING: usize = 64;
/// Authors that are asked themselves, at once: they may have to be looked for. And of what one passed on at
/// once and did not have.
const AUTHORS: usize = 8;
const AUTHORS_OF_ONE: usize = 4;
/// How long whoever passed something on may take to say what it is. An announcement that is not judged by
/// then nobody passes on.
const SOON: Duration = Duration::from_secs(5);
/// How often some other node is asked for what it knows, in case announcements were lost.
const ROUND: Duration = Duration::from_secs(15);
/// How far ahead an offer may end, in milliseconds: many times an offer's life, for clocks that differ.
const LONGEST: u64 = 10 * 60_000;

/// What is announced: that its author has an offer of this number, with these bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
struct Announcement {
    sequence: u64,
    digest: Digest,
}

/// A handle of the market. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Market(Arc<Stalls>);

struct Stalls {
    network: Network,
    secret: Arc<SecretKey>,
    draws: [u8; 32],
    events: mpsc::Sender<Event>,
    metrics: Metrics,
    clock: Clock,
    tasks: Tasks,
    state: Mutex<State>,
    /// Whose turn it is to have signatures checked: they take a moment each.
    checking: Turn<()>,
    authors: Semaphore,
}

struct State {
    own: Option<Verified<Offer>>,
    board: Board,
    asked: BTreeSet<NodeKey>,
    /// Announcements that nobody has proved yet, by who passed them on and is being asked.
    rumours: BTreeMap<NodeKey, Vec<Rumour>>,
    tempo: Tempo,
}

/// An announcement that may be true.
struct Rumour {
    author: NodeKey,
    announcement: Announcement,
    verdict: Verdict,
}

impl Market {
    /// An empty one. Offers that come are told to `events`; `draws` is a secret that decides who is
    /// asked first.
    pub fn new(
        network: Network,
        secret: Arc<SecretKey>,
        draws: [u8; 32],
        events: mpsc::Sender<Event>,
        metrics: Metrics,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        let state = State {
            own: None,
            board: Board::new(KEPT),
            asked: BTreeSet::new(),
            rumours: BTreeMap::new(),
            tempo: Tempo::new(clock.now()),
        };
        Self(Arc::new(Stalls {
            network,
            secret,
            draws,
            events,
            metrics,
            clock,
            tasks,
            state: Mutex::new(state),
            checking: Turn::new(()),
            authors: Semaphore::new(AUTHORS),
        }))
    }

    /// Signs this node's offer and announces it until somebody hears it, or the next one is there.
    pub fn publish(&self, offer: Offer) {
        let offer = Verified::sign(&self.0.secret, offer);
        let announcement = Announcement {
            sequence: offer.sequence,
            digest: digest(offer.as_signed()),
        };
        self.lock().own = Some(offer);
        self.0.tasks.spawn(self.clone().announce(announcement));
    }

    async fn announce(self, announcement: Announcement) {
        let is_newest = || {
            let sequence = self.own().map(|own| own.value.sequence);
            sequence == Some(announcement.sequence)
        };
        while is_newest() {
            match self.0.network.announce(codec::encode(&announcement)).await {
                Err(AnnounceError::Alone | AnnounceError::Busy) => sleep(AGAIN).await,
                Err(error) => return tracing::debug!(%error, "an offer was not announced"),
                Ok(()) => return,
            }
        }
    }

    /// This node's own offer.
    pub fn own(&self) -> Option<Signed<Offer>> {
        let own = &self.lock().own;
        own.as_ref().map(|own| own.as_signed().clone())
    }

    /// The offers of others that have not ended.
    pub fn known(&self) -> Vec<Offer> {
        let now = self.0.clock.now();
        let state = self.lock();
        let known = state.board.all().filter(|offer| offer.expires > now);
        known.map(|offer| Offer::clone(offer)).collect()
    }

    /// The same, in the order in which their nodes are asked about something: drawn, so that nobody
    /// makes keys that come first, and always the same for one subject, so that who has helped with it
    /// once is found again.
    pub fn drawn(&self, subject: &Digest) -> Vec<Offer> {
        let draw = |key: &[u8; 32]| self.draw(&(subject, key));
        in_turns(self.known(), draw)
    }

    /// What is told to whoever asks for offers: the newest.
    pub fn told(&self) -> Vec<Signed<Offer>> {
        let now = self.0.clock.now();
        let state = self.lock();
        let known = state.board.newest().filter(|offer| offer.expires > now);
        let all = state.own.iter().chain(known).take(TOLD);
        all.map(|offer| offer.as_signed().clone()).collect()
    }

    /// The offers of these nodes that are known; `None` if they are too many.
    pub fn told_of(&self, nodes: &[NodeKey]) -> Option<Vec<Signed<Offer>>> {
        let state = self.lock();
        let own = self.0.secret.node();
        let known = nodes.iter().filter_map(|node| match *node == own {
            true => state.own.as_ref(),
            false => state.board.find(node),
        });
        let signed = || known.map(|offer| offer.as_signed().clone()).collect();
        (nodes.len() <= TOLD).then(signed)
    }

    fn draw(&self, subject: &impl Encode) -> Digest {
        Digest::derive("opensky asking order 1", &(self.0.draws, subject))
    }

    /// `via` has passed on what somebody announced, or announced it itself. It is passed on in turn when
    /// the offer is here.
    pub fn announced(&self, via: NodeKey, author: NodeKey, bytes: &[u8], verdict: Verdict) {
        let Ok(announcement) = codec::decode::<Announcement>(bytes) else {
            return verdict.reject();
        };
        let Announcement { sequence, digest } = announcement;
        let now = self.0.clock.now();
        let mut state = self.lock();
        let seen = state.board.compare(&author, sequence, &digest);
        let is_own = author == self.0.secret.node();
        if is_own || seen == Seen::Other || !state.tempo.admits(via, author, now) {
            return verdict.ignore();
        }
        if seen == Seen::Same {
            return verdict.accept();
        }
        let is_asked = state.rumours.contains_key(&via);
        if !is_asked && state.rumours.len() >= ASKED_FOR_SOME {
            return verdict.ignore();
        }
        let waiting = state.rumours.entry(via).or_default();
        if waiting.len() >= WAITING {
            return verdict.ignore();
        }
        waiting.push(Rumour {
            author,
            announcement,
            verdict,
        });
        if !is_asked {
            self.0.tasks.spawn(self.clone().look_into(via));
        }
    }

    /// Asks a node for what it knows, unless that is being done, or too many are being asked.
    pub fn ask(&self, node: NodeKey) {
        let mut state = self.lock();
        if state.asked.len() < ASKED && state.asked.insert(node) {
            let market = self.clone();
            self.0.tasks.spawn(async move {
                let offers = market.asked(node, &Request::Offers).await;
                market.take_in(node, offers).await;
                market.lock().asked.remove(&node);
            });
        }
    }

    /// Asks one node after the other, for as long as the node runs.
    pub async fn go_round(self) {
        let mut next = 0;
        loop {
            sleep(ROUND).await;
            let Some(status) = self.0.network.status().await else {
                return;
            };
            if let Some(node) = status.connected.get(next % status.connected.len().max(1)) {
                self.ask(*node);
            }
            next += 1;
            self.forget();
        }
    }

    /// Asks a node for what it has passed on, until there is nothing more to ask for.
    async fn look_into(self, via: NodeKey) {
        while let Some(rumours) = self.next_of(via) {
            let authors = rumours.iter().map(|rumour| rumour.author).collect();
            self.ask_for(via, authors).await;
            // Whoever is the first to pass something on, and keeps what it is about to itself, must not
            // be able to hide it.
            for author in self.unproved(&rumours) {
                let Ok(_place) = self.0.authors.try_acquire() else {
                    break;
                };
                self.ask_for(author, vec![author]).await;
            }
            rumours.into_iter().for_each(|rumour| self.judge(rumour));
        }
    }

    /// Takes in what a node has of these, if it says so soon.
    async fn ask_for(&self, node: NodeKey, authors: Vec<NodeKey>) {
        let request = Request::OffersOf(authors.clone());
        let answer = timeout(SOON, self.asked(node, &request)).await;
        let mut offers = answer.unwrap_or_default();
        offers.retain(|offer| authors.contains(&offer.value.node));
        self.take_in(node, offers).await;
    }

    /// A few authors whose offers are not here: those of whom an older one is, before names that may be
    /// nobody's.
    fn unproved(&self, rumours: &[Rumour]) -> Vec<NodeKey> {
        let state = self.lock();
        let is_unproved = |rumour: &&Rumour| {
            let Announcement { sequence, digest } = rumour.announcement;
            state.board.compare(&rumour.author, sequence, &digest) == Seen::Nothing
        };
        let unproved = rumours.iter().filter(is_unproved);
        let mut authors: Vec<NodeKey> = unproved.map(|rumour| rumour.author).collect();
        authors.sort_by_key(|author| state.board.find(author).is_none());
        authors.truncate(AUTHORS_OF_ONE);
        authors
    }

    fn next_of(&self, via: NodeKey) -> Option<Vec<Rumour>> {
        let mut state = self.lock();
        let waiting = std::mem::take(state.rumours.get_mut(&via)?);
        if waiting.is_empty() {
            state.rumours.remove(&via);
            return None;
        }
        Some(waiting)
    }

    fn judge(&self, rumour: Rumour) {
        let Announcement { sequence, digest } = rumour.announcement;
        let state = self.lock();
        match state.board.compare(&rumour.author, sequence, &digest) {
            Seen::Same => rumour.verdict.accept(),
            Seen::Other | Seen::Nothing => rumour.verdict.ignore(),
        }
    }

    /// What a node answers when it is asked for offers: nothing, if it does not.
    async fn asked(&self, node: NodeKey, request: &Request) -> Vec<Signed<Offer>> {
        let reply = self.0.network.ask(node, codec::encode(request)).await;
        match reply.map(|reply| codec::decode(&reply)) {
            Ok(Ok(Reply::Offers(offers))) => offers,
            _ => Vec::new(),
        }
    }

    /// Takes on what a node has told, as far as it is new.
    async fn take_in(&self, from: NodeKey, mut offers: Vec<Signed<Offer>>) {
        offers.truncate(TOLD);
        let new = self.new_ones(from, offers);
        if new.is_empty() {
            return;
        }
        let turn = self.0.checking.lock().await;
        let checked = spawn_blocking(|| new.into_iter().filter_map(Signed::verify).collect());
        let checked: Vec<Verified<Offer>> = checked.await.unwrap_or_default();
        drop(turn);
        for offer in checked {
            self.learn(from, offer).await;
        }
    }

    /// Those that are worth a look at their signature.
    fn new_ones(&self, from: NodeKey, offers: Vec<Signed<Offer>>) -> Vec<Signed<Offer>> {
        let now = self.0.clock.now();
        let own = self.0.secret.node();
        let mut state = self.lock();
        for said in offers.iter().filter(|offer| offer.value.node == from) {
            state.board.confirm(from, said);
        }
        let is_new = |offer: &Offer| {
            let known = state.board.find(&offer.node).map(|known| known.sequence);
            offer.node != own
                // Else whoever lies would do so in somebody else's name. Nodes of this version are their
                // own operators; others have to be looked up in the ledger.
                && offer.operator == Account::from(offer.node)
                && offer.is_bounded()
                && offer.expires > now
                && offer.expires < now.saturating_add(LONGEST)
                && known < Some(offer.sequence)
        };
        let new = offers.into_iter();
        new.filter(|offer| is_new(&offer.value)).collect()
    }

    async fn learn(&self, from: NodeKey, offer: Verified<Offer>) {
        {
            let mut state = self.lock();
            if !state.board.learn(from, offer.clone()) {
                return;
            }
            self.0.metrics.offers.set(state.board.len() as i64);
        }
        // The core ends before those who tell it things.
        let _ = self.0.events.send(Event::Offer(Box::new(offer))).await;
    }

    /// Forgets what has ended.
    fn forget(&self) {
        let now = self.0.clock.now();
        let mut state = self.lock();
        state.board.forget(now);
        self.0.metrics.offers.set(state.board.len() as i64);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(offer: &Signed<Offer>) -> Digest {
    Digest::of(&codec::encode(offer))
}

/// Offers in the order of their operators' draws: first one of each operator, then a second of each that
/// has several, and so on. Many nodes under one name crowd nobody out, and do not come sooner.
fn in_turns(mut offers: Vec<Offer>, draw: impl Fn(&[u8; 32]) -> Digest) -> Vec<Offer> {
    offers.sort_by_cached_key(|offer| draw(&offer.node.0));
    let mut nodes: BTreeMap<Account, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, Offer)> = offers
        .into_iter()
        .map(|offer| {
            let count = nodes.entry(offer.operator).or_default();
            *count += 1;
            (*count, offer)
        })
        .collect();
    turns.sort_by_cached_key(|(turn, offer)| (*turn, draw(&offer.operator.0)));
    turns.into_iter().map(|(_, offer)| offer).collect()
}

#[cfg(test)]
mod tests {
    use opensky_protocol::{Capacity, PriceTerms};

    use super::*;

    fn offer(node: u8, operator: u8) -> Offer {
        Offer {
            node: NodeKey([node; 32]),
            operator: Account([operator; 32]),
            ledger: Digest([0; 32]),
            sequence: 1,
            expires: 1,
            ask: PriceTerms {
                dispatch: 0,
                per_gfuel: 0,
                per_gib: 0,
            },
            credit: 0,
            capacity: Capacity {
                cores: 1,
                memory: 1,
                disk: 1,
                uplink: 1,
            },
            free: 1,
            speed: 1,
            profiles: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    fn order(secret: u8) -> Vec<u8> {
        // Forty low keys of one operator, and three others.
        let many = (0..40).map(|node| offer(node, 1));
        let few = (200..203).map(|node| offer(node, node));
        let draw = |key: &[u8; 32]| Digest::derive("test", &(secret, key));
        let turns = in_turns(many.chain(few).collect(), draw);
        turns.iter().map(|offer| offer.node.0[0]).collect()
    }

    #[test]
    fn nobody_is_crowded_out_by_keys() {
        let firsts = |secret| {
            let mut firsts: Vec<u8> = order(secret)[..4].to_vec();
            firsts.sort_unstable();
            firsts
        };
        for secret in 0..20 {
            assert_eq!(order(secret).len(), 43);
            assert_eq!(firsts(secret)[1..], [200, 201, 202]);
        }
        assert_eq!(order(1), order(1));
        assert_ne!(order(1)[4..], order(2)[4..]);
        assert!((0..20).any(|secret| order(secret)[0] >= 200));
    }
}
