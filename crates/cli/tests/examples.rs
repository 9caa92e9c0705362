//! Every example is built and run, and its answer is checked against what is known without it.

mod session;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use session::{Ran, Session, built, example, root, text};

#[test]
fn hello_greets() {
    let person = Session::with_warm_cache();
    person.write("name.txt", "Ada\n");
    let ran = person.opensky(&["run", &example("hello"), "--input", "name.txt"]);
    ran.is(0, &[]);
    assert_eq!(ran.text(), "Hello, Ada!\n");
}

#[test]
fn csv_query_groups_and_sums() {
    let person = Session::with_warm_cache();
    person.write(
        "towns.csv",
        "town,country,people\nBern,CH,134.5\nOlten,CH,9\nLyon,FR,862\n",
    );
    let args = ["--group-by", "country", "--sum", "people"]
        .map(|arg| ["--arg", arg])
        .concat();
    let run = ["run", &example("csv-query"), "--input", "towns.csv"];
    let ran = person.opensky(&[&run[..], &args].concat());
    ran.is(0, &[]);
    let expected = "country  count  sum(people)\n-------  -----  -----------\n\
                    CH           2        143.5\nFR           1          862\n";
    assert_eq!(ran.text(), expected);
}

#[test]
fn unsafe_census_counts_real_crates() {
    let Some(files) = small_crates() else {
        println!("skipped: cargo's registry has no .crate files here");
        return;
    };
    let person = Session::with_warm_cache();
    let inputs: Vec<_> = files
        .iter()
        .flat_map(|file| ["--input", file.as_str()])
        .collect();
    let census = example("unsafe-census");
    let run = [
        "run",
        &census,
        "--partitions",
        "3",
        "--receipt",
        "census.receipt",
    ];
    let (ran, report) = person.json(&[&run[..], &["-o", "census.json"], &inputs].concat());
    ran.is(0, &[]);
    assert_eq!(
        report["units"],
        files.len() + 3 + 1,
        "maps, reduces, one finish"
    );
    let found: serde_json::Value =
        serde_json::from_slice(&person.read("census.json")).expect("JSON");
    assert_eq!(found["crates"], files.len());
    assert_eq!(found["total"]["broken_archives"], 0);
    for one in found["by_crate"].as_array().expect("a list") {
        let name = one["name"].as_str().expect("a name");
        let file = files
            .iter()
            .find(|file| file.ends_with(&format!("/{name}.crate")));
        let listed = tar_lists(file.expect("one of the inputs"));
        assert_eq!(
            one["files"], listed,
            "{name}: as many .rs files as tar lists"
        );
    }
    person
        .opensky(&["verify", "census.receipt", "--sample", "2"])
        .is(0, &["match"]);
}

/// The four smallest `.crate` files of cargo's registry.
fn small_crates() -> Option<Vec<String>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    let indices = fs::read_dir(home.join("registry/cache")).ok()?;
    let mut files: Vec<_> = indices
        .filter_map(|index| fs::read_dir(index.ok()?.path()).ok())
        .flatten()
        .filter_map(|file| {
            let file = file.ok()?;
            Some((file.metadata().ok()?.len(), text(&file.path())))
        })
        .filter(|(_, path)| path.ends_with(".crate"))
        .collect();
    files.sort();
    files.dedup_by(|a, b| Path::new(&a.1).file_name() == Path::new(&b.1).file_name());
    files.truncate(4);
    let files: Vec<_> = files.into_iter().map(|(_, path)| path).collect();
    (!files.is_empty()).then_some(files)
}

fn tar_lists(file: &str) -> usize {
    let listed = Ran::of(Command::new("tar").args(["-tzf", file]));
    listed.is(0, &[]);
    listed
        .text()
        .lines()
        .filter(|line| line.ends_with(".rs"))
        .count()
}

#[test]
fn picture_is_the_same_however_it_is_cut() {
    let person = Session::with_warm_cache();
    let band = |from: u32, to: u32| {
        format!("{{\"width\": 48, \"height\": 27, \"rows\": [{from}, {to}]}}\n")
    };
    person.write("one.jsonl", band(0, 27));
    person.write(
        "three.jsonl",
        [band(0, 9), band(9, 18), band(18, 27)].concat(),
    );
    let draw = |scene: &str, png: &str| {
        let run = [
            "run",
            &example("render"),
            "--input",
            scene,
            "--shard-lines",
            "1",
            "-o",
            png,
        ];
        person.opensky(&run).is(0, &[]);
        person.read(png)
    };
    let one = draw("one.jsonl", "one.png");
    assert!(one.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(one[16..24], [0, 0, 0, 48, 0, 0, 0, 27], "width and height");
    assert!(one == draw("three.jsonl", "three.png"), "another picture");
}

#[test]
fn digits_are_read_better_than_nine_of_ten() {
    let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("digits-data");
    let fetch = Ran::of(Command::new(root().join("examples/digits/fetch-data")).arg(&data));
    if fetch.code != 0 {
        println!(
            "skipped: the data set cannot be fetched: {}",
            fetch.stderr.trim()
        );
        return;
    }
    let person = Session::with_warm_cache();
    let data = text(&data.join("digits.csv.gz"));
    let train = |seed: &str| {
        let run = [
            "run",
            &example("digits"),
            "--input",
            &data,
            "--param",
            "epochs=8",
        ];
        let ran = person.opensky(&[&run[..], &["--seed", seed]].concat());
        ran.is(0, &[]);
        ran.stdout
    };
    let first = train("1");
    let report: serde_json::Value = serde_json::from_slice(&first).expect("JSON");
    let images = report["training_images"]
        .as_u64()
        .zip(report["test_images"].as_u64());
    assert_eq!(images.map(|(a, b)| a + b), Some(1797));
    let accuracy = report["test_accuracy"].as_f64().expect("a number");
    assert!((0.9..1.0).contains(&accuracy), "{report}");
    assert!(train("1") == first, "the same network, to the last bit");
    assert!(train("2") != first, "another seed, another network");
}

/// A text in which every rule of `words` matters: cases, ties, digits, bytes beyond ASCII.
const WORDS: &str = "The cat, the Hat; the mat. A cat's hat! naïve 42nd 42 été\nzz zz a\0b\r\n\
    one two three four five six seven eight nine ten eleven the\n";

fn words(component: &Path) -> Vec<u8> {
    let person = Session::with_warm_cache();
    person.write("text", WORDS);
    let ran = person.opensky(&["run", &text(component), "--input", "text"]);
    ran.is(0, &[]);
    ran.stdout
}

fn rust_words() -> Vec<u8> {
    words(&built(&root().join("examples/words/rust")))
}

#[test]
fn words_counts_as_a_person_does() {
    let answer = rust_words();
    let answer = String::from_utf8_lossy(&answer);
    let first: Vec<_> = answer.lines().take(3).collect();
    assert_eq!(first, ["4 the", "2 a", "2 cat"], "{answer}");
    assert_eq!(answer.lines().count(), 10);
}

/// The example in `language`, in a folder that outlives this checkout, so that its tools are
/// installed once. Only what has changed is written: its build looks at times.
fn elsewhere(language: &str) -> PathBuf {
    let mirror = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mirror");
    let folder = mirror.join("examples/words").join(language);
    for (from, to) in [
        (root().join("examples/words").join(language), folder.clone()),
        (root().join("wit"), mirror.join("wit")),
    ] {
        fs::create_dir_all(&to).expect("a folder");
        for file in fs::read_dir(from).expect("a folder") {
            let file = file.expect("readable").path();
            if file.is_file() {
                let bytes = fs::read(&file).expect("readable");
                let copy = to.join(file.file_name().expect("a name"));
                if fs::read(&copy).ok().as_ref() != Some(&bytes) {
                    fs::write(copy, bytes).expect("it is ours");
                }
            }
        }
    }
    folder
}

/// What an earlier run of these tests built, if nothing has changed since: npm builds every time, and
/// a JavaScript engine takes its time.
fn up_to_date(folder: &Path) -> Option<PathBuf> {
    let modified = |file: &Path| fs::metadata(file).and_then(|file| file.modified()).ok();
    let built = folder.join("build/words.wasm");
    let when = modified(&built)?;
    let sources = [folder.to_owned(), folder.join("../../../wit")];
    let mut files = sources
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten());
    let is_older = files.all(|file| {
        let file = file.expect("readable").path();
        !file.is_file() || modified(&file).is_some_and(|changed| changed <= when)
    });
    is_older.then_some(built)
}

/// Builds, or says why this machine cannot. A build that fails is our failure.
fn build_elsewhere(folder: &Path) -> Result<PathBuf, String> {
    let mut build = Command::new(env!("CARGO_BIN_EXE_opensky"));
    let ran = Ran::of(build.args(["build", "--format", "json"]).arg(folder));
    if ran.code == 4 {
        return Err(ran.stderr.trim().to_owned());
    }
    ran.is(0, &[]);
    let report: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    Ok(PathBuf::from(report["file"].as_str().expect("a path")))
}

/// The same bytes as from Rust, or why it cannot be known here.
fn answers_as_rust_does(language: &str, tools: &[&str]) {
    for tool in tools {
        if Command::new(tool).arg("--version").output().is_err() {
            println!("skipped: there is no `{tool}` here");
            return;
        }
    }
    let folder = elsewhere(language);
    let component = match up_to_date(&folder) {
        Some(component) => component,
        None => match build_elsewhere(&folder) {
            Ok(component) => component,
            Err(why) => {
                println!("skipped: its tools cannot be installed here: {why}");
                return;
            }
        },
    };
    let (theirs, ours) = (words(&component), rust_words());
    assert_eq!(
        String::from_utf8_lossy(&theirs),
        String::from_utf8_lossy(&ours)
    );
}

#[test]
fn words_in_c_answer_the_same() {
    answers_as_rust_does("c", &["python3", "make"]);
}

#[test]
fn words_in_python_answer_the_same() {
    answers_as_rust_does("python", &["python3", "make"]);
}

#[test]
fn words_in_javascript_answer_the_same() {
    answers_as_rust_does("js", &["npm"]);
}
