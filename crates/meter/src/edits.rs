//! What is added to a function: collected by each rule on its own, written in one go.

use std::collections::BTreeMap;

use wasm_encoder::{Instruction, ValType};

/// Where added code stands among other code that is added before the same operator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Place {
    /// In front of everything: the start of the function.
    First,
    /// Right behind the operator before: it works on that one's results.
    After,
    /// At the start of a block. Leaves the operands alone.
    Block,
    /// Right in front of the operator: it works on that one's operands.
    Before,
    /// Behind everything else: on the way out of the function.
    Last,
}

/// The edits of one function. Positions are indices into its operators; the first is 0.
#[derive(Default)]
pub(crate) struct Edits {
    insertions: Vec<(usize, Place, Vec<Instruction<'static>>)>,
    replacements: BTreeMap<usize, Vec<Instruction<'static>>>,
    locals: Vec<ValType>,
    first_local: u32,
}

impl Edits {
    /// No edits yet to a function with so many locals, parameters included.
    pub fn new(locals: u32) -> Self {
        Self {
            first_local: locals,
            ..Self::default()
        }
    }

    /// Adds code before the operator at `at`. Code of the same place stays in the order of calls.
    pub fn insert(
        &mut self,
        at: usize,
        place: Place,
        code: impl IntoIterator<Item = Instruction<'static>>,
    ) {
        self.insertions
            .push((at, place, code.into_iter().collect()));
    }

    /// Writes `code` in the place of the operator at `at`.
    pub fn replace(&mut self, at: usize, code: Vec<Instruction<'static>>) {
        let before = self.replacements.insert(at, code);
        debug_assert!(before.is_none(), "one rule replaces an operator");
    }

    /// A new local.
    pub fn local(&mut self, ty: ValType) -> u32 {
        self.locals.push(ty);
        self.first_local + self.locals.len() as u32 - 1
    }

    /// The locals that were added.
    pub fn locals(&self) -> &[ValType] {
        &self.locals
    }

    /// The code in the order in which it is written: what to add before each operator, and what to
    /// write in its place.
    pub fn in_order(mut self) -> InOrder {
        // Stable: code of one place stays in the order in which it was added.
        self.insertions.sort_by_key(|&(at, place, _)| (at, place));
        InOrder {
            insertions: self.insertions.into_iter().peekable(),
            replacements: self.replacements,
        }
    }
}

/// The edits of one function while it is written.
pub(crate) struct InOrder {
    insertions: std::iter::Peekable<std::vec::IntoIter<(usize, Place, Vec<Instruction<'static>>)>>,
    replacements: BTreeMap<usize, Vec<Instruction<'static>>>,
}

impl InOrder {
    /// The next piece of code to write before the operator at `at`.
    pub fn before(&mut self, at: usize) -> Option<Vec<Instruction<'static>>> {
        self.insertions
            .next_if(|(position, _, _)| *position <= at)
            .map(|(_, _, code)| code)
    }

    /// What to write in the place of the operator at `at`.
    pub fn instead(&mut self, at: usize) -> Option<Vec<Instruction<'static>>> {
        self.replacements.remove(&at)
    }
}
