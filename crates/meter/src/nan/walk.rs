//! Follows the values of a function from what makes them to what sees their bits.

use std::collections::BTreeMap;

use wasmparser::{BlockType, FuncType, MemArg, Operator as O};

use super::{
    Signatures,
    operators::Effect,
    value::{Class, Lanes, Via},
};

/// A value: known by itself, or as much as a place that it was read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Known(Class),
    /// What this place holds: a local, the result of a block, or one that is made of such.
    Of(Place),
}

/// An index into [`Uses::places`].
pub(super) type Place = u32;

/// A value on the operand stack. The operator at `origin` left it there, on top of all others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub value: Value,
    pub origin: u32,
}

/// An operand becomes, in some way, what a place holds.
#[derive(Debug)]
pub(super) struct Feed {
    pub operand: Operand,
    pub via: Via,
    pub to: Place,
    /// The operator that does it.
    pub at: u32,
}

impl Feed {
    /// The local that is copied: nothing happens between the read of it and this.
    pub fn copied(&self) -> Option<Place> {
        match self.operand.value {
            Value::Of(place) if self.operand.origin + 1 == self.at => Some(place),
            _ => None,
        }
    }
}

/// The bits of an operand are seen, if it does not hold floats of these lanes.
#[derive(Debug)]
pub(super) struct Sight {
    pub operand: Operand,
    pub unless: Option<Lanes>,
}

/// An operand is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub operand: Operand,
    pub at: usize,
    pub memarg: MemArg,
    /// An index into [`Uses::pieces`].
    pub piece: usize,
}

/// Code without branches: how much of it is arithmetic on floats, and how many floats it stores.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Piece {
    pub arithmetic: u32,
    pub stores: u32,
}

/// What becomes of the values of a function.
#[derive(Default, Debug)]
pub(super) struct Uses {
    /// What is known of each place before anything feeds it.
    pub places: Vec<Class>,
    /// The places of the locals that the function names.
    pub locals: BTreeMap<u32, Place>,
    pub feeds: Vec<Feed>,
    pub sights: Vec<Sight>,
    pub stores: Vec<Stored>,
    pub pieces: Vec<Piece>,
}

impl Uses {
    /// Follows the values of a valid function of type `ty`.
    pub fn of(ops: &[O<'_>], ty: &FuncType, module: &Signatures<'_>) -> Self {
        let mut walk = Walk {
            uses: Self::default(),
            module,
            params: ty.params().len() as u32,
            stack: Vec::new(),
            frames: Vec::new(),
            buried: 0,
        };
        walk.uses.pieces.push(Piece::default());
        walk.frames.push(Frame {
            height: 0,
            params: 0,
            results: ty.results().len(),
            label: Label::Seen(ty.results().len()),
            result: None,
        });
        for (at, op) in ops.iter().enumerate() {
            walk.visit(at, op);
        }
        walk.uses
    }
}

/// A construct that is open.
struct Frame {
    /// Of the operand stack, below the parameters.
    height: usize,
    params: usize,
    results: usize,
    label: Label,
    /// The place that its single result passes through, if it has no parameters.
    result: Option<Place>,
}

/// What becomes of the values that a branch carries.
#[derive(Clone, Copy)]
enum Label {
    /// The bits of so many are seen.
    Seen(usize),
    /// One feeds a place.
    Feeds(Place),
}

struct Walk<'a> {
    uses: Uses,
    module: &'a Signatures<'a>,
    params: u32,
    stack: Vec<Operand>,
    frames: Vec<Frame>,
    /// How many constructs are open that no execution enters, counted from one that none leaves.
    /// Zero where code may run.
    buried: u32,
}

/// Whether the code before an operator and the code behind it are two pieces.
fn ends_piece(op: &O<'_>) -> bool {
    matches!(
        op,
        O::Block { .. } | O::Loop { .. } | O::If { .. } | O::Else | O::End | O::BrIf { .. }
    )
}

const EXACT: Value = Value::Known(Class::Exact);

impl Walk<'_> {
    fn visit(&mut self, at: usize, op: &O<'_>) {
        if self.buried > 0 {
            return self.unearth(at, op);
        }
        if ends_piece(op) {
            self.uses.pieces.push(Piece::default());
        }
        match op {
            O::Block { blockty } => self.enter(at, *blockty),
            O::Loop { blockty } => {
                self.enter(at, *blockty);
                let frame = self.frames.last_mut().expect("just entered");
                frame.label = Label::Seen(frame.params);
            }
            O::If { blockty } => {
                self.pop();
                self.enter(at, *blockty);
            }
            O::Else => {
                self.leave(at);
                self.otherwise(at);
            }
            O::End => {
                self.leave(at);
                self.end(at);
            }
            O::Br { relative_depth } => {
                self.branch(at, *relative_depth);
                self.buried = 1;
            }
            O::BrIf { relative_depth } => {
                self.pop();
                self.branch(at, *relative_depth);
            }
            O::BrTable { targets } => {
                self.pop();
                let mut seen = false;
                for depth in targets.targets().chain([Ok(targets.default())]) {
                    let label = self.label(depth.expect("the operator was read before"));
                    // The values are the same for all labels.
                    if matches!(label, Label::Feeds(_)) || !std::mem::replace(&mut seen, true) {
                        self.carry(at, label);
                    }
                }
                self.buried = 1;
            }
            O::Return => {
                self.branch(at, self.frames.len() as u32 - 1);
                self.buried = 1;
            }
            O::Unreachable => self.buried = 1,
            O::Call { function_index } => {
                let ty = self.module.of_function(*function_index);
                self.call(at, ty);
            }
            O::CallIndirect { type_index, .. } => {
                self.pop();
                let ty = self.module.of_type(*type_index);
                self.call(at, ty);
            }
            O::LocalGet { local_index } => {
                let local = self.local(*local_index);
                self.push(at, Value::Of(local));
            }
            O::LocalSet { local_index } => {
                let operand = self.pop();
                self.set(at, operand, *local_index);
            }
            O::LocalTee { local_index } => {
                let operand = self.top(0);
                self.set(at, operand, *local_index);
            }
            O::Drop => _ = self.pop(),
            O::Select | O::TypedSelect { .. } => {
                self.pop();
                self.made(at, [Via::Whole; 2]);
            }
            O::F32Store { memarg } | O::F64Store { memarg } | O::V128Store { memarg } => {
                let operand = self.pop();
                self.pop();
                self.store(at, operand, *memarg);
            }
            _ => self.plain(at, op),
        }
    }

    fn plain(&mut self, at: usize, op: &O<'_>) {
        match Effect::of(op) {
            Effect::Reads {
                pops,
                lanes,
                result,
            } => {
                for _ in 0..pops {
                    let operand = self.pop();
                    self.see(operand, lanes);
                }
                if let Some(class) = result {
                    self.piece().arithmetic += u32::from(pops > 0 && class != Class::Exact);
                    self.push(at, Value::Known(class));
                }
            }
            Effect::One(via) => self.made(at, [via]),
            Effect::Two(vias) => self.made(at, vias),
        }
    }

    fn store(&mut self, at: usize, operand: Operand, memarg: MemArg) {
        if operand.value == EXACT {
            return;
        }
        self.piece().stores += 1;
        let piece = self.uses.pieces.len() - 1;
        self.uses.stores.push(Stored {
            operand,
            at,
            memarg,
            piece,
        });
    }

    fn piece(&mut self) -> &mut Piece {
        self.uses.pieces.last_mut().expect("there is a first one")
    }

    fn call(&mut self, at: usize, ty: &FuncType) {
        for _ in ty.params() {
            let operand = self.pop();
            self.see(operand, None);
        }
        for _ in ty.results() {
            self.push(at, EXACT);
        }
    }

    /// Pushes what is made of the operands.
    fn made<const N: usize>(&mut self, at: usize, vias: [Via; N]) {
        let operands: [Operand; N] = std::array::from_fn(|index| self.top(N - 1 - index));
        self.stack.truncate(self.stack.len() - N);
        let known = operands
            .iter()
            .zip(vias)
            .try_fold(Class::Plain, |class, (operand, via)| match operand.value {
                Value::Known(known) => Some(class.join(via.apply(known))),
                Value::Of(_) => None,
            });
        if let Some(class @ (Class::Plain | Class::Float(_))) = known {
            return self.push(at, Value::Known(class));
        }
        if operands.iter().all(|operand| operand.value == EXACT) {
            return self.push(at, EXACT);
        }
        let to = self.place(Class::Plain);
        for (operand, via) in operands.into_iter().zip(vias) {
            self.uses.feeds.push(Feed {
                operand,
                via,
                to,
                at: at as u32,
            });
        }
        self.push(at, Value::Of(to));
    }

    fn set(&mut self, at: usize, operand: Operand, index: u32) {
        let local = self.local(index);
        self.feed(at, operand, local);
    }

    fn feed(&mut self, at: usize, operand: Operand, to: Place) {
        self.uses.feeds.push(Feed {
            operand,
            via: Via::Whole,
            to,
            at: at as u32,
        });
    }

    fn see(&mut self, operand: Operand, unless: Option<Lanes>) {
        match operand.value {
            Value::Known(Class::Plain | Class::Exact) => {}
            Value::Known(Class::Float(float)) if Some(float.lanes) == unless => {}
            _ => self.uses.sights.push(Sight { operand, unless }),
        }
    }

    /// The place of a local.
    fn local(&mut self, index: u32) -> Place {
        if let Some(place) = self.uses.locals.get(&index) {
            return *place;
        }
        // Locals that are no parameters start as zero.
        let place = self.place(match index < self.params {
            true => Class::Exact,
            false => Class::Plain,
        });
        self.uses.locals.insert(index, place);
        place
    }

    fn place(&mut self, class: Class) -> Place {
        self.uses.places.push(class);
        self.uses.places.len() as Place - 1
    }

    fn push(&mut self, origin: usize, value: Value) {
        let origin = origin as u32;
        self.stack.push(Operand { value, origin });
    }

    fn pop(&mut self) -> Operand {
        self.stack.pop().expect("valid code has its operands")
    }

    /// The operand that has so many above it.
    fn top(&self, above: usize) -> Operand {
        self.stack[self.stack.len() - 1 - above]
    }

    /// What a branch carries stays on the stack for who comes next.
    fn branch(&mut self, at: usize, depth: u32) {
        let label = self.label(depth);
        self.carry(at, label);
    }

    fn label(&self, depth: u32) -> Label {
        self.frames[self.frames.len() - 1 - depth as usize].label
    }

    fn carry(&mut self, at: usize, label: Label) {
        match label {
            Label::Seen(count) => {
                let start = self.stack.len() - count;
                for index in start..self.stack.len() {
                    self.see(self.stack[index], None);
                    // Once is enough: then it is canonical.
                    self.stack[index].value = EXACT;
                }
            }
            Label::Feeds(place) => self.feed(at, self.top(0), place),
        }
    }

    /// Opens a construct whose label is at its end.
    fn enter(&mut self, at: usize, ty: BlockType) {
        let (params, results) = self.module.arity(ty);
        self.carry(at, Label::Seen(params));
        let result = (params == 0 && results == 1).then(|| self.place(Class::Plain));
        self.frames.push(Frame {
            height: self.stack.len() - params,
            params,
            results,
            label: result.map_or(Label::Seen(results), Label::Feeds),
            result,
        });
    }

    /// What is on the stack at the end of a construct becomes its results.
    fn leave(&mut self, at: usize) {
        let frame = self.frames.last().expect("valid code is nested");
        let label = frame
            .result
            .map_or(Label::Seen(frame.results), Label::Feeds);
        self.carry(at, label);
    }

    fn otherwise(&mut self, at: usize) {
        let frame = self.frames.last().expect("valid code is nested");
        let (height, params) = (frame.height, frame.params);
        self.stack.truncate(height);
        for _ in 0..params {
            self.push(at, EXACT);
        }
    }

    fn end(&mut self, at: usize) {
        let frame = self.frames.pop().expect("valid code is nested");
        self.stack.truncate(frame.height);
        for _ in 0..frame.results {
            self.push(at, frame.result.map_or(EXACT, Value::Of));
        }
    }

    /// Passes over code that never runs.
    fn unearth(&mut self, at: usize, op: &O<'_>) {
        match op {
            O::Block { .. } | O::Loop { .. } | O::If { .. } => self.buried += 1,
            O::Else if self.buried == 1 => {
                self.buried = 0;
                self.otherwise(at);
            }
            O::End => {
                self.buried -= 1;
                if self.buried == 0 {
                    self.end(at);
                }
            }
            _ => {}
        }
    }
}
