//! The committee of one request: who is in it, what each has promised and shown, and what follows from that.
//!
//! All promise before anyone shows anything: while a promise is missing when the time is over, another operator is drawn,
//! and only when there are as many promises as results are needed does anybody show theirs. Where results then differ or
//! are missing more operators are drawn. What was shown is public by then: whoever comes later could repeat it without
//! having run anything, and where only one result was shown it need not even guess. So an answer that needed more operators
//! than were asked for is worth less than one that did not, and says how many that were.
//!
//! Nobody loses money for what it did not show, or for another result: it is not paid, and its record says so.
//!
//! Source: BOINC's adaptive validation, with commit and reveal before it.

use alloc::vec::Vec;

use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;

use super::{Answer, AnswerStatus, Asked, Data, Moment, Refund, RequestTerms};
use crate::{Account, Class, Commit, Digest, NodeKey, PriceTerms, Profile, Statement, Turn};

/// An operator's place in a committee.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Seat {
    /// Whose it is.
    pub operator: Account,
    /// What it asks.
    pub ask: PriceTerms,
    /// What one of its nodes has promised: see [`Commit::hash_of`].
    pub promise: Option<(NodeKey, Digest)>,
    /// What that turned out to be.
    pub shown: Option<Shown>,
    /// Whether it let a time pass: nothing more is taken from it.
    pub is_out: bool,
}

/// A result, as far as it is compared and paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Shown {
    /// What is compared.
    pub key: Digest,
    /// The class of the outcome.
    pub class: Class,
    /// The fuel that is billed.
    pub fuel: u64,
    /// The digest of the outputs.
    pub output: Digest,
    /// Bytes of all outputs together.
    pub output_len: u64,
}

/// Where a request is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum Stage {
    /// It waits for random numbers that nobody could know when `since` was the last block.
    Drawing {
        /// That block.
        since: u32,
    },
    /// Whoever is in the committee runs the unit and promises a result, until then.
    Promising {
        /// When that is over.
        until: Moment,
    },
    /// Whoever has promised shows the result, until then.
    Showing {
        /// When that is over.
        until: Moment,
    },
}

impl Stage {
    /// Whether its time is over. Nobody knows when there will be random numbers.
    pub fn is_over(&self, now: Moment) -> bool {
        match self {
            Self::Drawing { .. } => false,
            Self::Promising { until } | Self::Showing { until } => until.is_over(now),
        }
    }
}

/// A request that is not over.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct Request {
    /// Who asks and pays.
    pub payer: Account,
    /// The unit that it is.
    pub unit: Digest,
    /// The rules of execution.
    pub profile: Profile,
    /// What is held for the operators.
    pub price: u128,
    /// What is held for the callback.
    pub gas: u128,
    /// When the money goes back.
    pub deadline: u64,
    /// Where it is.
    pub stage: Stage,
    /// The committee, in the order in which it was drawn.
    pub seats: Vec<Seat>,
}

/// What is to be done about a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Nothing, before somebody does something or the time comes.
    Wait,
    /// So many operators more are to be drawn.
    Draw(usize),
    /// It is over.
    End(Close),
}

/// How a request is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Close {
    /// These seats have the same result.
    Agreed(Vec<usize>),
    /// There is none.
    Refund(Refund),
}

/// Why an operator's word was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SeatError {
    /// It is not the time for that.
    #[error("it is not the time for that")]
    Stage,
    /// The operator is not in the committee.
    #[error("the operator is not in the committee")]
    NoSeat,
    /// It has said so already.
    #[error("it was said already")]
    Again,
    /// Nothing was promised.
    #[error("nothing was promised")]
    Unpromised,
    /// The result is not the one that was promised, or not by the node that promised it.
    #[error("the result is not the one that was promised")]
    Broken,
    /// The statement is about something else, or beyond the limits.
    #[error("the statement is not about this unit within its limits")]
    Statement,
}

impl Request {
    /// A new one: what it is to be paid with is held from now on.
    pub fn new(payer: Account, asked: &Asked, profile: Profile, gas: u128, block: u32) -> Self {
        Self {
            payer,
            unit: asked.work(&profile).unit(),
            profile,
            price: asked.max_price,
            gas,
            deadline: asked.deadline,
            stage: Stage::Drawing { since: block },
            seats: Vec::new(),
        }
    }

    /// The turn of a seat of the request with that name.
    pub fn turn(&self, name: &Digest, seat: usize) -> Turn {
        Turn {
            job: *name,
            unit: self.unit,
            attempt: seat as u32,
        }
    }

    /// The seat of an operator.
    pub fn seat_of(&self, operator: &Account) -> Option<usize> {
        self.seats
            .iter()
            .position(|seat| seat.operator == *operator)
    }

    /// Gives operators seats: they have until then to promise.
    pub fn seat(&mut self, drawn: impl IntoIterator<Item = (Account, PriceTerms)>, until: Moment) {
        let seats = drawn.into_iter().map(|(operator, ask)| Seat {
            operator,
            ask,
            promise: None,
            shown: None,
            is_out: false,
        });
        self.seats.extend(seats);
        self.stage = Stage::Promising { until };
    }

    /// Takes a promise.
    ///
    /// # Errors
    /// [`SeatError`]: nothing has changed.
    pub fn promise(
        &mut self,
        operator: &Account,
        node: NodeKey,
        hash: Digest,
        now: Moment,
    ) -> Result<(), SeatError> {
        if !matches!(self.stage, Stage::Promising { .. }) || self.is_late(now) {
            return Err(SeatError::Stage);
        }
        let seat = self.seat_of(operator).ok_or(SeatError::NoSeat)?;
        let seat = &mut self.seats[seat];
        if seat.promise.is_some() || seat.is_out {
            return Err(SeatError::Again);
        }
        seat.promise = Some((node, hash));
        Ok(())
    }

    /// Takes a result. That the statement is signed has been looked at.
    ///
    /// # Errors
    /// [`SeatError`]: nothing has changed.
    pub fn show(
        &mut self,
        name: &Digest,
        operator: &Account,
        said: &Statement,
        salt: &Digest,
        asked: &Asked,
        now: Moment,
    ) -> Result<(), SeatError> {
        if !matches!(self.stage, Stage::Showing { .. }) || self.is_late(now) {
            return Err(SeatError::Stage);
        }
        let at = self.seat_of(operator).ok_or(SeatError::NoSeat)?;
        let turn = self.turn(name, at);
        let seat = &mut self.seats[at];
        if seat.shown.is_some() || seat.is_out {
            return Err(SeatError::Again);
        }
        let (node, hash) = seat.promise.ok_or(SeatError::Unpromised)?;
        let is_about = said.unit == self.unit && said.profile == self.profile;
        if !is_about || !said.is_consistent() || !said.is_within(&asked.limits) {
            return Err(SeatError::Statement);
        }
        let is_promised =
            said.node == node && hash == Commit::hash_of(&node, &turn, &said.compare_key, salt);
        if !is_promised {
            return Err(SeatError::Broken);
        }
        seat.shown = Some(Shown {
            key: said.compare_key,
            class: said.class,
            fuel: said.fuel,
            output: said.output,
            output_len: said.output_len,
        });
        Ok(())
    }

    /// Whether it is too late for what its stage is for.
    fn is_late(&self, now: Moment) -> bool {
        self.stage.is_over(now) || now.time >= self.deadline
    }

    /// What is to be done now, after whatever has happened.
    pub fn next(&mut self, asked: &Asked, terms: &RequestTerms, now: Moment) -> Next {
        if now.time >= self.deadline {
            return Next::End(Close::Refund(Refund::Deadline));
        }
        let replicas = usize::from(asked.replicas);
        match self.stage {
            // Nobody is to work in vain.
            Stage::Drawing { .. } if self.left(now) < terms.committee(&asked.limits) => {
                Next::End(Close::Refund(Refund::Deadline))
            }
            Stage::Drawing { .. } => Next::Draw(self.missing(replicas)),
            Stage::Promising { .. } => self.after_promises(replicas, terms, now),
            Stage::Showing { .. } => self.after_results(replicas, terms, now),
        }
    }

    fn left(&self, now: Moment) -> u64 {
        self.deadline.saturating_sub(now.time)
    }

    fn after_promises(&mut self, replicas: usize, terms: &RequestTerms, now: Moment) -> Next {
        let are_awaited = |seat: &Seat| !seat.is_out && seat.promise.is_none();
        if self.seats.iter().any(are_awaited) && !self.stage.is_over(now) {
            return Next::Wait;
        }
        self.put_out(are_awaited);
        if self.missing(replicas) > 0 {
            return self.more(replicas, terms);
        }
        self.stage = Stage::Showing {
            until: now.after(terms.reveal, terms.blocks),
        };
        Next::Wait
    }

    fn after_results(&mut self, replicas: usize, terms: &RequestTerms, now: Moment) -> Next {
        let are_awaited = |seat: &Seat| !seat.is_out && seat.shown.is_none();
        // All are waited for, also where enough agree: they have done the work, too.
        if self.seats.iter().any(are_awaited) && !self.stage.is_over(now) {
            return Next::Wait;
        }
        self.put_out(are_awaited);
        match self.agreed(replicas) {
            Some(agreed) => Next::End(Close::Agreed(agreed)),
            None => self.more(replicas, terms),
        }
    }

    fn put_out(&mut self, are_late: impl Fn(&Seat) -> bool) {
        let late = self.seats.iter_mut().filter(|seat| are_late(seat));
        late.for_each(|seat| seat.is_out = true);
    }

    fn more(&self, replicas: usize, terms: &RequestTerms) -> Next {
        let missing = self.missing(replicas);
        match self.seats.len() + missing <= usize::from(terms.max_seats) {
            true => Next::Draw(missing),
            false => Next::End(Close::Refund(Refund::Disagreement)),
        }
    }

    /// The seats with the result that most have, if as many have it as have to.
    fn agreed(&self, replicas: usize) -> Option<Vec<usize>> {
        let best = self.best()?;
        let same: Vec<_> = self.with(&best).collect();
        (same.len() >= replicas).then_some(same)
    }

    /// The result that most have shown; of several the one that was drawn first.
    fn best(&self) -> Option<Digest> {
        let keys = self.seats.iter().filter_map(|seat| seat.shown);
        let mut best: Option<(usize, Digest)> = None;
        for shown in keys {
            let count = self.with(&shown.key).count();
            if best.is_none_or(|(most, _)| count > most) {
                best = Some((count, shown.key));
            }
        }
        best.map(|(_, key)| key)
    }

    fn with(&self, key: &Digest) -> impl Iterator<Item = usize> {
        let key = *key;
        let seats = self.seats.iter().enumerate();
        seats.filter_map(move |(at, seat)| {
            seat.shown
                .is_some_and(|shown| shown.key == key)
                .then_some(at)
        })
    }

    /// How many more results there have to be: those that agree count, and promises that may.
    fn missing(&self, replicas: usize) -> usize {
        let agreed = self.best().map_or(0, |best| self.with(&best).count());
        let are_open =
            |seat: &&Seat| !seat.is_out && seat.promise.is_some() && seat.shown.is_none();
        let open = self.seats.iter().filter(are_open).count();
        replicas.saturating_sub(agreed + open)
    }

    /// What each seat is paid: its own ask. No more of them agree than were asked for, so the requester's money is enough;
    /// nobody else's is touched.
    pub fn payouts(&self, agreed: &[usize], asked: &Asked) -> Vec<Payout> {
        let mut left = self.price;
        let pay = |seat: &usize| {
            let seat = &self.seats[*seat];
            let shown = seat.shown.as_ref()?;
            let bytes = asked.input.len().saturating_add(shown.output_len);
            let due = seat.ask.of_unit(shown.fuel, bytes).min(asked.share());
            let amount = due.min(left);
            left -= amount;
            Some(Payout {
                operator: seat.operator,
                amount,
            })
        };
        agreed.iter().filter_map(pay).collect()
    }

    /// What whoever asked is told. `output` is that of those who agree, if one of them showed it.
    pub fn answer(&self, ending: &Close, output: Option<Vec<u8>>) -> Answer {
        let asked = self.seats.len() as u8;
        let first = match ending {
            Close::Refund(why) => return Answer::refunded(*why, asked),
            Close::Agreed(agreed) => agreed.first().and_then(|seat| self.seats[*seat].shown),
        };
        let Some(shown) = first else {
            return Answer::refunded(Refund::Disagreement, asked);
        };
        Answer {
            status: AnswerStatus::Result(shown.class),
            output: match (shown.class, output) {
                (Class::Ok | Class::Err, Some(bytes)) => Data::Inline(bytes),
                (Class::Ok | Class::Err, None) => Data::Blob {
                    digest: shown.output,
                    len: shown.output_len,
                },
                // Those who agree on the rest need not agree on this.
                _ => Data::Inline(Vec::new()),
            },
            fuel: shown.fuel,
            agreed: self.with(&shown.key).count() as u8,
            asked,
        }
    }

    /// How each seat did, once the request is over: whether it kept its word, where that can be told.
    pub fn conduct(&self, ending: &Close) -> Vec<(Account, Conduct)> {
        let right = match ending {
            Close::Agreed(agreed) => agreed.first().and_then(|seat| self.seats[*seat].shown),
            Close::Refund(_) => None,
        };
        let of = |seat: &Seat| {
            let conduct = match (&seat.shown, right) {
                // Whose time is not over has missed nothing.
                (None, _) if !seat.is_out => return None,
                (None, _) => Conduct::Missed,
                (Some(shown), Some(right)) if shown.key == right.key => Conduct::Agreed,
                (Some(_), Some(_)) => Conduct::Differed,
                (Some(_), None) => return None,
            };
            Some((seat.operator, conduct))
        };
        self.seats.iter().filter_map(of).collect()
    }
}

/// What one operator is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payout {
    /// Who.
    pub operator: Account,
    /// How much, out of what is held for the request.
    pub amount: u128,
}

/// How an operator did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conduct {
    /// It had the result of those who agree.
    Agreed,
    /// It did not show a result in time.
    Missed,
    /// It had another one. That alone proves nothing.
    Differed,
}
