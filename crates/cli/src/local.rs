//! This machine as a place to run units: its store, its compiler, and its key.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use opensky_executor::{
    Backend, Cache, CompileError, Program, Rules, RunError, Sandbox,
    worker::{Compiler, Launcher},
};
use opensky_protocol::{Abort, Profile, SecretKey};
use opensky_storage::Store;

use crate::{Problem, paths, progress::Spinner};

/// The hidden command that starts a worker.
pub const WORKER: &str = "worker";

/// The sandbox that runs units of `profile`.
pub fn sandbox(profile: &Profile, backend: Backend) -> Result<Sandbox, Problem> {
    Sandbox::new(profile, backend).map_err(|error| {
        let unknown = matches!(error, opensky_executor::SandboxError::UnknownProfile(_));
        match unknown {
            true => Problem::refused(error.to_string()).help(format!(
                "this version knows {}; use the version that made the receipt",
                Rules::ALL
                    .map(|rules| format!("`{}`", rules.id))
                    .join(" and ")
            )),
            false => Problem::host(error.to_string()),
        }
    })
}

/// How this binary starts workers: itself, with the hidden command. By the kernel's own link, so
/// that it is this very file even if another was installed in its place meanwhile.
pub fn launcher() -> Launcher {
    Launcher {
        program: "/proc/self/exe".into(),
        args: vec![WORKER.into()],
    }
}

/// Compiles a component in a process of its own, or takes it from the cache.
pub fn compile(sandbox: &Sandbox, component: &[u8]) -> Result<Program, Problem> {
    let cache = Cache::open(&paths::cache()?.join("compiled"), Cache::DEFAULT_LIMIT);
    let compiler = Compiler::new(cache, launcher());
    let _spinner = Spinner::start("compiling");
    compiler.compile(sandbox, component).map_err(not_compiled)
}

/// What it means to a person that a component became no program.
pub fn not_compiled(error: CompileError) -> Problem {
    match error {
        CompileError::Abort(abort) => aborted(&abort),
        CompileError::Refused(reason) => {
            Problem::refused("the sandbox refuses the program under this profile")
                .because(reason)
                .help("profile 0 counts by the engine's rules: opensky run --profile 0")
        }
    }
}

/// What a host failure means to a person.
pub fn aborted(abort: &Abort) -> Problem {
    let problem = Problem::host(format!("no result: {abort}"));
    match abort {
        Abort::HostMemory => problem.help("free memory, or give the unit less with --memory"),
        Abort::Stack => problem.help(
            "the program recurses too deeply for this profile: recurse less, or keep a stack of its own",
        ),
        Abort::Compile(_) => problem.help(
            "try again on an idle machine; how large it is and its functions are: opensky inspect FILE",
        ),
        Abort::Watchdog => problem.help("try again on an idle machine"),
        Abort::MissingInput(_) => problem.help("give the input again with --input or --in"),
        Abort::WorkerDied(_) | Abort::Internal(_) => {
            problem.help("try again; with -v for more detail")
        }
    }
}

/// What a unit that could not be run means to a person.
pub fn failed(error: RunError) -> Problem {
    match error {
        RunError::Abort(abort) => aborted(&abort),
        other => Problem::refused(other.to_string()),
    }
}

/// Where programs and inputs are kept, so that receipts can be checked again.
pub fn store() -> Result<Store, Problem> {
    let path = paths::data()?.join("blobs");
    Store::open(&path).map_err(|error| {
        Problem::host(format!("cannot open the store `{}`", path.display()))
            .because(error)
            .help("mend it, or set XDG_DATA_HOME to a folder that can be written")
    })
}

/// Puts into the store what a receipt will be about.
pub fn keep(store: &Store, bytes: &[u8]) -> Result<(), Problem> {
    store
        .put(bytes)
        .map(drop)
        .map_err(|error| Problem::host("cannot keep what the receipt is about").because(error))
}

/// The file that holds the node's secret key.
pub fn key_file() -> Result<PathBuf, Problem> {
    Ok(paths::data()?.join("node.key"))
}

/// The node's key, made on first use.
pub fn key() -> Result<SecretKey, Problem> {
    let file = key_file()?;
    if file.exists() {
        return read_key(&file);
    }
    match make_key(&file, false) {
        Err(_) if file.exists() => read_key(&file),
        made => made,
    }
}

/// Reads a key file: 64 hexadecimal digits.
pub fn read_key(file: &Path) -> Result<SecretKey, Problem> {
    let damaged = || {
        Problem::host(format!("the key file `{}` is damaged", file.display()))
            .help("put back a copy, or make another identity with: opensky key new --force")
    };
    let read = paths::regular(file).and_then(|()| std::fs::read_to_string(file));
    let text = read.map_err(|error| {
        Problem::host(format!("cannot read the key file `{}`", file.display()))
            .because(error)
            .help("move it away and put back a copy, or make another identity: opensky key new")
    })?;
    let seed: opensky_protocol::Digest = text.trim().parse().map_err(|_| damaged())?;
    Ok(SecretKey::from_seed(&seed.0))
}

/// Makes a key and writes it where only its owner can read it, whole or not at all. `replace` says
/// whether one that is there may go.
pub fn make_key(file: &Path, replace: bool) -> Result<SecretKey, Problem> {
    let failed = |error: std::io::Error| {
        Problem::host(format!("cannot write the key file `{}`", file.display())).because(error)
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| Problem::host("the system gives no random numbers").because(error))?;
    let folder = file.parent().expect("the key file is in a folder");
    std::fs::create_dir_all(folder).map_err(failed)?;
    let fresh = folder.join(format!("node.key.{}", std::process::id()));
    let text = format!("{}\n", opensky_protocol::Digest(seed));
    // One that died may have left its own.
    let _ = std::fs::remove_file(&fresh);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(&fresh).and_then(|mut out| {
        out.write_all(text.as_bytes())?;
        out.sync_all()
    });
    let placed = written.and_then(|()| match replace {
        true => std::fs::rename(&fresh, file),
        // A link fails where another process was first; a rename would take its key away.
        false => std::fs::hard_link(&fresh, file),
    });
    // Gone already after a rename.
    let _ = std::fs::remove_file(&fresh);
    placed.map_err(failed)?;
    Ok(SecretKey::from_seed(&seed))
}
