//! The chain's clock: the system's, and how far tests have moved it on.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use sp_timestamp::Timestamp;

/// How far it is moved on at most, in milliseconds: a hundred years.
const FURTHEST: u64 = 100 * 365 * 86_400_000;

/// What is ahead stays so when the chain is started again: no block may be older than the one before it.
pub struct Clock {
    file: PathBuf,
    /// Milliseconds.
    ahead: Mutex<u64>,
}

impl Clock {
    /// That of the chain whose blocks are in a folder.
    ///
    /// # Errors
    /// What is kept there cannot be read, or is no number.
    pub fn open(data: &Path) -> io::Result<Self> {
        let file = data.join("clock");
        let ahead = match fs::read_to_string(&file) {
            Ok(text) => text.parse().map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let ahead = Mutex::new(ahead);
        Ok(Self { file, ahead })
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp::current()
            .as_millis()
            .saturating_add(*ahead)
            .into()
    }

    /// Moves it on by so many milliseconds, from the next block on.
    ///
    /// # Errors
    /// It would be too far ahead, or that was not written down; it is as it was.
    pub fn pass(&self, time: u64) -> io::Result<()> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let further = ahead.saturating_add(time);
        if further > FURTHEST {
            let text = format!("the clock may be {FURTHEST} ms ahead and no more");
            return Err(io::Error::other(text));
        }
        // Killed in between it finds the one or the other.
        let next = self.file.with_extension("next");
        fs::write(&next, further.to_string())?;
        fs::rename(next, &self.file)?;
        *ahead = further;
        Ok(())
    }
}
