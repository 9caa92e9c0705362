//! Judges what a file imports, one by one.

use wasmparser::component_types::{
    ComponentEntityType, ComponentFuncTypeId, ComponentInstanceType, ResourceId,
};

use super::{
    allowed,
    contract::{Interface, contract},
    refusal::Refusal,
    report::Import,
    signature::{Scope, resource},
};

/// A component's imports, in order.
pub(super) fn of_component(names: &[String], scope: &Scope<'_>) -> Vec<Import> {
    let judge = |name: &String| Import {
        name: name.clone(),
        refusal: check(name, scope).err(),
    };
    names.iter().map(judge).collect()
}

fn check(name: &str, scope: &Scope<'_>) -> Result<(), Refusal> {
    let provided = allowed::interface(name)?;
    let item = scope.types.component_item_for_import(name);
    let instance = match item.map(|item| item.ty) {
        Some(ComponentEntityType::Instance(id)) => scope.types.get(id),
        _ => None,
    };
    let instance = instance.ok_or_else(|| Refusal::NotAnInterface { name: name.into() })?;
    Asked {
        name,
        provided,
        scope,
    }
    .check(instance)
}

/// An interface that a component asks for, and the one that it would get.
struct Asked<'a> {
    name: &'a str,
    provided: Interface,
    scope: &'a Scope<'a>,
}

impl Asked<'_> {
    /// Whether everything in it is provided as it is asked for. Plain types are part of the
    /// functions' types.
    fn check(&self, instance: &ComponentInstanceType) -> Result<(), Refusal> {
        for (item, entity) in &instance.exports {
            match &entity.ty {
                ComponentEntityType::Func(id) => self.check_function(item, *id)?,
                ComponentEntityType::Type { .. } => {
                    resource(&entity.ty).map_or(Ok(()), |id| self.check_resource(item, id))?;
                }
                _ => return Err(self.unknown(item)),
            }
        }
        Ok(())
    }

    fn check_function(&self, item: &str, id: ComponentFuncTypeId) -> Result<(), Refusal> {
        let expected = self.provided.function(item);
        let expected = expected.ok_or_else(|| self.unknown(item))?;
        let contract = &contract().scope;
        let found = self.scope.types.get(id);
        if found.is_some_and(|found| self.scope.is_same(found, contract, expected)) {
            return Ok(());
        }
        let found = found.map_or_else(String::new, |found| self.scope.text(found));
        Err(self.unlike(item, contract.text(expected), found))
    }

    /// A resource that the component introduces here must be provided here, and one that is
    /// provided here must not be another one to the component.
    fn check_resource(&self, item: &str, id: ResourceId) -> Result<(), Refusal> {
        let origin = self.scope.origin(id);
        let is_here = origin == Some((self.provided.path, item));
        match (is_here, self.provided.has_resource(item)) {
            (true, false) => Err(self.unknown(item)),
            (false, true) => {
                let (interface, name) = origin.unwrap_or_default();
                let expected = format!("resource {}.{item}", self.provided.path);
                Err(self.unlike(item, expected, format!("resource {interface}.{name}")))
            }
            _ => Ok(()),
        }
    }

    fn unknown(&self, item: &str) -> Refusal {
        Refusal::ImportItem {
            interface: self.name.into(),
            item: item.into(),
        }
    }

    fn unlike(&self, item: &str, expected: String, found: String) -> Refusal {
        Refusal::ImportType {
            interface: self.name.into(),
            item: item.into(),
            expected,
            found,
        }
    }
}

/// A core module's imports, in order.
pub(super) fn of_module(imports: Vec<(String, String)>) -> Vec<Import> {
    let judge = |(module, name): (String, String)| Import {
        refusal: allowed::check_preview1(&module, &name).err(),
        name: format!("{module}#{name}"),
    };
    imports.into_iter().map(judge).collect()
}
