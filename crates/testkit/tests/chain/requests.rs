//! Requests that are placed on the chain, and answered by committees of real nodes, whoever is killed meanwhile.

use std::{thread, time::Duration};

use opensky_api::{Amount, DeploymentRequest, Hex, PageQuery};
use opensky_ledger::{Duty, Part};
use opensky_protocol::{
    Account, Digest, Limits,
    ledger::{Asked, Call, Data, Event, Fact, LedgerReply, LedgerRequest, OnChain, Status},
};
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    chain::Chain,
    member::{GIFT, Member},
    network::{JOB, ended_node, node},
    process::{Process, until},
};

/// Two blocks a second.
const SEAL: &str = "500";
const PROVIDERS: [&str; 3] = ["one", "two", "three"];
const SKY: u128 = 1_000_000_000_000;

const INPUT: &[u8] = b"some text with some words";

/// Nodes that answer, and who asks.
struct Scene {
    chain: Chain,
    requester: Process,
    providers: Vec<Process>,
    asker: Member,
    program: Digest,
    folder: TempDir,
}

#[test]
fn what_is_asked_on_the_chain_is_answered_and_paid_once_whoever_is_killed() {
    let mut scene = Scene::new();
    scene.ask(2);
    let price = scene.paid();
    assert!(price > 0);
    scene.kill_one_between_promise_and_show();
    // Three of the same price are paid now, where it was two.
    assert_eq!(scene.paid() * 2, price * 5);
    scene.kill_the_chain_under_requests(3);
    assert_eq!(scene.paid() * 2, price * 11);
    scene.rewind_the_chain_in_a_round();
    assert_eq!(scene.paid() * 2, price * 13);
    assert_eq!(scene.bonds(), [100 * SKY; 3], "nobody was silent");
    scene.lets_go();
    scene.adds_up();
}

impl Scene {
    /// Providers who have something at stake, and keep a program at hand.
    fn new() -> Self {
        let chain = Chain::start(SEAL);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let requester = node(path, "requester", &chain.url(), None);
        let first = requester.address.clone();
        let providers = PROVIDERS.map(|name| node(path, name, &chain.url(), Some(&first)));
        let client = requester.client();
        until("all offers are known", || {
            client.offers(&PageQuery::default()).unwrap().items.len() == providers.len()
        });
        let program = client.put_blob(JOB, Some(JOB.len() as u64)).unwrap().digest;
        let deployment = json!({ "name": "job", "program": program.to_string() });
        let deployment: DeploymentRequest = serde_json::from_value(deployment).unwrap();
        client.deploy(&deployment).unwrap();
        for provider in &providers {
            provider.client().stake(Amount(100 * SKY)).unwrap();
        }
        Self {
            asker: Member::rich(&chain, 5, path),
            chain,
            requester,
            providers: providers.into(),
            program: Digest(program.0),
            folder,
        }
    }

    fn asks(&self, replicas: u8) -> Call {
        let asked = Asked {
            program: self.program,
            input: Data::Inline(INPUT.to_vec()),
            limits: Limits::DEFAULT,
            replicas,
            max_price: u128::from(replicas) * 10 * SKY,
            deadline: now() + 600_000,
            callback: None,
        };
        Call::OnChain(Box::new(OnChain::Request(asked)))
    }

    /// Until the providers have said what they offer and keep at hand it is refused.
    fn ask(&self, replicas: u8) {
        until("it is taken", || {
            self.asker.call(self.asks(replicas)).is_ok()
        });
    }

    /// What was paid for all that was asked so far, once all of it is over.
    fn paid(&self) -> u128 {
        self.asker.waits(|asker| {
            let state = asker.try_state();
            asker.status().waiting == 0 && state.is_ok_and(|state| state.purse.held == 0)
        });
        let spent = GIFT - self.asker.state().purse.free;
        spent - self.asker.history().iter().map(fee).sum::<u128>()
    }

    /// What is said of a provider's part in a request.
    fn duties(&self, provider: usize) -> Vec<Duty> {
        let operator = self.providers[provider].key.into();
        self.asker.duties(&operator).unwrap_or_default()
    }

    /// All are asked, and one keeps the others waiting until another one is killed and is there again.
    fn kill_one_between_promise_and_show(&mut self) {
        until("all can be drawn", || {
            let mut operators = self.providers.iter().map(|provider| provider.key.into());
            operators.all(|operator| self.asker.is_listed(&operator))
        });
        self.providers[2].signal(Signal::STOP);
        self.ask(3);
        let has_promised = |provider| matches!(self.duties(provider)[..], [Duty::Keep(_)]);
        until("two have promised", || has_promised(0) && has_promised(1));
        let runs = |provider: &Process| provider.log().matches("a request was run").count();
        let before = runs(&self.providers[0]);
        assert!(before > 0);
        let (path, url) = (self.folder.path(), self.chain.url());
        let first = self.requester.address.clone();
        drop(self.providers.remove(0));
        let again = node(path, PROVIDERS[0], &url, Some(&first));
        self.providers.insert(0, again);
        self.providers[2].signal(Signal::CONT);
        self.paid();
        assert_eq!(runs(&self.providers[0]), before, "it shows what it had");
    }

    /// All have committed when the chain loses the blocks that say so, and hear of it when the same round has begun anew.
    fn rewind_the_chain_in_a_round(&mut self) {
        self.chain.kill();
        self.chain.keep();
        self.chain.begin();
        let operator = self.operators()[0];
        let in_round = |what: fn(&Part) -> bool| {
            until("a round is so far", || {
                self.asker.part(&operator).is_some_and(|part| what(&part))
            });
        };
        self.ask(2);
        in_round(|part| matches!(part, Part::Reveal { .. }));
        let signal = |signal| {
            let providers = self.providers.iter();
            providers.for_each(|provider| provider.signal(signal));
        };
        signal(Signal::STOP);
        self.chain.kill();
        self.chain.lose();
        self.chain.begin();
        in_round(|part| matches!(part, Part::Commit { .. }));
        signal(Signal::CONT);
    }

    fn operators(&self) -> Vec<Account> {
        let providers = self.providers.iter();
        providers.map(|provider| provider.key.into()).collect()
    }

    fn bonds(&self) -> Vec<u128> {
        let bond = |operator| match self.asker.ask(LedgerRequest::Account(operator)) {
            Ok(LedgerReply::Account(account)) => account.operator.bond,
            other => panic!("{other:?}"),
        };
        self.operators().into_iter().map(bond).collect()
    }

    /// What the requests brought to the nodes is gone: they are over.
    fn lets_go(&self) {
        let input = Hex(Digest::of(INPUT).0);
        let has_it = |provider: &Process| provider.client().blob(input, 0).is_ok();
        until("nothing of it is left", || {
            !self.providers.iter().any(has_it)
        });
    }

    /// Everybody was told what moved its money.
    fn adds_up(self) {
        let Self {
            chain,
            requester,
            providers,
            asker,
            folder,
            ..
        } = self;
        drop((requester, providers));
        let mut earned = 0;
        for name in PROVIDERS {
            let provider = ended_node(&chain, &folder.path().join(name));
            provider.adds_up();
            earned += provider.paid().into_iter().sum::<u128>();
        }
        let height = chain.height();
        asker.waits(|asker| asker.has_seen(height));
        asker.adds_up();
        let paid = asker.facts().into_iter().map(|fact| match fact {
            Fact::Paid { amount, .. } => amount,
            _ => 0,
        });
        assert_eq!(paid.sum::<u128>(), earned);
    }

    /// Each a little later in the request's life.
    fn kill_the_chain_under_requests(&mut self, count: u64) {
        for number in 0..count {
            let asked = self.asker.hand_in(self.asks(2));
            thread::sleep(Duration::from_millis(1_500 * number));
            self.chain.kill();
            self.chain.begin();
            self.asker.decided(asked);
        }
    }
}

fn fee(event: &Event) -> u128 {
    match event.status {
        Status::Final { fee, .. } | Status::Rejected { fee, .. } => fee,
        Status::Pending => 0,
    }
}

/// In Unix milliseconds.
fn now() -> u64 {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap();
    now.as_millis() as u64
}
