//! What a person names as the thing to run on the network: a file, a project, or a deployment.

use std::{
    ffi::{OsStr, OsString},
    io::Read as _,
    path::Path,
};

use opensky_api::{Client, ClientError, Code, Deployment, DeploymentRef, ProgramRef};
use opensky_executor::{admit, inspect::Entry};

use super::{giving::Giving, reach};
use crate::{
    Problem,
    request::{self, Family},
    source::{self, Source},
};

/// The longest program that is looked at; admission takes none that is longer.
const MAX_PROGRAM: u64 = 256 << 20;

/// What is to be run.
pub struct Target {
    /// As the node is told.
    pub program: ProgramRef,
    /// What of it is called, as far as that is known here.
    pub entry: Option<Entry>,
    /// What to call it.
    pub name: String,
    /// Whether it is a deployment, whose manifest says what the request leaves out.
    pub deployed: bool,
}

/// What was named: an id or `p-…/name` is a deployment, what exists is a file or a project, and what
/// is left is the name of a deployment of one's own.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Named {
    Deployment(DeploymentRef),
    Path,
}

fn named(text: &OsStr, exists: impl FnOnce(&Path) -> bool) -> Result<Named, Problem> {
    let read = text.to_str().map(str::parse::<DeploymentRef>);
    match read {
        Some(Ok(found @ (DeploymentRef::Id(_) | DeploymentRef::Of(..)))) => {
            Ok(Named::Deployment(found))
        }
        _ if source::is_dash(Path::new(text)) || exists(Path::new(text)) => Ok(Named::Path),
        Some(Ok(own)) => Ok(Named::Deployment(own)),
        _ => Err(Problem::usage(format!(
            "there is no file `{}`, and it is no deployment",
            Path::new(text).display()
        ))
        .help("give a file, a project's folder, or a deployment: `d-…`, its name, or `p-…/name`")),
    }
}

/// Finds it. A file's program goes where the job's blobs do.
pub fn find(
    client: &Client,
    text: &OsString,
    world: Option<Family>,
    giving: &Giving<'_>,
) -> Result<Target, Problem> {
    match named(text, Path::exists)? {
        Named::Path => {
            // Asked first: a project may take a minute to build.
            client.node().map_err(reach::problem)?;
            of_file(Path::new(text), world, giving)
        }
        Named::Deployment(name) => of_deployment(client, name, world, giving),
    }
}

fn of_file(file: &Path, world: Option<Family>, giving: &Giving<'_>) -> Result<Target, Problem> {
    let source = source::load(file)?;
    let entry = request::entry(&source, world)?;
    let name = source.file.file_stem().map(|stem| stem.to_string_lossy());
    let name = name.unwrap_or_default().into_owned();
    let digest = giving.own(&source.bytes)?;
    Ok(Target {
        program: ProgramRef::Digest(digest),
        entry: Some(entry),
        name,
        deployed: false,
    })
}

fn of_deployment(
    client: &Client,
    name: DeploymentRef,
    world: Option<Family>,
    giving: &Giving<'_>,
) -> Result<Target, Problem> {
    let deployment = client.deployment(&name).map_err(reach::problem)?;
    let entry = match program(client, &deployment)? {
        Some(source) => {
            giving.deployed(&source.bytes)?;
            Some(request::entry(&source, world)?)
        }
        None => None,
    };
    Ok(Target {
        program: ProgramRef::Deployment(name),
        entry,
        name: deployment.name,
        deployed: true,
    })
}

/// The program, if the node has it: it tells what can be called.
fn program(client: &Client, deployment: &Deployment) -> Result<Option<Source>, Problem> {
    let reader = match client.blob(deployment.program, 0) {
        Err(ClientError::Problem(problem)) if problem.code == Code::NotFound => return Ok(None),
        reader => reader.map_err(reach::problem)?,
    };
    let mut bytes = Vec::new();
    let read = reader.take(MAX_PROGRAM).read_to_end(&mut bytes);
    read.map_err(|error| Problem::host("cannot read the program").because(error))?;
    let file = Path::new(&deployment.name).to_owned();
    let admitted = admit(&bytes).map_err(|refusal| source::refused(&file, &refusal))?;
    Ok(Some(Source {
        file,
        bytes,
        admitted,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_is_a_file_and_an_id_is_a_deployment() {
        let read = |text: &str, exists: bool| match named(OsStr::new(text), |_| exists) {
            Ok(Named::Path) => "path".to_owned(),
            Ok(Named::Deployment(name)) => format!("deployment {name}"),
            Err(problem) => problem.to_string(),
        };
        let id = "d-0123456789";
        assert_eq!(read(id, true), format!("deployment {id}"));
        let of = "p-0123456789/hello";
        assert_eq!(read(of, true), format!("deployment {of}"));
        assert_eq!(read("hello", true), "path");
        assert_eq!(read("hello", false), "deployment hello");
        assert_eq!(read(".", true), "path");
        assert_eq!(read("-", false), "path");
        let gone = read("Hello.wasm", false);
        assert_eq!(
            gone,
            "there is no file `Hello.wasm`, and it is no deployment"
        );
    }
}
