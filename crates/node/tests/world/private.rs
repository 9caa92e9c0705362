//! Encrypted jobs: neither disks nor wires show what they are about.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use libtest_mimic::Trial;
use opensky_core::Plan;
use opensky_executor::Run;
use opensky_node::{Node, Privacy, Wish, config::LedgerConfig};
use opensky_protocol::{ContentKey, Digest, JobReceipt, Outputs, Receipt, Statement, names};

use crate::{
    jobs::{JOB, alone, done, followers, letters, offers, output, trial, wish},
    launcher,
    nodes::{World, until},
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial(
            "an encrypted unit is agreed on, and no disk shows it",
            one_unit,
        ),
        trial(
            "an encrypted map-reduce is what the open one is",
            map_reduce,
        ),
        trial("no connection shows what a job is about", wire),
    ]
}

/// What is looked for: no node makes these bytes by chance.
const NEEDLE: &[u8] = b"the heron stood in the reeds until the tax collector had gone";

/// An input of some length that has the needle in it.
fn input() -> Vec<u8> {
    let filler = (0..200_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8);
    let filler: Vec<u8> = filler.map(|byte| byte | 1).collect();
    [NEEDLE, &filler, NEEDLE].concat()
}

fn encrypted(plan: Plan, replicas: u8) -> Wish {
    Wish {
        privacy: Privacy::All,
        ..wish(plan, replicas)
    }
}

/// Whether any file below the folder has these bytes.
fn is_on_disk(folder: &Path, bytes: &[u8]) -> bool {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.into_iter().any(|entry| {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => is_on_disk(&path, bytes),
            // One that is removed just now shows nothing.
            kind if kind.is_file() => fs::read(&path).is_ok_and(|found| contains(&found, bytes)),
            _ => false,
        }
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The run as its receipt has it.
fn concealed(key: &ContentKey, unit: &Digest, run: Run) -> Run {
    Run {
        outputs: key.seal_outputs(run.outputs),
        transcript: key.salt_transcript(unit, &run.transcript),
        states: key.salt_all(&run.states),
        ..run
    }
}

/// Whoever has the key comes to the receipt's result.
fn check(receipt: &Receipt, key: &ContentKey, run: Run) {
    let said = &receipt.statement;
    let run = concealed(key, &said.unit, run);
    let outputs = Outputs::of(&run.outputs);
    let (class, fuel) = (run.class, run.fuel);
    let here = Statement::new(
        said.node,
        &receipt.work,
        class,
        fuel,
        &run.transcript,
        &outputs,
    );
    assert_eq!(here.compare_key, said.compare_key);
}

async fn key(node: &Node, job: Digest) -> ContentKey {
    let order = node.submission(job).await.unwrap();
    node.content_key(&order).unwrap()
}

async fn one_unit() {
    let mut world = World::new(launcher());
    let ledger = world.ledger().await;
    let (one, two) = (world.provider("one").await, world.provider("two").await);
    let requester = world.requester("requester").await;
    offers(&requester, 2).await;

    let mut work = letters(&requester);
    let input = input();
    let plain = requester.put(&input).unwrap();
    work.inputs.insert(names::INPUT.into(), plain);
    let expected = alone(&world, JOB, &work, &[(plain, &input)]);
    let open = work.clone();
    let plan = Plan::Single(Box::new(work));
    let job = requester.submit(encrypted(plan, 2)).await.unwrap();
    done(&requester, job).await;

    let key = key(&requester, job).await;
    let sealed = output(&requester, job).await;
    let opened = key.open(&sealed).unwrap();
    assert_eq!(opened, expected.outputs[names::OUTPUT]);
    let file = requester.receipt(job).await.unwrap();
    let receipt = Receipt::from_file(&file).unwrap();
    assert_ne!(receipt.work, open);
    let named = receipt.work.inputs[names::INPUT];
    let again = alone(&world, JOB, &receipt.work, &[(named, &input)]);
    check(&receipt, &key, again);

    // The providers had what they were given, and nothing else.
    for provider in [&one, &two] {
        assert!(provider.blob(&plain).is_err());
        assert!(provider.blob(&open.program).is_err());
    }
    let nodes = [requester, one, two, ledger];
    for node in &nodes {
        node.stop().await;
    }
    let program = &JOB[JOB.len() / 2..][..64];
    let shown = |part: &[u8]| is_on_disk(world.path(), part);
    assert!(!shown(NEEDLE), "the input is on a disk");
    assert!(!shown(&opened[..64]), "the output is on a disk");
    // What was run alone, without a network, is not looked at.
    for name in ["requester", "one", "two", "ledger"] {
        let folder = world.path().join(name);
        assert!(!is_on_disk(&folder, program), "{name} has the program");
        let compiled = fs::read_dir(folder.join("compiled"));
        let native = compiled.into_iter().flatten().map(Result::unwrap);
        let mut native = native.map(|entry| entry.file_name().into_string().unwrap());
        assert!(!native.any(|name| name.ends_with(".native")), "{name}");
    }
    fs::write(world.path().join("control"), [b"x", NEEDLE].concat()).unwrap();
    assert!(shown(NEEDLE), "the search finds nothing at all");
}

async fn map_reduce() {
    let mut world = World::new(launcher());
    let _ledger = world.ledger().await;
    let (_one, _two) = (world.provider("one").await, world.provider("two").await);
    let requester = world.requester("requester").await;
    offers(&requester, 2).await;
    let plan = Plan::Job(Box::new(followers(&requester)));
    let open = requester.submit(wish(plan.clone(), 2)).await.unwrap();
    let secret = requester.submit(encrypted(plan, 2)).await.unwrap();
    assert_ne!(open, secret);
    done(&requester, open).await;
    done(&requester, secret).await;

    let key = key(&requester, secret).await;
    let parts = requester.outputs(secret).await.unwrap().main;
    let parts = parts.iter().map(|part| requester.bytes(&part.digest));
    let opened = parts.map(|part| key.open(&part.unwrap()).unwrap());
    let opened = opened.collect::<Vec<_>>().concat();
    assert_eq!(opened, output(&requester, open).await);
    let file = requester.receipt(secret).await.unwrap();
    let receipt = JobReceipt::from_file(&file).unwrap();
    let salted = |unit: &Receipt| unit.work.program != followers(&requester).program;
    assert!(receipt.units.iter().all(salted));
}

/// Passes a connection on, and keeps all that goes through it.
struct Tap {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tap = Self {
            address: listener.local_addr().unwrap(),
            heard: Arc::default(),
        };
        let heard = tap.heard.clone();
        thread::spawn(move || {
            for ours in listener.incoming().flatten() {
                let theirs = TcpStream::connect(target).unwrap();
                let back = (theirs.try_clone().unwrap(), ours.try_clone().unwrap());
                for (from, to) in [(ours, theirs), back] {
                    let heard = heard.clone();
                    thread::spawn(move || pass(from, to, &heard));
                }
            }
        });
        tap
    }
}

/// Until either end closes.
fn pass(mut from: TcpStream, mut to: TcpStream, heard: &Mutex<Vec<u8>>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        heard.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
}

/// One provider, which keeps the ledger too, reached through a tap alone.
async fn wire() {
    let mut world = World::new(launcher());
    let provider = world.provider("provider").await;
    let listens = provider.addresses().await.swap_remove(0);
    let port = listens.split('/').nth(4).unwrap().parse().unwrap();
    let tap = Tap::to(SocketAddr::from(([127, 0, 0, 1], port)));
    let through = listens.replace(
        &format!("/tcp/{port}/"),
        &format!("/tcp/{}/", tap.address.port()),
    );
    world.settle_at(&provider, through);
    let requester = world.requester("requester").await;
    assert!(matches!(requester.config().ledger, LedgerConfig::At(_)));
    offers(&requester, 1).await;

    let input = input();
    let mut work = letters(&requester);
    let digest = requester.put(&input).unwrap();
    work.inputs.insert(names::INPUT.into(), digest);
    let plan = Plan::Single(Box::new(work));
    for wish in [wish(plan.clone(), 1), encrypted(plan, 1)] {
        let before = tap.heard.lock().unwrap().len();
        let job = requester.submit(wish).await.unwrap();
        done(&requester, job).await;
        // It did go through the tap.
        let carried = async || tap.heard.lock().unwrap().len() >= before + input.len();
        until("the input was carried", carried).await;
    }
    let heard = tap.heard.lock().unwrap().clone();
    assert!(!contains(&heard, NEEDLE), "the input is on the wire");
    assert!(!contains(&heard, &JOB[JOB.len() / 2..][..64]));
    // What is not secret is: else nothing was recorded as it went.
    assert!(contains(&heard, b"/noise"));
}
