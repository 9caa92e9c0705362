//! The rows that the books consist of, and how to take back what was written last.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use opensky_protocol::{
    Account, Digest, NodeKey,
    ledger::{Case, Escrow, NodeState, Operator, Purse, Tab},
};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::treasury::Treasury;

/// A row's name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Key {
    Treasury,
    Purse(Account),
    Operator(Account),
    Node(NodeKey),
    Nonce(NodeKey),
    Escrow(Digest),
    Tab(Digest, Account),
    Case(Digest, Digest),
    /// When there is something to do for an escrow.
    Timer(u64, Digest),
}

/// A row. Its variant is that of its key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Row {
    Treasury(Treasury),
    Purse(Purse),
    Operator(Operator),
    Node(NodeState),
    Nonce(u64),
    Escrow(Escrow),
    Tab(Tab),
    Case(Case),
    Timer(()),
}

/// What a row can be.
pub(crate) trait Kind: Clone {
    fn of(row: &Row) -> Option<&Self>;
    fn into_row(self) -> Row;
}

macro_rules! kinds {
    ($($kind:ident $type:ty),*) => {$(
        impl Kind for $type {
            fn of(row: &Row) -> Option<&Self> {
                match row {
                    Row::$kind(value) => Some(value),
                    _ => None,
                }
            }

            fn into_row(self) -> Row {
                Row::$kind(self)
            }
        }
    )*};
}

kinds!(Treasury Treasury, Purse Purse, Operator Operator, Node NodeState, Nonce u64, Escrow Escrow, Tab Tab, Case Case, Timer ());

/// All rows. What was written since [`begin`](Self::begin) can be taken back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    all: BTreeMap<Key, Row>,
    before: Vec<(Key, Option<Row>)>,
    changed: BTreeSet<Key>,
}

impl Rows {
    pub fn load(rows: impl IntoIterator<Item = (Key, Row)>) -> Self {
        Self {
            all: rows.into_iter().collect(),
            ..Self::default()
        }
    }

    pub fn find<T: Kind>(&self, key: &Key) -> Option<T> {
        self.all.get(key).and_then(T::of).cloned()
    }

    pub fn put(&mut self, key: Key, row: impl Kind) {
        self.write(key, Some(row.into_row()));
    }

    pub fn remove(&mut self, key: Key) {
        self.write(key, None);
    }

    fn write(&mut self, key: Key, row: Option<Row>) {
        let before = match row {
            Some(row) => self.all.insert(key.clone(), row),
            None => self.all.remove(&key),
        };
        self.changed.insert(key.clone());
        self.before.push((key, before));
    }

    /// From here on writes can be taken back.
    pub fn begin(&mut self) {
        self.before.clear();
    }

    /// Takes back all that was written since [`begin`](Self::begin).
    pub fn roll_back(&mut self) {
        for (key, before) in std::mem::take(&mut self.before).into_iter().rev() {
            match before {
                Some(row) => drop(self.all.insert(key, row)),
                None => drop(self.all.remove(&key)),
            }
        }
    }

    /// The rows that may have changed since this was called last, as they are now.
    pub fn take_changed(&mut self) -> Vec<(Key, Option<&Row>)> {
        self.before.clear();
        let changed = std::mem::take(&mut self.changed);
        let now = |key: Key| {
            let row = self.all.get(&key);
            (key, row)
        };
        changed.into_iter().map(now).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.all.iter()
    }

    pub fn first_timer(&self) -> Option<&Key> {
        let first = self.from(Bound::Included(Key::Timer(0, Digest([0; 32]))));
        first.map(|(key, _)| key).next()
    }

    pub fn from(&self, start: Bound<Key>) -> impl Iterator<Item = (&Key, &Row)> {
        self.all.range((start, Bound::Unbounded))
    }
}
