//! Programs are deployed, found and run whoever else is there: nodes that say nothing, no, or not yet.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use libtest_mimic::Trial;
use opensky_core::Plan;
use opensky_network::{BlobReader, Blobs, Config, Exposure, Inbound, Inbox, Network};
use opensky_node::{DeployError, Node, Unpinned, config::LedgerConfig};
use opensky_protocol::{
    Capacity, Deployment, Digest, Manifest, NodeKey, Offer, PriceTerms, Reply, Request, SecretKey,
    Signed, Verified, Work, codec,
};
use tokio::time::timeout;

use crate::{
    jobs::{TEXT, done, letters, offers, trial, wish},
    launcher,
    nodes::{World, until},
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("who says nothing keeps nobody from a program", silence),
        trial("a program is found among many who lack it", crowd),
        trial("what too few have pinned is not deployed", refusal),
        trial("whoever is busy is asked to pin again", busy),
    ]
}

/// More of them than are asked about anything at once, and each would take half a minute.
const SILENT: usize = 20;
/// Far more of them than are asked at all: chance alone does not find one among so many.
const CROWD: u32 = 240;
/// Far more than it takes, and far less than it took when one was asked after the other.
const SOON: Duration = Duration::from_secs(120);

/// What a stranger says when it is asked about programs.
#[derive(Clone, Copy)]
enum Manner {
    /// Nothing, and it does not hang up.
    Silent,
    /// That it lacks them, and does not want them.
    Unwilling,
    /// That it is busy, twice; then that it has pinned them.
    Busy,
}

/// A node that offers nothing but answers. It is there until it is dropped.
struct Stranger {
    key: NodeKey,
    _network: Network,
}

struct Nothing;

impl Blobs for Nothing {
    fn open(&self, _: &Digest) -> Option<Arc<dyn BlobReader>> {
        None
    }
}

impl Stranger {
    /// Those whose keys come first of all.
    async fn low(world: &World, count: usize, manner: Manner) -> Vec<Self> {
        let seeds = (0u32..).map(|number| Digest::of(&number.to_le_bytes()).0);
        let low = seeds.filter(|seed| SecretKey::from_seed(seed).node().0[0] < 8);
        let mut strangers = Vec::new();
        for seed in low.take(count) {
            strangers.push(Self::start(world, &seed, manner).await);
        }
        strangers
    }

    async fn start(world: &World, seed: &[u8; 32], manner: Manner) -> Self {
        Self::telling(world, seed, manner, Vec::new()).await
    }

    /// Tells of others' offers too.
    async fn telling(
        world: &World,
        seed: &[u8; 32],
        manner: Manner,
        mut offers: Vec<Signed<Offer>>,
    ) -> Self {
        let LedgerConfig::At(at) = world.config("stranger").ledger else {
            panic!("the ledger's node comes first");
        };
        let mut config = Config::new("world");
        config.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
        config.bootstrap = vec![at.address];
        config.exposure = Exposure::Public;
        let (network, inbox) = Network::start(config, seed, Arc::new(Nothing))
            .await
            .unwrap();
        let secret = SecretKey::from_seed(seed);
        offers.push(offer(&secret));
        tokio::spawn(answer(inbox, offers, manner));
        Self {
            key: secret.node(),
            _network: network,
        }
    }
}

/// Of somebody who is never given work.
fn offer(secret: &SecretKey) -> Signed<Offer> {
    let node = secret.node();
    let offer = Offer {
        node,
        operator: node.into(),
        ledger: Digest([0; 32]),
        sequence: 1,
        expires: now() + 300_000,
        ask: PriceTerms {
            dispatch: 1,
            per_gfuel: 1,
            per_gib: 1,
        },
        credit: 0,
        capacity: Capacity {
            cores: 1,
            memory: 1,
            disk: 1,
            uplink: 1,
        },
        free: 0,
        speed: 1,
        profiles: Vec::new(),
        labels: BTreeMap::new(),
    };
    Verified::sign(secret, offer).into_signed()
}

fn now() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    since.as_millis() as u64
}

async fn answer(mut inbox: Inbox, offers: Vec<Signed<Offer>>, manner: Manner) {
    let mut unanswered = Vec::new();
    let mut pins = 0;
    while let Some(inbound) = inbox.next().await {
        let Inbound::Request { bytes, reply, .. } = inbound else {
            continue;
        };
        let said = match (codec::decode(&bytes), manner) {
            (Ok(Request::Offers), _) => Some(Reply::Offers(offers.clone())),
            (_, Manner::Silent) => None,
            (Ok(Request::Has(blobs)), _) => Some(Reply::Has(vec![false; blobs.len()])),
            (Ok(Request::Pin { .. }), Manner::Busy) => {
                pins += 1;
                Some(if pins > 2 { Reply::Heard } else { Reply::Busy })
            }
            _ => Some(Reply::Refused),
        };
        match said {
            Some(said) => reply.send(codec::encode(&said)),
            None => unanswered.push(reply),
        }
    }
}

fn manifest(work: &Work) -> Manifest {
    Manifest {
        profile: work.profile.clone(),
        limits: work.limits,
        replicas: None,
        price: None,
        about: "letters of a text".into(),
    }
}

async fn silence() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let silent = Stranger::low(&world, SILENT, Manner::Silent).await;
    let mut providers = Vec::new();
    for name in ["one", "two", "three"] {
        providers.push(world.provider(name).await);
    }
    let publisher = world.requester("publisher").await;
    offers(&publisher, SILENT + 3).await;
    let work = letters(&publisher);
    let deploy = publisher.deploy("letters", work.program, manifest(&work), None);
    let deployed = timeout(SOON, deploy).await.expect("it is deployed");
    let deployed = deployed.unwrap();
    let mut pinned = deployed.pinned;
    pinned.sort_unstable();
    let mut keys: Vec<NodeKey> = providers.iter().map(Node::key).collect();
    keys.sort_unstable();
    assert_eq!(pinned, keys);
    let silent = |node: &NodeKey| silent.iter().any(|stranger| stranger.key == *node);
    assert!(deployed.refused.iter().all(|(node, _)| silent(node)));
    publisher.stop().await;
    drop(publisher);

    let other = world.requester("other").await;
    offers(&other, SILENT + 3).await;
    let found = timeout(SOON, other.deployment(deployed.record.id())).await;
    assert_eq!(found.expect("it is found"), Some(deployed.record));
    let all = async || {
        let mut holders = other.holders(&work.program, usize::MAX).await;
        holders.sort_unstable();
        holders == keys
    };
    until("all who have it say so", all).await;
    other.put(TEXT).unwrap();
    let plan = Plan::Single(Box::new(work));
    let job = timeout(SOON, other.submit(wish(plan, 2))).await;
    done(&other, job.expect("it is taken on").unwrap()).await;
}

/// Offers of more nodes than are asked, none of which is there.
async fn crowd() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let provider = world.provider("one").await;
    let publisher = world.requester("publisher").await;
    offers(&publisher, 1).await;
    let work = letters(&publisher);
    let deploy = publisher.deploy("letters", work.program, manifest(&work), None);
    let deployed = timeout(SOON, deploy).await.expect("it is deployed");
    assert_eq!(deployed.unwrap().pinned, [provider.key()]);
    publisher.stop().await;
    drop(publisher);

    let crowd = (0..CROWD).map(|number| Digest::of(&number.to_le_bytes()).0);
    let crowd = crowd.map(|seed| offer(&SecretKey::from_seed(&seed)));
    let _voice = Stranger::telling(&world, &[9; 32], Manner::Unwilling, crowd.collect()).await;
    let other = world.requester("other").await;
    offers(&other, CROWD as usize + 2).await;
    let found = async || other.holders(&work.program, 1).await == [provider.key()];
    until("whoever has it is found", found).await;
}

async fn refusal() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let willing = world.provider("one").await;
    let unwilling = Stranger::low(&world, 2, Manner::Unwilling).await;
    let publisher = world.requester("publisher").await;
    offers(&publisher, 3).await;
    let work = letters(&publisher);
    let deploy = async |pins| {
        let deployed = publisher.deploy("letters", work.program, manifest(&work), pins);
        timeout(SOON, deployed).await.expect("it ends")
    };
    let error = deploy(None).await.expect_err("one of three is not enough");
    let text = error.to_string();
    let DeployError::NotPinned {
        pinned: 1,
        wanted: 3,
        mut refused,
    } = error
    else {
        panic!("{error:?}");
    };
    assert!(text.starts_with("only 1 of 3 operators"), "{text}");
    refused.sort_unstable();
    let mut expected: Vec<_> = unwilling
        .iter()
        .map(|stranger| (stranger.key, Unpinned::Unwilling))
        .collect();
    expected.sort_unstable();
    assert_eq!(refused, expected);
    let id = Deployment::id_of(&publisher.key(), "letters");
    assert_eq!(publisher.deployment(id).await, None);

    let deployed = deploy(Some(1)).await.expect("one is what was asked for");
    assert_eq!(deployed.pinned, [willing.key()]);
    assert_eq!(publisher.deployment(id).await, Some(deployed.record));
}

async fn busy() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let busy = Stranger::low(&world, 1, Manner::Busy).await;
    let publisher = world.requester("publisher").await;
    offers(&publisher, 1).await;
    let work = letters(&publisher);
    let deploy = publisher.deploy("letters", work.program, manifest(&work), None);
    let deployed = timeout(SOON, deploy).await.expect("it ends").unwrap();
    assert_eq!(deployed.pinned, [busy[0].key]);
}
