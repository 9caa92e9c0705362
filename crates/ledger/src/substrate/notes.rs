//! What the events of a transaction come to, or those of what the chain does by itself: facts, which name each amount that
//! moves once, though several pallets say that it did.

use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{Fact, Rejection},
};
use subxt::{
    error::DispatchError,
    events::Event,
    ext::scale_decode::DecodeAsType,
    utils::{AccountId32, Static},
};

use super::{
    At, ChainAway, Config,
    api::{
        balances::events as balances,
        runtime_types::opensky_chain_runtime::RuntimeHoldReason as Held,
        transaction_payment::events as payment,
    },
    scan::rejection,
};

/// What is noted of them.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Who paid for the transaction.
    pub fee: Option<(Account, u128)>,
    /// Why nothing happened.
    pub failed: Option<Rejection>,
    /// What happened, in order.
    pub told: Vec<(About, Fact)>,
    /// What was held last, and of whom.
    held: Option<(Account, u128)>,
    /// Whom a request has paid of which it is not said yet who placed it.
    paid: Vec<(Account, u128)>,
    /// What was taken last of what is held for requests.
    taken: Option<Taken>,
}

/// What a fact is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    /// An escrow, or a request.
    Named(Digest),
    /// The same as the next that has a name.
    Next,
    /// Nothing that has one.
    Nameless,
}

#[derive(Debug)]
struct Taken {
    from: Account,
    to: Account,
    amount: u128,
    given_back: u128,
}

impl Notes {
    /// Notes the next event.
    pub fn note(&mut self, event: &Event<'_, Config>, at: &At) -> Result<(), ChainAway> {
        match (event.pallet_name(), event.event_name()) {
            ("Jobs" | "Providers", "Booked") => {
                let Booked(Static(fact)) = event.decode_fields_unchecked_as()?;
                self.book(fact);
            }
            ("Requests", name) => self.note_request(event, name)?,
            ("Beacon", "Silent") => self.slash(event.decode_fields_unchecked_as()?),
            ("Balances", name) => self.note_money(event, name)?,
            ("TransactionPayment", "TransactionFeePaid") => {
                let paid = event.decode_fields_unchecked_as::<payment::TransactionFeePaid>()?;
                self.fee = Some((Account(paid.who.0), paid.actual_fee));
            }
            ("System", "ExtrinsicFailed") => {
                let error = DispatchError::decode_from(event.field_bytes(), at.metadata());
                let reason = error.map_or(Rejection::Unknown, |error| rejection(&error));
                self.failed = Some(reason);
            }
            _ => {}
        }
        Ok(())
    }

    fn note_request(&mut self, event: &Event<'_, Config>, name: &str) -> Result<(), ChainAway> {
        match name {
            "Placed" => self.place(event.decode_fields_unchecked_as()?),
            "Paid" => self.pay(event.decode_fields_unchecked_as()?),
            "Answered" => self.end(event.decode_fields_unchecked_as()?),
            "Told" => self.call_back(event.decode_fields_unchecked_as()?),
            _ => {}
        }
        Ok(())
    }

    fn note_money(&mut self, event: &Event<'_, Config>, name: &str) -> Result<(), ChainAway> {
        match name {
            "Transfer" => {
                let moved = event.decode_fields_unchecked_as::<balances::Transfer>()?;
                self.transfer(Account(moved.from.0), Account(moved.to.0), moved.amount);
            }
            "Held" => {
                let Hold { who, amount } = event.decode_fields_unchecked_as()?;
                self.held = Some((Account(who.0), amount));
            }
            // Why something is held that another runtime knows is no affair of this one.
            "TransferOnHold" => {
                let moved = event.decode_fields_unchecked_as::<balances::TransferOnHold>();
                if let Ok(moved) = moved {
                    let (from, to) = (Account(moved.source.0), Account(moved.dest.0));
                    self.take(&moved.reason, from, to, moved.amount);
                }
            }
            "TransferAndHold" => {
                let Deposit {
                    source,
                    dest,
                    transferred,
                } = event.decode_fields_unchecked_as()?;
                self.transfer(Account(source.0), Account(dest.0), transferred);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A field of the pallets' event.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Booked(Static<Fact>);

/// Something is held.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Hold {
    who: AccountId32,
    amount: u128,
}

/// What a contract's storage costs somebody who calls it.
#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Deposit {
    source: AccountId32,
    dest: AccountId32,
    transferred: u128,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Placed {
    request: Static<Digest>,
    payer: AccountId32,
    max_price: u128,
    deadline: u64,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Paid {
    operator: AccountId32,
    amount: u128,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Answered {
    request: Static<Digest>,
    payer: AccountId32,
    refunded: u128,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Told {
    request: Static<Digest>,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Silent {
    operator: AccountId32,
    lost: u128,
}

/// What each comes to.
impl Notes {
    /// It says what was moved for it, but what the pot gives has been noted already.
    fn book(&mut self, fact: Fact) {
        if let Fact::Rewarded { account, amount } = fact {
            let is_it = |(_, fact): &(About, Fact)| match *fact {
                Fact::Transferred { to, amount: of, .. } => (to, of) == (account, amount),
                _ => false,
            };
            if let Some(given) = self.told.iter().rposition(is_it) {
                self.told.remove(given);
            }
        }
        let about = escrow_of(&fact).map_or(About::Next, About::Named);
        self.told.push((about, fact));
    }

    fn transfer(&mut self, from: Account, to: Account, amount: u128) {
        // What a callback has not used of its price.
        if let Some(taken) = &mut self.taken
            && (taken.from, taken.to) == (to, from)
            && amount <= taken.amount
        {
            taken.amount -= amount;
            taken.given_back = taken.given_back.saturating_add(amount);
            return;
        }
        let fact = Fact::Transferred { from, to, amount };
        self.told.push((About::Next, fact));
    }

    /// What is taken of bonds and escrows the books tell; of requests, what is said after it.
    fn take(&mut self, reason: &Held, from: Account, to: Account, amount: u128) {
        match reason {
            Held::Jobs(_) | Held::Providers(_) => {}
            Held::Requests(_) => {
                self.taken = Some(Taken {
                    from,
                    to,
                    amount,
                    given_back: 0,
                });
            }
            Held::Revive(_) => self.transfer(from, to, amount),
        }
    }

    /// More is held than the price where a contract is to be called back.
    fn place(&mut self, placed: Placed) {
        let (Static(escrow), payer) = (placed.request, Account(placed.payer.0));
        let held = self.held.take().filter(|(who, _)| *who == payer);
        let fact = Fact::Opened {
            escrow,
            payer,
            requester: NodeKey(payer.0),
            amount: held.map_or(placed.max_price, |(_, amount)| amount),
            deadline: placed.deadline,
        };
        self.told.push((About::Named(escrow), fact));
    }

    fn pay(&mut self, paid: Paid) {
        self.taken = None;
        self.paid.push((Account(paid.operator.0), paid.amount));
    }

    fn end(&mut self, answered: Answered) {
        let (Static(escrow), payer) = (answered.request, Account(answered.payer.0));
        let paid = std::mem::take(&mut self.paid).into_iter();
        let paid = paid.map(|(operator, amount)| Fact::Paid {
            escrow,
            payer,
            operator,
            amount,
        });
        let refunded = Fact::Refunded {
            escrow,
            payer,
            amount: answered.refunded,
        };
        let facts = paid.chain([refunded]);
        self.told
            .extend(facts.map(|fact| (About::Named(escrow), fact)));
    }

    /// Whoever calls contracts back was paid for it, as far as it has not given that back: it went back to the payer.
    fn call_back(&mut self, told: Told) {
        let Static(escrow) = told.request;
        let Some(taken) = self.taken.take() else {
            return;
        };
        let fact = Fact::Paid {
            escrow,
            payer: taken.from,
            operator: taken.to,
            amount: taken.amount,
        };
        self.told.push((About::Named(escrow), fact));
        if taken.given_back > 0 {
            let fact = Fact::Refunded {
                escrow,
                payer: taken.from,
                amount: taken.given_back,
            };
            self.told.push((About::Named(escrow), fact));
        }
    }

    fn slash(&mut self, silent: Silent) {
        let fact = Fact::Slashed {
            account: Account(silent.operator.0),
            amount: silent.lost,
        };
        self.told.push((About::Nameless, fact));
    }
}

fn escrow_of(fact: &Fact) -> Option<Digest> {
    match *fact {
        Fact::Opened { escrow, .. }
        | Fact::ToppedUp { escrow, .. }
        | Fact::Closed { escrow, .. }
        | Fact::Paid { escrow, .. }
        | Fact::NotPaid { escrow, .. }
        | Fact::Filed { escrow, .. }
        | Fact::NotFiled { escrow, .. }
        | Fact::Objected { escrow, .. }
        | Fact::Resolved { escrow, .. }
        | Fact::Settled { escrow, .. }
        | Fact::Refunded { escrow, .. } => Some(escrow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Account = Account([1; 32]);
    const BOB: Account = Account([2; 32]);
    const POT: Account = Account([3; 32]);
    const PURSE: Account = Account([4; 32]);
    const REQUEST: Digest = Digest([7; 32]);

    fn request() -> Held {
        use super::super::api::runtime_types::opensky_chain_pallet_jobs::requests::pallet::HoldReason;
        Held::Requests(HoldReason::Request)
    }

    fn facts(notes: Notes) -> Vec<Fact> {
        notes.told.into_iter().map(|(_, fact)| fact).collect()
    }

    fn sent(from: Account, to: Account, amount: u128) -> Fact {
        Fact::Transferred { from, to, amount }
    }

    #[test]
    fn each_transfer_is_told_and_what_the_pot_gives_only_as_that() {
        let mut notes = Notes::default();
        notes.transfer(ADA, BOB, 5);
        notes.transfer(POT, BOB, 5);
        let rewarded = Fact::Rewarded {
            account: BOB,
            amount: 5,
        };
        notes.book(rewarded.clone());
        notes.transfer(BOB, ADA, 2);
        let told = [sent(ADA, BOB, 5), rewarded, sent(BOB, ADA, 2)];
        assert_eq!(facts(notes), told);
    }

    #[test]
    fn callback_is_paid_for_by_what_it_has_used() {
        let mut notes = Notes::default();
        for back in [30, 150] {
            notes.take(&request(), ADA, PURSE, 100);
            notes.transfer(ADA, BOB, 9);
            notes.transfer(PURSE, POT, 70);
            notes.transfer(PURSE, ADA, back);
            let request = Static(REQUEST);
            notes.call_back(Told { request });
        }
        let paid = |amount| Fact::Paid {
            escrow: REQUEST,
            payer: ADA,
            operator: PURSE,
            amount,
        };
        let around = [sent(ADA, BOB, 9), sent(PURSE, POT, 70)];
        let given_back = Fact::Refunded {
            escrow: REQUEST,
            payer: ADA,
            amount: 30,
        };
        let first = [&around[..], &[paid(70), given_back]].concat();
        // A contract may be given more than that: somebody has sent it to whoever calls back.
        let second = [&around[..], &[sent(PURSE, ADA, 150), paid(100)]].concat();
        assert_eq!(facts(notes), [first, second].concat());
    }
}
