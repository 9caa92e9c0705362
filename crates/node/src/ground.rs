//! What a node has on its disk, opened: its keys, rows and blobs, and the ledger that it settles on.

use std::{fs, path::Path, sync::Arc, time::Duration};

use opensky_ledger::{Chain, Charter};
use opensky_network::Network;
use opensky_protocol::{Digest, codec, ledger::Genesis};
use opensky_storage::{Row, Rows, SealKey, Store, Table};
use tokio::time::{sleep, timeout};

use crate::{
    clock::Clock,
    config::{Config, LedgerConfig},
    depot::Depot,
    error::StartError,
    identity::Identity,
    keepsake::Keepsakes,
    ledger::{self, Books, Distant, Keeper, LedgerAway},
    machine,
};

/// How long a ledger that was never reached is waited for.
const FIRST_LEDGER: Duration = Duration::from_secs(30);
/// How long one that was reached before is waited for, to see that it still is the same one.
const KNOWN_LEDGER: Duration = Duration::from_secs(3);
/// The ledger that this node settles on, by which it knows the ledger again.
const CHARTER: Table = Table::new("charter-1");
/// The same as it was written before there were chains.
const GENESIS: Table = Table::new("genesis-1");

/// What is on the disk, opened.
pub(crate) struct Ground {
    pub identity: Identity,
    pub clock: Clock,
    pub rows: Arc<Rows>,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
}

impl Ground {
    /// Opens it, or makes it where it is not there.
    pub fn open(config: &Config) -> Result<Self, StartError> {
        let data = config.data.as_path();
        make_folder(data)?;
        let identity = Identity::open(data)?;
        let key = SealKey::open(&data.join("seal.key"))?;
        let rows = Arc::new(Rows::open_sealed(&data.join("rows.redb"), &key)?);
        let store = Store::open_sealed(&data.join("store"), &key)?;
        let store = Arc::new(store.with_quota(machine::disk(config))?);
        let keepsakes = Keepsakes::load(store.clone(), rows.clone())?;
        Ok(Self {
            identity,
            clock: Clock::default(),
            rows,
            depot: Depot::new(store),
            keepsakes,
        })
    }

    /// The way to the ledger; where this node keeps it, opened or begun.
    pub fn books(&self, config: &Config, network: &Network) -> Result<Books, StartError> {
        let here = match &config.ledger {
            LedgerConfig::Here(here) => here,
            LedgerConfig::At(at) => {
                return Ok(Books::At(Distant::new(at.node, network.clone())));
            }
            LedgerConfig::Chain(chain) => {
                let file = config.data.join("chain.redb");
                let secret = Arc::new(self.identity.secret());
                let own = secret.node().into();
                return Ok(Books::Chain(Chain::follow(
                    &file,
                    chain.url.clone(),
                    secret,
                    own,
                )?));
            }
        };
        let file = config.data.join("ledger.redb");
        let genesis = ledger::genesis(here, self.identity.secret().node().into());
        // A file that is there says itself whether it is this one's. Another one would begin without all that
        // everybody has, and be taken for the same.
        if !file.exists() {
            self.belongs_to(genesis.id())?;
            if self.kept_charter()?.is_some() {
                return Err(StartError::LedgerLost(file));
            }
        }
        let keeper = Keeper::start(&file, genesis, here, self.clock.clone())?;
        Ok(Books::Here(keeper))
    }

    /// Which ledger it is: as it was written down, or else from the ledger, which is waited for. Fails if
    /// another one answers.
    pub async fn charter(&self, books: &Books) -> Result<Charter, StartError> {
        let charter = match self.kept_charter()? {
            // One that is away now is looked at before it is believed.
            Some(kept) => match timeout(KNOWN_LEDGER, books.charter()).await {
                Ok(Ok(found)) => {
                    self.belongs_to(found.id)?;
                    // A chain's rules may have changed meanwhile.
                    match found == kept {
                        true => kept,
                        false => self.keep(found).await?,
                    }
                }
                _ => kept,
            },
            None => self.keep(first_charter(books).await?).await?,
        };
        books.settle_on(charter.id);
        Ok(charter)
    }

    /// Fails if what is on the disk is another ledger's.
    fn belongs_to(&self, found: Digest) -> Result<(), StartError> {
        let own = self.kept_charter()?.map_or(found, |kept| kept.id);
        match own == found {
            true => Ok(()),
            false => Err(StartError::OtherLedger { own, found }),
        }
    }

    fn kept_charter(&self) -> Result<Option<Charter>, StartError> {
        let read = |table| -> Result<Option<Vec<u8>>, StartError> {
            let row = self.rows.load_all(table)?.next().transpose()?;
            Ok(row.map(|(_, value)| value))
        };
        // A row of another form was written by another version.
        if let Some(row) = read(CHARTER)? {
            return Ok(codec::decode(&row).ok());
        }
        let genesis = read(GENESIS)?.and_then(|row| codec::decode::<Genesis>(&row).ok());
        Ok(genesis.map(|genesis| Charter {
            id: genesis.id(),
            terms: genesis.terms,
        }))
    }

    async fn keep(&self, charter: Charter) -> Result<Charter, StartError> {
        let row = Row {
            table: CHARTER,
            key: Vec::new(),
            value: Some(codec::encode(&charter)),
        };
        self.rows.submit(vec![row])?.await?;
        Ok(charter)
    }
}

async fn first_charter(books: &Books) -> Result<Charter, LedgerAway> {
    const PAUSE: Duration = Duration::from_millis(200);
    let tries = FIRST_LEDGER.as_millis() / PAUSE.as_millis();
    for turn in 0..tries {
        match timeout(FIRST_LEDGER, books.charter()).await {
            Ok(Ok(charter)) => return Ok(charter),
            Ok(Err(error)) if turn == 0 => {
                tracing::warn!(%error, most = ?FIRST_LEDGER, "the ledger is waited for");
            }
            Ok(Err(error)) => tracing::debug!(%error, "the ledger is waited for"),
            Err(_) => break,
        }
        sleep(PAUSE).await;
    }
    let last = timeout(FIRST_LEDGER, books.charter()).await;
    last.unwrap_or(Err(LedgerAway::Slow(FIRST_LEDGER.as_secs())))
}

fn make_folder(path: &Path) -> Result<(), StartError> {
    fs::create_dir_all(path).map_err(|source| StartError::Folder {
        path: path.display().to_string(),
        source,
    })
}
