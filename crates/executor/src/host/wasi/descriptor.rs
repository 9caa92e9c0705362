//! `wasi:filesystem/types.descriptor`: what a guest does with an open file or directory.

use wasmtime::{Error, component::Resource};

use super::{
    clocks::Datetime,
    filesystem::{
        Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, ErrorCode,
        MetadataHash, NewTimestamp, OpenFlags, PathFlags,
    },
    io::{InputStream, OutputStream},
    memfs::{Errno, Fault, How, Ino, Links, MemFs, Time, Type},
};
use crate::host::{Call, Interface};

/// The most that one read returns. A part of the rules, since a guest sees it.
const CHUNK: u64 = 16 << 20;

/// The host's side of `descriptor`. It holds its object open.
#[derive(Clone, Copy)]
pub(super) struct Descriptor {
    ino: Ino,
    flags: DescriptorFlags,
}

/// The host's side of `directory-entry-stream`. It holds its directory open.
struct Entries {
    directory: Ino,
    /// The name that was read last.
    after: Option<String>,
}

type This = Resource<Descriptor>;
type Answer<T> = Result<(Result<T, ErrorCode>,), Error>;

pub(super) fn define(types: &mut Interface<'_>) -> wasmtime::Result<()> {
    types.resource_with::<Descriptor>("descriptor", |host, this| host.close(this.ino))?;
    types.resource_with::<Entries>("directory-entry-stream", |host, this| {
        host.close(this.directory);
    })?;
    contents(types)?;
    streams(types)?;
    about(types)?;
    times(types)?;
    tree(types)?;
    names(types)
}

impl Call<'_> {
    /// A handle to a directory that is there.
    pub(super) fn descriptor(&mut self, ino: Ino) -> Result<Resource<Descriptor>, Error> {
        let opened = self.try_files(|files| {
            files.reopen(ino);
            Ok(files.writable(ino))
        })?;
        let mut flags = DescriptorFlags::READ;
        if opened == Ok(true) {
            flags |= DescriptorFlags::MUTATE_DIRECTORY;
        }
        Ok(self.keep(Descriptor { ino, flags })?)
    }

    fn of(&self, this: &This) -> Result<Descriptor, Error> {
        Ok(*self.table.get(this)?)
    }

    /// Does something on the file system, and says what became of it as the guest is told.
    fn answer<T>(&mut self, f: impl FnOnce(&mut MemFs) -> Result<T, Fault>) -> Answer<T> {
        Ok((self.try_files(f)?.map_err(ErrorCode::from),))
    }
}

impl Descriptor {
    /// Whether it is a file that was opened for reading.
    fn may_read(self, files: &MemFs) -> Result<(), Errno> {
        if files.stat(self.ino).kind == Type::Directory {
            return Err(Errno::IsDirectory);
        }
        self.flags
            .contains(DescriptorFlags::READ)
            .then_some(())
            .ok_or(Errno::BadDescriptor)
    }

    /// Whether it is a file that was opened for writing.
    fn may_write(self) -> Result<(), Errno> {
        self.flags
            .contains(DescriptorFlags::WRITE)
            .then_some(())
            .ok_or(Errno::BadDescriptor)
    }
}

/// `links` for a lookup that follows symbolic links, or does not.
fn links(flags: PathFlags) -> Links {
    if flags.contains(PathFlags::SYMLINK_FOLLOW) {
        Links::Follow
    } else {
        Links::FollowBeforeSlash
    }
}

fn contents(types: &mut Interface<'_>) -> wasmtime::Result<()> {
    types.func(
        "[method]descriptor.read",
        |call, (this, len, at): (This, u64, u64)| {
            let this = call.of(&this)?;
            let files = call.files();
            if let Err(errno) = this.may_read(files) {
                return Ok((Err(errno.into()),));
            }
            let rest = files.size(this.ino).saturating_sub(at);
            let len = len.min(rest).min(CHUNK);
            call.afford(len)?;
            let bytes = call.files().read(this.ino, at, len);
            // A read of nothing is at the end, as other hosts have it: the adapter of preview 1
            // takes no bytes before the end for an interruption, after which programs ask again.
            Ok((Ok::<_, ErrorCode>((bytes, len == 0 || len == rest)),))
        },
    )?;
    types.func(
        "[method]descriptor.write",
        |call, (this, bytes, at): (This, Vec<u8>, u64)| {
            let this = call.of(&this)?;
            call.answer(|files| {
                this.may_write()?;
                files.write(this.ino, at, &bytes)?;
                Ok(bytes.len() as u64)
            })
        },
    )?;
    types.func(
        "[method]descriptor.set-size",
        |call, (this, size): (This, u64)| {
            let this = call.of(&this)?;
            call.answer(|files| {
                this.may_write().map_err(|_| Errno::Invalid)?;
                files.set_size(this.ino, size)
            })
        },
    )?;
    types.func(
        "[method]descriptor.advise",
        |call, (this, _, _, _): (This, u64, u64, Advice)| {
            let this = call.of(&this)?;
            call.answer(|files| match files.stat(this.ino).kind {
                Type::Directory => Err(Errno::BadDescriptor.into()),
                _ => Ok(()),
            })
        },
    )?;
    for name in ["[method]descriptor.sync", "[method]descriptor.sync-data"] {
        types.func(name, |_, (_,): (This,)| Ok((Ok::<_, ErrorCode>(()),)))?;
    }
    Ok(())
}

fn streams(types: &mut Interface<'_>) -> wasmtime::Result<()> {
    types.func(
        "[method]descriptor.read-via-stream",
        |call, (this, at): (This, u64)| {
            let this = call.of(&this)?;
            if let Err(errno) = this.may_read(call.files()) {
                return Ok((Err(ErrorCode::from(errno)),));
            }
            call.files().reopen(this.ino);
            let stream = InputStream::File { file: this.ino, at };
            Ok((Ok(call.keep(stream)?),))
        },
    )?;
    types.func(
        "[method]descriptor.write-via-stream",
        |call, (this, at): (This, u64)| {
            let this = call.of(&this)?;
            write_stream(call, this, OutputStream::File { file: this.ino, at })
        },
    )?;
    types.func(
        "[method]descriptor.append-via-stream",
        |call, (this,): (This,)| {
            let this = call.of(&this)?;
            write_stream(call, this, OutputStream::Append { file: this.ino })
        },
    )
}

fn write_stream(
    call: &mut Call<'_>,
    this: Descriptor,
    stream: OutputStream,
) -> Answer<Resource<OutputStream>> {
    if let Err(errno) = this.may_write() {
        return Ok((Err(errno.into()),));
    }
    call.files().reopen(this.ino);
    Ok((Ok(call.keep(stream)?),))
}

fn about(types: &mut Interface<'_>) -> wasmtime::Result<()> {
    types.func("[method]descriptor.get-flags", |call, (this,): (This,)| {
        Ok((Ok::<_, ErrorCode>(call.of(&this)?.flags),))
    })?;
    types.func("[method]descriptor.get-type", |call, (this,): (This,)| {
        let this = call.of(&this)?;
        call.answer(|files| Ok(DescriptorType::from(files.stat(this.ino).kind)))
    })?;
    types.func("[method]descriptor.stat", |call, (this,): (This,)| {
        let this = call.of(&this)?;
        call.answer(|files| Ok(DescriptorStat::from(files.stat(this.ino))))
    })?;
    types.func(
        "[method]descriptor.stat-at",
        |call, (this, flags, path): (This, PathFlags, String)| {
            let this = call.of(&this)?;
            call.answer(|files| {
                let stat = files.stat_at(this.ino, &path, links(flags))?;
                Ok(DescriptorStat::from(stat))
            })
        },
    )?;
    types.func(
        "[method]descriptor.is-same-object",
        |call, (this, other): (This, This)| Ok((call.of(&this)?.ino == call.of(&other)?.ino,)),
    )?;
    types.func(
        "[method]descriptor.metadata-hash",
        |call, (this,): (This,)| {
            let this = call.of(&this)?;
            call.answer(|files| Ok(MetadataHash::from(files.stat(this.ino))))
        },
    )?;
    types.func(
        "[method]descriptor.metadata-hash-at",
        |call, (this, flags, path): (This, PathFlags, String)| {
            let this = call.of(&this)?;
            call.answer(|files| {
                let stat = files.stat_at(this.ino, &path, links(flags))?;
                Ok(MetadataHash::from(stat))
            })
        },
    )
}

fn times(types: &mut Interface<'_>) -> wasmtime::Result<()> {
    types.func(
        "[method]descriptor.set-times",
        |call, (this, accessed, modified): (This, NewTimestamp, NewTimestamp)| {
            let this = call.of(&this)?;
            set_times(call, [accessed, modified], |_| Ok(this.ino))
        },
    )?;
    types.func(
        "[method]descriptor.set-times-at",
        |call,
         (this, flags, path, accessed, modified): (
            This,
            PathFlags,
            String,
            NewTimestamp,
            NewTimestamp,
        )| {
            let this = call.of(&this)?;
            set_times(call, [accessed, modified], |files| {
                files.lookup(this.ino, &path, links(flags))
            })
        },
    )
}

fn set_times(
    call: &mut Call<'_>,
    times: [NewTimestamp; 2],
    object: impl FnOnce(&mut MemFs) -> Result<Ino, Fault>,
) -> Answer<()> {
    // One look at the clock: who sets both to now gets the same time twice.
    let asks = times.iter().any(|time| matches!(time, NewTimestamp::Now));
    let now = asks.then(|| call.wall_clock());
    let [accessed, modified] = times.map(|time| new_time(time, now));
    call.answer(|files| {
        let ino = object(files)?;
        Ok(files.set_times(ino, accessed?, modified?)?)
    })
}

/// The time to set, if there is one.
fn new_time(time: NewTimestamp, now: Option<Datetime>) -> Result<Option<Time>, Errno> {
    let time = match time {
        NewTimestamp::NoChange => None,
        NewTimestamp::Now => now,
        NewTimestamp::Timestamp(time) => Some(time),
    };
    let Some(Datetime {
        seconds,
        nanoseconds,
    }) = time
    else {
        return Ok(None);
    };
    if nanoseconds >= 1_000_000_000 {
        return Err(Errno::Invalid);
    }
    Ok(Some((seconds, nanoseconds)))
}

fn tree(types: &mut Interface<'_>) -> wasmtime::Result<()> {
    types.func("[method]descriptor.open-at", open_at)?;
    types.func(
        "[method]descriptor.read-directory",
        |call, (this,): (This,)| {
            let directory = call.of(&this)?.ino;
            let files = call.files();
            if files.stat(directory).kind != Type::Directory {
                return Ok((Err(ErrorCode::NotDirectory),));
            }
            files.reopen(directory);
            let after = None;
            Ok((Ok(call.keep(Entries { directory, after })?),))
        },
    )?;
    types.func(
        "[method]directory-entry-stream.read-directory-entry",
        |call, (this,): (Resource<Entries>,)| {
            let Entries { directory, after } = call.table.get_mut(&this)?;
            let (directory, after) = (*directory, after.take());
            let next = match call.files().next_entry(directory, after.as_deref()) {
                Ok(next) => next,
                Err(errno) => return Ok((Err(errno.into()),)),
            };
            let name = next.as_ref().map(|(name, _)| name.clone());
            // At the end the place is kept: the directory may grow, the stream does not start again.
            call.table.get_mut(&this)?.after = name.or(after);
            let entry = next.map(|(name, kind)| DirectoryEntry {
                kind: kind.into(),
                name,
            });
            Ok((Ok::<_, ErrorCode>(entry),))
        },
    )
}

type OpenAt = (This, PathFlags, String, OpenFlags, DescriptorFlags);

fn open_at(
    call: &mut Call<'_>,
    (this, path_flags, path, open, mut flags): OpenAt,
) -> Answer<Resource<Descriptor>> {
    let this = call.of(&this)?;
    let write = flags.contains(DescriptorFlags::WRITE);
    if !write {
        flags |= DescriptorFlags::READ;
    }
    let how = How {
        create: open.contains(OpenFlags::CREATE),
        directory: open.contains(OpenFlags::DIRECTORY),
        exclusive: open.contains(OpenFlags::EXCLUSIVE),
        follow: path_flags.contains(PathFlags::SYMLINK_FOLLOW),
        truncate: open.contains(OpenFlags::TRUNCATE),
        write,
    };
    let mutate = flags.contains(DescriptorFlags::MUTATE_DIRECTORY);
    let opened = call.try_files(|files| {
        let ino = files.open(this.ino, &path, how)?;
        let folder = files.stat(ino).kind == Type::Directory;
        if folder && mutate && !files.writable(ino) {
            files.close(ino);
            return Err(Errno::ReadOnly.into());
        }
        // What may be done in a directory hangs on where it is, as programs expect: most ask for
        // no more than reading when they open one.
        flags &= !DescriptorFlags::MUTATE_DIRECTORY;
        if folder && files.writable(ino) {
            flags |= DescriptorFlags::MUTATE_DIRECTORY;
        }
        Ok(ino)
    })?;
    match opened {
        Ok(ino) => Ok((Ok(call.keep(Descriptor { ino, flags })?),)),
        Err(errno) => Ok((Err(errno.into()),)),
    }
}

fn names(types: &mut Interface<'_>) -> wasmtime::Result<()> {
    types.func(
        "[method]descriptor.create-directory-at",
        |call, (this, path): (This, String)| {
            let this = call.of(&this)?;
            call.answer(|files| files.create_directory(this.ino, &path))
        },
    )?;
    types.func(
        "[method]descriptor.remove-directory-at",
        |call, (this, path): (This, String)| {
            let this = call.of(&this)?;
            call.answer(|files| files.remove_directory(this.ino, &path))
        },
    )?;
    types.func(
        "[method]descriptor.unlink-file-at",
        |call, (this, path): (This, String)| {
            let this = call.of(&this)?;
            call.answer(|files| files.unlink(this.ino, &path))
        },
    )?;
    types.func(
        "[method]descriptor.rename-at",
        |call, (this, path, there, new): (This, String, This, String)| {
            let (this, there) = (call.of(&this)?, call.of(&there)?);
            call.answer(|files| files.rename(this.ino, &path, there.ino, &new))
        },
    )?;
    types.func(
        "[method]descriptor.link-at",
        |call, (this, flags, path, there, new): (This, PathFlags, String, This, String)| {
            let (this, there) = (call.of(&this)?, call.of(&there)?);
            call.answer(|files| files.link(this.ino, &path, links(flags), there.ino, &new))
        },
    )?;
    types.func(
        "[method]descriptor.symlink-at",
        |call, (this, target, path): (This, String, String)| {
            let this = call.of(&this)?;
            call.answer(|files| files.symlink(&target, this.ino, &path))
        },
    )?;
    types.func(
        "[method]descriptor.readlink-at",
        |call, (this, path): (This, String)| {
            let this = call.of(&this)?;
            call.answer(|files| files.readlink(this.ino, &path))
        },
    )
}
