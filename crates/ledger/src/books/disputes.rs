//! Claims by evidence: how they are filed, objected to, judged and settled.

use opensky_protocol::{
    Account, Digest,
    ledger::{
        Case, Ending, Escrow, Evidence, EvidenceError, Fact, Filed, Objection, Phase, Rejection,
        Showing, Slash, Verdict,
    },
};

use super::Books;
use crate::rows::Key;

type Done = Result<Vec<Fact>, Rejection>;

/// Filing and judging.
impl Books {
    pub(super) fn show(&mut self, own: &Account, showing: &Showing, now: u64) -> Done {
        let id = &showing.escrow;
        self.escrow_in(id, now, Phase::Claims..=Phase::Claims)?;
        let paid = showing.paid_units()?;
        let mut facts = Vec::new();
        if let Some(voucher) = &showing.voucher {
            let voucher = &voucher.value;
            if voucher.escrow != *id || voucher.operator != *own {
                return Err(Rejection::Voucher);
            }
            facts.push(self.claim(voucher, now)?);
        }
        let ((root, total), _) = showing.base();
        let mut tab = self.tab(id, own);
        tab.open(root, total)?;
        self.put_tab(id, own, tab);
        let mut first = None;
        let mut filed = 0;
        for evidence in &showing.evidence {
            let unit = evidence.ticket.value.unit;
            let done = match paid.contains(&unit) {
                true => Err(Rejection::Claimed),
                false => self.file(own, id, evidence),
            };
            filed += usize::from(done.is_ok());
            facts.push(done.unwrap_or_else(|reason| {
                first.get_or_insert(reason);
                Fact::NotFiled {
                    escrow: *id,
                    unit,
                    operator: *own,
                    reason,
                }
            }));
        }
        match first {
            Some(reason) if filed == 0 => Err(reason),
            _ => Ok(facts),
        }
    }

    /// Changes the books only if it returns `Ok`.
    fn file(&mut self, own: &Account, id: &Digest, shown: &Evidence) -> Result<Fact, Rejection> {
        let ticket = &shown.ticket.value;
        let turn = &shown.assignment.value;
        let unit = &ticket.unit;
        let mut escrow = self.escrow(id).ok_or(Rejection::EscrowUnknown)?;
        let priced = shown.price(&self.id(), id, &escrow, own);
        let amount = priced.map_err(Rejection::Evidence)?;
        if !self.answers_for(own, &turn.provider) {
            return Err(Rejection::Evidence(EvidenceError::Node));
        }
        if self.operator(own).at_stake() < self.terms().penalty {
            return Err(Rejection::Evidence(EvidenceError::Bond));
        }
        let before = self.case(id, unit);
        if before.is_none() {
            escrow.cases = escrow.cases.checked_add(1).ok_or(Rejection::Claims)?;
        }
        let mut case = before.unwrap_or_default();
        let claim = Filed {
            operator: *own,
            node: turn.provider,
            attempt: turn.attempt,
            compare_key: shown.statement.compare_key,
            amount,
            kept: escrow.reserve(amount),
        };
        case.file(claim, ticket.replica_cap)?;
        self.put_case(id, unit, case);
        self.put_escrow(id, escrow);
        Ok(Fact::Filed {
            escrow: *id,
            unit: *unit,
            operator: *own,
            amount,
        })
    }

    pub(super) fn object(&mut self, own: &Account, id: &Digest, unit: &Digest, now: u64) -> Done {
        self.terms().arbiter.ok_or(Rejection::NoArbiter)?;
        self.escrow_in(id, now, Phase::Claims..=Phase::Objections)?;
        let mut case = self.case(id, unit).ok_or(Rejection::CaseUnknown)?;
        let bond = self.terms().objection_bond;
        case.object(Objection { by: *own, bond })?;
        self.change_purse(own, |purse, least| purse.hold(bond, least))?;
        self.put_case(id, unit, case);
        let fact = Fact::Objected {
            escrow: *id,
            unit: *unit,
            by: *own,
            bond,
        };
        Ok([fact].into())
    }

    pub(super) fn resolve(
        &mut self,
        own: &Account,
        id: &Digest,
        unit: &Digest,
        verdict: Verdict,
        now: u64,
    ) -> Done {
        if self.terms().arbiter != Some(*own) {
            return Err(Rejection::Unauthorised);
        }
        let escrow = self.escrow_in(id, now, Phase::Claims..=Phase::Verdicts)?;
        let mut case = self.case(id, unit).ok_or(Rejection::CaseUnknown)?;
        case.judge(verdict)?;
        if escrow.phase(now, self.terms()) == Phase::Verdicts {
            // Its case can be settled now.
            self.remind(now, id);
        }
        self.put_case(id, unit, case);
        let fact = Fact::Resolved {
            escrow: *id,
            unit: *unit,
            verdict,
        };
        Ok([fact].into())
    }
}

/// Settling.
impl Books {
    pub(super) fn settle_all(&mut self, id: &Digest, units: &[Digest], now: u64) -> Done {
        let escrow = self.escrow_in(id, now, Phase::Verdicts..=Phase::Over)?;
        let phase = escrow.phase(now, self.terms());
        let mut facts = Vec::new();
        for unit in units {
            self.settle(id, unit, phase, &mut facts)?;
        }
        Ok(facts)
    }

    pub(super) fn settle(
        &mut self,
        id: &Digest,
        unit: &Digest,
        phase: Phase,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Rejection> {
        let case = self.case(id, unit).ok_or(Rejection::CaseUnknown)?;
        let right = match case.ending(phase)? {
            Ending::Agreed(key) | Ending::Judged(key) => Some(key),
            Ending::Void => None,
        };
        let mut spoils = Spoils::default();
        if let Ending::Judged(key) = case.ending(phase)? {
            self.take_from_losers(&case, &key, &mut spoils, facts)?;
        } else {
            self.release_objection(&case, facts)?;
        }
        self.pay_claims(id, &case, right, &mut spoils, facts)?;
        self.share_out(id, spoils, facts);
        let mut escrow = self.escrow(id).ok_or(Rejection::EscrowUnknown)?;
        escrow.cases = escrow.cases.saturating_sub(1);
        self.put_escrow(id, escrow);
        self.rows.remove(Key::Case(*id, *unit));
        let (escrow, unit) = (*id, *unit);
        facts.push(Fact::Settled { escrow, unit });
        Ok(())
    }

    /// Takes the penalty from whoever has another result than the right one, or the objection's bond
    /// if nobody has.
    fn take_from_losers(
        &mut self,
        case: &Case,
        right: &Digest,
        spoils: &mut Spoils,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Rejection> {
        let (agreeing, others): (Vec<_>, Vec<_>) = case
            .filed
            .iter()
            .partition(|claim| claim.compare_key == *right);
        let agreeing = agreeing.iter().map(|claim| claim.operator).collect();
        if let Some(Objection { by, bond }) = case.objection
            && case.objection_failed(right)
        {
            self.change_purse(&by, |purse, _| purse.spend(bond))?;
            (spoils.lost, spoils.winners) = (bond, agreeing);
            facts.push(slashed(by, bond));
            return Ok(());
        }
        for claim in others {
            let account = claim.operator;
            let mut operator = self.operator(&account);
            let lost = operator.slash(self.terms().penalty);
            self.put_operator(&account, operator);
            self.change_purse(&account, |purse, _| purse.spend(lost))?;
            spoils.lost += lost;
            facts.push(slashed(account, lost));
        }
        spoils.winners = case
            .objection
            .map_or(agreeing, |objection| [objection.by].into());
        self.release_objection(case, facts)
    }

    fn release_objection(&mut self, case: &Case, facts: &mut Vec<Fact>) -> Result<(), Rejection> {
        let Some(Objection { by, bond }) = case.objection else {
            return Ok(());
        };
        self.change_purse(&by, |purse, _| purse.release(bond))?;
        let (account, amount) = (by, bond);
        facts.push(Fact::Released { account, amount });
        Ok(())
    }

    /// Pays the claims with the right result: from the escrow what the requester has seats for, the rest
    /// from what was lost.
    fn pay_claims(
        &mut self,
        id: &Digest,
        case: &Case,
        right: Option<Digest>,
        spoils: &mut Spoils,
        facts: &mut Vec<Fact>,
    ) -> Result<(), Rejection> {
        let mut escrow = self.escrow(id).ok_or(Rejection::EscrowUnknown)?;
        let is_right = |claim: &&Filed| right == Some(claim.compare_key);
        // Where a voucher pays it already, a claim takes nothing from others.
        let is_owed = |claim: &&Filed| self.due(id, claim) > 0;
        let claims = case.filed.iter().filter(is_right).filter(is_owed).count();
        for claim in &case.filed {
            if !is_right(&claim) {
                escrow.unreserve(claim.kept);
                continue;
            }
            let part = match self.due(id, claim) {
                0 => claim.amount,
                _ => case.part(claim.amount, claims),
            };
            let of = |amount| Filed {
                amount,
                ..claim.clone()
            };
            self.pay_seat(id, &mut escrow, &of(part), facts);
            if part < claim.amount {
                spoils.owed.push(of(claim.amount - part));
            }
        }
        self.put_escrow(id, escrow);
        Ok(())
    }

    /// An operator that has no account, and whose claim is too small to begin one with, gets nothing.
    fn pay_seat(&mut self, id: &Digest, escrow: &mut Escrow, claim: &Filed, facts: &mut Vec<Fact>) {
        let (payer, operator) = (escrow.payer, claim.operator);
        let mut after = escrow.clone();
        let mut tab = self.tab(id, &operator);
        let amount = after.settle(&mut tab, claim.amount, claim.kept);
        if self.pay_held(&payer, &operator, amount).is_err() {
            escrow.unreserve(claim.kept);
            return;
        }
        *escrow = after;
        self.put_tab(id, &operator, tab);
        facts.push(Fact::Paid {
            escrow: *id,
            payer,
            operator,
            amount,
        });
    }

    /// Gives what was lost to those that have it coming. What nobody takes goes to the pot.
    fn share_out(&mut self, id: &Digest, spoils: Spoils, facts: &mut Vec<Fact>) {
        let Spoils {
            lost,
            owed,
            winners,
        } = spoils;
        let due: Vec<_> = owed.iter().map(|claim| self.due(id, claim)).collect();
        let sum = due.iter().copied().fold(0, u128::saturating_add);
        let split = Slash::split(lost, sum, winners.len());
        let mut left = split.owed;
        for (claim, due) in owed.iter().zip(due) {
            let given = self.reward(claim.operator, due.min(left), facts);
            left -= given;
            let mut tab = self.tab(id, &claim.operator);
            // What was not given is not owed by the escrow: the requester pays its seats only.
            tab.shown = tab.shown.saturating_add(claim.amount - (due - given));
            tab.paid += given;
            self.put_tab(id, &claim.operator, tab);
        }
        let each = split.reward / (winners.len().max(1) as u128);
        let rewards = winners
            .into_iter()
            .map(|winner| self.reward(winner, each, facts));
        let given: u128 = rewards.sum();
        self.add_to_pot(split.pot + left + split.reward - given);
    }

    /// What an operator would have coming for a claim beside all that it has: nothing where a voucher
    /// pays it.
    fn due(&self, id: &Digest, claim: &Filed) -> u128 {
        let mut tab = self.tab(id, &claim.operator);
        let before = tab.due();
        tab.shown = tab.shown.saturating_add(claim.amount);
        tab.due() - before
    }

    /// Gives somebody a share, and returns how much of it: nothing where it is too small to begin an
    /// account with.
    fn reward(&mut self, account: Account, amount: u128, facts: &mut Vec<Fact>) -> u128 {
        let given = self.change_purse(&account, |purse, least| purse.deposit(amount, least));
        if amount == 0 || given.is_err() {
            return 0;
        }
        facts.push(Fact::Rewarded { account, amount });
        amount
    }
}

/// What was lost in one case, and who may have it.
#[derive(Default)]
struct Spoils {
    lost: u128,
    /// Right results as far as they are beyond the requester's seats.
    owed: Vec<Filed>,
    /// Who was right in the dispute.
    winners: Vec<Account>,
}

fn slashed(account: Account, amount: u128) -> Fact {
    Fact::Slashed { account, amount }
}
