//! One node of a world: a participant, its rows, and how it behaves.

use std::collections::{BTreeMap, BTreeSet};

use opensky_core::{Identity, Participant, Policy, Row, Table, Terms, Time};
use opensky_protocol::Turn;

use crate::character::Character;

/// Whether a node's process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It does.
    Up,
    /// It will be there again.
    Down,
    /// It never will.
    Gone,
}

/// A node.
pub struct Node {
    /// Its identity: each node is its own operator, but for impostors.
    pub who: Identity,
    /// How it behaves.
    pub character: Character,
    /// What decides for it. While it is down, what decided.
    pub participant: Participant,
    /// What it gives to others; requesters give nothing.
    pub terms: Option<Terms>,
    /// Turns that it has shown to the ledger.
    pub shown: BTreeSet<Turn>,
    /// Whether it runs.
    pub state: State,
    /// Units that it has run.
    pub runs: u32,
    /// Turns that were stopped while they ran.
    pub(crate) halted: BTreeSet<Turn>,
    /// When its last process ended.
    pub(crate) stopped: Time,
    pub(crate) rows: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    /// Counts its processes.
    pub(crate) life: u32,
    /// When it wants to be called, as far as that is planned.
    pub(crate) wake: Option<Time>,
    /// Whether it may want something.
    pub(crate) is_dirty: bool,
}

impl Node {
    pub(crate) fn new(
        who: Identity,
        character: Character,
        terms: Option<Terms>,
        policy: &Policy,
    ) -> Self {
        let rows = BTreeMap::new();
        Self {
            who,
            character,
            participant: restored(who, policy, &rows),
            terms,
            shown: BTreeSet::new(),
            state: State::Down,
            runs: 0,
            halted: BTreeSet::new(),
            stopped: Time::default(),
            rows,
            life: 0,
            wake: None,
            is_dirty: false,
        }
    }

    /// Whether it orders work of others.
    pub fn is_requester(&self) -> bool {
        self.terms.is_none()
    }

    pub(crate) fn write(&mut self, rows: Vec<Row>) {
        for row in rows {
            let key = (row.table, row.key);
            match row.value {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }

    /// Its process begins, with what the one before has written.
    pub(crate) fn start(&mut self, policy: &Policy) {
        self.participant = restored(self.who, policy, &self.rows);
        self.life += 1;
        self.halted.clear();
        self.state = State::Up;
        self.wake = None;
    }
}

fn restored(
    who: Identity,
    policy: &Policy,
    rows: &BTreeMap<(Table, Vec<u8>), Vec<u8>>,
) -> Participant {
    let rows = rows.iter().map(|((table, key), value)| Row {
        table: *table,
        key: key.clone(),
        value: Some(value.clone()),
    });
    let restored = Participant::restore(who, policy.clone(), who.node.0, rows);
    restored.expect("a participant reads its own rows")
}
