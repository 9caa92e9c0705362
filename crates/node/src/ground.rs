//! What a node has on its disk, opened: its keys, rows and blobs, and the ledger that it settles on.

use std::{fs, path::Path, sync::Arc, time::Duration};

use opensky_protocol::{codec, ledger::Genesis};
use opensky_storage::{Row, Rows, SealKey, Store, Table};
use tokio::time::{sleep, timeout};

use crate::{
    clock::Clock,
    config::Config,
    depot::Depot,
    error::StartError,
    identity::Identity,
    keepsake::Keepsakes,
    ledger::{Books, LedgerAway},
    machine,
};

/// How long a ledger that was never reached is waited for.
const FIRST_LEDGER: Duration = Duration::from_secs(30);
/// The ledger that this node settles on, by which it knows the ledger again.
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

    /// What the ledger began with: as it was written down, or else from the ledger, which is waited
    /// for.
    pub async fn genesis(&self, books: &Books) -> Result<Genesis, StartError> {
        if let Some(row) = self.rows.load_all(GENESIS)?.next()
            && let Ok(genesis) = codec::decode(&row?.1)
        {
            return Ok(genesis);
        }
        let genesis = first_genesis(books).await?;
        let row = Row {
            table: GENESIS,
            key: Vec::new(),
            value: Some(codec::encode(&genesis)),
        };
        self.rows.submit(vec![row])?.await?;
        Ok(genesis)
    }
}

async fn first_genesis(books: &Books) -> Result<Genesis, LedgerAway> {
    const PAUSE: Duration = Duration::from_millis(200);
    let tries = FIRST_LEDGER.as_millis() / PAUSE.as_millis();
    for _ in 0..tries {
        match timeout(FIRST_LEDGER, books.genesis()).await {
            Ok(Ok(genesis)) => return Ok(genesis),
            Ok(Err(error)) => tracing::debug!(%error, "the ledger is waited for"),
            Err(_) => break,
        }
        sleep(PAUSE).await;
    }
    books.genesis().await
}

fn make_folder(path: &Path) -> Result<(), StartError> {
    fs::create_dir_all(path).map_err(|source| StartError::Folder {
        path: path.display().to_string(),
        source,
    })
}
