//! Bad cables: one that is cut in the middle of a job, long ones, and jobs of hundreds of units where each
//! cable loses one frame in twenty.

use std::{collections::BTreeMap, net::Ipv4Addr, process::Command, time::Duration};

use opensky_api::{JobId, Plan};

use crate::{
    apart::{is_apart, skip},
    books::{LEDGER, REQUESTER},
    hub::{Hub, Quality, namespace, obstacle},
    net::{Net, Transport, text},
    process::opensky,
};

const ONE: &str = "one";
const TWO: &str = "two";
const THREE: &str = "three";
/// The requester's end of its cable, and the others'.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const THERE: [(&str, Ipv4Addr); 4] = [
    (LEDGER, Ipv4Addr::new(10, 77, 0, 2)),
    (ONE, Ipv4Addr::new(10, 77, 0, 3)),
    (TWO, Ipv4Addr::new(10, 77, 0, 4)),
    (THREE, Ipv4Addr::new(10, 77, 0, 5)),
];

/// From node to node one frame in ten is lost: a twentieth on each of two cables.
const BAD: Quality = Quality {
    delay: Duration::from_millis(5),
    loss: 5,
};
/// From node to node 50 milliseconds.
const LATE: Quality = Quality {
    delay: Duration::from_millis(25),
    loss: 0,
};

/// Units that each provider runs at once: enough that most of the time several are on their way.
const CORES: u16 = 16;

const MAP_REDUCE: &[u8] = include_bytes!("../../corpus/rust-job/map-reduce.wasm");
/// Map units of a job.
const SHARDS: usize = 200;
const SHARD: usize = 256;

/// A requester here, and a ledger and these providers each in a network namespace of its own.
fn network(transport: Transport, quality: Quality, providers: &[&str]) -> (Net, Hub) {
    let hub = Hub::lay(HERE, &THERE);
    hub.set(quality);
    let mut net = Net::empty(HERE.into(), transport).with_cores(CORES);
    let is_wanted = |name: &str| name == LEDGER || providers.contains(&name);
    for (name, address) in THERE.into_iter().filter(|(name, _)| is_wanted(name)) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", namespace(name)));
        command.arg(opensky());
        net.begin_with(name, command, address.into());
    }
    net.begin(REQUESTER);
    net.wait_for_offers(providers.len());
    (net, hub)
}

/// Whether this is the run of a test in which cables can be laid.
fn has_cables(test: &str) -> bool {
    match obstacle() {
        Some(obstacle) => {
            skip(&format!("no cables: {obstacle}"));
            false
        }
        None => is_apart(test, &["--net", "--mount"]),
    }
}

/// A job of hundreds of units ends right, and the hub has really lost something meanwhile.
fn bears_bad_cables(mut net: Net, hub: &Hub, transport: Transport) {
    let before = hub.count();
    let shards: Vec<_> = (0..SHARDS).map(|at| text(SHARD, at as u8)).collect();
    let job = submit(&mut net, &shards);
    let output = net.output(job);
    let mut lines: Vec<_> = output.lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, followers(&shards));
    let summary = net.job(job).summary;
    assert!(summary.verified >= Some(2), "{summary:?}");
    net.adds_up();
    let after = hub.count();
    let (carried, lost) = (after.0 - before.0, after.1 - before.1);
    println!("{transport:?}, {BAD:?}: {lost} frames were lost, and {carried} were not");
    // 9.75 in 100 are drawn.
    assert!(lost * 20 > carried, "too few are lost to prove anything");
}

fn submit(net: &mut Net, shards: &[Vec<u8>]) -> JobId {
    let inputs = shards.iter().map(|shard| net.put(shard)).collect();
    let plan = Plan::Map {
        inputs,
        partitions: 1,
    };
    net.submit_plan(MAP_REDUCE, plan, 0, 2)
}

/// What the guest says of the shards, by its sources: of each byte how often one follows it, and the mean
/// of their roots. Added up in the guest's order, so that it is the same to the last bit; sorted.
fn followers(shards: &[Vec<u8>]) -> Vec<String> {
    let mut all: BTreeMap<u8, (u32, f64)> = BTreeMap::new();
    for shard in shards {
        let mut own: BTreeMap<u8, (u32, f64)> = BTreeMap::new();
        for pair in shard.windows(2) {
            let (count, roots) = own.entry(pair[0]).or_default();
            *count += 1;
            *roots += f64::from(pair[1]).sqrt();
        }
        for (byte, (count, roots)) in own {
            let sum = all.entry(byte).or_default();
            *sum = (sum.0 + count, sum.1 + roots);
        }
    }
    let line = |(byte, (count, roots)): (u8, (u32, f64))| {
        format!("{byte} {count} {}", roots / f64::from(count))
    };
    let mut lines: Vec<_> = all.into_iter().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn job_ends_right_when_a_cable_is_cut_and_over_long_cables() {
    if !has_cables("cable::job_ends_right_when_a_cable_is_cut_and_over_long_cables") {
        return;
    }
    let (mut net, hub) = network(Transport::Tcp, Quality::GOOD, &[ONE, TWO]);
    let large = text(8 << 20, 1);
    let job = net.submit(&large, 1, 2);
    for provider in [ONE, TWO] {
        net.wait_past(job, provider, &["asked"]);
    }
    hub.cut(ONE);
    net.wait_past(job, TWO, &["asked", "runs it"]);
    hub.mend(ONE);
    net.ends(job, &large);

    hub.set(LATE);
    let small = text(1 << 20, 2);
    let job = net.submit(&small, 2, 2);
    net.ends(job, &small);
    net.adds_up();
}

#[test]
fn hundreds_of_units_end_right_over_bad_cables_by_tcp() {
    if !has_cables("cable::hundreds_of_units_end_right_over_bad_cables_by_tcp") {
        return;
    }
    let (net, hub) = network(Transport::Tcp, BAD, &[ONE, TWO, THREE]);
    bears_bad_cables(net, &hub, Transport::Tcp);
}

#[test]
fn hundreds_of_units_end_right_over_bad_cables_by_quic() {
    if !has_cables("cable::hundreds_of_units_end_right_over_bad_cables_by_quic") {
        return;
    }
    let (net, hub) = network(Transport::Quic, BAD, &[ONE, TWO, THREE]);
    bears_bad_cables(net, &hub, Transport::Quic);
}
