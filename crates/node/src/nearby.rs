//! A node's store and network, and a peer that has blobs: for tests of what is brought from others.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use opensky_network::{BlobReader, Blobs, Config, Exposure, Inbound, Network};
use opensky_protocol::{Digest, NodeKey, SecretKey};
use opensky_storage::{Rows, SealKey, Store};
use tokio::time::{sleep, timeout};

use crate::{
    clock::Clock,
    deployments::Deployments,
    depot::Depot,
    keepsake::Keepsakes,
    pins::{self, Pins},
    supply::Supply,
    tasks::Tasks,
};

/// Longer than anything takes here.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The node, and its peer.
pub struct Nearby {
    pub network: Network,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
    rows: Arc<Rows>,
    pub gate: Arc<Gate>,
    /// Who has the blobs.
    pub source: NodeKey,
    _peer: Network,
    _folder: tempfile::TempDir,
}

/// What the peer has, and what it holds back.
pub struct Gate {
    blobs: BTreeMap<Digest, Arc<Vec<u8>>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    shut: BTreeSet<Digest>,
    /// Bytes that are read until the rest has to wait.
    left: Option<u64>,
}

impl Nearby {
    /// A peer that has these, and a node that knows it and has nothing.
    pub async fn start(blobs: &[&[u8]]) -> Self {
        Self::with_quota(blobs, 1 << 30).await
    }

    /// The same where the node's store holds so many bytes.
    pub async fn with_quota(blobs: &[&[u8]], quota: u64) -> Self {
        let blobs = blobs.iter().map(|blob| (Digest::of(blob), blob.to_vec()));
        let gate = Arc::new(Gate {
            blobs: blobs.map(|(name, blob)| (name, Arc::new(blob))).collect(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let seed = [7; 32];
        let source = SecretKey::from_seed(&seed).node();
        let (peer, _) = Network::start(config(), &seed, Arc::new(Peer(gate.clone())))
            .await
            .expect("a port of the loopback is free");
        let status = peer.status().await.expect("it was started just now");
        let address = format!("{}/p2p/{}", status.listen[0], status.peer_id);

        let folder = tempfile::tempdir().expect("there is a disk");
        let store = Store::open_sealed(folder.path(), &SealKey::from_bytes([1; 32]));
        let store = store.expect("the folder is new");
        let store = Arc::new(store.with_quota(quota).expect("the store is empty"));
        let rows = Rows::open(&folder.path().join("rows")).expect("the folder is new");
        let rows = Arc::new(rows);
        let depot = Depot::new(store.clone());
        let keepsakes = Keepsakes::load(store, rows.clone()).expect("there are no rows");
        let mut config = config();
        config.bootstrap = vec![address];
        let (network, mut inbox) = Network::start(config, &[8; 32], Arc::new(depot.clone()))
            .await
            .expect("a port of the loopback is free");
        let connected = async {
            while !matches!(inbox.next().await, Some(Inbound::Connected(node)) if node == source) {}
        };
        let connected = timeout(PATIENCE, connected).await;
        connected.expect("its peer listens");
        Self {
            network,
            depot,
            keepsakes,
            rows,
            gate,
            source,
            _peer: peer,
            _folder: folder,
        }
    }
}

/// What is made of its parts.
impl Nearby {
    pub fn pins(&self) -> Pins {
        let tools = pins::Tools {
            network: self.network.clone(),
            depot: self.depot.clone(),
            keepsakes: self.keepsakes.clone(),
            rows: self.rows.clone(),
            clock: Clock::default(),
            tasks: Tasks::new(),
        };
        Pins::load(tools).expect("the rows can be read")
    }

    /// Once all that was written before is durable.
    pub async fn deployments(&self) -> Deployments {
        let before = self.rows.submit(Vec::new()).expect("rows are taken");
        before.await.expect("rows are written");
        let (network, rows) = (self.network.clone(), self.rows.clone());
        let own = NodeKey([0; 32]);
        Deployments::load(own, network, rows, self.keepsakes.clone()).expect("the rows can be read")
    }

    pub fn supply(&self) -> Supply {
        let (network, depot) = (self.network.clone(), self.depot.clone());
        Supply::new(network, depot, self.keepsakes.clone(), self.pins())
    }
}

impl Drop for Nearby {
    fn drop(&mut self) {
        // Whatever waits would keep the test from ending.
        self.gate.open();
    }
}

fn config() -> Config {
    Config {
        listen: vec!["/ip4/127.0.0.1/tcp/0".into()],
        exposure: Exposure::Public,
        ..Config::new("nearby")
    }
}

impl Gate {
    /// From now on whoever wants this blob waits.
    pub fn shut(&self, blob: Digest) {
        self.lock().shut.insert(blob);
    }

    /// From now on so many bytes are read, and the rest waits.
    pub fn shut_after(&self, bytes: u64) {
        self.lock().left = Some(bytes);
    }

    /// Nothing waits any more.
    pub fn open(&self) {
        *self.lock() = State::default();
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    fn wait(&self, waits: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let state = self.lock();
        self.changed
            .wait_while(state, |state| waits(state))
            .expect("nobody panics with it")
    }
}

/// The peer's side of it.
struct Peer(Arc<Gate>);

struct Served {
    blob: Arc<Vec<u8>>,
    gate: Arc<Gate>,
}

impl Blobs for Peer {
    fn open(&self, digest: &Digest) -> Option<Arc<dyn BlobReader>> {
        drop(self.0.wait(|state| state.shut.contains(digest)));
        let blob = self.0.blobs.get(digest)?.clone();
        let gate = self.0.clone();
        Some(Arc::new(Served { blob, gate }))
    }
}

impl BlobReader for Served {
    fn length(&self) -> u64 {
        self.blob.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let wanted = buffer.len() as u64;
        let mut state = self
            .gate
            .wait(|state| state.left.is_some_and(|left| left < wanted));
        if let Some(left) = &mut state.left {
            *left -= wanted;
        }
        drop(state);
        let start = offset as usize;
        buffer.copy_from_slice(&self.blob[start..start + buffer.len()]);
        Ok(())
    }
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let start = Instant::now();
    while !check().await {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
