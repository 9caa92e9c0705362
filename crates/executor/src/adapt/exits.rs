//! Gives a preview-1 command a way out that keeps the whole exit code.

use std::convert::Infallible;

use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
use wasm_encoder::{
    CodeSection, Function, FunctionSection, ImportSection, Instruction, Module, RawSection,
    reencode::{self, Reencode, utils},
};
use wasmparser::{
    CodeSectionReader, CustomSectionReader, FunctionSectionReader, ImportSectionReader, Operator,
    Parser, Payload, TypeRef,
};

/// The way out in preview 1: it takes a whole exit code, as an `i32`.
const PROC_EXIT: &str = "proc_exit";

/// The way out of WASI 0.2 that keeps the code, in the version that the adapter's own world has. Its
/// `u8` is lowered to an `i32`, too, of which the low eight bits count.
const EXIT_WITH_CODE: (&str, &str) = ("wasi:cli/exit@0.2.12", "exit-with-code");

/// The module, with its imports of `proc_exit` redirected. All other sections stay byte for byte, so
/// every index keeps its meaning.
///
/// The way out may only be called, since a program tells there what it has left of its fuel. So where
/// the module does anything else with it, that gets a function of its own which calls it.
pub(super) fn redirected(module: &[u8]) -> Result<Vec<u8>, reencode::Error> {
    let mut exits = Exits::default();
    let mut wrapped = Module::new();
    exits.parse_core_module(&mut wrapped, Parser::new(0), module)?;
    match exits.are_referred_to {
        true => Ok(wrapped.finish()),
        false => with_new_imports(module),
    }
}

fn with_new_imports(module: &[u8]) -> Result<Vec<u8>, reencode::Error> {
    let mut redirected = Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::ImportSection(section) = payload {
            let mut imports = ImportSection::new();
            Exits::default().parse_import_section(&mut imports, section)?;
            redirected.section(&imports);
        } else if let Some((id, range)) = payload.as_section() {
            let data = &module[range];
            redirected.section(&RawSection { id, data });
        }
    }
    Ok(redirected.finish())
}

/// Redirects each `proc_exit`, and adds a function behind all others that calls it, to which everything
/// but a call is made to refer.
#[derive(Default)]
struct Exits {
    /// Function and type of each, in their order.
    imports: Vec<(u32, u32)>,
    /// Functions of the module, as far as it was read.
    functions: u32,
    are_referred_to: bool,
}

impl Reencode for Exits {
    type Error = Infallible;

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        for import in section.into_imports() {
            let import = import?;
            let is_exit =
                (import.module, import.name) == (WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, PROC_EXIT);
            let (module, name) = match is_exit {
                true => EXIT_WITH_CODE,
                false => (import.module, import.name),
            };
            imports.import(module, name, self.entity_type(import.ty)?);
            if let TypeRef::Func(ty) = import.ty {
                self.imports.extend(is_exit.then_some((self.functions, ty)));
                self.functions += 1;
            }
        }
        Ok(())
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        self.functions += section.count();
        utils::parse_function_section(self, functions, section)?;
        for (_, ty) in &self.imports {
            functions.function(*ty);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        utils::parse_code_section(self, code, section)?;
        for (exit, _) in &self.imports {
            let mut caller = Function::new([]);
            caller
                .instruction(&Instruction::LocalGet(0))
                .instruction(&Instruction::Call(*exit))
                .instruction(&Instruction::End);
            code.function(&caller);
        }
        Ok(())
    }

    fn instruction<'a>(
        &mut self,
        operator: Operator<'a>,
    ) -> Result<Instruction<'a>, reencode::Error> {
        match operator {
            Operator::Call { function_index } => Ok(Instruction::Call(function_index)),
            other => utils::instruction(self, other),
        }
    }

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error> {
        let exit = self
            .imports
            .binary_search_by_key(&function, |(exit, _)| *exit);
        self.are_referred_to |= exit.is_ok();
        Ok(exit.map_or(function, |exit| self.functions + exit as u32))
    }

    /// As it is: functions keep their names, and nothing is read that needs not be well formed.
    fn parse_custom_section(
        &mut self,
        module: &mut Module,
        section: CustomSectionReader<'_>,
    ) -> Result<(), reencode::Error> {
        module.section(&self.custom_section(section)?);
        Ok(())
    }
}
