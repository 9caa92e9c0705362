//! The money of a node's account.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amount, Hex, JobId, Ledger, Time};

/// What an account has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Wallet {
    /// The account.
    pub account: Hex,
    /// Where.
    pub ledger: Ledger,
    /// What can be spent.
    pub free: Amount,
    /// What is set aside: escrows, bonds and objections together.
    pub held: Amount,
    /// What of that stands for its work.
    pub bonded: Amount,
    /// What of it is on its way out of that, the first first: at most 16 parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unbonding: Vec<Unbonding>,
    /// What of that jobs which have ended did not use: it comes back once providers can claim nothing
    /// more. Of the last 64 jobs, where more have ended lately.
    pub returning: Amount,
    /// When the next part of that comes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_return: Option<Time>,
    /// Whether this is worth nothing: the ledger gives money to whoever asks.
    pub play_money: bool,
}

/// Money on its way out of what stands for an account's work.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Unbonding {
    /// How much.
    pub amount: Amount,
    /// When it is free. Until then it can be lost.
    pub ready: Time,
}

/// How much is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// So much.
    pub amount: Amount,
}

/// What is wanted of a faucet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fund {
    /// So much; as much as it gives at once where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
}

/// One line of an account's history.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// When.
    pub at: Time,
    /// What happened.
    pub kind: EntryKind,
    /// How much it was about.
    pub amount: Amount,
    /// What the ledger took for it.
    pub fee: Amount,
    /// The other account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Hex>,
    /// The job it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// More about it, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What happened to an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// The ledger gave it money, or whoever gives it away there.
    Given,
    /// It sent money.
    Sent,
    /// It received money.
    Received,
    /// It set money aside for a job.
    Escrowed,
    /// What a job did not use came back.
    Refunded,
    /// It paid for work.
    Paid,
    /// It was paid for work.
    Earned,
    /// It bonded money.
    Bonded,
    /// It began to take money out of its bond.
    Unbonding,
    /// Money of its bond is free again.
    Withdrawn,
    /// It staked money on an objection.
    Staked,
    /// A stake came back.
    Released,
    /// It lost money.
    Slashed,
    /// It got what others lost.
    Rewarded,
    /// Something that moved nothing of its own.
    Noted,
    /// What it asked for was not done.
    Rejected,
}
