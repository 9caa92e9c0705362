//! Decodes what nodes say to each other from arbitrary bytes, and looks at it as a node does: signatures,
//! consistency, the books' own checks.
#![no_main]

use std::{fmt::Debug, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use opensky_core::Checked;
use opensky_protocol::{
    Commit, Deployment, Message, NodeKey, Offer, Reply, Request, Reveal, SecretKey,
    Signed, Voucher,
    codec::{self, CodecError},
    ledger::{Call, Genesis, Intent, LedgerRequest},
};
use parity_scale_codec::{DecodeWithMemTracking, Encode};

/// Who the samples that it starts from are from.
static SENDERS: LazyLock<[NodeKey; 2]> =
    LazyLock::new(|| [7, 8].map(|seed| SecretKey::from_seed(&[seed; 32]).node()));

fuzz_target!(|bytes: &[u8]| {
    match canonical(bytes) {
        Some(Request::Message(message)) => say(message),
        Some(Request::Ledger(asked)) => ask(*asked),
        Some(Request::Deploy(deployment)) => {
            deployment.holds();
        }
        _ => {}
    }
    if let Some(Reply::Offers(offers)) = canonical(bytes) {
        for offer in offers {
            offer.holds();
        }
    }
    // What is kept in rows and gossip, each by itself.
    canonical::<Signed<Offer>>(bytes);
    canonical::<Signed<Deployment>>(bytes);
    canonical::<Signed<Commit>>(bytes);
    canonical::<Signed<Voucher>>(bytes);
    if let Some(genesis) = canonical::<Genesis>(bytes) {
        // Whatever it says, it says it.
        let _ = genesis.check();
        genesis.id();
    }
});

/// The value, if these are its bytes and no others.
fn canonical<T: DecodeWithMemTracking + Encode + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    match codec::decode::<T>(bytes) {
        Ok(value) => {
            assert_eq!(codec::encode(&value), bytes);
            Some(value)
        }
        Err(CodecError::NotCanonical) => {
            let loose = T::decode(&mut &bytes[..]).expect("only its order is wrong");
            assert_eq!(codec::decode(&codec::encode(&loose)), Ok(loose));
            None
        }
        Err(_) => None,
    }
}

fn say(message: Message) {
    for sender in *SENDERS {
        if let Ok(checked) = Checked::verify(sender, message.clone()) {
            believed(sender, &message);
            let own = |reveal: &Reveal| reveal.statement.node == sender && reveal.holds();
            assert!(checked.results().iter().all(own));
        }
    }
}

/// What a message says of nodes that the sender is not, it must not be believed for.
fn believed(sender: NodeKey, message: &Message) {
    match message {
        Message::Assign(orders) => assert!(
            orders
                .iter()
                .all(|order| { order.is_consistent() && order.assignment.value.broker == sender })
        ),
        Message::Commit(commits) => {
            assert!(commits.iter().all(|commit| commit.value.node == sender));
        }
        _ => {}
    }
}

fn ask(asked: LedgerRequest) {
    let LedgerRequest::Submit(intents) = asked else {
        return;
    };
    for Signed { value: intent, .. } in &intents {
        let Intent { call, .. } = intent;
        call.is_sound();
        intent.id();
        if let Call::Show(showing) = call {
            // Right or not, it is added up.
            let _ = showing.paid_units();
        }
    }
}
