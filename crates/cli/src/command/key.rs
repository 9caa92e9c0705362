//! `opensky key`: the node's identity.

use serde_json::json;

use crate::{
    Exit, Problem, local,
    term::{self, Format},
};

/// Make or show this node's identity
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Make a new ed25519 key
    New {
        /// Replace the key that is there. Receipts that it signed stay valid; nobody can sign as it
        /// again.
        #[arg(long)]
        force: bool,
        /// How to report on stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the public key and where the secret one is
    Show {
        /// How to report on stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// Does it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let file = local::key_file()?;
    let (key, format) = match args.command {
        Command::New { force: false, .. } if file.exists() => {
            return Err(
                Problem::usage(format!("there is a key already: `{}`", file.display()))
                    .help(
                        "show it with: opensky key show; replace it with: opensky key new --force",
                    )
                    .into(),
            );
        }
        Command::New { force, format } => (local::make_key(&file, force)?, format),
        Command::Show { .. } if !file.exists() => {
            return Err(Problem::usage("this node has no key yet")
                .help("make one with: opensky key new")
                .into());
        }
        Command::Show { format } => (local::read_key(&file)?, format),
    };
    let node = key.node().to_string();
    match format {
        Format::Text => {
            let rows = [("node", node), ("secret key", file.display().to_string())];
            term::to_stdout(&term::columns(rows))?;
        }
        Format::Json => term::json_to_stdout(&json!({ "node": node, "file": term::path(&file) }))?,
    }
    Ok(Exit::Success)
}
