//! What a ledger begins with: its terms, and who has money.

use alloc::{collections::BTreeMap, string::String};

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{Account, Digest};

/// The rules that a ledger's numbers follow. Amounts are in its smallest coin, times in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Terms {
    /// The most that one call of the faucet makes; 0 is no faucet. For development networks only:
    /// where there is one, money is worth nothing.
    pub faucet: u128,
    /// What one intent costs.
    pub fee: u128,
    /// An account has at least this much free money, or there is no such account.
    pub existential: u128,
    /// From an escrow's end, how long vouchers and evidence are taken.
    pub claims: u64,
    /// After that, how long a claim by evidence can be objected to.
    pub objections: u64,
    /// After that, how long a dispute can wait for its verdict.
    pub verdicts: u64,
    /// How long money that is unbonded can still be lost.
    pub unbonding: u64,
    /// What an operator loses for evidence of a wrong result. It must have bonded as much before it
    /// can claim by evidence at all.
    pub penalty: u128,
    /// What an objection costs whoever is wrong.
    pub objection_bond: u128,
    /// Who gives the verdict in a dispute. On the embedded ledger it is one account, which everyone
    /// trusts as they trust the ledger itself. Without one nobody can object, and of results that
    /// differ none is paid.
    pub arbiter: Option<Account>,
}

const MINUTE: u64 = 60_000;

impl Terms {
    /// Those of a network of one machine: a faucet, no fees, nothing at stake, ten minutes to claim.
    pub const DEVELOPMENT: Self = Self {
        faucet: 1_000_000_000_000_000_000,
        fee: 0,
        existential: 0,
        claims: 10 * MINUTE,
        objections: 5 * MINUTE,
        verdicts: 5 * MINUTE,
        unbonding: 60 * MINUTE,
        penalty: 0,
        objection_bond: 0,
        arbiter: None,
    };

    /// From the first claim by evidence to the last verdict about it.
    pub fn dispute_horizon(&self) -> u64 {
        let after = self.objections.saturating_add(self.verdicts);
        self.claims.saturating_add(after)
    }
}

/// What everyone on a ledger agrees on from the start.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub struct Genesis {
    /// Tells two ledgers of equal terms apart.
    pub name: String,
    /// The rules.
    pub terms: Terms,
    /// Who has how much.
    pub balances: BTreeMap<Account, u128>,
}

/// Why a ledger cannot begin so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GenesisError {
    /// An operator could take its bond away before a verdict.
    #[error("unbonding takes less time than a dispute may")]
    Unbonding,
    /// An account begins with less than the existential deposit.
    #[error("a balance is below the existential deposit")]
    Existential,
    /// All balances together are more than there can be.
    #[error("the balances are too large")]
    Overflow,
}

impl Genesis {
    /// The ledger's id, which every intent, ticket and voucher names.
    pub fn id(&self) -> Digest {
        Digest::derive("opensky genesis 1", self)
    }

    /// Checks that a ledger can begin so.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.terms.unbonding <= self.terms.dispute_horizon() {
            return Err(GenesisError::Unbonding);
        }
        let least = self.terms.existential.max(1);
        if self.balances.values().any(|balance| *balance < least) {
            return Err(GenesisError::Existential);
        }
        self.issued().ok_or(GenesisError::Overflow)?;
        Ok(())
    }

    /// All the money there is at first, if it is not too much.
    pub fn issued(&self) -> Option<u128> {
        let mut balances = self.balances.values();
        balances.try_fold(0u128, |sum, balance| sum.checked_add(*balance))
    }
}
