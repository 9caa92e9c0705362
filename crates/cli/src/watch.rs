//! Waits for a person to save something that a project is made of.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Component, Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::Problem;

/// Editors write a file in several steps, formatters write many files: one save is over when
/// nothing has happened for this long.
const QUIET: Duration = Duration::from_millis(120);

/// A save that never ends (a download into the folder, say) is acted on after this long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Folders that builds write to, and no person.
const BUILT: &[&str] = &["build", "node_modules", "target", "__pycache__"];

/// Files that builds write, beside those that persons write.
const LOCK_FILES: &[&str] = &["Cargo.lock", "package-lock.json"];

/// Folders and files that are being watched. Stops when dropped.
pub struct Watch {
    roots: Vec<PathBuf>,
    ignored: Vec<PathBuf>,
    watched: BTreeSet<PathBuf>,
    watcher: RecommendedWatcher,
    events: Receiver<notify::Result<Event>>,
}

impl Watch {
    /// Starts watching `paths`: of a folder everything that a person may have written, of a file that
    /// file. What becomes of the files and folders in `ignored`, which need not be there yet, is no
    /// save. A change is not missed from here on, whoever is busy.
    pub fn start<'a>(
        paths: impl IntoIterator<Item = &'a Path>,
        ignored: impl IntoIterator<Item = &'a Path>,
    ) -> Result<Self, Problem> {
        let roots = paths
            .into_iter()
            .map(|path| {
                path.canonicalize()
                    .map_err(|error| unwatchable(path, error))
            })
            .collect::<Result<_, _>>()?;
        let (sender, events) = mpsc::channel();
        let watcher = notify::recommended_watcher(sender).map_err(|error| {
            Problem::host("this system cannot watch files")
                .because(error)
                .help("raise fs.inotify.max_user_instances")
        })?;
        let mut watch = Self {
            roots,
            ignored: ignored.into_iter().map(resolved).collect(),
            watched: BTreeSet::new(),
            watcher,
            events,
        };
        watch.add_new_folders()?;
        Ok(watch)
    }

    /// Blocks until something was saved and the save is over. What was saved while nobody waited
    /// counts. Answers one of the paths.
    pub fn wait(&mut self) -> Result<PathBuf, Problem> {
        loop {
            let event = self.events.recv();
            if let Some(path) = event.ok().and_then(|event| self.saved(&event)) {
                self.settle();
                self.add_new_folders()?;
                return Ok(path);
            }
        }
    }

    fn settle(&self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Err(RecvTimeoutError::Timeout) = self.events.recv_timeout(QUIET) {
                return;
            }
        }
    }

    /// The path of an event that a save made.
    fn saved(&self, event: &notify::Result<Event>) -> Option<PathBuf> {
        let event = event.as_ref().ok()?;
        if matches!(event.kind, EventKind::Access(_)) {
            return None;
        }
        event
            .paths
            .iter()
            .find(|path| self.roots.iter().any(|root| self.matters(root, path)))
            .cloned()
    }

    fn matters(&self, root: &Path, path: &Path) -> bool {
        matters(root, path) && !self.ignored.iter().any(|ignored| path.starts_with(ignored))
    }

    /// The folders that builds write to are large and busy, so the others are watched one by one.
    fn add_new_folders(&mut self) -> Result<(), Problem> {
        for root in self.roots.clone() {
            if !root.is_dir() {
                // An editor may replace the file: its folder sees that.
                let folder = root.parent().unwrap_or(&root).to_owned();
                self.add(folder, RecursiveMode::NonRecursive)?;
                continue;
            }
            self.add(root.clone(), RecursiveMode::NonRecursive)?;
            let entries = fs::read_dir(&root).map_err(|error| unwatchable(&root, error))?;
            for folder in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                if folder.is_dir() && self.matters(&root, &folder) && !is_cache(&folder) {
                    self.add(folder, RecursiveMode::Recursive)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, folder: PathBuf, mode: RecursiveMode) -> Result<(), Problem> {
        if self.watched.contains(&folder) {
            return Ok(());
        }
        self.watcher.watch(&folder, mode).map_err(|error| {
            Problem::host(format!("cannot watch `{}`", folder.display()))
                .because(error)
                .help("raise fs.inotify.max_user_watches")
        })?;
        self.watched.insert(folder);
        Ok(())
    }
}

/// The path that events will name, also of what is not there yet.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let in_its_folder = || {
        let folder = absolute.parent()?.canonicalize().ok()?;
        Some(folder.join(absolute.file_name()?))
    };
    absolute
        .canonicalize()
        .ok()
        .or_else(in_its_folder)
        .unwrap_or_else(|| absolute.clone())
}

fn unwatchable(path: &Path, error: io::Error) -> Problem {
    Problem::usage(format!("cannot watch `{}`", path.display()))
        .because(error)
        .help("check the path and its permissions")
}

/// Whether a person wrote it: below the root, in no folder that builds write to, and not an editor's
/// own file.
fn matters(root: &Path, path: &Path) -> bool {
    let Ok(below) = path.strip_prefix(root) else {
        return false;
    };
    let name = below.file_name().unwrap_or_default().to_string_lossy();
    let is_scratch = name.ends_with('~') || name.ends_with(".swp") || name == "4913";
    !is_scratch
        && !LOCK_FILES.contains(&&*name)
        && below.components().all(|part| match part {
            Component::Normal(part) => {
                let part = part.to_string_lossy();
                !part.starts_with('.') && !BUILT.contains(&&*part)
            }
            _ => true,
        })
}

/// Cargo marks its target folder, whatever its name is.
fn is_cache(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_persons_write_matters() {
        let matters = |path: &str| matters(Path::new("/p"), Path::new(path));
        for path in ["/p", "/p/src/lib.rs", "/p/Cargo.toml", "/p/data/a.csv"] {
            assert!(matters(path), "{path}");
        }
        for path in [
            "/p/target/release/x.wasm",
            "/p/Cargo.lock",
            "/p/.git/index",
            "/p/src/.lib.rs.swp",
            "/p/src/lib.rs~",
            "/p/node_modules/a/b.js",
            "/elsewhere",
        ] {
            assert!(!matters(path), "{path}");
        }
    }

    #[test]
    fn save_is_seen_in_a_file_a_folder_and_a_new_folder_but_not_in_what_runs_write() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path().canonicalize().expect("a folder");
        fs::create_dir(root.join("src")).expect("a folder");
        fs::create_dir(root.join("target")).expect("a folder");
        let input = tempfile::NamedTempFile::new().expect("a file");
        let (output, folder) = (root.join("out.json"), root.join("results"));
        let mut watch = Watch::start(
            [root.as_path(), input.path()],
            [output.as_path(), folder.as_path()],
        )
        .expect("watching");

        fs::write(root.join("target/x"), "").expect("a file");
        fs::write(output, "").expect("a file");
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("x"), "").expect("a file");
        fs::write(root.join("src/lib.rs"), "").expect("a file");
        assert_eq!(watch.wait().expect("saved"), root.join("src/lib.rs"));

        fs::create_dir(root.join("data")).expect("a folder");
        assert_eq!(watch.wait().expect("saved"), root.join("data"));
        fs::write(root.join("data/a"), "").expect("a file");
        assert_eq!(watch.wait().expect("saved"), root.join("data/a"));

        fs::write(input.path(), "more").expect("a file");
        let saved = watch.wait().expect("saved");
        assert_eq!(saved, input.path().canonicalize().expect("a file"));
    }
}
