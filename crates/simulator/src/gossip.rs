//! What those who do not keep to the rules know of each other, and what only the world itself knows.

use std::collections::{BTreeSet, HashMap};

use opensky_protocol::{Digest, Output, Outputs, Statement};

use crate::character::Character;

/// All that is known beside the protocol. Nothing in here is ever listed: its order does not matter.
#[derive(Default)]
pub(crate) struct Gossip {
    /// The compare key of each unit that was run, as it should be.
    pub truth: HashMap<Digest, Digest>,
    /// How many are to run a unit of a job by its ticket, and who was asked, if a ring wants to know.
    pub seats: HashMap<(Digest, Digest), (u8, Vec<usize>)>,
    /// What was shown for a unit of a job, if a copier wants to know.
    pub shown: HashMap<(Digest, Digest), (Statement, Outputs)>,
    /// Who made which blob, if somebody might take it along.
    pub makers: HashMap<Digest, BTreeSet<usize>>,
    has_ring: bool,
    has_copier: bool,
    has_mapper: bool,
}

impl Gossip {
    pub fn note(&mut self, character: Character) {
        match character {
            Character::Ring => self.has_ring = true,
            Character::Copier => self.has_copier = true,
            Character::Mapper => self.has_mapper = true,
            _ => {}
        }
    }

    pub fn assigned(&mut self, job: Digest, unit: Digest, replicas: u8, place: usize) {
        if self.has_ring {
            let (asked, seats) = self.seats.entry((job, unit)).or_default();
            *asked = replicas;
            if !seats.contains(&place) {
                seats.push(place);
            }
        }
    }

    pub fn shows(&mut self, job: Digest, said: &Statement, outputs: &Outputs) {
        if self.has_copier {
            let shown = || (said.clone(), outputs.clone());
            self.shown.entry((job, said.unit)).or_insert_with(shown);
        }
    }

    pub fn made(&mut self, output: &Output, place: usize) {
        if self.has_mapper {
            self.makers.entry(output.digest).or_default().insert(place);
        }
    }
}
