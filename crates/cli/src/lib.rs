//! The OpenSky command line: one tree of commands behind two binaries, `opensky` and `cargo-opensky`.
//!
//! A command is one file under `command/`: its clap `Args` and one `pub fn` that returns
//! `anyhow::Result<Exit>`. It prints through [`term`], fails with a [`Problem`] where it can tell
//! the person what to do next, and never calls `std::process::exit`.

use std::{ffi::OsString, process::ExitCode};

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

pub mod command;
pub mod deliver;
pub mod devnet;
pub mod drive;
pub mod exit;
pub mod foreign;
pub mod host;
pub mod local;
pub mod logging;
pub mod paths;
pub mod problem;
pub mod progress;
pub mod project;
pub mod remote;
pub mod report;
pub mod request;
pub mod shards;
pub mod signals;
pub mod source;
pub mod template;
pub mod term;
pub mod toolchain;
pub mod value;
pub mod watch;

pub use exit::Exit;
pub use problem::Problem;

/// OpenSky: run a job in a deterministic sandbox, get a receipt that anyone can re-check.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true,
    styles = term::HELP_STYLES,
    after_help = "`--help` shows examples and exit codes.",
    after_long_help = exit::HELP
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: command::Command,
    /// Log to stderr: -v what is done, -vv every detail, -vvv those of the libraries too.
    #[arg(short, long, action = ArgAction::Count, global = true, display_order = 900)]
    pub verbose: u8,
}

/// Runs one command line to its end: parses, acts, prints the error if there is one. `shown_as` is
/// how the person typed the program's name; help texts repeat it.
pub fn main(args: impl IntoIterator<Item = OsString>, shown_as: &'static str) -> ExitCode {
    let cli = match parse(args, shown_as) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    logging::start(cli.verbose, cli.command.is_service());
    match cli.command.run() {
        Ok(exit) => exit.into(),
        Err(error) => problem::report(&error).into(),
    }
}

fn parse(
    args: impl IntoIterator<Item = OsString>,
    shown_as: &'static str,
) -> Result<Cli, clap::Error> {
    let matches = Cli::command()
        .name("opensky")
        .bin_name(shown_as)
        .try_get_matches_from(args)?;
    Cli::from_arg_matches(&matches)
}

/// `--help` and `--version` come as errors too; those two succeed.
fn usage(error: &clap::Error) -> ExitCode {
    let written = error.print();
    tracing::trace!(?written, "usage");
    match error.use_stderr() {
        true => Exit::Usage.into(),
        false => Exit::Success.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_tree_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_is_a_success_and_a_wrong_flag_a_usage_error() {
        let outcome = |args: &[&str]| {
            parse(args.iter().map(OsString::from), "opensky")
                .err()
                .map(|error| error.use_stderr())
        };
        assert_eq!(outcome(&["opensky", "--help"]), Some(false));
        assert_eq!(outcome(&["opensky", "doctor", "--nonsense"]), Some(true));
        assert_eq!(outcome(&["opensky", "doctor"]), None);
    }

    /// Every command, at any depth.
    fn all(command: &clap::Command) -> Vec<clap::Command> {
        let below = command.get_subcommands().flat_map(all);
        std::iter::once(command.clone()).chain(below).collect()
    }

    #[test]
    fn help_fits_a_terminal_of_80_columns() {
        let mut tree = Cli::command();
        tree.build();
        for command in all(&tree) {
            let mut narrow = command.clone().term_width(80);
            for help in [narrow.render_help(), narrow.render_long_help()] {
                let help = help.to_string();
                let long = help.lines().find(|line| line.chars().count() > 80);
                assert_eq!(long, None, "{}", command.get_name());
            }
            // A table that is broken anew has no columns any more.
            let table = command.get_after_long_help();
            let table = table.map(ToString::to_string).unwrap_or_default();
            let long = table.lines().find(|line| line.chars().count() > 80);
            assert_eq!(long, None, "{}", command.get_name());
        }
    }

    #[test]
    fn help_lists_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(&format!("  {}  ", exit as u8)), "{exit:?}");
        }
    }
}
