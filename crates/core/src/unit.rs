//! One unit of a job: who has had a turn at it, and what came of each.

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
    pub(crate) stage: Stage,
    pub(crate) seats: Vec<Seat>,
}

/// Where a unit is.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Stage {
    /// Seats are filled, and wait until enough of them have committed.
    Gathering,
    /// Whoever has committed shows.
    Showing,
    /// This is its result.
    Agreed(Agreement),
}

/// What was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) struct Agreement {
    pub(crate) key: Digest,
    pub(crate) class: Class,
    pub(crate) fuel: u64,
    pub(crate) output_len: u64,
    pub(crate) voices: u8,
}

/// Whether a result that stands alone is to be compared with another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(crate) enum Audit {
    /// To be drawn when the first has committed.
    Undrawn,
    /// Drawn, or not to be drawn.
    Settled,
}

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
    /// It was not needed any more.
    Released,
    /// It agreed and was paid.
    Paid(u128),
    /// It had another result than the one agreed on.
    Wrong,
    /// Nobody agreed on anything: it is not paid, and not at fault either.
    Unjudged,
}

impl Seat {
    pub(crate) fn is_live(&self) -> bool {
        !matches!(self.state, SeatState::Over(_))
    }

    /// Whether it counts among the results that are wanted: it may bring one, or has.
    pub(crate) fn counts(&self) -> bool {
        let had_a_voice = matches!(self.state, SeatState::Over(Over::Paid(_) | Over::Wrong));
        self.is_live() || had_a_voice
    }

    pub(crate) fn has_committed(&self) -> bool {
        matches!(
            self.state,
            SeatState::Committed(_) | SeatState::Opened(..) | SeatState::Shown { .. }
        )
    }

    /// Whether its operator may be asked again for the same unit.
    fn may_try_again(&self) -> bool {
        matches!(
            self.state,
            SeatState::Over(
                Over::Refused(Refusal::Busy | Refusal::Escrow) | Over::Silent | Over::Hidden
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
            stage: Stage::Gathering,
            seats: Vec::new(),
        }
    }

    pub(crate) fn agreement(&self) -> Option<&Agreement> {
        match &self.stage {
            Stage::Agreed(agreement) => Some(agreement),
            Stage::Gathering | Stage::Showing => None,
        }
    }

    /// Seats that are still to be filled.
    pub(crate) fn lacks(&self) -> usize {
        if self.agreement().is_some() {
            return 0;
        }
        let counting = self.seats.iter().filter(|seat| seat.counts()).count();
        usize::from(self.wanted).saturating_sub(counting)
    }

    /// Operators that are not to be asked.
    pub(crate) fn seated(&self) -> Vec<Account> {
        let seats = self.seats.iter().filter(|seat| !seat.may_try_again());
        seats.map(|seat| seat.operator).collect()
    }

    /// Whether enough have committed that all may show.
    pub(crate) fn is_promised(&self) -> bool {
        let committed = self.seats.iter().filter(|seat| seat.has_committed());
        committed.count() >= usize::from(self.wanted)
    }

    /// Whether nobody who was asked to show has yet to do so.
    pub(crate) fn is_shown(&self) -> bool {
        let mut seats = self.seats.iter();
        seats.all(|seat| !matches!(seat.state, SeatState::Opened(..)))
    }

    /// What was shown, each by another operator.
    pub(crate) fn keys(&self) -> Vec<Digest> {
        let shown = self.seats.iter().filter_map(|seat| match &seat.state {
            SeatState::Shown { key, .. } => Some(*key),
            _ => None,
        });
        shown.collect()
    }

    /// Who has the outputs that were agreed on.
    pub(crate) fn holders(&self) -> impl Iterator<Item = NodeKey> {
        let paid = |seat: &&Seat| matches!(seat.state, SeatState::Over(Over::Paid(_)));
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
        self
    }
}
