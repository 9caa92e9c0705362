//! One who settles on the chain.

use std::{
    path::Path,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use opensky_ledger::Chain;
use opensky_protocol::{
    Account, Digest, SecretKey, Signable, Signed, Verified, Voucher,
    ledger::{AccountState, Call, Intent, LedgerReply, LedgerRequest, Status},
};

use super::{LOOK, PATIENCE, PRICE, settling::UNITS};
use crate::Error;

/// A day, in milliseconds.
const DAY: u64 = 86_400_000;
/// An escrow has room for so much: vouchers grow twice, and something is claimed by evidence.
const ROUNDS: u128 = 3;

pub struct Party {
    pub secret: Arc<SecretKey>,
    pub chain: Chain,
    ledger: Digest,
    nonce: AtomicU64,
}

/// The key of somebody, which is the same each time.
pub fn secret(name: &str) -> SecretKey {
    SecretKey::from_seed(&Digest::derive("opensky bench key 1", &name).0)
}

/// All of these.
pub async fn all(url: &str, folder: &Path, names: &[String]) -> Result<Vec<Party>, Error> {
    let mut parties = Vec::new();
    for name in names {
        parties.push(Party::follow(url, folder, name, secret(name)).await?);
    }
    Ok(parties)
}

/// In Unix milliseconds.
pub fn now() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    now.as_millis() as u64
}

impl Party {
    /// Believes the chain that is there.
    pub async fn follow(
        url: &str,
        folder: &Path,
        name: &str,
        secret: SecretKey,
    ) -> Result<Self, Error> {
        let secret = Arc::new(secret);
        let file = folder.join(format!("{name}.redb"));
        let own = secret.node().into();
        let chain = Chain::follow(&file, url.into(), secret.clone(), own)?;
        let ledger = chain.charter().await?.id;
        chain.settle_on(ledger)?;
        Ok(Self {
            secret,
            chain,
            ledger,
            nonce: AtomicU64::new(0),
        })
    }

    pub fn account(&self) -> Account {
        self.secret.node().into()
    }

    pub fn sign<T: Signable>(&self, value: T) -> Signed<T> {
        Verified::sign(&self.secret, value).into_signed()
    }

    pub fn escrow(&self) -> Digest {
        Digest::derive("opensky bench escrow 1", &self.account())
    }

    /// Enough for so many providers.
    pub fn opening(&self, providers: usize) -> Call {
        Call::OpenEscrow {
            escrow: self.escrow(),
            requester: self.secret.node(),
            amount: ROUNDS * PRICE * u128::from(UNITS) * providers as u128,
            deadline: now() + DAY,
        }
    }

    /// What `operator` is owed after so many rounds.
    pub fn voucher(&self, operator: Account, rounds: u64) -> Signed<Voucher> {
        self.sign(Voucher {
            ledger: self.ledger,
            escrow: self.escrow(),
            requester: self.secret.node(),
            operator,
            total: PRICE * u128::from(rounds * UNITS),
            turns: rounds * UNITS,
            root: Voucher::START,
        })
    }

    pub fn ledger(&self) -> Digest {
        self.ledger
    }

    /// Hands calls in, and returns their names.
    pub async fn submit(&self, calls: Vec<Call>) -> Result<Vec<Digest>, Error> {
        let mut names = Vec::new();
        for some in calls.chunks(LedgerRequest::MAX_INTENTS) {
            let intents = some.iter().map(|call| {
                self.sign(Intent {
                    ledger: self.ledger,
                    account: self.account(),
                    signer: self.secret.node(),
                    nonce: self.nonce.fetch_add(1, Ordering::Relaxed),
                    call: call.clone(),
                })
            });
            let request = LedgerRequest::Submit(intents.collect());
            let LedgerReply::Submitted(answers) = self.chain.ask(request).await? else {
                return Err("the chain does not take calls on".into());
            };
            for answer in answers {
                names.push(answer?);
            }
        }
        Ok(names)
    }

    /// The fee of an intent, once it is decided.
    pub async fn fee(&self, intent: &Digest) -> Result<Option<u128>, Error> {
        let status = LedgerRequest::Status(*intent);
        let LedgerReply::Status(Some(event)) = self.chain.ask(status).await? else {
            return Err("an intent is forgotten".into());
        };
        match event.status {
            Status::Pending => Ok(None),
            Status::Final { fee, .. } => Ok(Some(fee)),
            Status::Rejected { reason, .. } => Err(reason.into()),
        }
    }

    pub async fn state(&self) -> Result<AccountState, Error> {
        let request = LedgerRequest::Account(self.account());
        match self.chain.ask(request).await? {
            LedgerReply::Account(state) => Ok(*state),
            _ => Err("the chain tells nothing of an account".into()),
        }
    }

    /// Waits until it has seen that block.
    pub async fn sees(&self, block: u64) -> Result<(), Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.chain.status().await.finalized;
            if seen.is_ok_and(|seen| seen.number >= block) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err("a block is not seen".into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
