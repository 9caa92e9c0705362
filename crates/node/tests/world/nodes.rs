//! Nodes on the loopback interface, and the ledger that they settle on.

use std::{path::Path, sync::Arc, time::Duration};

use opensky_core::Policy;
use opensky_executor::worker::Launcher;
use opensky_node::{
    Config, Execute, Node,
    config::{Bytes, Given, LedgerAt, LedgerConfig, LedgerHere},
    sandboxed,
};
use tokio::time::{Instant, sleep};

/// A folder for all nodes, and what they have in common.
pub struct World {
    folder: tempfile::TempDir,
    launcher: Launcher,
    ledger: Option<LedgerAt>,
}

impl World {
    pub fn new(launcher: Launcher) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            launcher,
            ledger: None,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration of a node of that name. The first one keeps the ledger.
    pub fn config(&self, name: &str) -> Config {
        let ledger = match &self.ledger {
            Some(at) => LedgerConfig::At(at.clone()),
            None => LedgerConfig::Here(LedgerHere::default()),
        };
        let mut config = Config::new(self.folder.path().join(name), ledger);
        config.network = "world".into();
        config.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
        config.public = true;
        config.capacity = Given {
            cores: Some(1),
            memory: Some(Bytes(4 << 30)),
            disk: Some(Bytes(1 << 30)),
            uplink: None,
        };
        config
    }

    /// Starts the node that keeps the ledger, and does nothing else.
    pub async fn ledger(&mut self) -> Node {
        self.ledger_of(LedgerHere::default()).await
    }

    /// The same, by other rules.
    pub async fn ledger_of(&mut self, rules: LedgerHere) -> Node {
        let mut config = self.config("ledger");
        config.ledger = LedgerConfig::Here(rules);
        config.provide = false;
        // It comes back where it was.
        config.listen = vec![format!("/ip4/127.0.0.1/tcp/{}", free_port())];
        let node = self.start(config).await;
        self.ledger = Some(LedgerAt {
            node: node.key(),
            address: node.addresses().await[0].clone(),
        });
        node
    }

    /// From now on nodes settle with this one, and reach it at that address.
    pub fn settle_at(&mut self, node: &Node, address: String) {
        self.ledger = Some(LedgerAt {
            node: node.key(),
            address,
        });
    }

    pub async fn provider(&self, name: &str) -> Node {
        self.start(self.config(name)).await
    }

    pub async fn requester(&self, name: &str) -> Node {
        let mut config = self.config(name);
        config.provide = false;
        self.start(config).await
    }

    pub async fn start(&self, config: Config) -> Node {
        let execute = sandboxed(&config, self.launcher.clone());
        self.start_with(config, execute).await
    }

    pub async fn start_with(&self, config: Config, execute: Arc<dyn Execute>) -> Node {
        let usual = Policy::default();
        let given = config.price.max_unpaid;
        let policy = Policy {
            max_unpaid: given.map_or(usual.max_unpaid, |coins| coins.0),
            first_retry: Duration::from_millis(200),
            // After this, whoever was refused goes to the ledger.
            patience: Duration::from_secs(1),
            ..usual
        };
        Node::with_policy(config, execute, policy).await.unwrap()
    }
}

/// A port that nobody listens on just now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until something is so, and panics where it never is.
pub async fn until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let start = Instant::now();
    while !check().await {
        assert!(start.elapsed() < Duration::from_secs(60), "never: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
