//! What must hold between the slow count of a module and its metered form, on every engine.

use wasmtime::{Engine, ExternType, Module};

use super::{End, LARGEST, PLENTY, Seen, counted, functions, run};

/// One module: as the slow count, and metered for several engines.
pub struct Forms {
    slow: Module,
    metered: Vec<Module>,
}

impl Forms {
    /// Compiles a module for `reference`, which counts, and its metered form for `engines`. `None` if
    /// an engine does not know something that the module uses.
    pub fn of(
        plain: &[u8],
        metered: &[u8],
        reference: &Engine,
        engines: &[Engine],
    ) -> Option<Self> {
        let metered: Result<_, _> = engines
            .iter()
            .map(|engine| Module::new(engine, metered))
            .collect();
        match (Module::new(reference, counted(plain)), metered) {
            (Ok(slow), Ok(metered)) => Some(Self { slow, metered }),
            (Err(_), Err(_)) => None,
            (Ok(_), Err(error)) => panic!("only the metered form does not compile: {error:?}"),
            (Err(error), Ok(_)) => panic!("only the slow count does not compile: {error:?}"),
        }
    }

    /// Nothing in it, nor imported, is larger than what it may grow to.
    pub fn is_small(&self) -> bool {
        let needs = self.slow.resources_required();
        let is_small = |import: wasmtime::ImportType<'_>| match import.ty() {
            ExternType::Memory(ty) => ty.minimum() << 16 <= LARGEST.0 as u64,
            ExternType::Table(ty) => ty.minimum() <= LARGEST.1 as u64,
            _ => true,
        };
        needs.max_initial_memory_size.unwrap_or(0) <= LARGEST.0 as u64
            && needs.max_initial_table_size.unwrap_or(0) <= LARGEST.1 as u64
            && self.slow.imports().all(is_small)
    }

    /// The names of the exported functions.
    pub fn functions(&self) -> Vec<String> {
        functions(&self.slow).collect()
    }

    /// Checks one function. If it is still running with `most`, it need not end. Returns what it
    /// needs, if it returns.
    pub fn check(&self, name: &str, most: i64, salt: u64) -> Option<i64> {
        let slow = run(&self.slow, name, most, salt);
        if slow.end == End::OutOfFuel && slow.left < 0 {
            let seen = self.everywhere(name, most, salt);
            assert_ne!(seen.end, End::Returned, "{name} needs more: {slow:?}");
            return None;
        }
        let seen = self.everywhere(name, PLENTY, salt);
        let expected = match slow.end {
            // The slow count has no name for it.
            End::OutOfFuel => End::Panicked,
            _ => slow.end.clone(),
        };
        // The slow count has no limit of depth.
        if seen.end == End::TooDeep {
            return None;
        }
        assert_eq!(
            (&seen.end, seen.digest),
            (&expected, slow.digest),
            "{name}: {slow:?} {seen:?}"
        );
        if slow.end != End::Returned {
            return None;
        }
        let need = most - slow.left;
        assert_eq!(PLENTY - seen.left, need, "{name}: {slow:?} {seen:?}");
        for limit in [0, need / 3, need / 2, need - 1, need, need + 1] {
            self.check_limit(name, limit, salt, (need, &slow));
        }
        Some(need)
    }

    fn check_limit(&self, name: &str, limit: i64, salt: u64, (need, slow): (i64, &Seen)) {
        let seen = run(&self.metered[0], name, limit, salt);
        if limit < need {
            assert_eq!(seen.end, End::OutOfFuel, "{name}: {limit} of {need}");
            return;
        }
        assert_eq!(
            (seen.end, seen.left, seen.digest),
            (End::Returned, limit - need, slow.digest),
            "{name}: {limit} of {need}"
        );
    }

    /// What all engines show alike.
    pub fn everywhere(&self, name: &str, limit: i64, salt: u64) -> Seen {
        let mut modules = self.metered.iter();
        let first = modules.next().expect("there is an engine");
        let first = run(first, name, limit, salt);
        for (other, module) in modules.enumerate() {
            let seen = run(module, name, limit, salt);
            assert_eq!(first, seen, "{name} with {limit} on engine {}", other + 1);
        }
        first
    }
}
