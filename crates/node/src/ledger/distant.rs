//! The ledger that another node keeps: believed for as long as it is the one that this node settles on.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use opensky_network::Network;
use opensky_protocol::{
    Digest, NodeKey, Reply, Request, codec,
    ledger::{LedgerReply, LedgerRequest, Refused},
};

use super::LedgerAway;

/// How long it is believed before it is asked again which one it is. Whoever keeps it may begin
/// another one meanwhile, which takes nothing that is signed for this one.
const BELIEVED: Duration = Duration::from_secs(10);

/// The way to it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Distant(Arc<Way>);

struct Way {
    node: NodeKey,
    network: Network,
    /// The one that this node settles on, once that is known.
    own: OnceLock<Digest>,
    /// When it last was that one.
    seen: Mutex<Option<Instant>>,
    /// One looks, and the others wait for it. Why whoever looked last has seen nothing, and when that was.
    looking: tokio::sync::Mutex<Option<(Instant, LedgerAway)>>,
}

impl Distant {
    /// The one that `node` keeps. Whichever that is, until it is known which one is this node's.
    pub fn new(node: NodeKey, network: Network) -> Self {
        Self(Arc::new(Way {
            node,
            network,
            own: OnceLock::new(),
            seen: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        }))
    }

    /// From now on no other ledger is believed.
    pub fn settle_on(&self, own: Digest) {
        // It is the same for ever.
        let _ = self.0.own.set(own);
    }

    /// Asks one question. May be dropped: then nothing is known about what was asked.
    pub async fn ask(&self, request: LedgerRequest) -> Result<LedgerReply, LedgerAway> {
        let Some(own) = self.0.own.get() else {
            return self.once(request).await;
        };
        self.look(own, Instant::now().checked_sub(BELIEVED)).await?;
        let reply = self.once(request).await;
        match &reply {
            Err(_) => *self.seen() = None,
            // What another one does not know may be in this node's.
            Ok(reply) if is_nothing(reply) => self.look(own, Some(Instant::now())).await?,
            Ok(_) => {}
        }
        reply
    }

    /// Fails if it is another one than `own`, or if that cannot be known. It is asked unless it was that one
    /// since then.
    async fn look(&self, own: &Digest, since: Option<Instant>) -> Result<(), LedgerAway> {
        let is_seen = || self.seen().is_some_and(|seen| Some(seen) >= since);
        if is_seen() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut last = self.0.looking.lock().await;
        if is_seen() {
            return Ok(());
        }
        // Whoever has waited for somebody that looked in vain need not do the same.
        match &*last {
            Some((when, away)) if *when >= begun => return Err(away.clone()),
            _ => {}
        }
        let looked = self.look_now(own).await;
        *last = looked.clone().err().map(|away| (Instant::now(), away));
        looked
    }

    async fn look_now(&self, own: &Digest) -> Result<(), LedgerAway> {
        let now = Instant::now();
        let LedgerReply::Genesis(genesis) = self.once(LedgerRequest::Genesis).await? else {
            return Err(LedgerAway::Senseless);
        };
        let found = genesis.id();
        if found != *own {
            *self.seen() = None;
            tracing::warn!(%own, %found, "another ledger answers: it is not believed");
            return Err(LedgerAway::Other { own: *own, found });
        }
        *self.seen() = Some(now);
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn once(&self, request: LedgerRequest) -> Result<LedgerReply, LedgerAway> {
        let bytes = codec::encode(&Request::Ledger(Box::new(request)));
        let reply = self.0.network.ask(self.0.node, bytes).await;
        let reply = reply.map_err(|error| LedgerAway::Keeper(error.to_string()))?;
        match codec::decode(&reply) {
            Ok(Reply::Busy) => Err(LedgerAway::Unavailable),
            Ok(Reply::Ledger(reply)) => match *reply {
                LedgerReply::Unavailable => Err(LedgerAway::Unavailable),
                reply => Ok(reply),
            },
            _ => Err(LedgerAway::Senseless),
        }
    }
}

/// Whether it says that there is no such thing, or that it is not the one that is meant.
fn is_nothing(reply: &LedgerReply) -> bool {
    match reply {
        LedgerReply::Submitted(answers) => answers.contains(&Err(Refused::Ledger)),
        LedgerReply::Cases(units) => units.is_empty(),
        LedgerReply::Escrow(None)
        | LedgerReply::Status(None)
        | LedgerReply::Case(None)
        | LedgerReply::Node(None) => true,
        _ => false,
    }
}
