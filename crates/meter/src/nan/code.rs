//! The code that gives NaNs their canonical bits.

use wasm_encoder::{BlockType, Ieee32, Ieee64, Instruction as I, MemArg, ValType};

use crate::edits::{Edits, Place};

use super::{
    value::{Float, Lanes, Nan},
    walk::Stored,
};

/// Adds code to a function. Few locals serve all of it, for none is read after the code that set it.
pub(super) struct Writer<'a> {
    edits: &'a mut Edits,
    values: [Option<u32>; 3],
    address: Option<u32>,
}

impl<'a> Writer<'a> {
    pub fn new(edits: &'a mut Edits) -> Self {
        Self {
            edits,
            values: [None; 3],
            address: None,
        }
    }

    /// Makes what the operator at `origin` left on top of the stack canonical.
    pub fn canonicalize(&mut self, origin: u32, float: Float) {
        let value = self.value(float.lanes);
        let mut code = vec![I::LocalSet(value)];
        match float.lanes {
            Lanes::F32 | Lanes::F64 => {
                code.extend(if_nan(value, float.lanes));
                code.extend([
                    constant(float),
                    I::LocalSet(value),
                    I::End,
                    I::LocalGet(value),
                ]);
            }
            Lanes::F32x4 | Lanes::F64x2 => code.extend(by_lane(value, float)),
        }
        self.edits.insert(origin as usize + 1, Place::After, code);
    }

    /// Stores as it is what is stored, and then, if it was a NaN, the canonical one: nothing waits for
    /// the comparison.
    pub fn store(&mut self, store: &Stored, float: Float) {
        if matches!(float.lanes, Lanes::F32x4 | Lanes::F64x2) {
            return self.canonicalize(store.operand.origin, float);
        }
        let value = self.value(float.lanes);
        let edits = &mut self.edits;
        let address = *self
            .address
            .get_or_insert_with(|| edits.local(ValType::I32));
        let before = [I::LocalSet(value), I::LocalTee(address), I::LocalGet(value)];
        edits.insert(store.at, Place::Before, before);
        let mut code = if_nan(value, float.lanes);
        code.extend([
            I::LocalGet(address),
            constant(float),
            again(float.lanes, store),
            I::End,
        ]);
        edits.insert(store.at + 1, Place::After, code);
    }

    fn value(&mut self, lanes: Lanes) -> u32 {
        let (index, ty) = match lanes {
            Lanes::F32 => (0, ValType::F32),
            Lanes::F64 => (1, ValType::F64),
            Lanes::F32x4 | Lanes::F64x2 => (2, ValType::V128),
        };
        *self.values[index].get_or_insert_with(|| self.edits.local(ty))
    }
}

/// Begins what is done if the scalar is a NaN.
fn if_nan(value: u32, lanes: Lanes) -> Vec<I<'static>> {
    let differs = match lanes {
        Lanes::F32 => I::F32Ne,
        _ => I::F64Ne,
    };
    let itself = I::LocalGet(value);
    vec![itself.clone(), itself, differs, I::If(BlockType::Empty)]
}

/// The vector with the canonical NaN in each lane that has one.
fn by_lane(value: u32, float: Float) -> [I<'static>; 6] {
    let equal = match float.lanes {
        Lanes::F64x2 => I::F64x2Eq,
        _ => I::F32x4Eq,
    };
    [
        I::LocalGet(value),
        constant(float),
        I::LocalGet(value),
        I::LocalGet(value),
        equal,
        I::V128Bitselect,
    ]
}

/// The same store, for another value.
fn again(lanes: Lanes, store: &Stored) -> I<'static> {
    let memarg = MemArg {
        offset: store.memarg.offset,
        align: u32::from(store.memarg.align),
        memory_index: store.memarg.memory,
    };
    match lanes {
        Lanes::F32 => I::F32Store(memarg),
        _ => I::F64Store(memarg),
    }
}

/// The canonical NaN, in each lane.
fn constant(float: Float) -> I<'static> {
    let (mut narrow, mut wide) = (0x7fc0_0000_u32, 0x7ff8_0000_0000_0000_u64);
    if float.nan == Nan::Negated {
        narrow |= 1 << 31;
        wide |= 1 << 63;
    }
    let twice = |half: u64| (u128::from(half) << 64 | u128::from(half)).cast_signed();
    match float.lanes {
        Lanes::F32 => I::F32Const(Ieee32::new(narrow)),
        Lanes::F64 => I::F64Const(Ieee64::new(wide)),
        Lanes::F32x4 => I::V128Const(twice(u64::from(narrow) << 32 | u64::from(narrow))),
        Lanes::F64x2 => I::V128Const(twice(wide)),
    }
}
