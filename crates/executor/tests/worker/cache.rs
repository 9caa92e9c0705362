//! The compile cache against damage, forgery, and a disk that is full or not ours.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use opensky_executor::{Artifact, Cache, CompileError, worker::Compiler};
use opensky_protocol::{Abort, Digest};
use tempfile::TempDir;

use crate::{
    fixture::{echo, job, sandbox},
    launcher, tests,
};

tests! {
    damaged_entry_is_compiled_again_wherever_the_damage_is,
    entry_under_anothers_name_is_not_loaded,
    entry_of_another_nodes_key_is_not_loaded,
    key_that_others_can_read_is_given_up,
    least_recently_used_goes_first,
    folder_that_cannot_be_used_means_no_cache,
    full_disk_means_no_cache,
    processes_that_start_at_once_agree_on_a_key,
}

/// A compiler that can compile, and one that can only take from the cache.
fn compilers(folder: &Path, limit: u64) -> (Compiler, Compiler) {
    let compiler = |mode| Compiler::new(Cache::open(folder, limit), launcher(mode));
    (compiler("worker"), compiler("--list"))
}

fn compile(folder: &Path, component: &[u8]) -> Artifact {
    compilers(folder, Cache::DEFAULT_LIMIT)
        .0
        .artifact(&sandbox(), component)
        .unwrap()
}

fn is_cached(folder: &Path, component: &[u8]) -> bool {
    let (_, finder) = compilers(folder, Cache::DEFAULT_LIMIT);
    match finder.artifact(&sandbox(), component) {
        Ok(artifact) => {
            assert_eq!(artifact.program(), Digest::of(component));
            artifact.load(&sandbox()).unwrap();
            true
        }
        Err(CompileError::Abort(Abort::Internal(_))) => false,
        Err(error) => panic!("{error}"),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "native"))
        .collect()
}

fn entry(folder: &Path) -> PathBuf {
    let entries = entries(folder);
    assert_eq!(entries.len(), 1);
    entries.into_iter().next().unwrap()
}

fn another() -> Vec<u8> {
    job("(call $failed (local.get $ptr) (local.get $len))")
}

fn damaged_entry_is_compiled_again_wherever_the_damage_is() {
    let folder = TempDir::new().unwrap();
    let component = echo();
    compile(folder.path(), &component);
    assert!(is_cached(folder.path(), &component));
    let path = entry(folder.path());
    let good = fs::read(&path).unwrap();
    let check = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        assert!(!is_cached(folder.path(), &component), "{what}");
        assert!(!path.exists(), "{what}");
    };
    // Magic, key, length, authenticator, the code's first, middle and last byte.
    for at in [
        0,
        7,
        8,
        39,
        40,
        47,
        48,
        79,
        80,
        good.len() / 2,
        good.len() - 1,
    ] {
        let mut bent = good.clone();
        bent[at] ^= 1;
        check(&bent, &format!("byte {at}"));
    }
    for len in [0, 1, 47, 79, 80, 81, good.len() - 1] {
        check(&good[..len], &format!("{len} bytes"));
    }
    check(&[&good[..], b"x"].concat(), "a byte too many");
    compile(folder.path(), &component);
    assert!(is_cached(folder.path(), &component));
    fs::write(&path, &good).unwrap();
    assert!(is_cached(folder.path(), &component));
}

fn entry_under_anothers_name_is_not_loaded() {
    let folder = TempDir::new().unwrap();
    compile(folder.path(), &echo());
    let of_echo = entry(folder.path());
    compile(folder.path(), &another());
    let of_another = entries(folder.path())
        .into_iter()
        .find(|path| *path != of_echo)
        .unwrap();
    fs::rename(&of_another, &of_echo).unwrap();
    assert!(!is_cached(folder.path(), &echo()));
    assert!(!is_cached(folder.path(), &another()));
}

fn entry_of_another_nodes_key_is_not_loaded() {
    let (ours, theirs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    compile(ours.path(), &echo());
    compile(theirs.path(), &echo());
    fs::copy(entry(theirs.path()), entry(ours.path())).unwrap();
    assert!(!is_cached(ours.path(), &echo()));
}

fn key_that_others_can_read_is_given_up() {
    let folder = TempDir::new().unwrap();
    compile(folder.path(), &echo());
    let key = folder.path().join("key");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    assert_eq!(mode(&entry(folder.path())), 0o600);
    let before = fs::read(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(!is_cached(folder.path(), &echo()));
    assert_ne!(fs::read(&key).unwrap(), before);
    assert_eq!(mode(&key), 0o600);
}

fn least_recently_used_goes_first() {
    let folder = TempDir::new().unwrap();
    let components: Vec<_> = (0..3)
        .map(|i| {
            job(&format!(
                "(drop (i32.const {i})) (call $ok (local.get $ptr) (local.get $len))"
            ))
        })
        .collect();
    compile(folder.path(), &components[0]);
    let limit = fs::metadata(entry(folder.path())).unwrap().len() * 5 / 2;
    for component in &components[1..] {
        // File systems keep times in steps of some milliseconds.
        thread::sleep(Duration::from_millis(20));
        assert!(is_cached(folder.path(), &components[0]));
        thread::sleep(Duration::from_millis(20));
        compilers(folder.path(), limit)
            .0
            .artifact(&sandbox(), component)
            .unwrap();
    }
    let cached = components
        .iter()
        .map(|component| is_cached(folder.path(), component));
    assert_eq!(cached.collect::<Vec<_>>(), [true, false, true]);
}

fn folder_that_cannot_be_used_means_no_cache() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();
    for path in [file.as_path(), Path::new("/proc/opensky/compiled")] {
        compile(path, &echo()).load(&sandbox()).unwrap();
        assert!(!is_cached(path, &echo()));
    }
}

fn full_disk_means_no_cache() {
    let folder = TempDir::new().unwrap();
    let mount = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(args)
            .arg(folder.path())
            .status()
            .is_ok_and(|status| status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=8k", "tmpfs"]) {
        eprintln!("skipped: only root can make a small disk");
        return;
    }
    let compiled = std::panic::catch_unwind(|| {
        compile(folder.path(), &echo()).load(&sandbox()).unwrap();
        // The key fits; the code does not, and nothing half-written is left.
        assert_eq!(entries(folder.path()), [] as [PathBuf; 0]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    });
    // Lazily: a process that another test has just forked may still hold it.
    assert!(mount("umount", &["--lazy"]));
    compiled.unwrap();
}

fn processes_that_start_at_once_agree_on_a_key() {
    let folder = TempDir::new().unwrap();
    let component = echo();
    let path = folder.path().join("compiled");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Cache::open(&path, Cache::DEFAULT_LIMIT));
        }
    });
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    compile(&path, &component);
    assert!(is_cached(&path, &component));
}
