//! What a person asks of the ledger for the node's account: to stake, to take a stake back, and the faucet's money.

use std::{sync::Arc, time::Duration};

use opensky_protocol::{
    Account,
    ledger::{AccountState, Call, Refused, Rejection},
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use crate::{
    clock::Clock,
    ledger::{Books, LedgerAway, Outcome, Teller, TellerError},
    node::Node,
};

/// How long a person waits for the ledger's last word.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long nobody looks whether something is on its way out of the bond: another node of the account may have asked.
const LOOK: Duration = Duration::from_secs(600);
/// How long a ledger is left alone at first that has not given back what is ready by this machine's clock: asking costs a
/// fee. It doubles up to the time after which somebody looks in any case.
const AGAIN: Duration = Duration::from_secs(5);

/// Why the ledger has not done what was asked for the account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// Nothing was asked of it.
    #[error(transparent)]
    Away(#[from] LedgerAway),
    /// It was asked, and may still do it.
    #[error("the ledger was asked, and has not said within {0} s what became of it")]
    Slow(u64),
    /// It was not taken on.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It was not done.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Nobody gives money away there.
    #[error("this ledger has no faucet: its money has to be had from somebody")]
    NoFaucet,
    /// Too much waits to be handed in.
    #[error("too much waits for the ledger")]
    Full,
}

impl From<TellerError> for AccountError {
    fn from(error: TellerError) -> Self {
        match error {
            TellerError::Refused(refused) => Self::Refused(refused),
            TellerError::Rejected(reason) => Self::Rejected(reason),
            TellerError::Full => Self::Full,
        }
    }
}

impl Node {
    /// Sets money aside that the account loses if its results are wrong, and returns once that is final.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn stake(&self, amount: u128) -> Result<(), AccountError> {
        self.have_done(Call::Bond { amount }).await
    }

    /// Begins to take some of it back, and returns once that is final. It can be lost until disputes about earlier work
    /// are over; then the node takes it out by itself.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn unstake(&self, amount: u128) -> Result<(), AccountError> {
        if amount == 0 {
            return Err(Rejection::Zero.into());
        }
        self.have_done(Call::Unbond { amount }).await?;
        self.0.wallet.unbonding.notify_one();
        Ok(())
    }

    /// Takes money from the ledger's faucet, as much as that gives at once if nothing else is said, and returns once that
    /// is final.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn fund(&self, amount: Option<u128>) -> Result<(), AccountError> {
        let most = self.0.terms.faucet;
        match amount.unwrap_or(most) {
            _ if most == 0 => Err(AccountError::NoFaucet),
            0 => Err(Rejection::Zero.into()),
            amount if amount > most => Err(Rejection::Faucet.into()),
            amount => self.have_done(Call::Faucet { amount }).await,
        }
    }

    /// Who gives money away on the ledger, where it is an account that does.
    pub fn faucet(&self) -> Option<Account> {
        self.0.wallet.books.faucet(&self.0.terms)
    }

    async fn have_done(&self, call: Call) -> Result<(), AccountError> {
        let slow = |_| AccountError::Slow(PATIENCE.as_secs());
        // What a ledger that is away is asked for waits for it, however long that is: nobody would expect that.
        if let Some(away) = self.0.wallet.books.away() {
            return Err(away.into());
        }
        let seen = timeout(PATIENCE, self.0.wallet.state()).await;
        seen.map_err(|_| LedgerAway::Slow(PATIENCE.as_secs()))??;
        let done = timeout(PATIENCE, self.0.wallet.teller.call(call)).await;
        done.map_err(slow)??;
        Ok(())
    }
}

/// Takes out of the account's bond what is ready, as soon as it is.
pub(crate) async fn keep_withdrawing(
    account: Account,
    books: Books,
    teller: Teller,
    unbonding: Arc<Notify>,
    clock: Clock,
) {
    let mut again = AGAIN;
    loop {
        let left = match left(account, &books, &clock).await {
            Ok(left) => left,
            Err(away) => {
                tracing::debug!(%away, "the ledger is away");
                None
            }
        };
        let pause = match left {
            Some(Duration::ZERO) => after(&teller.call(Call::Withdraw).await, &mut again),
            Some(left) => left.min(LOOK),
            None => LOOK,
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = unbonding.notified() => {}
        }
    }
}

/// How long to wait after something was withdrawn, or was not. `again` is how long where it was too early.
fn after(outcome: &Outcome, again: &mut Duration) -> Duration {
    match outcome {
        Ok(facts) => {
            tracing::info!(?facts, "withdrawn");
            *again = AGAIN;
            Duration::ZERO
        }
        // Its clock may be behind this one.
        Err(TellerError::Rejected(Rejection::TooEarly)) => {
            let pause = *again;
            *again = (pause * 2).min(LOOK);
            pause
        }
        Err(error) => {
            tracing::warn!(%error, "what is ready was not withdrawn");
            LOOK
        }
    }
}

/// How long until something can be withdrawn, by the ledger's clock where it tells the time.
async fn left(
    account: Account,
    books: &Books,
    clock: &Clock,
) -> Result<Option<Duration>, LedgerAway> {
    let state = books.account(account).await?;
    let Some(ready) = first_ready(&state) else {
        return Ok(None);
    };
    let now = books.now(clock).await?;
    Ok(Some(Duration::from_millis(ready.saturating_sub(now))))
}

fn first_ready(state: &AccountState) -> Option<u64> {
    let parts = state.operator.unbonding.iter();
    parts.map(|part| part.ready).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::bench::Bench;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_ready_leaves_the_bond_by_itself() {
        let bench = Bench::start(|terms| {
            (terms.claims, terms.objections, terms.verdicts) = (10, 10, 10);
            terms.unbonding = 50;
        });
        let (books, teller) = (bench.books.clone(), bench.teller.clone());
        bench.fund(100).await;
        teller.call(Call::Bond { amount: 60 }).await.unwrap();
        let unbonding = Arc::new(Notify::new());
        let keeping = keep_withdrawing(
            bench.account,
            books.clone(),
            teller.clone(),
            unbonding.clone(),
            Clock::default(),
        );
        let keeping = tokio::spawn(keeping);
        teller.call(Call::Unbond { amount: 20 }).await.unwrap();
        unbonding.notify_one();
        let free = async || books.account(bench.account).await.unwrap().purse.free;
        let back = async {
            while free().await != 60 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), back).await.unwrap();
        let operator = books.account(bench.account).await.unwrap().operator;
        assert_eq!((operator.bond, operator.unbonding.len()), (40, 0));
        keeping.abort();
    }

    #[test]
    fn ledger_whose_clock_is_behind_is_asked_ever_later() {
        let (mut again, early) = (AGAIN, Err(TellerError::Rejected(Rejection::TooEarly)));
        let pauses = (0..9).map(|_| after(&early, &mut again).as_secs());
        let pauses: Vec<_> = pauses.collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(after(&Ok(Vec::new()), &mut again), Duration::ZERO);
        assert_eq!(after(&early, &mut again), AGAIN);
    }
}
