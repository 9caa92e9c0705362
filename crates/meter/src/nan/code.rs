//! The code that gives NaNs their canonical bits.
//!
//! The forms are those that cost least around numeric kernels, in native code. Scalars are selected
//! with `x >= x`, one condition of the machine where `x == x` is two. For a scalar that is stored there
//! are two forms. Where code does little arithmetic, a vector's select takes the fewest instructions.
//! Where it does much, what has just been stored is looked at as an integer, which leaves the
//! floating-point units alone, and is stored again if it is a NaN; without another use of the value,
//! the engine can still merge loads into the arithmetic that made it.

use std::collections::BTreeMap;

use wasm_encoder::{BlockType, Ieee32, Ieee64, Instruction as I, MemArg, ValType};

use crate::edits::{Edits, Place as Position};

use super::{
    value::{Float, Lanes, Nan},
    walk::{Piece, Place, Stored},
};

/// What the flag of a local says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Flag {
    /// If it holds a NaN, that is to be made canonical.
    Float,
    /// The bits are exact.
    Exact,
    /// As the flag of that other local.
    Of(Place),
}

/// Adds code to a function. Three locals hold values and one an address for all of that code: none is
/// read by any but the code that set it.
pub(super) struct Writer<'a> {
    edits: &'a mut Edits,
    values: [Option<u32>; 3],
    address: Option<u32>,
    flags: BTreeMap<Place, u32>,
}

/// Operators of arithmetic for each store, at most, in code that leaves the units for vectors idle.
const LITTLE: u32 = 2;

/// The greatest offset of a store whose bytes can be named one by one.
const LAST_OFFSET: u64 = u32::MAX as u64 - 8;

impl<'a> Writer<'a> {
    pub fn new(edits: &'a mut Edits) -> Self {
        Self {
            edits,
            values: [None; 3],
            address: None,
            flags: BTreeMap::new(),
        }
    }

    /// Makes what the operator at `origin` left on top of the stack canonical, unless it was read from
    /// `local` and the flag of that one says that its bits are exact.
    pub fn fix(&mut self, origin: u32, float: Float, local: Option<Place>) {
        let value = self.value(float.lanes);
        let mut code = vec![
            I::LocalTee(value),
            nan(float),
            I::LocalGet(value),
            I::LocalGet(value),
        ];
        // What is left where the condition holds: of a vector, in the lanes where it does.
        code.extend(match float.lanes {
            Lanes::F32 => [I::F32Ge, I::Select],
            Lanes::F64 => [I::F64Ge, I::Select],
            Lanes::F32x4 => [I::F32x4Eq, I::V128Bitselect],
            Lanes::F64x2 => [I::F64x2Eq, I::V128Bitselect],
        });
        if let Some(local) = local {
            let flag = self.flag_of(local);
            code.extend([I::LocalGet(value), I::LocalGet(flag), I::Select]);
        }
        self.edits
            .insert(origin as usize + 1, Position::After, code);
    }

    /// Sets the flag of a local behind the operator at `at`.
    pub fn flag(&mut self, local: Place, at: u32, flag: Flag) {
        let now = match flag {
            Flag::Float => I::I32Const(1),
            Flag::Exact => I::I32Const(0),
            Flag::Of(other) => I::LocalGet(self.flag_of(other)),
        };
        let code = [now, I::LocalSet(self.flag_of(local))];
        self.edits.insert(at as usize + 1, Position::After, code);
    }

    /// Whether [`store`](Self::store) serves for it.
    pub fn can_store(&self, store: &Stored, float: Float) -> bool {
        float.nan != Nan::Never
            && matches!(float.lanes, Lanes::F32 | Lanes::F64)
            && store.memarg.offset <= LAST_OFFSET
    }

    /// Makes canonical what a scalar is in memory, once it is stored.
    pub fn store(&mut self, store: &Stored, float: Float, piece: Piece) {
        match piece.arithmetic <= LITTLE * piece.stores {
            true => self.select_and_store(store, float),
            false => self.store_and_look(store, float),
        }
    }

    /// Stores what a vector's select gives for the scalar.
    fn select_and_store(&mut self, store: &Stored, float: Float) {
        // No more than the first lane counts.
        let (vector, splat, nan, equal, extract) = match float.lanes {
            Lanes::F32 => (
                Lanes::F32x4,
                I::F32x4Splat,
                u128::from(bits_f32(float)),
                I::F32x4Eq,
                I::F32x4ExtractLane(0),
            ),
            _ => (
                Lanes::F64x2,
                I::F64x2Splat,
                u128::from(bits_f64(float)),
                I::F64x2Eq,
                I::F64x2ExtractLane(0),
            ),
        };
        let value = self.value(vector);
        let code = [
            splat,
            I::LocalTee(value),
            I::V128Const(nan.cast_signed()),
            I::LocalGet(value),
            I::LocalGet(value),
            equal,
            I::V128Bitselect,
            extract,
        ];
        self.edits.insert(store.at, Position::Before, code);
    }

    /// Stores the scalar as it is, and again if what is in memory then is a NaN. Nothing can look at it
    /// between, nor end the program.
    fn store_and_look(&mut self, store: &Stored, float: Float) {
        let value = self.value(float.lanes);
        let edits = &mut self.edits;
        let address = *self
            .address
            .get_or_insert_with(|| edits.local(ValType::I32));
        let before = [I::LocalSet(value), I::LocalTee(address), I::LocalGet(value)];
        self.edits.insert(store.at, Position::Before, before);
        let code = match float.lanes {
            Lanes::F32 => stored_f32(address, store, float),
            _ => stored_f64(address, store, float),
        };
        self.edits.insert(store.at + 1, Position::After, code);
    }

    fn flag_of(&mut self, local: Place) -> u32 {
        let edits = &mut self.edits;
        *self
            .flags
            .entry(local)
            .or_insert_with(|| edits.local(ValType::I32))
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

/// Bits without the sign, above which all are NaNs.
const F32_INFINITY: u32 = 0xff00_0000;
const F64_INFINITY: u64 = 0xffe0_0000_0000_0000;

fn stored_f32(address: u32, store: &Stored, float: Float) -> Vec<I<'static>> {
    vec![
        I::LocalGet(address),
        I::I32Load(memarg(store, 0)),
        I::I32Const(1),
        I::I32Shl,
        I::I32Const(F32_INFINITY as i32),
        I::I32GtU,
        I::If(BlockType::Empty),
        I::LocalGet(address),
        nan(float),
        I::F32Store(memarg(store, 0)),
        I::End,
    ]
}

/// The upper half tells NaNs and infinities from all others, with a constant that fits an instruction.
fn stored_f64(address: u32, store: &Stored, float: Float) -> Vec<I<'static>> {
    vec![
        I::LocalGet(address),
        I::I32Load(memarg(store, 4)),
        I::I32Const(1),
        I::I32Shl,
        I::I32Const((F64_INFINITY >> 32) as u32 as i32),
        I::I32GeU,
        I::If(BlockType::Empty),
        I::LocalGet(address),
        I::I64Load(memarg(store, 0)),
        I::I64Const(1),
        I::I64Shl,
        I::I64Const(F64_INFINITY as i64),
        I::I64GtU,
        I::If(BlockType::Empty),
        I::LocalGet(address),
        nan(float),
        I::F64Store(memarg(store, 0)),
        I::End,
        I::End,
    ]
}

fn memarg(store: &Stored, further: u64) -> MemArg {
    MemArg {
        offset: store.memarg.offset + further,
        // What is expected of the address: a hint that all accesses here can carry.
        align: u32::from(store.memarg.align.min(2)),
        memory_index: store.memarg.memory,
    }
}

/// The canonical NaN, in each lane.
fn nan(float: Float) -> I<'static> {
    let (narrow, wide) = (bits_f32(float), bits_f64(float));
    let two = |lane: u64| u128::from(lane) << 64 | u128::from(lane);
    match float.lanes {
        Lanes::F32 => I::F32Const(Ieee32::new(narrow)),
        Lanes::F64 => I::F64Const(Ieee64::new(wide)),
        Lanes::F32x4 => I::V128Const(two(u64::from(narrow) << 32 | u64::from(narrow)) as i128),
        Lanes::F64x2 => I::V128Const(two(wide) as i128),
    }
}

fn bits_f32(float: Float) -> u32 {
    match float.nan {
        Nan::Negated => 0xffc0_0000,
        Nan::Never | Nan::Canonical => 0x7fc0_0000,
    }
}

fn bits_f64(float: Float) -> u64 {
    match float.nan {
        Nan::Negated => 0xfff8_0000_0000_0000,
        Nan::Never | Nan::Canonical => 0x7ff8_0000_0000_0000,
    }
}
