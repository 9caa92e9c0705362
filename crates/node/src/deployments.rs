//! The deployments that are known: signed records, kept here and in the network's table of peers.

mod shelf;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_network::{FindError, Network};
use opensky_protocol::{Deployment, Digest, NodeKey, Reply, Request, Signed, codec};
use opensky_storage::{Row, Rows, RowsError, Table};
use tokio::time::timeout;

pub(crate) use self::shelf::Heard;
use self::shelf::{Shelf, Stay, is_sound};
use crate::{
    asking::{Answers, SOON},
    keepsake::Keepsakes,
};

/// Records of this node's own, and of programs that are pinned here, by the deployment's id.
const DEPLOYMENTS: Table = Table::new("deployments-1");
/// Nodes that are asked for a record, beside the table of peers.
const ASKED: usize = 16;
/// How long a record that nobody has found soon is looked for: longer than the table of peers waits for
/// one that is silent.
const LAST_CHANCE: Duration = Duration::from_secs(12);
/// How long the table of peers may take to keep a record.
const ANNOUNCING: Duration = Duration::from_secs(30);

/// A handle of the records. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Deployments(Arc<Room>);

struct Room {
    own: NodeKey,
    network: Network,
    rows: Arc<Rows>,
    keepsakes: Keepsakes,
    shelf: Mutex<Shelf>,
}

impl Deployments {
    /// Reads the records of the node `own`.
    pub fn load(
        own: NodeKey,
        network: Network,
        rows: Arc<Rows>,
        keepsakes: Keepsakes,
    ) -> Result<Self, RowsError> {
        let mut shelf = Shelf::default();
        let mut gone = Vec::new();
        for found in rows.load_all(DEPLOYMENTS)? {
            let (_, value) = found?;
            // A row of another form was written by another version, and stays as it is.
            let Ok(record) = codec::decode::<Signed<Deployment>>(&value) else {
                continue;
            };
            let stay = stay(&own, &keepsakes, &record.value);
            let id = record.value.id();
            shelf.learn(own, record, stay);
            if shelf.staying(&id).is_none() {
                gone.push(row(&id, None));
            }
        }
        rows.submit_later(gone)?;
        Ok(Self(Arc::new(Room {
            own,
            network,
            rows,
            keepsakes,
            shelf: Mutex::new(shelf),
        })))
    }

    /// Takes a record on that `from` has told, if it is sound and newer than the one that is known.
    /// Records of this node's own and of programs that are pinned here outlive the process; others are
    /// remembered as long as there is room.
    pub fn learn(&self, from: NodeKey, record: Signed<Deployment>) -> Heard {
        let id = record.value.id();
        let stay = stay(&self.0.own, &self.0.keepsakes, &record.value);
        let mut shelf = self.lock();
        let learned = shelf.learn(from, record, stay);
        if learned.is_changed {
            // Under the lock: rows come in the order of what they say.
            let written = self.0.rows.submit(vec![row(&id, shelf.staying(&id))]);
            if let Err(error) = written {
                tracing::warn!(%error, "a deployment is not kept");
            }
        }
        learned.heard
    }

    /// The same with the bytes of a record that is to be of that id.
    pub fn learn_bytes(&self, from: NodeKey, id: &Digest, bytes: &[u8]) -> Heard {
        match read(id, bytes) {
            Some(record) => self.learn(from, record),
            None => Heard::Unsound,
        }
    }

    /// The record of this id, if this node has it.
    pub fn find(&self, id: &Digest) -> Option<Signed<Deployment>> {
        self.lock().find(id).cloned()
    }

    /// All that this node knows.
    pub fn all(&self) -> Vec<Deployment> {
        let shelf = self.lock();
        shelf.all().map(|record| record.value.clone()).collect()
    }

    /// The newest record of this id that this node, the table of peers, or one of `nodes` has. Who does not
    /// say so within seconds is not waited for, unless nobody else knows it.
    pub async fn look_up(&self, id: Digest, nodes: Vec<NodeKey>) -> Option<Signed<Deployment>> {
        let best = Mutex::new(self.find(&id));
        let asked = async { tokio::join!(self.ask_table(id, &best), self.ask(id, nodes, &best)) };
        tokio::pin!(asked);
        let is_known = || lock(&best).is_some();
        if timeout(SOON, &mut asked).await.is_err() && !is_known() {
            // What is known by then counts.
            let _ = timeout(LAST_CHANCE, asked).await;
        }
        let best = lock(&best).take();
        if let Some(best) = &best {
            self.learn(self.0.own, best.clone());
        }
        best
    }

    async fn ask_table(&self, id: Digest, best: &Best) {
        for bytes in self.0.network.records(id).await.unwrap_or_default() {
            take_better(best, read(&id, &bytes));
        }
    }

    async fn ask(&self, id: Digest, mut nodes: Vec<NodeKey>, best: &Best) {
        nodes.truncate(ASKED);
        let mut answers = Answers::of(&self.0.network, &Request::Deployment(id), nodes);
        while let Some((_, reply)) = answers.next().await {
            if let Reply::Deployment(Some(record)) = reply
                && record.value.id() == id
            {
                take_better(best, Some(*record));
            }
        }
    }

    /// Puts a record where everyone finds it.
    pub async fn announce(&self, record: &Signed<Deployment>) -> Result<(), FindError> {
        let bytes = codec::encode(record);
        let put = self.0.network.put_record(record.value.id(), bytes);
        let put = timeout(ANNOUNCING, put).await;
        put.unwrap_or(Err(FindError::Timeout))
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long this node keeps a record.
fn stay(own: &NodeKey, keepsakes: &Keepsakes, record: &Deployment) -> Stay {
    if record.publisher == *own {
        return Stay::Own;
    }
    match keepsakes.has_program(&record.program) {
        true => Stay::Pinned,
        false => Stay::Cached,
    }
}

/// The record of that id that the bytes are, signed or not.
fn read(id: &Digest, bytes: &[u8]) -> Option<Signed<Deployment>> {
    let record = codec::decode::<Signed<Deployment>>(bytes).ok()?;
    (record.value.id() == *id).then_some(record)
}

/// The newest sound record that was found so far.
type Best = Mutex<Option<Signed<Deployment>>>;

fn lock(best: &Best) -> MutexGuard<'_, Option<Signed<Deployment>>> {
    best.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take_better(best: &Best, other: Option<Signed<Deployment>>) {
    let mut best = lock(best);
    let sequence = best.as_ref().map(|known| known.value.sequence);
    let is_newer =
        |other: &Signed<Deployment>| Some(other.value.sequence) > sequence && is_sound(other);
    if let Some(newer) = other.filter(is_newer) {
        *best = Some(newer);
    }
}

fn row(id: &Digest, record: Option<&Signed<Deployment>>) -> Row {
    Row {
        table: DEPLOYMENTS,
        key: id.0.to_vec(),
        value: record.map(codec::encode),
    }
}

#[cfg(test)]
mod tests {
    use super::{shelf::tests::record, *};
    use crate::{keepsake::For, nearby::Nearby};

    #[tokio::test(flavor = "multi_thread")]
    async fn record_of_what_is_pinned_for_others_outlives_the_node() {
        let nearby = Nearby::start(&[]).await;
        let (pinned, other) = (record(1, 1, 1), record(2, 2, 1));
        let program = pinned.value.program;
        let kept = nearby.keepsakes.keep_for(For::Pin(program), vec![program]);
        kept.expect("rows are taken");
        let known = nearby.deployments().await;
        for record in [&pinned, &other] {
            let heard = known.learn(nearby.source, record.clone());
            assert!(matches!(heard, Heard::Newest));
        }
        let again = nearby.deployments().await;
        let find = |record: &Signed<Deployment>| again.find(&record.value.id());
        assert_eq!(find(&pinned), Some(pinned));
        assert_eq!(find(&other), None);
    }
}
