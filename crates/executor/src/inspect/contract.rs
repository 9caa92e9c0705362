//! The contract between the sandbox and a component, as WIT has it: every interface that is
//! provided, every export that is called, and the types of their functions.

use std::sync::LazyLock;

use wasmparser::{
    Validator,
    component_types::{
        ComponentAnyTypeId, ComponentEntityType, ComponentFuncType, ComponentInstanceType,
        ComponentItem, ComponentType,
    },
    types::{Types, TypesRef},
};
use wit_parser::Resolve;

use super::{
    rules,
    signature::{Scope, resource},
};

/// Our own interfaces, and those of WASI with the world that a guest lives in.
const WIT: [(&str, &str); 2] = [
    ("opensky.wit", include_str!("../../../../wit/opensky.wit")),
    ("guest.wit", include_str!("guest.wit")),
];

/// What the sandbox and a component are to each other.
pub(super) struct Contract {
    pub scope: Scope<'static>,
    world: &'static ComponentType,
}

/// An interface of the contract.
#[derive(Clone, Copy)]
pub(super) struct Interface {
    pub path: &'static str,
    /// Any other one with the same first two numbers is as good.
    pub version: &'static str,
    items: &'static ComponentInstanceType,
    scope: &'static Scope<'static>,
}

/// The contract, which is read when it is first asked for.
pub(super) fn contract() -> &'static Contract {
    static TYPES: LazyLock<Types> = LazyLock::new(encoded);
    static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract::of(&TYPES));
    &CONTRACT
}

/// The types of our WIT, in the form in which those of a component are.
fn encoded() -> Types {
    let mut resolve = Resolve::default();
    let packages = WIT.map(|(name, text)| resolve.push_str(name, text));
    let [_, package] = packages.map(|package| package.expect("our WIT parses"));
    let bytes = wit_component::encode(&resolve, package).expect("our WIT can be encoded");
    Validator::new_with_features(rules::FEATURES)
        .validate_all(&bytes)
        .expect("our WIT uses nothing that is refused")
}

impl Contract {
    fn of(types: &'static Types) -> Self {
        let types = types.as_ref();
        let world = world(types).expect("a world is encoded as a component type in another one");
        let imports = world.imports.iter();
        let scope = Scope::new(types, imports.map(|(name, item)| (name.as_str(), item.ty)));
        Self { scope, world }
    }

    /// The interface of that name, without a version, if it is provided.
    pub fn import(&'static self, path: &str) -> Option<Interface> {
        self.find(&self.world.imports, path)
    }

    /// The interface of that name, without a version, if its functions are called.
    pub fn export(&'static self, path: &str) -> Option<Interface> {
        self.find(&self.world.exports, path)
    }

    /// In which version the interfaces of a package are provided.
    pub fn version_of(&'static self, package: &str) -> Option<&'static str> {
        let names = self.world.imports.keys();
        let mut interfaces = names.filter_map(|name| name.split_once('@'));
        let found = interfaces.find(|(path, _)| {
            let name = path.split_once('/');
            name.is_some_and(|(name, _)| name == package)
        });
        found.map(|(_, version)| version)
    }

    fn find(
        &'static self,
        items: impl IntoIterator<Item = (&'static String, &'static ComponentItem)>,
        path: &str,
    ) -> Option<Interface> {
        items.into_iter().find_map(|(name, item)| {
            let (found, version) = name.split_once('@')?;
            let ComponentEntityType::Instance(id) = item.ty else {
                return None;
            };
            (found == path).then_some(Interface {
                path: found,
                version,
                items: self.scope.types.get(id)?,
                scope: &self.scope,
            })
        })
    }
}

impl Interface {
    /// The type of one of its functions.
    pub fn function(self, name: &str) -> Option<&'static ComponentFuncType> {
        match self.items.exports.get(name)?.ty {
            ComponentEntityType::Func(id) => self.scope.types.get(id),
            _ => None,
        }
    }

    /// All its functions.
    pub fn functions(self) -> impl Iterator<Item = (&'static str, &'static ComponentFuncType)> {
        let names = self.items.exports.keys();
        names.filter_map(move |name| Some((name.as_str(), self.function(name)?)))
    }

    /// Whether it has a resource of that name, which it does not use from another interface.
    pub fn has_resource(self, name: &str) -> bool {
        let item = self.items.exports.get(name);
        let resource = item.and_then(|item| resource(&item.ty));
        resource.is_some_and(|resource| self.scope.origin(resource) == Some((self.path, name)))
    }
}

/// The guest's world: a component type that the type exported last exports.
fn world(types: TypesRef<'static>) -> Option<&'static ComponentType> {
    let ComponentEntityType::Type {
        referenced: ComponentAnyTypeId::Component(wrapper),
        ..
    } = types.component_item_for_export("guest")?.ty
    else {
        return None;
    };
    let (_, world) = types.get(wrapper)?.exports.iter().next()?;
    match world.ty {
        ComponentEntityType::Component(id) => types.get(id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_has_functions_resources_and_versions() {
        let contract = contract();
        assert_eq!(contract.version_of("wasi:io"), Some("0.2.12"));
        assert_eq!(contract.version_of("opensky:compute"), Some("0.1.0"));
        assert_eq!(contract.version_of("wasi"), None);
        let streams = contract.import("wasi:io/streams").unwrap();
        assert!(streams.has_resource("input-stream"));
        assert!(!streams.has_resource("error"), "it is another interface's");
        assert!(!streams.has_resource("[method]input-stream.read"));
        let splice = streams.function("[method]output-stream.splice").unwrap();
        assert_eq!(
            contract.scope.text(splice),
            "func(borrow<wasi:io/streams.output-stream>, borrow<wasi:io/streams.input-stream>, \
             u64) -> result<u64, variant{last-operation-failed(own<wasi:io/error.error>), closed}>"
        );
        let run = contract.export("wasi:cli/run").unwrap();
        let functions = run
            .functions()
            .map(|(name, ty)| (name, contract.scope.text(ty)));
        assert_eq!(
            functions.collect::<Vec<_>>(),
            [("run", "func() -> result".to_owned())]
        );
        assert!(contract.import("wasi:cli/run").is_none());
    }
}
