//! A network of real processes on this machine, as `opensky devnet` starts it.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::run;

/// How long a devnet may take to end by itself.
const END: Duration = Duration::from_secs(15);

/// A network that runs. Killed when dropped; its processes die with it.
pub struct Devnet {
    process: Child,
    /// What it said when it was ready.
    ready: Value,
}

impl Devnet {
    /// Starts one that begins with nothing in that folder, and waits until it is ready.
    pub fn start(opensky: &Path, args: &[&str], folder: &Path) -> anyhow::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut command = Command::new(opensky);
        command.arg("devnet").args(args).arg("--data").arg(folder);
        eprintln!("    {}", run::shown(&command));
        command.args(["--format", "json"]).stdout(Stdio::piped());
        let process = command.spawn().context("cannot start opensky")?;
        let ready = Value::Null;
        let mut devnet = Self { process, ready };
        let stdout = devnet.process.stdout.take();
        let mut lines = BufReader::new(stdout.context("stdout was piped above")?).lines();
        match lines.next() {
            Some(line) => {
                let line = line.context("cannot hear what the network says")?;
                devnet.ready = serde_json::from_str(&line).context("the network says no JSON")?;
            }
            None => bail!("the network did not become ready; its own words are above"),
        }
        // What it says later has to go somewhere, or it would wait for ever.
        thread::spawn(move || lines.for_each(drop));
        Ok(devnet)
    }

    /// The folder of the node that jobs are handed to.
    pub fn requester(&self) -> anyhow::Result<PathBuf> {
        Ok(self.said("node")?.into())
    }

    /// Where the chain is asked that it settles on.
    pub fn chain(&self) -> anyhow::Result<&str> {
        self.said("chain")
    }

    fn said(&self, field: &str) -> anyhow::Result<&str> {
        let said = self.ready[field].as_str();
        said.with_context(|| format!("the network does not say its {field}"))
    }

    /// Has it end.
    pub fn end(mut self) -> anyhow::Result<()> {
        let id = self.process.id().to_string();
        run::run(Command::new("kill").args(["-TERM", &id]))?;
        let until = Instant::now() + END;
        while Instant::now() < until {
            let ended = self.process.try_wait();
            if ended.context("cannot wait for the network")?.is_some() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("the network does not end")
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // Fails where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
