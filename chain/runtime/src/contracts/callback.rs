//! How contracts are told: `IOpenSkyReceiver`, called by the precompile's address.

use frame_support::{
    storage::with_storage_layer,
    traits::{fungible::Mutate as _, tokens::Preservation},
    weights::Weight,
};
use opensky_chain_pallet_jobs::requests::CallBack;
use opensky_protocol::{
    Digest,
    ledger::{Answer, AnswerStatus, Data, Refund},
};
use pallet_balances::WeightInfo as _;
use pallet_revive::{
    AccountId32Mapper, AddressMapper as _, EthTxInfo, ExecConfig, H160, TransactionLimits, U256,
    WeightInfo as _,
    evm::fees::InfoT as _,
    precompiles::alloy::{primitives::FixedBytes, sol_types::SolCall as _},
};
use sp_runtime::DispatchError;

use super::{Fees, GAS, OpenSky, interface::IOpenSkyReceiver::onResultCall};
use crate::{AccountId, Balance, Balances, Jobs, Revive, Runtime, RuntimeOrigin};

impl CallBack<AccountId> for OpenSky {
    fn price(gas: u64) -> Balance {
        Balance::from(gas).saturating_mul(GAS.into())
    }

    fn weight(gas: u64) -> Weight {
        Fees::fee_to_weight(Self::price(gas)).max(around())
    }

    fn purse() -> AccountId {
        AccountId32Mapper::<Runtime>::to_fallback_account_id(&H160(Self::ADDRESS))
    }

    fn call_back(contract: [u8; 20], request: Digest, answer: &Answer, gas: u64) -> Weight {
        let (purse, price) = (Self::purse(), Self::price(gas));
        let others = Balances::free_balance(&purse).saturating_sub(price);
        let mut weight = Weight::zero();
        // What a call did that fails is taken back here: the contracts' pallet leaves that to transactions.
        let _: Result<(), DispatchError> = with_storage_layer(|| {
            let call = Revive::bare_call(
                RuntimeOrigin::signed(purse.clone()),
                H160(contract),
                U256::zero(),
                limits(gas),
                told(request, answer).abi_encode(),
                &ExecConfig::new_substrate_tx_without_bump(),
            );
            weight = call.weight_consumed;
            call.result.map(drop)
        });
        weight.saturating_accrue(around());
        let fee = Fees::fixed_fee(0).saturating_add(Fees::weight_to_fee(&weight));
        let left = Balances::free_balance(&purse).saturating_sub(others);
        give(&purse, &Jobs::pot(), fee.min(left));
        let contract = AccountId32Mapper::<Runtime>::to_account_id(&H160(contract));
        give(&purse, &contract, left.saturating_sub(fee));
        weight
    }
}

/// What is around the contract's own code: the call, and the money's way into the purse, to the pot and back.
fn around() -> Weight {
    let call = <Runtime as pallet_revive::Config>::WeightInfo::call();
    let transfer = <Runtime as pallet_balances::Config>::WeightInfo::transfer_keep_alive();
    call.saturating_add(transfer.saturating_mul(3))
}

/// One measure for all: what is stored takes away from what can be computed, as in a transaction of Ethereum.
fn limits(gas: u64) -> TransactionLimits<Runtime> {
    TransactionLimits::EthereumGas {
        eth_gas_limit: gas.into(),
        weight_limit: OpenSky::weight(gas),
        eth_tx_info: EthTxInfo::new(0, around()),
    }
}

fn told(request: Digest, answer: &Answer) -> onResultCall {
    let (status, has_result) = match answer.status {
        AnswerStatus::Result(class) => (class as u8, true),
        AnswerStatus::Refunded(Refund::Deadline) => (64, false),
        AnswerStatus::Refunded(Refund::Committee) => (65, false),
        AnswerStatus::Refunded(Refund::Disagreement) => (66, false),
        AnswerStatus::Refunded(Refund::Quarantine) => (67, false),
    };
    let digest = match has_result {
        true => answer.output.digest().0,
        false => [0; 32],
    };
    let output = match &answer.output {
        Data::Inline(bytes) => bytes.clone(),
        Data::Blob { .. } => Default::default(),
    };
    onResultCall {
        id: FixedBytes(request.0),
        status,
        output: output.into(),
        digest: FixedBytes(digest),
        fuel: answer.fuel,
    }
}

/// What cannot be given stays where it is: a contract that ended has no account any more.
fn give(from: &AccountId, to: &AccountId, amount: Balance) {
    let _ = Balances::transfer(from, to, amount, Preservation::Preserve);
}
