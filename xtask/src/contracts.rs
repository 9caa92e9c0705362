//! `cargo xtask contracts` and `cargo xtask demo --chain`: the Solidity of the example and of the chain's tests as
//! bytecode, and the example on a chain.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context as _;
use serde_json::Value;

use crate::{
    binary, chain,
    devnet::Devnet,
    run,
    setup::{self, Consent, Tool},
    stages::Stages,
};

/// Whose `package.json` says which compiler.
const EXAMPLE: &str = "examples/contract-request";

/// What is compiled.
const SOURCES: [&str; 3] = [
    "examples/contract-request/IOpenSky.sol",
    "examples/contract-request/Requester.sol",
    "chain/runtime/tests/contracts/Hostile.sol",
];

/// What the example's contract asks for.
const PROGRAM: &str = "examples/hello";

/// What it is given.
const INPUT: &str = "contract";

/// A network for it: more providers than have to agree.
const NETWORK: [&str; 3] = ["--chain", "--providers", "4"];

/// What the compiler is got and run with.
const TOOLS: [Tool; 1] = [Tool {
    test: &["npm", "--version"],
    packages: &["nodejs", "npm"],
}];

/// Compile the contracts of the example and of the chain's tests.
///
/// Gets the compiler that examples/contract-request names into its node_modules. Prints the folder of the bytecode: the
/// runtime's tests find it by the variable OPENSKY_CONTRACTS.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    consent: Consent,
}

/// Compiles, and says where the bytecode is.
pub fn run(args: Args) -> anyhow::Result<()> {
    println!("{}", build(args.consent)?.display());
    Ok(())
}

/// Compiles, and answers where the bytecode is.
pub fn build(consent: Consent) -> anyhow::Result<PathBuf> {
    setup::tools("the contracts are", &TOOLS, consent)?;
    let example = run::root().join(EXAMPLE);
    compiler(&example)?;
    let folder = chain::folder().join("contracts");
    // Of a contract that is gone nothing is to stay.
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove the contracts' old bytecode")?;
    }
    let mut command = Command::new(example.join("node_modules/.bin/solcjs"));
    // Names of files are a part of what is compiled: they are the same in each checkout.
    command.current_dir(run::root()).args(["--base-path", "."]);
    command.args(["--bin", "--abi", "--optimize", "--output-dir"]);
    command.arg(&folder).args(SOURCES);
    run::run(&mut command)?;
    Ok(folder)
}

/// The example from end to end: a network that settles on a chain of its own, a program on it, and a contract that asks
/// for a run of that and is called back.
pub fn demo(stages: &mut Stages, consent: Consent) -> anyhow::Result<()> {
    let opensky = stages.step("build opensky", binary::build)?;
    stages.run("set up", &mut setup::doctor(&opensky, consent))?;
    let contracts = stages.step("compile the contract", || build(consent))?;
    let runtime = || chain::build_runtime(chain::Purpose::Chain);
    stages.step("build the chain's runtime", runtime)?;
    stages.step("build the chain's node", || chain::build_node(consent))?;
    play(stages, &opensky, &contracts)
}

/// The example with what is built.
pub fn play(stages: &mut Stages, opensky: &Path, contracts: &Path) -> anyhow::Result<()> {
    let title = "start a chain, four providers who settle there, and a requester";
    let folder = chain::folder().join("demo");
    let devnet = stages.step(title, || Devnet::start(opensky, &NETWORK, &folder))?;
    let program = stages.step("deploy the program", || deploy(opensky, &devnet))?;
    let mut ask = Command::new("node");
    ask.current_dir(run::root())
        .arg(format!("{EXAMPLE}/ask.mjs"));
    ask.args(["--program", &program, "--input", INPUT, "--withdraw"]);
    ask.args(["--chain", devnet.chain()?]);
    ask.arg("--contracts").arg(contracts);
    stages.run("have the contract ask, and be called back", &mut ask)?;
    stages.step("end the network", || devnet.end())
}

/// Puts the program on the network, and answers its digest.
fn deploy(opensky: &Path, devnet: &Devnet) -> anyhow::Result<String> {
    let mut command = Command::new(opensky);
    command.current_dir(run::root()).args(["deploy", PROGRAM]);
    command.args(["--format", "json", "--node"]);
    command.arg(devnet.requester()?).stderr(Stdio::inherit());
    eprintln!("    {}", run::shown(&command));
    let deployed: Value = serde_json::from_str(&run::answer(&mut command)?)?;
    let program = deployed["deployment"]["program"].as_str();
    Ok(program
        .context("opensky does not say which program it is")?
        .to_owned())
}

/// Gets what the lock file says, unless it is there.
fn compiler(example: &Path) -> anyhow::Result<()> {
    let modified = |file: &str| fs::metadata(example.join(file))?.modified();
    // npm writes this file when it is done.
    let installed = modified("node_modules/.package-lock.json").ok();
    if installed.is_some() && installed >= modified("package-lock.json").ok() {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--no-fund", "--no-audit"]);
    run::run(command.current_dir(example))
}
