//! The pallets' books and the embedded ledger's, side by side: whatever is asked of both in whatever order, both do the
//! same.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

#[path = "../conformance/runtime.rs"]
mod runtime;
#[path = "../../../../../crates/ledger/tests/steps/mod.rs"]
mod steps;
#[path = "../../../../../crates/ledger/tests/world/mod.rs"]
mod world;

use frame_support::{
    storage::with_storage_layer,
    traits::{
        Hooks as _,
        fungible::{Inspect as _, InspectHold as _},
    },
    weights::Weight,
};
use opensky_chain_pallet_jobs::Book;
use opensky_chain_pallet_providers as providers;
use opensky_ledger::Books;
use opensky_protocol::{
    Account, Digest,
    ledger::{
        Call, Fact, Genesis, Purse, Rejection, Status, Terms,
        rules::{self, Caller, Register as _, State as _},
    },
};
use proptest::prelude::*;
use runtime::{Balances, ExistentialDeposit, Jobs, Runtime, System, Timestamp, audit, chain};
use sp_runtime::{AccountId32, DispatchError};
use steps::{PARTIES, Stage, Step, step};
use world::{Party, genesis, terms, unit};

/// A turn of the chain's agenda, which the embedded ledger does not have: all times are multiples of it.
const TURN: u64 = 6_000;

/// Both ledgers, and what the parties know.
struct Pair {
    books: Books,
    stage: Stage,
}

impl Pair {
    /// In a chain with the same terms and balances.
    fn new(genesis: Genesis) -> Self {
        let books = Books::new(genesis).unwrap();
        let mut stage = Stage::new(books.id());
        stage.now = stage.now.next_multiple_of(TURN);
        Self { books, stage }
    }

    fn play(&mut self, step: &Step) {
        self.stage.now += step.wait.next_multiple_of(TURN);
        let now = self.stage.now;
        while self.books.tend(now).is_some() {}
        Timestamp::set_timestamp(now);
        Jobs::on_idle(System::block_number(), Weight::MAX);

        let cases = |escrow: &Digest| self.books.cases(escrow, None, 64);
        let call = self.stage.call(step, cases);
        // How free money is made and given is each ledger's own affair.
        if matches!(call, Call::Faucet { .. } | Call::Transfer { .. }) {
            return;
        }
        let intent = self.stage.signer(step).intent(self.books.id(), 0, call);
        let here = match self.books.apply(&intent, now) {
            Status::Final { facts, .. } => Ok(facts),
            Status::Rejected { reason, .. } => Err(reason),
            Status::Pending => panic!("books decide"),
        };
        let caller = Caller {
            account: intent.account,
            signer: intent.signer,
        };
        let there = on_chain(&caller, &intent.call, now);
        assert_eq!(
            here.as_deref().map_err(plain),
            there.as_deref().map_err(plain),
            "{intent:?}"
        );
        for fact in here.into_iter().flatten() {
            self.stage.note(step, &fact);
        }
        audit();
        self.compare();
    }

    /// All rows and all money.
    fn compare(&self) {
        let chain = Book::<Runtime>::new();
        for party in &self.stage.parties {
            let account = party.account();
            assert_eq!(self.books.purse(&account), purse(&account));
            assert_eq!(self.books.operator(&account), chain.operator(&account));
        }
        let pot = Balances::balance(&Jobs::pot()) - ExistentialDeposit::get();
        assert_eq!(self.books.treasury().pot, pot);
        for escrow in (1..=steps::ESCROWS).map(|number| Digest([number; 32])) {
            assert_eq!(self.books.escrow(&escrow), chain.escrow(&escrow));
            for party in &self.stage.parties {
                let account = party.account();
                assert_eq!(
                    self.books.tab(&escrow, &account),
                    chain.tab(&escrow, &account)
                );
            }
            for unit in (0..8).map(unit) {
                assert_eq!(self.books.case(&escrow, &unit), chain.case(&escrow, &unit));
            }
        }
    }
}

/// As a transaction would do it, but for the signatures: here nobody signs.
fn on_chain(caller: &Caller, call: &Call, now: u64) -> Result<Vec<Fact>, Rejection> {
    let mut done = Err(Rejection::Unauthorised);
    // Whether it is kept or taken back.
    let _ = with_storage_layer(|| {
        let mut book = Book::<Runtime>::new();
        if rules::may_sign(&book, caller, call) {
            done = rules::carry_out(&mut book, caller, call, now);
        }
        done.as_ref()
            .map(drop)
            .map_err(|_| DispatchError::Other("taken back"))
    });
    done
}

/// A chain's money has fewer words for why it does not move.
fn plain(rejection: &Rejection) -> Rejection {
    match rejection {
        Rejection::Existential | Rejection::Overflow => Rejection::Balance,
        other => *other,
    }
}

fn purse(account: &Account) -> Purse {
    let account = AccountId32::from(account.0);
    Purse {
        free: Balances::balance(&account),
        held: Balances::total_balance_on_hold(&account),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn chain_does_what_the_embedded_ledger_does(
        existential in 1..60u128,
        penalty in prop_oneof![Just(0u128), Just(100u128)],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let terms = Terms { existential, penalty, ..terms(&Party::new(1)) };
        let parties: Vec<_> = (0..PARTIES).map(|number| Party::new(number + 1)).collect();
        let balances: Vec<_> = parties.iter().map(|party| (party, 1_000)).collect();
        ExistentialDeposit::set(existential);
        let mut accounts: Vec<_> = parties.iter().map(|party| (party.account().0.into(), 1_000)).collect();
        accounts.push((Jobs::pot(), existential));
        let mut pair = Pair::new(genesis(terms.clone(), &balances));
        chain(accounts).execute_with(|| {
            providers::CurrentTerms::<Runtime>::put(terms);
            // Calls name the ledger that they are for.
            frame_system::BlockHash::<Runtime>::insert(0, sp_core::H256(pair.books.id().0));
            System::set_block_number(1);
            for step in Stage::beginning().iter().chain(&steps) {
                pair.play(step);
            }
        });
    }
}
