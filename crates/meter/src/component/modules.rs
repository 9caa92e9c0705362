//! The core modules of a component, and what becomes of their exports in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use wasmparser::{
    BinaryReaderError, CanonicalFunction, CanonicalOption, ComponentAlias, ComponentExternalKind,
    ComponentInstance, ComponentType, ComponentTypeRef, ExternalKind, Instance, InstantiationArg,
    Payload, TypeRef,
};

use crate::{MeterError, scan::EXIT};

const PASSED: &str = "a component that passes the functions of wasi:cli/exit around";
const UNLIKE: &str =
    "a core module that is given a function of wasi:cli/exit in some instances only";

/// A core module of the outermost component.
#[derive(Default)]
pub(super) struct Module<'a> {
    /// Where it is in the component.
    pub range: Range<usize>,
    /// How many instances are made of it.
    pub instances: u64,
    /// Its exports that may be called while a call of one of its imports is under way.
    ///
    /// Those that are lifted and nothing else may not: a component cannot be entered before it has
    /// been left. All others may, as far as is seen here, be they called by the host (allocation,
    /// what is done after a return, destructors) or by another core module.
    pub reentered: BTreeSet<String>,
    /// Its imports that end the program, by module and name: the same in each instance.
    pub exits: BTreeSet<(String, String)>,
    /// The functions that it imports.
    imports: Vec<(&'a str, &'a str)>,
    /// All that an instance takes and gives.
    weight: u64,
}

/// The core modules of the outermost component, and the index spaces that their exports go through.
#[derive(Default)]
pub(super) struct Modules<'a> {
    modules: Vec<Module<'a>>,
    instances: Vec<Origin<'a>>,
    functions: Vec<Target<'a>>,
    /// Of the component's own instances and functions, which are those of `wasi:cli/exit`.
    exit_instances: Vec<bool>,
    exit_functions: Vec<bool>,
}

/// What the exports of a core instance are.
enum Origin<'a> {
    /// Those of this module.
    Module(usize),
    /// These functions, and what else there is.
    Functions(BTreeMap<&'a str, Target<'a>>),
}

/// What a core function is.
#[derive(Clone, Copy)]
enum Target<'a> {
    /// One of a module's.
    Export(Export<'a>),
    /// A lowered one that ends the program.
    Exit,
    /// Another one that the component model makes.
    Made,
}

/// A function as an export of a module.
#[derive(Clone, Copy)]
struct Export<'a> {
    module: usize,
    name: &'a str,
}

impl<'a> Modules<'a> {
    /// All of them in order.
    pub fn finish(self) -> Vec<Module<'a>> {
        self.modules
    }

    /// Takes in a section of a core module, the last one that was begun.
    pub fn note_in_module(&mut self, payload: &Payload<'a>) -> Result<(), BinaryReaderError> {
        let Some(module) = self.modules.last_mut() else {
            return Ok(());
        };
        match payload {
            Payload::ImportSection(imports) => {
                module.weight += u64::from(imports.count());
                for import in imports.clone().into_imports() {
                    let import = import?;
                    if let TypeRef::Func(_) | TypeRef::FuncExact(_) = import.ty {
                        module.imports.push((import.module, import.name));
                    }
                }
            }
            Payload::ExportSection(exports) => module.weight += u64::from(exports.count()),
            _ => {}
        }
        Ok(())
    }

    /// What the validator has to look at for the core instances in a section, valid or not.
    pub fn weight(&self, payload: &Payload<'a>) -> Result<u64, BinaryReaderError> {
        let mut weight = 0;
        if let Payload::InstanceSection(instances) = payload {
            for instance in instances.clone() {
                weight += match instance? {
                    Instance::Instantiate { module_index, args } => {
                        let module = self.modules.get(module_index as usize);
                        args.len() as u64 + module.map_or(0, |module| module.weight)
                    }
                    Instance::FromExports(exports) => exports.len() as u64,
                };
            }
        }
        Ok(weight)
    }

    /// Takes in a section of the component that is valid.
    pub fn note(&mut self, payload: &Payload<'a>) -> Result<(), MeterError> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    let import = import?;
                    match import.ty {
                        ComponentTypeRef::Instance(_) => {
                            self.exit_instances.push(import.name.name.starts_with(EXIT))
                        }
                        ComponentTypeRef::Func(_) => self.exit_functions.push(false),
                        _ => {}
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    self.component_instance(&instance?)?;
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    self.pass(export.kind, export.index)?;
                    self.made(export.kind);
                }
            }
            Payload::ModuleSection {
                unchecked_range, ..
            } => self.modules.push(Module {
                range: unchecked_range.clone(),
                ..Module::default()
            }),
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    self.instance(&instance?)?;
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    self.alias(&alias?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    self.canonical(&function?);
                }
            }
            Payload::ComponentTypeSection(types) => {
                for ty in types.clone() {
                    if let ComponentType::Resource {
                        dtor: Some(function),
                        ..
                    } = ty?
                    {
                        self.reenter(function);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An instance of the component's own, made of what may be no exit.
    fn component_instance(&mut self, instance: &ComponentInstance<'_>) -> Result<(), MeterError> {
        match instance {
            ComponentInstance::Instantiate { args, .. } => {
                for arg in args {
                    self.pass(arg.kind, arg.index)?;
                }
            }
            ComponentInstance::FromExports(exports) => {
                for export in exports {
                    self.pass(export.kind, export.index)?;
                }
            }
        }
        self.made(ComponentExternalKind::Instance);
        Ok(())
    }

    /// Refuses to lose sight of an exit.
    fn pass(&self, kind: ComponentExternalKind, index: u32) -> Result<(), MeterError> {
        let exits = match kind {
            ComponentExternalKind::Instance => &self.exit_instances,
            ComponentExternalKind::Func => &self.exit_functions,
            _ => return Ok(()),
        };
        match exits.get(index as usize) {
            Some(true) => Err(MeterError::Unsupported(PASSED)),
            _ => Ok(()),
        }
    }

    /// Something of the component's own that is no exit.
    fn made(&mut self, kind: ComponentExternalKind) {
        match kind {
            ComponentExternalKind::Instance => self.exit_instances.push(false),
            ComponentExternalKind::Func => self.exit_functions.push(false),
            _ => {}
        }
    }

    fn instance(&mut self, instance: &Instance<'a>) -> Result<(), MeterError> {
        let origin = match instance {
            Instance::Instantiate { module_index, args } => {
                self.instantiate(*module_index as usize, args)?;
                Origin::Module(*module_index as usize)
            }
            Instance::FromExports(exports) => {
                let is_function =
                    |kind| matches!(kind, ExternalKind::Func | ExternalKind::FuncExact);
                let functions = exports.iter().filter(|export| is_function(export.kind));
                let known = |index: u32| self.function(index);
                Origin::Functions(
                    functions
                        .map(|export| (export.name, known(export.index)))
                        .collect(),
                )
            }
        };
        self.instances.push(origin);
        Ok(())
    }

    /// What one module imports from another can be called at any time.
    fn instantiate(
        &mut self,
        index: usize,
        args: &[InstantiationArg<'a>],
    ) -> Result<(), MeterError> {
        let given: BTreeMap<_, _> = args.iter().map(|arg| (arg.name, arg.index)).collect();
        let Some(module) = self.modules.get_mut(index) else {
            return Ok(());
        };
        let imports = std::mem::take(&mut module.imports);
        let mut exits = BTreeSet::new();
        for (instance, name) in &imports {
            let given = given.get(instance);
            match given.map_or(Target::Made, |&instance| self.export(instance, name)) {
                Target::Exit => _ = exits.insert(((*instance).into(), (*name).into())),
                Target::Export(export) => self.mark(export),
                Target::Made => {}
            }
        }
        let module = &mut self.modules[index];
        module.imports = imports;
        if module.instances > 0 && module.exits != exits {
            return Err(MeterError::Unsupported(UNLIKE));
        }
        module.instances += 1;
        module.exits = exits;
        Ok(())
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) {
        match alias {
            ComponentAlias::CoreInstanceExport {
                kind: ExternalKind::Func | ExternalKind::FuncExact,
                instance_index,
                name,
            } => self.functions.push(self.export(*instance_index, name)),
            ComponentAlias::InstanceExport {
                kind: ComponentExternalKind::Func,
                instance_index,
                ..
            } => {
                let exits = self.exit_instances.get(*instance_index as usize);
                self.exit_functions.push(exits == Some(&true));
            }
            ComponentAlias::InstanceExport { kind, .. } => self.made(*kind),
            _ => {}
        }
    }

    fn canonical(&mut self, function: &CanonicalFunction) {
        match function {
            CanonicalFunction::Lift { options, .. } => {
                self.options(options);
                self.made(ComponentExternalKind::Func);
            }
            CanonicalFunction::Lower {
                func_index,
                options,
            } => {
                self.options(options);
                let exits = self.exit_functions.get(*func_index as usize);
                self.functions.push(match exits {
                    Some(true) => Target::Exit,
                    _ => Target::Made,
                });
            }
            // Every other one is a core function too.
            _ => self.functions.push(Target::Made),
        }
    }

    fn options(&mut self, options: &[CanonicalOption]) {
        for option in options {
            if let CanonicalOption::Realloc(function)
            | CanonicalOption::PostReturn(function)
            | CanonicalOption::Callback(function) = option
            {
                self.reenter(*function);
            }
        }
    }

    /// The function that an instance exports by that name.
    fn export(&self, instance: u32, name: &'a str) -> Target<'a> {
        match self.instances.get(instance as usize) {
            Some(Origin::Module(module)) => Target::Export(Export {
                module: *module,
                name,
            }),
            Some(Origin::Functions(functions)) => {
                functions.get(name).copied().unwrap_or(Target::Made)
            }
            None => Target::Made,
        }
    }

    fn function(&self, index: u32) -> Target<'a> {
        let function = self.functions.get(index as usize);
        function.copied().unwrap_or(Target::Made)
    }

    fn reenter(&mut self, function: u32) {
        if let Target::Export(export) = self.function(function) {
            self.mark(export);
        }
    }

    fn mark(&mut self, Export { module, name }: Export<'a>) {
        if let Some(module) = self.modules.get_mut(module)
            && !module.reentered.contains(name)
        {
            module.reentered.insert(name.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::component::survey::survey;

    /// Checks which exports of its core modules, in order, a component may call again.
    fn check(text: &str, expected: &[&[&str]]) {
        let bytes = wat::parse_str(text).expect("the text is WebAssembly");
        let modules = survey(&bytes).expect("it can be metered");
        let found: Vec<Vec<_>> = modules
            .iter()
            .map(|module| module.reentered.iter().map(String::as_str).collect())
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    const MEMORY: &str = r#"(memory (export "memory") 1)
        (func (export "f") (param i32 i32) (result i32) i32.const 0)
        (func (export "g") (param i32 i32) (result i32) i32.const 0)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
        (func (export "done") (param i32))"#;

    #[test]
    fn lifted_function_is_not_called_again() {
        check(
            r#"(component
                 (core module $m (func (export "f")) (func (export "unused")))
                 (core instance $m (instantiate $m))
                 (func (export "f") (canon lift (core func $m "f"))))"#,
            &[&[]],
        );
    }

    #[test]
    fn options_of_lifted_and_lowered_functions_are_called_again() {
        check(
            &format!(
                r#"(component
                     (import "h" (func $h (result string)))
                     (core module $m {MEMORY})
                     (core module $n {MEMORY})
                     (core instance $m (instantiate $m))
                     (core instance $n (instantiate $n))
                     (core func (canon lower (func $h)
                       (memory (core memory $n "memory")) (realloc (core func $n "realloc"))))
                     (func (export "f") (param "text" string) (result string)
                       (canon lift (core func $m "f") (memory (core memory $m "memory"))
                         (realloc (core func $m "realloc")) (post-return (core func $m "done")))))"#
            ),
            &[&["done", "realloc"], &["realloc"]],
        );
    }

    #[test]
    fn what_another_module_imports_is_called_again() {
        check(
            &format!(
                r#"(component
                     (core module $m {MEMORY})
                     (core module $n
                       (import "m" "f" (func (param i32 i32) (result i32)))
                       (import "bag" "by another name" (func (param i32 i32) (result i32)))
                       (import "bag" "memory" (memory 1)))
                     (core instance $m (instantiate $m))
                     (alias core export $m "g" (core func $g))
                     (alias core export $m "memory" (core memory $memory))
                     (core instance $bag
                       (export "by another name" (func $g)) (export "memory" (memory $memory)))
                     (core instance (instantiate $n (with "m" (instance $m)) (with "bag" (instance $bag)))))"#
            ),
            &[&["f", "g"], &[]],
        );
    }

    /// As a command adapter takes the whole main module, and asks it for little.
    #[test]
    fn what_is_given_but_not_imported_is_not_called_again() {
        check(
            r#"(component
                 (core module $m (func (export "start")) (func (export "run")))
                 (core module $n (import "m" "start" (func)))
                 (core instance $m (instantiate $m))
                 (core instance (instantiate $n (with "m" (instance $m))))
                 (func (export "run") (canon lift (core func $m "run"))))"#,
            &[&["start"], &[]],
        );
    }

    #[test]
    fn destructor_is_called_again() {
        check(
            r#"(component
                 (core module $m (func (export "drop") (param i32)) (func (export "f")))
                 (core instance $m (instantiate $m))
                 (alias core export $m "drop" (core func $drop))
                 (type $r (resource (rep i32) (dtor (core func $drop))))
                 (core func (canon resource.drop $r))
                 (alias core export $m "f" (core func $f))
                 (func (export "f") (canon lift (core func $f))))"#,
            &[&["drop"]],
        );
    }

    #[test]
    fn instances_of_a_module_are_taken_together() {
        check(
            r#"(component
                 (core module $m (func (export "f")) (func (export "g")) (func (export "h")))
                 (core module $n (import "a" "g" (func)) (import "b" "h" (func)))
                 (core instance $a (instantiate $m))
                 (core instance $b (instantiate $m))
                 (core instance (instantiate $n (with "a" (instance $a)) (with "b" (instance $b))))
                 (func (export "f") (canon lift (core func $a "f")))
                 (func (export "g") (canon lift (core func $b "g"))))"#,
            &[&["g", "h"], &[]],
        );
    }
}
