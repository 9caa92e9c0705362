//! Disks that are full: the node says so, nothing is lost, and all goes on when there is room.

use std::{
    fs::{self, File},
    io::Write as _,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use opensky_api::{JobId, JobState};

use crate::{
    apart::{is_apart, run},
    books::LEDGER,
    net::{Net, Transport, text},
    process::until,
};

/// Takes all the room that is left in a folder. Gives it back when dropped.
struct Filler(PathBuf);

impl Filler {
    fn of(folder: &Path) -> Self {
        let path = folder.join("filler");
        let mut file = File::create(&path).unwrap();
        let mut piece = vec![1; 1 << 20];
        while !piece.is_empty() {
            // What was written of a piece that did not fit stays written.
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
        Self(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// Gives a node a disk of its own, of so many MiB.
fn give_disk(net: &Net, name: &str, size: u32) {
    let folder = net.data(name);
    fs::create_dir_all(&folder).unwrap();
    let folder = folder.display();
    run(&format!("mount -t tmpfs -o size={size}m tmpfs {folder}")).unwrap();
}

fn says_so(net: &mut Net, name: &str) -> bool {
    let log = net.node(name).log();
    log.contains("disk is full") || log.contains("No space left")
}

#[test]
fn full_disk_is_told_and_everything_goes_on_when_there_is_room() {
    let name = "disk::full_disk_is_told_and_everything_goes_on_when_there_is_room";
    if !is_apart(name, &["--mount"]) {
        return;
    }
    let mut net = Net::empty(Ipv4Addr::LOCALHOST.into(), Transport::Tcp);
    give_disk(&net, LEDGER, 32);
    give_disk(&net, "one", 64);
    net.begin_all(&["one", "two"]);
    let text = text(1 << 20, 1);
    let first = net.submit(&text, 1, 2);
    net.ends(first, &text);

    println!("a provider's disk is full");
    let filler = Filler::of(&net.data("one"));
    let fresh = crate::net::text(2 << 20, 2);
    let second = net.submit(&fresh, 2, 2);
    until("it says so", || says_so(&mut net, "one"));
    drop(filler);
    ends(&mut net, "one", &[second]);
    net.ends(second, &fresh);

    println!("the ledger's disk is full");
    let filler = Filler::of(&net.data(LEDGER));
    // It has room in its file for a while.
    let small = crate::net::text(1 << 10, 3);
    let mut jobs = Vec::new();
    for number in 3_u8.. {
        jobs.push(net.submit(&small, number, 2));
        if says_so(&mut net, LEDGER) {
            break;
        }
        assert!(number < 100, "it finds room for all of them");
    }
    drop(filler);
    ends(&mut net, LEDGER, &jobs);
    jobs.iter().for_each(|job| net.ends(*job, &small));
    net.adds_up();
}

/// Waits until jobs are over, and starts a node again if it ends meanwhile: that is its right, if it does
/// it with a reason.
fn ends(net: &mut Net, name: &str, jobs: &[JobId]) {
    until("the jobs are over", || {
        if let Some(status) = net.node(name).ended() {
            assert_eq!(status.code(), Some(4), "{}", net.node(name).log());
            net.kill(name);
            net.begin(name);
        }
        let is_over = |job: &JobId| net.job(*job).summary.state == JobState::Ended;
        jobs.iter().all(is_over)
    });
}
