//! One unit of a job: who has had a turn at it, and what came of each.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use opensky_protocol::{Account, Class, Digest, NodeKey, PriceTerms, Refusal};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::time::Time;

/// A unit that somebody was asked to run. A turn's attempt is its place among the seats.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Unit {
    pub(crate) id: Digest,
    /// Bytes of all inputs together.
    pub(crate) input_len: u64,
    /// Results that are to be compared.
    pub(crate) wanted: u8,
    /// Whether it was decided that one result is not enough, or that it is.
    pub(crate) audit: Audit,
    /// Turns beyond those, because one takes long.
    pub(crate) spare: u8,
    pub(crate) stage: Stage,
    /// Why it is run again although it has a result.
    pub(crate) again: Again,
    /// Its result, if it has one. While it is run again, that of before.
    pub(crate) agreement: Option<Agreement>,
    pub(crate) seats: Vec<Seat>,
}

/// What was in a place of the plan before the unit there was begun anew.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Past {
    pub(crate) index: u32,
    pub(crate) unit: Unit,
}

/// Where a unit is.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Stage {
    /// Seats are filled, and wait until enough of them have committed.
    Gathering,
    /// Whoever has committed shows.
    Showing,
    /// Nobody is at it.
    Closed,
}

/// Why a unit that has a result is run again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Again {
    /// It is not.
    No,
    /// Its result is certain: whoever runs it is tested.
    Canary,
    /// Its result is the word of one who was caught with another.
    Doubt,
    /// Nobody can be found who still has its outputs.
    Remake,
    /// What it takes in turned out to be wrong: whoever has promised shows and is paid, and then it is
    /// begun anew.
    Outdated,
}

/// What was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Agreement {
    pub(crate) key: Digest,
    pub(crate) class: Class,
    pub(crate) fuel: u64,
    pub(crate) voices: u8,
}

/// Whether a result is to be compared with more than there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Audit {
    /// To be drawn when the first has committed.
    Undrawn,
    /// Drawn, or not to be drawn.
    Settled,
    /// Most agreed, and more were asked because somebody did not.
    Doubted,
}

/// Results that are compared at least where two differ.
const DIFFERING: u8 = 3;
/// Operators whose hosts have to fail in one way before it is the unit's doing.
const ABORTS: usize = 2;

/// One turn, from the broker's side.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Seat {
    pub(crate) node: NodeKey,
    pub(crate) operator: Account,
    pub(crate) ask: PriceTerms,
    /// When it was first asked.
    pub(crate) asked: Time,
    /// Milliseconds to commit.
    pub(crate) lease: u64,
    /// The most that it can cost.
    pub(crate) reserved: u128,
    pub(crate) state: SeatState,
}

#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum SeatState {
    /// Asked so often, and nothing heard.
    Asked { tries: u8 },
    /// It has taken the order.
    Working,
    /// It has promised a result.
    Committed(Digest),
    /// It was asked, so often, to show what it had promised.
    Opened(Digest, u8),
    /// It has shown this compare key, which costs so much.
    Shown { key: Digest, amount: u128 },
    /// Nothing more will come of it.
    Over(Over),
}

/// How a turn ended.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Over {
    Refused(Refusal),
    /// Its host failed, in this way.
    Aborted(String),
    /// It said nothing, or nothing in time.
    Silent,
    /// It did not show what it had promised.
    Hidden,
    /// It could not get an input that others should have.
    Lacked,
    /// It was not needed any more.
    Released,
    /// It agreed and was paid.
    Paid {
        key: Digest,
        amount: u128,
    },
    /// It had another result than the one agreed on.
    Wrong {
        key: Digest,
    },
    /// It was paid, and turned out to have been wrong.
    PaidWrong {
        key: Digest,
        amount: u128,
    },
    /// Nobody agreed on anything: it is not paid, and not at fault either.
    Unjudged,
    /// It showed what is not what it had promised, or what no run can give.
    False,
}

impl Seat {
    /// When its lease ends.
    pub(crate) fn ends(&self) -> Time {
        Time(self.asked.0.saturating_add(self.lease))
    }

    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.state, SeatState::Over(_))
    }

    /// Whether it counts among the results that are wanted: it may bring one, or has.
    pub(crate) fn counts(&self) -> bool {
        self.is_live() || self.voice().is_some()
    }

    /// The compare key that it has shown, if that counts.
    pub(crate) fn voice(&self) -> Option<Digest> {
        match &self.state {
            SeatState::Shown { key, .. }
            | SeatState::Over(
                Over::Paid { key, .. } | Over::Wrong { key } | Over::PaidWrong { key, .. },
            ) => Some(*key),
            _ => None,
        }
    }

    pub(crate) fn has_committed(&self) -> bool {
        matches!(
            self.state,
            SeatState::Committed(_) | SeatState::Opened(..) | SeatState::Shown { .. }
        )
    }

    /// Whether a result of it is promised or known.
    pub(crate) fn has_promised(&self) -> bool {
        self.has_committed() || self.voice().is_some()
    }

    pub(crate) fn is_paid(&self) -> bool {
        matches!(self.state, SeatState::Over(Over::Paid { .. }))
    }

    /// Whether it has shown a result that was found wrong.
    pub(crate) fn was_wrong(&self) -> bool {
        matches!(
            self.state,
            SeatState::Over(Over::Wrong { .. } | Over::PaidWrong { .. } | Over::False)
        )
    }

    /// Whether it has shown a result that was found right or wrong.
    pub(crate) fn was_judged(&self) -> bool {
        self.is_paid() || self.was_wrong()
    }

    /// Whether its host failed.
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.state, SeatState::Over(Over::Aborted(_)))
    }

    /// Whether its operator may be asked again for the same unit.
    fn may_try_again(&self) -> bool {
        matches!(
            self.state,
            SeatState::Over(
                Over::Refused(
                    Refusal::Busy
                        | Refusal::Disk
                        | Refusal::Escrow
                        | Refusal::Committed
                        | Refusal::Owed
                ) | Over::Silent
                    | Over::Hidden
                    | Over::Lacked
            )
        )
    }
}

impl Unit {
    pub(crate) fn new(id: Digest, input_len: u64, wanted: u8, audit: Audit) -> Self {
        Self {
            id,
            input_len,
            wanted,
            audit,
            spare: 0,
            stage: Stage::Gathering,
            again: Again::No,
            agreement: None,
            seats: Vec::new(),
        }
    }

    /// How hosts failed at it, if that is the unit's doing: in one way, those of several operators, and
    /// nobody has shown that it can be run.
    pub(crate) fn failure(&self) -> Option<String> {
        let is_wanted = self.stage != Stage::Closed && !self.is_outdated();
        if !is_wanted || self.seats.iter().any(Seat::has_promised) {
            return None;
        }
        let mut failed: BTreeMap<&String, BTreeSet<Account>> = BTreeMap::new();
        for seat in &self.seats {
            if let SeatState::Over(Over::Aborted(reason)) = &seat.state {
                failed.entry(reason).or_default().insert(seat.operator);
            }
        }
        let often = failed.into_iter().find(|(_, by)| by.len() >= ABORTS);
        often.map(|(reason, _)| reason.clone())
    }

    /// Seats that are still to be filled.
    pub(crate) fn lacks(&self) -> usize {
        if self.stage == Stage::Closed || self.is_outdated() {
            return 0;
        }
        let counting = self.seats.iter().filter(|seat| seat.counts()).count();
        (usize::from(self.wanted) + usize::from(self.spare)).saturating_sub(counting)
    }

    /// Whether its result is for nothing.
    pub(crate) fn is_outdated(&self) -> bool {
        self.again == Again::Outdated
    }

    /// Turns that came to something else than a refusal, which costs nothing.
    pub(crate) fn attempts(&self) -> usize {
        let refused = |seat: &&Seat| matches!(seat.state, SeatState::Over(Over::Refused(_)));
        self.seats.len() - self.seats.iter().filter(refused).count()
    }

    /// Operators that are not to be asked.
    pub(crate) fn seated(&self) -> Vec<Account> {
        let seats = self.seats.iter().filter(|seat| !seat.may_try_again());
        seats.map(|seat| seat.operator).collect()
    }

    /// Operators whose hosts have failed at it once, and who were asked so long ago: a worker that died or
    /// memory that was short then says little about now.
    pub(crate) fn recovered(&self, now: Time, pause: Duration) -> Vec<Account> {
        let failed = self.seats.iter().filter(|seat| seat.has_failed());
        let rested = failed.filter(|seat| seat.asked.after(pause) <= now);
        let has_one = |operator: &Account| {
            let own = self.seats.iter().filter(|seat| seat.operator == *operator);
            own.filter(|seat| !seat.may_try_again()).count() == 1
        };
        let operators = rested.map(|seat| seat.operator);
        operators.filter(has_one).collect()
    }

    /// Whether enough have committed that all may show.
    pub(crate) fn is_promised(&self) -> bool {
        let promised = self.seats.iter().filter(|seat| seat.has_promised());
        promised.count() >= usize::from(self.wanted)
    }

    /// Whether somebody has committed, and nobody is left who could still.
    pub(crate) fn is_all_promised(&self) -> bool {
        let mut live = self.seats.iter().filter(|seat| seat.is_live()).peekable();
        live.peek().is_some() && live.all(Seat::has_committed)
    }

    /// Whether nobody who was asked to show has yet to do so.
    pub(crate) fn is_shown(&self) -> bool {
        let mut seats = self.seats.iter();
        seats.all(|seat| !matches!(seat.state, SeatState::Opened(..)))
    }

    /// What was shown, each by another operator.
    pub(crate) fn keys(&self) -> Vec<Digest> {
        self.seats.iter().filter_map(Seat::voice).collect()
    }

    /// Who has the outputs that were agreed on.
    pub(crate) fn holders(&self) -> impl Iterator<Item = NodeKey> {
        let paid = |seat: &&Seat| matches!(seat.state, SeatState::Over(Over::Paid { .. }));
        self.seats.iter().filter(paid).map(|seat| seat.node)
    }

    /// What a restart leaves of it: whoever is still at it is asked again, and says how far it is.
    pub(crate) fn restored(mut self) -> Self {
        for seat in self.seats.iter_mut().filter(|seat| seat.is_live()) {
            seat.state = SeatState::Asked { tries: 0 };
        }
        if self.stage == Stage::Showing {
            self.stage = Stage::Gathering;
        }
        if self.audit == Audit::Doubted {
            // What was shown is forgotten, and with it that anyone is doubted: as many are asked as before.
            self.audit = Audit::Settled;
            self.wanted = DIFFERING.max(self.keys().len() as u8);
        }
        self
    }
}
