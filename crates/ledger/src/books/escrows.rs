//! Escrows, from their opening to their end, and the vouchers that spend them.

use opensky_protocol::{
    Account, Digest, Signed, Voucher,
    ledger::{Escrow, Fact, Intent, Phase, Rejection},
};

use super::{Books, some};

type Done = Result<Vec<Fact>, Rejection>;

impl Books {
    pub(super) fn open_escrow(&mut self, id: &Digest, new: Escrow, now: u64) -> Done {
        some(new.locked)?;
        if self.escrow(id).is_some() {
            return Err(Rejection::EscrowTaken);
        }
        if new.deadline <= now {
            return Err(Rejection::Deadline);
        }
        self.change_purse(&new.payer, |purse, least| purse.hold(new.locked, least))?;
        let fact = Fact::Opened {
            escrow: *id,
            payer: new.payer,
            requester: new.requester,
            amount: new.locked,
            deadline: new.deadline,
        };
        self.remind(new.ends().saturating_add(self.terms().claims), id);
        self.put_escrow(id, new);
        Ok([fact].into())
    }

    pub(super) fn top_up(&mut self, own: &Account, id: &Digest, amount: u128, now: u64) -> Done {
        some(amount)?;
        let mut escrow = self.escrow_in(id, now, Phase::Open..=Phase::Open)?;
        if escrow.payer != *own {
            return Err(Rejection::Unauthorised);
        }
        escrow.top_up(amount)?;
        self.change_purse(own, |purse, least| purse.hold(amount, least))?;
        self.put_escrow(id, escrow);
        let fact = Fact::ToppedUp {
            escrow: *id,
            payer: *own,
            amount,
        };
        Ok([fact].into())
    }

    pub(super) fn close(&mut self, intent: &Intent, id: &Digest, now: u64) -> Done {
        let mut escrow = self.escrow_in(id, now, Phase::Open..=Phase::Open)?;
        if escrow.payer != intent.account && escrow.requester != intent.signer {
            return Err(Rejection::Unauthorised);
        }
        escrow.closed = Some(now);
        let until = escrow.ends().saturating_add(self.terms().claims);
        self.remind(until, id);
        let fact = Fact::Closed {
            escrow: *id,
            payer: escrow.payer,
            until,
        };
        self.put_escrow(id, escrow);
        Ok([fact].into())
    }

    /// Pays each that can be paid. If none can, the first one's reason is the claim's.
    pub(super) fn claim_all(&mut self, vouchers: &[Signed<Voucher>], now: u64) -> Done {
        let mut facts = Vec::new();
        let mut first = None;
        for Signed { value, .. } in vouchers {
            let fact = self.claim(value, now).unwrap_or_else(|reason| {
                first.get_or_insert(reason);
                Fact::NotPaid {
                    escrow: value.escrow,
                    operator: value.operator,
                    reason,
                }
            });
            facts.push(fact);
        }
        let is_paid = |fact: &Fact| matches!(fact, Fact::Paid { .. });
        match first {
            Some(reason) if !facts.iter().any(is_paid) => Err(reason),
            _ => Ok(facts),
        }
    }

    /// Changes the books only if it returns `Ok`.
    pub(super) fn claim(&mut self, voucher: &Voucher, now: u64) -> Result<Fact, Rejection> {
        let Voucher {
            escrow: id,
            operator,
            ..
        } = voucher;
        let mut escrow = self.escrow_in(id, now, Phase::Open..=Phase::Claims)?;
        if voucher.ledger != self.id() || voucher.requester != escrow.requester {
            return Err(Rejection::Voucher);
        }
        let mut tab = self.tab(id, operator);
        let amount = escrow.claim(&mut tab, voucher);
        let payer = escrow.payer;
        self.pay_held(&payer, operator, amount)?;
        self.put_escrow(id, escrow);
        self.put_tab(id, operator, tab);
        Ok(Fact::Paid {
            escrow: *id,
            payer,
            operator: *operator,
            amount,
        })
    }

    pub(super) fn refund(&mut self, id: &Digest, now: u64) -> Done {
        let mut escrow = self.escrow_in(id, now, Phase::Objections..=Phase::Over)?;
        if escrow.cases > 0 {
            return Err(Rejection::Unsettled);
        }
        let (payer, amount) = (escrow.payer, escrow.refund());
        self.change_purse(&payer, |purse, _| purse.release(amount))?;
        self.put_escrow(id, escrow);
        let escrow = *id;
        let fact = Fact::Refunded {
            escrow,
            payer,
            amount,
        };
        Ok([fact].into())
    }

    /// The escrow, if it is in one of these phases.
    pub(super) fn escrow_in(
        &self,
        id: &Digest,
        now: u64,
        phases: std::ops::RangeInclusive<Phase>,
    ) -> Result<Escrow, Rejection> {
        let escrow = self.escrow(id).ok_or(Rejection::EscrowUnknown)?;
        match phases.contains(&escrow.phase(now, self.terms())) {
            true => Ok(escrow),
            false => Err(Rejection::Phase),
        }
    }
}
