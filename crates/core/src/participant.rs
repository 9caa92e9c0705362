//! One participant: what happens goes in, what it wants comes out.

use std::collections::VecDeque;

use opensky_protocol::{Account, Message, NodeKey, Offer, Verified};

use crate::{
    alarm::{Alarm, Alarms},
    broker::Broker,
    checked::Checked,
    draw::Draws,
    effect::Effect,
    event::{Event, Identity},
    moment::Moment,
    out::Out,
    policy::Policy,
    restoring::{RestoreError, Rows},
    row::Row,
    time::{Time, millis},
    worker::Worker,
    writing,
};

/// A node's part in the network: the broker of its own jobs, and the worker for those of others.
///
/// Whoever drives it calls [`handle`](Self::handle) for everything that happens and carries out what
/// [`poll_effect`](Self::poll_effect) gives, in order: a [`Persist`](Effect::Persist) has to be durable
/// before what follows it is begun. Several events may be handled before the effects are asked for:
/// then rows are written and messages sent once for all of them.
pub struct Participant {
    broker: Broker,
    worker: Worker,
    policy: Policy,
    alarms: Alarms,
    out: Out,
    ready: VecDeque<Effect>,
}

impl Participant {
    /// A participant that goes on where its rows end; without rows, a new one. `secret` is what its
    /// draws are made from, the same for as long as the rows live.
    ///
    /// # Errors
    /// If the rows are not those of a participant.
    pub fn restore(
        identity: Identity,
        policy: Policy,
        secret: [u8; 32],
        rows: impl Iterator<Item = Row>,
    ) -> Result<Self, RestoreError> {
        let draws = Draws::new(secret);
        let mut alarms = Alarms::default();
        let mut broker = Broker::new(identity, policy.clone(), draws.clone());
        let mut worker = Worker::new(identity, policy.clone(), draws);
        let rows = Rows::new(rows);
        broker.restore(&rows, &mut alarms)?;
        worker.restore(&rows, &mut alarms)?;
        Ok(Self {
            broker,
            worker,
            policy,
            alarms,
            out: Out::default(),
            ready: VecDeque::new(),
        })
    }

    /// Something has happened.
    pub fn handle(&mut self, now: Time, event: Event) {
        let mut at = Moment {
            now,
            out: &mut self.out,
            alarms: &mut self.alarms,
        };
        let (broker, worker) = (&mut self.broker, &mut self.worker);
        match event {
            Event::Timeout => {}
            Event::Submitted(order) => broker.submit(*order, &mut at),
            Event::Cancelled(job) => broker.cancel(job, &mut at),
            Event::Offer(offer) => {
                let offer = offer.into_value();
                let Broker {
                    market, standings, ..
                } = broker;
                let worked = |operator: &Account| standings.has_worked(operator);
                market.offer(offer, now, &self.policy, at.alarms, worked);
            }
            Event::Received { from, message } => {
                broker.market.heard_of(&from);
                let Checked {
                    message,
                    false_turns,
                } = message;
                hear(broker, worker, from, message, &mut at);
                // Then, because what it has said before is in doubt from here on.
                for turn in false_turns {
                    broker.refuted(from, turn, &mut at);
                }
            }
            Event::Unreachable(node) => {
                broker.market.miss(&node, now, &self.policy, at.alarms);
            }
            Event::RoundTrip(node, span) => broker.market.round_trip(&node, millis(span)),
            Event::Executed { turn, result } => worker.executed(turn, result, &mut at),
            Event::GivenBack { turn, why } => worker.given_back(turn, why, &mut at),
            Event::Collected(job) => broker.collected(job, &mut at),
            Event::Escrow { job, state } => broker.escrow(job, state, &mut at),
            Event::Funding { job, found } => worker.funded(job, found, &mut at),
            Event::Claimed {
                job,
                total,
                received,
            } => worker.claimed(job, total, received, &mut at),
            Event::Filed(turns) => worker.filed(&turns, &mut at),
            Event::Capacity(terms) => worker.gives(*terms, &mut at),
            Event::Drain => {
                broker.is_draining = true;
                worker.drain(&mut at);
            }
        }
        while let Some(alarm) = at.alarms.pop(now) {
            ring(broker, worker, alarm, &mut at);
        }
        broker.place(&mut at);
        worker.start(&mut at);
        worker.look_at_offer(&mut at);
    }

    /// What is wanted next, if anything is.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if self.ready.is_empty() && !self.out.is_empty() {
            let out = core::mem::take(&mut self.out);
            let effects = writing::effects(out, &self.broker, &self.worker, &self.policy);
            self.ready = effects.into();
        }
        self.ready.pop_front()
    }

    /// When [`Event::Timeout`] is to come, if nothing else happens before. It may be over already.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.alarms.next()
    }

    /// All offers that are known.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> {
        let listings = self.broker.market.listings();
        listings.map(|(_, listing)| &listing.offer)
    }

    pub(crate) fn broker(&self) -> &Broker {
        &self.broker
    }

    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }
}

fn hear(
    broker: &mut Broker,
    worker: &mut Worker,
    from: NodeKey,
    message: Message,
    at: &mut Moment<'_>,
) {
    match message {
        Message::Assign(orders) => {
            let mut orders = orders.into_iter();
            orders
                .by_ref()
                .for_each(|order| worker.ordered(from, order, at));
        }
        Message::Open(summons) => {
            let mut summons = summons.into_iter();
            summons
                .by_ref()
                .for_each(|summons| worker.opened(from, summons, at));
        }
        Message::Settle(settlement) => worker.settled(from, *settlement, at),
        Message::Release(turns) => {
            turns
                .iter()
                .for_each(|turn| worker.released(from, *turn, at));
        }
        Message::Over(jobs) => jobs.iter().for_each(|job| worker.over(from, *job, at)),
        Message::Accept(turns) => {
            turns
                .iter()
                .for_each(|turn| broker.accepted(from, *turn, at));
        }
        Message::Refuse(turns) => {
            let mut turns = turns.into_iter();
            turns
                .by_ref()
                .for_each(|(turn, why)| broker.refused(from, turn, why, at));
        }
        Message::Commit(commits) => {
            let commits = commits.into_iter().map(Verified::assume);
            commits.for_each(|commit| broker.committed(from, &commit, at));
        }
        Message::Reveal(reveals) => {
            let mut reveals = reveals.into_iter();
            reveals
                .by_ref()
                .for_each(|reveal| broker.revealed(from, reveal, at));
        }
        Message::Abort(turns) => {
            let mut turns = turns.iter();
            turns
                .by_ref()
                .for_each(|(turn, why)| broker.aborted(from, *turn, why, at));
        }
    }
}

fn ring(broker: &mut Broker, worker: &mut Worker, alarm: Alarm, at: &mut Moment<'_>) {
    match alarm {
        // Seats are given out after every event.
        Alarm::Place => {}
        Alarm::Rest(node) => broker.market.changed(&node, at.now),
        Alarm::Expiry(node) => broker.market.expire(&node, at.now),
        Alarm::Escrow(job) => broker.ask_for_escrow(job, at),
        Alarm::Resume(job) => broker.resume_now(job, at),
        Alarm::Deadline(job) => broker.out_of_time(job, at),
        Alarm::Stragglers(job) => broker.look_at_stragglers(job, at),
        Alarm::Seat(turn) => broker.seat_timed_out(turn, at),
        Alarm::Reveals(job, index) => broker.reveals_timed_out(job, index, at),
        Alarm::Quorum(job, index) => broker.quorum_timed_out(job, index, at),
        Alarm::Offer => worker.offer(at),
        Alarm::Result(turn) => worker.result_unanswered(turn, at),
        Alarm::Account(job) => worker.look_at_account(job, at),
    }
}
