//! `wasi:filesystem`: its types, and what hangs on no descriptor. The tree itself is in `memfs`.

use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, flags};

use super::{
    VERSION,
    clocks::Datetime,
    descriptor,
    descriptor::Descriptor,
    io::Failure,
    memfs::{Errno, ROOT, Stat, Type},
};
use crate::{
    host::{Host, Interface, Record, Recorder, bind::wit_enum, record::lists},
    profile::Rules,
};

wit_enum! {
    /// `wasi:filesystem/types.error-code`.
    enum ErrorCode {
        Access = "access",
        WouldBlock = "would-block",
        Already = "already",
        BadDescriptor = "bad-descriptor",
        Busy = "busy",
        Deadlock = "deadlock",
        Quota = "quota",
        Exist = "exist",
        FileTooLarge = "file-too-large",
        IllegalByteSequence = "illegal-byte-sequence",
        InProgress = "in-progress",
        Interrupted = "interrupted",
        Invalid = "invalid",
        Io = "io",
        IsDirectory = "is-directory",
        Loop = "loop",
        TooManyLinks = "too-many-links",
        MessageSize = "message-size",
        NameTooLong = "name-too-long",
        NoDevice = "no-device",
        NoEntry = "no-entry",
        NoLock = "no-lock",
        InsufficientMemory = "insufficient-memory",
        InsufficientSpace = "insufficient-space",
        NotDirectory = "not-directory",
        NotEmpty = "not-empty",
        NotRecoverable = "not-recoverable",
        Unsupported = "unsupported",
        NoTty = "no-tty",
        NoSuchDevice = "no-such-device",
        Overflow = "overflow",
        NotPermitted = "not-permitted",
        Pipe = "pipe",
        ReadOnly = "read-only",
        InvalidSeek = "invalid-seek",
        TextFileBusy = "text-file-busy",
        CrossDevice = "cross-device",
    }
}

impl From<Errno> for ErrorCode {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::BadDescriptor => Self::BadDescriptor,
            Errno::Busy => Self::Busy,
            Errno::CrossDevice => Self::CrossDevice,
            Errno::Exist => Self::Exist,
            Errno::FileTooLarge => Self::FileTooLarge,
            Errno::Invalid => Self::Invalid,
            Errno::IsDirectory => Self::IsDirectory,
            Errno::Loop => Self::Loop,
            Errno::NameTooLong => Self::NameTooLong,
            Errno::NoEntry => Self::NoEntry,
            Errno::NoSpace => Self::InsufficientSpace,
            Errno::NotDirectory => Self::NotDirectory,
            Errno::NotEmpty => Self::NotEmpty,
            Errno::NotPermitted => Self::NotPermitted,
            Errno::ReadOnly => Self::ReadOnly,
        }
    }
}

wit_enum! {
    /// `wasi:filesystem/types.descriptor-type`.
    enum DescriptorType {
        Unknown = "unknown",
        BlockDevice = "block-device",
        CharacterDevice = "character-device",
        Directory = "directory",
        Fifo = "fifo",
        SymbolicLink = "symbolic-link",
        RegularFile = "regular-file",
        Socket = "socket",
    }
}

impl From<Type> for DescriptorType {
    fn from(kind: Type) -> Self {
        match kind {
            Type::Directory => Self::Directory,
            Type::File => Self::RegularFile,
            Type::Link => Self::SymbolicLink,
        }
    }
}

wit_enum! {
    /// `wasi:filesystem/types.advice`.
    enum Advice {
        Normal = "normal",
        Sequential = "sequential",
        Random = "random",
        WillNeed = "will-need",
        DontNeed = "dont-need",
        NoReuse = "no-reuse",
    }
}

flags! {
    DescriptorFlags {
        #[component(name = "read")]
        const READ;
        #[component(name = "write")]
        const WRITE;
        #[component(name = "file-integrity-sync")]
        const FILE_INTEGRITY_SYNC;
        #[component(name = "data-integrity-sync")]
        const DATA_INTEGRITY_SYNC;
        #[component(name = "requested-write-sync")]
        const REQUESTED_WRITE_SYNC;
        #[component(name = "mutate-directory")]
        const MUTATE_DIRECTORY;
    }
}

flags! {
    PathFlags {
        #[component(name = "symlink-follow")]
        const SYMLINK_FOLLOW;
    }
}

flags! {
    OpenFlags {
        #[component(name = "create")]
        const CREATE;
        #[component(name = "directory")]
        const DIRECTORY;
        #[component(name = "exclusive")]
        const EXCLUSIVE;
        #[component(name = "truncate")]
        const TRUNCATE;
    }
}

macro_rules! record_flags {
    ($($ty:ty)*) => {$(
        impl Record for $ty {
            fn record(&self, to: &mut Recorder) {
                self.as_array().iter().for_each(|word| word.record(to));
            }
        }
    )*};
}
record_flags!(DescriptorFlags PathFlags OpenFlags);

/// `wasi:filesystem/types.descriptor-stat`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct DescriptorStat {
    #[component(name = "type")]
    kind: DescriptorType,
    #[component(name = "link-count")]
    link_count: u64,
    #[component(name = "size")]
    size: u64,
    #[component(name = "data-access-timestamp")]
    accessed: Option<Datetime>,
    #[component(name = "data-modification-timestamp")]
    modified: Option<Datetime>,
    #[component(name = "status-change-timestamp")]
    changed: Option<Datetime>,
}

impl From<Stat> for DescriptorStat {
    fn from(stat: Stat) -> Self {
        let time = |(seconds, nanoseconds)| Datetime {
            seconds,
            nanoseconds,
        };
        Self {
            kind: stat.kind.into(),
            link_count: stat.links,
            size: stat.size,
            accessed: Some(time(stat.accessed)),
            modified: Some(time(stat.modified)),
            changed: Some(time(stat.changed)),
        }
    }
}

impl Record for DescriptorStat {
    fn record(&self, to: &mut Recorder) {
        (self.kind, self.link_count, self.size).record(to);
        (self.accessed, self.modified, self.changed).record(to);
    }
}

/// `wasi:filesystem/types.new-timestamp`.
#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(variant)]
pub(super) enum NewTimestamp {
    #[component(name = "no-change")]
    NoChange,
    #[component(name = "now")]
    Now,
    #[component(name = "timestamp")]
    Timestamp(Datetime),
}

impl Record for NewTimestamp {
    fn record(&self, to: &mut Recorder) {
        match self {
            Self::NoChange => 0_u8.record(to),
            Self::Now => 1_u8.record(to),
            Self::Timestamp(time) => (2_u8, *time).record(to),
        }
    }
}

/// `wasi:filesystem/types.directory-entry`.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct DirectoryEntry {
    #[component(name = "type")]
    pub kind: DescriptorType,
    #[component(name = "name")]
    pub name: String,
}

impl Record for DirectoryEntry {
    fn record(&self, to: &mut Recorder) {
        self.kind.record(to);
        self.name.record(to);
    }
}

/// `wasi:filesystem/types.metadata-hash-value`: the object's number. It says which object it is, as
/// programs use it, and nothing of what is in it.
#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(super) struct MetadataHash {
    #[component(name = "lower")]
    lower: u64,
    #[component(name = "upper")]
    upper: u64,
}

impl From<Stat> for MetadataHash {
    fn from(stat: Stat) -> Self {
        Self {
            lower: stat.serial,
            upper: 0,
        }
    }
}

impl Record for MetadataHash {
    fn record(&self, to: &mut Recorder) {
        (self.lower, self.upper).record(to);
    }
}

lists!((Resource<Descriptor>, String));

pub(super) fn define(linker: &mut Linker<Host>, rules: &'static Rules) -> wasmtime::Result<()> {
    let mut types = Interface::new(linker, "wasi:filesystem/types", VERSION, rules)?;
    descriptor::define(&mut types)?;
    types.func(
        "filesystem-error-code",
        |call, (error,): (Resource<Failure>,)| {
            Ok((Some(ErrorCode::from(call.table.get(&error)?.0)),))
        },
    )?;

    let mut preopens = Interface::new(linker, "wasi:filesystem/preopens", VERSION, rules)?;
    preopens.func("get-directories", |call, ()| {
        let root = call.descriptor(ROOT)?;
        Ok((vec![(root, "/".to_owned())],))
    })
}
