//! Who is away: the ledger, or a provider. The node and its jobs say so.

use libtest_mimic::Trial;
use opensky_api::{Client, JobId, JobRequest, PageQuery, Plan, ProgramRef, Replicas, Why};
use opensky_gateway::Gateway;
use opensky_node::Node;
use tokio::runtime::Runtime;

use crate::{
    jobs::{JOB, TEXT, put, until},
    launcher,
    nodes::World,
    served::runtime,
};

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test(
            "a ledger that is away is told once, and first of a job",
            || {
                ledger();
                Ok(())
            },
        ),
        Trial::test(
            "a provider that does not answer is told, and for how long",
            || {
                provider();
                Ok(())
            },
        ),
    ]
}

/// A ledger, a provider, and a requester whose API is served.
struct Three {
    runtime: Runtime,
    ledger: Node,
    provider: Node,
    requester: Node,
    gateway: Gateway,
    client: Client,
    _world: World,
}

impl Three {
    fn start() -> Self {
        let runtime = runtime();
        let (world, ledger, provider, requester, gateway) = runtime.block_on(async {
            let mut world = World::new(launcher());
            let ledger = world.ledger().await;
            let mut config = world.config("provider");
            config.api.listen = ([127, 0, 0, 1], 0).into();
            let provider = world.start(config).await;
            let mut config = world.config("requester");
            config.provide = false;
            config.api.listen = ([127, 0, 0, 1], 0).into();
            let requester = world.start(config).await;
            let gateway = Gateway::start(requester.clone()).await.expect("served");
            (world, ledger, provider, requester, gateway)
        });
        let client = Client::open(&requester.config().data).expect("it has left its address");
        until("the offer is known", || {
            let offers = client.offers(&PageQuery::default());
            offers.expect("offers").items.len() == 1
        });
        Self {
            runtime,
            ledger,
            provider,
            requester,
            gateway,
            client,
            _world: world,
        }
    }

    fn submit(&self) -> JobId {
        let program = ProgramRef::Digest(put(&self.client, JOB));
        let input = Some(put(&self.client, TEXT));
        let mut request = JobRequest::new(program, Plan::One { input });
        request.limits.memory = Some(opensky_api::Bytes::saturating(64 << 20));
        request.replicas = Some(Replicas::Exactly(1));
        let submitted = self.client.submit(&request).expect("taken on");
        submitted.job.expect("a job")
    }

    fn why(&self, job: JobId) -> Why {
        let why = self.client.why(&job.into(), &PageQuery::default());
        why.expect("an explanation")
    }

    fn end(self) {
        self.runtime.block_on(async {
            self.gateway.stop().await.expect("stopped");
            for node in [self.requester, self.provider, self.ledger] {
                node.stop().await;
            }
        });
    }
}

fn ledger() {
    let three = Three::start();
    three.runtime.block_on(three.ledger.stop());
    until("the node knows", || {
        !three.client.node().expect("a node").ledger.answers
    });
    let about = three.client.node().expect("a node").ledger.about;
    let away = "the ledger's keeper does not answer";
    assert_eq!(about.matches("does not answer").count(), 1, "{about}");
    assert!(about.starts_with(away), "{about}");
    let job = three.submit();
    let told = || three.why(job).sentence;
    until("the job says it first", || told().starts_with(away));
    let waits = "; the ledger has not yet set the money aside";
    assert!(told().ends_with(waits), "{}", told());
    three.end();
}

fn provider() {
    let three = Three::start();
    three.runtime.block_on(three.provider.stop());
    let job = three.submit();
    let silent = |text: &str| text.contains("has not answered for ");
    until("the headline says it", || silent(&three.why(job).sentence));
    let why = three.why(job);
    let name = opensky_api::NodeId::from(three.provider.key()).short();
    assert!(
        why.sentence
            .starts_with(&format!("unit 0 is with {name}, which ")),
        "{why:?}"
    );
    assert!(silent(&why.units.items[0].turns[0].state), "{why:?}");
    assert!(why.nodes.iter().all(|node| silent(&node.reason)), "{why:?}");
    three.end();
}
