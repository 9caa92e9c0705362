//! Whether a value is what a schema of the document says: as much of JSON Schema as the document uses.

use regex::Regex;
use serde_json::Value;

/// Says what is wrong, and where, if something is.
pub fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {value:.200}"));
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let named = &document["components"]["schemas"][name];
        return check(document, named, value).map_err(|error| format!("{name}: {error}"));
    }
    if let Some(fixed) = schema.get("const")
        && fixed != value
    {
        return wrong(&format!("not {fixed}"));
    }
    if let Some(fixed) = schema["enum"].as_array()
        && !fixed.contains(value)
    {
        return wrong("none of those that it can be");
    }
    let fits = |option: &&Value| check(document, option, value).is_ok();
    if let Some(options) = schema["oneOf"].as_array() {
        return match options.iter().filter(fits).count() {
            1 => Ok(()),
            count => wrong(&format!("{count} of the forms fit, not one")),
        };
    }
    if let Some(options) = schema["anyOf"].as_array() {
        return match options.iter().any(|option| fits(&option)) {
            true => Ok(()),
            false => wrong("none of the forms fits"),
        };
    }
    if !has_type(&schema["type"], value) {
        return wrong(&format!("not of type {}", schema["type"]));
    }
    match value {
        Value::Number(_) => number(schema, value),
        Value::String(text) => matches(schema, text),
        Value::Array(items) => {
            let repeats = |at: usize| items[..at].contains(&items[at]);
            if schema["uniqueItems"] == true && (0..items.len()).any(repeats) {
                return wrong("something is there twice");
            }
            let item = |item| check(document, &schema["items"], item);
            items.iter().try_for_each(item)
        }
        Value::Object(_) => fields(document, schema, value),
        Value::Null | Value::Bool(_) => Ok(()),
    }
}

fn has_type(types: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        // No type is any type.
        _ => name.is_null(),
    };
    match types {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    }
}

fn number(schema: &Value, value: &Value) -> Result<(), String> {
    let most = match schema["format"].as_str() {
        Some("uint8") => Some(u8::MAX.into()),
        Some("uint16") => Some(u16::MAX.into()),
        Some("uint32") => Some(u32::MAX.into()),
        _ => None,
    };
    let most = [most, schema["maximum"].as_u64()];
    let most = most.into_iter().flatten().min().unwrap_or(u64::MAX);
    let least = schema["minimum"].as_u64().unwrap_or(0);
    match value.as_u64() {
        Some(number) if (least..=most).contains(&number) => Ok(()),
        _ => Err(format!("{value} is not from {least} to {most}")),
    }
}

fn matches(schema: &Value, text: &str) -> Result<(), String> {
    let Some(pattern) = schema["pattern"].as_str() else {
        return Ok(());
    };
    let pattern = Regex::new(pattern).map_err(|error| error.to_string())?;
    match pattern.is_match(text) {
        true => Ok(()),
        false => Err(format!("`{text:.200}` is not like {pattern}")),
    }
}

fn fields(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let required = schema["required"].as_array().into_iter().flatten();
    for name in required.filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Err(format!("there is no `{name}`: {value:.200}"));
        }
    }
    let others = &schema["additionalProperties"];
    for (name, field) in value.as_object().into_iter().flatten() {
        let checked = match (schema["properties"].get(name), others) {
            (Some(schema), _) => check(document, schema, field),
            (None, Value::Object(_)) => check(document, others, field),
            (None, Value::Bool(true)) => Ok(()),
            (None, _) => Err("the document does not know it".into()),
        };
        checked.map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}
