//! What everybody who checks signatures has to say of them: ZIP-215, with its edges.

use opensky_protocol::{Check, Digest, NodeKey, SecretKey, Signature};

/// The eight points of small order and their non-canonical encodings: what ZIP-215 accepts and stricter rules do not.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The order of the group, as no signature may name it.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// A y of no point of the curve.
const NO_POINT: &str = "0200000000000000000000000000000000000000000000000000000000000000";

fn bytes(hex: &str) -> [u8; 32] {
    hex.parse::<Digest>().unwrap().0
}

fn signature(r: &str, s: &str) -> Signature {
    Signature([bytes(r), bytes(s)].concat().try_into().unwrap())
}

/// That `check` goes by the rule.
pub fn is_kept(check: Check) {
    own_is_accepted_and_any_change_is_not(check);
    edges_are_accepted(check);
    beyond_the_edges_all_is_refused(check);
}

fn own_is_accepted_and_any_change_is_not(check: Check) {
    let secret = SecretKey::from_seed(&[7; 32]);
    let node = secret.node();
    let signature = secret.sign("test 1", &42u32);
    let digest = Digest::derive("test 1", &42u32);
    assert!(check(&node, &digest, &signature));
    assert!(!check(&node, &Digest::derive("test 1", &43u32), &signature));
    assert!(!check(&node, &Digest::derive("test 2", &42u32), &signature));
    for bit in 0..512 {
        let mut bent = signature;
        bent.0[bit / 8] ^= 1 << (bit % 8);
        assert!(!check(&node, &digest, &bent), "bit {bit}");
    }
}

/// ZIP-215's own table: each pair of small-order key and R with s = 0 verifies any message.
fn edges_are_accepted(check: Check) {
    let digest = Digest::of(b"Zcash");
    for key in SMALL_ORDER {
        for r in SMALL_ORDER {
            let signature = signature(r, SMALL_ORDER[3]);
            assert!(
                check(&NodeKey(bytes(key)), &digest, &signature),
                "{key} {r}"
            );
        }
    }
}

fn beyond_the_edges_all_is_refused(check: Check) {
    let (point, zero) = (SMALL_ORDER[0], SMALL_ORDER[3]);
    let cases = [
        (point, point, ORDER),
        (NO_POINT, point, zero),
        (point, NO_POINT, zero),
    ];
    for (key, r, s) in cases {
        let node = NodeKey(bytes(key));
        let digest = Digest::of(b"Zcash");
        assert!(!check(&node, &digest, &signature(r, s)), "{key} {r} {s}");
    }
}
