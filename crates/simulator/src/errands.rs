//! What nodes ask of the ledger, and what it tells them.

use opensky_core::{EscrowState, Event, Funding, Proof, Time, UnpaidTurn};
use opensky_protocol::{
    Digest, NodeKey, Seal, Signed, Turn, Voucher,
    ledger::{Call, Evidence, Rejection, Showing},
};

use crate::{
    character::Character,
    world::{Coming, World},
};

/// Something that a node asks of the ledger.
pub(crate) enum Errand {
    Open(Digest, u128, Time),
    Close(Digest),
    Find(Digest),
    Claim(Signed<Voucher>),
    Show(Proof),
}

impl World {
    /// Somebody goes to the ledger.
    pub(crate) fn send_errand(&mut self, place: usize, errand: Errand) {
        let life = self.nodes[place].life;
        let after = self.dice.within(&self.weather.latency);
        self.plan(place, after, Coming::Errand(life, Box::new(errand)));
    }

    /// What is asked happens even if the process that asked is gone; the answer is for it alone.
    pub(crate) fn do_errand(&mut self, place: usize, life: u32, errand: Errand) {
        let is_a_call = !matches!(errand, Errand::Find(_));
        if is_a_call && self.dice.happens(self.weather.drops) {
            self.plan(place, 1_000, Coming::Errand(life, Box::new(errand)));
            return;
        }
        let Some(answer) = self.ask_ledger(place, errand) else {
            return;
        };
        let after = self.weather.finality + self.dice.within(&self.weather.latency);
        self.plan(place, after, Coming::Own(life, Box::new(answer)));
    }

    /// What the ledger says to it, if it says anything that is worth telling.
    fn ask_ledger(&mut self, place: usize, errand: Errand) -> Option<Event> {
        let node = self.nodes[place].who.node;
        Some(match errand {
            Errand::Find(job) => {
                let found = self.funding(place, &job);
                Event::Funding { job, found }
            }
            Errand::Open(job, amount, deadline) => self.open_escrow(place, job, amount, deadline),
            Errand::Close(job) => {
                // It is closed now, or it was closed before, or it is over anyway.
                if self.call(node, Call::Close { escrow: job }).is_ok() {
                    self.plan_objections(place, job);
                }
                let state = EscrowState::Closed;
                Event::Escrow { job, state }
            }
            Errand::Claim(voucher) => {
                let (job, total) = (voucher.value.escrow, voucher.value.total);
                let vouchers = [voucher].into();
                // A refusal is for good: nothing more will come of it.
                let _ = self.call(node, Call::Claim { vouchers });
                let received = self.received(place, &job);
                Event::Claimed {
                    job,
                    total,
                    received,
                }
            }
            Errand::Show(proof) => return self.show(place, proof),
        })
    }

    pub(crate) fn call(&mut self, node: NodeKey, call: Call) -> Result<(), Rejection> {
        let done = self.bank.call(node, call, self.now.0).map(drop);
        self.look_at_bank();
        done
    }

    fn open_escrow(&mut self, place: usize, job: Digest, amount: u128, deadline: Time) -> Event {
        let node = self.nodes[place].who.node;
        let set_aside = match self.nodes[place].character {
            Character::Pauper => amount / 10,
            _ => amount,
        };
        let call = Call::OpenEscrow {
            escrow: job,
            requester: node,
            amount: set_aside,
            deadline: deadline.0,
        };
        let refused = self.call(node, call).err();
        if refused.is_none() {
            self.plan_objections(place, job);
            self.tempt(job);
        }
        let opened = self.bank.escrow(&job);
        let state = match (opened, refused) {
            (Some(_), _) => EscrowState::Locked { amount },
            (None, refused) => {
                let reason = refused.map_or_else(String::new, |reason| reason.to_string());
                EscrowState::Rejected(reason)
            }
        };
        Event::Escrow { job, state }
    }

    /// What the ledger has paid a node's operator from an escrow.
    fn received(&self, place: usize, job: &Digest) -> u128 {
        let operator = &self.nodes[place].who.operator;
        self.bank.books().tab(job, operator).paid
    }

    fn funding(&self, place: usize, job: &Digest) -> Option<Funding> {
        let escrow = self.bank.escrow(job)?;
        Some(Funding {
            requester: escrow.requester,
            payer: escrow.payer,
            amount: escrow.available(),
            left: escrow.left(),
            received: self.received(place, job),
            ends: Time(escrow.ends()),
        })
    }

    fn show(&mut self, place: usize, proof: Proof) -> Option<Event> {
        let turns = proof.turns.iter();
        let turns: Vec<Turn> = turns
            .map(|turn| Turn::from(&turn.assignment.value))
            .collect();
        let node = self.nodes[place].who.node;
        let showing = Showing {
            escrow: proof.escrow,
            voucher: proof.voucher,
            opened: proof.opened,
            evidence: proof.turns.into_iter().map(evidence).collect(),
        };
        let shown = self.call(node, Call::Show(Box::new(showing)));
        // The time for it may come, or be over; every other refusal is for good, and there may be
        // other turns that are not refused.
        if shown == Err(Rejection::Phase) {
            return None;
        }
        self.nodes[place].shown.extend(turns.iter().copied());
        Some(Event::Filed(turns))
    }

    /// What the ledger does by itself, and what its arbiter says.
    pub(crate) fn keep_books(&mut self) {
        if self.bank.tend(self.now.0) {
            self.look_at_bank();
        }
        let truth = &self.gossip.truth;
        self.bank
            .arbitrate(|unit| truth.get(unit).copied(), self.now.0);
    }
}

fn evidence(turn: UnpaidTurn) -> Evidence {
    Evidence {
        ticket: turn.ticket,
        assignment: turn.assignment,
        commit: unsigned(turn.commit),
        summons: turn.summons,
        salt: turn.salt,
        statement: turn.statement,
        signature: turn.signature,
    }
}

/// Here everyone is who they say they are.
pub(crate) fn unsigned<T>(value: T) -> Signed<T> {
    let seal = Seal::NONE;
    Signed { value, seal }
}
