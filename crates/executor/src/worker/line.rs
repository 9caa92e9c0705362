//! The line between parent and worker: length-prefixed messages over a pair of sockets, files beside
//! them towards the worker, bytes behind them towards the parent.

use std::{
    fs::File,
    io::{self, IoSlice, IoSliceMut, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

use opensky_protocol::codec;
use parity_scale_codec::{DecodeWithMemTracking, Encode};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recv, recvmsg, sendmsg,
    },
};

/// The longest message. A result's outputs and log go behind it, so what is left are names and
/// digests; a unit's inputs are named in it.
const MAX_BODY: usize = 64 << 20;
/// Files that go with one message.
const MAX_FILES: usize = 2;

/// Bytes before every message: its length, and the length of what follows it.
const HEADER: usize = 12;

struct Header {
    body: u32,
    tail: u64,
}

impl Header {
    fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&self.body.to_le_bytes());
        bytes[4..].copy_from_slice(&self.tail.to_le_bytes());
        bytes
    }

    fn of(bytes: &[u8; HEADER]) -> Self {
        let (body, tail) = bytes.split_at(4);
        Self {
            body: u32::from_le_bytes(body.try_into().expect("split at 4")),
            tail: u64::from_le_bytes(tail.try_into().expect("12 less 4 is 8")),
        }
    }
}

/// Header and body of a message, as they are sent.
fn framed(message: &impl Encode, tail: u64) -> Result<Vec<u8>, Lost> {
    let mut bytes = vec![0; HEADER];
    message.encode_to(&mut bytes);
    let body = bytes.len() - HEADER;
    if body > MAX_BODY {
        return Err(Lost::Rules("a message is too long"));
    }
    let header = Header {
        body: body as u32,
        tail,
    };
    bytes[..HEADER].copy_from_slice(&header.bytes());
    Ok(bytes)
}

/// Why nothing more will come from the other side.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// It took too long.
    #[error("no answer in time")]
    Late,
    /// It closed the line.
    #[error("the line was closed")]
    Closed,
    /// It said what it may not say.
    #[error("{0}")]
    Rules(&'static str),
    /// The system failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<Errno> for Lost {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::PIPE | Errno::CONNRESET => Self::Closed,
            errno => Self::Io(errno.into()),
        }
    }
}

/// The parent's end. Nothing here blocks past its deadline, and nothing that is read is believed
/// to be short, whole or true.
pub(super) struct ParentEnd {
    socket: UnixStream,
    buffer: Vec<u8>,
    start: usize,
}

/// What is read at once: many answers to tiny units.
const BUFFER: usize = 64 << 10;

impl ParentEnd {
    /// Both ends: one for us, one for a worker's standard input.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let end = Self {
            socket: ours,
            buffer: Vec::new(),
            start: 0,
        };
        Ok((end, theirs.into()))
    }

    /// Sends a message and files.
    pub fn send(
        &mut self,
        message: &impl Encode,
        files: &[BorrowedFd<'_>],
        deadline: Instant,
    ) -> Result<(), Lost> {
        let bytes = framed(message, 0)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
        let mut files_left = files;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !files_left.is_empty() {
                let room = control.push(SendAncillaryMessage::ScmRights(files_left));
                assert!(room, "no message has more than {MAX_FILES} files");
            }
            let flags = SendFlags::NOSIGNAL;
            match sendmsg(&self.socket, &[IoSlice::new(rest)], &mut control, flags) {
                Ok(sent) => {
                    rest = &rest[sent..];
                    files_left = &[];
                }
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, deadline)?,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Reads a message, and says how many bytes follow it: at most `max_tail`, to be read next.
    pub fn receive<T: DecodeWithMemTracking + Encode>(
        &mut self,
        max_tail: u64,
        deadline: Instant,
    ) -> Result<(T, u64), Lost> {
        let mut header = [0; HEADER];
        self.read(&mut header, deadline)?;
        let Header { body, tail } = Header::of(&header);
        if body as usize > MAX_BODY || tail > max_tail {
            return Err(Lost::Rules("an answer is too long"));
        }
        let body = self.read_vec(body as usize, deadline)?;
        let message = codec::decode(&body).map_err(|_| Lost::Rules("an answer does not decode"))?;
        Ok((message, tail))
    }

    /// Reads `len` bytes. Memory is taken as they come.
    pub fn read_vec(&mut self, len: usize, deadline: Instant) -> Result<Vec<u8>, Lost> {
        /// A worker that promises much and sends nothing gets no more memory than this.
        const STEP: usize = 1 << 20;
        let mut bytes = Vec::with_capacity(len.min(STEP));
        while bytes.len() < len {
            let had = bytes.len();
            bytes.resize((had + STEP).min(len), 0);
            self.read(&mut bytes[had..], deadline)?;
        }
        Ok(bytes)
    }

    fn read(&mut self, mut to: &mut [u8], deadline: Instant) -> Result<(), Lost> {
        while !to.is_empty() {
            if self.is_drained() {
                if to.len() >= BUFFER {
                    let read = receive_some(&self.socket, to, deadline)?;
                    to = &mut to[read..];
                    continue;
                }
                self.buffer.resize(BUFFER, 0);
                self.start = 0;
                match receive_some(&self.socket, &mut self.buffer, deadline) {
                    Ok(read) => self.buffer.truncate(read),
                    Err(lost) => {
                        self.buffer.clear();
                        return Err(lost);
                    }
                }
            }
            let had = &self.buffer[self.start..];
            let len = had.len().min(to.len());
            to[..len].copy_from_slice(&had[..len]);
            self.start += len;
            to = &mut to[len..];
        }
        Ok(())
    }

    /// Whether all that was received has been read.
    pub fn is_drained(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// Whether anything can be read: for a worker from which nothing is expected, the end.
    pub fn has_news(&self) -> bool {
        self.wait(PollFlags::IN, Instant::now()).is_ok()
    }

    fn wait(&self, flags: PollFlags, deadline: Instant) -> Result<(), Lost> {
        wait(&self.socket, flags, deadline)
    }
}

fn receive_some(socket: &UnixStream, to: &mut [u8], deadline: Instant) -> Result<usize, Lost> {
    loop {
        match recv(socket, &mut *to, RecvFlags::empty()) {
            Ok((0, _)) => return Err(Lost::Closed),
            Ok((read, _)) => return Ok(read),
            Err(Errno::AGAIN) => wait(socket, PollFlags::IN, deadline)?,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn wait(socket: &UnixStream, flags: PollFlags, deadline: Instant) -> Result<(), Lost> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout =
            Timespec::try_from(left.min(Duration::from_secs(3600))).expect("an hour fits");
        match poll(&mut [PollFd::new(socket, flags)], Some(&timeout)) {
            Ok(0) if Instant::now() >= deadline => return Err(Lost::Late),
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The worker's end: its standard input. Blocks, and trusts the parent.
pub(super) struct WorkerEnd(File);

impl WorkerEnd {
    /// The socket that this process was started with.
    pub fn inherited() -> io::Result<Self> {
        Ok(Self(rustix::stdio::stdin().try_clone_to_owned()?.into()))
    }

    /// Sends a message and the bytes behind it.
    pub fn send(&mut self, message: &impl Encode, tail: &[Vec<u8>]) -> Result<(), Lost> {
        let len = tail.iter().map(|part| part.len() as u64).sum();
        self.0.write_all(&framed(message, len)?)?;
        tail.iter().try_for_each(|part| self.0.write_all(part))?;
        Ok(())
    }

    /// Reads a message and the files that came with it.
    pub fn receive<T: DecodeWithMemTracking + Encode>(
        &mut self,
    ) -> Result<(T, Vec<OwnedFd>), Lost> {
        let mut files = Vec::new();
        let mut header = [0; HEADER];
        self.read(&mut header, &mut files)?;
        let mut body = vec![0; Header::of(&header).body as usize];
        self.read(&mut body, &mut files)?;
        let message = codec::decode(&body).map_err(|_| Lost::Rules("a message does not decode"))?;
        Ok((message, files))
    }

    fn read(&mut self, mut to: &mut [u8], files: &mut Vec<OwnedFd>) -> Result<(), Lost> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FILES))];
        while !to.is_empty() {
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::CMSG_CLOEXEC;
            let socket = self.0.as_fd();
            let got = match recvmsg(socket, &mut [IoSliceMut::new(to)], &mut control, flags) {
                Err(Errno::INTR) => continue,
                got => got?,
            };
            if got.flags.contains(ReturnFlags::CTRUNC) {
                return Err(Lost::Rules("a message has too many files"));
            }
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(received) = message {
                    files.extend(received);
                }
            }
            if got.bytes == 0 {
                return Err(Lost::Closed);
            }
            to = &mut to[got.bytes..];
        }
        Ok(())
    }
}
