//! A devnet of real processes: what it computes is what `opensky run` computes, whoever lies in it.

mod session;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use session::{
    Ran, Session, cat,
    devnet::{Devnet, ended, passing, send},
    example, root, text, wat,
};

/// Processes that have the person's folder on their command line.
fn processes(person: &Session) -> usize {
    running(person, "").len()
}

/// Those of them that have this there, too.
fn running(person: &Session, word: &str) -> Vec<u32> {
    let folder = text(person.folder());
    let all = fs::read_dir("/proc").expect("this is Linux");
    let process = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        let line = fs::read(path.join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line);
        let id = path.file_name()?.to_str()?.parse().ok()?;
        (line.contains(&folder) && line.contains(word)).then_some(id)
    };
    all.filter_map(process).collect()
}

fn gone_within(person: &Session, most: Duration) -> bool {
    let until = Instant::now() + most;
    while processes(person) > 0 {
        if Instant::now() > until {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

fn has_bad_node() -> bool {
    let own = Path::new(env!("CARGO_BIN_EXE_opensky"));
    own.with_file_name("bad-node").is_file()
}

/// An opensky that was installed elsewhere: beside it is nothing that was built with it.
#[test]
fn installed_program_is_told_which_variables_name_what_is_not_beside_it() {
    let person = Session::new();
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let installed = place.path().join("bin/opensky");
    fs::create_dir(place.path().join("bin")).expect("a folder");
    fs::hard_link(env!("CARGO_BIN_EXE_opensky"), &installed).expect("on the same disk");
    let variables = ["OPENSKY_CHAIN_NODE", "OPENSKY_RUNTIME", "OPENSKY_BAD_NODE"];
    let cases: [(&[&str], &[&str]); 2] = [
        (&["--chain"], &variables[..2]),
        (&["--bad", "lie:1"], &variables[2..]),
    ];
    for (args, named) in cases {
        let mut command = Command::new(&installed);
        command.arg("devnet").args(args);
        for variable in variables {
            command.env_remove(variable);
        }
        Ran::of(person.at_home(&mut command)).refuses(2, named);
    }
}

#[test]
fn network_computes_what_this_machine_computes_and_leaves_nothing_behind() {
    let person = Session::with_warm_cache();
    let bad: &[&str] = match has_bad_node() {
        true => &["--bad", "lie:1"],
        false => {
            println!("without a liar: `cargo build -p opensky-testkit --bins` makes one");
            &[]
        }
    };
    let devnet = Devnet::start(
        &person,
        &[&["--providers", "3", "--seed", "1"], bad].concat(),
    );
    person
        .opensky(&["node", "status"])
        .is(0, &["nothing: it is a requester only"]);
    person.opensky(&["offers"]).is(0, &["p-"]);

    encrypted(&person);
    hello(&person);
    failing(&person);
    unrunnable(&person);
    waiting(&person);
    census(&person);
    logs(&person);
    interrupted(&person);
    deployed(&person);
    person.opensky(&["job", "list"]).is(0, &["j-", "ok"]);
    person
        .opensky(&["wallet", "balance"])
        .is(0, &["SKY", "play money"]);
    person.opensky(&["wallet", "history"]).is(0, &["SKY"]);

    assert!(
        processes(&person) >= 5,
        "a ledger, three providers, a requester"
    );
    assert_eq!(devnet.end(), Some(0));
    assert!(gone_within(&person, Duration::from_secs(5)));
    let left: Vec<_> = fs::read_dir(passing(&person)).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    person
        .opensky(&["job", "list"])
        .refuses(4, &["no node runs in"]);
}

/// Whether a file below the folder has these bytes in it.
fn is_kept(folder: &Path, bytes: &[u8]) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.any(|path| match path.is_dir() {
        true => is_kept(&path, bytes),
        false => {
            let held = fs::read(&path).expect("it is ours");
            held.windows(bytes.len()).any(|window| window == bytes)
        }
    })
}

fn encrypted(person: &Session) {
    let (hello, input) = (example("hello"), "Grace, of whom nobody may know\n");
    let program = fs::read(&hello).expect("it was built");
    person.write("secret", input);
    let order = ["job", "run", &hello, "--input", "secret", "--replicas", "2"];
    let more = ["--encrypt", "--receipt", "secret.receipt"];
    let hidden = person.opensky(&[&order[..], &more].concat());
    let check = "verify secret.receipt --content-key KEY --component PROGRAM --input INPUT";
    hidden.is(0, &["verified 2/", "opensky job key j-", check]);
    assert_eq!(hidden.text(), format!("Hello, {}!\n", input.trim()));
    let kept = || {
        let parts = [input.as_bytes(), &program];
        parts.map(|bytes| is_kept(&person.data(), bytes))
    };
    assert_eq!(kept(), [false, false], "neither input nor program");
    disclosed(person, &hello, &hidden);
    person.opensky(&["job", "list"]).is(0, &["encrypted"]);
    person.opensky(&order).is(0, &["verified 2/"]);
    assert_eq!(kept(), [true, true], "what is open is kept, to be checked");
}

/// What is said of the key, and of checking with it, works as it is said.
fn disclosed(person: &Session, program: &str, hidden: &Ran) {
    let said = hidden.stderr.split("opensky job key ").nth(1);
    let job = said.and_then(|said| said.split_whitespace().next());
    let key = person.opensky(&["job", "key", job.expect("it names the job")]);
    let digits = key.text().trim().to_owned();
    let check = format!("verify RECEIPT --content-key {digits} --component PROGRAM --input INPUT");
    key.is(0, &[&check]);
    let check = check.replace("RECEIPT", "secret.receipt");
    let check = check.replace("PROGRAM", program).replace("INPUT", "secret");
    let check: Vec<&str> = check.split(' ').collect();
    person.opensky(&check).is(0, &["match"]);
    let missing = ["encrypted job", "key", "opensky job key", "--content-key"];
    let receipt = ["verify", "secret.receipt"];
    person.opensky(&receipt).refuses(3, &missing);
    let given = ["--component", program, "--input", "secret"];
    let given = [&receipt[..], &given].concat();
    person.opensky(&given).refuses(3, &missing);
}

/// A job that waits in vain says so, and why, to whoever waits for it.
fn waiting(person: &Session) {
    let hello = example("hello");
    let order = ["job", "run", &hello, "--input", "name", "--deadline", "3m"];
    let label = "3 of 3 nodes: its label `region` is not what is required: opensky job why j-";
    // Whoever was caught with a lie is not asked.
    let short = "of 4 results, and waits for another operator";
    let known = "operators can run it: each unit waits";
    let cases: [(&[&str], &[&str]); 2] = [
        (&["--require", "region=mars"], &[label]),
        (&["--replicas", "4"], &[known, short]),
    ];
    for (more, words) in cases {
        let mut running = person.command(&[&order[..], more].concat());
        let mut running = running.stderr(Stdio::piped()).spawn().expect("it starts");
        let mut said = BufReader::new(running.stderr.take().expect("it is piped")).lines();
        for word in words {
            let mut heard = Vec::new();
            let mut lines = said.by_ref().map_while(Result::ok);
            let found = lines.any(|line| {
                heard.push(line);
                heard.last().is_some_and(|line| line.contains(word))
            });
            assert!(found, "it never says `{word}`: {}", heard.join("\n"));
        }
        send("-INT", running.id());
        assert_eq!(ended(&mut running), Some(130));
        let rest: Vec<String> = said.map_while(Result::ok).collect();
        let cancel = rest
            .iter()
            .find_map(|line| line.split("opensky job cancel ").nth(1));
        let job = cancel.expect("it says how to end it").trim();
        person
            .opensky(&["job", "cancel", job])
            .is(0, &["cancelled"]);
    }
    let dry = [&order[..], &["--replicas", "64", "--dry-run"]].concat();
    person
        .opensky(&dry)
        .is(0, &["64 asked, ", "operators can run it"]);
    let dry = [&order[..], &["--replicas", "65", "--dry-run"]].concat();
    person
        .opensky(&dry)
        .refuses(3, &["no unit is run by more than 64 operators"]);
    let poor = [&order[..], &["--max-price", "1pSKY"]].concat();
    person
        .opensky(&poor)
        .refuses(3, &["one provider may cost", "--fuel"]);
}

fn hello(person: &Session) {
    let hello = example("hello");
    person.write("name", "Ada\n");
    let here = person.opensky(&["run", &hello, "--input", "name"]);
    let there = person.opensky(&[
        "job",
        "run",
        &hello,
        "--input",
        "name",
        "--replicas",
        "2",
        "--receipt",
        "r",
    ]);
    there.is(0, &["fuel", "Gfuel", "price", "verified 2/", "receipt r-"]);
    assert_eq!(here.stdout, there.stdout);
    person.opensky(&["verify", "r"]).is(0, &["match"]);
    let given = ["-v", "job", "run", &hello, "--input", "name"];
    person.opensky(&given).is(0, &["the node has a blob"]);
    let full = fs::File::create("/dev/full").expect("every Linux has it");
    let given = ["job", "run", &hello, "--input", "name"];
    let undelivered = Ran::of(person.command(&given).stdout(full));
    undelivered.is(4, &["No space left", "opensky job result j-"]);
    person
        .opensky(&["job", "list", "--limit", "0"])
        .refuses(2, &["1 or more"]);
    rehearsed(person);
    let failing = person.opensky(&["job", "run", &hello, "--input", "/dev/null"]);
    failing.is(1, &["err"]);
}

/// A dry run tells what would be, of however many shards, and leaves nothing anywhere.
fn rehearsed(person: &Session) {
    let census = example("unsafe-census");
    let lines: String = (0..20_000)
        .map(|at| format!("line {at} of many\n"))
        .collect();
    person.write("many", &lines);
    let dry = [
        "-v",
        "job",
        "run",
        &census,
        "-i",
        "many",
        "--shard-lines",
        "1",
        "--dry-run",
    ];
    let ran = person.opensky(&dry);
    ran.is(0, &["20000 shards", "at most", "replicas"]);
    assert!(!ran.stderr.contains("the node has"), "{}", ran.stderr);
    assert!(
        !is_kept(&person.data(), b"line 19999 of many"),
        "it keeps a shard"
    );
    let hello = example("hello");
    for (flag, number) in [
        ("--shard-lines", "1"),
        ("--partitions", "4"),
        ("--steps", "9"),
    ] {
        for command in [&["run"][..], &["job", "run"]] {
            let plain = [command, &[&hello, "--input", "name", flag, number]].concat();
            person
                .opensky(&plain)
                .refuses(2, &[flag, "leave", "help: "]);
        }
    }
    let late = ["job", "run", &hello, "--deadline", "999999999h"];
    person.opensky(&late).refuses(2, &["30d at most"]);
    let dear = [
        "job",
        "run",
        &hello,
        "--input",
        "name",
        "--fuel",
        "1200G",
        "--dry-run",
    ];
    person
        .opensky(&dear)
        .is(0, &[" of 3 nodes: one requester may owe", "--fuel"]);
}

/// A program that fails gives, says and ends with what it does here.
fn failing(person: &Session) {
    let corpus = |name: &str| text(&root().join("crates/testkit/corpus").join(name));
    let (files, bytes) = (corpus("rust-wasip2/files.wasm"), corpus("inputs/bytes"));
    person.write("quiet.wat", wat("(call $exit (i32.const 3))"));
    let divide = "(drop (i32.div_s (i32.const 1) (i32.const 0)))";
    person.write("divides.wat", wat(divide));
    person.write("endless.wat", wat("(loop $on (br $on))"));
    let noise = "(loop $on (call $write (i32.const 2) (i32.const 4096)) (br $on))";
    person.write("noisy.wat", wat(noise));
    let limit = "limit: the limit on bytes of log was reached";
    let cases: [(&str, &[&str], &str); 6] = [
        ("noisy.wat", &[], limit),
        (&files, &[], "err: exit code 1\n"),
        (&files, &["--encrypt"], "err: exit code 1\n"),
        ("quiet.wat", &[], "err: exit code 3\n"),
        ("divides.wat", &[], "trap"),
        ("endless.wat", &[], "out-of-fuel: the unit needs more"),
    ];
    for (at, (program, more, outcome)) in cases.into_iter().enumerate() {
        let run = |command: &[&str], place: &str, more: &[&str]| {
            let place = format!("{place}-{at}");
            let output = format!("{place}.output");
            let given = [program, "--input", &bytes, "--fuel", "100M"];
            let places = ["--output", &output, "--out", &place];
            let ran = person.opensky(&[command, &given, &places, more].concat());
            ran.is(1, &["outcome  "]);
            let said = ran.stderr.split("outcome  ").nth(1).expect("an outcome");
            assert!(said.trim_start().starts_with(outcome), "{}", ran.stderr);
            let files = files_in(&person.folder().join(place), Path::new(""));
            (ran, person.read(&output), files)
        };
        let here = run(&["run"], "here", &[]);
        let more = [&["--replicas", "2"], more].concat();
        let there = run(&["job", "run"], "there", &more);
        there.0.is(1, &["verified 2/", "opensky job logs j-"]);
        if outcome == "trap" {
            there.0.is(1, &["wasm backtrace", "divide by zero"]);
        }
        assert_eq!(here.1, there.1, "the output of {program}");
        assert_eq!(here.2, there.2, "the files of {program}");
        assert_eq!(here.2.is_empty(), program != files);
    }
}

/// A program that no machine can run has no result, and it is said on whose machines it failed.
fn unrunnable(person: &Session) {
    person.write("deep.wat", wat("(drop (call $recurse))"));
    let order = [
        "job",
        "run",
        "deep.wat",
        "--input",
        "name",
        "--profile",
        "0",
    ];
    let ran = person.opensky(&[&order[..], &["--replicas", "2"]].concat());
    let reason = "the call stack was exhausted";
    ran.is(5, &["cannot be run", reason]);
    let why = ran.stderr.split("opensky job why ").nth(1);
    let job = why.and_then(|why| why.split_whitespace().next());
    let why = person.opensky(&["job", "why", job.expect("it says how to know why")]);
    let hosts = format!("{reason}, on machines of 2 operators");
    why.is(0, &[&hosts, &format!("failed: {reason}")]);
}

/// The files in a folder below that one, with what is in them.
fn files_in(root: &Path, folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(root.join(folder)).into_iter().flatten() {
        let name = folder.join(entry.expect("it is ours").file_name());
        match root.join(&name).is_dir() {
            true => files.extend(files_in(root, &name)),
            false => drop(files.insert(name.clone(), fs::read(root.join(&name)).expect("ours"))),
        }
    }
    files
}

fn census(person: &Session) {
    let census = example("unsafe-census");
    let inputs: Vec<_> = (0..3)
        .map(|at| text(&person.write(&format!("{at}.crate"), format!("no archive {at}"))))
        .collect();
    let inputs: Vec<_> = inputs
        .iter()
        .flat_map(|file| ["-i", file.as_str()])
        .collect();
    let more = ["--partitions", "2"];
    let here = person.opensky(&[&["run", &census], &more[..], &inputs].concat());
    here.is(0, &[]);
    let there = [
        &["job", "run", &census, "--replicas", "2"],
        &more[..],
        &inputs,
    ]
    .concat();
    let there = person.opensky(&there);
    there.is(0, &["verified 2/"]);
    assert_eq!(here.stdout, there.stdout);
}

/// What is shown of logs ends with the job, or when all are shown that were asked for.
fn logs(person: &Session) {
    let repeat = "(call $read (i32.const 0)) (call $write (i32.const 2) (global.get $count))";
    person.write("loud.wat", wat(repeat));
    person.write("word", "remarkable\n");
    let order = ["job", "submit", "loud.wat", "--input", "word"];
    let submitted = person.opensky(&[&order[..], &["--replicas", "2"]].concat());
    let id = submitted.is(0, &["j-"]).text().trim().to_owned();
    let shown = |more: &[&str]| {
        let ran = person.opensky(&[&["job", "logs", &id], more].concat());
        ran.is(0, &["as p-"]).text().matches("remarkable").count()
    };
    assert!(shown(&["--follow"]) >= 2, "each of the two said it");
    assert_eq!(shown(&["--follow", "--limit", "1"]), 1);
    assert_eq!(shown(&["--limit", "1"]), 1);
}

/// Nobody takes the output, and nobody waits until somebody does.
fn interrupted(person: &Session) {
    person.write("cat.wat", cat());
    person.write("long", vec![b'x'; 1 << 20]);
    let order = ["job", "run", "cat.wat", "--input", "long"];
    let mut running = person.command(&[&order[..], &["--replicas", "2"]].concat());
    let running = running.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = running.spawn().expect("it starts");
    let mut stdout = running.stdout.take().expect("it is piped");
    stdout.read_exact(&mut [0]).expect("there is an output");
    send("-INT", running.id());
    assert_eq!(ended(&mut running), Some(130));
    let mut said = String::new();
    let mut stderr = running.stderr.take().expect("it is piped");
    stderr.read_to_string(&mut said).expect("text");
    assert!(
        said.contains("not all that came of the job is here"),
        "{said}"
    );
    assert!(said.contains("opensky job result j-"), "{said}");
}

fn deployed(person: &Session) {
    let hello = example("hello");
    person
        .opensky(&["deploy", &hello, "--name", "greeter"])
        .is(0, &["d-", "greeter", " s ago"]);
    let nothing = person.opensky(&["job", "run", "greter", "--input", "name"]);
    nothing.refuses(2, &["greter", "deployed greeter"]);
    let submitted = person.opensky(&["job", "submit", "greeter", "--input", "name"]);
    submitted.is(0, &["j-"]);
    let id = submitted.text().trim().to_owned();
    person.opensky(&["job", "list"]).is(0, &["greeter"]);
    let result: Ran = person.opensky(&["job", "result", &id, "--wait"]);
    assert_eq!(result.is(0, &["verified"]).text(), "Hello, Ada!\n");
    person.opensky(&["job", "why", &id]).is(0, &["agree"]);
    person
        .opensky(&["job", "show", &id])
        .is(0, &["ok", "agree"]);
}

#[test]
fn killed_devnet_takes_its_processes_with_it() {
    let person = Session::with_warm_cache();
    let devnet = Devnet::start(&person, &["--providers", "1"]);
    assert!(processes(&person) >= 3);
    devnet.kill();
    assert!(gone_within(&person, Duration::from_secs(5)));
    person
        .opensky(&["job", "list"])
        .refuses(4, &["no node runs in"]);
}

#[test]
fn what_a_killed_devnet_left_is_removed_by_the_next() {
    let person = Session::with_warm_cache();
    let left = || -> Vec<_> {
        let entries = fs::read_dir(passing(&person)).expect("a folder");
        entries.map(|entry| entry.expect("ours").path()).collect()
    };
    Devnet::start(&person, &["--providers", "1"]).kill();
    assert!(gone_within(&person, Duration::from_secs(5)));
    let killed = left();
    assert_eq!(killed.len(), 1, "{killed:?}");
    let first = Devnet::start(&person, &["--providers", "1"]);
    let lives = left();
    assert!(lives.len() == 1 && lives != killed, "{lives:?}");
    let second = Devnet::start(&person, &["--providers", "1"]);
    assert_eq!(left().len(), 2);
    assert_eq!((first.end(), second.end()), (Some(0), Some(0)));
    assert_eq!(left(), [] as [PathBuf; 0]);
}

#[test]
fn whoever_waits_for_a_job_is_told_that_it_ended_with_its_devnet() {
    let person = Session::with_warm_cache();
    let devnet = Devnet::start(&person, &["--providers", "1"]);
    person.write("cat.wat", cat());
    person.write("in.txt", "never read");
    let order = ["job", "run", "cat.wat", "--input", "in.txt"];
    let mut waiting = person.command(&[&order[..], &["--require", "region=mars"]].concat());
    let mut waiting = Killed(waiting.stderr(Stdio::piped()).spawn().expect("it starts"));
    let stderr = waiting.0.stderr.take().expect("it is piped");
    let mut said = BufReader::new(stderr).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("job j-")), "it is taken on");
    devnet.interrupt();
    devnet.says("ending: all that the nodes have is removed");
    assert_eq!(devnet.ended(), Some(0));
    let said: Vec<String> = said.collect();
    let said = said.join("\n");
    assert_eq!(ended(&mut waiting.0), Some(4), "{said}");
    for word in ["the node is gone", "and the job j-", "--data DIR"] {
        assert!(said.contains(word), "{said}");
    }
    assert!(!said.contains("start it again"), "{said}");
}

#[test]
fn kept_devnet_goes_on_with_its_money_and_its_jobs() {
    let person = Session::with_warm_cache();
    let args = ["--providers", "1", "--seed", "7", "--data", "net"];
    let devnet = Devnet::start(&person, &args);
    person.write("cat.wat", cat());
    person.write("in.txt", "kept");
    let run = ["job", "run", "cat.wat", "--input", "in.txt"];
    let run = [&run[..], &["--replicas", "1"]].concat();
    person.opensky(&run).is(0, &["kept", "verified 1/1"]);
    let called = || fs::read_to_string(person.folder().join("net/join.toml")).expect("a file");
    let name = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("network"))
            .map(str::to_owned)
    };
    let before = (
        name(&called()),
        person.json(&["node", "status"]).1["ledger"]["id"].clone(),
    );
    let second = Devnet::begin(&person, &args);
    let refused = second.says("error: ");
    assert!(refused.contains("another devnet runs in"), "{refused}");
    devnet.interrupt();
    devnet.says("goes on with it: opensky devnet --providers 1 --seed 7 --data");
    assert_eq!(devnet.ended(), Some(0));

    let devnet = Devnet::start(&person, &args);
    let after = (
        name(&called()),
        person.json(&["node", "status"]).1["ledger"]["id"].clone(),
    );
    assert_eq!(after, before);
    person.opensky(&["job", "list"]).is(0, &["j-", "ok"]);
    person.opensky(&["wallet", "history"]).is(0, &["set aside"]);
    person.write("in.txt", "goes on");
    person.opensky(&run).is(0, &["goes on", "verified 1/1"]);
    assert_eq!(devnet.end(), Some(0));
}

#[test]
fn data_folder_of_one_devnet_is_refused_by_another() {
    let person = Session::with_warm_cache();
    let join = |network: &str| {
        let config = text(&person.folder().join(network).join("join.toml"));
        let start = ["node", "start", "--data", "mine", "--api", "127.0.0.1:0"];
        let mut all: Vec<String> = start.map(str::to_owned).into();
        all.extend(["--format".into(), "json".into(), "--config".into(), config]);
        all
    };
    let first = Devnet::start(
        &person,
        &["--providers", "1", "--seed", "7", "--data", "one"],
    );
    let args = join("one");
    let mut joined = person.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let joined = joined.stdout(Stdio::piped()).spawn();
    let mut joined = Killed(joined.expect("it starts"));
    event(&mut lines(&mut joined.0));
    send("-INT", joined.0.id());
    assert_eq!(ended(&mut joined.0), Some(0));
    assert_eq!(first.end(), Some(0));

    // The same keys, and another ledger.
    let second = Devnet::start(
        &person,
        &["--providers", "1", "--seed", "7", "--data", "two"],
    );
    let args = join("two");
    let refused = person.opensky(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let words = [
        "error: ",
        "its data folder belongs to ledger",
        "with --data DIR",
    ];
    refused.is(4, &words);
    assert!(refused.stdout.is_empty(), "{refused:?}");
    assert_eq!(second.end(), Some(0));
}

#[test]
fn devnet_that_does_not_become_ready_ends_at_ctrl_c() {
    let person = Session::new();
    let provider = person.folder().join("kept/provider-1");
    fs::create_dir_all(&provider).expect("a folder");
    // Nobody ever writes the key that it reads.
    let made = Command::new("mkfifo")
        .arg(provider.join("node.key"))
        .status();
    assert!(made.expect("mkfifo starts").success());
    let devnet = Devnet::begin(&person, &["--providers", "1", "--data", "kept"]);
    let until = Instant::now() + Duration::from_secs(60);
    while running(&person, "provider-1.toml").is_empty() {
        assert!(Instant::now() < until, "the provider is never started");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(devnet.end(), Some(0));
    assert!(gone_within(&person, Duration::from_secs(5)));
}

#[test]
fn devnet_ends_with_its_terminal_and_leaves_nothing_behind() {
    let person = Session::new();
    let devnet = Devnet::start(&person, &["--providers", "1"]);
    assert_eq!(devnet.end_by("-HUP"), Some(0));
    assert!(gone_within(&person, Duration::from_secs(5)));
    let left: Vec<_> = fs::read_dir(passing(&person)).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn honest_node_that_dies_is_told_of_and_started_again() {
    if !has_bad_node() {
        println!("skipped: `cargo build -p opensky-testkit --bins` makes a bad one");
        return;
    }
    let person = Session::new();
    let devnet = Devnet::start(&person, &["--providers", "2", "--bad", "silent:1"]);
    let bad = running(&person, "provider-2-silent.toml");
    send("-KILL", bad[0]);
    for member in ["provider-1", "ledger", "requester"] {
        let before = running(&person, &format!("{member}.toml"));
        send("-KILL", before[0]);
        let said = devnet.says("starting it again");
        assert!(said.contains(&format!("{member} has ended")), "{said}");
        assert!(!said.contains("silent"), "{said}");
        let until = Instant::now() + Duration::from_secs(60);
        while running(&person, &format!("{member}.toml")).is_empty() {
            assert!(Instant::now() < until, "{member} is not started again");
            thread::sleep(Duration::from_millis(20));
        }
    }
    // All of them are back where the others look for them.
    let until = Instant::now() + Duration::from_secs(60);
    while !person.opensky(&["offers"]).text().contains("p-") {
        assert!(Instant::now() < until, "the requester knows no offer again");
        thread::sleep(Duration::from_millis(100));
    }
    person.write("cat.wat", cat());
    person.write("in.txt", "still here");
    let run = ["job", "run", "cat.wat", "--input", "in.txt"];
    person
        .opensky(&[&run[..], &["--replicas", "1"]].concat())
        .is(0, &["still here", "verified 1/1"]);
    assert_eq!(devnet.end(), Some(0));
    assert!(gone_within(&person, Duration::from_secs(5)));
}

#[test]
fn node_that_cannot_be_started_again_ends_the_devnet() {
    let person = Session::new();
    let folder = person.folder().join("net");
    let devnet = Devnet::start(&person, &["--providers", "1", "--data", &text(&folder)]);
    let config = folder.join("provider-1.toml");
    let before = running(&person, "provider-1.toml");
    fs::write(config, "no = configuration").expect("it is written");
    send("-KILL", before[0]);
    let said = devnet.says("error: ");
    assert!(said.contains("provider-1 has ended"), "{said}");
    assert_eq!(devnet.ended(), Some(4));
}

/// The next line of JSON that a process says on stdout.
fn event(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Value {
    let line = lines.next().expect("it says something").expect("a line");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"))
}

/// A process that a test which fails does not leave behind.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Its lines on stdout.
fn lines(process: &mut Child) -> impl Iterator<Item = std::io::Result<String>> + use<> {
    let stdout = process.stdout.take().expect("it is piped");
    BufReader::new(stdout).lines()
}

#[test]
fn programs_are_told_when_it_is_ready_and_how_a_node_joins() {
    let person = Session::new();
    fs::create_dir_all(passing(&person)).expect("a folder");
    let mut devnet = person.command(&["devnet", "--providers", "1", "--format", "json"]);
    devnet
        .env("TMPDIR", passing(&person))
        .stdout(Stdio::piped());
    let mut devnet = Killed(devnet.spawn().expect("it starts"));
    let mut said = lines(&mut devnet.0);
    let ready = event(&mut said);
    assert_eq!(
        (&ready["event"], &ready["providers"]),
        (&json!("ready"), &json!(1))
    );
    let word = |key: &str| ready[key].as_str().expect("a text").to_owned();

    let start = [
        "node",
        "start",
        "--config",
        &word("join"),
        "--format",
        "json",
    ];
    let mut joined = person.command(&start);
    let joined = joined.stdout(Stdio::piped()).spawn();
    let mut joined = Killed(joined.expect("it starts"));
    event(&mut lines(&mut joined.0));
    let until = Instant::now() + Duration::from_secs(60);
    let requester = word("node");
    let offers = || {
        person.json(&["offers", "--node", &requester]).1["offers"]
            .as_array()
            .map_or(0, Vec::len)
    };
    while offers() < 2 {
        assert!(Instant::now() < until, "the network does not hear of it");
        thread::sleep(Duration::from_millis(100));
    }
    send("-INT", joined.0.id());
    assert_eq!(ended(&mut joined.0), Some(0));
    let join = PathBuf::from(word("join"));
    let network = join.parent().expect("the devnet's folder");
    assert!(network.join("joined/node.key").exists());
    assert!(!person.folder().join("joined").exists());

    let provider = running(&person, "provider-1.toml");
    send("-KILL", provider[0]);
    let again = event(&mut said);
    assert_eq!(again["event"], "started-again");
    let why = again["because"].as_str().expect("a text");
    assert!(why.contains("provider-1 has ended"), "{why}");
    send("-INT", devnet.0.id());
    assert_eq!(ended(&mut devnet.0), Some(0));
}
