//! Connections that hold places for nothing: whoever has the token is served all the same.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    thread::sleep,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use opensky_api::{Client, Code};
use opensky_gateway::Patience;
use opensky_protocol::Digest;

use crate::served::Served;

/// More than any test takes.
const NEVER: Duration = Duration::from_secs(3_600);
/// More connections than the node serves at once, of either kind.
const MANY: usize = 300;
/// As many that have shown the token as it serves at once.
const KNOWN: usize = 128;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("strangers who say nothing are in nobody's way", || {
            strangers();
            Ok(())
        }),
        Trial::test("whoever reads nothing makes room for another", || {
            never_read();
            Ok(())
        }),
        Trial::test(
            "a head or a body that does not come is not waited for",
            || {
                slow();
                Ok(())
            },
        ),
    ]
}

fn strangers() {
    let served = Served::patiently(Patience {
        head: NEVER,
        ..Patience::default()
    });
    let mut known = served.connect();
    begin(&mut known, &served, "/v1/node", "");
    let mut rest = vec![0; 1 << 16];
    assert!(known.read(&mut rest).expect("the rest") > 0);
    let mut silent: Vec<_> = (0..MANY).map(|_| served.connect()).collect();
    let half: Vec<_> = (0..MANY)
        .map(|_| {
            let mut stream = served.connect();
            // It may have had to make room already.
            let _ = stream.write_all(b"GET /v1/node HTTP/1.1\r\nhost:");
            stream
        })
        .collect();
    // Nobody's time is up, so this one is let in at their cost.
    let late = Client::open(served.folder()).expect("it has left its address");
    late.node().expect("it answers");
    begin(&mut known, &served, "/v1/node", "");
    let first = silent[0].read(&mut rest);
    let is_cut = matches!(&first, Ok(0)) || first.as_ref().is_err_and(is_reset);
    assert!(is_cut, "it still holds a place: {first:?}");
    drop((silent, half));
    served.end();
}

fn is_reset(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

/// Asks, and reads until the answer has begun.
fn begin(stream: &mut TcpStream, served: &Served, path: &str, headers: &str) {
    let token = served.token();
    let head =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut status = [0; 12];
    stream.read_exact(&mut status).expect("it answers");
    assert_eq!(&status, b"HTTP/1.1 200");
}

fn never_read() {
    let served = Served::patiently(Patience {
        head: NEVER,
        stalled: Duration::from_secs(1),
        ..Patience::default()
    });
    // Far more than the system takes on behalf of a program that does not read.
    let large = vec![7; 16 << 20];
    // On a connection that is closed: it would hold one of the places.
    let media = "content-type: application/octet-stream\r\n";
    assert_eq!(served.ask("POST", "/v1/blobs", media, &large).status, 200);
    let path = format!("/v1/blobs/{}", Digest::of(&large));
    let mut readers: Vec<TcpStream> = (0..KNOWN)
        .map(|_| {
            let mut stream = served.connect();
            begin(&mut stream, &served, &path, "connection: close\r\n");
            stream
        })
        .collect();
    let start = Instant::now();
    loop {
        let reply = served.ask("GET", "/v1/node", "", b"");
        match reply.status {
            200 => break,
            503 => assert_eq!(reply.problem().code, Code::Busy),
            other => panic!("{other}"),
        }
        assert!(start.elapsed() < Duration::from_secs(60), "no room is made");
        sleep(Duration::from_millis(50));
    }
    // Who waited longest is cut off, and that may be any of them: the system takes a little more of some.
    // The others get all of it, however late they read.
    let (mut cut, mut whole) = (0, 0);
    for stream in &mut readers {
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) if rest.ends_with(&large) => whole += 1,
            _ => cut += 1,
        }
        if cut > 0 && whole > 2 {
            break;
        }
    }
    assert!(cut > 0 && whole > 2, "{cut} cut off, {whole} whole");
    drop(readers);
    served.end();
}

fn slow() {
    let served = Served::patiently(Patience {
        head: Duration::from_secs(2),
        body: Duration::from_secs(2),
        ..Patience::default()
    });
    let mut head = served.connect();
    head.write_all(b"GET /v1/node HTTP/1.1\r\nhost:")
        .expect("sent");
    let mut rest = Vec::new();
    // It hangs up: nobody can be told what was not asked.
    let _ = head.read_to_end(&mut rest);
    assert!(rest.is_empty());
    let token = served.token();
    for (path, media) in [
        ("jobs", "json"),
        ("deployments", "json"),
        ("blobs", "octet-stream"),
    ] {
        let asked = format!(
            "POST /v1/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
             content-type: application/{media}\r\ncontent-length: 100\r\n\r\n{{"
        );
        let reply = served.say(asked.as_bytes());
        assert_eq!(reply.problem().code, Code::Slow, "{path}");
    }
    served.client.node().expect("it is as before");
    served.end();
}
