//! Gives NaNs that arithmetic made their canonical bits, but only where somebody sees them.

use std::collections::BTreeMap;

use wasmparser::{BlockType, FuncType, Operator};

use crate::edits::Edits;

mod code;
mod operators;
mod solve;
mod value;
mod walk;

use self::{
    code::Writer,
    operators::Effect,
    solve::solve,
    value::{Class, Nan},
    walk::Uses,
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
    let classes = solve(&uses);
    let class = |value| solve::class(value, &classes);
    // By the operator whose result it is: that is made canonical at once, once.
    let mut canonical = BTreeMap::new();
    for feed in &uses.feeds {
        if classes[feed.to as usize] == Class::Exact {
            canonical.insert(feed.operand.origin, class(feed.operand.value));
        }
    }
    for sight in &uses.sights {
        let class = class(sight.operand.value);
        if !matches!(class, Class::Float(float) if Some(float.lanes) == sight.unless) {
            canonical.insert(sight.operand.origin, class);
        }
    }
    let mut writer = Writer::new(edits);
    for store in &uses.stores {
        if let Class::Float(float) = class(store.operand.value)
            && float.nan != Nan::Never
            && !canonical.contains_key(&store.operand.origin)
        {
            match writer.can_store(store, float) {
                true => writer.store(store, float, uses.pieces[store.piece]),
                false => writer.fix(store.operand.origin, float),
            }
        }
    }
    for (origin, class) in canonical {
        if let Class::Float(float) = class
            && float.nan != Nan::Never
        {
            writer.fix(origin, float);
        }
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
