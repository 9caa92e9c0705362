//! Keeps compiled code on disk between runs, and never gives back a byte that it did not write.

use std::{
    io::{self, Read, Write},
    path::Path,
    time::{Duration, SystemTime},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, DirBuilder, DirBuilderExt, File, MetadataExt, OpenOptions, OpenOptionsExt},
};
use opensky_protocol::Digest;
use rustix::{
    fs::{OFlags, Timespec, Timestamps, UTIME_NOW, futimens},
    process::geteuid,
    rand::{GetRandomFlags, getrandom},
};
use tracing::warn;

use crate::worker::sealed::{Sealed, blank};

/// The compile cache: a folder of native code, each entry authenticated with a key that lies beside
/// them and never leaves this machine.
///
/// An entry that is truncated, changed, or put in another's place is removed, and the program
/// compiled again. A folder that cannot be used means no cache, with a warning, and nothing worse.
/// Several processes may use one folder at once.
pub struct Cache {
    place: Option<Place>,
    limit: u64,
}

struct Place {
    dir: Dir,
    key: [u8; 32],
}

/// `magic ‖ key ‖ length ‖ authenticator`, before the native code.
const HEADER: usize = 8 + 32 + 8 + 32;
const MAGIC: &[u8; 8] = b"oskynat1";
const KEY_FILE: &str = "key";
const SUFFIX: &str = ".native";
const TEMPORARY: &str = "new-";
/// What is left of a process that died while it wrote is removed after this long.
const ABANDONED: Duration = Duration::from_secs(3600);

impl Cache {
    /// Bytes of native code that a cache holds when nothing else is said.
    pub const DEFAULT_LIMIT: u64 = 2 << 30;

    /// The cache in the folder at `path`, which is made if it is not there, with at most `limit`
    /// bytes: what was used least recently goes first.
    pub fn open(path: &Path, limit: u64) -> Self {
        let place = Place::open(path)
            .inspect_err(|error| warn!(%error, path = %path.display(), "no compile cache"));
        Self {
            place: place.ok(),
            limit,
        }
    }

    /// The code that was stored under `key`, if it is there and authentic.
    pub(crate) fn load(&self, key: &Digest) -> Option<Sealed> {
        let place = self.place.as_ref()?;
        let name = entry(key);
        match place.read(&name, key) {
            Ok(native) => Some(native),
            Err(Unread::Absent) => None,
            Err(Unread::Invalid) => {
                warn!(name, "a cached program is damaged or not ours: removed");
                place.remove(&name);
                None
            }
            Err(Unread::Io(error)) => {
                warn!(%error, name, "a cached program cannot be read");
                None
            }
        }
    }

    /// Keeps `native` under `key`. Failure costs a compilation later, so it is only logged.
    pub(crate) fn store(&self, key: &Digest, native: &Sealed) {
        let Some(place) = &self.place else { return };
        if native.len() as u64 > self.limit {
            return;
        }
        let stored = place
            .write(&entry(key), key, native)
            .and_then(|()| place.evict(self.limit));
        if let Err(error) = stored {
            warn!(%error, "a compiled program was not cached");
        }
    }
}

/// Why an entry is not used.
enum Unread {
    Absent,
    Invalid,
    Io(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            io::ErrorKind::UnexpectedEof => Self::Invalid,
            _ => Self::Io(error),
        }
    }
}

impl Place {
    fn open(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            Dir::create_ambient_dir_all(parent, ambient_authority())?;
            if let Some(name) = path.file_name() {
                let parent = Dir::open_ambient_dir(parent, ambient_authority())?;
                make_private_dir(&parent, Path::new(name))?;
            }
        }
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        let key = node_key(&dir)?;
        Ok(Self { dir, key })
    }

    fn read(&self, name: &str, key: &Digest) -> Result<Sealed, Unread> {
        let file = open_for_reading(&self.dir, name)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Unread::Invalid);
        }
        let size = metadata.len();
        let mut file = file.into_std();
        let mut header = [0; HEADER];
        file.read_exact(&mut header)?;
        let (head, authenticator) = header.split_at(HEADER - 32);
        let len = size.checked_sub(HEADER as u64).ok_or(Unread::Invalid)?;
        if head != self::head(key, len) {
            return Err(Unread::Invalid);
        }
        // What is checked is the copy that will be used: the file may change under us.
        let mut copy = blank()?;
        if io::copy(&mut (&mut file).take(len), &mut copy)? != len {
            return Err(Unread::Invalid);
        }
        let native = Sealed::seal(copy)?;
        let expected = self.authenticator(head, native.map()?.as_ref());
        let found = <[u8; 32]>::try_from(authenticator).expect("the header was split so");
        // `Hash` compares in constant time.
        if expected != blake3::Hash::from_bytes(found) {
            return Err(Unread::Invalid);
        }
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        };
        let used = Timestamps {
            last_access: now,
            last_modification: now,
        };
        if let Err(error) = futimens(&file, &used) {
            warn!(%error, name, "the use of a cached program was not noted");
        }
        Ok(native)
    }

    fn write(&self, name: &str, key: &Digest, native: &Sealed) -> io::Result<()> {
        let bytes = native.map()?;
        let head = head(key, bytes.as_ref().len() as u64);
        let authenticator = self.authenticator(&head, bytes.as_ref());
        let temporary = temporary_name()?;
        let written = private_file(&self.dir, &temporary)
            .and_then(|mut file| {
                file.write_all(&head)?;
                file.write_all(authenticator.as_bytes())?;
                file.write_all(bytes.as_ref())
            })
            .and_then(|()| self.dir.rename(&temporary, &self.dir, name));
        written.inspect_err(|_| self.remove(&temporary))
    }

    fn authenticator(&self, head: &[u8], native: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(head).update(native).finalize()
    }

    fn remove(&self, name: &str) {
        match self.dir.remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!(%error, name, "a file of the compile cache cannot be removed");
            }
            _ => {}
        }
    }

    /// Removes what was used least recently until `limit` bytes are left.
    fn evict(&self, limit: u64) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in self.dir.entries()? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // Another process may be removing it just now.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let used = metadata.modified()?.into_std();
            if name.ends_with(SUFFIX) {
                entries.push((used, metadata.len(), name));
            } else if name.starts_with(TEMPORARY) && is_abandoned(used) {
                self.remove(&name);
            }
        }
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, len, _)| len).sum();
        for (_, len, name) in entries {
            if total <= limit {
                break;
            }
            self.remove(&name);
            total -= len;
        }
        Ok(())
    }
}

fn is_abandoned(used: SystemTime) -> bool {
    used.elapsed().is_ok_and(|age| age > ABANDONED)
}

fn entry(key: &Digest) -> String {
    format!("{key}{SUFFIX}")
}

fn head(key: &Digest, len: u64) -> [u8; HEADER - 32] {
    let mut head = [0; HEADER - 32];
    head[..8].copy_from_slice(MAGIC);
    head[8..40].copy_from_slice(&key.0);
    head[40..].copy_from_slice(&len.to_le_bytes());
    head
}

fn make_private_dir(parent: &Dir, name: &Path) -> io::Result<()> {
    let mut private = DirBuilder::new();
    private.mode(0o700);
    match parent.create_dir_with(name, &private) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Opens whatever has that name without waiting: a pipe that somebody put there has no other end.
fn open_for_reading(dir: &Dir, name: &str) -> io::Result<File> {
    let without_waiting = OFlags::NONBLOCK.bits() as i32;
    dir.open_with(
        name,
        OpenOptions::new().read(true).custom_flags(without_waiting),
    )
}

fn private_file(dir: &Dir, name: &str) -> io::Result<File> {
    dir.open_with(
        name,
        OpenOptions::new().write(true).create_new(true).mode(0o600),
    )
}

fn temporary_name() -> io::Result<String> {
    let bytes: [u8; 16] = random()?;
    Ok(format!("{TEMPORARY}{:032x}", u128::from_le_bytes(bytes)))
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = getrandom(&mut bytes[..], GetRandomFlags::empty())?;
    assert_eq!(filled, N, "a read of up to 256 random bytes is never short");
    Ok(bytes)
}

/// The key that this node authenticates its entries with: made once, and the same for all
/// processes that share the folder. A key that others may have read is thrown away, and with it
/// every entry.
fn node_key(dir: &Dir) -> io::Result<[u8; 32]> {
    if let Some(key) = read_key(dir)? {
        return Ok(key);
    }
    let temporary = temporary_name()?;
    let key: [u8; 32] = random()?;
    let mut file = private_file(dir, &temporary)?;
    let linked = file
        .write_all(&key)
        .and_then(|()| file.sync_all())
        // A link is never made over an existing file, so the first process decides.
        .and_then(|()| dir.hard_link(&temporary, dir, KEY_FILE));
    dir.remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read_key(dir)?.ok_or_else(|| io::Error::other("the cache's key cannot be used"))
        }
        linked => linked.map(|()| key),
    }
}

fn read_key(dir: &Dir) -> io::Result<Option<[u8; 32]>> {
    let mut file = match open_for_reading(dir, KEY_FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    let private = metadata.mode() & 0o077 == 0 && metadata.uid() == geteuid().as_raw();
    if private && metadata.is_file() && metadata.len() == 32 {
        let mut key = [0; 32];
        file.read_exact(&mut key)?;
        return Ok(Some(key));
    }
    warn!("the compile cache's key is damaged or not private: all entries are given up");
    dir.remove_file(KEY_FILE)?;
    Ok(None)
}
