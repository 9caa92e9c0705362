//! Evidence: what a provider that was not paid shows to the ledger.

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use crate::{
    Account, Assignment, Check, Commit, Digest, Signature, Signed, Statement, Summons, Ticket,
    Turn,
    ledger::{Escrow, EvidenceError},
};

/// One turn, shown whole: it was ordered, it was this provider's, the result was promised, the requester
/// wanted to see it, and this is the result that was promised. Whether it is right is not shown, and not
/// looked at. Whoever was not asked to show a result is not paid for it: it was not among those that are
/// compared, and could have been learnt from others after these had shown theirs.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Evidence {
    /// The requester's order.
    pub ticket: Signed<Ticket>,
    /// The provider's turn.
    pub assignment: Signed<Assignment>,
    /// The provider's promise.
    pub commit: Signed<Commit>,
    /// The requester's word that it wanted to see what was promised.
    pub summons: Signed<Summons>,
    /// The promise's salt.
    pub salt: Digest,
    /// The result.
    pub statement: Statement,
    /// The provider's signature of it.
    pub signature: Signature,
}

impl Evidence {
    /// Whether everyone signed what they are said to have signed.
    pub fn is_signed(&self, check: Check) -> bool {
        self.ticket.holds_by(check)
            && self.assignment.holds_by(check)
            && self.commit.holds_by(check)
            && self.summons.holds_by(check)
            && self.statement.is_signed_by(check, &self.signature)
    }

    /// Checks that `escrow` of that id on that ledger owes `operator` for the turn, and says how much.
    /// Signatures are another matter, and so is whether the node is the operator's.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn price(
        &self,
        ledger: &Digest,
        id: &Digest,
        escrow: &Escrow,
        operator: &Account,
    ) -> Result<u128, EvidenceError> {
        let (ticket, turn) = (&self.ticket.value, &self.assignment.value);
        let (commit, said) = (&self.commit.value, &self.statement);
        let expect = |holds: bool, error| holds.then_some(()).ok_or(error);
        expect(
            ticket.ledger == *ledger
                && ticket.job == *id
                && ticket.requester == escrow.requester
                && ticket.payer == escrow.payer,
            EvidenceError::Ticket,
        )?;
        expect(
            turn.unit == ticket.unit && turn.job == ticket.job && turn.broker == ticket.requester,
            EvidenceError::Assignment,
        )?;
        expect(turn.operator == *operator, EvidenceError::Operator)?;
        expect(
            commit.turn == Turn::from(turn) && commit.node == turn.provider,
            EvidenceError::Commit,
        )?;
        let summons = &self.summons.value;
        expect(
            summons.broker == ticket.requester && summons.commit == *commit,
            EvidenceError::Summons,
        )?;
        let hash = Commit::hash_of(&said.node, &commit.turn, &said.compare_key, &self.salt);
        expect(
            said.unit == ticket.unit
                && said.node == turn.provider
                && said.is_consistent()
                && commit.hash == hash,
            EvidenceError::Statement,
        )?;
        expect(said.is_within(&ticket.limits), EvidenceError::Limits)?;
        Ok(ticket.payment(&turn.ask, said.fuel, said.output_len))
    }
}
