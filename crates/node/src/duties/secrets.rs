//! What only this node can say: secrets and salts that follow from its own, and from all that they are for, so that they
//! are the same after a restart, and no other chain has heard them.

use opensky_ledger::BeaconRound;
use opensky_protocol::{
    Account, Commit, Digest, NodeKey, Turn,
    ledger::{OnChain, commitment},
};
use parity_scale_codec::Encode;

use super::shelf::Kept;

/// Says things for one operator on one ledger.
pub(super) struct Secrets {
    pub own: [u8; 32],
    pub node: NodeKey,
    pub operator: Account,
    pub ledger: Digest,
}

impl Secrets {
    pub fn commit(&self, round: &BeaconRound) -> OnChain {
        let secret = self.draw("beacon", round);
        OnChain::Commit {
            round: round.number,
            commitment: commitment(round.number, &self.operator, &secret),
        }
    }

    pub fn reveal(&self, round: &BeaconRound) -> OnChain {
        OnChain::Reveal {
            round: round.number,
            secret: self.draw("beacon", round),
        }
    }

    pub fn promise(&self, turn: &Turn, kept: &Kept) -> OnChain {
        let salt = self.draw("salt", turn);
        OnChain::Promise {
            request: turn.job,
            promise: Commit::hash_of(&self.node, turn, &kept.statement.compare_key, &salt),
        }
    }

    pub fn show(&self, turn: &Turn, kept: &Kept) -> OnChain {
        OnChain::Show {
            request: turn.job,
            statement: Box::new(kept.statement.clone()),
            signature: kept.signature,
            salt: self.draw("salt", turn),
            output: kept.output.clone(),
        }
    }

    /// A secret for that purpose and subject, and for nothing else.
    fn draw(&self, purpose: &str, subject: &impl Encode) -> Digest {
        let all = (self.own, self.ledger, purpose, subject);
        Digest::derive("opensky duty secret 2", &all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(ledger: u8) -> Secrets {
        Secrets {
            own: [1; 32],
            node: NodeKey([2; 32]),
            operator: Account([2; 32]),
            ledger: Digest([ledger; 32]),
        }
    }

    fn revealed(ledger: u8, round: &BeaconRound) -> Digest {
        match on(ledger).reveal(round) {
            OnChain::Reveal { secret, .. } => secret,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_revealed_on_one_chain_opens_nothing_on_another() {
        let round = |begun| BeaconRound {
            number: 7,
            begun: Digest([begun; 32]),
        };
        let own = round(1);
        let secret = revealed(1, &own);
        let committed = OnChain::Commit {
            round: 7,
            commitment: commitment(7, &Account([2; 32]), &secret),
        };
        assert_eq!(on(1).commit(&own), committed);
        // Another chain, and the same where it was begun anew or went another way.
        assert_ne!(revealed(2, &own), secret);
        assert_ne!(revealed(1, &round(2)), secret);
    }
}
