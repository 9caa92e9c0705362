//! The slow count: a module that charges every operator right before it runs.

use std::collections::VecDeque;

use opensky_meter::{METER, cost};
use wasm_encoder::{
    CodeSection, EntityType, Function, GlobalType, ImportSection, Instruction as I, Module,
    ValType,
    reencode::{Error, Reencode, utils},
};
use wasmparser::{BlockType, FrameKind, FuncValidator, Operator, WasmModuleResources};

/// What a counting module imports: the fuel that is left, and what the counting needs for itself.
pub const GLOBALS: [(&str, ValType); 3] = [
    ("fuel", ValType::I64),
    ("count", ValType::I32),
    ("result", ValType::I32),
];

/// The counting form of a valid module. It looks at the fuel where functions and loops begin.
pub fn counted(bytes: &[u8]) -> Vec<u8> {
    let mut counter = Counter {
        imports_done: false,
        globals: 0,
        extras: extras(bytes).into(),
    };
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        if let wasmparser::Payload::ImportSection(imports) = payload.expect("the module is valid") {
            let imports = imports
                .into_imports()
                .map(|import| import.expect("the module is valid"));
            let globals =
                imports.filter(|import| matches!(import.ty, wasmparser::TypeRef::Global(_)));
            counter.globals = globals.count() as u32;
        }
    }
    let mut module = Module::new();
    counter
        .parse_core_module(&mut module, wasmparser::Parser::new(0), bytes)
        .expect("the module is valid");
    module.finish()
}

/// What a function costs beside its operators' own costs.
struct Extra {
    entry: u64,
    /// For each operator, what it costs for the values that it takes along.
    carried: VecDeque<u64>,
}

/// Of each function that the module defines.
fn extras(bytes: &[u8]) -> Vec<Extra> {
    const VALID: &str = "the module is valid";
    let mut validator = wasmparser::Validator::new();
    let mut extras = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(bytes) {
        let payload = validator.payload(&payload.expect(VALID)).expect(VALID);
        let wasmparser::ValidPayload::Func(function, body) = payload else {
            continue;
        };
        let mut function = function.into_validator(Default::default());
        let mut reader = body.get_binary_reader();
        function.read_locals(&mut reader).expect(VALID);
        let entry = cost::entry(function.len_locals());
        let mut carried = VecDeque::new();
        let mut reader = wasmparser::OperatorsReader::new(reader);
        while !reader.eof() {
            let (op, offset) = reader.read_with_offset().expect(VALID);
            carried.push_back(cost::carry(values(&function, &op)));
            function.op(offset, &op).expect(VALID);
        }
        extras.push(Extra { entry, carried });
    }
    extras
}

/// How many values an operator takes along.
fn values<R: WasmModuleResources>(function: &FuncValidator<R>, op: &Operator<'_>) -> usize {
    const VALID: &str = "the module is valid";
    let of_type = |ty: u32| {
        let ty = function.resources().sub_type_at(ty).expect(VALID);
        let ty = ty.unwrap_func();
        (ty.params().len(), ty.results().len())
    };
    let arity = |ty: BlockType| match ty {
        BlockType::Empty => (0, 0),
        BlockType::Type(_) => (0, 1),
        BlockType::FuncType(ty) => of_type(ty),
    };
    let frame = |depth: u32| {
        let frame = function.get_control_frame(depth as usize).expect(VALID);
        (frame.kind, arity(frame.block_type))
    };
    let branch = |depth: u32| match frame(depth) {
        (FrameKind::Loop, (params, _)) => params,
        (_, (_, results)) => results,
    };
    match op {
        Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
            branch(*relative_depth)
        }
        Operator::BrTable { targets } => branch(targets.default()),
        Operator::Return => branch(function.control_stack_height() - 1),
        Operator::Else | Operator::End => frame(0).1.1,
        Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
            arity(*blockty).0
        }
        Operator::Call { function_index } => {
            let ty = function.resources().type_index_of_function(*function_index);
            of_type(ty.expect(VALID)).1
        }
        Operator::CallIndirect { type_index, .. } => of_type(*type_index).1,
        _ => 0,
    }
}

struct Counter {
    imports_done: bool,
    /// Of the functions that are still to come.
    extras: VecDeque<Extra>,
    /// The globals that the module imports itself.
    globals: u32,
}

impl Counter {
    fn import(&mut self, imports: &mut ImportSection) {
        self.imports_done = true;
        for (name, val_type) in GLOBALS {
            let global = GlobalType {
                val_type,
                mutable: true,
                shared: false,
            };
            imports.import(METER, name, EntityType::Global(global));
        }
    }

    fn write(
        &mut self,
        function: &mut Function,
        op: wasmparser::Operator<'_>,
        carried: u64,
    ) -> Result<(), Error> {
        let [fuel, count, result] = [0, 1, 2].map(|global| self.globals + global);
        let mut write =
            |code: &[I<'_>]| code.iter().for_each(|code| _ = function.instruction(code));
        let is_loop = matches!(op, wasmparser::Operator::Loop { .. });
        write(&[
            I::GlobalGet(fuel),
            I::I64Const((cost::of(&op) + carried) as i64),
            I::I64Sub,
            I::GlobalSet(fuel),
        ]);
        let Some(unit) = cost::per_unit(&op) else {
            write(&[self.instruction(op)?]);
            if is_loop {
                write(&self.look());
            }
            return Ok(());
        };
        let shift = match unit.shift {
            0.. => [I::I64Const(unit.shift.into()), I::I64ShrU],
            _ => [I::I64Const((-unit.shift).into()), I::I64Shl],
        };
        let taken = [I::GlobalGet(fuel), I::GlobalGet(count), I::I64ExtendI32U];
        let pay = [&taken[..], &shift[..], &[I::I64Sub, I::GlobalSet(fuel)][..]].concat();
        write(&[I::GlobalSet(count)]);
        if !unit.may_fail {
            write(&pay);
        }
        write(&[I::GlobalGet(count), self.instruction(op)?]);
        if unit.may_fail {
            write(&[I::GlobalSet(result), I::GlobalGet(result)]);
            write(&[
                I::I32Const(-1),
                I::I32Ne,
                I::If(wasm_encoder::BlockType::Empty),
            ]);
            write(&pay);
            write(&[I::End, I::GlobalGet(result)]);
        }
        Ok(())
    }

    /// Ends the program if the fuel is used up.
    fn look(&self) -> [I<'static>; 6] {
        [
            I::GlobalGet(self.globals),
            I::I64Const(0),
            I::I64LtS,
            I::If(wasm_encoder::BlockType::Empty),
            I::Unreachable,
            I::End,
        ]
    }
}

impl Reencode for Counter {
    type Error = std::convert::Infallible;

    fn global_index(&mut self, global: u32) -> Result<u32, Error> {
        let added = if global < self.globals {
            0
        } else {
            GLOBALS.len() as u32
        };
        Ok(global + added)
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: wasmparser::ImportSectionReader<'_>,
    ) -> Result<(), Error> {
        utils::parse_import_section(self, imports, section)?;
        self.import(imports);
        Ok(())
    }

    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        _: Option<wasm_encoder::SectionId>,
        before: Option<wasm_encoder::SectionId>,
    ) -> Result<(), Error> {
        use wasm_encoder::SectionId::{Custom, Import, Type};
        if !self.imports_done && !matches!(before, Some(Type | Import | Custom)) {
            let mut imports = ImportSection::new();
            self.import(&mut imports);
            module.section(&imports);
        }
        Ok(())
    }

    /// They mean nothing, and need not be what they say they are: names that do not parse are no
    /// fault of a module's.
    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> Result<(), Error> {
        Ok(())
    }

    fn parse_function_body(
        &mut self,
        code: &mut CodeSection,
        body: wasmparser::FunctionBody<'_>,
    ) -> Result<(), Error> {
        let mut function: Function = self.new_function_with_parsed_locals(&body)?;
        let Extra { entry, mut carried } = self.extras.pop_front().expect("every function has one");
        let mut write =
            |code: &[I<'_>]| code.iter().for_each(|code| _ = function.instruction(code));
        write(&[
            I::GlobalGet(self.globals),
            I::I64Const(entry as i64),
            I::I64Sub,
            I::GlobalSet(self.globals),
        ]);
        write(&self.look());
        for op in body.get_operators_reader()? {
            let carried = carried.pop_front().expect("every operator has one");
            self.write(&mut function, op?, carried)?;
        }
        code.function(&function);
        Ok(())
    }
}
