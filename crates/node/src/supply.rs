//! Brings here what units need: no more than is paid for, and so that nobody who pays for some keeps
//! what others pay for waiting.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use opensky_network::Network;
use opensky_protocol::{Abort, Account, Digest, NodeKey, Refusal, Work};
use opensky_storage::StoreError;
use tokio::time::Instant;

use crate::{
    depot::{Allowance, BringError, Depot, LARGEST_PROGRAM, Patience},
    keepsake::{For, Keepsakes},
    pins::Pins,
    shares::Shares,
};

/// Blobs that are brought at the same time; each may hold some megabytes.
const BRINGING: usize = 64;
/// Those for one payer: enough for its sources, and three others still get in beside it.
const OF_ONE: usize = 16;
/// Those of one unit: enough that round trips to small ones overlap.
const TOGETHER: usize = 4;
/// How long all that a unit needs may take to come: this, for others that come from the same source at
/// the same time, and so many bytes of inputs in each second beyond it.
const GRACE: Duration = Duration::from_secs(600);
const SLOWEST: u64 = 16 << 10;
/// How long nothing may come of what a request on a chain needs: a source has 30 s to begin, and has to be
/// reached first. What comes later is found when the run is tried again.
const SILENCE: Duration = Duration::from_secs(40);

/// Where units get what they need from.
pub(crate) struct Supply {
    network: Network,
    depot: Depot,
    keepsakes: Keepsakes,
    pins: Pins,
    /// By who pays.
    shares: Shares,
}

/// Why there will be no result of a unit here.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoRun {
    /// The host failed at it.
    #[error(transparent)]
    Abort(#[from] Abort),
    /// It is for somebody else, as things are here now.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl NoRun {
    /// A disk or a quota that is full says nothing about the unit; `or` is what all else comes to.
    pub fn of_store(error: &StoreError, or: impl FnOnce() -> Abort) -> Self {
        match error {
            StoreError::DiskFull { .. } | StoreError::Quota { .. } => Refusal::Disk.into(),
            _ => or().into(),
        }
    }
}

/// What a unit needs.
pub(crate) struct Needs<'a> {
    /// What it is brought for.
    pub reason: For,
    pub work: &'a Work,
    /// Bytes that all inputs may have together.
    pub input_len: u64,
    /// Who may have them.
    pub sources: &'a [NodeKey],
    /// Who pays for it: of units whoever ordered them, of requests on a chain whoever placed them there.
    pub payer: Account,
}

impl Needs<'_> {
    /// Whoever orders a unit has its inputs, or names who does. Of what a request needs anybody may say to
    /// have it.
    fn patience(&self) -> Patience {
        Patience {
            until: Instant::now() + GRACE + Duration::from_secs(self.input_len / SLOWEST),
            silence: match self.reason {
                For::Request(_) => SILENCE,
                _ => GRACE,
            },
        }
    }
}

impl Supply {
    /// A supply that fills this depot.
    pub fn new(network: Network, depot: Depot, keepsakes: Keepsakes, pins: Pins) -> Self {
        Self {
            network,
            depot,
            keepsakes,
            pins,
            shares: Shares::new(BRINGING, OF_ONE),
        }
    }

    /// Brings a unit's inputs, as many bytes as they may have together, and its program, and keeps them
    /// for its job; gives up what takes too long. May be dropped when nobody wants them any more.
    pub async fn bring(&self, needs: &Needs<'_>) -> Result<(), NoRun> {
        let _room = self.shares.room(needs.payer).await;
        let program = needs.work.program;
        let inputs: BTreeSet<Digest> = needs.work.inputs.values().copied().collect();
        let kept = inputs.iter().copied().chain([program]);
        let kept = self.keepsakes.keep_for(needs.reason, kept.collect());
        kept.map_err(|error| Abort::Internal(error.to_string()))?;
        let patience = needs.patience();
        let paid = Allowance::of(needs.input_len);
        let largest = Allowance::of(LARGEST_PROGRAM);
        let mut named = BTreeSet::new();
        // One that has two names comes once.
        let inputs = needs.work.inputs.iter();
        let inputs = inputs.filter(|(_, digest)| named.insert(**digest));
        let inputs = inputs.map(|(name, digest)| (name.as_str(), *digest, &paid));
        let all = inputs.chain([("the program", program, &largest)]);
        let all: Vec<_> = all.map(|blob| self.take(needs, patience, blob)).collect();
        let beside = self
            .shares
            .room_beside(needs.payer, all.len().min(TOGETHER) - 1);
        let brought = stream::iter(all).buffer_unordered(1 + beside.len());
        brought.try_collect::<()>().await?;
        self.pins.note_use(&program);
        Ok(())
    }

    /// Brings one blob, if it is not more than is allowed.
    async fn take(
        &self,
        needs: &Needs<'_>,
        patience: Patience,
        (name, digest, allowance): (&str, Digest, &Allowance),
    ) -> Result<(), NoRun> {
        let (network, sources) = (&self.network, needs.sources);
        let taken = self
            .depot
            .bring_patiently(patience, network, digest, sources, allowance);
        taken.await.map_err(|error| {
            tracing::warn!(%digest, name, %error, "an input did not come");
            let missing = || Abort::MissingInput(name.to_owned());
            match &error {
                BringError::Store(error) => NoRun::of_store(error, missing),
                _ => missing().into(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use opensky_protocol::{Profile, Shard, World, names};
    use tokio::time::timeout;

    use super::*;
    use crate::{
        depot::BringError,
        nearby::{Nearby, PATIENCE, until},
    };

    fn work(inputs: &[(&str, Digest)], program: Digest) -> Work {
        let named = |(name, digest): &(&str, Digest)| ((*name).to_owned(), *digest);
        Work {
            profile: Profile::new("1"),
            program,
            world: World::Job,
            inputs: inputs.iter().map(named).collect(),
            args: Vec::new(),
            env: BTreeMap::new(),
            params: BTreeMap::new(),
            shard: Shard::WHOLE,
            entropy: [0; 32],
            virtual_time: 0,
            limits: opensky_protocol::Limits::DEFAULT,
        }
    }

    struct Place {
        nearby: Nearby,
        supply: Supply,
    }

    impl Place {
        async fn new(blobs: &[&[u8]]) -> Self {
            let nearby = Nearby::start(blobs).await;
            let supply = nearby.supply();
            Self { nearby, supply }
        }

        fn needs<'a>(&'a self, work: &'a Work, input_len: u64) -> Needs<'a> {
            Needs {
                reason: For::Turns(Digest([1; 32])),
                work,
                input_len,
                sources: std::slice::from_ref(&self.nearby.source),
                payer: Account([1; 32]),
            }
        }

        async fn bring(&self, work: &Work, input_len: u64) -> Result<(), NoRun> {
            self.bring_for(Account([1; 32]), work, input_len).await
        }

        async fn bring_for(
            &self,
            payer: Account,
            work: &Work,
            input_len: u64,
        ) -> Result<(), NoRun> {
            let needs = Needs {
                sources: &[self.nearby.source; 64],
                payer,
                ..self.needs(work, input_len)
            };
            let brought = timeout(PATIENCE, self.supply.bring(&needs)).await;
            brought.expect("it ends in time")
        }
    }

    const PROGRAM: &[u8] = b"a program";

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_is_brought_than_is_paid_for() {
        let (first, second) = (vec![1; 1 << 20], vec![2; 700_000]);
        let place = Place::new(&[&first, &second, PROGRAM]).await;
        let [one, two, program] = [&first[..], &second, PROGRAM].map(Digest::of);
        let len = (first.len() + second.len()) as u64;
        let store = place.nearby.depot.store().clone();
        let free = store.used();

        let alone = work(&[("a", one)], program);
        let missing = |name: &str| Err(Abort::MissingInput(name.into()).into());
        assert_eq!(place.bring(&alone, 0).await, missing("a"));
        assert_eq!(place.bring(&alone, (1 << 20) - 1).await, missing("a"));
        assert_eq!(store.used(), free, "nothing of it takes room");

        // One of them has what the other one leaves.
        let both = work(&[("a", one), ("b", two)], program);
        let is_missing = |brought| brought == missing("a") || brought == missing("b");
        assert!(is_missing(place.bring(&both, len - 1).await));
        assert!(!(store.has(&one) && store.has(&two)));
        assert_eq!(place.bring(&both, len).await, Ok(()));
        // What is here already counts too.
        assert!(is_missing(place.bring(&both, len - 1).await));
        // Under two names it counts once.
        let twice = work(&[("a", one), ("b", one)], program);
        assert_eq!(place.bring(&twice, 1 << 20).await, Ok(()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn disk_that_is_full_is_no_input_that_is_missing() {
        let blob = vec![1; 300_000];
        let nearby = Nearby::with_quota(&[&blob, PROGRAM], 200_000).await;
        let supply = nearby.supply();
        let place = Place { nearby, supply };
        let work = work(&[(names::INPUT, Digest::of(&blob))], Digest::of(PROGRAM));
        let brought = place.bring(&work, 300_000).await;
        assert_eq!(brought, Err(Refusal::Disk.into()));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn source_that_hangs_is_given_up_in_time_and_leaves_nothing() {
        let blob = vec![1; 4 << 20];
        let place = Place::new(&[&blob]).await;
        // It reads all of it to know its tree, then a part to give it.
        place.nearby.gate.shut_after((4 << 20) + (1 << 20));
        let digest = Digest::of(&blob);
        let store = place.nearby.depot.store().clone();
        let free = store.used();
        let patience = Patience {
            until: Instant::now() + Duration::from_secs(3),
            silence: GRACE,
        };
        let (sources, allowance) = ([place.nearby.source], Allowance::of(4 << 20));
        let network = &place.nearby.network;
        let depot = &place.nearby.depot;
        let fetched = depot.bring_patiently(patience, network, digest, &sources, &allowance);
        let fetched = fetched.await;
        assert!(matches!(fetched, Err(BringError::Late)), "{fetched:?}");
        assert_eq!(store.used(), free, "what came of it takes room");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn blobs_of_one_unit_come_beside_one_that_does_not() {
        let place = Arc::new(Place::new(&[b"silent", b"input", PROGRAM]).await);
        let [silent, input, program] = [&b"silent"[..], b"input", PROGRAM].map(Digest::of);
        place.nearby.gate.shut(silent);
        let work = work(&[("a", silent), ("b", input)], program);
        let bringing = tokio::spawn({
            let place = place.clone();
            async move { place.supply.bring(&place.needs(&work, 100)).await }
        });
        let store = place.nearby.depot.store();
        let are_here = async || store.has(&input) && store.has(&program);
        until("the others are here", are_here).await;
        assert_eq!(place.supply.shares.free(), BRINGING - 3);
        bringing.abort();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn requester_whose_sources_are_silent_keeps_nobody_else_waiting() {
        let place = Arc::new(Place::new(&[b"silent"]).await);
        let silent = Digest::of(b"silent");
        // What the other one needs is here already: it waits for room alone.
        let store = place.nearby.depot.store();
        let [input, program] = [&b"input"[..], PROGRAM].map(|blob| store.put(blob).unwrap());
        place.nearby.gate.shut(silent);
        let waiting: Vec<_> = (0..2 * BRINGING)
            .map(|_| {
                let place = place.clone();
                let work = work(&[(names::INPUT, silent)], program);
                tokio::spawn(async move { place.bring(&work, 100).await })
            })
            .collect();
        let is_full = async || place.supply.shares.free() == BRINGING - OF_ONE;
        until("one has all it may have", is_full).await;

        let work = work(&[(names::INPUT, input)], program);
        let other = Account([2; 32]);
        assert_eq!(place.bring_for(other, &work, 100).await, Ok(()));
        assert_eq!(place.supply.shares.free(), BRINGING - OF_ONE);
        waiting.iter().for_each(|task| task.abort());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn payer_whose_requests_have_silent_sources_keeps_no_other_payer_waiting() {
        let place = Arc::new(Place::new(&[b"silent"]).await);
        let silent = Digest::of(b"silent");
        let store = place.nearby.depot.store();
        let [input, program] = [&b"input"[..], PROGRAM].map(|blob| store.put(blob).unwrap());
        place.nearby.gate.shut(silent);
        let bring = |request: u8, payer: u8, input| {
            let place = place.clone();
            let work = work(&[(names::INPUT, input)], program);
            tokio::spawn(async move {
                let needs = Needs {
                    reason: For::Request(Digest([request; 32])),
                    sources: &[place.nearby.source; 64],
                    payer: Account([payer; 32]),
                    ..place.needs(&work, 100)
                };
                place.supply.bring(&needs).await
            })
        };
        // Each would take room for two blobs: what all have together.
        let waiting = (0..BRINGING as u8 / 2).map(|request| bring(request, 1, silent));
        let waiting: Vec<_> = waiting.collect();
        let is_full = async || place.supply.shares.free() == BRINGING - OF_ONE;
        until("one has all it may have", is_full).await;
        let brought = timeout(PATIENCE, bring(32, 2, input)).await;
        let brought = brought
            .expect("it does not wait for the first one's")
            .unwrap();
        assert_eq!(brought, Ok(()));
        assert_eq!(place.supply.shares.free(), BRINGING - OF_ONE);
        waiting.iter().for_each(|task| task.abort());
    }
}
