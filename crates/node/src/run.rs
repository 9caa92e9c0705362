//! The life of a node that is a process: from its configuration to SIGTERM.

use std::{io, sync::Arc, time::Duration};

use opensky_executor::worker::Launcher;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::Config,
    error::{Failure, StartError},
    execute::Sandboxed,
    machine,
    node::Node,
};

/// How long what runs may take to come to its end after SIGTERM. What is not done then is gone on
/// with after the next start.
const DRAIN: Duration = Duration::from_secs(30);

/// Why a node's process ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It cannot go on.
    #[error("the node cannot go on: {0}")]
    Failed(#[from] Failure),
    /// The system does not say when to end.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] io::Error),
}

/// What runs a node's units where nothing else is said: the sandbox, with its workers started by
/// `launcher` and its compiled code in the data folder.
pub fn sandboxed(config: &Config, launcher: Launcher) -> Arc<Sandboxed> {
    let cache = config.data.join("compiled");
    Arc::new(Sandboxed::new(launcher, &cache, machine::cores(config)))
}

/// Starts a node and runs it until the process is told to end, by SIGTERM or SIGINT: then it takes
/// nothing new, finishes what it runs, and ends. A second signal ends it at once.
///
/// # Errors
/// [`RunError`].
pub async fn run(config: Config, launcher: Launcher) -> Result<(), RunError> {
    let execute = sandboxed(&config, launcher);
    let node = Node::start(config, execute).await?;
    serve(&node).await
}

/// Runs a node that was started until the process is told to end. See [`run`].
///
/// # Errors
/// [`RunError::Failed`] and [`RunError::Signals`].
pub async fn serve(node: &Node) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        failure = node.failed() => {
            node.stop().await;
            return Err(failure.into());
        }
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("the node finishes what it runs, and takes nothing new");
    tokio::select! {
        () = node.drain(DRAIN) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    node.stop().await;
    Ok(())
}
