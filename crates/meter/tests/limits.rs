//! Modules that are as large as WebAssembly lets them be: what the meter adds may not fit.

use opensky_meter::Context;
use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction as I,
    Module, TypeSection, ValType,
};

fn one(locals: u32, body: &[I<'_>]) -> Vec<u8> {
    let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    types.ty().function([], []);
    functions.function(0);
    exports.export("f", ExportKind::Func, 0);
    let mut function = Function::new([(locals, ValType::I32)]);
    body.iter()
        .for_each(|instruction| _ = function.instruction(instruction));
    function.instruction(&I::End);
    code.function(&function);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&exports)
        .section(&code);
    module.finish()
}

fn validates(bytes: &[u8]) {
    let mut validator = wasmparser::Validator::new_with_features(opensky_meter::features());
    validator.validate_all(bytes).expect("it is valid");
}

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
    assert_eq!(refusal(&one(49_990, &body)), None);
    let words = "a function with this many locals cannot be metered";
    assert_eq!(refusal(&one(50_000, &body)).as_deref(), Some(words));
}

#[test]
fn as_large_a_function_as_there_may_be() {
    let part = [
        I::I32Const(0),
        I::If(BlockType::Empty),
        I::Unreachable,
        I::End,
    ];
    let body = |parts: usize| {
        let body: Vec<_> = std::iter::repeat_n(part.clone(), parts).flatten().collect();
        one(0, &body)
    };
    assert_eq!(refusal(&body(100_000)), None);
    let words = "a program of this size cannot be metered";
    assert_eq!(refusal(&body(1_270_000)).as_deref(), Some(words));
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
