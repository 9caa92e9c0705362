//! What the chain is told: each thing once, and what it refuses not again soon, as that costs a fee each time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_protocol::{
    Digest,
    ledger::{Call, OnChain},
};
use tokio::time::Instant;

use crate::{
    ledger::{Books, Outcome, Teller, TellerError, may_pass},
    tasks::Tasks,
};

/// How long the same is not said again once it is done: a block that is looked at may be older.
const DONE: Duration = Duration::from_secs(30);
/// The same where the chain has not looked at it: nothing was paid.
const SOON: Duration = Duration::from_secs(5);
/// The same where the chain has refused it, at first; it doubles up to the last. What an operator offers and keeps at hand
/// can wait, and what has no place now seldom has one soon.
const REFUSED: Duration = Duration::from_secs(60);
const UNLISTED: Duration = Duration::from_secs(3_600);
const LAST: Duration = Duration::from_secs(24 * 3_600);
/// That of rounds, which are refused to whoever came a moment too late, too: with all silent there would be none.
const LAST_OF_ROUNDS: Duration = Duration::from_secs(300);
/// Refusals that are remembered: those that are over first are forgotten first.
const MOST: usize = 1_024;

/// A handle. Cheap to clone.
#[derive(Clone)]
pub(super) struct Words {
    books: Books,
    teller: Teller,
    tasks: Tasks,
    said: Arc<Mutex<Said>>,
}

/// What a call is about: one of the same subject is under way at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Subject {
    Commit(u64, Digest),
    Reveal(u64, Digest),
    Promise(Digest),
    Show(Digest),
    Offer,
    Pin(Digest),
    Unpin(Digest),
    Request(Digest),
}

#[derive(Default)]
struct Said {
    /// What the chain is asked, and has not answered; and what is left alone until then.
    open: BTreeMap<Subject, Option<Instant>>,
    refused: BTreeMap<Subject, Refused>,
}

#[derive(Clone, Copy)]
struct Refused {
    times: u32,
    until: Instant,
}

impl Words {
    pub fn new(books: Books, teller: Teller, tasks: Tasks) -> Self {
        Self {
            books,
            teller,
            tasks,
            said: Arc::default(),
        }
    }

    /// Hands a call in, unless one about the same is under way or has to wait. An earlier life of this node may have
    /// handed it in, too.
    pub fn say(&self, call: OnChain) {
        let subject = Subject::of(&call);
        let is_waiting = |call: &Call| match call {
            Call::OnChain(call) => Subject::of(call) == subject,
            _ => false,
        };
        if !self.lock().begin(subject, Instant::now()) {
            return;
        }
        if self.books.waits_for(is_waiting) {
            self.lock().leave(subject, SOON, Instant::now());
            return;
        }
        let words = self.clone();
        self.tasks.spawn(async move {
            // Dropped, it is said again if the chain still wants it: what a commitment hides may be known by then.
            let outcome = words.teller.once(Call::OnChain(Box::new(call))).await;
            if let Err(error) = &outcome {
                tracing::warn!(%error, ?subject, "the chain did not take what it wanted");
            }
            words.lock().end(subject, &outcome, Instant::now());
        });
    }

    /// Whether it would not be said now: the chain has refused it lately.
    pub fn is_refused(&self, call: &OnChain) -> bool {
        self.lock().is_refused(Subject::of(call), Instant::now())
    }

    /// What was refused may be said again at once: the chain may take it now.
    pub fn forgive(&self) {
        self.lock().refused.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject {
    fn of(call: &OnChain) -> Self {
        match call {
            OnChain::Commit { round, commitment } => Self::Commit(*round, *commitment),
            OnChain::Reveal { round, secret } => Self::Reveal(*round, *secret),
            OnChain::Promise { request, .. } => Self::Promise(*request),
            OnChain::Show { request, .. } => Self::Show(*request),
            OnChain::SetOffer(_) => Self::Offer,
            OnChain::Pin { program, .. } => Self::Pin(*program),
            OnChain::Unpin { program } => Self::Unpin(*program),
            OnChain::Request(asked) => Self::Request(asked.program),
        }
    }

    /// How long it is not said again once it is done. There is little time for a reveal, and silence costs far more than a
    /// fee: a chain that has lost blocks may have been told too early, and want it again.
    fn pause(self) -> Duration {
        match self {
            Self::Reveal(..) => SOON,
            _ => DONE,
        }
    }

    /// By what a refusal of it is remembered: whoever may not take part in a round may not in the next one either.
    fn lesson(self) -> Self {
        match self {
            Self::Commit(..) => Self::Commit(0, Digest([0; 32])),
            other => other,
        }
    }

    fn first_pause(self) -> Duration {
        match self {
            Self::Offer | Self::Pin(_) | Self::Unpin(_) => UNLISTED,
            _ => REFUSED,
        }
    }

    fn last_pause(self) -> Duration {
        match self {
            Self::Reveal(..) => SOON,
            Self::Commit(..) => LAST_OF_ROUNDS,
            _ => LAST,
        }
    }
}

impl Said {
    /// Whether it may be said now: it is under way then.
    fn begin(&mut self, subject: Subject, now: Instant) -> bool {
        self.open
            .retain(|_, until| until.is_none_or(|until| now < until));
        if self.open.contains_key(&subject) || self.is_refused(subject, now) {
            return false;
        }
        self.open.insert(subject, None);
        true
    }

    fn is_refused(&self, subject: Subject, now: Instant) -> bool {
        let refused = self.refused.get(&subject.lesson());
        refused.is_some_and(|refused| now < refused.until)
    }

    fn leave(&mut self, subject: Subject, pause: Duration, now: Instant) {
        self.open.insert(subject, Some(now + pause));
    }

    /// Hears what became of it.
    fn end(&mut self, subject: Subject, outcome: &Outcome, now: Instant) {
        match outcome {
            Ok(_) => {
                self.refused.remove(&subject.lesson());
                self.leave(subject, subject.pause(), now);
            }
            Err(TellerError::Rejected(reason)) if !may_pass(*reason) => {
                self.open.remove(&subject);
                self.learn(subject, now);
            }
            Err(_) => self.leave(subject, SOON, now),
        }
    }

    fn learn(&mut self, subject: Subject, now: Instant) {
        let lesson = subject.lesson();
        let times = self.refused.get(&lesson).map_or(0, |before| before.times);
        let pause = subject.first_pause() * 2u32.saturating_pow(times.min(16));
        let refused = Refused {
            times: times.saturating_add(1),
            until: now + pause.min(subject.last_pause()),
        };
        self.refused.insert(lesson, refused);
        if self.refused.len() > MOST {
            let all = self.refused.iter();
            let first = all.min_by_key(|(_, refused)| refused.until);
            if let Some(first) = first.map(|(first, _)| *first) {
                self.refused.remove(&first);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opensky_protocol::ledger::{LedgerRequest, Rejection, Status};
    use tokio::time::timeout;

    use super::*;
    use crate::{config::LedgerHere, ledger::bench::Bench, nearby::PATIENCE};

    const NO: Outcome = Err(TellerError::Rejected(Rejection::Unknown));

    fn to(round: u64) -> Subject {
        Subject::Commit(round, Digest([1; 32]))
    }

    #[test]
    fn what_the_chain_refuses_is_left_alone_ever_longer() {
        let (mut said, mut now) = (Said::default(), Instant::now());
        let program = Subject::Pin(Digest([1; 32]));
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let begun = now;
            while !said.begin(program, now) {
                now += Duration::from_secs(60);
            }
            pauses.push((now - begun).as_secs() / 3_600);
            said.end(program, &NO, now);
            assert!(!said.begin(program, now));
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 24, 24]);
        assert!(said.begin(Subject::Pin(Digest([2; 32])), now));
    }

    #[test]
    fn who_may_not_take_part_in_a_round_does_not_try_the_next_one() {
        let (mut said, now) = (Said::default(), Instant::now());
        assert!(said.begin(to(7), now));
        said.end(to(7), &NO, now);
        assert!(!said.begin(to(8), now));
        assert!(said.begin(to(8), now + REFUSED));
        said.end(to(8), &Ok(Vec::new()), now + REFUSED);
        assert!(said.begin(to(9), now + REFUSED));
    }

    #[test]
    fn reveal_that_came_too_early_comes_again_in_time() {
        let (mut said, now) = (Said::default(), Instant::now());
        let reveal = Subject::Reveal(7, Digest([1; 32]));
        for try_at in [now, now + SOON, now + 2 * SOON] {
            assert!(said.begin(reveal, try_at));
            said.end(reveal, &NO, try_at);
            assert!(!said.begin(reveal, try_at));
        }
        // It was there, and the block that had it is gone.
        assert!(said.begin(reveal, now + 3 * SOON));
        said.end(reveal, &Ok(Vec::new()), now + 3 * SOON);
        assert!(said.begin(reveal, now + 4 * SOON));
    }

    #[test]
    fn who_came_too_late_for_many_rounds_is_there_again_soon() {
        let (mut said, mut now) = (Said::default(), Instant::now());
        for round in 1..20 {
            assert!(said.begin(to(round), now));
            said.end(to(round), &NO, now);
            now += LAST_OF_ROUNDS;
        }
    }

    #[test]
    fn what_is_done_is_not_said_again_by_who_sees_an_older_block() {
        let (mut said, now) = (Said::default(), Instant::now());
        let show = Subject::Show(Digest([1; 32]));
        assert!(said.begin(show, now));
        assert!(!said.begin(show, now), "it is under way");
        said.end(show, &Ok(Vec::new()), now);
        assert!(!said.begin(show, now));
        assert!(said.begin(show, now + DONE));
        // Nobody has looked at it, so nothing was paid.
        let fee = Err(TellerError::Rejected(Rejection::Fee));
        said.end(show, &fee, now + DONE);
        assert!(said.begin(show, now + DONE + SOON));
    }

    #[test]
    fn refusals_are_forgotten_when_there_are_many() {
        let (mut said, now) = (Said::default(), Instant::now());
        for number in 0..2 * MOST as u64 {
            let request = Subject::Promise(Digest::derive("a request", &number));
            assert!(said.begin(request, now));
            said.end(request, &NO, now + Duration::from_millis(number));
        }
        assert_eq!((said.refused.len(), said.open.len()), (MOST, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn refusal_is_paid_for_once() {
        let bench = Bench::start(|terms| terms.fee = 10);
        bench.fund(100).await;
        let words = Words::new(bench.books.clone(), bench.teller.clone(), Tasks::new());
        // This ledger takes none of these; each is another transaction.
        let pin = |until| OnChain::Pin {
            program: Digest([1; 32]),
            until,
        };
        words.say(pin(1));
        let refused = async {
            while words.lock().refused.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, refused).await.unwrap();
        (2..50).for_each(|until| words.say(pin(until)));
        // What is handed in later is decided later.
        let later = LedgerRequest::MAX_EVENTS;
        bench.fund(1).await;
        let told = bench.books.history(bench.account, u64::MAX, later).await;
        let is_refused = |status: &Status| matches!(status, Status::Rejected { .. });
        let refused = told.unwrap().into_iter();
        let refused = refused.filter(|event| is_refused(&event.status)).count();
        assert_eq!(refused, 1);
        words.forgive();
        assert!(words.lock().refused.is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn commitment_that_is_dropped_is_not_handed_in_again_by_itself() {
        let here = LedgerHere {
            drops: 1_000,
            ..LedgerHere::default()
        };
        let bench = Bench::start_as(&here, |_| {});
        let words = Words::new(bench.books.clone(), bench.teller.clone(), Tasks::new());
        let (round, commitment) = (7, Digest([1; 32]));
        words.say(OnChain::Commit { round, commitment });
        let is_left = || words.lock().open.values().all(Option::is_some);
        let left = async {
            while !is_left() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, left).await.unwrap();
        let most = LedgerRequest::MAX_EVENTS;
        let told = bench.books.history(bench.account, u64::MAX, most).await;
        assert_eq!(told.unwrap().len(), 1);
    }
}
