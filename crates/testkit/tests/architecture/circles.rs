//! Files that import each other in a circle cannot be understood one by one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use syn::{
    Attribute, Item, ItemUse, UseTree, Visibility,
    visit::{self, Visit},
};

use crate::workspace::{Source, folder, member, members, shipped};

/// Crates in which a circle is a failure. Elsewhere it is a warning.
const STRICT: &[&str] = &["opensky-protocol", "opensky-core"];

/// A module's place in its crate, from the root: `["host", "wasi"]`.
type Module = Vec<String>;

/// One file: which names it brings in under which path, and which modules its code mentions.
#[derive(Default)]
struct File {
    /// Re-exports: the name here, and the path behind it.
    exports: BTreeMap<String, Module>,
    /// Paths into this crate that its shipped code mentions, from the root.
    mentions: BTreeSet<Module>,
}

struct Reader<'a> {
    module: &'a [String],
    file: File,
}

impl Reader<'_> {
    /// A path as written, from the root; `None` if it leads out of the crate.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let mut base = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.to_vec(),
            "super" => self.module[..self.module.len().checked_sub(1)?].to_vec(),
            _ => return None,
        };
        let rest = &path[1..];
        let ups = rest.iter().take_while(|part| *part == "super").count();
        base.truncate(base.len().checked_sub(ups)?);
        base.extend_from_slice(&rest[ups..]);
        Some(base)
    }

    fn imports(&mut self, tree: &UseTree, path: &mut Vec<String>, exported: Option<bool>) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.imports(&part.tree, path, exported);
                path.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.imports(tree, path, exported);
                }
            }
            UseTree::Name(name) => self.import(path, &name.ident, &name.ident, exported),
            UseTree::Rename(rename) => {
                self.import(path, &rename.ident, &rename.rename, exported);
            }
            UseTree::Glob(_) => {
                let target = self.absolute(path);
                self.file.mentions.extend(target);
            }
        }
    }

    fn import(
        &mut self,
        path: &[String],
        name: &syn::Ident,
        shown: &syn::Ident,
        exported: Option<bool>,
    ) {
        let mut path = path.to_vec();
        if name != "self" {
            path.push(name.to_string());
        }
        // `pub use digest::Digest` beside `mod digest` is a path from here.
        let from_here = || Some([self.module, &path].concat());
        let target = match exported {
            Some(_) => self.absolute(&path).or_else(from_here),
            None => self.absolute(&path),
        };
        let Some(target) = target else { return };
        match exported {
            Some(_) => drop(self.file.exports.insert(shown.to_string(), target)),
            None => drop(self.file.mentions.insert(target)),
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let is_tests = matches!(item, Item::Mod(module) if is_test(&module.attrs));
        if !is_tests {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let exported = !matches!(item.vis, Visibility::Inherited);
        self.imports(&item.tree, &mut Vec::new(), exported.then_some(true));
    }

    /// `pub(super)` says who may look, not what is used.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<_> = path
            .segments
            .iter()
            .map(|part| part.ident.to_string())
            .collect();
        let target = self.absolute(&parts);
        self.file.mentions.extend(target);
        visit::visit_path(self, path);
    }
}

/// `src/host/wasi/mod.rs` and `src/host/wasi.rs` are both `host::wasi`.
fn module_of(src: &Path, file: &Path) -> Module {
    let path = file.strip_prefix(src).expect("a source is below src/");
    let mut parts: Vec<_> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if parts
        .last()
        .is_some_and(|last| ["lib", "main", "mod"].contains(&last.as_str()))
    {
        parts.pop();
    }
    parts
}

fn read(module: &[String], text: &str) -> File {
    let parsed = syn::parse_file(text).expect("the compiler has read it, so it parses");
    let mut reader = Reader {
        module,
        file: File::default(),
    };
    reader.visit_file(&parsed);
    reader.file
}

type Files = BTreeMap<Module, File>;

/// The file in which what `path` names is written: re-exports are followed to their end.
fn home(files: &Files, path: &[String], depth: usize) -> Module {
    let longest = (0..=path.len())
        .rev()
        .find(|end| files.contains_key(&path[..*end]));
    let module = &path[..longest.unwrap_or(0)];
    let export = path
        .get(module.len())
        .and_then(|name| files.get(module)?.exports.get(name));
    match export {
        // Names that lead to themselves end somewhere.
        Some(target) if depth < 8 => home(files, target, depth + 1),
        _ => module.to_vec(),
    }
}

fn edges(files: &Files) -> BTreeMap<Module, BTreeSet<Module>> {
    let targets = |module: &Module, file: &File| {
        let homes = file.mentions.iter().map(|path| home(files, path, 0));
        homes.filter(|home| home != module).collect()
    };
    files
        .iter()
        .map(|(module, file)| (module.clone(), targets(module, file)))
        .collect()
}

/// One circle, if there is one: a path that ends where it began.
fn circle(edges: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    let mut done = BTreeSet::new();
    edges
        .keys()
        .find_map(|start| walk(edges, start, &mut Vec::new(), &mut done))
}

fn walk(
    edges: &BTreeMap<Module, BTreeSet<Module>>,
    at: &Module,
    path: &mut Vec<Module>,
    done: &mut BTreeSet<Module>,
) -> Option<Vec<Module>> {
    if let Some(begin) = path.iter().position(|before| before == at) {
        return Some([&path[begin..], std::slice::from_ref(at)].concat());
    }
    if done.contains(at) {
        return None;
    }
    path.push(at.clone());
    let found = edges[at]
        .iter()
        .find_map(|next| walk(edges, next, path, done));
    path.pop();
    done.insert(at.clone());
    found
}

fn circle_of(sources: &[(Module, &str)]) -> Option<String> {
    let files: Files = sources
        .iter()
        .map(|(module, text)| (module.clone(), read(module, text)))
        .collect();
    let names = circle(&edges(&files))?;
    let names: Vec<_> = names
        .iter()
        .map(|module| format!("crate::{}", module.join("::")))
        .collect();
    Some(names.join(" -> "))
}

fn sources_of(src: &Path, sources: &[Source]) -> Option<String> {
    let sources: Vec<_> = sources
        .iter()
        .filter(|source| source.path.starts_with(src))
        .map(|source| (module_of(src, &source.path), source.text.as_str()))
        .collect();
    circle_of(&sources)
}

#[test]
fn no_pure_files_import_each_other_in_a_circle() {
    for name in STRICT {
        let package = member(name);
        let found = sources_of(&folder(package).join("src"), &shipped(package));
        assert_eq!(
            found, None,
            "`{name}`: these files cannot be understood one by one"
        );
    }
}

#[test]
fn circles_elsewhere_are_pointed_out() {
    for package in members() {
        if let Some(circle) = sources_of(&folder(package).join("src"), &shipped(package)) {
            println!("warning: `{}` has a circle: {circle}", package.name);
        }
    }
}

fn module(path: &str) -> Module {
    path.split("::")
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn circle_through_a_re_export_is_found() {
    let lib = "mod a; mod b; pub use a::A; pub use b::{B, make as build};";
    let a = "use crate::B; pub struct A(B);";
    let calm = "pub(super) struct B; pub(crate) fn make() {}";
    let back = "pub struct B; pub fn make() -> crate::a::A { todo() }";
    let tested = "pub struct B; pub fn make() {} #[cfg(test)] mod tests { use crate::A; }";
    let found = |b| circle_of(&[(module(""), lib), (module("a"), a), (module("b"), b)]);
    assert_eq!(found(calm), None);
    assert_eq!(found(tested), None);
    assert_eq!(
        found(back).as_deref(),
        Some("crate::a -> crate::b -> crate::a")
    );
}

#[test]
fn parent_and_child_that_use_each_other_are_a_circle() {
    let parent = "mod child; use self::child::C; pub struct P(C);";
    let child = "use super::P; pub struct C(Box<P>);";
    let sources = [
        (module("p"), parent),
        (module("p::child"), child),
        (module(""), "mod p;"),
    ];
    assert!(circle_of(&sources).is_some());
}
