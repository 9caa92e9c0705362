//! What units say beside their results: whoever ran one keeps it until the job is let go, if there is
//! room, and whoever ordered it for as long as the job is remembered.

mod said;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use opensky_core::Participant;
use opensky_executor::Run;
use opensky_protocol::{Aside, Digest, NodeKey, Output, Reveal, Turn, codec, names};
use opensky_storage::{Row, Rows, RowsError, Store, Table};
use tokio::task::spawn_blocking;

use self::said::{Kind, Said};
use crate::{
    drive::Wishes,
    keepsake::{For, Keepsakes},
};

/// Logs of own jobs, by turn and who ran it.
const LOGS: Table = Table::new("logs-2");
/// Bytes that are kept until they are told; the oldest go first. They do not outlive the process.
const UNTOLD: usize = 64 << 20;

/// What was said by units that were run here.
#[derive(Clone, Default)]
pub(crate) struct Untold(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    said: BTreeMap<Turn, Aside>,
    order: VecDeque<Turn>,
    bytes: usize,
}

impl Untold {
    /// Keeps what a run said, as it is to be told.
    pub fn keep(&self, turn: Turn, run: &Run) {
        let error = run.outputs.get(names::ERROR);
        let error = error.filter(|error| error.len() <= Aside::MAX_ERROR);
        let detail = run.detail.as_ref().map(|detail| {
            let end = detail.floor_char_boundary(Aside::MAX_DETAIL);
            detail[..end].to_owned()
        });
        if run.log.is_empty() && error.is_none() && detail.is_none() {
            return;
        }
        let aside = Aside {
            turn,
            log: run.log[..run.log.len().min(Aside::MAX_LOG)].to_vec(),
            logged: run.log.len() as u64,
            error: error.cloned(),
            detail,
        };
        let mut shelf = self.lock();
        shelf.take(&turn);
        shelf.bytes += aside.size();
        shelf.said.insert(turn, aside);
        shelf.order.push_back(turn);
        while shelf.bytes > UNTOLD
            && let Some(oldest) = shelf.order.pop_front()
        {
            shelf.take(&oldest);
        }
    }

    /// What goes with these results, as much as one message takes.
    pub fn of(&self, reveals: &[Reveal]) -> Vec<Aside> {
        let shelf = self.lock();
        let all = reveals
            .iter()
            .filter_map(|reveal| shelf.said.get(&reveal.turn));
        let mut room = Aside::MAX_TOGETHER;
        let fits = all.filter(|aside| {
            let fits = aside.size() <= room;
            room -= if fits { aside.size() } else { 0 };
            fits
        });
        fits.cloned().collect()
    }

    /// Forgets what units of a job said.
    pub fn forget(&self, job: &Digest) {
        let mut shelf = self.lock();
        let turns: Vec<Turn> = shelf
            .said
            .keys()
            .filter(|turn| turn.job == *job)
            .copied()
            .collect();
        for turn in &turns {
            shelf.take(turn);
        }
        shelf.order.retain(|turn| turn.job != *job);
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn take(&mut self, turn: &Turn) {
        if let Some(aside) = self.said.remove(turn) {
            self.bytes -= aside.size();
        }
    }
}

/// What one who ran a unit of an own job says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Log {
    /// The turn.
    pub turn: Turn,
    /// Who says so. Nobody compares logs: a provider may say anything.
    pub provider: NodeKey,
    /// The beginning of what the guest logged, and wrote to standard error: at most 64 KiB.
    pub text: Vec<u8>,
    /// How many bytes it logged.
    pub logged: u64,
    /// Why the guest ended, where it did not end by itself.
    pub detail: Option<String>,
}

/// What is known of a result before it is looked at: whose it is, and its error.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    turn: Turn,
    provider: NodeKey,
    error: Option<Output>,
}

impl From<&Reveal> for Shown {
    fn from(reveal: &Reveal) -> Self {
        Self {
            turn: reveal.turn,
            provider: reveal.statement.node,
            error: reveal.outputs.0.get(names::ERROR).copied(),
        }
    }
}

/// What was said by units of own jobs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Asides(Arc<Book>);

struct Book {
    rows: Arc<Rows>,
    store: Arc<Store>,
    keepsakes: Keepsakes,
    /// What is kept, by job: errors as far as they came since the start.
    kept: Mutex<Kept>,
}

type Kept = BTreeMap<Digest, Said>;

impl Asides {
    /// Reads which logs are kept.
    pub fn load(
        rows: Arc<Rows>,
        store: Arc<Store>,
        keepsakes: Keepsakes,
    ) -> Result<Self, RowsError> {
        let mut kept = Kept::new();
        for row in rows.load_all(LOGS)? {
            let (key, value) = row?;
            if let Ok((turn, provider)) = codec::decode::<(Turn, NodeKey)>(&key) {
                let said = kept.entry(turn.job).or_default();
                said.add((turn, provider, Kind::Log), value.len());
            }
        }
        Ok(Self(Arc::new(Book {
            rows,
            store,
            keepsakes,
            kept: Mutex::new(kept),
        })))
    }

    /// Takes note of what goes with results, as far as they are results of own jobs that this node waits
    /// for and there is room: logs, and the errors that the results name. When this returns the errors
    /// are in the store.
    pub async fn hear(&self, shown: Vec<Shown>, asides: Vec<Aside>, wishes: &Wishes) {
        let mut own = Vec::new();
        for aside in asides {
            let of_own = self.0.keepsakes.has(&For::Job(aside.turn.job));
            let shown = shown.iter().find(|shown| shown.turn == aside.turn);
            if let Some(shown) = shown.filter(|_| of_own && aside.is_bounded()) {
                own.push((*shown, aside));
            }
        }
        if own.is_empty() {
            return;
        }
        let said: Vec<Shown> = own.iter().map(|(shown, _)| *shown).collect();
        let awaited = wishes.look(move |core| awaited(core, &said)).await;
        let awaited = awaited.unwrap_or_default();
        own.retain(|(shown, _)| awaited.contains(&shown.turn));
        let book = self.0.clone();
        let written = spawn_blocking(move || {
            for (shown, aside) in own {
                book.hear(&shown, aside);
            }
        });
        // A thread that died has said so.
        let _ = written.await;
    }

    /// The logs of a job. Blocks.
    pub fn of(&self, job: &Digest) -> Result<Vec<Log>, RowsError> {
        let mut logs = Vec::new();
        for row in self.0.rows.load(LOGS, &job.0)? {
            let (key, value) = row?;
            let said: Result<(Turn, NodeKey), _> = codec::decode(&key);
            let value = codec::decode(&value);
            if let (Ok((turn, provider)), Ok((logged, text, detail))) = (said, value) {
                logs.push(Log {
                    turn,
                    provider,
                    text,
                    logged,
                    detail,
                });
            }
        }
        Ok(logs)
    }

    /// Forgets the logs of a job.
    pub fn forget(&self, job: &Digest) {
        let gone = self.0.lock().remove(job).unwrap_or_default();
        let rows: Vec<Row> = gone.logs().map(|key| row(&key, None)).collect();
        if let Err(error) = self.0.rows.submit(rows) {
            tracing::warn!(%error, "logs were not forgotten");
        }
    }
}

impl Book {
    fn hear(&self, shown: &Shown, aside: Aside) {
        if let Some(error) = &aside.error
            && shown.error == Some(Output::of(error))
            && self.admits(shown, Kind::Error, error.len())
        {
            self.keep_error(aside.turn.job, error);
        }
        if !aside.log.is_empty() || aside.detail.is_some() {
            let value = codec::encode(&(aside.logged, aside.log, aside.detail));
            if self.admits(shown, Kind::Log, value.len()) {
                self.keep_log(shown, value);
            }
        }
    }

    fn admits(&self, shown: &Shown, kind: Kind, bytes: usize) -> bool {
        let mut kept = self.lock();
        let said = kept.entry(shown.turn.job).or_default();
        said.admit((shown.turn, shown.provider, kind), bytes)
    }

    fn keep_error(&self, job: Digest, bytes: &[u8]) {
        let kept = self
            .keepsakes
            .keep_for(For::Job(job), vec![Digest::of(bytes)]);
        if let Err(error) = kept {
            return tracing::warn!(%error, "a program's error is not kept");
        }
        if let Err(error) = self.store.put(bytes) {
            tracing::warn!(%error, "a program's error is not kept");
        }
    }

    fn keep_log(&self, shown: &Shown, value: Vec<u8>) {
        let row = row(&(shown.turn, shown.provider), Some(value));
        if let Err(error) = self.rows.submit(vec![row]) {
            tracing::warn!(%error, "a log is not kept");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row(key: &(Turn, NodeKey), value: Option<Vec<u8>>) -> Row {
    Row {
        table: LOGS,
        key: codec::encode(key),
        value,
    }
}

/// The turns whose results this node has asked for, and does not have.
fn awaited(core: &Participant, said: &[Shown]) -> BTreeSet<Turn> {
    let awaited = said
        .iter()
        .filter(|said| core.awaits(&said.provider, &said.turn));
    awaited.map(|said| said.turn).collect()
}
