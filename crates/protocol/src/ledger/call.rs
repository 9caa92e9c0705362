//! What an account asks of a ledger, and how it signs that.

use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{
    Account, Check, Digest, NodeKey, Signable, Signature, Signed, Statement, Voucher,
    ledger::{Answer, Asked, Data, Evidence, Offered, Rejection, Verdict},
};

/// A call, for an account, once.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Intent {
    /// The ledger's id: the digest of its genesis.
    pub ledger: Digest,
    /// For whom.
    pub account: Account,
    /// Who signs: the account's own key for any call, or a node that it has certified for those that
    /// move no money away from it: see [`Call::is_for_nodes`].
    pub signer: NodeKey,
    /// Counts the signer's intents that the ledger has accepted, from 0. So nodes of one operator do
    /// not get into each other's way.
    pub nonce: u64,
    /// What is asked.
    pub call: Call,
}

impl Intent {
    /// Bytes of one encoded intent: 1 MiB.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Its name: what became of it is told under this.
    pub fn id(&self) -> Digest {
        Digest::derive("opensky intent id 1", self)
    }

    /// Whether the account itself signs.
    pub fn is_owners(&self) -> bool {
        self.account == self.signer.into()
    }
}

impl Signable for Intent {
    const DOMAIN: &'static str = "opensky intent 1";

    fn signer(&self) -> NodeKey {
        self.signer
    }
}

/// A node's word that it works for an operator. Without it anyone could claim a node for themselves.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Consent {
    /// The ledger's id.
    pub ledger: Digest,
    /// The operator.
    pub operator: Account,
    /// The node, which signs.
    pub node: NodeKey,
}

impl Signable for Consent {
    const DOMAIN: &'static str = "opensky consent 1";

    fn signer(&self) -> NodeKey {
        self.node
    }
}

/// What can be asked. Amounts are in the ledger's smallest coin.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum Call {
    /// Makes money for the account, where the ledger has a faucet. Costs no fee.
    Faucet {
        /// How much, at most what the terms say.
        amount: u128,
    },
    /// Gives money to somebody.
    Transfer {
        /// To whom.
        to: Account,
        /// How much.
        amount: u128,
    },
    /// Takes a node on. It stays the account's for ever.
    Certify {
        /// The node's own word.
        consent: Signed<Consent>,
    },
    /// Lets a node go: from now on it signs nothing for the account, and never works for another.
    Revoke {
        /// The node.
        node: NodeKey,
    },
    /// Sets money aside that the account loses if its results are wrong.
    Bond {
        /// How much more.
        amount: u128,
    },
    /// Begins to take it back.
    Unbond {
        /// How much.
        amount: u128,
    },
    /// Takes back what has been unbonding for long enough.
    Withdraw,
    /// Sets money aside for a job.
    OpenEscrow {
        /// The job's order id. It is used up for ever, for every account.
        escrow: Digest,
        /// The node whose tickets and vouchers spend the money.
        requester: NodeKey,
        /// How much.
        amount: u128,
        /// When work ends, in Unix milliseconds.
        deadline: u64,
    },
    /// Sets more aside. Only the payer can, while work goes on.
    TopUp {
        /// For which job.
        escrow: Digest,
        /// How much more.
        amount: u128,
    },
    /// Ends work before the deadline: the time for claims begins. The payer can, and the requester.
    Close {
        /// The escrow.
        escrow: Digest,
    },
    /// Pays vouchers, whosever they are; at most [`Call::MAX_VOUCHERS`]. One that cannot be paid does
    /// not keep the others from it.
    Claim {
        /// What the requesters signed.
        vouchers: Vec<Signed<Voucher>>,
    },
    /// Shows turns of the account that no voucher pays, after work has ended. One that is shown already,
    /// or does not hold, does not keep the others from being claimed.
    Show(Box<Showing>),
    /// Says that the result that was claimed for a unit is wrong.
    Object {
        /// The escrow.
        escrow: Digest,
        /// The unit.
        unit: Digest,
    },
    /// Gives the verdict in a dispute. Only the arbiter can.
    Resolve {
        /// The escrow.
        escrow: Digest,
        /// The unit.
        unit: Digest,
        /// The verdict.
        verdict: Verdict,
    },
    /// Pays what was claimed for these units, or does not: anyone can ask for it, as soon as there is
    /// nothing to object to any more. At most [`Call::MAX_UNITS`]. A ledger may do it unasked.
    Settle {
        /// The escrow.
        escrow: Digest,
        /// The units.
        units: Vec<Digest>,
    },
    /// Gives the payer back what is left, when nothing can be claimed any more and all claims are
    /// settled. Anyone can ask for it, and a ledger may do it unasked.
    Refund {
        /// The escrow.
        escrow: Digest,
    },
    /// What only a chain takes.
    OnChain(Box<OnChain>),
}

/// What is asked of a chain, and of no other ledger: requests for compute, and what operators say to them.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub enum OnChain {
    /// Offers to run requests; nothing any more.
    SetOffer(Option<Offered>),
    /// Says that the account keeps a program at hand until then.
    Pin {
        /// The program.
        program: Digest,
        /// In Unix milliseconds.
        until: u64,
    },
    /// Takes part in a round of the beacon.
    Commit {
        /// Which.
        round: u64,
        /// To a secret.
        commitment: Digest,
    },
    /// Reveals what was committed to.
    Reveal {
        /// In which round.
        round: u64,
        /// The secret.
        secret: Digest,
    },
    /// Asks for compute.
    Request(Asked),
    /// Promises a result, for a committee that the account is in.
    Promise {
        /// The request.
        request: Digest,
        /// See [`Commit::hash_of`](crate::Commit::hash_of).
        promise: Digest,
    },
    /// Shows what was promised.
    Show {
        /// The request.
        request: Digest,
        /// The result.
        statement: Box<Statement>,
        /// Its node's signature.
        signature: Signature,
        /// What hid it.
        salt: Digest,
        /// The output, if it is small: see [`Answer::MAX_INLINE`].
        output: Option<Vec<u8>>,
    },
    /// Says that the account does not keep a program at hand any more.
    Unpin {
        /// The program.
        program: Digest,
    },
}

/// Turns that an operator shows, and the voucher beside which they are owed.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Showing {
    /// The escrow.
    pub escrow: Digest,
    /// The last voucher that the operator got, if it got one. All its claims by evidence from this
    /// escrow name the same.
    pub voucher: Option<Signed<Voucher>>,
    /// The turns that the voucher pays, in its order: at most [`Showing::MAX_OPENED`].
    pub opened: Vec<PaidTurn>,
    /// Turns that it does not pay: at most [`Showing::MAX_EVIDENCE`].
    pub evidence: Vec<Evidence>,
}

/// A turn that a voucher pays.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PaidTurn {
    /// The unit.
    pub unit: Digest,
    /// Which of its assignments.
    pub attempt: u32,
    /// What is paid for it.
    pub amount: u128,
}

impl Call {
    /// Vouchers of one claim: a chain's block has room for that many of as many escrows for as many
    /// operators without an account, and for ten times as many that have these in common.
    pub const MAX_VOUCHERS: usize = 240;
    /// Units that are settled at once: with as many claims as there can be of each, they take half of a
    /// chain's block.
    pub const MAX_UNITS: usize = 8;

    /// Whether a node may sign it for the operator that certified it. These calls bring money in, or
    /// give back what is the account's; the fee of one is never more than it brings in.
    pub fn is_for_nodes(&self) -> bool {
        matches!(
            self,
            Self::Claim { .. }
                | Self::Show(_)
                | Self::Settle { .. }
                | Self::Close { .. }
                | Self::Refund { .. }
        ) || matches!(self, Self::OnChain(call) if call.is_for_nodes())
    }

    /// Whether its lists are within bounds and everything in it is signed: all that can be checked
    /// without the books.
    pub fn is_sound(&self) -> bool {
        self.is_sound_by(NodeKey::signed)
    }

    /// The same, with signatures looked at in another way.
    pub fn is_sound_by(&self, check: Check) -> bool {
        match self {
            Self::Certify { consent } => consent.holds_by(check),
            Self::Claim { vouchers } => {
                vouchers.len() <= Self::MAX_VOUCHERS && Signed::all_hold(vouchers, check)
            }
            Self::Show(showing) => showing.is_sound(check),
            Self::Settle { units, .. } => units.len() <= Self::MAX_UNITS,
            Self::OnChain(call) => call.is_sound(),
            _ => true,
        }
    }
}

impl OnChain {
    /// Whether a node may sign it for its operator: what it says of a request, which costs nothing.
    fn is_for_nodes(&self) -> bool {
        matches!(self, Self::Promise { .. } | Self::Show { .. })
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Request(asked) => match &asked.input {
                Data::Inline(bytes) => bytes.len() <= Asked::MAX_INLINE,
                Data::Blob { .. } => true,
            },
            Self::Show { output, .. } => {
                let mut output = output.iter();
                output.all(|bytes| bytes.len() <= Answer::MAX_INLINE)
            }
            _ => true,
        }
    }
}

impl Showing {
    /// Turns of one opened voucher. Whoever works for longer on one escrow should have claimed its
    /// vouchers while that went on: they are paid whatever it can open.
    pub const MAX_OPENED: usize = 16_384;
    /// Turns that are shown at once.
    pub const MAX_EVIDENCE: usize = 64;

    fn is_sound(&self, check: Check) -> bool {
        self.opened.len() <= Self::MAX_OPENED
            && self.evidence.len() <= Self::MAX_EVIDENCE
            && self.voucher.iter().all(|voucher| voucher.holds_by(check))
            && self.evidence.iter().all(|turn| turn.is_signed(check))
    }

    /// The units that the opened voucher pays.
    ///
    /// # Errors
    /// [`Rejection::Opening`] if these are not the voucher's turns: root, number and sum.
    pub fn paid_units(&self) -> Result<BTreeSet<Digest>, Rejection> {
        let mut root = Voucher::START;
        let mut total = 0u128;
        for turn in &self.opened {
            root = Voucher::extend(&root, &turn.unit, turn.attempt, turn.amount);
            total = total.checked_add(turn.amount).ok_or(Rejection::Opening)?;
        }
        let (named, turns) = self.base();
        if named != (root, total) || turns != self.opened.len() as u64 {
            return Err(Rejection::Opening);
        }
        Ok(self.opened.iter().map(|turn| turn.unit).collect())
    }

    /// Root and sum of the opened voucher, and how many turns it pays.
    pub fn base(&self) -> ((Digest, u128), u64) {
        match &self.voucher {
            Some(signed) => {
                let voucher = &signed.value;
                ((voucher.root, voucher.total), voucher.turns)
            }
            None => ((Voucher::START, 0), 0),
        }
    }
}
