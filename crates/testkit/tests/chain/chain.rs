//! A chain as a process of the real node, with the real runtime, on a free port of loopback.

use std::{
    env,
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use opensky_protocol::{Digest, codec, ledger::Terms};
use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process, set_parent_process_death_signal,
};
use serde_json::{Value, json};

use crate::{
    process::{PATIENCE, until},
    world::Party,
};

const BUILD: &str = "cargo xtask runtime --node --upgrade";
/// Where the chain keeps its terms: the hashes of `Providers` and `CurrentTerms`.
const TERMS: &str = "0x0eae9bd3cafa0c7d3dc23094bd80dcab92e03dfcc2b0c7595b27049c43bb3a7d";

/// What each chain here begins with: a faucet, something at stake, and phases of seconds.
pub fn terms() -> Terms {
    Terms {
        existential: 1_000_000,
        claims: 5_000,
        objections: 1_000,
        verdicts: 1_000,
        unbonding: 8_000,
        penalty: 100,
        objection_bond: 60,
        arbiter: Some(Party::new(9).account()),
        ..Terms::DEVELOPMENT
    }
}

/// A chain that runs, or does not for now. Killed when dropped, and when the test ends in whatever way.
pub struct Chain {
    folder: tempfile::TempDir,
    seal: &'static str,
    port: u16,
    process: Option<Child>,
}

impl Chain {
    /// Begins one whose blocks are made in that way.
    pub fn start(seal: &'static str) -> Self {
        Self::with_terms(seal, terms())
    }

    pub fn with_terms(seal: &'static str, terms: Terms) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut spec: Value = serde_json::from_slice(&fs::read(spec()).unwrap()).unwrap();
        spec["genesis"]["raw"]["top"][TERMS] = json!(hex(&codec::encode(&terms)));
        fs::write(folder.path().join("spec.json"), spec.to_string()).unwrap();
        let mut chain = Self {
            folder,
            seal,
            port: 0,
            process: None,
        };
        chain.begin();
        chain
    }

    /// Starts the process, where it was if it ran before.
    pub fn begin(&mut self) {
        let path = self.folder.path();
        let log = File::options()
            .append(true)
            .create(true)
            .open(path.join("log"));
        let mut command = Command::new(program());
        command
            .args([
                "run",
                "--control",
                "--seal",
                self.seal,
                "--port",
                &self.port.to_string(),
                "--spec",
            ])
            .arg(path.join("spec.json"))
            .arg("--data")
            .arg(path.join("data"))
            .arg("--cache")
            .arg(cache().join("native"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.unwrap());
        die_with(&mut command, getpid());
        let process = self.process.insert(command.spawn().unwrap());
        let said = first_line(process);
        let port = said.trim().rsplit(':').next().unwrap();
        self.port = port
            .parse()
            .unwrap_or_else(|_| panic!("it is not ready: {}", self.log()));
    }

    /// SIGKILL: nothing is written at the end.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Everything that it had is gone.
    pub fn forget(&self) {
        fs::remove_dir_all(self.folder.path().join("data")).unwrap();
    }

    /// Keeps what it has now, for the time when it loses the rest. It must not run.
    pub fn keep(&self) {
        self.copy("data", "kept");
    }

    /// It has what was kept, and nothing since. It must not run.
    pub fn lose(&self) {
        self.forget();
        self.copy("kept", "data");
    }

    fn copy(&self, from: &str, to: &str) {
        let mut command = Command::new("cp");
        command
            .args(["-r", "-T", from, to])
            .current_dir(self.folder.path());
        assert!(command.status().unwrap().success());
    }

    /// It is there, and does nothing.
    pub fn halt(&self) {
        self.signal(Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().unwrap();
        let pid = Pid::from_raw(process.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections to it that are open.
    pub fn connections(&self) -> usize {
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let here = format!("0100007F:{:04X}", self.port);
        let is_open = |line: &&str| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.get(2) == Some(&here.as_str()) && words.get(3) == Some(&"01")
        };
        table.lines().filter(is_open).count()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// What can be asked of it over JSON-RPC.
impl Chain {
    pub fn ask(&self, method: &str, params: Value) -> Value {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let json = answer.split("\r\n\r\n").nth(1).unwrap();
        let answer: Value = serde_json::from_str(json).unwrap_or_else(|_| panic!("{answer}"));
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The last finalized block's.
    pub fn finalized(&self) -> String {
        let hash = self.ask("chain_getFinalizedHead", json!([]));
        hash.as_str().unwrap().to_owned()
    }

    /// The number of the last finalized block.
    pub fn height(&self) -> u64 {
        let head = self.ask("chain_getHeader", json!([self.finalized()]));
        let digits = head["number"].as_str().unwrap();
        u64::from_str_radix(digits.trim_start_matches("0x"), 16).unwrap()
    }

    /// A new block upon the last one, finalized.
    pub fn seal(&self) -> String {
        self.seal_upon(&self.finalized(), true)
    }

    /// A new block upon that one, and its hash.
    pub fn seal_upon(&self, parent: &str, finalize: bool) -> String {
        let sealed = self.ask("engine_createBlock", json!([true, finalize, parent]));
        sealed["hash"].as_str().unwrap().to_owned()
    }

    /// Moves its clock on, from the next block on.
    pub fn pass(&self, millis: u64) {
        self.ask("clock_pass", json!([millis]));
    }

    pub fn finalize(&self, block: &str) {
        let done = self.ask("engine_finalizeBlock", json!([block, null]));
        assert_eq!(done, json!(true));
    }

    /// Transactions of a block, beside the one that says what time it is.
    pub fn transactions(&self, block: &str) -> usize {
        let block = self.ask("chain_getBlock", json!([block]));
        block["block"]["extrinsics"].as_array().unwrap().len() - 1
    }

    /// Transactions that wait for a block.
    pub fn waiting(&self) -> usize {
        let waiting = self.ask("author_pendingExtrinsics", json!([]));
        waiting.as_array().unwrap().len()
    }

    /// Waits until so many transactions wait for a block.
    pub fn wait_for(&self, count: usize) {
        until(&format!("{count} transactions wait"), || {
            self.waiting() >= count
        });
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // Fails where it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Bytes as the chain's node reads and writes them.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    format!("0x{}", digits.collect::<String>())
}

pub fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.strip_prefix("0x").unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// What the process says first.
fn first_line(process: &mut Child) -> String {
    let stdout = process.stdout.take().unwrap();
    let (send, said) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        if let Some(first) = lines.next() {
            drop(send.send(first));
        }
        lines.for_each(drop);
    });
    said.recv_timeout(PATIENCE).unwrap_or_default()
}

/// Has the process killed when this thread ends: that is the test's.
#[allow(unsafe_code)]
fn die_with(command: &mut Command, parent: Pid) {
    let prepare = move || -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended before.
        match getppid() == Some(parent) {
            true => Ok(()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    // SAFETY: between fork and exec it makes two system calls, and allocates nothing.
    unsafe { command.pre_exec(prepare) };
}

/// The specification of a chain with the runtime: made once for each runtime, and kept.
fn spec() -> PathBuf {
    let runtime = find(
        "OPENSKY_RUNTIME",
        "wasm32v1-none/release/opensky_chain_runtime.wasm",
    );
    let folder = cache();
    fs::create_dir_all(&folder).unwrap();
    // One makes it, the others wait.
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let digest = Digest::of(&fs::read(&runtime).unwrap());
    let file = folder.join(format!("{digest}.json"));
    if !file.is_file() {
        let mut command = Command::new(program());
        command.args(["spec", "--runtime"]).arg(&runtime);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let new = file.with_extension("new");
        fs::write(&new, output.stdout).unwrap();
        fs::rename(new, &file).unwrap();
    }
    file
}

fn program() -> PathBuf {
    find("OPENSKY_CHAIN_NODE", "debug/opensky-chain-node")
}

fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("chain")
}

/// The file that a variable names, or one in the chain's target folder, which is in the testkit's own.
pub fn find(variable: &str, built: &str) -> PathBuf {
    let file = match env::var_os(variable) {
        Some(named) => named.into(),
        None => {
            let target = Path::new(env!("CARGO_BIN_EXE_bad-node")).parent();
            target
                .and_then(Path::parent)
                .unwrap()
                .join("chain")
                .join(built)
        }
    };
    assert!(
        file.is_file(),
        "there is no {}: build it with {BUILD}",
        file.display()
    );
    file
}
