//! What characters do otherwise than the core tells them: what they compute, and what they say.

use opensky_core::{Done, Event, Outgoing};
use opensky_protocol::{Abort, Digest, Refusal, Turn, Voucher, Work, names};

use crate::{
    character::Character,
    errands::{Errand, unsigned},
    guest,
    node::State,
    world::World,
};

/// How the ring lies, how a flood does, how a crony's shills do, and what a copier makes up.
const RING: u8 = 101;
const FLOOD: u8 = 102;
const SHILLS: u8 = 103;
const MADE_UP: u8 = 104;
const TURNED: u8 = 105;
const LAPSED: u8 = 106;
const BORROWED: u8 = 107;

impl World {
    /// What comes of a turn that is run.
    pub(crate) fn came_to(&mut self, place: usize, turn: Turn, work: &Work) -> Event {
        let node = &mut self.nodes[place];
        if matches!(node.character, Character::Full(first) if node.runs < first) {
            node.runs += 1;
            let why = Refusal::Disk;
            return Event::GivenBack { turn, why };
        }
        let result = self.result(place, &turn, work);
        Event::Executed { turn, result }
    }

    fn result(&mut self, place: usize, turn: &Turn, work: &Work) -> Result<Box<Done>, Abort> {
        let lost = work.inputs.iter().find(|(_, digest)| {
            let makers = self.gossip.makers.get(*digest);
            let is_gone = |place: &usize| self.nodes[*place].state == State::Gone;
            makers.is_some_and(|makers| makers.iter().all(is_gone))
        });
        if let Some((name, _)) = lost {
            return Err(Abort::MissingInput(name.clone()));
        }
        self.executions += 1;
        *self.tally.runs.entry(turn.job).or_default() += 1;
        self.nodes[place].runs += 1;
        let lie = self.lie(place, turn);
        let node = &self.nodes[place];
        let fails = match node.character {
            Character::Failing => true,
            Character::Shaky(first) => node.runs <= first,
            _ => false,
        };
        if fails {
            return Err(Abort::HostMemory);
        }
        if matches!(node.character, Character::Cut(first) if node.runs <= first) {
            return Err(Abort::MissingInput(names::INPUT.into()));
        }
        let (class, outputs) = guest::honest(work);
        let right = guest::done(node.who.node, work, class, outputs);
        let truth = right.statement.clone();
        self.gossip.truth.insert(truth.unit, truth.compare_key);
        let outputs = match lie {
            _ if node.character == Character::Padder => guest::pad(&right.outputs, &work.limits),
            Some(how) => guest::lie(&right.outputs, how),
            None => right.outputs.clone(),
        };
        let done = guest::done(node.who.node, work, class, outputs);
        for output in done.outputs.0.values() {
            self.gossip.made(output, place);
        }
        let operator = node.who.operator;
        self.laws.worth.ran(turn, operator, &done.statement, &truth);
        Ok(Box::new(done))
    }

    /// Whether and how a node lies about a turn.
    fn lie(&mut self, place: usize, turn: &Turn) -> Option<u8> {
        let node = &self.nodes[place];
        match node.character {
            Character::Liar(how) => Some(how),
            Character::Sometimes { lie, parts } => {
                self.dice.happens(u64::from(parts)).then_some(lie)
            }
            Character::Copier => Some(MADE_UP),
            Character::Sybil => Some(FLOOD),
            Character::Shill => Some(SHILLS),
            Character::Turncoat(honest) => (node.runs > honest).then_some(TURNED),
            Character::Lapsing(honest) => (node.runs > honest).then_some(LAPSED),
            Character::Impostor => Some(BORROWED),
            Character::Ring => self.is_among_friends(turn).then_some(RING),
            _ => None,
        }
    }

    /// Whether all who are to run the unit by its ticket were asked, and are of the ring.
    fn is_among_friends(&self, turn: &Turn) -> bool {
        let is_friend = |place: &usize| self.nodes[*place].character == Character::Ring;
        let seats = self.gossip.seats.get(&(turn.job, turn.unit));
        seats.is_some_and(|(replicas, seats)| {
            seats.len() >= usize::from(*replicas) && seats.iter().all(is_friend)
        })
    }

    /// What a node really says where the core wants it to say this.
    pub(crate) fn says(&mut self, place: usize, message: Outgoing) -> Option<Outgoing> {
        let character = self.nodes[place].character;
        match (character, message) {
            (Character::Hiding, Outgoing::Reveal(_)) => None,
            (Character::Stingy | Character::Quiet, Outgoing::Settle { .. })
            | (Character::Quiet, Outgoing::Over(_)) => None,
            (Character::Sulky, Outgoing::Settle { paid, refused, .. }) => {
                Some(Outgoing::Release([paid, refused].concat()))
            }
            (Character::Drainer, Outgoing::Settle { paid, refused, .. }) => {
                let turn = paid.first().or(refused.first());
                turn.into_iter()
                    .for_each(|turn| self.drain_escrow(place, turn.job));
                None
            }
            (Character::Copier, Outgoing::Reveal(reveals)) => {
                let mut reveals = reveals;
                for reveal in &mut reveals {
                    let at = (reveal.turn.job, reveal.turn.unit);
                    if let Some((said, outputs)) = self.gossip.shown.get(&at) {
                        let own = self.nodes[place].who;
                        reveal.statement.clone_from(said);
                        reveal.statement.node = own.node;
                        reveal.statement.operator = own.operator;
                        reveal.outputs.clone_from(outputs);
                    }
                }
                Some(Outgoing::Reveal(reveals))
            }
            (_, message) => Some(message),
        }
    }

    /// Vouches all that is in an escrow to the requester itself.
    fn drain_escrow(&mut self, place: usize, job: Digest) {
        let own = self.nodes[place].who;
        let voucher = Voucher {
            ledger: own.ledger,
            escrow: job,
            requester: own.node,
            operator: own.operator,
            total: u128::MAX,
            turns: 1,
            root: Voucher::START,
        };
        self.send_errand(place, Errand::Claim(unsigned(voucher)));
    }
}
