//! A ledger, providers and a requester: processes that are killed, halted and started again at will.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    net::{IpAddr, Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use opensky_api::{
    Client, Hex, Job, JobId, JobRequest, JobState, NodeId, PageQuery, Plan, ProgramRef, Replicas,
    Why,
};
use opensky_protocol::NodeKey;
use rustix::process::Signal;

use crate::{
    books::{LEDGER, REQUESTER, add_up, is_paid},
    process::{Process, opensky, until, until_or},
};

const JOB: &[u8] = include_bytes!("../../corpus/rust-job/job.wasm");

/// How nodes are connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    Tcp,
    Quic,
}

impl Transport {
    fn listen(self, address: IpAddr, port: u16) -> String {
        match self {
            Self::Tcp => format!("/ip4/{address}/tcp/{port}"),
            Self::Quic => format!("/ip4/{address}/udp/{port}/quic-v1"),
        }
    }
}

/// The network, and all jobs that it was given.
pub struct Net {
    folder: tempfile::TempDir,
    /// Where the ledger listens, in each of its lives.
    port: u16,
    address: IpAddr,
    transport: Transport,
    /// Units that each provider runs at once.
    cores: u16,
    nodes: BTreeMap<String, Process>,
    keys: BTreeMap<String, NodeKey>,
    jobs: Vec<JobId>,
}

impl Net {
    /// A ledger and a requester on loopback, and these providers.
    pub fn start(providers: &[&str]) -> Self {
        let mut net = Self::empty(Ipv4Addr::LOCALHOST.into(), Transport::Tcp);
        net.begin_all(providers);
        net
    }

    /// Nobody yet, at an address of this machine.
    pub fn empty(address: IpAddr, transport: Transport) -> Self {
        let port = TcpListener::bind((address, 0)).unwrap().local_addr();
        Self {
            folder: tempfile::tempdir().unwrap(),
            port: port.unwrap().port(),
            address,
            transport,
            cores: 1,
            nodes: BTreeMap::new(),
            keys: BTreeMap::new(),
            jobs: Vec::new(),
        }
    }

    /// The same where each provider runs so many units at once.
    pub fn with_cores(self, cores: u16) -> Self {
        Self { cores, ..self }
    }

    /// Starts a ledger, a requester and these providers.
    pub fn begin_all(&mut self, providers: &[&str]) {
        for name in [LEDGER, REQUESTER].iter().chain(providers) {
            self.begin(name);
        }
        self.wait_for_offers(providers.len());
    }

    pub fn wait_for_offers(&self, count: usize) {
        let all = PageQuery::default();
        until("all offers are known", || {
            self.client().offers(&all).unwrap().items.len() >= count
        });
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a node, with what it has in its folder.
    pub fn begin(&mut self, name: &str) {
        self.begin_with(name, Command::new(opensky()), self.address);
    }

    /// The same by a command that ends in the binary, and at an address of its own.
    pub fn begin_with(&mut self, name: &str, mut command: Command, address: IpAddr) {
        let config = self.folder.path().join(format!("{name}.toml"));
        fs::write(&config, self.config(name, address)).unwrap();
        command
            .args(["node", "start", "--format", "json", "--config"])
            .arg(&config);
        let process = Process::start(command, &self.data(name));
        self.keys.insert(name.into(), process.key);
        self.nodes.insert(name.into(), process);
    }

    fn config(&self, name: &str, address: IpAddr) -> String {
        let data = self.data(name);
        let is_provider = name != LEDGER && name != REQUESTER;
        let port = if name == LEDGER { self.port } else { 0 };
        let listen = self.transport.listen(address, port);
        let cores = self.cores;
        let books = match self.nodes.get(LEDGER) {
            Some(ledger) if name != LEDGER => format!(
                "[ledger.at]\nnode = \"{}\"\naddress = \"{}\"\n",
                ledger.key, ledger.address
            ),
            _ => "[ledger.here]\n".to_owned(),
        };
        format!(
            "data = {data:?}\nnetwork = \"proof\"\nlisten = [{listen:?}]\n\
             public = true\nprovide = {is_provider}\n[capacity]\ncores = {cores}\ndisk = \"1GiB\"\n\
             {books}[api]\nlisten = \"127.0.0.1:0\"\n"
        )
    }

    pub fn node(&mut self, name: &str) -> &mut Process {
        self.nodes.get_mut(name).unwrap()
    }

    /// Takes the process away in the middle of whatever it does.
    pub fn kill(&mut self, name: &str) {
        drop(self.nodes.remove(name).unwrap());
    }

    /// Halts the process: it is there, and does nothing.
    pub fn halt(&self, name: &str) {
        self.nodes[name].signal(Signal::STOP);
    }

    pub fn go_on(&self, name: &str) {
        self.nodes[name].signal(Signal::CONT);
    }

    pub fn is_running(&self, name: &str) -> bool {
        self.nodes.contains_key(name)
    }

    /// Whether a provider runs something.
    pub fn runs(&mut self, name: &str) -> bool {
        let status = self.node(name).client().node().unwrap();
        status.provider.unwrap().running > 0
    }

    /// The requester's API.
    pub fn client(&self) -> Client {
        self.nodes[REQUESTER].client()
    }
}

/// Jobs.
impl Net {
    /// Has the letters of a text counted by so many. `number` makes jobs of one text differ.
    pub fn submit(&mut self, text: &[u8], number: u8, replicas: u8) -> JobId {
        let input = Some(self.put(text));
        let plan = Plan::One { input };
        self.submit_plan(JOB, plan, number, replicas)
    }

    /// Gives the requester a blob.
    pub fn put(&self, bytes: &[u8]) -> Hex {
        let blob = self.client().put_blob(bytes, Some(bytes.len() as u64));
        blob.unwrap().digest
    }

    /// Has a program run by so many.
    pub fn submit_plan(&mut self, program: &[u8], plan: Plan, number: u8, replicas: u8) -> JobId {
        let client = self.client();
        let program = ProgramRef::Digest(self.put(program));
        let mut request = JobRequest::new(program, plan);
        request.limits.memory = Some(opensky_api::Bytes::saturating(256 << 20));
        request.replicas = Some(Replicas::Exactly(replicas));
        request.entropy = Some(Hex([number; 32]));
        let job = client.submit(&request).unwrap().job.unwrap();
        self.jobs.push(job);
        job
    }

    pub fn job(&self, job: JobId) -> Job {
        self.client().job(&job.into()).unwrap()
    }

    pub fn why(&self, job: JobId) -> Why {
        let client = self.client();
        client.why(&job.into(), &PageQuery::default()).unwrap()
    }

    /// Waits until a job is over, and has counted the letters of that text.
    pub fn ends(&self, job: JobId, text: &[u8]) {
        let output = self.output(job);
        assert_eq!(counts(&output), letters(text), "{:?}", self.why(job));
    }

    /// Waits until a job is over, and has a result. Returns its output.
    pub fn output(&self, job: JobId) -> String {
        let is_over = || self.job(job).summary.state == JobState::Ended;
        let why = || format!("{:?}", self.why(job));
        until_or("the job is over", is_over, why);
        let summary = self.job(job).summary;
        let why = self.why(job);
        let ending = format!("{:?}", summary.ending);
        assert!(ending.contains("Result(Ok)"), "{ending}: {why:?}");
        assert!(summary.verified >= Some(1), "{summary:?}");
        let mut output = String::new();
        let mut reader = self.client().output(&job.into()).unwrap();
        reader.read_to_string(&mut output).unwrap();
        output
    }

    /// What a provider's turn at a job of one unit is at, in words; the last one of several.
    pub fn turn(&self, job: JobId, provider: &str) -> String {
        let node = NodeId::from(self.keys[provider]);
        let why = self.why(job);
        let turns = why.units.items.iter().flat_map(|unit| &unit.turns);
        let mut own = turns.rev().filter(|turn| turn.provider == node);
        own.next().map_or(String::new(), |turn| turn.state.clone())
    }

    /// Waits until a provider's turn is there and at nothing of that any more.
    pub fn wait_past(&self, job: JobId, provider: &str, states: &[&str]) {
        until(&format!("{provider}'s turn is past {states:?}"), || {
            let turn = self.turn(job, provider);
            let is_at = |state: &&str| turn.starts_with(state);
            !turn.is_empty() && !states.iter().any(is_at)
        });
    }
}

/// How often each pair of bytes is in a text, as the guest writes it: more than once.
fn letters(text: &[u8]) -> Vec<(String, u32)> {
    let mut table = vec![0; 1 << 16];
    for pair in text.windows(2) {
        table[usize::from(u16::from_be_bytes([pair[0], pair[1]]))] += 1;
    }
    let often = (0..=u16::MAX).zip(table).filter(|(_, count)| *count > 1);
    often
        .map(|(pair, count)| (format!("{pair:04x}"), count))
        .collect()
}

/// The same from what the guest wrote.
fn counts(output: &str) -> Vec<(String, u32)> {
    let read = |line: &str| {
        let mut words = line.split(' ');
        let pair = words.next().unwrap().to_owned();
        (pair, words.next().unwrap().parse().unwrap())
    };
    output.lines().map(read).collect()
}

/// A text that nobody has seen before, of a few letters.
pub fn text(len: usize, number: u8) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(number);
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'a' + (state >> 40) as u8 % 16
    };
    (0..len).map(letter).collect()
}

/// Money.
impl Net {
    /// Waits until all that providers have earned is paid, ends everybody, and then looks at the books.
    pub fn adds_up(mut self) {
        let jobs: Vec<_> = self.jobs.iter().map(|job| self.job(*job).summary).collect();
        is_paid(&self.client(), &jobs);
        for name in self.keys.keys().rev() {
            if let Some(process) = self.nodes.remove(name) {
                let log = process.log();
                assert!(process.stop().success(), "{name} ends badly:\n{log}");
            }
        }

        let file = self.data(LEDGER).join("ledger.redb");
        add_up(&file, "development", &self.keys, &jobs);
    }
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| match entry.path() {
        path if path.is_dir() => files(&path),
        path => vec![path],
    });
    below.collect()
}
