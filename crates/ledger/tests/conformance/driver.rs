//! What a scenario needs of a ledger: to ask, to wait, and to look at balances.

use std::collections::BTreeMap;

use opensky_ledger::{Conduct, Ledger};
use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{
        AccountState, Call, Escrow, Event, Fact, Intent, LedgerReply, LedgerRequest, Rejection,
        Status,
    },
};

use crate::world::{Party, genesis, terms};

/// How a ledger differs from the plainest one.
#[derive(Clone, Copy, Debug, Default)]
struct Variant {
    fee: u128,
    existential: u128,
    delay: u64,
    drops: u16,
}

const VARIANTS: [Variant; 5] = [
    Variant {
        fee: 0,
        existential: 0,
        delay: 0,
        drops: 0,
    },
    Variant {
        fee: 3,
        existential: 0,
        delay: 0,
        drops: 0,
    },
    Variant {
        fee: 0,
        existential: 5,
        delay: 0,
        drops: 0,
    },
    Variant {
        fee: 0,
        existential: 0,
        delay: 2_000,
        drops: 300,
    },
    Variant {
        fee: 2,
        existential: 7,
        delay: 1_000,
        drops: 100,
    },
];

/// Who is in every scenario.
pub struct Cast {
    pub ada: Party,
    pub bob: Party,
    pub cyd: Party,
    pub dan: Party,
    pub judge: Party,
}

/// What each of the cast begins with.
pub const START: u128 = 10_000;
/// When each scenario begins.
pub const NOON: u64 = 1_800_000_000_000;

/// Plays a scenario on every variant of the ledger.
pub fn on_each(scenario: fn(&mut Driver, &Cast)) {
    for variant in VARIANTS {
        let cast = Cast {
            ada: Party::new(1),
            bob: Party::new(2),
            cyd: Party::new(3),
            dan: Party::new(4),
            judge: Party::new(5),
        };
        let mut driver = Driver::new(variant, &cast);
        scenario(&mut driver, &cast);
        driver.check(&cast);
    }
}

/// A ledger under test.
pub struct Driver {
    ledger: Ledger,
    now: u64,
    variant: Variant,
    /// What each account has paid for being served.
    fees: BTreeMap<Account, u128>,
    last_event: u64,
}

impl Driver {
    fn new(variant: Variant, cast: &Cast) -> Self {
        let mut terms = terms(&cast.judge);
        (terms.fee, terms.existential) = (variant.fee, variant.existential);
        let all = [&cast.ada, &cast.bob, &cast.cyd, &cast.dan, &cast.judge];
        let genesis = genesis(terms, &all.map(|party| (party, START)));
        let conduct = Conduct {
            delay: variant.delay,
            drops: variant.drops,
            ..Conduct::default()
        };
        let backend = redb::backends::InMemoryBackend::new();
        Self {
            ledger: Ledger::with_backend(backend, genesis, conduct).unwrap(),
            now: NOON,
            variant,
            fees: BTreeMap::new(),
            last_event: 0,
        }
    }

    pub fn id(&self) -> Digest {
        self.ledger.books().unwrap().id()
    }

    pub fn now(&self) -> u64 {
        self.now
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: u64) {
        self.now += time;
        self.ledger.advance(self.now).unwrap();
    }

    /// Asks for an account and waits for what becomes of it. What the ledger drops is asked again.
    pub fn ask(&mut self, party: &Party, call: Call) -> Result<Vec<Fact>, Rejection> {
        self.ask_by(party, party.account(), call)
    }

    /// The same for the account whose node the party is.
    pub fn ask_by(
        &mut self,
        signer: &Party,
        account: Account,
        call: Call,
    ) -> Result<Vec<Fact>, Rejection> {
        loop {
            let intent = Intent {
                ledger: self.id(),
                account,
                signer: signer.node(),
                nonce: self.nonce(signer.node()),
                call: call.clone(),
            };
            let id = self.submit(signer, intent);
            match self.wait(id).status {
                Status::Final { fee, facts } => {
                    *self.fees.entry(account).or_default() += fee;
                    return Ok(facts);
                }
                Status::Rejected { fee, reason } => {
                    *self.fees.entry(account).or_default() += fee;
                    if reason != Rejection::Dropped {
                        return Err(reason);
                    }
                    assert_eq!(fee, 0, "what is dropped costs nothing");
                    assert!(self.variant.drops > 0);
                }
                Status::Pending => panic!("waited for a decision"),
            }
        }
    }

    fn submit(&mut self, signer: &Party, intent: Intent) -> Digest {
        let request = LedgerRequest::Submit([signer.sign(intent)].into());
        match self.ledger.serve(request, self.now) {
            LedgerReply::Submitted(done) => done[0].unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Reads the events until the intent is decided; finality takes its time.
    fn wait(&mut self, intent: Digest) -> Event {
        loop {
            let events = self.ledger.events(self.last_event, 10).unwrap();
            for event in events {
                assert_eq!(event.sequence, self.last_event + 1, "no event is left out");
                self.last_event = event.sequence;
                if event.intent == intent && event.status != Status::Pending {
                    return event;
                }
            }
            let due = self.ledger.next_due().expect("something waits");
            self.pass(due.saturating_sub(self.now));
        }
    }

    pub fn nonce(&mut self, signer: NodeKey) -> u64 {
        match self.ledger.serve(LedgerRequest::Nonce(signer), self.now) {
            LedgerReply::Nonce(next) => next,
            other => panic!("{other:?}"),
        }
    }

    pub fn state(&mut self, party: &Party) -> AccountState {
        let request = LedgerRequest::Account(party.account());
        match self.ledger.serve(request, self.now) {
            LedgerReply::Account(state) => *state,
            other => panic!("{other:?}"),
        }
    }

    pub fn escrow(&mut self, id: Digest) -> Escrow {
        match self.ledger.serve(LedgerRequest::Escrow(id), self.now) {
            LedgerReply::Escrow(Some(escrow)) => *escrow,
            other => panic!("{other:?}"),
        }
    }

    /// What the party has more, or less, than at the start: held money is its own, and fees are left
    /// out.
    pub fn gain(&mut self, party: &Party) -> i128 {
        let purse = self.state(party).purse;
        let fees = self.fees.get(&party.account()).copied().unwrap_or_default();
        (purse.free + purse.held + fees) as i128 - START as i128
    }

    pub fn gains(&mut self, cast: &Cast) -> [i128; 4] {
        [&cast.ada, &cast.bob, &cast.cyd, &cast.dan].map(|party| self.gain(party))
    }

    /// That the books add up, and that the reported facts tell the balances.
    fn check(&mut self, cast: &Cast) {
        self.ledger.books().unwrap().check().unwrap();
        for party in [&cast.ada, &cast.bob, &cast.cyd, &cast.dan, &cast.judge] {
            let account = party.account();
            let mut told = START as i128;
            let mut before = u64::MAX;
            loop {
                let page = self.ledger.history(&account, before, 7).unwrap();
                let Some(oldest) = page.last() else { break };
                before = oldest.sequence;
                told += page
                    .iter()
                    .map(|event| moved(event, &account))
                    .sum::<i128>();
            }
            let purse = self.state(party).purse;
            assert_eq!(
                told,
                (purse.free + purse.held) as i128,
                "{:?}",
                self.variant
            );
        }
    }
}

/// What an event did to all the money of an account, free and held.
fn moved(event: &Event, account: &Account) -> i128 {
    let own = event.account == *account;
    let (fee, facts) = match &event.status {
        Status::Pending => return 0,
        Status::Rejected { fee, .. } => (fee, &[][..]),
        Status::Final { fee, facts } => (fee, &facts[..]),
    };
    let mut sum = if own { -(*fee as i128) } else { 0 };
    for fact in facts {
        sum += match fact {
            Fact::Made { to, amount } if to == account => *amount as i128,
            Fact::Transferred { from, to, amount } => {
                let (from, to) = (from == account, to == account);
                (i128::from(to) - i128::from(from)) * *amount as i128
            }
            Fact::Paid {
                payer,
                operator,
                amount,
                ..
            } => {
                let (from, to) = (payer == account, operator == account);
                (i128::from(to) - i128::from(from)) * *amount as i128
            }
            Fact::Slashed {
                account: who,
                amount,
            } if who == account => -(*amount as i128),
            Fact::Rewarded {
                account: who,
                amount,
            } if who == account => *amount as i128,
            _ => 0,
        };
    }
    sum
}
