//! What a participant wants, collected until somebody asks: rows first, then messages, one of each
//! kind to each node, then the rest.

use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Abort, Commit, Digest, NodeKey, Refusal, Reveal, Summons, Turn, Voucher};

use crate::{
    effect::Effect,
    row::{Row, Stored},
};

/// Turns in one message: 68 bytes each, with room to spare for what goes with them.
pub(crate) const TURNS: usize = 4_096;

/// How turns of one job ended.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) paid: Vec<Turn>,
    pub(crate) refused: Vec<Turn>,
    /// As they were when the first [`TURNS`] were paid, twice as many, and so on: who is told in parts
    /// can follow each.
    pub(crate) vouchers: Vec<Voucher>,
}

/// What is to be said to one node.
#[derive(Default)]
pub(crate) struct Letters {
    /// Turns to be ordered. The orders are written when they go.
    pub(crate) assign: Vec<Turn>,
    pub(crate) accept: Vec<Turn>,
    pub(crate) refuse: Vec<(Turn, Refusal)>,
    pub(crate) commit: Vec<Commit>,
    pub(crate) open: Vec<Summons>,
    pub(crate) reveal: Vec<Reveal>,
    pub(crate) abort: Vec<(Turn, Abort)>,
    pub(crate) settle: BTreeMap<Digest, Ends>,
    pub(crate) release: Vec<Turn>,
    pub(crate) over: Vec<Digest>,
}

/// What is wanted since somebody last asked.
#[derive(Default)]
pub(crate) struct Out {
    /// Rows that have changed: however often, each is written once, as it is in the end.
    pub(crate) changed: BTreeSet<Stored>,
    /// Rows that are written once.
    pub(crate) rows: Vec<Row>,
    pub(crate) mail: BTreeMap<NodeKey, Letters>,
    pub(crate) effects: Vec<Effect>,
}

impl Out {
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty()
            && self.rows.is_empty()
            && self.mail.is_empty()
            && self.effects.is_empty()
    }
}
