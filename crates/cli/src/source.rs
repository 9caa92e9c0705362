//! What a person names as the thing to run: a file, a folder, or the project they stand in.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use opensky_executor::{
    Admitted, adapt, admit,
    inspect::{Inspection, Kind, Refusal, inspect},
};

use opensky_meter::{FUEL_LIMIT, FUEL_REPORT, METER};
use opensky_protocol::codec::FileKind;

use crate::{Problem, project, term};

/// More than admission accepts of a component; text and modules to be adapted may be larger.
const MAX_FILE: u64 = 256 << 20;
/// Parsing text takes about twenty times its size in memory.
const MAX_TEXT: usize = 32 << 20;

/// A component that may run here.
pub struct Source {
    /// The file it came from.
    pub file: PathBuf,
    /// The component.
    pub bytes: Vec<u8>,
    /// What admission found.
    pub admitted: Admitted,
}

/// Finds the component that `target` means: a folder is built first; text is translated, and a
/// preview-1 command adapted.
pub fn load(target: &Path) -> Result<Source, Problem> {
    let file = match target.is_dir() {
        true => project::build_project(target)?,
        false => target.to_owned(),
    };
    let bytes = component(&file)?;
    let admitted = admit(&bytes).map_err(|refusal| refused(&file, &refusal))?;
    Ok(Source {
        file,
        bytes,
        admitted,
    })
}

/// Reads a file as it is, in the binary format, and tells what it is. For commands that build nothing;
/// `refused` says what a refusal by the sandbox means to them.
pub fn look(
    file: &Path,
    refused: impl FnOnce(&Path, &Refusal) -> Problem,
) -> Result<(Vec<u8>, Inspection), Problem> {
    if file.is_dir() {
        let build = format!("opensky build {}", term::typed(file));
        return Err(Problem::usage(format!("`{}` is a folder", file.display()))
            .help(format!("name a file; a project's is made by: {build}")));
    }
    let bytes = wasm(file)?;
    match inspect(&bytes) {
        Ok(inspection) => Ok((bytes, inspection)),
        Err(Refusal::NotWasm) => Err(not_wasm(file, &bytes)),
        Err(refusal) => Err(refused(file, &refusal)),
    }
}

/// The component in a file: text is translated, a preview-1 command adapted.
pub fn component(file: &Path) -> Result<Vec<u8>, Problem> {
    let bytes = wasm(file)?;
    let inspection = inspect(&bytes).map_err(|refusal| refused(file, &refusal))?;
    match inspection.kind {
        Kind::Component => Ok(bytes),
        // What keeps a core module from being a command is named on the way.
        Kind::Preview1Command | Kind::CoreModule => {
            adapt(&bytes).map_err(|refusal| refused(file, &refusal))
        }
    }
}

/// The file's bytes in the binary format.
fn wasm(file: &Path) -> Result<Vec<u8>, Problem> {
    let bytes = read(file, "the program")?;
    if bytes.starts_with(b"\0asm") || !is_text(file, &bytes) {
        return Ok(bytes);
    }
    if bytes.len() > MAX_TEXT {
        return Err(
            Problem::refused(format!("`{}` is more than 32 MiB of text", file.display()))
                .help("translate it first, for instance with: wasm-tools parse"),
        );
    }
    wat::Parser::new()
        .parse_bytes(Some(file), &bytes)
        .map(|wasm| wasm.into_owned())
        .map_err(|error| {
            Problem::refused(format!("`{}` is not WebAssembly text", file.display()))
                .because(error.to_string())
        })
}

fn is_text(file: &Path, bytes: &[u8]) -> bool {
    let named = file.extension().is_some_and(|extension| extension == "wat");
    named || bytes.trim_ascii_start().starts_with(b"(")
}

/// Says what a file is instead.
fn not_wasm(file: &Path, bytes: &[u8]) -> Problem {
    let problem = Problem::refused(format!("`{}` is not WebAssembly", file.display()));
    if FileKind::of(bytes).is_some() {
        let show = format!("opensky receipt show {}", term::typed(file));
        return problem
            .because("it is a receipt")
            .help(format!("show it with: {show}"));
    }
    let kind = match bytes {
        [] => "it is empty",
        [0x7f, b'E', b'L', b'F', ..] => "it is a native program or library (ELF)",
        [0x1f, 0x8b, ..] => "it is compressed (gzip)",
        [b'P', b'K', 3, 4, ..] => "it is an archive (zip)",
        _ if is_readable(bytes) => "it is text, and not that of WebAssembly",
        _ => "it is of no kind that is known here",
    };
    problem
        .because(kind)
        .help("name a component, a core module or WebAssembly text: a `.wasm` or `.wat` file")
}

fn is_readable(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes);
    text.is_ok_and(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()))
}

/// Whether a program is refused for what only the meter puts into one.
pub fn is_metered(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Import { name, .. } => [FUEL_LIMIT, FUEL_REPORT].contains(&name.as_str()),
        Refusal::ModuleImport { module, .. } => module == METER,
        _ => false,
    }
}

/// A file that the sandbox refuses, and what to do about it.
pub fn refused(file: &Path, refusal: &Refusal) -> Problem {
    if is_metered(refusal) {
        let what = format!("`{}` is metered already", file.display());
        return Problem::refused(what)
            .because(refusal.to_string())
            .help("run the program that it was made from: it is metered as it is run");
    }
    Problem::refused(format!("the sandbox refuses `{}`", file.display()))
        .because(refusal.to_string())
        .help(refusal.advice())
}

/// Reads a whole file that a person named, or standard input where they named `-`.
pub fn read(file: &Path, what: &str) -> Result<Vec<u8>, Problem> {
    let failed = |error: std::io::Error| {
        Problem::usage(format!("cannot read {what} `{}`", file.display()))
            .because(error)
            .help("check the path and its permissions")
    };
    if is_dash(file) {
        return bounded(std::io::stdin().lock(), file, what)?.map_err(failed);
    }
    if file.is_dir() {
        return Err(
            Problem::usage(format!("{what} `{}` is a folder", file.display())).help("give a file"),
        );
    }
    let opened = std::fs::File::open(file).map_err(failed)?;
    bounded(opened, file, what)?.map_err(failed)
}

/// `-`: standard input where something is read, standard output where something is written.
pub fn is_dash(file: &Path) -> bool {
    file == Path::new("-")
}

/// All bytes, unless there are too many.
fn bounded(from: impl Read, file: &Path, what: &str) -> Result<std::io::Result<Vec<u8>>, Problem> {
    let mut bytes = Vec::new();
    if let Err(error) = from.take(MAX_FILE + 1).read_to_end(&mut bytes) {
        return Ok(Err(error));
    }
    if bytes.len() as u64 > MAX_FILE {
        let what = format!("{what} `{}` is larger than 256 MiB", file.display());
        return Err(Problem::usage(what).help("give a smaller file; cut an input into parts"));
    }
    Ok(Ok(bytes))
}
