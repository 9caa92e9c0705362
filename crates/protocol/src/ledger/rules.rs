//! The rule book: what each call does to a ledger's state. Every ledger goes by these same lines, whatever it keeps
//! its state in.

pub mod bonds;
pub mod disputes;
pub mod escrows;
mod upkeep;

use alloc::vec::Vec;

use crate::{
    Account, Digest, NodeKey,
    ledger::{Call, Case, Escrow, Fact, NodeState, Operator, Rejection, Tab, Terms},
};

pub use self::upkeep::tend;

/// What an account's money is held for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A job's escrow.
    Escrow,
    /// What an operator can lose.
    Bond,
    /// What an objection costs whoever is wrong.
    Objection,
}

/// Operators and their money: what the rules for bonds need of a ledger. A row that was never written is the default one.
pub trait Register {
    /// The ledger's id.
    fn id(&self) -> Digest;

    /// Its rules.
    fn terms(&self) -> Terms;

    /// An operator's bond.
    fn operator(&self, account: &Account) -> Operator;

    /// Writes that down.
    fn put_operator(&mut self, account: &Account, operator: Operator);

    /// Whose a node is.
    fn node(&self, node: &NodeKey) -> Option<NodeState>;

    /// Writes that down.
    fn put_node(&mut self, node: &NodeKey, state: NodeState);

    /// Sets an account's free money aside.
    ///
    /// # Errors
    /// [`Rejection::Balance`], [`Rejection::Existential`], [`Rejection::Overflow`].
    fn hold(&mut self, of: &Account, purpose: Purpose, amount: u128) -> Result<(), Rejection>;

    /// Gives it back.
    ///
    /// # Errors
    /// [`Rejection::Balance`] if so much is not held.
    fn release(&mut self, of: &Account, purpose: Purpose, amount: u128) -> Result<(), Rejection>;
}

/// The whole state of a ledger, for the rules.
///
/// What fails may have written some of what it does: whoever calls it takes that back.
pub trait State: Register {
    /// An escrow, also one that is over.
    fn escrow(&self, id: &Digest) -> Option<Escrow>;

    /// Writes that down.
    fn put_escrow(&mut self, id: &Digest, escrow: Escrow);

    /// What an operator has coming from an escrow.
    fn tab(&self, escrow: &Digest, operator: &Account) -> Tab;

    /// Writes that down.
    fn put_tab(&mut self, escrow: &Digest, operator: &Account, tab: Tab);

    /// The unsettled claims of one unit.
    fn case(&self, escrow: &Digest, unit: &Digest) -> Option<Case>;

    /// Writes that down; `None` when they are settled.
    fn put_case(&mut self, escrow: &Digest, unit: &Digest, case: Option<Case>);

    /// Units of an escrow whose claims are not settled: all of them, or as many as the ledger looks at in one go.
    fn unsettled(&self, escrow: &Digest) -> Vec<Digest>;

    /// Has [`tend`] called for an escrow at that time. Once too often does no harm.
    fn remind(&mut self, at: u64, escrow: &Digest);

    /// Takes back a reminder.
    fn forget(&mut self, at: u64, escrow: &Digest);

    /// Moves held money of one to what the other can spend.
    ///
    /// # Errors
    /// [`Rejection::Balance`], or [`Rejection::Existential`] if the payee has no account, and this is too little to
    /// begin one with. Then nothing has changed.
    fn pay(
        &mut self,
        from: &Account,
        purpose: Purpose,
        to: &Account,
        amount: u128,
    ) -> Result<(), Rejection>;

    /// Moves held money into the pot.
    ///
    /// # Errors
    /// [`Rejection::Balance`] if so much is not held.
    fn forfeit(&mut self, from: &Account, purpose: Purpose, amount: u128) -> Result<(), Rejection>;

    /// Moves money from the pot to what an account can spend.
    ///
    /// # Errors
    /// As of [`pay`](Self::pay).
    fn reward(&mut self, to: &Account, amount: u128) -> Result<(), Rejection>;
}

/// Who asks for something: the account that it is done for, and the key that signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// For whom.
    pub account: Account,
    /// Who signs: may it sign for the account is asked before, see [`may_sign`].
    pub signer: NodeKey,
}

impl Caller {
    /// Whether the account itself signs.
    pub fn is_owner(&self) -> bool {
        self.account == self.signer.into()
    }
}

/// Whether the signer may ask for this: see [`Call::is_for_nodes`].
pub fn may_sign(ledger: &impl Register, caller: &Caller, call: &Call) -> bool {
    let is_its_node = || {
        let node = ledger.node(&caller.signer);
        node.is_some_and(|node| node.operator == caller.account && node.revoked.is_none())
    };
    caller.is_owner() || (call.is_for_nodes() && is_its_node())
}

/// Does what a call asks, of all but the two that only move free money: how that is made and given is each ledger's
/// own affair. The caller may ask for it, and what is signed in the call is signed.
///
/// # Errors
/// [`Rejection`]: what was written has to be taken back.
pub fn carry_out(
    ledger: &mut impl State,
    caller: &Caller,
    call: &Call,
    now: u64,
) -> Result<Vec<Fact>, Rejection> {
    let own = &caller.account;
    match call {
        Call::Faucet { .. } | Call::Transfer { .. } => Err(Rejection::Unauthorised),
        Call::OnChain(_) => Err(Rejection::NoChain),
        Call::Certify { consent } => bonds::certify(ledger, own, &consent.value),
        Call::Revoke { node } => bonds::revoke(ledger, own, node, now),
        Call::Bond { amount } => bonds::bond(ledger, own, *amount),
        Call::Unbond { amount } => bonds::unbond(ledger, own, *amount, now),
        Call::Withdraw => bonds::withdraw(ledger, own, now),
        Call::OpenEscrow {
            escrow,
            requester,
            amount,
            deadline,
        } => {
            let new = Escrow::new(*own, *requester, *amount, *deadline);
            escrows::open_escrow(ledger, escrow, new, now)
        }
        Call::TopUp { escrow, amount } => escrows::top_up(ledger, own, escrow, *amount, now),
        Call::Close { escrow } => escrows::close(ledger, caller, escrow, now),
        Call::Claim { vouchers } => escrows::claim_all(ledger, vouchers, now),
        Call::Show(showing) => disputes::show(ledger, own, showing, now),
        Call::Object { escrow, unit } => disputes::object(ledger, own, escrow, unit, now),
        Call::Resolve {
            escrow,
            unit,
            verdict,
        } => disputes::resolve(ledger, own, escrow, unit, *verdict, now),
        Call::Settle { escrow, units } => disputes::settle_all(ledger, escrow, units, now),
        Call::Refund { escrow } => escrows::refund(ledger, escrow, now),
    }
}

/// Nothing can be done with 0 of anything.
fn some(amount: u128) -> Result<(), Rejection> {
    match amount {
        0 => Err(Rejection::Zero),
        _ => Ok(()),
    }
}
