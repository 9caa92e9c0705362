//! The parts of WebAssembly that the sandbox has, and how a violation becomes a refusal.

use wasmparser::{Error, WasmFeatures};

use super::refusal::Refusal;

/// What a program may use. Each proposal is here because a result with it is the same on every
/// host; the rest of what an engine may know is left out, whatever its default.
pub(super) const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    // Position-independent code: what a Python component is linked from.
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);

/// A validator's error: the name of the proposal if that is what is missing.
pub(super) fn invalid(error: Error) -> Refusal {
    let offset = error.offset();
    let missing = error.missing_wasm_feature();
    match missing.and_then(|missing| without(missing, offset)) {
        Some(refusal) => refusal,
        None => Refusal::Malformed {
            offset,
            message: error.message().into(),
        },
    }
}

/// Refuses `value` beyond `max`.
pub(super) fn limit(what: &'static str, value: impl Into<u64>, max: u64) -> Result<(), Refusal> {
    let value = value.into();
    if value <= max {
        return Ok(());
    }
    Err(Refusal::Limit { what, value, max })
}

/// A component with a start function of its own.
pub(super) fn component_start(offset: usize) -> Refusal {
    Refusal::Feature {
        feature: "component start functions",
        offset,
        advice: "do that work in the exported function",
    }
}

const TARGET: &str = "build for `wasm32-wasip2` without extra target features";
const SYNCHRONOUS: &str = "build for WASI 0.2, whose functions are synchronous";

/// Name and advice for each proposal that is not in [`FEATURES`].
const REFUSED: [(WasmFeatures, &str, &str); 24] = [
    (
        WasmFeatures::THREADS,
        "threads or shared memory",
        "a unit has one thread; build without `atomics`, and split the job into units instead",
    ),
    (
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        "shared-everything threads",
        "a unit has one thread; split the job into units instead",
    ),
    (
        WasmFeatures::RELAXED_SIMD,
        "relaxed SIMD",
        "its results differ between processors; build without `relaxed-simd`",
    ),
    (
        WasmFeatures::MULTI_MEMORY,
        "multi-memory",
        "build with one memory",
    ),
    (WasmFeatures::MEMORY64, "64-bit memory", "build for wasm32"),
    (
        WasmFeatures::TAIL_CALL,
        "tail calls",
        "build without `tail-call`",
    ),
    (
        WasmFeatures::GC,
        "garbage-collected types",
        "use a compiler that brings its own collector",
    ),
    (
        WasmFeatures::GC_TYPES,
        "host references (`externref`)",
        "pass data as bytes",
    ),
    (
        WasmFeatures::FUNCTION_REFERENCES,
        "typed function references",
        TARGET,
    ),
    (
        WasmFeatures::EXCEPTIONS,
        "exceptions",
        "build with `panic = \"abort\"`, or without exceptions",
    ),
    (
        WasmFeatures::LEGACY_EXCEPTIONS,
        "legacy exceptions",
        "build with `panic = \"abort\"`, or without exceptions",
    ),
    (WasmFeatures::STACK_SWITCHING, "stack switching", TARGET),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes", TARGET),
    (WasmFeatures::MEMORY_CONTROL, "memory control", TARGET),
    (WasmFeatures::WIDE_ARITHMETIC, "wide arithmetic", TARGET),
    (
        WasmFeatures::CUSTOM_DESCRIPTORS,
        "custom descriptors",
        TARGET,
    ),
    (WasmFeatures::COMPACT_IMPORTS, "compact imports", TARGET),
    (
        WasmFeatures::CM_ASYNC,
        "asynchronous component functions, streams or futures",
        SYNCHRONOUS,
    ),
    (
        WasmFeatures::CM_ASYNC_STACKFUL,
        "stackful asynchronous functions",
        SYNCHRONOUS,
    ),
    (
        WasmFeatures::CM_MORE_ASYNC_BUILTINS,
        "asynchronous component built-ins",
        SYNCHRONOUS,
    ),
    (
        WasmFeatures::CM_ERROR_CONTEXT,
        "error contexts",
        SYNCHRONOUS,
    ),
    (
        WasmFeatures::CM_THREADING,
        "component threads",
        "a unit has one thread; split the job into units instead",
    ),
    (
        WasmFeatures::CM_VALUES,
        "component values",
        "pass data through functions",
    ),
    // The rest are shapes of component types, told apart by the validator's own words.
    (
        WasmFeatures::CM_GC
            .union(WasmFeatures::CM_MAP)
            .union(WasmFeatures::CM64)
            .union(WasmFeatures::CM_FIXED_LENGTH_LISTS)
            .union(WasmFeatures::CM_NESTED_NAMES)
            .union(WasmFeatures::CM_IMPLEMENTS)
            .union(WasmFeatures::CM_CANON_NAMES),
        "a component type that is not part of WASI 0.2",
        "use the types that WIT had in WASI 0.2",
    ),
];

/// The refusal of a file that needs one of these proposals. `None` if all of them are accepted.
pub(super) fn without(missing: WasmFeatures, offset: usize) -> Option<Refusal> {
    let found = REFUSED
        .iter()
        .find(|(features, ..)| features.intersects(missing));
    found.map(|&(_, feature, advice)| Refusal::Feature {
        feature,
        offset,
        advice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proposal_is_either_accepted_or_refused_by_name() {
        let refused = REFUSED
            .iter()
            .fold(WasmFeatures::empty(), |all, (features, ..)| all | *features);
        assert!(!refused.intersects(FEATURES));
        assert_eq!(refused | FEATURES, WasmFeatures::all());
    }
}
