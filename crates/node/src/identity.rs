//! The node's key: made on first use, in a file that only its owner can read.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use opensky_protocol::{Digest, SecretKey};
use zeroize::Zeroizing;

/// The key file's name in the data folder.
const KEY_FILE: &str = "node.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is there, and holds no key.
    #[error("the key file `{}` is damaged: put back a copy, or move it away to become another node", .0.display())]
    Damaged(PathBuf),
    /// The operating system refused.
    #[error("cannot {doing} the key file `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// The 32 secret bytes that a node is. Wiped from memory when dropped.
pub(crate) struct Identity(Zeroizing<[u8; 32]>);

impl Identity {
    /// That of the node whose things are in `data`, made if there is none.
    pub fn open(data: &Path) -> Result<Self, KeyError> {
        let file = data.join(KEY_FILE);
        match fs::read_to_string(&file) {
            Ok(text) => Self::parse(&file, Zeroizing::new(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::make(data, &file),
            Err(source) => Err(failed("read", &file)(source)),
        }
    }

    fn parse(file: &Path, text: Zeroizing<String>) -> Result<Self, KeyError> {
        let digits: Result<Digest, _> = text.trim().parse();
        let seed = digits.map_err(|_| KeyError::Damaged(file.to_owned()))?;
        Ok(Self(Zeroizing::new(seed.0)))
    }

    /// Writes a new one, whole or not at all.
    fn make(data: &Path, file: &Path) -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed)
            .map_err(|error| failed("fill", file)(io::Error::other(error)))?;
        let fresh = data.join(format!("{KEY_FILE}.{}", std::process::id()));
        let text = Zeroizing::new(format!("{}\n", Digest(*seed)));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = options.open(&fresh).and_then(|mut out| {
            out.write_all(text.as_bytes())?;
            out.sync_all()
        });
        let named = written.and_then(|()| fs::hard_link(&fresh, file));
        // Gone already, or nobody looks for it.
        let _ = fs::remove_file(&fresh);
        named
            .and_then(|()| fs::File::open(data)?.sync_all())
            .map_err(failed("write", file))?;
        Ok(Self(seed))
    }

    /// The key that signs.
    pub fn secret(&self) -> SecretKey {
        SecretKey::from_seed(&self.0)
    }

    /// What the network's own key is made of: the same one.
    pub fn seed(&self) -> &[u8; 32] {
        &self.0
    }

    /// A secret for one purpose, which says nothing about the key or about those of other purposes.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        Digest::derive(purpose, &*self.0).0
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::Io {
        doing,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn key_is_made_once_and_is_its_owners_alone() {
        let data = tempfile::tempdir().unwrap();
        let made = Identity::open(data.path()).unwrap();
        let found = Identity::open(data.path()).unwrap();
        assert_eq!(made.seed(), found.seed());
        let mode = fs::metadata(data.path().join(KEY_FILE)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1);
    }

    #[test]
    fn damaged_key_is_not_replaced() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join(KEY_FILE), "no key").unwrap();
        assert!(matches!(
            Identity::open(data.path()),
            Err(KeyError::Damaged(_))
        ));
    }
}
