//! What must hold of the pallet's state after each block, for tools and tests.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use frame_support::{
    ensure,
    traits::{GetStorageVersion as _, fungible::InspectHold as _},
};
use opensky_protocol::{
    Account, Digest,
    ledger::{Asked, Request, Stage},
};
use sp_runtime::TryRuntimeError;

use super::{
    Asks, Awaited, CallBack as _, Config, Drawing, Due, HoldReason, MAX_OPEN, MAX_OWN, MEMBERS,
    Outputs, Own, Pallet, Placed, Requests, Round, Untold, UntoldEnds,
};

type Checked = Result<(), TryRuntimeError>;

/// The first thing that is wrong.
pub fn state<T: Config>() -> Checked {
    ensure!(
        Pallet::<T>::on_chain_storage_version() == Pallet::<T>::in_code_storage_version(),
        "requests' rows are of another version than the code"
    );
    let open = Round::<T>::get();
    let names: BTreeSet<_> = open.iter().map(|due| due.request).collect();
    ensure!(
        names.len() == open.len(),
        "a request waits in two places at once"
    );
    ensure!(
        names == Requests::<T>::iter_keys().collect() && names == Asks::<T>::iter_keys().collect(),
        "what is open is not what is waited for"
    );
    let is_drawn = |due: &&Due| matches!(due.stage, Stage::Drawing { .. });
    let drawn = open.iter().filter(is_drawn).count();
    ensure!(
        drawn == Drawing::<T>::get() as usize,
        "those that wait for random numbers are miscounted"
    );
    open.iter().try_for_each(request::<T>)?;
    let outputs = Outputs::<T>::iter();
    let is_shown = |(name, key, output): (_, _, Vec<u8>)| {
        let row = Requests::<T>::get::<Digest>(name);
        let seats = row.iter().flat_map(|row| &row.seats);
        let mut shown = seats.filter_map(|seat| seat.shown);
        shown.any(|shown| shown.key == key && shown.output == Digest::of(&output))
    };
    let mut outputs = outputs.map(|(name, key, output)| (name, key, output.into_inner()));
    ensure!(
        outputs.all(is_shown),
        "there is an output that nobody has shown"
    );
    untold::<T>(open.len())?;
    held::<T>()
}

fn request<T: Config>(due: &Due) -> Checked {
    let (row, asked) = (Requests::<T>::get(due.request), Asks::<T>::get(due.request));
    let (Some(row), Some(asked)) = (row, asked) else {
        return Err("a request is not there".into());
    };
    ensure!(
        *due == Due::of(due.request, &row),
        "a request waits for another thing than its row says"
    );
    let gas = asked
        .callback
        .map_or(0, |callback| T::Callback::price(callback.gas));
    ensure!(
        row.price == asked.max_price && row.deadline == asked.deadline && row.gas == gas,
        "a request is not what was asked"
    );
    ensure!(
        row.unit == asked.work(&row.profile).unit(),
        "a request is about another unit than what was asked"
    );
    seats(&row, &asked)?;
    match row.stage {
        Stage::Drawing { since } => ensure!(
            since <= Awaited::<T>::get() && since <= Pallet::<T>::moment().block,
            "a request waits since a block that has not come"
        ),
        Stage::Promising { .. } | Stage::Showing { .. } => {
            ensure!(!row.seats.is_empty(), "nobody is asked for a word");
        }
    }
    Ok(())
}

fn seats(row: &Request, asked: &Asked) -> Checked {
    let operators: BTreeSet<_> = row.seats.iter().map(|seat| seat.operator).collect();
    ensure!(
        operators.len() == row.seats.len() && operators.len() <= MEMBERS as usize,
        "an operator has two seats, or there are too many"
    );
    row.seats.iter().try_for_each(|seat| {
        ensure!(
            seat.promise.is_some() || seat.shown.is_none(),
            "somebody has shown what it has not promised"
        );
        let most = seat.ask.worst_case(&asked.limits, asked.input.len());
        ensure!(
            most <= asked.share(),
            "an operator was drawn that asks for more than its share"
        );
        Ok(())
    })
}

/// Whom a contract is still to be told for, and how many places each account has.
fn untold<T: Config>(open: usize) -> Checked {
    let (first, next) = UntoldEnds::<T>::get();
    let numbers: BTreeSet<_> = Untold::<T>::iter_keys().collect();
    ensure!(
        numbers.iter().copied().eq(first..next),
        "somebody who is to be told is not in the queue"
    );
    ensure!(
        open + numbers.len() <= MAX_OPEN as usize,
        "more places are taken than there are"
    );
    ensure!(
        Placed::<T>::get() >= open as u64,
        "more is open than was ever asked"
    );
    let payers = Requests::<T>::iter_values().map(|row| row.payer.0.into());
    let told = Untold::<T>::iter_values().map(|told| told.payer);
    let mut own = BTreeMap::<T::AccountId, u32>::new();
    for payer in payers.chain(told) {
        *own.entry(payer).or_default() += 1;
    }
    ensure!(
        own == Own::<T>::iter().collect(),
        "an account's places are miscounted"
    );
    ensure!(
        own.values().all(|own| *own <= MAX_OWN),
        "an account has too many places"
    );
    Ok(())
}

/// That each account's held money is what it is held for.
fn held<T: Config>() -> Checked {
    let mut due = BTreeMap::<Account, u128>::new();
    for row in Requests::<T>::iter_values() {
        *due.entry(row.payer).or_default() += row.price + row.gas;
    }
    for told in Untold::<T>::iter_values() {
        let payer = Account(told.payer.into());
        *due.entry(payer).or_default() += told.held;
    }
    let holds = |(account, due): (&Account, &u128)| {
        let reason = HoldReason::Request.into();
        T::Currency::balance_on_hold(&reason, &account.0.into()) == *due
    };
    ensure!(
        due.iter().all(holds),
        "a payer's held money is not what its requests may cost"
    );
    Ok(())
}
