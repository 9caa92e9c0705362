//! Reads a component once, before anything is written: it is validated, and refused if it has code
//! where the meter does not reach.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, Encoding,
    Instance, Parser, Payload, Validator,
};

use super::{
    modules::{Module, Modules},
    weight::Weight,
};
use crate::{METER, MeterError, features};

/// The core modules of a component in their order.
///
/// The bodies of their functions are all that is not validated here: metering them does that.
pub(super) fn survey(bytes: &[u8]) -> Result<Vec<Module<'_>>, MeterError> {
    let mut survey = Survey {
        open: Vec::new(),
        modules: Modules::default(),
        weight: Weight::new(bytes),
    };
    let mut validator = Validator::new_with_features(features());
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(bytes) {
        let payload = payload?;
        check_range(&payload, bytes.len())?;
        survey.check(&payload)?;
        validator.payload(&payload)?;
        survey.note(&payload)?;
    }
    Ok(survey.modules.finish())
}

struct Survey<'a> {
    /// What is being read, outermost first.
    open: Vec<Encoding>,
    modules: Modules<'a>,
    weight: Weight<'a>,
}

const MODULE: &str = "a core module in the place of a component";
const NESTED: &str = "a component inside of another one that has code of its own";
const CUT: &str = "a component that is cut off";
const START: &str = "a component with a start function of its own";
const MODULE_IMPORT: &str = "a component that imports core modules";
const COMPONENT_IMPORT: &str = "a component that imports components";
pub(super) const MODULE_VALUE: &str = "a component that passes core modules around";
const COMPONENT_VALUE: &str = "a component that passes components around";

impl<'a> Survey<'a> {
    /// What must hold before the validator sees a section.
    fn check(&mut self, payload: &Payload<'a>) -> Result<(), MeterError> {
        match (payload, self.open.as_slice()) {
            (Payload::Version { encoding, .. }, outer) => {
                if outer.is_empty() && *encoding == Encoding::Module {
                    return Err(MeterError::Unsupported(MODULE));
                }
                self.open.push(*encoding);
                match encoding {
                    Encoding::Component => self.weight.enter(),
                    Encoding::Module => Ok(()),
                }
            }
            (_, [.., Encoding::Module]) => Ok(()),
            (_, [_]) => {
                check_names(payload)?;
                self.weight.charge(self.modules.weight(payload)?)?;
                self.check_component(payload)
            }
            _ => {
                check_nested(payload)?;
                self.check_component(payload)
            }
        }
    }

    fn check_component(&mut self, payload: &Payload<'a>) -> Result<(), MeterError> {
        check_values(payload)?;
        self.weight.add(payload)
    }

    /// What follows from a section that is valid.
    fn note(&mut self, payload: &Payload<'a>) -> Result<(), MeterError> {
        match (payload, self.open.as_slice()) {
            (Payload::End(_), _) => _ = self.open.pop(),
            (_, [_, Encoding::Module]) => self.modules.note_in_module(payload)?,
            (_, [_]) => self.modules.note(payload)?,
            _ => {}
        }
        Ok(())
    }
}

/// The parser does not look whether what stands inside of a component is all there.
fn check_range(payload: &Payload<'_>, length: usize) -> Result<(), MeterError> {
    match payload {
        Payload::ModuleSection {
            unchecked_range: range,
            ..
        }
        | Payload::ComponentSection {
            unchecked_range: range,
            ..
        } if range.end > length => Err(MeterError::Unsupported(CUT)),
        _ => Ok(()),
    }
}

/// Nothing that the host or the core modules see has a name of the meter.
fn check_names(payload: &Payload<'_>) -> Result<(), MeterError> {
    match payload {
        Payload::ComponentImportSection(imports) => {
            for import in imports.clone() {
                check_name(import?.name.name)?;
            }
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports.clone() {
                check_name(export?.name.name)?;
            }
        }
        Payload::InstanceSection(instances) => {
            for instance in instances.clone() {
                if let Instance::Instantiate { args, .. } = instance?
                    && args.iter().any(|arg| arg.name == METER)
                {
                    return Err(MeterError::Reserved(METER.into()));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// Names are compared as the component model does it: without their case, and without what is said
/// of a function in brackets.
fn check_name(name: &str) -> Result<(), MeterError> {
    let bare = name.strip_prefix('[').and_then(|name| name.split_once(']'));
    let bare = bare.map_or(name, |(_, bare)| bare).to_ascii_lowercase();
    let package = bare.split(['/', '@']).next();
    if bare.starts_with("opensky-") || package == Some(METER) {
        return Err(MeterError::Reserved(name.into()));
    }
    Ok(())
}

/// A component inside of another one has nothing that runs. The meter cannot be called from there,
/// and what an engine does to pass values between components is not metered.
fn check_nested(payload: &Payload<'_>) -> Result<(), MeterError> {
    match payload {
        Payload::ModuleSection { .. }
        | Payload::InstanceSection(_)
        | Payload::ComponentCanonicalSection(_) => Err(MeterError::Unsupported(NESTED)),
        _ => Ok(()),
    }
}

/// All code is in the core modules of the outermost component, and is instantiated there.
fn check_values(payload: &Payload<'_>) -> Result<(), MeterError> {
    match payload {
        Payload::ComponentStartSection { .. } => return Err(MeterError::Unsupported(START)),
        Payload::ComponentImportSection(imports) => {
            for import in imports.clone() {
                refuse(import?.ty.kind(), MODULE_IMPORT, COMPONENT_IMPORT)?;
            }
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports.clone() {
                check_value(export?.kind)?;
            }
        }
        Payload::ComponentAliasSection(aliases) => {
            for alias in aliases.clone() {
                check_alias(&alias?)?;
            }
        }
        Payload::ComponentInstanceSection(instances) => {
            for instance in instances.clone() {
                check_instance(&instance?)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn check_alias(alias: &ComponentAlias<'_>) -> Result<(), MeterError> {
    match alias {
        ComponentAlias::InstanceExport { kind, .. } => check_value(*kind),
        ComponentAlias::Outer {
            kind: ComponentOuterAliasKind::CoreModule,
            ..
        } => check_value(ComponentExternalKind::Module),
        _ => Ok(()),
    }
}

fn check_instance(instance: &ComponentInstance<'_>) -> Result<(), MeterError> {
    match instance {
        ComponentInstance::Instantiate { args, .. } => {
            args.iter().try_for_each(|arg| check_value(arg.kind))
        }
        ComponentInstance::FromExports(exports) => exports
            .iter()
            .try_for_each(|export| check_value(export.kind)),
    }
}

fn check_value(kind: ComponentExternalKind) -> Result<(), MeterError> {
    refuse(kind, MODULE_VALUE, COMPONENT_VALUE)
}

fn refuse(
    kind: ComponentExternalKind,
    module: &'static str,
    component: &'static str,
) -> Result<(), MeterError> {
    match kind {
        ComponentExternalKind::Module => Err(MeterError::Unsupported(module)),
        ComponentExternalKind::Component => Err(MeterError::Unsupported(component)),
        _ => Ok(()),
    }
}
