//! A host that starts no more threads has no result, and says so. By itself in a process, since it
//! takes away what every other test needs.

use std::fs;

use opensky_executor::on_guest_thread;
use opensky_protocol::Abort;
use rustix::{
    param::page_size,
    process::{Resource, Rlimit, setrlimit},
};

#[test]
fn guest_without_a_thread_is_an_abort() {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 = pages
        .split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .expect("it begins with the address space");
    // Room for this process, and none for a guest's stack.
    let room = pages * page_size() as u64 + (32 << 20);
    let limit = Rlimit {
        current: Some(room),
        maximum: Some(room),
    };
    setrlimit(Resource::As, limit).expect("less is always granted");
    let called = on_guest_thread(|| unreachable!("there is no thread"));
    assert!(matches!(called, Err(Abort::Internal(_))), "{called:?}");
}
