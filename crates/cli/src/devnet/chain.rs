//! The chain of a devnet: a process that seals a block twice a second, with a runtime that was built before.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use opensky_protocol::Digest;

use super::child::{Child, Stop, Wait};
use crate::{Problem, paths};

/// The name of the process, and of its folder.
pub const NAME: &str = "chain";
/// Milliseconds between the blocks of a devnet.
pub const SEAL: &str = "500";
/// What names the node, and the runtime, to an opensky that they were not built beside.
const NODE: &str = "OPENSKY_CHAIN_NODE";
const RUNTIME: &str = "OPENSKY_RUNTIME";
/// What builds both programs, and where one that is installed gets them from.
const BUILD: &str = "build it in OpenSky's sources: cargo xtask runtime --node; an opensky that is installed elsewhere \
    finds it by OPENSKY_CHAIN_NODE and OPENSKY_RUNTIME, which that command prints";

/// What a chain is run with.
#[derive(Clone, Debug)]
pub struct Programs {
    node: PathBuf,
    runtime: PathBuf,
}

impl Programs {
    /// Those that the environment names, or that were built beside this program.
    pub fn find() -> Result<Self, Problem> {
        let node = find(NODE, "debug/opensky-chain-node");
        let runtime = find(RUNTIME, "wasm32v1-none/release/opensky_chain_runtime.wasm");
        let missing =
            |what| Problem::usage(format!("{what} is not beside this program")).help(BUILD);
        Ok(Self {
            node: node.ok_or_else(|| missing("the chain's node"))?,
            runtime: runtime.ok_or_else(|| missing("the chain's runtime"))?,
        })
    }

    /// The specification of a chain that begins with the runtime: made once for each runtime, and kept. A runtime of
    /// which there is none is new here, so its native code is made next.
    fn spec(&self, cache: &Path, told: &dyn Fn(&str)) -> Result<PathBuf, Problem> {
        let failed = |error: io::Error| {
            Problem::host("cannot make the specification of a chain").because(error)
        };
        let runtime = fs::read(&self.runtime).map_err(failed)?;
        let file = cache.join(format!("{}.json", Digest::of(&runtime)));
        if file.is_file() {
            return Ok(file);
        }
        told("making the chain's specification, once for its runtime");
        let mut command = Command::new(&self.node);
        command.args(["spec", "--runtime"]).arg(&self.runtime);
        let output = command.stderr(Stdio::inherit()).output().map_err(failed)?;
        if !output.status.success() {
            return Err(Problem::host("the chain's node makes no specification").help(BUILD));
        }
        fs::create_dir_all(cache).map_err(failed)?;
        let mut new = tempfile::NamedTempFile::new_in(cache).map_err(failed)?;
        io::Write::write_all(&mut new, &output.stdout).map_err(failed)?;
        new.persist(&file).map_err(|error| failed(error.error))?;
        told("compiling the chain's runtime, once: a minute or two on a busy machine");
        Ok(file)
    }

    /// Starts the chain whose blocks are in `folder`, or begins it there; `how` says when blocks are made and who may ask
    /// for them, in the words of its node. Returns it and where it can be asked. `told` hears what is under way.
    pub fn start(
        &self,
        folder: &Path,
        how: &[&str],
        wait: &Wait<'_>,
        told: &dyn Fn(&str),
    ) -> Result<(Child, String), Stop> {
        let cache = paths::cache()?.join(NAME);
        let spec = self.spec(&cache, told)?;
        let log = folder.join(format!("{NAME}.log"));
        let run = |port: &str| {
            let mut args: Vec<_> = ["run", "--port", port].map(Into::into).into();
            args.extend(how.iter().map(Into::into));
            args.extend(["--spec".into(), spec.clone().into_os_string()]);
            args.extend(["--data".into(), folder.join(NAME).into_os_string()]);
            args.extend(["--cache".into(), cache.join("native").into_os_string()]);
            args
        };
        let mut child = Child::chain(NAME, &self.node, run("0"), &log)?;
        let line = child.line(wait)?;
        let url = line.strip_prefix("ready ").unwrap_or_default().trim();
        let port = url.rsplit(':').next().unwrap_or_default();
        // The nodes know it under this one.
        child.args = run(port);
        Ok((child, url.to_owned()))
    }
}

/// The file that a variable names, or one in the chain's target folder, which is in that of this program.
fn find(variable: &str, built: &str) -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Some(named.into());
    }
    let own = std::env::current_exe().ok()?;
    let file = own.parent()?.parent()?.join(NAME).join(built);
    file.is_file().then_some(file)
}
