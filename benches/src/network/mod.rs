//! What the network costs: blobs and calls beside plain streams, and results from submission to
//! agreement, of real nodes with real workers on loopback.

mod cluster;
mod devnet;
mod disk;
mod results;
mod transfer;

use opensky_executor::worker::Launcher;
use tokio::runtime::Runtime;

use crate::{Effort, Error, Figures, guest, machine};

/// What the network costs, in all its parts. Prints tables to stdout while it measures. `launcher` says
/// how this binary is started as a worker process; started with `node` it has to be a node.
pub fn network(effort: Effort, launcher: &Launcher) -> Result<Figures, Error> {
    println!("{}", machine::describe()?);
    let hello = guest::hello()?;
    let folder = disk::folder()?;
    println!("folder    {}", disk::describe(folder.path())?);
    let mut figures = Figures::default();
    let runtime = Runtime::new()?;
    transfer::measure(effort, &runtime, &mut figures)?;
    disk::measure(effort, folder.path(), &mut figures)?;
    results::measure(
        effort,
        &runtime,
        launcher,
        folder.path(),
        &hello,
        &mut figures,
    )?;
    devnet::measure(folder.path(), &hello, &mut figures)?;
    Ok(figures)
}
