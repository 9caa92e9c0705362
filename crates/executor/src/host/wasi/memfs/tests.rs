//! The file system in memory does what the system's own does, and stays within its limits.

use std::{fs::File, os::unix::fs::FileExt, path::Path, sync::Arc};

use proptest::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};

use super::*;

const PLENTY: Budget = Budget {
    room: 1 << 40,
    work: 1 << 40,
};

fn empty() -> MemFs {
    with_inputs(&[])
}

fn with_inputs(inputs: &[(&'static str, &str)]) -> MemFs {
    let blob = |text: &str| -> Blob { Arc::new(text.as_bytes().to_vec()) };
    let mut files = MemFs::new(7, inputs.iter().map(|(name, text)| (*name, blob(text))));
    files.budget = PLENTY;
    files
}

const CREATE: How = How {
    create: true,
    directory: false,
    exclusive: false,
    follow: true,
    truncate: false,
    write: true,
};

fn put(files: &mut MemFs, path: &str, data: &[u8]) -> Result<(), Fault> {
    let ino = files.open(ROOT, path, CREATE)?;
    let written = files.write(ino, 0, data);
    files.close(ino);
    written
}

fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> Errno {
    match result {
        Err(Fault::Code(errno)) => errno,
        other => panic!("{other:?} is no error code"),
    }
}

fn stop<T: std::fmt::Debug>(result: Result<T, Fault>) -> Stop {
    match result {
        Err(Fault::Stop(stop)) => stop,
        other => panic!("{other:?} does not end the guest"),
    }
}

/// One operation, on paths below a directory that is empty at first.
#[derive(Clone, Debug)]
enum Op {
    Open(String, How),
    Write(String, u64, Vec<u8>),
    SetSize(String, u64),
    Read(String, u64, u64),
    Mkdir(String),
    Rmdir(String),
    Unlink(String),
    Rename(String, String),
    Link(String, bool, String),
    Symlink(String, String),
    Readlink(String),
    Stat(String, bool),
    List(String),
}

/// What an operation gave.
#[derive(Clone, PartialEq, Debug)]
enum Seen {
    Nothing,
    Bytes(Vec<u8>),
    Text(String),
    Stat(Type, u64, u64),
    Names(Vec<(String, Type)>),
}

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        6 => Just("a"), 6 => Just("b"), 4 => Just("c"), 1 => Just("."), 1 => Just("..")
    ];
    let slash = prop_oneof![8 => Just(""), 1 => Just("/"), 1 => Just("//")];
    (prop::collection::vec(part, 1..4), slash).prop_map(|(parts, slash)| parts.join("/") + slash)
}

fn how() -> impl Strategy<Value = How> {
    any::<[bool; 6]>().prop_map(
        |[create, directory, exclusive, follow, truncate, write]| How {
            create,
            // The kernel's answer to both has changed over time.
            directory: directory && !create,
            // Without `create` it means nothing.
            exclusive: exclusive && create,
            follow,
            // Not defined without writing.
            truncate: truncate && write,
            write,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let data = || prop::collection::vec(any::<u8>(), 0..5);
    prop_oneof![
        2 => (path(), how()).prop_map(|(path, how)| Op::Open(path, how)),
        4 => (path(), 0..9_u64, data()).prop_map(|(path, at, data)| Op::Write(path, at, data)),
        1 => (path(), 0..200_u64).prop_map(|(path, size)| Op::SetSize(path, size)),
        1 => (path(), 0..9_u64, 0..9_u64).prop_map(|(path, at, len)| Op::Read(path, at, len)),
        5 => path().prop_map(Op::Mkdir),
        1 => path().prop_map(Op::Rmdir),
        1 => path().prop_map(Op::Unlink),
        4 => (path(), path()).prop_map(|(path, new)| Op::Rename(path, new)),
        2 => (path(), any::<bool>(), path()).prop_map(|(old, follow, new)| Op::Link(old, follow, new)),
        3 => (path(), path()).prop_map(|(target, path)| Op::Symlink(target, path)),
        1 => path().prop_map(Op::Readlink),
        1 => (path(), any::<bool>()).prop_map(|(path, follow)| Op::Stat(path, follow)),
        1 => path().prop_map(Op::List),
    ]
}

fn links(follow: bool) -> Links {
    if follow {
        Links::Follow
    } else {
        Links::FollowBeforeSlash
    }
}

fn list(files: &MemFs, ino: Ino) -> Result<Vec<(String, Type)>, Errno> {
    let mut names: Vec<(String, Type)> = Vec::new();
    while let Some(entry) = files.next_entry(ino, names.last().map(|(name, _)| name.as_str()))? {
        names.push(entry);
    }
    Ok(names)
}

/// The operation in memory.
fn ours(files: &mut MemFs, base: Ino, op: &Op) -> Result<Seen, Fault> {
    let existing = How {
        create: false,
        ..CREATE
    };
    match op {
        Op::Open(path, how) => {
            let ino = files.open(base, path, *how)?;
            files.close(ino);
            Ok(Seen::Nothing)
        }
        Op::Write(path, at, data) => {
            let ino = files.open(base, path, CREATE)?;
            let written = files.write(ino, *at, data);
            files.close(ino);
            written.map(|()| Seen::Nothing)
        }
        Op::SetSize(path, size) => {
            let ino = files.open(base, path, existing)?;
            let set = files.set_size(ino, *size);
            files.close(ino);
            set.map(|()| Seen::Nothing)
        }
        Op::Read(path, at, len) => {
            let ino = files.open(base, path, existing)?;
            let bytes = files.read(ino, *at, *len);
            files.close(ino);
            Ok(Seen::Bytes(bytes))
        }
        Op::Mkdir(path) => files.create_directory(base, path).map(|()| Seen::Nothing),
        Op::Rmdir(path) => files.remove_directory(base, path).map(|()| Seen::Nothing),
        Op::Unlink(path) => files.unlink(base, path).map(|()| Seen::Nothing),
        Op::Rename(path, new) => files.rename(base, path, base, new).map(|()| Seen::Nothing),
        Op::Link(path, follow, new) => files
            .link(base, path, links(*follow), base, new)
            .map(|()| Seen::Nothing),
        Op::Symlink(target, path) => files.symlink(target, base, path).map(|()| Seen::Nothing),
        Op::Readlink(path) => files.readlink(base, path).map(Seen::Text),
        Op::Stat(path, follow) => {
            let stat = files.stat_at(base, path, links(*follow))?;
            let links = if stat.kind == Type::Directory {
                0
            } else {
                stat.links
            };
            Ok(Seen::Stat(stat.kind, links, stat.size))
        }
        Op::List(path) => {
            let ino = files.lookup(base, path, Links::Follow)?;
            Ok(Seen::Names(list(files, ino)?))
        }
    }
}

fn kind(kind: FileType) -> Type {
    match kind {
        FileType::Directory => Type::Directory,
        FileType::Symlink => Type::Link,
        _ => Type::File,
    }
}

/// The same operation on the system's own file system.
fn theirs(base: &File, op: &Op) -> rustix::io::Result<Seen> {
    use rustix::fs;
    let mode = Mode::from_raw_mode(0o777);
    let open = |path: &str, flags| fs::openat(base, path, flags, mode).map(File::from);
    let errno = |error: std::io::Error| {
        rustix::io::Errno::from_io_error(&error).expect("an error of the system")
    };
    match op {
        Op::Open(path, how) => {
            let mut flags = if how.write {
                OFlags::RDWR
            } else {
                OFlags::RDONLY
            };
            flags.set(OFlags::CREATE, how.create);
            flags.set(OFlags::DIRECTORY, how.directory);
            flags.set(OFlags::EXCL, how.exclusive);
            flags.set(OFlags::NOFOLLOW, !how.follow);
            flags.set(OFlags::TRUNC, how.truncate);
            open(path, flags).map(|_| Seen::Nothing)
        }
        Op::Write(path, at, data) => open(path, OFlags::RDWR | OFlags::CREATE)?
            .write_all_at(data, *at)
            .map_err(errno)
            .map(|()| Seen::Nothing),
        Op::SetSize(path, size) => open(path, OFlags::RDWR)?
            .set_len(*size)
            .map_err(errno)
            .map(|()| Seen::Nothing),
        Op::Read(path, at, len) => {
            let mut bytes = vec![0; *len as usize];
            let read = open(path, OFlags::RDWR)?.read_at(&mut bytes, *at);
            bytes.truncate(read.map_err(errno)?);
            Ok(Seen::Bytes(bytes))
        }
        Op::Mkdir(path) => fs::mkdirat(base, path, mode).map(|()| Seen::Nothing),
        Op::Rmdir(path) => fs::unlinkat(base, path, AtFlags::REMOVEDIR).map(|()| Seen::Nothing),
        Op::Unlink(path) => fs::unlinkat(base, path, AtFlags::empty()).map(|()| Seen::Nothing),
        Op::Rename(path, new) => fs::renameat(base, path, base, new).map(|()| Seen::Nothing),
        Op::Link(path, follow, new) => {
            let mut flags = AtFlags::empty();
            flags.set(AtFlags::SYMLINK_FOLLOW, *follow);
            fs::linkat(base, path, base, new, flags).map(|()| Seen::Nothing)
        }
        Op::Symlink(target, path) => fs::symlinkat(target, base, path).map(|()| Seen::Nothing),
        Op::Readlink(path) => fs::readlinkat(base, path, Vec::new())
            .map(|target| Seen::Text(target.into_string().expect("a name of ours"))),
        Op::Stat(path, follow) => {
            let mut flags = AtFlags::SYMLINK_NOFOLLOW;
            flags.set(AtFlags::SYMLINK_NOFOLLOW, !follow);
            let stat = fs::statat(base, path, flags)?;
            Ok(match kind(FileType::from_raw_mode(stat.st_mode)) {
                Type::Directory => Seen::Stat(Type::Directory, 0, 0),
                kind => Seen::Stat(kind, stat.st_nlink, stat.st_size as u64),
            })
        }
        Op::List(path) => {
            let opened = open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let entries = fs::Dir::read_from(opened)?;
            let mut names = Vec::new();
            for entry in entries {
                let entry = entry?;
                let name = entry
                    .file_name()
                    .to_str()
                    .expect("a name of ours")
                    .to_owned();
                if name != "." && name != ".." {
                    names.push((name, kind(entry.file_type())));
                }
            }
            names.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(Seen::Names(names))
        }
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    use rustix::io::Errno as E;
    match error {
        E::BUSY => Errno::Busy,
        E::EXIST => Errno::Exist,
        E::INVAL => Errno::Invalid,
        E::ISDIR => Errno::IsDirectory,
        E::LOOP => Errno::Loop,
        E::NOENT => Errno::NoEntry,
        E::NOTDIR => Errno::NotDirectory,
        E::NOTEMPTY => Errno::NotEmpty,
        E::PERM => Errno::NotPermitted,
        other => panic!("{other} is not expected"),
    }
}

/// Room that the files take below `dir`: each name of a file pays for it.
fn taken(files: &MemFs, dir: Ino) -> u64 {
    let entries = &files.directory(dir).expect("a directory").entries;
    let each = entries.values().map(|&ino| match files.stat(ino) {
        Stat {
            kind: Type::Directory,
            ..
        } => taken(files, ino),
        stat => stat.size,
    });
    each.sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn it_does_what_the_system_does(ops in prop::collection::vec(op(), 1..60)) {
        let real = tempfile::tempdir().unwrap();
        // Deep enough that no path of ours leaves the temporary directory.
        let deep = real.path().join("1/2/3/4/5/6/7/8/9");
        std::fs::create_dir_all(&deep).unwrap();
        let dir = rustix::fs::openat(CWD, &deep, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        let dir = File::from(dir.unwrap());
        let mut files = empty();
        files.create_directory(ROOT, "tmp/base").unwrap();
        let base = files.lookup(ROOT, "tmp/base", Links::Keep).unwrap();
        for op in &ops {
            let here = match ours(&mut files, base, op) {
                // Out of the base, where the system would go on; or a directory's second name.
                Err(Fault::Code(Errno::NotPermitted)) => continue,
                Err(Fault::Code(errno)) => Err(errno),
                Err(Fault::Stop(stop)) => panic!("{op:?} ends the guest: {stop}"),
                Ok(seen) => Ok(seen),
            };
            let there = theirs(&dir, op).map_err(errno);
            prop_assert_eq!(here, there, "{:?}", op);
            prop_assert_eq!(files.budget.room, PLENTY.room - taken(&files, ROOT), "{:?}", op);
        }
        same(&files, base, &deep)?;
    }
}

fn same(files: &MemFs, dir: Ino, real: &Path) -> Result<(), TestCaseError> {
    for (name, kind) in list(files, dir).unwrap() {
        let ino = files.directory(dir).unwrap().entries[&name];
        let real = real.join(&name);
        match kind {
            Type::Directory => same(files, ino, &real)?,
            Type::File => {
                prop_assert_eq!(files.read(ino, 0, 1 << 20), std::fs::read(real).unwrap())
            }
            Type::Link => prop_assert!(real.is_symlink()),
        }
    }
    Ok(())
}

#[test]
fn inputs_can_be_read_and_nothing_else() {
    let mut files = with_inputs(&[("a", "x"), ("a/lost", "y"), ("dir/b", "bytes")]);
    let inside = files.lookup(ROOT, "in", Links::Follow).unwrap();
    let names = [
        ("a".to_owned(), Type::File),
        ("dir".to_owned(), Type::Directory),
    ];
    assert_eq!(list(&files, inside).unwrap(), names);
    let b = files.lookup(ROOT, "in/dir/b", Links::Follow).unwrap();
    assert_eq!(files.read(b, 1, 3), b"yte");

    assert_eq!(code(put(&mut files, "in/dir/b", b"")), Errno::ReadOnly);
    assert_eq!(code(put(&mut files, "in/new", b"")), Errno::ReadOnly);
    assert_eq!(code(files.unlink(ROOT, "in/a")), Errno::ReadOnly);
    assert_eq!(
        code(files.create_directory(ROOT, "in/new")),
        Errno::ReadOnly
    );
    assert_eq!(code(files.create_directory(ROOT, "in/dir")), Errno::Exist);
    assert_eq!(
        code(files.remove_directory(ROOT, "in/dir")),
        Errno::ReadOnly
    );
    assert_eq!(
        code(files.rename(ROOT, "in/a", ROOT, "in/b")),
        Errno::ReadOnly
    );
    assert_eq!(
        code(files.rename(ROOT, "in/a", ROOT, "out/a")),
        Errno::CrossDevice
    );
    let linked = files.link(ROOT, "in/a", Links::Keep, ROOT, "out/a");
    assert_eq!(code(linked), Errno::CrossDevice);
    assert_eq!(files.set_times(b, Some((1, 1)), None), Err(Errno::ReadOnly));
}

#[test]
fn the_folders_that_are_always_there_stay() {
    let mut files = empty();
    for name in ["in", "out", "tmp"] {
        assert_eq!(code(files.remove_directory(ROOT, name)), Errno::Busy);
        assert_eq!(code(files.rename(ROOT, name, ROOT, "x")), Errno::Busy);
    }
    files.create_directory(ROOT, "x").unwrap();
    assert_eq!(code(files.rename(ROOT, "x", ROOT, "out")), Errno::Busy);
    assert_eq!(code(files.rename(ROOT, "x", ROOT, "x/y")), Errno::Invalid);
}

#[test]
fn no_path_leaves_its_directory() {
    let mut files = empty();
    put(&mut files, "secret", b"x").unwrap();
    files.create_directory(ROOT, "out/d").unwrap();
    files.symlink("../../secret", ROOT, "out/d/up").unwrap();
    let base = files.lookup(ROOT, "out", Links::Follow).unwrap();
    for path in ["..", "../secret", "d/../../secret", "/secret", "/", "d/up"] {
        let found = files.lookup(base, path, Links::Follow);
        assert_eq!(code(found), Errno::NotPermitted, "{path}");
    }
    // From further up the same link is inside.
    assert!(files.lookup(ROOT, "out/d/up", Links::Follow).is_ok());
    let linked = files.symlink("/etc", base, "absolute");
    assert_eq!(code(linked), Errno::NotPermitted);
}

#[test]
fn strange_paths_have_their_errors() {
    let mut files = empty();
    let mut of = |path: &str| code(files.lookup(ROOT, path, Links::Follow));
    assert_eq!(of(""), Errno::NoEntry);
    assert_eq!(of("a\0b"), Errno::Invalid);
    assert_eq!(of(&"x".repeat(256)), Errno::NameTooLong);
    assert_eq!(of(&"./".repeat(3000)), Errno::NameTooLong);
    files.symlink("loop", ROOT, "loop").unwrap();
    assert_eq!(code(files.lookup(ROOT, "loop", Links::Follow)), Errno::Loop);
    assert!(files.lookup(ROOT, "loop", Links::Keep).is_ok());
}

#[test]
fn a_tree_is_no_deeper_than_a_path_is_long() {
    let mut files = empty();
    let mut path = "out".to_owned();
    let error = loop {
        path.push_str("/directory");
        match files.create_directory(ROOT, &path) {
            Ok(()) => {}
            error => break code(error),
        }
    };
    assert_eq!(error, Errno::NameTooLong);
    assert!(path.len() > 1024);
    // Nor can one be put together by moving.
    files
        .create_directory(ROOT, "tmp/one-more-directory")
        .unwrap();
    let moved = files.rename(ROOT, "out/directory", ROOT, "tmp/one-more-directory/x");
    assert_eq!(code(moved), Errno::NameTooLong);
}

#[test]
fn what_is_removed_while_open_stays_usable_and_is_freed_at_last() {
    let mut files = empty();
    let ino = files.open(ROOT, "tmp/f", CREATE).unwrap();
    files.write(ino, 0, b"12345").unwrap();
    files.unlink(ROOT, "tmp/f").unwrap();
    files.write(ino, 5, b"678").unwrap();
    assert_eq!(files.read(ino, 0, 99), b"12345678");
    assert_eq!(files.stat(ino).links, 0);
    assert_eq!(files.budget.room, PLENTY.room - 8);
    files.close(ino);
    assert_eq!(files.budget.room, PLENTY.room);

    files.create_directory(ROOT, "tmp/d/").unwrap();
    let gone = files.open(ROOT, "tmp/d", How::default()).unwrap();
    files.remove_directory(ROOT, "tmp/d").unwrap();
    assert_eq!(code(files.create_directory(gone, "x")), Errno::NoEntry);
    assert_eq!(code(files.rename(ROOT, "tmp", gone, "x")), Errno::NoEntry);
    assert_eq!(list(&files, gone).unwrap(), []);
    files.close(gone);
    // The freed places are taken again, by objects of their own.
    put(&mut files, "tmp/new", b"").unwrap();
    assert_eq!(files.nodes.len(), 5);
}

#[test]
fn a_guest_that_fills_the_disk_ends() {
    let mut files = empty();
    files.budget.room = 10;
    put(&mut files, "out/a", b"123456").unwrap();
    let linked = files.link(ROOT, "out/a", Links::Keep, ROOT, "out/b");
    assert_eq!(stop(linked), Stop::Limit("bytes of output"));
    let ino = files.open(ROOT, "out/a", CREATE).unwrap();
    assert_eq!(
        stop(files.set_size(ino, 1 << 39)),
        Stop::Limit("bytes of output")
    );
    assert_eq!(code(files.set_size(ino, u64::MAX)), Errno::FileTooLarge);
    assert_eq!(
        stop(files.write(ino, 11, b"x")),
        Stop::Limit("bytes of output")
    );
    assert_eq!(code(files.write(ino, u64::MAX, b"x")), Errno::FileTooLarge);
    assert_eq!(files.read(ino, u64::MAX, u64::MAX), b"");
    assert_eq!(files.read(ino, 5, u64::MAX), b"6");
}

#[test]
fn zeros_are_paid_before_they_are_made() {
    let mut files = empty();
    let ino = files.open(ROOT, "tmp/a", CREATE).unwrap();
    files.budget.work = 1000;
    assert_eq!(stop(files.set_size(ino, 1001)), Stop::OutOfFuel);
    files.budget.work = 1000;
    assert_eq!(stop(files.write(ino, 1001, b"x")), Stop::OutOfFuel);
    assert_eq!(files.size(ino), 0);
}

#[test]
fn a_truncated_file_keeps_no_memory() {
    let mut files = empty();
    put(&mut files, "tmp/a", &[1; 100_000]).unwrap();
    let ino = files.open(ROOT, "tmp/a", CREATE).unwrap();
    files.set_size(ino, 10).unwrap();
    assert!(files.own(ino).unwrap().capacity() <= 84);
    assert_eq!(files.read(ino, 0, 99), [1; 10]);
    files.set_size(ino, 12).unwrap();
    assert_eq!(files.read(ino, 9, 99), [1, 0, 0]);
}

#[test]
fn names_run_out() {
    let mut files = empty();
    for index in 0..MAX_NAMES {
        files.budget = PLENTY;
        files
            .create_directory(ROOT, &format!("tmp/{index}"))
            .unwrap();
    }
    assert_eq!(code(put(&mut files, "tmp/more", b"")), Errno::NoSpace);
    assert_eq!(code(files.symlink("x", ROOT, "tmp/more")), Errno::NoSpace);
    files.rename(ROOT, "tmp/0", ROOT, "tmp/1").unwrap();
    put(&mut files, "tmp/more", b"").unwrap();
}

#[test]
fn outputs_are_the_files_below_out() {
    let mut files = empty();
    put(&mut files, "out/z", b"1").unwrap();
    files.create_directory(ROOT, "out/d").unwrap();
    files.create_directory(ROOT, "out/empty").unwrap();
    put(&mut files, "out/d/a", b"2").unwrap();
    files
        .link(ROOT, "out/z", Links::Keep, ROOT, "out/d/z")
        .unwrap();
    files.symlink("z", ROOT, "out/link").unwrap();
    put(&mut files, "tmp/no", b"3").unwrap();
    put(&mut files, "no", b"4").unwrap();
    let mut found = files.into_files();
    found.sort();
    let expected = [("d/a", "2"), ("d/z", "1"), ("z", "1")];
    let owned = expected.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    assert_eq!(found, owned);
}

#[test]
fn times_stand_still_unless_they_are_set() {
    let mut files = empty();
    put(&mut files, "tmp/a", b"1").unwrap();
    let a = files.lookup(ROOT, "tmp/a", Links::Keep).unwrap();
    assert_eq!(files.stat(a).modified, (7, 0));
    files.set_times(a, None, Some((9, 5))).unwrap();
    let stat = files.stat(a);
    assert_eq!(
        (stat.accessed, stat.modified, stat.changed),
        ((7, 0), (9, 5), (7, 0))
    );
}

#[test]
fn a_listing_goes_on_while_the_directory_changes() {
    let mut files = empty();
    for name in ["b", "a", "d"] {
        put(&mut files, &format!("tmp/{name}"), b"").unwrap();
    }
    let tmp = files.lookup(ROOT, "tmp", Links::Keep).unwrap();
    let next = |files: &MemFs, after| files.next_entry(tmp, after).unwrap().map(|(name, _)| name);
    assert_eq!(next(&files, None).as_deref(), Some("a"));
    files.unlink(ROOT, "tmp/a").unwrap();
    put(&mut files, "tmp/c", b"").unwrap();
    assert_eq!(next(&files, Some("a")).as_deref(), Some("b"));
    assert_eq!(next(&files, Some("b")).as_deref(), Some("c"));
    assert_eq!(next(&files, Some("d")), None);
}
