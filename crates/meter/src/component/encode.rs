//! Writes a component anew behind the prefix: every index that leads outwards is shifted, and every
//! core instance gets the meter.

use std::mem;

use wasm_encoder::{
    Component, ComponentSectionId, InstanceSection, ModuleArg, NestedComponentSection, RawSection,
    reencode::{Error, Reencode, ReencodeComponent, component_utils},
};
use wasmparser::{CustomSectionReader, Instance, KnownCustom, Parser, Payload};

use super::prefix::{self, METER_INSTANCE, shift};
use crate::{METER, MeterError, features};

/// The component of `bytes`, which is valid, with `modules` in the place of its own, and `startup`
/// fuel paid by its instances.
pub(super) fn encode(
    bytes: &[u8],
    modules: &[Vec<u8>],
    startup: u64,
) -> Result<Vec<u8>, MeterError> {
    let mut writer = Writer::default();
    let mut modules = modules.iter();
    let mut component = prefix::component(startup);
    let mut outer = Vec::new();
    let mut in_module = false;
    let mut parser = Parser::new(0);
    parser.set_features(features());
    for payload in parser.parse_all(bytes) {
        match payload? {
            Payload::End(_) if in_module => in_module = false,
            _ if in_module => {}
            Payload::ModuleSection { .. } => {
                in_module = true;
                component.section(&RawSection {
                    id: ComponentSectionId::CoreModule.into(),
                    data: modules.next().expect("every core module is metered"),
                });
            }
            Payload::ComponentSection { .. } => {
                writer.push_depth();
                outer.push(mem::take(&mut component));
            }
            Payload::End(_) => {
                if let Some(mut outer) = outer.pop() {
                    writer.pop_depth();
                    outer.section(&NestedComponentSection(&component));
                    component = outer;
                }
            }
            payload => writer.parse_component_payload(&mut component, payload, bytes)?,
        }
    }
    Ok(component.finish())
}

/// Shifts what belongs to the outermost component, seen from as many scopes inside of it as `depth`.
#[derive(Default)]
struct Writer {
    depth: u32,
}

impl Writer {
    /// An index of the innermost scope.
    fn here(&self, index: u32, shift: u32) -> u32 {
        self.outer(0, index, shift)
    }

    /// An index of the scope `count` scopes further out. Saturating: what names are given to is not
    /// validated.
    fn outer(&self, count: u32, index: u32, shift: u32) -> u32 {
        if count == self.depth {
            index.saturating_add(shift)
        } else {
            index
        }
    }
}

impl Reencode for Writer {
    type Error = MeterError;

    /// Core functions of a component. Those inside of core modules are none of this writer's.
    fn function_index(&mut self, index: u32) -> Result<u32, Error<MeterError>> {
        Ok(self.here(index, shift::CORE_FUNCS))
    }
}

impl ReencodeComponent for Writer {
    fn component_type_index(&mut self, index: u32) -> u32 {
        self.here(index, shift::COMPONENT_TYPES)
    }

    fn component_func_index(&mut self, index: u32) -> u32 {
        self.here(index, shift::COMPONENT_FUNCS)
    }

    fn module_index(&mut self, index: u32) -> u32 {
        self.here(index, shift::CORE_MODULES)
    }

    fn instance_index(&mut self, index: u32) -> u32 {
        self.here(index, shift::CORE_INSTANCES)
    }

    fn outer_type_index(&mut self, _count: u32, index: u32) -> Result<u32, Error<MeterError>> {
        Ok(index)
    }

    fn outer_component_type_index(&mut self, count: u32, index: u32) -> u32 {
        self.outer(count, index, shift::COMPONENT_TYPES)
    }

    fn outer_component_index(&mut self, _count: u32, index: u32) -> u32 {
        index
    }

    fn outer_module_index(&mut self, count: u32, index: u32) -> u32 {
        self.outer(count, index, shift::CORE_MODULES)
    }

    fn push_depth(&mut self) {
        self.depth += 1;
    }

    fn pop_depth(&mut self) {
        self.depth -= 1;
    }

    fn parse_instance(
        &mut self,
        instances: &mut InstanceSection,
        instance: Instance<'_>,
    ) -> Result<(), Error<MeterError>> {
        let Instance::Instantiate { module_index, args } = instance else {
            return component_utils::parse_instance(self, instances, instance);
        };
        let mut given = Vec::with_capacity(args.len() + 1);
        for arg in &args {
            given.push((
                arg.name,
                ModuleArg::Instance(self.instance_index(arg.index)),
            ));
        }
        given.push((METER, ModuleArg::Instance(METER_INSTANCE)));
        instances.instantiate(self.module_index(module_index), given);
        Ok(())
    }

    /// Names are for people: a section of them that cannot be read is left out.
    fn parse_component_custom_section(
        &mut self,
        component: &mut Component,
        section: CustomSectionReader<'_>,
    ) -> Result<(), Error<MeterError>> {
        match section.as_known() {
            KnownCustom::ComponentName(names) => {
                if let Ok(names) = self.custom_component_name_section(names) {
                    component.section(&names);
                }
            }
            _ => _ = component.section(&self.custom_section(section)?),
        }
        Ok(())
    }
}
