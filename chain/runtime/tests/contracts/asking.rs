//! What a contract can ask, and what it reads where it cannot.

use frame_support::traits::fungible::{Inspect as _, InspectHold as _};
use opensky_chain_pallet_jobs::requests::{self, CallBack as _};
use opensky_chain_runtime::{
    Balances, Revive, Runtime, RuntimeCall, RuntimeEvent, contracts::OpenSky,
};
use opensky_protocol::{
    Digest,
    ledger::{Asked, Callback, Data},
};
use pallet_revive::{
    H160,
    precompiles::alloy::{
        primitives::U256,
        sol_types::{SolCall as _, SolError as _},
    },
};
use sp_keyring::Ed25519Keyring as Key;
use sp_runtime::AccountId32;

use crate::{
    chain::{Chain, MINUTE},
    solidity::{Asker, Contract, Error, IOpenSky, Limits, Nest, Odd, Requester, args},
};

/// A SKY, as the chain counts.
pub const SKY: u128 = 1_000_000_000_000;

/// A SKY, as contracts count.
pub const ETHER: u128 = 1_000_000_000_000_000_000;

pub const PROGRAM: [u8; 32] = [7; 32];

/// What an [`Asker`] asks where nothing else is said.
fn ask(chain: &Chain) -> Asker::askCall {
    Asker::askCall {
        program: PROGRAM.into(),
        input: U256::from(5),
        replicas: 3,
        maxPrice: U256::from(ETHER / 10),
        deadline: (chain.now + 10 * MINUTE) / 1_000,
        gas_: 300_000,
    }
}

/// The same, without a contract's help.
fn request(chain: &Chain) -> IOpenSky::requestCall {
    let ask = ask(chain);
    IOpenSky::requestCall {
        program: ask.program,
        input: Default::default(),
        limits: Limits {
            fuel: 1_000_000_000,
            memoryBytes: 1 << 20,
            outputBytes: 1 << 10,
            logBytes: 0,
        },
        replicas: ask.replicas,
        maxPrice: ask.maxPrice,
        deadline: ask.deadline,
        callbackGas: 0,
    }
}

/// The request that was placed in the last block.
pub fn placed(events: Vec<RuntimeEvent>) -> Option<(Digest, AccountId32)> {
    events.into_iter().find_map(|event| match event {
        RuntimeEvent::Requests(requests::Event::Placed { request, payer, .. }) => {
            Some((request, payer))
        }
        _ => None,
    })
}

fn asked(chain: &mut Chain, request: &Digest) -> Asked {
    chain.with(|| requests::Asks::<Runtime>::get(request).unwrap())
}

#[test]
fn contract_asks_and_pays_from_its_own_balance() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Requester", args(PROGRAM), SKY);
    let free = chain.with(|| Balances::balance(&contract.account()));

    let call = Requester::askCall {
        input: b"hello".into(),
        maxPrice: U256::from(ETHER / 10),
    };
    let events = chain.send(Key::Alice, contract.call(call));
    let (request, payer) = placed(events).unwrap();
    let asked = asked(&mut chain, &request);

    assert_eq!(payer, contract.account());
    assert_eq!(asked.program, Digest(PROGRAM));
    assert_eq!(asked.input, Data::Inline(b"hello".into()));
    assert_eq!(asked.max_price, SKY / 10);
    assert_eq!(asked.deadline, chain.now + 10 * MINUTE);
    let callback = Callback {
        contract: contract.0.0,
        gas: 300_000,
    };
    assert_eq!(asked.callback, Some(callback));
    let is_open = Requester::isOpenCall {
        id: request.0.into(),
    };
    assert!(contract.look(&mut chain, is_open));

    let price = SKY / 10 + OpenSky::price(300_000);
    chain.with(|| {
        assert_eq!(
            Balances::total_balance_on_hold(&payer),
            price + deposit(&payer)
        );
        assert_eq!(Balances::balance(&payer), free - price);
    });
}

/// What a contract's storage costs.
fn deposit(contract: &AccountId32) -> u128 {
    let reason = pallet_revive::HoldReason::StorageDepositReserve.into();
    Balances::balance_on_hold(&reason, contract)
}

/// What authors of contracts read.
const INTERFACE: &str = include_str!("../../../../examples/contract-request/IOpenSky.sol");

/// Makes a request that cannot be.
type Spoil = fn(&mut Asker::askCall);

#[test]
fn contract_reads_why_it_is_refused() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Asker", Vec::new(), SKY);
    let cases: [(&str, Spoil); 10] = [
        ("NoReplicas", |ask| ask.replicas = 0),
        ("TooManyReplicas", |ask| ask.replicas = 200),
        ("TooSoon", |ask| ask.deadline -= 599),
        ("TooSoon", |ask| ask.deadline = 0),
        ("TooLate", |ask| ask.deadline = u64::MAX),
        ("Price", |ask| ask.maxPrice = U256::from(999_999)),
        ("Input", |ask| ask.input = U256::from((16 << 10) + 1)),
        ("CallbackGas", |ask| ask.gas_ = 1_250_001),
        ("Overflow", |ask| ask.maxPrice = U256::MAX),
        ("Funds are unavailable", |ask| {
            ask.maxPrice = U256::from(ETHER)
        }),
    ];
    for (reason, spoil) in cases {
        let mut call = ask(&chain);
        spoil(&mut call);
        let events = chain.send(Key::Alice, contract.call(call));
        assert_eq!(placed(events), None, "{reason}");
        assert_eq!(contract.look(&mut chain, Asker::reasonCall {}), reason);
        assert!(INTERFACE.contains(&format!("`{reason}`")), "{reason}");
    }
    let call = ask(&chain);
    let events = chain.send(Key::Alice, contract.call(call));
    let request = placed(events).unwrap().0;
    assert_eq!(contract.look(&mut chain, Asker::lastCall {}).0, request.0);
}

#[test]
fn contract_can_spend_what_it_sees_to_the_last_coin() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Asker", Vec::new(), SKY);
    // What it writes down while it asks is deposited by whoever calls it.
    let all = SKY - OpenSky::price(300_000);
    for (price, is_enough) in [(all + 1, false), (all, true)] {
        let call = Asker::askCall {
            maxPrice: U256::from(price) * U256::from(ETHER / SKY),
            ..ask(&chain)
        };
        let events = chain.send(Key::Alice, contract.call(call));
        assert_eq!(placed(events).is_some(), is_enough);
    }
}

#[test]
fn contract_that_is_gone_has_asked_all_the_same() {
    let mut chain = Chain::keeping(PROGRAM);
    let nest = Contract::deploy(&mut chain, "Nest", Vec::new(), SKY);
    let call = Nest::hatchCall {
        program: PROGRAM.into(),
        maxPrice: U256::from(ETHER / 10),
    };
    let events = chain.send(Key::Alice, nest.call(call));
    let (_, payer) = placed(events).unwrap();
    let child = nest.look(&mut chain, Nest::childCall {});
    let child = Contract(H160(child.0.0));
    assert_eq!(child.account(), payer);
    assert!(chain.with(|| Revive::code(&child.0).is_empty()));
    let price = SKY / 10 + OpenSky::price(300_000);
    assert_eq!(
        chain.with(|| Balances::total_balance_on_hold(&payer)),
        price
    );
}

#[test]
fn without_gas_there_is_no_callback() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Asker", Vec::new(), SKY);
    let call = Asker::askCall {
        gas_: 0,
        ..ask(&chain)
    };
    let events = chain.send(Key::Alice, contract.call(call));
    let request = placed(events).unwrap().0;
    assert_eq!(asked(&mut chain, &request).callback, None);
}

#[test]
fn whoever_is_no_contract_can_ask_at_the_same_address() {
    let mut chain = Chain::keeping(PROGRAM);
    let precompile = Contract(H160(OpenSky::ADDRESS));
    let call = request(&chain);
    let events = chain.send(Key::Bob, precompile.call(call));
    assert_eq!(placed(events).unwrap().1, Key::Bob.to_account_id());
}

#[test]
fn nobody_asks_in_another_name_nor_while_only_looking_nor_with_money() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Odd", Vec::new(), SKY);
    let data: Vec<u8> = request(&chain).abi_encode();
    let price = U256::from(1_000_000);
    let calls: [pallet_revive::Call<Runtime>; 4] = [
        contract.call(Odd::delegateCall {
            data: data.clone().into(),
        }),
        contract.call(Odd::lookCall {
            data: data.clone().into(),
        }),
        contract.call(Odd::payCall {
            data: data.clone().into(),
            value: price,
        }),
        // Money alone, and words that nobody understands.
        contract.call(Odd::payCall {
            data: b"what".into(),
            value: price,
        }),
    ];
    for call in calls {
        let events = chain.send(Key::Alice, RuntimeCall::from(call));
        assert_eq!(placed(events), None);
        assert!(!contract.look(&mut chain, Odd::isDoneCall {}));
        chain.with(|| assert_eq!(Balances::balance(&OpenSky::purse()), 1_000_000));
    }
    let value = Odd::payCall {
        data: data.clone().into(),
        value: price,
    };
    chain.send(Key::Alice, contract.call(value));
    let answer = contract.look(&mut chain, Odd::answerCall {});
    assert_eq!(Error::abi_decode(&answer).unwrap().reason, "Value");

    // It is none of these that is wrong with it.
    let plain = Odd::payCall {
        data: data.into(),
        value: U256::ZERO,
    };
    let events = chain.send(Key::Alice, contract.call(plain));
    assert!(placed(events).is_some());
}

#[test]
fn owner_alone_spends_what_a_requester_has() {
    let mut chain = Chain::keeping(PROGRAM);
    let contract = Contract::deploy(&mut chain, "Requester", args(PROGRAM), SKY);
    let call = Requester::askCall {
        input: Default::default(),
        maxPrice: U256::from(ETHER / 10),
    };
    let done = chain.block(vec![(Key::Bob, contract.call(call).into())]);
    let reverted = pallet_revive::Error::<Runtime>::ContractReverted;
    assert_eq!(done, [Err(reverted.into())]);
}
