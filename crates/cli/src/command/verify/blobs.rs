//! Where the program and the inputs come from: given files first, then the store.

use std::{cell::OnceCell, collections::HashMap, path::Path, sync::Arc};

use opensky_executor::{Inputs, Program, Sandbox};
use opensky_protocol::{ContentKey, Digest, Work};
use opensky_storage::Store;

use crate::{Problem, local, source};

/// Blobs by digest. The store is opened when something is looked for that was not given: who has all
/// the files needs none.
pub struct Blobs {
    given: HashMap<Digest, Vec<u8>>,
    content: Option<ContentKey>,
    store: OnceCell<Store>,
}

impl Blobs {
    /// Reads the inputs that were given. With the key of an encrypted job they are those of that job as
    /// they were before.
    pub fn new<'a>(
        files: impl IntoIterator<Item = &'a Path>,
        content: Option<ContentKey>,
    ) -> Result<Self, Problem> {
        let mut given = HashMap::new();
        for file in files {
            let bytes = source::read(file, "the input")?;
            given.insert(name(&bytes, content.as_ref()), bytes);
        }
        Ok(Self {
            given,
            content,
            store: OnceCell::new(),
        })
    }

    fn store(&self, help: &str) -> Result<&Store, Problem> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let opened = local::store().map_err(|problem| {
            problem.help(format!(
                "{help}, or use a store that can be written: set XDG_DATA_HOME"
            ))
        })?;
        Ok(self.store.get_or_init(|| opened))
    }

    /// Whether all inputs of a work are here.
    pub fn has(&self, work: &Work) -> Result<bool, Problem> {
        for digest in work.inputs.values() {
            if !self.given.contains_key(digest) && !self.store(GIVE_INPUT)?.has(digest) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn get(&self, digest: &Digest, what: &str, help: &str) -> Result<Vec<u8>, Problem> {
        let bytes = match self.given.get(digest) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.store(help)?.get(digest).map_err(|error| {
                Problem::refused(format!("cannot judge: {what} {digest} is not here"))
                    .because(error)
                    .help(self.with_key(help))
            }),
        }?;
        self.open(bytes, what)
    }

    /// What is to be done, where it may be that what is lacking is the key.
    fn with_key(&self, help: &str) -> String {
        match self.content {
            Some(_) => help.to_owned(),
            None => format!("{help}; if the receipt is of an encrypted job, {GIVE_KEY}"),
        }
    }

    /// What was encrypted, if it was.
    fn open(&self, bytes: Vec<u8>, what: &str) -> Result<Vec<u8>, Problem> {
        if !ContentKey::is_sealed(&bytes) {
            return Ok(bytes);
        }
        let key = self.content.as_ref().ok_or_else(|| {
            Problem::refused(format!(
                "cannot judge: the receipt is of an encrypted job, and its key is missing: {what} is encrypted"
            ))
            .help(GIVE_KEY)
        })?;
        let opened = key.open(&bytes);
        opened.ok_or_else(|| Problem::refused(format!("the key given is not that of {what}")))
    }

    /// The inputs of those names.
    pub fn of<'a>(
        &self,
        needed: impl IntoIterator<Item = (&'a String, &'a Digest)>,
    ) -> Result<Inputs, Problem> {
        let mut inputs = Inputs::default();
        for (name, digest) in needed {
            if inputs.get(digest).is_none() {
                let what = format!("the input `{name}`,");
                let bytes = self.get(digest, &what, GIVE_INPUT)?;
                inputs.insert_verified(*digest, Arc::new(bytes));
            }
        }
        Ok(inputs)
    }

    /// The program with that digest, compiled: from `file`, if one was given.
    pub fn program(
        &self,
        sandbox: &Sandbox,
        id: &Digest,
        file: Option<&Path>,
    ) -> Result<Program, Problem> {
        let component = match file {
            Some(file) => source::component(file)?,
            None => self.get(id, "the program", "give the file with --component")?,
        };
        let is_it = |named: Digest| named == *id;
        if !is_it(Digest::of(&component)) && !is_it(name(&component, self.content.as_ref())) {
            let what = match self.content {
                Some(_) => {
                    "cannot judge: the component is another program, or the key is another job's"
                }
                None => {
                    "cannot judge: the component is another program, or the receipt is of an encrypted \
                     job and its key is missing"
                }
            };
            let help = format!("the receipt is about {id}");
            return Err(Problem::refused(what).help(self.with_key(&help)));
        }
        opensky_executor::admit(&component).map_err(|refusal| {
            Problem::refused("the sandbox refuses the program").because(refusal.to_string())
        })?;
        local::compile(sandbox, &component)
    }
}

/// How works name such bytes: by what they are encrypted to, if they are.
fn name(bytes: &[u8], content: Option<&ContentKey>) -> Digest {
    match content {
        Some(key) => Digest::of(&key.seal(bytes)),
        None => Digest::of(bytes),
    }
}

const GIVE_KEY: &str =
    "give the key too, which its requester has from `opensky job key`: --content-key";
const GIVE_INPUT: &str = "give the file with --input";
