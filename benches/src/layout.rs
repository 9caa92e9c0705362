//! The same component with its machine code elsewhere: where a loop happens to lie changes its speed by
//! up to a fifth, and what a processor guesses of the next jump of an interpreter by half, in either
//! direction, so a comparison takes the best of several places.

use std::convert::Infallible;

use wasm_encoder::{
    CodeSection, Component, Instruction, MemArg,
    reencode::{Error, Reencode, ReencodeComponent, component_utils, utils},
};
use wasmparser::{FunctionBody, Operator, Parser};

/// The component in `count` layouts, the first being the component itself. Each has one store more than
/// the one before it in front of every function that loops, which moves what follows by a few bytes.
pub fn variants(component: &[u8], count: u32) -> Result<Vec<Vec<u8>>, Error<Infallible>> {
    (0..count)
        .map(|stores| shifted(component, stores))
        .collect()
}

fn shifted(component: &[u8], stores: u32) -> Result<Vec<u8>, Error<Infallible>> {
    if stores == 0 {
        return Ok(component.to_vec());
    }
    let mut shift = Shift { stores, modules: 0 };
    let mut moved = Component::new();
    shift.parse_component(&mut moved, Parser::new(0), component)?;
    Ok(moved.finish())
}

/// Puts stores in front of the functions of the first module, which is the guest's own.
struct Shift {
    stores: u32,
    modules: u32,
}

impl Reencode for Shift {
    type Error = Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Infallible>> {
        if self.modules > 1 || !loops(&body)? {
            return utils::parse_function_body(self, code, body);
        }
        let mut function = self.new_function_with_parsed_locals(&body)?;
        (0..self.stores).for_each(|store| {
            store_nothing(store).iter().for_each(|instruction| {
                function.instruction(instruction);
            });
        });
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            function.instruction(&self.parse_instruction(&mut operators)?);
        }
        code.function(&function);
        Ok(())
    }
}

/// Whether a function spends its time in itself, and not in being called.
fn loops(body: &FunctionBody<'_>) -> Result<bool, Error<Infallible>> {
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        if let Operator::Loop { .. } = operators.read()? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl ReencodeComponent for Shift {
    fn parse_component_submodule(
        &mut self,
        component: &mut Component,
        parser: Parser,
        module: &[u8],
    ) -> Result<(), Error<Infallible>> {
        self.modules += 1;
        component_utils::parse_component_submodule(self, component, parser, module)
    }
}

/// Writes zero where no Rust program has anything: near the null pointer.
fn store_nothing(index: u32) -> [Instruction<'static>; 3] {
    let place = MemArg {
        offset: u64::from(index * 8),
        align: 3,
        memory_index: 0,
    };
    [
        Instruction::I32Const(8),
        Instruction::I64Const(0),
        Instruction::I64Store(place),
    ]
}

#[cfg(test)]
mod tests {
    use wasmparser::{Validator, WasmFeatures};

    use super::*;

    #[test]
    fn layouts_are_valid_and_what_loops_in_the_first_module_moves() {
        let component = wat::parse_str(
            r#"(component
                (core module (memory 1) (func (export "f") (param i32) (local i64) (loop)) (func))
                (core module (func (loop))))"#,
        )
        .unwrap();
        let variants = variants(&component, 12).unwrap();
        assert_eq!(variants[0], component);
        for (stores, variant) in variants.iter().enumerate() {
            Validator::new_with_features(WasmFeatures::default())
                .validate_all(variant)
                .unwrap();
            // Two constants and a store: 7 bytes each, and a few for longer lengths and offsets.
            let grown = variant.len() - component.len();
            let least = stores * 7;
            assert!((least..=least + 12).contains(&grown), "{grown}");
        }
    }
}
