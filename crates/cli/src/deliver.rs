//! Where outputs and receipts go.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, IsTerminal as _, Read, Write},
    path::{Path, PathBuf},
};

use cap_std::fs::Dir;
use opensky_protocol::Digest;

use crate::{Problem, foreign, paths, source, term};

/// What is copied at once.
const PIECE: usize = 64 << 10;

/// Whether everything can go where it was asked for, as far as that can be told before a run that
/// may take long.
pub fn check(
    output: Option<&Path>,
    receipt: Option<&Path>,
    out: Option<&Path>,
) -> Result<(), Problem> {
    for (flag, file) in [("--output", output), ("--receipt", receipt)] {
        if let Some(file) = file.filter(|file| file.is_dir()) {
            let what = format!("{flag} `{}` is a folder", file.display());
            return Err(Problem::usage(what).help("give a file"));
        }
    }
    for (flag, path) in [("--receipt", receipt), ("--out", out)] {
        if path.is_some_and(source::is_dash) {
            return Err(
                Problem::usage(format!("{flag} cannot go to standard output"))
                    .help("give a name; `./-` is the file of that name"),
            );
        }
    }
    if let Some(dir) = out.filter(|dir| dir.exists() && !dir.is_dir()) {
        let what = format!("--out `{}` is not a folder", dir.display());
        return Err(Problem::usage(what).help("give a folder, or one to be made"));
    }
    let absolute = |path: &Path| std::path::absolute(path).ok();
    if let (Some(output), Some(receipt)) = (output.and_then(absolute), receipt.and_then(absolute))
        && output == receipt
    {
        return Err(
            Problem::usage("the output and the receipt cannot go to one file")
                .help("give --output and --receipt different names"),
        );
    }
    let output = output.filter(|path| !source::is_dash(path));
    let mut all = [output, receipt, out].into_iter().flatten();
    all.try_for_each(writable)?;
    for (flag, file) in [("--output", output), ("--receipt", receipt)] {
        file.map_or(Ok(()), |file| has_folder(flag, file))?;
    }
    Ok(())
}

/// Whether the folder of a file is there. It is not made: a name that was mistyped would be.
fn has_folder(flag: &str, file: &Path) -> Result<(), Problem> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Some(folder) = folder.filter(|folder| !folder.exists()) else {
        return Ok(());
    };
    let what = format!("{flag}: there is no folder `{}`", folder.display());
    let make = term::typed(folder);
    Err(Problem::usage(what).help(format!(
        "mkdir -p {make} makes it; else choose another place"
    )))
}

/// Whether this user may write there, or make what is not there yet.
fn writable(path: &Path) -> Result<(), Problem> {
    let refused = |error: std::io::Error| {
        Problem::host(format!("cannot write to `{}`", path.display()))
            .because(error)
            .help("choose a place that you may write to; nothing was run")
    };
    let absolute = std::path::absolute(path).map_err(refused)?;
    let there = absolute.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("/"));
    if there != absolute && !there.is_dir() {
        return Err(refused(std::io::ErrorKind::NotADirectory.into()));
    }
    rustix::fs::access(there, rustix::fs::Access::WRITE_OK).map_err(|error| refused(error.into()))
}

/// Writes a receipt where it was asked for, or to the data folder; answers where it is.
pub fn receipt(asked: Option<&Path>, id: &Digest, from: impl Read) -> Result<PathBuf, Problem> {
    if let Some(path) = asked {
        file(path, from, "the receipt")?;
        return Ok(path.to_owned());
    }
    let name = format!("r-{:.16}.receipt", id.to_string());
    let path = paths::data()?.join("receipts").join(name);
    paths::regular(&path).map_err(|error| {
        Problem::host(format!("cannot write the receipt to `{}`", path.display()))
            .because(error)
            .help("move it away, or name another place with --receipt")
    })?;
    file(&path, from, "the receipt")?;
    Ok(path)
}

/// Writes the output to a file, or to stdout: into a file or a pipe go the bytes and no others, on a
/// terminal they are shown as text that cannot steer it, and an unfinished last line is ended. A reader
/// that has gone away is not an error.
pub fn output(asked: Option<&Path>, from: impl Read) -> Result<(), Problem> {
    if let Some(path) = asked.filter(|path| !source::is_dash(path)) {
        return file(path, from, "the output");
    }
    let mut stdout = io::stdout().lock();
    let copied = match stdout.is_terminal() {
        true => show(from, stdout),
        false => copy(from, &mut stdout),
    };
    match copied {
        Err(Broken::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Broken::Write(error)) => Err(Problem::host("cannot write to standard output")
            .because(error)
            .help("send it somewhere else with --output")),
        Err(Broken::Read(error)) => Err(unread("the output", error)),
        Ok(()) => Ok(()),
    }
}

/// So that the report begins on a line of its own.
fn show(from: impl Read, terminal: impl Write) -> Result<(), Broken> {
    let mut shown = foreign::Shown::new(terminal);
    copy(from, &mut shown)?;
    shown.finish().map_err(Broken::Write)
}

/// A folder for the other outputs. Files under /out keep their paths; blobs are named by digest. Names
/// were made by the host and hold no `..`, and nothing is written through a link that leads out of it.
/// Of names that the guest chose, characters that a terminal would obey are written out.
pub struct Folder {
    path: PathBuf,
    root: Dir,
}

impl Folder {
    /// Makes it, unless it is there.
    pub fn make(path: &Path) -> Result<Self, Problem> {
        let made = std::fs::create_dir_all(path)
            .and_then(|()| Dir::open_ambient_dir(path, cap_std::ambient_authority()));
        let root = made.map_err(|error| unwritten(path, error))?;
        let path = path.to_owned();
        Ok(Self { path, root })
    }

    /// Whether an output of this name goes there.
    pub fn takes(name: &str) -> bool {
        Self::place(name).is_some()
    }

    fn place(name: &str) -> Option<&Path> {
        match name.split_once('/') {
            Some(("out", path)) => Some(Path::new(path)),
            Some(("blob", _)) => Some(Path::new(name)),
            _ => None,
        }
    }

    /// Writes an output, if it goes there.
    pub fn put(&self, name: &str, from: impl Read) -> Result<(), Problem> {
        let Some(path) = Self::place(name) else {
            return Ok(());
        };
        let path = foreign::file(&path.to_string_lossy());
        let path = Path::new(&path);
        let failed = |error| unwritten(&self.path, error);
        if let Some(folder) = path.parent() {
            self.root.create_dir_all(folder).map_err(failed)?;
        }
        let mut file = self.root.create(path).map_err(failed)?;
        copy(from, &mut file).map_err(|broken| match broken {
            Broken::Write(error) => failed(error),
            Broken::Read(error) => unread("an output", error),
        })
    }
}

fn unwritten(folder: &Path, error: io::Error) -> Problem {
    let what = format!("cannot write the outputs to `{}`", folder.display());
    Problem::host(what).because(error)
}

/// Writes the other outputs to a folder.
pub fn others(dir: &Path, outputs: &BTreeMap<String, Vec<u8>>) -> Result<(), Problem> {
    let folder = Folder::make(dir)?;
    let mut all = outputs.iter();
    all.try_for_each(|(name, bytes)| folder.put(name, bytes.as_slice()))
}

/// Writes a whole file, and where it is one of ours the folders above it. `what` says what it is, in an error.
pub fn file(path: &Path, from: impl Read, what: &str) -> Result<(), Problem> {
    let failed = |error: io::Error| {
        Problem::host(format!("cannot write {what} to `{}`", path.display()))
            .because(error)
            .help("check that the folder can be written and the disk is not full")
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    let mut file = made.and_then(|()| File::create(path)).map_err(failed)?;
    copy(from, &mut file).map_err(|broken| match broken {
        Broken::Write(error) => failed(error),
        Broken::Read(error) => unread(what, error),
    })
}

/// What was to be delivered comes from a node, or is here.
fn unread(what: &str, error: io::Error) -> Problem {
    Problem::host(format!("the node did not give all of {what}"))
        .because(error)
        .help("what was written is only a part of it: get it again with opensky job result")
}

/// Which end of a copy failed.
enum Broken {
    Read(io::Error),
    Write(io::Error),
}

/// Copies to the end, piece by piece: what comes out of a job may be larger than the memory.
fn copy(mut from: impl Read, to: &mut impl Write) -> Result<(), Broken> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return to.flush().map_err(Broken::Write),
            Ok(len) => to.write_all(&piece[..len]).map_err(Broken::Write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Broken::Read(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives some bytes and then fails.
    struct Breaking(&'static [u8]);

    impl Read for Breaking {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                len => Ok(len),
            }
        }
    }

    #[test]
    fn source_that_breaks_off_is_not_blamed_on_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/out");
        let problem = file(&path, Breaking(b"abc"), "the output").expect_err("it breaks off");
        let said = crate::problem::describe(&problem.into());
        assert!(said.contains("did not give all of the output"), "{said}");
        file(&path, b"abc".as_slice(), "the output").expect("written");
        assert_eq!(std::fs::read(&path).expect("it is there"), b"abc");
    }

    #[test]
    fn others_keep_their_names_and_stay_in_the_folder() {
        let place = tempfile::tempdir().expect("a folder");
        let dir = place.path().join("others");
        std::fs::create_dir(&dir).expect("a folder");
        std::os::unix::fs::symlink(place.path(), dir.join("link")).expect("a link");
        let outputs = ["out/a/b", "blob/00", "state"];
        let outputs = outputs.map(|name| (name.to_owned(), name.as_bytes().to_vec()));
        others(&dir, &outputs.into()).expect("written");
        let read = |name: &str| std::fs::read(dir.join(name)).ok();
        assert_eq!(read("a/b").as_deref(), Some(&b"out/a/b"[..]));
        assert_eq!(read("blob/00").as_deref(), Some(&b"blob/00"[..]));
        assert_eq!(read("state"), None);
        let evil = [("out/a\u{1b}[2J\n\u{202e}b".to_owned(), b"evil".to_vec())];
        others(&dir, &evil.into()).expect("written");
        let harmless = dir.join(r"a\u{1b}[2J\n\u{202e}b");
        assert_eq!(std::fs::read(harmless).expect("it is there"), b"evil");
        let through = [("out/link/x".to_owned(), Vec::new())];
        assert!(others(&dir, &through.into()).is_err());
        assert!(!place.path().join("x").exists());
    }

    #[test]
    fn terminal_is_shown_text() {
        let mut screen = Vec::new();
        let shown = show(b"a\x1b[2Jb".as_slice(), &mut screen);
        assert!(shown.is_ok());
        assert_eq!(screen, b"a\\u{1b}[2Jb\n");
    }
}
