//! JSON, parsed and written again: allocation, branches, and numbers as text.

use serde_json::{Value, json};

use crate::seeded::{Seeded, checksum};

/// The checksum of a document of `records` records, written, parsed, changed and written again.
pub fn json(records: u32) -> u64 {
    let mut seeded = Seeded::new(records);
    let records: Vec<Value> = (0..records).map(|id| record(id, &mut seeded)).collect();
    let text = Value::from(records).to_string();
    let mut parsed: Value = serde_json::from_str(&text).expect("what was written can be read");
    for record in parsed.as_array_mut().into_iter().flatten() {
        let total = record["scores"].as_array().into_iter().flatten();
        record["total"] = total.filter_map(Value::as_f64).sum::<f64>().into();
    }
    checksum(parsed.to_string().bytes().map(u64::from))
}

fn record(id: u32, seeded: &mut Seeded) -> Value {
    let scores: Vec<f64> = (0..6)
        .map(|_| f64::from(seeded.below(1 << 30)) / 1024.0)
        .collect();
    json!({
        "id": id,
        "name": format!("record \"{:x}\"\n", seeded.next()),
        "active": seeded.below(2) == 1,
        "scores": scores,
        "nested": { "left": null, "right": [id, id / 2, seeded.below(1_000)] },
    })
}
