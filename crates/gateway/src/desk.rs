//! What every answer is made from: the node, and what the gateway itself knows.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use opensky_api::{Time, Token};
use opensky_node::Node;
use tokio::sync::{Semaphore, watch};

use crate::server::Patience;

/// Requests that are worked on at once. Each may hold 16 MiB of JSON.
const AT_ONCE: usize = 32;
/// Jobs that are watched at once. Each looks at its job a few times a second.
const WATCHERS: usize = 32;

/// What every answer is made from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Drawers>);

pub(crate) struct Drawers {
    pub node: Node,
    pub token: Token,
    pub started: Time,
    pub patience: Patience,
    pub requests: Arc<Semaphore>,
    pub watchers: Arc<Semaphore>,
    /// Says `true` when the gateway closes: whoever talks for long then ends.
    pub closing: watch::Receiver<bool>,
}

impl Desk {
    pub fn new(
        node: Node,
        token: Token,
        patience: Patience,
        closing: watch::Receiver<bool>,
    ) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = since.map_or(0, |since| since.as_millis());
        Self(Arc::new(Drawers {
            node,
            token,
            patience,
            started: Time::saturating(u64::try_from(millis).unwrap_or(u64::MAX)),
            requests: Arc::new(Semaphore::new(AT_ONCE)),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            closing,
        }))
    }

    /// Waits until the gateway closes.
    pub async fn closed(&self) {
        closed(self.closing.clone()).await;
    }
}

/// Waits until that says `true`, or nobody is left to say it.
pub(crate) async fn closed(mut closing: watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

impl std::ops::Deref for Desk {
    type Target = Drawers;

    fn deref(&self) -> &Drawers {
        &self.0
    }
}
