//! What no node asks a chain for: calls that are signed by hand, as that by which Alice gives it another runtime.

use blake2::{Blake2b, Digest as _, digest::consts::U32};
use opensky_protocol::{SecretKey, codec};
use serde_json::json;

use crate::{
    chain::{Chain, bytes, hex},
    process::until,
};

/// `Sudo::sudo` of `System::set_code`: of each the number of its pallet and its own.
const SET_CODE: [u8; 4] = [4, 0, 0, 2];
/// A signed transaction of version 4.
const SIGNED: u8 = 0x84;
/// An address that is an account, and a signature of ed25519: the first of their kinds.
const FIRST: u8 = 0;
/// What is longer is signed by its hash.
const LONGEST: usize = 256;
/// It can be included for ever.
const IMMORTAL: u8 = 0;

/// Hands in the call that gives the chain another runtime from the next block on.
pub fn set_code(chain: &Chain, code: &[u8]) {
    let mut call = SET_CODE.to_vec();
    call.extend(codec::encode(&code.to_vec()));
    send(chain, &opensky_ledger::alice(), &call);
}

/// Hands in a call.
pub fn send(chain: &Chain, signer: &SecretKey, call: &[u8]) {
    let nonce = next_nonce(chain, &signer.node().0);
    send_with_tip(chain, signer, call, nonce, 0);
}

/// The same with that nonce, ahead of those who tip less.
pub fn send_with_tip(chain: &Chain, signer: &SecretKey, call: &[u8], nonce: u32, tip: u128) {
    let account = signer.node().0;
    let extra = [&[IMMORTAL], &compact(nonce.into())[..], &compact(tip)].concat();
    let mut payload = [call, &extra].concat();
    payload.extend(implied(chain));
    if payload.len() > LONGEST {
        payload = Blake2b::<U32>::digest(&payload).to_vec();
    }
    let signature = signer.sign_transaction(&payload);
    let mut signed = vec![SIGNED, FIRST];
    signed.extend(account);
    signed.push(FIRST);
    signed.extend(signature.0);
    signed.extend(extra);
    signed.extend(call);
    let signed = hex(&codec::encode(&signed));
    chain.ask("author_submitExtrinsic", json!([signed]));
}

/// Waits until the chain's last finalized state has a runtime of that version.
pub fn wait_for_version(chain: &Chain, version: u64) {
    until("the chain has another runtime", || {
        self::version(chain, "specVersion") == version
    });
}

/// What is signed and not sent: the runtime's versions, the chain, and the first block in which it could be.
fn implied(chain: &Chain) -> Vec<u8> {
    let versions = ["specVersion", "transactionVersion"].map(|name| version(chain, name) as u32);
    let genesis = chain.ask("chain_getBlockHash", json!([0]));
    let genesis = bytes(genesis.as_str().unwrap());
    let [spec, transaction] = versions.map(u32::to_le_bytes);
    [&spec[..], &transaction, &genesis, &genesis].concat()
}

fn version(chain: &Chain, name: &str) -> u64 {
    let version = chain.ask("state_getRuntimeVersion", json!([chain.finalized()]));
    version[name].as_u64().unwrap()
}

pub fn next_nonce(chain: &Chain, account: &[u8]) -> u32 {
    let asked = json!(["AccountNonceApi_account_nonce", hex(account)]);
    let nonce = bytes(chain.ask("state_call", asked).as_str().unwrap());
    u32::from_le_bytes(nonce.try_into().unwrap())
}

/// SCALE's compact form of a number.
pub fn compact(number: u128) -> Vec<u8> {
    let bytes = number.to_le_bytes();
    match number {
        0..0x40 => vec![bytes[0] << 2],
        0x40..0x4000_0000 => ((number as u32) << 2 | 2).to_le_bytes().to_vec(),
        _ => {
            let len = 16 - number.leading_zeros() as usize / 8;
            [&[((len - 4) as u8) << 2 | 3], &bytes[..len]].concat()
        }
    }
}
