//! What a request for compute costs, and how many blocks it waits for its answer: of a devnet's nodes, on a chain of two
//! blocks a second.

use std::{path::Path, time::Instant};

use opensky_api::{Amount, Client, DeploymentRequest};
use opensky_cli::{
    devnet::{Devnet, folder::Folder, names::Names, plan::Plan},
    signals::Signals,
};
use opensky_protocol::{
    Digest, Limits,
    ledger::{Asked, Call, Data, OnChain},
};
use serde_json::json;
use tokio::runtime::Runtime;

use super::{
    LOOK, MONEY, PATIENCE,
    party::{self, Party},
};
use crate::{Error, Figures, noop::INPUT};

const PROVIDERS: usize = 3;
/// Operators that have to agree.
const REPLICAS: u8 = 2;
const SKY: u128 = 1_000_000_000_000;
/// What each provider has at stake.
const STAKE: Amount = Amount(100 * SKY);
/// How long the answer may take, in milliseconds.
const DEADLINE: u64 = 600_000;

/// Starts what `opensky devnet --chain` starts, and asks it for one run of a program that greets.
pub fn measure(
    runtime: &Runtime,
    folder: &Path,
    hello: &[u8],
    figures: &mut Figures,
) -> Result<(), Error> {
    let folder = Folder::of(Some(&folder.join("devnet")), &|_| {})?;
    let plan = Plan {
        providers: PROVIDERS,
        bad: Vec::new(),
        seed: None,
        names: Names::of(folder.path())?,
        cores: 1,
        stake: STAKE,
        chain: Some(String::new()),
    };
    let devnet = Devnet::start(&plan, &folder, &Signals::none(), &|_| {})?;
    let client = Client::open(devnet.requester())?;
    let program = client.put_blob(hello, Some(hello.len() as u64))?.digest;
    let deployment = json!({ "name": "hello", "program": program.to_string() });
    client.deploy(&serde_json::from_value::<DeploymentRequest>(deployment)?)?;
    let url = devnet.chain().ok_or("the devnet has no chain")?;
    let answered = runtime.block_on(ask(url, folder.path(), Digest(program.0)))?;
    println!(
        "a request of block {} is answered and paid in block {}",
        answered.asked, answered.paid
    );
    figures.add(
        "blocks_to_callback",
        (answered.paid - answered.asked) as f64,
    )?;
    figures.add("request_fee_microsky", answered.fee as f64 / 1e6)?;
    Ok(())
}

struct Answered {
    asked: u64,
    paid: u64,
    fee: u128,
}

async fn ask(url: &str, folder: &Path, program: Digest) -> Result<Answered, Error> {
    let asker = Party::follow(url, folder, "asker", party::secret("asker")).await?;
    let amount = MONEY / 10;
    let gift = asker.submit(vec![Call::Faucet { amount }]).await?;
    let until = Instant::now() + PATIENCE;
    while asker.fee(&gift[0]).await?.is_none() {
        wait(until).await?;
    }
    // Until the providers have said what they offer and keep at hand it is refused.
    let fee = loop {
        let asked = OnChain::Request(Asked {
            program,
            input: Data::Inline(INPUT.to_vec()),
            limits: Limits::DEFAULT,
            replicas: REPLICAS,
            max_price: 20 * SKY,
            deadline: party::now() + DEADLINE,
            callback: None,
        });
        let request = asker.submit(vec![Call::OnChain(Box::new(asked))]).await?[0];
        let fee = loop {
            match asker.fee(&request).await {
                Ok(None) => wait(until).await?,
                decided => break decided,
            }
        };
        match fee {
            Ok(fee) => break fee.unwrap_or_default(),
            Err(refused) if Instant::now() > until => return Err(refused),
            Err(_) => wait(until).await?,
        }
    };
    println!("a request is taken on");
    let asked = last(&asker).await?;
    while asker.state().await?.purse.held > 0 {
        wait(until).await?;
    }
    let paid = last(&asker).await?;
    Ok(Answered { asked, paid, fee })
}

async fn wait(until: Instant) -> Result<(), Error> {
    if Instant::now() > until {
        return Err("a request is not answered".into());
    }
    tokio::time::sleep(LOOK).await;
    Ok(())
}

/// The last block that is seen to be final: looked at several times in a block.
async fn last(asker: &Party) -> Result<u64, Error> {
    Ok(asker.chain.status().await.finalized?.number)
}
