//! The first look at a module: it is validated, and what its functions do is summed up.

use std::collections::{BTreeSet, HashMap};

use wasmparser::{
    ElementItems, ElementKind, ExternalKind, FuncType, FuncValidatorAllocations, FunctionBody,
    Operator, Parser, Payload, TypeRef, ValidPayload, Validator,
};

use crate::{Context, METER, MeterError, cost, features};

/// What is known of a module before it is written.
#[derive(Default)]
pub(crate) struct Scan<'a> {
    pub types: Vec<FuncType>,
    /// For each type, the first one of the same form.
    pub canonical: Vec<u32>,
    /// The type of each function, imported ones first.
    pub type_of: Vec<u32>,
    pub imported: u32,
    pub imported_globals: u32,
    /// Imported functions that end the program, in their order.
    pub exits: Vec<u32>,
    pub functions: Vec<Function<'a>>,
    /// Functions by the names that they are exported by.
    pub exports: Vec<(&'a str, u32)>,
    pub start: Option<u32>,
    /// Functions that a reference is made to.
    pub in_tables: Vec<u32>,
    /// A table is imported or exported, or a reference can go elsewhere in another way, so that others
    /// may call what is in tables.
    pub shares_tables: bool,
    /// Fuel for an instance, and for what it has before its first operator runs.
    pub startup: u64,
}

/// How the interface is named whose functions end a program.
pub(crate) const EXIT: &str = "wasi:cli/exit@";

/// Whether an imported function ends the program.
fn ends(context: &Context, module: &str, name: &str) -> bool {
    match &context.exits {
        Some(exits) => exits.contains(&(module.into(), name.into())),
        None => module.starts_with(EXIT),
    }
}

/// What one function does, at a glance.
pub(crate) struct Function<'a> {
    pub body: FunctionBody<'a>,
    /// Parameters and declared locals.
    pub locals: u32,
    /// Bytes that its frame counts for.
    pub frame: u32,
    /// Fuel for its entry and all its operators once.
    pub cost: u64,
    /// The functions that it calls, and the types that it calls through tables.
    pub calls: Vec<u32>,
    pub indirect: Vec<u32>,
}

impl<'a> Scan<'a> {
    /// Validates a module and reads it once.
    pub fn of(bytes: &'a [u8], context: &Context) -> Result<Self, MeterError> {
        let mut scan = Self {
            startup: cost::PART,
            ..Self::default()
        };
        let mut validator = Validator::new_with_features(features());
        let mut allocations = FuncValidatorAllocations::default();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload?;
            if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
                let mut function = function.into_validator(allocations);
                let summary = summarize(&mut function, body, &mut scan.in_tables)?;
                scan.functions.push(summary);
                allocations = function.into_allocations();
            }
            scan.section(payload, context)?;
        }
        scan.in_tables.sort_unstable();
        scan.in_tables.dedup();
        scan.check_exits()?;
        Ok(scan)
    }

    /// An exit tells what is left where it is called, so that is all that may be done with it.
    fn check_exits(&self) -> Result<(), MeterError> {
        let exports = self.exports.iter().map(|(_, function)| function);
        let mut others = exports.chain(&self.start).chain(&self.in_tables);
        match others.any(|function| self.exits.binary_search(function).is_ok()) {
            true => Err(MeterError::Unsupported(
                "a function of wasi:cli/exit that is not only called",
            )),
            false => Ok(()),
        }
    }

    /// The function that a node of the call graph stands for, if it is defined here.
    pub fn function(&self, node: usize, functions: usize) -> Option<&Function<'a>> {
        if node >= functions {
            return None;
        }
        node.checked_sub(self.imported as usize)
            .map(|defined| &self.functions[defined])
    }

    /// What a function that is defined here costs before its first operator.
    pub fn entry(&self, function: u32) -> u64 {
        cost::entry(self.functions[(function - self.imported) as usize].locals)
    }

    /// The operators of a function that is defined here.
    pub fn operators(&self, function: u32) -> Result<Vec<Operator<'a>>, MeterError> {
        let body = &self.functions[(function - self.imported) as usize].body;
        let reader = body.get_operators_reader()?;
        Ok(reader.into_iter().collect::<Result<_, _>>()?)
    }

    /// How many parameters and results a type has.
    pub fn arity(&self, ty: u32) -> (usize, usize) {
        let ty = &self.types[ty as usize];
        (ty.params().len(), ty.results().len())
    }

    /// How many results a function has.
    pub fn results(&self, function: u32) -> usize {
        self.arity(self.type_of[function as usize]).1
    }

    fn section(&mut self, payload: Payload<'a>, context: &Context) -> Result<(), MeterError> {
        match payload {
            Payload::TypeSection(types) => {
                let mut forms = HashMap::new();
                for ty in types.into_iter_err_on_gc_types() {
                    let ty = ty?;
                    let index = self.types.len() as u32;
                    let mut values = ty.params().iter().chain(ty.results());
                    self.shares_tables |= values.any(|ty| ty.is_reference_type());
                    let first = *forms.entry(ty.clone()).or_insert(index);
                    self.canonical.push(first);
                    self.types.push(ty);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    self.startup += cost::IMPORT;
                    if import.module == METER {
                        return Err(MeterError::Reserved(METER.into()));
                    }
                    match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            if ends(context, import.module, import.name) {
                                self.exits.push(self.imported);
                            }
                            self.imported += 1;
                            self.type_of.push(ty);
                        }
                        TypeRef::Global(global) => {
                            self.imported_globals += 1;
                            self.shares_tables |= global.content_type.is_reference_type();
                        }
                        TypeRef::Table(_) => self.shares_tables = true,
                        TypeRef::Memory(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    self.startup += cost::startup_memory(memory?.initial);
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    self.type_of.push(ty?);
                }
            }
            Payload::GlobalSection(globals) => {
                for global in globals {
                    let global = global?;
                    self.shares_tables |= global.ty.content_type.is_reference_type();
                    self.constant(global.init_expr.get_operators_reader())?;
                }
            }
            Payload::TableSection(tables) => {
                for table in tables {
                    let table = table?;
                    self.startup += cost::startup_table(table.ty.initial);
                    if let wasmparser::TableInit::Expr(init) = table.init {
                        self.constant(init.get_operators_reader())?;
                    }
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    match export.kind {
                        ExternalKind::Func | ExternalKind::FuncExact => {
                            self.exports.push((export.name, export.index));
                        }
                        ExternalKind::Table => self.shares_tables = true,
                        _ => {}
                    }
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(elements) => {
                for element in elements {
                    self.element(element?)?;
                }
            }
            Payload::DataSection(data) => {
                for data in data {
                    let data = data?;
                    self.startup += match data.kind {
                        wasmparser::DataKind::Passive => cost::SEGMENT,
                        wasmparser::DataKind::Active { offset_expr, .. } => {
                            self.constant(offset_expr.get_operators_reader())?;
                            cost::startup_data(data.data.len())
                        }
                    };
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn element(&mut self, element: wasmparser::Element<'a>) -> Result<(), MeterError> {
        let count = match element.items {
            ElementItems::Functions(functions) => {
                let count = functions.count();
                for function in functions {
                    self.in_tables.push(function?);
                }
                count
            }
            ElementItems::Expressions(_, items) => {
                let count = items.count();
                for item in items {
                    self.constant(item?.get_operators_reader())?;
                }
                count
            }
        };
        self.startup += match element.kind {
            ElementKind::Declared => 0,
            ElementKind::Passive => cost::startup_elements(count),
            ElementKind::Active { offset_expr, .. } => {
                self.constant(offset_expr.get_operators_reader())?;
                cost::startup_elements(count)
            }
        };
        Ok(())
    }

    /// A function that a constant expression refers to may be called by whoever gets the reference.
    fn constant(&mut self, ops: wasmparser::OperatorsReader<'a>) -> Result<(), MeterError> {
        for op in ops {
            match op? {
                Operator::End => continue,
                Operator::RefFunc { function_index } => self.in_tables.push(function_index),
                _ => {}
            }
            self.startup += cost::CONSTANT;
        }
        Ok(())
    }
}

fn summarize<'a>(
    validator: &mut wasmparser::FuncValidator<wasmparser::ValidatorResources>,
    body: FunctionBody<'a>,
    referred: &mut Vec<u32>,
) -> Result<Function<'a>, MeterError> {
    let mut reader = body.get_binary_reader();
    validator.read_locals(&mut reader)?;
    let mut summary = Function {
        body,
        locals: validator.len_locals(),
        frame: 0,
        cost: cost::entry(validator.len_locals()),
        calls: Vec::new(),
        indirect: Vec::new(),
    };
    let (mut ops, mut height) = (0u64, 0);
    let mut seen = BTreeSet::new();
    let mut reader = wasmparser::OperatorsReader::new(reader);
    while !reader.eof() {
        let (op, offset) = reader.read_with_offset()?;
        validator.op(offset, &op)?;
        ops += 1;
        height = height.max(validator.operand_stack_height());
        summary.cost = summary.cost.saturating_add(cost::of(&op));
        match op {
            Operator::Call { function_index } => _ = seen.insert((false, function_index)),
            Operator::CallIndirect { type_index, .. } => _ = seen.insert((true, type_index)),
            Operator::RefFunc { function_index } => referred.push(function_index),
            _ => {}
        }
    }
    reader.finish()?;
    for (indirect, index) in seen {
        let list = match indirect {
            true => &mut summary.indirect,
            false => &mut summary.calls,
        };
        list.push(index);
    }
    summary.frame = cost::frame(summary.locals, height, ops);
    Ok(summary)
}
