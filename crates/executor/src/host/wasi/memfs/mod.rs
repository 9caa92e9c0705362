//! A file system in memory, as POSIX has it: what every operation does and which error it gives is
//! what Linux does on a disk, but for times, which stand still unless they are set, and for paths,
//! which never leave the directory that they start from.
//!
//! It knows nothing of WebAssembly. The caller gives it a [`Budget`] before each operation.

mod content;
mod names;
mod path;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

pub(super) use self::path::Links;
use self::{content::Content, path::Last};
use crate::host::{Blob, Stop};

/// Names that a guest may have in all directories together. Beyond it there is no space.
const MAX_NAMES: usize = 65_536;
/// Bytes of a file, whatever the unit may put out.
const MAX_FILE: u64 = 1 << 40;
/// What one step of looking a path up costs, in bytes of work.
pub(super) const STEP: u64 = 256;

/// An object of the file system. It stays valid while the object has a name or is open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Ino(u32);

/// The directory that paths start from.
pub(super) const ROOT: Ino = Ino(0);
const IN: Ino = Ino(1);
const OUT: Ino = Ino(2);

/// What an operation may use.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    /// Bytes that files may grow by.
    pub room: u64,
    /// Bytes of work.
    pub work: u64,
}

/// Why an operation was not done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Errno {
    #[error("bad file descriptor")]
    BadDescriptor,
    #[error("resource busy")]
    Busy,
    #[error("cross-device link")]
    CrossDevice,
    #[error("file exists")]
    Exist,
    #[error("file too large")]
    FileTooLarge,
    #[error("invalid argument")]
    Invalid,
    #[error("is a directory")]
    IsDirectory,
    #[error("too many levels of symbolic links")]
    Loop,
    #[error("file name too long")]
    NameTooLong,
    #[error("no such file or directory")]
    NoEntry,
    #[error("no space left on device")]
    NoSpace,
    #[error("not a directory")]
    NotDirectory,
    #[error("directory not empty")]
    NotEmpty,
    #[error("operation not permitted")]
    NotPermitted,
    #[error("read-only file system")]
    ReadOnly,
}

/// Why an operation did not return a value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The guest is told.
    #[error(transparent)]
    Code(#[from] Errno),
    /// The guest ends.
    #[error(transparent)]
    Stop(#[from] Stop),
}

/// Seconds and nanoseconds since 1970.
pub(super) type Time = (u64, u32);

/// What kind of object it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Directory,
    File,
    Link,
}

/// What is known of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stat {
    pub kind: Type,
    pub links: u64,
    /// Bytes of a file or of a link's target; 0 for a directory.
    pub size: u64,
    pub accessed: Time,
    pub modified: Time,
    /// Never moves.
    pub changed: Time,
    /// A number that no other object of this file system has, or ever had.
    pub serial: u64,
}

/// How [`MemFs::open`] opens.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct How {
    pub create: bool,
    pub directory: bool,
    pub exclusive: bool,
    pub follow: bool,
    pub truncate: bool,
    pub write: bool,
}

struct Node {
    kind: Kind,
    /// Names that it has. 0 for what was removed while it was open.
    links: u32,
    /// Handles that it has.
    opens: u32,
    serial: u64,
    writable: bool,
    accessed: Time,
    modified: Time,
}

enum Kind {
    File(Content),
    Directory(Directory),
    Link(String),
}

struct Directory {
    entries: BTreeMap<String, Ino>,
    parent: Ino,
    /// Its own name, from which paths are put together.
    name: String,
    /// It is one that programs rely on, and can be neither removed nor renamed.
    fixed: bool,
}

/// The file system of one instance.
pub(super) struct MemFs {
    pub budget: Budget,
    nodes: Vec<Option<Node>>,
    free: Vec<Ino>,
    /// Names that the guest has made.
    names: usize,
    serial: u64,
    start: Time,
}

impl Budget {
    fn spend_room(&mut self, bytes: u64) -> Result<(), Stop> {
        let left = self.room.checked_sub(bytes);
        self.room = left.ok_or(Stop::Limit("bytes of output"))?;
        Ok(())
    }

    fn spend_work(&mut self, bytes: u64) -> Result<(), Stop> {
        let left = self.work.checked_sub(bytes);
        self.work = left.unwrap_or(0);
        left.map(drop).ok_or(Stop::OutOfFuel)
    }
}

impl MemFs {
    /// A tree with `/in`, which holds the inputs and is read-only, `/out` and `/tmp`. A slash in an
    /// input's name makes a folder; no work has an input below the name of another one, which would
    /// be left out. All times are `seconds`.
    pub fn new<'a>(seconds: u64, inputs: impl IntoIterator<Item = (&'a str, Blob)>) -> Self {
        let mut files = Self {
            budget: Budget::default(),
            nodes: Vec::new(),
            free: Vec::new(),
            names: 0,
            serial: 0,
            start: (seconds, 0),
        };
        files.add_folder(ROOT, "", true);
        for name in ["in", "out", "tmp"] {
            files.add_folder(ROOT, name, name != "in");
        }
        for (name, blob) in inputs {
            files.add_input(name, blob);
        }
        files
    }

    /// A directory that is there from the start.
    fn add_folder(&mut self, parent: Ino, name: &str, writable: bool) -> Ino {
        let ino = self.add_directory(parent, name);
        let node = self.node_mut(ino);
        node.writable = writable;
        if let Kind::Directory(directory) = &mut node.kind {
            directory.fixed = true;
        }
        if ino != ROOT {
            self.entries_mut(parent).insert(name.to_owned(), ino);
        }
        ino
    }

    fn add_input(&mut self, name: &str, blob: Blob) {
        let mut parent = IN;
        let (folders, name) = name.rsplit_once('/').unwrap_or(("", name));
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            parent = match self.node(parent).directory() {
                Some(directory) => match directory.entries.get(folder) {
                    Some(&ino) => ino,
                    None => self.add_folder(parent, folder, false),
                },
                None => return,
            };
        }
        if self.node(parent).directory().is_some() {
            let ino = self.add(Kind::File(Content::Shared(blob)));
            self.node_mut(ino).writable = false;
            self.entries_mut(parent).insert(name.to_owned(), ino);
        }
    }

    fn add(&mut self, kind: Kind) -> Ino {
        self.serial += 1;
        let node = Node {
            kind,
            links: 1,
            opens: 0,
            serial: self.serial,
            writable: true,
            accessed: self.start,
            modified: self.start,
        };
        if let Some(ino) = self.free.pop() {
            self.nodes[ino.0 as usize] = Some(node);
            return ino;
        }
        let next = u32::try_from(self.nodes.len()).expect("names and handles are limited");
        self.nodes.push(Some(node));
        Ino(next)
    }

    fn add_directory(&mut self, parent: Ino, name: &str) -> Ino {
        self.add(Kind::Directory(Directory {
            entries: BTreeMap::new(),
            parent,
            name: name.to_owned(),
            fixed: false,
        }))
    }

    fn node(&self, ino: Ino) -> &Node {
        let node = self.nodes[ino.0 as usize].as_ref();
        node.expect("what has a name or a handle is there")
    }

    fn node_mut(&mut self, ino: Ino) -> &mut Node {
        let node = self.nodes[ino.0 as usize].as_mut();
        node.expect("what has a name or a handle is there")
    }

    fn directory(&self, ino: Ino) -> Result<&Directory, Errno> {
        self.node(ino).directory().ok_or(Errno::NotDirectory)
    }

    fn entries_mut(&mut self, ino: Ino) -> &mut BTreeMap<String, Ino> {
        match &mut self.node_mut(ino).kind {
            Kind::Directory(directory) => &mut directory.entries,
            _ => unreachable!("names are put into directories only"),
        }
    }

    /// Opens or makes an object. It stays there until it is closed once for each time it was opened.
    pub fn open(&mut self, base: Ino, path: &str, how: How) -> Result<Ino, Fault> {
        if how.create && how.directory {
            return Err(Errno::Invalid.into());
        }
        let links = match how {
            How { create: true, .. } if how.exclusive || !how.follow => Links::Keep,
            How { create: true, .. } => Links::KeepBeforeSlash,
            How { follow: true, .. } => Links::Follow,
            _ => Links::FollowBeforeSlash,
        };
        let walk = self.walk(base, path, links)?;
        if how.create && walk.slash && matches!(walk.last, Last::Name(_)) {
            return Err(Errno::IsDirectory.into());
        }
        let ino = match (walk.found, &walk.last) {
            (Some(_), _) if how.create && how.exclusive => return Err(Errno::Exist.into()),
            (Some(ino), _) => {
                self.may_open(ino, how, walk.slash)?;
                ino
            }
            (None, Last::Name(name)) if how.create => {
                self.may_create(&walk)?;
                let ino = self.add(Kind::File(Content::default()));
                self.put_name(walk.dir, name, ino);
                ino
            }
            (None, _) => return Err(Errno::NoEntry.into()),
        };
        if how.truncate {
            self.set_size(ino, 0)?;
        }
        self.reopen(ino);
        Ok(ino)
    }

    fn may_open(&self, ino: Ino, how: How, slash: bool) -> Result<(), Errno> {
        let node = self.node(ino);
        match node.kind {
            Kind::Directory(_) if how.create || how.write || how.truncate => {
                Err(Errno::IsDirectory)
            }
            Kind::Directory(_) => Ok(()),
            _ if how.directory || slash => Err(Errno::NotDirectory),
            Kind::Link(_) => Err(Errno::Loop),
            Kind::File(_) if (how.write || how.truncate) && !node.writable => Err(Errno::ReadOnly),
            Kind::File(_) => Ok(()),
        }
    }

    /// One handle more on what is open already, or has a name.
    pub fn reopen(&mut self, ino: Ino) {
        self.node_mut(ino).opens += 1;
    }

    /// One handle less.
    pub fn close(&mut self, ino: Ino) {
        self.node_mut(ino).opens -= 1;
        self.reclaim(ino);
    }

    /// Frees what has neither name nor handle.
    fn reclaim(&mut self, ino: Ino) {
        let node = self.node(ino);
        if node.links > 0 || node.opens > 0 {
            return;
        }
        let bytes = match &node.kind {
            Kind::File(content) => content.len(),
            Kind::Link(target) => target.len() as u64,
            Kind::Directory(_) => 0,
        };
        self.budget.room += bytes;
        self.nodes[ino.0 as usize] = None;
        self.free.push(ino);
    }

    /// What is known of an object that has a handle.
    pub fn stat(&self, ino: Ino) -> Stat {
        let node = self.node(ino);
        let (kind, size) = match &node.kind {
            Kind::Directory(_) => (Type::Directory, 0),
            Kind::File(content) => (Type::File, content.len()),
            Kind::Link(target) => (Type::Link, target.len() as u64),
        };
        Stat {
            kind,
            links: u64::from(node.links),
            size,
            accessed: node.accessed,
            modified: node.modified,
            changed: self.start,
            serial: node.serial,
        }
    }

    /// What is known of the object at `path`.
    pub fn stat_at(&mut self, base: Ino, path: &str, links: Links) -> Result<Stat, Fault> {
        let ino = self.lookup(base, path, links)?;
        Ok(self.stat(ino))
    }

    /// Whether the object, or what it holds, may be changed.
    pub fn writable(&self, ino: Ino) -> bool {
        self.node(ino).writable
    }

    /// Sets the times that are given.
    pub fn set_times(
        &mut self,
        ino: Ino,
        accessed: Option<Time>,
        modified: Option<Time>,
    ) -> Result<(), Errno> {
        let node = self.node_mut(ino);
        if !node.writable {
            return Err(Errno::ReadOnly);
        }
        node.accessed = accessed.unwrap_or(node.accessed);
        node.modified = modified.unwrap_or(node.modified);
        Ok(())
    }

    /// The first entry of a directory whose name sorts after `after`, in byte order.
    pub fn next_entry(
        &self,
        ino: Ino,
        after: Option<&str>,
    ) -> Result<Option<(String, Type)>, Errno> {
        let entries = &self.directory(ino)?.entries;
        let next = match after {
            None => entries.iter().next(),
            Some(name) => entries.range::<str, _>((Excluded(name), Unbounded)).next(),
        };
        Ok(next.map(|(name, &ino)| (name.clone(), self.stat(ino).kind)))
    }

    /// The regular files below `/out`, by their path there. A file with two names comes twice:
    /// its room was paid twice.
    pub fn into_files(mut self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![(String::new(), OUT)];
        while let Some((prefix, folder)) = folders.pop() {
            for (name, ino) in std::mem::take(self.entries_mut(folder)) {
                let path = format!("{prefix}{name}");
                let node = self.node_mut(ino);
                match &mut node.kind {
                    Kind::Directory(_) => folders.push((format!("{path}/"), ino)),
                    Kind::Link(_) => {}
                    Kind::File(content) => {
                        node.links -= 1;
                        files.push((path, content.take_or_copy(node.links == 0)));
                    }
                }
            }
        }
        files
    }
}

impl Node {
    fn directory(&self) -> Option<&Directory> {
        match &self.kind {
            Kind::Directory(directory) => Some(directory),
            _ => None,
        }
    }
}
