//! The same component with its machine code elsewhere: where a loop happens to lie changes its speed by
//! up to a fifth, in either direction, so a comparison takes the best of several places.

use std::convert::Infallible;

use wasm_encoder::{
    CodeSection, Component, Instruction, MemArg,
    reencode::{Error, Reencode, ReencodeComponent, utils},
};
use wasmparser::{FunctionBody, Parser};

/// Stores in front of each module's first function, for each layout. What research with an earlier
/// prototype used: each three move all that follows by a few dozen bytes.
const STORES: [u32; 4] = [0, 3, 6, 9];

/// The component in `count` layouts, the first being the component itself.
pub fn variants(component: &[u8], count: usize) -> Result<Vec<Vec<u8>>, Error<Infallible>> {
    let stores = STORES.iter().take(count);
    stores.map(|&stores| shifted(component, stores)).collect()
}

fn shifted(component: &[u8], stores: u32) -> Result<Vec<u8>, Error<Infallible>> {
    if stores == 0 {
        return Ok(component.to_vec());
    }
    let mut shift = Shift {
        stores,
        shifted: false,
    };
    let mut moved = Component::new();
    shift.parse_component(&mut moved, Parser::new(0), component)?;
    Ok(moved.finish())
}

/// Puts stores in front of the first function of the first module, which is the guest's own.
struct Shift {
    stores: u32,
    shifted: bool,
}

impl Reencode for Shift {
    type Error = Infallible;

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: FunctionBody<'_>,
    ) -> Result<(), Error<Infallible>> {
        if std::mem::replace(&mut self.shifted, true) {
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

impl ReencodeComponent for Shift {}

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
    fn layouts_are_valid_and_only_the_first_module_moves() {
        let component = wat::parse_str(
            r#"(component
                (core module (memory 1) (func (export "f") (param i32) (local i64)) (func))
                (core module (func)))"#,
        )
        .unwrap();
        let variants = variants(&component, 4).unwrap();
        assert_eq!(variants[0], component);
        for (variant, stores) in variants.iter().zip(STORES) {
            Validator::new_with_features(WasmFeatures::default())
                .validate_all(variant)
                .unwrap();
            // Two constants and a store: 8 bytes each, and at most 3 for longer lengths.
            let grown = variant.len() - component.len();
            let stores = stores as usize * 7;
            assert!((stores..=stores + 12).contains(&grown), "{grown}");
        }
    }
}
