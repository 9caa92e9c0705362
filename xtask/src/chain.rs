//! `cargo xtask runtime` and `cargo xtask weights`: the chain's runtime as WebAssembly, the node that runs it, and what
//! its calls cost.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use crate::{
    run,
    setup::{self, Consent, Tool},
    stages::Stages,
};

/// What the runtime is built for: WebAssembly without a system, of the first version.
const TARGET: &str = "wasm32v1-none";

/// For the runtime only, not for macros and build scripts: the host has to find its table, and the Polkadot SDK has
/// to know that it is the chain.
const RUSTFLAGS: &str = "-C link-arg=--export-table --cfg substrate_runtime";

/// What is measured: the folder of a pallet, and the module of that, if it is not its only one.
const MEASURED: [(&str, &str); 5] = [
    ("jobs", ""),
    ("jobs", "::beacon"),
    ("jobs", "::requests"),
    ("providers", ""),
    ("providers", "::offers"),
];

/// What the node is built with, beside Rust.
const TOOLS: [Tool; 2] = [
    Tool {
        test: &["protoc", "--version"],
        packages: &["protobuf-compiler"],
    },
    Tool {
        test: &["pkg-config", "--exists", "openssl"],
        packages: &["pkg-config", "libssl-dev"],
    },
];

/// Build the chain's runtime to WebAssembly.
///
/// Minutes at first, seconds after a change. Prints where it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The node that runs it, too: it knows no runtime, so its twenty minutes of processor time are spent once.
    #[arg(long)]
    node: bool,
    /// The same runtime with the next version's number, too: what a test upgrades a chain to.
    #[arg(long)]
    upgrade: bool,
    #[command(flatten)]
    consent: Consent,
}

/// Measure what the pallets' calls cost, and write it down in them.
///
/// Runs their benchmarks in the runtime's WebAssembly: a quarter of an hour at first, two minutes after that, in which
/// the machine should do nothing else.
#[derive(Debug, clap::Args)]
pub struct WeightsArgs {}

/// What a runtime is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A chain.
    Chain,
    /// An upgrade of that chain, of which a test only sees that it is another one.
    Upgrade,
    /// Measuring what its calls cost.
    Weights,
}

/// Builds, and says where it is.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut stages = Stages::start();
    if args.upgrade {
        let upgrade = stages.step("upgrade", || build_runtime(Purpose::Upgrade))?;
        println!("{}", upgrade.display());
    }
    let runtime = stages.step("runtime", || build_runtime(Purpose::Chain))?;
    println!("{}", runtime.display());
    if !args.node {
        stages.summary();
        return Ok(());
    }
    let node = stages.step("node", || build_node(args.consent))?;
    println!("{}", node.display());
    stages.summary();
    eprintln!("{}", next(&node, &runtime));
    Ok(())
}

/// What starts both, for whichever `opensky` is found.
fn next(node: &Path, runtime: &Path) -> String {
    let mut devnet = Command::new("opensky");
    devnet.args(["devnet", "--chain"]);
    devnet.envs([("OPENSKY_CHAIN_NODE", node), ("OPENSKY_RUNTIME", runtime)]);
    format!("next: {}", run::shown(&devnet))
}

/// Builds the runtime, and answers where it is. That of a chain is built last, so that it is where cargo puts it.
pub fn build_runtime(purpose: Purpose) -> anyhow::Result<PathBuf> {
    let package = ["--package=opensky-chain-runtime", "--release"];
    let mut command = cargo("build", &package);
    match purpose {
        Purpose::Chain => &mut command,
        Purpose::Upgrade => command.arg("--features=upgrade"),
        Purpose::Weights => command.arg("--features=runtime-benchmarks"),
    };
    if !has_target()? {
        command = with_debians(command)?;
    }
    command.args(["--no-default-features", "--target", TARGET]);
    command.env("CARGO_TARGET_WASM32V1_NONE_LINKER", "rust-lld");
    command.env("CARGO_TARGET_WASM32V1_NONE_RUSTFLAGS", RUSTFLAGS);
    run::run(&mut command)?;
    let folder = folder().join(TARGET).join("release");
    let built = folder.join("opensky_chain_runtime.wasm");
    let kept = match purpose {
        Purpose::Chain => return Ok(built),
        Purpose::Upgrade => built.with_extension("upgrade.wasm"),
        Purpose::Weights => built.with_extension("weights.wasm"),
    };
    std::fs::copy(&built, &kept).context("cannot copy the runtime")?;
    Ok(kept)
}

/// Measures each pallet.
pub fn weights(_: WeightsArgs) -> anyhow::Result<()> {
    let mut stages = Stages::start();
    let runtime = stages.step("runtime", || build_runtime(Purpose::Weights))?;
    for (pallet, module) in MEASURED {
        let mut measure = cargo("run", &["--release", "--package=opensky-chain-weights"]);
        measure.args(["--", "--command=cargo xtask weights", "--runtime"]);
        measure.arg(&runtime);
        measure.arg(format!("--pallet=opensky_chain_pallet_{pallet}{module}"));
        let measured = stages.step("weights", || run::answer(&mut measure))?;
        let folder = module.replace("::", "/");
        let file = format!("chain/pallets/{pallet}/src{folder}/weights.rs");
        std::fs::write(run::root().join(file), measured).context("cannot write the weights")?;
    }
    let mut format = run::cargo();
    format.args(["fmt", "--manifest-path=chain/Cargo.toml", "--all"]);
    stages.run("formatting", &mut format)?;
    stages.summary();
    Ok(())
}

/// Builds the node, and answers where it is.
pub fn build_node(consent: Consent) -> anyhow::Result<PathBuf> {
    setup::tools("the chain's node is", &TOOLS, consent)?;
    run::run(&mut node("build"))?;
    Ok(folder().join("debug/opensky-chain-node"))
}

/// A command of cargo for the node.
pub fn node(verb: &str) -> Command {
    let mut command = cargo(verb, &["--package=opensky-chain-node"]);
    // The system's, where somebody asked for another to be compiled.
    command.env("OPENSSL_NO_VENDOR", "1");
    command
}

/// Looks at the layout of the chain's code.
pub fn format() -> Command {
    let mut command = run::cargo();
    command.args(["fmt", "--manifest-path=chain/Cargo.toml", "--all"]);
    command.arg("--check");
    command
}

/// A command of cargo in the chain's workspace.
pub fn cargo(verb: &str, args: &[&str]) -> Command {
    let mut command = run::cargo();
    command.args([verb, "--locked", "--manifest-path=chain/Cargo.toml"]);
    command.arg("--target-dir").arg(folder()).args(args);
    command
}

/// It has a folder of its own in the target folder, because it is another workspace.
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    run::root().join(target).join("chain")
}

/// Whether the compiler has a library for the runtime's target, or rustup has got it now.
fn has_target() -> anyhow::Result<bool> {
    let library =
        run::answer(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]);
    Ok(Path::new(&library).is_dir() || run::run(&mut add).is_ok())
}

/// The same command of Debian's cargo with Debian's compiler, which builds the library from Debian's sources: those
/// packages are what jobs are built with where rustup cannot download.
fn with_debians(command: Command) -> anyhow::Result<Command> {
    let listed = run::answer(Command::new("dpkg").args(["-L", "rustc-web"]));
    let listed = listed
        .context("there is no library for the runtime's target: rustup target add wasm32v1-none")?;
    let rustc = listed.lines().find(|file| file.ends_with("bin/rustc"));
    let rustc = Path::new(rustc.context("the package rustc-web has no compiler")?);
    let mut debians = Command::new(rustc.with_file_name("cargo"));
    debians.args(command.get_args()).current_dir(run::root());
    debians.arg("-Zbuild-std=core,alloc");
    debians.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
    debians.env_remove("RUSTUP_TOOLCHAIN");
    debians.env("PATH", with_linker()?);
    Ok(debians)
}

/// `PATH`, and before it the folder of the linker that rustup's toolchains bring.
fn with_linker() -> anyhow::Result<OsString> {
    let sysroot = run::answer(Command::new("rustc").args(["--print", "sysroot"]))?;
    let targets = std::fs::read_dir(Path::new(&sysroot).join("lib/rustlib"));
    let targets = targets.into_iter().flatten().flatten();
    let linkers = targets.map(|target| target.path().join("bin"));
    let linkers = linkers.filter(|folder| folder.join("rust-lld").is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = linkers.chain(std::env::split_paths(&path)).collect();
    std::env::join_paths(folders).context("a folder in PATH has an odd name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_both_can_be_pasted_into_a_shell() {
        let next = next(Path::new("/a b/node"), Path::new("/runtime.wasm"));
        let line = "next: OPENSKY_CHAIN_NODE='/a b/node' OPENSKY_RUNTIME=/runtime.wasm opensky devnet --chain";
        assert_eq!(next, line);
    }
}
