//! Says how turns end: what a result is worth to whoever showed it, and who is told.

use opensky_protocol::{Digest, NodeKey, Turn};

use crate::{
    broker::Broker,
    moment::Moment,
    out::TURNS,
    row::Stored,
    unit::{Over, Seat, SeatState},
};

impl Broker {
    /// Pays a turn whose result is the agreed one, or says that it is not paid. Whoever was paid before
    /// is not paid again, and keeps what it has.
    pub(crate) fn settle(
        &mut self,
        turn: Turn,
        index: u32,
        seat: &Seat,
        key: Digest,
        at: &mut Moment<'_>,
    ) {
        let Some(job) = self.jobs.get_mut(&turn.job) else {
            return;
        };
        let ends = match &seat.state {
            SeatState::Shown { key: said, amount } if *said == key => {
                let amount = *amount;
                job.pay(seat.operator, &turn.unit, turn.attempt, amount);
                at.changed(Stored::Purse(turn.job, seat.operator));
                Over::Paid { key, amount }
            }
            SeatState::Shown { key, .. } => Over::Wrong { key: *key },
            SeatState::Over(Over::Paid { key: said, amount }) if *said != key => Over::PaidWrong {
                key: *said,
                amount: *amount,
            },
            _ => return,
        };
        job.end_seat(index, turn.attempt, ends.clone());
        match ends {
            Over::Paid { .. } => self.say_paid(seat.node, turn, at),
            Over::Wrong { .. } => say_refused(seat.node, turn, at),
            _ => {}
        }
    }

    /// Tells a node that its turn is paid.
    pub(crate) fn say_paid(&self, to: NodeKey, turn: Turn, at: &mut Moment<'_>) {
        let ends = at.to(to).settle.entry(turn.job).or_default();
        ends.paid.push(turn);
        if ends.paid.len().is_multiple_of(TURNS) {
            ends.vouchers.extend(self.voucher(&to, &turn.job, &[turn]));
        }
    }
}

/// Tells a node that its turn is not paid.
pub(crate) fn say_refused(to: NodeKey, turn: Turn, at: &mut Moment<'_>) {
    let ends = at.to(to).settle.entry(turn.job).or_default();
    ends.refused.push(turn);
}
