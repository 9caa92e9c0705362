//! What a node makes of somebody who keeps to no rules: the test says what that one says.

use std::{sync::Arc, time::Duration};

use libtest_mimic::Trial;
use opensky_core::Plan;
use opensky_network::{BlobReader, Blobs, Config, Exposure, Inbound, Inbox, Network};
use opensky_node::Node;
use opensky_protocol::{
    Aside, Class, Deployment, Digest, Limits, Manifest, NodeKey, Offer, Output, Outputs, Profile,
    Receipt, Reply, Request, Reveal, SecretKey, Signed, Transcript, Turn, Verified, Work, codec,
    names,
};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    jobs::{letters, offers, trial, wish},
    launcher,
    nodes::{World, until},
};

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn trials() -> Vec<Trial> {
    vec![
        trial("an old or forged record replaces no newer one", records),
        trial("what a stranger says beside results is not kept", asides),
        trial(
            "an announcement without its offer goes no further",
            announcements,
        ),
        trial(
            "an offer is found though whoever passed it on does not give it",
            withheld,
        ),
    ]
}

struct Nothing;

impl Blobs for Nothing {
    fn open(&self, _: &Digest) -> Option<Arc<dyn BlobReader>> {
        None
    }
}

/// A node of the network that says what the test wants.
struct Stranger {
    network: Network,
    inbox: Inbox,
    secret: SecretKey,
}

impl Stranger {
    /// It listens nowhere.
    async fn start(seed: u8, to: &Node) -> Self {
        let mut config = Config::new("world");
        config.exposure = Exposure::Public;
        config.bootstrap = vec![to.addresses().await[0].clone()];
        let started = Network::start(config, &[seed; 32], Arc::new(Nothing)).await;
        let (network, inbox) = started.unwrap();
        Self {
            network,
            inbox,
            secret: SecretKey::from_seed(&[seed; 32]),
        }
    }

    async fn says(&self, to: &Node, request: &Request) -> Reply {
        let reply = self.network.ask(to.key(), codec::encode(request)).await;
        codec::decode(&reply.unwrap()).unwrap()
    }
}

fn record(secret: &SecretKey, sequence: u64) -> Signed<Deployment> {
    let record = Deployment {
        publisher: secret.node(),
        name: "name".into(),
        program: Digest([sequence as u8; 32]),
        program_len: 1,
        sequence,
        manifest: Manifest {
            profile: Profile::new("1"),
            limits: Limits {
                fuel: 1,
                memory: 1,
                output: 1,
                log: 1,
            },
            replicas: None,
            price: None,
            about: String::new(),
        },
    };
    Verified::sign(secret, record).into_signed()
}

async fn records() {
    let mut world = World::new(launcher());
    let ledger = world.ledger().await;
    let stranger = Stranger::start(71, &ledger).await;
    let publisher = SecretKey::from_seed(&[72; 32]);
    let good = record(&publisher, 5);
    let deploy = async |record: Signed<Deployment>| {
        let request = Request::Deploy(Box::new(record));
        stranger.says(&ledger, &request).await
    };
    assert_eq!(deploy(good.clone()).await, Reply::Heard);
    assert_eq!(deploy(good.clone()).await, Reply::Heard, "said again");
    assert_eq!(deploy(record(&publisher, 4)).await, Reply::Refused);
    let mut forged = good.clone();
    forged.value.program = Digest([9; 32]);
    assert_eq!(deploy(forged.clone()).await, Reply::Refused);
    forged.value.sequence = 4;
    assert_eq!(deploy(forged.clone()).await, Reply::Refused);
    forged.value.sequence = 6;
    assert_eq!(deploy(forged).await, Reply::Refused);
    let known = Request::Deployment(good.value.id());
    let known = stranger.says(&ledger, &known).await;
    assert_eq!(known, Reply::Deployment(Some(Box::new(good))));
}

/// A result of the work with this error, as one turn's.
fn reveal(secret: &SecretKey, work: &Work, turn: Turn, error: &[u8]) -> Reveal {
    let outputs = Outputs([(names::ERROR.into(), Output::of(error))].into());
    let transcript = Transcript::start(&turn.unit);
    let receipt = Receipt::sign(
        secret,
        work.clone(),
        Class::Err,
        1,
        transcript,
        outputs,
        Vec::new(),
    );
    Reveal {
        turn,
        salt: Digest([0; 32]),
        statement: receipt.statement,
        signature: receipt.signature,
        outputs: receipt.outputs,
        transcript: receipt.transcript,
        states: receipt.states,
    }
}

async fn asides() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let requester = world.requester("requester").await;
    // Nobody runs it: all that can be said of it is made up.
    let work = letters(&requester);
    let unit = work.unit();
    let plan = Plan::Single(Box::new(work.clone()));
    let job = requester.submit(wish(plan, 1)).await.unwrap();
    let stranger = Stranger::start(73, &requester).await;
    let error = vec![7; 200_000];
    let said = |attempt, log: &[u8]| {
        let turn = Turn { job, unit, attempt };
        let aside = Aside {
            turn,
            log: log.into(),
            logged: log.len() as u64,
            error: Some(error.clone()),
            detail: Some("why".into()),
        };
        (reveal(&stranger.secret, &work, turn, &error), aside)
    };
    let (reveal, aside) = said(0, b"log");
    let request = Request::Reveal {
        reveals: vec![reveal],
        asides: vec![aside],
    };
    assert_eq!(stranger.says(&requester, &request).await, Reply::Heard);
    // Waits until what was handed in before is written.
    requester.results(job).await.unwrap();
    assert_eq!(requester.logs(job).await.unwrap(), []);
    assert!(requester.bytes(&Digest::of(&error)).is_err());

    // More than goes with results, and more of it than there are results.
    let many = (0..6).map(|attempt| said(attempt, b"log"));
    let (reveals, asides): (Vec<_>, Vec<_>) = many.unzip();
    let together: usize = asides.iter().map(Aside::size).sum();
    assert!(together > Aside::MAX_TOGETHER);
    let fewer = reveals[..1].to_vec();
    let two = asides[..2].to_vec();
    for (reveals, asides) in [(reveals, asides), (fewer, two)] {
        let request = Request::Reveal { reveals, asides };
        assert_eq!(stranger.says(&requester, &request).await, Reply::Refused);
    }
}

fn offer_of(secret: &SecretKey, like: &Offer) -> Signed<Offer> {
    let offer = Offer {
        node: secret.node(),
        operator: secret.node().into(),
        ..like.clone()
    };
    Verified::sign(secret, offer).into_signed()
}

/// Announces an offer's number and digest again and again. Whoever asks for it gets `offers`.
struct Crier {
    key: NodeKey,
    tasks: [JoinHandle<()>; 2],
}

impl Crier {
    fn start(stranger: Stranger, what: (u64, Digest), offers: Vec<Signed<Offer>>) -> Self {
        let Stranger {
            network,
            mut inbox,
            secret,
        } = stranger;
        let cries = async move {
            loop {
                // Nobody may be there yet.
                let _ = network.announce(codec::encode(&what)).await;
                sleep(Duration::from_millis(500)).await;
            }
        };
        let answers = async move {
            while let Some(inbound) = inbox.next().await {
                let Inbound::Request { bytes, reply, .. } = inbound else {
                    continue;
                };
                let told = match codec::decode(&bytes) {
                    Ok(Request::OffersOf(_)) => offers.clone(),
                    _ => Vec::new(),
                };
                reply.send(codec::encode(&Reply::Offers(told)));
            }
        };
        Self {
            key: secret.node(),
            tasks: [tokio::spawn(cries), tokio::spawn(answers)],
        }
    }
}

impl Drop for Crier {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn announcements() {
    let mut world = World::new(launcher());
    let ledger = world.ledger().await;
    let provider = world.provider("provider").await;
    offers(&ledger, 1).await;
    let like = ledger.offers()[0].clone();
    assert_eq!(like.node, provider.key());

    // None of them listens, so they know each other through honest nodes alone.
    let honest = Stranger::start(74, &ledger).await;
    let liar = Stranger::start(75, &ledger).await;
    let mut listener = Stranger::start(76, &ledger).await;
    let offer = offer_of(&honest.secret, &like);
    let what = (offer.value.sequence, Digest::of(&codec::encode(&offer)));
    // What the liar announces is not what it has.
    let other = offer_of(&liar.secret, &like);
    let liar = Crier::start(liar, (other.value.sequence + 1, what.1), vec![other]);
    let knows = |key: NodeKey| ledger.offers().iter().any(|known| known.node == key);
    until("the liar was asked", async || knows(liar.key)).await;
    // It also tells of one that would work, and lie, in the name of the provider's operator.
    let impostor = SecretKey::from_seed(&[78; 32]);
    let borrowed = Offer {
        node: impostor.node(),
        ..like.clone()
    };
    let borrowed = Verified::sign(&impostor, borrowed).into_signed();
    let honest = Crier::start(honest, what, vec![borrowed, offer.clone()]);
    let mut lies = 0;
    let heard = async {
        while let Some(inbound) = listener.inbox.next().await {
            match inbound {
                Inbound::Announcement { author, .. } if author == honest.key => return,
                Inbound::Announcement { author, .. } if author == liar.key => lies += 1,
                _ => {}
            }
        }
    };
    timeout(PATIENCE, heard).await.expect("it is passed on");
    assert_eq!(lies, 0, "what nobody has goes no further");
    // The listener may have heard it from the provider.
    until("the offer is known", async || knows(honest.key)).await;
    assert!(!knows(impostor.node()), "it is not its operator's");
    let of = Request::OffersOf(vec![honest.key]);
    let told = listener.says(&ledger, &of).await;
    assert_eq!(told, Reply::Offers(vec![offer]));
}

async fn withheld() {
    let mut world = World::new(launcher());
    let ledger = world.ledger().await;
    let provider = world.provider("provider").await;
    offers(&ledger, 1).await;
    let like = ledger.offers()[0].clone();
    assert_eq!(like.node, provider.key());

    let Stranger {
        network,
        mut inbox,
        secret,
    } = Stranger::start(77, &ledger).await;
    let offer = offer_of(&secret, &like);
    let what = (offer.value.sequence, Digest::of(&codec::encode(&offer)));
    let answers = tokio::spawn(async move {
        let mut asked = 0;
        while let Some(inbound) = inbox.next().await {
            let Inbound::Request { bytes, reply, .. } = inbound else {
                continue;
            };
            let is_for_it = matches!(codec::decode(&bytes), Ok(Request::OffersOf(_)));
            asked += u32::from(is_for_it);
            // It is the author too, whom nobody asks twice for passing it on.
            let told = match is_for_it && asked > 1 {
                true => vec![offer.clone()],
                false => Vec::new(),
            };
            reply.send(codec::encode(&Reply::Offers(told)));
        }
    });
    // Said once.
    while network.announce(codec::encode(&what)).await.is_err() {
        sleep(Duration::from_millis(50)).await;
    }
    let knows = async || {
        ledger
            .offers()
            .iter()
            .any(|known| known.node == secret.node())
    };
    until("the author is asked itself", knows).await;
    answers.abort();
}
