//! Everything that is printed: results to stdout, what a person is told to stderr.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use clap::{ValueEnum, builder::Styles};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::foreign;

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something to look at.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Advice and names of things.
pub const NOTE: Style = AnsiColor::Cyan.on_default().bold();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();
/// Written after styled text, ends every style.
pub const PLAIN: anstyle::Reset = anstyle::Reset;

/// The colours of the help texts.
pub const HELP_STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// How a command reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people: aligned, coloured on a terminal.
    #[default]
    Text,
    /// For programs: one JSON object.
    Json,
}

/// Writes a result to stdout. No control sequence but a style gets through. Styles in `text` are dropped unless stdout is a terminal. A reader
/// that has gone away is not an error: the command's own verdict still counts.
pub fn to_stdout(text: &str) -> io::Result<()> {
    to_reader(text).map(drop)
}

/// Whoever reads what is written to stdout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reader {
    /// Reads on, as far as is known.
    There,
    /// Has gone away: whatever is written from now on is for nobody.
    Gone,
}

/// Like [`to_stdout`], for who would go on for nobody.
pub fn to_reader(text: &str) -> io::Result<Reader> {
    let written = anstream::stdout()
        .lock()
        .write_all(foreign::styled(text).as_bytes())
        .and_then(|()| anstream::stdout().flush());
    match written {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(io::Error::new(
            error.kind(),
            format!("cannot write to standard output: {error}; send it somewhere else"),
        )),
    }
}

/// Waits for so long, or until whoever reads stdout has gone away.
pub fn reader_within(most: Duration) -> Reader {
    let stdout = io::stdout();
    // Nothing is asked for: that the other end is closed is told anyway.
    let mut stdout = [PollFd::new(&stdout, PollFlags::empty())];
    let most = Timespec::try_from(most).ok();
    match poll(&mut stdout, most.as_ref()) {
        Ok(1..) => Reader::Gone,
        _ => Reader::There,
    }
}

/// Writes one JSON value and a line end to stdout.
pub fn json_to_stdout(value: &serde_json::Value) -> io::Result<()> {
    to_stdout(&foreign::json(&format!("{value:#}\n")))
}

/// Writes one JSON value and a line end to stderr, where reports go when stdout is the output's.
pub fn json_to_stderr(value: &serde_json::Value) {
    to_stderr(&foreign::json(&format!("{value:#}\n")));
}

/// Tells the person something, on stderr. No control sequence but a style gets through. Nobody can be told when that fails, so it is dropped.
pub fn to_stderr(text: &str) {
    let text = foreign::styled(text);
    let written = anstream::stderr().lock().write_all(text.as_bytes());
    drop(written);
}

/// A remark that is no error: `note: …`.
pub fn note(text: &str) {
    to_stderr(&format!("{NOTE}note{PLAIN}: {text}\n"));
}

/// Something that works but should be looked at: `warning: …`.
pub fn warn(text: &str) {
    to_stderr(&format!("{WARN}warning{PLAIN}: {text}\n"));
}

/// What the program does now, in cargo's way: a right-aligned verb, then what it is about.
pub fn status(verb: &str, what: &str) {
    to_stderr(&format!("{GOOD}{verb:>12}{PLAIN} {what}\n"));
}

/// Asks a yes-or-no question, where there is somebody to answer; otherwise the answer is yes.
pub fn confirm(question: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(true);
    }
    to_stderr(&format!("{question} [Y/n] "));
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer)?;
    Ok(read > 0
        && matches!(
            answer.trim().to_ascii_lowercase().as_str(),
            "" | "y" | "yes"
        ))
}

/// Label and value lines, the values in one column.
pub fn columns<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    rows.iter()
        .map(|(label, value)| format!("  {DIM}{label:<width$}{PLAIN}  {value}\n"))
        .collect()
}

/// A number and what it counts: `1 call`, `2 calls`.
pub fn count(number: u64, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// A size for people: binary units, one decimal.
pub fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// A path in a JSON report. JSON holds text only, so bytes that are none are shown as `\u{fffd}`.
pub fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A path as a person types it in a shell.
pub fn typed(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_path_is_one_word_of_a_shell() {
        let typed = |text: &str| typed(Path::new(text));
        assert_eq!(typed("/a-b/r_1.receipt"), "/a-b/r_1.receipt");
        assert_eq!(typed("my files/ö"), "'my files/ö'");
        assert_eq!(typed("it's; $HOME"), r"'it'\''s; $HOME'");
        assert_eq!(typed(""), "''");
    }

    #[test]
    fn one_is_counted_as_one() {
        assert_eq!(count(0, "call"), "0 calls");
        assert_eq!(count(1, "call"), "1 call");
        assert_eq!(count(2, "call"), "2 calls");
    }

    #[test]
    fn columns_align_values() {
        let text = columns([("size", "1".into()), ("fingerprint", "2".into())]);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain, "  size         1\n  fingerprint  2\n");
    }
}
