//! Values that a schema of the document allows, and values that are nearly so.

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::{Index, select},
    string::string_regex,
};
use serde_json::{Map, Value, json};

/// A value that the schema of that name allows.
pub fn value(document: &Value, name: &str) -> BoxedStrategy<Value> {
    of_schema(document, &document["components"]["schemas"][name])
}

fn of_schema(document: &Value, schema: &Value) -> BoxedStrategy<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return match reference.rsplit('/').next().expect("a name") {
            // The document says what digits look like; how large the number may be it says in words.
            "Fuel" => any::<u64>()
                .prop_map(|fuel| json!(fuel.to_string()))
                .boxed(),
            "Amount" => any::<u128>()
                .prop_map(|amount| json!(amount.to_string()))
                .boxed(),
            name => value(document, name),
        };
    }
    if let Some(fixed) = schema.get("const") {
        return Just(fixed.clone()).boxed();
    }
    if let Some(fixed) = schema["enum"].as_array() {
        return select(fixed.clone()).boxed();
    }
    if let Some(options) = schema.get("oneOf").or(schema.get("anyOf")) {
        let options = options.as_array().expect("a list of schemas");
        let options = options.iter().map(|option| of_schema(document, option));
        return proptest::strategy::Union::new(options).boxed();
    }
    match &schema["type"] {
        Value::Array(types) => {
            let options = types.iter().map(|one| of_type(document, schema, one));
            proptest::strategy::Union::new(options).boxed()
        }
        one => of_type(document, schema, one),
    }
}

fn of_type(document: &Value, schema: &Value, name: &Value) -> BoxedStrategy<Value> {
    match name.as_str().expect("a schema has a type") {
        "null" => Just(Value::Null).boxed(),
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => integer(schema),
        "string" => text(schema),
        "array" => {
            let items = of_schema(document, &schema["items"]);
            let is_set = schema["uniqueItems"] == true;
            vec(items, 0..3)
                .prop_map(move |mut items| {
                    if is_set {
                        items.sort_by_key(Value::to_string);
                        items.dedup();
                    }
                    items.into()
                })
                .boxed()
        }
        "object" => object(document, schema),
        other => panic!("schemas of type `{other}` are not known here"),
    }
}

fn integer(schema: &Value) -> BoxedStrategy<Value> {
    let most = match schema["format"].as_str() {
        Some("uint8") => u8::MAX.into(),
        Some("uint16") => u16::MAX.into(),
        Some("uint32") => u32::MAX.into(),
        _ => schema["maximum"].as_u64().expect("a number is bounded"),
    };
    let least = schema["minimum"].as_u64().expect("no number is negative");
    let most = schema["maximum"]
        .as_u64()
        .map_or(most, |said| said.min(most));
    (least..=most).prop_map(Value::from).boxed()
}

fn text(schema: &Value) -> BoxedStrategy<Value> {
    let pattern = schema["pattern"].as_str().unwrap_or(".{0,8}");
    let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
    let text = string_regex(pattern).expect("a pattern that can be followed");
    text.prop_map(Value::from).boxed()
}

fn object(document: &Value, schema: &Value) -> BoxedStrategy<Value> {
    let required: Vec<_> = schema["required"].as_array().cloned().unwrap_or_default();
    let properties = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let mut all = Just(Map::new()).boxed();
    for (name, schema) in properties {
        let is_required = required.iter().any(|one| *one == *name);
        let value = of_schema(document, &schema);
        all = (all, any::<bool>(), value)
            .prop_map(move |(mut all, is_there, value)| {
                if is_there || is_required {
                    all.insert(name.clone(), value);
                }
                all
            })
            .boxed();
    }
    if let Some(others @ Value::Object(_)) = schema.get("additionalProperties") {
        let others = btree_map(".{0,8}", of_schema(document, others), 0..3);
        return others
            .prop_map(|map| map.into_iter().collect::<Map<_, _>>().into())
            .boxed();
    }
    all.prop_map(Value::from).boxed()
}

/// The value with something in it replaced, removed or added.
pub fn damaged(value: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let damage = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({ "any": 1 })),
    ];
    (value, any::<Index>(), damage, 0..3)
        .prop_map(|(mut value, place, damage, way)| {
            let mut left = place.index(count(&value));
            strike(&mut value, &mut left, &damage, way);
            value
        })
        .boxed()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Object(map) => map.values().map(count).sum(),
        Value::Array(values) => values.iter().map(count).sum(),
        _ => 0,
    }
}

/// Damages the value after `left` others.
fn strike(value: &mut Value, left: &mut usize, damage: &Value, way: i32) {
    if *left == 0 {
        *left = usize::MAX;
        match (value, way) {
            (Value::Object(map), 1) => drop(map.insert("surplus".into(), damage.clone())),
            (Value::Object(map), 2) => {
                let first = map.keys().next().cloned();
                first.map(|name| map.remove(&name));
            }
            (Value::Array(values), 1) => values.push(damage.clone()),
            (value, _) => *value = damage.clone(),
        }
        return;
    }
    *left -= 1;
    match value {
        Value::Object(map) => map
            .values_mut()
            .for_each(|one| strike(one, left, damage, way)),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|one| strike(one, left, damage, way)),
        _ => {}
    }
}
