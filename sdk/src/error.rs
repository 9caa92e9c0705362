//! How a job says that it has no output.
use std::{any::Any, error::Error as StdError, fmt};

use crate::{Digest, bindings::imports::opensky::compute::types::JobError};

/// Why a program ended without output.
///
/// An error is a result like any other: it is compared between machines and paid for, so its text
/// must come from the input alone. Any [`std::error::Error`] turns into [`Error::Failed`] with `?`,
/// its sources joined by `": "`. (For that reason this type is not a `std::error::Error` itself.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The input is malformed: the requester has to mend it.
    InvalidInput(String),
    /// The program failed by its own logic.
    Failed(String),
    /// A blob that the program needs is not in the manifest.
    MissingBlob(Digest),
}

impl Error {
    /// Blames the input. Fits `map_err`: `text.parse().map_err(Error::invalid_input)?`.
    pub fn invalid_input(reason: impl fmt::Display) -> Self {
        Self::InvalidInput(reason.to_string())
    }

    /// Blames the program.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed(reason.to_string())
    }

    /// What a function with the error type `E` reports: an `Error` as it is, all else as
    /// [`Error::Failed`] with its text.
    pub(crate) fn from_display<E: fmt::Display + 'static>(error: E) -> Self {
        let mut slot = Some(error);
        match (&mut slot as &mut dyn Any).downcast_mut::<Option<Error>>() {
            Some(own) => own.take().expect("the slot was filled above"),
            None => Self::failed(slot.expect("the slot was filled above")),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidInput(reason) => write!(f, "invalid input: {reason}"),
            Self::Failed(reason) => f.write_str(reason),
            Self::MissingBlob(digest) => write!(f, "blob {digest} is not in the manifest"),
        }
    }
}

impl<E: StdError> From<E> for Error {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::Failed(text)
    }
}

/// Into the form that crosses to the host.
pub(crate) fn to_job_error(error: Error) -> JobError {
    match error {
        Error::InvalidInput(reason) => JobError::InvalidInput(reason),
        Error::Failed(reason) => JobError::Failed(reason),
        Error::MissingBlob(digest) => JobError::MissingBlob(digest.to_words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_mark_takes_std_errors() {
        fn parse(text: &str) -> Result<u8, Error> {
            Ok(text.parse()?)
        }
        assert_eq!(parse("7"), Ok(7));
        assert_eq!(
            parse("x"),
            Err(Error::failed("invalid digit found in string"))
        );
    }

    #[test]
    fn sources_are_part_of_the_text() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("line 3")
            }
        }
        impl StdError for Outer {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }
        let inner = "x".parse::<u8>().expect_err("not a number");
        let error = Error::from(Outer(inner));
        assert_eq!(
            error,
            Error::failed("line 3: invalid digit found in string")
        );
    }

    #[test]
    fn any_displayable_error_is_reported_and_ours_keeps_its_kind() {
        assert_eq!(Error::from_display("no"), Error::failed("no"));
        let own = Error::invalid_input("empty");
        assert_eq!(Error::from_display(own.clone()), own);
    }
}
