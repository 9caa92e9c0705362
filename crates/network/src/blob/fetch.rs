//! The side that wants the blob: several sources at once, each piece verified before it is given on.

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, stream::FuturesUnordered};
use opensky_protocol::{Digest, NodeKey};
use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};

use super::{
    ABSENT,
    plan::{LATE, Plan},
    tree::Shape,
};
use crate::{
    dialer::{Dialer, Opened},
    error::FetchError,
    streams::Kind,
};

/// Where fetched bytes go. Calls come one after the other, on the task that fetches: they may touch
/// a file, and must not wait for its disk.
pub trait Sink: Send {
    /// The blob's length is known, and proven. Called once, before anything is written. Says which
    /// ranges are there already, and need not be fetched.
    ///
    /// # Errors
    /// Whatever ends the fetch.
    fn begin(&mut self, length: u64) -> io::Result<Vec<Range<u64>>>;

    /// Takes verified bytes. They come in any order, and each range once.
    ///
    /// # Errors
    /// Whatever ends the fetch.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

/// A blob that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its length.
    pub length: u64,
    /// Who sent bytes that are not the blob's, or lied about its length.
    pub bad: Vec<NodeKey>,
    /// Who could not be reached, lacks the blob, hung up or was too slow.
    pub silent: Vec<NodeKey>,
}

/// Sources that are asked at the same time. The others stand by.
const MOST_SOURCES: usize = 8;
/// Pieces that are asked for ahead of the one that is read: 2 MiB on the way.
const AHEAD: usize = 8;
/// Verified pieces that wait for the sink.
const WAITING: usize = 4;
/// How often a source that brought something may hang up before it is given up.
const RETRIES: usize = 3;

/// Why a source is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is nothing left to get.
    Done,
    Bad,
    Silent,
}

/// What a source does about the blob's length.
enum Turn {
    Known(Shape),
    Prove,
    Wait,
}

/// A verified piece.
struct Piece {
    shape: Shape,
    number: u64,
    bytes: Vec<u8>,
}

/// What the sources of one fetch share.
struct Shared<'a> {
    dialer: &'a Dialer,
    digest: Digest,
    stall: Duration,
    state: Mutex<State>,
    changed: Notify,
    pieces: mpsc::Sender<Piece>,
}

#[derive(Default)]
struct State {
    /// Proven by a last piece.
    shape: Option<Shape>,
    /// When a source was asked for the last piece, if none has brought it yet.
    proving: Option<Instant>,
    /// There once the sink has said what it has.
    plan: Option<Plan>,
}

/// Fetches a blob from `sources` into `sink`. Dropping the future ends it; what is in the sink stays.
pub async fn fetch(
    dialer: &Dialer,
    stall: Duration,
    digest: Digest,
    sources: &[NodeKey],
    sink: &mut dyn Sink,
    limit: u64,
) -> Result<Fetched, FetchError> {
    if digest == Digest::of(&[]) {
        sink.begin(0)?;
        return Ok(Fetched {
            length: 0,
            bad: Vec::new(),
            silent: Vec::new(),
        });
    }
    let (pieces, mut arrived) = mpsc::channel(WAITING);
    let shared = Shared {
        dialer,
        digest,
        stall,
        state: Mutex::default(),
        changed: Notify::new(),
        pieces,
    };
    let mut standby = sources.iter().copied().enumerate();
    let source = |(number, peer)| shared.source(number, peer).map(move |end| (peer, end));
    let mut running: FuturesUnordered<_> =
        standby.by_ref().take(MOST_SOURCES).map(source).collect();
    let (mut bad, mut silent) = (Vec::new(), Vec::new());
    loop {
        tokio::select! {
            biased;
            Some(piece) = arrived.recv() => {
                if let Some(length) = shared.arrive(piece, sink, limit)? {
                    return Ok(Fetched { length, bad, silent });
                }
            }
            Some((peer, end)) = running.next() => {
                match end {
                    End::Done => {}
                    End::Bad => bad.push(peer),
                    End::Silent => silent.push(peer),
                }
                running.extend(standby.next().map(source));
            }
            else => return Err(FetchError::NoSource { digest, bad, silent }),
        }
        // The channel never ends, as this function holds a sender.
        if running.is_empty() && arrived.is_empty() {
            return Err(FetchError::NoSource {
                digest,
                bad,
                silent,
            });
        }
    }
}

impl Shared<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece goes to the sink. The blob's length, once it was the last.
    fn arrive(
        &self,
        piece: Piece,
        sink: &mut dyn Sink,
        limit: u64,
    ) -> Result<Option<u64>, FetchError> {
        let Piece {
            shape,
            number,
            bytes,
        } = piece;
        let length = shape.length;
        let mut state = self.state();
        if state.plan.is_none() {
            if length > limit {
                return Err(FetchError::TooLong {
                    digest: self.digest,
                    length,
                    limit,
                });
            }
            let held = sink.begin(length)?;
            state.plan = Some(Plan::new(missing(shape, &held)));
        }
        let plan = state.plan.as_mut().expect("it was made above");
        if plan.finish(number) {
            sink.write_at(shape.extent(number).0, &bytes)?;
        }
        self.changed.notify_waiters();
        Ok(plan.is_done().then_some(length))
    }

    /// Gets pieces from one source, until there are none or it fails.
    async fn source(&self, number: usize, peer: NodeKey) -> End {
        let mut tries = 0;
        loop {
            let mut brought = 0;
            let end = self.stream(number, peer, &mut brought).await;
            if let Some(plan) = &mut self.state().plan {
                plan.release(number);
            }
            self.changed.notify_waiters();
            tries += 1;
            if end != End::Silent || brought == 0 || tries > RETRIES {
                return end;
            }
        }
    }

    async fn stream(&self, number: usize, peer: NodeKey, brought: &mut usize) -> End {
        let Ok(mut opened) = self.dialer.open(peer, Kind::Blob).await else {
            return End::Silent;
        };
        let shape = match self.shape(&mut opened).await {
            Ok(shape) => shape,
            Err(end) => return end,
        };
        self.pieces(number, &mut opened, shape, brought).await
    }

    /// The blob's shape, as the source says and its last piece proves.
    async fn shape(&self, opened: &mut Opened) -> Result<Shape, End> {
        let stream = &mut opened.stream;
        let head = async {
            stream.write_all(&self.digest.0).await?;
            stream.flush().await?;
            let mut length = [0; 8];
            stream.read_exact(&mut length).await?;
            io::Result::Ok(u64::from_be_bytes(length))
        };
        // The source may have to work out the blob's tree first.
        let length = timeout(3 * self.stall, head).await;
        let length = length.map_err(|_| End::Silent)?.map_err(|_| End::Silent)?;
        if length == ABSENT {
            return Err(End::Silent);
        }
        let claimed = Shape::of(length).ok_or(End::Bad)?;
        loop {
            let changed = self.changed.notified();
            match self.turn(Instant::now()) {
                Turn::Known(proven) => {
                    return (proven == claimed).then_some(proven).ok_or(End::Bad);
                }
                Turn::Prove => break,
                Turn::Wait => drop(timeout(LATE, changed).await),
            }
        }
        let proof = self.prove(opened, claimed).await;
        self.proved(claimed, proof.is_ok());
        self.changed.notify_waiters();
        self.give(claimed, claimed.last(), proof?).await;
        Ok(claimed)
    }

    /// What a source that says a length does next: one proves it, and the others wait for that one
    /// while it is not late. Most blobs have one piece: it must not come from everybody.
    fn turn(&self, now: Instant) -> Turn {
        let mut state = self.state();
        if let Some(shape) = state.shape {
            return Turn::Known(shape);
        }
        let is_late = |since| now.saturating_duration_since(since) >= LATE;
        if state.proving.is_none_or(is_late) {
            state.proving = Some(now);
            return Turn::Prove;
        }
        Turn::Wait
    }

    /// A source has proven its length, or failed to: then it is another one's turn.
    fn proved(&self, claimed: Shape, is_proven: bool) {
        let mut state = self.state();
        state.proving = None;
        if is_proven {
            state.shape = Some(claimed);
        }
    }

    async fn prove(&self, opened: &mut Opened, claimed: Shape) -> Result<Vec<u8>, End> {
        let asked = self.ask(opened, claimed.last()).await;
        asked.map_err(|_| End::Silent)?;
        self.read(opened, claimed, claimed.last()).await
    }

    async fn pieces(
        &self,
        number: usize,
        opened: &mut Opened,
        shape: Shape,
        brought: &mut usize,
    ) -> End {
        let mut asked = VecDeque::new();
        loop {
            let changed = self.changed.notified();
            while asked.len() < AHEAD {
                let Some(piece) = self.next(number) else {
                    break;
                };
                if self.ask(opened, piece).await.is_err() {
                    return End::Silent;
                }
                asked.push_back(piece);
            }
            let Some(piece) = asked.pop_front() else {
                if self.is_done() {
                    return End::Done;
                }
                // Another source may fail or be late.
                drop(timeout(LATE, changed).await);
                continue;
            };
            match self.read(opened, shape, piece).await {
                Ok(bytes) => self.give(shape, piece, bytes).await,
                Err(end) => return end,
            }
            *brought += 1;
        }
    }

    fn next(&self, source: usize) -> Option<u64> {
        self.state().plan.as_mut()?.take(source, Instant::now())
    }

    fn is_done(&self) -> bool {
        self.state().plan.as_ref().is_some_and(Plan::is_done)
    }

    async fn ask(&self, opened: &mut Opened, piece: u64) -> io::Result<()> {
        let stream = &mut opened.stream;
        let write = async {
            stream.write_all(&piece.to_be_bytes()).await?;
            stream.flush().await
        };
        timeout(self.stall, write).await?
    }

    async fn read(&self, opened: &mut Opened, shape: Shape, piece: u64) -> Result<Vec<u8>, End> {
        let read = shape.read(&self.digest, piece, &mut opened.stream);
        let bytes = timeout(self.stall, read).await.map_err(|_| End::Silent)?;
        bytes.map_err(|_| End::Silent)?.ok_or(End::Bad)
    }

    async fn give(&self, shape: Shape, number: u64, bytes: Vec<u8>) {
        let piece = Piece {
            shape,
            number,
            bytes,
        };
        // The receiver is there for as long as this future is polled.
        let _ = self.pieces.send(piece).await;
    }
}

/// The pieces that are not whole in `held`.
fn missing(shape: Shape, held: &[Range<u64>]) -> impl Iterator<Item = u64> {
    let is_held = move |piece: &u64| {
        let (start, length) = shape.extent(*piece);
        held.iter()
            .any(|range| range.start <= start && start + length <= range.end)
    };
    (0..shape.pieces()).filter(move |piece| !is_held(piece))
}

#[cfg(test)]
mod tests {
    use super::{super::tree::PIECE, *};

    #[test]
    fn pieces_that_are_held_whole_are_not_fetched() {
        let shape = Shape::of(3 * PIECE + 10).unwrap();
        let held = [PIECE - 1..2 * PIECE, 3 * PIECE..3 * PIECE + 10];
        let missing: Vec<u64> = missing(shape, &held).collect();
        assert_eq!(missing, [0, 2]);
    }
}
