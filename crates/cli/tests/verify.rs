//! `opensky verify` from outside: match, mismatch, and what cannot be judged.

mod session;

use std::{fs, path::Path};

use opensky_protocol::{
    Class, Digest, JobReceipt, Outputs, Profile, Receipt, SecretKey, Transcript,
};
use session::{Ran, Session, built, example, text, wat, with_receipt};

fn read(person: &Session, name: &str) -> Receipt {
    Receipt::from_file(&person.read(name)).expect("we wrote it")
}

/// The same receipt with other claims, properly signed by somebody.
struct Lie {
    class: Class,
    fuel: u64,
    transcript: Transcript,
    outputs: Outputs,
    profile: Profile,
    limit: u64,
}

impl Lie {
    fn about(truth: &Receipt) -> Self {
        Self {
            class: truth.statement.class,
            fuel: truth.statement.fuel,
            transcript: truth.transcript.clone(),
            outputs: truth.outputs.clone(),
            profile: truth.work.profile.clone(),
            limit: truth.work.limits.fuel,
        }
    }

    fn told(self, person: &Session, truth: &Receipt, name: &str) {
        let mut work = truth.work.clone();
        work.profile = self.profile;
        work.limits.fuel = self.limit;
        let key = SecretKey::from_seed(&[7; 32]);
        let mut calls = Transcript::start(&work.unit());
        for call in &self.transcript.calls {
            calls.push(&call.import, call.args, call.results);
        }
        let states = truth.states.clone();
        let Self {
            class,
            fuel,
            outputs,
            ..
        } = self;
        let lie = Receipt::sign(&key, work, class, fuel, calls, outputs, states);
        person.write(name, lie.to_file());
    }
}

#[test]
fn true_receipt_matches_on_both_backends() {
    let person = with_receipt();
    person.opensky(&["verify", "its.receipt"]).is(0, &["match"]);
    let (ran, verdict) = person.json(&["verify", "its.receipt"]);
    ran.is(0, &[]);
    assert_eq!(verdict["verdict"], "match");
    assert_eq!(
        (&verdict["units_checked"], &verdict["units"]),
        (&1.into(), &1.into())
    );
    assert_eq!(verdict["differences"], serde_json::json!([]));
    person
        .opensky(&["verify", "its.receipt", "--backend", "pulley"])
        .is(0, &["match"]);
}

const ENDLESS: &str = "(loop $again (br $again))";

#[test]
fn failed_run_has_a_receipt_that_matches_too() {
    let person = Session::new();
    for body in ["(unreachable)", "(call $exit (i32.const 3))", ENDLESS] {
        person.write("fails.wat", wat(body));
        let run = ["run", "fails.wat", "--receipt", "f.receipt"];
        person
            .opensky(&[&run[..], &["--fuel", "1000000"]].concat())
            .is(1, &[]);
        person.opensky(&["verify", "f.receipt"]).is(0, &["match"]);
    }
}

#[test]
fn false_fuel_output_and_class_are_found_and_named() {
    let person = with_receipt();
    let truth = read(&person, "its.receipt");
    let fuel = truth.statement.fuel + 1;
    let lie = Lie {
        fuel,
        ..Lie::about(&truth)
    };
    lie.told(&person, &truth, "fuel.receipt");
    let words = [
        "mismatch",
        "fuel",
        &fuel.to_string(),
        &truth.statement.fuel.to_string(),
    ];
    person.opensky(&["verify", "fuel.receipt"]).is(1, &words);

    let output = [("output".to_owned(), b"abd".to_vec())].into();
    let lie = Lie {
        outputs: Outputs::of(&output),
        ..Lie::about(&truth)
    };
    lie.told(&person, &truth, "output.receipt");
    let (ran, verdict) = person.json(&["verify", "output.receipt"]);
    ran.is(1, &[]);
    assert_eq!(verdict["verdict"], "mismatch");
    let differences = verdict["differences"].to_string();
    assert!(
        differences.contains(&Digest::of(b"abd").to_string()),
        "{differences}"
    );

    let lie = Lie {
        class: Class::Trap,
        outputs: Outputs::default(),
        ..Lie::about(&truth)
    };
    lie.told(&person, &truth, "class.receipt");
    person
        .opensky(&["verify", "class.receipt"])
        .is(1, &["mismatch", "outcome"]);
}

#[test]
fn unit_is_run_no_further_than_its_claim() {
    let person = with_receipt();
    let truth = read(&person, "its.receipt");
    let said = truth.statement.fuel - 1;
    let lie = Lie {
        fuel: said,
        ..Lie::about(&truth)
    };
    lie.told(&person, &truth, "less.receipt");
    let words = ["mismatch", &format!("says {said}, here it is more")];
    person.opensky(&["verify", "less.receipt"]).is(1, &words);

    // Whoever ran it to its limit would be at it for a century.
    person.write("endless.wat", wat(ENDLESS));
    let run = ["run", "endless.wat", "--receipt", "endless.receipt"];
    person
        .opensky(&[&run[..], &["--fuel", "1000"]].concat())
        .is(1, &[]);
    let truth = read(&person, "endless.receipt");
    for class in [Class::Ok, Class::Err] {
        let output = match class {
            Class::Ok => ("output".to_owned(), b"done".to_vec()),
            _ => ("error".to_owned(), vec![3, 1]),
        };
        let lie = Lie {
            class,
            fuel: 1_000_000,
            limit: u64::MAX,
            outputs: Outputs::of(&[output].into()),
            ..Lie::about(&truth)
        };
        lie.told(&person, &truth, "lie.receipt");
        let (ran, verdict) = person.json(&["verify", "lie.receipt"]);
        ran.is(1, &["stopped there"]);
        assert_eq!(verdict["verdict"], "mismatch");
        assert_eq!(verdict["fuel"], 1_000_000);
    }
}

#[test]
fn who_has_the_files_needs_no_data_folder() {
    let person = with_receipt();
    let stranger = Session::new();
    for name in ["its.receipt", "cat.wat", "in.txt"] {
        fs::copy(person.folder().join(name), stranger.folder().join(name)).expect("copied");
    }
    let files = ["--component", "cat.wat", "--input", "in.txt"];
    let verify = [&["verify", "its.receipt"], &files[..]].concat();
    stranger.opensky(&verify).is(0, &["match"]);
    assert!(!stranger.data().exists(), "no store and no key is made");

    // Not even root can make a folder there.
    let nowhere = |args: &[&str]| Ran::of(stranger.command(args).env("XDG_DATA_HOME", "/proc"));
    nowhere(&verify).is(0, &["match"]);
    nowhere(&verify[..4]).refuses(4, &["the store", "--input", "XDG_DATA_HOME"]);
    nowhere(&verify[..2]).refuses(4, &["the store", "--component"]);
}

#[test]
fn first_host_call_that_differs_is_named() {
    let person = with_receipt();
    let truth = read(&person, "its.receipt");
    let mut transcript = Transcript::start(&truth.statement.unit);
    for (at, call) in truth.transcript.calls.iter().enumerate() {
        let results = match at {
            1 => Digest::of(b"something else"),
            _ => call.results,
        };
        transcript.push(&call.import, call.args, results);
    }
    let import = &truth.transcript.calls[1].import;
    let words = ["mismatch", "host call: number 1,", import];
    for fuel in [truth.statement.fuel, truth.statement.fuel - 1] {
        let lie = Lie {
            transcript: transcript.clone(),
            fuel,
            ..Lie::about(&truth)
        };
        lie.told(&person, &truth, "calls.receipt");
        person.opensky(&["verify", "calls.receipt"]).is(1, &words);
    }

    // A unit that is stopped has made fewer calls, and that is no difference.
    let lie = Lie {
        fuel: 1,
        ..Lie::about(&truth)
    };
    lie.told(&person, &truth, "less.receipt");
    let ran = person.opensky(&["verify", "less.receipt"]);
    ran.is(1, &["mismatch", "here it is more"]);
    assert!(!ran.text().contains("host call"), "{ran:?}");
}

#[test]
fn stranger_needs_the_program_and_the_input() {
    let person = with_receipt();
    let stranger = Session::new();
    for name in ["its.receipt", "cat.wat", "in.txt"] {
        fs::copy(person.folder().join(name), stranger.folder().join(name)).expect("copied");
    }
    stranger.write("other.wat", wat("(unreachable)"));
    let verify = |args: &[&str]| stranger.opensky(&[&["verify", "its.receipt"], args].concat());
    verify(&[]).refuses(3, &["the program", "--component"]);
    verify(&["--component", "cat.wat"]).refuses(3, &["input", "--input"]);
    verify(&["--component", "other.wat", "--input", "in.txt"]).refuses(3, &["another program"]);
    verify(&["--component", "cat.wat", "--input", "cat.wat"]).refuses(3, &["input"]);
    verify(&["--component", "none.wat"]).refuses(2, &["none.wat"]);
    verify(&["--component", "cat.wat", "--input", "in.txt"]).is(0, &["match"]);
}

#[test]
fn id_is_no_file_and_who_gives_one_is_told_where_the_file_is() {
    let person = Session::new();
    person
        .opensky(&["verify", "r-0123456789"])
        .refuses(2, &["a receipt's id", "opensky job receipt j-"]);
    person
        .opensky(&["verify", "j-0123456789"])
        .refuses(2, &["opensky job receipt j-0123456789"]);
    person
        .opensky(&["verify", "r-0123456789.receipt"])
        .refuses(2, &["check the path"]);
}

#[test]
fn receipt_of_an_unknown_profile_cannot_be_judged() {
    let person = with_receipt();
    let truth = read(&person, "its.receipt");
    let lie = Lie {
        profile: Profile::new("77-future"),
        ..Lie::about(&truth)
    };
    lie.told(&person, &truth, "future.receipt");
    person
        .opensky(&["verify", "future.receipt"])
        .refuses(3, &["77-future", "help: "]);
}

#[test]
fn damaged_store_cannot_make_a_receipt_match_something_else() {
    let person = with_receipt();
    let blobs = person.data().join("blobs");
    let damaged = flip_a_bit_of_each_file(&blobs);
    assert!(damaged >= 2, "program and input are kept");
    let ran = person.opensky(&["verify", "its.receipt"]);
    assert!([3, 4].contains(&ran.code), "{ran:?}");
    assert!(!ran.text().contains("match"), "{ran:?}");
}

fn flip_a_bit_of_each_file(folder: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            count += flip_a_bit_of_each_file(&path);
            continue;
        }
        let mut bytes = fs::read(&path).expect("a file");
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
            // The store's files are read-only.
            fs::remove_file(&path).expect("it is ours");
            fs::write(&path, bytes).expect("it is ours");
            count += 1;
        }
    }
    count
}

/// The states between its units are in nobody's store: each comes from the unit before.
#[test]
fn stepper_job_is_verified_from_what_it_began_with() {
    let person = Session::with_warm_cache();
    let folder = person.folder().join("sums");
    person
        .opensky(&["new", "-t", "stepper", &text(&folder)])
        .is(0, &[]);
    let component = text(&built(&folder));
    person.write("limit", "100000");
    let run = ["run", &component, "--input", "limit", "--steps", "2"];
    person
        .opensky(&[&run[..], &["--receipt", "job.receipt"]].concat())
        .is(0, &["units"]);
    let truth = JobReceipt::from_file(&person.read("job.receipt")).expect("we wrote it");
    let units = truth.units.len();
    assert!(units > 3, "{units}");

    let stranger = Session::with_warm_cache();
    for name in ["job.receipt", "limit"] {
        fs::copy(person.folder().join(name), stranger.folder().join(name)).expect("copied");
    }
    let files = ["--component", &component, "--input", "limit"];
    let (ran, verdict) = stranger.json(&[&["verify", "job.receipt"], &files[..]].concat());
    ran.is(0, &[]);
    assert_eq!(verdict["units_checked"], units);

    let key = SecretKey::from_seed(&[7; 32]);
    let lied = truth.units.into_iter().enumerate().map(|(index, unit)| {
        let (transcript, outputs) = (unit.transcript, unit.outputs);
        let fuel = unit.statement.fuel - u64::from(index == 2);
        Receipt::sign(
            &key,
            unit.work,
            Class::Ok,
            fuel,
            transcript,
            outputs,
            unit.states,
        )
    });
    let lie = JobReceipt::sign(&key, truth.spec, lied.collect()).expect("a whole job");
    stranger.write("lie.receipt", lie.to_file());
    let (ran, verdict) = stranger.json(&[&["verify", "lie.receipt"], &files[..]].concat());
    ran.is(1, &["unit 2", "here it is more"]);
    assert_eq!(verdict["units_checked"], 3, "not those after it");
}

#[test]
fn job_receipt_is_verified_whole_and_by_sample() {
    let person = Session::with_warm_cache();
    let scene = r#"{"width": 32, "height": 18, "rows": [0, 9]}
{"width": 32, "height": 18, "rows": [9, 18]}
"#;
    person.write("scene.jsonl", scene);
    let render = example("render");
    let run = [
        "run",
        &render,
        "--input",
        "scene.jsonl",
        "--shard-lines",
        "1",
    ];
    let files = ["-o", "small.png", "--receipt", "job.receipt"];
    person
        .opensky(&[&run[..], &files[..]].concat())
        .is(0, &["units"]);
    assert!(person.read("small.png").starts_with(b"\x89PNG\r\n"));

    person.opensky(&["verify", "job.receipt"]).is(0, &["match"]);
    let (ran, verdict) = person.json(&["verify", "job.receipt", "--sample", "1"]);
    ran.is(0, &[]);
    assert_eq!(verdict["units_checked"], 1);
    assert_eq!(verdict["units"], 4, "two maps, one reduce, one finish");

    let truth = JobReceipt::from_file(&person.read("job.receipt")).expect("we wrote it");
    let mut units = truth.units.clone();
    let lied = &units[1];
    let key = SecretKey::from_seed(&[7; 32]);
    let (transcript, outputs) = (lied.transcript.clone(), lied.outputs.clone());
    let (work, fuel) = (lied.work.clone(), lied.statement.fuel + 1);
    units[1] = Receipt::sign(&key, work, Class::Ok, fuel, transcript, outputs, Vec::new());
    // The broker must have signed the units, so all of them are signed again.
    let units = units.into_iter().map(|unit| {
        let (transcript, outputs) = (unit.transcript.clone(), unit.outputs.clone());
        let said = unit.statement;
        Receipt::sign(
            &key,
            unit.work,
            said.class,
            said.fuel,
            transcript,
            outputs,
            unit.states,
        )
    });
    let lie = JobReceipt::sign(&key, truth.spec.clone(), units.collect()).expect("a whole job");
    person.write("lie.receipt", lie.to_file());
    let (ran, verdict) = person.json(&["verify", "lie.receipt"]);
    ran.is(1, &["mismatch", "unit 1", "fuel"]);
    assert_eq!(verdict["units_checked"], 2, "not those after the maps");
}
