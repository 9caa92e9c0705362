//! An embedded ledger and an account on it, for tests of those who settle there.

use std::sync::Arc;

use opensky_protocol::{
    Account, SecretKey,
    ledger::{Call, Genesis, Terms},
};
use tempfile::TempDir;

use super::{Books, Keeper, Signer, Teller};
use crate::{clock::Clock, config::LedgerHere, tasks::Tasks};

pub(crate) struct Bench {
    pub books: Books,
    pub teller: Teller,
    pub secret: Arc<SecretKey>,
    pub account: Account,
    pub genesis: Genesis,
    _folder: TempDir,
}

impl Bench {
    /// One whose terms are those of development but for what `change` does to them.
    pub fn start(change: impl FnOnce(&mut Terms)) -> Self {
        Self::start_as(&LedgerHere::default(), change)
    }

    /// The same on a ledger that carries itself like that.
    pub fn start_as(here: &LedgerHere, change: impl FnOnce(&mut Terms)) -> Self {
        let mut terms = Terms::DEVELOPMENT;
        change(&mut terms);
        let genesis = Genesis {
            name: "bench".into(),
            terms,
            balances: Default::default(),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ledger.redb");
        let keeper = Keeper::start(&file, genesis.clone(), here, Clock::default());
        let keeper = keeper.expect("a new ledger");
        let books = Books::Here(keeper);
        let secret = Arc::new(SecretKey::from_seed(&[7; 32]));
        let account = secret.node().into();
        let signer = Signer {
            secret: secret.clone(),
            account,
            ledger: genesis.id(),
        };
        let teller = Teller::start(books.clone(), signer, Tasks::new());
        Self {
            books,
            teller,
            secret,
            account,
            genesis,
            _folder: folder,
        }
    }

    /// Gives the account money.
    pub async fn fund(&self, amount: u128) {
        let given = self.teller.call(Call::Faucet { amount }).await;
        given.expect("the faucet gives it");
    }
}
