//! Where a node's API is, and the token that opens it: two files in the node's data folder, which are
//! believed only while the node holds one of them locked. So a node that was killed leaves nothing that
//! sends its user, and the token, to whoever has taken its port.

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The file with the address, as in `127.0.0.1:4180`, locked by the node.
const ADDRESS: &str = "api.address";
/// The file with the token and nothing else, which only its owner can read.
const TOKEN: &str = "api.token";
/// How a token is shown: whoever bears it gets in.
const SCHEME: &str = "Bearer";
/// More than either file ever has.
const MAX_FILE: u64 = 256;

/// What opens a node's API: 32 random bytes. Never shown.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// The token that these bytes are. They have to be random: whoever knows them spends the node's
    /// money.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self(opensky_protocol::Digest(*bytes).to_string())
    }

    /// Whether the value of an `authorization` header has it, after `Bearer` in letters of either case
    /// (RFC 9110, section 11.1). Takes as long for a token that is nearly right as for any other.
    pub fn opens(&self, header: &[u8]) -> bool {
        let scheme = header.get(..SCHEME.len());
        let token = header.get(SCHEME.len()..).unwrap_or_default();
        scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME.as_bytes()))
            && token.first() == Some(&b' ')
            && blake3::hash(token.trim_ascii_start()) == blake3::hash(self.0.as_bytes())
    }

    /// The value of an `authorization` header.
    pub(crate) fn header(&self) -> String {
        format!("{SCHEME} {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl FromStr for Token {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        match text.len() == 64 && text.bytes().all(is_hex) {
            true => Ok(Self(text.to_owned())),
            false => Err(()),
        }
    }
}

/// Where a node's API is, and its token.
#[derive(Clone, Debug)]
pub struct Endpoint {
    address: SocketAddr,
    token: Token,
}

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// No node runs with that folder.
    #[error(
        "no node runs in {}, or it waits for its ledger, as it says itself then: start one with `opensky node \
         start` or `opensky devnet`",
        folder.display()
    )]
    NoNode {
        /// The data folder.
        folder: PathBuf,
    },
    /// A file does not hold what a node writes.
    #[error("{} is not what a node has written; start the node again", file.display())]
    Garbled {
        /// The file.
        file: PathBuf,
    },
    /// The token would leave this machine.
    #[error("{address} is not on this machine: the API is for programs beside the node only")]
    NotLocal {
        /// The address.
        address: SocketAddr,
    },
    /// A file could not be read or written.
    #[error("cannot use {}: {error}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

impl Endpoint {
    /// The API at a loopback address.
    ///
    /// # Errors
    /// [`EndpointError::NotLocal`] for every other address.
    pub fn new(address: SocketAddr, token: Token) -> Result<Self, EndpointError> {
        match address.ip().is_loopback() {
            true => Ok(Self { address, token }),
            false => Err(EndpointError::NotLocal { address }),
        }
    }

    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The token.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// What the node that runs with this data folder has left there.
    ///
    /// # Errors
    /// [`EndpointError::NoNode`] where there is nothing, or only what a node left that runs no more.
    pub fn read(folder: &Path) -> Result<Self, EndpointError> {
        let mut file = open(folder, ADDRESS)?;
        let address = read(&mut file, folder, ADDRESS)?;
        let token = read(&mut open(folder, TOKEN)?, folder, TOKEN)?;
        // At the end: the node that wrote the address lives, so the token is not another one's.
        if !is_locked(&file) {
            let folder = folder.to_owned();
            return Err(EndpointError::NoNode { folder });
        }
        let garbled = |name| EndpointError::Garbled {
            file: folder.join(name),
        };
        let address = address.parse().map_err(|_| garbled(ADDRESS))?;
        let token = token.parse().map_err(|()| garbled(TOKEN))?;
        Self::new(address, token)
    }

    /// Leaves it in the data folder, for this user alone, and has it believed for as long as what comes
    /// back lives. Replaces what was there.
    ///
    /// # Errors
    /// [`EndpointError::File`].
    pub fn write(&self, folder: &Path) -> Result<Posted, EndpointError> {
        write(folder, TOKEN, &self.token.0)?;
        let file = write(folder, ADDRESS, &self.address.to_string())?;
        Ok(Posted { _locked: file })
    }

    /// Removes it: no node runs here any more. What is not there is no error.
    ///
    /// # Errors
    /// [`EndpointError::File`].
    pub fn remove(folder: &Path) -> Result<(), EndpointError> {
        for name in [ADDRESS, TOKEN] {
            match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(folder, name)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// An endpoint that was left in a data folder: programs find the node by it while this lives. The files
/// stay when it goes, and mean nothing then.
#[derive(Debug)]
pub struct Posted {
    _locked: File,
}

/// Whether a node holds the file. A lock of one's own is let go with the file.
fn is_locked(file: &File) -> bool {
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn failed<'a>(folder: &'a Path, name: &'a str) -> impl Fn(io::Error) -> EndpointError + 'a {
    move |error| EndpointError::File {
        file: folder.join(name),
        error,
    }
}

fn open(folder: &Path, name: &str) -> Result<File, EndpointError> {
    match File::open(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = folder.to_owned();
            Err(EndpointError::NoNode { folder })
        }
        file => file.map_err(failed(folder, name)),
    }
}

fn read(file: &mut File, folder: &Path, name: &str) -> Result<String, EndpointError> {
    let failed = failed(folder, name);
    let mut text = String::new();
    file.take(MAX_FILE)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text.trim().to_owned())
}

/// Under another name first: nobody reads half of it, or finds it before it is locked, and a file that
/// others can read is not reused. The lock goes with the file that comes back.
fn write(folder: &Path, name: &str, text: &str) -> Result<File, EndpointError> {
    let failed = failed(folder, name);
    let new = folder.join(format!(".{name}.new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&new).map_err(&failed)?;
    file.try_lock().map_err(|error| failed(error.into()))?;
    writeln!(file, "{text}").map_err(&failed)?;
    fs::rename(new, folder.join(name)).map_err(failed)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn endpoint(address: &str) -> Result<Endpoint, EndpointError> {
        let token = Token::from_random(&[7; 32]);
        Endpoint::new(address.parse().expect("an address"), token)
    }

    #[test]
    fn endpoint_is_for_one_user_and_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let missing = Endpoint::read(at).expect_err("nothing there").to_string();
        assert!(missing.contains("`opensky node start`"), "{missing}");
        for address in ["127.0.0.1:4180", "[::1]:9"] {
            let written = endpoint(address).expect("loopback");
            let _posted = written.write(at).expect("written");
            let read = Endpoint::read(at).expect("read");
            assert_eq!(read.address(), written.address());
            assert!(written.token().opens(read.token().header().as_bytes()));
            let mode = fs::metadata(at.join(TOKEN))
                .expect("there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        Endpoint::remove(at).expect("removed");
        Endpoint::remove(at).expect("nothing to do");
        assert!(matches!(
            Endpoint::read(at),
            Err(EndpointError::NoNode { .. })
        ));
    }

    #[test]
    fn what_a_killed_node_left_is_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        let first = endpoint("127.0.0.1:4180").expect("loopback");
        let posted = first.write(at).expect("written");
        for _ in 0..2 {
            Endpoint::read(at).expect("its node runs, whoever looks");
        }
        // A kill leaves the files as they are, and no lock.
        drop(posted);
        assert!(at.join(ADDRESS).exists() && at.join(TOKEN).exists());
        let stale = Endpoint::read(at).expect_err("nobody runs");
        assert!(matches!(stale, EndpointError::NoNode { .. }), "{stale}");
        let second = endpoint("127.0.0.1:4181").expect("loopback");
        let _posted = second.write(at).expect("written");
        let found = Endpoint::read(at).expect("the next node runs");
        assert_eq!(found.address(), second.address());
    }

    #[test]
    fn tokens_stay_on_this_machine() {
        for address in ["10.0.0.1:80", "0.0.0.0:80", "[::]:80"] {
            let refused = endpoint(address);
            assert!(
                matches!(refused, Err(EndpointError::NotLocal { .. })),
                "{address}"
            );
        }
    }

    #[test]
    fn tokens_are_not_shown_and_open_only_whole() {
        let token = Token::from_random(&[7; 32]);
        assert!(!format!("{token:?}").contains("07"));
        let header = token.header();
        assert!(token.opens(header.as_bytes()));
        assert!(!token.opens(&header.as_bytes()[..header.len() - 1]));
        assert!(!token.opens(b"") && !token.opens(b"Bearer "));
        let digits = &token.0;
        for scheme in ["bearer ", "BEARER ", "bEaReR   "] {
            assert!(token.opens(format!("{scheme}{digits}").as_bytes()));
        }
        for scheme in [
            "",
            "Bearer",
            "Basic ",
            "Bearer\t",
            " Bearer ",
            "Bearer Bearer ",
        ] {
            assert!(!token.opens(format!("{scheme}{digits}").as_bytes()));
        }
    }

    proptest! {
        #[test]
        fn any_files_are_read(address in ".{0,60}", token in "[0-9a-f]{60,70}", bytes: Vec<u8>) {
            let folder = tempfile::tempdir().expect("a folder");
            fs::write(folder.path().join(TOKEN), &token).expect("written");
            fs::write(folder.path().join(ADDRESS), &address).expect("written");
            let locked = File::open(folder.path().join(ADDRESS)).expect("there");
            locked.try_lock().expect("nobody else has it");
            if let Ok(endpoint) = Endpoint::read(folder.path()) {
                prop_assert!(endpoint.address().ip().is_loopback());
            }
            fs::write(folder.path().join(ADDRESS), "127.0.0.1:1").expect("written");
            prop_assert_eq!(Endpoint::read(folder.path()).is_ok(), token.len() == 64);
            fs::write(folder.path().join(ADDRESS), &bytes).expect("written");
            prop_assert!(Endpoint::read(folder.path()).is_err());
        }
    }
}
