//! Requests and replies: a length, then bytes, one exchange on each stream.
//!
//! The asker writes the request's length (four bytes, big endian) and the request; the other side
//! writes a status byte and, if it is [`REPLY`], a length and a reply. Memory is taken as bytes
//! arrive, never because a length says so.

use std::{io, time::Duration};

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use opensky_protocol::NodeKey;
use tokio::{
    sync::{mpsc, oneshot},
    time::{error::Elapsed, timeout},
};

use crate::{
    config::Limits,
    error::AskError,
    inbound::{Inbound, Reply},
    streams::{Held, Incoming, STEP, Share},
};

const REPLY: u8 = 0;
const BUSY: u8 = 1;
const NONE: u8 = 2;

/// Why a message was not read.
#[derive(Debug)]
enum ReadError {
    Io,
    TooLong,
    /// The peer's share has no room for it.
    NoRoom,
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

/// Sends `request` on a fresh stream and reads the reply.
pub async fn ask(
    peer: NodeKey,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
    limit: usize,
) -> Result<Vec<u8>, AskError> {
    let no_reply = |_| AskError::NoReply { peer };
    // What cannot be written may still be answered: a busy peer answers before it has read all.
    let _ = write_message(&mut stream, &[], request).await;
    let mut status = [NONE];
    stream.read_exact(&mut status).await.map_err(no_reply)?;
    match status[0] {
        REPLY => match read_message(&mut stream, limit, None).await {
            Ok((reply, _)) => Ok(reply),
            Err(_) => Err(AskError::NoReply { peer }),
        },
        BUSY => Err(AskError::Busy { peer }),
        _ => Err(AskError::NoReply { peer }),
    }
}

/// A request cannot be what every node knows a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foul;

/// Answers one request of a stranger. Ends when the reply is written, when the peer is too slow, or
/// when nobody answers in time.
pub async fn serve(
    incoming: Incoming,
    limits: &Limits,
    inbox: &mpsc::Sender<Inbound>,
) -> Result<(), Foul> {
    let Incoming {
        from,
        mut stream,
        share,
        slot: _slot,
        ..
    } = incoming;
    let read = read_message(&mut stream, limits.message_bytes, Some(&share));
    let request = match timeout(limits.stall_time, read).await {
        Ok(Ok(request)) => Some(request),
        Ok(Err(ReadError::NoRoom)) => None,
        Ok(Err(ReadError::TooLong)) => return Err(Foul),
        Ok(Err(ReadError::Io)) | Err(Elapsed { .. }) => return Ok(()),
    };
    let Some((bytes, _room)) = request else {
        finish(&mut stream, &[BUSY], None, limits.stall_time).await;
        return Ok(());
    };
    let (answer, reply) = oneshot::channel();
    let request = Inbound::Request {
        from,
        bytes,
        reply: Reply(answer),
    };
    let exchange = async {
        inbox.send(request).await.ok()?;
        reply.await.ok()
    };
    match timeout(limits.ask_time, exchange).await {
        Ok(Some(reply)) if reply.len() <= limits.message_bytes => {
            let steps = reply.len().saturating_sub(STEP).div_ceil(STEP);
            match share.room(steps) {
                Some(_room) => {
                    finish(&mut stream, &[REPLY], Some(&reply), limits.stall_time).await;
                }
                None => finish(&mut stream, &[BUSY], None, limits.stall_time).await,
            }
        }
        Ok(Some(reply)) => {
            tracing::warn!(
                length = reply.len(),
                "a reply is longer than a message may be"
            );
            finish(&mut stream, &[NONE], None, limits.stall_time).await;
        }
        Ok(None) => finish(&mut stream, &[NONE], None, limits.stall_time).await,
        Err(Elapsed { .. }) => finish(&mut stream, &[BUSY], None, limits.stall_time).await,
    }
    Ok(())
}

/// Writes the last words on a stream, unless the peer does not read them in time.
async fn finish(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    status: &[u8],
    reply: Option<&[u8]>,
    time: Duration,
) {
    let write = async {
        match reply {
            Some(reply) => write_message(stream, status, reply).await?,
            None => stream.write_all(status).await?,
        }
        stream.close().await
    };
    if !matches!(timeout(time, write).await, Ok(Ok(()))) {
        tracing::debug!("the peer did not read its reply");
    }
}

/// Writes `before`, a length and as many bytes. In one piece: each piece becomes a packet of its own.
async fn write_message(
    stream: &mut (impl AsyncWrite + Unpin),
    before: &[u8],
    bytes: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    let wire = [before, &length.to_be_bytes(), bytes].concat();
    stream.write_all(&wire).await?;
    stream.flush().await
}

/// Reads a message of at most `limit` bytes. Memory beyond the first step is taken from `share`, as
/// the bytes arrive.
async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    limit: usize,
    share: Option<&Share>,
) -> Result<(Vec<u8>, Vec<Held>), ReadError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(ReadError::TooLong);
    }
    let (mut bytes, mut room) = (Vec::new(), Vec::new());
    while bytes.len() < length {
        let start = bytes.len();
        if let Some(share) = share.filter(|_| start > 0) {
            room.push(share.room(1).ok_or(ReadError::NoRoom)?);
        }
        bytes.resize(length.min(start + STEP), 0);
        stream.read_exact(&mut bytes[start..]).await?;
    }
    Ok((bytes, room))
}

#[cfg(test)]
mod tests {
    use futures::io::Cursor;

    use super::*;

    const LIMIT: usize = 1 << 20;

    async fn read(bytes: &[u8], share: Option<&Share>) -> Result<Vec<u8>, ReadError> {
        let mut stream = Cursor::new(bytes);
        let read = read_message(&mut stream, LIMIT, share).await;
        read.map(|(bytes, _)| bytes)
    }

    #[tokio::test]
    async fn message_is_read_as_it_was_written() {
        for length in [0, 1, STEP, STEP + 1, LIMIT] {
            let message = vec![7; length];
            let mut wire = Vec::new();
            write_message(&mut wire, &[], &message).await.unwrap();
            assert_eq!(read(&wire, None).await.unwrap(), message);
        }
    }

    #[tokio::test]
    async fn length_over_the_limit_is_refused_before_anything_is_read() {
        let wire = (64u32 << 20).to_be_bytes();
        assert!(matches!(read(&wire, None).await, Err(ReadError::TooLong)));
    }

    #[tokio::test]
    async fn length_alone_takes_no_memory() {
        let share = Share::of_all(&Limits::default()).for_peer(&Limits::default());
        let mut wire = (LIMIT as u32).to_be_bytes().to_vec();
        wire.extend([0; 100]);
        assert!(matches!(
            read(&wire, Some(&share)).await,
            Err(ReadError::Io)
        ));
        let all = Limits::default().held_bytes_per_peer / STEP;
        assert!(share.room(all).is_some(), "nothing is held");
    }

    #[tokio::test]
    async fn long_message_without_room_is_refused_and_a_short_one_is_not() {
        let share = Share::of_all(&Limits::default()).for_peer(&Limits::default());
        let _all = share.room(Limits::default().held_bytes_per_peer / STEP);
        let (mut long, mut short) = (Vec::new(), Vec::new());
        write_message(&mut long, &[], &[1; STEP + 1]).await.unwrap();
        write_message(&mut short, &[], &[1; STEP]).await.unwrap();
        assert!(matches!(
            read(&long, Some(&share)).await,
            Err(ReadError::NoRoom)
        ));
        assert!(read(&short, Some(&share)).await.is_ok());
    }
}
