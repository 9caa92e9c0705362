//! Making room: what nobody keeps and nobody has used for long goes first.

use std::{
    io,
    time::{Duration, SystemTime},
};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use opensky_protocol::Digest;
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::{Store, StoreError, error::at, quota::Quota};

/// What a collection leaves.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// What nobody has used for longer goes, though there is room for it. A use is noted to the
    /// minute.
    pub unused: Duration,
    /// Bytes on disk that may stay: as long as there are more, what was not used for longest goes.
    /// A store's quota, or less by what is to be stored next.
    pub most: u64,
}

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs.
    pub blobs: u64,
    /// Blobs that were not whole.
    pub parts: u64,
    /// Bytes on disk of both.
    pub bytes: u64,
}

/// A file of the store.
struct Candidate {
    used: SystemTime,
    name: Digest,
    path: String,
    bytes: u64,
}

impl Store {
    /// Removes blobs, those that were not used for longest first, and parts of blobs that nobody goes on
    /// with; never what is open in this process. `unless_kept` is given a blob's [name](Self::name_of)
    /// and how to remove it; it does that unless the blob is kept, and lets nobody begin to keep it
    /// meanwhile. Looks at each file's name and times; blocks.
    ///
    /// To be called from time to time, and when there is no room. `now` is the time of the clock that
    /// files have theirs from.
    ///
    /// # Errors
    /// [`StoreError::Io`]. What was removed by then is gone.
    pub fn collect(
        &self,
        now: SystemTime,
        keep: &Keep,
        unless_kept: impl Fn(&Digest, &mut dyn FnMut()),
    ) -> Result<Collected, StoreError> {
        let mut collected = Collected::default();
        let mut held = 0;
        if let Some((_, parts)) = self.receiver()? {
            let is_old = |used| is_older(used, now, keep.unused);
            let left = collect_parts(&parts, self.quota(), is_old, &mut collected);
            held += left.map_err(at("remove a part"))?;
        }
        let candidates = self.candidates().map_err(at("list the blobs"))?;
        held += candidates
            .iter()
            .map(|candidate| candidate.bytes)
            .sum::<u64>();
        for candidate in candidates {
            if held <= keep.most && !is_older(candidate.used, now, keep.unused) {
                // Nor are those that follow.
                break;
            }
            let mut removed = Ok(0);
            unless_kept(&candidate.name, &mut || {
                removed = self.remove_unused(&candidate.name, &candidate.path);
            });
            let bytes = removed?;
            held = held.saturating_sub(bytes);
            collected.bytes += bytes;
            collected.blobs += u64::from(bytes > 0);
        }
        Ok(collected)
    }

    /// What a blob is called on disk: where the store is sealed, a name that tells nobody which it is.
    pub fn name_of(&self, digest: &Digest) -> Digest {
        self.form().name(digest)
    }

    /// All blobs, the one that was not used for longest first.
    fn candidates(&self) -> io::Result<Vec<Candidate>> {
        let mut found = Vec::new();
        self.visit(|path, name, metadata| {
            let used = metadata.modified().map(cap_std::time::SystemTime::into_std);
            found.push(Candidate {
                used: used.unwrap_or(SystemTime::UNIX_EPOCH),
                name,
                path: path.to_owned(),
                bytes: metadata.len(),
            });
        })?;
        found.sort_unstable_by_key(|candidate| (candidate.used, candidate.name));
        Ok(found)
    }
}

fn is_older(used: SystemTime, now: SystemTime, than: Duration) -> bool {
    now.duration_since(used).is_ok_and(|age| age > than)
}

/// Removes the old parts that nobody receives. How many bytes the others have.
fn collect_parts(
    parts: &Dir,
    quota: &Quota,
    is_old: impl Fn(SystemTime) -> bool,
    collected: &mut Collected,
) -> io::Result<u64> {
    let mut left = 0;
    for entry in parts.entries()? {
        let name = entry?.file_name();
        let mut options = OpenOptions::new();
        options
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32);
        let file = match parts.open_with(&name, &options) {
            // Finished or discarded just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?.into_std(),
        };
        let metadata = file.metadata()?;
        let is_free = || flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
        if !is_old(metadata.modified()?) || !is_free() {
            left += metadata.len();
            continue;
        }
        parts.remove_file(&name)?;
        quota.give(metadata.len());
        collected.parts += 1;
        collected.bytes += metadata.len();
    }
    Ok(left)
}
