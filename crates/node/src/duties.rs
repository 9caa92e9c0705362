//! What a chain wants of this node's operator: it runs the requests of whose committees it is, promises what came of
//! each, and shows it when all have promised; and it helps to make the random numbers by which committees are drawn.
//!
//! Nothing of this is written down. What is to be done is read from the chain after each block; a run that is repeated
//! comes to the same, and secrets follow from the node's own and what they are for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_core::{Done, Event};
use opensky_ledger::{Chain, ChainAway, Duty, Seat};
use opensky_network::Network;
use opensky_protocol::{
    Account, Commit, Digest, NodeKey, Turn,
    ledger::{Answer, Call, Data, LedgerReply, LedgerRequest, Offered, OnChain, commitment},
};
use parity_scale_codec::Encode;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    clock::Clock,
    config::Config,
    depot::Depot,
    keepsake::{For, Keepsakes},
    ledger::Teller,
    machine,
    tasks::Tasks,
    workshop::{Workshop, short},
};

/// How often it is looked whether the chain knows what this node offers and keeps at hand.
const LOOK: Duration = Duration::from_secs(30);
/// For how long it says that it keeps a program at hand, and how much of that is left when it says so again: half a year,
/// and a month.
const PINNED: u64 = 180 * DAY;
const AGAIN: u64 = 30 * DAY;
const DAY: u64 = 86_400_000;
/// Programs of which it says so: as many as a chain takes of one operator.
const PINS: usize = 64;

/// Fuel that one unit may use: about an hour of a core.
const FUEL: u64 = 4_000_000_000_000;

/// What the task works with.
pub(crate) struct Duties {
    pub chain: Chain,
    pub teller: Teller,
    pub network: Network,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
    /// For these runs alone.
    pub workshop: Workshop,
    /// What came of them.
    pub events: mpsc::Receiver<Event>,
    pub node: NodeKey,
    pub operator: Account,
    /// What this node offers.
    pub offer: Offered,
    /// What secrets are made from.
    pub secret: [u8; 32],
    pub clock: Clock,
    pub tasks: Tasks,
}

/// What a node offers: its prices, its memory for one unit, and an hour of one core.
pub(crate) fn offer(config: &Config) -> Offered {
    Offered {
        ask: config.price.into(),
        memory: machine::memory_of_request(config),
        fuel: FUEL,
    }
}

/// What is known while the node lives.
#[derive(Default)]
struct State {
    /// Runs that were begun and are not over.
    begun: BTreeSet<Turn>,
    /// What came of runs; nothing of those that cannot be run here.
    done: BTreeMap<Turn, Option<Box<Done>>>,
    /// What the ledger has been asked, and has not answered.
    asked: Arc<Mutex<BTreeSet<Digest>>>,
}

impl Duties {
    /// Runs until the node ends.
    pub async fn watch(mut self) {
        let mut changes = self.chain.changes();
        let mut state = State::default();
        let mut listed = None::<Instant>;
        loop {
            tokio::select! {
                changed = changes.next() => if changed.is_none() { return },
                event = self.events.recv() => match event {
                    Some(event) => self.note(&mut state, event),
                    None => return,
                },
            }
            if let Err(away) = self.look(&mut state).await {
                tracing::debug!(%away, "the chain does not say what it wants");
                continue;
            }
            if listed.is_none_or(|last| last.elapsed() >= LOOK) {
                listed = Some(Instant::now());
                if let Err(away) = self.offer(&state).await {
                    tracing::debug!(%away, "the chain does not say what it knows of this node");
                }
            }
        }
    }

    fn note(&self, state: &mut State, event: Event) {
        let (turn, done) = match event {
            Event::Executed { turn, result } => (turn, result.ok()),
            Event::GivenBack { turn, .. } => (turn, None),
            _ => return,
        };
        tracing::info!(request = %short(&turn.job), ran = done.is_some(), "a request was run");
        state.begun.remove(&turn);
        state.done.insert(turn, done);
    }

    async fn look(&self, state: &mut State) -> Result<(), ChainAway> {
        let duties = self.chain.duties(&self.operator).await?;
        let mut turns = BTreeSet::new();
        for duty in duties {
            match duty {
                Duty::Commit { round } => {
                    let secret = self.draw("beacon", &round);
                    let commitment = commitment(round, &self.operator, &secret);
                    self.say(state, OnChain::Commit { round, commitment });
                }
                Duty::Reveal { round } => {
                    let secret = self.draw("beacon", &round);
                    self.say(state, OnChain::Reveal { round, secret });
                }
                Duty::Promise(seat) => {
                    turns.insert(seat.turn);
                    if let Some(done) = self.run(state, &seat).await {
                        let said = &done.statement;
                        let salt = self.draw("salt", &seat.turn);
                        let promise =
                            Commit::hash_of(&self.node, &seat.turn, &said.compare_key, &salt);
                        let request = seat.turn.job;
                        self.say(state, OnChain::Promise { request, promise });
                    }
                }
                Duty::Show(seat) => {
                    turns.insert(seat.turn);
                    if let Some(done) = self.run(state, &seat).await {
                        let output = self.output(&done);
                        let show = OnChain::Show {
                            request: seat.turn.job,
                            statement: Box::new(done.statement),
                            signature: done.signature,
                            salt: self.draw("salt", &seat.turn),
                            output,
                        };
                        self.say(state, show);
                    }
                }
            }
        }
        self.forget(state, &turns);
        Ok(())
    }

    /// What came of a run; it is begun if it was not.
    async fn run(&self, state: &mut State, seat: &Seat) -> Option<Done> {
        if let Some(done) = state.done.get(&seat.turn) {
            return done.as_deref().cloned();
        }
        if !state.begun.insert(seat.turn) {
            return None;
        }
        let work = seat.asked.work(&seat.profile);
        let mut sources = self.holders(work.program).await;
        match &seat.asked.input {
            Data::Inline(bytes) => {
                let digest = Digest::of(bytes);
                let kept = self
                    .keepsakes
                    .keep_for(For::Turns(seat.turn.job), vec![digest]);
                if kept.is_err() || self.depot.store().put(bytes).is_err() {
                    tracing::warn!(request = %short(&seat.turn.job), "there is no room for its input");
                    state.begun.remove(&seat.turn);
                    return None;
                }
            }
            Data::Blob { digest, .. } => sources.extend(self.holders(*digest).await),
        }
        // Whoever asks has no node: it is run in this one's own name.
        sources.push(self.node);
        let len = seat.asked.input.len();
        self.workshop.take(seat.turn, work, len, sources, None);
        None
    }

    async fn holders(&self, blob: Digest) -> Vec<NodeKey> {
        if self.depot.store().has(&blob) {
            return Vec::new();
        }
        self.network.providers(blob).await.unwrap_or_default()
    }

    /// The output, if it is all there is and small.
    fn output(&self, done: &Done) -> Option<Vec<u8>> {
        let said = &done.statement;
        let is_small = said.output_len <= Answer::MAX_INLINE as u64;
        let bytes = match is_small && done.outputs.0.len() == 1 {
            true => self.depot.store().get(&said.output).ok()?,
            false => return None,
        };
        (Digest::of(&bytes) == said.output).then_some(bytes)
    }

    /// Hands a call in, unless the same is under way.
    fn say(&self, state: &State, call: OnChain) {
        let name = Digest::derive("opensky duty 1", &call);
        if !lock(&state.asked).insert(name) {
            return;
        }
        let (teller, asked) = (self.teller.clone(), state.asked.clone());
        self.tasks.spawn(async move {
            if let Err(error) = teller.call(Call::OnChain(Box::new(call))).await {
                tracing::warn!(%error, "the chain did not take what it wanted");
            }
            lock(&asked).remove(&name);
        });
    }

    /// Lets go of what the chain does not want any more.
    fn forget(&self, state: &mut State, wanted: &BTreeSet<Turn>) {
        let jobs: BTreeSet<Digest> = wanted.iter().map(|turn| turn.job).collect();
        let unwanted = state.begun.extract_if(.., |turn| !jobs.contains(&turn.job));
        // Nobody waits for these any more.
        unwanted.for_each(|turn| self.workshop.stop(&turn));
        let over: Vec<Turn> = state.done.keys().copied().collect();
        // Between promise and result there is nothing to do, and the result is needed.
        let over = over.into_iter().filter(|turn| !jobs.contains(&turn.job));
        let kept: Vec<Turn> = over.collect();
        for turn in kept.iter().take(kept.len().saturating_sub(MANY)) {
            state.done.remove(turn);
            self.workshop.stop(turn);
            if let Err(error) = self.keepsakes.drop_for(&For::Turns(turn.job)) {
                tracing::warn!(%error, "what a request needed is not let go");
            }
        }
    }

    /// Has the chain know what this node offers, and which programs it keeps at hand: once it has something at stake.
    async fn offer(&self, state: &State) -> Result<(), ChainAway> {
        let account = LedgerRequest::Account(self.operator);
        let LedgerReply::Account(account) = self.chain.ask(account).await? else {
            return Ok(());
        };
        if account.operator.bond == 0 {
            return Ok(());
        }
        if self.chain.offered(&self.operator).await? != Some(self.offer) {
            self.say(state, OnChain::SetOffer(Some(self.offer)));
        }
        let now = self.clock.now();
        for program in self.keepsakes.pinned().into_iter().take(PINS) {
            let until = self.chain.pinned(&self.operator, &program).await?;
            if until.is_none_or(|until| until < now + AGAIN) {
                let until = now + PINNED;
                self.say(state, OnChain::Pin { program, until });
            }
        }
        Ok(())
    }

    /// A secret for that purpose and subject, and for nothing else.
    fn draw(&self, purpose: &str, subject: &impl Encode) -> Digest {
        Digest::derive("opensky duty secret 1", &(self.secret, purpose, subject))
    }
}

/// Results of requests that may be over are kept until there are as many.
const MANY: usize = 64;

fn lock(asked: &Mutex<BTreeSet<Digest>>) -> MutexGuard<'_, BTreeSet<Digest>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}
