//! The offers that are known: this node's own is announced by digest, those of others are asked for
//! when an announcement says that there is something new.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_core::Event;
use opensky_network::{AnnounceError, Network, Verdict};
use opensky_protocol::{
    Digest, NodeKey, Offer, Reply, Request, SecretKey, Signed, Verified, codec,
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use tokio::{sync::mpsc, task::spawn_blocking, time::sleep};

use crate::{clock::Clock, metrics::Metrics, tasks::Tasks};

/// Offers that are kept, at most.
const KEPT: usize = 10_000;
/// Offers in one reply, the own one first.
const TOLD: usize = 256;
/// An announcement that nobody heard is made again after this.
const AGAIN: Duration = Duration::from_millis(300);
/// Others that are asked for what one that cannot be reached has announced.
const SECOND_HAND: usize = 3;
/// How often some other node is asked for what it knows, in case announcements were lost.
const ROUND: Duration = Duration::from_secs(15);
/// How far ahead an offer may end.
const LONGEST: u64 = 24 * 3_600_000;

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
    events: mpsc::Sender<Event>,
    metrics: Metrics,
    clock: Clock,
    tasks: Tasks,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    own: Option<Verified<Offer>>,
    known: BTreeMap<NodeKey, Verified<Offer>>,
    asked: BTreeSet<NodeKey>,
}

impl Market {
    /// An empty one. Offers that come are told to `events`.
    pub fn new(
        network: Network,
        secret: Arc<SecretKey>,
        events: mpsc::Sender<Event>,
        metrics: Metrics,
        clock: Clock,
        tasks: Tasks,
    ) -> Self {
        Self(Arc::new(Stalls {
            network,
            secret,
            events,
            metrics,
            clock,
            tasks,
            state: Mutex::default(),
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
        let known = state.known.values().filter(|offer| offer.expires > now);
        known.map(|offer| Offer::clone(offer)).collect()
    }

    /// What is told to whoever asks for offers.
    pub fn told(&self) -> Vec<Signed<Offer>> {
        let now = self.0.clock.now();
        let state = self.lock();
        let known = state.known.values().filter(|offer| offer.expires > now);
        let all = state.own.iter().chain(known).take(TOLD);
        all.map(|offer| offer.as_signed().clone()).collect()
    }

    /// Somebody announced something.
    pub fn announced(&self, author: NodeKey, bytes: &[u8], verdict: Verdict) {
        let Ok(announcement) = codec::decode::<Announcement>(bytes) else {
            return verdict.reject();
        };
        let known = self.lock().known.get(&author).map(|offer| offer.sequence);
        if author == self.0.secret.node() || known >= Some(announcement.sequence) {
            return verdict.ignore();
        }
        verdict.accept();
        self.ask(author);
    }

    /// Asks a node for what it knows, unless that is being done.
    pub fn ask(&self, node: NodeKey) {
        if self.lock().asked.insert(node) {
            let market = self.clone();
            self.0.tasks.spawn(async move {
                market.fetch(node).await;
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

    async fn fetch(&self, node: NodeKey) {
        let offers = match self.asked(node).await {
            Some(offers) => offers,
            // Whoever passed its announcement on is connected, and may have asked it.
            None => self.second_hand(node).await,
        };
        let new = self.new_ones(offers);
        // Each signature takes a moment.
        let checked = spawn_blocking(|| new.into_iter().filter_map(Signed::verify).collect());
        let checked: Vec<Verified<Offer>> = checked.await.unwrap_or_default();
        for offer in checked {
            self.learn(offer).await;
        }
    }

    async fn asked(&self, node: NodeKey) -> Option<Vec<Signed<Offer>>> {
        let request = codec::encode(&Request::Offers);
        let reply = self.0.network.ask(node, request).await.ok()?;
        match codec::decode(&reply) {
            Ok(Reply::Offers(offers)) => Some(offers),
            _ => None,
        }
    }

    async fn second_hand(&self, node: NodeKey) -> Vec<Signed<Offer>> {
        let status = self.0.network.status().await;
        let others = status.map_or_else(Vec::new, |status| status.connected);
        let others = others.into_iter().filter(|other| *other != node);
        for other in others.take(SECOND_HAND) {
            if let Some(offers) = self.asked(other).await {
                return offers;
            }
        }
        Vec::new()
    }

    /// Those that are worth a look at their signature.
    fn new_ones(&self, offers: Vec<Signed<Offer>>) -> Vec<Signed<Offer>> {
        let now = self.0.clock.now();
        let own = self.0.secret.node();
        let state = self.lock();
        let is_new = |offer: &Offer| {
            let known = state.known.get(&offer.node).map(|known| known.sequence);
            offer.node != own
                && offer.is_bounded()
                && offer.expires > now
                && offer.expires < now.saturating_add(LONGEST)
                && known < Some(offer.sequence)
        };
        let new = offers.into_iter().take(TOLD);
        new.filter(|offer| is_new(&offer.value)).collect()
    }

    async fn learn(&self, offer: Verified<Offer>) {
        {
            let mut state = self.lock();
            if state.known.len() >= KEPT && !state.known.contains_key(&offer.node) {
                return;
            }
            state.known.insert(offer.node, offer.clone());
            self.0.metrics.offers.set(state.known.len() as i64);
        }
        // The core ends before those who tell it things.
        let _ = self.0.events.send(Event::Offer(Box::new(offer))).await;
    }

    /// Forgets what has ended.
    fn forget(&self) {
        let now = self.0.clock.now();
        let mut state = self.lock();
        state.known.retain(|_, offer| offer.expires > now);
        self.0.metrics.offers.set(state.known.len() as i64);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(offer: &Signed<Offer>) -> Digest {
    Digest::of(&codec::encode(offer))
}
