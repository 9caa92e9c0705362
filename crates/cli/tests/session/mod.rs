//! A person at a terminal: folders of their own, the real binary, and programs to run.
#![allow(dead_code)]

pub mod devnet;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{LazyLock, Mutex},
};

use serde_json::Value;

/// One person: their files, data and cache.
pub struct Session {
    home: tempfile::TempDir,
    cache: PathBuf,
}

impl Session {
    /// A person who has just begun.
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let cache = home.path().join("cache");
        Self { home, cache }
    }

    /// A person whose cache is that of earlier runs of these tests: for programs that take seconds
    /// to compile.
    pub fn with_warm_cache() -> Self {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
        Self {
            cache,
            ..Self::new()
        }
    }

    /// The folder in which commands are started.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    pub fn cache(&self) -> PathBuf {
        self.cache.join("opensky")
    }

    pub fn data(&self) -> PathBuf {
        self.home.path().join("data/opensky")
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let file = self.home.path().join(name);
        fs::write(&file, bytes).expect("the folder can be written");
        file
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.home.path().join(name)).expect("the file is there")
    }

    /// `opensky ARGS`, not yet started.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opensky"));
        command.args(args);
        self.at_home(&mut command);
        command
    }

    /// Gives any command this person's folders.
    pub fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.home.path())
            .env("XDG_DATA_HOME", self.home.path().join("data"))
            .env("XDG_CACHE_HOME", &self.cache)
            .env_remove("OPENSKY_LOG")
            .stdin(Stdio::null())
    }

    /// `opensky ARGS`, to its end.
    pub fn opensky(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }

    /// `opensky ARGS --format json`, to its end.
    pub fn json(&self, args: &[&str]) -> (Ran, Value) {
        let ran = self.opensky(&[args, &["--format", "json"]].concat());
        let report = match ran.stdout.starts_with(b"{") {
            true => String::from_utf8_lossy(&ran.stdout).into_owned(),
            false => ran.stderr.clone(),
        };
        let report = serde_json::from_str(&report);
        let report = report.unwrap_or_else(|error| panic!("no JSON ({error}): {ran:?}"));
        (ran, report)
    }
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; 128 and the signal's number if it was killed.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the program starts");
        output.into()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Fails unless the exit code is `code` and every word was said somewhere.
    #[track_caller]
    pub fn is(&self, code: i32, words: &[&str]) -> &Self {
        let said = format!("{}{}", self.text(), self.stderr);
        assert_eq!(self.code, code, "{said}");
        for word in words {
            assert!(said.contains(word), "`{word}` is not in:\n{said}");
        }
        assert!(!said.contains("panicked"), "{said}");
        self
    }

    /// Fails unless it was refused with `code`, before any output, with what to do next.
    #[track_caller]
    pub fn refuses(&self, code: i32, words: &[&str]) {
        self.is(code, words);
        assert!(self.stdout.is_empty(), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let killed = || 128 + output.status.signal().unwrap_or_default();
        Self {
            code: output.status.code().unwrap_or_else(killed),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The checkout's folder.
pub fn root() -> &'static Path {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = crates.and_then(Path::parent);
    root.expect("this package is two folders below the workspace's")
}

/// Builds the project in `folder` to a component: once in this process, and with what earlier runs of
/// these tests compiled.
pub fn built(folder: &Path) -> PathBuf {
    static BUILT: LazyLock<Mutex<Vec<(PathBuf, PathBuf)>>> = LazyLock::new(Mutex::default);
    let mut built = BUILT.lock().expect("no build panics while it is locked");
    if let Some((_, file)) = built.iter().find(|(project, _)| project == folder) {
        return file.clone();
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let ran = Ran::of(
        Command::new(env!("CARGO_BIN_EXE_opensky"))
            .args(["build", "--format", "json"])
            .arg(folder)
            .env("CARGO_TARGET_DIR", target)
            .stdin(Stdio::null()),
    );
    assert_eq!(
        ran.code,
        0,
        "{} does not build: {}",
        folder.display(),
        ran.stderr
    );
    let report: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let file = PathBuf::from(report["file"].as_str().expect("a path"));
    built.push((folder.to_owned(), file.clone()));
    file
}

/// The component of an example, as text for a command line.
pub fn example(name: &str) -> String {
    text(&built(&root().join("examples").join(name)))
}

pub fn text(path: &Path) -> String {
    path.to_str()
        .expect("test folders have text names")
        .to_owned()
}

/// A preview-1 command whose `_start` is this body. `$read` and `$write` take a descriptor and the
/// bytes at 1024 and up to 4096 of them; `$read` leaves how many in `$count`.
pub fn wat(body: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_read"
            (func $fd_read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write"
            (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (global $count (mut i32) (i32.const 0))
        (func $read (param $fd i32)
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const 4096))
            (if (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
                (then (unreachable)))
            (global.set $count (i32.load (i32.const 8))))
        (func $write (param $fd i32) (param $len i32)
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (local.get $len))
            (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
                (then (unreachable))))
        (func $recurse (result i32) (i32.add (call $recurse) (i32.const 1)))
        (func $start (export "_start") {body}))"#
    )
}

/// Copies its standard input to its standard output.
pub fn cat() -> String {
    wat("(loop $more
            (call $read (i32.const 0))
            (if (global.get $count)
                (then (call $write (i32.const 1) (global.get $count)) (br $more))))")
}

/// A person who ran `cat.wat` on `in.txt` and has `its.receipt`.
pub fn with_receipt() -> Session {
    let person = Session::new();
    person.write("cat.wat", cat());
    person.write("in.txt", "abc");
    let run = ["run", "cat.wat", "--input", "in.txt"];
    let args = [&run[..], &["--receipt", "its.receipt"]].concat();
    person.opensky(&args).is(0, &[]);
    person
}
