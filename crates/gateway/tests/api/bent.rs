//! Requests to every operation of the document with everything about them bent: parameters, headers,
//! tokens and bodies that are missing, doubled, endless, of another kind or encoding. Each has an answer
//! that the document names and whose body is what it says, and the node goes on.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;
use opensky_api::{
    Client, Code, Hex, JobRequest, JobState, Plan, Prefix, ProgramRef, document, kind,
};
use proptest::{prelude::*, test_runner::TestCaseError};
use serde_json::{Value, json};

use crate::{
    arbitrary::{damaged, value},
    fuzz::runner,
    schema,
    served::{Reply, Served},
};

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
/// It does not run, and nobody finds out: there is no provider.
const PROGRAM: &[u8] = include_bytes!("../../../testkit/corpus/rust-job/job.wasm");

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("whatever is asked, the answer is in the document", || {
            everything();
            Ok(())
        }),
        Trial::test("a value that the document does not allow is found", || {
            checks();
            Ok(())
        }),
    ]
}

/// An operation of the document.
struct Operation {
    method: String,
    path: &'static str,
    says: &'static Value,
}

fn operations() -> impl Iterator<Item = Operation> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().expect("methods");
        methods.iter().map(move |(method, says)| Operation {
            method: method.to_uppercase(),
            path,
            says,
        })
    })
}

/// What there is: parameters that name it are answered with more than that it is not there.
struct Things {
    blob: String,
    job: String,
}

impl Things {
    /// A job that was ended, so that nobody who watches it waits.
    fn put(client: &Client) -> Self {
        let put = |bytes: &[u8]| -> Hex {
            let stored = client.put_blob(bytes, Some(bytes.len() as u64));
            stored.expect("stored").digest
        };
        let input = put(b"input");
        let program = ProgramRef::Digest(put(PROGRAM));
        let mut request = JobRequest::new(program, Plan::One { input: Some(input) });
        request.limits.memory = Some(opensky_api::Bytes::saturating(64 << 20));
        let one = opensky_api::Amount(1);
        request.price = Some(opensky_api::Prices {
            dispatch: one,
            per_gfuel: one,
            per_gib: one,
        });
        let job = client.submit(&request).expect("taken on").job;
        let id: Prefix<kind::Job> = job.expect("a job").into();
        client.cancel(&id).expect("cancelled");
        let start = Instant::now();
        while client.job(&id).expect("the job").summary.state != JobState::Ended {
            assert!(start.elapsed() < Duration::from_secs(60), "it never ends");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            blob: input.to_string(),
            job: id.to_string(),
        }
    }
}

/// Draws what is done to a request. Every draw comes from the case's seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// A text as it stands in a path or a query, for a parameter that can be `known`.
    fn text(&mut self, known: &str) -> String {
        let long = ["a".repeat(300), "9".repeat(5_000), "%41".repeat(2_000)];
        match self.below(4) {
            0 | 1 => known.into(),
            2 => self
                .of(&[
                    "",
                    "0",
                    "-1",
                    "1",
                    "500",
                    "501",
                    "4294967295",
                    "4294967296",
                    "1e3",
                    "0x10",
                    "%2B1",
                    "true",
                    "null",
                    "%00",
                    "%0A",
                    "%FF%FE",
                    "%",
                    "%zz",
                    "%E2%82%AC",
                    "..",
                    "%2e%2e",
                    "*",
                    "j-0123456789",
                    "u-0123456789",
                    "j-",
                    "p-0123456789/a",
                    "d-0123456789",
                    "a%20b",
                    "[1]",
                    "%7B%7D",
                    ";",
                    "bytes=0-",
                    "@",
                    ":",
                ])
                .into(),
            _ => self.of(&long),
        }
    }
}

/// A request as it goes over the wire, and whether it has the token.
struct Request {
    line: String,
    headers: String,
    body: Vec<u8>,
    is_let_in: bool,
}

fn bend(
    operation: &Operation,
    things: &Things,
    body: &Value,
    draws: &mut Draws,
    token: &str,
) -> Request {
    let mut path = operation.path.to_owned();
    let mut query = Vec::new();
    let mut headers = String::new();
    for parameter in operation.says["parameters"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let name = parameter["name"].as_str().expect("a name");
        let known = match name {
            "digest" => &things.blob,
            "job" => &things.job,
            "range" => "bytes=1-2",
            "limit" => "2",
            _ => "census",
        };
        let text = draws.text(known);
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), &text),
            Some("query") if draws.one_in(3) => {}
            Some("query") => {
                query.push(format!("{name}={text}"));
                if draws.one_in(8) {
                    query.push(format!("{name}={}", draws.text(known)));
                }
            }
            _ => headers += &format!("{name}: {text}\r\n"),
        }
    }
    if draws.one_in(10) {
        query.push(
            draws
                .of(&["surplus=1", "=", "&&", "limit", "%00=%00", "?"])
                .into(),
        );
    }
    let query = query.join("&");
    let line = match query.is_empty() {
        true => format!("{} {path}", operation.method),
        false => format!("{} {path}?{query}", operation.method),
    };
    let is_let_in = !draws.one_in(10);
    headers += &match is_let_in {
        true => format!("authorization: Bearer {token}\r\n"),
        false => draws.of(&[
            String::new(),
            "authorization: \r\n".into(),
            format!("authorization: Bearer {}\r\n", "0".repeat(64)),
            format!("authorization: Bearer {token}0\r\n"),
            format!("authorization: Bearer {}\r\n", "x".repeat(4_000)),
            format!("x-authorization: Bearer {token}\r\n"),
        ]),
    };
    headers += draws.of(&[
        "",
        "",
        "",
        "accept: text/html\r\n",
        "accept: */*\r\n",
        "accept-encoding: gzip, br\r\n",
        "if-match: *\r\n",
        "origin: http://elsewhere\r\n",
        "cookie: a=b\r\n",
        "x-surplus: 1\r\n",
        "range: bytes=5-1\r\n",
        "last-event-id: 7\r\n",
    ]);
    Request {
        line,
        headers,
        body: body_of(operation, body, draws),
        is_let_in,
    }
    .with_type(operation, draws)
}

/// Bytes for a body: what the document wants, something like it, or something else.
fn body_of(operation: &Operation, body: &Value, draws: &mut Draws) -> Vec<u8> {
    if operation.says["requestBody"].is_null() {
        return draws.of(&[&b""[..], b"", b"", b"surplus"]).into();
    }
    let whole = body.to_string().into_bytes();
    let half = &whole[..whole.len() / 2];
    match draws.below(12) {
        0 => half.into(),
        1 => Vec::new(),
        2 => [b"\xef\xbb\xbf", &whole[..]].concat(),
        3 => String::from_utf8_lossy(&whole)
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect(),
        4 => "[".repeat(20_000).into_bytes(),
        5 => [&whole[..], &whole[..]].concat(),
        6 => [half, b"\xff\x00", half].concat(),
        7 => format!("{{\"plan\":{},\"plan\":1e999}}", "9".repeat(400)).into_bytes(),
        8 => json!({ "program": "x".repeat(100_000), "name": "\u{0}" })
            .to_string()
            .into_bytes(),
        _ => whole,
    }
}

impl Request {
    fn with_type(mut self, operation: &Operation, draws: &mut Draws) -> Self {
        let wanted = operation.says["requestBody"]["content"].as_object();
        let Some(wanted) = wanted.and_then(|wanted| wanted.keys().next()) else {
            return self;
        };
        self.headers += &match draws.below(8) {
            0 => String::new(),
            1 => "content-type: text/plain\r\n".into(),
            2 => format!("content-type: {wanted}; charset=utf-16\r\n"),
            3 => format!("content-type: {wanted}\r\ncontent-encoding: gzip\r\n"),
            4 => format!("content-type: {}\r\n", wanted.to_uppercase()),
            _ => format!("content-type: {wanted}\r\n"),
        };
        self
    }

    fn send(&self, served: &Served) -> Reply {
        let head = format!(
            "{} HTTP/1.1\r\nhost: node\r\nconnection: close\r\ncontent-length: {}\r\n{}\r\n",
            self.line,
            self.body.len(),
            self.headers
        );
        served.say(&[head.as_bytes(), &self.body].concat())
    }
}

/// What holds for every answer.
fn judge(operation: &Operation, request: &Request, reply: &Reply) -> Result<(), TestCaseError> {
    let asked = format!(
        "{:.300} {:.100?}",
        request.line,
        String::from_utf8_lossy(&request.body)
    );
    if reply.status == 0 {
        return Err(TestCaseError::fail(format!("{asked}: no answer")));
    }
    if !request.is_let_in {
        prop_assert_eq!(reply.status, 401, "{}", asked);
    }
    let responses = &operation.says["responses"];
    let named = &responses[reply.status.to_string()];
    // A path that was bent may be that of another operation, or of none.
    let is_elsewhere = named.is_null() && operation.path.contains('{');
    if is_elsewhere {
        prop_assert!(
            matches!(reply.status, 404 | 405),
            "{}: {}",
            asked,
            reply.status
        );
    } else {
        prop_assert!(
            !named.is_null(),
            "{}: {} {}",
            asked,
            reply.status,
            text(reply)
        );
        body_is_as_said(named, reply, &asked, operation)?;
    }
    if reply.status >= 400 {
        let problem = reply.problem();
        let is_ours = matches!(problem.code, Code::Internal | Code::Unknown);
        prop_assert!(!is_ours, "{}: {:?}", asked, problem);
        prop_assert_eq!(problem.status, reply.status);
    }
    Ok(())
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

fn body_is_as_said(
    named: &Value,
    reply: &Reply,
    asked: &str,
    operation: &Operation,
) -> Result<(), TestCaseError> {
    let kinds = named["content"].as_object().expect("an answer has a type");
    let is_said = |kind: &&String| reply.head.contains(&format!("content-type: {kind}"));
    let Some(kind) = kinds.keys().find(is_said) else {
        // What is not there may be another operation, that has an answer of another type.
        let is_elsewhere = operation.path.contains('{') && reply.status == 200;
        prop_assert!(is_elsewhere, "{}: another type: {}", asked, reply.head);
        return Ok(());
    };
    if kind.contains("json") {
        let body: Value = serde_json::from_slice(&reply.body)
            .map_err(|error| TestCaseError::fail(format!("{asked}: {error} {}", text(reply))))?;
        let checked = schema::check(&DOCUMENT, &kinds[kind]["schema"], &body);
        checked.map_err(|error| TestCaseError::fail(format!("{asked}: {error}")))?;
    }
    Ok(())
}

fn everything() {
    let served = Served::alone();
    let things = Things::put(&served.client);
    let token = served.token();
    let mut good = 0;
    for operation in operations() {
        let wanted =
            &operation.says["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let name = wanted.as_str().and_then(|text| text.rsplit('/').next());
        let bodies = match name {
            Some(name) => {
                let body = value(&DOCUMENT, name);
                prop_oneof![body.clone(), damaged(body)].boxed()
            }
            None => any::<u64>().prop_map(Value::from).boxed(),
        };
        let answered = std::cell::Cell::new(0);
        let test = |(body, seed): (Value, u64)| {
            let mut draws = Draws(seed | 1);
            let request = bend(&operation, &things, &body, &mut draws, &token);
            let reply = request.send(&served);
            answered.set(answered.get() + u32::from(reply.status < 300));
            judge(&operation, &request, &reply)
        };
        let tested = runner().run(&(bodies, any::<u64>()), test);
        tested.unwrap_or_else(|error| panic!("{} {}: {error}", operation.method, operation.path));
        good += u32::from(answered.get() > 0);
    }
    // Else nothing but refusals was looked at.
    assert!(good >= 12, "only {good} operations were ever carried out");
    served.client.node().expect("it is as before");
    served.end();
}

/// The check itself: it finds what is wrong.
fn checks() {
    let named = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let check = |name: &str, value: Value| schema::check(&DOCUMENT, &named(name), &value);
    let digest = "0".repeat(64);
    assert_eq!(check("Blob", json!({ "digest": digest, "len": 1 })), Ok(()));
    for (name, wrong) in [
        ("Blob", json!({})),
        ("Blob", json!([])),
        ("Blob", json!({ "digest": digest })),
        ("Blob", json!({ "digest": digest, "len": -1 })),
        ("Blob", json!({ "digest": digest, "len": "1" })),
        (
            "Blob",
            json!({ "digest": digest.to_uppercase() + "A", "len": 1 }),
        ),
        ("Blob", json!({ "digest": digest, "len": 1, "surplus": 1 })),
        ("JobState", json!("nowhere")),
        ("JobState", json!(null)),
    ] {
        assert!(check(name, wrong.clone()).is_err(), "{name}: {wrong}");
    }
}
