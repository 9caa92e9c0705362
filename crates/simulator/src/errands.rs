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
        let node = self.nodes[place].who.node;
        let answer = match errand {
            Errand::Find(job) => {
                let found = self.funding(&job);
                Event::Funding { job, found }
            }
            Errand::Open(job, amount, deadline) => self.open_escrow(node, job, amount, deadline),
            Errand::Close(job) => {
                // It is closed now, or it was closed before, or it is over anyway.
                let _ = self.call(node, Call::Close { escrow: job });
                let state = EscrowState::Closed;
                Event::Escrow { job, state }
            }
            Errand::Claim(voucher) => {
                let (job, total) = (voucher.value.escrow, voucher.value.total);
                let vouchers = [voucher].into();
                // A refusal is for good: nothing more will come of it.
                let _ = self.call(node, Call::Claim { vouchers });
                Event::Claimed { job, total }
            }
            Errand::Show(proof) => self.show(place, proof),
        };
        let after = self.weather.finality + self.dice.within(&self.weather.latency);
        self.plan(place, after, Coming::Own(life, Box::new(answer)));
    }

    fn call(&mut self, node: NodeKey, call: Call) -> Result<(), Rejection> {
        let done = self.bank.call(node, call, self.now.0).map(drop);
        self.look_at_bank();
        done
    }

    fn open_escrow(&mut self, node: NodeKey, job: Digest, amount: u128, deadline: Time) -> Event {
        let call = Call::OpenEscrow {
            escrow: job,
            requester: node,
            amount,
            deadline: deadline.0,
        };
        let refused = self.call(node, call).err();
        let opened = self.bank.escrow(&job);
        let state = match (opened, refused) {
            (Some(escrow), _) => EscrowState::Locked {
                amount: escrow.locked,
            },
            (None, refused) => {
                let reason = refused.map_or_else(String::new, |reason| reason.to_string());
                EscrowState::Rejected(reason)
            }
        };
        Event::Escrow { job, state }
    }

    fn funding(&self, job: &Digest) -> Option<Funding> {
        let escrow = self.bank.escrow(job)?;
        Some(Funding {
            requester: escrow.requester,
            payer: escrow.payer,
            amount: escrow.available(),
            ends: Time(escrow.ends()),
        })
    }

    fn show(&mut self, place: usize, proof: Proof) -> Event {
        let turns = proof.turns.iter();
        let turns: Vec<Turn> = turns
            .map(|turn| Turn::from(&turn.assignment.value))
            .collect();
        let escrow = proof.escrow;
        let node = self.nodes[place].who.node;
        let showing = Showing {
            escrow,
            voucher: proof.voucher,
            opened: proof.opened,
            evidence: proof.turns.into_iter().map(evidence).collect(),
        };
        let claims = showing.evidence.iter();
        let claims: Vec<(Digest, Digest)> = claims
            .map(|shown| (shown.statement.unit, shown.statement.compare_key))
            .collect();
        // A refusal is for good, and there may be other turns that are not refused.
        let _ = self.call(node, Call::Show(Box::new(showing)));
        self.nodes[place].shown.extend(turns.iter().copied());
        self.object(escrow, &claims);
        Event::Filed(turns)
    }

    /// A requester objects where something else is claimed than what it knows to be right. A crony
    /// objects to everything.
    fn object(&mut self, escrow: Digest, claims: &[(Digest, Digest)]) {
        let requester = self.bank.escrow(&escrow).map(|escrow| escrow.requester);
        let Some(requester) = requester else {
            return;
        };
        let place = self.places.get(&requester);
        let is_crony = place.is_some_and(|place| {
            let node = &self.nodes[*place];
            node.character == Character::Crony
        });
        for (unit, key) in claims.iter().copied() {
            if is_crony || self.gossip.truth.get(&unit) != Some(&key) {
                // Where results differ already, or nothing was filed, there is nothing to object to.
                let _ = self.call(requester, Call::Object { escrow, unit });
            }
        }
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
