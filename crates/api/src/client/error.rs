//! What can go wrong between a program and its node, and what to do about it.

use std::{io, net::SocketAddr};

use crate::{EndpointError, Problem};

/// Why a request has no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No node has left its address.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Nobody listens there.
    #[error(
        "no node answers at {address}: start one with `opensky node start` or `opensky devnet`"
    )]
    Away {
        /// Where.
        address: SocketAddr,
    },
    /// The node accepted the connection and then said nothing for too long.
    #[error("the node at {address} does not answer; its log may say why")]
    Silent {
        /// Where.
        address: SocketAddr,
    },
    /// The connection broke: the node has stopped, or was killed.
    #[error("the connection to the node broke; `opensky node status` says whether it runs")]
    Lost,
    /// What listens there is no node, or one of a version that this one cannot talk to.
    #[error("what answers at {address} is no node, or a node of another version")]
    Garbled {
        /// Where.
        address: SocketAddr,
    },
    /// The answer is longer than any that a node gives.
    #[error(
        "what answers at {address} says more than the {limit} bytes that an answer has at most"
    )]
    TooLong {
        /// Where.
        address: SocketAddr,
        /// The most bytes.
        limit: u64,
    },
    /// The node has answered that it cannot.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// The request is larger than any node takes.
    #[error(
        "the request has {len} bytes, more than the {} that a node takes",
        crate::MAX_JSON_BYTES
    )]
    TooLarge {
        /// Its length.
        len: usize,
    },
    /// What should be sent could not be read.
    #[error("cannot read what is to be sent: {0}")]
    Source(io::Error),
    /// The node has other bytes than were sent.
    #[error("the bytes were changed on their way to the node")]
    Damaged,
    /// The operating system failed.
    #[error("cannot talk to the node: {0}")]
    Io(io::Error),
}

impl ClientError {
    /// What the node says to do about it.
    pub fn help(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => problem.help.as_deref(),
            _ => None,
        }
    }

    pub(super) fn of(error: ureq::Error, address: SocketAddr) -> Self {
        match error {
            ureq::Error::ConnectionFailed | ureq::Error::Timeout(ureq::Timeout::Connect) => {
                Self::Away { address }
            }
            ureq::Error::Timeout(_) => Self::Silent { address },
            ureq::Error::BodyExceedsLimit(limit) => Self::TooLong { address, limit },
            ureq::Error::Io(error) => Self::of_io(error, address),
            _ => Self::Garbled { address },
        }
    }

    pub(super) fn of_io(error: io::Error, address: SocketAddr) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Away { address },
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Silent { address },
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof => Self::Lost,
            io::ErrorKind::InvalidData => Self::Garbled { address },
            _ => Self::Io(error),
        }
    }
}
