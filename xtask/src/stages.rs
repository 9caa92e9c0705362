//! One thing after the other, each with a line before it and its time behind it.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader, IsTerminal as _},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::run;

/// What has been done so far.
#[derive(Debug)]
pub struct Stages {
    started: Instant,
    done: Vec<(&'static str, Duration)>,
    /// Lines in which a test runner sums itself up.
    verdicts: Vec<String>,
}

impl Stages {
    /// Starts the clock.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            done: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    /// Does one thing that is no single command.
    pub fn step<T>(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        say(&format!("==> {name}"));
        let started = Instant::now();
        let result = step();
        let took = started.elapsed();
        match &result {
            Ok(_) => say(&format!("==> {name}: ok, {}", seconds(took))),
            Err(_) => say(&format!("==> {name}: FAILED after {}", seconds(took))),
        }
        self.done.push((name, took));
        result
    }

    /// Runs one command; what it prints is shown as it comes.
    pub fn run(&mut self, name: &'static str, command: &mut Command) -> anyhow::Result<()> {
        self.step(name, || {
            say(&format!("    {}", run::shown(command)));
            run::run(command)
        })
    }

    /// As [`Stages::run`], and keeps the lines in which the test runner sums itself up for
    /// [`Stages::summary`].
    pub fn run_tests(&mut self, name: &'static str, command: &mut Command) -> anyhow::Result<()> {
        let mut verdicts = Vec::new();
        let result = self.step(name, || {
            say(&format!("    {}", run::shown(command)));
            watch(command, &mut verdicts)
        });
        self.verdicts.append(&mut verdicts);
        result
    }

    /// Prints every stage's time, then what the test runners said of themselves.
    pub fn summary(&self) {
        let width = self.done.iter().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or_default();
        say("\nAll is well:");
        for (name, took) in &self.done {
            say(&format!("  {name:<width$}  {:>8}", seconds(*took)));
        }
        let total = seconds(self.started.elapsed());
        say(&format!("  {:<width$}  {total:>8}", "in all"));
        for verdict in &self.verdicts {
            say(verdict);
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Progress goes to stderr: what the commands print on stdout stays theirs.
fn say(line: &str) {
    eprintln!("{line}");
}

/// Runs a test runner with both its streams in one pipe, and copies that to stderr line by line.
fn watch(command: &mut Command, verdicts: &mut Vec<String>) -> anyhow::Result<()> {
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    let repeat = run::shown(command);
    let mut child = command
        .env("CARGO_TERM_COLOR", colour())
        .stdin(Stdio::null())
        .stdout(writer.try_clone().context("cannot copy a pipe")?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot start `{repeat}`"))?;
    // The command still holds the pipe's other end; it must go, or the pipe never ends.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        let line = line.context("cannot read from the test runner")?;
        let line = String::from_utf8_lossy(&line).into_owned();
        say(&line);
        if is_verdict(&line) {
            verdicts.push(line);
        }
    }
    let status = child.wait().context("cannot wait for the test runner")?;
    anyhow::ensure!(status.success(), "`{repeat}` failed ({status})");
    Ok(())
}

/// What the test runner would find out by itself, were it not for the pipe.
fn colour() -> OsString {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let plain = named("NO_COLOR").is_some() || !std::io::stderr().is_terminal();
    let found = if plain { "never" } else { "always" };
    named("CARGO_TERM_COLOR").unwrap_or_else(|| found.into())
}

/// `Summary […] 12 tests run: …` is nextest's, `test result: …` libtest's.
fn is_verdict(line: &str) -> bool {
    line.contains(" tests run: ") || line.starts_with("test result: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_of_both_test_runners_are_kept() {
        let mut stages = Stages::start();
        let script = "echo 'test result: ok. 1 passed'; echo noise; \
                      echo '     Summary [ 0.1s] 2 tests run: 2 passed, 0 skipped' >&2";
        let ran = stages.run_tests("tests", Command::new("sh").args(["-c", script]));
        ran.expect("the script succeeds");
        let mut verdicts = stages.verdicts;
        verdicts.sort();
        assert_eq!(verdicts.len(), 2, "{verdicts:?}");
        assert!(verdicts[0].ends_with("2 tests run: 2 passed, 0 skipped"));
        assert_eq!(verdicts[1], "test result: ok. 1 passed");
    }

    #[test]
    fn failing_tests_fail_the_stage() {
        let script = "echo 'test result: FAILED.'; exit 101";
        let mut stages = Stages::start();
        let ran = stages.run_tests("tests", Command::new("sh").args(["-c", script]));
        let error = ran.expect_err("the script fails").to_string();
        assert!(error.contains("exit status: 101"), "{error}");
    }
}
