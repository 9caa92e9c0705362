//! A network of this person's, to be asked and to be ended.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::Session;

/// Most that a devnet may take to be ready here: three times what it takes on an idle machine of two
/// cores, where other tests run beside it.
const READY: Duration = Duration::from_secs(60);
/// Most that it may take to end.
const END: Duration = Duration::from_secs(20);

/// A devnet of this person. Killed when dropped.
pub struct Devnet {
    process: Child,
    /// What it said until it was ready.
    pub said: String,
}

impl Devnet {
    /// Starts one, and waits until it says what to type next.
    pub fn start(person: &Session, args: &[&str]) -> Self {
        fs::create_dir_all(passing(person)).expect("a folder");
        let mut command = person.command(&[&["devnet"], args].concat());
        command
            .env("TMPDIR", passing(person))
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let stderr = process.stderr.take().expect("it is piped");
        let (send, said) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut devnet = Self {
            process,
            said: String::new(),
        };
        let until = Instant::now() + READY;
        let mut lines = Vec::new();
        while !lines.iter().any(|line: &String| line.contains("Ctrl-C")) {
            let left = until.saturating_duration_since(Instant::now());
            match said.recv_timeout(left) {
                Ok(line) => lines.push(line),
                Err(_) => panic!("it is not ready: {}", lines.join("\n")),
            }
        }
        devnet.said = lines.join("\n");
        devnet
    }

    /// Kills it as nobody should.
    pub fn kill(mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ends");
    }

    /// Ends it as Ctrl-C in a terminal does, and answers with which code.
    pub fn end(mut self) -> Option<i32> {
        let killed = Command::new("kill")
            .args(["-INT", &self.process.id().to_string()])
            .status();
        assert!(killed.is_ok_and(|status| status.success()));
        let until = Instant::now() + END;
        while Instant::now() < until {
            if let Ok(Some(status)) = self.process.try_wait() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end");
    }
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
