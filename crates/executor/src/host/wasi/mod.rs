//! WASI 0.2 for the verified class: complete as far as a deterministic program can use it, and all
//! in memory.
//!
//! A guest sees one tree of files with `/` preopened: `/in` holds the work's inputs and is read-only,
//! `/out` holds what becomes outputs, `/tmp` and everything else is scratch. Time is virtual, random
//! numbers come from the unit's seed, sockets answer `access-denied`.

mod cli;
mod clocks;
mod descriptor;
mod filesystem;
mod io;
mod memfs;
mod random;
mod sockets;

use std::collections::BTreeMap;

use opensky_protocol::{Abort, World, names};
use wasmtime::{Error, component::Linker};

use self::{
    clocks::Clock,
    memfs::{Budget, Errno, Fault, Ino, MemFs},
    random::Generators,
};
use crate::{
    host::{Call, Host, Stop},
    profile::Rules,
};

/// The version of every interface. Guests that import an older 0.2 get it too.
const VERSION: &str = "0.2.12";

/// What one instance has done through WASI. Made empty, filled when first used.
#[derive(Default)]
pub(crate) struct State {
    clock: Clock,
    random: Option<Box<Generators>>,
    files: Option<Box<MemFs>>,
    /// How much of standard input was read.
    stdin: usize,
    stdout: Vec<u8>,
}

impl State {
    /// Standard output and the files under `/out`, by their output names.
    pub fn into_outputs(self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files.map_or_else(Vec::new, |files| files.into_files());
        let mut outputs: BTreeMap<_, _> = files
            .into_iter()
            .map(|(path, bytes)| (names::file(&path), bytes))
            .collect();
        outputs.insert(names::OUTPUT.into(), self.stdout);
        outputs
    }
}

impl Host {
    /// The file system, which is made when it is first asked for.
    fn files(&mut self) -> &mut MemFs {
        let unit = &self.unit;
        self.wasi.files.get_or_insert_with(|| {
            let inputs = unit.work.inputs.iter().filter_map(|(name, digest)| {
                let blob = unit.inputs.get(digest)?;
                Some((name.as_str(), blob.clone()))
            });
            Box::new(MemFs::new(unit.work.virtual_time, inputs))
        })
    }

    /// Lets `f` use the file system, with the room that the unit's output has left and with `work`.
    /// Returns the work that is left afterwards too.
    fn with_budget<R>(&mut self, work: u64, f: impl FnOnce(&mut MemFs) -> R) -> (R, u64) {
        let room = self.output_left;
        let files = self.files();
        files.budget = Budget { room, work };
        let result = f(files);
        let left = files.budget;
        self.output_left = left.room;
        (result, left.work)
    }

    /// Closes a file whose last handle may be gone with that. It costs no work.
    fn close(&mut self, file: Ino) {
        self.with_budget(0, |files| files.close(file));
    }

    /// The unit's main input; empty where it has none.
    fn main_input(&self) -> &[u8] {
        let digest = self.unit.work.inputs.get(names::INPUT);
        let blob = digest.and_then(|digest| self.unit.inputs.get(digest));
        blob.map_or(&[], |blob| (**blob).as_ref())
    }

    /// What a program prints: a command's output, and in every other world a part of its log.
    fn print(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        if self.unit.work.world != World::Command {
            return self.spend_log(bytes);
        }
        self.spend_output(bytes.len())?;
        let stdout = &mut self.wasi.stdout;
        stdout
            .try_reserve(bytes.len())
            .map_err(|_| Stop::Abort(Abort::HostMemory))?;
        stdout.extend_from_slice(bytes);
        Ok(())
    }
}

impl Call<'_> {
    /// Does what costs work on the file system, and charges it. The inner error is the guest's.
    fn try_files<R>(
        &mut self,
        f: impl FnOnce(&mut MemFs) -> Result<R, Fault>,
    ) -> Result<Result<R, Errno>, Error> {
        if self.wasi.files.is_none() {
            let inputs = self.unit.work.inputs.len() as u64;
            self.work(inputs * memfs::STEP)?;
        }
        let work = self.work_left();
        let (result, left) = self.with_budget(work, f);
        self.work(work - left)?;
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(Fault::Code(errno)) => Ok(Err(errno)),
            Err(Fault::Stop(stop)) => Err(stop.into()),
        }
    }
}

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    cli::define(linker, rules)?;
    clocks::define(linker, rules)?;
    filesystem::define(linker, rules)?;
    io::define(linker, rules)?;
    random::define(linker, rules)?;
    sockets::define(linker, rules)
}
