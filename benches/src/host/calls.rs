//! One guest for each kind of call between guest and host: it does the same one over and over.

/// What a guest does before, and what it does so often. Data goes to 4096 and up, results to 64.
pub struct Call {
    pub name: &'static str,
    pub before: &'static str,
    pub each: &'static str,
    pub times: u32,
}

const fn call(name: &'static str, before: &'static str, each: &'static str, times: u32) -> Call {
    Call {
        name,
        before,
        each,
        times,
    }
}

/// Often, for calls that carry next to nothing.
const SMALL: u32 = 20_000;
/// For calls that carry 64 KiB, or a thousand of something.
const LARGE: u32 = 200;

pub const CALLS: &[Call] = &[
    call(
        "clock",
        "",
        "(drop (call $clocks/monotonic-clock#now))",
        SMALL,
    ),
    call(
        "wall clock",
        "",
        "(call $clocks/wall-clock#now (i32.const 64))",
        SMALL,
    ),
    call(
        "timer: make and drop",
        "",
        "(call $drop-pollable (call $clocks/monotonic-clock#subscribe-duration (i64.const 0)))",
        SMALL,
    ),
    call(
        "poll of 1000 timers",
        "(loop $more
            (i32.store (i32.add (i32.const 4096) (i32.mul (local.get $c) (i32.const 4)))
                (call $clocks/monotonic-clock#subscribe-duration (i64.const 0)))
            (br_if $more (i32.lt_u (local.tee $c (i32.add (local.get $c) (i32.const 1)))
                (i32.const 1000))))",
        "(call $io/poll#poll (i32.const 4096) (i32.const 1000) (i32.const 64))",
        LARGE,
    ),
    call(
        "random number",
        "",
        "(drop (call $random/random#get-random-u64))",
        SMALL,
    ),
    call(
        "random seed",
        "",
        "(call $random/insecure-seed#insecure-seed (i32.const 64))",
        SMALL,
    ),
    call(
        "random bytes, 16",
        "",
        "(call $random/random#get-random-bytes (i64.const 16) (i32.const 64))",
        SMALL,
    ),
    call(
        "random bytes, 64 KiB",
        "",
        "(call $random/random#get-random-bytes (i64.const 65536) (i32.const 64))",
        LARGE,
    ),
    call(
        "log, 16 bytes",
        "",
        "(call $compute/report#log (i32.const 1) (i32.const 4096) (i32.const 16))",
        SMALL,
    ),
    call(
        "log, 64 KiB",
        "",
        "(call $compute/report#log (i32.const 1) (i32.const 4096) (i32.const 65536))",
        LARGE,
    ),
    call(
        "progress",
        "",
        "(call $compute/report#progress (i64.const 1) (i32.const 0) (i64.const 0))",
        SMALL,
    ),
    call(
        "write, 16 bytes",
        STDOUT,
        "(call $io/streams#!method!output-stream.write (local.get $a) (i32.const 4096)
            (i32.const 16) (i32.const 64))",
        SMALL,
    ),
    call(
        "write, 64 KiB",
        STDOUT,
        "(call $io/streams#!method!output-stream.write (local.get $a) (i32.const 4096)
            (i32.const 65536) (i32.const 64))",
        LARGE,
    ),
    call(
        "read, 16 bytes",
        STDIN,
        "(call $io/streams#!method!input-stream.read (local.get $a) (i64.const 16) (i32.const 64))",
        SMALL,
    ),
    call(
        "read, 64 KiB",
        STDIN,
        "(call $io/streams#!method!input-stream.read (local.get $a) (i64.const 65536)
            (i32.const 64))",
        LARGE,
    ),
    call(
        "1000 arguments",
        "",
        "(call $cli/environment#get-arguments (i32.const 64))",
        LARGE,
    ),
    call(
        "1000 variables",
        "",
        "(call $cli/environment#get-environment (i32.const 64))",
        LARGE,
    ),
    call(
        "1000 parameters",
        "",
        "(call $compute/context#params (i32.const 64))",
        LARGE,
    ),
    call(
        "1000 inputs' names",
        "",
        "(call $compute/blobs#manifest (i32.const 64))",
        LARGE,
    ),
    call(
        "unit id",
        "",
        "(call $compute/context#unit-id (i32.const 64))",
        SMALL,
    ),
    call(
        "blob: open and drop",
        "",
        "(call $compute/blobs#open {input} (i32.const 64))
         (call $drop-reader (i32.load (i32.const 68)))",
        SMALL,
    ),
    call(
        "blob: read 16 bytes",
        READER,
        "(call $compute/blobs#!method!reader.read (local.get $a) (i64.const 5) (i32.const 16)
            (i32.const 64))",
        SMALL,
    ),
    call(
        "blob: read 64 KiB",
        READER,
        "(call $compute/blobs#!method!reader.read (local.get $a) (i64.const 5) (i32.const 65536)
            (i32.const 64))",
        LARGE,
    ),
    call(
        "blob: put 16 bytes",
        "",
        "(i32.store (i32.const 4096) (local.get $n))
         (call $compute/blobs#put (i32.const 4096) (i32.const 16) (i32.const 64))",
        SMALL / 2,
    ),
    call(
        "blob: put 64 KiB",
        "",
        "(i32.store (i32.const 4096) (local.get $n))
         (call $compute/blobs#put (i32.const 4096) (i32.const 65536) (i32.const 64))",
        LARGE,
    ),
    call(
        "blob: write 16 bytes",
        "(local.set $a (call $compute/blobs#!constructor!writer))",
        "(call $compute/blobs#!method!writer.write (local.get $a) (i32.const 4096)
            (i32.const 16))",
        SMALL,
    ),
    call(
        "blob: write 64 KiB and finish",
        "",
        "(local.set $a (call $compute/blobs#!constructor!writer))
         (i32.store (i32.const 4096) (local.get $n))
         (call $compute/blobs#!method!writer.write (local.get $a) (i32.const 4096)
            (i32.const 65536))
         (call $compute/blobs#!static!writer.finish (local.get $a) (i32.const 64))",
        LARGE,
    ),
    call(
        "folder: list 1000",
        FOLDER,
        "(call $filesystem/types#!method!descriptor.read-directory (local.get $b) (i32.const 64))
         (local.set $c (i32.load (i32.const 68)))
         (loop $more
            (call $filesystem/types#!method!directory-entry-stream.read-directory-entry
                (local.get $c) (i32.const 64))
            (br_if $more (i32.load8_u (i32.const 68))))
         (call $drop-entries (local.get $c))",
        20,
    ),
    call(
        "folder: make and remove",
        ROOT,
        "(call $filesystem/types#!method!descriptor.create-directory-at (local.get $a)
            (i32.const 1048) (i32.const 7) (i32.const 64))
         (call $filesystem/types#!method!descriptor.remove-directory-at (local.get $a)
            (i32.const 1048) (i32.const 7) (i32.const 64))",
        SMALL / 2,
    ),
    call(
        "file: open and close",
        ROOT,
        "(call $filesystem/types#!method!descriptor.open-at (local.get $a) (i32.const 1)
            (i32.const 1032) (i32.const 8) (i32.const 0) (i32.const 1) (i32.const 64))
         (call $drop-descriptor (i32.load (i32.const 68)))",
        SMALL / 2,
    ),
    call(
        "file: stat at the end of 500 steps",
        ROOT,
        "(call $filesystem/types#!method!descriptor.stat-at (local.get $a) (i32.const 1)
            (i32.const 2048) (i32.const 1008) (i32.const 64))",
        LARGE,
    ),
    call(
        "file: stat",
        FILE,
        "(call $filesystem/types#!method!descriptor.stat (local.get $b) (i32.const 64))",
        SMALL,
    ),
    call(
        "file: read 64 KiB",
        FILE,
        "(call $filesystem/types#!method!descriptor.read (local.get $b) (i64.const 65536)
            (i64.const 5) (i32.const 64))",
        LARGE,
    ),
    call(
        "file: write 16 bytes",
        NEW_FILE,
        "(call $filesystem/types#!method!descriptor.write (local.get $b) (i32.const 4096)
            (i32.const 16) (i64.const 0) (i32.const 64))",
        SMALL,
    ),
    call(
        "file: write 64 KiB",
        NEW_FILE,
        "(call $filesystem/types#!method!descriptor.write (local.get $b) (i32.const 4096)
            (i32.const 65536) (i64.const 0) (i32.const 64))",
        LARGE,
    ),
    call(
        "file: grow by 64 MiB and cut",
        NEW_FILE,
        "(call $filesystem/types#!method!descriptor.set-size (local.get $b) (i64.const 67108864)
            (i32.const 64))
         (call $filesystem/types#!method!descriptor.set-size (local.get $b) (i64.const 0)
            (i32.const 64))",
        2,
    ),
    call(
        "socket",
        "",
        "(call $sockets/tcp-create-socket#create-tcp-socket (i32.const 0) (i32.const 64))",
        SMALL,
    ),
];

const STDOUT: &str = "(local.set $a (call $cli/stdout#get-stdout))";
const STDIN: &str = "(local.set $a (call $cli/stdin#get-stdin))";

/// The main input as a blob.
const READER: &str = "(call $compute/blobs#open {input} (i32.const 64))
    (local.set $a (i32.load (i32.const 68)))";

/// The root's descriptor in `$a`.
const ROOT: &str = "(call $filesystem/preopens#get-directories (i32.const 64))
    (local.set $a (i32.load (i32.load (i32.const 64))))";

macro_rules! opened {
    ($path:literal, $flags:literal, $rights:literal) => {
        concat!(
            "(call $filesystem/preopens#get-directories (i32.const 64))
             (call $filesystem/types#!method!descriptor.open-at
                (i32.load (i32.load (i32.const 64))) (i32.const 1) ",
            $path,
            "(i32.const ",
            $flags,
            ") (i32.const ",
            $rights,
            ") (i32.const 64))
             (if (i32.load8_u (i32.const 64)) (then (unreachable)))
             (local.set $b (i32.load (i32.const 68)))"
        )
    };
}

/// Descriptors in `$b`: of the inputs' folder, of the main input, of a new file.
const FOLDER: &str = opened!("(i32.const 1024) (i32.const 2) ", "0", "1");
const FILE: &str = opened!("(i32.const 1032) (i32.const 8) ", "0", "1");
const NEW_FILE: &str = opened!("(i32.const 1048) (i32.const 7) ", "1", "3");

/// The core module of a guest that imports this: an allocator that never frees, paths, and the loop,
/// which begins every round with what was allocated before it.
pub fn module(call: &Call, times: u32, imports: &str, input: &str) -> String {
    let long = "./".repeat(500);
    let text = format!(
        r#"(module {imports} {DROPS}
            (memory (export "memory") 4)
            (global $top (mut i32) (i32.const 200000))
            (data (i32.const 1024) "in") (data (i32.const 1032) "in/input")
            (data (i32.const 1048) "out/new") (data (i32.const 2048) "{long}in/input")
            (func (export "cabi_realloc") (param i32 i32) (param $align i32) (param $size i32)
                (result i32) (local $at i32)
                (local.set $at (i32.and
                    (i32.add (global.get $top) (i32.sub (local.get $align) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get $align))))
                (global.set $top (i32.add (local.get $at) (local.get $size)))
                (block $fits
                    (br_if $fits (i32.le_u (global.get $top)
                        (i32.mul (memory.size) (i32.const 65536))))
                    (if (i32.eq (memory.grow (i32.const 32)) (i32.const -1))
                        (then (unreachable))))
                (local.get $at))
            (func (export "wasi:cli/run@0.2.12#run") (result i32)
                (local $a i32) (local $b i32) (local $c i32) (local $n i32) (local $base i32)
                {before}
                (local.set $base (global.get $top))
                (local.set $n (i32.const {times}))
                (loop $next
                    (global.set $top (local.get $base))
                    {each}
                    (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
                (i32.const 0)))"#,
        before = call.before,
        each = call.each,
    );
    text.replace("{input}", input)
}

/// What WIT does not list as functions.
const DROPS: &str = r#"
    (import "wasi:io/poll@0.2.12" "[resource-drop]pollable" (func $drop-pollable (param i32)))
    (import "opensky:compute/blobs@0.1.0" "[resource-drop]reader" (func $drop-reader (param i32)))
    (import "wasi:filesystem/types@0.2.12" "[resource-drop]descriptor"
        (func $drop-descriptor (param i32)))
    (import "wasi:filesystem/types@0.2.12" "[resource-drop]directory-entry-stream"
        (func $drop-entries (param i32)))"#;

/// A stepper that never ends: each step is a fresh instance.
pub const STEPPER: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "opensky:compute/stepper@0.1.0#init") (param i32 i32) (result i32)
        (i32.const 64))
    (func (export "opensky:compute/stepper@0.1.0#step") (param i32 i32) (result i32)
        (i32.const 64)))"#;

/// A shard of which `{times}` records come out, each with a key of four bytes and no value.
pub const RECORDS: &str = r#"(module
    (memory (export "memory") 128)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "opensky:compute/map-reduce@0.1.0#map-shard") (param i32 i32) (result i32)
        (local $n i32) (local $at i32) (local $key i32)
        (local.set $n (i32.const {times}))
        (local.set $at (i32.const 65536))
        (loop $next
            (local.set $key
                (i32.add (i32.const 4194304) (i32.mul (local.get $n) (i32.const 4))))
            (i32.store (local.get $key) (local.get $n))
            (i32.store (local.get $at) (local.get $key))
            (i32.store (i32.add (local.get $at) (i32.const 4)) (i32.const 4))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (i32.store (i32.const 72) (i32.const 65536))
        (i32.store (i32.const 76) (i32.const {times}))
        (i32.const 64))
    (func (export "opensky:compute/map-reduce@0.1.0#combine") (param i32 i32 i32 i32) (result i32)
        (i32.const 128))
    (func (export "opensky:compute/map-reduce@0.1.0#reduce") (param i32 i32 i32 i32) (result i32)
        (i32.const 128)))"#;
