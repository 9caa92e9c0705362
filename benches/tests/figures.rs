//! The benchmarks themselves run, what they compare agrees, and they say what they should say.

use std::{collections::BTreeMap, process::Command};

/// What the benchmark of the sandbox is for: other tools look for these names.
const SANDBOX: &[&str] = &[
    "profile_vs_plain_geomean",
    "profile_vs_plain_worst",
    "profile_vs_native_geomean",
    "guest_ns_per_fuel_median",
    "host_vs_guest_worst",
    "noop_unit_us_p50",
    "noop_vs_plain",
    "noop_units_per_s_core",
    "worker_noop_unit_us_batch1",
    "worker_noop_unit_us_batch100",
    "worker_noop_unit_us_batch1000",
    "compile_mb_per_s",
    "cached_start_us",
    "resident_kib_per_idle_slot",
    "sign_us_single",
    "sign_us_per_unit_batch_1000",
];

/// What the benchmark of the network is for.
const NETWORK: &[&str] = &[
    "blob_transfer_mib_per_s",
    "blob_transfer_vs_stream",
    "stream_vs_raw_tcp",
    "ask_us_p50",
    "ask_us_p99",
    "fsync_ms_p50",
    "verified_result_ms_p50",
    "verified_result_ms_p99",
    "collected_result_ms_p50",
    "collected_result_ms_p99",
    "verified_units_per_s",
    "whole_job_units_per_s",
    "offers_known_ms",
    "devnet_ready_s",
    "devnet_first_result_s",
    "offers_lookup_ms",
];

#[test]
fn quick_run_agrees_and_prints_every_figure() {
    prints(env!("CARGO_BIN_EXE_executor"), SANDBOX);
}

#[test]
fn quick_run_of_the_network_prints_every_figure() {
    prints(env!("CARGO_BIN_EXE_network"), NETWORK);
}

fn prints(benchmark: &str, names: &[&str]) {
    let output = Command::new(benchmark)
        .arg("--quick")
        .output()
        .expect("the benchmark starts");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complaints}");
    let figures: BTreeMap<&str, f64> = printed
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name, value.parse().ok()?))
        })
        .collect();
    for name in names {
        let value = figures
            .get(name)
            .unwrap_or_else(|| panic!("no {name}:\n{printed}"));
        assert!(value.is_finite() && *value > 0.0, "{name}: {value}");
    }
}
