//! What a scenario needs of a ledger, from the pallets.

use std::collections::BTreeMap;

use frame_support::{
    dispatch::DispatchResult,
    storage::with_storage_layer,
    traits::{
        Hooks as _,
        fungible::{Inspect as _, InspectHold as _, Mutate as _},
    },
    weights::Weight,
};
use opensky_chain_pallet_jobs as jobs;
use opensky_chain_pallet_providers as providers;
use opensky_protocol::{
    Account, Digest,
    ledger::{AccountState, Call, Escrow, EvidenceError, Fact, Purse, Rejection},
};
use sp_runtime::{AccountId32, DispatchError, TokenError};

use crate::{
    runtime::{
        Balances, ExistentialDeposit, Jobs, Providers, Runtime, RuntimeEvent, RuntimeOrigin,
        System, Timestamp, audit, chain,
    },
    world::{Party, terms},
};

/// Who is in every scenario.
pub struct Cast {
    pub ada: Party,
    pub bob: Party,
    pub cyd: Party,
    pub dan: Party,
    pub judge: Party,
}

/// What each of the cast begins with.
pub const START: u128 = 10_000;
/// When each scenario begins.
pub const NOON: u64 = 1_800_000_000_000;

/// Plays a scenario with a small existential deposit, and with a larger one.
pub fn on_each(scenario: fn(&mut Driver, &Cast)) {
    for existential in [1, 7] {
        ExistentialDeposit::set(existential);
        let cast = Cast {
            ada: Party::new(1),
            bob: Party::new(2),
            cyd: Party::new(3),
            dan: Party::new(4),
            judge: Party::new(5),
        };
        let all = [&cast.ada, &cast.bob, &cast.cyd, &cast.dan, &cast.judge];
        let mut balances: Vec<_> = all.map(|party| (id(party.account()), START)).into();
        balances.push((Jobs::pot(), existential));
        chain(balances).execute_with(|| {
            let mut terms = terms(&cast.judge);
            terms.existential = existential;
            providers::CurrentTerms::<Runtime>::put(terms);
            System::set_block_number(1);
            let mut driver = Driver { now: 0 };
            driver.pass(NOON);
            scenario(&mut driver, &cast);
            driver.check();
        });
    }
}

fn id(account: Account) -> AccountId32 {
    account.0.into()
}

/// The chain that the test is in.
pub struct Driver {
    now: u64,
}

impl Driver {
    pub fn id(&self) -> Digest {
        providers::Pallet::<Runtime>::ledger()
    }

    pub fn now(&self) -> u64 {
        self.now
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: u64) {
        self.now += time;
        Timestamp::set_timestamp(self.now);
        Jobs::on_idle(System::block_number(), Weight::MAX);
        audit();
    }

    /// Makes a block with one call of an account.
    pub fn ask(&mut self, party: &Party, call: Call) -> Result<Vec<Fact>, Rejection> {
        self.ask_by(party, party.account(), call)
    }

    /// The same for the account whose node the party is.
    pub fn ask_by(
        &mut self,
        signer: &Party,
        account: Account,
        call: Call,
    ) -> Result<Vec<Fact>, Rejection> {
        let number = System::block_number() + 1;
        System::set_block_number(number);
        System::reset_events();
        let origin = RuntimeOrigin::signed(id(signer.account()));
        let done = with_storage_layer(|| dispatch(origin, account, call));
        audit();
        done.map_err(rejection)?;
        let events = System::events().into_iter();
        Ok(events.filter_map(|record| fact(record.event)).collect())
    }

    pub fn state(&mut self, party: &Party) -> AccountState {
        let account = id(party.account());
        AccountState {
            purse: Purse {
                free: Balances::balance(&account),
                held: Balances::total_balance_on_hold(&account),
            },
            operator: providers::Operators::<Runtime>::get(account),
        }
    }

    pub fn escrow(&mut self, id: Digest) -> Escrow {
        jobs::Escrows::<Runtime>::get(id).unwrap()
    }

    /// What the party has more, or less, than at the start: held money is its own.
    pub fn gain(&mut self, party: &Party) -> i128 {
        let purse = self.state(party).purse;
        (purse.free + purse.held) as i128 - START as i128
    }

    pub fn gains(&mut self, cast: &Cast) -> [i128; 4] {
        [&cast.ada, &cast.bob, &cast.cyd, &cast.dan].map(|party| self.gain(party))
    }

    /// That each account's held money is what it is held for.
    fn check(&self) {
        let mut held = BTreeMap::<AccountId32, u128>::new();
        for (account, operator) in providers::Operators::<Runtime>::iter() {
            *held.entry(account).or_default() += operator.at_stake();
        }
        for escrow in jobs::Escrows::<Runtime>::iter_values() {
            assert!(escrow.reserved <= escrow.left(), "{escrow:?}");
            *held.entry(id(escrow.payer)).or_default() += escrow.left();
        }
        for case in jobs::Cases::<Runtime>::iter_values() {
            if let Some(objection) = case.objection {
                *held.entry(id(objection.by)).or_default() += objection.bond;
            }
        }
        for account in frame_system::Account::<Runtime>::iter_keys() {
            let due = held.remove(&account).unwrap_or_default();
            assert_eq!(
                Balances::total_balance_on_hold(&account),
                due,
                "{account:?}"
            );
        }
        assert!(held.values().all(|amount| *amount == 0), "{held:?}");
    }
}

/// One transaction.
fn dispatch(origin: RuntimeOrigin, account: Account, call: Call) -> DispatchResult {
    match call {
        // What a client does for a development chain: whoever has money there gives it away.
        Call::Faucet { amount } => match amount > terms(&Party::new(5)).faucet {
            true => Err(DispatchError::Other("Faucet")),
            false => Balances::mint_into(&id(account), amount).map(drop),
        },
        Call::Transfer { amount: 0, .. } => Err(DispatchError::Other("Zero")),
        Call::Transfer { to, amount } => Balances::transfer_allow_death(origin, id(to), amount),
        Call::Certify { consent } => Providers::certify(origin, consent),
        Call::Revoke { node } => Providers::revoke(origin, node),
        Call::Bond { amount } => Providers::bond(origin, amount),
        Call::Unbond { amount } => Providers::unbond(origin, amount),
        Call::Withdraw => Providers::withdraw(origin),
        Call::OpenEscrow {
            escrow,
            requester,
            amount,
            deadline,
        } => Jobs::open_escrow(origin, escrow, requester, amount, deadline),
        Call::TopUp { escrow, amount } => Jobs::top_up(origin, escrow, amount),
        Call::Close { escrow } => Jobs::close(origin, escrow),
        Call::Claim { vouchers } => Jobs::claim(origin, vouchers),
        Call::Show(showing) => Jobs::show(origin, id(account), showing),
        Call::Object { escrow, unit } => Jobs::object(origin, escrow, unit),
        Call::Resolve {
            escrow,
            unit,
            verdict,
        } => Jobs::resolve(origin, escrow, unit, verdict),
        Call::Settle { escrow, units } => Jobs::settle(origin, escrow, units),
        Call::Refund { escrow } => Jobs::refund(origin, escrow),
        // The scenarios are of what every ledger does.
        Call::OnChain(call) => panic!("{call:?}"),
    }
}

fn fact(event: RuntimeEvent) -> Option<Fact> {
    match event {
        RuntimeEvent::Jobs(jobs::Event::Booked(fact))
        | RuntimeEvent::Providers(providers::Event::Booked(fact)) => Some(fact),
        _ => None,
    }
}

/// The rule that a transaction broke, by the name of the pallet's error.
fn rejection(error: DispatchError) -> Rejection {
    let name = match error {
        DispatchError::Module(error) => error.message.unwrap(),
        DispatchError::Other(name) => name,
        DispatchError::Token(TokenError::FundsUnavailable) | DispatchError::Arithmetic(_) => {
            return Rejection::Balance;
        }
        other => panic!("{other:?}"),
    };
    match name {
        "Balance" | "InsufficientBalance" => Rejection::Balance,
        "Existential" => Rejection::Existential,
        "Zero" => Rejection::Zero,
        "Overflow" => Rejection::Overflow,
        "Unauthorised" => Rejection::Unauthorised,
        "Faucet" => Rejection::Faucet,
        "NodeTaken" => Rejection::NodeTaken,
        "NodeUnknown" => Rejection::NodeUnknown,
        "Bond" => Rejection::Bond,
        "Unbondings" => Rejection::Unbondings,
        "TooEarly" => Rejection::TooEarly,
        "EscrowTaken" => Rejection::EscrowTaken,
        "EscrowUnknown" => Rejection::EscrowUnknown,
        "Deadline" => Rejection::Deadline,
        "Phase" => Rejection::Phase,
        "Voucher" => Rejection::Voucher,
        "Opening" => Rejection::Opening,
        "EvidenceTicket" => Rejection::Evidence(EvidenceError::Ticket),
        "EvidenceAssignment" => Rejection::Evidence(EvidenceError::Assignment),
        "EvidenceOperator" => Rejection::Evidence(EvidenceError::Operator),
        "EvidenceCommit" => Rejection::Evidence(EvidenceError::Commit),
        "EvidenceStatement" => Rejection::Evidence(EvidenceError::Statement),
        "EvidenceLimits" => Rejection::Evidence(EvidenceError::Limits),
        "EvidenceNode" => Rejection::Evidence(EvidenceError::Node),
        "EvidenceBond" => Rejection::Evidence(EvidenceError::Bond),
        "EvidenceSummons" => Rejection::Evidence(EvidenceError::Summons),
        "Claimed" => Rejection::Claimed,
        "Claims" => Rejection::Claims,
        "Unsettled" => Rejection::Unsettled,
        "CaseUnknown" => Rejection::CaseUnknown,
        "Undisputed" => Rejection::Undisputed,
        "Disputed" => Rejection::Disputed,
        "NoArbiter" => Rejection::NoArbiter,
        other => panic!("{other}"),
    }
}
