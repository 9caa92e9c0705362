//! Programs that are kept for other nodes: how much of the disk those may take, and which go when there
//! is no room for another's.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_network::Network;
use opensky_protocol::{Digest, NodeKey, Reply, codec};
use opensky_storage::{Row, Rows, RowsError, StoreError, Table};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::spawn_blocking,
    time::Instant,
};

use crate::{
    clock::Clock,
    depot::{Allowance, BringError, Depot, LARGEST_PROGRAM, Patience},
    keepsake::{For, Keepsakes},
    tasks::Tasks,
};

/// By program: who had it pinned, how long it is and when it was used last.
const PINNED: Table = Table::new("pinned-1");
/// Of so many parts of the disk one is for programs, and of so many parts of that one is for those of
/// any one node: three quarters stay for units, and four nodes that want all leave nothing for a fifth.
const PARTS: u64 = 4;
/// Programs that are kept, whatever their lengths.
const MOST: usize = 4_096;
/// Programs that are brought at the same time: one of each node.
const BRINGING: usize = 4;
/// How long a program may take to come.
const LONGEST: Duration = Duration::from_secs(600);
/// Milliseconds from a program's last use until it may go, when another one needs its room.
const TERM: u64 = 7 * DAY;
/// A use is written down when it is so many milliseconds after the last one that was.
const DAY: u64 = 24 * 3_600 * 1_000;
/// Nodes that are asked for a program, beside the one that wants it pinned.
const SOURCES: usize = 8;

/// A handle of the list. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pins(Arc<Board>);

/// What a list works with.
pub(crate) struct Tools {
    pub network: Network,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
    pub rows: Arc<Rows>,
    pub clock: Clock,
    pub tasks: Tasks,
}

struct Board {
    tools: Tools,
    longest: Duration,
    bringing: Arc<Semaphore>,
    shelf: Mutex<Shelf>,
}

/// A program that is pinned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
struct Pin {
    /// Who was the first to want it, and has its bytes counted.
    by: NodeKey,
    len: u64,
    /// In Unix milliseconds.
    used: u64,
}

#[derive(Default)]
struct Shelf {
    /// Bytes for all programs together.
    room: u64,
    pins: BTreeMap<Digest, Pin>,
    coming: BTreeMap<Digest, Coming>,
}

/// One that is brought, and whether it came in the end.
struct Coming {
    pin: Pin,
    told: Told,
}

type Told = watch::Receiver<Option<bool>>;

/// What is done about a wish.
enum Begun {
    /// It is here.
    Here,
    /// It is on its way.
    Coming(Told),
    /// Not now.
    Busy,
    /// There is no room for it.
    Refused,
}

/// Why a program was not pinned.
#[derive(Debug, thiserror::Error)]
enum PinError {
    #[error(transparent)]
    Bring(#[from] BringError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rows(#[from] RowsError),
}

impl Pins {
    /// Reads the list. What was on its way when the node ended was promised to nobody, and goes: blocks.
    pub fn load(tools: Tools) -> Result<Self, RowsError> {
        let mut pins = BTreeMap::new();
        for row in tools.rows.load_all(PINNED)? {
            let (key, value) = row?;
            // A row of another form was written by another version.
            if let (Ok(blob), Ok(pin)) = (codec::decode(&key), codec::decode(&value)) {
                pins.insert(blob, pin);
            }
        }
        for blob in tools.keepsakes.pinned() {
            if !pins.contains_key(&blob) {
                tools.keepsakes.drop_for(&For::Pin(blob))?;
            }
        }
        let (_, disk) = tools.depot.store().used();
        let shelf = Shelf {
            room: disk / PARTS,
            pins,
            coming: BTreeMap::new(),
        };
        Ok(Self(Arc::new(Board {
            tools,
            longest: LONGEST,
            bringing: Arc::new(Semaphore::new(BRINGING)),
            shelf: Mutex::new(shelf),
        })))
    }

    /// Keeps a program of at most `len` bytes for whoever asks, who has it, as `sources` may. Heard
    /// once it is here, durably. May be dropped: then it comes all the same, and whoever asks again is
    /// told of it.
    pub async fn pin(
        &self,
        from: NodeKey,
        blob: Digest,
        len: u64,
        mut sources: Vec<NodeKey>,
    ) -> Reply {
        sources.truncate(SOURCES);
        sources.push(from);
        let mut told = match self.begin(from, blob, len, sources) {
            Begun::Here => return Reply::Heard,
            Begun::Coming(told) => told,
            Begun::Busy => return Reply::Busy,
            Begun::Refused => return Reply::Refused,
        };
        let came = told.wait_for(Option::is_some).await;
        match came.is_ok_and(|came| *came == Some(true)) {
            true => Reply::Heard,
            false => Reply::Refused,
        }
    }

    /// The programs that are here, those first that were used last.
    pub fn by_use(&self) -> Vec<Digest> {
        self.lock().by_use()
    }

    /// Takes note that a program is used, if it is pinned.
    pub fn note_use(&self, blob: &Digest) {
        let now = self.0.tools.clock.now();
        self.lock().note_use(blob, now, |row| {
            // If it is lost the program may go a day earlier.
            let _ = self.0.tools.rows.submit_later(vec![row]);
        });
    }

    fn begin(&self, from: NodeKey, blob: Digest, len: u64, sources: Vec<NodeKey>) -> Begun {
        let is_here = self.0.tools.depot.store().has(&blob);
        let now = self.0.tools.clock.now();
        let mut shelf = self.lock();
        if is_here && shelf.pins.contains_key(&blob) {
            drop(shelf);
            self.note_use(&blob);
            return Begun::Here;
        }
        if let Some(coming) = shelf.coming.get(&blob) {
            return Begun::Coming(coming.told.clone());
        }
        if shelf.coming.values().any(|coming| coming.pin.by == from) {
            return Begun::Busy;
        }
        let Ok(place) = self.0.bringing.clone().try_acquire_owned() else {
            return Begun::Busy;
        };
        // It was lost, and comes again.
        shelf.pins.remove(&blob);
        let pin = Pin {
            by: from,
            len,
            used: now,
        };
        let Some(gone) = shelf.make_room(&pin, now) else {
            return Begun::Refused;
        };
        let (tell, told) = watch::channel(None);
        let coming = Coming {
            pin,
            told: told.clone(),
        };
        shelf.coming.insert(blob, coming);
        let bring = self.clone().bring(blob, pin, sources, gone, (tell, place));
        self.0.tools.tasks.spawn(bring);
        Begun::Coming(told)
    }

    async fn bring(
        self,
        blob: Digest,
        pin: Pin,
        sources: Vec<NodeKey>,
        gone: Vec<Digest>,
        (tell, _place): (watch::Sender<Option<bool>>, OwnedSemaphorePermit),
    ) {
        self.let_go(gone).await;
        let pinned = self.keep(blob, pin, &sources).await;
        if let Err(error) = &pinned {
            tracing::warn!(%blob, %error, "a program was not pinned");
            self.let_go(vec![blob]).await;
        }
        {
            let mut shelf = self.lock();
            shelf.coming.remove(&blob);
            if let Ok(pin) = &pinned {
                shelf.pins.insert(blob, *pin);
            }
        }
        tell.send_replace(Some(pinned.is_ok()));
    }

    /// Brings it, and writes down that it is kept.
    async fn keep(&self, blob: Digest, pin: Pin, sources: &[NodeKey]) -> Result<Pin, PinError> {
        let Tools {
            network,
            depot,
            keepsakes,
            rows,
            ..
        } = &self.0.tools;
        keepsakes.keep_for(For::Pin(blob), vec![blob])?;
        let patience = Patience {
            until: Instant::now() + self.0.longest,
            silence: self.0.longest,
        };
        let said = Allowance::of(pin.len);
        let brought = depot.bring_patiently(patience, network, blob, sources, &said);
        brought.await?;
        let len = depot.store().len(&blob)?;
        let pin = Pin { len, ..pin };
        // What was handed in before is durable then too.
        rows.submit(vec![row(&blob, Some(&pin))])?.await?;
        Ok(pin)
    }

    /// Programs that are on the list no longer.
    async fn let_go(&self, blobs: Vec<Digest>) {
        if blobs.is_empty() {
            return;
        }
        let board = self.0.clone();
        let let_go = move || -> Result<(), RowsError> {
            let Tools {
                keepsakes, rows, ..
            } = &board.tools;
            for blob in blobs {
                keepsakes.drop_for(&For::Pin(blob))?;
                rows.submit_later(vec![row(&blob, None)])?;
            }
            Ok(())
        };
        // Removing files blocks.
        let done = spawn_blocking(let_go).await;
        if !matches!(done, Ok(Ok(()))) {
            tracing::warn!(?done, "pinned programs were not let go");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.0.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row(blob: &Digest, pin: Option<&Pin>) -> Row {
    Row {
        table: PINNED,
        key: codec::encode(blob),
        value: pin.map(codec::encode),
    }
}

impl Shelf {
    /// Takes from the list what has to go so that this fits, and nobody has used for long. `None` if it
    /// does not fit even so.
    fn make_room(&mut self, new: &Pin, now: u64) -> Option<Vec<Digest>> {
        let coming = self.coming.values().map(|coming| &coming.pin);
        let mut taken = Taken::default();
        self.pins
            .values()
            .chain(coming)
            .for_each(|pin| taken.add(pin, &new.by));
        let lapsed = self.pins.iter().filter(|(_, pin)| pin.used + TERM <= now);
        let mut lapsed: Vec<_> = lapsed.map(|(blob, pin)| (pin.used, *blob, *pin)).collect();
        lapsed.sort_by_key(|(used, blob, _)| (*used, *blob));
        let mut gone = Vec::new();
        for (_, blob, pin) in lapsed {
            if taken.leaves(new, self.room) {
                break;
            }
            if pin.by == new.by || !taken.all_leave(new, self.room) {
                taken.remove(&pin, &new.by);
                gone.push(blob);
            }
        }
        if !taken.leaves(new, self.room) {
            return None;
        }
        self.pins.retain(|blob, _| !gone.contains(blob));
        Some(gone)
    }

    fn by_use(&self) -> Vec<Digest> {
        let mut pins: Vec<_> = self.pins.iter().collect();
        // Of the same day in any order, but always the same.
        pins.sort_by_key(|(blob, pin)| (Reverse(pin.used), **blob));
        pins.into_iter().map(|(blob, _)| *blob).collect()
    }

    fn note_use(&mut self, blob: &Digest, now: u64, write: impl FnOnce(Row)) {
        let Some(pin) = self.pins.get_mut(blob) else {
            return;
        };
        if now >= pin.used.saturating_add(DAY) {
            pin.used = now;
            write(row(blob, Some(pin)));
        }
    }
}

/// What programs take: all, and those of one node among them.
#[derive(Default)]
struct Taken {
    count: usize,
    bytes: u64,
    own: u64,
}

impl Taken {
    fn add(&mut self, pin: &Pin, own: &NodeKey) {
        self.count += 1;
        self.bytes += pin.len;
        self.own += if pin.by == *own { pin.len } else { 0 };
    }

    fn remove(&mut self, pin: &Pin, own: &NodeKey) {
        self.count -= 1;
        self.bytes -= pin.len;
        self.own -= if pin.by == *own { pin.len } else { 0 };
    }

    /// Whether all together leave room for one more.
    fn all_leave(&self, new: &Pin, room: u64) -> bool {
        self.count < MOST && self.bytes.saturating_add(new.len) <= room
    }

    /// The same, and the share of whoever wants it does too.
    fn leaves(&self, new: &Pin, room: u64) -> bool {
        let own = self.own.saturating_add(new.len);
        new.len <= LARGEST_PROGRAM && own <= room / PARTS && self.all_leave(new, room)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::nearby::{Nearby, PATIENCE, until};

    const ROOM: u64 = 1_000;

    fn node(number: u8) -> NodeKey {
        NodeKey([number; 32])
    }

    fn pin(by: u8, len: u64, used: u64) -> Pin {
        let by = node(by);
        Pin { by, len, used }
    }

    fn shelf(pins: &[(u8, Pin)]) -> Shelf {
        let named = |(name, pin): &(u8, Pin)| (Digest([*name; 32]), *pin);
        Shelf {
            room: ROOM,
            pins: pins.iter().map(named).collect(),
            coming: BTreeMap::new(),
        }
    }

    #[test]
    fn no_node_takes_more_than_its_share_and_all_no_more_than_theirs() {
        let own = ROOM / PARTS;
        let mut empty = shelf(&[]);
        assert_eq!(empty.make_room(&pin(1, own, 0), 0), Some(vec![]));
        assert_eq!(empty.make_room(&pin(1, own + 1, 0), 0), None);
        let mut one = shelf(&[(1, pin(1, 200, 0))]);
        assert_eq!(one.make_room(&pin(1, 51, 0), 0), None);
        assert_eq!(one.make_room(&pin(1, 50, 0), 0), Some(vec![]));
        assert_eq!(one.make_room(&pin(2, own, 0), 0), Some(vec![]));
        let four = [1, 2, 3, 4].map(|by| (by, pin(by, own, 0)));
        assert_eq!(shelf(&four).make_room(&pin(5, 1, 0), 0), None);
        // What is on its way counts too.
        let mut coming = shelf(&four[..3]);
        let (_tell, told) = watch::channel(None);
        let last = Coming {
            pin: four[3].1,
            told,
        };
        coming.coming.insert(Digest([4; 32]), last);
        assert_eq!(coming.make_room(&pin(5, 1, 0), 0), None);
        let tiny: Vec<_> = (0..=255).map(|name| (name, pin(name, 0, 0))).collect();
        let mut many = shelf(&tiny);
        let far = (0..MOST - 256).map(|number| {
            let name = Digest::of(&number.to_le_bytes());
            (name, pin(9, 0, 0))
        });
        many.pins.extend(far);
        assert_eq!(many.make_room(&pin(1, 0, 0), 0), None);
    }

    #[test]
    fn what_nobody_used_for_long_makes_room_and_nothing_else() {
        let own = ROOM / PARTS;
        let pins = [
            (1, pin(1, own, 5)),
            (2, pin(2, own, 3)),
            (3, pin(3, own, 4)),
            (4, pin(4, own, 9)),
        ];
        let name = |number: u8| Digest([number; 32]);
        let at = |used: u64| used + TERM;
        assert_eq!(shelf(&pins).make_room(&pin(5, 1, 0), at(3) - 1), None);
        assert_eq!(
            shelf(&pins).make_room(&pin(5, 1, 0), at(4)),
            Some(vec![name(2)]),
            "the one that was not used for longest"
        );
        let mut all = shelf(&pins);
        assert_eq!(
            all.make_room(&pin(5, own, 0), at(9)),
            Some(vec![name(2)]),
            "no more than has to"
        );
        assert!(!all.pins.contains_key(&name(2)) && all.pins.len() == 3);
        // Whoever is over its own share makes room among its own.
        assert_eq!(
            shelf(&pins).make_room(&pin(4, 10, 0), at(9)),
            Some(vec![name(2), name(4)])
        );
        let two = [(1, pin(1, own, 0)), (2, pin(2, own, 0))];
        assert_eq!(
            shelf(&two).make_room(&pin(2, 10, 0), at(0)),
            Some(vec![name(2)])
        );
    }

    #[test]
    fn what_was_used_last_comes_first() {
        let pins = shelf(&[(1, pin(1, 1, 10)), (2, pin(1, 1, 30)), (3, pin(1, 1, 20))]);
        assert_eq!(pins.by_use(), [2, 3, 1].map(|name| Digest([name; 32])));
    }

    #[test]
    fn use_counts_from_a_day_on() {
        let mut one = shelf(&[(1, pin(1, 1, 10))]);
        let name = Digest([1; 32]);
        one.note_use(&name, 10 + DAY - 1, |_| panic!("too early"));
        assert_eq!(one.pins[&name].used, 10);
        let mut rows = Vec::new();
        one.note_use(&name, 10 + DAY, |row| rows.push(row));
        assert_eq!(one.pins[&name].used, 10 + DAY);
        assert_eq!(rows, [row(&name, Some(&one.pins[&name]))]);
    }

    async fn ask(pins: &Pins, from: NodeKey, blob: &[u8], len: u64, source: NodeKey) -> Reply {
        let pinned = pins.pin(from, Digest::of(blob), len, vec![source]);
        timeout(PATIENCE, pinned).await.expect("it is answered")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_heard_outlives_the_node_and_what_was_not_goes() {
        let nearby = Nearby::start(&[b"program", b"other"]).await;
        let source = nearby.source;
        let list = nearby.pins();
        let [program, other] = [&b"program"[..], b"other"].map(Digest::of);
        assert_eq!(
            ask(&list, node(1), b"program", 7, source).await,
            Reply::Heard
        );
        assert_eq!(
            ask(&list, node(2), b"program", 7, source).await,
            Reply::Heard
        );
        // As a node that ended while it was brought leaves it.
        let keepsakes = &nearby.keepsakes;
        keepsakes.keep_for(For::Pin(other), vec![other]).unwrap();
        let store = nearby.depot.store();
        drop(store.receive(&other, 5).unwrap());
        let used = store.used().0;

        let again = nearby.pins();
        assert!(!keepsakes.has(&For::Pin(other)) && keepsakes.has(&For::Pin(program)));
        assert!(store.used().0 < used, "what came of it takes room");
        assert_eq!(again.lock().pins, list.lock().pins);
        assert_eq!(again.lock().pins[&program].by, node(1));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn program_that_does_not_come_leaves_nothing() {
        let long = vec![1; 4 << 20];
        let nearby = Nearby::start(&[&long, b"program"]).await;
        let mut list = nearby.pins();
        let board = Arc::get_mut(&mut list.0).unwrap();
        board.longest = Duration::from_secs(3);
        let store = nearby.depot.store().clone();
        let before = store.used();
        let name = Digest::of(&long);
        // The source hangs in the middle.
        nearby.gate.shut_after((4 << 20) + (1 << 20));
        let reply = ask(&list, node(1), &long, 4 << 20, nearby.source).await;
        assert_eq!(reply, Reply::Refused);
        assert_eq!(store.used(), before);
        assert!(!nearby.keepsakes.has(&For::Pin(name)));
        assert!(list.lock().coming.is_empty() && list.lock().pins.is_empty());
        nearby.gate.open();
        let list = nearby.pins();
        // It is longer than was said.
        let reply = ask(&list, node(1), &long, 1 << 20, nearby.source).await;
        assert_eq!(reply, Reply::Refused);
        assert_eq!(store.used(), before);
        let reply = ask(&list, node(1), &long, 4 << 20, nearby.source).await;
        assert_eq!(reply, Reply::Heard);
        assert!(store.has(&name) && nearby.keepsakes.has(&For::Pin(name)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_wants_the_same_program_waits_for_it_and_the_fifth_is_told_to_come_again() {
        let blobs: [&[u8]; 5] = [b"0", b"1", b"2", b"3", b"4"];
        let nearby = Nearby::start(&blobs).await;
        let list = nearby.pins();
        for blob in &blobs {
            nearby.gate.shut(Digest::of(blob));
        }
        let source = nearby.source;
        let begin = |by: u8, blob: &'static [u8]| {
            let list = list.clone();
            tokio::spawn(async move { ask(&list, node(by), blob, 1, source).await })
        };
        let waiting = [
            begin(1, b"0"),
            begin(2, b"1"),
            begin(3, b"2"),
            begin(4, b"3"),
        ];
        until("four come", async || list.lock().coming.len() == BRINGING).await;
        assert_eq!(ask(&list, node(5), b"4", 1, source).await, Reply::Busy);
        let again = begin(5, b"0");
        let other = begin(1, b"4");
        assert_eq!(other.await.unwrap(), Reply::Busy, "one of each node");
        nearby.gate.open();
        for task in waiting.into_iter().chain([again]) {
            assert_eq!(task.await.unwrap(), Reply::Heard);
        }
        assert_eq!(list.lock().pins.len(), 4);
        assert_eq!(ask(&list, node(5), b"4", 1, source).await, Reply::Heard);
    }
}
