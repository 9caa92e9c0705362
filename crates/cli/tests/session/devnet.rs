//! A network of this person's, to be asked and to be ended.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use super::Session;

/// Most that a devnet may take to be ready here, where other tests run beside it: the first chain compiles its
/// runtime, for a minute or two.
const READY: Duration = Duration::from_secs(180);
/// Most that it may take to end: half as long as it waits for its nodes to be ready.
const END: Duration = Duration::from_secs(60);

/// A devnet of this person. Killed when dropped.
pub struct Devnet {
    process: Child,
    lines: Receiver<String>,
    /// What it said until it was ready.
    pub said: String,
}

impl Devnet {
    /// Starts one, and waits until it says what to type next.
    pub fn start(person: &Session, args: &[&str]) -> Self {
        let mut devnet = Self::begin(person, args);
        devnet.said = devnet.says("Ctrl-C");
        devnet
    }

    /// Starts one, and does not wait.
    pub fn begin(person: &Session, args: &[&str]) -> Self {
        fs::create_dir_all(passing(person)).expect("a folder");
        let mut command = person.command(&[&["devnet"], args].concat());
        command
            .env("TMPDIR", passing(person))
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let stderr = process.stderr.take().expect("it is piped");
        let (send, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            process,
            lines,
            said: String::new(),
        }
    }

    /// Waits until it says a line with that in it, and answers with all that it says up to there.
    pub fn says(&self, word: &str) -> String {
        let until = Instant::now() + READY;
        let mut said: Vec<String> = Vec::new();
        while !said.iter().any(|line| line.contains(word)) {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => said.push(line),
                Err(_) => panic!("it does not say `{word}`: {}", said.join("\n")),
            }
        }
        said.join("\n")
    }

    /// Tells it to end, and does not wait.
    pub fn interrupt(&self) {
        send("-INT", self.process.id());
    }

    /// Kills it as nobody should.
    pub fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// Ends it as Ctrl-C in a terminal does, and answers with which code.
    pub fn end(self) -> Option<i32> {
        self.end_by("-INT")
    }

    /// Ends it by a signal, and answers with which code.
    pub fn end_by(self, signal: &str) -> Option<i32> {
        send(signal, self.process.id());
        self.ended()
    }

    /// Waits until it ends, and answers with which code.
    pub fn ended(mut self) -> Option<i32> {
        ended(&mut self.process)
    }
}

/// Sends a signal to a process.
pub fn send(signal: &str, process: u32) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
}

/// Waits until a process ends, and answers with which code.
pub fn ended(process: &mut Child) -> Option<i32> {
    let until = Instant::now() + END;
    while Instant::now() < until {
        if let Ok(Some(status)) = process.try_wait() {
            return status.code();
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("it does not end");
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where folders are made that are to be removed.
pub fn passing(person: &Session) -> PathBuf {
    person.folder().join("tmp")
}
