//! Host calls on targets without a sandbox: answered by the test unit that the thread is in.
use std::{cell::RefCell, rc::Rc};

use crate::{Digest, Level};

/// What the host knows of one unit, and what the program told it.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) unit_id: Digest,
    pub(crate) shard: (u32, u32),
    pub(crate) params: Vec<(String, String)>,
    pub(crate) seed: [u8; 32],
    pub(crate) virtual_time: u64,
    pub(crate) inputs: Vec<(String, Rc<[u8]>)>,
    pub(crate) logs: Vec<(Level, String)>,
    pub(crate) progress: Vec<(u64, Option<u64>)>,
    pub(crate) outputs: Vec<Vec<u8>>,
}

thread_local! {
    static CURRENT: RefCell<Vec<Rc<RefCell<State>>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `f` inside the unit. Units nest: the innermost one answers.
pub(crate) fn within<T>(state: &Rc<RefCell<State>>, f: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            CURRENT.with_borrow_mut(Vec::pop);
        }
    }
    CURRENT.with_borrow_mut(|stack| stack.push(Rc::clone(state)));
    let _leave = Leave;
    f()
}

/// The network's rule for what a step that starts from `state` has as its seed.
pub(crate) fn step_seed(unit: &[u8; 32], state: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("opensky step seed 1");
    hasher.update(unit);
    hasher.update(digest_of(state).as_bytes());
    *hasher.finalize().as_bytes()
}

pub(crate) fn digest_of(data: &[u8]) -> Digest {
    Digest::from_bytes(*blake3::hash(data).as_bytes())
}

fn with<T>(f: impl FnOnce(&mut State) -> T) -> T {
    let current = CURRENT.with_borrow(|stack| stack.last().cloned());
    let current = current.expect(
        "this is a host call outside a unit: run the job through opensky::test (and on its own thread)",
    );
    f(&mut current.borrow_mut())
}

/// The calls themselves, as the guest has them.
pub(crate) mod calls {
    use std::rc::Rc;

    use super::{digest_of, with};
    use crate::{Digest, Level};

    pub(crate) fn unit_id() -> Digest {
        with(|unit| unit.unit_id)
    }

    pub(crate) fn shard() -> (u32, u32) {
        with(|unit| unit.shard)
    }

    pub(crate) fn params() -> Vec<(String, String)> {
        with(|unit| unit.params.clone())
    }

    pub(crate) fn seed() -> [u8; 32] {
        with(|unit| unit.seed)
    }

    pub(crate) fn virtual_time() -> u64 {
        with(|unit| unit.virtual_time)
    }

    pub(crate) fn manifest() -> Vec<(String, Digest)> {
        with(|unit| {
            let inputs = unit.inputs.iter();
            inputs
                .map(|(name, data)| (name.clone(), digest_of(data)))
                .collect()
        })
    }

    pub(crate) fn open(id: Digest) -> Option<Blob> {
        with(|unit| {
            let mut inputs = unit.inputs.iter();
            let found = inputs.find(|(_, data)| digest_of(data) == id);
            found.map(|(_, data)| Blob(Rc::clone(data)))
        })
    }

    pub(crate) fn put(data: &[u8]) -> Digest {
        with(|unit| unit.outputs.push(data.to_vec()));
        digest_of(data)
    }

    pub(crate) struct Blob(Rc<[u8]>);

    impl Blob {
        pub(crate) fn size(&self) -> u64 {
            self.0.len() as u64
        }

        pub(crate) fn read(&self, offset: u64, len: u32) -> Option<Vec<u8>> {
            let start = usize::try_from(offset).ok()?;
            let end = start.checked_add(len as usize)?;
            self.0.get(start..end).map(<[u8]>::to_vec)
        }
    }

    pub(crate) struct NewBlob(Vec<u8>);

    impl NewBlob {
        pub(crate) fn new() -> Self {
            Self(Vec::new())
        }

        pub(crate) fn write(&mut self, data: &[u8]) {
            self.0.extend_from_slice(data);
        }

        pub(crate) fn finish(self) -> Digest {
            put(&self.0)
        }
    }

    pub(crate) fn log(level: Level, message: &str) {
        with(|unit| unit.logs.push((level, message.to_owned())));
    }

    pub(crate) fn progress(done: u64, total: Option<u64>) {
        with(|unit| unit.progress.push((done, total)));
    }
}
