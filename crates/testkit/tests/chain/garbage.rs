//! Servers in the place of a chain's node that answer nonsense, nothing, or go away.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use opensky_ledger::ChainAway;
use opensky_protocol::ledger::Call;

use crate::{calls::FAST, chain::Chain, member::Member, process::until};

/// What is done with each connection.
type Habit = fn(TcpStream, chain: u16);

/// A server with a habit, and how often it was reached.
struct Server {
    port: u16,
    reached: Arc<AtomicUsize>,
}

impl Server {
    fn start(habit: Habit, chain: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let reached = Arc::new(AtomicUsize::new(0));
        let count = reached.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Relaxed);
                thread::spawn(move || habit(stream, chain));
            }
        });
        Self { port, reached }
    }

    fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }
}

fn says_nothing(stream: TcpStream, _: u16) {
    let mut stream = stream;
    while let Ok(1..) = stream.read(&mut [0; 4096]) {}
}

fn closes(_: TcpStream, _: u16) {}

fn speaks_another_language(mut stream: TcpStream, _: u16) {
    let _ = stream.write_all(&[0xa5; 4096]);
}

fn is_no_socket(mut stream: TcpStream, _: u16) {
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
}

/// Hands on what a chain says, and every so many bytes one of them is another.
fn garbles(stream: TcpStream, chain: u16) {
    hand_on(stream, chain, |at, bytes| {
        for (offset, byte) in bytes.iter_mut().enumerate() {
            if (at + offset) % 997 == 996 {
                *byte = byte.wrapping_add(1);
            }
        }
        true
    });
}

/// Goes away in the middle of an answer, each time.
fn stops(stream: TcpStream, chain: u16) {
    hand_on(stream, chain, |at, _| at < 20_000);
}

fn hand_on(stream: TcpStream, chain: u16, change: impl Fn(usize, &mut [u8]) -> bool) {
    let Ok(mut to) = TcpStream::connect(("127.0.0.1", chain)) else {
        return;
    };
    let (mut asked, mut asks) = (stream.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut asked, &mut asks);
        let _ = asks.shutdown(std::net::Shutdown::Both);
    });
    let (mut back, mut at) = (stream, 0);
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = to.read(&mut buffer) {
        // How both begin to speak is left as it is.
        let is_well = at < 200 || change(at, &mut buffer[..len]);
        at += len;
        if !is_well || back.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = back.shutdown(std::net::Shutdown::Both);
}

/// Follows a chain through such a server for a while, then the chain itself: it goes on, and nothing was done twice.
fn check(habit: Habit) {
    let chain = Chain::start(FAST);
    let folder = tempfile::tempdir().unwrap();
    let ada = Member::rich(&chain, 1, folder.path());
    let server = Server::start(habit, chain.port());
    let mut ada = ada.at(&server.url());
    let begun = Instant::now();
    let mut all = Vec::new();
    for amount in 1..=6 {
        all.push(ada.hand_in(Call::Bond { amount }));
        thread::sleep(Duration::from_millis(500));
    }
    let reached = server.reached.load(Relaxed) as f64;
    let waited = begun.elapsed().as_secs_f64();
    // Pauses double from a tenth of a second.
    assert!(
        reached < 8.0 + waited,
        "reached {reached} times in {waited} s"
    );
    assert!(reached >= 1.0);
    ada = ada.reborn(&chain);
    all.iter().for_each(|name| drop(ada.decided(*name)));
    assert_eq!(ada.state().operator.bond, 21);
    ada.adds_up();
}

#[test]
fn server_that_closes_is_left_alone_for_longer_and_longer() {
    check(closes);
}

#[test]
fn server_of_another_kind_is_no_chain() {
    check(is_no_socket);
    check(speaks_another_language);
}

#[test]
fn garbled_answers_do_no_harm() {
    check(garbles);
}

#[test]
fn answers_that_break_off_do_no_harm() {
    check(stops);
}

#[test]
fn server_that_says_nothing_is_known_to_be_away() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(says_nothing, 0);
    let ada = Member::follow(&server.url(), 1, folder.path());
    until("it is known to be away", || match ada.status().finalized {
        Err(ChainAway::Unreachable(why)) => why != "nobody has asked it yet",
        _ => false,
    });
    assert_eq!(server.reached.load(Relaxed), 1);
}
