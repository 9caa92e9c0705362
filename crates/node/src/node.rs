//! A running node: its parts, started in order, and the handle by which others use it.

use std::{sync::Arc, time::Duration};

use opensky_core::{Event, Identity as Who, Participant, Policy};
use opensky_ledger::Charter;
use opensky_network::{Config as NetworkConfig, Exposure, Network};
use opensky_protocol::{Account, Digest, NodeKey, SecretKey, ledger::Terms};
use opensky_storage::Rows;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tracing::Instrument;

use crate::{
    asides::{Asides, Untold},
    bond,
    cashier::{Cashier, Counter},
    clock::Clock,
    collector::Collector,
    config::{Config, LedgerConfig},
    content::ContentKeys,
    deployments::Deployments,
    depot::Depot,
    door::{Door, Rooms},
    drive::{Driver, Ears, Wishes},
    duties::{self, Duties},
    errands::{FINDING, Runner, UnderWay, Waiters},
    error::{Failure, StartError},
    execute::Execute,
    ground::Ground,
    keepsake::{For, Keepsakes},
    ledger::{Books, Signer, Teller},
    machine,
    market::Market,
    metrics::Metrics,
    objections::Objector,
    pace::Pace,
    pins::{self, Pins},
    post::Post,
    rows,
    supply::Supply,
    tasks::Tasks,
    upkeep,
    wallet::Wallet,
    workshop::{Tools, Workshop},
};

/// Things that wait for the task that owns the participant, of each kind.
const WISHES: usize = 256;
const LOCAL: usize = 4_096;
const REMOTE: usize = 1_024;
/// Batches of effects that wait for the disk.
const ERRANDS: usize = 256;
/// Runs for requests on a chain of whose end nobody has taken note yet.
const DUTIES: usize = 64;
/// How long the account's first money is waited for; it comes later otherwise.
const FIRST_MONEY: Duration = Duration::from_secs(5);
/// How long units that run may take to end when the node is stopped: their workers are killed.
const LAST_UNITS: Duration = Duration::from_secs(10);
/// Units that the core hands over for each processor. Enough that tiny ones go to a worker process a
/// handful at a time, and few enough that no requester waits long behind another's.
const AHEAD: u32 = 32;

/// A handle to a running node. Cheap to clone. The node runs until [`stop`](Node::stop).
#[derive(Clone)]
pub struct Node(pub(crate) Arc<Parts>);

/// What a node consists of, as far as its handle uses it.
pub(crate) struct Parts {
    pub who: Who,
    pub config: Config,
    pub secret: Arc<SecretKey>,
    pub content: Arc<ContentKeys>,
    pub terms: Terms,
    pub clock: Clock,
    pub rows: Arc<Rows>,
    pub depot: Depot,
    pub keepsakes: Keepsakes,
    pub network: Network,
    pub market: Market,
    pub deployments: Deployments,
    pub asides: Asides,
    pub wallet: Wallet,
    /// For jobs, and for what a chain wants.
    pub workshops: Vec<Workshop>,
    pub pace: Pace,
    pub metrics: Metrics,
    pub wishes: Wishes,
    pub waiters: Arc<Waiters>,
    pub ended: watch::Receiver<u64>,
    pub failure: watch::Receiver<Option<Failure>>,
    pub tasks: Tasks,
}

impl Node {
    /// Starts a node whose units `execute` runs, and returns once it listens, knows its ledger and has
    /// taken up what it had not finished.
    ///
    /// # Errors
    /// [`StartError`].
    ///
    /// # Panics
    /// Outside of a tokio runtime of several threads, with time and IO.
    pub async fn start(config: Config, execute: Arc<dyn Execute>) -> Result<Self, StartError> {
        let policy = Policy {
            ahead: AHEAD,
            max_unpaid: config.price.max_unpaid(),
            ..Policy::default()
        };
        Self::with_policy(config, execute, policy).await
    }

    /// The same, with numbers of one's own to decide by.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn with_policy(
        config: Config,
        execute: Arc<dyn Execute>,
        policy: Policy,
    ) -> Result<Self, StartError> {
        machine::warn(&config);
        let ground = Ground::open(&config)?;
        let (network, inbox) = {
            let blobs = Arc::new(ground.depot.clone());
            Network::start(network_config(&config), ground.identity.seed(), blobs).await?
        };
        let books = ground.books(&config, &network)?;
        // Others may ask for the ledger from here on: a node that keeps it does not wait for itself.
        let charter = ground.charter(&books).await?;
        Building {
            config,
            execute,
            policy,
            ground,
            network,
            books,
            charter,
        }
        .build(inbox)
        .await
    }

    /// The node's key, which is its name.
    pub fn key(&self) -> NodeKey {
        self.0.who.node
    }

    /// The account that pays and is paid.
    pub fn account(&self) -> Account {
        self.0.who.operator
    }

    /// What it was told at its start.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Takes nothing new and waits until all that it has to run is done, at most for `most`. To be
    /// followed by [`stop`](Self::stop).
    pub async fn drain(&self, most: Duration) {
        self.0.wishes.event(Event::Drain).await;
        let drained = async {
            while !self.is_idle() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        // What is not done by then is gone on with after the next start.
        let _ = timeout(most, drained).await;
    }

    fn is_idle(&self) -> bool {
        let metrics = &self.0.metrics;
        metrics.running.get() == 0 && metrics.queued.get() == 0
    }

    /// Ends the node. What it was doing it takes up again when it is started with the same data.
    pub async fn stop(&self) {
        self.0.tasks.end().await;
        self.0.network.clone().shutdown().await;
        for workshop in self.0.workshops.clone() {
            let closed = spawn_blocking(move || workshop.close());
            if timeout(LAST_UNITS, closed).await.is_err() {
                tracing::warn!("a program is still being compiled: that ends with the process");
            }
        }
    }

    /// Waits until the node ends by itself, which it does only when it cannot go on.
    pub async fn failed(&self) -> Failure {
        let mut failure = self.0.failure.clone();
        let found = failure.wait_for(Option::is_some).await;
        match found.ok().and_then(|failure| failure.clone()) {
            Some(failure) => failure,
            None => Failure::Task("it was stopped".into()),
        }
    }

    /// Where others reach this node, as multiaddresses that end in its peer's id: those that it
    /// listens on.
    pub async fn addresses(&self) -> Vec<String> {
        let Some(status) = self.0.network.status().await else {
            return Vec::new();
        };
        let whole = |address: &String| match address.contains("/p2p/") {
            true => address.clone(),
            false => format!("{address}/p2p/{}", status.peer_id),
        };
        status.listen.iter().map(whole).collect()
    }

    /// All counters, as Prometheus reads them.
    pub fn metrics(&self) -> String {
        self.0.metrics.text()
    }
}

fn network_config(config: &Config) -> NetworkConfig {
    let mut network = NetworkConfig::new(config.network.clone());
    network.listen = config.listen.clone();
    network.bootstrap = config.bootstrap.clone();
    if let LedgerConfig::At(at) = &config.ledger {
        network.bootstrap.push(at.address.clone());
    }
    network.exposure = match config.public {
        true => Exposure::Public,
        false => Exposure::Probed,
    };
    network.mdns = config.mdns;
    network.serve_relay = config.relay;
    network
}

/// All that is needed for the parts that depend on each other.
struct Building {
    config: Config,
    execute: Arc<dyn Execute>,
    policy: Policy,
    ground: Ground,
    network: Network,
    books: Books,
    charter: Charter,
}

impl Building {
    async fn build(self, inbox: opensky_network::Inbox) -> Result<Node, StartError> {
        let Self {
            config,
            execute,
            policy,
            ground,
            network,
            books,
            charter,
        } = self;
        let Ground {
            identity,
            clock,
            rows,
            depot,
            keepsakes,
        } = ground;
        let secret = Arc::new(identity.secret());
        let content = Arc::new(ContentKeys::new(identity.derive("opensky content 1")));
        let who = Who {
            node: secret.node(),
            operator: secret.node().into(),
            ledger: charter.id,
        };
        let signer = Signer {
            secret: secret.clone(),
            account: who.operator,
            ledger: who.ledger,
        };
        let tasks = Tasks::new();
        let metrics = Metrics::new();
        let pace = Pace::new();
        let teller = Teller::start(books.clone(), signer.clone(), tasks.clone());
        let wallet = Wallet::new(who.operator, books.clone(), teller.clone(), &charter.terms);

        let (wish, wishes) = mpsc::channel(WISHES);
        let (local_events, local) = mpsc::channel(LOCAL);
        let (remote_events, remote) = mpsc::channel(REMOTE);
        let (errand, errands) = mpsc::channel(ERRANDS);
        let (ended_sender, ended) = watch::channel(0);
        let (failed, failure) = watch::channel(None);
        let wish = Wishes(wish);

        let market = Market::new(
            network.clone(),
            secret.clone(),
            identity.derive("opensky asking order 1"),
            remote_events.clone(),
            metrics.clone(),
            clock.clone(),
            tasks.clone(),
        );
        let deployments =
            Deployments::load(who.node, network.clone(), rows.clone(), keepsakes.clone())?;
        let untold = Untold::default();
        let store = depot.store().clone();
        let asides = Asides::load(rows.clone(), store, keepsakes.clone())?;
        let cores = machine::cores_of_jobs(&config).get();
        let pins = Pins::load(pins::Tools {
            network: network.clone(),
            depot: depot.clone(),
            keepsakes: keepsakes.clone(),
            rows: rows.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        })?;
        let open = |[taken, given]: [fn(Digest) -> For; 2], events: mpsc::Sender<Event>, cores| {
            let tools = Tools {
                execute: execute.clone(),
                supply: Supply::new(
                    network.clone(),
                    depot.clone(),
                    keepsakes.clone(),
                    pins.clone(),
                ),
                depot: depot.clone(),
                keepsakes: keepsakes.clone(),
                taken,
                given,
                secret: secret.clone(),
                untold: untold.clone(),
                events,
                metrics: metrics.clone(),
                pace: pace.clone(),
                tasks: tasks.clone(),
            };
            Workshop::open(tools, cores)
        };
        let workshop = config
            .provide
            .then(|| open([For::Turns; 2], local_events.clone(), cores));
        let duties = match &books {
            Books::Chain(chain) if config.provide => {
                let (told, events) = mpsc::channel(DUTIES);
                let workshop = open([For::Request, For::Result], told, 1);
                let duties = Duties::load(duties::Tools {
                    config: &config,
                    chain: chain.clone(),
                    teller: teller.clone(),
                    network: network.clone(),
                    rows: rows.clone(),
                    depot: depot.clone(),
                    keepsakes: keepsakes.clone(),
                    pins: pins.clone(),
                    workshop: workshop.clone(),
                    events,
                    who,
                    secret: identity.derive("opensky duties 1"),
                    clock: clock.clone(),
                    tasks: tasks.clone(),
                })?;
                Some((workshop, duties))
            }
            _ => None,
        };
        let workshops = workshop.iter().cloned();
        let workshops = workshops
            .chain(duties.iter().map(|(workshop, _)| workshop.clone()))
            .collect();
        let waiters = Arc::new(Waiters::default());
        let collector = Collector::new(
            network.clone(),
            depot.clone(),
            keepsakes.clone(),
            local_events.clone(),
            tasks.clone(),
        );
        let (cashier, vouchers) = Cashier::new();
        let counter = Counter {
            books: books.clone(),
            teller: teller.clone(),
            account: who.operator,
            terms: charter.terms.clone(),
            enough: policy.max_unpaid / 2,
            events: local_events.clone(),
            metrics: metrics.clone(),
            clock: clock.clone(),
        };
        let runner = Arc::new(Runner {
            secret: secret.clone(),
            keepsakes: keepsakes.clone(),
            untold: untold.clone(),
            post: Post::new(
                network.clone(),
                secret.clone(),
                content.clone(),
                untold,
                local_events.clone(),
                metrics.clone(),
                tasks.clone(),
            ),
            market: market.clone(),
            books: books.clone(),
            teller: teller.clone(),
            cashier,
            workshop: workshop.clone(),
            events: local_events,
            waiters: waiters.clone(),
            ended: ended_sender,
            metrics: metrics.clone(),
            collector,
            finding: Semaphore::new(FINDING),
            under_way: UnderWay::default(),
            clock: clock.clone(),
            tasks: tasks.clone(),
        });
        let stored = rows::load(&rows)?;
        let participant = Participant::restore(
            who,
            policy,
            identity.derive("opensky draws 1"),
            stored.into_iter(),
        )?;
        let driver = Driver {
            participant,
            clock: clock.clone(),
            rows: rows.clone(),
            errands: errand,
            metrics: metrics.clone(),
        };
        let door = Door::new(Rooms {
            depot: depot.clone(),
            pins: config.provide.then_some(pins),
            market: market.clone(),
            deployments: deployments.clone(),
            asides: asides.clone(),
            wishes: wish.clone(),
            books: matches!(books, Books::Here(_)).then(|| books.clone()),
            events: remote_events,
            metrics: metrics.clone(),
            tasks: tasks.clone(),
        });
        let ears = Ears {
            wishes,
            local,
            remote,
        };
        let span = || tracing::info_span!("node", key = %short_key(&who.node));
        let driving = watch_over(driver.run(ears), failed.clone());
        let running = watch_over(runner.run(errands), failed);
        tasks.spawn(driving.instrument(span()));
        tasks.spawn(running.instrument(span()));
        tasks.spawn(counter.serve(vouchers).instrument(span()));
        tasks.spawn(door.serve(inbox).instrument(span()));
        tasks.spawn(market.clone().go_round().instrument(span()));
        let objector = Objector {
            wishes: wish.clone(),
            books: books.clone(),
            teller: teller.clone(),
            terms: charter.terms.clone(),
            clock: clock.clone(),
        };
        tasks.spawn(objector.watch().instrument(span()));
        if let Some((_, duties)) = duties {
            tasks.spawn(duties.watch().instrument(span()));
        }
        let prepare = wallet.prepare(&charter.terms, &signer);
        match timeout(FIRST_MONEY, prepare).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the account is not ready"),
            Err(_) => tracing::warn!("the account is not ready: the ledger is slow"),
        }
        let withdrawing = bond::keep_withdrawing(
            wallet.account,
            books.clone(),
            teller.clone(),
            wallet.unbonding.clone(),
            clock.clone(),
        );
        tasks.spawn(withdrawing.instrument(span()));
        let sweeping = upkeep::sweep(keepsakes.clone(), asides.clone(), wish.clone());
        tasks.spawn(sweeping.instrument(span()));
        tasks.spawn(upkeep::make_room(keepsakes.clone()).instrument(span()));
        let telling = upkeep::keep_telling(network.clone(), keepsakes.clone());
        tasks.spawn(telling.instrument(span()));
        if config.provide {
            let offer = upkeep::keep_offering(config.clone(), pace.clone(), wish.clone());
            tasks.spawn(offer.instrument(span()));
        }
        Ok(Node(Arc::new(Parts {
            who,
            config,
            secret,
            content,
            terms: charter.terms,
            clock,
            rows,
            depot,
            keepsakes,
            network,
            market,
            deployments,
            asides,
            wallet,
            workshops,
            pace,
            metrics,
            wishes: wish,
            waiters,
            ended,
            failure,
            tasks,
        })))
    }
}

pub(crate) fn short_key(node: &NodeKey) -> String {
    let mut digits = node.to_string();
    digits.truncate(8);
    digits
}

/// Tells why a task ended, if it did not because it was told to.
async fn watch_over<E: Into<Failure>>(
    task: impl Future<Output = Result<(), E>>,
    failed: watch::Sender<Option<Failure>>,
) {
    if let Err(error) = task.await {
        let failure = error.into();
        tracing::error!(%failure, "the node cannot go on");
        failed.send_modify(|known| {
            known.get_or_insert(failure);
        });
    }
}
