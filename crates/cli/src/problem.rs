//! What went wrong, said to a person: what happened, why, and what to do next.

use std::{
    error::Error,
    fmt::{self, Write as _},
};

use crate::{Exit, foreign, term};

/// An error that knows its exit code and, where there is something to do about it, says what.
///
/// It goes through `anyhow` like any other error; [`report`] finds it again wherever it is in the
/// chain.
#[derive(Debug)]
pub struct Problem {
    exit: Exit,
    what: String,
    help: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    /// The command line makes no sense, or names something that is not there.
    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Refused before anything ran, or cannot be judged.
    pub fn refused(what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, what)
    }

    /// The person's own program failed.
    pub fn failure(what: impl Into<String>) -> Self {
        Self::new(Exit::Failure, what)
    }

    /// This machine failed: a file, a tool, memory.
    pub fn host(what: impl Into<String>) -> Self {
        Self::new(Exit::Host, what)
    }

    fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            help: None,
            cause: None,
        }
    }

    /// What the person can do about it: an imperative sentence or the command to type.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The error below this one.
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The exit code that goes with it.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }
}

/// Prints an error to stderr and returns the code to exit with.
pub fn report(error: &anyhow::Error) -> Exit {
    term::to_stderr(&describe(error));
    exit_of(error)
}

/// The code to exit with after `error`: that of the first [`Problem`] in the chain, else the host's.
pub fn exit_of(error: &anyhow::Error) -> Exit {
    problems(error).next().map_or(Exit::Host, Problem::exit)
}

/// The lines that [`report`] prints.
pub fn describe(error: &anyhow::Error) -> String {
    let (bad, note, plain) = (term::BAD, term::NOTE, term::PLAIN);
    let mut said = foreign::message(&error.to_string());
    let mut text = format!("{bad}error{plain}: {said}\n");
    for cause in error.chain().skip(1) {
        let cause = foreign::message(&cause.to_string());
        // Some errors repeat in their own text the one below them.
        if !said.ends_with(&cause) {
            line(&mut text, format_args!("  because: {cause}"));
        }
        said = cause;
    }
    for help in problems(error).filter_map(|problem| problem.help.as_deref()) {
        let help = foreign::message(help);
        line(&mut text, format_args!("{note}help{plain}: {help}"));
    }
    text
}

fn line(text: &mut String, line: fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a string cannot fail");
}

fn problems(error: &anyhow::Error) -> impl Iterator<Item = &Problem> {
    error.chain().filter_map(|cause| cause.downcast_ref())
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn report_says_what_why_and_what_next() {
        let problem = Problem::usage("cannot read the input `a.txt`")
            .because(io::Error::other("disk on fire"))
            .help("give another file with --input");
        let text = anstream::adapter::strip_str(&describe(&problem.into())).to_string();
        expect_test::expect![[r#"
            error: cannot read the input `a.txt`
              because: disk on fire
            help: give another file with --input
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn exit_code_survives_added_context() {
        let error = Err::<(), _>(Problem::refused("imports sockets"))
            .context("while looking at x.wasm")
            .expect_err("an error");
        assert_eq!(exit_of(&error), Exit::Refused);
        assert_eq!(exit_of(&anyhow::anyhow!("anything else")), Exit::Host);
    }
}
