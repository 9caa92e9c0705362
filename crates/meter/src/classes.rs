//! Which blocks of a function run equally often, whatever happens: they share one charge.

use crate::flow::Flow;

/// For each block that can return, the first block of its class; every other block is alone.
///
/// Two blocks are of one class if each cycle through one of them, in the control flow with an edge
/// from the exit to the entry, goes through the other one too. Blocks from which the function cannot
/// return are left out of that flow: whoever gets there traps, exits, or never ends.
///
/// Linear time: R. Johnson, D. Pearson, K. Pingali, The program structure tree, PLDI 1994.
pub(crate) fn classes(flow: &Flow, returns: &[bool]) -> Vec<usize> {
    let mut first: Vec<usize> = (0..flow.blocks.len()).collect();
    let Some(exit) = flow.exit else {
        return first;
    };
    let (graph, block_edges) = Graph::split(flow, returns, exit);
    let class_of_edge = graph.cycle_equivalence();
    let mut first_of_class = vec![None; graph.edges.len() * 2 + 1];
    for (block, edge) in block_edges {
        let class = class_of_edge[edge];
        first[block] = *first_of_class[class].get_or_insert(block);
    }
    first
}

/// An undirected graph in which each block is two nodes and the edge between them.
struct Graph {
    edges: Vec<(usize, usize)>,
    /// The edges at each node.
    at: Vec<Vec<usize>>,
}

const NONE: usize = usize::MAX;

/// A depth-first tree of the graph.
struct Tree {
    /// Nodes in the order they were found, and each node's place in it.
    order: Vec<usize>,
    place: Vec<usize>,
    /// The edge that each node was found by.
    parent: Vec<usize>,
}

impl Graph {
    fn split(flow: &Flow, returns: &[bool], exit: usize) -> (Self, Vec<(usize, usize)>) {
        let blocks = flow.blocks.len();
        let mut graph = Self {
            edges: Vec::new(),
            at: vec![Vec::new(); 2 * blocks],
        };
        let mut block_edges = Vec::new();
        for block in (0..blocks).filter(|&block| returns[block]) {
            block_edges.push((block, graph.edge(2 * block, 2 * block + 1)));
        }
        for edge in &flow.edges {
            if returns[edge.to] {
                graph.edge(2 * edge.from + 1, 2 * edge.to);
            }
        }
        graph.edge(2 * exit + 1, 0);
        (graph, block_edges)
    }

    fn edge(&mut self, from: usize, to: usize) -> usize {
        let edge = self.edges.len();
        self.edges.push((from, to));
        self.at[from].push(edge);
        self.at[to].push(edge);
        edge
    }

    fn other(&self, edge: usize, node: usize) -> usize {
        let (a, b) = self.edges[edge];
        if a == node { b } else { a }
    }

    fn tree(&self) -> Tree {
        let nodes = self.at.len();
        let mut tree = Tree {
            order: Vec::new(),
            place: vec![NONE; nodes],
            parent: vec![NONE; nodes],
        };
        let mut next = vec![0; nodes];
        let mut path = vec![0];
        tree.place[0] = 0;
        tree.order.push(0);
        while let Some(&node) = path.last() {
            let Some(&edge) = self.at[node].get(next[node]) else {
                path.pop();
                continue;
            };
            next[node] += 1;
            let other = self.other(edge, node);
            if tree.place[other] == NONE {
                tree.place[other] = tree.order.len();
                tree.parent[other] = edge;
                tree.order.push(other);
                path.push(other);
            }
        }
        tree
    }

    /// A number for each edge, equal for edges that the same cycles go through.
    fn cycle_equivalence(&self) -> Vec<usize> {
        let tree = self.tree();
        let nodes = self.at.len();
        let mut brackets = Brackets::new(self.edges.len());
        let mut lists = vec![List::EMPTY; nodes];
        let mut highest = vec![NONE; nodes];
        let mut caps: Vec<Vec<usize>> = vec![Vec::new(); nodes];
        let mut class = vec![NONE; self.edges.len()];
        let mut classes = 0;
        let mut fresh = || {
            classes += 1;
            classes - 1
        };
        for &node in tree.order.iter().rev() {
            let place = tree.place[node];
            // The highest places that edges from here, and from two children, reach back to.
            let (mut own, mut best, mut second) = (NONE, NONE, NONE);
            let mut list = List::EMPTY;
            let (mut down, mut up) = (Vec::new(), Vec::new());
            for &edge in &self.at[node] {
                let other = self.other(edge, node);
                if tree.parent[other] == edge && tree.place[other] > place {
                    let reach = highest[other];
                    second = second.min(reach.max(best));
                    best = best.min(reach);
                    list = brackets.join(list, lists[other]);
                } else if tree.parent[node] != edge {
                    if tree.place[other] < place {
                        own = own.min(tree.place[other]);
                        up.push(edge);
                    } else {
                        down.push(edge);
                    }
                }
            }
            highest[node] = own.min(best);
            for cap in std::mem::take(&mut caps[node]) {
                brackets.remove(&mut list, cap);
            }
            for edge in down {
                brackets.remove(&mut list, edge);
                if class[edge] == NONE {
                    class[edge] = fresh();
                }
            }
            for edge in up {
                brackets.push(&mut list, edge);
            }
            if second < own {
                let cap = brackets.cap();
                brackets.push(&mut list, cap);
                caps[tree.order[second]].push(cap);
            }
            let parent = tree.parent[node];
            if parent != NONE {
                let top = &mut brackets.all[list.top];
                if top.size != list.size {
                    top.size = list.size;
                    top.class = fresh();
                }
                class[parent] = top.class;
                if list.size == 1 && list.top < class.len() {
                    class[list.top] = class[parent];
                }
            }
            lists[node] = list;
        }
        class
    }
}

/// An edge back that spans the place where the walk is.
#[derive(Clone)]
struct Bracket {
    above: usize,
    below: usize,
    /// How many brackets there were when it was last on top, and the class that it named then.
    size: usize,
    class: usize,
}

/// Brackets, linked into lists. Those of the graph's own edges have the edge's number.
struct Brackets {
    all: Vec<Bracket>,
}

/// A list of brackets that can be joined, and cut anywhere, in constant time.
#[derive(Clone, Copy)]
struct List {
    top: usize,
    bottom: usize,
    size: usize,
}

impl List {
    const EMPTY: Self = Self {
        top: NONE,
        bottom: NONE,
        size: 0,
    };
}

impl Brackets {
    fn new(edges: usize) -> Self {
        let bracket = Bracket {
            above: NONE,
            below: NONE,
            size: NONE,
            class: NONE,
        };
        Self {
            all: vec![bracket; edges],
        }
    }

    /// A bracket that is no edge.
    fn cap(&mut self) -> usize {
        self.all.push(Bracket {
            above: NONE,
            below: NONE,
            size: NONE,
            class: NONE,
        });
        self.all.len() - 1
    }

    fn push(&mut self, list: &mut List, bracket: usize) {
        let single = List {
            top: bracket,
            bottom: bracket,
            size: 1,
        };
        *list = self.join(single, *list);
    }

    /// `a` on top of `b`.
    fn join(&mut self, a: List, b: List) -> List {
        if a.size == 0 {
            return b;
        }
        if b.size == 0 {
            return a;
        }
        self.all[a.bottom].below = b.top;
        self.all[b.top].above = a.bottom;
        List {
            top: a.top,
            bottom: b.bottom,
            size: a.size + b.size,
        }
    }

    fn remove(&mut self, list: &mut List, bracket: usize) {
        let Bracket { above, below, .. } = self.all[bracket];
        match above {
            NONE => list.top = below,
            _ => self.all[above].below = below,
        }
        match below {
            NONE => list.bottom = above,
            _ => self.all[below].above = above,
        }
        (self.all[bracket].above, self.all[bracket].below) = (NONE, NONE);
        list.size -= 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shapes::{flows, reached};

    /// Whether each cycle through `a` goes through `b`.
    fn always_with(flow: &Flow, returns: &[bool], a: usize, b: usize) -> bool {
        let next = |block: usize| {
            let mut next: Vec<usize> = flow.successors(block).filter(|&to| returns[to]).collect();
            if flow.exit == Some(block) {
                next.push(0);
            }
            next
        };
        a == b || !reached(a, Some(b), next).contains(&a)
    }

    proptest! {
        #[test]
        fn classes_are_what_their_definition_says(flow in flows()) {
            let returns = flow.returns();
            let first = classes(&flow, &returns);
            for a in 0..flow.blocks.len() {
                for b in 0..flow.blocks.len() {
                    let both = returns[a] && returns[b];
                    let same = a == b
                        || both && always_with(&flow, &returns, a, b) && always_with(&flow, &returns, b, a);
                    prop_assert_eq!(first[a] == first[b], same, "blocks {} and {}", a, b);
                }
                prop_assert!(first[a] <= a);
            }
        }
    }
}
