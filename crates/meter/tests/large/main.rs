//! Modules that are large in one way or another: those that are made to be slow, and those for which what
//! the meter adds may not fit.

mod bombs;
mod limits;

use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction as I, Module,
    TypeSection, ValType,
};

/// A module whose functions have these locals of type `i32` and these bodies. Each has one parameter, an
/// `i32`, and the first is exported.
fn module(locals: u32, bodies: impl IntoIterator<Item = Vec<I<'static>>>) -> Vec<u8> {
    let (mut types, mut functions) = (TypeSection::new(), FunctionSection::new());
    let (mut exports, mut code) = (ExportSection::new(), CodeSection::new());
    types.ty().function([ValType::I32], []);
    exports.export("f", ExportKind::Func, 0);
    for body in bodies {
        functions.function(0);
        let mut function = Function::new([(locals, ValType::I32)]);
        body.iter()
            .for_each(|instruction| _ = function.instruction(instruction));
        function.instruction(&I::End);
        code.function(&function);
    }
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&exports)
        .section(&code);
    module.finish()
}

fn repeat(count: usize, part: &[I<'static>]) -> Vec<I<'static>> {
    std::iter::repeat_n(part, count)
        .flatten()
        .cloned()
        .collect()
}

fn validates(bytes: &[u8]) {
    let mut validator = wasmparser::Validator::new_with_features(opensky_meter::features());
    validator.validate_all(bytes).expect("it is valid");
}
