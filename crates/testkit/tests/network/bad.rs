//! Five providers of which two are bad, as `opensky devnet` starts them: a job ends as on this machine,
//! whoever gives wrong results is caught and earns nothing, and the money adds up.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use opensky_api::{
    Client, JobId, JobRequest, JobState, JobSummary, NodeId, PageQuery, Plan, ProgramRef, Record,
    Replicas, Turn,
};
use opensky_node::{Config, config::LedgerConfig};
use opensky_protocol::{Digest, NodeKey, SecretKey};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    books::{LEDGER, REQUESTER, add_up, is_paid},
    net::text,
    process::{PATIENCE, opensky, until},
};

/// Shards of the job: several turns for each provider, one after the other.
const SHARDS: usize = 64;
const SHARD: usize = 2 << 10;
/// Shards of a job before it, each for one provider.
const ALONE: usize = 40;
/// Such jobs, at most, until all bad ones have had a part of one.
const TRIES: usize = 5;
/// What all of them run.
const PROGRAM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/corpus/rust-job/map-reduce.wasm"
);

/// A devnet, and a person with a program and its input.
struct Devnet {
    folder: tempfile::TempDir,
    process: Child,
}

impl Devnet {
    /// Starts one of five, these among them, and waits until it says what to type next.
    fn start(bad: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("text"), text(SHARDS * SHARD, 1)).unwrap();
        let network = folder.path().join("network");
        let mut command = at_home(folder.path());
        command
            .args(["devnet", "--providers", "5", "--bad", bad, "--data"])
            .arg(network);
        let process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut devnet = Self { folder, process };
        let stderr = devnet.process.stderr.take().unwrap();
        let (send, said) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let lines = BufReader::new(stderr).lines().map_while(Result::ok);
            // Nobody listens any more after it is ready; what it says then is read all the same.
            lines.for_each(|line| drop(send.send(line)));
        });
        loop {
            let line = said.recv_timeout(PATIENCE).expect("it is ready in time");
            if line.trim().ends_with("Ctrl-C") {
                return devnet;
            }
        }
    }

    fn data(&self, node: &str) -> PathBuf {
        self.folder.path().join("network").join(node)
    }

    /// What the ledger is called: two devnets have two names.
    fn ledger(&self) -> String {
        let config = Config::read(&self.data(LEDGER).with_extension("toml")).unwrap();
        match config.ledger {
            LedgerConfig::Here(here) => here.name,
            other => panic!("{other:?}"),
        }
    }

    fn client(&self) -> Client {
        Client::open(&self.data(REQUESTER)).unwrap()
    }

    /// What a command of the person writes to its standard output.
    fn says(&self, args: &[&str]) -> Vec<u8> {
        let mut command = at_home(self.folder.path());
        command.args(args).arg(PROGRAM);
        command.args(["-i", "text", "--partitions", "2"]);
        command.args(["--shard-bytes", &SHARD.to_string()]);
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        output.stdout
    }

    /// The keys of all nodes, by their names.
    fn keys(&self) -> BTreeMap<String, NodeKey> {
        let entries = fs::read_dir(self.folder.path().join("network")).unwrap();
        let nodes = entries.flatten().filter_map(|entry| {
            let seed = fs::read_to_string(entry.path().join("node.key")).ok()?;
            let seed: Digest = seed.trim().parse().unwrap();
            let name = entry.file_name().into_string().unwrap();
            Some((name, SecretKey::from_seed(&seed.0).node()))
        });
        nodes.collect()
    }

    /// What the requester knows of its providers.
    fn records(&self) -> BTreeMap<NodeId, Record> {
        let offers = self.client().offers(&PageQuery::default()).unwrap().items;
        let known = offers.into_iter();
        known
            .filter_map(|offer| Some((offer.provider, offer.record?)))
            .collect()
    }

    /// All jobs, once they are over; the last one first.
    fn jobs(&self) -> Vec<JobSummary> {
        let client = self.client();
        let jobs = || client.jobs(&PageQuery::default()).unwrap().items;
        until("the jobs are over", || {
            jobs().iter().all(|job| job.state == JobState::Ended)
        });
        jobs()
    }

    /// Everyone's turns at a job.
    fn turns(&self, job: JobId) -> Vec<Turn> {
        let all = PageQuery {
            limit: Some(PageQuery::MAX),
            after: None,
        };
        let why = self.client().why(&job.into(), &all).unwrap();
        let units = why.units.items.into_iter();
        units.flat_map(|unit| unit.turns).collect()
    }

    /// Has each of these copiers run something of the program that nobody else is given. They give their
    /// first result for all others: two with the same one would be of one mind like a ring, which nobody
    /// can tell from the truth where it has a unit to itself.
    fn give_each_its_own(&self, copiers: &[&str]) {
        let keys = self.keys();
        let client = self.client();
        let put = |bytes: &[u8]| {
            let blob = client.put_blob(bytes, Some(bytes.len() as u64));
            blob.unwrap().digest
        };
        let program = put(&fs::read(PROGRAM).unwrap());
        let copiers = copiers.iter().map(|name| NodeId::from(keys[*name]));
        let mut waiting: Vec<_> = copiers.collect();
        for number in 2..2 + TRIES {
            let text = text(ALONE * SHARD, number as u8);
            let inputs = text.chunks(SHARD).map(put).collect();
            let plan = Plan::Map {
                inputs,
                partitions: 1,
            };
            let mut request = JobRequest::new(ProgramRef::Digest(program), plan);
            request.replicas = Some(Replicas::Exactly(1));
            let job = client.submit(&request).unwrap().job.unwrap();
            // Nobody compares anything: how it ends does not matter.
            let ended = self.jobs();
            assert!(ended.iter().any(|other| other.job == job));
            let mut ran = self.turns(job);
            ran.retain(|turn| turn.state.starts_with("agreed"));
            let ran: Vec<_> = ran.into_iter().map(|turn| turn.provider).collect();
            waiting.retain(|provider| !ran.contains(provider));
            if waiting.is_empty() {
                return;
            }
        }
        panic!("{waiting:?} are given nothing");
    }

    /// Ends it as Ctrl-C does.
    fn end(&mut self) {
        let pid = Pid::from_raw(self.process.id().cast_signed()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        until("the devnet has ended", || {
            self.process.try_wait().unwrap().is_some()
        });
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command of a person with that folder. What was compiled here before is not compiled again.
fn at_home(folder: &Path) -> Command {
    let mut command = Command::new(opensky());
    command
        .current_dir(folder)
        .env("XDG_DATA_HOME", folder.join("data"))
        .env(
            "XDG_CACHE_HOME",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"),
        )
        .stdin(Stdio::null());
    command
}

/// Has two replicas of each unit run in this network, in which these earn nothing. Where two are wrong
/// about a unit, each in a way of its own, the three that are right of five are asked in the end.
fn bears(mut devnet: Devnet, useless: &[&str]) {
    let here = devnet.says(&["run"]);
    assert!(!here.is_empty());
    let requester = devnet.data(REQUESTER);
    let requester = requester.to_str().unwrap();
    let there = ["job", "run", "--replicas", "2", "--node", requester];
    assert_eq!(devnet.says(&there), here, "another result than here");
    let jobs = devnet.jobs();
    assert!(jobs[0].verified >= Some(2), "{:?}", jobs[0]);
    is_paid(&devnet.client(), &jobs);
    let (keys, records) = (devnet.keys(), devnet.records());
    let turns = devnet.turns(jobs[0].job);
    let name = devnet.ledger();
    devnet.end();
    let books = devnet.data(LEDGER).join("ledger.redb");
    let earned = add_up(&books, &name, &keys, &jobs).remove(0);
    println!("{earned:?}");
    for name in useless {
        let node = NodeId::from(keys[*name]);
        assert_eq!(earned[*name], 0, "{name}");
        let own = turns.iter().filter(|turn| turn.provider == node);
        let wrong = own.filter(|turn| turn.state.starts_with("had another result"));
        let (wrong, record) = (wrong.count(), records.get(&node));
        println!("{name}: {wrong} wrong results, {record:?}");
        assert!(wrong == 0 || record.is_some_and(|record| record.wrong > 0));
    }
}

#[test]
fn network_bears_a_liar_and_a_copier() {
    let devnet = Devnet::start("lie:1,copy:1");
    devnet.give_each_its_own(&["provider-5-copy"]);
    bears(devnet, &["provider-4-lie", "provider-5-copy"]);
}

#[test]
fn network_bears_a_liar_and_one_that_crashes() {
    let devnet = Devnet::start("lie:1,crash:1");
    bears(devnet, &["provider-4-lie", "provider-5-crash"]);
}

#[test]
fn network_bears_a_slow_one_and_a_silent_one() {
    bears(Devnet::start("slow:1,silent:1"), &["provider-5-silent"]);
}

#[test]
fn network_bears_two_copiers() {
    let devnet = Devnet::start("copy:2");
    let bad = ["provider-4-copy", "provider-5-copy"];
    devnet.give_each_its_own(&bad);
    bears(devnet, &bad);
}
