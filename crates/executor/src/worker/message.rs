//! What parent and worker say to each other.

use std::{collections::BTreeMap, sync::Arc};

use opensky_protocol::{Abort, Class, Digest, Profile, Transcript, Work};
use parity_scale_codec::{Decode, DecodeWithMemTracking, Encode};

use crate::{CompileError, engine::Backend, worker::lockdown::SandboxReport};

/// The first message to every worker: what it may use, and the engine that it will need.
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) struct Setup {
    pub engine: EngineKind,
    /// Bytes of memory, code and stacks included.
    pub memory: u64,
    /// Bytes of any file it writes.
    pub file: u64,
    /// Seconds of processor time, all threads together.
    pub cpu: u64,
    /// Threads that compile.
    pub threads: u32,
}

/// What has to be equal for native code to run.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) struct EngineKind {
    pub profile: Profile,
    pulley: bool,
}

impl EngineKind {
    pub fn new(profile: Profile, backend: Backend) -> Self {
        Self {
            profile,
            pulley: backend == Backend::Pulley,
        }
    }

    pub fn backend(&self) -> Backend {
        if self.pulley {
            Backend::Pulley
        } else {
            Backend::Cranelift
        }
    }
}

/// The first message from every worker: it is locked in, and ready.
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) struct Ready(pub Result<SandboxReport, String>);

/// To a compile worker, with two files: the component, and an empty one for the native code.
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) struct Compile;

/// From a compile worker: how many bytes it wrote.
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) struct Compiled(pub Result<u64, CompileError>);

/// To a run worker.
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) enum Request {
    /// The one program that it will ever run: with the native code as a file.
    Load(EngineKind),
    /// The inputs of the units that follow, in place of those before; with a file that holds the
    /// bytes of each [`Part::Apart`], one after the other, where there are any.
    Inputs(Vec<(Digest, Part)>),
    /// Units, answered in this order, each with one [`Answer`].
    Run(Vec<Arc<Work>>),
}

/// From a run worker, to [`Request::Load`].
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) struct Loaded(pub Result<(), Abort>);

/// From a run worker, for each unit. The bytes of each [`Part::Apart`] follow the message: the
/// outputs by name, then the log.
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) enum Answer {
    Run(Told),
    Abort(Abort),
    /// The program does not export what the unit's world calls.
    NoExport,
}

/// What a run worker says of a unit that it ran. Believed by nobody: see `judge`.
#[derive(Clone, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) struct Told {
    pub class: Class,
    pub fuel: u64,
    pub outputs: BTreeMap<String, Part>,
    pub transcript: Transcript,
    pub states: Vec<Digest>,
    pub detail: Option<String>,
    pub log: Part,
    pub memory: u64,
    pub wall_nanos: u64,
}

/// Bytes that are in the message, or outside of it where copying them twice would show.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode, DecodeWithMemTracking)]
pub(super) enum Part {
    Here(Vec<u8>),
    /// This many, in the file or after the message.
    Apart(u64),
}

/// Makes the parts of one message.
pub(super) struct Parts<'a, B> {
    /// Those that are not in it, in order.
    apart: &'a mut Vec<B>,
    /// Bytes that there is still room for in the message.
    room: usize,
}

impl<'a, B: AsRef<[u8]>> Parts<'a, B> {
    /// The longest part that is carried in a message, and the most that all are together: a reduce may
    /// have tens of thousands of inputs.
    const HERE: usize = 16 << 10;
    const ROOM: usize = 4 << 20;

    pub fn new(apart: &'a mut Vec<B>) -> Self {
        Self {
            apart,
            room: Self::ROOM,
        }
    }

    pub fn add(&mut self, bytes: B) -> Part {
        let len = bytes.as_ref().len();
        if len <= Self::HERE.min(self.room) {
            self.room -= len;
            return Part::Here(bytes.as_ref().to_vec());
        }
        self.apart.push(bytes);
        Part::Apart(len as u64)
    }
}

impl Part {
    /// Bytes of it that are not in the message.
    pub fn apart(&self) -> u64 {
        match self {
            Self::Here(_) => 0,
            Self::Apart(len) => *len,
        }
    }
}

/// Text for people, cut to a page.
pub(super) fn clip(mut text: String) -> String {
    const PAGE: usize = 8 << 10;
    text.truncate(text.floor_char_boundary(PAGE));
    text
}
