//! What each operator costs.

use wasmparser::Operator;

/// Fuel for one execution of `op`, whatever its operands.
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
        _ => 1,
    }
}

/// What an operator pays for each unit of its last operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PerUnit {
    /// Units that one fuel pays for are `1 << shift`, if positive; one unit costs `1 << -shift` else.
    pub shift: i8,
    /// The operator gives -1 if it does not happen, and then costs nothing.
    pub may_fail: bool,
}

/// How the cost of `op` grows with its last operand, the number of bytes, pages or elements.
pub fn per_unit(op: &Operator<'_>) -> Option<PerUnit> {
    use Operator as O;
    let (shift, may_fail) = match op {
        O::MemoryCopy { .. } | O::MemoryFill { .. } | O::MemoryInit { .. } => (3, false),
        O::TableCopy { .. } | O::TableFill { .. } | O::TableInit { .. } => (0, false),
        O::MemoryGrow { .. } => (-13, true),
        O::TableGrow { .. } => (-2, true),
        _ => return None,
    };
    Some(PerUnit { shift, may_fail })
}

/// Fuel for so many bytes that are in memory before the first operator runs.
pub fn startup(bytes: usize) -> u64 {
    bytes as u64 >> 3
}

/// Bytes that the frame of a function counts for, by its locals, the most operands that are there at
/// once, and its operators. No engine we know needs 64 times as much.
pub fn frame(locals: u32, height: u32, ops: u64) -> u32 {
    let slots = 16 * (u64::from(locals) + u64::from(height));
    u32::try_from(48 + slots + ops / 4).unwrap_or(u32::MAX)
}
