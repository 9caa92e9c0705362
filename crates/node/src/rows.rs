//! The core's rows in this node's file.

use std::collections::BTreeMap;

use opensky_core::{Row, Submission, Table as Named};
use opensky_protocol::{Digest, Reveal, codec};
use opensky_storage::{Row as Stored, Rows, RowsError, Table};

/// Where each of the core's tables is.
fn table(named: Named) -> Table {
    match named {
        Named::Submissions => const { Table::new("submissions-1") },
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

/// All that the core has written.
pub(crate) fn load(rows: &Rows) -> Result<Vec<Row>, RowsError> {
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
