//! Parties, and what they sign: what every test of the ledger is made of.
#![allow(clippy::unwrap_used)] // a test's own words hold
#![allow(dead_code)] // each test takes its share

use std::collections::BTreeMap;

use opensky_protocol::{
    Account, Assignment, Class, Commit, Digest, Limits, NodeKey, PriceTerms, Profile, Seal,
    SecretKey, Signable, Signature, Signed, Statement, Summons, Ticket, Turn, Verified, Voucher,
    ledger::{Call, Evidence, Genesis, Intent, PaidTurn, Showing, Terms},
};

/// Somebody with a key: an account, and a node of its own.
pub struct Party(pub SecretKey);

impl Party {
    pub fn new(number: u8) -> Self {
        Self(SecretKey::from_seed(&[number; 32]))
    }

    pub fn node(&self) -> NodeKey {
        self.0.node()
    }

    pub fn account(&self) -> Account {
        self.node().into()
    }

    pub fn sign<T: Signable>(&self, value: T) -> Signed<T> {
        Verified::sign(&self.0, value).into_signed()
    }

    pub fn intent(&self, ledger: Digest, nonce: u64, call: Call) -> Intent {
        Intent {
            ledger,
            account: self.account(),
            signer: self.node(),
            nonce,
            call,
        }
    }
}

pub const MINUTE: u64 = 60_000;

/// What the faucet gives at once: on a chain that is enough for an account, and for the fees of a test.
pub const FAUCET: u128 = 10_000_000_000;

/// Something at stake in every way, and ten minutes for each phase.
pub fn terms(arbiter: &Party) -> Terms {
    Terms {
        faucet: FAUCET,
        fee: 0,
        existential: 0,
        claims: 10 * MINUTE,
        objections: 10 * MINUTE,
        verdicts: 10 * MINUTE,
        unbonding: 40 * MINUTE,
        penalty: 100,
        objection_bond: 60,
        arbiter: Some(arbiter.account()),
    }
}

pub fn genesis(terms: Terms, balances: &[(&Party, u128)]) -> Genesis {
    let entry = |(party, amount): &(&Party, u128)| (party.account(), *amount);
    Genesis {
        name: "test".into(),
        terms,
        balances: balances.iter().map(entry).collect::<BTreeMap<_, _>>(),
    }
}

pub fn unit(number: u64) -> Digest {
    Digest::of(&number.to_le_bytes())
}

/// A job: an escrow, and who works for it on what terms.
pub struct Job<'a> {
    pub ledger: Digest,
    pub escrow: Digest,
    pub requester: &'a Party,
    pub payer: Account,
    /// Of one run. Nothing else is asked.
    pub price: u128,
    pub replica_cap: u8,
}

impl<'a> Job<'a> {
    pub fn new(ledger: Digest, number: u8, requester: &'a Party) -> Self {
        Self {
            ledger,
            escrow: Digest([number; 32]),
            requester,
            payer: requester.account(),
            price: 10,
            replica_cap: 3,
        }
    }

    pub fn open(&self, amount: u128, deadline: u64) -> Call {
        Call::OpenEscrow {
            escrow: self.escrow,
            requester: self.requester.node(),
            amount,
            deadline,
        }
    }

    pub fn turn(&self, number: u64) -> PaidTurn {
        PaidTurn {
            unit: unit(number),
            attempt: 0,
            amount: self.price,
        }
    }

    /// A voucher for these turns, unsigned.
    pub fn voucher_value(&self, operator: Account, turns: &[PaidTurn]) -> Voucher {
        let extend =
            |root, turn: &PaidTurn| Voucher::extend(&root, &turn.unit, turn.attempt, turn.amount);
        Voucher {
            ledger: self.ledger,
            escrow: self.escrow,
            requester: self.requester.node(),
            operator,
            total: turns.iter().map(|turn| turn.amount).sum(),
            turns: turns.len() as u64,
            root: turns.iter().fold(Voucher::START, extend),
        }
    }

    /// A voucher for that many turns, from unit 0.
    pub fn voucher(&self, operator: &Party, turns: u64) -> Signed<Voucher> {
        let turns: Vec<_> = (0..turns).map(|number| self.turn(number)).collect();
        let value = self.voucher_value(operator.account(), &turns);
        self.requester.sign(value)
    }

    pub fn claim(&self, operator: &Party, turns: u64) -> Call {
        let vouchers = [self.voucher(operator, turns)].into();
        Call::Claim { vouchers }
    }

    pub fn ticket(&self, number: u64) -> Ticket {
        Ticket {
            unit: unit(number),
            job: self.escrow,
            requester: self.requester.node(),
            payer: self.payer,
            ledger: self.ledger,
            price: PriceTerms {
                dispatch: self.price,
                per_gfuel: 1_000_000_000,
                per_gib: 0,
            },
            replicas: 2,
            replica_cap: self.replica_cap,
            input_len: 0,
            limits: Limits {
                fuel: 50,
                ..Limits::DEFAULT
            },
            deadline: u64::MAX,
        }
    }

    /// What `provider` shows for a unit whose result is `result`, as its own operator.
    pub fn evidence(&self, provider: &Party, number: u64, attempt: u32, result: u8) -> Evidence {
        let parts = self.parts(provider, number, attempt, result);
        parts.sign(self.requester, provider)
    }

    pub fn parts(&self, provider: &Party, number: u64, attempt: u32, result: u8) -> Parts {
        let ticket = self.ticket(number);
        let assignment = Assignment {
            unit: ticket.unit,
            job: ticket.job,
            broker: self.requester.node(),
            provider: provider.node(),
            operator: provider.account(),
            ask: PriceTerms {
                dispatch: self.price,
                per_gfuel: 0,
                per_gib: 0,
            },
            attempt,
            lease: 1,
        };
        let statement = statement(&ticket.unit, provider.node(), result);
        let (turn, salt) = (Turn::from(&assignment), Digest([9; 32]));
        let hash = Commit::hash_of(&statement.node, &turn, &statement.compare_key, &salt);
        let commit = Commit {
            turn,
            node: provider.node(),
            hash,
        };
        let summons = Summons {
            broker: self.requester.node(),
            commit: commit.clone(),
        };
        Parts {
            ticket,
            assignment,
            commit,
            summons,
            salt,
            statement,
        }
    }

    /// A claim by evidence beside a voucher for the first `paid` units.
    pub fn show(&self, operator: &Party, paid: u64, evidence: Vec<Evidence>) -> Call {
        let voucher = (paid > 0).then(|| self.voucher(operator, paid));
        Call::Show(Box::new(Showing {
            escrow: self.escrow,
            voucher,
            opened: (0..paid).map(|number| self.turn(number)).collect(),
            evidence,
        }))
    }

    pub fn settle(&self, units: &[u64]) -> Call {
        Call::Settle {
            escrow: self.escrow,
            units: units.iter().map(|number| unit(*number)).collect(),
        }
    }

    pub fn refund(&self) -> Call {
        let escrow = self.escrow;
        Call::Refund { escrow }
    }
}

/// Evidence before anyone has signed it.
#[derive(Clone)]
pub struct Parts {
    pub ticket: Ticket,
    pub assignment: Assignment,
    pub commit: Commit,
    pub summons: Summons,
    pub salt: Digest,
    pub statement: Statement,
}

impl Parts {
    pub fn sign(self, requester: &Party, provider: &Party) -> Evidence {
        // A statement has a domain that only its own crate signs in; a receipt is made of one.
        let signature = provider.0.sign("opensky statement 1", &self.statement);
        Evidence {
            ticket: requester.sign(self.ticket),
            assignment: requester.sign(self.assignment),
            commit: provider.sign(self.commit),
            summons: requester.sign(self.summons),
            salt: self.salt,
            statement: self.statement,
            signature,
        }
    }

    /// For books, which believe that everything is signed.
    pub fn unsigned(self) -> Evidence {
        Evidence {
            ticket: unsigned(self.ticket),
            assignment: unsigned(self.assignment),
            commit: unsigned(self.commit),
            summons: unsigned(self.summons),
            salt: self.salt,
            statement: self.statement,
            signature: Signature([0; 64]),
        }
    }
}

pub fn unsigned<T>(value: T) -> Signed<T> {
    let seal = Seal::NONE;
    Signed { value, seal }
}

/// The key of a unit's result.
pub fn result_key(number: u64, result: u8) -> Digest {
    let node = Party::new(0).node();
    statement(&unit(number), node, result).compare_key
}

pub fn statement(unit: &Digest, node: NodeKey, result: u8) -> Statement {
    let profile = Profile::new("1");
    let (output, transcript, fuel) = (Digest([result; 32]), Digest([0; 32]), 50);
    let mut said = Statement {
        unit: *unit,
        compare_key: *unit,
        class: Class::Ok,
        output,
        output_len: 0,
        transcript,
        calls: 0,
        fuel,
        profile,
        node,
        operator: node.into(),
    };
    said.compare_key = said.key();
    said
}
