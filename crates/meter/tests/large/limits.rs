//! Modules that are as large as WebAssembly lets them be: what the meter adds may not fit.

use opensky_meter::Context;
use wasm_encoder::{BlockType, Instruction as I};

use crate::{module, repeat, validates};

/// The words of the refusal, if the valid module is refused; what comes out otherwise is valid.
fn refusal(module: &[u8]) -> Option<String> {
    validates(module);
    match opensky_meter::module(module, &Context::default()) {
        Err(error) => Some(error.to_string()),
        Ok(metered) => {
            validates(&metered.bytes);
            None
        }
    }
}

#[test]
fn as_many_locals_as_there_may_be() {
    let body = [
        I::Loop(BlockType::Empty),
        I::LocalGet(0),
        I::BrIf(0),
        I::End,
    ];
    let locals = |locals| module(locals, [body.to_vec()]);
    assert_eq!(refusal(&locals(49_989)), None);
    let words = "a function with this many locals cannot be metered";
    assert_eq!(refusal(&locals(49_999)).as_deref(), Some(words));
}

#[test]
fn as_large_a_function_as_there_may_be() {
    let part = [
        I::I32Const(0),
        I::If(BlockType::Empty),
        I::Unreachable,
        I::End,
    ];
    let parts = |parts| module(0, [repeat(parts, &part)]);
    assert_eq!(refusal(&parts(100_000)), None);
    let words = "a program of this size cannot be metered";
    assert_eq!(refusal(&parts(1_270_000)).as_deref(), Some(words));
}

#[test]
fn as_many_core_modules_as_there_may_be() {
    let component = |modules: usize| {
        let text = format!("(component {})", "(core module)".repeat(modules));
        let bytes = wat::parse_str(text).expect("the text is WebAssembly");
        validates(&bytes);
        opensky_meter::component(&bytes)
    };
    validates(&component(999).expect("one is added"));
    let error = component(1_000).expect_err("one is added").to_string();
    assert_eq!(error, "a program of this size cannot be metered");
}
