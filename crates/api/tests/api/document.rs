//! The document is written down, and describes what there is.

use expect_test::expect_file;
use opensky_api::{Op, document};
use serde_json::Value;

/// Write it anew with `UPDATE_EXPECT=1`. A change that is no addition is a new version of the API.
#[test]
fn document_is_the_one_written_down() {
    let text = serde_json::to_string_pretty(&document()).expect("JSON");
    expect_file!["../../openapi.json"].assert_eq(&format!("{text}\n"));
}

#[test]
fn document_has_every_operation() {
    let document = document();
    for operation in Op::ALL.map(Op::operation) {
        let methods = &document["paths"][operation.path];
        let found = methods.as_object().into_iter().flatten();
        let mut names = found.filter_map(|(_, described)| described["operationId"].as_str());
        assert!(
            names.any(|name| name == operation.name),
            "{}",
            operation.name
        );
    }
}

#[test]
fn document_refers_only_to_what_it_has_and_has_only_what_it_refers_to() {
    let document = document();
    let schemas = document["components"]["schemas"]
        .as_object()
        .expect("schemas");
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in &references {
        let name = reference.strip_prefix("#/components/schemas/");
        let name = name.unwrap_or_else(|| panic!("`{reference}` is in the document"));
        assert!(schemas.contains_key(name), "{reference}");
    }
    for name in schemas.keys().filter(|name| *name != "JobEvent") {
        let reference = format!("#/components/schemas/{name}");
        assert!(references.contains(&reference.as_str()), "{name}");
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str));
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
