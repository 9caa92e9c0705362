//! `opensky new`: a project that builds and runs at once.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    Exit, Problem,
    template::Template,
    term::{self, DIM, PLAIN},
};

/// Where the SDK is in the checkout that this program was built from. It is not on a registry yet.
const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk");

/// What cargo refuses as a package's name, besides the language's keywords.
const RESERVED: &[&str] = &[
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc-macro",
    "proc_macro",
    "std",
    "test",
];

/// The words that no crate can be named after.
const KEYWORDS: &[&str] = &[
    "Self", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if",
    "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Start a project that builds and runs at once.
///
/// Rust projects come with a native unit test; projects in other languages carry their own small
/// build recipe (see `opensky build --help`). Nothing is downloaded until you build.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky new summary                  a job in Rust
  opensky new -t map-reduce wordcount  one program over many texts
  opensky new -t python summary        a job in Python")]
pub struct Args {
    /// The new folder; its last part is the project's name.
    #[arg(value_name = "NAME")]
    dir: PathBuf,
    /// What kind of project.
    #[arg(short, long, value_enum, default_value_t)]
    template: Template,
    /// The SDK's folder, for projects in Rust [default: in the checkout that this program was built
    /// from].
    #[arg(long, value_name = "PATH")]
    sdk: Option<PathBuf>,
}

/// Writes the project and says what to type next.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let name = create(&args.dir, args.template, args.sdk.as_deref())?;
    term::status("Created", &format!("`{name}` in {}", args.dir.display()));
    term::to_stderr(&next_steps(&args.dir, args.template));
    Ok(Exit::Success)
}

/// Writes the project's files; answers its name.
fn create(dir: &Path, template: Template, sdk: Option<&Path>) -> Result<String, Problem> {
    let name = name_of(dir)?;
    refuse_occupied(dir)?;
    let sdk = match template.uses_sdk() {
        true => find_sdk(sdk.unwrap_or(Path::new(SDK)))?,
        false => PathBuf::new(),
    };
    let sdk = serde_json::Value::from(sdk.to_string_lossy()).to_string();
    let is_within_workspace = surrounding_workspace(dir).is_some();
    for (file, text) in template.files() {
        let mut text = text.replace("{{name}}", &name).replace("{{sdk}}", &sdk);
        if file == "Cargo.toml" && is_within_workspace {
            text.push_str(
                "\n# This package is not a member of the workspace around it.\n[workspace]\n",
            );
        }
        write(&dir.join(file), &text)?;
    }
    Ok(name)
}

/// The last part of the path, if cargo takes it for a package's name.
fn name_of(dir: &Path) -> Result<String, Problem> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let reason = if name.is_empty() {
        "it names no new folder"
    } else if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        "a name begins with a letter"
    } else if !name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    {
        "a name has letters, digits, `-` and `_`"
    } else if KEYWORDS.contains(&&*name) {
        "it is a keyword of Rust"
    } else if RESERVED.contains(&&*name) {
        "cargo uses that name itself"
    } else {
        return Ok(name.into_owned());
    };
    Err(Problem::usage(format!(
        "`{}` cannot be a project's name: {reason}",
        dir.display()
    ))
    .help("opensky new my-job"))
}

fn refuse_occupied(dir: &Path) -> Result<(), Problem> {
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Problem::usage(format!("`{}` is not empty", dir.display()))
                .help("choose another name, or empty that folder")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Problem::usage(format!("cannot use `{}`", dir.display()))
            .because(error)
            .help("choose another name")),
    }
}

fn find_sdk(sdk: &Path) -> Result<PathBuf, Problem> {
    sdk.canonicalize()
        .ok()
        .filter(|sdk| sdk.join("Cargo.toml").is_file())
        .ok_or_else(|| {
            Problem::usage(format!("the SDK is not in `{}`", sdk.display()))
                .help("say where it is, in a checkout of OpenSky: --sdk PATH")
        })
}

/// The manifest of a workspace that cargo would take the new package for a member of.
fn surrounding_workspace(dir: &Path) -> Option<PathBuf> {
    std::path::absolute(dir)
        .ok()?
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("Cargo.toml"))
        .find(|manifest| fs::read_to_string(manifest).is_ok_and(|text| text.contains("[workspace")))
}

fn write(file: &Path, text: &str) -> Result<(), Problem> {
    file.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(file, text))
        .map_err(|error| {
            Problem::host(format!("cannot write `{}`", file.display()))
                .because(error)
                .help("choose a folder that you may write to")
        })
}

fn next_steps(dir: &Path, template: Template) -> String {
    let test = if template.is_rust() {
        "  cargo test\n"
    } else {
        ""
    };
    let run = match template {
        Template::Stepper => "echo 100000 > limit.txt\n  opensky run . --input limit.txt",
        _ => "opensky run . --input README.md",
    };
    format!(
        "\nNext:\n  cd {}\n{test}  opensky build\n  {run}   {DIM}# README.md has more{PLAIN}\n",
        term::typed(dir)
    )
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn names_follow_cargos_rules() {
        for good in ["job", "my-job2", "a/b/_x", "./word_count"] {
            assert!(name_of(Path::new(good)).is_ok(), "{good}");
        }
        for bad in ["", "..", "2nd", "a b", "é", "match", "test", "a/.hidden"] {
            let problem = name_of(Path::new(bad)).expect_err(bad);
            assert_eq!(problem.exit(), Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn no_template_leaves_a_placeholder_and_all_say_how_to_go_on() {
        let root = tempfile::tempdir().expect("a folder");
        for template in Template::value_variants() {
            let dir = root.path().join(format!("t{}", *template as u8));
            create(&dir, *template, None).expect("created");
            for (file, _) in template.files() {
                let text = fs::read_to_string(dir.join(file)).expect("a file");
                assert!(!text.contains("{{"), "{file}");
            }
            let readme = fs::read_to_string(dir.join("README.md")).expect("a file");
            assert!(readme.contains("opensky build"));
        }
    }

    #[test]
    fn occupied_folder_and_missing_sdk_are_refused_before_anything_is_written() {
        let root = tempfile::tempdir().expect("a folder");
        let dir = root.path().join("job");
        let missing = create(&dir, Template::Job, Some(Path::new("/nowhere"))).expect_err("no sdk");
        assert_eq!(missing.exit(), Exit::Usage);
        assert!(!dir.exists());

        create(&dir, Template::Command, None).expect("created");
        let occupied = create(&dir, Template::Command, None).expect_err("occupied");
        assert_eq!(
            occupied.to_string(),
            format!("`{}` is not empty", dir.display())
        );
    }

    #[test]
    fn package_within_a_workspace_stands_alone() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("Cargo.toml"), "[workspace]\n").expect("a file");
        let dir = root.path().join("inner");
        create(&dir, Template::Command, None).expect("created");
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).expect("a file");
        assert!(manifest.ends_with("[workspace]\n"), "{manifest}");
    }
}
