//! Compares the types of component functions, and writes them as WIT would.

use std::collections::HashMap;

use wasmparser::{
    PrimitiveValType,
    component_types::{
        AliasableResourceId, ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType,
        ComponentFuncType, ComponentValType, ResourceId,
    },
    names::KebabString,
    types::TypesRef,
};

/// One component's types, and where the resources in them come from.
pub(super) struct Scope<'a> {
    pub types: TypesRef<'a>,
    resources: HashMap<ResourceId, Origin<'a>>,
}

/// Where a resource comes from: an interface, without its version, and the name there.
pub(super) type Origin<'a> = (&'a str, &'a str);

/// A type below all the names that were given to it.
enum Shape<'a> {
    Primitive(PrimitiveValType),
    Defined(&'a ComponentDefinedType),
}

impl<'a> Scope<'a> {
    /// The scope of a component that imports these, in its order.
    pub fn new(
        types: TypesRef<'a>,
        imports: impl IntoIterator<Item = (&'a str, ComponentEntityType)>,
    ) -> Self {
        let mut resources = HashMap::new();
        for (name, ty) in imports {
            let ComponentEntityType::Instance(id) = ty else {
                continue;
            };
            let interface = name.split_once('@').map_or(name, |(path, _)| path);
            let items = types.get(id).into_iter().flat_map(|ty| &ty.exports);
            for (item, entity) in items {
                if let Some(resource) = resource(&entity.ty) {
                    // One that is there already is used from another interface.
                    resources
                        .entry(resource)
                        .or_insert((interface, item.as_str()));
                }
            }
        }
        Self { types, resources }
    }

    /// The scope of a component whose imports have these names.
    pub fn of_imports(types: TypesRef<'a>, names: &'a [String]) -> Self {
        let imports = names.iter().filter_map(|name| {
            let item = types.component_item_for_import(name)?;
            Some((name.as_str(), item.ty))
        });
        Self::new(types, imports)
    }

    /// Where a resource comes from. `None`: from no import.
    pub fn origin(&self, resource: ResourceId) -> Option<Origin<'a>> {
        self.resources.get(&resource).copied()
    }

    /// Whether the function `found` of this scope is one that takes and returns what `expected` of
    /// the other does. As the engine has it: names of fields and cases count, those of parameters
    /// do not. Takes no longer than `expected` is large, whatever is found.
    pub fn is_same(
        &self,
        found: &ComponentFuncType,
        other: &Scope<'_>,
        expected: &ComponentFuncType,
    ) -> bool {
        let pair = Pair {
            found: self,
            expected: other,
        };
        let results = (found.result.as_ref(), expected.result.as_ref());
        found.async_ == expected.async_
            && pair.optional(results.0, results.1)
            && pair.all(
                found.params.iter().map(|(_, ty)| ty),
                expected.params.iter().map(|(_, ty)| ty),
            )
    }

    /// The function's type as text, without the names of parameters; cut where it grows too long.
    pub fn text(&self, ty: &ComponentFuncType) -> String {
        let mut text = Text {
            text: "func(".into(),
            scope: self,
        };
        text.list(&ty.params, |text, (_, param)| text.value(param));
        text.push(")");
        if let Some(result) = &ty.result {
            text.push(" -> ");
            text.value(result);
        }
        if text.is_full() {
            text.text.push('…');
        }
        text.text
    }

    fn shape(&self, ty: &ComponentValType) -> Option<Shape<'a>> {
        match ty {
            ComponentValType::Primitive(primitive) => Some(Shape::Primitive(*primitive)),
            ComponentValType::Type(id) => Some(match self.types.get(*id)? {
                ComponentDefinedType::Primitive(primitive) => Shape::Primitive(*primitive),
                defined => Shape::Defined(defined),
            }),
        }
    }
}

/// Two scopes, of which types are compared.
struct Pair<'a> {
    found: &'a Scope<'a>,
    expected: &'a Scope<'a>,
}

impl Pair<'_> {
    fn value(&self, found: &ComponentValType, expected: &ComponentValType) -> bool {
        match (self.found.shape(found), self.expected.shape(expected)) {
            (Some(Shape::Primitive(found)), Some(Shape::Primitive(expected))) => found == expected,
            (Some(Shape::Defined(found)), Some(Shape::Defined(expected))) => {
                self.defined(found, expected)
            }
            _ => false,
        }
    }

    fn optional(
        &self,
        found: Option<&ComponentValType>,
        expected: Option<&ComponentValType>,
    ) -> bool {
        match (found, expected) {
            (Some(found), Some(expected)) => self.value(found, expected),
            (found, expected) => found.is_none() && expected.is_none(),
        }
    }

    fn all<'t>(
        &self,
        found: impl ExactSizeIterator<Item = &'t ComponentValType>,
        expected: impl ExactSizeIterator<Item = &'t ComponentValType>,
    ) -> bool {
        found.len() == expected.len()
            && found
                .zip(expected)
                .all(|(found, expected)| self.value(found, expected))
    }

    fn defined(&self, found: &ComponentDefinedType, expected: &ComponentDefinedType) -> bool {
        use ComponentDefinedType::{
            Borrow, Enum, Flags, List, Option, Own, Record, Result, Tuple, Variant,
        };
        match (found, expected) {
            (List { element: found, .. }, List { element, .. }) => self.value(found, element),
            (Option { ty: found, .. }, Option { ty, .. }) => self.value(found, ty),
            (Tuple(found), Tuple(expected)) => self.all(found.types.iter(), expected.types.iter()),
            (Record(found), Record(expected)) => {
                found.fields.keys().eq(expected.fields.keys())
                    && self.all(found.fields.values(), expected.fields.values())
            }
            (Variant(found), Variant(expected)) => {
                let mut payloads = found.cases.values().zip(expected.cases.values());
                found.cases.keys().eq(expected.cases.keys())
                    && payloads
                        .all(|(found, case)| self.optional(found.ty.as_ref(), case.ty.as_ref()))
            }
            (
                Result { ok, err, .. },
                Result {
                    ok: expected_ok,
                    err: expected_err,
                    ..
                },
            ) => {
                self.optional(ok.as_ref(), expected_ok.as_ref())
                    && self.optional(err.as_ref(), expected_err.as_ref())
            }
            (Flags(found), Flags(expected)) | (Enum(found), Enum(expected)) => {
                found.iter().eq(expected.iter())
            }
            (Own(found), Own(expected)) | (Borrow(found), Borrow(expected)) => {
                self.resource(found, expected)
            }
            _ => false,
        }
    }

    /// Resources are the same where they come from the same place.
    fn resource(&self, found: &AliasableResourceId, expected: &AliasableResourceId) -> bool {
        let found = self.found.origin(found.resource());
        found.is_some() && found == self.expected.origin(expected.resource())
    }
}

/// The resource that an interface gives a name to, if it is one.
pub(super) fn resource(ty: &ComponentEntityType) -> Option<ResourceId> {
    match ty {
        ComponentEntityType::Type {
            referenced: ComponentAnyTypeId::Resource(id),
            ..
        } => Some(id.resource()),
        _ => None,
    }
}

/// The text of a type stops growing here: a type can be exponentially longer than the bytes that
/// define it.
const MAX_TEXT: usize = 400;

struct Text<'a> {
    text: String,
    scope: &'a Scope<'a>,
}

impl Text<'_> {
    fn is_full(&self) -> bool {
        self.text.len() >= MAX_TEXT
    }

    fn push(&mut self, part: &str) {
        if !self.is_full() {
            let room = part.floor_char_boundary(MAX_TEXT - self.text.len());
            self.text.push_str(&part[..room]);
        }
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        for (index, item) in items.into_iter().enumerate() {
            if self.is_full() {
                return;
            }
            if index > 0 {
                self.push(", ");
            }
            each(self, item);
        }
    }

    fn value(&mut self, ty: &ComponentValType) {
        if self.is_full() {
            return;
        }
        match self.scope.shape(ty) {
            Some(Shape::Primitive(primitive)) => self.push(&primitive.to_string()),
            Some(Shape::Defined(ty)) => self.defined(ty),
            None => {}
        }
    }

    fn wrapped<'a>(&mut self, name: &str, parts: impl IntoIterator<Item = &'a ComponentValType>) {
        self.push(name);
        self.push("<");
        self.list(parts, Self::value);
        self.push(">");
    }

    /// What stands between braces.
    fn braced<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        each: impl FnMut(&mut Self, T),
    ) {
        self.push(name);
        self.push("{");
        self.list(items, each);
        self.push("}");
    }

    fn defined(&mut self, ty: &ComponentDefinedType) {
        let name = |text: &mut Self, name: &KebabString| text.push(name.as_str());
        match ty {
            ComponentDefinedType::Primitive(primitive) => self.push(&primitive.to_string()),
            ComponentDefinedType::List { element, .. } => self.wrapped("list", [element]),
            ComponentDefinedType::Option { ty, .. } => self.wrapped("option", [ty]),
            ComponentDefinedType::Tuple(tuple) => self.wrapped("tuple", &tuple.types),
            ComponentDefinedType::Record(record) => {
                self.braced("record", &record.fields, |text, (name, ty)| {
                    text.push(name.as_str());
                    text.push(": ");
                    text.value(ty);
                });
            }
            ComponentDefinedType::Variant(variant) => {
                self.braced("variant", &variant.cases, |text, (name, case)| {
                    text.push(name.as_str());
                    if let Some(ty) = &case.ty {
                        text.push("(");
                        text.value(ty);
                        text.push(")");
                    }
                });
            }
            ComponentDefinedType::Result { ok, err, .. } => self.result(ok.as_ref(), err.as_ref()),
            ComponentDefinedType::Flags(names) => self.braced("flags", names, name),
            ComponentDefinedType::Enum(names) => self.braced("enum", names, name),
            ComponentDefinedType::Own(resource) => self.handle("own", resource),
            ComponentDefinedType::Borrow(resource) => self.handle("borrow", resource),
            ComponentDefinedType::Map { .. }
            | ComponentDefinedType::FixedLengthList { .. }
            | ComponentDefinedType::Future { .. }
            | ComponentDefinedType::Stream { .. } => self.push("refused"),
        }
    }

    fn handle(&mut self, kind: &str, resource: &AliasableResourceId) {
        let origin = self.scope.origin(resource.resource());
        let (interface, name) = origin.unwrap_or(("unknown", "resource"));
        for part in [kind, "<", interface, ".", name, ">"] {
            self.push(part);
        }
    }

    fn result(&mut self, ok: Option<&ComponentValType>, err: Option<&ComponentValType>) {
        match (ok, err) {
            (None, None) => self.push("result"),
            (Some(ok), None) => self.wrapped("result", [ok]),
            (Some(ok), Some(err)) => self.wrapped("result", [ok, err]),
            (None, Some(err)) => {
                self.push("result<_, ");
                self.value(err);
                self.push(">");
            }
        }
    }
}
