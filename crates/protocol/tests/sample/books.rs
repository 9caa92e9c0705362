//! What a ledger is asked and answers: one of each.

use opensky_protocol::{
    Account, Assignment, Limits, Seal, Signed, Verified,
    ledger::{
        Asked, Call, Callback, Case, Consent, Data, Escrow, Event, Evidence, EvidenceError, Fact,
        Filed, Genesis, Intent, LedgerReply, LedgerRequest, NodeState, Objection, Offered, OnChain,
        PaidTurn, Refused, Rejection, Showing, Status, Tab, Terms, Verdict,
    },
};

use crate::sample;

pub fn account() -> Account {
    sample::other_secret().node().into()
}

pub fn evidence() -> Evidence {
    let secret = sample::other_secret();
    let ticket = sample::ticket(sample::digest(1));
    let commit = Verified::sign(&secret, sample::commit()).into_signed();
    let receipt = sample::receipt();
    let assignment = Assignment {
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
        summons: sample::summons(),
        salt: sample::digest(3),
        statement: receipt.statement,
        signature: receipt.signature,
    }
}

/// One of each.
pub fn calls() -> Vec<Call> {
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
    .into_iter()
    .chain(on_chain())
    .collect()
}

fn on_chain() -> Vec<Call> {
    let (request, program) = (sample::digest(8), sample::digest(9));
    let receipt = sample::receipt();
    let offered = Offered {
        ask: sample::offer().ask,
        memory: 1 << 30,
        fuel: 5,
    };
    let asked = Asked {
        program,
        input: Data::Inline(b"what".to_vec()),
        limits: Limits::DEFAULT,
        replicas: 3,
        max_price: 77,
        deadline: 1_000,
        callback: Some(Callback {
            contract: [4; 20],
            gas: 6,
        }),
    };
    let calls = [
        OnChain::SetOffer(Some(offered)),
        OnChain::Pin {
            program,
            until: 2_000,
        },
        OnChain::Commit {
            round: 3,
            commitment: request,
        },
        OnChain::Reveal {
            round: 3,
            secret: program,
        },
        OnChain::Request(asked),
        OnChain::Promise {
            request,
            promise: program,
        },
        OnChain::Show {
            request,
            statement: Box::new(receipt.statement),
            signature: receipt.signature,
            salt: program,
            output: Some(b"that".to_vec()),
        },
        OnChain::Unpin { program },
    ];
    calls.map(|call| Call::OnChain(Box::new(call))).into()
}

pub fn intent(call: Call) -> Intent {
    Intent {
        ledger: sample::digest(11),
        account: account(),
        signer: sample::other_secret().node(),
        nonce: 4,
        call,
    }
}

/// With an account that has something.
pub fn genesis() -> Genesis {
    Genesis {
        name: "test".into(),
        terms: Terms::DEVELOPMENT,
        balances: [(account(), 5)].into(),
    }
}

/// Disputed, with a verdict.
pub fn case() -> Case {
    Case {
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
    }
}

/// One of each.
pub fn requests() -> Vec<LedgerRequest> {
    let (escrow, unit) = (sample::digest(10), sample::digest(1));
    let signed = Signed {
        value: intent(Call::Withdraw),
        seal: Seal::NONE,
    };
    vec![
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
    ]
}

/// Those that a ledger gives most often.
pub fn first_replies() -> Vec<LedgerReply> {
    let (escrow, unit) = (sample::digest(10), sample::digest(1));
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
    vec![
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
    ]
}

/// One of each, and some more.
pub fn replies() -> Vec<LedgerReply> {
    let node = sample::secret().node();
    let escrow = Escrow::new(account(), node, 1 << 70, 1_800_000_000_000);
    let state = NodeState {
        operator: account(),
        revoked: Some(1_800_000_000_000),
    };
    let tab = Tab {
        voucher: 3,
        opened: Some((sample::digest(13), 2)),
        ..Tab::default()
    };
    let others = [
        LedgerReply::Genesis(Box::new(genesis())),
        LedgerReply::Status(None),
        LedgerReply::Account(Box::default()),
        LedgerReply::Node(Some(state)),
        LedgerReply::Nodes(vec![node]),
        LedgerReply::Escrow(Some(Box::new(escrow))),
        LedgerReply::Tab(tab),
        LedgerReply::Case(Some(Box::new(case()))),
    ];
    first_replies().into_iter().chain(others).collect()
}
