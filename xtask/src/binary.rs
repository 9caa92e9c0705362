//! The `opensky` binary of this checkout.

use std::{
    io::BufReader,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use cargo_metadata::Message;

use crate::run;

/// Builds `opensky`, in the dev profile, and answers where it is.
///
/// The dev profile optimises what takes the time (the compiler, the engine, hashes: see the root
/// Cargo.toml), so the demo is fast and everything it compiled is there for the tests, too.
pub fn build() -> anyhow::Result<PathBuf> {
    let mut command = command();
    command.arg("--message-format=json-render-diagnostics");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let stdout = child.stdout.take().expect("stdout was piped above");
    let mut binary = None;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        if let Message::CompilerArtifact(artifact) = message.context("cannot read from cargo")?
            && artifact.target.name == "opensky"
            && let Some(executable) = artifact.executable
        {
            binary = Some(executable.into_std_path_buf());
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    match binary {
        Some(binary) if status.success() => Ok(binary),
        _ => bail!("`{}` failed ({status})", run::shown(&self::command())),
    }
}

/// Beside `opensky`, where a devnet looks for it, and with the features of [`build`].
pub fn bad_node() -> Command {
    let mut command = run::cargo();
    command.args(["build", "--locked", "--workspace"]);
    command.args(["--bin", "bad-node", "--test", "architecture"]);
    command
}

/// Naming the workspace and a test makes cargo choose each dependency's features as the tests need
/// them; with fewer the engine would be compiled a second time, later.
fn command() -> Command {
    let mut command = run::cargo();
    command.args(["build", "--locked", "--workspace"]);
    command.args(["--bin", "opensky", "--test", "architecture"]);
    command
}
