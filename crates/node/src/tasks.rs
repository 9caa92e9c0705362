//! The tasks of a node: started from anywhere, and all of them ended with it.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::Instrument;

/// Starts tasks and ends them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tasks(Arc<watch::Sender<bool>>);

impl Tasks {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Starts one, in the span of whoever starts it. It is dropped where it waits when the node ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut ended = self.0.subscribe();
        let until_ended = async move {
            tokio::select! {
                // What another task's end makes of this one is no failure then.
                biased;
                _ = ended.wait_for(|ended| *ended) => {}
                () = task => {}
            }
        };
        tokio::spawn(until_ended.in_current_span());
    }

    /// Ends all tasks, those too that are started from now on. Returns when none is left.
    pub async fn end(&self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}
