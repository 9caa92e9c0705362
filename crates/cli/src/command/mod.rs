//! The commands, one file each.

use clap::Subcommand;

use crate::Exit;

pub mod bench;
pub mod build;
pub mod chain;
pub mod deploy;
pub mod dev;
pub mod devnet;
pub mod doctor;
pub mod inspect;
pub mod job;
pub mod key;
pub mod meter;
pub mod new;
pub mod node;
pub mod offers;
pub mod receipt;
pub mod run;
pub mod stake;
pub mod verify;
pub mod wallet;
pub mod worker;

/// What `opensky` can do. A command's own file has its help text.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Command {
    New(new::Args),
    Build(build::Args),
    Run(Box<run::Args>),
    Dev(Box<dev::Args>),
    Deploy(deploy::Args),
    Devnet(devnet::Args),
    Node(node::Args),
    Job(job::Args),
    Offers(offers::Args),
    Wallet(wallet::Args),
    Stake(stake::Args),
    Unstake(stake::BackArgs),
    Chain(chain::Args),
    Inspect(inspect::Args),
    Meter(meter::Args),
    Verify(verify::Args),
    Receipt(receipt::Args),
    Key(key::Args),
    Bench(bench::Args),
    Doctor(doctor::Args),
    #[command(hide = true)]
    Worker(worker::Args),
}

impl Command {
    /// Whether it runs for days, and what it does is to be read in its log.
    pub fn is_service(&self) -> bool {
        matches!(self, Self::Node(args) if args.is_service())
    }

    /// Does it.
    pub fn run(self) -> anyhow::Result<Exit> {
        match self {
            Self::New(args) => new::run(args),
            Self::Build(args) => build::run(args),
            Self::Run(args) => run::run(*args),
            Self::Dev(args) => dev::run(*args),
            Self::Deploy(args) => deploy::run(args),
            Self::Devnet(args) => devnet::run(args),
            Self::Node(args) => node::run(args),
            Self::Job(args) => job::run(args),
            Self::Offers(args) => offers::run(args),
            Self::Wallet(args) => wallet::run(args),
            Self::Stake(args) => stake::run(&args),
            Self::Unstake(args) => stake::take_back(&args),
            Self::Chain(args) => chain::run(args),
            Self::Inspect(args) => inspect::run(args),
            Self::Meter(args) => meter::run(args),
            Self::Verify(args) => verify::run(args),
            Self::Receipt(args) => receipt::run(args),
            Self::Key(args) => key::run(args),
            Self::Bench(args) => bench::run(args),
            Self::Doctor(args) => doctor::run(args),
            Self::Worker(args) => worker::run(args),
        }
    }
}
