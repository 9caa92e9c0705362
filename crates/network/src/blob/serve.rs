//! The side that has the blob.

use std::{io, time::Instant};

use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use opensky_protocol::Digest;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::{
    ABSENT,
    outboard::{Served, Shelf},
    pace::Pace,
};
use crate::{config::Limits, streams::Incoming};

/// Serves one blob to one peer, until the peer has enough, is silent for too long or does not read.
pub async fn serve(incoming: Incoming, limits: &Limits, shelf: &Shelf, pace: &Pace) {
    let peer = incoming.from;
    if let Err(error) = pieces(incoming, limits, shelf, pace).await {
        tracing::debug!(%peer, %error, "a blob's stream ended");
    }
}

async fn pieces(incoming: Incoming, limits: &Limits, shelf: &Shelf, pace: &Pace) -> io::Result<()> {
    let Incoming {
        mut stream,
        slot: _slot,
        ..
    } = incoming;
    let mut digest = Digest([0; 32]);
    timeout(limits.stall_time, stream.read_exact(&mut digest.0)).await??;
    let served = shelf.take(digest).await;
    let length = served.as_ref().map_or(ABSENT, |served| served.shape.length);
    let head = length.to_be_bytes();
    timeout(limits.stall_time, stream.write_all(&head)).await??;
    timeout(limits.stall_time, stream.flush()).await??;
    let Some(served) = served else {
        return stream.close().await;
    };
    let (mut reader, mut writer) = stream.split();
    let mut wire = next(&mut reader, &served, limits, Vec::new()).await?;
    let mut spare = Vec::new();
    loop {
        // The next piece is prepared while this one is on its way.
        let write = async {
            let pause = pace.wait(wire.len(), Instant::now());
            // Even a pause of nothing lasts until the timer's next millisecond.
            if !pause.is_zero() {
                sleep(pause).await;
            }
            timeout(limits.stall_time, writer.write_all(&wire)).await??;
            timeout(limits.stall_time, writer.flush()).await?
        };
        let prepare = next(&mut reader, &served, limits, spare);
        let (written, prepared) = tokio::join!(write, prepare);
        written?;
        spare = std::mem::replace(&mut wire, prepared?);
    }
}

/// The piece that is asked for next, as it is sent. `buffer` is for it.
async fn next(
    reader: &mut (impl AsyncRead + Unpin),
    served: &Served,
    limits: &Limits,
    buffer: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let mut number = [0; 8];
    timeout(limits.stall_time, reader.read_exact(&mut number)).await??;
    let piece = u64::from_be_bytes(number);
    if piece > served.shape.last() {
        return Err(io::Error::other("there is no such piece"));
    }
    let source = served.clone();
    let encoded = spawn_blocking(move || source.piece(piece, buffer)).await?;
    encoded.ok_or_else(|| io::Error::other("the blob cannot be read"))
}
