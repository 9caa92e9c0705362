//! Claims vouchers, many in one call: at once where that costs nothing, and else when they are worth more than the fee.

use std::{collections::BTreeMap, time::Duration};

use opensky_core::Event;
use opensky_protocol::{
    Account, Digest, Signed, Verified, Voucher,
    ledger::{Call, Fact, Phase, Rejection, Terms},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    clock::Clock,
    ledger::{Books, LedgerAway, Teller, TellerError, may_pass},
    metrics::Metrics,
    workshop::short,
};

/// Vouchers that wait to be looked at. The core asks again for those that find no place.
const ASKED: usize = 1024;
/// Jobs whose vouchers wait until they are worth their fee. Of more the least is forgotten, until the core asks again.
const WAITING: usize = 4096;
/// How many times as much as the fee a claim brings, if there is time: so no more than a fourth goes to the ledger.
const THRIFT: u128 = 4;
/// Nothing is looked at more often than that.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// Everything is looked at as often as that: an escrow's requester may close it at any time.
const LAST_LOOK: Duration = Duration::from_secs(60);

/// A handle of the task that claims. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Cashier(mpsc::Sender<Verified<Voucher>>);

/// All that the task needs.
pub(crate) struct Counter {
    pub books: Books,
    pub teller: Teller,
    /// Who is paid.
    pub account: Account,
    pub terms: Terms,
    /// What is claimed without waiting for more: who owes it may get no credit before it is paid.
    pub enough: u128,
    pub events: mpsc::Sender<Event>,
    pub metrics: Metrics,
    pub clock: Clock,
}

/// What the ledger takes for claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Fees {
    /// For each call.
    call: u128,
    /// For each voucher in it.
    voucher: u128,
}

/// What a voucher would bring now, and until when it can.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Worth {
    amount: u128,
    until: u64,
}

/// What the ledger says of a voucher.
enum Found {
    Worth(Worth),
    /// Nothing more is paid for it.
    Nothing,
    /// There is no such escrow: a chain may have gone back a few blocks.
    Unknown,
}

/// A voucher that waits.
struct Promise {
    voucher: Signed<Voucher>,
    /// Nothing before the ledger was asked.
    worth: Option<Worth>,
}

/// Those that wait, by job.
type Promises = BTreeMap<Digest, Promise>;

impl Cashier {
    /// The handle, and what comes in.
    pub fn new() -> (Self, mpsc::Receiver<Verified<Voucher>>) {
        let (sender, receiver) = mpsc::channel(ASKED);
        (Self(sender), receiver)
    }

    /// Has a voucher claimed, or a later one of the same job.
    pub fn claim(&self, voucher: Verified<Voucher>) {
        // The core asks again.
        let _ = self.0.try_send(voucher);
    }
}

impl Counter {
    /// Claims what comes, until nothing more can come.
    pub async fn serve(self, mut asked: mpsc::Receiver<Verified<Voucher>>) {
        let mut promises = Promises::new();
        let mut next = Instant::now();
        loop {
            let mut batch = Vec::new();
            tokio::select! {
                count = asked.recv_many(&mut batch, Call::MAX_VOUCHERS) => if count == 0 {
                    return;
                },
                () = sleep_until(next), if !promises.is_empty() => {}
            }
            for voucher in batch {
                keep(&mut promises, voucher.into_signed());
            }
            if self.terms.fee == 0 {
                let all = |promises: &Promises| promises.keys().copied().collect::<Vec<_>>();
                while !promises.is_empty() && self.claim(all(&promises), &mut promises).await {}
                // The core asks again for what is left.
                promises.clear();
                continue;
            }
            if next <= Instant::now() {
                next = Instant::now() + self.pause();
                promises
                    .values_mut()
                    .for_each(|promise| promise.worth = None);
            }
            if let Err(away) = self.look(&mut promises).await {
                tracing::debug!(%away, "the ledger is away");
            }
        }
    }

    /// Often enough to see that an escrow was closed long before nothing can be claimed any more.
    fn pause(&self) -> Duration {
        Duration::from_millis(self.terms.claims / 8).clamp(FIRST_LOOK, LAST_LOOK)
    }

    /// Claims what is due, as long as something is.
    async fn look(&self, promises: &mut Promises) -> Result<(), LedgerAway> {
        let unknown = promises.iter().filter(|(_, kept)| kept.worth.is_none());
        let unknown: Vec<_> = unknown
            .map(|(job, kept)| (*job, kept.voucher.clone()))
            .collect();
        for (job, voucher) in unknown {
            match (self.find(&voucher.value).await?, promises.get_mut(&job)) {
                (Found::Worth(worth), Some(promise)) => promise.worth = Some(worth),
                (Found::Nothing, _) => {
                    promises.remove(&job);
                    tracing::info!(job = %short(&job), "nothing more is paid for a voucher");
                    self.tell(job, voucher.value.total).await;
                }
                // The core asks again.
                (_, _) => drop(promises.remove(&job)),
            }
        }
        loop {
            let Some(fees) = self.fees(promises).await? else {
                return Ok(());
            };
            let due = due(promises, fees, self.enough, self.last_call());
            if due.is_empty() || !self.claim(due, promises).await {
                return Ok(());
            }
        }
    }

    /// What can no longer be claimed from then on is claimed now.
    fn last_call(&self) -> u64 {
        self.clock.now().saturating_add(self.terms.claims / 2)
    }

    /// What the ledger would pay for it.
    async fn find(&self, voucher: &Voucher) -> Result<Found, LedgerAway> {
        let Some(mut escrow) = self.books.escrow(voucher.escrow).await? else {
            return Ok(Found::Unknown);
        };
        let phase = escrow.phase(self.clock.now(), &self.terms);
        if !matches!(phase, Phase::Open | Phase::Claims) || voucher.requester != escrow.requester {
            return Ok(Found::Nothing);
        }
        let mut tab = self.books.tab(voucher.escrow, self.account).await?;
        Ok(match escrow.claim(&mut tab, voucher) {
            0 => Found::Nothing,
            amount => Found::Worth(Worth {
                amount,
                until: escrow.ends().saturating_add(self.terms.claims),
            }),
        })
    }

    /// What claims cost now. Nothing where there is nothing to claim.
    async fn fees(&self, promises: &Promises) -> Result<Option<Fees>, LedgerAway> {
        let Some(first) = promises.values().next() else {
            return Ok(None);
        };
        let fee = async |count| {
            let vouchers = vec![first.voucher.clone(); count];
            self.books.fee(&Call::Claim { vouchers }, &self.terms).await
        };
        let (one, two) = (fee(1).await?, fee(2).await?);
        let voucher = two.saturating_sub(one);
        Ok(Some(Fees {
            call: one.saturating_sub(voucher),
            voucher,
        }))
    }

    /// Claims these. Whether the ledger has decided about one of them at least.
    async fn claim(&self, jobs: Vec<Digest>, promises: &mut Promises) -> bool {
        let known = jobs.iter().filter_map(|job| promises.get(job));
        let vouchers: Vec<_> = known.map(|promise| promise.voucher.clone()).collect();
        let outcomes: Vec<(Digest, Option<Rejection>)> =
            match self.teller.call(Call::Claim { vouchers }).await {
                Ok(facts) => facts.iter().filter_map(outcome).collect(),
                // None was paid, and this is why the first was not.
                Err(TellerError::Rejected(reason)) => {
                    let first = jobs.first().copied();
                    first.map(|job| (job, Some(reason))).into_iter().collect()
                }
                Err(error) => {
                    tracing::warn!(%error, "vouchers were not claimed");
                    return false;
                }
            };
        let mut decided = false;
        for (job, refused) in outcomes {
            match refused {
                None => {
                    self.metrics.claimed.inc();
                    tracing::info!(job = %short(&job), "claimed");
                }
                Some(reason) if may_pass(reason) => {
                    tracing::warn!(job = %short(&job), %reason, "a voucher was not claimed");
                    continue;
                }
                Some(reason) => {
                    tracing::warn!(job = %short(&job), %reason, "a voucher is not paid");
                }
            }
            if let Some(promise) = promises.remove(&job) {
                decided = true;
                self.tell(job, promise.voucher.value.total).await;
            }
        }
        decided
    }

    async fn tell(&self, job: Digest, total: u128) {
        let tab = self.books.tab(job, self.account).await;
        let received = tab.map_or(0, |tab| tab.paid);
        // The core ends before those who tell it things.
        let _ = self
            .events
            .send(Event::Claimed {
                job,
                total,
                received,
            })
            .await;
    }
}

/// Keeps a voucher, if it is worth more than the one of its job that waits.
fn keep(promises: &mut Promises, voucher: Signed<Voucher>) {
    let job = voucher.value.escrow;
    let kept = promises
        .get(&job)
        .map(|promise| promise.voucher.value.total);
    if kept.is_some_and(|kept| kept >= voucher.value.total) {
        return;
    }
    let worth = None;
    promises.insert(job, Promise { voucher, worth });
    if promises.len() > WAITING {
        let of = |promise: &Promise| promise.worth.map_or(u128::MAX, |worth| worth.amount);
        let least = promises.iter().min_by_key(|(_, promise)| of(promise));
        let least = least.map(|(job, _)| *job);
        promises.retain(|job, _| Some(*job) != least);
    }
}

/// Which are to be claimed now, in one call: none, as long as they are not worth it together.
fn due(promises: &Promises, fees: Fees, enough: u128, last_call: u64) -> Vec<Digest> {
    let worth = |(job, promise): (&Digest, &Promise)| promise.worth.map(|worth| (*job, worth));
    let mut worthy: Vec<(Digest, Worth)> = promises.iter().filter_map(worth).collect();
    worthy.retain(|(_, worth)| worth.amount > fees.voucher);
    let is_last = |worth: &Worth| worth.until <= last_call;
    worthy.sort_by_key(|(_, worth)| (!is_last(worth), u128::MAX - worth.amount));
    worthy.truncate(Call::MAX_VOUCHERS);
    let amounts = worthy.iter().map(|(_, worth)| worth.amount);
    let sum = amounts.fold(0, u128::saturating_add);
    let fee = fees.voucher.saturating_mul(worthy.len() as u128);
    let fee = fee.saturating_add(fees.call);
    let is_thrifty = sum >= fee.saturating_mul(THRIFT) || sum >= enough;
    let is_time = is_thrifty || worthy.iter().any(|(_, worth)| is_last(worth));
    match sum > fee && is_time {
        true => worthy.into_iter().map(|(job, _)| job).collect(),
        false => Vec::new(),
    }
}

/// What became of a voucher.
fn outcome(fact: &Fact) -> Option<(Digest, Option<Rejection>)> {
    match *fact {
        Fact::Paid { escrow, .. } => Some((escrow, None)),
        Fact::NotPaid { escrow, reason, .. } => Some((escrow, Some(reason))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use opensky_protocol::{
        SecretKey,
        ledger::{Event as Told, LedgerReply, LedgerRequest, Status},
    };
    use tokio::time::timeout;

    use super::*;
    use crate::ledger::bench::Bench;

    const NEVER: u64 = u64::MAX;

    fn voucher(job: u8, total: u128, ledger: Digest) -> Verified<Voucher> {
        let secret = SecretKey::from_seed(&[7; 32]);
        let voucher = Voucher {
            ledger,
            escrow: Digest([job; 32]),
            requester: secret.node(),
            operator: Account([9; 32]),
            total,
            turns: 1,
            root: Voucher::START,
        };
        Verified::sign(&secret, voucher)
    }

    /// Jobs with what their vouchers would bring, and until when.
    fn promises(worths: &[(u8, u128, u64)]) -> Promises {
        let promise = |(job, amount, until): &(u8, u128, u64)| {
            let voucher = voucher(*job, *amount, Digest([0; 32])).into_signed();
            let worth = Some(Worth {
                amount: *amount,
                until: *until,
            });
            (Digest([*job; 32]), Promise { voucher, worth })
        };
        worths.iter().map(promise).collect()
    }

    fn check(worths: &[(u8, u128, u64)], enough: u128, expected: &[u8]) {
        let fees = Fees {
            call: 100,
            voucher: 10,
        };
        let due = due(&promises(worths), fees, enough, 1_000);
        let jobs: Vec<u8> = due.iter().map(|job| job.0[0]).collect();
        assert_eq!(jobs, expected, "{worths:?}");
    }

    #[test]
    fn claims_wait_until_they_are_worth_it() {
        const MANY: u128 = 1_000_000;
        // The fee of one is 110, and that of two 120.
        check(&[(1, 439, NEVER)], MANY, &[]);
        check(&[(1, 440, NEVER)], MANY, &[1]);
        check(&[(1, 240, NEVER), (2, 239, NEVER)], MANY, &[]);
        check(&[(1, 240, NEVER), (2, 240, NEVER)], MANY, &[1, 2]);
        // Whoever owes that much gets nothing before it is paid.
        check(&[(1, 200, NEVER)], 200, &[1]);
        check(&[(1, 110, NEVER)], 50, &[]);
        // The time is nearly over.
        check(&[(1, 110, 1_000)], MANY, &[]);
        check(&[(1, 111, 1_000)], MANY, &[1]);
        check(&[(1, 111, 1_001)], MANY, &[]);
        // It goes with others, though they could wait.
        check(&[(1, 50, 1_000), (2, 80, NEVER)], MANY, &[1, 2]);
        // One that costs more than it brings is left out.
        check(&[(1, 10, 1_000), (2, 439, NEVER)], MANY, &[]);
        check(&[(1, 10, 1_000), (2, 111, 1_000)], MANY, &[2]);
    }

    #[test]
    fn as_many_go_into_a_call_as_may_and_those_whose_time_is_over_first() {
        let mut promises = promises(&[(99, 11, 1_000)]);
        for job in 0..=Call::MAX_VOUCHERS as u32 {
            let promise = Promise {
                voucher: voucher(1, 1_000, Digest([0; 32])).into_signed(),
                worth: Some(Worth {
                    amount: 1_000,
                    until: NEVER,
                }),
            };
            promises.insert(Digest::of(&job.to_le_bytes()), promise);
        }
        let fees = Fees {
            call: 100,
            voucher: 10,
        };
        let due = due(&promises, fees, NEVER.into(), 1_000);
        assert_eq!(due.len(), Call::MAX_VOUCHERS);
        assert_eq!(due[0], Digest([99; 32]));
    }

    #[test]
    fn no_more_wait_than_there_is_room_for_and_the_least_goes() {
        let mut kept = Promises::new();
        let mut one = voucher(0, 1, Digest([0; 32])).into_signed();
        for job in 0..=WAITING as u32 {
            one.value.escrow = Digest::of(&job.to_le_bytes());
            keep(&mut kept, one.clone());
            if let Some(promise) = kept.get_mut(&one.value.escrow) {
                let (amount, until) = (u128::from(job) + 1, NEVER);
                promise.worth = Some(Worth { amount, until });
            }
        }
        assert_eq!(kept.len(), WAITING);
        assert!(!kept.contains_key(&Digest::of(&0_u32.to_le_bytes())));
    }

    /// A ledger with a fee, and one that claims there.
    struct Shop {
        bench: Bench,
        cashier: Cashier,
        told: mpsc::Receiver<Event>,
    }

    impl Shop {
        async fn open(fee: u128, claims: u64) -> Self {
            let bench = Bench::start(|terms| (terms.fee, terms.claims) = (fee, claims));
            bench.fund(1_000_000).await;
            let (cashier, asked) = Cashier::new();
            let (events, told) = mpsc::channel(8);
            let counter = Counter {
                books: bench.books.clone(),
                teller: bench.teller.clone(),
                account: Account([9; 32]),
                terms: bench.genesis.terms.clone(),
                enough: u128::MAX,
                events,
                metrics: Metrics::new(),
                clock: Clock::default(),
            };
            tokio::spawn(counter.serve(asked));
            Self {
                bench,
                cashier,
                told,
            }
        }

        /// A job with an escrow of 10,000 whose provider claims.
        async fn owe(&self, job: u8, total: u128) {
            let call = Call::OpenEscrow {
                escrow: Digest([job; 32]),
                requester: self.bench.secret.node(),
                amount: 10_000,
                deadline: Clock::default().now() + 600_000,
            };
            self.bench.teller.call(call).await.unwrap();
            let ledger = self.bench.genesis.id();
            self.cashier.claim(voucher(job, total, ledger));
        }

        async fn close(&self, job: u8) {
            let escrow = Digest([job; 32]);
            self.bench
                .teller
                .call(Call::Close { escrow })
                .await
                .unwrap();
        }

        /// The next job of which the core is told, and what was received of it.
        async fn told(&mut self) -> (u8, u128) {
            let event = timeout(Duration::from_secs(30), self.told.recv()).await;
            match event.unwrap() {
                Some(Event::Claimed { job, received, .. }) => (job.0[0], received),
                other => panic!("{other:?}"),
            }
        }

        /// How many claims there were.
        async fn claims(&self) -> usize {
            let request = LedgerRequest::Events {
                after: 0,
                limit: 256,
            };
            let LedgerReply::Events(events) = self.bench.books.ask(request).await.unwrap() else {
                panic!("it is asked for events");
            };
            let is_claim = |event: &&Told| match &event.status {
                Status::Final { facts, .. } => facts.iter().any(|fact| outcome(fact).is_some()),
                _ => false,
            };
            events.iter().filter(is_claim).count()
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_worth_its_fee_is_claimed_with_what_is_not_alone() {
        let mut shop = Shop::open(100, 2_000).await;
        shop.owe(1, 60).await;
        shop.owe(2, 70).await;
        shop.close(1).await;
        let mut told = [shop.told().await, shop.told().await];
        told.sort_unstable();
        assert_eq!(told, [(1, 60), (2, 70)]);
        assert_eq!(shop.claims().await, 1);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_never_worth_its_fee_is_given_up_when_nothing_can_be_claimed_any_more() {
        let mut shop = Shop::open(100, 300).await;
        shop.owe(1, 100).await;
        shop.close(1).await;
        assert_eq!(shop.told().await, (1, 0));
        assert_eq!(shop.claims().await, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_fee_everything_is_claimed_at_once() {
        let mut shop = Shop::open(0, 600_000).await;
        shop.owe(1, 1).await;
        assert_eq!(shop.told().await, (1, 1));
    }
}
