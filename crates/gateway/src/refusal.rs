//! What the node's errors are to whoever asked.

use std::io;

use opensky_api::{Code, IdError, NodeId, NotADeployment, NotOne};
use opensky_core::Refused;
use opensky_node::{
    AccountError, BringError, DeployError, LedgerAway, ReceiptError, SubmitError, Unpinned,
};
use opensky_protocol::{
    NodeKey,
    ledger::{Refused as Unpaid, Rejection},
};
use opensky_storage::StoreError;

use crate::answer::Fault;

/// What to do where a blob finds no room.
pub(crate) const MORE_DISK: &str =
    "give the node more disk: `disk` under `[capacity]` in its configuration";
const RUNS: &str = "see that the node runs, with `opensky node status`";
/// Nodes that are told one by one in a sentence.
const TOLD: usize = 8;

/// A blob could not be read or written.
pub(crate) fn of_store(error: StoreError) -> Fault {
    match &error {
        StoreError::Missing(_) => {
            Fault::new(Code::NotFound, error).help("put it there first, with `POST /v1/blobs`")
        }
        StoreError::Quota { .. } => Fault::new(Code::Full, error).help(MORE_DISK),
        StoreError::DiskFull { .. } => Fault::new(Code::Full, error),
        StoreError::Source(cause) if cause.kind() == io::ErrorKind::TimedOut => {
            Fault::new(Code::Slow, "the rest of the body did not come").help("send it again")
        }
        StoreError::Source(_) => {
            Fault::new(Code::Invalid, "the body broke off").help("send it again")
        }
        _ => Fault::new(Code::Internal, error),
    }
}

/// A job was not taken on.
pub(crate) fn of_submit(error: SubmitError) -> Fault {
    match error {
        SubmitError::Refused(refused) => of_core(refused),
        SubmitError::Missing(_) => Fault::new(Code::NotFound, error),
        SubmitError::NotPinned(_) => Fault::new(Code::NotFound, error),
        SubmitError::Bring(BringError::Store(error)) | SubmitError::Store(error) => of_store(error),
        SubmitError::Bring(_) => Fault::new(Code::NotFound, error)
            .help("whoever has the program may be away: try again later"),
        SubmitError::Ended => Fault::new(Code::Draining, error).help(RUNS),
        SubmitError::Rows(_) => Fault::new(Code::Internal, error),
    }
}

/// The core did not take a job on.
pub(crate) fn of_core(refused: Refused) -> Fault {
    let code = match refused {
        Refused::Busy(_) => Code::Busy,
        Refused::Draining => Code::Draining,
        _ => Code::Refused,
    };
    let fault = Fault::new(code, &refused);
    match refused {
        Refused::Price => fault.help("set `max_price`, or a lower cap of each price"),
        Refused::Busy(_) => fault.help("wait until one has ended"),
        Refused::Replicas { .. } | Refused::Seats(_) => fault.help("ask for fewer `replicas`"),
        _ => fault,
    }
}

/// A program was not deployed.
pub(crate) fn of_deploy(error: DeployError) -> Fault {
    match error {
        DeployError::Unbounded => Fault::new(Code::Invalid, error),
        DeployError::Missing(error) => of_store(error),
        DeployError::NoProvider => Fault::new(Code::Refused, error)
            .help("see that the node is connected to others, with `opensky node status`"),
        DeployError::NotPinned {
            pinned,
            ref refused,
            ..
        } => {
            let reasons = reasons(refused);
            let fault = Fault::new(Code::Refused, format!("{error}{reasons}"));
            match pinned {
                0 => fault.help("try again later"),
                some => fault.help(format!(
                    "try again later, or be content with what there is: add --pins {some}"
                )),
            }
        }
    }
}

/// Why nodes said no, the first of them one by one.
fn reasons(refused: &[(NodeKey, Unpinned)]) -> String {
    let told = refused.iter().take(TOLD);
    let mut told: String = told
        .map(|(node, why)| format!("; {}: {why}", NodeId::from(*node).short()))
        .collect();
    match refused.len().saturating_sub(TOLD) {
        0 if refused.is_empty() => told.push_str(", and no others are known"),
        0 => {}
        more => told.push_str(&format!("; and {more} more")),
    }
    told
}

/// The ledger could not be asked.
pub(crate) fn of_ledger(error: LedgerAway) -> Fault {
    let help = match error {
        LedgerAway::Other { .. } => {
            "start the node with the ledger that its data folder belongs to, or with another data folder"
        }
        LedgerAway::Chain { .. } => "see that the chain's node runs, with `opensky chain status`",
        _ => "see that the node which keeps the ledger runs",
    };
    Fault::new(Code::Ledger, error).help(help)
}

/// The ledger has not done what was asked for the account.
pub(crate) fn of_account(error: AccountError) -> Fault {
    use Rejection::{Balance, Bond, Existential, Faucet, Fee};
    let code = match &error {
        AccountError::Away(away) => return of_ledger(away.clone()),
        AccountError::Slow(_) => Code::Slow,
        AccountError::Full => Code::Busy,
        AccountError::Refused(Unpaid::Fee)
        | AccountError::Rejected(Balance | Existential | Fee) => Code::Funds,
        _ => Code::Refused,
    };
    let fault = Fault::new(code, &error);
    match error {
        AccountError::Slow(_) => fault.help("`opensky wallet history` shows it once it is done"),
        AccountError::Rejected(Balance | Existential | Fee | Bond) => {
            fault.help("see what there is, with `opensky wallet balance`")
        }
        AccountError::Rejected(Faucet) => fault.help("ask for less, or leave the amount out"),
        AccountError::Full => fault.help("ask again in a second"),
        _ => fault,
    }
}

/// There is no receipt, or no output.
pub(crate) fn of_receipt(error: ReceiptError) -> Fault {
    match error {
        ReceiptError::Unknown => Fault::new(Code::NotFound, error),
        ReceiptError::Unfinished => Fault::new(Code::NotYet, error)
            .help("a job that goes on may have one later; `opensky job why` says how it ended"),
        ReceiptError::Job(_) | ReceiptError::Rows(_) => Fault::new(Code::Internal, error),
    }
}

impl From<NotOne> for Fault {
    fn from(error: NotOne) -> Self {
        match &error {
            NotOne::Nothing { .. } => Self::new(Code::NotFound, error),
            NotOne::Ambiguous { .. } => Self::new(Code::Ambiguous, error),
        }
    }
}

impl From<IdError> for Fault {
    fn from(error: IdError) -> Self {
        Self::new(Code::Invalid, error)
    }
}

impl From<NotADeployment> for Fault {
    fn from(error: NotADeployment) -> Self {
        Self::new(Code::Invalid, error)
    }
}

/// The node has ended, and the gateway will soon.
pub(crate) fn ended() -> Fault {
    Fault::new(Code::Draining, "the node has ended").help(RUNS)
}
