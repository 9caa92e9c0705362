//! `opensky deploy`: puts a program on the network under a name.

use std::path::{Path, PathBuf};

use opensky_api::DeploymentRequest;
use opensky_protocol::Deployment;

use super::build::Which;
use crate::{
    Exit, Problem, local,
    progress::Spinner,
    project::{self, About, Selection, manifest::Manifest},
    remote::{
        giving, hint, moment,
        reach::{self, At},
        tables,
    },
    request::LIMITS,
    source,
    term::{self, Format},
};

/// Put a program on the network under a name
///
/// Builds the project, gives the component to the node, and signs the record `publisher/name`. Returns
/// when nodes of three operators, or of all that are known, have pinned the program: this machine may sleep
/// then. Where too few pin it, nothing is deployed. Nobody is paid for pinning, and nobody promises for how
/// long.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  opensky deploy                      the project in this folder
  opensky deploy examples/hello --name greeter
  opensky deploy hello.wasm           a file, with limits by default

What jobs of it get where they do not say otherwise is in Cargo.toml:

  [package.metadata.opensky]
  name = \"hello\"        # else the package's name
  about = \"greets\"      # else the package's description
  fuel = \"2G\"
  memory = \"64MiB\"
  output = \"1MiB\"
  log = \"64KiB\"
  replicas = 3          # or \"auto\"
  price = { per-gfuel = \"2 mSKY\", dispatch = \"1 uSKY\", per-gib = \"1 mSKY\" }")]
pub struct Args {
    /// The project's folder, or a component.
    #[arg(default_value = ".", value_name = "DIR|FILE")]
    project: PathBuf,
    /// The name: 1 to 64 of a-z, 0-9 and -.
    #[arg(long)]
    name: Option<String>,
    /// Operators that have to pin the program, 1 to 16 [default: 3, or all that are known if those are fewer].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=16))]
    pins: Option<u8>,
    #[command(flatten)]
    which: Which,
    /// How to report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    at: At,
}

/// Deploys it.
pub fn run(args: Args) -> anyhow::Result<Exit> {
    let client = args.at.client()?;
    client.node().map_err(reach::problem)?;
    let selection = args.which.into();
    let about = about(&args.project, &selection)?;
    let manifest = Manifest::read(&about)?;
    let name = name(args.name, &manifest, &about)?;
    let file = match args.project.is_dir() {
        true => project::build(&args.project, &selection)?,
        false => args.project,
    };
    let source = source::load(&file)?;
    local::keep(&local::store()?, &source.bytes)?;
    let program = giving::give(&client, &source.bytes)?;
    let request = DeploymentRequest {
        name: name.clone(),
        program,
        limits: manifest.limits()?.or(LIMITS.into()),
        profile: manifest.profile()?,
        replicas: manifest.replicas()?,
        price: manifest.price()?,
        about: manifest.about(&about),
        pins: args.pins,
    };
    let spinner = Spinner::start("waiting for providers to pin it");
    let deployed = client
        .deploy(&request)
        .map_err(|error| args.at.problem(error))?;
    drop(spinner);
    match args.format {
        Format::Json => term::json_to_stdout(&serde_json::to_value(&deployed)?)?,
        Format::Text => {
            term::to_stdout(&tables::deployed(&deployed, moment::now()))?;
        }
    }
    let run = format!(
        "job run {} --input FILE",
        deployed.deployment.deployment.short()
    );
    hint::next(args.format, &args.at, &[("run it", run)]);
    Ok(Exit::Success)
}

/// What the project says of itself; a file says nothing.
fn about(target: &Path, selection: &Selection) -> Result<About, Problem> {
    match target.is_dir() {
        true => project::about(target, selection),
        false => {
            let stem = target.file_stem().unwrap_or_default();
            Ok(About {
                name: stem.to_string_lossy().into_owned(),
                ..About::default()
            })
        }
    }
}

/// The name that was given, else that of the manifest, else the package's.
fn name(given: Option<String>, manifest: &Manifest, about: &About) -> Result<String, Problem> {
    let name = given.or_else(|| manifest.name.clone());
    let name = name.unwrap_or_else(|| about.name.to_lowercase().replace('_', "-"));
    match Deployment::is_name(&name) {
        true => Ok(name),
        false => Err(Problem::usage(format!("`{name}` cannot name a deployment"))
            .help("give 1 to 64 of a-z, 0-9 and - with --name; - is not first or last")),
    }
}
