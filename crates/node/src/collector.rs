//! Brings outputs of own jobs here, however often it takes, for as long as their jobs wait for them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opensky_core::Event;
use opensky_network::Network;
use opensky_protocol::{Digest, NodeKey, Output};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::{
    depot::Depot,
    keepsake::{For, Keepsakes},
    tasks::Tasks,
    workshop::short,
};

/// Outputs that are fetched at once.
const AT_ONCE: usize = 16;
/// How long one that does not end keeps others from its place. What came of it by then is found again.
const TURN: Duration = Duration::from_secs(60);
/// Longest output that is fetched.
const LARGEST: u64 = 64 << 30;
/// How long to wait before an output that nobody gave is asked for again; it doubles up to the last.
const FIRST_TRY: Duration = Duration::from_millis(500);
const LAST_TRY: Duration = Duration::from_secs(30);

/// Whoever brings outputs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Collector(Arc<Desk>);

struct Desk {
    network: Network,
    depot: Depot,
    keepsakes: Keepsakes,
    events: mpsc::Sender<Event>,
    tasks: Tasks,
    places: Semaphore,
    /// The jobs that wait; whoever is at one ends when its entry goes.
    waiting: Mutex<BTreeMap<Digest, oneshot::Sender<()>>>,
}

impl Collector {
    /// Tells `events` of each job whose outputs are all here.
    pub fn new(
        network: Network,
        depot: Depot,
        keepsakes: Keepsakes,
        events: mpsc::Sender<Event>,
        tasks: Tasks,
    ) -> Self {
        Self(Arc::new(Desk {
            network,
            depot,
            keepsakes,
            events,
            tasks,
            places: Semaphore::new(AT_ONCE),
            waiting: Mutex::default(),
        }))
    }

    /// Begins to bring these of a job, each from whoever is named beside it, until they are here or the
    /// job [waits](Self::end) no more. Replaces what was begun for it before.
    pub fn begin(&self, job: Digest, blobs: Vec<(Output, Vec<NodeKey>)>) {
        let (waits, ended) = oneshot::channel();
        self.lock().insert(job, waits);
        let collector = self.clone();
        self.0.tasks.spawn(async move {
            tokio::select! {
                biased;
                // Nothing is ever sent: the other end is dropped.
                _ = ended => {}
                () = collector.collect(job, blobs) => {}
            }
        });
    }

    /// The job is over: what is not here by now is not brought.
    pub fn end(&self, job: &Digest) {
        self.lock().remove(job);
    }

    async fn collect(&self, job: Digest, blobs: Vec<(Output, Vec<NodeKey>)>) {
        let digests = blobs.iter().map(|(output, _)| output.digest).collect();
        if let Err(error) = self.0.keepsakes.keep_for(For::Job(job), digests) {
            return tracing::error!(%error, "outputs are not collected");
        }
        for (output, sources) in blobs {
            self.bring(&job, &output, &sources).await;
        }
        // The core ends before those who tell it things.
        let _ = self.0.events.send(Event::Collected(job)).await;
    }

    async fn bring(&self, job: &Digest, output: &Output, sources: &[NodeKey]) {
        let Desk { network, depot, .. } = &*self.0;
        self.check(output.digest).await;
        let limit = output.len.min(LARGEST);
        let mut pause = FIRST_TRY;
        while !depot.store().has(&output.digest) {
            let Ok(place) = self.0.places.acquire().await else {
                return;
            };
            let brought = depot.bring(network, output.digest, sources, limit);
            let brought = timeout(TURN, brought).await;
            // Whoever waits for somebody who does not answer needs no place for it.
            drop(place);
            match brought {
                Ok(Ok(())) => return,
                Ok(Err(error)) => {
                    tracing::warn!(job = %short(job), %error, "an output does not come");
                    sleep(pause).await;
                    pause = (pause * 2).min(LAST_TRY);
                }
                Err(_) => tracing::debug!(job = %short(job), "an output comes slowly"),
            }
        }
    }

    /// Removes what is here of it if it is damaged: somebody else has it whole.
    async fn check(&self, digest: Digest) {
        let store = self.0.depot.store().clone();
        if !store.has(&digest) {
            return;
        }
        let checked = spawn_blocking(move || store.verify(&digest)).await;
        if let Ok(Err(error)) = checked {
            tracing::warn!(%error, "an output that was here is fetched again");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digest, oneshot::Sender<()>>> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use opensky_network::{Config, Exposure};
    use opensky_protocol::SecretKey;
    use opensky_storage::{Rows, SealKey, Store};

    use super::*;

    /// Longer than anything takes here.
    const PATIENCE: Duration = Duration::from_secs(60);

    struct Place {
        folder: tempfile::TempDir,
        depot: Depot,
        network: Network,
    }

    impl Place {
        async fn new(seed: u8, bootstrap: Vec<String>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let key = SealKey::from_bytes([seed; 32]);
            let store = Store::open_sealed(&folder.path().join("blobs"), &key).unwrap();
            let depot = Depot::new(Arc::new(store));
            let mut config = Config::new("collector");
            config.listen = vec!["/ip4/127.0.0.1/tcp/0".into()];
            config.exposure = Exposure::Public;
            config.bootstrap = bootstrap;
            let blobs = Arc::new(depot.clone());
            let (network, mut inbox) = Network::start(config, &[seed; 32], blobs).await.unwrap();
            tokio::spawn(async move { while inbox.next().await.is_some() {} });
            Self {
                folder,
                depot,
                network,
            }
        }

        async fn address(&self) -> String {
            let status = self.network.status().await.unwrap();
            format!("{}/p2p/{}", status.listen[0], status.peer_id)
        }

        fn collector(&self) -> (Collector, mpsc::Receiver<Event>) {
            let rows = Arc::new(Rows::open(&self.folder.path().join("rows")).unwrap());
            let (events, told) = mpsc::channel(8);
            let collector = Collector::new(
                self.network.clone(),
                self.depot.clone(),
                Keepsakes::load(self.depot.store().clone(), rows).unwrap(),
                events,
                Tasks::new(),
            );
            (collector, told)
        }
    }

    fn output(bytes: &[u8], source: NodeKey) -> Vec<(Output, Vec<NodeKey>)> {
        vec![(Output::of(bytes), vec![source])]
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn outputs_that_nobody_gives_keep_no_place_from_others() {
        let source = Place::new(1, Vec::new()).await;
        let place = Place::new(2, vec![source.address().await]).await;
        let (collector, mut told) = place.collector();
        let key = SecretKey::from_seed(&[1; 32]).node();
        for job in 0..2 * AT_ONCE as u8 {
            collector.begin(Digest([job; 32]), output(&[job; 100], key));
        }
        let good = b"somebody has it";
        source.depot.store().put(good).unwrap();
        let job = Digest([255; 32]);
        collector.begin(job, output(good, key));
        let collected = timeout(PATIENCE, told.recv()).await.unwrap();
        assert_eq!(collected, Some(Event::Collected(job)));
        assert!(place.depot.store().has(&Digest::of(good)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn output_that_is_damaged_here_is_fetched_again() {
        let source = Place::new(4, Vec::new()).await;
        let place = Place::new(5, vec![source.address().await]).await;
        let good = vec![7; 100_000];
        for one in [&source, &place] {
            one.depot.store().put(&good).unwrap();
        }
        let folder = place.folder.path().join("blobs/sealed-1");
        let below = std::fs::read_dir(folder).unwrap().flatten();
        let mut files = below.flat_map(|entry| std::fs::read_dir(entry.path()).unwrap().flatten());
        let file = files.next().expect("a blob").path();
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[50_000] ^= 1;
        std::fs::write(&file, bytes).unwrap();

        let (collector, mut told) = place.collector();
        let (job, key) = (Digest([1; 32]), SecretKey::from_seed(&[4; 32]).node());
        collector.begin(job, output(&good, key));
        let collected = timeout(PATIENCE, told.recv()).await.unwrap();
        assert_eq!(collected, Some(Event::Collected(job)));
        let kept = place.depot.store().get(&Digest::of(&good));
        assert!(kept.is_ok_and(|kept| kept == good));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_goes_on_for_a_job_that_is_over() {
        let place = Place::new(3, Vec::new()).await;
        let (collector, _told) = place.collector();
        let (job, nobody) = (Digest([1; 32]), NodeKey([9; 32]));
        collector.begin(job, output(b"nobody has it", nobody));
        assert!(Arc::strong_count(&collector.0) > 1);
        collector.end(&job);
        let ended = async {
            while Arc::strong_count(&collector.0) > 1 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, ended).await.expect("it ends");
    }
}
