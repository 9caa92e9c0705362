//! Bounds what it takes to validate a component.
//!
//! A few lines can describe a type that is millions of entries long when it is written out, and a
//! validator writes types out wherever they are used. It also follows types into each other on the
//! native stack. So each type is weighed here first, without either.

use std::{collections::BTreeMap, rc::Rc};

use wasmparser::{
    BinaryReader, BinaryReaderError, CanonicalFunction, ComponentAlias, ComponentDefinedType,
    ComponentExport, ComponentExternalKind, ComponentImport, ComponentInstance,
    ComponentOuterAliasKind, ComponentType, ComponentTypeRef, ComponentTypeSectionReader,
    ComponentValType, CoreType, InstanceTypeDeclaration, Payload, TypeBounds,
};

use crate::{MeterError, features};

/// What all types and uses of types in a component may weigh together: a validator that writes them
/// all out needs a tenth of a second and a hundred megabytes. The heaviest interpreter known weighs a
/// sixteenth.
const MAX_WEIGHT: u64 = 1 << 19;
/// How often a type may be a part of a part of another one, and how many components and types may be
/// open inside of each other. Compilers need about ten; validators give up at a hundred.
const MAX_DEPTH: usize = 64;
/// A resource is a new type again wherever it comes by.
const RESOURCE: Size = Size {
    weight: 16,
    depth: 1,
};

const TOO_HEAVY: MeterError = MeterError::Unsupported("a component with types of this size");
const TOO_DEEP: MeterError = MeterError::Unsupported("a component with types of this depth");

/// A type as if everything in it was written out.
#[derive(Clone, Copy)]
struct Size {
    weight: u64,
    depth: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            weight: 1,
            depth: 1,
        }
    }
}

impl Size {
    fn add(&mut self, part: Self) {
        self.weight = self.weight.saturating_add(part.weight);
        self.depth = self.depth.max(part.depth + 1);
    }
}

/// What an index stands for.
#[derive(Clone, Default)]
struct Shape<'a> {
    size: Size,
    /// What an instance, or an instance of a component, exports.
    exports: Option<Rc<BTreeMap<&'a str, Shape<'a>>>>,
}

impl Shape<'_> {
    fn of(size: Size) -> Result<Self, MeterError> {
        if size.depth > MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        Ok(Self {
            size,
            exports: None,
        })
    }
}

/// A component, or a type of an instance or component, that is being read.
#[derive(Default)]
struct Scope<'a> {
    size: Size,
    types: Vec<Shape<'a>>,
    functions: Vec<Shape<'a>>,
    instances: Vec<Shape<'a>>,
    components: Vec<Shape<'a>>,
    exports: BTreeMap<&'a str, Shape<'a>>,
}

impl<'a> Scope<'a> {
    /// The index space of a kind. Core modules and values are refused elsewhere.
    fn space(&mut self, kind: ComponentExternalKind) -> Option<&mut Vec<Shape<'a>>> {
        match kind {
            ComponentExternalKind::Type => Some(&mut self.types),
            ComponentExternalKind::Func => Some(&mut self.functions),
            ComponentExternalKind::Instance => Some(&mut self.instances),
            ComponentExternalKind::Component => Some(&mut self.components),
            ComponentExternalKind::Module | ComponentExternalKind::Value => None,
        }
    }

    fn close(self) -> Result<Shape<'a>, MeterError> {
        Ok(Shape {
            exports: Some(Rc::new(self.exports)),
            ..Shape::of(self.size)?
        })
    }
}

/// The weight of a component, section by section.
pub(super) struct Weight<'a> {
    bytes: &'a [u8],
    /// Innermost last.
    scopes: Vec<Scope<'a>>,
    total: u64,
}

impl<'a> Weight<'a> {
    /// Nothing is weighed of a file with these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            scopes: Vec::new(),
            total: 0,
        }
    }

    /// Begins a component, inside of the one before if that has not ended.
    pub fn enter(&mut self) -> Result<(), MeterError> {
        if self.scopes.len() >= MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        self.scopes.push(Scope::default());
        Ok(())
    }

    /// Adds so much.
    pub fn charge(&mut self, weight: u64) -> Result<(), MeterError> {
        self.total = self.total.saturating_add(weight);
        if self.total > MAX_WEIGHT {
            return Err(TOO_HEAVY);
        }
        Ok(())
    }

    /// Adds a section of the innermost component. It need not be valid.
    pub fn add(&mut self, payload: &Payload<'a>) -> Result<(), MeterError> {
        match payload {
            Payload::ComponentTypeSection(section) => self.types(section)?,
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    self.import(&import?)?;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    self.export(&export?)?;
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias?)?;
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    self.instance(&instance?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    self.charge(1)?;
                    if let CanonicalFunction::Lift { type_index, .. } = function? {
                        let ty = self.find(ComponentExternalKind::Type, type_index);
                        self.keep(ComponentExternalKind::Func, ty);
                    }
                }
            }
            Payload::CoreTypeSection(section) => {
                for ty in section.clone() {
                    self.core_type(&ty?)?;
                }
            }
            Payload::End(_) => {
                let component = self.leave()?;
                self.charge(component.size.weight)?;
                self.keep(ComponentExternalKind::Component, component);
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads types without following them into each other on the native stack, which the parser's own
    /// way of reading them does.
    fn types(&mut self, section: &ComponentTypeSectionReader<'a>) -> Result<(), MeterError> {
        let range = section.range();
        let mut reader =
            BinaryReader::new_features(&self.bytes[range.clone()], range.start, features());
        let mut left = vec![reader.read_var_u32()?];
        while let Some(count) = left.last_mut() {
            if *count == 0 {
                left.pop();
                if !left.is_empty() {
                    let ty = self.leave()?;
                    self.keep(ComponentExternalKind::Type, ty);
                }
                continue;
            }
            *count -= 1;
            self.charge(1)?;
            if left.len() > 1 && !self.declaration(&mut reader)? {
                continue;
            }
            match scope(&mut reader)? {
                Some(count) => {
                    self.enter()?;
                    left.push(count);
                }
                None => {
                    let ty = self.plain_type(&reader.read()?)?;
                    self.keep(ComponentExternalKind::Type, ty);
                }
            }
        }
        Ok(())
    }

    /// Reads a declaration in a type, but for the type if it is one of a type: then it is true.
    fn declaration(&mut self, reader: &mut BinaryReader<'a>) -> Result<bool, MeterError> {
        let mut ahead = reader.clone();
        match ahead.read_u8()? {
            0x01 => {
                *reader = ahead;
                return Ok(true);
            }
            0x03 => {
                *reader = ahead;
                self.import(&reader.read()?)?;
            }
            _ => match reader.read()? {
                InstanceTypeDeclaration::CoreType(ty) => self.core_type(&ty)?,
                InstanceTypeDeclaration::Alias(alias) => self.alias(&alias)?,
                InstanceTypeDeclaration::Export { name, ty } => {
                    let shape = self.bring(ty)?;
                    self.name(name.name, shape);
                }
                InstanceTypeDeclaration::Type(_) => {}
            },
        }
        Ok(false)
    }

    /// A type that is no scope.
    fn plain_type(&mut self, ty: &ComponentType<'a>) -> Result<Shape<'a>, MeterError> {
        let size = match ty {
            ComponentType::Defined(ty) => self.defined_type(ty),
            ComponentType::Func(ty) => {
                let params = ty.params.iter().map(|(_, ty)| *ty);
                self.sum(params.chain(ty.result))
            }
            ComponentType::Resource { .. } => RESOURCE,
            ComponentType::Component(_) | ComponentType::Instance(_) => Size::default(),
        };
        Shape::of(size)
    }

    fn defined_type(&mut self, ty: &ComponentDefinedType<'a>) -> Size {
        use ComponentDefinedType as T;
        match ty {
            T::Primitive(_) => Size::default(),
            T::Record(fields) => self.sum(fields.iter().map(|(_, ty)| *ty)),
            T::Variant(cases) => {
                let mut size = self.sum(cases.iter().filter_map(|case| case.ty));
                size.weight += cases.len() as u64;
                size
            }
            T::Tuple(types) => self.sum(types.iter().copied()),
            T::List(ty) | T::Option(ty) | T::FixedLengthList(ty, _) => self.sum([*ty]),
            T::Map(key, value) => self.sum([*key, *value]),
            T::Result { ok, err } => self.sum(ok.iter().chain(err).copied()),
            T::Future(ty) | T::Stream(ty) => self.sum(*ty),
            T::Own(ty) | T::Borrow(ty) => self.sum([ComponentValType::Type(*ty)]),
            T::Flags(names) | T::Enum(names) => Size {
                weight: 1 + names.len() as u64,
                depth: 1,
            },
        }
    }

    fn sum(&mut self, parts: impl IntoIterator<Item = ComponentValType>) -> Size {
        let mut size = Size::default();
        for part in parts {
            size.add(self.value(part));
        }
        size
    }

    fn value(&mut self, ty: ComponentValType) -> Size {
        match ty {
            ComponentValType::Primitive(_) => Size::default(),
            ComponentValType::Type(ty) => self.find(ComponentExternalKind::Type, ty).size,
        }
    }

    fn core_type(&mut self, ty: &CoreType<'a>) -> Result<(), MeterError> {
        match ty {
            CoreType::Module(declarations) => self.charge(1 + declarations.len() as u64),
            CoreType::Rec(_) => self.charge(1),
        }
    }

    fn import(&mut self, import: &ComponentImport<'a>) -> Result<(), MeterError> {
        self.bring(import.ty).map(|_| ())
    }

    fn export(&mut self, export: &ComponentExport<'a>) -> Result<(), MeterError> {
        let mut shape = self.find(export.kind, export.index);
        if let Some(ty) = export.ty {
            self.charge(shape.size.weight)?;
            shape = self.referenced(ty)?;
        }
        let shape = self.place(export.kind, shape)?;
        self.name(export.name.name, shape);
        Ok(())
    }

    /// An import, or an export that is declared: the innermost scope gets something of that type.
    fn bring(&mut self, ty: ComponentTypeRef) -> Result<Shape<'a>, MeterError> {
        let shape = self.referenced(ty)?;
        self.place(ty.kind(), shape)
    }

    fn referenced(&mut self, ty: ComponentTypeRef) -> Result<Shape<'a>, MeterError> {
        match ty {
            ComponentTypeRef::Func(ty)
            | ComponentTypeRef::Instance(ty)
            | ComponentTypeRef::Component(ty)
            | ComponentTypeRef::Type(TypeBounds::Eq(ty)) => {
                Ok(self.find(ComponentExternalKind::Type, ty))
            }
            ComponentTypeRef::Type(TypeBounds::SubResource) => Shape::of(RESOURCE),
            ComponentTypeRef::Value(ty) => Shape::of(self.value(ty)),
            ComponentTypeRef::Module(_) => {
                Err(MeterError::Unsupported(super::survey::MODULE_VALUE))
            }
        }
    }

    fn place(
        &mut self,
        kind: ComponentExternalKind,
        shape: Shape<'a>,
    ) -> Result<Shape<'a>, MeterError> {
        self.charge(shape.size.weight)?;
        if let Some(scope) = self.scopes.last_mut() {
            scope.size.add(shape.size);
        }
        self.keep(kind, shape.clone());
        Ok(shape)
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Result<(), MeterError> {
        self.charge(1)?;
        match alias {
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let instance = self.find(ComponentExternalKind::Instance, *instance_index);
                let export = instance
                    .exports
                    .and_then(|exports| exports.get(name).cloned());
                self.keep(*kind, export.unwrap_or_default());
            }
            ComponentAlias::Outer { kind, count, index } => {
                let kind = match kind {
                    ComponentOuterAliasKind::Type => ComponentExternalKind::Type,
                    ComponentOuterAliasKind::Component => ComponentExternalKind::Component,
                    ComponentOuterAliasKind::CoreModule | ComponentOuterAliasKind::CoreType => {
                        return Ok(());
                    }
                };
                let shape = self.find_outer(*count, kind, *index);
                self.charge(shape.size.weight)?;
                self.keep(kind, shape);
            }
            ComponentAlias::CoreInstanceExport { .. } => {}
        }
        Ok(())
    }

    fn instance(&mut self, instance: &ComponentInstance<'a>) -> Result<(), MeterError> {
        let shape = match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => {
                for arg in args {
                    let given = self.find(arg.kind, arg.index);
                    self.charge(given.size.weight)?;
                }
                self.find(ComponentExternalKind::Component, *component_index)
            }
            ComponentInstance::FromExports(exports) => {
                let mut bag = Scope::default();
                for export in exports {
                    let shape = self.find(export.kind, export.index);
                    bag.size.add(shape.size);
                    bag.exports.insert(export.name.name, shape);
                }
                bag.close()?
            }
        };
        self.charge(shape.size.weight)?;
        self.keep(ComponentExternalKind::Instance, shape);
        Ok(())
    }

    /// Ends the innermost scope.
    fn leave(&mut self) -> Result<Shape<'a>, MeterError> {
        self.scopes.pop().unwrap_or_default().close()
    }

    fn name(&mut self, name: &'a str, shape: Shape<'a>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.exports.insert(name, shape);
        }
    }

    /// The next index of a kind stands for `shape`.
    fn keep(&mut self, kind: ComponentExternalKind, shape: Shape<'a>) {
        let space = self.scopes.last_mut().and_then(|scope| scope.space(kind));
        space
            .into_iter()
            .for_each(|space| space.push(shape.clone()));
    }

    fn find(&mut self, kind: ComponentExternalKind, index: u32) -> Shape<'a> {
        self.find_outer(0, kind, index)
    }

    /// What an index stands for, as many scopes further out. Nothing much, if the component is not
    /// valid.
    fn find_outer(&mut self, count: u32, kind: ComponentExternalKind, index: u32) -> Shape<'a> {
        let scope = self.scopes.iter_mut().rev().nth(count as usize);
        let space = scope.and_then(|scope| scope.space(kind));
        let shape = space.and_then(|space| space.get(index as usize));
        shape.cloned().unwrap_or_default()
    }
}

/// Begins a type of an instance or component, which has so many declarations, if that comes next.
fn scope(reader: &mut BinaryReader<'_>) -> Result<Option<u32>, BinaryReaderError> {
    let mut ahead = reader.clone();
    let is_scope = matches!(ahead.read_u8()?, 0x41 | 0x42);
    if !is_scope {
        return Ok(None);
    }
    let count = ahead.read_var_u32()?;
    *reader = ahead;
    Ok(Some(count))
}
