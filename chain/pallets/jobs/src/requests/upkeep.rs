//! What the chain does by itself about requests: it draws committees, ends what is over, pays, and tells contracts.

use alloc::vec::Vec;

use frame_support::{
    storage::with_storage_layer,
    traits::{
        Get as _, Randomness as _,
        fungible::{Mutate as _, MutateHold as _},
        tokens::{Fortitude, Precision, Preservation, Restriction},
    },
    weights::Weight,
};
use opensky_chain_pallet_providers::{Pallet as Providers, offers};
use opensky_protocol::{
    Digest,
    ledger::{Answer, Asked, Close, Next, Request, Stage, draw},
};
use parity_scale_codec::Encode as _;
use sp_runtime::{DispatchError, DispatchResult};

use super::{
    CallBack as _, Config, CurrentTerms, Drawing, Event, HoldReason, Outputs, Own, Pallet,
    Requests, Round, Told, Untold, UntoldEnds, pallet::Asks,
};
use crate::Pallet as Jobs;

/// Open requests that one block looks at.
const LOOKED_AT: usize = 32;

/// Of the committee's members, each is looked at, paid and written about once.
const MEMBERS: u64 = 16;

impl<T: Config> Pallet<T> {
    /// Goes on with as many requests as the block has room for, and then tells contracts.
    pub(super) fn tend(room: Weight) -> Weight {
        let mut used = T::DbWeight::get().reads_writes(2, 1);
        let one = T::DbWeight::get()
            .reads_writes(u64::from(offers::MAX_LISTED) + 4 * MEMBERS, 8 + 6 * MEMBERS)
            .saturating_add(Weight::from_parts(2_000_000_000, 256_000));
        let open = Round::<T>::get();
        let fits = |used: Weight| used.saturating_add(one).all_lte(room);
        // The oldest first; what is looked at goes to the end.
        let looked_at: Vec<_> = open.iter().take(LOOKED_AT).copied().collect();
        for request in looked_at {
            if !fits(used) {
                break;
            }
            used.saturating_accrue(one);
            Self::look(&request);
            Round::<T>::mutate(|open| {
                if let Some(at) = open.iter().position(|other| *other == request) {
                    open.remove(at);
                    // There was room for it before.
                    let _ = open.try_push(request);
                }
            });
        }
        Self::tell(room.saturating_sub(used)).saturating_add(used)
    }

    /// Does what is to be done about a request now, if anything is.
    pub(super) fn look(request: &Digest) {
        let done: DispatchResult = with_storage_layer(|| Self::go_on(request));
        // What could not be done is tried again, at the latest when the deadline has come.
        let _ = done;
    }

    fn go_on(request: &Digest) -> DispatchResult {
        let (Some(mut row), Some(asked)) = (Requests::<T>::get(request), Asks::<T>::get(request))
        else {
            return Ok(());
        };
        let before = row.stage;
        let terms = CurrentTerms::<T>::get();
        let now = Providers::<T>::now();
        match row.next(usize::from(asked.replicas), &terms, now) {
            Next::Wait => {
                if matches!(
                    (before, row.stage),
                    (Stage::Promising { .. }, Stage::Showing { .. })
                ) {
                    Self::deposit_event(Event::Promised { request: *request });
                }
                Requests::<T>::insert(request, row);
                Ok(())
            }
            Next::Draw(count) => Self::draw(request, row, &asked, count, now),
            Next::End(close) => Self::end(request, &row, &asked, &close),
        }
    }

    /// Draws, once there are numbers that nobody could know when it became clear that they are needed.
    fn draw(
        request: &Digest,
        mut row: Request,
        asked: &Asked,
        count: usize,
        now: u64,
    ) -> DispatchResult {
        let Stage::Drawing { since } = row.stage else {
            row.stage = Stage::Drawing {
                since: Self::block(),
            };
            Drawing::<T>::mutate(|drawing| *drawing += 1);
            Requests::<T>::insert(request, row);
            return Ok(());
        };
        let (seed, begun) = T::Randomness::random(&(request, row.seats.len() as u32).encode());
        if begun <= since.into() {
            return Ok(());
        }
        let (most, len) = (asked.share(), asked.input.len());
        let candidates = offers::Pallet::<T>::candidates(|operator, offer| {
            row.seat_of(operator).is_none() && offer.fits(&asked.limits, len, most)
        });
        let drawn = draw(candidates, &seed, count);
        if drawn.len() < count {
            // Whoever offers something before the deadline may still be drawn.
            return Ok(());
        }
        let terms = CurrentTerms::<T>::get();
        let time = terms.run(&asked.limits).saturating_add(terms.commit);
        Self::deposit_event(Event::Seated {
            request: *request,
            operators: drawn.iter().map(|one| one.operator.0.into()).collect(),
        });
        row.seat(
            drawn.into_iter().map(|one| (one.operator, one.ask)),
            now.saturating_add(time),
        );
        Drawing::<T>::mutate(|drawing| *drawing = drawing.saturating_sub(1));
        Requests::<T>::insert(request, row);
        Ok(())
    }

    /// Pays those who agree, gives back what is left, and has the contract told.
    fn end(request: &Digest, row: &Request, asked: &Asked, close: &Close) -> DispatchResult {
        let payer = T::AccountId::from(row.payer.0);
        let mut left = row.price;
        if let Close::Agreed(agreed) = close {
            for payout in row.payouts(agreed, asked) {
                let operator = T::AccountId::from(payout.operator.0);
                let paid = Self::pay(&payer, &operator, payout.from_escrow);
                left -= paid;
                let amount = paid.saturating_add(Self::reward(&operator, payout.from_pot));
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
        Self::forget(request, row, &payer);
        Self::queue(request, row, asked, &payer, &answer)?;
        Self::deposit_event(Event::Answered {
            request: *request,
            payer,
            answer,
            refunded: left,
        });
        Ok(())
    }

    fn forget(request: &Digest, row: &Request, payer: &T::AccountId) {
        if matches!(row.stage, Stage::Drawing { .. }) {
            Drawing::<T>::mutate(|drawing| *drawing = drawing.saturating_sub(1));
        }
        Requests::<T>::remove(request);
        Asks::<T>::remove(request);
        // No more outputs than seats.
        let _ = Outputs::<T>::clear_prefix(request, MEMBERS as u32, None);
        Round::<T>::mutate(|open| open.retain(|other| other != request));
        Own::<T>::mutate(payer, |own| *own = own.saturating_sub(1));
    }

    fn queue(
        request: &Digest,
        row: &Request,
        asked: &Asked,
        payer: &T::AccountId,
        answer: &Answer,
    ) -> DispatchResult {
        let Some(callback) = asked.callback else {
            return Ok(());
        };
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
        Ok(())
    }

    /// Tells contracts in their order, as far as there is room. Each is told once, whatever it does: it is off the list
    /// before.
    fn tell(room: Weight) -> Weight {
        let around = T::DbWeight::get().reads_writes(4, 4);
        let mut used = Weight::zero();
        let (mut first, next) = UntoldEnds::<T>::get();
        while first < next {
            let Some(told) = Untold::<T>::get(first) else {
                first += 1;
                continue;
            };
            let weight = T::Callback::weight(told.gas).saturating_add(around);
            if used.saturating_add(weight).any_gt(room) {
                break;
            }
            Untold::<T>::remove(first);
            first += 1;
            UntoldEnds::<T>::put((first, next));
            let took = Self::tell_one(&told).unwrap_or(weight);
            used.saturating_accrue(took.saturating_add(around));
        }
        UntoldEnds::<T>::put((first, next.max(UntoldEnds::<T>::get().1)));
        used
    }

    fn tell_one(told: &Told<T::AccountId>) -> Result<Weight, DispatchError> {
        Self::move_held(&told.payer, &T::Callback::purse(), told.held)?;
        let took = T::Callback::call_back(told.contract, told.request, &told.answer, told.gas);
        Self::deposit_event(Event::Told {
            request: told.request,
        });
        Ok(took)
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

    fn reward(to: &T::AccountId, amount: u128) -> u128 {
        let pot = Jobs::<T>::pot();
        let moved = with_storage_layer(|| {
            T::Currency::transfer(&pot, to, amount, Preservation::Preserve).map(drop)
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
