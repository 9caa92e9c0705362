//! A job through the API, from the first look at its price to its receipt.

use std::{
    io::Read,
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use opensky_api::{
    Client, ClientError, Code, DeploymentRequest, EndingKind, EntryKind, Hex, JobEvent, JobRequest,
    JobState, PageQuery, Plan, Prefix, ProgramRef, Replicas, Stage, UnitState, kind,
};
use opensky_gateway::Gateway;
use opensky_protocol::{Digest, JobReceipt, Receipt};

use crate::{launcher, nodes::World, served::runtime};

pub const JOB: &[u8] = include_bytes!("../../../testkit/corpus/rust-job/job.wasm");
const MAP_REDUCE: &[u8] = include_bytes!("../../../testkit/corpus/rust-job/map-reduce.wasm");
const WORDS: &[u8] = include_bytes!("../../../testkit/corpus/rust-wasip1/words.adapted.wasm");
const FILES: &[u8] = include_bytes!("../../../testkit/corpus/rust-wasip2/files.wasm");
pub const TEXT: &[u8] = include_bytes!("../../../testkit/corpus/inputs/text");

pub fn trials() -> Vec<Trial> {
    vec![Trial::test(
        "jobs run from price to receipt, all by the API",
        || {
            with_a_network(|client| {
                let deployed = deploy(client);
                one_unit(client, &deployed);
                set_aside(client);
                map_reduce(client);
                said_again(client, &deployed);
                named(client);
                rehearsed(client);
                encrypted(client);
                says(client);
                fails(client);
                priced(client);
                too_dear_to_be_owed(client);
                asked_of_too_many(client, &deployed);
                given_up(client);
            });
            Ok(())
        },
    )]
}

/// A requester whose API is served, and two providers.
fn with_a_network(test: impl FnOnce(&Client)) {
    let runtime = runtime();
    let (world, nodes, gateway) = runtime.block_on(async {
        let mut world = World::new(launcher());
        let ledger = world.ledger().await;
        let (one, two) = (world.provider("one").await, world.provider("two").await);
        let mut config = world.config("requester");
        config.provide = false;
        config.api.listen = ([127, 0, 0, 1], 0).into();
        let requester = world.start(config).await;
        let gateway = Gateway::start(requester.clone()).await.expect("served");
        (world, [requester, one, two, ledger], gateway)
    });
    let client = Client::open(&nodes[0].config().data).expect("it has left its address");
    let all = PageQuery::default();
    until("both offers are known", || {
        client.offers(&all).expect("offers").items.len() == 2
    });
    test(&client);
    runtime.block_on(async {
        gateway.stop().await.expect("stopped");
        for node in nodes {
            node.stop().await;
        }
    });
    drop(world);
}

pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        sleep(Duration::from_millis(50));
    }
}

/// The node and its wallet say the same of the money, although no job is under way any more.
fn set_aside(client: &Client) {
    until("node and wallet agree", || {
        let node = client.node().expect("a node").requester;
        let held = client.wallet().expect("a wallet").held;
        (node.jobs, node.held) == (0, Some(held)) && held.0 > 0
    });
}

pub fn put(client: &Client, bytes: &[u8]) -> Hex {
    client
        .put_blob(bytes, Some(bytes.len() as u64))
        .expect("stored")
        .digest
}

fn all(mut reader: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).expect("whole");
    bytes
}

fn deploy(client: &Client) -> ProgramRef {
    let request = DeploymentRequest {
        name: "letters".into(),
        program: put(client, JOB),
        limits: Default::default(),
        profile: None,
        replicas: Some(Replicas::Exactly(2)),
        price: None,
        about: "counts letters".into(),
        pins: Some(5),
    };
    let refused = client.deploy(&request).expect_err("there are only two");
    let ClientError::Problem(problem) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(problem.code, Code::Refused);
    let detail = "only 2 of 5 operators have pinned the program, and no others are known";
    assert_eq!(problem.detail, detail);
    let help = problem.help.as_deref();
    assert!(
        help.is_some_and(|help| help.ends_with("add --pins 2")),
        "{help:?}"
    );
    let request = DeploymentRequest {
        pins: None,
        ..request
    };
    let told = client.deploy(&request).expect("deployed");
    assert!(told.announced && told.refused.is_empty(), "{told:?}");
    let deployed = told.deployment;
    let pinned = deployed.pinned.clone().expect("they were asked");
    assert_eq!(pinned.len(), 2);
    let own = "letters".parse().expect("a name");
    let found = client.deployment(&own).expect("it is found by its name");
    assert_eq!(found.deployment, deployed.deployment);
    assert_eq!(found.pinned, None);
    let mut holders = client.holders(&own).expect("it is found").pinned;
    holders
        .iter_mut()
        .for_each(|holders| holders.sort_unstable());
    let mut expected = pinned;
    expected.sort_unstable();
    assert_eq!(holders, Some(expected));
    let listed = client
        .deployments(&PageQuery::default())
        .expect("a list")
        .items;
    assert_eq!(listed.len(), 1);
    let short = deployed.deployment.short().parse().expect("a short id");
    ProgramRef::Deployment(short)
}

fn one_unit(client: &Client, program: &ProgramRef) {
    let input = Some(put(client, TEXT));
    let mut request = JobRequest::new(program.clone(), Plan::One { input });
    request.limits.memory = Some(opensky_api::Bytes::saturating(64 << 20));
    request.dry_run = true;
    let quote = client.submit(&request).expect("a quote");
    assert!(quote.job.is_none() && quote.quote.escrow.0 > 0);
    assert!(
        client
            .jobs(&PageQuery::default())
            .expect("jobs")
            .items
            .is_empty()
    );

    request.dry_run = false;
    let submitted = client.submit(&request).expect("taken on");
    assert_eq!(submitted.quote.escrow, quote.quote.escrow);
    let id = submitted.job.expect("a job");
    let job: Prefix<kind::Job> = id.short().parse().expect("a short id");
    let events: Result<Vec<JobEvent>, ClientError> = client.watch(&job).expect("events").collect();
    let events = events.expect("no event is bad");
    let Some(JobEvent::End(end)) = events.last() else {
        panic!("{events:?}");
    };
    let ending = end.ending.as_ref().map(|ending| ending.kind);
    assert_eq!(
        ending,
        Some(EndingKind::Result(opensky_api::Class::Ok)),
        "{end:?}"
    );
    assert_eq!(
        (end.state, end.verified, end.units_done),
        (JobState::Ended, Some(2), 1)
    );
    assert!(end.price.0 > 0 && end.price <= quote.quote.escrow);
    let agreed = |event: &JobEvent| {
        matches!(event, JobEvent::Unit(unit)
            if unit.state == UnitState::Agreed && unit.stage == Stage::Whole && unit.turns.len() >= 2)
    };
    assert!(events.iter().any(agreed), "{events:?}");
    let first = |is: fn(&JobEvent) -> bool| events.iter().position(is);
    let unit = first(|event| matches!(event, JobEvent::Unit(_)));
    let running =
        first(|event| matches!(event, JobEvent::Job(job) if job.state == JobState::Running));
    assert!(running.is_none() || running < unit, "{events:?}");

    let result = client.result(&job).expect("a result");
    let output = all(client.output(&job).expect("the output"));
    assert_eq!(result.parts.len(), 1);
    assert_eq!(Digest::from(result.parts[0].digest), Digest::of(&output));
    let file = all(client.receipt(&job).expect("a receipt"));
    let receipt = Receipt::from_file(&file).expect("a sound receipt");
    assert_eq!(receipt.work.unit(), receipt.statement.unit);
    assert_eq!(
        result.receipt.map(|id| id.digest()),
        Some(Digest::of(&file))
    );

    let shown = client.job(&job).expect("the job");
    assert_eq!(shown.summary, *end);
    let why = client
        .why(&job, &PageQuery::default())
        .expect("an explanation");
    assert_eq!(why.units.items.len(), 1);
    assert!(why.sentence.contains("has ended"), "{}", why.sentence);
    let late = client.cancel(&job).expect_err("it is over");
    assert!(matches!(late, ClientError::Problem(problem) if problem.code == Code::TooLate));
    let page = PageQuery {
        limit: Some(1),
        after: None,
    };
    let escrowed =
        |entry: &opensky_api::Entry| entry.kind == EntryKind::Escrowed && entry.job == Some(id);
    let mut next = Some(page);
    let mut found = false;
    while let Some(page) = next {
        let entries = client.history(&page).expect("a history");
        assert!(entries.items.len() <= 1);
        found |= entries.items.iter().any(escrowed);
        next = entries.next.map(|after| PageQuery {
            limit: Some(1),
            after: Some(after),
        });
    }
    assert!(found, "the escrow is in the history");
}

/// The same request with the same nonce is the same job, also when that has ended; any other is another.
fn said_again(client: &Client, program: &ProgramRef) {
    let input = Some(put(client, b"said again"));
    let mut request = JobRequest::new(program.clone(), Plan::One { input });
    request.limits.memory = Some(opensky_api::Bytes::saturating(64 << 20));
    request.nonce = Some(opensky_api::Nonce([7; 16]));
    let first = client.submit(&request).expect("taken on");
    let again = client.submit(&request).expect("known");
    assert_eq!(again.job, first.job);
    assert_eq!(again.quote.escrow, first.quote.escrow);
    assert!(first.quote.deployment.is_some() && again.quote.deployment == first.quote.deployment);
    let id = first.job.expect("a job");
    let last = client.watch(&id.into()).expect("events").last();
    assert!(matches!(last, Some(Ok(JobEvent::End(_)))), "{last:?}");
    assert_eq!(client.submit(&request).expect("known"), again);

    let job = |request: &JobRequest| client.submit(request).expect("taken on").job;
    let with = |change: fn(&mut JobRequest)| {
        let mut other = request.clone();
        change(&mut other);
        other
    };
    let encrypted = with(|other| other.encrypt = true);
    let others = [
        job(&with(|other| {
            other.nonce = Some(opensky_api::Nonce([8; 16]))
        })),
        job(&with(|other| other.nonce = None)),
        job(&with(|other| other.nonce = None)),
        job(&encrypted),
    ];
    assert_eq!(job(&encrypted), others[3]);
    let mut all: Vec<_> = others.into_iter().chain([first.job]).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 5);
    for job in all.into_iter().flatten() {
        let mut events = client.watch(&job.into()).expect("events");
        assert!(events.all(|event| event.is_ok()));
    }
}

fn map_reduce(client: &Client) {
    let shards = [TEXT, b"abcabc", b"hello"];
    let plan = Plan::Map {
        inputs: shards.iter().map(|shard| put(client, shard)).collect(),
        partitions: 2,
    };
    let program = ProgramRef::Digest(put(client, MAP_REDUCE));
    let mut request = JobRequest::new(program, plan);
    request.replicas = Some(Replicas::Exactly(1));
    let job = client
        .submit(&request)
        .expect("taken on")
        .job
        .expect("a job")
        .into();
    let events = client.watch(&job).expect("events");
    let last = events.last().expect("an event").expect("a good one");
    assert!(matches!(last, JobEvent::End(_)), "{last:?}");
    let file = all(client.receipt(&job).expect("a receipt"));
    assert_eq!(
        JobReceipt::from_file(&file)
            .expect("a sound receipt")
            .units
            .len(),
        5
    );
    let result = client.result(&job).expect("a result");
    assert_eq!(result.parts.len(), 2);
    let length: u64 = result.parts.iter().map(|part| part.len.value()).sum();
    let output = client.output(&job).expect("the output");
    assert_eq!(output.content_len(), Some(length));
    assert_eq!(all(output).len() as u64, length);

    let page = PageQuery {
        limit: Some(2),
        after: None,
    };
    let why = client.why(&job, &page).expect("an explanation");
    assert_eq!(why.units.items.len(), 2);
    let rest = PageQuery {
        limit: None,
        after: why.units.next,
    };
    let rest = client.why(&job, &rest).expect("an explanation").units;
    assert_eq!((rest.items.len(), rest.next), (3, None));
    let first = client
        .jobs(&PageQuery {
            limit: Some(1),
            after: None,
        })
        .expect("jobs");
    let second = client
        .jobs(&PageQuery {
            limit: Some(1),
            after: first.next,
        })
        .expect("jobs");
    assert!(first.items[0].submitted >= second.items[0].submitted);
    assert_eq!((second.items.len(), second.next), (1, None));
}

/// Of several deployments of one program a job has the name of the one that it was run by.
fn named(client: &Client) {
    for name in ["letters-2", "aleph"] {
        let request = DeploymentRequest {
            name: name.into(),
            program: put(client, JOB),
            limits: Default::default(),
            profile: None,
            replicas: None,
            price: None,
            about: String::new(),
            pins: None,
        };
        client.deploy(&request).expect("deployed");
    }
    for name in ["letters", "letters-2", "aleph"] {
        let program = ProgramRef::Deployment(name.parse().expect("a name"));
        let request = JobRequest::new(program, Plan::One { input: None });
        let job = client.submit(&request).expect("taken on").job;
        let job = client.job(&job.expect("a job").into()).expect("the job");
        assert_eq!(job.summary.name.as_deref(), Some(name));
    }
}

/// A dry run says exactly what would be, of blobs that the node does not have, and does not get.
fn rehearsed(client: &Client) {
    let shards = [b"one".as_slice(), b"two two"];
    let blob = |bytes: &&[u8]| opensky_api::Blob {
        digest: Digest::of(bytes).into(),
        len: opensky_api::Bytes::saturating(bytes.len() as u64),
    };
    let blobs: Vec<_> = shards.iter().map(blob).collect();
    let plan = Plan::Map {
        inputs: blobs.iter().map(|blob| blob.digest).collect(),
        partitions: 2,
    };
    let mut program = MAP_REDUCE.to_vec();
    // A custom section: it is another program, which nobody has.
    program.extend([0, 2, 1, b'x']);
    let program = Digest::of(&program).into();
    let mut request = JobRequest::new(ProgramRef::Digest(program), plan.clone());
    request.world = Some(opensky_api::World::MapReduce);
    request.dry_run = true;
    let refused = |request: &JobRequest| match client.submit(request) {
        Err(ClientError::Problem(problem)) => problem.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(&request),
        Code::NotFound,
        "nobody says how long they are"
    );
    request.blobs = blobs.clone();
    let quote = client.submit(&request).expect("a quote").quote;
    assert_eq!((quote.spec.plan, quote.units), (plan, Some(4)));
    for digest in blobs.iter().map(|blob| blob.digest).chain([program]) {
        assert!(client.blob(digest, 0).is_err(), "the node has {digest}");
    }
    for blob in &shards {
        put(client, blob);
    }
    request.blobs.clear();
    let known = client.submit(&request).expect("a quote").quote;
    assert_eq!(known.escrow, quote.escrow);
    (request.dry_run, request.blobs) = (false, blobs);
    assert_eq!(refused(&request), Code::Invalid, "it would be no dry run");
    request.blobs.clear();
    request.deadline = Some(opensky_api::Span::saturating(30 * 24 * 3_600_000 + 1));
    assert_eq!(refused(&request), Code::Invalid, "it would take too long");
}

/// What came out is readable, what is kept is not, and the key can be had.
fn encrypted(client: &Client) {
    let program = ProgramRef::Digest(put(client, FILES));
    let input = put(client, TEXT);
    let mut request = JobRequest::new(program, Plan::One { input: Some(input) });
    request.replicas = Some(Replicas::Exactly(2));
    let ok = opensky_api::Class::Ok;
    let open = ended(client, &request, ok);
    let refused = client.key(&open).expect_err("it has no key");
    assert!(matches!(refused, ClientError::Problem(problem) if problem.code == Code::Refused));

    request.encrypt = true;
    request.dry_run = true;
    let quote = client.submit(&request).expect("a quote").quote;
    assert!(quote.spec.encrypt);
    assert_eq!(quote.spec.plan, request.plan);
    request.dry_run = false;
    let secret = ended(client, &request, ok);
    let job = client.job(&secret).expect("the job");
    assert_eq!(job.summary.escrow, quote.escrow);
    assert_ne!(job.spec.plan, request.plan);
    assert!(job.spec.encrypt);

    let opened = client.output(&secret).expect("the output");
    let len = opened.content_len();
    let opened = all(opened);
    assert_eq!(opened, all(client.output(&open).expect("the output")));
    assert_eq!(len, Some(opened.len() as u64));
    let result = client.result(&secret).expect("a result");
    let expected = client.result(&open).expect("a result");
    let names = |result: &opensky_api::JobResult| {
        let others = result.others.iter();
        let mut names: Vec<_> = others.map(|one| (one.name.clone(), one.len)).collect();
        names.sort();
        names
    };
    assert!(!expected.others.is_empty());
    assert_eq!(names(&result), names(&expected));
    for output in &expected.others {
        let bytes = all(client.other(&secret, &output.name).expect("an output"));
        assert_eq!(Digest::of(&bytes), Digest::from(output.digest));
    }

    let key = client.key(&secret).expect("a key").key;
    let kept = all(client.blob(result.parts[0].digest, 0).expect("the blob"));
    let key = opensky_protocol::ContentKey::from_bytes(key.0);
    assert_eq!(key.open(&kept), Some(opened));
}

/// Each provider's word of what a unit logged comes a page at a time, with its name.
fn says(client: &Client) {
    let program = ProgramRef::Digest(put(client, WORDS));
    let input = Some(put(client, b"alpha beta"));
    let mut request = JobRequest::new(program, Plan::One { input });
    request.replicas = Some(Replicas::Exactly(2));
    let job = ended(client, &request, opensky_api::Class::Ok);
    let mut page = PageQuery {
        limit: Some(1),
        after: None,
    };
    let first = client.logs(&job, &page).expect("logs");
    page.after = first.next;
    assert!(page.after.is_some());
    let second = client.logs(&job, &page).expect("logs");
    assert_eq!(second.next, None);
    let logs = [first.items, second.items].concat();
    assert_eq!(logs.len(), 2);
    assert_ne!(logs[0].provider, logs[1].provider);
    for log in &logs {
        assert!(log.text.starts_with("[\""), "{log:?}");
        assert_eq!((log.index, log.stage, log.cut), (0, Stage::Whole, false));
    }
    let status = client.node().expect("a status");
    let listens = status.network.listens;
    assert!(!listens.is_empty() && listens.iter().all(|address| address.contains("/p2p/")));
}

/// A program's own words are in the result, encrypted or not.
fn fails(client: &Client) {
    let program = ProgramRef::Digest(put(client, JOB));
    let input = Some(put(client, b"\0"));
    let mut request = JobRequest::new(program, Plan::One { input });
    for encrypt in [false, true] {
        request.encrypt = encrypt;
        let job = ended(client, &request, opensky_api::Class::Err);
        let error = client.result(&job).expect("a result").error;
        let text = "text does not begin with a zero".to_owned();
        assert_eq!(error, Some(opensky_api::GuestError::InvalidInput(text)));
    }
}

/// What would pay for nobody is refused before there is a job.
fn priced(client: &Client) {
    let program = ProgramRef::Digest(put(client, JOB));
    let mut request = JobRequest::new(program, Plan::One { input: None });
    request.replicas = Some(Replicas::Exactly(2));
    let refused = |request: &JobRequest| match client.submit(request) {
        Err(ClientError::Problem(problem)) => *problem,
        other => panic!("{other:?}"),
    };
    request.max_price = Some(opensky_api::Amount(0));
    assert_eq!(refused(&request).code, Code::Invalid);
    let offers = client.offers(&PageQuery::default()).expect("offers");
    let ask = opensky_protocol::PriceTerms::from(offers.items[0].ask);
    let one = ask.worst_case(&opensky_protocol::Limits::DEFAULT, 0);
    let one = opensky_api::Amount(one);
    for dry_run in [true, false] {
        (request.dry_run, request.max_price) = (dry_run, Some(opensky_api::Amount(2 * one.0 - 1)));
        let problem = refused(&request);
        assert_eq!(problem.code, Code::Refused);
        let said = format!("one provider may cost {one} at the limit of 100 000 000 000 fuel");
        assert!(problem.detail.starts_with(&said), "{problem:?}");
        assert!(problem.detail.contains("2 are asked"), "{problem:?}");
    }
    request.max_price = Some(opensky_api::Amount(2 * one.0));
    ended(client, &request, opensky_api::Class::Ok);
}

/// A unit that may cost more than anybody lets a requester owe: that is said before, and nobody is asked.
fn too_dear_to_be_owed(client: &Client) {
    let program = ProgramRef::Digest(put(client, JOB));
    let mut request = JobRequest::new(program, Plan::One { input: None });
    request.limits.fuel = Some(opensky_api::Fuel(u64::MAX));
    request.dry_run = true;
    let offers = client.offers(&PageQuery::default()).expect("offers");
    assert!(offers.items.iter().all(|offer| offer.credit.0 > 0));
    let said = "2 of 2 nodes: one requester may owe ";
    let warnings = client.submit(&request).expect("a quote").quote.warnings;
    assert!(
        warnings.len() == 1 && warnings[0].starts_with(said),
        "{warnings:?}"
    );
    assert!(warnings[0].ends_with("give a lower --fuel"), "{warnings:?}");
    request.dry_run = false;
    let submitted = client.submit(&request).expect("taken on");
    assert_eq!(submitted.quote.warnings, warnings);
    let job = submitted.job.expect("a job").into();
    let why = || {
        let page = PageQuery::default();
        client.why(&job, &page).expect("an explanation")
    };
    until("it says what is in the way", || {
        why().sentence == warnings[0]
    });
    assert!(why().units.items.iter().all(|unit| unit.turns.is_empty()));
    client.cancel(&job).expect("ended");
}

/// More operators than there are: that is said before, while the job waits, and afterwards.
fn asked_of_too_many(client: &Client, program: &ProgramRef) {
    let input = Some(put(client, TEXT));
    let mut request = JobRequest::new(program.clone(), Plan::One { input });
    request.limits.memory = Some(opensky_api::Bytes::saturating(64 << 20));
    request.replicas = Some(Replicas::Exactly(2));
    request.dry_run = true;
    let quote = |request: &JobRequest| client.submit(request).expect("a quote").quote;
    assert_eq!(quote(&request).warnings, [""; 0]);
    request.replicas = Some(Replicas::Exactly(3));
    let warning = "3 asked, 2 operators can run it: each unit waits for more of them some minutes, and \
                   goes on with these if there are none";
    assert_eq!(quote(&request).warnings, [warning]);
    request.dry_run = false;
    let submitted = client.submit(&request).expect("taken on");
    assert_eq!(submitted.quote.warnings, [warning]);
    let job = submitted.job.expect("a job").into();
    let why = || {
        let page = PageQuery::default();
        client.why(&job, &page).expect("an explanation")
    };
    let expected = "unit 0 has 2 of 3 results, and waits for another operator; \
                    2 of 2 nodes: its operator had a turn at it";
    until("it says what it waits for", || why().sentence == expected);
    let unit = why().units.items.remove(0);
    assert_eq!((unit.promised, unit.lacks, why().fit), (2, 1, 0));
    let listed = client.jobs(&PageQuery::default()).expect("jobs");
    assert_eq!(listed.items[0].name.as_deref(), Some("letters"));
    client.cancel(&job).expect("ended");
    let events = client.watch(&job).expect("events");
    assert!(matches!(events.last(), Some(Ok(JobEvent::End(_)))));
    let unit = why().units.items.remove(0);
    let told = (unit.agreed, unit.compared, unit.wanted, unit.lacks);
    assert_eq!(told, (2, 2, 3, 0), "{unit:?}");
    let none = client.output(&job).err().expect("nobody brought it");
    assert!(
        none.to_string().contains("has no output: cancelled"),
        "{none}"
    );
    assert!(client.result(&job).expect("it has ended").parts.is_empty());

    let nothing = "no-such".parse().expect("a name");
    let Err(ClientError::Problem(problem)) = client.deployment(&nothing) else {
        panic!("there is no such deployment");
    };
    let help = problem.help.expect("a help");
    assert_eq!(help, "this node has deployed aleph, letters, letters-2");
}

/// The job of a request that ends with that class.
fn ended(client: &Client, request: &JobRequest, class: opensky_api::Class) -> Prefix<kind::Job> {
    let submitted = client.submit(request).expect("taken on");
    let job = submitted.job.expect("a job").into();
    let events = client.watch(&job).expect("events");
    let last = events.last().expect("an event").expect("a good one");
    let JobEvent::End(end) = last else {
        panic!("{last:?}");
    };
    let ending = end.ending.map(|ending| ending.kind);
    assert_eq!(ending, Some(EndingKind::Result(class)));
    job
}

/// What nobody can run says why, and can be ended.
fn given_up(client: &Client) {
    let program = ProgramRef::Digest(put(client, JOB));
    let mut request = JobRequest::new(
        program,
        Plan::One {
            input: Some(put(client, TEXT)),
        },
    );
    request.limits.memory = Some(opensky_api::Bytes::saturating(200 << 30));
    let job = client
        .submit(&request)
        .expect("taken on")
        .job
        .expect("a job")
        .into();
    let expected = "2 of 2 nodes: needs 200 GiB memory, the largest has 4 GiB";
    until("it says why", || {
        let why = client
            .why(&job, &PageQuery::default())
            .expect("an explanation");
        why.sentence == expected
    });
    let early = client.result(&job).expect_err("it has not ended");
    assert!(matches!(early, ClientError::Problem(problem) if problem.code == Code::NotYet));
    client.cancel(&job).expect("ended");
    let events = client.watch(&job).expect("events");
    let last = events.last().expect("an event").expect("a good one");
    let JobEvent::End(end) = last else {
        panic!("{last:?}");
    };
    let ending = end.ending.map(|ending| ending.kind);
    assert_eq!(ending, Some(EndingKind::Cancelled));

    request.limits.memory = None;
    request.plan = Plan::Map {
        inputs: vec![put(client, TEXT)],
        partitions: 1,
    };
    let refused = client.submit(&request).expect_err("it is a job");
    assert!(matches!(refused, ClientError::Problem(problem) if problem.code == Code::Refused));
}
