//! The README's commands, typed as they stand there, and what it says beside them.

mod session;

use std::{fs, process::Command};

use session::{Ran, Session, devnet::Devnet, root, text};

/// Lines that a test cannot type, and why.
const NOT_TYPED: &[(&str, &str)] = &[
    ("cargo xtask test", "it runs this test"),
    (
        "cargo xtask demo",
        "it builds the whole workspace; its parts have tests of their own",
    ),
    (
        "cargo xtask bench executor",
        "it needs an idle machine; a test of its package runs its quick form",
    ),
    (
        "cargo xtask runtime --node",
        "it compiles for twenty minutes where that was not done before",
    ),
    (
        "cargo xtask demo --chain",
        "`cargo xtask test` plays it once the chain is built",
    ),
    (
        "opensky devnet --chain",
        "it needs what that compiles; a test of its own starts one where it is there",
    ),
    (
        "cargo install --locked --path crates/cli",
        "it changes the person's own machine",
    ),
];

/// One command, and the lines that are shown under it. A line may leave out what changes: `…`.
struct Typed {
    command: String,
    shown: Vec<String>,
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).expect("there is a README")
}

fn blocks(language: &str) -> Vec<String> {
    let readme = readme();
    let begin = format!("```{language}\n");
    let parts = readme.split(begin.as_str()).skip(1);
    parts
        .filter_map(|part| Some(part.split_once("```")?.0.to_owned()))
        .collect()
}

fn commands() -> Vec<Typed> {
    let mut commands: Vec<Typed> = Vec::new();
    for line in blocks("console").iter().flat_map(|block| block.lines()) {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push(Typed {
                command: command.to_owned(),
                shown: Vec::new(),
            }),
            (None, Some(last)) => last.shown.push(line.to_owned()),
            (None, None) => panic!("a block begins with a command, not with `{line}`"),
        }
    }
    commands
}

/// Whether `line` is what `pattern` shows: its parts between `…` in their order, however many spaces.
fn is_shown(pattern: &str, line: &str) -> bool {
    let spaced = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (pattern, line) = (spaced(pattern), spaced(line));
    let mut rest = line.as_str();
    for (at, part) in pattern.split('…').enumerate() {
        let found = match at {
            0 => rest.starts_with(part).then_some(0),
            _ => rest.find(part),
        };
        match found {
            Some(found) => rest = &rest[found + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || pattern.ends_with('…')
}

#[test]
fn patterns_match_what_they_show() {
    assert!(is_shown("match  unit …", "match  unit 01ab, 5 fuel"));
    assert!(is_shown("a … c", "a b c"));
    assert!(!is_shown("a … c", "a b c d"));
    assert!(!is_shown("ok", "not ok"));
}

#[test]
fn every_command_does_what_the_readme_shows() {
    let person = Session::with_warm_cache();
    // The examples are named from the checkout's folder; a link keeps this test out of it.
    std::os::unix::fs::symlink(root().join("examples"), person.folder().join("examples"))
        .expect("the folder is ours");
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_opensky"))
        .parent()
        .expect("a folder");
    let path = std::env::var("PATH").expect("there is a PATH");
    let mut folder = person.folder().to_owned();
    let mut typed = 0;
    let mut networks = Vec::new();
    for Typed { command, shown } in commands() {
        if NOT_TYPED.iter().any(|(known, _)| *known == command) {
            continue;
        }
        if let Some(args) = command.strip_prefix("opensky devnet") {
            let args: Vec<_> = args.split_whitespace().collect();
            networks.push(Devnet::start(&person, &args));
            let said = networks.last().map_or("", |devnet| &devnet.said);
            shows(&command, &shown, said);
            continue;
        }
        if let Some(into) = command.strip_prefix("cd ") {
            folder = folder.join(into);
            continue;
        }
        let mut shell = Command::new("sh");
        // Cargo would prefer a `cargo-opensky` that is installed to the one that was just built.
        let direct = command.replace("cargo opensky", "cargo-opensky opensky");
        shell.args(["-c", &format!("{direct} 2>&1")]);
        person
            .at_home(&mut shell)
            .current_dir(&folder)
            .env("PATH", format!("{}:{path}", text(bin)))
            .env(
                "CARGO_TARGET_DIR",
                format!("{}/guests", env!("CARGO_TARGET_TMPDIR")),
            )
            .env("XDG_CACHE_HOME", caches(&person));
        let ran = Ran::of(&mut shell);
        ran.is(0, &[]);
        shows(&command, &shown, &ran.text());
        typed += 1;
    }
    assert!(typed >= 12, "the README lost its commands: {typed}");
    assert_eq!(networks.len(), 1, "the README lost its network");
}

fn shows(command: &str, shown: &[String], said: &str) {
    let mut lines = said.lines();
    for pattern in shown {
        let found = lines.any(|line| is_shown(pattern, line));
        assert!(
            found,
            "`{command}` does not show `{pattern}`, or not there:\n{said}"
        );
    }
}

/// The person's real cache has the toolchain that `doctor --fix` laid; the compiled code is put
/// beside it in a folder of the tests.
fn caches(person: &Session) -> std::path::PathBuf {
    let ours = person.cache();
    fs::create_dir_all(&ours).expect("a folder");
    let real = std::env::var_os("XDG_CACHE_HOME").map(std::path::PathBuf::from);
    let real =
        real.or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let real = real.map(|cache| cache.join("opensky"));
    for entry in real
        .and_then(|cache| fs::read_dir(cache).ok())
        .into_iter()
        .flatten()
    {
        let entry = entry.expect("readable");
        let link = ours.join(entry.file_name());
        if entry.file_name().to_string_lossy().starts_with("sysroot-") && !link.exists() {
            std::os::unix::fs::symlink(entry.path(), link).expect("the folder is ours");
        }
    }
    ours.parent()
        .expect("it is a folder in the cache")
        .to_owned()
}

#[test]
fn commands_that_are_not_typed_are_in_the_readme() {
    let commands = commands();
    for (known, why) in NOT_TYPED {
        let is_there = commands.iter().any(|typed| typed.command == *known);
        assert!(is_there, "`{known}` ({why}) is no longer in the README");
    }
}

#[test]
fn first_job_is_the_example() {
    let source = fs::read_to_string(root().join("examples/hello/src/lib.rs")).expect("a file");
    let shown = blocks("rust");
    assert_eq!(shown.len(), 1);
    assert!(
        source.starts_with(&shown[0]),
        "examples/hello is no longer what the README shows"
    );
}

#[test]
fn exit_codes_and_fields_are_documented() {
    let readme = readme();
    for exit in opensky_cli::Exit::ALL {
        assert!(
            readme.contains(&format!("\n| {} | ", exit as u8)),
            "{exit:?}"
        );
    }
    let person = Session::new();
    person.write("cat.wat", session::cat());
    let (_, report) = person.json(&["run", "cat.wat"]);
    for field in report.as_object().expect("one object").keys() {
        assert!(
            readme.contains(&format!("`{field}`")),
            "`{field}` is not in the README"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let readme = readme();
    let targets = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    for (target, _) in targets {
        assert!(root().join(target).exists(), "`{target}` is not there");
    }
}
