//! Blobs, in and out: streams of bounded pieces between the network and the disk.

use std::{
    io::{self, Read},
    ops::Range,
    time::Duration,
};

use axum::{
    body::{Body, BodyDataStream, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use opensky_api::{Code, Hex};
use opensky_protocol::{ContentKey, Digest};
use opensky_storage::Blob;
use tokio::{
    sync::mpsc,
    task::{JoinError, spawn_blocking},
    time::timeout,
};

use crate::{
    answer::{Answer, Fault, Named, is_media, json, length, stream as answer_stream},
    desk::Desk,
    refusal,
};

const OCTETS: &str = "application/octet-stream";
/// What is read from the disk at once: whole pieces of a sealed blob.
const PIECE: usize = 256 << 10;
/// Pieces between the network and the disk, one being worked on at either end.
const BETWEEN: usize = 2;
/// What to do about a blob that cannot be read.
const DAMAGED: &str =
    "what can be had elsewhere can be put again; the output of a job comes of running it again";
/// How long a blob is listened to that will not be stored: a few gigabytes on one machine.
const LINGER: Duration = Duration::from_secs(10);

/// `POST /v1/blobs`.
pub(crate) async fn put(State(desk): State<Desk>, request: Request) -> Answer {
    let media = request.headers().get(header::CONTENT_TYPE);
    if !is_media(media, OCTETS) {
        return Err(Fault::new(Code::MediaType, "the body is not plain bytes")
            .help(format!("send it with `content-type: {OCTETS}`")));
    }
    refuse_too_large(&desk, request.headers())?;
    let (pieces, source) = mpsc::channel(BETWEEN);
    let node = desk.node.clone();
    let stored = spawn_blocking(move || {
        let mut source = Source {
            pieces: source,
            rest: Bytes::new(),
            len: 0,
        };
        let digest = node.put_all(&mut source);
        digest.map(|digest| (digest, source.len))
    });
    let body = request.into_body().into_data_stream();
    pass_on(body, desk.patience.body, pieces).await;
    let (digest, len) = stored.await.map_err(died)?.map_err(refusal::of_store)?;
    Ok(json(&opensky_api::Blob {
        digest: digest.into(),
        len: opensky_api::Bytes::saturating(len),
    }))
}

/// What says that it is longer than all that the store may hold need not come at all.
fn refuse_too_large(desk: &Desk, headers: &HeaderMap) -> Result<(), Fault> {
    let most = desk.node.disk();
    match length(headers) {
        Some(len) if len > most => Err(Fault::new(
            Code::Full,
            format!("the blob has {len} bytes, and all that are stored may have {most}"),
        )
        .help(refusal::MORE_DISK)),
        _ => Ok(()),
    }
}

/// Gives what comes to whoever stores it, and how it broke off if it did. The next piece is waited for
/// as long as `silence`.
async fn pass_on(
    mut body: BodyDataStream,
    silence: Duration,
    pieces: mpsc::Sender<io::Result<Bytes>>,
) {
    loop {
        let piece = match timeout(silence, body.next()).await {
            Ok(None) => return,
            Ok(Some(piece)) => piece.map_err(io::Error::other),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        let is_over = piece.is_err();
        if pieces.send(piece).await.is_err() {
            // Storing has failed, and says why itself.
            return hear_out(body).await;
        }
        if is_over {
            return;
        }
    }
}

/// Reads on for a while: most clients listen to an answer only when they have said everything.
async fn hear_out(mut body: BodyDataStream) {
    let rest = async { while let Some(Ok(_)) = body.next().await {} };
    // Whoever has still not finished is cut off in the middle.
    let _ = timeout(LINGER, rest).await;
}

/// Reads what another task receives.
struct Source {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
    len: u64,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.rest = piece?,
                None => return Ok(0),
            }
        }
        let len = buffer.len().min(self.rest.len());
        buffer[..len].copy_from_slice(&self.rest.split_to(len));
        self.len += len as u64;
        Ok(len)
    }
}

/// `GET /v1/blobs/{digest}`.
pub(crate) async fn get(
    State(desk): State<Desk>,
    Named(digest): Named,
    headers: HeaderMap,
) -> Answer {
    let digest: Hex = digest
        .parse()
        .map_err(|error| Fault::new(Code::Invalid, error))?;
    let blob = open(&desk, digest.into()).await?;
    let len = blob.len();
    let Some(asked) = headers.get(header::RANGE) else {
        let mut response = answer_stream(OCTETS, len, bodies(vec![(blob, 0..len)]).await?);
        let ranges = HeaderValue::from_static("bytes");
        response.headers_mut().insert(header::ACCEPT_RANGES, ranges);
        return Ok(response);
    };
    let Some(range) = asked.to_str().ok().and_then(|text| range(text, len)) else {
        return Ok(no_such_range(len));
    };
    let from_to = format!("bytes {}-{}/{len}", range.start, range.end - 1);
    let count = range.end - range.start;
    let mut response = answer_stream(OCTETS, count, bodies(vec![(blob, range)]).await?);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let from_to = HeaderValue::try_from(from_to).expect("digits are valid");
    response
        .headers_mut()
        .insert(header::CONTENT_RANGE, from_to);
    Ok(response)
}

fn no_such_range(len: u64) -> Response {
    let fault = Fault::new(
        Code::Range,
        format!("the blob has {len} bytes, and not those that were asked for"),
    )
    .help("ask for one range, as in `bytes=100-199` or `bytes=100-`");
    let mut response = fault.into_response();
    let all = HeaderValue::try_from(format!("bytes */{len}")).expect("digits are valid");
    response.headers_mut().insert(header::CONTENT_RANGE, all);
    response
}

/// The bytes that a range means, of so many: `bytes=FIRST-LAST`, where the last may be left out, or be
/// beyond the end. `None` for everything else, and where there are none.
fn range(text: &str, len: u64) -> Option<Range<u64>> {
    let (first, last) = text.trim().strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    let first = number(first)?;
    let last = match last {
        "" => len.checked_sub(1)?,
        last => number(last)?.min(len.checked_sub(1)?),
    };
    (first <= last).then(|| first..last + 1)
}

/// A blob of the node's store, opened.
pub(crate) async fn open(desk: &Desk, digest: Digest) -> Result<Blob, Fault> {
    let node = desk.node.clone();
    let opened = spawn_blocking(move || node.blob(&digest)).await;
    opened.map_err(died)?.map_err(refusal::of_store)
}

/// Parts of blobs as one body, read while they are sent. What turns out to be damaged at its beginning is
/// told; later it breaks the connection: whoever receives it sees that bytes are missing.
pub(crate) async fn bodies(parts: Vec<(Blob, Range<u64>)>) -> Result<Body, Fault> {
    let (pieces, receiver) = mpsc::channel(BETWEEN);
    spawn_blocking(move || {
        for (blob, range) in parts {
            if read(&blob, range, &pieces).is_none() {
                return;
            }
        }
    });
    begun(receiver).await
}

/// What blobs of an encrypted job were, one after the other. Each is in memory as a whole before any of
/// it is sent.
pub(crate) async fn opened(parts: Vec<Blob>, key: ContentKey) -> Result<Body, Fault> {
    let (pieces, receiver) = mpsc::channel(BETWEEN);
    spawn_blocking(move || {
        for blob in parts {
            let opened = whole(&blob).and_then(|sealed| {
                let opened = key.open(&sealed);
                opened.ok_or_else(|| io::ErrorKind::InvalidData.into())
            });
            match opened {
                Ok(bytes) => {
                    if pieces.blocking_send(Ok(Bytes::from(bytes))).is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "an output cannot be opened");
                    // Nobody wants it any more, or sees now that bytes are missing.
                    let _ = pieces.blocking_send(Err(error));
                    return;
                }
            }
        }
    });
    begun(receiver).await
}

fn whole(blob: &Blob) -> io::Result<Vec<u8>> {
    let len = usize::try_from(blob.len()).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    match blob.read_at(0, &mut bytes).map_err(io::Error::other)? {
        read if read == len => Ok(bytes),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The pieces as a body, once the first of them is there: with it small blobs are read whole.
async fn begun(mut receiver: mpsc::Receiver<io::Result<Bytes>>) -> Result<Body, Fault> {
    let first = match receiver.recv().await.transpose() {
        Ok(first) => first.map(Ok),
        Err(error) => return Err(Fault::new(Code::Internal, error).help(DAMAGED)),
    };
    let rest = stream::unfold(receiver, async |mut receiver| {
        let piece: io::Result<Bytes> = receiver.recv().await?;
        Some((piece, receiver))
    });
    Ok(Body::from_stream(stream::iter(first).chain(rest)))
}

/// `None` if nobody wants more.
fn read(blob: &Blob, range: Range<u64>, pieces: &mpsc::Sender<io::Result<Bytes>>) -> Option<()> {
    let mut at = range.start;
    while at < range.end {
        // To the next whole piece first, then in whole ones.
        let next = (at / PIECE as u64 + 1) * PIECE as u64;
        let mut piece = vec![0; (next.min(range.end) - at) as usize];
        match blob.read_at(at, &mut piece) {
            Ok(len) if len == piece.len() => {}
            Ok(_) => {
                pieces
                    .blocking_send(Err(io::ErrorKind::UnexpectedEof.into()))
                    .ok();
                return None;
            }
            Err(error) => {
                tracing::error!(%error, "a blob cannot be sent");
                pieces.blocking_send(Err(io::Error::other(error))).ok();
                return None;
            }
        }
        at += piece.len() as u64;
        pieces.blocking_send(Ok(piece.into())).ok()?;
    }
    Some(())
}

/// A thread of ours died.
pub(crate) fn died(error: JoinError) -> Fault {
    Fault::new(Code::Internal, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_mean_these_bytes() {
        let cases = [
            ("bytes=0-", Some(0..10)),
            ("bytes=0-0", Some(0..1)),
            ("bytes=9-", Some(9..10)),
            ("bytes=3-5", Some(3..6)),
            ("bytes=3-99", Some(3..10)),
            ("bytes=10-", None),
            ("bytes=5-3", None),
            ("bytes=-3", None),
            ("bytes=0-1,3-4", None),
            ("bytes=+1-", None),
            ("lines=0-", None),
            ("bytes=18446744073709551616-", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text, 10), expected, "{text}");
        }
        assert_eq!(range("bytes=0-", 0), None);
        assert_eq!(
            range("bytes=0-18446744073709551615", u64::MAX),
            Some(0..u64::MAX)
        );
    }
}
