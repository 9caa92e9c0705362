//! The secrets of rounds of the beacon: each is drawn for one commitment, and on the disk before that is handed in, so that
//! whichever commitment a chain holds can be revealed, and a secret that was revealed is not committed to again.
//!
//! A chain that has lost blocks may begin a round of the same number anew, hold a commitment of before, or none.

use std::{collections::BTreeMap, sync::Arc};

use opensky_protocol::{
    Account, Digest, codec,
    ledger::{OnChain, commitment},
};
use opensky_storage::{Row, Rows, RowsError, Table};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use super::secrets::Secrets;

/// By a number of its own, a draw.
const DRAWN: Table = Table::new("beacon-draws-1");
/// Draws that are remembered, the newest ones: most rounds have one of this node, and the next is about a minute later.
const MOST: usize = 256;

/// What was drawn for rounds.
pub(super) struct Rounds {
    rows: Arc<Rows>,
    secrets: Secrets,
    operator: Account,
    drawn: BTreeMap<u64, Drawn>,
}

/// What a secret follows from, together with the node's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
struct Drawn {
    round: u64,
    salt: Digest,
    /// Anybody may know it.
    is_revealed: bool,
}

/// Why there is no commitment.
#[derive(Debug, thiserror::Error)]
pub(super) enum DrawError {
    /// It could not be written down.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// There is nothing to draw from.
    #[error("the system has no random bytes: {0}")]
    Random(getrandom::Error),
}

impl Rounds {
    /// Reads what was drawn before.
    pub fn load(rows: Arc<Rows>, secrets: Secrets, operator: Account) -> Result<Self, RowsError> {
        let mut drawn = BTreeMap::new();
        for row in rows.load_all(DRAWN)? {
            let (key, value) = row?;
            // A row of another form was written by another version, which can reveal it.
            if let (Ok(number), Ok(one)) = (codec::decode(&key), codec::decode(&value)) {
                drawn.insert(number, one);
            }
        }
        Ok(Self {
            rows,
            secrets,
            operator,
            drawn,
        })
    }

    /// Commits to a secret for that round that nobody has heard: the same until it is revealed.
    pub async fn commit(&mut self, round: u64) -> Result<OnChain, DrawError> {
        let mut known = self.drawn.values();
        let known = known.find(|drawn| drawn.round == round && !drawn.is_revealed);
        let drawn = match known {
            Some(drawn) => *drawn,
            None => self.draw(round).await?,
        };
        Ok(OnChain::Commit {
            round,
            commitment: self.commitment(&drawn),
        })
    }

    /// Reveals what that commitment was made from, also where that cannot be written down: silence costs a penalty. `None`
    /// if this node has not made it.
    pub async fn reveal(&mut self, round: u64, commitment: Digest) -> Option<OnChain> {
        let mut all = self.drawn.iter();
        let own =
            all.find(|(_, drawn)| drawn.round == round && self.commitment(drawn) == commitment);
        let (number, mut drawn) = own.map(|(number, drawn)| (*number, *drawn))?;
        if !drawn.is_revealed {
            drawn.is_revealed = true;
            if let Err(error) = self.write(number, drawn).await {
                tracing::warn!(%error, round, "that a random number is revealed is not written down");
                self.drawn.insert(number, drawn);
            }
        }
        Some(OnChain::Reveal {
            round,
            secret: self.secrets.of_round(round, &drawn.salt),
        })
    }

    fn commitment(&self, drawn: &Drawn) -> Digest {
        let secret = self.secrets.of_round(drawn.round, &drawn.salt);
        commitment(drawn.round, &self.operator, &secret)
    }

    async fn draw(&mut self, round: u64) -> Result<Drawn, DrawError> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(DrawError::Random)?;
        let drawn = Drawn {
            round,
            salt: Digest(salt),
            is_revealed: false,
        };
        let last = self.drawn.last_key_value();
        let number = last.map_or(0, |(last, _)| last + 1);
        self.write(number, drawn).await?;
        Ok(drawn)
    }

    /// It is durable when this returns. The oldest ones go.
    async fn write(&mut self, number: u64, drawn: Drawn) -> Result<(), RowsError> {
        let room = MOST - 1;
        let others = self.drawn.keys().copied().filter(|other| *other != number);
        let others: Vec<u64> = others.collect();
        let gone = &others[..others.len().saturating_sub(room)];
        let rows = gone.iter().map(|gone| row(*gone, None));
        let rows = rows.chain([row(number, Some(&drawn))]).collect();
        self.rows.submit(rows)?.await?;
        for gone in gone {
            self.drawn.remove(gone);
        }
        self.drawn.insert(number, drawn);
        Ok(())
    }
}

fn row(number: u64, drawn: Option<&Drawn>) -> Row {
    Row {
        table: DRAWN,
        key: codec::encode(&number),
        value: drawn.map(codec::encode),
    }
}

#[cfg(test)]
mod tests {
    use opensky_protocol::NodeKey;
    use tempfile::TempDir;

    use super::*;

    const OPERATOR: Account = Account([2; 32]);

    fn rounds(folder: &TempDir) -> Rounds {
        let rows = Rows::open(&folder.path().join("rows")).unwrap();
        let secrets = Secrets {
            own: [1; 32],
            node: NodeKey([2; 32]),
            ledger: Digest([3; 32]),
        };
        Rounds::load(Arc::new(rows), secrets, OPERATOR).unwrap()
    }

    async fn committed(rounds: &mut Rounds, round: u64) -> Digest {
        match rounds.commit(round).await.unwrap() {
            OnChain::Commit { commitment, .. } => commitment,
            other => panic!("{other:?}"),
        }
    }

    /// Whether what is revealed is what the chain was told.
    async fn opens(rounds: &mut Rounds, round: u64, said: Digest) -> bool {
        match rounds.reveal(round, said).await {
            Some(OnChain::Reveal { secret, .. }) => commitment(round, &OPERATOR, &secret) == said,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn whatever_the_chain_holds_can_be_revealed() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = rounds(&folder);
        let old = committed(&mut first, 7).await;
        assert_eq!(committed(&mut first, 7).await, old, "it is not told yet");
        assert!(opens(&mut first, 7, old).await);
        drop(first);
        // The chain has lost the reveal, and the commitment, which may come back.
        let mut second = rounds(&folder);
        let new = committed(&mut second, 7).await;
        assert_ne!(new, old, "others may know it");
        assert_ne!(committed(&mut second, 8).await, new);
        for held in [old, new, old] {
            assert!(opens(&mut second, 7, held).await);
        }
        let others = second.reveal(8, new).await;
        assert_eq!(others, None, "it was made for another round");
    }

    #[tokio::test]
    async fn draws_of_long_ago_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = rounds(&folder);
        let most = MOST as u64;
        for round in 0..most + 2 {
            let said = committed(&mut before, round).await;
            assert!(opens(&mut before, round, said).await);
        }
        assert_eq!(before.drawn.len(), MOST);
        drop(before);
        let after = rounds(&folder);
        let kept = after.drawn.values().map(|drawn| drawn.round);
        assert!(kept.eq(2..most + 2));
    }
}
