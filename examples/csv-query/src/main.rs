//! Asks a CSV file and prints a table: an ordinary program that knows nothing of OpenSky.
mod arguments;
mod query;
mod table;

use std::{
    fs::File,
    io::{self, Read, Write},
    process::ExitCode,
};

use crate::{
    arguments::{Arguments, BadArguments, HELP},
    query::{BadData, Query},
};

/// Exit code when the data cannot be read, or does not have what was asked for.
const BAD_DATA: u8 = 1;
/// Exit code when the arguments make no sense.
const BAD_ARGUMENTS: u8 = 2;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}\n\n{HELP}")]
    Arguments(#[from] BadArguments),
    #[error("cannot open {path}: {source}")]
    Open { path: String, source: io::Error },
    #[error(transparent)]
    Data(#[from] BadData),
    #[error("cannot write: {0}")]
    Write(io::Error),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("csv-query: {failure}");
            ExitCode::from(match failure {
                Failure::Arguments(_) => BAD_ARGUMENTS,
                Failure::Open { .. } | Failure::Data(_) | Failure::Write(_) => BAD_DATA,
            })
        }
    }
}

fn run() -> Result<(), Failure> {
    let arguments = arguments::parse(std::env::args().skip(1))?;
    let Arguments::Query { file, query } = arguments else {
        return write(&format!("{HELP}\n"));
    };
    write(&ask(&query, open(file)?)?)
}

fn ask(query: &Query, data: impl Read) -> Result<String, BadData> {
    let (header, rows) = query::run(query, data)?;
    Ok(table::format(&header, &rows))
}

fn open(file: Option<String>) -> Result<Box<dyn Read>, Failure> {
    let Some(path) = file else {
        return Ok(Box::new(io::stdin().lock()));
    };
    match File::open(&path) {
        Ok(file) => Ok(Box::new(file)),
        Err(source) => Err(Failure::Open { path, source }),
    }
}

/// A reader that went away (`| head`) has what it wanted.
fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Write(error)),
        _ => Ok(()),
    }
}
