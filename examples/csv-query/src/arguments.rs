//! The command line.
use crate::query::{Comparison, Condition, Query};

/// What `--help` prints, and what comes with every complaint.
pub(crate) const HELP: &str = "\
usage: csv-query [OPTIONS] [FILE]

Asks a CSV file (standard input without FILE, first line = names) and prints a table.

  --select A,B      these columns, in this order
  --where A=V       only rows where column A is V; also !=, <, <=, >, >=
                    (as numbers where both are numbers); all of several hold
  --group-by A      one row for each value of A, with the number of rows
  --sum B           with --group-by: the sum of column B; may be given again
  --sort A          by this column of the result; --sort -A the other way round
  --limit N         at most N rows
  --help            this text";

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Arguments {
    Help,
    Query { file: Option<String>, query: Query },
}

/// Arguments that make no sense.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum BadArguments {
    #[error("there is no option {0}")]
    Unknown(String),
    #[error("{0} needs a value after it")]
    Valueless(String),
    #[error("--where {0} is no comparison such as column=value")]
    NoComparison(String),
    #[error("--limit {0} is no number")]
    NoNumber(String),
    #[error("--sum goes with --group-by")]
    SumAlone,
    #[error("--select and --group-by exclude each other: a group's columns are given")]
    SelectGroups,
    #[error("there is more than one file: {0} and {1}")]
    SecondFile(String, String),
}

/// Reads the arguments, without the program's name.
pub(crate) fn parse(
    mut arguments: impl Iterator<Item = String>,
) -> Result<Arguments, BadArguments> {
    let mut file = None;
    let mut query = Query::default();
    while let Some(argument) = arguments.next() {
        if argument == "--help" {
            return Ok(Arguments::Help);
        }
        if !argument.starts_with("--") {
            if let Some(first) = file.replace(argument.clone()) {
                return Err(BadArguments::SecondFile(first, argument));
            }
            continue;
        }
        let (option, value) = match argument.split_once('=') {
            Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || {
            let value = value.clone().or_else(|| arguments.next());
            value.ok_or_else(|| BadArguments::Valueless(option.clone()))
        };
        match option.as_str() {
            "--select" => query.select = Some(value()?.split(',').map(str::to_owned).collect()),
            "--where" => query.conditions.push(condition(value()?)?),
            "--group-by" => query.group_by = Some(value()?),
            "--sum" => query.sums.push(value()?),
            "--sort" => query.sort = Some(value()?),
            "--limit" => query.limit = Some(limit(value()?)?),
            _ => return Err(BadArguments::Unknown(option)),
        }
    }
    check(&query)?;
    Ok(Arguments::Query { file, query })
}

fn check(query: &Query) -> Result<(), BadArguments> {
    if query.group_by.is_none() && !query.sums.is_empty() {
        return Err(BadArguments::SumAlone);
    }
    if query.group_by.is_some() && query.select.is_some() {
        return Err(BadArguments::SelectGroups);
    }
    Ok(())
}

fn limit(value: String) -> Result<usize, BadArguments> {
    value.parse().map_err(|_| BadArguments::NoNumber(value))
}

fn condition(text: String) -> Result<Condition, BadArguments> {
    // Longer signs first: `<=` is not `<` and a value that begins with `=`.
    const SIGNS: [(&str, Comparison); 6] = [
        ("!=", Comparison::Differs),
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("=", Comparison::Is),
        ("<", Comparison::Below),
        (">", Comparison::Above),
    ];
    let at = text.find(['!', '<', '>', '=']);
    let found = at.and_then(|at| {
        let sign = SIGNS.iter().find(|(sign, _)| text[at..].starts_with(sign));
        sign.map(|(sign, comparison)| (at, sign.len(), *comparison))
    });
    match found {
        Some((at, len, comparison)) if at > 0 => Ok(Condition {
            column: text[..at].to_owned(),
            comparison,
            value: text[at + len..].to_owned(),
        }),
        _ => Err(BadArguments::NoComparison(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments, BadArguments> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_come_in_any_order_and_in_both_forms() {
        let spaced = parsed("--select a,b data.csv --where c>=2 --sort -a --limit 3");
        let joined = parsed("--limit=3 --sort=-a --where=c>=2 --select=a,b data.csv");
        assert_eq!(spaced, joined);
        let condition = Condition {
            column: "c".into(),
            comparison: Comparison::AtLeast,
            value: "2".into(),
        };
        let query = Query {
            select: Some(vec!["a".into(), "b".into()]),
            conditions: vec![condition],
            sort: Some("-a".into()),
            limit: Some(3),
            ..Query::default()
        };
        assert_eq!(
            spaced,
            Ok(Arguments::Query {
                file: Some("data.csv".into()),
                query
            })
        );
        assert_eq!(parsed("--group-by a --help"), Ok(Arguments::Help));
    }

    #[test]
    fn every_comparison_is_told_apart() {
        for (text, comparison, value) in [
            ("a=b=c", Comparison::Is, "b=c"),
            ("a!=b", Comparison::Differs, "b"),
            ("a<1", Comparison::Below, "1"),
            ("a<=1", Comparison::AtMost, "1"),
            ("a>", Comparison::Above, ""),
            ("a>=1", Comparison::AtLeast, "1"),
        ] {
            let expected = Condition {
                column: "a".into(),
                comparison,
                value: value.into(),
            };
            assert_eq!(condition(text.into()), Ok(expected));
        }
    }

    #[test]
    fn arguments_without_sense_are_refused() {
        for (line, refused) in [
            ("--colour x", BadArguments::Unknown("--colour".into())),
            ("--select", BadArguments::Valueless("--select".into())),
            ("--where ab", BadArguments::NoComparison("ab".into())),
            ("--where =b", BadArguments::NoComparison("=b".into())),
            ("--where a!b", BadArguments::NoComparison("a!b".into())),
            ("--limit some", BadArguments::NoNumber("some".into())),
            ("--sum a", BadArguments::SumAlone),
            ("--select a --group-by b", BadArguments::SelectGroups),
            (
                "one two",
                BadArguments::SecondFile("one".into(), "two".into()),
            ),
        ] {
            assert_eq!(parsed(line), Err(refused), "{line}");
        }
    }
}
