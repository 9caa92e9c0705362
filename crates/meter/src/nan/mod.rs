//! Gives NaNs that arithmetic made their canonical bits, but only where somebody sees them.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{BlockType, FuncType, Operator};

use crate::edits::Edits;

mod code;
mod operators;
mod solve;
mod value;
mod walk;

use self::{
    code::{Flag, Writer},
    operators::Effect,
    solve::{class, solve},
    value::{Class, Nan},
    walk::{Feed, Operand, Piece, Place, Sight, Stored, Uses, Value},
};

/// The types that a module's code refers to.
pub(crate) struct Signatures<'a> {
    pub types: &'a [FuncType],
    /// The type of each function, imported ones first.
    pub type_of: &'a [u32],
}

/// Adds to `edits` what makes the function's NaNs canonical wherever their bits are seen: there, the
/// function computes as if each arithmetic operator gave the canonical NaN for any NaN.
///
/// The function is valid, of type `ty`, with the features of the profile.
pub(crate) fn canonicalize(
    ops: &[Operator<'_>],
    ty: &FuncType,
    module: &Signatures<'_>,
    edits: &mut Edits,
) {
    if !ops.iter().any(|op| Effect::arithmetic(op).is_some()) {
        return;
    }
    let uses = Uses::of(ops, ty, module);
    let mut plan = Plan {
        classes: solve(&uses),
        fixes: BTreeMap::new(),
        flags: Vec::new(),
        pieces: &uses.pieces,
        writer: Writer::new(edits),
    };
    for feed in &uses.feeds {
        plan.feed(feed);
    }
    for sight in &uses.sights {
        plan.see(sight);
    }
    for store in &uses.stores {
        plan.store(store);
    }
    plan.write();
}

/// What is made canonical, and where.
struct Plan<'a> {
    classes: Vec<Class>,
    /// The operands whose bits are seen, by their origins.
    fixes: BTreeMap<u32, Value>,
    /// What becomes of the flags of locals, behind which operators.
    flags: Vec<(Place, u32, Flag)>,
    pieces: &'a [Piece],
    writer: Writer<'a>,
}

impl Plan<'_> {
    fn class(&self, operand: Operand) -> Class {
        class(operand.value, &self.classes)
    }

    /// The bits of an operand are seen.
    fn fix(&mut self, operand: Operand) {
        if self.class(operand).dirty().is_some() {
            self.fixes.insert(operand.origin, operand.value);
        }
    }

    fn see(&mut self, sight: &Sight) {
        match self.class(sight.operand).dirty() {
            Some(float) if Some(float.lanes) == sight.unless => {}
            _ => self.fix(sight.operand),
        }
    }

    fn feed(&mut self, feed: &Feed) {
        match self.classes[feed.to as usize] {
            Class::Plain | Class::Float(_) => {}
            Class::Exact | Class::Settled => self.fix(feed.operand),
            Class::Mixed(_) => {
                let flag = match self.class(feed.operand) {
                    Class::Float(float) if float.nan != Nan::Never => Flag::Float,
                    Class::Mixed(_) if let Some(from) = feed.copied() => Flag::Of(from),
                    _ => {
                        self.fix(feed.operand);
                        Flag::Exact
                    }
                };
                self.flags.push((feed.to, feed.at, flag));
            }
        }
    }

    fn store(&mut self, store: &Stored) {
        match self.class(store.operand) {
            _ if self.fixes.contains_key(&store.operand.origin) => {}
            Class::Float(float) if self.writer.can_store(store, float) => {
                self.writer.store(store, float, self.pieces[store.piece]);
            }
            _ => self.fix(store.operand),
        }
    }

    fn write(mut self) {
        let looked_at = self.looked_at();
        for &(local, at, flag) in &self.flags {
            if looked_at.contains(&local) {
                self.writer.flag(local, at, flag);
            }
        }
        for (&origin, &value) in &self.fixes {
            if let Some(float) = class(value, &self.classes).dirty() {
                self.writer.fix(origin, float, self.mixed(value));
            }
        }
    }

    /// The local with a flag that a value was read from.
    fn mixed(&self, value: Value) -> Option<Place> {
        match (value, class(value, &self.classes)) {
            (Value::Of(local), Class::Mixed(_)) => Some(local),
            _ => None,
        }
    }

    /// The locals whose flags matter.
    fn looked_at(&self) -> BTreeSet<Place> {
        let mut copied: BTreeMap<Place, Vec<Place>> = BTreeMap::new();
        for &(local, _, flag) in &self.flags {
            if let Flag::Of(from) = flag {
                copied.entry(local).or_default().push(from);
            }
        }
        let mut open: Vec<Place> = self.fixes.values().filter_map(|&v| self.mixed(v)).collect();
        let mut looked_at = BTreeSet::new();
        while let Some(local) = open.pop() {
            if looked_at.insert(local) {
                open.extend(copied.remove(&local).unwrap_or_default());
            }
        }
        looked_at
    }
}

impl<'a> Signatures<'a> {
    fn of_type(&self, index: u32) -> &'a FuncType {
        &self.types[index as usize]
    }

    fn of_function(&self, index: u32) -> &'a FuncType {
        self.of_type(self.type_of[index as usize])
    }

    /// The numbers of parameters and results.
    fn arity(&self, ty: BlockType) -> (usize, usize) {
        match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => {
                let ty = self.of_type(index);
                (ty.params().len(), ty.results().len())
            }
        }
    }
}
