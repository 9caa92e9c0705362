//! A network on loopback in this process: who keeps the ledger, providers with real workers, and a
//! requester. Each node has its own folder, keys, swarm and rows.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use opensky_executor::worker::Launcher;
use opensky_node::{
    Config, Node,
    config::{Bytes, Given, LedgerAt, LedgerConfig, LedgerHere},
    sandboxed,
};
use tokio::time::sleep;

use crate::Error;

/// How long nodes may take to find each other before something is wrong.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(1);

/// Nodes that run until [`Cluster::stop`].
pub struct Cluster {
    folder: PathBuf,
    launcher: Launcher,
    ledger: Node,
    providers: Vec<Node>,
}

impl Cluster {
    /// Starts so many providers.
    pub async fn start(
        providers: usize,
        folder: &Path,
        launcher: &Launcher,
    ) -> Result<Self, Error> {
        let keeper = config(folder, "ledger", LedgerConfig::Here(LedgerHere::default()));
        let mut cluster = Self {
            folder: folder.to_owned(),
            launcher: launcher.clone(),
            ledger: begin(keeper, launcher).await?,
            providers: Vec::new(),
        };
        for number in 0..providers {
            let mut config = cluster.config(&format!("provider-{number}")).await?;
            config.provide = true;
            cluster.providers.push(begin(config, launcher).await?);
        }
        Ok(cluster)
    }

    /// Starts a requester, and answers when it knows every provider's offer, and after how long.
    pub async fn requester(&self, name: &str) -> Result<(Node, Duration), Error> {
        let config = self.config(name).await?;
        let start = Instant::now();
        let node = begin(config, &self.launcher).await?;
        while node.offers().len() < self.providers.len() {
            if start.elapsed() > PATIENCE {
                return Err("the requester does not hear of all offers".into());
            }
            sleep(LOOK).await;
        }
        Ok((node, start.elapsed()))
    }

    /// Ends all of them but requesters.
    pub async fn stop(self) {
        for node in self.providers.into_iter().chain([self.ledger]) {
            node.stop().await;
        }
    }

    async fn config(&self, name: &str) -> Result<Config, Error> {
        let addresses = self.ledger.addresses().await;
        let address = addresses.first().ok_or("the ledger listens nowhere")?;
        let at = LedgerAt {
            node: self.ledger.key(),
            address: address.clone(),
        };
        Ok(config(&self.folder, name, LedgerConfig::At(at)))
    }
}

fn config(folder: &Path, name: &str, ledger: LedgerConfig) -> Config {
    let mut config = Config::new(folder.join(name), ledger);
    config.network = "bench".into();
    config.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
    config.public = true;
    config.provide = false;
    config.capacity = Given {
        cores: Some(1),
        memory: Some(Bytes(4 << 30)),
        disk: Some(Bytes(1 << 30)),
        uplink: None,
    };
    config
}

async fn begin(config: Config, launcher: &Launcher) -> Result<Node, Error> {
    let execute = sandboxed(&config, launcher.clone());
    Ok(Node::start(config, execute).await?)
}
