//! Takes messages to other nodes: one queue for each, so that one that is slow keeps nobody else
//! waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use opensky_core::{Event, Outgoing};
use opensky_network::{AskError, Network};
use opensky_protocol::{
    MAX_MESSAGE_BYTES, Message, NodeKey, Reply, Request, Reveal, SecretKey, codec,
};
use parity_scale_codec::Encode as _;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};

use crate::{asides::Untold, content::ContentKeys, metrics::Metrics, seal::seal, tasks::Tasks};

/// Messages that wait for one node. The core says again what nobody answers, so what is beyond this
/// is dropped.
const WAITING: usize = 256;
/// Messages to one node that are on their way at once.
const ON_THE_WAY: usize = 8;
/// A node with nothing to be told gets no queue after this.
const IDLE: Duration = Duration::from_secs(60);
/// How long a node that is busy is left alone before the message is tried once more.
const BUSY: Duration = Duration::from_millis(50);
/// How often the core is told of a node's round trip, at most.
const TRIP: Duration = Duration::from_secs(1);

/// A handle of all queues. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Post(Arc<Office>);

struct Office {
    network: Network,
    secret: Arc<SecretKey>,
    content: Arc<ContentKeys>,
    untold: Untold,
    events: mpsc::Sender<Event>,
    metrics: Metrics,
    tasks: Tasks,
    queues: Mutex<HashMap<NodeKey, mpsc::Sender<Outgoing>>>,
}

impl Post {
    /// Messages are signed with `secret`, and the keys of encrypted jobs wrapped;
    /// with results goes what the units said beside them. What becomes of them is told to `events`.
    pub fn new(
        network: Network,
        secret: Arc<SecretKey>,
        content: Arc<ContentKeys>,
        untold: Untold,
        events: mpsc::Sender<Event>,
        metrics: Metrics,
        tasks: Tasks,
    ) -> Self {
        Self(Arc::new(Office {
            network,
            secret,
            content,
            untold,
            events,
            metrics,
            tasks,
            queues: Mutex::default(),
        }))
    }

    /// Says this to that node, some time, or never.
    pub fn send(&self, to: NodeKey, message: Outgoing) {
        let mut queues = self.lock();
        let message = match queues.get(&to) {
            None => message,
            Some(queue) => match queue.try_send(message) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Closed(message)) => message,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    self.0.metrics.dropped.inc();
                    return;
                }
            },
        };
        let (queue, messages) = mpsc::channel(WAITING);
        // There is room in a new queue.
        let _ = queue.try_send(message);
        queues.insert(to, queue);
        queues.retain(|_, queue| !queue.is_closed());
        self.0.tasks.spawn(self.clone().carry(to, messages));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<NodeKey, mpsc::Sender<Outgoing>>> {
        self.0.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn carry(self, to: NodeKey, mut messages: mpsc::Receiver<Outgoing>) {
        let room = Arc::new(Semaphore::new(ON_THE_WAY));
        let mut told: Option<Instant> = None;
        while let Ok(Some(message)) = timeout(IDLE, messages.recv()).await {
            let Ok(permit) = room.clone().acquire_owned().await else {
                return;
            };
            let wants_trip = told.is_none_or(|at| at.elapsed() >= TRIP);
            if wants_trip {
                told = Some(Instant::now());
            }
            let post = self.clone();
            self.0.tasks.spawn(async move {
                post.deliver(to, message, wants_trip).await;
                drop(permit);
            });
        }
    }

    async fn deliver(&self, to: NodeKey, message: Outgoing, wants_trip: bool) {
        let office = &self.0;
        let request = match seal(&office.secret, &office.content, message) {
            Message::Reveal(reveals) => revealing(&office.untold, reveals),
            message => Request::Message(message),
        };
        let bytes = codec::encode(&request);
        let start = Instant::now();
        let mut answer = office.network.ask(to, bytes.clone()).await;
        if is_busy(&answer) {
            sleep(BUSY).await;
            answer = office.network.ask(to, bytes).await;
        }
        office.metrics.sent.inc();
        let event = match answer {
            Ok(_) if wants_trip => Event::RoundTrip(to, start.elapsed()),
            Ok(_) | Err(AskError::Busy { .. } | AskError::Down) => return,
            Err(error) => {
                tracing::debug!(%to, %error, "a message was not delivered");
                Event::Unreachable(to)
            }
        };
        // The core ends before those who tell it things.
        let _ = office.events.send(event).await;
    }
}

/// Results, and what the units said beside them if one message takes it.
fn revealing(untold: &Untold, reveals: Vec<Reveal>) -> Request {
    /// The variant, and the lengths of both lists.
    const AROUND: usize = 16;
    let asides = untold.of(&reveals);
    match reveals.encoded_size() + asides.encoded_size() + AROUND <= MAX_MESSAGE_BYTES {
        true => Request::Reveal { reveals, asides },
        false => Request::Message(Message::Reveal(reveals)),
    }
}

fn is_busy(answer: &Result<Vec<u8>, AskError>) -> bool {
    match answer {
        Ok(reply) => matches!(codec::decode(reply), Ok(Reply::Busy)),
        Err(error) => matches!(error, AskError::Busy { .. }),
    }
}
