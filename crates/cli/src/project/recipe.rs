//! Projects in other languages: their own tools build them, by a rule that their folder shows.
//!
//! A folder with a `package.json` is built by `npm run build`, one with a `Makefile` by `make`. Tools
//! that the project names come first: npm's in `node_modules`, those of a `requirements.txt` in
//! `.venv`, whose programs are then in `PATH`. Either way the one `.wasm` file in `build/` is the
//! result.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Problem, term};

/// Where a recipe leaves its file.
const RESULT_FOLDER: &str = "build";

/// What `.venv` was made for, so that it is made again when the requirements change.
const INSTALLED: &str = "installed-requirements.txt";

/// How a project without cargo is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipe {
    /// `npm run build`.
    Npm,
    /// `make`.
    Make,
}

/// The recipe that the files of `dir` show.
pub fn of(dir: &Path) -> Option<Recipe> {
    [("package.json", Recipe::Npm), ("Makefile", Recipe::Make)]
        .into_iter()
        .find(|(file, _)| dir.join(file).is_file())
        .map(|(_, recipe)| recipe)
}

impl Recipe {
    /// Gets the project's tools, builds, and answers which file came out.
    pub fn build(self, dir: &Path) -> Result<PathBuf, Problem> {
        match self {
            Self::Npm => {
                npm_tools(dir)?;
                run(
                    Command::new("npm").args(["run", "build"]),
                    dir,
                    Problem::failure,
                )?;
            }
            Self::Make => {
                python_tools(dir)?;
                run(&mut Command::new("make"), dir, Problem::failure)?;
            }
        }
        result(dir)
    }
}

fn npm_tools(dir: &Path) -> Result<(), Problem> {
    // npm writes this file when it is done.
    let installed = modified(&dir.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified(&dir.join("package.json")) {
        return Ok(());
    }
    term::status("Installing", "the tools of package.json into node_modules");
    run(
        Command::new("npm").args(["install", "--no-fund", "--no-audit"]),
        dir,
        Problem::host,
    )
}

fn python_tools(dir: &Path) -> Result<(), Problem> {
    let Ok(wanted) = fs::read(dir.join("requirements.txt")) else {
        return Ok(());
    };
    let venv = dir.join(".venv");
    let installed = venv.join(INSTALLED);
    if fs::read(&installed).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    term::status("Installing", "the tools of requirements.txt into .venv");
    run(
        Command::new("python3").args(["-m", "venv", "--clear", ".venv"]),
        dir,
        Problem::host,
    )?;
    let pip = Path::new(".venv/bin/python");
    run(
        Command::new(pip).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            "requirements.txt",
        ]),
        dir,
        Problem::host,
    )?;
    fs::write(&installed, wanted).map_err(|error| {
        Problem::host(format!("cannot write `{}`", installed.display())).because(error)
    })
}

/// Runs a tool in the project; what it says goes to stderr, and standard input is left to the guest.
/// `blame` says whose failure it is.
fn run(command: &mut Command, dir: &Path, blame: fn(String) -> Problem) -> Result<(), Problem> {
    let program = command.get_program().to_string_lossy().into_owned();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let venv = dir.canonicalize().map(|dir| dir.join(".venv/bin"));
    let folders = venv.into_iter().chain(std::env::split_paths(&inherited));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    command.current_dir(dir).stdin(Stdio::null());
    match command.stdout(io::stderr()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(blame(format!(
            "`{program}` failed in `{}` ({status})",
            dir.display()
        ))
        .help(after_failure(&program))),
        Err(error) => Err(Problem::host(format!("cannot start `{program}`"))
            .because(error)
            .help(how_to_get(&program))),
    }
}

fn after_failure(program: &str) -> &'static str {
    match program {
        "python3" => "python's venv module may be missing: apt-get install python3-venv",
        _ => "its words are above; mend what they say, then try again",
    }
}

fn how_to_get(program: &str) -> &'static str {
    match program {
        "npm" => "install Node.js 20 or later: https://nodejs.org, or apt-get install nodejs npm",
        "make" => "apt-get install make, or your system's package of that name",
        "python3" => "install Python 3.10 or later: apt-get install python3 python3-venv",
        _ => "make the project's tools anew: delete the folder .venv",
    }
}

/// The one file that the recipe left.
fn result(dir: &Path) -> Result<PathBuf, Problem> {
    let folder = dir.join(RESULT_FOLDER);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .collect();
    match files.len() {
        1 => Ok(files.remove(0)),
        0 => Err(Problem::failure(format!(
            "the build left no .wasm file in `{}`",
            folder.display()
        ))
        .help("make the recipe write its result there")),
        _ => Err(
            Problem::failure(format!("several .wasm files are in `{}`", folder.display()))
                .help("delete all but one, or run one: opensky run FILE"),
        ),
    }
}

fn modified(file: &Path) -> Option<std::time::SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}

#[cfg(test)]
mod tests {
    use crate::Exit;

    use super::*;

    fn project(makefile: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("Makefile"), makefile).expect("a file");
        dir
    }

    #[test]
    fn makefile_is_run_and_its_one_file_found() {
        let dir = project("all:\n\tmkdir -p build && touch build/a.wasm build/notes\n");
        let recipe = of(dir.path()).expect("a recipe");
        assert_eq!(recipe, Recipe::Make);
        let file = recipe.build(dir.path()).expect("built");
        assert_eq!(file, dir.path().join("build/a.wasm"));
    }

    #[test]
    fn failing_or_fruitless_recipes_are_the_projects_failure() {
        for makefile in [
            "all:\n\texit 3\n",
            "all:\n\ttrue\n",
            "all:\n\tmkdir -p build && touch build/a.wasm build/b.wasm\n",
        ] {
            let dir = project(makefile);
            let problem = Recipe::Make.build(dir.path()).expect_err(makefile);
            assert_eq!(problem.exit(), Exit::Failure, "{makefile}");
        }
    }
}
