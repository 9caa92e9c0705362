//! What each operator costs.

use wasmparser::Operator;

/// Fuel for one execution of `op`, whatever its operands.
///
/// One fuel is about what the cheapest operators take when they wait for each other, a fifth of a
/// nanosecond on a machine of 2025; the others are weighed so that no loop of one kind takes many
/// times longer for a fuel than another. The weights were measured with wasmtime 48 on x86-64; the
/// Internet Computer's table was the starting point.
pub fn of(op: &Operator<'_>) -> u64 {
    use Operator as O;
    match op {
        O::Nop
        | O::Drop
        | O::Block { .. }
        | O::Loop { .. }
        | O::End
        | O::Else
        | O::Unreachable
        | O::Return => 0,

        O::Call { .. } => 4,
        O::CallIndirect { .. } => 15,
        O::BrTable { .. } => 6,
        O::If { .. } | O::BrIf { .. } => 2,

        O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU => 15,
        O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU => 20,
        O::I32Mul | O::I64Mul => 3,
        O::I32Popcnt | O::I64Popcnt | O::I32Clz | O::I64Clz | O::I32Ctz | O::I64Ctz => 2,

        O::F32Sqrt | O::F64Sqrt | O::F32x4Sqrt | O::F64x2Sqrt => 35,
        O::F32Div | O::F64Div | O::F32x4Div | O::F64x2Div => 15,
        _ if is_conversion(op) => 10,
        _ if is_float(op) => 4,
        _ if is_memory_access(op) => 8,

        O::MemoryGrow { .. } | O::TableGrow { .. } => 150,
        O::MemoryFill { .. } | O::MemoryCopy { .. } | O::MemoryInit { .. } => 60,
        O::RefFunc { .. } | O::ElemDrop { .. } | O::DataDrop { .. } => 60,
        O::TableGet { .. } | O::TableSet { .. } => 60,
        O::TableFill { .. } | O::TableCopy { .. } | O::TableInit { .. } => 30,

        O::I64x2Mul => 8,
        O::I8x16Bitmask
        | O::I16x8Bitmask
        | O::I32x4Bitmask
        | O::I64x2Bitmask
        | O::V128AnyTrue
        | O::I8x16AllTrue
        | O::I16x8AllTrue
        | O::I32x4AllTrue
        | O::I64x2AllTrue => 6,
        O::V128Const { .. } => 1,
        _ if is_vector(op) => 4,
        _ => 1,
    }
}

/// A page of memory costs `1 << PAGE`: sixteen page faults, and 64 KiB to clear.
const PAGE: i8 = 16;

/// A new element of a table costs `1 << ELEMENT`: as much as its eight bytes would in a memory.
const ELEMENT: i8 = 3;

/// What an operator pays for each unit of its last operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerUnit {
    /// Units that one fuel pays for are `1 << shift`, if positive; one unit costs `1 << -shift` else.
    pub shift: i8,
    /// The operator gives -1 if it does not happen. It pays for its units once it has happened.
    pub may_fail: bool,
}

/// How the cost of `op` grows with its last operand, the number of bytes, pages or elements.
pub fn per_unit(op: &Operator<'_>) -> Option<PerUnit> {
    use Operator as O;
    let (shift, may_fail) = match op {
        O::MemoryCopy { .. } | O::MemoryFill { .. } | O::MemoryInit { .. } => (2, false),
        O::TableCopy { .. } | O::TableFill { .. } | O::TableInit { .. } => (-2, false),
        O::MemoryGrow { .. } => (-PAGE, true),
        O::TableGrow { .. } => (-ELEMENT, true),
        _ => return None,
    };
    Some(PerUnit { shift, may_fail })
}

/// Fuel for an instance, and for each memory and table that it has of its own, however small.
pub const PART: u64 = 2_000;

/// Fuel for an import, of whatever kind.
pub const IMPORT: u64 = 200;

/// Fuel for a segment that is not only declared, however small.
pub const SEGMENT: u64 = 200;

/// Fuel for an operator of a constant expression: a reference takes as long as that.
pub const CONSTANT: u64 = 100;

/// Fuel for an element of a segment that is not only declared. Engines make its reference when they
/// make the instance, or put that off until something looks at it; it takes 60 to 90 ns.
pub const REFERENCE: u64 = 100;

/// Fuel for a memory that has so many pages at the start.
pub fn startup_memory(pages: u64) -> u64 {
    PART.saturating_add(pages.saturating_mul(1 << PAGE))
}

/// Fuel for a table that has so many elements at the start.
pub fn startup_table(elements: u64) -> u64 {
    PART.saturating_add(elements.saturating_mul(1 << ELEMENT))
}

/// Fuel for a data segment of so many bytes that are in memory before the first operator runs.
pub fn startup_data(bytes: usize) -> u64 {
    SEGMENT + (bytes as u64 >> 3)
}

/// Fuel for an element segment of so many elements.
pub fn startup_elements(count: u32) -> u64 {
    SEGMENT + REFERENCE * u64::from(count)
}

/// Fuel for entering a function with so many parameters and declared locals: those that it may read
/// before it has written them are cleared each time.
pub fn entry(locals: u32) -> u64 {
    locals.into()
}

/// Fuel for an operator that takes so many values along to another block, or from another function,
/// besides its own: each beyond the first may have to be moved.
pub fn carry(values: usize) -> u64 {
    (values as u64).saturating_sub(1)
}

/// Bytes that the frame of a function counts for, by its locals, the most operands that are there at
/// once, and its operators. No engine we know needs 64 times as much.
pub fn frame(locals: u32, height: u32, ops: u64) -> u32 {
    let slots = 16 * (u64::from(locals) + u64::from(height));
    u32::try_from(48 + slots + ops / 4).unwrap_or(u32::MAX)
}

fn is_memory_access(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32Load { .. }
            | O::I64Load { .. }
            | O::F32Load { .. }
            | O::F64Load { .. }
            | O::I32Load8S { .. }
            | O::I32Load8U { .. }
            | O::I32Load16S { .. }
            | O::I32Load16U { .. }
            | O::I64Load8S { .. }
            | O::I64Load8U { .. }
            | O::I64Load16S { .. }
            | O::I64Load16U { .. }
            | O::I64Load32S { .. }
            | O::I64Load32U { .. }
            | O::V128Load { .. }
            | O::V128Load8x8S { .. }
            | O::V128Load8x8U { .. }
            | O::V128Load16x4S { .. }
            | O::V128Load16x4U { .. }
            | O::V128Load32x2S { .. }
            | O::V128Load32x2U { .. }
            | O::V128Load8Splat { .. }
            | O::V128Load16Splat { .. }
            | O::V128Load32Splat { .. }
            | O::V128Load64Splat { .. }
            | O::V128Load32Zero { .. }
            | O::V128Load64Zero { .. }
            | O::V128Load8Lane { .. }
            | O::V128Load16Lane { .. }
            | O::V128Load32Lane { .. }
            | O::V128Load64Lane { .. }
            | O::I32Store { .. }
            | O::I64Store { .. }
            | O::F32Store { .. }
            | O::F64Store { .. }
            | O::I32Store8 { .. }
            | O::I32Store16 { .. }
            | O::I64Store8 { .. }
            | O::I64Store16 { .. }
            | O::I64Store32 { .. }
            | O::V128Store { .. }
            | O::V128Store8Lane { .. }
            | O::V128Store16Lane { .. }
            | O::V128Store32Lane { .. }
            | O::V128Store64Lane { .. }
    )
}

/// Between floats and integers, and between floats.
fn is_conversion(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32TruncF32S
            | O::I32TruncF32U
            | O::I32TruncF64S
            | O::I32TruncF64U
            | O::I64TruncF32S
            | O::I64TruncF32U
            | O::I64TruncF64S
            | O::I64TruncF64U
            | O::F32ConvertI32S
            | O::F32ConvertI32U
            | O::F32ConvertI64S
            | O::F32ConvertI64U
            | O::F32DemoteF64
            | O::F64ConvertI32S
            | O::F64ConvertI32U
            | O::F64ConvertI64S
            | O::F64ConvertI64U
            | O::F64PromoteF32
            | O::I32TruncSatF32S
            | O::I32TruncSatF32U
            | O::I32TruncSatF64S
            | O::I32TruncSatF64U
            | O::I64TruncSatF32S
            | O::I64TruncSatF32U
            | O::I64TruncSatF64S
            | O::I64TruncSatF64U
            | O::I32x4TruncSatF32x4S
            | O::I32x4TruncSatF32x4U
            | O::F32x4ConvertI32x4S
            | O::F32x4ConvertI32x4U
            | O::I32x4TruncSatF64x2SZero
            | O::I32x4TruncSatF64x2UZero
            | O::F64x2ConvertLowI32x4S
            | O::F64x2ConvertLowI32x4U
            | O::F32x4DemoteF64x2Zero
            | O::F64x2PromoteLowF32x4
    )
}

/// Arithmetic on floats that is neither a division nor a root.
fn is_float(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::F32Ceil
            | O::F32Floor
            | O::F32Trunc
            | O::F32Nearest
            | O::F32Add
            | O::F32Sub
            | O::F32Mul
            | O::F32Min
            | O::F32Max
            | O::F64Ceil
            | O::F64Floor
            | O::F64Trunc
            | O::F64Nearest
            | O::F64Add
            | O::F64Sub
            | O::F64Mul
            | O::F64Min
            | O::F64Max
            | O::F32x4Ceil
            | O::F32x4Floor
            | O::F32x4Trunc
            | O::F32x4Nearest
            | O::F32x4Add
            | O::F32x4Sub
            | O::F32x4Mul
            | O::F32x4Min
            | O::F32x4Max
            | O::F32x4PMin
            | O::F32x4PMax
            | O::F64x2Ceil
            | O::F64x2Floor
            | O::F64x2Trunc
            | O::F64x2Nearest
            | O::F64x2Add
            | O::F64x2Sub
            | O::F64x2Mul
            | O::F64x2Min
            | O::F64x2Max
            | O::F64x2PMin
            | O::F64x2PMax
    )
}

macro_rules! vector_operators {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($ann:tt)*) )*) => {
        fn is_vector(op: &Operator<'_>) -> bool {
            match op {
                $( vector_operators!(pattern $op $({ $($arg),* })?) => vector_operators!(is @$proposal), )*
                _ => false,
            }
        }
    };
    (pattern $op:ident { $($arg:ident),* }) => { Operator::$op { .. } };
    (pattern $op:ident) => { Operator::$op };
    (is @simd) => { true };
    (is @$other:ident) => { false };
}
wasmparser::for_each_operator!(vector_operators);
