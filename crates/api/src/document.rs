//! The OpenAPI document, made from the list of operations and the types themselves.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    Code, JobEvent, Method, Op, Operation, Problem,
    operation::{Body, Parameter},
};

/// The OpenAPI 3.1 document of the API. Its keys are sorted, so that its text is always the same.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for operation in Op::ALL.map(Op::operation) {
        let method = match operation.method {
            Method::Get => "get",
            Method::Post => "post",
        };
        let described = describe(&operation, &mut generator);
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[method] = described;
    }
    generator.subschema_for::<JobEvent>();
    let schemas = generator.take_definitions(true);
    sorted(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "OpenSky node",
            "version": "1",
            "description": "A node's API, for programs on the same machine. Lists come in pages, \
                            money and fuel are decimal strings, what is not known is left out, and \
                            every error is a problem with a code that never changes its meaning.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The content of the file `api.token` in the node's data folder.",
                },
            },
        },
    }))
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut described = json!({
        "operationId": operation.name,
        "description": operation.about,
        "responses": responses(operation, generator),
    });
    let in_path = operation.parameters().map(|one| (one, "path"));
    let in_query = operation.query.iter().map(|one| (*one, "query"));
    let mut parameters: Vec<_> = in_path
        .chain(in_query)
        .map(|(one, place)| parameter(&one, place, generator))
        .collect();
    if matches!(
        (operation.reply, operation.path),
        (Body::Bytes(_), "/v1/blobs/{digest}")
    ) {
        parameters.push(json!({
            "name": "range",
            "in": "header",
            "required": false,
            "description": "One range of bytes, as in `bytes=100-199` or `bytes=100-`.",
            "schema": { "type": "string", "pattern": "^bytes=[0-9]{1,16}-[0-9]{0,16}$" },
        }));
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(content) = content(&operation.request, generator) {
        described["requestBody"] = json!({ "required": true, "content": content });
    }
    described
}

fn parameter(parameter: &Parameter, place: &str, generator: &mut SchemaGenerator) -> Value {
    json!({
        "name": parameter.name,
        "in": place,
        "required": place == "path",
        "description": parameter.about,
        "schema": (parameter.schema)(generator),
    })
}

fn responses(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let mut done = json!({ "description": "Done." });
    if let Some(content) = content(&operation.reply, generator) {
        done["content"] = content;
    }
    if operation.problems.contains(&Code::Range) {
        let mut part = done.clone();
        part["description"] = "The part that was asked for.".into();
        responses.insert("206".into(), part);
    }
    responses.insert("200".into(), done);
    let problems = Operation::ALWAYS.iter().chain(operation.problems);
    for code in problems {
        let status = code.status().to_string();
        let known = responses
            .get(&status)
            .and_then(|one| one["description"].as_str());
        let description = match known {
            Some(known) => format!("{known} `{code}`: {}.", code.title()),
            None => format!("`{code}`: {}.", code.title()),
        };
        let schema = generator.subschema_for::<Problem>();
        let response = json!({
            "description": description,
            "content": { Problem::MEDIA: { "schema": schema } },
        });
        responses.insert(status, response);
    }
    responses.into()
}

fn content(body: &Body, generator: &mut SchemaGenerator) -> Option<Value> {
    Some(match body {
        Body::Empty => return None,
        Body::Json(schema) => json!({ "application/json": { "schema": schema(generator) } }),
        Body::Bytes(media) => json!({ *media: {} }),
        Body::Text(media) => json!({ *media: { "schema": { "type": "string" } } }),
        Body::Events => json!({
            "text/event-stream": {
                "schema": {
                    "type": "string",
                    "description": "Events named `job`, `unit` and `end`; the data of each is what \
                                    JobEvent says of that name, on one line.",
                },
            },
        }),
    })
}

/// With all keys in order, whatever order the maps of this build keep, and with texts that are not
/// broken where the sources' comments are.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            let entries = entries.into_iter().map(|(key, value)| (key, sorted(value)));
            Value::Object(entries.collect())
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        Value::String(text) => Value::String(text.replace('\n', " ")),
        other => other,
    }
}
