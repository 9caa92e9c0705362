//! Follows the chain: reads each finalized block, and sends what waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use opensky_protocol::{
    Digest, NodeKey,
    ledger::{Call, Rejection},
};
use subxt::{
    OnlineClient,
    backend::LegacyBackend,
    config::RpcConfigFor,
    ext::futures::FutureExt as _,
    rpcs::{LegacyRpcMethods, RpcClient, client::RpcSubscription},
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    At, ChainAway, Config, Shared, View,
    calls::{self, Wanted},
    journal::{KEPT, Read, Seen},
    queue::Sent,
    reads,
    scan::scan,
};
use crate::LedgerError;

/// How long an answer is waited for: a third of what whoever asks this node waits for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a chain that is away is left alone at first; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// How often what was sent is sent again: a chain that was killed or went another way may have forgotten it.
const AGAIN: Duration = Duration::from_secs(3);
/// Blocks that are written down together while there are many to read.
const TOGETHER: usize = 64;

type Client = OnlineClient<Config>;
type Header = <Config as subxt::Config>::Header;

/// Why a connection is given up.
enum Failure {
    Chain(ChainAway),
    Journal(LedgerError),
}

impl<E: Into<ChainAway>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Chain(error.into())
    }
}

impl Failure {
    fn into_away(self) -> ChainAway {
        match self {
            Self::Chain(away) => away,
            Self::Journal(error) => ChainAway::Unreachable(format!(
                "what is known of the chain was not written: {error}"
            )),
        }
    }
}

/// Follows the chain for ever: over a new connection each time that one fails.
pub(super) async fn follow(shared: Arc<Shared>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let begun = Instant::now();
        // What a chain's node says goes through much that may not expect it.
        let session = AssertUnwindSafe(session(&shared)).catch_unwind();
        let failure = match session.await {
            Ok(Ok(never)) => match never {},
            Ok(Err(failure)) => failure,
            Err(_) => ChainAway::Unreachable("what it says makes no sense".into()).into(),
        };
        shared.view.send_replace(View::Away(failure.into_away()));
        // It went well for a while.
        if begun.elapsed() > LAST_PAUSE {
            pause = FIRST_PAUSE;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// One connection.
///
/// Of the SDK's questions these are the older ones, as each is one message and its answer another. Most answers of the newer
/// ones are several, and the SDK's server sends a small one only when that before it is acknowledged: 40 ms for each question.
async fn session(shared: &Shared) -> Result<Infallible, Failure> {
    let rpc = patiently(RpcClient::from_insecure_url(&shared.url)).await?;
    let backend = LegacyBackend::builder().build(rpc.clone());
    let client = patiently(Client::from_backend(Arc::new(backend))).await?;
    believe(shared, &client)?;
    let methods = LegacyRpcMethods::<RpcConfigFor<Config>>::new(rpc);
    let heads = patiently(methods.chain_subscribe_finalized_heads()).await?;
    keep_up(shared, client, heads).await
}

fn ended() -> ChainAway {
    ChainAway::Unreachable("the connection has ended".into())
}

/// Reads and sends for as long as that goes well.
async fn keep_up(
    shared: &Shared,
    client: Client,
    mut heads: RpcSubscription<Header>,
) -> Result<Infallible, Failure> {
    go_back(shared, &client).await?;
    let mut sent_again = None::<Instant>;
    loop {
        believe(shared, &client)?;
        let head = patiently(client.at_current_block()).await?;
        read_up_to(shared, &client, &head).await?;
        let is_time = sent_again.is_none_or(|last| last.elapsed() >= AGAIN);
        if is_time {
            submit(&head, shared.desk.sent()).await?;
            sent_again = Some(Instant::now());
        }
        send_what_waits(shared, &head).await?;
        tokio::select! {
            head = heads.next() => {
                head.ok_or_else(ended)??;
                // Whoever is slower than the chain lets those go that came meanwhile: they say no more.
                while let Some(Some(_)) = heads.next().now_or_never() {}
            }
            () = shared.asked.notified() => {}
            () = sleep(AGAIN) => {}
        }
    }
}

/// Fails if it is another chain than the one that was settled on, which may be while this one is followed.
fn believe(shared: &Shared, client: &Client) -> Result<(), ChainAway> {
    let found = Digest(client.genesis_hash().0);
    match shared.desk.id() {
        Some(own) if own != found => Err(ChainAway::Other { own, found }),
        _ => Ok(()),
    }
}

/// Waits for an answer, but not for ever.
pub(super) async fn patiently<T, E: Into<ChainAway>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, ChainAway> {
    let slow = || ChainAway::Unreachable("the chain's node does not answer".into());
    let answer = timeout(PATIENCE, answer).await.map_err(|_| slow())?;
    answer.map_err(|error| match error.into() {
        ChainAway::Unreachable(why) => ChainAway::Unreachable(inmost(&why).to_owned()),
        away => away,
    })
}

/// What has gone wrong. Each layer between says no more than that the one below it has failed.
fn inmost(why: &str) -> &str {
    why.rsplit("client error: ").next().unwrap_or(why)
}

/// Takes back what is known of blocks that are gone. A node that is killed may lose finalized ones.
async fn go_back(shared: &Shared, client: &Client) -> Result<(), Failure> {
    let Some(last) = shared.desk.seen() else {
        return Ok(());
    };
    let head = patiently(client.at_current_block()).await?;
    let is_there = async |seen: Seen| -> Result<bool, ChainAway> {
        if seen.number > head.block_number() {
            return Ok(false);
        }
        let at = patiently(client.at_block(seen.number)).await?;
        Ok(at.block_hash().0 == seen.hash.0)
    };
    if is_there(last).await? {
        return Ok(());
    }
    let blocks = shared.desk.blocks().await.map_err(Failure::Journal)?;
    for seen in &blocks {
        if is_there(*seen).await? {
            return shared.desk.rewind(*seen).await.map_err(Failure::Journal);
        }
    }
    // All that is known was said by blocks that are remembered, if none was forgotten.
    if let Some(first) = blocks.last()
        && last.number - first.number < KEPT
    {
        let number = head.block_number().min(first.number.saturating_sub(1));
        let at = patiently(client.at_block(number)).await?;
        let hash = Digest(at.block_hash().0);
        let rewound = shared.desk.rewind(Seen { number, hash }).await;
        return rewound.map_err(Failure::Journal);
    }
    let text = "the chain has lost more finalized blocks than are remembered here";
    Err(ChainAway::Unreachable(text.into()).into())
}

/// Reads all blocks that were not read yet, and gives up transactions that can come into none any more.
async fn read_up_to(shared: &Shared, client: &Client, head: &At) -> Result<(), Failure> {
    shared.view.send_replace(View::At(Arc::new(head.clone())));
    let first = shared
        .desk
        .seen()
        .map_or(head.block_number(), |seen| seen.number + 1);
    let mut read = Vec::new();
    for number in first..=head.block_number() {
        let at = match number == head.block_number() {
            true => head.clone(),
            false => patiently(client.at_block(number)).await?,
        };
        let block = patiently(scan(&at)).await?;
        let hash = Digest(at.block_hash().0);
        read.push(Read {
            seen: Seen { number, hash },
            news: shared.desk.news(block),
        });
        if number == head.block_number() || read.len() >= TOGETHER {
            let read = std::mem::take(&mut read);
            let booked = shared.desk.book(read).await;
            booked.map_err(Failure::Journal)?;
        }
    }
    let sent = shared.desk.sent();
    let signers: BTreeSet<NodeKey> = sent.iter().map(|sent| sent.signer).collect();
    let mut nonces = Vec::new();
    for signer in signers {
        nonces.push((signer, patiently(reads::nonce(head, &signer)).await?));
    }
    let buried = shared.desk.bury(head.block_number(), nonces).await;
    buried.map_err(Failure::Journal)
}

/// Signs what is in no transaction yet, writes that down, and sends it.
async fn send_what_waits(shared: &Shared, head: &At) -> Result<(), Failure> {
    let mut made: Vec<(u64, Sent)> = Vec::new();
    let mut nonces = BTreeMap::<NodeKey, u64>::new();
    for (order, waiting) in shared.desk.unsent() {
        let alice = calls::alice();
        let signer = match waiting.call {
            Call::Faucet { .. } => &alice,
            _ => &*shared.secret,
        };
        let key = signer.node();
        let next = match nonces.get(&key) {
            Some(next) => *next,
            None => patiently(reads::nonce(head, &key)).await?,
        };
        let nonce = shared.desk.free_nonce(&key, next);
        let wanted = Wanted {
            call: &waiting.call,
            account: waiting.account,
            signer,
            nonce,
        };
        match patiently(calls::sign(head, wanted)).await? {
            Ok(sent) => {
                nonces.insert(key, nonce + 1);
                made.push((order, sent));
            }
            // What goes before it may bring the money. All duties have had their turn when others have theirs.
            Err(Rejection::Fee) if !shared.desk.is_first(order) => match waiting.is_duty() {
                true => continue,
                false => break,
            },
            Err(reason) => {
                let rejected = shared.desk.reject(order, reason).await;
                rejected.map_err(Failure::Journal)?;
            }
        }
    }
    if made.is_empty() {
        return Ok(());
    }
    let sent = made.iter().map(|(_, sent)| sent.clone()).collect();
    shared.desk.send(made).await.map_err(Failure::Journal)?;
    submit(head, sent).await
}

/// Sends transactions. One that is refused may be there already, or its time may come; if not, it dies.
async fn submit(head: &At, sent: Vec<Sent>) -> Result<(), Failure> {
    for sent in sent {
        let transaction = head.transactions().from_bytes(sent.bytes);
        let submitted = timeout(PATIENCE, transaction.submit()).await;
        submitted
            .map_err(|_| ChainAway::Unreachable("the chain's node does not answer".into()))?
            .ok();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_chain_is_away_is_told_without_the_layers_between() {
        let layers =
            "RPC error: client error: RPC error: client error: Connection timeout exceeded: 10s";
        assert_eq!(inmost(layers), "Connection timeout exceeded: 10s");
        let one = "the chain's node does not answer";
        assert_eq!(inmost(one), one);
    }
}
