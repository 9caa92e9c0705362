//! What stands in front of everything that a component has of its own: the meter, which all its core
//! modules share.

use wasm_encoder::{
    Alias, CanonicalFunctionSection, CodeSection, Component, ComponentAliasSection,
    ComponentExportKind, ComponentExportSection, ComponentImportSection, ComponentTypeRef,
    ComponentTypeSection, ComponentValType, ConstExpr, EntityType, ExportKind, ExportSection,
    Function, FunctionSection, GlobalSection, GlobalType, ImportSection, InstanceSection, Module,
    ModuleArg, ModuleSection, NameMap, NameSection, PrimitiveValType, StartSection, TypeSection,
    ValType,
};

use super::{FUEL_LEFT, FUEL_LIMIT, FUEL_REPORT};
use crate::METER;

/// By how much the prefix shifts each index space of a component. The other spaces stay as they are.
pub(super) mod shift {
    pub const COMPONENT_TYPES: u32 = 2;
    /// Two imports, the lifted function, and its export, which is a function again.
    pub const COMPONENT_FUNCS: u32 = 4;
    /// Two lowered imports, and what is lifted.
    pub const CORE_FUNCS: u32 = 3;
    pub const CORE_MODULES: u32 = 1;
    pub const CORE_INSTANCES: u32 = 2;
}

/// The core instance of the meter.
pub(super) const METER_INSTANCE: u32 = 1;

/// What the meter module imports its two functions from.
const HOST: &str = "host";

/// A component of nothing but the prefix, whose instances take `startup` fuel before they run.
pub(super) fn component(startup: u64) -> Component {
    let mut component = Component::new();
    component.section(&types());
    component.section(&imports());
    component.section(&lowered());
    component.section(&ModuleSection(&meter(startup)));
    component.section(&instances());
    component.section(&aliases());
    component.section(&lifted());
    component.section(&exports());
    component
}

/// 0: `func() -> s64`; 1: `func(rest: s64)`.
fn types() -> ComponentTypeSection {
    let fuel = ComponentValType::Primitive(PrimitiveValType::S64);
    let nothing: [(&str, ComponentValType); 0] = [];
    let mut types = ComponentTypeSection::new();
    types.function().params(nothing).result(Some(fuel));
    types.function().params([("rest", fuel)]).result(None);
    types
}

fn imports() -> ComponentImportSection {
    let mut imports = ComponentImportSection::new();
    imports.import(FUEL_LIMIT, ComponentTypeRef::Func(0));
    imports.import(FUEL_REPORT, ComponentTypeRef::Func(1));
    imports
}

fn lowered() -> CanonicalFunctionSection {
    let mut lowered = CanonicalFunctionSection::new();
    lowered.lower(0, []).lower(1, []);
    lowered
}

fn instances() -> InstanceSection {
    let host = [
        (FUEL_LIMIT, ExportKind::Func, 0),
        (FUEL_REPORT, ExportKind::Func, 1),
    ];
    let mut instances = InstanceSection::new();
    instances.export_items(host);
    instances.instantiate(0, [(HOST, ModuleArg::Instance(0))]);
    instances
}

fn aliases() -> ComponentAliasSection {
    let mut aliases = ComponentAliasSection::new();
    aliases.alias(Alias::CoreInstanceExport {
        instance: METER_INSTANCE,
        kind: ExportKind::Func,
        name: FUEL_LEFT,
    });
    aliases
}

fn lifted() -> CanonicalFunctionSection {
    let mut lifted = CanonicalFunctionSection::new();
    lifted.lift(2, 0, []);
    lifted
}

fn exports() -> ComponentExportSection {
    let mut exports = ComponentExportSection::new();
    exports.export(FUEL_LEFT, ComponentExportKind::Func, 2, None);
    exports
}

/// Types of the meter module's functions.
const TO_NOTHING: u32 = 0;
const TO_FUEL: u32 = 1;
const FROM_FUEL: u32 = 2;

/// Functions of the meter module, imports first.
const LIMIT: u32 = 0;
const REPORT: u32 = 1;
const PANIC: u32 = 2;
const TOO_DEEP: u32 = 3;
const EXIT: u32 = 4;
const LEFT: u32 = 5;
const START: u32 = 6;

/// Globals of the meter module.
const FUEL: u32 = 0;
const DEPTH: u32 = 1;

/// The module that holds the counters. It is instantiated before any other, and its start function
/// asks the host for the fuel: start functions of the program are metered too.
fn meter(startup: u64) -> Module {
    let mut module = Module::new();
    module.section(&core_types());
    module.section(&core_imports());
    let mut functions = FunctionSection::new();
    for ty in [TO_NOTHING, TO_NOTHING, TO_NOTHING, TO_FUEL, TO_NOTHING] {
        functions.function(ty);
    }
    module.section(&functions);
    module.section(&globals());
    module.section(&core_exports());
    module.section(&StartSection {
        function_index: START,
    });
    module.section(&code(startup));
    module.section(&names());
    module
}

fn core_types() -> TypeSection {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([], [ValType::I64]);
    types.ty().function([ValType::I64], []);
    types
}

fn core_imports() -> ImportSection {
    let mut imports = ImportSection::new();
    imports.import(HOST, FUEL_LIMIT, EntityType::Function(TO_FUEL));
    imports.import(HOST, FUEL_REPORT, EntityType::Function(FROM_FUEL));
    imports
}

fn globals() -> GlobalSection {
    let counter = |val_type| GlobalType {
        val_type,
        mutable: true,
        shared: false,
    };
    let mut globals = GlobalSection::new();
    globals.global(counter(ValType::I64), &ConstExpr::i64_const(0));
    globals.global(counter(ValType::I32), &ConstExpr::i32_const(crate::DEPTH));
    globals
}

fn core_exports() -> ExportSection {
    let mut exports = ExportSection::new();
    exports.export("panic", ExportKind::Func, PANIC);
    exports.export("too-deep", ExportKind::Func, TOO_DEEP);
    exports.export("exit", ExportKind::Func, EXIT);
    exports.export("fuel", ExportKind::Global, FUEL);
    exports.export("depth", ExportKind::Global, DEPTH);
    exports.export(FUEL_LEFT, ExportKind::Func, LEFT);
    exports
}

fn code(startup: u64) -> CodeSection {
    let startup = i64::try_from(startup).unwrap_or(i64::MAX);
    let function = |write: &dyn Fn(&mut wasm_encoder::InstructionSink<'_>)| {
        let mut function = Function::new([]);
        write(&mut function.instructions());
        function.instructions().end();
        function
    };
    let mut code = CodeSection::new();
    code.function(&function(&|panic| {
        panic.global_get(FUEL).call(REPORT).unreachable();
    }));
    code.function(&function(&|too_deep| {
        too_deep.unreachable();
    }));
    code.function(&function(&|exit| {
        exit.global_get(FUEL).call(REPORT);
    }));
    code.function(&function(&|left| {
        left.global_get(FUEL);
    }));
    code.function(&function(&|start| {
        start
            .call(LIMIT)
            .i64_const(startup)
            .i64_sub()
            .global_set(FUEL);
    }));
    code
}

/// By these names the host tells the traps of the meter from the program's own.
fn names() -> NameSection {
    let mut functions = NameMap::new();
    for (index, name) in [
        (LIMIT, FUEL_LIMIT),
        (REPORT, FUEL_REPORT),
        (PANIC, "panic"),
        (TOO_DEEP, "too-deep"),
        (EXIT, "exit"),
        (LEFT, FUEL_LEFT),
        (START, "start"),
    ] {
        functions.append(index, name);
    }
    let mut names = NameSection::new();
    names.module(METER);
    names.functions(&functions);
    names
}
