//! Without a node: every command that needs one says so, and what to do about it.

mod session;

use std::{fs::File, path::Path};

use session::{Session, wat};

/// The commands that talk to a node, in their shortest form.
const COMMANDS: &[&[&str]] = &[
    &["node", "status"],
    &["offers"],
    &["wallet", "balance"],
    &["wallet", "history"],
    &["wallet", "fund"],
    &["stake", "5SKY"],
    &["unstake", "5SKY"],
    &["chain", "status"],
    &["job", "list"],
    &["job", "show", "j-0123456789"],
    &["job", "logs", "j-0123456789"],
    &["job", "result", "j-0123456789"],
    &["job", "receipt", "j-0123456789"],
    &["job", "why", "j-0123456789"],
    &["job", "cancel", "j-0123456789"],
    &["job", "run", "program.wat"],
    &["job", "submit", "program.wat"],
    &["deploy", "program.wat"],
];

fn person() -> Session {
    let person = Session::new();
    person.write("program.wat", wat(""));
    person
}

#[test]
fn every_command_says_how_to_start_a_node() {
    let person = person();
    for command in COMMANDS {
        let ran = person.opensky(command);
        ran.refuses(
            4,
            &["no node runs in", "opensky node start", "opensky devnet"],
        );
    }
}

/// As a node does that runs with that folder.
fn lock(folder: &Path) -> File {
    let file = File::open(folder.join("api.address")).expect("an address");
    file.try_lock().expect("nobody else has it");
    file
}

#[test]
fn node_that_has_gone_is_told_from_one_that_never_was() {
    let person = person();
    let folder = person.folder().join("gone");
    std::fs::create_dir(&folder).expect("a folder");
    // Nothing can listen on port 1 but a service of root's.
    std::fs::write(folder.join("api.address"), "127.0.0.1:1\n").expect("written");
    std::fs::write(folder.join("api.token"), "0".repeat(64)).expect("written");
    // As a node that was killed leaves it: somebody else may have the port by now.
    for command in COMMANDS {
        let ran = person.opensky(&[command, &["--node", "gone"][..]].concat());
        ran.refuses(4, &["no node runs in"]);
    }
    let _lives = lock(&folder);
    for command in COMMANDS {
        let ran = person.opensky(&[command, &["--node", "gone"][..]].concat());
        ran.refuses(4, &["no node answers at 127.0.0.1:1"]);
    }
    let named = session::Ran::of(person.command(&["job", "list"]).env("OPENSKY_NODE", "gone"));
    named.refuses(4, &["no node answers at 127.0.0.1:1"]);
}

#[test]
fn token_never_leaves_this_machine() {
    let person = person();
    std::fs::create_dir(person.folder().join("far")).expect("a folder");
    person.write("far/api.address", "192.0.2.1:80\n");
    person.write("far/api.token", "0".repeat(64));
    let _lives = lock(&person.folder().join("far"));
    person
        .opensky(&["job", "list", "--node", "far"])
        .refuses(4, &["192.0.2.1:80 is not on this machine"]);
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let person = person();
    for (args, word) in [
        (&["job", "show", "u-0123456789"][..], "begins with `j-`"),
        (&["job", "show", "j-012"], "10 to 52"),
        (
            &["job", "run", "program.wat", "--replicas", "0"],
            "replicas",
        ),
        (&["job", "run", "program.wat", "--max-price", "5"], "SKY"),
        (
            &["job", "run", "program.wat", "--max-price", "0"],
            "providers are paid",
        ),
        (
            &["job", "run", "program.wat", "--deadline", "0s"],
            "no time at all",
        ),
        (
            &["job", "run", "program.wat", "--deadline", "soon"],
            "length of time",
        ),
        (
            &["job", "run", "program.wat", "--require", "region"],
            "KEY=VALUE",
        ),
        (
            &["job", "run", "program.wat", "--map", "--world", "job"],
            "--world",
        ),
        (&["job", "run", "-", "--input", "-"], "more than once"),
        (&["devnet", "--bad", "honest:1"], "there are lie"),
        (
            &["devnet", "--providers", "1", "--bad", "lie:2"],
            "more than 1 providers",
        ),
        (&["node", "start", "--api", "everywhere"], "--api"),
    ] {
        person.opensky(args).is(2, &[word]);
    }
}

#[test]
fn configuration_with_an_unknown_key_does_not_start_a_node() {
    let person = person();
    person.write("node.toml", "data = \"d\"\nlisen = []\n[ledger.here]\n");
    person
        .opensky(&["node", "start", "--config", "node.toml"])
        .refuses(2, &["line 2", "did you mean `listen`?"]);
}
