//! Listens, and serves each connection until the gateway is stopped.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use opensky_api::{Endpoint, EndpointError, Token};
use opensky_node::Node;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    crowd::{Crowd, Guest, Line},
    desk::{Desk, closed},
    route,
};

/// The most bytes of a head.
const HEAD_BYTES: usize = 64 << 10;
/// How long answers that were begun may take to their end when the gateway stops.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long to wait when the system gives no connection: it lacks descriptors, and will for a while.
const BREATH: Duration = Duration::from_millis(100);

/// How long the gateway waits for clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// For the head of a request, and between two. Default: 10 s.
    pub head: Duration,
    /// For a body of JSON, and for the next piece of a blob. Default: 30 s.
    pub body: Duration,
    /// For a client to read on. One that does not keeps its connection until another program needs its
    /// place: a person may be reading what it prints. Default: 30 s.
    pub stalled: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            stalled: Duration::from_secs(30),
        }
    }
}

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
        Self::with_patience(node, Patience::default()).await
    }

    /// The same, with a patience of one's own.
    ///
    /// # Errors
    /// [`GatewayError`]; nothing listens then.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time and IO.
    pub async fn with_patience(node: Node, patience: Patience) -> Result<Self, GatewayError> {
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
        let desk = Desk::new(node, token, patience, closes.clone());
        let door = Door {
            listener,
            router: route::router(&desk),
            crowd: Crowd::new(patience.stalled),
            head: patience.head,
        };
        let task = tokio::spawn(async move {
            door.serve(closes).await;
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

/// Where connections come in.
struct Door {
    listener: TcpListener,
    router: Router,
    crowd: Arc<Crowd>,
    /// How long a head is waited for.
    head: Duration,
}

impl Door {
    async fn serve(self, closing: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        tokio::select! {
            () = self.accept(&graceful, &mut connections) => {}
            () = closed(closing) => {}
        }
        drop(self);
        if timeout(LAST_WORDS, graceful.shutdown()).await.is_err() {
            tracing::debug!("connections of the API are cut");
        }
    }

    /// Accepts connections for ever, and at once: who waits at the door cannot be told apart.
    async fn accept(&self, graceful: &GracefulShutdown, connections: &mut JoinSet<()>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => self.take(stream, graceful, connections),
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    sleep(BREATH).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }

    fn take(&self, stream: TcpStream, graceful: &GracefulShutdown, all: &mut JoinSet<()>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "answers may be sent late");
        }
        let guest = self.crowd.enter();
        let line = Line {
            stream,
            guest: guest.clone(),
        };
        let (router, whose) = (self.router.clone(), guest.clone());
        let service = service_fn(move |request| answer(router.clone(), whose.clone(), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(line), service);
        let connection = graceful.watch(connection);
        all.spawn(async move {
            tokio::select! {
                // A client that goes away, or talks nonsense, is its own affair.
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection of the API broke");
                },
                () = guest.shown_out() => tracing::debug!("a connection of the API made room"),
            }
        });
    }
}

/// Answers a request, which says from now on whose it is.
fn answer(
    router: Router,
    guest: Guest,
    mut request: Request<Incoming>,
) -> <TowerToHyperService<Router> as hyper::service::Service<Request<Incoming>>>::Future {
    request.extensions_mut().insert(guest);
    hyper::service::Service::call(&TowerToHyperService::new(router), request)
}
