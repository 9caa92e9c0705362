//! Listens, and serves each connection until the gateway is stopped.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use opensky_api::{Endpoint, EndpointError, Token};
use opensky_node::Node;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    desk::{Desk, closed},
    route,
};

/// Connections at once; more wait. Each may be a stream that takes long.
const CONNECTIONS: usize = 256;
/// How long a client may take to send the head of a request, and be silent between two.
const HEAD: Duration = Duration::from_secs(10);
/// The most bytes of a head.
const HEAD_BYTES: usize = 64 << 10;
/// How long answers that were begun may take to their end when the gateway stops.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long to wait when the system gives no connection: it lacks descriptors, and will for a while.
const BREATH: Duration = Duration::from_millis(100);

/// Why a node's API is not served.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address cannot be had.
    #[error("cannot listen on {address} for the API: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The address is not on this machine, or cannot be left in the data folder.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// A node's API, being served. Dropping it does not stop it: [`Gateway::stop`] does.
#[derive(Debug)]
pub struct Gateway {
    endpoint: Endpoint,
    folder: PathBuf,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Serves the API of `node` where its configuration says, and leaves address and a new token in its
    /// data folder, for its user alone.
    ///
    /// # Errors
    /// [`GatewayError`]; nothing listens then.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and IO.
    pub async fn start(node: Node) -> Result<Self, GatewayError> {
        let config = node.config();
        let (address, folder) = (config.api.listen, config.data.clone());
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(GatewayError::Random)?;
        let token = Token::from_random(&random);
        // Before anything listens: the token is for this machine alone.
        Endpoint::new(address, token.clone())?;
        let listen = |source| GatewayError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let endpoint = Endpoint::new(address, token.clone())?;
        let posted = endpoint.write(&folder)?;
        let (closing, closes) = watch::channel(false);
        let desk = Desk::new(node, token, closes.clone());
        let router = route::router(&desk);
        let task = tokio::spawn(async move {
            serve(listener, router, closes).await;
            // Until here: nobody else has the port for as long as programs believe that it is ours.
            drop(posted);
        });
        tracing::info!(%address, "the API is served");
        Ok(Self {
            endpoint,
            folder,
            closing,
            task,
        })
    }

    /// Where it is served, and the token.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Takes no more requests, lets answers that were begun end for at most five seconds, and removes
    /// what it left in the data folder.
    ///
    /// # Errors
    /// [`GatewayError::Endpoint`] if that cannot be removed.
    pub async fn stop(self) -> Result<(), GatewayError> {
        // The task may have ended already, with the runtime.
        let _ = self.closing.send(true);
        let _ = self.task.await;
        Ok(Endpoint::remove(&self.folder)?)
    }
}

async fn serve(listener: TcpListener, router: Router, closing: watch::Receiver<bool>) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &router, &graceful, &mut connections) => {}
        () = closed(closing) => {}
    }
    drop(listener);
    if timeout(LAST_WORDS, graceful.shutdown()).await.is_err() {
        tracing::debug!("connections of the API are cut");
    }
}

/// Accepts connections for ever, as many at once as there are places.
async fn accept(
    listener: &TcpListener,
    router: &Router,
    graceful: &GracefulShutdown,
    connections: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = places.clone().acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection was not accepted");
                sleep(BREATH).await;
                continue;
            }
        };
        let connection = graceful.watch(connect(stream, router.clone()));
        connections.spawn(async move {
            // A client that goes away, or talks nonsense, is its own affair.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection of the API broke");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

type Connection = http1::Connection<TokioIo<TcpStream>, TowerToHyperService<Router>>;

fn connect(stream: TcpStream, router: Router) -> Connection {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers may be sent late");
    }
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
}
