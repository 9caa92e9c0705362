//! What the chain does by itself about requests: it draws committees, ends what is over, pays, and tells contracts.

use alloc::vec::Vec;

use frame_support::{
    storage::with_storage_layer,
    traits::{
        Randomness as _,
        fungible::MutateHold as _,
        tokens::{Fortitude, Precision, Restriction},
    },
    weights::Weight,
};
use opensky_chain_pallet_providers::offers::{self, Staked};
use opensky_protocol::{
    Digest,
    ledger::{Answer, Asked, Callback, Close, Moment, Next, Refund, Request, Stage, draw},
};
use parity_scale_codec::Encode as _;
use sp_runtime::{DispatchError, DispatchResult};

use super::{
    CallBack as _, Config, CurrentTerms, Drawing, Due, Event, HoldReason, Outputs, Own, Pallet,
    Requests, Round, Told, Untold, UntoldEnds, WeightInfo as _, pallet::Asks,
};

/// Of the committee's members, each is looked at, paid and written about once.
pub const MEMBERS: u32 = 16;

type Cost<T> = <T as Config>::WeightInfo;

/// What became of a look at a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Looked {
    /// It waits.
    Waits,
    /// It is in another stage.
    GoesOn,
    /// It has as many more seats as it needs.
    Seated,
    /// It is over; it had so many seats.
    Over(u32),
}

impl Looked {
    /// What that weighs, beside what led to the look.
    pub(super) fn weight<T: Config>(self) -> Weight {
        match self {
            Self::Waits => Weight::zero(),
            Self::GoesOn => Cost::<T>::go_on(),
            Self::Seated => Cost::<T>::draw(),
            Self::Over(seats) => Cost::<T>::end(seats),
        }
    }
}

impl<T: Config> Pallet<T> {
    /// Goes on with the requests whose time has come, as far as the block has room, and then tells contracts. Whatever is
    /// looked at goes to the end: those that wait for longest are first.
    pub(super) fn tend(room: Weight) -> Weight {
        let mut used = Cost::<T>::tend();
        if used.any_gt(room) {
            return Weight::zero();
        }
        let (now, begun) = (Self::moment(), Self::begun());
        let open = Round::<T>::get().into_iter();
        let due = open.filter(|due| due.is_over(now) || due.is_drawn(begun));
        let due: Vec<_> = due.collect();
        let end = beside::<T>(Cost::<T>::end(MEMBERS).max(Cost::<T>::go_on()));
        let draw = beside::<T>(Cost::<T>::draw()).saturating_add(end);
        let mut roster = None;
        let with_roster = used.saturating_add(Cost::<T>::tend_roster());
        let is_any_drawn = due.iter().any(|due| !due.is_over(now));
        if is_any_drawn && with_roster.saturating_add(draw).all_lte(room) {
            roster = Some(offers::Eligible::<T>::get().into_inner());
            used = with_roster;
        }
        for due in due {
            let most = match (due.is_over(now), &roster) {
                (true, _) => end,
                (false, Some(_)) => draw,
                (false, None) => continue,
            };
            if used.saturating_add(most).any_gt(room) {
                break;
            }
            let took = Self::take(due, now, roster.as_deref());
            used.saturating_accrue(took.unwrap_or(most));
        }
        Self::tell(room.saturating_sub(used)).saturating_add(used)
    }

    /// Does what is due about a request, and says what it took, unless that failed.
    fn take(due: Due, now: Moment, roster: Option<&[Staked]>) -> Option<Weight> {
        let Ok(looked) = Self::look(&due.request, roster) else {
            // It is tried again after the others.
            Self::wait(due);
            return None;
        };
        let took = match looked {
            Looked::Waits => Cost::<T>::go_on(),
            looked => looked.weight::<T>(),
        };
        Some(match (looked, due.is_over(now)) {
            (Looked::Over(_), false) => {
                beside::<T>(took).saturating_add(beside::<T>(Cost::<T>::draw()))
            }
            _ => beside::<T>(took),
        })
    }

    /// At the end of which block nobody had committed to anything of the newest random numbers.
    pub(super) fn begun() -> u32 {
        let (_, begun) = T::Randomness::random(&[]);
        begun.try_into().unwrap_or(u32::MAX)
    }

    /// Does what is to be done about a request now, if anything is. Where that fails nothing has changed. Nobody is drawn
    /// without a roster.
    pub(super) fn look(
        request: &Digest,
        roster: Option<&[Staked]>,
    ) -> Result<Looked, DispatchError> {
        with_storage_layer(|| Self::go_on(request, roster))
    }

    fn go_on(request: &Digest, roster: Option<&[Staked]>) -> Result<Looked, DispatchError> {
        let (Some(mut row), Some(asked)) = (Requests::<T>::get(request), Asks::<T>::get(request))
        else {
            return Ok(Looked::Waits);
        };
        let before = row.stage;
        let terms = CurrentTerms::<T>::get();
        match (row.next(&asked, &terms, Self::moment()), before) {
            (Next::End(close), _) => Self::end(request, &row, &asked, &close),
            (Next::Wait, _) if row.stage == before => Ok(Looked::Waits),
            (Next::Wait, _) => {
                Self::deposit_event(Event::Promised { request: *request });
                Self::put(request, row);
                Ok(Looked::GoesOn)
            }
            (Next::Draw(count), Stage::Drawing { since }) => match roster {
                Some(roster) if since <= Self::begun() => {
                    Self::draw(request, row, &asked, count, roster)
                }
                _ => Ok(Looked::Waits),
            },
            (Next::Draw(_), _) => {
                row.stage = Stage::Drawing {
                    since: Self::await_numbers(),
                };
                Self::put(request, row);
                Ok(Looked::GoesOn)
            }
        }
    }

    /// Draws by numbers that nobody could know when it became clear that they are needed, of those who could be drawn
    /// before anybody knew any of them: whoever sees them coming can change nothing about who is drawn. Where there are too few whose
    /// offers fit, the money goes back at once: nobody's place is kept by what nobody takes.
    fn draw(
        request: &Digest,
        mut row: Request,
        asked: &Asked,
        count: usize,
        roster: &[Staked],
    ) -> Result<Looked, DispatchError> {
        let (seed, _) = T::Randomness::random(&(request, row.seats.len() as u32).encode());
        let (most, len) = (asked.share(), asked.input.len());
        let fits = |one: &&Staked| {
            let (operator, offer) = (&one.listed.operator, &one.listed.offer);
            row.seat_of(operator).is_none() && offer.fits(&asked.limits, len, most)
        };
        let candidates = roster.iter().filter(fits).map(Staked::candidate);
        let drawn = draw(candidates.collect(), &seed, count);
        if drawn.len() < count {
            return Self::end(request, &row, asked, &Close::Refund(Refund::Committee));
        }
        let terms = CurrentTerms::<T>::get();
        let time = terms.run(&asked.limits).saturating_add(terms.commit);
        Self::deposit_event(Event::Seated {
            request: *request,
            operators: drawn.iter().map(|one| one.operator.0.into()).collect(),
        });
        row.seat(
            drawn.into_iter().map(|one| (one.operator, one.ask)),
            Self::moment().after(time, terms.blocks),
        );
        Drawing::<T>::mutate(|drawing| *drawing = drawing.saturating_sub(1));
        Self::put(request, row);
        Ok(Looked::Seated)
    }

    /// Writes down how far a request is, and when it is to be looked at again.
    fn put(request: &Digest, row: Request) {
        Self::wait(Due::of(*request, &row));
        Requests::<T>::insert(request, row);
    }

    /// Puts an open request at the end of those that wait.
    fn wait(due: Due) {
        Round::<T>::mutate(|open| {
            open.retain(|other| other.request != due.request);
            // There was room for it before.
            let _ = open.try_push(due);
        });
    }

    /// Pays those who agree, gives back what is left, and has the contract told.
    fn end(
        request: &Digest,
        row: &Request,
        asked: &Asked,
        close: &Close,
    ) -> Result<Looked, DispatchError> {
        let payer = T::AccountId::from(row.payer.0);
        let mut left = row.price;
        if let Close::Agreed(agreed) = close {
            for payout in row.payouts(agreed, asked) {
                let operator = T::AccountId::from(payout.operator.0);
                let amount = Self::pay(&payer, &operator, payout.amount);
                left -= amount;
                Self::deposit_event(Event::Paid {
                    request: *request,
                    operator,
                    amount,
                });
            }
        }
        for (operator, conduct) in row.conduct(close) {
            offers::Pallet::<T>::note(&operator, conduct);
        }
        let reason = HoldReason::Request.into();
        T::Currency::release(&reason, &payer, left, Precision::Exact)?;
        let output = match close {
            Close::Agreed(agreed) => agreed
                .first()
                .and_then(|seat| row.seats[*seat].shown)
                .and_then(|shown| Outputs::<T>::get(request, shown.key)),
            Close::Refund(_) => None,
        };
        let answer = row.answer(close, output.map(Vec::from));
        Self::forget(request, row);
        match asked.callback {
            Some(callback) => Self::queue(request, row, callback, &payer, &answer),
            None => Self::free(&payer),
        }
        Self::deposit_event(Event::Answered {
            request: *request,
            payer,
            answer,
            refunded: left,
        });
        Ok(Looked::Over(row.seats.len() as u32))
    }

    /// A place of an account is free again.
    fn free(payer: &T::AccountId) {
        Own::<T>::mutate_exists(payer, |own| {
            *own = own
                .and_then(|own| own.checked_sub(1))
                .filter(|own| *own > 0);
        });
    }

    fn forget(request: &Digest, row: &Request) {
        if matches!(row.stage, Stage::Drawing { .. }) {
            Drawing::<T>::mutate(|drawing| *drawing = drawing.saturating_sub(1));
        }
        Requests::<T>::remove(request);
        Asks::<T>::remove(request);
        // No more outputs than seats.
        let _ = Outputs::<T>::clear_prefix(request, MEMBERS, None);
        Round::<T>::mutate(|open| open.retain(|other| other.request != *request));
    }

    fn queue(
        request: &Digest,
        row: &Request,
        callback: Callback,
        payer: &T::AccountId,
        answer: &Answer,
    ) {
        let (first, next) = UntoldEnds::<T>::get();
        Untold::<T>::insert(
            next,
            Told {
                payer: payer.clone(),
                contract: callback.contract,
                gas: callback.gas,
                held: row.gas,
                request: *request,
                answer: answer.clone(),
            },
        );
        UntoldEnds::<T>::put((first, next + 1));
    }

    /// Tells contracts in their order, as far as there is room. Each is told once, whatever it does: it is off the list
    /// before.
    pub(super) fn tell(room: Weight) -> Weight {
        let mut used = Weight::zero();
        let (mut first, next) = UntoldEnds::<T>::get();
        while first < next {
            let told = Untold::<T>::get(first);
            let gas = told.as_ref().map_or(0, |told| told.gas);
            let most = T::Callback::weight(gas);
            let around = Cost::<T>::tell();
            if used
                .saturating_add(around)
                .saturating_add(most)
                .any_gt(room)
            {
                break;
            }
            Untold::<T>::remove(first);
            first += 1;
            UntoldEnds::<T>::put((first, next));
            let took = told.map(|told| Self::tell_one(&told)).unwrap_or_default();
            used.saturating_accrue(took.saturating_add(around));
        }
        used
    }

    /// What the call took. Where its price cannot be moved there is no call, and the money is the payer's again.
    fn tell_one(told: &Told<T::AccountId>) -> Weight {
        Self::free(&told.payer);
        if Self::move_held(&told.payer, &T::Callback::purse(), told.held).is_err() {
            let reason = HoldReason::Request.into();
            let _ = T::Currency::release(&reason, &told.payer, told.held, Precision::BestEffort);
            return Weight::zero();
        }
        let took = T::Callback::call_back(told.contract, told.request, &told.answer, told.gas);
        Self::deposit_event(Event::Told {
            request: told.request,
        });
        took
    }

    /// Pays out of what is held, and says how much that was: whoever cannot have so little an account goes without.
    fn pay(payer: &T::AccountId, to: &T::AccountId, amount: u128) -> u128 {
        let moved = with_storage_layer(|| match payer == to {
            true => {
                let reason = HoldReason::Request.into();
                T::Currency::release(&reason, payer, amount, Precision::Exact).map(drop)
            }
            false => Self::move_held(payer, to, amount),
        });
        moved.map_or(0, |()| amount)
    }

    fn move_held(from: &T::AccountId, to: &T::AccountId, amount: u128) -> DispatchResult {
        if amount == 0 {
            return Ok(());
        }
        let reason = HoldReason::Request.into();
        T::Currency::transfer_on_hold(
            &reason,
            from,
            to,
            amount,
            Precision::Exact,
            Restriction::Free,
            Fortitude::Polite,
        )
        .map(drop)
    }
}

/// The list of what is open is proved once a block, however often it is changed.
fn beside<T: Config>(weight: Weight) -> Weight {
    weight.saturating_sub(Weight::from_parts(0, Cost::<T>::tend().proof_size()))
}
