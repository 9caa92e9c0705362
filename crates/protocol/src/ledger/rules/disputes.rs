//! Claims by evidence: how they are filed, objected to, judged and settled.

use alloc::vec::Vec;

use super::{
    Purpose, State,
    bonds::answers_for,
    escrows::{claim, escrow_in},
};
use crate::{
    Account, Digest,
    ledger::{
        Case, Ending, Escrow, Evidence, EvidenceError, Fact, Filed, Objection, Phase, Rejection,
        Showing, Slash, Verdict,
    },
};

type Done = Result<Vec<Fact>, Rejection>;

/// Files claims of turns that no voucher pays.
///
/// # Errors
/// [`Rejection`] of all of them, or of the first one if none can be filed.
pub fn show(ledger: &mut impl State, own: &Account, showing: &Showing, now: u64) -> Done {
    let id = &showing.escrow;
    escrow_in(ledger, id, now, Phase::Claims..=Phase::Claims)?;
    let paid = showing.paid_units()?;
    let mut facts = Vec::new();
    if let Some(voucher) = &showing.voucher {
        let voucher = &voucher.value;
        if voucher.escrow != *id || voucher.operator != *own {
            return Err(Rejection::Voucher);
        }
        facts.push(claim(ledger, voucher, now)?);
    }
    let ((root, total), _) = showing.base();
    let mut tab = ledger.tab(id, own);
    tab.open(root, total)?;
    ledger.put_tab(id, own, tab);
    let mut first = None;
    let mut filed = 0;
    for evidence in &showing.evidence {
        let unit = evidence.ticket.value.unit;
        let done = match paid.contains(&unit) {
            true => Err(Rejection::Claimed),
            false => file(ledger, own, id, evidence),
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
fn file(
    ledger: &mut impl State,
    own: &Account,
    id: &Digest,
    shown: &Evidence,
) -> Result<Fact, Rejection> {
    let ticket = &shown.ticket.value;
    let turn = &shown.assignment.value;
    let unit = &ticket.unit;
    let mut escrow = ledger.escrow(id).ok_or(Rejection::EscrowUnknown)?;
    let priced = shown.price(&ledger.id(), id, &escrow, own);
    let amount = priced.map_err(Rejection::Evidence)?;
    if !answers_for(ledger, own, &turn.provider) {
        return Err(Rejection::Evidence(EvidenceError::Node));
    }
    if ledger.operator(own).at_stake() < ledger.terms().penalty {
        return Err(Rejection::Evidence(EvidenceError::Bond));
    }
    let before = ledger.case(id, unit);
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
    ledger.put_case(id, unit, Some(case));
    ledger.put_escrow(id, escrow);
    Ok(Fact::Filed {
        escrow: *id,
        unit: *unit,
        operator: *own,
        amount,
    })
}

/// Says that a claimed result is wrong.
///
/// # Errors
/// [`Rejection::NoArbiter`], [`Rejection::CaseUnknown`], [`Rejection::Disputed`], [`Rejection::Phase`].
pub fn object(
    ledger: &mut impl State,
    own: &Account,
    id: &Digest,
    unit: &Digest,
    now: u64,
) -> Done {
    ledger.terms().arbiter.ok_or(Rejection::NoArbiter)?;
    escrow_in(ledger, id, now, Phase::Claims..=Phase::Objections)?;
    let mut case = ledger.case(id, unit).ok_or(Rejection::CaseUnknown)?;
    let bond = ledger.terms().objection_bond;
    case.object(Objection { by: *own, bond })?;
    ledger.hold(own, Purpose::Objection, bond)?;
    ledger.put_case(id, unit, Some(case));
    let fact = Fact::Objected {
        escrow: *id,
        unit: *unit,
        by: *own,
        bond,
    };
    Ok([fact].into())
}

/// Gives the verdict about a unit.
///
/// # Errors
/// [`Rejection::Unauthorised`] if somebody else than the arbiter does; [`Rejection::CaseUnknown`],
/// [`Rejection::Undisputed`], [`Rejection::Disputed`], [`Rejection::Phase`].
pub fn resolve(
    ledger: &mut impl State,
    own: &Account,
    id: &Digest,
    unit: &Digest,
    verdict: Verdict,
    now: u64,
) -> Done {
    if ledger.terms().arbiter != Some(*own) {
        return Err(Rejection::Unauthorised);
    }
    let escrow = escrow_in(ledger, id, now, Phase::Claims..=Phase::Verdicts)?;
    let mut case = ledger.case(id, unit).ok_or(Rejection::CaseUnknown)?;
    case.judge(verdict)?;
    if escrow.phase(now, &ledger.terms()) == Phase::Verdicts {
        // Its case can be settled now.
        ledger.remind(now, id);
    }
    ledger.put_case(id, unit, Some(case));
    let fact = Fact::Resolved {
        escrow: *id,
        unit: *unit,
        verdict,
    };
    Ok([fact].into())
}

/// Pays what was claimed for these units, or does not.
///
/// # Errors
/// [`Rejection::CaseUnknown`], [`Rejection::Phase`]: then none of them is settled.
pub fn settle_all(ledger: &mut impl State, id: &Digest, units: &[Digest], now: u64) -> Done {
    let escrow = escrow_in(ledger, id, now, Phase::Verdicts..=Phase::Over)?;
    let phase = escrow.phase(now, &ledger.terms());
    let mut facts = Vec::new();
    for unit in units {
        settle(ledger, id, unit, phase, &mut facts)?;
    }
    Ok(facts)
}

pub(super) fn settle(
    ledger: &mut impl State,
    id: &Digest,
    unit: &Digest,
    phase: Phase,
    facts: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    let case = ledger.case(id, unit).ok_or(Rejection::CaseUnknown)?;
    let right = match case.ending(phase)? {
        Ending::Agreed(key) | Ending::Judged(key) => Some(key),
        Ending::Void => None,
    };
    let mut spoils = Spoils::default();
    if let Ending::Judged(key) = case.ending(phase)? {
        take_from_losers(ledger, &case, &key, &mut spoils, facts)?;
    } else {
        release_objection(ledger, &case, facts)?;
    }
    pay_claims(ledger, id, &case, right, &mut spoils, facts)?;
    share_out(ledger, id, spoils, facts);
    let mut escrow = ledger.escrow(id).ok_or(Rejection::EscrowUnknown)?;
    escrow.cases = escrow.cases.saturating_sub(1);
    ledger.put_escrow(id, escrow);
    ledger.put_case(id, unit, None);
    let (escrow, unit) = (*id, *unit);
    facts.push(Fact::Settled { escrow, unit });
    Ok(())
}

/// Takes the penalty from whoever has another result than the right one, or the objection's bond
/// if nobody has.
fn take_from_losers(
    ledger: &mut impl State,
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
        ledger.forfeit(&by, Purpose::Objection, bond)?;
        (spoils.lost, spoils.winners) = (bond, agreeing);
        facts.push(slashed(by, bond));
        return Ok(());
    }
    for claim in others {
        let account = claim.operator;
        let mut operator = ledger.operator(&account);
        let lost = operator.slash(ledger.terms().penalty);
        ledger.put_operator(&account, operator);
        ledger.forfeit(&account, Purpose::Bond, lost)?;
        spoils.lost += lost;
        facts.push(slashed(account, lost));
    }
    spoils.winners = case
        .objection
        .map_or(agreeing, |objection| [objection.by].into());
    release_objection(ledger, case, facts)
}

fn release_objection(
    ledger: &mut impl State,
    case: &Case,
    facts: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    let Some(Objection { by, bond }) = case.objection else {
        return Ok(());
    };
    ledger.release(&by, Purpose::Objection, bond)?;
    let (account, amount) = (by, bond);
    facts.push(Fact::Released { account, amount });
    Ok(())
}

/// Pays the claims with the right result: from the escrow what the requester has seats for, the rest
/// from what was lost.
fn pay_claims(
    ledger: &mut impl State,
    id: &Digest,
    case: &Case,
    right: Option<Digest>,
    spoils: &mut Spoils,
    facts: &mut Vec<Fact>,
) -> Result<(), Rejection> {
    let mut escrow = ledger.escrow(id).ok_or(Rejection::EscrowUnknown)?;
    let is_right = |claim: &&Filed| right == Some(claim.compare_key);
    // Where a voucher pays it already, a claim takes nothing from others.
    let is_owed = |claim: &&Filed| due(ledger, id, claim) > 0;
    let claims = case.filed.iter().filter(is_right).filter(is_owed).count();
    for claim in &case.filed {
        if !is_right(&claim) {
            escrow.unreserve(claim.kept);
            continue;
        }
        let part = match due(ledger, id, claim) {
            0 => claim.amount,
            _ => case.part(claim.amount, claims),
        };
        let of = |amount| Filed {
            amount,
            ..claim.clone()
        };
        pay_seat(ledger, id, &mut escrow, &of(part), facts);
        if part < claim.amount {
            spoils.owed.push(of(claim.amount - part));
        }
    }
    ledger.put_escrow(id, escrow);
    Ok(())
}

/// An operator that has no account, and whose claim is too small to begin one with, gets nothing.
fn pay_seat(
    ledger: &mut impl State,
    id: &Digest,
    escrow: &mut Escrow,
    claim: &Filed,
    facts: &mut Vec<Fact>,
) {
    let (payer, operator) = (escrow.payer, claim.operator);
    let mut after = escrow.clone();
    let mut tab = ledger.tab(id, &operator);
    let amount = after.settle(&mut tab, claim.amount, claim.kept);
    let paid = ledger.pay(&payer, Purpose::Escrow, &operator, amount);
    if paid.is_err() {
        escrow.unreserve(claim.kept);
        return;
    }
    *escrow = after;
    ledger.put_tab(id, &operator, tab);
    facts.push(Fact::Paid {
        escrow: *id,
        payer,
        operator,
        amount,
    });
}

/// Gives what was lost to those that have it coming. What nobody takes stays in the pot.
fn share_out(ledger: &mut impl State, id: &Digest, spoils: Spoils, facts: &mut Vec<Fact>) {
    let Spoils {
        lost,
        owed,
        winners,
    } = spoils;
    let due: Vec<_> = owed.iter().map(|claim| due(ledger, id, claim)).collect();
    let sum = due.iter().copied().fold(0, u128::saturating_add);
    let split = Slash::split(lost, sum, winners.len());
    let mut left = split.owed;
    for (claim, due) in owed.iter().zip(due) {
        let given = give(ledger, claim.operator, due.min(left), facts);
        left -= given;
        let mut tab = ledger.tab(id, &claim.operator);
        // What was not given is not owed by the escrow: the requester pays its seats only.
        tab.shown = tab.shown.saturating_add(claim.amount - (due - given));
        tab.paid += given;
        ledger.put_tab(id, &claim.operator, tab);
    }
    let each = split.reward / (winners.len().max(1) as u128);
    for winner in winners {
        give(ledger, winner, each, facts);
    }
}

/// What an operator would have coming for a claim beside all that it has: nothing where a voucher
/// pays it.
fn due(ledger: &impl State, id: &Digest, claim: &Filed) -> u128 {
    let mut tab = ledger.tab(id, &claim.operator);
    let before = tab.due();
    tab.shown = tab.shown.saturating_add(claim.amount);
    tab.due() - before
}

/// Gives somebody a share, and returns how much of it: nothing where it is too small to begin an
/// account with.
fn give(ledger: &mut impl State, account: Account, amount: u128, facts: &mut Vec<Fact>) -> u128 {
    if amount == 0 || ledger.reward(&account, amount).is_err() {
        return 0;
    }
    facts.push(Fact::Rewarded { account, amount });
    amount
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
