//! Who is connected: strangers, until they show the token, and those who have. Neither kind takes the
//! other's places, and where one is full, whoever holds a place for nothing makes room.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
    time::Instant,
};

/// Connections at once that have not shown the token. A program shows it with the first thing that it
/// says, so these are few, or somebody's who never will.
const STRANGERS: usize = 128;
/// Connections at once that have. Each may be a stream that takes long.
const KNOWN: usize = 128;

/// Everybody who is connected.
pub(crate) struct Crowd {
    /// How long somebody may not read what it is sent before another gets its place.
    stalled: Duration,
    places: Mutex<Places>,
}

#[derive(Default)]
struct Places {
    /// Of whoever comes next. They are given in order, so the first is the oldest.
    next: u64,
    strangers: BTreeMap<u64, Arc<Seat>>,
    known: BTreeMap<u64, Arc<Seat>>,
}

/// What one connection and the crowd say to each other.
#[derive(Default)]
struct Seat {
    leave: Notify,
    /// Since when it does not read what it is sent.
    since: Mutex<Option<Instant>>,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(stalled: Duration) -> Arc<Self> {
        Arc::new(Self {
            stalled,
            places: Mutex::default(),
        })
    }

    /// Somebody has connected. If there are too many strangers, the oldest goes: it has had the most
    /// time to say who it is.
    pub fn enter(self: &Arc<Self>) -> Guest {
        let seat = Arc::new(Seat::default());
        let mut places = self.places();
        let number = places.next;
        places.next += 1;
        while places.strangers.len() >= STRANGERS {
            let (_, oldest) = places.strangers.pop_first().expect("there are some");
            oldest.leave.notify_one();
        }
        places.strangers.insert(number, seat.clone());
        Guest(Arc::new(Place {
            crowd: self.clone(),
            number,
            seat,
        }))
    }

    fn let_in(&self, number: u64, now: Instant) -> bool {
        let mut places = self.places();
        if places.known.contains_key(&number) {
            return true;
        }
        let Some(seat) = places.strangers.get(&number).cloned() else {
            // It was shown out a moment ago.
            return false;
        };
        if places.known.len() >= KNOWN && !places.make_room(now, self.stalled) {
            return false;
        }
        places.strangers.remove(&number);
        places.known.insert(number, seat);
        true
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        // Nothing in here is ever half done.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Shows out who has read nothing for the longest time, and for at least so long. Whether there was
    /// such a one.
    fn make_room(&mut self, now: Instant, stalled: Duration) -> bool {
        let since = self.known.iter().filter_map(|(number, seat)| {
            let since = seat.since()?;
            (now.saturating_duration_since(since) >= stalled).then_some((since, *number))
        });
        let Some((_, number)) = since.min() else {
            return false;
        };
        let seat = self.known.remove(&number).expect("it was just there");
        seat.leave.notify_one();
        true
    }
}

impl Seat {
    fn since(&self) -> Option<Instant> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Instant>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

/// One connection's place, left when the last clone goes. Every request of the connection carries one.
#[derive(Clone)]
pub(crate) struct Guest(Arc<Place>);

struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    seat: Arc<Seat>,
}

impl Guest {
    /// It has shown the token. Whether there is a place for it.
    pub fn let_in(&self) -> bool {
        self.0.crowd.let_in(self.0.number, Instant::now())
    }

    /// Waits until it has to make room.
    pub async fn shown_out(&self) {
        self.0.seat.leave.notified().await;
    }

    /// Whether it took what was sent.
    fn took<T>(&self, sent: &Poll<T>) {
        let seat = &self.0.seat;
        match (sent, seat.since()) {
            (Poll::Pending, None) => seat.set(Some(Instant::now())),
            (Poll::Ready(_), Some(_)) => seat.set(None),
            _ => {}
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.crowd.places();
        places.strangers.remove(&self.number);
        places.known.remove(&self.number);
    }
}

/// A connection that tells of its guest whether it reads.
pub(crate) struct Line {
    pub stream: TcpStream,
    pub guest: Guest,
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.guest.took(&sent);
        sent
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.guest.took(&sent);
        sent
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALLED: Duration = Duration::from_secs(30);

    fn is_shown_out(guest: &Guest) -> bool {
        let mut leave = std::pin::pin!(guest.0.seat.leave.notified());
        let mut context = Context::from_waker(std::task::Waker::noop());
        leave.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn oldest_stranger_makes_room_and_nobody_who_is_known() {
        let crowd = Crowd::new(STALLED);
        let known = crowd.enter();
        assert!(known.let_in() && known.let_in());
        let strangers: Vec<Guest> = (0..=STRANGERS).map(|_| crowd.enter()).collect();
        assert!(is_shown_out(&strangers[0]) && !strangers[0].let_in());
        assert!(!strangers[1..].iter().any(is_shown_out));
        assert!(!is_shown_out(&known));
        assert!(strangers[1].let_in());
    }

    #[test]
    fn whoever_reads_keeps_its_place_and_who_does_not_gives_it_to_another() {
        let crowd = Crowd::new(STALLED);
        let start = Instant::now();
        let known: Vec<Guest> = (0..KNOWN).map(|_| crowd.enter()).collect();
        assert!(known.iter().all(Guest::let_in));
        let late = crowd.enter();
        let let_in = |after| crowd.let_in(late.0.number, start + after);
        assert!(!let_in(2 * STALLED), "they all read");
        known[5].0.seat.set(Some(start + Duration::from_secs(1)));
        known[3].0.seat.set(Some(start));
        known[7].0.seat.set(Some(start));
        known[7].took(&Poll::Ready(()));
        assert!(!let_in(STALLED / 2), "it may read again");
        assert!(let_in(STALLED));
        let gone: Vec<usize> = (0..KNOWN).filter(|at| is_shown_out(&known[*at])).collect();
        assert_eq!(gone, [3], "who waits for the longest time");
        drop(known);
        assert_eq!(crowd.places().known.len(), 1);
    }
}
