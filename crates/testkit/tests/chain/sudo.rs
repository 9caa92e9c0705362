//! What Alice may on a development chain, and no node asks for: to give it another runtime.

use blake2::{Blake2b, Digest as _, digest::consts::U32};
use opensky_protocol::codec;
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
/// It can be included for ever.
const IMMORTAL: u8 = 0;
const NO_TIP: u8 = 0;

/// Hands in the call that gives the chain another runtime from the next block on.
pub fn set_code(chain: &Chain, code: &[u8]) {
    let alice = opensky_ledger::alice();
    let account = alice.node().0;
    let mut call = SET_CODE.to_vec();
    call.extend(codec::encode(&code.to_vec()));
    let extra = [IMMORTAL, compact(next_nonce(chain, &account)), NO_TIP];
    let mut payload = [&call[..], &extra].concat();
    payload.extend(implied(chain));
    // What is longer than 256 bytes, as this is, is signed by its hash.
    let payload = Blake2b::<U32>::digest(&payload);
    let signature = alice.sign_transaction(&payload);
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

fn next_nonce(chain: &Chain, account: &[u8]) -> u32 {
    let asked = json!(["AccountNonceApi_account_nonce", hex(account)]);
    let nonce = bytes(chain.ask("state_call", asked).as_str().unwrap());
    u32::from_le_bytes(nonce.try_into().unwrap())
}

/// SCALE's compact form of a number that is below 64.
fn compact(number: u32) -> u8 {
    assert!(number < 64, "{number}");
    (number << 2) as u8
}
