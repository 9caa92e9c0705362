//! The ledger on a chain: what a node asks of it goes there in transactions, and what became of that is read from its
//! finalized blocks.
//!
//! Each intent is written down before it is signed, and each transaction before it is sent, so that nothing is lost and
//! nothing is done twice, whoever is killed: the node, or the chain. While the chain is away intents are taken on and wait.
//!
//! What the chain's node at the other end of the connection says is believed: use one that you trust.

mod api;
mod calls;
mod desk;
mod duties;
mod follow;
mod journal;
mod notes;
mod queue;
mod reads;
mod scan;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use opensky_protocol::{
    Account, Digest, SecretKey, Verified, Voucher,
    ledger::{Asked, Call, LedgerReply, LedgerRequest, Offered, Terms},
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use subxt::{PolkadotConfig, client::OnlineClientAtBlock};
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
};

use self::{calls::Wanted, desk::Desk};
use crate::LedgerError;

pub use self::{
    calls::alice,
    duties::{Duty, Part, Seat},
};

/// The types of this chain are Polkadot's: accounts, addresses, hashes, heads of blocks.
type Config = PolkadotConfig;
/// The chain as it is after one of its blocks.
type At = OnlineClientAtBlock<Config>;

/// A chain that a node settles on. Cheap to clone; it is followed until the last clone is dropped.
#[derive(Clone)]
pub struct Chain(Arc<Handle>);

struct Handle {
    shared: Arc<Shared>,
    follower: AbortHandle,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.follower.abort();
        // It ends when the runtime comes to it; whoever begins again needs the file now.
        self.shared.desk.close();
    }
}

/// What the follower and those who ask have in common.
struct Shared {
    url: String,
    secret: Arc<SecretKey>,
    desk: Desk,
    view: watch::Sender<View>,
    /// Something was taken on.
    asked: Notify,
}

/// How the chain looks now.
#[derive(Clone)]
enum View {
    /// After its last finalized block.
    At(Arc<At>),
    /// Nobody has looked yet.
    Unseen,
    /// It cannot be seen, and why.
    Away(ChainAway),
}

/// Why there is no answer from the chain. Nothing is known about what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainAway {
    /// It cannot be reached, or what it says makes no sense.
    #[error("{0}")]
    Unreachable(String),
    /// It is another one.
    #[error("another chain answers: {found}, not {own}")]
    Other {
        /// The node's own: the hash of its first block.
        own: Digest,
        /// The one that answers.
        found: Digest,
    },
}

/// Tells when there is another block.
pub struct Changes(watch::Receiver<View>);

impl Changes {
    /// Waits for the next one. `None` when the chain is not followed any more.
    pub async fn next(&mut self) -> Option<()> {
        self.0.changed().await.ok()
    }
}

/// What everyone on a ledger agrees on.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking)]
pub struct Charter {
    /// The ledger's id: of a chain, the hash of its first block.
    pub id: Digest,
    /// Its rules, as they are now.
    pub terms: Terms,
}

/// How a chain is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainStatus {
    /// Where it is asked.
    pub url: String,
    /// Its last finalized block, or why that is not known.
    pub finalized: Result<Finalized, ChainAway>,
    /// The block up to which everything is told: it lags behind the last one while there is much to read.
    pub told: Option<u64>,
    /// Intents of this node that are not decided.
    pub waiting: usize,
}

/// A block that will not be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finalized {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: Digest,
    /// When it was made, in Unix milliseconds by the chain's clock.
    pub at: u64,
    /// The version of the runtime that made it.
    pub runtime: u32,
}

impl Chain {
    /// Follows the chain whose JSON-RPC server is at `url` (`ws://` or `wss://`), and signs with that key. What it has to
    /// remember is in the file at `path`. Has to be called in a tokio runtime.
    ///
    /// # Errors
    /// [`LedgerError`] if that file cannot be used. The chain itself may be away.
    pub fn follow(
        path: &Path,
        url: String,
        secret: Arc<SecretKey>,
        operator: Account,
    ) -> Result<Self, LedgerError> {
        let desk = Desk::open(path, secret.node(), operator)?;
        let shared = Arc::new(Shared {
            url,
            secret,
            desk,
            view: watch::Sender::new(View::Unseen),
            asked: Notify::new(),
        });
        let follower = tokio::spawn(follow::follow(shared.clone()));
        let follower = follower.abort_handle();
        Ok(Self(Arc::new(Handle { shared, follower })))
    }

    /// From now on no other chain is believed.
    ///
    /// # Errors
    /// [`LedgerError`] if that cannot be written down.
    pub fn settle_on(&self, id: Digest) -> Result<(), LedgerError> {
        self.0.shared.desk.settle_on(id)
    }

    /// Which chain it is, and by which rules it goes: the fee is that of a claim of one voucher now. Waits until somebody
    /// has tried to reach it.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn charter(&self) -> Result<Charter, ChainAway> {
        let mut view = self.0.shared.view.subscribe();
        // The sender lives as long as this handle.
        let _ = view.wait_for(|view| !matches!(view, View::Unseen)).await;
        let at = self.0.shared.at()?;
        let id = at.genesis_hash().map(|hash| Digest(hash.0));
        let id = id.ok_or_else(|| ChainAway::Unreachable("the chain has no first block".into()))?;
        let fee = follow::patiently(self.fee_at(&at, &self.claim(id))).await?;
        let terms = Terms {
            fee,
            existential: reads::existential(&at)?,
            ..follow::patiently(reads::terms(&at)).await?
        };
        Ok(Charter { id, terms })
    }

    /// What the node would pay for that call now.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn fee(&self, call: &Call) -> Result<u128, ChainAway> {
        self.fee_at(&*self.0.shared.at()?, call).await
    }

    async fn fee_at(&self, at: &At, call: &Call) -> Result<u128, ChainAway> {
        let secret = &*self.0.shared.secret;
        let wanted = Wanted {
            call,
            account: secret.node().into(),
            signer: secret,
            nonce: 0,
        };
        calls::fee(at, wanted).await
    }

    /// A claim of one voucher. Only its length matters.
    fn claim(&self, ledger: Digest) -> Call {
        let secret = &*self.0.shared.secret;
        let voucher = Voucher {
            ledger,
            escrow: Digest([0; 32]),
            requester: secret.node(),
            operator: secret.node().into(),
            total: 0,
            turns: 0,
            root: Voucher::START,
        };
        let voucher = Verified::sign(secret, voucher).into_signed();
        Call::Claim {
            vouchers: vec![voucher],
        }
    }

    /// Who gives money away on a development chain, where its terms have a faucet. Everybody knows the key.
    pub fn faucet() -> Account {
        calls::alice().node().into()
    }

    /// Answers a question. What it has answered to [`LedgerRequest::Submit`] is durable, and needs no chain.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn ask(&self, request: LedgerRequest) -> Result<LedgerReply, ChainAway> {
        let shared = &self.0.shared;
        if let Some(reply) = shared.desk.answer(&request).await {
            if matches!(request, LedgerRequest::Submit(_)) {
                shared.asked.notify_one();
            }
            return Ok(reply);
        }
        let at = shared.at()?;
        follow::patiently(reads::answer(&at, request)).await
    }

    /// What it wants of an operator in the round of the beacon that goes on. Little is read for that: whoever has
    /// committed has to be in time.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn part(&self, operator: &Account) -> Result<Option<Part>, ChainAway> {
        let at = self.0.shared.at()?;
        follow::patiently(duties::in_round(&at, operator)).await
    }

    /// What a request asks for, until it is over. It may have an input: of all that are open together these are megabytes.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn asked(&self, request: &Digest) -> Result<Option<Asked>, ChainAway> {
        let at = self.0.shared.at()?;
        follow::patiently(duties::asked(&at, request)).await
    }

    /// What it wants of an operator in committees now.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn duties(&self, operator: &Account) -> Result<Vec<Duty>, ChainAway> {
        let at = self.0.shared.at()?;
        follow::patiently(duties::of(&at, operator)).await
    }

    /// What an operator offers to requests, if it can be drawn.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn offered(&self, operator: &Account) -> Result<Option<Offered>, ChainAway> {
        let at = self.0.shared.at()?;
        follow::patiently(duties::listed(&at, operator)).await
    }

    /// What an operator has to have bonded at least to offer anything, in the chain's smallest coin; not nothing.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub fn least_stake(&self) -> Result<u128, ChainAway> {
        duties::least_stake(&*self.0.shared.at()?)
    }

    /// The programs that an operator has said it keeps at hand, and until when, in Unix milliseconds.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn pinned(&self, operator: &Account) -> Result<BTreeMap<Digest, u64>, ChainAway> {
        let at = self.0.shared.at()?;
        follow::patiently(duties::pinned(&at, operator)).await
    }

    /// Whether a call of which that holds was taken on and is not decided.
    pub fn waits_for(&self, holds: impl Fn(&Call) -> bool) -> bool {
        self.0.shared.desk.waits_for(holds)
    }

    /// When the last finalized block was made, in Unix milliseconds by the chain's clock.
    ///
    /// # Errors
    /// [`ChainAway`].
    pub async fn now(&self) -> Result<u64, ChainAway> {
        let at = self.0.shared.at()?;
        follow::patiently(reads::time(&at)).await
    }

    /// Waits until the chain looks otherwise than when it was asked for last.
    pub fn changes(&self) -> Changes {
        Changes(self.0.shared.view.subscribe())
    }

    /// Where it is asked, for people.
    pub fn shown_url(&self) -> String {
        shown_url(&self.0.shared.url)
    }

    /// How it is now.
    pub async fn status(&self) -> ChainStatus {
        let shared = &self.0.shared;
        ChainStatus {
            url: shown_url(&shared.url),
            finalized: self.finalized().await,
            told: shared.desk.seen().map(|seen| seen.number),
            waiting: shared.desk.waiting(),
        }
    }

    async fn finalized(&self) -> Result<Finalized, ChainAway> {
        let at = self.0.shared.at()?;
        Ok(Finalized {
            number: at.block_number(),
            hash: Digest(at.block_hash().0),
            at: reads::time(&at).await?,
            runtime: at.spec_version(),
        })
    }

    /// Why it cannot be asked anything now, if it cannot.
    pub fn away(&self) -> Option<ChainAway> {
        self.0.shared.at().err()
    }
}

/// A chain's address without what may be secret in it: names and passwords, and keys, which servers have in paths and queries.
pub fn shown_url(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let more = if path.len() > 1 { "/…" } else { "" };
    format!("{scheme}://{host}{more}")
}

impl Shared {
    fn at(&self) -> Result<Arc<At>, ChainAway> {
        match &*self.view.borrow() {
            View::At(at) => Ok(at.clone()),
            View::Unseen => Err(ChainAway::Unreachable("nobody has asked it yet".into())),
            View::Away(away) => Err(away.clone()),
        }
    }
}

impl<E: Into<subxt::Error>> From<E> for ChainAway {
    fn from(error: E) -> Self {
        Self::Unreachable(told(&error.into()))
    }
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}
