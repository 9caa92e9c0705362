//! What a ledger is asked and answers: the bytes that signatures and rows are of, and what other bytes
//! come to.
#![allow(clippy::unwrap_used)] // a sample that does not encode fails the test

mod sample;

use expect_test::{Expect, expect};
use opensky_protocol::{
    Account, Digest, Seal, Signed, Verified, codec,
    ledger::{
        Call, Case, Consent, Event, Evidence, EvidenceError, Fact, Filed, Genesis, GenesisError,
        Intent, LedgerReply, LedgerRequest, Objection, PaidTurn, Refused, Rejection, Showing,
        Status, Terms, Verdict,
    },
};

fn account() -> Account {
    sample::other_secret().node().into()
}

fn evidence() -> Evidence {
    let secret = sample::other_secret();
    let ticket = sample::ticket(sample::digest(1));
    let commit = Verified::sign(&secret, sample::commit()).into_signed();
    let receipt = sample::receipt();
    let assignment = opensky_protocol::Assignment {
        unit: sample::digest(1),
        job: sample::digest(10),
        broker: secret.node(),
        provider: secret.node(),
        operator: account(),
        ask: ticket.value.price,
        attempt: 3,
        lease: 5_000,
    };
    Evidence {
        ticket,
        assignment: Verified::sign(&secret, assignment).into_signed(),
        commit,
        salt: sample::digest(3),
        statement: receipt.statement,
        signature: receipt.signature,
    }
}

/// One of each.
fn calls() -> Vec<Call> {
    let (escrow, unit) = (sample::digest(10), sample::digest(1));
    let node = sample::secret().node();
    let voucher = Verified::sign(&sample::other_secret(), sample::voucher()).into_signed();
    let consent = Consent {
        ledger: sample::digest(11),
        operator: account(),
        node,
    };
    let consent = Verified::sign(&sample::secret(), consent).into_signed();
    let turn = PaidTurn {
        unit,
        attempt: 2,
        amount: 3,
    };
    let showing = Showing {
        escrow,
        voucher: Some(voucher.clone()),
        opened: vec![turn],
        evidence: vec![evidence()],
    };
    let amount = 1 << 70;
    vec![
        Call::Faucet { amount },
        Call::Transfer {
            to: account(),
            amount,
        },
        Call::Certify { consent },
        Call::Revoke { node },
        Call::Bond { amount },
        Call::Unbond { amount },
        Call::Withdraw,
        Call::OpenEscrow {
            escrow,
            requester: node,
            amount,
            deadline: 1_800_000_000_000,
        },
        Call::TopUp { escrow, amount },
        Call::Close { escrow },
        Call::Claim {
            vouchers: vec![voucher],
        },
        Call::Show(Box::new(showing)),
        Call::Object { escrow, unit },
        Call::Resolve {
            escrow,
            unit,
            verdict: Verdict::Result(unit),
        },
        Call::Settle {
            escrow,
            units: vec![unit],
        },
        Call::Refund { escrow },
    ]
}

fn intent(call: Call) -> Intent {
    Intent {
        ledger: sample::digest(11),
        account: account(),
        signer: sample::other_secret().node(),
        nonce: 4,
        call,
    }
}

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
        expect!["7366 bytes, 81e6322f384819ab00436d42751c670f854eaf0320fc6e168b186b43f6c9bbb8"],
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
    let genesis = Genesis {
        name: "test".into(),
        terms: Terms::DEVELOPMENT,
        balances: [(account(), 5)].into(),
    };
    assert_eq!(genesis.check(), Ok(()));
    expect!["e9e3dbd85c058883f26d10ad67c977c1c47f9f85e4aa4e9e077c5c0dec416dbf"]
        .assert_eq(&genesis.id().to_string());
    let case = Case {
        seats: 3,
        filed: vec![Filed {
            operator: account(),
            node: sample::secret().node(),
            attempt: 1,
            compare_key: sample::digest(1),
            amount: 2,
            kept: 1,
        }],
        objection: Some(Objection {
            by: account(),
            bond: 9,
        }),
        verdict: Some(Verdict::Fault),
    };
    check(
        &codec::encode(&case),
        expect!["185 bytes, 902dbc82b22198cd28e67229c2ebcbcf3a6a647bf3c06aca004ff68cf19dfcd2"],
    );
}

#[test]
fn messages() {
    let (escrow, unit) = (sample::digest(10), sample::digest(1));
    let signed = Signed {
        value: intent(Call::Withdraw),
        seal: Seal::NONE,
    };
    let requests = vec![
        LedgerRequest::Genesis,
        LedgerRequest::Submit(vec![signed]),
        LedgerRequest::Events { after: 1, limit: 2 },
        LedgerRequest::History {
            account: account(),
            before: u64::MAX,
            limit: 2,
        },
        LedgerRequest::Status(unit),
        LedgerRequest::Account(account()),
        LedgerRequest::Nonce(sample::secret().node()),
        LedgerRequest::Node(sample::secret().node()),
        LedgerRequest::Nodes(account()),
        LedgerRequest::Escrow(escrow),
        LedgerRequest::Tab {
            escrow,
            operator: account(),
        },
        LedgerRequest::Case { escrow, unit },
        LedgerRequest::Cases {
            escrow,
            after: Some(unit),
        },
    ];
    check(
        &codec::encode(&requests),
        expect!["634 bytes, 56f024ee10ac45463682b79aca6a65b96af849694de3bf75d616ca8f08e57e8d"],
    );
    let event = |status| Event {
        sequence: 7,
        at: 8,
        intent: unit,
        account: account(),
        status,
    };
    let fact = Fact::Paid {
        escrow,
        payer: account(),
        operator: account(),
        amount: 3,
    };
    let replies = vec![
        LedgerReply::Unavailable,
        LedgerReply::Submitted(vec![Ok(unit), Err(Refused::Nonce { next: 3 })]),
        LedgerReply::Events(vec![
            event(Status::Pending),
            event(Status::Final {
                fee: 1,
                facts: vec![fact],
            }),
            event(Status::Rejected {
                fee: 0,
                reason: Rejection::Evidence(EvidenceError::Bond),
            }),
        ]),
        LedgerReply::Nonce(3),
        LedgerReply::Cases(vec![unit]),
    ];
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
    let good = Genesis {
        name: "test".into(),
        terms: Terms::DEVELOPMENT,
        balances: [(account(), 5)].into(),
    };
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
