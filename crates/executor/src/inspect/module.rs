//! Reads one core module: its sizes, and what in it the sandbox does not accept.

use wasmparser::{
    BinaryReader, DataKind, Element, ElementItems, FuncToValidate, FuncValidatorAllocations,
    FunctionBody, MemoryType, Payload, TableType, TypeRef, ValidatorResources, WasmFeatures,
};

use super::{
    limits::{
        MAX_BLOCK_DEPTH, MAX_BODY, MAX_BR_TABLE, MAX_FUNCTIONS, MAX_LOCALS, MAX_MODULE_ITEMS,
        MAX_TABLE_ELEMENTS, MAX_TYPES,
    },
    refusal::Refusal,
    report::{MemorySize, Sizes},
    rules,
};

/// What every instance of a module brings with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub memories: Vec<MemorySize>,
    pub tables: u32,
    imported_memories: usize,
    elements: u64,
}

impl Shape {
    /// Checks a section before the validator builds anything from it, and counts what is in it.
    pub fn read(&mut self, payload: &Payload<'_>, sizes: &mut Sizes) -> Result<(), Refusal> {
        match payload {
            Payload::TypeSection(s) => rules::limit("types of a module", s.count(), MAX_TYPES),
            Payload::ImportSection(s) => {
                limit_items("imports of a module", s.count())?;
                for import in s.clone().into_imports() {
                    self.read_import(import.map_err(rules::invalid)?.ty, s.range().start)?;
                }
                Ok(())
            }
            Payload::FunctionSection(s) => {
                sizes.functions += u64::from(s.count());
                rules::limit("functions", sizes.functions, MAX_FUNCTIONS)
            }
            Payload::TableSection(s) => {
                for table in s.clone() {
                    self.read_table(table.map_err(rules::invalid)?.ty, sizes)?;
                }
                Ok(())
            }
            Payload::MemorySection(s) => {
                for memory in s.clone() {
                    self.read_memory(memory.map_err(rules::invalid)?, s.range().start)?;
                }
                Ok(())
            }
            Payload::GlobalSection(s) => limit_items("globals of a module", s.count()),
            Payload::ExportSection(s) => limit_items("exports of a module", s.count()),
            Payload::ElementSection(s) => {
                limit_items("element segments of a module", s.count())?;
                for element in s.clone() {
                    self.read_elements(&element.map_err(rules::invalid)?)?;
                }
                Ok(())
            }
            Payload::DataSection(s) => {
                limit_items("data segments of a module", s.count())?;
                for data in s.clone() {
                    let data = data.map_err(rules::invalid)?;
                    let (DataKind::Active { .. } | DataKind::Passive) = data.kind;
                    sizes.data_bytes += data.data.len() as u64;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn read_import(&mut self, import: TypeRef, offset: usize) -> Result<(), Refusal> {
        if let TypeRef::Memory(_) = import {
            self.imported_memories += 1;
            self.check_memory_count(offset)?;
        }
        Ok(())
    }

    fn read_table(&mut self, table: TableType, sizes: &mut Sizes) -> Result<(), Refusal> {
        self.tables += 1;
        sizes.largest_table = sizes.largest_table.max(table.initial);
        rules::limit(
            "elements of a table at its start",
            table.initial,
            MAX_TABLE_ELEMENTS,
        )
    }

    /// All segments of a module together have no more than one may: engines keep a word or more for
    /// each element.
    fn read_elements(&mut self, element: &Element<'_>) -> Result<(), Refusal> {
        let count = match &element.items {
            ElementItems::Functions(functions) => functions.count(),
            ElementItems::Expressions(_, items) => items.count(),
        };
        self.elements += u64::from(count);
        rules::limit(
            "elements of a module's segments",
            self.elements,
            MAX_TABLE_ELEMENTS,
        )
    }

    fn read_memory(&mut self, memory: MemoryType, offset: usize) -> Result<(), Refusal> {
        let bytes = |pages: u64| pages.saturating_mul(PAGE).min(MEMORY_END);
        self.memories.push(MemorySize {
            minimum: bytes(memory.initial),
            maximum: memory.maximum.map_or(MEMORY_END, bytes),
        });
        self.check_memory_count(offset)
    }

    /// The validator would call a second memory an error; here it gets its proposal's name.
    fn check_memory_count(&self, offset: usize) -> Result<(), Refusal> {
        if self.memories.len() + self.imported_memories <= 1 {
            return Ok(());
        }
        rules::without(WasmFeatures::MULTI_MEMORY, offset).map_or(Ok(()), Err)
    }
}

const PAGE: u64 = 65_536;
/// What 32-bit addresses reach.
const MEMORY_END: u64 = 1 << 32;

fn limit_items(what: &'static str, count: u32) -> Result<(), Refusal> {
    rules::limit(what, count, MAX_MODULE_ITEMS)
}

/// Validates one function and measures it.
pub(super) fn read_body(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    allocations: FuncValidatorAllocations,
    sizes: &mut Sizes,
) -> Result<FuncValidatorAllocations, Refusal> {
    let size = body.range().len() as u64;
    sizes.largest_body = sizes.largest_body.max(size);
    rules::limit("bytes of a function's body", size, MAX_BODY)?;
    let locals = count_locals(body)?;
    sizes.most_locals = sizes.most_locals.max(locals);
    rules::limit("locals of a function", locals, MAX_LOCALS)?;

    let mut validator = function.into_validator(allocations);
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader).map_err(rules::invalid)?;
    reader.set_features(rules::FEATURES);
    while !reader.eof() {
        let offset = reader.original_position();
        if let Some(targets) = br_table_targets(&reader) {
            sizes.largest_br_table = sizes.largest_br_table.max(targets);
            rules::limit("targets of a `br_table`", targets, MAX_BR_TABLE)?;
        }
        reader
            .visit_operator(&mut validator.visitor(offset))
            .and_then(|valid| valid)
            .map_err(rules::invalid)?;
        let depth = u64::from(validator.control_stack_height());
        sizes.deepest_block = sizes.deepest_block.max(depth);
        rules::limit("blocks inside each other", depth, MAX_BLOCK_DEPTH)?;
    }
    let end = reader.original_position();
    reader
        .finish_expression(&validator.visitor(end))
        .map_err(rules::invalid)?;
    Ok(validator.into_allocations())
}

/// How many targets the operator that comes next has, if it is a `br_table`.
fn br_table_targets(reader: &BinaryReader<'_>) -> Option<u64> {
    const BR_TABLE: u8 = 0x0e;
    let mut ahead = reader.clone();
    let is_table = ahead.read_u8().ok()? == BR_TABLE;
    is_table.then(|| ahead.read_var_u32().ok().map(u64::from))?
}

fn count_locals(body: &FunctionBody<'_>) -> Result<u64, Refusal> {
    let groups = body.get_locals_reader().map_err(rules::invalid)?;
    let mut locals = 0u64;
    for group in groups {
        let (count, _) = group.map_err(rules::invalid)?;
        locals = locals.saturating_add(u64::from(count));
    }
    Ok(locals)
}
