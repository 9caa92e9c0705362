//! What of a component can be called as a unit: exports by their names, and their exact types.

use wasmparser::{
    component_types::{ComponentEntityType, ComponentFuncType, ComponentInstanceType},
    types::TypesRef,
};

use super::{
    allowed::is_on_track, contract::contract, refusal::Refusal, report::Entry, signature::Scope,
};

/// The ways to run a component with these exports, best first.
pub(super) fn find(exports: &[String], scope: &Scope<'_>) -> Result<Vec<Entry>, Refusal> {
    let exported = |path| is_exported(path, exports, scope);
    let mut entries = Vec::new();
    if exported("opensky:compute/stepper")? {
        entries.push(Entry::Stepper);
    }
    let finish = exported("opensky:compute/finish")?;
    if exported("opensky:compute/map-reduce")? {
        entries.push(Entry::MapReduce { finish });
    }
    if exported("opensky:compute/job")? {
        entries.push(Entry::Job);
    }
    if exported("wasi:cli/run")? {
        entries.push(Entry::Command);
    }
    Ok(entries)
}

/// Whether an interface of that name is exported. One whose functions cannot be called is refused.
fn is_exported(path: &str, exports: &[String], scope: &Scope<'_>) -> Result<bool, Refusal> {
    let contract = contract();
    let called = contract.export(path);
    let called = called.expect("the contract has every way to run a component");
    let is_named = |name: &&String| {
        name.split_once('@')
            .is_some_and(|(found, version)| found == path && is_on_track(version, called.version))
    };
    let Some(name) = exports.iter().find(is_named) else {
        return Ok(false);
    };
    let item = scope.types.component_item_for_export(name);
    let instance = match item.map(|item| item.ty) {
        Some(ComponentEntityType::Instance(id)) => scope.types.get(id),
        _ => None,
    };
    for (function, expected) in called.functions() {
        let found = instance.and_then(|instance| type_of(instance, function, scope.types));
        if !found.is_some_and(|found| scope.is_same(found, &contract.scope, expected)) {
            return Err(Refusal::EntryType {
                interface: name.clone(),
                function,
                expected: contract.scope.text(expected),
                found: found.map_or_else(|| "nothing".into(), |found| scope.text(found)),
            });
        }
    }
    Ok(true)
}

fn type_of<'a>(
    instance: &ComponentInstanceType,
    function: &str,
    types: TypesRef<'a>,
) -> Option<&'a ComponentFuncType> {
    match instance.exports.get(function)?.ty {
        ComponentEntityType::Func(id) => types.get(id),
        _ => None,
    }
}
