//! Finds what a component can be run as, and checks that the functions have the types that the
//! sandbox calls.

use std::fmt::Write;

use wasmparser::{
    component_types::{
        ComponentDefinedType, ComponentEntityType, ComponentFuncType, ComponentInstanceType,
        ComponentValType,
    },
    types::TypesRef,
};

use super::{allowed::is_on_track, refusal::Refusal, report::Entry};

/// An interface that can be called, and the types that its functions must have.
struct Contract {
    path: &'static str,
    track: [&'static str; 2],
    functions: &'static [(&'static str, &'static str)],
}

macro_rules! fails {
    ($ok:literal) => {
        concat!(
            "result<",
            $ok,
            ", variant{invalid-input(string), failed(string), ",
            "missing-blob(tuple<u64, u64, u64, u64>)}>"
        )
    };
}

const STEPPER: Contract = Contract {
    path: "opensky:compute/stepper",
    track: ["0", "1"],
    functions: &[
        ("init", concat!("func(list<u8>) -> ", fails!("list<u8>"))),
        (
            "step",
            concat!(
                "func(list<u8>) -> ",
                fails!("variant{more(list<u8>), done(list<u8>)}")
            ),
        ),
    ],
};

const MAP_REDUCE: Contract = Contract {
    path: "opensky:compute/map-reduce",
    track: ["0", "1"],
    functions: &[
        (
            "map-shard",
            concat!(
                "func(list<u8>) -> ",
                fails!("list<record{key: list<u8>, value: list<u8>}>")
            ),
        ),
        (
            "combine",
            concat!(
                "func(list<u8>, list<list<u8>>) -> ",
                fails!("list<list<u8>>")
            ),
        ),
        (
            "reduce",
            concat!("func(list<u8>, list<list<u8>>) -> ", fails!("list<u8>")),
        ),
    ],
};

const FINISH: Contract = Contract {
    path: "opensky:compute/finish",
    track: ["0", "1"],
    functions: &[(
        "finish",
        concat!("func(list<list<u8>>) -> ", fails!("list<u8>")),
    )],
};

const JOB: Contract = Contract {
    path: "opensky:compute/job",
    track: ["0", "1"],
    functions: &[("run", concat!("func(list<u8>) -> ", fails!("list<u8>")))],
};

const COMMAND: Contract = Contract {
    path: "wasi:cli/run",
    track: ["0", "2"],
    functions: &[("run", "func() -> result")],
};

/// The ways to run a component with these exports, best first.
pub(super) fn find(exports: &[String], types: TypesRef<'_>) -> Result<Vec<Entry>, Refusal> {
    let mut entries = Vec::new();
    if STEPPER.is_exported(exports, types)? {
        entries.push(Entry::Stepper);
    }
    let finish = FINISH.is_exported(exports, types)?;
    if MAP_REDUCE.is_exported(exports, types)? {
        entries.push(Entry::MapReduce { finish });
    }
    if JOB.is_exported(exports, types)? {
        entries.push(Entry::Job);
    }
    if COMMAND.is_exported(exports, types)? {
        entries.push(Entry::Command);
    }
    Ok(entries)
}

impl Contract {
    fn is_exported(&self, exports: &[String], types: TypesRef<'_>) -> Result<bool, Refusal> {
        let Some(name) = exports.iter().find(|name| self.is_named(name)) else {
            return Ok(false);
        };
        let item = types.component_item_for_export(name).map(|item| item.ty);
        let instance = match item {
            Some(ComponentEntityType::Instance(id)) => types.get(id),
            _ => None,
        };
        for (function, expected) in self.functions {
            let found = instance
                .and_then(|instance| function_type(instance, function, types))
                .map_or_else(|| "nothing".into(), |ty| describe_function(ty, types));
            if found != *expected {
                return Err(Refusal::EntryType {
                    interface: name.clone(),
                    function,
                    expected,
                    found,
                });
            }
        }
        Ok(true)
    }

    fn is_named(&self, name: &str) -> bool {
        name.split_once('@')
            .is_some_and(|(path, version)| path == self.path && is_on_track(version, self.track))
    }
}

fn function_type<'a>(
    instance: &ComponentInstanceType,
    name: &str,
    types: TypesRef<'a>,
) -> Option<&'a ComponentFuncType> {
    match instance.exports.get(name)?.ty {
        ComponentEntityType::Func(id) => types.get(id),
        _ => None,
    }
}

/// The text of a function's type stops growing here: a type can be exponentially longer than the
/// bytes that define it.
const MAX_TEXT: usize = 400;

fn describe_function(ty: &ComponentFuncType, types: TypesRef<'_>) -> String {
    let mut text = Text {
        text: "func(".into(),
        types,
    };
    text.list(&ty.params, |text, (_, param)| text.value(param));
    text.push(")");
    if let Some(result) = &ty.result {
        text.push(" -> ");
        text.value(result);
    }
    text.text
}

struct Text<'a> {
    text: String,
    types: TypesRef<'a>,
}

impl Text<'_> {
    fn push(&mut self, part: &str) {
        if self.text.len() < MAX_TEXT {
            self.text.push_str(part);
        }
    }

    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        for (index, item) in items.into_iter().enumerate() {
            if self.text.len() >= MAX_TEXT {
                return;
            }
            if index > 0 {
                self.push(", ");
            }
            each(self, item);
        }
    }

    fn value(&mut self, ty: &ComponentValType) {
        if self.text.len() >= MAX_TEXT {
            return;
        }
        match ty {
            ComponentValType::Primitive(primitive) => {
                write!(self.text, "{primitive}").expect("a string takes all text");
            }
            ComponentValType::Type(id) => {
                if let Some(ty) = self.types.get(*id) {
                    self.defined(ty);
                }
            }
        }
    }

    fn wrapped<'a>(&mut self, name: &str, parts: impl IntoIterator<Item = &'a ComponentValType>) {
        self.push(name);
        self.push("<");
        self.list(parts, Self::value);
        self.push(">");
    }

    fn defined(&mut self, ty: &ComponentDefinedType) {
        match ty {
            ComponentDefinedType::Primitive(primitive) => {
                self.value(&ComponentValType::Primitive(*primitive));
            }
            ComponentDefinedType::List { element, .. } => self.wrapped("list", [element]),
            ComponentDefinedType::Option { ty, .. } => self.wrapped("option", [ty]),
            ComponentDefinedType::Tuple(tuple) => self.wrapped("tuple", &tuple.types),
            ComponentDefinedType::Record(record) => {
                self.push("record{");
                self.list(&record.fields, |text, (name, ty)| {
                    text.push(name.as_str());
                    text.push(": ");
                    text.value(ty);
                });
                self.push("}");
            }
            ComponentDefinedType::Variant(variant) => {
                self.push("variant{");
                self.list(&variant.cases, |text, (name, case)| {
                    text.push(name.as_str());
                    if let Some(ty) = &case.ty {
                        text.push("(");
                        text.value(ty);
                        text.push(")");
                    }
                });
                self.push("}");
            }
            ComponentDefinedType::Result { ok, err, .. } => self.result(ok.as_ref(), err.as_ref()),
            ComponentDefinedType::Flags(_) => self.push("flags"),
            ComponentDefinedType::Enum(_) => self.push("enum"),
            ComponentDefinedType::Own(_) => self.push("own"),
            ComponentDefinedType::Borrow(_) => self.push("borrow"),
            ComponentDefinedType::Map { .. }
            | ComponentDefinedType::FixedLengthList { .. }
            | ComponentDefinedType::Future { .. }
            | ComponentDefinedType::Stream { .. } => self.push("refused"),
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
