//! `cargo xtask contracts`: the Solidity of the example and of the chain's tests as bytecode.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{
    chain, run,
    setup::{self, Consent, Tool},
};

/// Whose `package.json` says which compiler.
const EXAMPLE: &str = "examples/contract-request";

/// What is compiled.
const SOURCES: [&str; 3] = [
    "examples/contract-request/IOpenSky.sol",
    "examples/contract-request/Requester.sol",
    "chain/runtime/tests/contracts/Hostile.sol",
];

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
