//! The census as a table that a person wants to read.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::Value;

/// The crates with the most that is unsafe: as many as fit on a screen.
const SHOWN: usize = 15;

/// Heading and the field of the report that is under it.
const COLUMNS: [(&str, &str); 6] = [
    ("files", "files"),
    ("lines", "lines"),
    ("blocks", "unsafe_blocks"),
    ("fns", "unsafe_fns"),
    ("impls", "unsafe_impls"),
    ("traits", "unsafe_traits"),
];

/// Reads the job's output, one JSON document, and lays it out.
pub fn table(output: &[u8]) -> anyhow::Result<String> {
    let report: Value = serde_json::from_slice(output).context("the output is not JSON")?;
    let crates = report["by_crate"].as_array().context("no list of crates")?;
    let mut rows = vec![heading()];
    for one in crates.iter().take(SHOWN) {
        let name = one["name"].as_str().context("a crate without a name")?;
        rows.push(row(name.to_owned(), one)?);
    }
    if let Some(more) = crates.len().checked_sub(SHOWN + 1) {
        rows.push(vec![format!("… {} more", more + 1)]);
    }
    rows.push(row(format!("{} crates", crates.len()), &report["total"])?);
    let with = number(&report, "crates_with_unsafe")?;
    let broken = number(&report["total"], "broken_archives")?;
    let unparsed = number(&report["total"], "unparsed_files")?;
    Ok(format!(
        "{}\n{with} of {} crates have something unsafe in them; {unparsed} files could not be parsed, \
         {broken} archives were broken.\n",
        laid_out(&rows),
        crates.len(),
    ))
}

fn heading() -> Vec<String> {
    let titles = COLUMNS.iter().map(|(title, _)| *title);
    std::iter::once("unsafe in")
        .chain(titles)
        .map(str::to_owned)
        .collect()
}

fn row(name: String, counts: &Value) -> anyhow::Result<Vec<String>> {
    let numbers = COLUMNS.iter().map(|(_, field)| number(counts, field));
    let mut row = vec![name];
    for number in numbers {
        row.push(grouped(number?));
    }
    Ok(row)
}

fn number(counts: &Value, field: &str) -> anyhow::Result<u64> {
    counts[field]
        .as_u64()
        .with_context(|| format!("no number `{field}` in the output"))
}

/// Names to the left, numbers to the right.
fn laid_out(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let names = width(0);
    let mut text = String::new();
    for row in rows {
        let name = row.first().map_or("", String::as_str);
        let mut line = format!("{name:<names$}");
        for (column, cell) in row.iter().enumerate().skip(1) {
            let width = width(column);
            write!(line, "  {cell:>width$}").expect("writing to a string cannot fail");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// 3492239 is hard to read: 3 492 239.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(name: &str, blocks: u64) -> Value {
        serde_json::json!({
            "name": name, "files": 1, "lines": 1234, "unsafe_blocks": blocks, "unsafe_fns": 0,
            "unsafe_impls": 0, "unsafe_traits": 0, "unparsed_files": 0, "broken_archives": 0,
        })
    }

    fn shown(crates: &[Value]) -> String {
        let report = serde_json::json!({
            "crates": crates.len(), "crates_with_unsafe": 1, "total": counts("", 1_000_000),
            "by_crate": crates,
        });
        table(report.to_string().as_bytes()).expect("a whole report")
    }

    #[test]
    fn table_is_aligned_and_grouped() {
        assert_eq!(
            shown(&[counts("bold-2.1.0", 999), counts("calm-1.0.0", 0)]),
            "\
unsafe in   files  lines     blocks  fns  impls  traits
bold-2.1.0      1  1 234        999    0      0       0
calm-1.0.0      1  1 234          0    0      0       0
2 crates        1  1 234  1 000 000    0      0       0

1 of 2 crates have something unsafe in them; 0 files could not be parsed, 0 archives were broken.
"
        );
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let crates = vec![counts("a-1.0.0", 1); SHOWN + 2];
        assert!(shown(&crates).contains("\n… 2 more\n17 crates "));
        assert!(!shown(&crates[..SHOWN]).contains("more"));
    }

    #[test]
    fn output_of_another_program_is_an_error() {
        assert!(table(b"Hello").is_err());
        assert!(table(b"{}").is_err());
    }
}
