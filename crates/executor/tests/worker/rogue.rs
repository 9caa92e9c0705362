//! Workers that were taken over: what they try is stopped, and what they say is not believed.

use std::{
    ffi::CString,
    io::{Read, Write},
    os::{fd::FromRawFd, unix::net::UnixStream},
    ptr::{null, null_mut},
    sync::Arc,
    thread,
    time::Duration,
};

use opensky_executor::{
    RunError,
    worker::{self, Kind, Pool, PoolOptions, Watchdog},
};
use opensky_protocol::{Abort, Limits, World};

use crate::{
    fixture::{echo, job, work},
    launcher,
    run::{ALICE, artifact, inputs, options, run_one},
    tests,
};

tests! {
    forbidden_calls_kill_the_worker,
    malformed_answers_are_aborts,
}

/// What a worker tries once it is locked in.
const DEEDS: [(&str, fn()); 11] = [
    ("open", open),
    ("socket", || drop(UnixStream::pair())),
    ("fork", || {
        drop(std::process::Command::new("/bin/true").spawn())
    }),
    ("exec", exec),
    ("memory", read_parent),
    ("ptrace", || {
        // SAFETY: asks for something that is refused.
        unsafe { libc::ptrace(libc::PTRACE_ATTACH, libc::getppid(), 0, 0) };
    }),
    ("kill", || {
        // SAFETY: signal 0 is none.
        unsafe { libc::kill(1, 0) };
    }),
    ("ioctl", || {
        let mut waiting = 0i32;
        // SAFETY: writes the one number that is ours.
        unsafe { libc::ioctl(0, libc::FIONREAD, &raw mut waiting) };
    }),
    // While it loads a program it may.
    ("file", || {
        // SAFETY: the name is ended by a zero.
        unsafe { libc::memfd_create(c"file".as_ptr(), 0) };
    }),
    ("shared", || map(libc::PROT_READ, libc::MAP_SHARED)),
    ("code", || {
        map(libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE)
    }),
];

/// Fails where the others are fatal, so it makes an end itself when it was refused.
fn open() {
    if std::fs::File::open("/etc/passwd").is_err() {
        std::process::abort();
    }
}

fn exec() {
    let program = CString::new("/bin/true").unwrap();
    // SAFETY: both lists are ended by a null pointer.
    unsafe { libc::execve(program.as_ptr(), [null()].as_ptr(), [null()].as_ptr()) };
}

fn read_parent() {
    let mut byte = 0u8;
    let part = |at: *mut u8| libc::iovec {
        iov_base: at.cast(),
        iov_len: 1,
    };
    let (to, from) = (part(&raw mut byte), part(4096 as *mut u8));
    // SAFETY: writes at most the one byte that is ours.
    unsafe { libc::process_vm_readv(1, &raw const to, 1, &raw const from, 1, 0) };
}

fn map(protection: i32, kind: i32) {
    // SAFETY: a new mapping that nobody uses.
    unsafe {
        libc::mmap(
            null_mut(),
            4096,
            protection,
            kind | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
}

/// A rogue worker: `do-…` is an honest one with a thread that tries a deed again and again; the
/// others answer what they like.
pub fn main(mode: &str, kind: Kind) {
    let deed = DEEDS
        .iter()
        .find(|(name, _)| mode.strip_prefix("do-") == Some(*name));
    if let Some((_, deed)) = deed {
        let deed = *deed;
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(50));
                deed();
            }
        });
        // `exec` works until the worker is locked in, and then there is none.
        thread::sleep(Duration::from_millis(if mode == "do-exec" {
            0
        } else {
            20
        }));
        worker::main(kind);
    }
    answer(mode);
}

fn forbidden_calls_kill_the_worker() {
    let component = job("(loop $again (br $again)) (unreachable)");
    for (name, _) in DEEDS {
        let watchdog = Watchdog {
            ceiling: Duration::from_secs(20),
            ..Watchdog::default()
        };
        let options = PoolOptions {
            watchdog,
            ..options()
        };
        let pool = Pool::new(launcher(&format!("rogue-do-{name}")), options);
        let mut endless = work(&component, World::Job, b"");
        endless.limits.fuel = u64::MAX / 4;
        match run_one(&pool, &component, endless, b"") {
            Err(RunError::Abort(Abort::WorkerDied(text) | Abort::Internal(text))) => {
                let reason = if name == "open" {
                    "gave up"
                } else {
                    "system call"
                };
                assert!(text.contains(reason), "{name}: {text}");
            }
            other => panic!("{name}: {:?}", other.map(|run| run.class)),
        }
    }
}

fn frame(body: &[u8], tail: u64) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
    bytes.extend(tail.to_le_bytes());
    bytes.extend(body);
    bytes
}

/// Takes a message and answers nothing.
fn read(line: &mut UnixStream) {
    let mut header = [0; 12];
    line.read_exact(&mut header).unwrap();
    let mut body = vec![0; u32::from_le_bytes(header[..4].try_into().unwrap()) as usize];
    line.read_exact(&mut body).unwrap();
}

const READY: [u8; 6] = [0, 0, 0, 0, 0, 0];
const LOADED: [u8; 1] = [0];

fn answer(mode: &str) {
    // SAFETY: the standard input of a worker is its line, and nobody else uses it here.
    let mut line = unsafe { UnixStream::from_raw_fd(0) };
    read(&mut line);
    line.write_all(&frame(&READY, 0)).unwrap();
    read(&mut line);
    line.write_all(&frame(&LOADED, 0)).unwrap();
    read(&mut line);
    read(&mut line);
    let endless = [0xA5; 1 << 16];
    let bytes = match mode {
        "garbage" => frame(&[0xFF; 100], 0),
        "empty" => frame(&[], 0),
        "trailing" => frame(&[2, 0], 0),
        "long-body" => u32::MAX.to_le_bytes().repeat(3),
        "long-tail" => frame(&[2], u64::MAX),
        "tail-of-nothing" => frame(&told(0, 10), 5),
        "fuel" => frame(&told(0, u64::MAX), 0),
        "transcript" => frame(&told(0, 10), 0),
        "flood" => loop {
            if line.write_all(&endless).is_err() {
                return;
            }
        },
        // Says nothing and leaves.
        "silence" => return,
        _ => unreachable!("{mode}"),
    };
    // The parent may have hung up on us already.
    let _ = line.write_all(&bytes);
    thread::sleep(Duration::from_secs(30));
}

/// `Answer::Run` of that class and fuel, and nothing else true in it.
fn told(class: u8, fuel: u64) -> Vec<u8> {
    let mut body = vec![0, class];
    body.extend(fuel.to_le_bytes());
    body.push(0); // outputs
    body.extend([9; 32]); // transcript: root,
    body.extend([0; 8]); // count,
    body.push(0); // calls
    body.push(0); // states
    body.push(0); // detail
    body.extend([0, 0]); // log
    body.extend([0; 16]); // memory, time
    body
}

fn malformed_answers_are_aborts() {
    let modes = [
        ("garbage", "does not decode"),
        ("empty", "does not decode"),
        ("trailing", "does not decode"),
        ("long-body", "too long"),
        ("long-tail", "too long"),
        ("tail-of-nothing", "another length"),
        ("fuel", "fuel"),
        ("transcript", "transcript"),
        ("flood", "too long"),
        ("silence", "exit status: 0"),
    ];
    let component = echo();
    let program = artifact(&component);
    for (mode, reason) in modes {
        let pool = Pool::new(launcher(&format!("rogue-{mode}")), options());
        let mut unit = work(&component, World::Job, b"hello");
        unit.limits = Limits {
            output: 1 << 20,
            ..unit.limits
        };
        let works = [Arc::new(unit)];
        let mut results = pool.run(&program, &ALICE, &works, &inputs(&[b"hello"]));
        match results.remove(0) {
            Err(RunError::Abort(Abort::WorkerDied(text))) => {
                assert!(text.contains(reason), "{mode}: {text}");
            }
            other => panic!("{mode}: {:?}", other.map(|run| run.class)),
        }
    }
}
