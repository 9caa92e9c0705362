//! The control flow of one function: blocks in the order of their code, and the edges between them.

use wasmparser::{BlockType, Operator};

use crate::cost;

/// A straight run of operators: entered at its start only, left at its end only.
#[derive(Debug)]
pub(crate) struct Block {
    /// The operator that code for the start of this block goes in front of.
    pub start: usize,
    /// Fuel for all its operators.
    pub cost: u64,
    /// It calls a function.
    pub calls: bool,
    /// It has an operator whose cost depends on its operands.
    pub dynamic: bool,
    /// Indices into [`Flow::edges`].
    pub next: Vec<usize>,
    /// Indices into [`Flow::edges`].
    pub previous: Vec<usize>,
}

/// A way from one block to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub from: usize,
    pub to: usize,
    pub way: Way,
}

/// Where code can be put that runs if and only if an edge is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// In front of this operator.
    Before(usize),
    /// In the place of this `br_if`, whose label takes no values.
    Conditional(usize),
    /// Nowhere but at the start of the block that it leads to, if no other edge does.
    Nowhere,
}

/// The blocks of one function that can be reached, in the order of their code. Block 0 is the entry.
///
/// An edge goes back in this order if and only if it leads to the header of a loop from inside of
/// it: WebAssembly has no other backward branch.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub blocks: Vec<Block>,
    pub edges: Vec<Edge>,
    /// The block behind the last operator, if the function can return: it has no operators.
    pub exit: Option<usize>,
    /// For each operator, the block it is in. `None` for code that is never reached.
    pub block_of: Vec<Option<u32>>,
    /// A branch leads to the function's own label.
    pub branches_out: bool,
}

/// A construct that is open.
struct Frame {
    kind: Kind,
    /// What a branch to its label leads to.
    target: usize,
    /// The block that `else`, or a missing one, comes from.
    condition: Option<(usize, usize)>,
    /// How many values a branch to its label takes along.
    values: usize,
    /// How many values its end gives.
    results: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Function,
    Block,
    Loop,
    If,
}

/// Not placed yet, or never reached.
const NOWHERE: usize = usize::MAX;

/// What a body's operators mean beyond themselves.
#[derive(Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// The parameters and results of a type, as numbers.
    pub arity: &'a dyn Fn(u32) -> (usize, usize),
    /// How many results a function has.
    pub results_of: &'a dyn Fn(u32) -> usize,
    /// What a call of a function costs besides itself.
    pub due: &'a dyn Fn(u32) -> u64,
    /// What the function costs before its first operator.
    pub entry: u64,
    /// How many results the function itself has.
    pub results: usize,
}

struct Builder<'a> {
    flow: Flow,
    frames: Vec<Frame>,
    current: Option<usize>,
    /// For each block, whether an edge leads to it.
    reached: Vec<bool>,
    facts: Facts<'a>,
}

impl Flow {
    /// The control flow of a valid function body.
    pub fn of(ops: &[Operator<'_>], facts: Facts<'_>) -> Self {
        let mut builder = Builder {
            flow: Self::default(),
            frames: Vec::new(),
            current: None,
            reached: Vec::new(),
            facts,
        };
        let entry = builder.block(0);
        let exit = builder.block(NOWHERE);
        builder.flow.blocks[entry].cost = facts.entry;
        builder.current = Some(entry);
        builder.frames.push(Frame {
            kind: Kind::Function,
            target: exit,
            condition: None,
            values: facts.results,
            results: facts.results,
        });
        for (at, op) in ops.iter().enumerate() {
            builder.visit(at, op);
        }
        builder.flow.in_order(exit)
    }

    /// The blocks that `block` leads to.
    pub fn successors(&self, block: usize) -> impl Iterator<Item = usize> + '_ {
        self.blocks[block]
            .next
            .iter()
            .map(|&edge| self.edges[edge].to)
    }

    /// The blocks that lead to `block`.
    pub fn predecessors(&self, block: usize) -> impl Iterator<Item = usize> + '_ {
        self.blocks[block]
            .previous
            .iter()
            .map(|&edge| self.edges[edge].from)
    }

    /// Whether code at the start of `block` runs for one edge only.
    pub fn has_one_way_in(&self, block: usize) -> bool {
        self.blocks[block].previous.len() == 1 && self.exit != Some(block)
    }

    /// For each block, whether the function can return from there.
    pub fn returns(&self) -> Vec<bool> {
        let mut returns = vec![false; self.blocks.len()];
        let mut open: Vec<usize> = self.exit.into_iter().collect();
        while let Some(block) = open.pop() {
            if !std::mem::replace(&mut returns[block], true) {
                open.extend(self.predecessors(block));
            }
        }
        returns
    }

    /// Drops the blocks that are never reached and numbers the others in the order of their code.
    fn in_order(mut self, exit: usize) -> Self {
        let mut order: Vec<usize> = (0..self.blocks.len()).collect();
        order.retain(|&block| self.blocks[block].start != NOWHERE);
        order.sort_by_key(|&block| self.blocks[block].start);
        let mut number = vec![NOWHERE; self.blocks.len()];
        for (new, &old) in order.iter().enumerate() {
            number[old] = new;
        }
        let mut blocks: Vec<Option<Block>> = self.blocks.into_iter().map(Some).collect();
        self.blocks = order.iter().filter_map(|&old| blocks[old].take()).collect();
        for edge in &mut self.edges {
            (edge.from, edge.to) = (number[edge.from], number[edge.to]);
        }
        for block in self.block_of.iter_mut().flatten() {
            *block = number[*block as usize] as u32;
        }
        self.exit = Some(number[exit]).filter(|&exit| exit != NOWHERE);
        for (index, edge) in self.edges.iter().enumerate() {
            self.blocks[edge.from].next.push(index);
            self.blocks[edge.to].previous.push(index);
        }
        self
    }
}

impl Builder<'_> {
    fn block(&mut self, start: usize) -> usize {
        self.reached.push(false);
        self.flow.blocks.push(Block {
            start,
            cost: 0,
            calls: false,
            dynamic: false,
            next: Vec::new(),
            previous: Vec::new(),
        });
        self.flow.blocks.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, way: Way) {
        self.reached[to] = true;
        self.flow.edges.push(Edge { from, to, way });
    }

    /// A block that starts behind the operator at `at`, entered from `from` only.
    fn follow(&mut self, from: usize, at: usize) -> usize {
        let block = self.block(at + 1);
        self.edge(from, block, Way::Nowhere);
        block
    }

    /// The parameters and results of a block, as numbers.
    fn arity(&self, ty: BlockType) -> (usize, usize) {
        match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(ty) => (self.facts.arity)(ty),
        }
    }

    fn push(&mut self, kind: Kind, target: usize, ty: BlockType) {
        let (params, results) = self.arity(ty);
        self.frames.push(Frame {
            kind,
            target,
            condition: None,
            values: if kind == Kind::Loop { params } else { results },
            results,
        });
    }

    /// The construct that a branch of that depth leaves, or begins again.
    fn frame(&self, depth: u32) -> &Frame {
        &self.frames[self.frames.len() - 1 - depth as usize]
    }

    /// What a branch of that depth leads to.
    fn label(&mut self, depth: u32) -> usize {
        self.flow.branches_out |= depth as usize + 1 == self.frames.len();
        self.frame(depth).target
    }

    /// How many values the operator takes along to another block, or from another function.
    fn carried(&self, op: &Operator<'_>) -> usize {
        match op {
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                self.frame(*relative_depth).values
            }
            Operator::BrTable { targets } => self.frame(targets.default()).values,
            Operator::Return => self.facts.results,
            Operator::Else | Operator::End => self.frame(0).results,
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                self.arity(*blockty).0
            }
            Operator::Call { function_index } => (self.facts.results_of)(*function_index),
            Operator::CallIndirect { type_index, .. } => (self.facts.arity)(*type_index).1,
            _ => 0,
        }
    }

    fn visit(&mut self, at: usize, op: &Operator<'_>) {
        self.flow
            .block_of
            .push(self.current.map(|block| block as u32));
        if let Some(current) = self.current {
            let carried = self.carried(op);
            let block = &mut self.flow.blocks[current];
            block.cost += cost::of(op) + cost::carry(carried);
            if let Operator::Call { function_index } = op {
                block.cost += (self.facts.due)(*function_index);
            }
            block.calls |= matches!(op, Operator::Call { .. } | Operator::CallIndirect { .. });
            block.dynamic |= cost::per_unit(op).is_some();
        }
        match op {
            Operator::Block { blockty } => {
                let join = self.block(NOWHERE);
                self.push(Kind::Block, join, *blockty);
            }
            Operator::Loop { blockty } => self.enter_loop(at, *blockty),
            Operator::If { blockty } => {
                let join = self.block(NOWHERE);
                self.push(Kind::If, join, *blockty);
                if let Some(current) = self.current {
                    self.frames.last_mut().expect("just pushed").condition = Some((current, at));
                    self.current = Some(self.follow(current, at));
                }
            }
            Operator::Else => self.otherwise(at),
            Operator::End => self.end(at),
            Operator::Br { relative_depth } => {
                let target = self.label(*relative_depth);
                self.leave(target, at);
            }
            Operator::BrIf { relative_depth } => {
                let target = self.label(*relative_depth);
                // Out of the function there is nothing to jump to from an edge of one's own.
                let plain = self.frame(*relative_depth).values == 0
                    && *relative_depth as usize + 1 < self.frames.len();
                if let Some(current) = self.current {
                    let way = if plain {
                        Way::Conditional(at)
                    } else {
                        Way::Nowhere
                    };
                    self.edge(current, target, way);
                    self.current = Some(self.follow(current, at));
                }
            }
            Operator::BrTable { targets } => {
                let mut depths: Vec<u32> = targets.targets().map_while(Result::ok).collect();
                depths.push(targets.default());
                depths.sort_unstable();
                depths.dedup();
                for depth in depths {
                    let target = self.label(depth);
                    if let Some(current) = self.current {
                        self.edge(current, target, Way::Nowhere);
                    }
                }
                self.current = None;
            }
            Operator::Return => {
                let target = self.frames[0].target;
                self.leave(target, at);
            }
            Operator::Unreachable => self.current = None,
            _ => {}
        }
    }

    fn leave(&mut self, target: usize, at: usize) {
        if let Some(current) = self.current.take() {
            self.edge(current, target, Way::Before(at));
        }
    }

    fn enter_loop(&mut self, at: usize, ty: BlockType) {
        let Some(current) = self.current else {
            return self.push(Kind::Loop, NOWHERE, ty);
        };
        let header = self.block(at + 1);
        self.edge(current, header, Way::Before(at));
        self.current = Some(header);
        self.push(Kind::Loop, header, ty);
    }

    fn otherwise(&mut self, at: usize) {
        let frame = self.frames.last_mut().expect("valid code is nested");
        let (target, condition) = (frame.target, frame.condition.take());
        self.leave(target, at);
        self.current = condition.map(|(from, _)| self.follow(from, at));
    }

    fn end(&mut self, at: usize) {
        let frame = self.frames.pop().expect("valid code is nested");
        // Behind the end of a loop, the block goes on.
        if frame.kind == Kind::Loop {
            return;
        }
        self.leave(frame.target, at);
        if let Some((from, _)) = frame.condition {
            self.edge(from, frame.target, Way::Nowhere);
        }
        if self.reached[frame.target] {
            self.flow.blocks[frame.target].start = at + 1;
            self.current = Some(frame.target);
        }
    }
}
