//! The benchmark itself runs, all its variants agree, and it says what it should say.

use std::{collections::BTreeMap, process::Command};

/// What the benchmark is for: other tools look for these names.
const FIGURES: &[&str] = &[
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

#[test]
fn quick_run_agrees_and_prints_every_figure() {
    let output = Command::new(env!("CARGO_BIN_EXE_executor"))
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
