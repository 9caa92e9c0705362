//! A broker that hears all it hears from the test, and providers whose words the test says.

use opensky_core::{
    Checked, Draft, Effect, EscrowState, Event, Identity, Outgoing, Participant, Policy, Replicas,
};
use opensky_protocol::{
    Commit, Digest, Message, NodeKey, Offer, Receipt, Reveal, SecretKey, Transcript, Turn,
    Verified, Work,
};
use opensky_simulator::{
    BEGIN, guest,
    orders::{self, map_reduce},
};

use crate::MONEY;

const LEDGER: Digest = Digest([7; 32]);

/// The broker: all it hears it hears at one moment.
pub struct Desk {
    pub broker: Participant,
    pub job: Digest,
}

impl Desk {
    /// One with a job of so many maps that is paid for.
    pub fn open(maps: u32) -> Self {
        let node = NodeKey([9; 32]);
        let who = Identity {
            node,
            operator: node.into(),
            ledger: LEDGER,
        };
        let rows = std::iter::empty();
        let broker = Participant::restore(who, Policy::default(), [1; 32], rows).unwrap();
        let mut order = map_reduce(1, maps, 1, false);
        // Nobody else is asked in case of doubt.
        (order.replicas, order.replica_cap) = (Replicas::Fixed(1), 1);
        let job = order.id(&who);
        let mut desk = Self { broker, job };
        desk.hears(Event::Submitted(Box::new(order)));
        let state = EscrowState::Locked { amount: MONEY };
        desk.hears(Event::Escrow { job, state });
        desk
    }

    pub fn hears(&mut self, event: Event) {
        self.broker.handle(BEGIN, event);
    }

    pub fn is_told(&mut self, from: NodeKey, message: Message) {
        let message = Checked::verify(from, message).unwrap();
        self.hears(Event::Received { from, message });
    }

    /// A provider that runs thousands of units at once is there.
    pub fn finds(&mut self, provider: &SecretKey) {
        let terms = orders::terms();
        let mut capacity = terms.capacity;
        capacity.cores = 10_000;
        let offer = Offer {
            node: provider.node(),
            operator: provider.node().into(),
            ledger: LEDGER,
            sequence: 1,
            expires: u64::MAX,
            ask: terms.ask,
            capacity,
            free: capacity.cores,
            speed: terms.speed,
            profiles: terms.profiles,
            labels: terms.labels,
        };
        self.hears(Event::Offer(Box::new(Verified::sign(provider, offer))));
    }

    /// A provider promises these.
    pub fn is_promised(&mut self, provider: &SecretKey, results: &[Reveal]) {
        let node = provider.node();
        let promise = |result: &Reveal| Commit {
            turn: result.turn,
            node,
            hash: Commit::hash_of(
                &node,
                &result.turn,
                &result.statement.compare_key,
                &result.salt,
            ),
        };
        let promises = results.iter().map(promise).collect();
        let promises = Verified::sign_all(provider, promises).into_iter();
        let promises = promises.map(Verified::into_signed).collect();
        self.is_told(node, Message::Commit(promises));
    }

    /// What it says now, and to whom.
    pub fn says(&mut self) -> Vec<(NodeKey, Outgoing)> {
        let effects = std::iter::from_fn(|| self.broker.poll_effect());
        let said = effects.filter_map(|effect| match effect {
            Effect::Send { to, message } => Some((to, message)),
            _ => None,
        });
        said.collect()
    }
}

/// The orders among what was said to that provider.
pub fn orders_to(said: Vec<(NodeKey, Outgoing)>, to: &SecretKey) -> Vec<Draft> {
    let orders = said.into_iter().filter_map(|said| match said {
        (node, Outgoing::Assign(drafts)) if node == to.node() => Some(drafts),
        _ => None,
    });
    orders.flatten().collect()
}

/// What comes of an order where nobody lies.
pub fn result(provider: &SecretKey, draft: &Draft) -> Reveal {
    let turn = Turn::from(&draft.assignment);
    let (class, outputs) = guest::honest(&draft.work);
    let transcript = Transcript::start(&turn.unit);
    let work: Work = draft.work.clone();
    let receipt = Receipt::sign(provider, work, class, 1, transcript, outputs, Vec::new());
    Reveal {
        turn,
        salt: Digest([3; 32]),
        statement: receipt.statement,
        signature: receipt.signature,
        outputs: receipt.outputs,
        transcript: receipt.transcript,
        states: receipt.states,
    }
}
