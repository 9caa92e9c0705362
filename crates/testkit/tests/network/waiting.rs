//! Somebody waits for a job in a terminal, and the node that they talk to is restarted meanwhile.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use opensky_api::{JobState, PageQuery};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::process::{opensky, until};
use crate::{
    books::REQUESTER,
    net::{Net, text},
};

const ONE: &str = "one";
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/rust-job/job.wasm");

/// A command that waits. Killed when dropped.
struct Waiting {
    command: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Waiting {
    /// Starts `opensky job ARGS` beside a node's data folder, in a folder of its own.
    fn start(net: &Net, name: &str, args: &[&str]) -> Self {
        let stdout = net.data(&format!("{name}.stdout"));
        let stream = File::create(&stdout).unwrap();
        let mut waiting = Self::start_into(net, name, args, stream.into());
        waiting.stdout = stdout;
        waiting
    }

    /// The same with its output elsewhere.
    fn start_into(net: &Net, name: &str, args: &[&str], stdout: Stdio) -> Self {
        let folder = net.data(name);
        fs::create_dir(&folder).unwrap();
        let stderr = folder.join("stderr");
        let command = Command::new(opensky())
            .arg("job")
            .args(args)
            .arg("--node")
            .arg(net.data(REQUESTER))
            .env("XDG_DATA_HOME", &folder)
            .env("XDG_CACHE_HOME", &folder)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(File::create(&stderr).unwrap())
            .spawn();
        Self {
            command: command.unwrap(),
            stdout: PathBuf::new(),
            stderr,
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits until it says so.
    fn says(&self, words: &str) {
        until(&format!("it says `{words}`"), || {
            self.said().contains(words)
        });
    }

    /// What it puts out, if it succeeds.
    fn output(mut self) -> Vec<u8> {
        assert_eq!(self.ended(), Some(0), "{}", self.said());
        fs::read(&self.stdout).unwrap()
    }

    /// Waits until it has ended, and answers how.
    fn ended(&mut self) -> Option<i32> {
        until("it waits no longer", || {
            self.command.try_wait().unwrap().is_some()
        });
        self.command.wait().unwrap().code()
    }

    /// Ctrl-C, as soon as it would not simply die of it.
    fn interrupt(&self) {
        let status = format!("/proc/{}/status", self.command.id());
        until("it hears Ctrl-C", || {
            let status = fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
            caught >> (Signal::INT.as_raw() - 1) & 1 == 1
        });
        let pid = Pid::from_raw(self.command.id().cast_signed()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.command.kill();
        let _ = self.command.wait();
    }
}

/// The file with what is counted.
fn input(net: &Net, bytes: &[u8]) -> PathBuf {
    let file = net.data("input");
    fs::write(&file, bytes).unwrap();
    file
}

fn typed(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn whoever_waits_gets_the_result_though_their_node_was_restarted() {
    let mut net = Net::start(&[]);
    let text = text(1 << 10, 1);
    let input = input(&net, &text);
    let order = ["run", PROGRAM, "--input", typed(&input), "--memory"];
    let run = [&order[..], &["256MiB", "--replicas", "1"]].concat();
    let run = Waiting::start(&net, "run", &run);
    // There is no provider yet, so it waits for as long as it has to.
    run.says("running");
    let jobs = net.client().jobs(&PageQuery::default()).unwrap();
    let (job, id) = (jobs.items[0].job, jobs.items[0].job.short());
    let result = Waiting::start(&net, "result", &["result", "--wait", &id]);
    let show = Waiting::start(&net, "show", &["show", "--wait", &id]);
    result.says("running");
    show.says("running");

    // It comes back with another address and another token.
    net.kill(REQUESTER);
    for waiting in [&run, &result, &show] {
        waiting.says("waiting until it does");
    }
    net.begin(REQUESTER);
    for waiting in [&run, &result, &show] {
        waiting.says("answers again");
    }
    assert_eq!(net.job(job).summary.state, JobState::Running);
    net.begin(ONE);

    net.ends(job, &text);
    let mut expected = Vec::new();
    let mut reader = net.client().output(&job.into()).unwrap();
    reader.read_to_end(&mut expected).unwrap();
    assert_eq!(run.output(), expected);
    assert_eq!(result.output(), expected);
    let shown = String::from_utf8(show.output()).unwrap();
    assert!(shown.contains("1 of 1 agreed"), "{shown}");
}

#[test]
fn whoever_leaves_a_job_is_told_of_it_as_they_asked() {
    let mut net = Net::start(&[]);
    let job = net.submit(&text(1 << 10, 1), 1, 1);
    let id = job.short();
    let wait = ["result", "--wait", &id];
    let mut plain = Waiting::start(&net, "plain", &wait);
    plain.interrupt();
    assert_eq!(plain.ended(), Some(130));
    plain.says("the job goes on");
    let here = format!(
        "opensky job cancel {id} --node {}",
        typed(&net.data(REQUESTER))
    );
    plain.says(&here);

    let mut json = Waiting::start(&net, "json", &[&wait[..], &["--format", "json"]].concat());
    json.interrupt();
    assert_eq!(json.ended(), Some(130));
    let said: Value = serde_json::from_str(&json.said()).unwrap();
    assert_eq!(said["kind"], "network-job");
    assert_eq!(said["job"]["job"], job.to_string());
}

#[test]
fn follower_of_logs_ends_when_nobody_reads_them() {
    let mut net = Net::start(&[]);
    let job = net.submit(&text(1 << 10, 1), 1, 1);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let logs = ["logs", "--follow", &job.short()];
    let mut logs = Waiting::start_into(&net, "logs", &logs, writer.into());
    assert_eq!(logs.ended(), Some(0), "{}", logs.said());
    assert_ne!(net.job(job).summary.state, JobState::Ended);
}
