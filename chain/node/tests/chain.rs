//! The node as a process: what it seals stays, what it finalizes wins, and it says what is wrong with what it is given.
#![allow(clippy::unwrap_used)] // a scene that cannot be set fails the test

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::LazyLock,
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// In milliseconds.
const DAY: u64 = 86_400_000;
/// Where a chain keeps the time: the hashes of `Timestamp` and `Now`.
const NOW: &str = "0xf0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb";

const NODE: &str = env!("CARGO_BIN_EXE_opensky-chain-node");

/// The runtime's WebAssembly: `cargo xtask runtime` builds it, and says where it is.
fn runtime() -> PathBuf {
    let path = std::env::var_os("OPENSKY_RUNTIME");
    path.expect("OPENSKY_RUNTIME is the path of a runtime")
        .into()
}

/// A specification with that runtime, made once: the node compiles the runtime for that.
static SPEC: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let output = node(&["spec", "--runtime", runtime().to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    output.stdout
});

fn node(args: &[&str]) -> Output {
    Command::new(NODE).args(args).output().unwrap()
}

/// A chain that is run, and killed at the end.
struct Chain {
    process: Child,
    port: u16,
}

impl Chain {
    fn start(folder: &Path, seal: &str) -> Self {
        Self::run(folder, &["--control", "--seal", seal])
    }

    fn run(folder: &Path, how: &[&str]) -> Self {
        let spec = folder.join("spec.json");
        fs::write(&spec, &*SPEC).unwrap();
        let mut process = Command::new(NODE)
            .args(["run", "--port", "0"])
            .args(how)
            .arg("--spec")
            .arg(&spec)
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--cache")
            .arg(folder.join("cache"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap();
        let port = port.parse().unwrap_or_else(|_| panic!("{line}"));
        Self { process, port }
    }

    fn ask(&self, method: &str, params: Value) -> Value {
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
        serde_json::from_str(json).unwrap_or_else(|_| panic!("{answer}"))
    }

    fn hash_at(&self, number: u32) -> String {
        let answer = self.ask("chain_getBlockHash", json!([number]));
        answer["result"].as_str().unwrap_or_default().to_owned()
    }

    fn finalized(&self) -> String {
        let answer = self.ask("chain_getFinalizedHead", json!([]));
        answer["result"].as_str().unwrap().to_owned()
    }

    /// The time of a block, in Unix milliseconds.
    fn time_of(&self, block: &str) -> u64 {
        let answer = self.ask("state_getStorage", json!([NOW, block]));
        let digits = answer["result"].as_str().unwrap().trim_start_matches("0x");
        u64::from_str_radix(digits, 16).unwrap().swap_bytes()
    }

    /// A new block upon that one, and its hash.
    fn seal(&self, parent: &str, finalize: bool) -> String {
        let answer = self.ask("engine_createBlock", json!([true, finalize, parent]));
        let hash = answer["result"]["hash"].as_str();
        hash.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // SIGKILL: nothing is written at the end.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Its database writes a moment later, so the last blocks may be gone: clients have to cope with that.
#[test]
fn killed_node_goes_on_from_a_block_that_it_had() {
    let folder = TempDir::new().unwrap();
    let chain = Chain::start(folder.path(), "manual");
    let mut sealed = vec![chain.hash_at(0)];
    for number in 0..20 {
        let next = chain.seal(&sealed[number], true);
        sealed.push(next);
    }
    drop(chain);
    let chain = Chain::start(folder.path(), "manual");
    let last = chain.finalized();
    let height = sealed.iter().position(|hash| *hash == last);
    let height = height.expect("it was sealed before");
    for (number, hash) in sealed.iter().enumerate().take(height + 1) {
        assert_eq!(chain.hash_at(number as u32), *hash);
    }
    let next = chain.seal(&last, true);
    assert_eq!(chain.finalized(), next);
}

#[test]
fn branch_that_is_finalized_takes_the_place_of_the_longer_one() {
    let folder = TempDir::new().unwrap();
    let chain = Chain::start(folder.path(), "manual");
    let genesis = chain.hash_at(0);
    let longer = chain.seal(&genesis, false);
    let longer = chain.seal(&longer, false);
    assert_eq!(chain.hash_at(2), longer);
    let other = chain.seal(&genesis, false);
    assert_eq!(chain.finalized(), genesis);
    let finalized = chain.ask("engine_finalizeBlock", json!([other, null]));
    assert_eq!(finalized["result"], json!(true), "{finalized}");
    assert_eq!(chain.finalized(), other);
    assert_eq!(chain.hash_at(1), other);
}

#[test]
fn blocks_come_by_themselves_where_that_is_asked() {
    let folder = TempDir::new().unwrap();
    let chain = Chain::start(folder.path(), "20");
    while chain.hash_at(3).is_empty() {}
    assert_ne!(chain.finalized(), chain.hash_at(0));
}

#[test]
fn time_is_moved_on_for_good() {
    let folder = TempDir::new().unwrap();
    let mut chain = Chain::start(folder.path(), "manual");
    let time = |chain: &Chain| chain.time_of(&chain.seal(&chain.finalized(), true));
    let begun = time(&chain);
    for days in 1..3 {
        let passed = chain.ask("clock_pass", json!([DAY]));
        assert_eq!(passed["result"], json!(null), "{passed}");
        assert!(passed["error"].is_null(), "{passed}");
        assert!((days * DAY..(days + 1) * DAY).contains(&(time(&chain) - begun)));
    }
    drop(chain);
    chain = Chain::start(folder.path(), "manual");
    assert!(time(&chain) - begun >= 2 * DAY);
    for odd in [
        json!("a day"),
        json!(-1),
        json!(u64::MAX),
        json!(36_500 * DAY),
    ] {
        let refused = chain.ask("clock_pass", json!([odd]));
        assert!(!refused["error"].is_null(), "{refused}");
    }
    assert!(time(&chain) - begun < 3 * DAY);
}

#[test]
fn who_only_reaches_a_chain_does_not_control_it() {
    let folder = TempDir::new().unwrap();
    let chain = Chain::run(folder.path(), &["--seal", "20"]);
    for (method, params) in [
        ("clock_pass", json!([DAY])),
        ("engine_createBlock", json!([true, true, null])),
        ("engine_finalizeBlock", json!([chain.hash_at(0), null])),
        ("author_rotateKeys", json!([])),
        ("author_removeExtrinsic", json!([[]])),
    ] {
        let refused = chain.ask(method, params);
        assert!(!refused["error"].is_null(), "{method}: {refused}");
    }
}

#[test]
fn web_pages_read_no_answer() {
    let folder = TempDir::new().unwrap();
    let chain = Chain::start(folder.path(), "manual");
    let said = |host: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", chain.port)).unwrap();
        let head = format!(
            "GET /health HTTP/1.1\r\nHost: {host}\r\nOrigin: https://page.example\r\n\
             Connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_lowercase()
    };
    let own = said(&format!("127.0.0.1:{}", chain.port));
    assert!(own.starts_with("http/1.1 200"), "{own}");
    assert!(!own.contains("access-control-allow-origin"), "{own}");
    let other = said("page.example");
    assert!(other.starts_with("http/1.1 403"), "{other}");
}

#[test]
fn what_cannot_be_run_is_refused_in_words() {
    let folder = TempDir::new().unwrap();
    let garbage = folder.path().join("garbage");
    fs::write(&garbage, "{").unwrap();
    let garbage = garbage.to_str().unwrap();
    let runtime = runtime();
    let runtime = runtime.to_str().unwrap();
    let data = folder.path().to_str().unwrap();
    let cases: [(&[&str], &str); 6] = [
        (&["spec", "--runtime", "/no/such/file"], "/no/such/file"),
        (&["spec", "--runtime", garbage], "is no runtime"),
        (
            &["spec", "--runtime", runtime, "--preset", "odd"],
            "no preset `odd`",
        ),
        (
            &["run", "--spec", garbage, "--data", data],
            "is no specification",
        ),
        (
            &["run", "--spec", garbage, "--data", data, "--seal", "0"],
            "instant",
        ),
        (
            &["run", "--spec", garbage, "--data", data, "--seal", "manual"],
            "--control",
        ),
    ];
    for (args, expected) in cases {
        let output = node(args);
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{args:?}");
        assert!(words.contains(expected), "{args:?}: {words}");
    }
}
