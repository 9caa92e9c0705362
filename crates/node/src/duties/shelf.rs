//! What came of runs for requests: on the disk before anything is promised, and there until the chain says that the
//! request is over, so that whatever was promised can be shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use opensky_core::Done;
use opensky_protocol::{Signature, Statement, Turn, codec, ledger::Answer};
use opensky_storage::{Row, Rows, RowsError, Store, Table};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use tokio::task::spawn_blocking;

/// By turn, what was signed.
const RESULTS: Table = Table::new("request-results-1");

/// What is over is kept for a while, each kind for so many milliseconds, and no more than so many. Small results, which
/// the chain has whole: a chain's node that lags, or has lost blocks, may go on with what was over. Large ones, which it
/// names by their digest: whoever asked fetches them, within a day.
const SMALL: Kind = Kind {
    term: 600_000,
    most: 1_024,
};
const LARGE: Kind = Kind {
    term: 86_400_000,
    most: 64,
};

struct Kind {
    term: u64,
    most: usize,
}

/// All that is needed to promise what a run came to, and to show it.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) struct Kept {
    pub statement: Statement,
    pub signature: Signature,
    /// The output or the program's own error, if it is all there is and small.
    pub output: Option<Vec<u8>>,
}

/// The results that are kept.
pub(super) struct Shelf {
    rows: Arc<Rows>,
    store: Arc<Store>,
    kept: BTreeMap<Turn, Kept>,
    /// Those of requests that are over, and since when this is known, in Unix milliseconds.
    over: BTreeMap<Turn, u64>,
}

impl Shelf {
    /// Reads them.
    pub fn load(rows: Arc<Rows>, store: Arc<Store>) -> Result<Self, RowsError> {
        let mut kept = BTreeMap::new();
        for row in rows.load_all(RESULTS)? {
            let (key, value) = row?;
            // A row of another form was written by another version: the unit is run again.
            if let (Ok(turn), Ok(result)) = (codec::decode(&key), codec::decode(&value)) {
                kept.insert(turn, result);
            }
        }
        Ok(Self {
            rows,
            store,
            kept,
            over: BTreeMap::new(),
        })
    }

    /// What a turn came to, if it was run.
    pub fn of(&self, turn: &Turn) -> Option<&Kept> {
        self.kept.get(turn)
    }

    /// Keeps what a run came to. It is durable when this returns, and so is what was kept for it before.
    pub async fn put(&mut self, turn: Turn, done: Done) -> Result<(), RowsError> {
        let store = self.store.clone();
        let read = spawn_blocking(move || Kept {
            output: output(&store, &done),
            statement: done.statement,
            signature: done.signature,
        });
        // It does not panic; the node may be about to end.
        let Ok(kept) = read.await else {
            return Ok(());
        };
        let row = row(&turn, Some(codec::encode(&kept)));
        self.rows.submit(vec![row])?.await?;
        self.kept.insert(turn, kept);
        Ok(())
    }

    /// Lets go of all but those turns, and of others after a while. Answers those of the others whose outputs may still be
    /// fetched.
    pub fn keep_only(
        &mut self,
        wanted: &BTreeSet<Turn>,
        now: u64,
    ) -> Result<BTreeSet<Turn>, RowsError> {
        self.over.retain(|turn, _| !wanted.contains(turn));
        let others = self.kept.keys().filter(|turn| !wanted.contains(turn));
        for turn in others {
            self.over.entry(*turn).or_insert(now);
        }
        let (small, large) = (self.old(SMALL, now), self.old(LARGE, now));
        let gone = [small, large].concat();
        for turn in &gone {
            self.over.remove(turn);
            self.kept.remove(turn);
        }
        if !gone.is_empty() {
            let rows = gone.iter().map(|turn| row(turn, None));
            self.rows.submit_later(rows.collect())?;
        }
        let left = self.over.keys().copied();
        Ok(left.filter(|turn| !self.is_small(turn)).collect())
    }

    /// Of what is over and of that kind: what is old, and the oldest of too many.
    fn old(&self, kind: Kind, now: u64) -> Vec<Turn> {
        let is_small = kind.term == SMALL.term;
        let over = self.over.iter();
        let over = over.filter(|(turn, _)| self.is_small(turn) == is_small);
        let mut over: Vec<(u64, Turn)> = over.map(|(turn, since)| (*since, *turn)).collect();
        over.sort_unstable();
        let extra = over.len().saturating_sub(kind.most);
        let is_old = |since: u64| now.saturating_sub(since) >= kind.term;
        let gone = over.iter().enumerate();
        let gone = gone.filter(|(place, (since, _))| *place < extra || is_old(*since));
        gone.map(|(_, (_, turn))| *turn).collect()
    }

    fn is_small(&self, turn: &Turn) -> bool {
        let kept = self.kept.get(turn);
        kept.is_some_and(|kept| is_small(&kept.statement))
    }
}

fn row(turn: &Turn, value: Option<Vec<u8>>) -> Row {
    Row {
        table: RESULTS,
        key: codec::encode(turn),
        value,
    }
}

/// The output or the program's own error, if it is all there is and small. Blocks.
fn output(store: &Store, done: &Done) -> Option<Vec<u8>> {
    let mut outputs = done.outputs.0.values();
    let first = outputs.next().filter(|_| is_small(&done.statement))?;
    let bytes = store.get(&first.digest).ok()?;
    done.statement.is_result(&bytes).then_some(bytes)
}

fn is_small(said: &Statement) -> bool {
    said.output_len <= Answer::MAX_INLINE as u64
}

#[cfg(test)]
mod tests {
    use opensky_protocol::{
        Class, Digest, Limits, Output, Outputs, Profile, Receipt, SecretKey, Shard, Transcript,
        Work, World, names,
    };
    use tempfile::TempDir;

    use super::*;

    struct Place {
        folder: TempDir,
        store: Arc<Store>,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Arc::new(Store::open(&folder.path().join("blobs")).unwrap());
            Self { folder, store }
        }

        fn shelf(&self) -> Shelf {
            let rows = Rows::open(&self.folder.path().join("rows")).unwrap();
            Shelf::load(Arc::new(rows), self.store.clone()).unwrap()
        }
    }

    fn turn(number: u32) -> Turn {
        Turn {
            job: Digest::derive("a request", &number),
            unit: Digest([1; 32]),
            attempt: 0,
        }
    }

    fn done(output: Output) -> Done {
        ended(Class::Ok, &[(names::OUTPUT, output)])
    }

    fn ended(class: Class, outputs: &[(&str, Output)]) -> Done {
        let work = Work {
            profile: Profile::new("1"),
            program: Digest([1; 32]),
            world: World::Job,
            inputs: BTreeMap::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            params: BTreeMap::new(),
            shard: Shard::WHOLE,
            entropy: [0; 32],
            virtual_time: 0,
            limits: Limits::DEFAULT,
        };
        let secret = SecretKey::from_seed(&[1; 32]);
        let transcript = Transcript::start(&work.unit());
        let outputs = outputs
            .iter()
            .map(|(name, output)| ((*name).into(), *output));
        let outputs = Outputs(outputs.collect());
        let receipt = Receipt::sign(&secret, work, class, 1, transcript, outputs, Vec::new());
        Done {
            statement: receipt.statement,
            signature: receipt.signature,
            outputs: receipt.outputs,
            transcript: receipt.transcript,
            states: receipt.states,
        }
    }

    fn large() -> Done {
        let (digest, len) = (Digest([2; 32]), 1 << 20);
        done(Output { digest, len })
    }

    #[tokio::test]
    async fn what_was_promised_can_be_shown_after_a_restart() {
        let place = Place::new();
        let small = done(Output::of(b"42"));
        place.store.put(b"42").unwrap();
        let mut first = place.shelf();
        first.put(turn(1), small.clone()).await.unwrap();
        first.put(turn(2), large()).await.unwrap();
        drop(first);

        let second = place.shelf();
        let kept = second.of(&turn(1)).unwrap();
        assert_eq!(
            (&kept.statement, kept.signature),
            (&small.statement, small.signature)
        );
        assert_eq!(kept.output.as_deref(), Some(&b"42"[..]));
        assert_eq!(second.of(&turn(2)).unwrap().output, None);
        assert_eq!(second.of(&turn(3)), None);
    }

    #[tokio::test]
    async fn own_error_of_a_program_is_shown_and_several_outputs_are_not() {
        let place = Place::new();
        let mut shelf = place.shelf();
        let [error, file] = [b"error", b"other"].map(|bytes| {
            place.store.put(bytes).unwrap();
            Output::of(bytes)
        });
        let failed = ended(Class::Err, &[(names::ERROR, error)]);
        let several = [(names::ERROR, error), ("out/file", file)];
        let several = ended(Class::Err, &several);
        shelf.put(turn(1), failed).await.unwrap();
        shelf.put(turn(2), several).await.unwrap();
        let shown = |number| shelf.of(&turn(number)).unwrap().output.as_deref();
        assert_eq!((shown(1), shown(2)), (Some(&b"error"[..]), None));
    }

    #[tokio::test]
    async fn nothing_that_is_needed_goes_and_the_rest_goes_after_a_while() {
        let place = Place::new();
        let mut shelf = place.shelf();
        // More than are kept of what is over.
        let all: BTreeSet<Turn> = (0..2 * LARGE.most as u32).map(turn).collect();
        for turn in &all {
            shelf.put(*turn, large()).await.unwrap();
        }
        assert_eq!(shelf.keep_only(&all, 0).unwrap(), BTreeSet::new());
        let small = turn(u32::MAX);
        shelf.put(small, done(Output::of(b"42"))).await.unwrap();
        let last = *all.last().unwrap();
        let wanted = BTreeSet::from([last]);
        let fetched = shelf.keep_only(&wanted, 1).unwrap();
        assert_eq!(fetched.len(), LARGE.most);
        assert_eq!(shelf.kept.len(), LARGE.most + 2);
        assert!(
            shelf.of(&small).is_some(),
            "the chain may have lost a block"
        );
        shelf.keep_only(&wanted, 1 + SMALL.term).unwrap();
        assert!(shelf.of(&small).is_none());
        // It is needed again before its time is over.
        let again = fetched.iter().copied().chain([last]).collect();
        let later = LARGE.term;
        assert_eq!(shelf.keep_only(&again, later).unwrap(), BTreeSet::new());
        assert_eq!(shelf.keep_only(&wanted, 2 * later - 1).unwrap(), fetched);
        assert_eq!(
            shelf.keep_only(&wanted, 3 * later).unwrap(),
            BTreeSet::new()
        );
        drop(shelf);
        let shelf = place.shelf();
        assert_eq!(shelf.kept.keys().collect::<Vec<_>>(), [&last]);
    }
}
