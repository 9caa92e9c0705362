//! Jobs of this node: taken on, looked at, and what came of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use opensky_core::{
    Event, JobView, NodeWhy, Participant, Plan, Replicas, Standing, Submission, Time, UnitView,
    Why, WorkerView,
};
use opensky_protocol::{
    Account, ContentKey, Digest, NodeKey, PriceTerms, Profile, Reply, Request, Reveal,
};
use opensky_storage::StoreError;
use tokio::time::timeout;

use crate::{
    asides::Log,
    asking::Answers,
    content::{inputs, program, rename, seal_all},
    error::SubmitError,
    keepsake::For,
    machine,
    node::Node,
    receipts::{self, JobOutputs, ReceiptError},
    rows,
};

/// Providers that are asked whether they have a program.
const ASKED: usize = 64;
/// Providers that a program is brought from.
const SOURCES: usize = 4;
/// How long the table of peers may take to name those who have a program: longer than it waits for a peer
/// that is silent.
const TABLE: Duration = Duration::from_secs(12);
/// Longest program that is brought.
const LARGEST: u64 = 256 << 20;
/// How long to wait for word of a job's end before looking again.
const LOOK: Duration = Duration::from_secs(1);

/// What a user wants to be run. All blobs but the program have to be in this node's store.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Tells this wish from others for the same: whoever repeats it gets the same job.
    pub nonce: [u8; 16],
    /// What is to be run.
    pub plan: Plan,
    /// The deployment that names the program, if one does.
    pub deployment: Option<Digest>,
    /// The cap of each price.
    pub price: PriceTerms,
    /// The most that the whole job may cost; `None` is whatever the plan needs at worst.
    pub max_total: Option<u128>,
    /// How many operators run each unit at first.
    pub replicas: Replicas,
    /// How many results of one unit are asked and paid for at most.
    pub replica_cap: u8,
    /// How long the job has.
    pub time: Duration,
    /// Labels that a provider has to have, each with one of these values.
    pub require: BTreeMap<String, BTreeSet<String>>,
    /// Who can read it.
    pub privacy: Privacy,
}

/// Who can read the blobs of a job. What is no blob (arguments, variables, parameters, fuel, how long
/// things are) those who run it can read in any case, and whoever gets its receipt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privacy {
    /// Whoever knows their digests.
    Open,
    /// Whoever runs a part of it: inputs and outputs are to be encrypted, the program is public.
    Inputs,
    /// The same, and the program is to be encrypted too.
    All,
    /// What the plan names is encrypted: see [`Node::encrypted`].
    Encrypted,
}

/// Blobs.
impl Node {
    /// Puts bytes into this node's store, where other nodes can fetch them. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.0.depot.store().put(bytes)
    }

    /// Puts all that `source` has into this node's store. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_all(&self, source: impl std::io::Read) -> Result<Digest, StoreError> {
        self.0.depot.store().put_file(source)
    }

    /// Bytes that all blobs of this node's store together may have.
    pub fn disk(&self) -> u64 {
        machine::disk(&self.0.config)
    }

    /// A blob of this node's store. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn blob(&self, digest: &Digest) -> Result<opensky_storage::Blob, StoreError> {
        self.0.depot.store().blob(digest)
    }

    /// All bytes of a blob of this node's store. Blocks.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn bytes(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        self.0.depot.store().get(digest)
    }
}

/// Encrypted jobs.
impl Node {
    /// The key to the blobs of an own job, if that is encrypted. Whoever gets it can read all of the
    /// job, and check its receipt.
    pub fn content_key(&self, order: &Submission) -> Option<ContentKey> {
        let key = || self.0.content.of(&order.nonce);
        order.is_encrypted.then(key)
    }

    /// The wish as it can be submitted: where blobs are to be encrypted they are, into this node's
    /// store, and the plan names what they are encrypted to. Each is in memory as a whole meanwhile.
    /// The same wish gives the same.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn encrypted(&self, mut wish: Wish) -> Result<Wish, SubmitError> {
        let mut blobs: Vec<Digest> = inputs(&wish.plan).copied().collect();
        match wish.privacy {
            Privacy::Open | Privacy::Encrypted => return Ok(wish),
            Privacy::Inputs => {}
            Privacy::All => {
                self.bring_program(program(&wish.plan)).await?;
                blobs.push(*program(&wish.plan));
            }
        }
        blobs.sort_unstable();
        blobs.dedup();
        let (store, key) = (self.0.depot.store().clone(), self.0.content.of(&wish.nonce));
        let sealed = tokio::task::spawn_blocking(move || seal_all(&store, &key, &blobs)).await;
        let sealed = sealed.map_err(|_| SubmitError::Ended)??;
        rename(&mut wish.plan, &sealed);
        wish.privacy = Privacy::Encrypted;
        Ok(wish)
    }
}

/// Jobs.
impl Node {
    /// What the core would be told, if the wish were submitted now. Nothing is done: what is to be
    /// encrypted is still under its old name, and as long as it will be. Blobs whose lengths are `told`
    /// need not be here.
    ///
    /// # Errors
    /// [`SubmitError::Missing`].
    pub fn order(
        &self,
        wish: Wish,
        told: &BTreeMap<Digest, u64>,
    ) -> Result<Submission, SubmitError> {
        let store = self.0.depot.store();
        let length = |digest: &Digest| match told.get(digest) {
            Some(len) => Ok(*len),
            None => store.len(digest),
        };
        let more = match wish.privacy {
            Privacy::Open | Privacy::Encrypted => 0,
            Privacy::Inputs | Privacy::All => ContentKey::OVERHEAD,
        };
        let mut lengths = BTreeMap::new();
        for digest in inputs(&wish.plan) {
            let len = length(digest);
            let len = len.map_err(|_| SubmitError::Missing(*digest))?;
            lengths.insert(*digest, len.saturating_add(more));
        }
        let program_len = length(program(&wish.plan)).unwrap_or_default();
        let time = u64::try_from(wish.time.as_millis()).unwrap_or(u64::MAX);
        Ok(Submission {
            nonce: wish.nonce,
            plan: wish.plan,
            deployment: wish.deployment,
            program_len,
            lengths,
            price: wish.price,
            max_total: wish.max_total,
            replicas: wish.replicas,
            replica_cap: wish.replica_cap,
            deadline: Time(self.0.clock.now().saturating_add(time)),
            require: wish.require,
            is_encrypted: wish.privacy != Privacy::Open,
        })
    }

    /// Takes a job on. When this returns it is durable, and goes on without whoever wanted it.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(&self, wish: Wish) -> Result<Digest, SubmitError> {
        let wish = self.encrypted(wish).await?;
        self.bring_program(program(&wish.plan)).await?;
        let order = self.order(wish, &BTreeMap::new())?;
        let job = order.id(&self.0.who);
        let needed = inputs(&order.plan).chain([program(&order.plan)]);
        let needed = needed.copied().collect();
        self.0.keepsakes.keep_for(For::Job(job), needed)?;
        let told = self.0.waiters.wait(job);
        if !self.0.wishes.event(Event::Submitted(Box::new(order))).await {
            return Err(SubmitError::Ended);
        }
        told.await.map_err(|_| SubmitError::Ended)??;
        tracing::info!(%job, "a job is taken on");
        Ok(job)
    }

    /// Whoever runs the job's units asks this node for what they lack.
    pub(crate) async fn bring_program(&self, program: &Digest) -> Result<(), SubmitError> {
        if self.0.depot.store().has(program) {
            return Ok(());
        }
        let mut sources = self.holders(program, SOURCES).await;
        if sources.is_empty() {
            // Everyone who has it may have been busy for a moment.
            sources = self.holders(program, SOURCES).await;
        }
        if sources.is_empty() {
            return Err(SubmitError::NotPinned(*program));
        }
        let depot = &self.0.depot;
        let brought = depot.bring(&self.0.network, *program, &sources, LARGEST);
        Ok(brought.await?)
    }

    /// Providers that say they have a blob: as many as are `enough`, or all of those that are asked and
    /// answer within seconds.
    pub async fn holders(&self, blob: &Digest, enough: usize) -> Vec<NodeKey> {
        let offers = self.0.market.drawn(blob);
        let first = offers.iter().take(ASKED).map(|offer| offer.node);
        let holders = self.who_has(blob, first.collect(), enough).await;
        if !holders.is_empty() || offers.len() <= ASKED {
            return holders;
        }
        // Among so many it is those whom the table of peers names.
        let named = timeout(TABLE, self.0.network.providers(*blob)).await;
        let mut named = named.ok().and_then(Result::ok).unwrap_or_default();
        named.retain(|node| *node != self.key());
        self.who_has(blob, named, enough).await
    }

    async fn who_has(&self, blob: &Digest, nodes: Vec<NodeKey>, enough: usize) -> Vec<NodeKey> {
        let mut answers = Answers::of(&self.0.network, &Request::Has(vec![*blob]), nodes);
        let mut holders = Vec::new();
        while holders.len() < enough
            && let Some((node, reply)) = answers.next().await
        {
            if matches!(reply, Reply::Has(has) if has == [true]) {
                holders.push(node);
            }
        }
        holders
    }

    /// All jobs of this node that are remembered. `None` once the node has ended.
    pub async fn jobs(&self) -> Option<Vec<JobView>> {
        self.0.wishes.look(|core| core.jobs().collect()).await
    }

    /// A job of this node.
    pub async fn job(&self, id: Digest) -> Option<JobView> {
        self.0.wishes.look(move |core| core.job(&id)).await?
    }

    /// The units of a job of this node, with everyone who had a turn at them, in the order of its
    /// plan. `None` once the node has ended.
    pub async fn units(&self, id: Digest) -> Option<Vec<UnitView>> {
        self.0.wishes.look(move |core| core.units(&id)).await
    }

    /// What was asked for in a job of this node.
    pub async fn submission(&self, id: Digest) -> Option<Submission> {
        let look = move |core: &Participant| core.submission(&id).cloned();
        self.0.wishes.look(look).await?
    }

    /// The job of this node that was ordered with that nonce, if it is remembered.
    pub async fn job_of(&self, nonce: [u8; 16]) -> Option<(Digest, Submission)> {
        let look = move |core: &Participant| {
            core.jobs().find_map(|job| {
                let order = core.submission(&job.id)?;
                (order.nonce == nonce).then(|| (job.id, order.clone()))
            })
        };
        self.0.wishes.look(look).await?
    }

    /// What is in the way of a job of this node, node by node.
    pub async fn why(&self, id: Digest) -> Option<Why> {
        let now = Time(self.0.clock.now());
        self.0.wishes.look(move |core| core.why(&id, now)).await?
    }

    /// What would be in the way of a job like that, node by node, whatever the load of each.
    pub async fn lacks(&self, order: Submission) -> Option<Vec<NodeWhy>> {
        self.0.wishes.look(move |core| core.lacks(&order)).await
    }

    /// What is known of an operator from the jobs of this node, by profile.
    pub async fn standing(&self, operator: Account) -> Vec<(Profile, Standing)> {
        let look = move |core: &Participant| core.standing(&operator);
        self.0.wishes.look(look).await.unwrap_or_default()
    }

    /// What this node does for others.
    pub async fn work(&self) -> Option<WorkerView> {
        self.0.wishes.look(Participant::worker_view).await
    }

    /// Gives a job up. What was promised until then is paid.
    pub async fn cancel(&self, job: Digest) {
        self.0.wishes.event(Event::Cancelled(job)).await;
    }

    /// What units of a job said, as those tell it who ran them; in no order. At most 4 MiB of what one
    /// provider says, and 16 MiB of one job.
    ///
    /// # Errors
    /// [`ReceiptError::Rows`].
    pub async fn logs(&self, job: Digest) -> Result<Vec<Log>, ReceiptError> {
        let asides = self.0.asides.clone();
        let read = tokio::task::spawn_blocking(move || asides.of(&job)).await;
        Ok(read.map_err(|_| ReceiptError::Unknown)??)
    }

    /// Waits until some job of this node is over, or a second has passed: whoever waits for one job
    /// looks at it then, and waits again.
    pub async fn news(&self) {
        let mut ended = self.0.ended.clone();
        ended.mark_unchanged();
        // Either way it is time to look.
        let _ = timeout(LOOK, ended.changed()).await;
    }

    /// What was agreed on for the units of a job so far, by their places in its plan.
    ///
    /// # Errors
    /// [`ReceiptError::Unknown`] and [`ReceiptError::Rows`].
    pub async fn results(
        &self,
        job: Digest,
    ) -> Result<(Submission, BTreeMap<u32, Reveal>), ReceiptError> {
        let rows = self.0.rows.clone();
        // What is known of the job was handed in before, and is there once this is.
        rows.submit(Vec::new())?.await?;
        let read = move || {
            let order = rows::submission(&rows, &job)?.ok_or(ReceiptError::Unknown)?;
            Ok((order, rows::results(&rows, &job)?))
        };
        let read = tokio::task::spawn_blocking(read).await;
        read.unwrap_or(Err(ReceiptError::Unknown))
    }

    /// What a job that is over put out, or its first unit that failed.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub async fn outputs(&self, job: Digest) -> Result<JobOutputs, ReceiptError> {
        let (order, results) = self.results(job).await?;
        receipts::outputs(&order.plan, &results).ok_or(ReceiptError::Unfinished)
    }

    /// The bytes of the receipt of a job that is over: a file that anyone can check.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub async fn receipt(&self, job: Digest) -> Result<Vec<u8>, ReceiptError> {
        let (order, results) = self.results(job).await?;
        receipts::file(&self.0.secret, &order, results)
    }
}
