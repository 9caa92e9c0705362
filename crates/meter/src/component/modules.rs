//! The core modules of a component, and what becomes of their exports in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use wasmparser::{
    BinaryReaderError, CanonicalFunction, CanonicalOption, ComponentAlias, ComponentType,
    ExternalKind, Instance, InstantiationArg, Payload, TypeRef,
};

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
    functions: Vec<Option<Export<'a>>>,
}

/// What the exports of a core instance are.
enum Origin<'a> {
    /// Those of this module.
    Module(usize),
    /// These functions, and what else there is.
    Functions(BTreeMap<&'a str, Option<Export<'a>>>),
}

/// A function as an export of a module. No such thing (`None`) are the functions that the component
/// model makes.
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
    pub fn note(&mut self, payload: &Payload<'a>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ModuleSection {
                unchecked_range, ..
            } => self.modules.push(Module {
                range: unchecked_range.clone(),
                ..Module::default()
            }),
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    self.instance(&instance?);
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

    fn instance(&mut self, instance: &Instance<'a>) {
        let origin = match instance {
            Instance::Instantiate { module_index, args } => {
                self.instantiate(*module_index as usize, args);
                Origin::Module(*module_index as usize)
            }
            Instance::FromExports(exports) => {
                let is_function =
                    |kind| matches!(kind, ExternalKind::Func | ExternalKind::FuncExact);
                let functions = exports.iter().filter(|export| is_function(export.kind));
                let known = |index: u32| self.functions.get(index as usize).copied().flatten();
                Origin::Functions(
                    functions
                        .map(|export| (export.name, known(export.index)))
                        .collect(),
                )
            }
        };
        self.instances.push(origin);
    }

    /// What one module imports from another can be called at any time.
    fn instantiate(&mut self, index: usize, args: &[InstantiationArg<'a>]) {
        let given: BTreeMap<_, _> = args.iter().map(|arg| (arg.name, arg.index)).collect();
        let Some(module) = self.modules.get_mut(index) else {
            return;
        };
        module.instances += 1;
        let imports = std::mem::take(&mut module.imports);
        for (instance, name) in &imports {
            let export = given
                .get(instance)
                .and_then(|&instance| self.export(instance, name));
            self.mark(export);
        }
        self.modules[index].imports = imports;
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) {
        if let ComponentAlias::CoreInstanceExport {
            kind: ExternalKind::Func | ExternalKind::FuncExact,
            instance_index,
            name,
        } = alias
        {
            self.functions.push(self.export(*instance_index, name));
        }
    }

    fn canonical(&mut self, function: &CanonicalFunction) {
        match function {
            CanonicalFunction::Lift { options, .. } => self.options(options),
            CanonicalFunction::Lower { options, .. } => {
                self.options(options);
                self.functions.push(None);
            }
            // Every other one is a core function too.
            _ => self.functions.push(None),
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
    fn export(&self, instance: u32, name: &'a str) -> Option<Export<'a>> {
        match self.instances.get(instance as usize)? {
            Origin::Module(module) => Some(Export {
                module: *module,
                name,
            }),
            Origin::Functions(functions) => functions.get(name).copied().flatten(),
        }
    }

    fn reenter(&mut self, function: u32) {
        self.mark(self.functions.get(function as usize).copied().flatten());
    }

    fn mark(&mut self, export: Option<Export<'a>>) {
        if let Some(Export { module, name }) = export
            && let Some(module) = self.modules.get_mut(module)
            && !module.reentered.contains(name)
        {
            module.reentered.insert(name.into());
        }
    }
}
