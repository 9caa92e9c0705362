//! Who gets in, and what happens to nonsense.

use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;
use opensky_api::{Client, ClientError, Code, Endpoint, EndpointError};
use opensky_gateway::{Gateway, GatewayError};

use crate::served::Served;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("nobody gets in without the token", || {
            nobody_gets_in_without_the_token();
            Ok(())
        }),
        Trial::test("nonsense is told apart, and costs nothing", || {
            nonsense();
            Ok(())
        }),
        Trial::test(
            "what was left behind is for one user, and goes with the gateway",
            || {
                files();
                Ok(())
            },
        ),
        Trial::test("the node says how it is", || {
            status();
            Ok(())
        }),
    ]
}

fn nobody_gets_in_without_the_token() {
    let served = Served::alone();
    let token = served.token();
    let wrong = "0".repeat(64);
    let headers = [
        String::new(),
        "authorization: Bearer\r\n".into(),
        format!("authorization: Bearer {wrong}\r\n"),
        format!("authorization: Basic {token}\r\n"),
        format!("authorization: Bearer {}\r\n", &token[..63]),
        format!("cookie: token={token}\r\n"),
    ];
    for header in headers {
        for path in ["/v1/node", "/metrics", "/v1/nothing", "/v1/openapi.json"] {
            let request =
                format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
            let reply = served.say(request.as_bytes());
            assert_eq!(reply.status, 401, "{path} {header}");
            assert_eq!(reply.problem().code, Code::Unauthorised);
        }
    }
    assert_eq!(served.ask("GET", "/v1/node", "", b"").status, 200);
    served.end();
}

fn nonsense() {
    let served = Served::alone();
    let json = "content-type: application/json\r\n";
    let cases: &[(&str, &str, &str, &[u8], Code)] = &[
        ("GET", "/v1/nothing", "", b"", Code::NotFound),
        ("GET", "/v1/jobs/../node", "", b"", Code::NotFound),
        ("DELETE", "/v1/jobs", "", b"", Code::Method),
        ("POST", "/v1/node", "", b"", Code::Method),
        ("GET", "/v1/jobs?limit=0", "", b"", Code::Invalid),
        ("GET", "/v1/jobs?limit=501", "", b"", Code::Invalid),
        ("GET", "/v1/jobs?surplus=1", "", b"", Code::Invalid),
        ("GET", "/v1/jobs?after=nowhere", "", b"", Code::Invalid),
        ("GET", "/v1/offers?after=nowhere", "", b"", Code::Invalid),
        (
            "GET",
            "/v1/wallet/history?after=nowhere",
            "",
            b"",
            Code::Invalid,
        ),
        ("GET", "/v1/jobs/j-0123456789", "", b"", Code::NotFound),
        ("GET", "/v1/jobs/u-0123456789", "", b"", Code::Invalid),
        ("GET", "/v1/jobs/j-1", "", b"", Code::Invalid),
        ("GET", "/v1/jobs/%FF", "", b"", Code::Invalid),
        ("GET", "/v1/blobs/xyz", "", b"", Code::Invalid),
        ("POST", "/v1/jobs", "", b"{}", Code::MediaType),
        ("POST", "/v1/jobs", json, b"{}", Code::Invalid),
        ("POST", "/v1/jobs", json, b"{", Code::Invalid),
        ("POST", "/v1/jobs", json, b"", Code::Invalid),
        ("POST", "/v1/jobs", json, b"\xff", Code::Invalid),
        ("POST", "/v1/deployments", json, b"[]", Code::Invalid),
        ("POST", "/v1/blobs", json, b"x", Code::MediaType),
        ("GET", "/v1/jobs?limit=-1", "", b"", Code::Invalid),
        ("GET", "/v1/jobs?limit=2&limit=2", "", b"", Code::Invalid),
        ("CONNECT", "elsewhere:80", "", b"", Code::NotFound),
        ("OPTIONS", "*", "", b"", Code::NotFound),
    ];
    for (method, path, headers, body, code) in cases {
        let reply = served.ask(method, path, headers, body);
        assert_ne!(reply.status, 0, "{method} {path}");
        let problem = reply.problem();
        assert_eq!(problem.code, *code, "{method} {path}: {problem:?}");
        assert_eq!(problem.status, reply.status);
    }
    let deep = "[".repeat(100_000);
    let deep = served.ask("POST", "/v1/jobs", json, deep.as_bytes());
    assert_eq!(deep.problem().code, Code::Invalid);
    let large = vec![b' '; (16 << 20) + 1];
    let large = served.ask("POST", "/v1/jobs", json, &large);
    assert_eq!(large.problem().code, Code::TooLarge);
    chunks(&served);
    // Not even HTTP: it hangs up, or says that it is nothing.
    for bytes in [&b"\0\0\0\0\r\n\r\n"[..], b"GET\r\n\r\n", &[b'x'; 200_000]] {
        let status = served.say(bytes).status;
        assert!(matches!(status, 0 | 400..=499), "{status}");
    }
    for line in [
        "/v1/jobs/\u{ff}",
        &format!("/v1/jobs?{}", "a".repeat(1 << 16)),
    ] {
        let status = served.ask("GET", line, "", b"").status;
        assert!(matches!(status, 400..=499), "{status}");
    }
    served.client.node().expect("it is as before");
    served.end();
}

/// Bodies whose length is told twice or not at all, or that are cut into chunks which are none.
fn chunks(served: &Served) {
    let token = served.token();
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n"
    );
    let chunked = "transfer-encoding: chunked\r\n\r\n";
    let inner = format!("0\r\n\r\nGET /v1/node HTTP/1.1\r\nauthorization: Bearer {token}\r\n\r\n");
    let cases = [
        format!("content-length: {}\r\n{chunked}{inner}", inner.len()),
        format!(
            "transfer-encoding: chunked\r\ncontent-length: {}\r\n\r\n{inner}",
            inner.len()
        ),
        "content-length: 2\r\ncontent-length: 5\r\n\r\n{}".into(),
        "content-length: -2\r\n\r\n{}".into(),
        "content-length: +2\r\n\r\n{}".into(),
        "content-length: 99999999999999999999\r\n\r\n{}".into(),
        "transfer-encoding: gzip\r\n\r\n{}".into(),
        "transfer-encoding: chunked, identity\r\n\r\n{}".into(),
        format!("{chunked}zz\r\n{{}}"),
        format!("{chunked}FFFFFFFFFFFFFFFFF\r\n{{}}"),
        format!("{chunked}2;{}\r\n{{}}\r\n0\r\n\r\n", "e".repeat(1 << 17)),
    ];
    for case in cases {
        let reply = served.say(format!("{head}{case}").as_bytes());
        // Once: what follows in the same bytes is no request.
        assert_eq!(reply.status, 400, "{case:.80}");
        let body = String::from_utf8_lossy(&reply.body);
        assert!(!body.contains("HTTP/1.1"), "{case:.80}: {body}");
    }
}

fn files() {
    let served = Served::alone();
    let folder = served.folder().to_owned();
    for name in ["api.token", "api.address"] {
        let file = folder.join(name).metadata().expect("it is there");
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let client = served.client.clone();
    let node = served.node.clone();
    let first = served.token();
    let Served {
        runtime,
        gateway,
        world,
        ..
    } = served;
    runtime.block_on(gateway.stop()).expect("stopped");
    let gone = Endpoint::read(&folder).expect_err("it is removed");
    assert!(matches!(gone, EndpointError::NoNode { .. }));
    let away = client.node().expect_err("nobody listens");
    assert!(matches!(away, ClientError::Away { .. }), "{away:?}");

    let again = runtime
        .block_on(Gateway::start(node.clone()))
        .expect("served again");
    let client = Client::open(&folder).expect("it is there again");
    client.node().expect("it answers");
    let second = std::fs::read_to_string(folder.join("api.token")).expect("a token");
    assert_ne!(first, second.trim(), "a token is for one run");
    runtime.block_on(again.stop()).expect("stopped");

    runtime.block_on(async {
        let mut config = world.config("open");
        config.provide = false;
        config.api.listen = ([0, 0, 0, 0], 0).into();
        let open = world.start(config).await;
        let refused = Gateway::start(open.clone()).await;
        assert!(matches!(
            refused,
            Err(GatewayError::Endpoint(EndpointError::NotLocal { .. }))
        ));
        open.stop().await;
        node.stop().await;
    });
}

fn status() {
    let served = Served::alone();
    let node = served.client.node().expect("it answers");
    assert_eq!(node.node, served.node.key().into());
    assert!(node.provider.is_none() && node.ledger.answers);
    assert_eq!(node.requester.jobs, 0);
    assert!(
        served
            .client
            .offers(&Default::default())
            .expect("offers")
            .items
            .is_empty()
    );
    let wallet = served.client.wallet().expect("a wallet");
    assert!(wallet.play_money && wallet.free.0 > 0, "{wallet:?}");
    let history = served
        .client
        .history(&Default::default())
        .expect("a history");
    assert!(!history.items.is_empty());
    let metrics = served.client.metrics().expect("metrics");
    assert!(metrics.contains("opensky_core_events"), "{metrics}");
    served.end();
}
