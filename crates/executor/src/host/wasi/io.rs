//! `wasi:io`: streams, which are always ready, and polling, which moves the virtual clock.

use wasmtime::{
    Error,
    component::{ComponentType, Lift, Linker, Lower, Resource},
};

use super::{
    VERSION,
    memfs::{Errno, Ino},
};
use crate::{
    host::{Call, Host, Interface, Record, Recorder, Stop},
    profile::Rules,
};

/// The most that one read returns and one splice moves. A part of the rules, since a guest sees it.
const CHUNK: u64 = 1 << 20;
/// What `check-write` always permits.
const PERMIT: u64 = 1 << 20;
/// What the blocking writes take, as WASI says.
const BLOCKING_PERMIT: u64 = 4096;

/// The host's side of `error`: what a file said when it was written to.
pub(super) struct Failure(pub Errno);

/// The host's side of `pollable`.
#[derive(Clone, Copy)]
pub(super) enum Pollable {
    /// A stream.
    Ready,
    /// A timer, by its deadline.
    At(u64),
}

/// The host's side of `input-stream`.
#[derive(Clone, Copy)]
pub(super) enum InputStream {
    Stdin,
    File { file: Ino, at: u64 },
}

/// The host's side of `output-stream`.
#[derive(Clone, Copy)]
pub(super) enum OutputStream {
    Stdout,
    Stderr,
    File { file: Ino, at: u64 },
    Append { file: Ino },
}

/// `wasi:io/streams.stream-error`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    Failed(Resource<Failure>),
    #[component(name = "closed")]
    Closed,
}

impl Record for StreamError {
    fn record(&self, to: &mut Recorder) {
        match self {
            Self::Failed(error) => {
                0_u8.record(to);
                error.record(to);
            }
            Self::Closed => 1_u8.record(to),
        }
    }
}

type Input = Resource<InputStream>;
type Output = Resource<OutputStream>;
type Streamed<T> = Result<T, StreamError>;

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut error = Interface::new(linker, "wasi:io/error", VERSION, rules)?;
    error.resource::<Failure>("error")?;
    error.func(
        "[method]error.to-debug-string",
        |call, (this,): (Resource<Failure>,)| Ok((call.table.get(&this)?.0.to_string(),)),
    )?;
    poll(linker, rules)?;
    let mut streams = Interface::new(linker, "wasi:io/streams", VERSION, rules)?;
    streams.resource_with("input-stream", |host, stream| {
        if let InputStream::File { file, .. } = stream {
            host.close(file);
        }
    })?;
    streams.resource_with("output-stream", |host, stream| {
        if let OutputStream::File { file, .. } | OutputStream::Append { file } = stream {
            host.close(file);
        }
    })?;
    input(&mut streams)?;
    output(&mut streams)
}

fn poll(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut poll = Interface::new(linker, "wasi:io/poll", VERSION, rules)?;
    poll.resource::<Pollable>("pollable")?;
    poll.func(
        "[method]pollable.ready",
        |call, (this,): (Resource<Pollable>,)| {
            let pollable = *call.table.get(&this)?;
            let ready = call.is_ready(pollable);
            if !ready {
                // As for a look at the clock: whoever asks again and again is answered in the end.
                call.wasi.clock.look();
            }
            Ok((ready,))
        },
    )?;
    poll.func(
        "[method]pollable.block",
        |call, (this,): (Resource<Pollable>,)| {
            if let Pollable::At(deadline) = *call.table.get(&this)? {
                call.wasi.clock.wait(deadline);
            }
            Ok(())
        },
    )?;
    poll.func("poll", |call, (list,): (Vec<Resource<Pollable>>,)| {
        Ok((poll_list(call, &list)?,))
    })
}

impl Host {
    fn is_ready(&self, pollable: Pollable) -> bool {
        match pollable {
            Pollable::Ready => true,
            Pollable::At(deadline) => self.wasi.clock.reached(deadline),
        }
    }
}

/// Which of `list` are ready, in its order. Where none is, time jumps to the first one's; where some
/// are, it goes on by a look, so that whoever polls again and again sees the others ready in the end.
fn poll_list(call: &mut Call<'_>, list: &[Resource<Pollable>]) -> Result<Vec<u32>, Error> {
    let of = |this| call.table.get(this).copied();
    let pollables: Vec<Pollable> = list.iter().map(of).collect::<Result<_, _>>()?;
    let deadline = |pollable: &Pollable| match *pollable {
        Pollable::Ready => 0,
        Pollable::At(deadline) => deadline,
    };
    let Some(earliest) = pollables.iter().map(deadline).min() else {
        return Err(Stop::Trap("poll of no pollables").into());
    };
    let jumps = !call.wasi.clock.reached(earliest);
    call.wasi.clock.wait(earliest);
    let ready: Vec<u32> = (0..)
        .zip(&pollables)
        .filter(|(_, pollable)| call.is_ready(**pollable))
        .map(|(index, _)| index)
        .collect();
    if !jumps && ready.len() < pollables.len() {
        call.wasi.clock.look();
    }
    Ok(ready)
}

fn input(streams: &mut Interface<'_>) -> wasmtime::Result<()> {
    let read = |call: &mut Call<'_>, (this, len): (Input, u64)| Ok((read(call, &this, len)?,));
    streams.func("[method]input-stream.read", read)?;
    streams.func("[method]input-stream.blocking-read", read)?;
    let skip = |call: &mut Call<'_>, (this, len): (Input, u64)| Ok((skip(call, &this, len)?,));
    streams.func("[method]input-stream.skip", skip)?;
    streams.func("[method]input-stream.blocking-skip", skip)?;
    streams.func("[method]input-stream.subscribe", |call, (_,): (Input,)| {
        Ok((call.keep(Pollable::Ready)?,))
    })
}

/// Up to `len` bytes and at most a chunk. Closed at the end, until a file has grown.
fn read(call: &mut Call<'_>, this: &Input, len: u64) -> Result<Streamed<Vec<u8>>, Error> {
    let rest = rest(call, this)?;
    if rest == 0 {
        return Ok(Err(StreamError::Closed));
    }
    let len = len.min(rest).min(CHUNK);
    call.afford(len)?;
    let bytes = match *call.table.get(this)? {
        InputStream::Stdin => {
            let start = call.wasi.stdin;
            let input = call.main_input();
            input[start..start + len as usize].to_vec()
        }
        InputStream::File { file, at } => call.files().read(file, at, len),
    };
    advance(call, this, len)?;
    Ok(Ok(bytes))
}

fn skip(call: &mut Call<'_>, this: &Input, len: u64) -> Result<Streamed<u64>, Error> {
    let rest = rest(call, this)?;
    if rest == 0 {
        return Ok(Err(StreamError::Closed));
    }
    let len = len.min(rest);
    advance(call, this, len)?;
    Ok(Ok(len))
}

/// Bytes between a stream's position and its end.
fn rest(call: &mut Call<'_>, this: &Input) -> Result<u64, Error> {
    match *call.table.get(this)? {
        InputStream::Stdin => Ok((call.main_input().len() - call.wasi.stdin) as u64),
        InputStream::File { file, at } => Ok(call.files().size(file).saturating_sub(at)),
    }
}

/// Moves a stream on by `len`, which is no more than its rest.
fn advance(call: &mut Call<'_>, this: &Input, len: u64) -> Result<(), Error> {
    match call.table.get_mut(this)? {
        InputStream::Stdin => call.wasi.stdin += len as usize,
        InputStream::File { at, .. } => *at += len,
    }
    Ok(())
}

fn output(streams: &mut Interface<'_>) -> wasmtime::Result<()> {
    streams.func("[method]output-stream.check-write", |_, (_,): (Output,)| {
        Ok((Streamed::Ok(PERMIT),))
    })?;
    streams.func(
        "[method]output-stream.write",
        |call, (this, bytes): (Output, Vec<u8>)| {
            permit(bytes.len() as u64, PERMIT)?;
            Ok((write(call, &this, &bytes)?,))
        },
    )?;
    streams.func(
        "[method]output-stream.blocking-write-and-flush",
        |call, (this, bytes): (Output, Vec<u8>)| {
            permit(bytes.len() as u64, BLOCKING_PERMIT)?;
            Ok((write(call, &this, &bytes)?,))
        },
    )?;
    for flush in ["flush", "blocking-flush"] {
        let name = format!("[method]output-stream.{flush}");
        streams.func(&name, |_, (_,): (Output,)| Ok((Streamed::Ok(()),)))?;
    }
    streams.func(
        "[method]output-stream.subscribe",
        |call, (_,): (Output,)| Ok((call.keep(Pollable::Ready)?,)),
    )?;
    streams.func(
        "[method]output-stream.write-zeroes",
        |call, (this, len): (Output, u64)| {
            permit(len, PERMIT)?;
            Ok((write_zeroes(call, &this, len)?,))
        },
    )?;
    streams.func(
        "[method]output-stream.blocking-write-zeroes-and-flush",
        |call, (this, len): (Output, u64)| {
            permit(len, BLOCKING_PERMIT)?;
            Ok((write_zeroes(call, &this, len)?,))
        },
    )?;
    let splice = |call: &mut Call<'_>, (this, from, len): (Output, Input, u64)| {
        Ok((splice(call, &this, &from, len)?,))
    };
    streams.func("[method]output-stream.splice", splice)?;
    streams.func("[method]output-stream.blocking-splice", splice)
}

/// WASI prescribes a trap for a write beyond what was permitted.
fn permit(len: u64, permitted: u64) -> Result<(), Stop> {
    if len > permitted {
        return Err(Stop::Trap("write of more bytes than the stream permits"));
    }
    Ok(())
}

fn write(call: &mut Call<'_>, this: &Output, bytes: &[u8]) -> Result<Streamed<()>, Error> {
    let written = match *call.table.get(this)? {
        OutputStream::Stdout => return Ok(Ok(call.print(bytes)?)),
        OutputStream::Stderr => return Ok(Ok(call.spend_log(bytes)?)),
        OutputStream::File { file, at } => call.try_files(|files| files.write(file, at, bytes))?,
        OutputStream::Append { file } => call.try_files(|files| {
            let end = files.size(file);
            files.write(file, end, bytes)
        })?,
    };
    match written {
        Ok(()) => {
            if let OutputStream::File { at, .. } = call.table.get_mut(this)? {
                *at += bytes.len() as u64;
            }
            Ok(Ok(()))
        }
        Err(errno) => Ok(Err(StreamError::Failed(call.keep(Failure(errno))?))),
    }
}

fn write_zeroes(call: &mut Call<'_>, this: &Output, len: u64) -> Result<Streamed<()>, Error> {
    call.work(len)?;
    // Within the permit, so it is small.
    let zeroes = vec![0; len as usize];
    write(call, this, &zeroes)
}

/// Moves up to `len` bytes and at most a chunk from one stream to another.
fn splice(
    call: &mut Call<'_>,
    this: &Output,
    from: &Input,
    len: u64,
) -> Result<Streamed<u64>, Error> {
    let bytes = match read(call, from, len.min(PERMIT))? {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(error)),
    };
    let len = bytes.len() as u64;
    call.work(len)?;
    Ok(write(call, this, &bytes)?.map(|()| len))
}
