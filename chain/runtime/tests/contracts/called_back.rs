//! What a contract can do when it is called back: nothing that anybody else would notice.

use frame_support::traits::{
    fungible::{Inspect as _, Mutate as _},
    tokens::Preservation,
};
use opensky_chain_pallet_jobs::requests::{self, CallBack as _};
use opensky_chain_runtime::{AccountId, Balances, Jobs, Revive, Runtime, contracts::OpenSky};
use opensky_protocol::{
    Class, Digest,
    ledger::{Answer, AnswerStatus, Data, Refund},
};
use pallet_revive::{
    H160,
    precompiles::alloy::primitives::{FixedBytes, U256},
};
use sp_keyring::Ed25519Keyring as Key;

use crate::{
    asking::{ETHER, PROGRAM, SKY, placed},
    chain::Chain,
    solidity::{Asker, Contract, IOpenSkyReceiver, Requester, args},
};

const GAS: u64 = 300_000;

/// What a callback took.
struct Took {
    /// What went to the pot.
    fee: u128,
    /// What the contract has more.
    back: u128,
    /// What is no money any more.
    burnt: u128,
}

/// Calls a contract back as the pallet does: the price is in the purse before.
fn call_back(
    chain: &mut Chain,
    contract: H160,
    request: Digest,
    answer: &Answer,
    gas: u64,
) -> Took {
    let account = Contract(contract).account();
    let balances = |chain: &mut Chain| {
        chain.with(|| [Jobs::pot(), account.clone()].map(|account| Balances::balance(&account)))
    };
    let before = balances(chain);
    let issued = chain.with(Balances::total_issuance);
    let weight = chain.with(|| {
        let (alice, purse) = (Key::Alice.to_account_id(), OpenSky::purse());
        let price = OpenSky::price(gas);
        Balances::transfer(&alice, &purse, price, Preservation::Preserve).unwrap();
        OpenSky::call_back(contract.0, request, answer, gas)
    });
    let after = balances(chain);
    assert_eq!(
        chain.with(|| Balances::balance(&OpenSky::purse())),
        existential()
    );
    let burnt = issued - chain.with(Balances::total_issuance);
    assert!(weight.all_lte(OpenSky::weight(gas)), "{weight:?}");
    Took {
        fee: after[0] - before[0],
        back: after[1] - before[1],
        burnt,
    }
}

fn existential() -> u128 {
    <Balances as frame_support::traits::fungible::Inspect<AccountId>>::minimum_balance()
}

fn ok(output: Data) -> Answer {
    Answer {
        status: AnswerStatus::Result(Class::Ok),
        output,
        fuel: 1_234,
        agreed: 3,
        asked: 3,
    }
}

/// A result of 32 bytes.
fn small() -> Answer {
    ok(Data::Inline(vec![9; 32]))
}

/// A requester that has asked, and its request.
fn requester(chain: &mut Chain) -> (Contract, Digest) {
    let contract = Contract::deploy(chain, "Requester", args([7u8; 32]), SKY);
    let call = Requester::askCall {
        input: b"hello".into(),
        maxPrice: U256::from(ETHER / 10),
    };
    let events = chain.send(Key::Alice, contract.call(call));
    (contract, placed(events).unwrap().0)
}

fn kept(chain: &mut Chain, contract: Contract, request: Digest) -> crate::solidity::Result {
    let id = FixedBytes(request.0);
    contract.look(chain, Requester::resultCall { id })
}

#[test]
fn requester_keeps_a_small_result() {
    let mut chain = Chain::keeping(PROGRAM);
    let (contract, request) = requester(&mut chain);
    let took = call_back(&mut chain, contract.0, request, &small(), GAS);
    let result = kept(&mut chain, contract, request);
    assert_eq!((result.status, result.fuel), (0, 1_234));
    assert_eq!(result.output.as_ref(), [9; 32]);
    assert_eq!(result.digest.0, Digest::of(&[9; 32]).0);
    // 140,000 gas: the example pays for twice as much, and gets the rest back.
    assert!(took.back > OpenSky::price(GAS) / 2, "{}", took.back);
}

#[test]
fn requester_keeps_the_digest_of_a_large_result() {
    let mut chain = Chain::keeping(PROGRAM);
    let (contract, request) = requester(&mut chain);
    let digest = Digest::of(b"large");
    let answer = ok(Data::Blob {
        digest,
        len: 1 << 20,
    });
    call_back(&mut chain, contract.0, request, &answer, GAS);
    let result = kept(&mut chain, contract, request);
    assert_eq!((result.status, result.digest.0), (0, digest.0));
    assert_eq!(result.output.len(), 0);
}

#[test]
fn requester_is_told_that_there_is_no_result() {
    let why = [
        (Refund::Deadline, 64),
        (Refund::Committee, 65),
        (Refund::Disagreement, 66),
        (Refund::Quarantine, 67),
    ];
    for (refund, status) in why {
        let mut chain = Chain::keeping(PROGRAM);
        let (contract, request) = requester(&mut chain);
        let answer = Answer::refunded(refund, 3);
        call_back(&mut chain, contract.0, request, &answer, GAS);
        let result = kept(&mut chain, contract, request);
        assert_eq!((result.status, result.digest.0), (status, [0; 32]));
    }
}

#[test]
fn requester_believes_nobody_but_the_chain_and_only_once() {
    let mut chain = Chain::keeping(PROGRAM);
    let (contract, request) = requester(&mut chain);
    let forged = IOpenSkyReceiver::onResultCall {
        id: FixedBytes(request.0),
        status: 0,
        output: Default::default(),
        digest: FixedBytes([0; 32]),
        fuel: 1,
    };
    let done = chain.block(vec![
        (Key::Alice, contract.call(forged.clone()).into()),
        (Key::Bob, contract.call(forged).into()),
    ]);
    let reverted = Err(pallet_revive::Error::<Runtime>::ContractReverted.into());
    assert_eq!(done, [reverted, reverted]);
    let is_open = Requester::isOpenCall {
        id: FixedBytes(request.0),
    };
    assert!(contract.look(&mut chain, is_open.clone()));

    call_back(&mut chain, contract.0, request, &small(), GAS);
    assert!(!contract.look(&mut chain, is_open));
    let again = ok(Data::Inline(vec![8; 32]));
    call_back(&mut chain, contract.0, request, &again, GAS);
    assert_eq!(kept(&mut chain, contract, request).output.as_ref(), [9; 32]);
}

#[test]
fn what_fails_leaves_nothing_and_costs_what_it_took() {
    let names = [
        "Reverting",
        "Panicking",
        "Trapping",
        "Endless",
        "Hoarding",
        "Recursive",
    ];
    for name in names {
        let mut chain = Chain::keeping(PROGRAM);
        let contract = Contract::deploy(&mut chain, name, Vec::new(), 0);
        let took = call_back(&mut chain, contract.0, Digest([1; 32]), &small(), GAS);
        assert_eq!(
            contract.look(&mut chain, Asker::callsCall {}),
            U256::ZERO,
            "{name}"
        );
        assert_eq!(took.fee + took.back, OpenSky::price(GAS), "{name}");
        assert_eq!(took.burnt, 0, "{name}");
        // Whoever stops is not charged for what it does not use.
        let is_cheap = ["Reverting", "Panicking"].contains(&name);
        assert_eq!(took.back > OpenSky::price(GAS) / 2, is_cheap, "{name}");
    }
}

#[test]
fn nobody_asks_from_inside_a_callback() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Reentering", Vec::new(), 0);
    let (alice, money) = (Key::Alice.to_account_id(), contract.account());
    let give = || Balances::transfer(&alice, &money, SKY, Preservation::Preserve);
    chain.with(give).unwrap();
    call_back(&mut chain, contract.0, Digest([1; 32]), &small(), 1_250_000);
    assert_eq!(contract.look(&mut chain, Asker::callsCall {}), U256::ONE);
    assert_eq!(
        contract.look(&mut chain, Asker::reasonCall {}),
        "InCallback"
    );
    assert!(!contract.look(&mut chain, Asker::isAnsweredCall {}));
    assert_eq!(chain.with(requests::Placed::<Runtime>::get), 0);
}

#[test]
fn contract_may_answer_what_it_wants() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Shouting", Vec::new(), 0);
    call_back(&mut chain, contract.0, Digest([1; 32]), &small(), GAS);
    assert_eq!(contract.look(&mut chain, Asker::callsCall {}), U256::ONE);
}

#[test]
fn with_hardly_any_gas_nothing_happens_and_no_more_is_taken() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Asker", Vec::new(), SKY);
    for gas in [1, 1_000, 10_000, 50_000] {
        let took = call_back(&mut chain, contract.0, Digest([1; 32]), &small(), gas);
        assert_eq!(took.fee + took.back, OpenSky::price(gas));
        assert_eq!(contract.look(&mut chain, Asker::callsCall {}), U256::ZERO);
    }
}

#[test]
fn largest_callback_takes_an_eighth_of_a_block() {
    let weights = <Runtime as frame_system::Config>::BlockWeights::get();
    let eighth = weights.max_block.div(8);
    // But for what is rounded.
    assert!(OpenSky::weight(1_249_999).all_lte(eighth));
    assert!(OpenSky::weight(1_250_000 + 10).any_gt(eighth));
}

#[test]
fn contract_gets_the_deposit_of_what_it_frees() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Freeing", Vec::new(), SKY);
    let gas = 1_250_000;
    let took = call_back(&mut chain, contract.0, Digest([1; 32]), &small(), gas);
    assert_eq!(contract.look(&mut chain, Asker::callsCall {}), U256::ONE);
    assert!(took.fee + took.back > OpenSky::price(gas));
}

#[test]
fn contract_that_ends_itself_is_gone_and_its_money_is_where_it_said() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Ending", Vec::new(), 0);
    let took = call_back(&mut chain, contract.0, Digest([1; 32]), &small(), GAS);
    assert_eq!(chain.with(|| Revive::code(&contract.0)), Vec::<u8>::new());
    // The pallet of contracts lends each of them what its account takes, and takes it back.
    assert_eq!(took.burnt, existential());
    // Whoever asks after that asks nobody.
    call_back(&mut chain, contract.0, Digest([1; 32]), &small(), GAS);
}

#[test]
fn nobody_at_home_is_no_failure() {
    let mut chain = Chain::keeping(PROGRAM);
    let took = call_back(&mut chain, H160([3; 20]), Digest([1; 32]), &small(), GAS);
    assert_eq!(took.fee + took.back, OpenSky::price(GAS));
}
