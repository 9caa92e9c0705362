//! The deployments that are known: signed records, kept here and in the network's table of peers.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use opensky_network::{FindError, Network};
use opensky_protocol::{Deployment, Digest, NodeKey, Reply, Request, Signed, codec};
use opensky_storage::{Row, Rows, RowsError, Table};

/// Records, by the deployment's id.
const DEPLOYMENTS: Table = Table::new("deployments-1");
/// Records that are kept for others.
const KEPT: usize = 10_000;
/// Nodes that are asked for a record that the table of peers does not have.
const ASKED: usize = 8;

/// A handle of the records. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Deployments(Arc<Shelf>);

struct Shelf {
    network: Network,
    rows: Arc<Rows>,
    known: Mutex<BTreeMap<Digest, Signed<Deployment>>>,
}

impl Deployments {
    /// Reads the records.
    pub fn load(network: Network, rows: Arc<Rows>) -> Result<Self, RowsError> {
        let mut known = BTreeMap::new();
        for row in rows.load_all(DEPLOYMENTS)? {
            let (_, value) = row?;
            if let Ok(record) = codec::decode::<Signed<Deployment>>(&value) {
                known.insert(record.value.id(), record);
            }
        }
        Ok(Self(Arc::new(Shelf {
            network,
            rows,
            known: Mutex::new(known),
        })))
    }

    /// Takes a record on, if it is sound and newer than the one that is known. Whether it was sound.
    pub fn learn(&self, record: Signed<Deployment>) -> bool {
        let id = record.value.id();
        let mut known = self.lock();
        let before = known.get(&id).map(|known| known.value.sequence);
        if before >= Some(record.value.sequence) {
            return true;
        }
        let has_room = before.is_some() || known.len() < KEPT;
        if !has_room || !record.value.is_bounded() || !record.holds() {
            return false;
        }
        let row = Row {
            table: DEPLOYMENTS,
            key: id.0.to_vec(),
            value: Some(codec::encode(&record)),
        };
        known.insert(id, record);
        drop(known);
        if let Err(error) = self.0.rows.submit(vec![row]) {
            tracing::warn!(%error, "a deployment is not kept");
        }
        true
    }

    /// The record of this id, if this node has it.
    pub fn find(&self, id: &Digest) -> Option<Signed<Deployment>> {
        self.lock().get(id).cloned()
    }

    /// All that this node knows.
    pub fn all(&self) -> Vec<Deployment> {
        self.lock()
            .values()
            .map(|record| record.value.clone())
            .collect()
    }

    /// The newest record of this id that this node, the table of peers, or one of `nodes` has.
    pub async fn look_up(&self, id: Digest, nodes: &[NodeKey]) -> Option<Signed<Deployment>> {
        for bytes in self.0.network.records(id).await.unwrap_or_default() {
            self.learn_bytes(&id, &bytes);
        }
        if self.find(&id).is_none() {
            self.ask(id, nodes).await;
        }
        self.find(&id)
    }

    async fn ask(&self, id: Digest, nodes: &[NodeKey]) {
        let request = codec::encode(&Request::Deployment(id));
        for node in nodes.iter().take(ASKED) {
            let reply = self.0.network.ask(*node, request.clone()).await;
            let reply = reply.map(|reply| codec::decode(&reply));
            if let Ok(Ok(Reply::Deployment(Some(record)))) = reply
                && record.value.id() == id
                && self.learn(*record)
            {
                return;
            }
        }
    }

    /// Whether the bytes are a sound record of that id.
    pub fn learn_bytes(&self, id: &Digest, bytes: &[u8]) -> bool {
        match codec::decode::<Signed<Deployment>>(bytes) {
            Ok(record) if record.value.id() == *id => self.learn(record),
            _ => false,
        }
    }

    /// Puts a record where everyone finds it.
    pub async fn announce(&self, record: &Signed<Deployment>) -> Result<(), FindError> {
        let bytes = codec::encode(record);
        self.0.network.put_record(record.value.id(), bytes).await
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, Signed<Deployment>>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
