//! The parts of WebAssembly that the profile has.

use wasmparser::WasmFeatures;

/// What a program may use: the proposals with which a result is the same on every host. The rest of
/// what an engine may know is left out, whatever its default.
///
/// An engine that runs the metered program needs no more than these.
pub const fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
        .union(WasmFeatures::SIGN_EXTENSION)
        .union(WasmFeatures::REFERENCE_TYPES)
        .union(WasmFeatures::MULTI_VALUE)
        .union(WasmFeatures::BULK_MEMORY)
        .union(WasmFeatures::SIMD)
        .union(WasmFeatures::FLOATS)
        // Position-independent code: what a Python component is linked from.
        .union(WasmFeatures::EXTENDED_CONST)
        .union(WasmFeatures::COMPONENT_MODEL)
}
