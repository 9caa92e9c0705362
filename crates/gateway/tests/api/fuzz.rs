//! Requests that the document allows, and such that are nearly so: each has an answer that the document
//! names, and no problem is the node's own.

use std::sync::LazyLock;

use libtest_mimic::Trial;
use opensky_api::{Code, document};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

use crate::{
    arbitrary::{damaged, value},
    served::{Reply, Served},
};

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
const CASES: u32 = 60;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("every path answers as the document says", || {
            paths();
            Ok(())
        }),
        Trial::test("every body is answered as the document says", || {
            bodies();
            Ok(())
        }),
    ]
}

/// The same cases in every run.
pub fn runner() -> TestRunner {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let seed = [7; 32];
    let draws = proptest::test_runner::TestRng::from_seed(config.rng_algorithm, &seed);
    TestRunner::new_with_rng(config, draws)
}

/// Whether the document names that answer, and it is none that blames the node.
fn check(operation: &Value, reply: &Reply, asked: &str) -> Result<(), TestCaseError> {
    let status = reply.status.to_string();
    let named = operation["responses"].get(&status).is_some();
    prop_assert!(
        named,
        "{asked}: {status} {}",
        String::from_utf8_lossy(&reply.body)
    );
    if reply.status >= 400 {
        let code = reply.problem().code;
        prop_assert!(
            !matches!(code, Code::Internal | Code::Unknown),
            "{asked}: {code}"
        );
        prop_assert_eq!(code.status(), reply.status);
    }
    Ok(())
}

fn operations(method: &'static str) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    paths
        .iter()
        .filter_map(move |(path, methods)| Some((path.as_str(), methods.get(method)?)))
}

fn schema_text(schema: &Value) -> BoxedStrategy<String> {
    let name = schema["$ref"]
        .as_str()
        .and_then(|text| text.rsplit('/').next());
    let good = match name {
        Some(name) => value(&DOCUMENT, name)
            .prop_map(|value| value.as_str().unwrap_or_default().to_owned())
            .boxed(),
        None => any::<u32>().prop_map(|number| number.to_string()).boxed(),
    };
    prop_oneof![3 => good, 1 => ".{1,20}"].boxed()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn paths() {
    let served = Served::alone();
    for (path, operation) in operations("get") {
        let parameters = operation["parameters"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let texts: Vec<_> = parameters
            .iter()
            .map(|parameter| schema_text(&parameter["schema"]))
            .collect();
        let test = |texts: Vec<String>| {
            let mut target = path.to_owned();
            let (mut query, mut headers) = (Vec::new(), String::new());
            for (parameter, text) in parameters.iter().zip(&texts) {
                let name = parameter["name"].as_str().expect("a name");
                match parameter["in"].as_str() {
                    Some("path") => {
                        target = target.replace(&format!("{{{name}}}"), &escaped(text));
                    }
                    Some("query") => query.push(format!("{name}={}", escaped(text))),
                    _ if text.chars().all(|c| c.is_ascii_graphic()) => {
                        headers = format!("{name}: {text}\r\n");
                    }
                    _ => {}
                }
            }
            let target = format!("{target}?{}", query.join("&"));
            let reply = served.ask("GET", &target, &headers, b"");
            check(operation, &reply, &target)
        };
        runner()
            .run(&texts, test)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    served.client.node().expect("it is as before");
    served.end();
}

fn bodies() {
    let served = Served::alone();
    for (path, operation) in operations("post") {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let Some(name) = schema.as_str().and_then(|text| text.rsplit('/').next()) else {
            continue;
        };
        let headers = "content-type: application/json\r\n";
        let good = value(&DOCUMENT, name);
        let bodies = prop_oneof![good.clone(), damaged(good)];
        let test = |body: Value| {
            let body = body.to_string();
            let reply = served.ask("POST", path, headers, body.as_bytes());
            check(operation, &reply, &body)
        };
        runner()
            .run(&bodies, test)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    served.client.node().expect("it is as before");
    served.end();
}
