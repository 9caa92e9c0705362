//! One node as a process of the real binary.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use opensky_api::Client;
use opensky_protocol::{Digest, NodeKey};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longest that anything here is waited for. Machines may be ten times as slow as usual for a while.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A node that runs. Killed when dropped.
pub struct Process {
    pub key: NodeKey,
    /// Where others reach it.
    pub address: String,
    child: Child,
    folder: PathBuf,
}

impl Process {
    /// Starts `command`, which runs a node with its things in `folder` and says in JSON that it is
    /// ready, and waits until it has said so.
    pub fn start(mut command: Command, folder: &Path) -> Self {
        let log = log_of(folder);
        let errors = File::options().append(true).create(true).open(&log);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.unwrap());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut process = Self {
            key: NodeKey([0; 32]),
            address: String::new(),
            child,
            folder: folder.to_owned(),
        };
        let (send, said) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
            if let Some(first) = lines.next() {
                drop(send.send(first));
            }
            lines.for_each(drop);
        });
        let first = said.recv_timeout(PATIENCE);
        let first = first.unwrap_or_else(|_| panic!("it is not ready:\n{}", process.log()));
        let ready: Value = serde_json::from_str(&first).unwrap();
        let key: Digest = ready["key"].as_str().unwrap().parse().unwrap();
        process.key = NodeKey(key.0);
        process.address = ready["addresses"][0].as_str().unwrap().to_owned();
        process
    }

    /// Its API.
    pub fn client(&self) -> Client {
        Client::open(&self.folder).unwrap()
    }

    /// What it has logged, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(log_of(&self.folder)).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Its processes for strangers' code that run units, or wait for some.
    pub fn workers(&self) -> Vec<Pid> {
        let own = Pid::from_raw(self.child.id().cast_signed());
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let all = numbers.filter_map(Pid::from_raw);
        all.filter(|pid| {
            let is_own = state(*pid).is_some_and(|(_, parent)| parent == own);
            is_own && is_run_worker(*pid)
        })
        .collect()
    }

    /// Halts them all, and returns which they are. One that waits for a processor halts when it gets it: it is
    /// waited for, or it would halt after it was told to go on.
    pub fn halt_workers(&self) -> Vec<Pid> {
        let workers = self.workers();
        for worker in &workers {
            // Fails for one that has ended meanwhile.
            let _ = kill_process(*worker, Signal::STOP);
        }
        until("all workers are halted", || {
            let mut workers = workers.iter();
            workers.all(|worker| is_halted(*worker) || has_ended(*worker))
        });
        workers
    }

    /// How it has ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Ends it as a system does that shuts down, and waits until it is gone.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "never ends:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a process is halted.
pub fn is_halted(pid: Pid) -> bool {
    state(pid).is_some_and(|(state, _)| state == 'T')
}

/// Whether a process is no more, but perhaps for somebody who has yet to ask how it ended.
fn has_ended(pid: Pid) -> bool {
    state(pid).is_none_or(|(state, _)| state == 'Z')
}

/// A process's state, by its letter, and its parent.
fn state(pid: Pid) -> Option<(char, Option<Pid>)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // What is before may have brackets in its name.
    let mut words = stat.rsplit_once(')')?.1.split_whitespace();
    let state = words.next()?.chars().next()?;
    Some((state, Pid::from_raw(words.next()?.parse().ok()?)))
}

fn is_run_worker(pid: Pid) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.ends_with(b"\0run\0")
}

fn log_of(folder: &Path) -> PathBuf {
    folder.with_added_extension("log")
}

/// The real binary, which Cargo puts beside the testkit's own.
pub fn opensky() -> PathBuf {
    let file = Path::new(env!("CARGO_BIN_EXE_bad-node")).with_file_name("opensky");
    assert!(
        file.is_file(),
        "there is no `opensky` beside the testkit's binaries: build it with --workspace"
    );
    file
}

/// Waits until something is so, and panics where it never is.
pub fn until(what: &str, is_so: impl FnMut() -> bool) {
    until_or(what, is_so, String::new);
}

/// The same, and tells more where it never is.
pub fn until_or(what: &str, mut is_so: impl FnMut() -> bool, more: impl FnOnce() -> String) {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() >= PATIENCE {
            panic!("never: {what} {}", more());
        }
        thread::sleep(Duration::from_millis(5));
    }
}
