//! What a chain costs: how many units one block of a real one pays for, what a claim by evidence takes of one, and what a
//! request for compute costs and how long its answer takes.

mod asking;
mod blocks;
mod evidence;
mod party;
mod settling;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use opensky_cli::{
    devnet::{
        chain::Programs,
        child::{Stop, Wait},
    },
    signals::Signals,
};
use opensky_protocol::ledger::Call;
use tokio::runtime::Runtime;

use self::{blocks::Blocks, party::Party};
use crate::{Effort, Error, Figures, guest, machine};

/// How long the chain may take for anything: it compiles its runtime once.
const PATIENCE: Duration = Duration::from_secs(300);
/// What everybody begins with.
const MONEY: u128 = 1_000_000_000_000_000;
/// What a unit is paid.
const PRICE: u128 = 1_000_000;
/// How often it is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(200);

/// What settling and asking on a chain cost.
pub fn chain(effort: Effort) -> Result<Figures, Error> {
    println!("{}", machine::describe()?);
    let hello = guest::hello()?;
    let folder = tempfile::tempdir()?;
    let mut figures = Figures::default();
    let runtime = Runtime::new()?;
    settle(effort, &runtime, folder.path(), &mut figures)?;
    asking::measure(&runtime, folder.path(), &hello, &mut figures)?;
    Ok(figures)
}

/// On a chain that makes a block when it is told to.
fn settle(
    effort: Effort,
    runtime: &Runtime,
    folder: &Path,
    figures: &mut Figures,
) -> Result<(), Error> {
    let signals = Signals::none();
    let wait = Wait {
        until: Instant::now() + PATIENCE,
        end: &signals,
    };
    let started =
        Programs::find()?.start(folder, &["--seal", "manual", "--control"], &wait, &|_| ());
    // The process ends with its first half.
    let (_process, url) = started.map_err(|stop: Stop| stop.to_string())?;
    runtime.block_on(async {
        let (requesters, providers) = effort.pick((2, 3), (100, 20));
        let scene = Scene::set(&url, folder, requesters, providers).await?;
        settling::measure(&scene, figures).await?;
        evidence::measure(&scene, figures).await
    })
}

/// Who owes whom, on a chain where everybody has money.
struct Scene {
    blocks: Blocks,
    requesters: Vec<Party>,
    providers: Vec<Party>,
}

impl Scene {
    async fn set(
        url: &str,
        folder: &Path,
        requesters: usize,
        providers: usize,
    ) -> Result<Self, Error> {
        // It begins with money, as everybody knows.
        let alice = Party::follow(url, folder, "alice", opensky_ledger::alice()).await?;
        let blocks = Blocks::at(url)?;
        let names = |role: &str, count| -> Vec<String> {
            let numbers = 0..count;
            numbers.map(|number| format!("{role}-{number}")).collect()
        };
        let requesters = names("requester", requesters);
        let providers = names("provider", providers);
        let everybody = requesters.iter().chain(&providers);
        let gifts = everybody.map(|name| Call::Transfer {
            to: party::secret(name).node().into(),
            amount: MONEY,
        });
        let wanted = alice.submit(gifts.collect()).await?;
        blocks.seal_until(&alice, &wanted).await?;
        // Whoever follows the chain reads each block.
        drop(alice);
        let scene = Self {
            blocks,
            requesters: party::all(url, folder, &requesters).await?,
            providers: party::all(url, folder, &providers).await?,
        };
        scene.open().await?;
        Ok(scene)
    }

    /// Each requester promises enough for all providers.
    async fn open(&self) -> Result<(), Error> {
        let mut opened = Vec::new();
        for party in &self.requesters {
            opened.push(
                party
                    .submit(vec![party.opening(self.providers.len())])
                    .await?,
            );
        }
        for (party, opened) in self.requesters.iter().zip(&opened) {
            self.blocks.seal_until(party, opened).await?;
        }
        println!("{} escrows are open", opened.len());
        Ok(())
    }
}
