//! A broker that hears all it hears from the test, and providers whose words the test says.

use std::collections::BTreeMap;

use opensky_core::{
    Checked, Draft, Effect, EscrowState, Event, Identity, JobState, Outgoing, Participant, Policy,
    Replicas, Row, Submission, Table, Time,
};
use opensky_protocol::{
    Abort, Commit, Digest, Message, NodeKey, Offer, Output, Outputs, Receipt, Reveal, SecretKey,
    Transcript, Turn, Verified, Work,
};
use opensky_simulator::{
    BEGIN, guest,
    orders::{self, map_reduce},
};

use crate::MONEY;

const LEDGER: Digest = Digest([7; 32]);

/// How often providers are listened to, at most, until a job is over.
const ROUNDS: usize = 1_000;
/// Rounds of which nobody says anything, until nobody will.
const IDLE: usize = 40;
/// Rounds of one life, where processes end: enough for a result to be asked for and shown.
pub const LIFE: usize = 4;

/// The broker. Time goes on only while nobody has anything to say.
pub struct Desk {
    pub broker: Participant,
    pub job: Digest,
    /// When its process ends again and again: at that one of [`LIFE`] rounds.
    pub dies: Option<usize>,
    /// What it last asked to be brought, each with who is said to have it.
    pub asked: Vec<(Output, Vec<NodeKey>)>,
    /// Whether that is brought.
    pub brings: bool,
    /// What each has promised, as long as it has heard of no end.
    known: BTreeMap<NodeKey, BTreeMap<Turn, Reveal>>,
    rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    now: Time,
}

/// What a provider says of an order, if anything: a result, or why there is none.
pub type Answer = Option<Result<Reveal, Abort>>;

impl Desk {
    /// One with a job of so many maps that is paid for.
    pub fn open(maps: u32) -> Self {
        let mut order = map_reduce(1, maps, 1, false);
        // Nobody else is asked in case of doubt.
        (order.replicas, order.replica_cap) = (Replicas::Fixed(1), 1);
        Self::with(order, MONEY)
    }

    /// One with that job, for which there is so much money.
    pub fn with(order: Submission, amount: u128) -> Self {
        let job = order.id(&who());
        let rows = BTreeMap::new();
        let mut desk = Self {
            broker: restored(&rows),
            job,
            dies: None,
            asked: Vec::new(),
            brings: true,
            known: BTreeMap::new(),
            rows,
            now: BEGIN,
        };
        desk.hears(Event::Submitted(Box::new(order)));
        let state = EscrowState::Locked { amount };
        desk.hears(Event::Escrow { job, state });
        desk
    }

    pub fn hears(&mut self, event: Event) {
        self.broker.handle(self.now, event);
    }

    pub fn is_told(&mut self, from: NodeKey, message: Message) {
        let message = Checked::verify(from, message).unwrap();
        self.hears(Event::Received { from, message });
    }

    /// A provider that runs thousands of units at once is there.
    pub fn finds(&mut self, provider: &SecretKey) {
        self.finds_with(provider, 10_000);
    }

    /// A provider is there.
    pub fn finds_with(&mut self, provider: &SecretKey, cores: u16) {
        let terms = orders::terms();
        let mut capacity = terms.capacity;
        capacity.cores = cores;
        let offer = Offer {
            node: provider.node(),
            operator: provider.node().into(),
            ledger: LEDGER,
            sequence: 1,
            expires: u64::MAX,
            ask: terms.ask,
            credit: u128::MAX,
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
        let mut said = Vec::new();
        while let Some(effect) = self.broker.poll_effect() {
            match effect {
                Effect::Send { to, message } => said.push((to, message)),
                Effect::Persist(rows) => self.write(rows),
                Effect::Collect { job, blobs } => {
                    self.asked = blobs;
                    if self.brings {
                        self.hears(Event::Collected(job));
                    }
                }
                _ => {}
            }
        }
        said
    }

    /// Its process ends, and another goes on.
    pub fn starts_again(&mut self) {
        self.broker = restored(&self.rows);
        self.hears(Event::Timeout);
    }

    /// Nothing more comes until the job's time is over.
    pub fn waits_for_the_deadline(&mut self) {
        self.now = self.broker.job(&self.job).unwrap().deadline;
        self.hears(Event::Timeout);
        self.says();
    }

    fn write(&mut self, rows: Vec<Row>) {
        for row in rows {
            let key = (row.table, row.key);
            match row.value {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }

    /// How its job is.
    pub fn state(&self) -> JobState {
        self.broker.job(&self.job).unwrap().state
    }

    /// Lets these providers, who are there, answer until the job is over or nothing happens any more.
    /// Whoever has heard of no end says again what it has promised.
    pub fn serve(
        &mut self,
        providers: &[SecretKey],
        mut answer: impl FnMut(&SecretKey, &Draft) -> Answer,
    ) {
        let mut idle = 0;
        for round in 0..ROUNDS {
            let said = self.says();
            if matches!(self.state(), JobState::Over(_)) || idle > IDLE {
                return;
            }
            idle += 1;
            if !said.is_empty() {
                idle = 0;
            }
            if self.dies.is_some_and(|at| round % LIFE == at) {
                self.starts_again();
                providers.iter().for_each(|provider| self.finds(provider));
            }
            for (to, message) in said {
                let mut providers = providers.iter();
                let provider = providers.find(|provider| provider.node() == to);
                self.is_answered(provider.unwrap(), message, &mut answer);
            }
            if idle > 0 {
                self.now = Time(self.now.0 + 1_000);
                for provider in providers {
                    let own = self.known.get(&provider.node());
                    let own = own.into_iter().flat_map(BTreeMap::values);
                    let own: Vec<_> = own.cloned().collect();
                    self.is_promised(provider, &own);
                }
            }
            self.hears(Event::Timeout);
        }
    }

    fn is_answered(
        &mut self,
        provider: &SecretKey,
        message: Outgoing,
        answer: &mut impl FnMut(&SecretKey, &Draft) -> Answer,
    ) {
        let mut own = self.known.remove(&provider.node()).unwrap_or_default();
        match message {
            Outgoing::Assign(drafts) => {
                for draft in drafts {
                    let turn = Turn::from(&draft.assignment);
                    let answer = match own.get(&turn) {
                        Some(known) => Some(Ok(known.clone())),
                        None => answer(provider, &draft),
                    };
                    match answer {
                        Some(Ok(result)) => {
                            self.is_promised(provider, std::slice::from_ref(&result));
                            own.insert(turn, result);
                        }
                        Some(Err(abort)) => {
                            let aborts = Message::Abort(vec![(turn, abort)]);
                            self.is_told(provider.node(), aborts);
                        }
                        None => {}
                    }
                }
            }
            Outgoing::Open(summons) => {
                let shown = summons.iter().map(|summons| &summons.commit.turn);
                let shown = shown.filter_map(|turn| own.get(turn).cloned());
                let shown = Message::Reveal(shown.collect());
                self.is_told(provider.node(), shown);
            }
            Outgoing::Settle { paid, refused, .. } => {
                own.retain(|turn, _| !paid.contains(turn) && !refused.contains(turn));
            }
            Outgoing::Release(turns) => own.retain(|turn, _| !turns.contains(turn)),
            _ => {}
        }
        self.known.insert(provider.node(), own);
    }
}

fn who() -> Identity {
    let node = NodeKey([9; 32]);
    Identity {
        node,
        operator: node.into(),
        ledger: LEDGER,
    }
}

fn restored(rows: &BTreeMap<(Table, Vec<u8>), Vec<u8>>) -> Participant {
    let rows = rows.iter().map(|((table, key), value)| Row {
        table: *table,
        key: key.clone(),
        value: Some(value.clone()),
    });
    Participant::restore(who(), Policy::default(), [1; 32], rows).unwrap()
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
    false_result(provider, draft, |_| {})
}

/// The same with other outputs.
pub fn false_result(
    provider: &SecretKey,
    draft: &Draft,
    falsify: impl FnOnce(&mut Outputs),
) -> Reveal {
    let turn = Turn::from(&draft.assignment);
    let (class, mut outputs) = guest::honest(&draft.work);
    falsify(&mut outputs);
    let transcript = Transcript::start(&turn.unit);
    let work: Work = draft.work.clone();
    let fuel = work.limits.fuel / 2;
    let receipt = Receipt::sign(provider, work, class, fuel, transcript, outputs, Vec::new());
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
