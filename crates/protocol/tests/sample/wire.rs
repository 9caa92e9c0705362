//! What nodes say to each other: one of each.

use opensky_protocol::{
    Abort, Aside, Assignment, ContentKey, Message, Order, Refusal, Reply, Request, Reveal,
    Settlement, Turn, Verified,
};

use crate::sample;

/// The turn of [`sample::commit`].
fn turn() -> Turn {
    sample::commit().turn
}

/// Of the sample's work: all its parts fit.
pub fn order() -> Order {
    let secret = sample::other_secret();
    let work = sample::work();
    let ticket = sample::ticket(work.unit());
    let assignment = Assignment {
        unit: work.unit(),
        job: ticket.value.job,
        broker: secret.node(),
        provider: sample::secret().node(),
        operator: sample::books::account(),
        ask: ticket.value.price,
        attempt: 3,
        lease: 5_000,
    };
    Order {
        work,
        ticket,
        assignment: Verified::sign(&secret, assignment).into_signed(),
        sources: vec![secret.node()],
        key: secret.wrap(
            &ContentKey::from_bytes([5; 32]),
            &sample::secret().node(),
            &sample::digest(10),
        ),
    }
}

/// Of the sample's receipt.
pub fn reveal() -> Reveal {
    let receipt = sample::receipt();
    Reveal {
        turn: Turn {
            unit: receipt.statement.unit,
            ..turn()
        },
        salt: sample::digest(3),
        statement: receipt.statement,
        signature: receipt.signature,
        outputs: receipt.outputs,
        transcript: receipt.transcript,
        states: receipt.states,
    }
}

/// One of each.
pub fn messages() -> Vec<Message> {
    let secret = sample::other_secret();
    let settlement = Settlement {
        paid: vec![turn()],
        refused: vec![turn(), turn()],
        voucher: Some(Verified::sign(&secret, sample::voucher()).into_signed()),
    };
    let commits = Verified::sign_all(&secret, vec![sample::commit(), sample::commit()]);
    vec![
        Message::Assign(vec![order(), order()]),
        Message::Accept(vec![turn()]),
        Message::Refuse(vec![(turn(), Refusal::Busy), (turn(), Refusal::Invalid)]),
        Message::Commit(commits.into_iter().map(Verified::into_signed).collect()),
        Message::Open(vec![sample::summons()]),
        Message::Reveal(vec![reveal()]),
        Message::Abort(vec![(turn(), Abort::MissingInput("input".into()))]),
        Message::Settle(Box::new(settlement)),
        Message::Release(vec![turn()]),
        Message::Over(vec![sample::digest(10)]),
    ]
}

/// One of each, with every message and everything that a ledger is asked.
pub fn requests() -> Vec<Request> {
    let secret = sample::other_secret();
    let node = secret.node();
    let calls = sample::books::calls().into_iter();
    let intents = calls.map(sample::books::intent).collect();
    let intents = Verified::sign_all(&secret, intents).into_iter();
    let submit = opensky_protocol::ledger::LedgerRequest::Submit(
        intents.map(Verified::into_signed).collect(),
    );
    let asked = sample::books::requests().into_iter().chain([submit]);
    let asked = asked.map(|request| Request::Ledger(Box::new(request)));
    let others = [
        Request::Offers,
        Request::Has(vec![sample::digest(1), sample::digest(2)]),
        Request::Pin {
            blob: sample::digest(1),
            len: 1 << 20,
            sources: vec![node],
        },
        Request::Deployment(sample::digest(1)),
        Request::Reveal {
            reveals: vec![reveal()],
            asides: vec![Aside {
                turn: reveal().turn,
                log: b"log".into(),
                logged: 70_000,
                error: Some(b"error".into()),
                detail: Some("why".into()),
            }],
        },
        Request::Deploy(Box::new(
            Verified::sign(&secret, sample::deployment()).into_signed(),
        )),
        Request::OffersOf(vec![node]),
    ];
    let messages = messages().into_iter().map(Request::Message);
    messages.chain(others).chain(asked).collect()
}

/// One of each, with everything that a ledger answers.
pub fn replies() -> Vec<Reply> {
    let secret = sample::other_secret();
    let offer = Verified::sign(&secret, sample::offer()).into_signed();
    let deployment = Verified::sign(&secret, sample::deployment()).into_signed();
    let answered = sample::books::replies().into_iter();
    let answered = answered.map(|reply| Reply::Ledger(Box::new(reply)));
    let others = [
        Reply::Heard,
        Reply::Busy,
        Reply::Refused,
        Reply::Offers(vec![offer]),
        Reply::Has(vec![true, false]),
        Reply::Deployment(None),
        Reply::Deployment(Some(Box::new(deployment))),
    ];
    others.into_iter().chain(answered).collect()
}
