//! Native code of one component: compiled on this machine, sealed, and known to be so.

use std::{hash::Hasher, os::unix::fs::MetadataExt, sync::Arc};

use opensky_protocol::{Abort, Digest, Profile};

use crate::{
    engine::{Backend, Sandbox},
    program::Program,
    worker::{Launcher, sealed::Sealed},
};

/// A compiled component that can be handed to another process. Cheap to clone.
///
/// Only [`Compiler`](crate::worker::Compiler) makes one, so its bytes were compiled here, and nobody
/// could change them since.
#[derive(Clone)]
pub struct Artifact {
    pub(crate) native: Arc<Sealed>,
    pub(crate) program: Digest,
    pub(crate) profile: Profile,
    pub(crate) backend: Backend,
}

impl Artifact {
    /// What works call the component that this was compiled from: its digest, unless it is encrypted.
    pub fn program(&self) -> Digest {
        self.program
    }

    /// Bytes of native code.
    pub fn native_len(&self) -> u64 {
        self.native.len() as u64
    }

    /// Loads the code into this process: for one's own programs. A stranger's run in a
    /// [`Pool`](crate::worker::Pool).
    pub fn load(&self, sandbox: &Sandbox) -> Result<Program, Abort> {
        let failed = |error| Abort::Internal(format!("compiled code cannot be mapped: {error}"));
        let native = self.native.map().map_err(failed)?;
        // SAFETY: a compile worker made the bytes on this machine, and they are sealed or were
        // authenticated with a key that only this node has.
        unsafe { sandbox.load(native.as_ref()) }
    }
}

/// What native code depends on, made by the binary that `launcher` starts. Code of one key is of no
/// use under another.
pub(crate) fn key(sandbox: &Sandbox, program: &Digest, launcher: &Launcher) -> Digest {
    let mut engine = Collected(blake3::Hasher::new());
    std::hash::Hash::hash(&sandbox.engine.precompile_compatibility_hash(), &mut engine);
    let backend = match sandbox.backend() {
        Backend::Cranelift => 0u8,
        Backend::Pulley => 1,
    };
    let parts = (
        program,
        sandbox.rules().id,
        opensky_meter::VERSION,
        build(launcher),
        backend,
        Digest::from(engine.0.finalize()),
        env!("CARGO_PKG_VERSION"),
    );
    Digest::derive("opensky compiled code 2", &parts)
}

/// The pass may be mended without a change of its rules, so code belongs to the build that made it: told
/// by the time and the length of its file.
fn build(launcher: &Launcher) -> Option<(i64, i64, u64)> {
    let file = std::fs::metadata(&launcher.program).ok()?;
    Some((file.mtime(), file.mtime_nsec(), file.len()))
}

/// Turns what the engine hashes about itself into a digest that no collision can be found for.
struct Collected(blake3::Hasher);

impl Hasher for Collected {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.finalize();
        let first = digest.as_bytes().first_chunk().expect("a digest is longer");
        u64::from_le_bytes(*first)
    }
}
