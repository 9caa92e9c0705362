//! The ledger as this node sees it: in this process, or kept by another node.

#[cfg(test)]
pub(crate) mod bench;
mod distant;
mod keeper;
mod teller;
mod turnstile;

use opensky_ledger::{Chain, ChainAway, ChainStatus, Charter};
use opensky_protocol::{
    Account, Digest, NodeKey, Signed,
    ledger::{
        AccountState, Call, Case, Escrow, Event, Genesis, Intent, LedgerReply, LedgerRequest,
        NodeState, Refused, Rejection, Tab, Terms,
    },
};

pub(crate) use self::{
    distant::Distant,
    keeper::Keeper,
    teller::{Outcome, Signer, Teller, TellerError},
    turnstile::Turnstile,
};
use crate::{clock::Clock, config::LedgerHere};

/// Where the books are. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Books {
    /// Here: this process keeps them.
    Here(Keeper),
    /// There: another node keeps them.
    At(Distant),
    /// Nobody keeps them: they are on a chain.
    Chain(Chain),
}

/// Why there is no answer from the ledger. Nothing is known about what was asked of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerAway {
    /// Whoever keeps it cannot be reached.
    #[error("the ledger's keeper does not answer: {0}")]
    Keeper(String),
    /// Whoever asked has not waited any longer than so many seconds.
    #[error("the ledger's keeper has not answered for {0} s")]
    Slow(u64),
    /// The chain cannot be reached.
    #[error("the chain at {url} does not answer: {why}")]
    Chain {
        /// Where it was asked.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// It cannot do anything now.
    #[error("the ledger is not available now")]
    Unavailable,
    /// It answered something else than what it was asked.
    #[error("the ledger's answer makes no sense")]
    Senseless,
    /// It is another one than the one that the node's data folder belongs to.
    #[error(
        "another ledger answers than this node's, and is not believed: its data folder belongs to {}, \
         and {} answers",
        short_ledger(own),
        short_ledger(found)
    )]
    Other {
        /// The node's own.
        own: Digest,
        /// The one that answers.
        found: Digest,
    },
}

impl Books {
    /// From now on no other ledger is believed.
    pub fn settle_on(&self, own: Digest) {
        match self {
            // Its file is that of one ledger.
            Self::Here(_) => {}
            Self::At(distant) => distant.settle_on(own),
            Self::Chain(chain) => {
                if let Err(error) = chain.settle_on(own) {
                    tracing::error!(%error, "it is not written down which chain this node settles on");
                }
            }
        }
    }

    /// Which ledger it is, and by which rules it goes.
    pub async fn charter(&self) -> Result<Charter, LedgerAway> {
        if let Self::Chain(chain) = self {
            let charter = chain.charter().await;
            return charter.map_err(|away| LedgerAway::of(chain, away));
        }
        match self.ask(LedgerRequest::Genesis).await? {
            LedgerReply::Genesis(genesis) => Ok(Charter {
                id: genesis.id(),
                terms: genesis.terms,
            }),
            _ => Err(LedgerAway::Senseless),
        }
    }

    /// Why it cannot be asked anything now, as far as that is known without asking it.
    pub fn away(&self) -> Option<LedgerAway> {
        match self {
            Self::Here(_) | Self::At(_) => None,
            Self::Chain(chain) => chain.away().map(|away| LedgerAway::of(chain, away)),
        }
    }

    /// Whether a call of which that holds was handed in and is not decided, as far as that is known here.
    pub fn waits_for(&self, holds: impl Fn(&Call) -> bool) -> bool {
        match self {
            Self::Here(_) | Self::At(_) => false,
            Self::Chain(chain) => chain.waits_for(holds),
        }
    }

    /// The time by which it decides, as far as it says so.
    pub async fn now(&self, clock: &Clock) -> Result<u64, LedgerAway> {
        match self {
            Self::Here(_) | Self::At(_) => Ok(clock.now()),
            Self::Chain(chain) => {
                let now = chain.now().await;
                now.map_err(|away| LedgerAway::of(chain, away))
            }
        }
    }

    /// What the account would pay for a call of its own now, by these terms.
    pub async fn fee(&self, call: &Call, terms: &Terms) -> Result<u128, LedgerAway> {
        match self {
            Self::Here(_) | Self::At(_) => Ok(terms.fee),
            Self::Chain(chain) => {
                let fee = chain.fee(call).await;
                fee.map_err(|away| LedgerAway::of(chain, away))
            }
        }
    }

    /// How the chain is, where the books are on one.
    pub async fn chain(&self) -> Option<ChainStatus> {
        match self {
            Self::Here(_) | Self::At(_) => None,
            Self::Chain(chain) => Some(chain.status().await),
        }
    }

    /// Who gives money away, where it is an account that does.
    pub fn faucet(&self, terms: &Terms) -> Option<Account> {
        let is_chain = matches!(self, Self::Chain(_));
        (is_chain && terms.faucet > 0).then(Chain::faucet)
    }

    /// Asks one question. May be dropped: then nothing is known about what was asked.
    pub async fn ask(&self, request: LedgerRequest) -> Result<LedgerReply, LedgerAway> {
        let reply = match self {
            Self::Here(keeper) => keeper.ask(request).await,
            Self::At(distant) => distant.ask(request).await?,
            Self::Chain(chain) => {
                let reply = chain.ask(request).await;
                reply.map_err(|away| LedgerAway::of(chain, away))?
            }
        };
        match reply {
            LedgerReply::Unavailable => Err(LedgerAway::Unavailable),
            reply => Ok(reply),
        }
    }
}

impl LedgerAway {
    fn of(chain: &Chain, away: ChainAway) -> Self {
        match away {
            ChainAway::Unreachable(why) => Self::Chain {
                url: chain.shown_url(),
                why,
            },
            ChainAway::Other { own, found } => Self::Other { own, found },
        }
    }
}

/// A ledger's id for people: long enough to tell it from others.
pub(crate) fn short_ledger(id: &Digest) -> String {
    let mut digits = id.to_string();
    digits.truncate(12);
    digits
}

/// Asks one thing and takes the one answer that there is to it.
macro_rules! asks {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $out:ty,
        $request:expr => $variant:ident($answer:ident) $value:expr;)*) => {
        impl Books {
            $($(#[$doc])* pub async fn $name(&self, $($arg: $type),*) -> Result<$out, LedgerAway> {
                match self.ask($request).await? {
                    LedgerReply::$variant($answer) => Ok($value),
                    _ => Err(LedgerAway::Senseless),
                }
            })*
        }
    };
}

asks! {
    /// Which nonce comes next.
    nonce(signer: NodeKey) -> u64, LedgerRequest::Nonce(signer) => Nonce(next) next;
    /// What an account has.
    account(account: Account) -> AccountState,
        LedgerRequest::Account(account) => Account(state) *state;
    /// An escrow, if there is one of that id.
    escrow(id: Digest) -> Option<Escrow>,
        LedgerRequest::Escrow(id) => Escrow(escrow) escrow.map(|escrow| *escrow);
    /// What an operator has coming from an escrow.
    tab(escrow: Digest, operator: Account) -> Tab,
        LedgerRequest::Tab { escrow, operator } => Tab(tab) tab;
    /// Units of an escrow with claims that are not settled, after that one.
    cases(escrow: Digest, after: Option<Digest>) -> Vec<Digest>,
        LedgerRequest::Cases { escrow, after } => Cases(units) units;
    /// The claims of one unit, if there are any.
    case(escrow: Digest, unit: Digest) -> Option<Case>,
        LedgerRequest::Case { escrow, unit } => Case(case) case.map(|case| *case);
    /// Whose node it is.
    node(node: NodeKey) -> Option<NodeState>, LedgerRequest::Node(node) => Node(state) state;
    /// The last that is known of an intent.
    status(intent: Digest) -> Option<Event>,
        LedgerRequest::Status(intent) => Status(event) event.map(|event| *event);
    /// Hands intents in.
    submit(intents: Vec<Signed<Intent>>) -> Vec<Result<Digest, Refused>>,
        LedgerRequest::Submit(intents) => Submitted(answers) answers;
    /// The newest events that moved an account's money, the newest first.
    history(account: Account, before: u64, limit: u32) -> Vec<Event>,
        LedgerRequest::History { account, before, limit } => Events(events) events;
}

/// What the embedded ledger begins with. Whoever keeps it is its arbiter, so that claims can be
/// objected to; it gives no verdicts by itself, so what is objected to is not paid.
pub(crate) fn genesis(config: &LedgerHere, keeper: Account) -> Genesis {
    Genesis {
        name: config.name.clone(),
        terms: Terms {
            faucet: config.faucet.0,
            fee: config.fee.0,
            existential: config.existential.0,
            claims: config.claims,
            objections: config.objections,
            verdicts: config.verdicts,
            arbiter: Some(keeper),
            ..Terms::DEVELOPMENT
        },
        balances: config.balances.clone(),
    }
}

/// Whether asking again, with another nonce, may help at once.
fn is_passing(reason: Rejection) -> bool {
    reason == Rejection::Dropped
}

/// Whether the same may be granted later: it lacks money that may come, or the moment.
pub(crate) fn may_pass(reason: Rejection) -> bool {
    matches!(
        reason,
        Rejection::Dropped | Rejection::Balance | Rejection::Existential | Rejection::Fee
    )
}
