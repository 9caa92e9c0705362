//! What is durable: rows of named tables, whose meaning only the core knows.

use opensky_protocol::{Account, Digest, NodeKey, Profile, Turn, codec};
use parity_scale_codec::Encode;

/// A table. Its name ends in the version of its rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Table {
    /// What was asked for, for each job of this node.
    Submissions,
    /// How far each job of this node is.
    Jobs,
    /// The units of these jobs, and who had turns at them.
    Units,
    /// What was agreed on, for each unit: a [`Reveal`](opensky_protocol::Reveal). The job's receipt is
    /// made of these.
    Results,
    /// What each operator has earned from each job.
    Purses,
    /// What is known of operators.
    Standings,
    /// What this node was asked to run.
    Orders,
    /// What came of it.
    Done,
    /// Which of that was to be shown.
    Summons,
    /// What this node has been promised for it.
    Earnings,
    /// Which turns that pays.
    Paid,
    /// What each requester has paid this node, and what it has cost it.
    Requesters,
    /// Units of own jobs that were begun anew, as they were before.
    Past,
}

impl Table {
    /// All of them. A restore reads each.
    pub const ALL: [Self; 13] = [
        Self::Submissions,
        Self::Jobs,
        Self::Units,
        Self::Results,
        Self::Purses,
        Self::Standings,
        Self::Orders,
        Self::Done,
        Self::Summons,
        Self::Earnings,
        Self::Paid,
        Self::Requesters,
        Self::Past,
    ];

    /// The table's name in storage.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submissions => "submissions 2",
            Self::Jobs => "jobs 1",
            Self::Units => "units 1",
            Self::Results => "results 1",
            Self::Purses => "purses 1",
            Self::Standings => "standings 1",
            Self::Orders => "orders 1",
            Self::Done => "done 1",
            Self::Summons => "summons 1",
            Self::Earnings => "earnings 2",
            Self::Paid => "paid 1",
            Self::Requesters => "requesters 1",
            Self::Past => "past 1",
        }
    }
}

/// One row, as it is from now on. Keys of a table sort by job, then by unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Which table.
    pub table: Table,
    /// Which row.
    pub key: Vec<u8>,
    /// What is in it; `None` if it is gone.
    pub value: Option<Vec<u8>>,
}

impl Row {
    /// The key of a unit's agreed result in [`Table::Results`]. Units of a job sort in the order of its
    /// plan, so the keys that begin with the job's id are those of its receipt.
    pub fn result_key(job: &Digest, index: u32) -> Vec<u8> {
        Stored::Result(*job, index).key()
    }
}

/// The name of a row: what it is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Stored {
    Submission(Digest),
    Job(Digest),
    Unit(Digest, u32),
    Result(Digest, u32),
    Purse(Digest, Account),
    Standing(Account, Profile),
    Order(Turn),
    Done(Turn),
    Summons(Turn),
    Earning(Digest),
    Paid(Digest, u32),
    Requester(NodeKey),
    Past(Digest, Digest),
}

impl Stored {
    pub(crate) fn table(&self) -> Table {
        match self {
            Self::Submission(_) => Table::Submissions,
            Self::Job(_) => Table::Jobs,
            Self::Unit(..) => Table::Units,
            Self::Result(..) => Table::Results,
            Self::Purse(..) => Table::Purses,
            Self::Standing(..) => Table::Standings,
            Self::Order(_) => Table::Orders,
            Self::Done(_) => Table::Done,
            Self::Summons(_) => Table::Summons,
            Self::Earning(_) => Table::Earnings,
            Self::Paid(..) => Table::Paid,
            Self::Requester(_) => Table::Requesters,
            Self::Past(..) => Table::Past,
        }
    }

    pub(crate) fn key(&self) -> Vec<u8> {
        match self {
            Self::Submission(job) | Self::Job(job) | Self::Earning(job) => job.0.to_vec(),
            // Big-endian, so that the bytes sort as the numbers do.
            Self::Unit(job, index) | Self::Result(job, index) | Self::Paid(job, index) => {
                [job.0.as_slice(), &index.to_be_bytes()].concat()
            }
            Self::Past(job, unit) => codec::encode(&(job, unit)),
            Self::Purse(job, operator) => codec::encode(&(job, operator)),
            Self::Standing(operator, profile) => codec::encode(&(operator, profile)),
            Self::Order(turn) | Self::Done(turn) | Self::Summons(turn) => codec::encode(turn),
            Self::Requester(node) => node.0.to_vec(),
        }
    }

    /// The row that has `value` under this name, or none.
    pub(crate) fn row(&self, value: Option<Vec<u8>>) -> Row {
        Row {
            table: self.table(),
            key: self.key(),
            value,
        }
    }

    /// The row of this name that holds `value`.
    pub(crate) fn holding(&self, value: &impl Encode) -> Row {
        self.row(Some(codec::encode(value)))
    }
}
