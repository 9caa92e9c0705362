//! What a ledger is asked and answers: the bytes that signatures and rows are of, and what other bytes
//! come to.
#![allow(clippy::unwrap_used)] // a sample that does not encode fails the test

mod sample;

use expect_test::{Expect, expect};
use opensky_protocol::{
    Account, Digest, Signed, Verified, codec,
    ledger::{Genesis, GenesisError, Intent, LedgerReply},
};
use sample::books::{calls, case, first_replies, genesis, intent, requests};

fn check(bytes: &[u8], expected: Expect) {
    expected.assert_eq(&format!("{} bytes, {}", bytes.len(), Digest::of(bytes)));
}

#[test]
fn intents() {
    let secret = sample::other_secret();
    let intents = calls().into_iter().map(intent).collect();
    let signed: Vec<_> = Verified::sign_all(&secret, intents)
        .into_iter()
        .map(Verified::into_signed)
        .collect();
    check(
        &codec::encode(&signed),
        expect!["11329 bytes, 466c36fb101e427b344a9c754fd9f6441969d87677a5d5142f9ffea70765ec8f"],
    );
    expect!["329193105633140b44a00b996c46c64d81bc88576d33eb14e1db7ea04e9cd837"]
        .assert_eq(&signed[0].value.id().to_string());
    let back: Vec<Signed<Intent>> = codec::decode(&codec::encode(&signed)).unwrap();
    assert_eq!(back, signed);
    assert!(back.iter().all(Signed::holds));
    // The sample's parts are not of one turn, which only the books would find.
    assert!(back.iter().all(|intent| intent.value.call.is_sound()));
}

#[test]
fn genesis_and_rows() {
    let genesis = genesis();
    assert_eq!(genesis.check(), Ok(()));
    expect!["e9e3dbd85c058883f26d10ad67c977c1c47f9f85e4aa4e9e077c5c0dec416dbf"]
        .assert_eq(&genesis.id().to_string());
    let case = case();
    check(
        &codec::encode(&case),
        expect!["185 bytes, 902dbc82b22198cd28e67229c2ebcbcf3a6a647bf3c06aca004ff68cf19dfcd2"],
    );
}

#[test]
fn messages() {
    let requests = requests();
    check(
        &codec::encode(&requests),
        expect!["634 bytes, 56f024ee10ac45463682b79aca6a65b96af849694de3bf75d616ca8f08e57e8d"],
    );
    let replies = first_replies();
    check(
        &codec::encode(&replies),
        expect!["483 bytes, 0c6cb38ebfa1e01bc152c1bad739576d27c9d2053c9cd90f3e74ccecdd23d695"],
    );
    let back: Vec<LedgerReply> = codec::decode(&codec::encode(&replies)).unwrap();
    assert_eq!(back, replies);
}

/// A bit that is flipped is another value, or none; never the same one, and never a panic.
#[test]
fn bent_intents_do_not_hold() {
    let secret = sample::other_secret();
    for call in calls() {
        let signed = Verified::sign(&secret, intent(call)).into_signed();
        let bytes = codec::encode(&signed);
        for at in (0..bytes.len()).step_by(7) {
            let mut bent = bytes.clone();
            bent[at] ^= 1 << (at % 8);
            if let Ok(bent) = codec::decode::<Signed<Intent>>(&bent) {
                assert_ne!(bent, signed);
                assert!(!bent.holds(), "byte {at}");
            }
        }
    }
}

#[test]
fn ledger_that_cannot_be_does_not_begin() {
    let good = genesis();
    let refused = |change: fn(&mut Genesis)| {
        let mut genesis = good.clone();
        change(&mut genesis);
        genesis.check()
    };
    let hasty = refused(|it| it.terms.unbonding = it.terms.dispute_horizon());
    assert_eq!(hasty, Err(GenesisError::Unbonding));
    let poor = refused(|it| it.terms.existential = 6);
    assert_eq!(poor, Err(GenesisError::Existential));
    let empty = refused(|it| it.balances.extend([(Account([1; 32]), 0)]));
    assert_eq!(empty, Err(GenesisError::Existential));
    let rich = refused(|it| it.balances.extend([(Account([1; 32]), u128::MAX)]));
    assert_eq!(rich, Err(GenesisError::Overflow));
}
