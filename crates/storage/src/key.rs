//! The key that a node seals what it stores with, and the file that holds it.

use std::{
    fmt, fs,
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{self, Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use opensky_protocol::Digest;
use rustix::fs::OFlags;
use zeroize::{Zeroize, Zeroizing};

/// Why a key file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others than its owner may read or write it.
    #[error(
        "the key file `{path}` may be used by others (mode {mode:o}): whoever could read it can read \
         what the node stores; if nobody has: chmod 600 {path}"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is not 64 hexadecimal digits.
    #[error(
        "the key file `{0}` is damaged: put back a copy; without it what was sealed cannot be read"
    )]
    Damaged(PathBuf),
    /// The operating system refused.
    #[error("cannot {doing} the key file `{path}`: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it could not.
        source: io::Error,
    },
}

/// A secret of 32 bytes; forgotten when dropped. Without it nothing that was sealed can be read.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// The key of those bytes, for whoever keeps them elsewhere than in a file.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key in the file `path`; made, durably, with the folders above it, if it is not there. The
    /// file has 64 hexadecimal digits and can be read by its owner alone. It is there whole or not at
    /// all, and of many that make it at once all get the same key.
    ///
    /// # Errors
    /// [`KeyError`] says what to do. A key is never replaced.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        match read(path) {
            Err(KeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                make(path)?;
                read(path)
            }
            read => read,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

fn read(path: &Path) -> Result<SealKey, KeyError> {
    let failed = failed("read", path);
    let mut options = fs::OpenOptions::new();
    // A pipe that somebody put there is not waited for.
    options
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = options.open(path).map_err(&failed)?;
    let metadata = file.metadata().map_err(&failed)?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(KeyError::Exposed { path, mode });
    }
    // A key's digits, and the end of a line.
    let mut text = Zeroizing::new(String::with_capacity(128));
    file.take(128).read_to_string(&mut text).map_err(&failed)?;
    let parsed: Result<Digest, _> = text.trim().parse();
    let mut digits = parsed.map_err(|_| KeyError::Damaged(path.to_owned()))?;
    let key = SealKey::from_bytes(digits.0);
    digits.0.zeroize();
    Ok(key)
}

/// Makes a key file, unless another process is first.
fn make(path: &Path) -> Result<(), KeyError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let failed = failed("make", path);
    let path = path::absolute(path).map_err(&failed)?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(ErrorKind::InvalidFilename.into()));
    };
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| failed(io::Error::other(error.to_string())))?;
    fs::create_dir_all(folder).map_err(&failed)?;
    let mut fresh = name.to_owned();
    fresh.push(format!(".{}-{}", process::id(), NEXT.fetch_add(1, Relaxed)));
    let fresh = folder.join(fresh);
    // One that died may have left its own.
    let _ = fs::remove_file(&fresh);
    let text = Zeroizing::new(format!("{}\n", Digest(*bytes)));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let written = options.open(&fresh).and_then(|mut out| {
        out.write_all(text.as_bytes())?;
        out.sync_all()
    });
    // A link fails where another process was first; a rename would take its key away.
    let named = written.and_then(|()| match fs::hard_link(&fresh, &path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let _ = fs::remove_file(&fresh);
    let durable = named.and_then(|()| fs::File::open(folder)?.sync_all());
    durable.map_err(failed)
}

fn failed<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> KeyError + use<'a> {
    move |source| KeyError::Io {
        doing,
        path: path.to_owned(),
        source,
    }
}
