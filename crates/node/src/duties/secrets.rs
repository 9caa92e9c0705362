//! What only this node can say: secrets and salts that follow from its own, and from all that they are for, so that they
//! are the same after a restart, and no other chain has heard them.

use opensky_protocol::{Commit, Digest, NodeKey, Turn, ledger::OnChain};
use parity_scale_codec::Encode;

use super::shelf::Kept;

/// Those of one node on one ledger.
#[derive(Clone, Copy)]
pub(super) struct Secrets {
    pub own: [u8; 32],
    pub node: NodeKey,
    pub ledger: Digest,
}

impl Secrets {
    /// The secret for a round of the beacon that goes with that salt.
    pub fn of_round(&self, round: u64, salt: &Digest) -> Digest {
        self.draw("beacon", &(round, salt))
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

    #[test]
    fn what_was_revealed_on_one_chain_opens_nothing_on_another() {
        let on = |ledger| Secrets {
            own: [1; 32],
            node: NodeKey([2; 32]),
            ledger: Digest([ledger; 32]),
        };
        let salt = |salt| Digest([salt; 32]);
        let secret = on(1).of_round(7, &salt(1));
        assert_eq!(on(1).of_round(7, &salt(1)), secret);
        assert_ne!(on(2).of_round(7, &salt(1)), secret);
        assert_ne!(on(1).of_round(8, &salt(1)), secret);
        assert_ne!(on(1).of_round(7, &salt(2)), secret);
    }
}
