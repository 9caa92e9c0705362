//! Walks a file once, section by section: checks the sandbox's limits, then validity, and keeps
//! count.
//!
//! Time and memory are linear in the file's length, which is bounded: each section's counts are
//! compared with a limit before the validator builds anything from them, each function body is
//! read once, and nested components, the one construct by which a short file can describe a large
//! graph, are limited in depth and in the instances that they expand to.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, Encoding,
    FuncValidatorAllocations, Instance, Parser, Payload, ValidPayload, Validator, types::Types,
};

use super::{
    limits::{
        MAX_COMPONENT_DEPTH, MAX_COMPONENT_INSTANCES, MAX_COMPONENT_ITEMS, MAX_CORE_INSTANCES,
        MAX_MEMORIES, MAX_TABLES,
    },
    module::{self, Shape},
    nesting,
    refusal::Refusal,
    report::Sizes,
    rules,
};

/// What a walk found.
pub(super) struct Scan {
    pub encoding: Encoding,
    /// The outermost imports and exports: for a core module, `(module, name)` and names; for a
    /// component, names with an empty module.
    pub imports: Vec<(String, String)>,
    pub exports: Vec<String>,
    pub sizes: Sizes,
    pub types: Types,
}

/// Walks all of `bytes`.
pub(super) fn scan(bytes: &[u8]) -> Result<Scan, Refusal> {
    let mut walk = Walk::default();
    walk.sizes.bytes = bytes.len() as u64;
    let mut validator = Validator::new_with_features(rules::FEATURES);
    let mut parser = Parser::new(0);
    parser.set_features(rules::FEATURES);
    let mut types = None;
    for payload in parser.parse_all(bytes) {
        let payload = payload.map_err(rules::invalid)?;
        walk.check(&payload)?;
        nesting::check(bytes, &payload)?;
        match validator.payload(&payload).map_err(rules::invalid)? {
            ValidPayload::Func(function, body) => {
                let allocations = std::mem::take(&mut walk.allocations);
                walk.allocations =
                    module::read_body(function, &body, allocations, &mut walk.sizes)?;
            }
            ValidPayload::End(found) => types = Some(found),
            ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        walk.after(&payload)?;
    }
    let end = || Refusal::Malformed {
        offset: bytes.len(),
        message: "unexpected end-of-file".into(),
    };
    Ok(Scan {
        encoding: walk.outermost.ok_or_else(end)?,
        imports: walk.imports,
        exports: walk.exports,
        sizes: walk.sizes,
        types: types.ok_or_else(end)?,
    })
}

/// One component or core module that is being read.
enum Level {
    Module(Shape),
    Component(Component),
}

#[derive(Default)]
struct Component {
    /// The core modules in its index space.
    modules: Vec<Shape>,
    /// How many instances each component in its index space expands to, itself included.
    components: Vec<u64>,
    /// How many instances this one expands to.
    instances: u64,
}

#[derive(Default)]
struct Walk {
    outermost: Option<Encoding>,
    levels: Vec<Level>,
    imports: Vec<(String, String)>,
    exports: Vec<String>,
    sizes: Sizes,
    items: u64,
    allocations: FuncValidatorAllocations,
}

impl Walk {
    /// What must hold before the validator sees the section.
    fn check(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        if let Payload::Version {
            encoding, range, ..
        } = payload
        {
            return self.enter(*encoding, range.start);
        }
        let nested = self.levels.len() > 1;
        match self.levels.last_mut() {
            Some(Level::Module(shape)) => {
                shape.read(payload, &mut self.sizes)?;
                if !nested {
                    self.note_module(payload)?;
                }
                Ok(())
            }
            Some(Level::Component(_)) => {
                self.count_items(payload)?;
                self.check_component(payload, nested)
            }
            // The validator knows what to say about a file that does not begin with a header.
            None => Ok(()),
        }
    }

    fn enter(&mut self, encoding: Encoding, offset: usize) -> Result<(), Refusal> {
        self.outermost.get_or_insert(encoding);
        let depth = self.levels.len() as u64;
        match encoding {
            Encoding::Module => {
                if depth > 1 {
                    return Err(Refusal::NestedCode { offset });
                }
                self.sizes.core_modules += 1;
                self.levels.push(Level::Module(Shape::default()));
                rules::limit(
                    "core modules",
                    self.sizes.core_modules,
                    MAX_CORE_INSTANCES.into(),
                )
            }
            Encoding::Component => {
                self.levels.push(Level::Component(Component {
                    instances: 1,
                    ..Component::default()
                }));
                rules::limit("components inside each other", depth, MAX_COMPONENT_DEPTH)
            }
        }
    }

    /// What follows from a section that is valid.
    fn after(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::End(_) => self.leave(),
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } =
                        instance.map_err(rules::invalid)?
                    {
                        self.instantiate_module(module_index)?;
                    }
                }
                Ok(())
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    if let ComponentInstance::Instantiate {
                        component_index, ..
                    } = instance.map_err(rules::invalid)?
                    {
                        self.instantiate_component(component_index)?;
                    }
                }
                Ok(())
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias.map_err(rules::invalid)?);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn leave(&mut self) -> Result<(), Refusal> {
        let left = self.levels.pop();
        match (left, self.levels.last_mut()) {
            (Some(Level::Module(shape)), Some(Level::Component(parent))) => {
                parent.modules.push(shape);
            }
            (Some(Level::Component(component)), Some(Level::Component(parent))) => {
                parent.components.push(component.instances);
            }
            (Some(Level::Module(shape)), None) => self.add_instance(&shape)?,
            _ => {}
        }
        Ok(())
    }

    fn count_items(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        let count = match payload {
            Payload::InstanceSection(s) => s.count(),
            Payload::CoreTypeSection(s) => s.count(),
            Payload::ComponentInstanceSection(s) => s.count(),
            Payload::ComponentAliasSection(s) => s.count(),
            Payload::ComponentTypeSection(s) => s.count(),
            Payload::ComponentCanonicalSection(s) => s.count(),
            Payload::ComponentImportSection(s) => s.count(),
            Payload::ComponentExportSection(s) => s.count(),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => 1,
            _ => 0,
        };
        self.items += u64::from(count);
        rules::limit(
            "entries of component sections",
            self.items,
            MAX_COMPONENT_ITEMS,
        )
    }

    fn check_component(&mut self, payload: &Payload<'_>, nested: bool) -> Result<(), Refusal> {
        match payload {
            Payload::ModuleSection {
                unchecked_range, ..
            } if nested => Err(Refusal::NestedCode {
                offset: unchecked_range.start,
            }),
            Payload::InstanceSection(section) if nested => Err(Refusal::NestedCode {
                offset: section.range().start,
            }),
            Payload::ComponentStartSection { range, .. } => {
                Err(rules::component_start(range.start))
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    if let ComponentAlias::InstanceExport { kind, .. } =
                        alias.map_err(rules::invalid)?
                    {
                        check_kind(kind, section.range().start)?;
                    }
                }
                Ok(())
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import.map_err(rules::invalid)?;
                    check_kind(import.ty.kind(), section.range().start)?;
                    if !nested {
                        self.imports.push((String::new(), import.name.name.into()));
                    }
                }
                Ok(())
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export.map_err(rules::invalid)?;
                    check_kind(export.kind, section.range().start)?;
                    if !nested {
                        self.exports.push(export.name.name.into());
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note_module(&mut self, payload: &Payload<'_>) -> Result<(), Refusal> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import.map_err(rules::invalid)?;
                    self.imports
                        .push((import.module.into(), import.name.into()));
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    self.exports
                        .push(export.map_err(rules::invalid)?.name.into());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn instantiate_module(&mut self, index: u32) -> Result<(), Refusal> {
        let Some(Level::Component(component)) = self.levels.last() else {
            return Ok(());
        };
        match component.modules.get(index as usize).cloned() {
            Some(shape) => self.add_instance(&shape),
            None => Ok(()),
        }
    }

    fn add_instance(&mut self, shape: &Shape) -> Result<(), Refusal> {
        let sizes = &mut self.sizes;
        sizes.core_instances += 1;
        sizes.tables += shape.tables;
        sizes.memories.extend(&shape.memories);
        let memories = sizes.memories.len() as u64;
        rules::limit(
            "core instances",
            sizes.core_instances,
            MAX_CORE_INSTANCES.into(),
        )?;
        rules::limit(
            "tables of all core instances",
            sizes.tables,
            MAX_TABLES.into(),
        )?;
        rules::limit(
            "memories of all core instances",
            memories,
            MAX_MEMORIES.into(),
        )
    }

    fn instantiate_component(&mut self, index: u32) -> Result<(), Refusal> {
        let Some(Level::Component(component)) = self.levels.last_mut() else {
            return Ok(());
        };
        let expands_to = component.components.get(index as usize);
        component.instances += expands_to.copied().unwrap_or(1);
        rules::limit(
            "component instances",
            component.instances,
            MAX_COMPONENT_INSTANCES,
        )
    }

    /// Keeps the index spaces of core modules and components true.
    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        let ComponentAlias::Outer { kind, count, index } = alias else {
            return;
        };
        let index = *index as usize;
        let from = self.levels.len().checked_sub(1 + *count as usize);
        let Some(Level::Component(outer)) = from.and_then(|level| self.levels.get(level)) else {
            return;
        };
        let module = outer.modules.get(index).cloned();
        let component = outer.components.get(index).copied();
        let Some(Level::Component(inner)) = self.levels.last_mut() else {
            return;
        };
        match kind {
            ComponentOuterAliasKind::CoreModule => inner.modules.extend(module),
            ComponentOuterAliasKind::Component => inner.components.extend(component),
            ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
        }
    }
}

/// Core modules and components that are passed around could be instantiated anywhere: no count
/// would hold.
fn check_kind(kind: ComponentExternalKind, offset: usize) -> Result<(), Refusal> {
    let what = match kind {
        ComponentExternalKind::Module => "core module",
        ComponentExternalKind::Component => "component",
        _ => return Ok(()),
    };
    Err(Refusal::CodeAsValue { what, offset })
}
