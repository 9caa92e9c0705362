//! The code that is added to one function: fuel, the depth of calls, and the ways out.

use wasm_encoder::{BlockType, Instruction as I, ValType};
use wasmparser::{FuncType, Operator};

use crate::{
    calls::{Calls, Role},
    charges::{Charge, Charges},
    cost,
    edits::{Edits, Place},
    flow::{Flow, Way},
    loops::Loops,
};

/// What a module's code needs to name to meter itself.
#[derive(Clone, Copy)]
pub(crate) struct Meter {
    /// Functions of the meter.
    pub panic: u32,
    pub too_deep: u32,
    pub exit: u32,
    /// Globals of the meter.
    pub fuel: u32,
    pub depth: u32,
}

/// One function, and what is known of it.
pub(crate) struct Subject<'a> {
    pub ops: &'a [Operator<'a>],
    pub flow: Flow,
    pub role: Role,
    /// Fuel that its callers have paid for its start.
    pub paid: u64,
    /// Bytes that its frame counts for.
    pub frame: u32,
    /// It can be called from outside of the program, when no other call is under way.
    pub entry: bool,
    /// The type of a block that gives what the function returns.
    pub results: BlockType,
    /// Imported functions that end the program, in their order.
    pub exits: &'a [u32],
}

/// The local that holds the depth, if the function needs it.
#[derive(Clone, Copy)]
struct Depth {
    local: u32,
    /// It is less than what the function was called with by this.
    frame: u32,
}

struct Instrument<'a> {
    subject: &'a Subject<'a>,
    meter: Meter,
    edits: &'a mut Edits,
    /// The local that holds the fuel between calls.
    cache: Option<u32>,
    depth: Option<Depth>,
    scratch: Option<u32>,
    count: Option<u32>,
    result: Option<u32>,
}

/// Adds to `edits` all that meters the function.
pub(crate) fn instrument(subject: &Subject<'_>, calls: &Calls, meter: Meter, edits: &mut Edits) {
    let returns = subject.flow.returns();
    let loops = Loops::of(&subject.flow);
    let mut charges = Charges::of(&subject.flow, &loops, &returns, subject.role.checked);
    charges.blocks[0].amount -= subject.paid as i64;
    let cache = charges.cached.then(|| edits.local(ValType::I64));
    let mut this = Instrument {
        subject,
        meter,
        edits,
        cache,
        depth: None,
        scratch: None,
        count: None,
        result: None,
    };
    let keeps_depth = subject.role.reaches && keeps_depth(subject, &loops, &returns, calls);
    this.enter(keeps_depth);
    for (block, charge) in subject.flow.blocks.iter().zip(&charges.blocks) {
        if *charge != Charge::default() {
            let code = this.charge(*charge);
            this.edits.insert(block.start, Place::Block, code);
        }
    }
    for &(edge, refund) in &charges.refunds {
        this.refund(edge, refund);
    }
    for (at, op) in subject.ops.iter().enumerate() {
        if subject.flow.block_of[at].is_some() {
            this.visit(at, op, calls);
        }
    }
    this.leave();
}

impl Instrument<'_> {
    fn enter(&mut self, keeps_depth: bool) {
        if let Some(cache) = self.cache {
            let code = [I::GlobalGet(self.meter.fuel), I::LocalSet(cache)];
            self.edits.insert(0, Place::First, code);
        }
        let role = self.subject.role;
        if role.counted || keeps_depth {
            let frame = if role.counted { self.subject.frame } else { 0 };
            let local = self.edits.local(ValType::I32);
            self.depth = Some(Depth { local, frame });
            self.edits
                .insert(0, Place::First, [I::GlobalGet(self.meter.depth)]);
            if role.counted {
                let code = [
                    I::I32Const(frame as i32),
                    I::I32Sub,
                    I::LocalTee(local),
                    I::I32Const(0),
                    I::I32LtS,
                    I::If(BlockType::Empty),
                    I::Call(self.meter.too_deep),
                    I::Unreachable,
                    I::End,
                ];
                self.edits.insert(0, Place::First, code);
            } else {
                self.edits.insert(0, Place::First, [I::LocalSet(local)]);
            }
        }
        if self.subject.flow.branches_out && self.has_epilogue() {
            let code = [I::Block(self.subject.results)];
            self.edits.insert(0, Place::First, code);
        }
    }

    fn visit(&mut self, at: usize, op: &Operator<'_>, calls: &Calls) {
        match op {
            Operator::Call { .. } | Operator::CallIndirect { .. } => self.call(at, op, calls),
            Operator::Return => {
                let code = self.epilogue();
                self.edits.insert(at, Place::Last, code);
            }
            Operator::Unreachable => {
                let mut code = self.flush();
                code.push(I::Call(self.meter.panic));
                self.edits.insert(at, Place::Last, code);
            }
            _ => {
                if let Some(unit) = cost::per_unit(op) {
                    self.per_unit(at, unit);
                }
            }
        }
    }

    fn call(&mut self, at: usize, op: &Operator<'_>, calls: &Calls) {
        let mut code = self.flush();
        if let Some(depth) = self.depth.filter(|_| reaches(op, calls)) {
            code.extend([I::LocalGet(depth.local), I::GlobalSet(self.meter.depth)]);
        }
        if let Operator::Call { function_index } = op
            && self.subject.exits.binary_search(function_index).is_ok()
        {
            code.push(I::Call(self.meter.exit));
        }
        self.edits.insert(at, Place::Last, code);
        if let Some(cache) = self.cache {
            let code = [I::GlobalGet(self.meter.fuel), I::LocalSet(cache)];
            self.edits.insert(at + 1, Place::After, code);
        }
    }

    /// Takes fuel for each unit of the operator's last operand: before it happens, or once it has, if
    /// it may fail.
    fn per_unit(&mut self, at: usize, unit: cost::PerUnit) {
        let count = *self
            .count
            .get_or_insert_with(|| self.edits.local(ValType::I32));
        let (shift, op) = match unit.shift {
            0.. => (unit.shift, I::I64ShrU),
            _ => (-unit.shift, I::I64Shl),
        };
        let mut pay = Vec::from(self.get());
        pay.extend([I::LocalGet(count), I::I64ExtendI32U]);
        pay.extend([I::I64Const(i64::from(shift)), op, I::I64Sub]);
        pay.extend(self.set_and_check(0));
        if !unit.may_fail {
            pay.insert(0, I::LocalTee(count));
            self.edits.insert(at, Place::Before, pay);
            return;
        }
        self.edits
            .insert(at, Place::Before, vec![I::LocalTee(count)]);
        let result = *self
            .result
            .get_or_insert_with(|| self.edits.local(ValType::I32));
        let mut code = vec![I::LocalTee(result), I::I32Const(-1), I::I32Ne];
        code.push(I::If(BlockType::Empty));
        code.extend(pay);
        code.extend([I::End, I::LocalGet(result)]);
        self.edits.insert(at + 1, Place::After, code);
    }

    fn refund(&mut self, edge: usize, refund: u64) {
        let charge = Charge {
            amount: -(refund as i64),
            least: None,
        };
        let code = self.charge(charge);
        match self.subject.flow.edges[edge].way {
            Way::Before(at) => self.edits.insert(at, Place::Before, code),
            Way::Conditional(at) => {
                let Operator::BrIf { relative_depth } = self.subject.ops[at] else {
                    unreachable!("only `br_if` is conditional");
                };
                let mut instead = vec![I::If(BlockType::Empty)];
                instead.extend(code);
                instead.extend([I::Br(relative_depth + 1), I::End]);
                self.edits.replace(at, instead);
            }
            Way::Nowhere => unreachable!("such loops are charged block by block"),
        }
    }

    fn charge(&mut self, charge: Charge) -> Vec<I<'static>> {
        let mut code = Vec::new();
        if charge.amount != 0 {
            code.extend(self.get());
            code.extend([I::I64Const(charge.amount), I::I64Sub]);
            match charge.least {
                Some(least) => code.extend(self.set_and_check(least)),
                None => code.extend(self.set()),
            }
        } else if let Some(least) = charge.least {
            code.extend(self.get());
            code.extend(check(least));
        }
        code
    }

    fn get(&self) -> [I<'static>; 1] {
        match self.cache {
            Some(local) => [I::LocalGet(local)],
            None => [I::GlobalGet(self.meter.fuel)],
        }
    }

    fn set(&self) -> [I<'static>; 1] {
        match self.cache {
            Some(local) => [I::LocalSet(local)],
            None => [I::GlobalSet(self.meter.fuel)],
        }
    }

    /// Keeps what is on the stack as the fuel, and ends the program if it is less than `least`.
    fn set_and_check(&mut self, least: i64) -> Vec<I<'static>> {
        let mut code = Vec::new();
        match self.cache {
            Some(cache) => code.push(I::LocalTee(cache)),
            None => {
                let scratch = *self
                    .scratch
                    .get_or_insert_with(|| self.edits.local(ValType::I64));
                code.extend([
                    I::LocalTee(scratch),
                    I::GlobalSet(self.meter.fuel),
                    I::LocalGet(scratch),
                ]);
            }
        }
        code.extend(check(least));
        code
    }

    /// Writes the fuel back for whoever runs next.
    fn flush(&self) -> Vec<I<'static>> {
        match self.cache {
            Some(cache) => vec![I::LocalGet(cache), I::GlobalSet(self.meter.fuel)],
            None => Vec::new(),
        }
    }

    fn has_epilogue(&self) -> bool {
        self.cache.is_some() || (self.subject.entry && self.depth.is_some())
    }

    /// What is done on the way out: the fuel is written back, and the depth is as it was.
    fn epilogue(&self) -> Vec<I<'static>> {
        let mut code = self.flush();
        if let Some(depth) = self.depth.filter(|_| self.subject.entry) {
            code.push(I::LocalGet(depth.local));
            if depth.frame != 0 {
                code.extend([I::I32Const(depth.frame as i32), I::I32Add]);
            }
            code.push(I::GlobalSet(self.meter.depth));
        }
        code
    }

    fn leave(&mut self) {
        let mut code = Vec::new();
        if self.subject.flow.branches_out && self.has_epilogue() {
            code.push(I::End);
        }
        code.extend(self.epilogue());
        self.edits
            .insert(self.subject.ops.len() - 1, Place::Last, code);
    }
}

/// Whether a function must set the depth before it calls: because it has been entered from outside,
/// or because an earlier call may have left the depth lower. That is nothing to one last call on the
/// way to a trap.
fn keeps_depth(subject: &Subject<'_>, loops: &Loops, returns: &[bool], calls: &Calls) -> bool {
    let flow = &subject.flow;
    let mut calls_in = vec![0u32; flow.blocks.len()];
    for (op, block) in subject.ops.iter().zip(&flow.block_of) {
        if let Some(block) = block.filter(|_| reaches(op, calls)) {
            calls_in[block as usize] += 1;
        }
    }
    // The most calls on a way from each block onwards.
    let mut onwards = vec![0u32; flow.blocks.len()];
    for block in (0..flow.blocks.len()).rev() {
        let later = flow.successors(block).filter(|&next| next > block);
        let most = later.map(|next| onwards[next]).max().unwrap_or(0);
        onwards[block] = most.saturating_add(calls_in[block]);
        let goes_on = returns[block] || loops.around[block].is_some() || onwards[block] > 1;
        if calls_in[block] > 0 && goes_on {
            return true;
        }
    }
    subject.entry
}

fn check(least: i64) -> [I<'static>; 5] {
    [
        I::I64Const(least),
        I::I64LtS,
        I::If(BlockType::Empty),
        I::Unreachable,
        I::End,
    ]
}

fn reaches(op: &Operator<'_>, calls: &Calls) -> bool {
    match op {
        Operator::Call { function_index } => calls.role(*function_index).reaches,
        Operator::CallIndirect { type_index, .. } => calls.indirect_reaches(*type_index),
        _ => false,
    }
}

/// The results of a function as the type of a block, where that needs no type of its own.
pub(crate) fn plain_results(ty: &FuncType) -> Option<BlockType> {
    match ty.results() {
        [] => Some(BlockType::Empty),
        [single] => ValType::try_from(*single).ok().map(BlockType::Result),
        _ => None,
    }
}
