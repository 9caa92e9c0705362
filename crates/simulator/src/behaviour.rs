//! What characters do otherwise than the core tells them: what they compute, and what they say.

use opensky_core::{Done, Outgoing};
use opensky_protocol::{Abort, Turn, Work, names};

use crate::{character::Character, guest, node::State, world::World};

/// How the ring lies, how a flood does, how a crony's shills do, and what a copier makes up.
const RING: u8 = 101;
const FLOOD: u8 = 102;
const SHILLS: u8 = 103;
const MADE_UP: u8 = 104;
const TURNED: u8 = 105;

impl World {
    /// What comes of a run.
    pub(crate) fn result(
        &mut self,
        place: usize,
        turn: &Turn,
        work: &Work,
    ) -> Result<Box<Done>, Abort> {
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
        if node.character == Character::Failing {
            return Err(Abort::HostMemory);
        }
        if matches!(node.character, Character::Cut(first) if node.runs <= first) {
            return Err(Abort::MissingInput(names::INPUT.into()));
        }
        let (class, outputs) = guest::honest(work);
        let right = guest::done(node.who.node, work, class, outputs);
        let truth = right.statement.compare_key;
        self.gossip.truth.insert(right.statement.unit, truth);
        let done = match lie {
            None => right,
            Some(how) => {
                let outputs = guest::lie(&right.outputs, how);
                guest::done(node.who.node, work, class, outputs)
            }
        };
        for output in done.outputs.0.values() {
            self.gossip.made(output, place);
        }
        let operator = node.who.operator;
        self.laws.ran(turn, operator, &done.statement);
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
            (Character::Stingy, Outgoing::Settle { .. }) => None,
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
}
