//! From a path to an object, or to the place where one could be.

use super::{Errno, Fault, Ino, Kind, MAX_NAMES, MemFs, STEP};

/// Bytes of a path that a guest may give, as on Linux.
const MAX_GIVEN: usize = 4096;
/// Bytes of one name.
const MAX_NAME: usize = 255;
/// Bytes of an object's path from the root: outputs are named by it.
const MAX_PATH: usize = 1024;
/// Symbolic links in one path, as on Linux.
const MAX_LINKS: u32 = 40;

/// What happens at a symbolic link that a path ends in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Links {
    /// Its target is meant.
    Follow,
    /// The link is meant, unless a slash follows.
    FollowBeforeSlash,
    /// Its target is meant, unless a slash follows.
    KeepBeforeSlash,
    /// The link is meant.
    Keep,
}

/// Where a path leads.
pub(super) struct Walk {
    /// The directory of the last name.
    pub dir: Ino,
    pub last: Last,
    /// What is there.
    pub found: Option<Ino>,
    /// Slashes follow the last name.
    pub slash: bool,
}

/// How a path ends.
pub(super) enum Last {
    Name(String),
    Dot,
    DotDot,
}

/// A path while it is walked: its text, and how far.
struct Rest {
    text: String,
    at: usize,
}

/// One part of a path.
struct Part {
    name: String,
    slash: bool,
    last: bool,
}

impl Rest {
    fn next(&mut self) -> Part {
        let rest = self.text[self.at..].trim_start_matches('/');
        let name = rest.split('/').next().unwrap_or_default();
        let after = &rest[name.len()..];
        let tail = after.trim_start_matches('/');
        let part = Part {
            name: name.to_owned(),
            slash: !after.is_empty(),
            last: tail.is_empty(),
        };
        self.at = self.text.len() - tail.len();
        part
    }

    /// Puts a link's target in the place of `part`.
    fn expand(&mut self, target: &str, part: &Part) {
        let slash = if part.slash { "/" } else { "" };
        self.text = format!("{target}{slash}{}", &self.text[self.at..]);
        self.at = 0;
    }
}

impl MemFs {
    /// Follows `path` from the directory `base`, which it may not leave.
    pub(super) fn walk(&mut self, base: Ino, path: &str, links: Links) -> Result<Walk, Fault> {
        check(path)?;
        let mut dirs = vec![base];
        let mut rest = Rest {
            text: path.to_owned(),
            at: 0,
        };
        let mut expanded = 0;
        loop {
            self.budget.spend_work(STEP)?;
            let dir = *dirs.last().expect("the base is never left");
            let part = rest.next();
            let (last, found) = self.step(&mut dirs, &part)?;
            if let Some(target) = self.target_to_follow(found, &part, links) {
                expanded += 1;
                if expanded > MAX_LINKS {
                    return Err(Errno::Loop.into());
                }
                rest.expand(target, &part);
                self.budget.spend_work(rest.text.len() as u64)?;
            } else if part.last {
                return Ok(Walk {
                    dir,
                    last,
                    found,
                    slash: part.slash,
                });
            } else if let Last::Name(_) = last {
                dirs.push(found.ok_or(Errno::NoEntry)?);
            }
        }
    }

    /// What `part` names in the last of `dirs`; `..` goes back to the one before.
    fn step(&self, dirs: &mut Vec<Ino>, part: &Part) -> Result<(Last, Option<Ino>), Errno> {
        let dir = *dirs.last().expect("the base is never left");
        let entries = &self.directory(dir)?.entries;
        match part.name.as_str() {
            "." | "" => Ok((Last::Dot, Some(dir))),
            ".." => {
                dirs.pop();
                let parent = dirs.last().ok_or(Errno::NotPermitted)?;
                Ok((Last::DotDot, Some(*parent)))
            }
            name if name.len() > MAX_NAME => Err(Errno::NameTooLong),
            name => {
                let found = entries.get(name).copied();
                Ok((Last::Name(name.to_owned()), found))
            }
        }
    }

    /// The target of the link that was found, where it is meant.
    fn target_to_follow(&self, found: Option<Ino>, part: &Part, links: Links) -> Option<&str> {
        let Kind::Link(target) = &self.node(found?).kind else {
            return None;
        };
        let follow = match links {
            _ if !part.last => true,
            Links::Follow => true,
            Links::FollowBeforeSlash => part.slash,
            Links::KeepBeforeSlash => !part.slash,
            Links::Keep => false,
        };
        follow.then_some(target)
    }

    /// The object at `path`.
    pub fn lookup(&mut self, base: Ino, path: &str, links: Links) -> Result<Ino, Fault> {
        let walk = self.walk(base, path, links)?;
        let ino = walk.found.ok_or(Errno::NoEntry)?;
        if walk.slash {
            self.directory(ino)?;
        }
        Ok(ino)
    }

    /// Whether something that is no directory may be made at the end of `walk`.
    pub(super) fn may_create(&mut self, walk: &Walk) -> Result<(), Fault> {
        if walk.found.is_none() && walk.slash {
            return Err(Errno::NoEntry.into());
        }
        self.may_create_directory(walk)
    }

    /// Whether a directory may be made at the end of `walk`.
    pub(super) fn may_create_directory(&mut self, walk: &Walk) -> Result<(), Fault> {
        let Last::Name(name) = &walk.last else {
            return Err(Errno::Exist.into());
        };
        if walk.found.is_some() {
            return Err(Errno::Exist.into());
        }
        let dir = self.node(walk.dir);
        if !dir.writable {
            return Err(Errno::ReadOnly.into());
        }
        if dir.links == 0 {
            return Err(Errno::NoEntry.into());
        }
        if self.names >= MAX_NAMES {
            return Err(Errno::NoSpace.into());
        }
        self.check_place(walk.dir, name.len())
    }

    /// Whether an object may have a path of `len` bytes below `dir`.
    pub(super) fn check_place(&mut self, dir: Ino, len: usize) -> Result<(), Fault> {
        let mut total = len;
        let mut at = dir;
        while at != super::ROOT {
            self.budget.spend_work(STEP)?;
            let directory = self.directory(at)?;
            total += directory.name.len() + 1;
            at = directory.parent;
        }
        if total > MAX_PATH {
            return Err(Errno::NameTooLong.into());
        }
        Ok(())
    }
}

/// Whether anything could be at that path.
fn check(path: &str) -> Result<(), Errno> {
    match path {
        "" => Err(Errno::NoEntry),
        path if path.len() > MAX_GIVEN => Err(Errno::NameTooLong),
        path if path.starts_with('/') => Err(Errno::NotPermitted),
        path if path.contains('\0') => Err(Errno::Invalid),
        _ => Ok(()),
    }
}

/// Whether a link may have that target.
pub(super) fn check_target(target: &str) -> Result<(), Errno> {
    check(target)
}
