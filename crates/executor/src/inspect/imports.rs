//! Judges what a file imports, one by one.

use std::collections::HashSet;

use wasmparser::{
    component_types::{ComponentAnyTypeId, ComponentEntityType, ComponentInstanceType, ResourceId},
    types::TypesRef,
};

use super::{allowed, report::Import};

/// A component's imports, in order.
pub(super) fn of_component(names: Vec<String>, types: TypesRef<'_>) -> Vec<Import> {
    let mut known = HashSet::new();
    let mut judge = |name: String| {
        let item = types.component_item_for_import(&name).map(|item| item.ty);
        let items = match item {
            Some(ComponentEntityType::Instance(id)) => {
                types.get(id).map(|ty| items(ty, &mut known))
            }
            _ => None,
        };
        // A bare function or type has a name without a package, which is never provided.
        let checked = allowed::check_interface(&name, items.unwrap_or_default());
        Import {
            name,
            refusal: checked.err(),
        }
    };
    names.into_iter().map(&mut judge).collect()
}

/// What a host must provide for an interface: functions, and the resources that it introduces.
/// Plain types are part of the functions' types; a resource that was `known` before is used from
/// another interface.
fn items<'a>(instance: &'a ComponentInstanceType, known: &mut HashSet<ResourceId>) -> Vec<&'a str> {
    let mut is_provided = |ty: &ComponentEntityType| match ty {
        ComponentEntityType::Type {
            referenced: ComponentAnyTypeId::Resource(id),
            ..
        } => known.insert(id.resource()),
        ComponentEntityType::Type { .. } => false,
        _ => true,
    };
    instance
        .exports
        .iter()
        .filter(|(_, item)| is_provided(&item.ty))
        .map(|(name, _)| name.as_str())
        .collect()
}

/// A core module's imports, in order.
pub(super) fn of_module(imports: Vec<(String, String)>) -> Vec<Import> {
    let judge = |(module, name): (String, String)| Import {
        refusal: allowed::check_preview1(&module, &name).err(),
        name: format!("{module}#{name}"),
    };
    imports.into_iter().map(judge).collect()
}
