//! Where contracts ask: `IOpenSky`, as Solidity sees it, at its address.

use alloc::{boxed::Box, vec::Vec};
use core::num::NonZero;

use frame_support::dispatch::GetDispatchInfo as _;
use opensky_chain_pallet_jobs::requests::{self, CallBack as _};
use opensky_protocol::{
    Digest, Limits,
    ledger::{Asked, Callback, Data},
};
use pallet_revive::{
    AccountId32Mapper, AddressMapper as _, ExecOrigin as Origin,
    precompiles::{
        AddressMatcher, Error, Ext, Precompile,
        alloy::{
            primitives::{FixedBytes, U256},
            sol_types::SolValue as _,
        },
    },
};
use sp_runtime::DispatchError;

use super::{WEI, interface::IOpenSky};
use crate::{Requests, Runtime};

/// "SK" in ASCII.
const NUMBER: NonZero<u16> = NonZero::new(0x534b).expect("it is not zero");

/// The gas of one callback: an eighth of a block, so that there is room for one beside everything else.
const MAX_GAS: u64 = 1_250_000;

/// Asks the network to compute.
pub struct OpenSky;

impl OpenSky {
    /// Its address, also that of whoever calls contracts back.
    pub const ADDRESS: [u8; 20] = Self::MATCHER.base_address();
}

impl Precompile for OpenSky {
    type Interface = IOpenSky::IOpenSkyCalls;
    type T = Runtime;

    const HAS_CONTRACT_INFO: bool = false;
    const MATCHER: AddressMatcher = AddressMatcher::Fixed(NUMBER);

    fn call(
        _: &[u8; 20],
        input: &Self::Interface,
        env: &mut impl Ext<T = Runtime>,
    ) -> Result<Vec<u8>, Error> {
        let IOpenSky::IOpenSkyCalls::request(call) = input;
        let request = request(call, env)?;
        Ok(FixedBytes(request.0).abi_encode())
    }
}

/// What an error leaves behind, the contract's call is taken back with.
fn request(call: &IOpenSky::requestCall, env: &mut impl Ext<T = Runtime>) -> Result<Digest, Error> {
    if env.is_read_only() {
        return Err(pallet_revive::Error::<Runtime>::StateChangeDenied.into());
    }
    // In its own name it would spend another's money.
    if env.is_delegate_call() {
        return Err(pallet_revive::Error::<Runtime>::PrecompileDelegateDenied.into());
    }
    if !env.value_transferred().is_zero() {
        return Err(refused("Value"));
    }
    // Who is called back finds no way back in here, whatever it calls in between.
    if *env.origin() == Origin::Signed(OpenSky::purse()) {
        return Err(refused("InCallback"));
    }
    let payer = env.caller().account_id()?.clone();
    let contract = AccountId32Mapper::<Runtime>::to_address(&payer);
    let asked = Box::new(asked(call, contract.0)?);
    let weight = requests::Call::<Runtime>::request {
        asked: asked.clone(),
    };
    env.charge(weight.get_dispatch_info().call_weight)?;
    Requests::place(payer, *asked).map_err(reason)
}

fn asked(call: &IOpenSky::requestCall, contract: [u8; 20]) -> Result<Asked, Error> {
    let limits = &call.limits;
    let price = call.maxPrice / U256::from(WEI);
    let callback = (call.callbackGas > 0).then_some(Callback {
        contract,
        gas: call.callbackGas,
    });
    if call.callbackGas > MAX_GAS {
        return Err(refused("CallbackGas"));
    }
    Ok(Asked {
        program: Digest(call.program.0),
        input: Data::Inline(call.input.to_vec()),
        limits: Limits {
            fuel: limits.fuel,
            memory: limits.memoryBytes,
            output: limits.outputBytes,
            log: limits.logBytes,
        },
        replicas: call.replicas,
        max_price: price.try_into().map_err(|_| refused("Overflow"))?,
        deadline: call.deadline.saturating_mul(1_000),
        callback,
    })
}

/// What a contract can read of an error: its name.
fn reason(error: DispatchError) -> Error {
    refused(error.into())
}

fn refused(reason: &'static str) -> Error {
    Error::Revert(reason.into())
}
