//! The benchmark itself runs, results are right, and it says what it should say.

use std::{collections::BTreeMap, process::Command};

/// What the benchmark is for: other tools look for these names.
const FIGURES: &[&str] = &[
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
fn quick_run_prints_every_figure() {
    let output = Command::new(env!("CARGO_BIN_EXE_network"))
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
    for name in FIGURES {
        let value = figures
            .get(name)
            .unwrap_or_else(|| panic!("no {name}:\n{printed}"));
        assert!(value.is_finite() && *value > 0.0, "{name}: {value}");
    }
}
