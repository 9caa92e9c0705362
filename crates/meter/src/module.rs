//! Meters one core module.

use std::collections::{BTreeSet, HashMap};

use wasm_encoder::{
    BlockType, BranchHint, BranchHints, CodeSection, EntityType, Function, GlobalType,
    ImportSection, Instruction, Module, NameSection, SectionId, TypeSection, ValType,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{FunctionBody, KnownCustom, NameSectionReader, Operator, Parser, Payload};

use crate::{
    METER, MeterError,
    calls::Calls,
    dues::dues,
    edits::Edits,
    flow::{Facts, Flow},
    instrument::{Meter, Subject, instrument, plain_results},
    nan::{Signatures, canonicalize},
    room,
    scan::Scan,
};

/// What is known of the component around a module.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The exports that may be called while a call of an import is under way. `None`: any of them.
    pub reentered: Option<BTreeSet<String>>,
    /// The imports that end the program, by module and name. `None`: those from a module whose name
    /// begins with `wasi:cli/exit@`.
    pub exits: Option<BTreeSet<(String, String)>>,
}

/// A module after the pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metered {
    /// The metered module.
    pub bytes: Vec<u8>,
    /// Fuel for what each instance holds before its first operator runs. Whoever makes instances
    /// takes it from what the meter starts with.
    pub startup: u64,
}

/// The functions and globals that a metered module imports, in this order, behind its own.
const FUNCTIONS: [&str; 3] = ["panic", "too-deep", "exit"];

/// The metered form of a core module.
///
/// It imports, behind all that it imported before, from [`METER`](crate::METER): `panic` and
/// `too-deep`, functions from nothing to nothing that do not return; `exit`, a function from nothing
/// to nothing; the mutable globals `fuel`, an `i64`, and `depth`, an `i32`.
///
/// # Errors
/// The module is not valid with the features of the profile, is metered already, is so large that
/// what is added finds no room, or does something with an import that ends the program other than
/// call it.
pub fn module(bytes: &[u8], context: &Context) -> Result<Metered, MeterError> {
    let scan = Scan::of(bytes, context)?;
    let calls = Calls::of(&scan, context);
    let dues = dues(&scan, &calls)?;
    let mut writer = Writer {
        meter: Meter {
            panic: scan.imported,
            too_deep: scan.imported + 1,
            exit: scan.imported + 2,
            fuel: scan.imported_globals,
            depth: scan.imported_globals + 1,
        },
        entries: scan
            .exports
            .iter()
            .map(|&(_, function)| function)
            .chain(scan.start)
            .collect(),
        results: HashMap::new(),
        scan: &scan,
        calls,
        dues,
        types_written: false,
        imports_written: false,
    };
    let bytes = writer.module(bytes)?;
    room::check(&bytes)?;
    Ok(Metered {
        bytes,
        startup: scan.startup,
    })
}

struct Writer<'a> {
    scan: &'a Scan<'a>,
    calls: Calls,
    /// What callers pay for each function.
    dues: Vec<u64>,
    meter: Meter,
    /// Functions that may be called when no other call is under way.
    entries: BTreeSet<u32>,
    /// The type of a block that gives several results, by the type of a function that does.
    results: HashMap<u32, u32>,
    types_written: bool,
    imports_written: bool,
}

impl Writer<'_> {
    fn module(&mut self, bytes: &[u8]) -> Result<Vec<u8>, MeterError> {
        let mut module = Module::new();
        for payload in Parser::new(0).parse_all(bytes) {
            self.section(&mut module, payload?)?;
        }
        self.complete(&mut module, SectionId::Data);
        Ok(module.finish())
    }

    fn section(
        &mut self,
        module: &mut Module,
        payload: Payload<'_>,
    ) -> Result<(), Error<MeterError>> {
        if !matches!(payload, Payload::CustomSection(_))
            && let Some((id, _)) = payload.as_section()
        {
            match id {
                1 => {}
                2 => self.complete(module, SectionId::Import),
                _ => self.complete(module, SectionId::Function),
            }
        }
        match payload {
            Payload::TypeSection(section) => {
                let mut types = TypeSection::new();
                self.parse_type_section(&mut types, section)?;
                self.add_types(&mut types);
                module.section(&types);
            }
            Payload::ImportSection(section) => {
                let mut imports = ImportSection::new();
                self.parse_import_section(&mut imports, section)?;
                self.add_imports(&mut imports);
                module.section(&imports);
            }
            Payload::FunctionSection(section) => {
                let mut functions = wasm_encoder::FunctionSection::new();
                self.parse_function_section(&mut functions, section)?;
                module.section(&functions);
            }
            Payload::TableSection(section) => {
                let mut tables = wasm_encoder::TableSection::new();
                self.parse_table_section(&mut tables, section)?;
                module.section(&tables);
            }
            Payload::MemorySection(section) => {
                let mut memories = wasm_encoder::MemorySection::new();
                self.parse_memory_section(&mut memories, section)?;
                module.section(&memories);
            }
            Payload::GlobalSection(section) => {
                let mut globals = wasm_encoder::GlobalSection::new();
                self.parse_global_section(&mut globals, section)?;
                module.section(&globals);
            }
            Payload::ExportSection(section) => {
                let mut exports = wasm_encoder::ExportSection::new();
                self.parse_export_section(&mut exports, section)?;
                module.section(&exports);
            }
            Payload::StartSection { func, .. } => {
                let function_index = self.start_section(func)?;
                module.section(&wasm_encoder::StartSection { function_index });
            }
            Payload::ElementSection(section) => {
                let mut elements = wasm_encoder::ElementSection::new();
                self.parse_element_section(&mut elements, section)?;
                module.section(&elements);
            }
            Payload::DataCountSection { count, .. } => {
                module.section(&wasm_encoder::DataCountSection { count });
            }
            Payload::CodeSectionStart { .. } => {
                let (mut code, mut hints) = (CodeSection::new(), BranchHints::new());
                for defined in 0..self.scan.functions.len() {
                    let (function, unlikely) = self.function(defined)?;
                    code.function(&function);
                    if !unlikely.is_empty() {
                        let index = self.function_index(self.scan.imported + defined as u32)?;
                        hints.function_hints(index, unlikely);
                    }
                }
                if !hints.is_empty() {
                    module.section(&hints);
                }
                module.section(&code);
            }
            Payload::DataSection(section) => {
                let mut data = wasm_encoder::DataSection::new();
                self.parse_data_section(&mut data, section)?;
                module.section(&data);
            }
            Payload::CustomSection(section) => {
                // Other custom sections speak of code as it was.
                if let KnownCustom::Name(names) = section.as_known()
                    && let Ok(names) = self.names(names)
                {
                    module.section(&names);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes the types and imports of the meter, if the module has had no section for them when it
    /// comes to `next`.
    fn complete(&mut self, module: &mut Module, next: SectionId) {
        if !self.types_written {
            let mut types = TypeSection::new();
            self.add_types(&mut types);
            module.section(&types);
        }
        if !self.imports_written && next != SectionId::Import {
            let mut imports = ImportSection::new();
            self.add_imports(&mut imports);
            module.section(&imports);
        }
    }

    fn add_types(&mut self, types: &mut TypeSection) {
        self.types_written = true;
        types.ty().function([], []);
        let mut next = self.scan.types.len() as u32 + 1;
        for (ty, form) in (0..).zip(&self.scan.types) {
            if plain_results(form).is_none() {
                let results = form
                    .results()
                    .iter()
                    .filter_map(|&ty| ValType::try_from(ty).ok());
                types.ty().function([], results.collect::<Vec<_>>());
                self.results.insert(ty, next);
                next += 1;
            }
        }
    }

    fn add_imports(&mut self, imports: &mut ImportSection) {
        self.imports_written = true;
        let nothing = self.scan.types.len() as u32;
        for name in FUNCTIONS {
            imports.import(METER, name, EntityType::Function(nothing));
        }
        for (name, val_type) in [("fuel", ValType::I64), ("depth", ValType::I32)] {
            let global = GlobalType {
                val_type,
                mutable: true,
                shared: false,
            };
            imports.import(METER, name, global);
        }
    }

    fn function(
        &mut self,
        defined: usize,
    ) -> Result<(Function, Vec<BranchHint>), Error<MeterError>> {
        let scan = self.scan;
        let index = scan.imported + defined as u32;
        let function = &scan.functions[defined];
        let ops = scan.operators(index).map_err(Error::UserError)?;
        let ty = scan.type_of[index as usize];
        let results = plain_results(&scan.types[ty as usize])
            .unwrap_or_else(|| BlockType::FunctionType(self.results[&ty]));
        let facts = Facts {
            arity: &|ty| scan.arity(ty),
            results_of: &|callee| scan.results(callee),
            due: &|callee| self.dues[callee as usize],
            entry: scan.entry(index),
            results: scan.results(index),
        };
        let subject = Subject {
            flow: Flow::of(&ops, facts),
            ops: &ops,
            paid: self.dues[index as usize],
            role: self.calls.role(index),
            frame: function.frame,
            entry: self.entries.contains(&index),
            results,
            exits: &scan.exits,
        };
        let mut edits = Edits::new(function.locals);
        let signatures = Signatures {
            types: &scan.types,
            type_of: &scan.type_of,
        };
        canonicalize(&ops, &scan.types[ty as usize], &signatures, &mut edits);
        instrument(&subject, &self.calls, self.meter, &mut edits);
        room::check_locals(function.locals, edits.locals().len()).map_err(Error::UserError)?;
        self.write(&function.body, &ops, edits)
    }

    /// The function with its edits, and a hint for each `if` that was added: hardly ever is one taken.
    fn write(
        &mut self,
        body: &FunctionBody<'_>,
        ops: &[Operator<'_>],
        edits: Edits,
    ) -> Result<(Function, Vec<BranchHint>), Error<MeterError>> {
        let mut locals = Vec::new();
        for declared in body.get_locals_reader()? {
            let (count, ty) = declared?;
            locals.push((count, self.val_type(ty)?));
        }
        locals.extend(edits.locals().iter().map(|&ty| (1, ty)));
        let mut function = Function::new(locals);
        let mut unlikely = Vec::new();
        let mut edits = edits.in_order();
        for (at, op) in ops.iter().enumerate() {
            while let Some(code) = edits.before(at) {
                for instruction in code {
                    if matches!(instruction, Instruction::If(_)) {
                        unlikely.push(BranchHint {
                            branch_func_offset: function.byte_len() as u32,
                            branch_hint_value: 0,
                        });
                    }
                    function.instruction(&instruction);
                }
            }
            match edits.instead(at) {
                Some(code) => code.iter().for_each(|code| _ = function.instruction(code)),
                None => _ = function.instruction(&self.instruction(op.clone())?),
            }
        }
        Ok((function, unlikely))
    }

    /// The names of the module, for people who read a trap. Nobody takes that of the meter.
    fn names(&mut self, section: NameSectionReader<'_>) -> Result<NameSection, Error<MeterError>> {
        let mut names = NameSection::new();
        for part in section {
            match part? {
                wasmparser::Name::Module { name, .. } if name == METER => {}
                part => self.parse_custom_name_subsection(&mut names, part)?,
            }
        }
        Ok(names)
    }
}

impl Reencode for Writer<'_> {
    type Error = MeterError;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<MeterError>> {
        let added = if function < self.scan.imported {
            0
        } else {
            FUNCTIONS.len() as u32
        };
        Ok(function + added)
    }

    fn global_index(&mut self, global: u32) -> Result<u32, Error<MeterError>> {
        let added = if global < self.scan.imported_globals {
            0
        } else {
            2
        };
        Ok(global + added)
    }

    fn parse_custom_name_subsection(
        &mut self,
        names: &mut NameSection,
        section: wasmparser::Name<'_>,
    ) -> Result<(), Error<MeterError>> {
        utils::parse_custom_name_subsection(self, names, section)
    }
}
