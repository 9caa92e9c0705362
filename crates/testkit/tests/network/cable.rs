//! Bad lines: loss, delay, and a cable that is cut in the middle of a job.

use std::{net::Ipv4Addr, process::Command};

use crate::{
    apart::{is_apart, run},
    net::{Net, text},
    process::opensky,
};

const ONE: &str = "one";
const TWO: &str = "two";
/// This machine's end of all cables.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

fn must(line: &str) {
    run(line).unwrap();
}

/// A ledger and a requester here, and providers each in a network namespace of its own, on a cable.
fn network() -> Net {
    // Names of namespaces are files: these are gone with this process, too.
    must("mkdir -p /run/netns");
    must("mount -t tmpfs tmpfs /run/netns");
    must("ip link set lo up");
    must("ip link add cables type bridge");
    must(&format!("ip addr add {HERE}/24 dev cables"));
    must("ip link set cables up");
    let mut net = Net::empty(HERE.into());
    net.begin_all(&[]);
    for (number, name) in (2..).zip([ONE, TWO]) {
        let address = Ipv4Addr::new(10, 77, 0, number);
        must(&format!("ip netns add {name}"));
        must(&format!(
            "ip link add to-{name} type veth peer name there netns {name}"
        ));
        must(&format!("ip link set to-{name} master cables up"));
        must(&format!("ip -n {name} addr add {address}/24 dev there"));
        must(&format!("ip -n {name} link set there up"));
        must(&format!("ip -n {name} link set lo up"));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", name]).arg(opensky());
        net.begin_with(name, command, address.into());
    }
    net.wait_for_offers(2);
    net
}

#[test]
fn job_ends_right_over_bad_lines_and_when_a_cable_is_cut() {
    let name = "cable::job_ends_right_over_bad_lines_and_when_a_cable_is_cut";
    if !is_apart(name, &["--net", "--mount"]) {
        return;
    }
    let mut net = network();
    let large = text(8 << 20, 1);
    let job = net.submit(&large, 1, 2);
    for provider in [ONE, TWO] {
        net.wait_past(job, provider, &["asked"]);
    }
    must("ip link set to-one down");
    net.wait_past(job, TWO, &["asked", "runs it"]);
    must("ip link set to-one up");
    net.ends(job, &large);

    let bad = "netem delay 40ms 10ms loss 3%";
    let make = |name: &str| run(&format!("tc qdisc add dev to-{name} root {bad}"));
    match [ONE, TWO].map(make).into_iter().collect::<Result<(), _>>() {
        Ok(()) => {}
        Err(error) => println!("without loss and delay, which this system does not have: {error}"),
    }
    let small = text(1 << 20, 2);
    let job = net.submit(&small, 2, 2);
    net.ends(job, &small);
    net.adds_up();
}
