//! Where outputs and receipts go.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use opensky_protocol::Digest;

use crate::{Problem, paths, source, term};

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
    [output, receipt, out]
        .into_iter()
        .flatten()
        .try_for_each(writable)
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
pub fn receipt(asked: Option<&Path>, id: &Digest, bytes: &[u8]) -> Result<PathBuf, Problem> {
    if let Some(path) = asked {
        file(path, bytes, "the receipt")?;
        return Ok(path.to_owned());
    }
    let name = format!("r-{:.16}.receipt", id.to_string());
    let path = paths::data()?.join("receipts").join(name);
    paths::regular(&path).map_err(|error| {
        Problem::host(format!("cannot write the receipt to `{}`", path.display()))
            .because(error)
            .help("move it away, or name another place with --receipt")
    })?;
    file(&path, bytes, "the receipt")?;
    Ok(path)
}

/// Writes the output to a file, or to stdout.
pub fn output(asked: Option<&Path>, bytes: &[u8]) -> anyhow::Result<()> {
    match asked.filter(|path| !source::is_dash(path)) {
        Some(path) => Ok(file(path, bytes, "the output")?),
        None => Ok(term::bytes_to_stdout(bytes)?),
    }
}

/// Writes the other outputs to a folder. Files under /out keep their paths; blobs are named by digest. Names were made by the host and
/// hold no `..`, and nothing is written through a link that leads out of the folder.
pub fn others(dir: &Path, outputs: &BTreeMap<String, Vec<u8>>) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        Problem::host(format!("cannot write the outputs to `{}`", dir.display())).because(error)
    };
    std::fs::create_dir_all(dir).map_err(failed)?;
    let root = cap_std::fs::Dir::open_ambient_dir(dir, cap_std::ambient_authority());
    let root = root.map_err(failed)?;
    for (name, bytes) in outputs {
        let path = match name.split_once('/') {
            Some(("out", path)) => Path::new(path),
            Some(("blob", _)) => Path::new(name),
            _ => continue,
        };
        if let Some(folder) = path.parent() {
            root.create_dir_all(folder).map_err(failed)?;
        }
        root.write(path, bytes).map_err(failed)?;
    }
    Ok(())
}

/// Writes a whole file, with the folders above it. `what` says what it is, in an error.
pub fn file(path: &Path, bytes: &[u8], what: &str) -> Result<(), Problem> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, bytes))
        .map_err(|error| {
            Problem::host(format!("cannot write {what} to `{}`", path.display()))
                .because(error)
                .help("check that the folder can be written and the disk is not full")
        })
}
