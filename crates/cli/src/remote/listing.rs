//! Prints a list that a node gives in pages.

use opensky_api::Time;
use serde::Serialize;
use serde_json::json;

use super::moment;
use crate::term::{self, DIM, Format, PLAIN};

/// Prints the items, called `name` in JSON, and whether there are more. `none` is what people are told
/// where there are none; else they see the table's heading.
pub fn print<T: Serialize>(
    name: &str,
    (items, more): (Vec<T>, bool),
    format: Format,
    table: impl FnOnce(&[T], Time) -> String,
    none: Option<&str>,
) -> anyhow::Result<()> {
    match (format, none) {
        (Format::Json, _) => {
            term::json_to_stdout(&json!({ (name): items, "more": more }))?;
        }
        (Format::Text, Some(none)) if items.is_empty() => term::to_stderr(none),
        (Format::Text, _) => {
            term::to_stdout(&table(&items, moment::now()))?;
            if more {
                term::to_stderr(&format!("  {DIM}… and more: --limit N{PLAIN}\n"));
            }
        }
    }
    Ok(())
}
