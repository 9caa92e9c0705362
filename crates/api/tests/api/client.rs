//! The client against peers that are no nodes: each says its piece, whatever it is asked.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener},
    thread::{self, JoinHandle},
};

use opensky_api::{
    Client, ClientError, Code, Cursor, Endpoint, Hex, JobEvent, JobId, PageQuery, Problem, Token,
};
use opensky_protocol::Digest;

/// Listens once, says `reply` when the head of a request has come, and gives that back.
fn peer(reply: Vec<u8>) -> (Client, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("a byte") > 0 {
            head.push(byte[0]);
        }
        stream.write_all(&reply).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        // What else it sends is read, so that the reply is not lost with a reset.
        io::copy(&mut stream, &mut io::sink()).ok();
        String::from_utf8(head).expect("text")
    });
    (client(address), heard)
}

fn client(address: SocketAddr) -> Client {
    let token = Token::from_random(&[7; 32]);
    Client::new(Endpoint::new(address, token).expect("loopback"))
}

fn says(status: &str, media: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {len}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn error_of(reply: Vec<u8>) -> ClientError {
    let (client, heard) = peer(reply);
    let error = client.node().expect_err("that is no node");
    drop(client);
    heard.join().expect("the peer is done");
    error
}

#[test]
fn where_nobody_listens_it_says_what_to_start() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let error = client(address).node().expect_err("nobody there");
    assert!(matches!(error, ClientError::Away { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!(
            "no node answers at {address}: start one with `opensky node start` or `opensky devnet`"
        )
    );
}

#[test]
fn problems_come_through_whole() {
    let problem = Problem::new(Code::NotYet, "the job runs").help("wait for it");
    let json = serde_json::to_vec(&problem).expect("JSON");
    let error = error_of(says("409 Conflict", Problem::MEDIA, &json));
    assert_eq!(error.help(), Some("wait for it"));
    assert!(matches!(error, ClientError::Problem(found) if *found == problem));
}

#[test]
fn what_is_no_node_is_told_apart() {
    let replies = [
        says("200 OK", "text/html", b"<html>"),
        says("200 OK", "application/json", b"{\"node\":1}"),
        says("500 Oops", "text/plain", b"oops"),
        says("400 Bad", Problem::MEDIA, b"{"),
        says(
            "302 Found",
            "text/plain\r\nlocation: http://192.0.2.1/",
            b"",
        ),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n".to_vec(),
        vec![0xff; 4096],
    ];
    for reply in replies {
        let start = String::from_utf8_lossy(&reply[..reply.len().min(40)]).into_owned();
        let error = error_of(reply);
        assert!(
            matches!(error, ClientError::Garbled { .. }),
            "{start}: {error:?}"
        );
    }
}

#[test]
fn an_answer_without_an_end_is_told_from_one_that_is_no_node_s() {
    let error = error_of(says("200 OK", "application/json", &vec![b' '; 17 << 20]));
    assert!(
        matches!(error, ClientError::TooLong { limit, .. } if limit == 16 << 20),
        "{error:?}"
    );
}

#[test]
fn a_node_that_dies_in_the_middle_is_lost() {
    let mut cut = says("200 OK", "application/json", b"{\"node\":\"p-");
    cut.truncate(cut.len() - 5);
    for reply in [cut, Vec::new()] {
        let error = error_of(reply);
        assert!(matches!(error, ClientError::Lost), "{error:?}");
    }
}

#[test]
fn requests_carry_the_token_and_no_parameter_leaves_its_place() {
    let (client, heard) = peer(says("200 OK", "application/json", b"{\"items\":[]}"));
    let page = PageQuery {
        limit: Some(7),
        after: Cursor::new("a_1-"),
    };
    let job = JobId::new(Digest([0; 32])).into();
    assert!(client.logs(&job, &page).expect("a page").items.is_empty());
    drop(client);
    let head = heard.join().expect("the peer is done").to_lowercase();
    let mut lines = head.lines();
    let path = format!("get /v1/jobs/{job}/logs?limit=7&after=a_1- http/1.1");
    assert_eq!(lines.next(), Some(path.as_str()));
    let token = format!("authorization: bearer {}", "07".repeat(32));
    assert!(lines.any(|line| line == token), "{head}");
}

#[test]
fn blobs_are_checked_at_the_end() {
    let bytes = b"these bytes";
    let digest = Hex::from(Digest::of(bytes));
    for (sent, is_right) in [(&bytes[..], true), (b"other bytes", false)] {
        let (client, heard) = peer(says("200 OK", "application/octet-stream", sent));
        let mut reader = client.blob(digest, 0).expect("a reply");
        assert_eq!(reader.content_len(), Some(11));
        let mut got = Vec::new();
        let end = reader.read_to_end(&mut got);
        assert_eq!(end.is_ok(), is_right);
        assert_eq!(got, sent);
        drop((reader, client));
        heard.join().expect("the peer is done");
    }
}

#[test]
fn a_blob_that_the_node_names_otherwise_was_damaged() {
    let named = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        let json = format!("{{\"digest\":\"{digest}\",\"len\":3}}");
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n".to_vec();
        [go_on, says("200 OK", "application/json", json.as_bytes())].concat()
    };
    let (client, heard) = peer(named(b"abc"));
    let blob = client.put_blob(&b"abc"[..], Some(3)).expect("kept");
    assert_eq!(blob.digest, Digest::of(b"abc").into());
    drop(client);
    heard.join().expect("the peer is done");

    let (client, heard) = peer(named(b"abd"));
    let error = client.put_blob(&b"abc"[..], None).expect_err("damaged");
    assert!(matches!(error, ClientError::Damaged), "{error:?}");
    drop(client);
    heard.join().expect("the peer is done");
}

#[test]
fn a_file_that_cannot_be_read_is_not_the_nodes_fault() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("a scratch"))
        }
    }
    let (client, heard) = peer(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    let error = client.put_blob(Broken, None).expect_err("broken");
    assert_eq!(
        error.to_string(),
        "cannot read what is to be sent: a scratch"
    );
    drop(client);
    heard.join().expect("the peer is done");
}

#[test]
fn events_end_with_the_job_or_with_an_error() {
    let stream = |text: &str| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        peer(format!("{head}{text}").into_bytes())
    };
    let job = JobId::new(Digest([0; 32]));
    let summary = format!(
        "{{\"job\":\"{job}\",\"state\":\"running\",\"program\":\"{}\",\"submitted\":1,\"deadline\":2,\
         \"units\":1,\"units_done\":0,\"running\":0,\"promised\":0,\"replicas\":\"auto\",\"fuel\":\"0\",\"price\":\"0\",\"escrow\":\"5\"}}",
        "0".repeat(64)
    );
    let text = format!(
        ": alive\n\nevent: job\ndata: {summary}\n\nevent: of-tomorrow\ndata: 1\n\n\
         event: end\ndata: {summary}\n\nevent: job\ndata: {summary}\n\n"
    );
    let (client, heard) = stream(&text);
    let events: Vec<_> = client.watch(&job.into()).expect("a stream").collect();
    assert!(
        matches!(events[..], [Ok(JobEvent::Job(_)), Ok(JobEvent::End(_))]),
        "{events:?}"
    );
    drop(client);
    heard.join().expect("the peer is done");

    for (text, is_lost) in [
        ("event: job\ndata: {", true),
        ("event: job\ndata: {}\n\n", false),
    ] {
        let (client, heard) = stream(text);
        let mut events = client.watch(&job.into()).expect("a stream");
        let error = events.next().expect("an event").expect_err("not a job");
        assert_eq!(matches!(error, ClientError::Lost), is_lost, "{error:?}");
        assert_eq!(
            matches!(error, ClientError::Garbled { .. }),
            !is_lost,
            "{error:?}"
        );
        assert!(events.next().is_none());
        drop((events, client));
        heard.join().expect("the peer is done");
    }
}
