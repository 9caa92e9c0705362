//! Who and what the benchmarks are about.

use alloc::vec::Vec;

use frame_support::traits::fungible::Mutate as _;
use frame_system::RawOrigin;
use opensky_chain_pallet_providers as providers;
use opensky_protocol::{
    Account, Assignment, Class, Commit, Digest, Limits, NodeKey, PriceTerms, Profile, SecretKey,
    Signable, Signature, Signed, Statement, Summons, Ticket, Turn, Verified, Voucher,
    ledger::{
        Case, Escrow, Evidence, Filed, NodeState, Objection, Operator, PaidTurn, Tab, Terms,
        Unbonding, Verdict,
        rules::{Purpose, Register as _, State as _},
    },
};

use crate::{Agenda, Book, Config, Escrows, Tabs, pallet};

/// What is set aside, staked and paid: more than any existential deposit.
pub const AMOUNT: u128 = 1_000_000_000_000;
/// What each phase takes, where it takes anything.
pub const PHASE: u64 = 600_000;
/// Claims of one unit.
pub const FULL: u32 = Case::MAX_FILED as u32;
/// From this number on parties are operators.
pub const OPERATORS: u32 = 1_000_000;
/// From this number on they are operators' nodes.
const NODES: u32 = 2_000_000;
/// Who gives verdicts.
pub const ARBITER: u32 = 3_000_000;
/// From this number on units are paid by vouchers.
pub const UNITS_PAID: u32 = 4_000_000;
/// A compare key.
pub const RIGHT: Digest = Digest([1; 32]);
/// Another one.
pub const WRONG: Digest = Digest([2; 32]);

/// Somebody with a key.
pub struct Party(SecretKey);

impl Party {
    pub fn new(number: u32) -> Self {
        Self(SecretKey::from_seed(&id(number).0))
    }

    /// With as much money as anything takes.
    pub fn rich<T: Config>(number: u32) -> Self {
        let party = Self::new(number);
        let minted = T::Currency::mint_into(&party.id::<T>(), 1_000_000 * AMOUNT);
        minted.expect("there is room for that much money");
        party
    }

    pub fn node(&self) -> NodeKey {
        self.0.node()
    }

    pub fn account(&self) -> Account {
        self.node().into()
    }

    pub fn id<T: Config>(&self) -> T::AccountId {
        self.account().0.into()
    }

    pub fn origin<T: Config>(&self) -> RawOrigin<T::AccountId> {
        RawOrigin::Signed(self.id::<T>())
    }

    pub fn sign<V: Signable>(&self, value: V) -> Signed<V> {
        Verified::sign(&self.0, value).into_signed()
    }

    pub fn sign_statement(&self, said: &Statement) -> Signature {
        self.0.sign("opensky statement 1", said)
    }

    /// Has it bond more than others of its kind.
    pub fn bond_more<T: Config>(&self) {
        let mut book = Book::<T>::new();
        let mut operator = book.operator(&self.account());
        operator.bond += AMOUNT;
        let held = book.hold(&self.account(), Purpose::Bond, AMOUNT);
        held.expect("it is rich");
        book.put_operator(&self.account(), operator);
    }

    /// Has it bond, and begin to unbond as often as it can.
    pub fn bond<T: Config>(&self) {
        bond::<T>(&self.account());
    }
}

fn bond<T: Config>(account: &Account) {
    let part = Unbonding {
        amount: AMOUNT,
        ready: u64::MAX,
    };
    let operator = Operator {
        bond: AMOUNT,
        unbonding: [part; Operator::MAX_UNBONDINGS].into(),
    };
    let mut book = Book::<T>::new();
    let held = book.hold(account, Purpose::Bond, operator.at_stake());
    held.expect("it is rich");
    book.put_operator(account, operator);
}

/// The digest that a number names.
pub fn id(number: u32) -> Digest {
    Digest::of(&number.to_le_bytes())
}

pub fn unit(number: u32) -> Digest {
    Digest::derive("opensky benchmark unit 1", &number)
}

pub fn turn(number: u32) -> PaidTurn {
    PaidTurn {
        unit: unit(number),
        attempt: 0,
        amount: AMOUNT / 1_000_000,
    }
}

/// Opens an escrow that somebody rich pays, with so many unsettled units.
pub fn open<T: Config>(number: u32, deadline: u64, cases: u32) -> (Party, Digest) {
    providers::CurrentTerms::<T>::put(terms(PHASE, PHASE));
    // What nobody has to begin: the pot.
    let pot = T::Currency::mint_into(&crate::Pallet::<T>::pot(), AMOUNT);
    pot.expect("there is room for that much money");
    let payer = Party::rich::<T>(number);
    let mut escrow = Escrow::new(payer.account(), payer.node(), AMOUNT, deadline);
    escrow.cases = cases;
    let mut book = Book::<T>::new();
    let held = book.hold(&payer.account(), Purpose::Escrow, AMOUNT);
    held.expect("it is rich");
    let escrow_id = id(number);
    book.put_escrow(&escrow_id, escrow);
    (payer, escrow_id)
}

fn terms(claims: u64, objections: u64) -> Terms {
    Terms {
        claims,
        objections,
        verdicts: PHASE,
        penalty: AMOUNT / 2,
        objection_bond: AMOUNT,
        arbiter: Some(Party::new(ARBITER).account()),
        ..Terms::DEVELOPMENT
    }
}

/// Has escrows that are over wait for verdicts only.
pub fn begin_verdicts<T: Config>() {
    providers::CurrentTerms::<T>::put(terms(0, 0));
}

pub fn left<T: Config>(escrow: &Digest) -> u128 {
    Escrows::<T>::get(escrow).map_or(0, |escrow| escrow.left())
}

/// Leaves one place in all turns that are tried for a reminder at that time: the last one.
pub fn fill_agenda<T: Config>(at: u64) {
    let first = at.div_ceil(pallet::TURN);
    let turns = first..first + pallet::TRIES;
    let last = turns.end - 1;
    for turn in turns {
        let taken = pallet::ROOM - u32::from(turn == last);
        let due: Vec<_> = (0..taken).map(unit).collect();
        Agenda::<T>::insert(turn, frame_support::BoundedVec::truncate_from(due));
    }
}

/// Has that escrow be the first of a full turn.
pub fn fill_turn<T: Config>(turn: u64, first: Digest) {
    let others = (1..pallet::ROOM).map(unit);
    let due: Vec<_> = others.chain([first]).collect();
    Agenda::<T>::insert(turn, frame_support::BoundedVec::truncate_from(due));
}

/// An operator that signs nothing.
pub fn operator(number: u32) -> Account {
    Account(id(OPERATORS + number).0)
}

/// Has so many operators be paid something from an escrow.
pub fn earlier<T: Config>(escrow: &Digest, operators: u32) {
    for number in 0..operators {
        // No two rows are equal: a proof has those once.
        let root = Digest::derive("opensky benchmark root 1", &(escrow, number));
        let tab = Tab {
            voucher: 1,
            opened: Some((root, 1)),
            shown: 0,
            paid: 1,
        };
        Book::<T>::new().put_tab(escrow, &operator(number), tab);
    }
}

/// How many were paid more since.
pub fn paid<T: Config>() -> usize {
    Tabs::<T>::iter_values().filter(|tab| tab.paid > 1).count()
}

/// A voucher that pays enough to begin an account with.
pub fn voucher<T: Config>(requester: &Party, escrow: Digest, operator: Account) -> Voucher {
    Voucher {
        ledger: providers::Pallet::<T>::ledger(),
        escrow,
        requester: requester.node(),
        operator,
        total: AMOUNT / 1_000,
        turns: 1,
        root: Voucher::START,
    }
}

/// A voucher for these turns.
pub fn opens<T: Config>(
    requester: &Party,
    escrow: Digest,
    operator: &Party,
    turns: &[PaidTurn],
) -> Voucher {
    let extend =
        |root, turn: &PaidTurn| Voucher::extend(&root, &turn.unit, turn.attempt, turn.amount);
    Voucher {
        total: turns.iter().map(|turn| turn.amount).sum(),
        turns: turns.len() as u64,
        root: turns.iter().fold(Voucher::START, extend),
        ..voucher::<T>(requester, escrow, operator.account())
    }
}

/// Claims of one unit by operators from that number on, all with the same result.
pub fn full_case(from: u32, claims: u32) -> Case {
    let filed = (from..from + claims).map(|number| Filed {
        operator: operator(number),
        node: NodeKey(id(NODES + number).0),
        attempt: number,
        compare_key: RIGHT,
        amount: 0,
        kept: 0,
    });
    Case {
        seats: 1,
        filed: filed.collect(),
        objection: None,
        verdict: None,
    }
}

/// Has a unit be claimed by as many as can, all but one wrong by a verdict, and somebody else have objected.
pub fn judged<T: Config>(escrow: Digest, number: u32) {
    let mut case = full_case(number * FULL, FULL);
    for claim in &mut case.filed {
        let account = T::AccountId::from(claim.operator.0);
        let minted = T::Currency::mint_into(&account, 1_000_000 * AMOUNT);
        minted.expect("there is room for that much money");
        bond::<T>(&claim.operator);
        claim.amount = AMOUNT / 1_000;
        claim.compare_key = WRONG;
    }
    case.filed[0].compare_key = RIGHT;
    case.verdict = Some(Verdict::Result(RIGHT));
    let by = Party::rich::<T>(OPERATORS + NODES + number).account();
    let mut book = Book::<T>::new();
    let held = book.hold(&by, Purpose::Objection, AMOUNT);
    held.expect("it is rich");
    case.objection = Some(Objection { by, bond: AMOUNT });
    book.put_case(&escrow, &unit(number), Some(case));
}

/// A turn of a node of its own, as the operator shows it.
pub fn evidence<T: Config>(
    requester: &Party,
    escrow: Digest,
    operator: &Party,
    number: u32,
) -> Evidence {
    let node = Party::new(NODES + OPERATORS + number);
    let state = NodeState {
        operator: operator.account(),
        revoked: None,
    };
    Book::<T>::new().put_node(&node.node(), state);
    let ticket = ticket::<T>(requester, escrow, number);
    let assignment = Assignment {
        unit: ticket.unit,
        job: ticket.job,
        broker: requester.node(),
        provider: node.node(),
        operator: operator.account(),
        ask: ticket.price,
        attempt: 0,
        lease: 1,
    };
    let statement = statement(&ticket, node.node());
    let (turn, salt) = (Turn::from(&assignment), Digest([9; 32]));
    let commit = Commit {
        turn,
        node: node.node(),
        hash: Commit::hash_of(&statement.node, &turn, &statement.compare_key, &salt),
    };
    let summons = Summons {
        broker: requester.node(),
        commit: commit.clone(),
    };
    Evidence {
        ticket: requester.sign(ticket),
        assignment: requester.sign(assignment),
        commit: node.sign(commit),
        summons: requester.sign(summons),
        salt,
        signature: node.0.sign("opensky statement 1", &statement),
        statement,
    }
}

fn ticket<T: Config>(requester: &Party, escrow: Digest, number: u32) -> Ticket {
    Ticket {
        unit: unit(number),
        job: escrow,
        requester: requester.node(),
        payer: requester.account(),
        ledger: providers::Pallet::<T>::ledger(),
        price: PriceTerms {
            dispatch: 1,
            per_gfuel: 0,
            per_gib: 0,
        },
        replicas: 2,
        replica_cap: 3,
        input_len: 0,
        limits: Limits::DEFAULT,
        deadline: u64::MAX,
    }
}

fn statement(ticket: &Ticket, node: NodeKey) -> Statement {
    let mut said = Statement {
        unit: ticket.unit,
        compare_key: ticket.unit,
        class: Class::Ok,
        output: RIGHT,
        output_len: 0,
        transcript: RIGHT,
        calls: 0,
        fuel: 1,
        profile: Profile::new("1"),
        node,
        operator: node.into(),
    };
    said.compare_key = said.key();
    said
}
