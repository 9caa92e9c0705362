//! What a job tells whoever watches. One-way: nothing comes back, so nothing here can change a result.
use crate::host;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// For the author.
    Debug,
    /// For whoever runs the job.
    Info,
    /// Something to look at.
    Warn,
    /// Something went wrong.
    Error,
}

/// Logs a line. [`log!`](crate::log!) and its siblings format one.
///
/// Log bytes are limited for each unit (1 MiB, what is printed to standard error included, unless the
/// requester says otherwise) and charged as a host call; what is over the limit ends the unit.
pub fn log(level: Level, message: &str) {
    host::log(level, message);
}

/// Tells how far the unit is; `total` is `None` when it is not known.
pub fn progress(done: u64, total: impl Into<Option<u64>>) {
    host::progress(done, total.into());
}

/// Logs a formatted line: `log!(Level::Info, "{n} records")`.
#[macro_export]
macro_rules! log {
    ($level:expr, $($message:tt)+) => {
        $crate::report::log($level, &::std::format!($($message)+))
    };
}

/// Logs a formatted line for the author.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log!($crate::Level::Debug, $($message)+) };
}

/// Logs a formatted line for whoever runs the job.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log!($crate::Level::Info, $($message)+) };
}

/// Logs a formatted line about something to look at.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log!($crate::Level::Warn, $($message)+) };
}

/// Logs a formatted line about something that went wrong.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log!($crate::Level::Error, $($message)+) };
}
