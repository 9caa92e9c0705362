//! `opensky run` from outside: what goes in, what comes out, and with which exit code.

mod session;

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::Value;
use session::{Session, cat, example, text, wat};

#[test]
fn output_goes_to_stdout_and_the_report_to_stderr() {
    let person = Session::new();
    person.write("cat.wat", cat());
    person.write("in.txt", "some bytes\0\u{ff}");
    let ran = person.opensky(&["run", "cat.wat", "--input", "in.txt"]);
    ran.is(0, &["outcome", "fuel", "receipt", "opensky verify "]);
    assert_eq!(ran.stdout, "some bytes\0\u{ff}".as_bytes());
    assert!(!ran.stderr.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn input_may_come_from_stdin_and_output_go_to_a_file() {
    let person = Session::new();
    person.write("cat.wat", cat());
    let input = person.write("in.txt", "abc");
    let mut command = person.command(&["run", "cat.wat", "--input", "-", "-o", "out.txt"]);
    command.stdin(fs::File::open(input).expect("just written"));
    let ran = session::Ran::of(&mut command);
    ran.is(0, &[]);
    assert!(ran.stdout.is_empty());
    assert_eq!(person.read("out.txt"), b"abc");
}

#[test]
fn job_is_built_run_and_answers() {
    let person = Session::with_warm_cache();
    person.write("name.txt", "Ada\n");
    let ran = person.opensky(&["run", &example("hello"), "--input", "name.txt"]);
    ran.is(0, &["outcome"]);
    assert_eq!(ran.text(), "Hello, Ada!\n");
    person.write("empty.txt", "");
    let ran = person.opensky(&["run", &example("hello"), "--input", "empty.txt"]);
    ran.is(1, &["the input is a name, and this one is empty"]);
    assert!(ran.stdout.is_empty());
}

#[test]
fn guests_exit_code_reaches_the_report_whole() {
    let person = Session::new();
    for code in [1, 7, 255] {
        person.write("exit.wat", wat(&format!("(call $exit (i32.const {code}))")));
        let (ran, report) = person.json(&["run", "exit.wat"]);
        ran.is(1, &[]);
        assert_eq!(report["exit_code"], code);
        assert_eq!(report["outcome"], "err");
    }
    person.write("exit.wat", wat("(call $exit (i32.const 0))"));
    let (ran, report) = person.json(&["run", "exit.wat"]);
    ran.is(0, &[]);
    assert_eq!(
        (&report["exit_code"], &report["outcome"]),
        (&0.into(), &"ok".into())
    );
}

#[test]
fn each_way_to_fail_is_named_and_exits_with_1() {
    let person = Session::new();
    let outcome_of = |module: &str, args: &[&str]| {
        person.write("guest.wat", module);
        let (ran, report) = person.json(&[&["run", "guest.wat"], args].concat());
        ran.is(1, &[]);
        report["outcome"].as_str().expect("a name").to_owned()
    };
    let outcome = |body: &str, args: &[&str]| outcome_of(&wat(body), args);
    let large = wat("").replace("\"memory\") 1)", "\"memory\") 3)");
    assert_eq!(outcome_of(&large, &["--memory", "128KiB"]), "limit");
    assert_eq!(outcome("(unreachable)", &[]), "panic");
    assert_eq!(outcome("(drop (i32.load (i32.const -1)))", &[]), "trap");
    assert_eq!(
        outcome("(loop $l (br $l))", &["--fuel", "1M"]),
        "out-of-fuel"
    );
    let flood = "(loop $l (call $write (i32.const 1) (i32.const 4096)) (br $l))";
    assert_eq!(outcome(flood, &["--max-output", "64KiB"]), "limit");
}

#[test]
fn backtrace_begins_where_the_program_panicked() {
    let person = Session::new();
    person.write("guest.wat", wat("(unreachable)"));
    for profile in ["0", "1"] {
        let run = ["run", "guest.wat", "--profile", profile];
        let (ran, report) = person.json(&run);
        ran.is(1, &[]);
        let told = report["detail"].as_str().expect("a backtrace");
        assert!(told.contains("0: <unknown>!start\n"), "{told}");
        assert!(!told.contains("opensky:meter"), "{told}");
        let shown = person.opensky(&run).stderr;
        assert!(shown.contains("0: <unknown>!start\n"), "{shown}");
        assert!(!shown.contains("opensky:meter"), "{shown}");
    }
}

/// A preview-1 command runs in its own memory with that of the adapter, and `inspect` says so.
#[test]
fn inspect_tells_all_the_memory_that_a_preview_1_command_begins_with() {
    let person = Session::new();
    person.write("cat.wat", cat());
    let at_start = "64.00 KiB, and up to 128.00 KiB for the adapter when it is run";
    person.opensky(&["inspect", "cat.wat"]).is(0, &[at_start]);
    let (ran, report) = person.json(&["run", "cat.wat"]);
    ran.is(0, &[]);
    assert_eq!(report["memory_pages"], 3);
}

#[test]
fn report_as_json_has_the_documented_shape() {
    let person = Session::new();
    person.write("cat.wat", cat());
    person.write("in.txt", "abc");
    let (ran, report) = person.json(&["run", "cat.wat", "--input", "in.txt"]);
    assert_eq!(ran.stdout, b"abc");
    expect_test::expect![[r#"
        calls: number
        compare_key: digest
        detail: null
        error: null
        exit_code: number
        fuel: number
        kind: string
        log: string
        memory_pages: number
        outcome: string
        output_bytes: number
        output_digest: digest
        profile: string
        receipt: string
        transcript: digest
        unit: digest
        wall_us: number
    "#]]
    .assert_eq(&shape(&report));
    // The digest of the three bytes, known from elsewhere: the published BLAKE3 of "abc".
    let published = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    assert_eq!(report["output_digest"], published);
    assert_eq!(report["output_bytes"], 3);
}

/// Each field and what kind of value it has.
fn shape(report: &Value) -> String {
    let fields = report.as_object().expect("one object");
    let mut lines: Vec<_> = fields
        .iter()
        .map(|(name, value)| {
            let kind = match value {
                Value::Null => "null",
                Value::Bool(_) => "bool",
                Value::Number(_) => "number",
                Value::String(text) if is_digest(text) => "digest",
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Object(_) => "object",
            };
            format!("{name}: {kind}\n")
        })
        .collect();
    lines.sort();
    lines.concat()
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[test]
fn same_work_gives_the_same_report_every_time_and_on_both_backends() {
    let person = Session::new();
    person.write("cat.wat", cat());
    person.write("in.txt", "abc");
    let report = |args: &[&str]| {
        let (_, report) = person.json(&[&["run", "cat.wat", "--input", "in.txt"], args].concat());
        let fields = [
            "unit",
            "outcome",
            "fuel",
            "compare_key",
            "transcript",
            "output_digest",
        ];
        fields.map(|name| report[name].clone())
    };
    let first = report(&[]);
    assert_eq!(report(&[]), first);
    let pulley = report(&["--backend", "pulley"]);
    // Without fuel and what contains it: the interpreter is compiled from other code.
    for same in [0, 1, 4, 5] {
        assert_eq!(pulley[same], first[same]);
    }
    let other = report(&["--seed", "1"]);
    assert_ne!(other[0], first[0], "the seed is part of the work");
    assert_eq!(other[5], first[5]);
}

#[test]
fn work_is_what_the_command_line_says() {
    let person = Session::with_warm_cache();
    person.write(
        "towns.csv",
        "town,country,people\nBern,CH,134.5\nOlten,CH,9\nLyon,FR,862\n",
    );
    let query = example("csv-query");
    let args = ["--where", "people>100", "--select", "town", "/in/towns.csv"];
    let args: Vec<&str> = args.iter().flat_map(|arg| ["--arg", arg]).collect();
    let ran =
        person.opensky(&[&["run", &query, "--in", "towns.csv=towns.csv"], &args[..]].concat());
    ran.is(0, &[]);
    assert_eq!(ran.text(), "town\n----\nBern\nLyon\n");
    let (ran, report) = person.json(&["run", &query, "--arg", "--nonsense"]);
    ran.is(1, &["csv-query: "]);
    assert_eq!(report["exit_code"], 2, "its own code for bad arguments");
}

#[test]
fn command_lines_that_make_no_sense_exit_with_2() {
    let person = Session::new();
    person.write("cat.wat", cat());
    person.write("a", "a");
    fs::create_dir(person.folder().join("folder")).expect("a folder");
    let refused = |args: &[&str], words: &[&str]| {
        person.opensky(&[&["run"], args].concat()).refuses(2, words);
    };
    refused(&["none.wasm"], &["none.wasm", "help: "]);
    refused(&["cat.wat", "--input", "none"], &["none", "help: "]);
    refused(
        &["cat.wat", "--input", "folder"],
        &["is a folder", "help: "],
    );
    refused(
        &["cat.wat", "--input", "/proc/self/mem"],
        &["/proc/self/mem", "because: "],
    );
    refused(&["cat.wat", "--in", "a"], &["NAME=FILE"]);
    refused(&["cat.wat", "--in", "input=a"], &["main input", "help: "]);
    refused(&["cat.wat", "--in", "a=none"], &["none"]);
    refused(&["cat.wat", "--in", "a=a", "--in", "a=a"], &["given twice"]);
    refused(&["cat.wat", "--env", "K"], &["KEY=VALUE"]);
    refused(&["cat.wat", "--param", "=v"], &["KEY=VALUE"]);
    refused(&["cat.wat", "--memory", "lots"], &["lots", "64KiB"]);
    refused(&["cat.wat", "--memory", "-1"], &["-1"]);
    refused(&["cat.wat", "--fuel", "1.5"], &["1.5", "200M"]);
    refused(&["cat.wat", "--seed", "xyz"], &["xyz"]);
    refused(&["cat.wat", "--partitions", "0"], &["0"]);
    refused(&["cat.wat", "--format", "xml"], &["xml"]);
    refused(&["cat.wat", "--nonsense"], &["--nonsense"]);
    refused(&["cat.wat", "--input", "a", "--input", "a"], &["one input"]);
    refused(&["folder"], &["/folder` is not a project", "help: "]);
}

#[test]
fn unreadable_input_is_named_where_the_reader_is_not_root() {
    let person = Session::new();
    person.write("cat.wat", cat());
    let secret = person.write("secret", "x");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).expect("it is ours");
    let ran = person.opensky(&["run", "cat.wat", "--input", "secret"]);
    match rustix::process::geteuid().is_root() {
        // Root reads everything.
        true => drop(ran.is(0, &[])),
        false => ran.refuses(2, &["secret", "permission"]),
    }
}

#[test]
fn what_cannot_run_here_is_refused_by_name_with_3() {
    let person = Session::new();
    let binary = wat::parse_str(cat()).expect("valid text");
    person.write("cut.wasm", &binary[..binary.len() / 2]);
    person.write("noise.wasm", b"\x7fELF not wasm at all");
    person.write("empty.wasm", b"");
    person.write("magic.wasm", b"\0asm");
    person.write(
        "broken.wat",
        "(module (func $f (result i32)))) ;; one too many",
    );
    person.write("core.wat", "(module)");
    person.write("empty.wat", "(component)");
    person.write(
        "http.wat",
        r#"(component (import "wasi:http/outgoing-handler@0.2.0" (instance)))"#,
    );
    person.write(
        "foreign.wat",
        r#"(module (import "env" "system" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
    );
    for file in [
        "cut.wasm",
        "noise.wasm",
        "empty.wasm",
        "magic.wasm",
        "broken.wat",
        "core.wat",
    ] {
        person.opensky(&["run", file]).refuses(3, &[file]);
    }
    person
        .opensky(&["run", "empty.wat"])
        .refuses(3, &["empty.wat"]);
    person
        .opensky(&["run", "http.wat"])
        .refuses(3, &["wasi:http/outgoing-handler"]);
    person
        .opensky(&["run", "foreign.wat"])
        .refuses(3, &["env", "system"]);
    person.write("cat.wat", cat());
    person
        .opensky(&["run", "cat.wat", "--world", "job"])
        .refuses(3, &["it exports: "]);
}

#[test]
fn files_that_a_command_leaves_go_to_the_folder_of_out() {
    let person = Session::new();
    // fd 3 is the folder that `path_open` resolves `out/left.txt` in.
    let module = wat(
        r#"(if (call $open (i32.const 3) (i32.const 0) (i32.const 2048) (i32.const 12)
                (i32.const 1) (i64.const 66) (i64.const 0) (i32.const 0) (i32.const 16))
            (then (unreachable)))
        (i32.store (i32.const 1024) (i32.const 0x64636261))
        (call $write (i32.load (i32.const 16)) (i32.const 4))"#,
    );
    let import = r#"(import "wasi_snapshot_preview1" "path_open" (func $open
        (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    let exit = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    let module = module.replacen(exit, import, 1).replacen(
        "(memory (export \"memory\") 1)",
        "(memory (export \"memory\") 1) (data (i32.const 2048) \"out/left.txt\")",
        1,
    );
    person.write("leave.wat", module);
    let ran = person.opensky(&["run", "leave.wat", "--out", "results"]);
    ran.is(0, &[]);
    let results = person.folder().join("results");
    let files: Vec<_> = walk(&results);
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].ends_with("left.txt"), "{files:?}");
    assert_eq!(fs::read(&files[0]).expect("a file"), b"abcd");
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder was made");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => walk(&path),
            false => vec![text(&path)],
        })
        .collect()
}

#[test]
fn receipt_goes_where_it_is_wanted_or_to_the_data_folder() {
    let person = Session::new();
    person.write("cat.wat", cat());
    person
        .opensky(&["run", "cat.wat", "--receipt", "mine.receipt"])
        .is(0, &["mine.receipt"]);
    assert!(person.folder().join("mine.receipt").is_file());
    let (_, report) = person.json(&["run", "cat.wat"]);
    let file = report["receipt"].as_str().expect("a path");
    assert!(file.starts_with(&text(&person.data())), "{file}");
    assert!(fs::metadata(file).is_ok_and(|file| file.is_file()));
}
