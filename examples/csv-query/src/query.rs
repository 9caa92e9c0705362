//! The query: which rows and columns, and what is made of them.
use std::{cmp::Ordering, collections::BTreeMap, io::Read};

use csv::StringRecord;

/// What to ask.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Query {
    pub(crate) select: Option<Vec<String>>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) group_by: Option<String>,
    pub(crate) sums: Vec<String>,
    /// A column of the result; after a `-`, the other way round.
    pub(crate) sort: Option<String>,
    pub(crate) limit: Option<usize>,
}

/// What a row must fulfil.
#[derive(Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) column: String,
    pub(crate) comparison: Comparison,
    pub(crate) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Comparison {
    Is,
    Differs,
    Below,
    AtMost,
    Above,
    AtLeast,
}

/// Data that cannot be read, or does not have what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadData {
    #[error("cannot read the data: {0}")]
    Csv(#[from] csv::Error),
    #[error("there is no column {column}; there are {}", .present.join(", "))]
    NoColumn {
        column: String,
        present: Vec<String>,
    },
    #[error("line {line}: {value:?} in column {column} is no number")]
    NoNumber {
        line: u64,
        column: String,
        value: String,
    },
}

/// Names of columns, and rows of as many fields.
type Answer = (Vec<String>, Vec<Vec<String>>);

/// Asks the data.
pub(crate) fn run(query: &Query, data: impl Read) -> Result<Answer, BadData> {
    let mut reader = csv::Reader::from_reader(data);
    let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let conditions = query.conditions.iter();
    let conditions = conditions
        .map(|condition| Ok((find(&names, &condition.column)?, condition)))
        .collect::<Result<Vec<_>, BadData>>()?;
    let holds = |row: &StringRecord| {
        conditions
            .iter()
            .all(|(column, condition)| condition.holds(&row[*column]))
    };
    let rows = reader
        .records()
        .filter(|row| row.as_ref().map_or(true, holds));
    let (header, mut rows) = match &query.group_by {
        Some(column) => group(&names, column, &query.sums, rows)?,
        None => select(&names, query.select.as_deref().unwrap_or(&names), rows)?,
    };
    if let Some(sort) = &query.sort {
        sort_by(&header, sort, &mut rows)?;
    }
    rows.truncate(query.limit.unwrap_or(usize::MAX));
    Ok((header, rows))
}

fn select(
    names: &[String],
    selected: &[String],
    rows: impl Iterator<Item = csv::Result<StringRecord>>,
) -> Result<Answer, BadData> {
    let columns = selected
        .iter()
        .map(|name| find(names, name))
        .collect::<Result<Vec<_>, _>>()?;
    let pick = |row: StringRecord| {
        columns
            .iter()
            .map(|&column| row[column].to_owned())
            .collect()
    };
    let rows = rows
        .map(|row| Ok(pick(row?)))
        .collect::<Result<_, BadData>>()?;
    Ok((selected.to_vec(), rows))
}

fn group(
    names: &[String],
    by: &str,
    sums: &[String],
    rows: impl Iterator<Item = csv::Result<StringRecord>>,
) -> Result<Answer, BadData> {
    let key = find(names, by)?;
    let columns = sums
        .iter()
        .map(|name| find(names, name))
        .collect::<Result<Vec<_>, _>>()?;
    let mut groups: BTreeMap<String, (u64, Vec<f64>)> = BTreeMap::new();
    for row in rows {
        let row = row?;
        let group = groups.entry(row[key].to_owned());
        let (count, totals) = group.or_insert_with(|| (0, vec![0.0; columns.len()]));
        *count += 1;
        for (total, &column) in totals.iter_mut().zip(&columns) {
            *total += number(&row[column]).ok_or_else(|| BadData::NoNumber {
                line: row.position().map_or(0, csv::Position::line),
                column: names[column].clone(),
                value: row[column].to_owned(),
            })?;
        }
    }
    let header = [by.to_owned(), "count".to_owned()].into_iter();
    let header = header
        .chain(sums.iter().map(|name| format!("sum({name})")))
        .collect();
    let row = |(value, (count, totals)): (String, (u64, Vec<f64>))| {
        let fixed = [value, count.to_string()].into_iter();
        fixed.chain(totals.iter().map(f64::to_string)).collect()
    };
    Ok((header, groups.into_iter().map(row).collect()))
}

fn sort_by(header: &[String], sort: &str, rows: &mut [Vec<String>]) -> Result<(), BadData> {
    match (find(header, sort), sort.strip_prefix('-')) {
        (Err(_), Some(name)) => {
            let column = find(header, name)?;
            rows.sort_by(|a, b| compare(&b[column], &a[column]));
        }
        (column, _) => {
            let column = column?;
            rows.sort_by(|a, b| compare(&a[column], &b[column]));
        }
    }
    Ok(())
}

fn find(names: &[String], column: &str) -> Result<usize, BadData> {
    let missing = || BadData::NoColumn {
        column: column.to_owned(),
        present: names.to_vec(),
    };
    names
        .iter()
        .position(|name| name == column)
        .ok_or_else(missing)
}

impl Condition {
    fn holds(&self, field: &str) -> bool {
        let order = compare(field, &self.value);
        match self.comparison {
            Comparison::Is => order.is_eq(),
            Comparison::Differs => order.is_ne(),
            Comparison::Below => order.is_lt(),
            Comparison::AtMost => order.is_le(),
            Comparison::Above => order.is_gt(),
            Comparison::AtLeast => order.is_ge(),
        }
    }
}

/// Numbers by value and before all text, text by its bytes.
fn compare(a: &str, b: &str) -> Ordering {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// `-0` is `0`, and words such as `nan` are text.
fn number(field: &str) -> Option<f64> {
    let number = field
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite());
    number.map(|number| number + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOWNS: &str =
        "town,country,people\nBern,CH,134.5\nLyon,FR,520\n\"Nice, la\",FR,342\nUri,CH,9\n";

    fn lines(query: &Query) -> Result<Vec<String>, BadData> {
        let (header, rows) = run(query, TOWNS.as_bytes())?;
        Ok([header]
            .into_iter()
            .chain(rows)
            .map(|row| row.join("|"))
            .collect())
    }

    fn condition(column: &str, comparison: Comparison, value: &str) -> Condition {
        Condition {
            column: column.into(),
            comparison,
            value: value.into(),
        }
    }

    #[test]
    fn rows_and_columns_are_picked() {
        let query = Query {
            select: Some(vec!["people".into(), "town".into()]),
            conditions: vec![
                condition("country", Comparison::Is, "FR"),
                condition("people", Comparison::Below, "1000"),
            ],
            ..Query::default()
        };
        assert_eq!(
            lines(&query).expect("all columns exist"),
            ["people|town", "520|Lyon", "342|Nice, la"]
        );
    }

    #[test]
    fn groups_are_counted_and_summed() {
        let query = Query {
            group_by: Some("country".into()),
            sums: vec!["people".into()],
            sort: Some("-sum(people)".into()),
            ..Query::default()
        };
        let expected = ["country|count|sum(people)", "FR|2|862", "CH|2|143.5"];
        assert_eq!(lines(&query).expect("all columns exist"), expected);
    }

    #[test]
    fn numbers_sort_by_value_and_a_limit_cuts() {
        let query = Query {
            select: Some(vec!["people".into()]),
            sort: Some("people".into()),
            limit: Some(3),
            ..Query::default()
        };
        assert_eq!(
            lines(&query).expect("all columns exist"),
            ["people", "9", "134.5", "342"]
        );
    }

    #[test]
    fn comparisons_hold_as_numbers_or_as_text() {
        let holds = |field, comparison, value| condition("", comparison, value).holds(field);
        assert!(holds("9", Comparison::Below, "10") && holds("1.0", Comparison::Is, "1"));
        assert!(holds("b", Comparison::Above, "a") && holds("x", Comparison::Differs, "1"));
        assert!(holds("-0", Comparison::Is, "0") && holds("10", Comparison::AtLeast, "10"));
        assert!(!holds("11", Comparison::AtMost, "10"));
    }

    #[test]
    fn what_the_data_does_not_have_is_named() {
        let missing = Query {
            sort: Some("height".into()),
            ..Query::default()
        };
        let error = lines(&missing)
            .expect_err("there is no such column")
            .to_string();
        assert_eq!(
            error,
            "there is no column height; there are town, country, people"
        );
        let text = Query {
            group_by: Some("country".into()),
            sums: vec!["town".into()],
            ..Query::default()
        };
        let error = lines(&text).expect_err("a town is no number").to_string();
        assert_eq!(error, "line 2: \"Bern\" in column town is no number");
        let ragged = run(&Query::default(), "a,b\n1\n".as_bytes());
        assert!(matches!(ragged, Err(BadData::Csv(_))));
    }
}
