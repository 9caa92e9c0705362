//! The ledger of a world: the embedded ledger's own books, without its file.

use std::collections::{BTreeMap, BTreeSet};

use opensky_ledger::Books;
use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{Call, Case, Escrow, Fact, Genesis, Intent, Rejection, Status, Terms, Verdict},
};

/// Books, and the arbiter whom everyone trusts: it knows what is right.
pub struct Bank {
    books: Books,
    arbiter: NodeKey,
    /// Units about which something was claimed or said since the arbiter last looked.
    news: BTreeSet<(Digest, Digest)>,
    /// What each operator got from each escrow.
    pub(crate) paid: BTreeMap<(Digest, Account), u128>,
    /// Who lost how much, since somebody last looked.
    pub(crate) slashed: Vec<(Account, u128)>,
}

impl Bank {
    /// One where nobody has anything yet. It has a faucet, and an arbiter of its own.
    ///
    /// # Panics
    /// If a ledger cannot have these terms.
    pub fn new(terms: Terms) -> Self {
        let arbiter = NodeKey(Digest::derive("simulated arbiter 1", &()).0);
        let genesis = Genesis {
            name: "simulated".into(),
            terms: Terms {
                faucet: u128::MAX >> 32,
                arbiter: Some(arbiter.into()),
                ..terms
            },
            balances: BTreeMap::new(),
        };
        let mut bank = Self {
            books: Books::new(genesis).expect("the world's terms are possible"),
            arbiter,
            news: BTreeSet::new(),
            paid: BTreeMap::new(),
            slashed: Vec::new(),
        };
        bank.welcome(arbiter, 1 << 40, 0);
        bank
    }

    /// The ledger's id.
    pub fn id(&self) -> Digest {
        self.books.id()
    }

    /// The books.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// Gives somebody money, some of which it bonds.
    pub fn welcome(&mut self, node: NodeKey, money: u128, bond: u128) {
        let calls = [Call::Faucet { amount: money }, Call::Bond { amount: bond }];
        for call in calls.into_iter().take(1 + usize::from(bond > 0)) {
            let done = self.call(node, call, 0);
            done.expect("a newcomer gets money and has enough for its bond");
        }
    }

    /// What somebody asks for, for itself.
    pub(crate) fn call(
        &mut self,
        signer: NodeKey,
        call: Call,
        now: u64,
    ) -> Result<Vec<Fact>, Rejection> {
        let intent = Intent {
            ledger: self.books.id(),
            account: signer.into(),
            signer,
            nonce: 0,
            call,
        };
        match self.books.apply(&intent, now) {
            Status::Final { facts, .. } => {
                self.note(&facts);
                Ok(facts)
            }
            Status::Rejected { reason, .. } => Err(reason),
            Status::Pending => unreachable!("books decide at once"),
        }
    }

    /// Does what is due by itself. Returns whether that was anything.
    pub(crate) fn tend(&mut self, now: u64) -> bool {
        if self.books.next_timer().is_none_or(|at| at > now) {
            return false;
        }
        while let Some(done) = self.books.tend(now) {
            self.note(&done.facts);
        }
        true
    }

    fn note(&mut self, facts: &[Fact]) {
        for fact in facts {
            match fact {
                Fact::Paid {
                    escrow,
                    operator,
                    amount,
                    ..
                } => *self.paid.entry((*escrow, *operator)).or_default() += amount,
                Fact::Slashed { account, amount } => self.slashed.push((*account, *amount)),
                Fact::Filed { escrow, unit, .. } | Fact::Objected { escrow, unit, .. } => {
                    self.news.insert((*escrow, *unit));
                }
                _ => {}
            }
        }
    }

    /// The arbiter says what is right wherever two claim different things, or somebody objects.
    pub(crate) fn arbitrate(&mut self, truth: impl Fn(&Digest) -> Option<Digest>, now: u64) {
        let open = |case: &Case| case.is_disputed() && case.verdict.is_none();
        let news = std::mem::take(&mut self.news).into_iter();
        let disputed = news.filter(|(escrow, unit)| {
            let case = self.books.case(escrow, unit);
            case.as_ref().is_some_and(open)
        });
        let disputed: Vec<_> = disputed.collect();
        for (escrow, unit) in disputed {
            let Some(key) = truth(&unit) else {
                continue;
            };
            let call = Call::Resolve {
                escrow,
                unit,
                verdict: Verdict::Result(key),
            };
            let resolved = self.call(self.arbiter, call, now);
            resolved.expect("what was just claimed can be judged");
        }
    }

    /// An escrow.
    pub fn escrow(&self, id: &Digest) -> Option<Escrow> {
        self.books.escrow(id)
    }

    /// What an operator got from an escrow.
    pub fn paid(&self, escrow: &Digest, operator: &Account) -> u128 {
        let paid = self.paid.get(&(*escrow, *operator));
        paid.copied().unwrap_or_default()
    }
}
