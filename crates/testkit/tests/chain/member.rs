//! Somebody who settles on a chain: an adapter with a journal of its own, that is ended at will.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use opensky_ledger::{Chain as Adapter, ChainAway, ChainStatus, Duty, Part};
use opensky_protocol::{
    Account, Digest, SecretKey, Signed,
    ledger::{
        AccountState, Asked, Call, Event, Fact, Intent, LedgerReply, LedgerRequest, Refused,
        Rejection, Status,
    },
};
use tokio::runtime::Runtime;

use crate::{chain::Chain, process::until, world::Party};

/// What the faucet gives here, unless a test says otherwise.
pub const GIFT: u128 = 1_000_000_000_000_000;

pub struct Member {
    pub party: Party,
    pub ledger: Digest,
    seed: [u8; 32],
    file: PathBuf,
    adapter: Adapter,
    /// Ends after the adapter.
    runtime: Runtime,
}

impl Member {
    /// One who believes the chain that runs.
    pub fn join(chain: &Chain, number: u8, folder: &Path) -> Self {
        let mut member = Self::follow(&chain.url(), number, folder);
        member.settle();
        member
    }

    /// One with some money.
    pub fn rich(chain: &Chain, number: u8, folder: &Path) -> Self {
        let member = Self::join(chain, number, folder);
        member.call(Call::Faucet { amount: GIFT }).unwrap();
        member
    }

    /// One who has not seen the chain yet, or knows it from its journal.
    pub fn follow(url: &str, number: u8, folder: &Path) -> Self {
        let file = folder.join(format!("{number}.redb"));
        Self::open(&file, url, [number; 32])
    }

    /// The same with that file.
    pub fn open(file: &Path, url: &str, seed: [u8; 32]) -> Self {
        let [party, secret] = [(); 2].map(|()| SecretKey::from_seed(&seed));
        let party = Party(party);
        let runtime = Runtime::new().unwrap();
        let adapter = {
            let _inside = runtime.enter();
            let (secret, url) = (Arc::new(secret), url.to_owned());
            Adapter::follow(file, url, secret, party.account()).unwrap()
        };
        Self {
            party,
            ledger: Digest([0; 32]),
            seed,
            file: file.to_owned(),
            adapter,
            runtime,
        }
    }

    /// Waits until the chain says which one it is, and believes no other from then on.
    pub fn settle(&mut self) {
        until("the chain answers", || {
            let charter = self.runtime.block_on(self.adapter.charter());
            charter.is_ok_and(|charter| {
                self.ledger = charter.id;
                true
            })
        });
        self.adapter.settle_on(self.ledger).unwrap();
    }

    /// Ends it in the middle of whatever it does, and begins again with the same journal.
    pub fn reborn(self, chain: &Chain) -> Self {
        self.at(&chain.url())
    }

    /// The same with another server.
    pub fn at(self, url: &str) -> Self {
        let Self {
            seed,
            ledger,
            file,
            adapter,
            runtime,
            ..
        } = self;
        runtime.shutdown_background();
        drop(adapter);
        Self {
            ledger,
            ..Self::open(&file, url, seed)
        }
    }

    /// The adapter goes and its runtime stays, as where a node is one part of a process.
    pub fn dropped_inside(self) {
        let Self {
            adapter, runtime, ..
        } = self;
        drop(adapter);
        // It goes on with what is not cancelled, were there anything.
        let leaked = Box::leak(Box::new(runtime));
        leaked.block_on(tokio::task::yield_now());
    }

    pub fn account(&self) -> Account {
        self.party.account()
    }

    pub fn ask(&self, request: LedgerRequest) -> Result<LedgerReply, ChainAway> {
        self.runtime.block_on(self.adapter.ask(request))
    }

    pub fn status(&self) -> ChainStatus {
        self.runtime.block_on(self.adapter.status())
    }

    /// What it would pay for a claim of one voucher now.
    pub fn fee(&self) -> u128 {
        let charter = self.runtime.block_on(self.adapter.charter());
        charter.unwrap().terms.fee
    }

    /// What the chain wants of an operator.
    pub fn duties(&self, operator: &Account) -> Result<Vec<Duty>, ChainAway> {
        self.runtime.block_on(self.adapter.duties(operator))
    }

    /// What it wants of one in the round of random numbers that goes on.
    pub fn part(&self, operator: &Account) -> Option<Part> {
        let part = self.runtime.block_on(self.adapter.part(operator));
        part.ok().flatten()
    }

    /// What a request asks for, until it is over.
    pub fn asked(&self, request: &Digest) -> Option<Asked> {
        let asked = self.runtime.block_on(self.adapter.asked(request));
        asked.ok().flatten()
    }

    /// Whether an operator can be drawn.
    pub fn is_listed(&self, operator: &Account) -> bool {
        let offered = self.runtime.block_on(self.adapter.offered(operator));
        offered.is_ok_and(|offer| offer.is_some())
    }

    fn nonce(&self) -> u64 {
        match self.ask(LedgerRequest::Nonce(self.party.node())) {
            Ok(LedgerReply::Nonce(next)) => next,
            other => panic!("{other:?}"),
        }
    }
}

/// What it asks for.
impl Member {
    /// These calls as its next intents.
    pub fn intents(&self, calls: impl IntoIterator<Item = Call>) -> Vec<Signed<Intent>> {
        self.intents_for(self.account(), calls)
    }

    /// The same for an account whose node it is.
    pub fn intents_for(
        &self,
        account: Account,
        calls: impl IntoIterator<Item = Call>,
    ) -> Vec<Signed<Intent>> {
        let intent = |(nonce, call)| {
            let own = self.party.intent(self.ledger, nonce, call);
            self.party.sign(Intent { account, ..own })
        };
        (self.nonce()..).zip(calls).map(intent).collect()
    }

    pub fn submit(&self, intents: Vec<Signed<Intent>>) -> Vec<Result<Digest, Refused>> {
        match self.ask(LedgerRequest::Submit(intents)) {
            Ok(LedgerReply::Submitted(done)) => done,
            other => panic!("{other:?}"),
        }
    }

    /// Hands in what is taken on, and returns its name.
    pub fn hand_in(&self, call: Call) -> Digest {
        self.submit(self.intents([call]))[0].unwrap()
    }

    /// The last that is known of an intent.
    pub fn last(&self, intent: Digest) -> Event {
        match self.ask(LedgerRequest::Status(intent)) {
            Ok(LedgerReply::Status(Some(event))) => *event,
            other => panic!("{other:?}"),
        }
    }

    pub fn is_decided(&self, intent: Digest) -> bool {
        self.last(intent).status != Status::Pending
    }

    /// Waits until it is decided.
    pub fn decided(&self, intent: Digest) -> Event {
        until("an intent is decided", || self.is_decided(intent));
        self.last(intent)
    }

    /// Whether it has seen that block, and tells what was in it.
    pub fn has_seen(&self, height: u64) -> bool {
        let status = self.status();
        let last = status.finalized.map(|last| last.number);
        last.is_ok_and(|last| last >= height) && status.told >= Some(height)
    }

    /// Waits until it sees something.
    pub fn waits(&self, is_so: impl Fn(&Self) -> bool) {
        until("it sees what it waits for", || is_so(self));
    }

    /// Has something done, and waits for it.
    pub fn call(&self, call: Call) -> Result<Vec<Fact>, Rejection> {
        match self.decided(self.hand_in(call)).status {
            Status::Final { facts, .. } => Ok(facts),
            Status::Rejected { reason, .. } => Err(reason),
            Status::Pending => panic!("it was decided"),
        }
    }
}

/// What it has.
impl Member {
    pub fn state(&self) -> AccountState {
        self.state_of(self.account())
    }

    pub fn try_state(&self) -> Result<AccountState, ChainAway> {
        match self.ask(LedgerRequest::Account(self.account()))? {
            LedgerReply::Account(state) => Ok(*state),
            other => panic!("{other:?}"),
        }
    }

    /// What it has bonded, if that can be known now.
    pub fn state_bond(&self) -> Option<u128> {
        self.try_state().ok().map(|state| state.operator.bond)
    }

    pub fn state_of(&self, account: Account) -> AccountState {
        match self.ask(LedgerRequest::Account(account)) {
            Ok(LedgerReply::Account(state)) => *state,
            other => panic!("{other:?}"),
        }
    }

    /// All that it was told of its account, the oldest first.
    pub fn history(&self) -> Vec<Event> {
        let (account, mut before, mut all) = (self.account(), u64::MAX, Vec::new());
        loop {
            let page = self.page(LedgerRequest::History {
                account,
                before,
                limit: 7,
            });
            let Some(oldest) = page.last() else { break };
            before = oldest.sequence;
            all.extend(page);
        }
        all.reverse();
        all
    }

    /// All that it was told of any account, the oldest first.
    fn record(&self) -> Vec<Event> {
        let mut all: Vec<Event> = Vec::new();
        loop {
            let after = all.last().map_or(0, |event| event.sequence);
            let page = self.page(LedgerRequest::Events { after, limit: 7 });
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    fn page(&self, request: LedgerRequest) -> Vec<Event> {
        match self.ask(request) {
            Ok(LedgerReply::Events(page)) => page,
            other => panic!("{other:?}"),
        }
    }

    /// The facts of its history, the oldest first.
    pub fn facts(&self) -> Vec<Fact> {
        let facts = self.history().into_iter().map(|event| match event.status {
            Status::Final { facts, .. } => facts,
            Status::Pending | Status::Rejected { .. } => Vec::new(),
        });
        facts.flatten().collect()
    }

    /// What it was told that it was paid, the first first.
    pub fn paid(&self) -> Vec<u128> {
        let own = self.account();
        let paid = self.facts().into_iter().filter_map(|fact| match fact {
            Fact::Paid {
                operator, amount, ..
            } => (operator == own).then_some(amount),
            _ => None,
        });
        paid.collect()
    }

    /// That what it was told adds up to what it has, exactly, and that it was told everything once.
    pub fn adds_up(&self) {
        let events = self.history();
        let told: i128 = events
            .iter()
            .map(|event| moved(event, &self.account()))
            .sum();
        let purse = self.state().purse;
        assert_eq!(told, (purse.free + purse.held) as i128, "{events:#?}");
        let record = self.record();
        let sequences = record.iter().map(|event| event.sequence);
        assert!(sequences.eq(1..=record.len() as u64), "{record:#?}");
    }
}

/// What an event did to all the money of an account, free and held.
fn moved(event: &Event, account: &Account) -> i128 {
    let (fee, facts) = match &event.status {
        Status::Pending => return 0,
        Status::Rejected { fee, .. } => (fee, &[][..]),
        Status::Final { fee, facts } => (fee, &facts[..]),
    };
    let of = |who: &Account, amount: u128| if who == account { amount as i128 } else { 0 };
    let moved = facts.iter().map(|fact| match fact {
        Fact::Transferred { from, to, amount } => of(to, *amount) - of(from, *amount),
        Fact::Paid {
            payer,
            operator,
            amount,
            ..
        } => of(operator, *amount) - of(payer, *amount),
        Fact::Slashed { account, amount } => -of(account, *amount),
        Fact::Rewarded { account, amount } => of(account, *amount),
        _ => 0,
    });
    moved.sum::<i128>() - of(&event.account, *fee)
}
