//! The core's rows in this node's file.

use std::collections::BTreeMap;

use opensky_core::{Row, Submission, Table as Named};
use opensky_protocol::{Digest, Reveal, codec};
use opensky_storage::{Row as Stored, Rows, RowsError, Table};

/// Where each of the core's tables is.
fn table(named: Named) -> Table {
    match named {
        Named::Submissions => const { Table::new("submissions-2") },
        Named::Jobs => const { Table::new("jobs-1") },
        Named::Units => const { Table::new("units-1") },
        Named::Results => const { Table::new("results-1") },
        Named::Purses => const { Table::new("purses-1") },
        Named::Standings => const { Table::new("standings-1") },
        Named::Orders => const { Table::new("orders-1") },
        Named::Done => const { Table::new("done-1") },
        Named::Summons => const { Table::new("summons-1") },
        Named::Earnings => const { Table::new("earnings-2") },
        Named::Paid => const { Table::new("paid-1") },
        Named::Requesters => const { Table::new("requesters-1") },
        Named::Past => const { Table::new("past-1") },
    }
}

/// A batch as the file takes it.
pub(crate) fn stored(rows: Vec<Row>) -> Vec<Stored> {
    let stored = |row: Row| Stored {
        table: table(row.table),
        key: row.key,
        value: row.value,
    };
    rows.into_iter().map(stored).collect()
}

/// Submissions as they were before one said which deployment named it.
const OLD_SUBMISSIONS: Table = Table::new("submissions-1");

/// Writes rows of an earlier version as those of this one.
fn renew(rows: &Rows) -> Result<(), RowsError> {
    let mut batch = Vec::new();
    for row in rows.load_all(OLD_SUBMISSIONS)? {
        let (key, mut value) = row?;
        value.extend(codec::encode(&None::<Digest>));
        let old = Stored {
            table: OLD_SUBMISSIONS,
            key: key.clone(),
            value: None,
        };
        let new = Stored {
            table: table(Named::Submissions),
            key,
            value: Some(value),
        };
        batch.extend([old, new]);
    }
    match batch.is_empty() {
        true => Ok(()),
        false => rows.commit(batch),
    }
}

/// All that the core has written.
pub(crate) fn load(rows: &Rows) -> Result<Vec<Row>, RowsError> {
    renew(rows)?;
    let mut all = Vec::new();
    for named in Named::ALL {
        for row in rows.load_all(table(named))? {
            let (key, value) = row?;
            all.push(Row {
                table: named,
                key,
                value: Some(value),
            });
        }
    }
    Ok(all)
}

/// What was agreed on for the units of a job, by their places in its plan.
pub(crate) fn results(rows: &Rows, job: &Digest) -> Result<BTreeMap<u32, Reveal>, RowsError> {
    let mut results = BTreeMap::new();
    for row in rows.load(table(Named::Results), &job.0)? {
        let (key, value) = row?;
        let place = codec::decode::<(Digest, [u8; 4])>(&key);
        // A row of another form was written by another version.
        if let (Ok((_, place)), Ok(result)) = (place, codec::decode(&value)) {
            results.insert(u32::from_be_bytes(place), result);
        }
    }
    Ok(results)
}

/// What was asked for, if the job is not forgotten.
pub(crate) fn submission(rows: &Rows, job: &Digest) -> Result<Option<Submission>, RowsError> {
    let mut found = rows.load(table(Named::Submissions), &job.0)?;
    let row = found.next().transpose()?;
    Ok(row.and_then(|(_, value)| codec::decode(&value).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_an_earlier_version_are_renewed_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let rows = Rows::open(&folder.path().join("rows.redb")).expect("a new file");
        let old = Stored {
            table: OLD_SUBMISSIONS,
            key: vec![7; 32],
            value: Some(vec![1, 2, 3]),
        };
        rows.commit(vec![old]).expect("written");
        for _ in 0..2 {
            let all = load(&rows).expect("read");
            let [row] = &all[..] else {
                panic!("{all:?}");
            };
            assert_eq!((row.table, &row.key), (Named::Submissions, &vec![7; 32]));
            // What was not said then is `None`, a byte.
            assert_eq!(row.value, Some(vec![1, 2, 3, 0]));
        }
        let left = rows.load_all(OLD_SUBMISSIONS).expect("read").count();
        assert_eq!(left, 0);
    }
}
