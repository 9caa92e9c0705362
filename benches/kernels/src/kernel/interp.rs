//! A byte-code interpreter: one unpredictable jump after the other.

/// What a machine with an accumulator, a counter and sixteen cells can do.
#[derive(Clone, Copy)]
enum Op {
    Load(u8),
    Store(u8),
    Add(u8),
    Xor(u8),
    MulConst(u32),
    ShiftRight(u8),
    /// Skips the next operation unless the accumulator is odd.
    IfOdd,
    /// Counts down, and starts again unless that gives zero.
    Loop,
    Halt,
}

/// A Collatz walk mixed with a generator of random numbers.
const PROGRAM: &[Op] = &[
    Op::Load(0),
    Op::MulConst(1_664_525),
    Op::Add(1),
    Op::Store(0),
    Op::ShiftRight(9),
    Op::IfOdd,
    Op::Xor(2),
    Op::Add(3),
    Op::Store(2),
    Op::ShiftRight(3),
    Op::IfOdd,
    Op::MulConst(3),
    Op::Xor(0),
    Op::Store(3),
    Op::Loop,
    Op::Halt,
];

/// The accumulator and all cells after `rounds` rounds of the program.
pub fn interp(rounds: u32) -> u64 {
    let mut cells = [1u64; 16];
    cells[1] = 1_013_904_223;
    let (mut accumulator, mut counter, mut at) = (0u64, rounds.max(1), 0);
    // The program is data to the compiler too.
    let program = std::hint::black_box(PROGRAM);
    loop {
        let op = program[at];
        at += 1;
        match op {
            Op::Load(cell) => accumulator = cells[usize::from(cell & 15)],
            Op::Store(cell) => cells[usize::from(cell & 15)] = accumulator,
            Op::Add(cell) => accumulator = accumulator.wrapping_add(cells[usize::from(cell & 15)]),
            Op::Xor(cell) => accumulator ^= cells[usize::from(cell & 15)],
            Op::MulConst(factor) => accumulator = accumulator.wrapping_mul(u64::from(factor)),
            Op::ShiftRight(bits) => accumulator >>= bits & 63,
            Op::IfOdd => at += usize::from(accumulator & 1 == 0),
            Op::Loop => {
                counter -= 1;
                if counter > 0 {
                    at = 0;
                }
            }
            Op::Halt => return crate::seeded::checksum(cells),
        }
    }
}
