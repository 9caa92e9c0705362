//! Who may call whom in a module: which functions are recursive, how deep a chain of calls goes
//! without any, and how much work a call may start.

use crate::{Context, scan::Scan};

/// Bytes of frames that a chain of calls may take without its being counted.
const UNCOUNTED: u64 = 64 << 10;

/// Fuel that may be used before it is looked at.
const UNCHECKED: u64 = 20_000;

/// What the rest of the module means for one function.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Role {
    /// Its frame is counted: it is recursive, or ends a long chain of calls.
    pub counted: bool,
    /// A call of it may reach a function whose frame is counted.
    pub reaches: bool,
    /// It looks at the fuel when it is called.
    pub checked: bool,
}

/// The roles of all functions of a module.
#[derive(Debug)]
pub(crate) struct Calls {
    /// By index of the function space; imported functions count as those of other modules.
    roles: Vec<Role>,
    /// By index of the type: what a call through a table may reach.
    indirect: Vec<bool>,
    /// Functions that call each other together, callees before callers.
    callees_first: Vec<Vec<u32>>,
}

/// The nodes of the graph: functions, then types that are called through tables, then the outside.
struct Graph {
    next: Vec<Vec<u32>>,
    functions: usize,
    outside: usize,
}

impl Calls {
    pub fn of(scan: &Scan<'_>, context: &Context) -> Self {
        let graph = Graph::of(scan, context);
        let mut components = graph.components();
        let mut roles = vec![Role::default(); graph.next.len()];
        let mut pending = vec![0u64; graph.next.len()];
        let mut work = vec![0u64; graph.next.len()];
        // Components come callees first.
        for component in &components {
            let first = component[0] as usize;
            let recursive = component.len() > 1 || graph.next[first].contains(&component[0]);
            let below = component
                .iter()
                .flat_map(|&node| &graph.next[node as usize])
                .map(|&node| pending[node as usize])
                .max()
                .unwrap_or(0);
            let passed_on = graph.passed_on(scan, component, &work);
            for &node in component {
                let node = node as usize;
                let function = scan.function(node, graph.functions);
                let frame = function.map_or(0, |function| u64::from(function.frame));
                let counted = function.is_some() && (recursive || below + frame > UNCOUNTED);
                roles[node].counted = counted;
                pending[node] = below + if counted { 0 } else { frame };
                let inclusive = function.map_or(passed_on, |function| {
                    function.cost.saturating_add(sum(&graph.next[node], &work))
                });
                roles[node].checked = function.is_some() && (recursive || inclusive > UNCHECKED);
                work[node] = if roles[node].checked { 0 } else { inclusive };
            }
            let mut nodes = component.iter().map(|&node| node as usize);
            let reaches = nodes.any(|node| {
                let mut next = graph.next[node].iter();
                node == graph.outside
                    || roles[node].counted
                    || next.any(|&callee| roles[callee as usize].reaches)
            });
            for &node in component {
                roles[node as usize].reaches = reaches;
            }
        }
        let types = graph.functions..graph.outside;
        let indirect = types.map(|node| roles[node].reaches).collect();
        for role in &mut roles[..scan.imported as usize] {
            *role = Role {
                reaches: true,
                ..Role::default()
            };
        }
        roles.truncate(graph.functions);
        for component in &mut components {
            component.retain(|&node| (node as usize) < graph.functions);
        }
        Self {
            roles,
            indirect,
            callees_first: components,
        }
    }

    /// Groups of functions that call each other, callees before callers.
    pub fn callees_first(&self) -> &[Vec<u32>] {
        &self.callees_first
    }

    pub fn role(&self, function: u32) -> Role {
        self.roles[function as usize]
    }

    /// Whether a call through a table with that type may reach a function whose frame is counted.
    pub fn indirect_reaches(&self, ty: u32) -> bool {
        self.indirect[ty as usize]
    }
}

fn sum(nodes: &[u32], work: &[u64]) -> u64 {
    let all = nodes.iter().map(|&node| work[node as usize]);
    all.fold(0, u64::saturating_add)
}

impl Graph {
    /// The work that may be started, outside of a component, by those in it that are no functions of the
    /// module. Nobody in the component has any work yet.
    fn passed_on(&self, scan: &Scan<'_>, component: &[u32], work: &[u64]) -> u64 {
        let others = component.iter().map(|&node| node as usize);
        let mut callees: Vec<u32> = others
            .filter(|&node| scan.function(node, self.functions).is_none())
            .flat_map(|node| self.next[node].iter().copied())
            .collect();
        callees.sort_unstable();
        callees.dedup();
        sum(&callees, work)
    }

    fn of(scan: &Scan<'_>, context: &Context) -> Self {
        let functions = scan.type_of.len();
        let outside = functions + scan.types.len();
        let mut next = vec![Vec::new(); outside + 1];
        for (index, callees) in next.iter_mut().enumerate().take(functions) {
            match scan.function(index, functions) {
                None => callees.push(outside as u32),
                Some(function) => {
                    callees.extend(&function.calls);
                    callees.extend(function.indirect.iter().map(|ty| functions as u32 + ty));
                }
            }
        }
        for &function in &scan.in_tables {
            // Types may be written twice: what counts is their form.
            let ty = scan.canonical[scan.type_of[function as usize] as usize];
            next[functions + ty as usize].push(function);
            if scan.shares_tables {
                next[outside].push(function);
            }
        }
        for (ty, &canonical) in scan.canonical.iter().enumerate() {
            if canonical as usize != ty {
                next[functions + ty].push(functions as u32 + canonical);
            }
            if scan.shares_tables {
                next[functions + ty].push(outside as u32);
            }
        }
        let reentered = |name: &&str| {
            let exports = context.reentered.as_ref();
            exports.is_none_or(|exports| exports.contains(*name))
        };
        let entries = scan.exports.iter().filter(|(name, _)| reentered(name));
        next[outside].extend(entries.map(|&(_, function)| function));
        for callees in &mut next {
            callees.sort_unstable();
            callees.dedup();
        }
        Self {
            next,
            functions,
            outside,
        }
    }

    /// The strongly connected components, callees first (R. E. Tarjan, 1972, without recursion).
    fn components(&self) -> Vec<Vec<u32>> {
        const NONE: u32 = u32::MAX;
        let nodes = self.next.len();
        let (mut index, mut low) = (vec![NONE; nodes], vec![0; nodes]);
        let mut on_stack = vec![false; nodes];
        let (mut stack, mut path, mut components) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = 0;
        for start in 0..nodes as u32 {
            if index[start as usize] != NONE {
                continue;
            }
            path.push((start, 0));
            while let Some((node, at)) = path.pop() {
                let n = node as usize;
                if at == 0 {
                    (index[n], low[n]) = (found, found);
                    found += 1;
                    stack.push(node);
                    on_stack[n] = true;
                }
                if let Some(&callee) = self.next[n].get(at) {
                    path.push((node, at + 1));
                    let c = callee as usize;
                    if index[c] == NONE {
                        path.push((callee, 0));
                    } else if on_stack[c] {
                        low[n] = low[n].min(index[c]);
                    }
                    continue;
                }
                if low[n] == index[n] {
                    let from = stack.iter().rposition(|&other| other == node);
                    let component =
                        stack.split_off(from.expect("a node stays until its component is found"));
                    component
                        .iter()
                        .for_each(|&node| on_stack[node as usize] = false);
                    components.push(component);
                }
                if let Some(&(caller, _)) = path.last() {
                    low[caller as usize] = low[caller as usize].min(low[n]);
                }
            }
        }
        components
    }
}
