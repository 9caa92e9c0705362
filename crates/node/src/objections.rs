//! Objects to what is claimed for results that are not the agreed ones: a claim that nobody objects to
//! is paid, and of a job of this node only this node knows what was agreed on.

use std::{collections::BTreeSet, time::Duration};

use opensky_core::{JobState, Participant, UnitView};
use opensky_protocol::{
    Digest,
    ledger::{Call, Case, Phase, Terms},
};
use tokio::time::sleep;

use crate::{
    clock::Clock,
    drive::Wishes,
    ledger::{Books, LedgerAway, Teller, TellerError, may_pass},
    workshop::short,
};

/// How often escrows of jobs that have ended are looked at, at most and at least: a few times while
/// objections are taken.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(30);

/// Whoever objects for this node.
pub(crate) struct Objector {
    pub wishes: Wishes,
    pub books: Books,
    pub teller: Teller,
    pub terms: Terms,
    pub clock: Clock,
}

/// Whether anything can still be claimed or objected to.
#[derive(PartialEq, Eq)]
enum Left {
    Something,
    Nothing,
}

impl Objector {
    /// Runs until the node ends.
    pub async fn watch(self) {
        let pause = Duration::from_millis(self.terms.objections / 8).clamp(SHORTEST, LONGEST);
        let mut done = BTreeSet::new();
        loop {
            sleep(pause).await;
            let since = self.clock.now().saturating_sub(self.terms.claims);
            let ended = move |core: &Participant| ended_before(core, since);
            let Some(ended) = self.wishes.look(ended).await else {
                return;
            };
            done.retain(|job| ended.contains(job));
            for job in ended.difference(&done.clone()).copied() {
                match self.look(job).await {
                    Ok(Left::Nothing) => drop(done.insert(job)),
                    Ok(Left::Something) => {}
                    Err(away) => tracing::debug!(%away, "claims cannot be looked at"),
                }
            }
        }
    }

    async fn look(&self, job: Digest) -> Result<Left, LedgerAway> {
        let Some(escrow) = self.books.escrow(job).await? else {
            return Ok(Left::Nothing);
        };
        match escrow.phase(self.clock.now(), &self.terms) {
            Phase::Open | Phase::Claims => Ok(Left::Something),
            Phase::Objections if escrow.cases > 0 => self.object(job).await,
            Phase::Objections | Phase::Verdicts | Phase::Over => Ok(Left::Nothing),
        }
    }

    async fn object(&self, job: Digest) -> Result<Left, LedgerAway> {
        let units = move |core: &Participant| {
            let units = core.units(&job).into_iter();
            units.chain(core.replaced(&job)).collect::<Vec<_>>()
        };
        let units = self.wishes.look(units).await.unwrap_or_default();
        let (mut after, mut left) = (None, Left::Nothing);
        loop {
            let claimed = self.books.cases(job, after).await?;
            let Some(last) = claimed.last() else {
                return Ok(left);
            };
            after = Some(*last);
            for unit in claimed {
                let case = self.books.case(job, unit).await?;
                let is_wrong = case.is_some_and(|case| is_wrong(&case, &unit, &units));
                if is_wrong && self.say_so(job, unit).await == Left::Something {
                    left = Left::Something;
                }
            }
        }
    }

    async fn say_so(&self, job: Digest, unit: Digest) -> Left {
        let call = Call::Object { escrow: job, unit };
        let answer = self.teller.call(call).await;
        match &answer {
            Ok(_) => tracing::info!(job = %short(&job), unit = %short(&unit),
                "objected to a claim for another result than the agreed one"),
            Err(error) => tracing::warn!(job = %short(&job), unit = %short(&unit), %error,
                "a claim for a wrong result stands"),
        }
        match answer {
            Err(TellerError::Rejected(reason)) if may_pass(reason) => Left::Something,
            Ok(_) | Err(TellerError::Rejected(_)) => Left::Nothing,
            Err(_) => Left::Something,
        }
    }
}

fn ended_before(core: &Participant, moment: u64) -> BTreeSet<Digest> {
    let ended = core
        .jobs()
        .filter(|job| matches!(job.state, JobState::Over(_)) && job.ended.0 <= moment);
    ended.map(|job| job.id).collect()
}

/// Whether somebody claims another result than the agreed one, and nobody has said so yet.
fn is_wrong(case: &Case, unit: &Digest, units: &[UnitView]) -> bool {
    let known = units.iter().find(|known| known.unit == *unit);
    let agreed = known.and_then(|known| known.agreed);
    let differs = |key: &Digest| agreed.is_some_and(|(agreed, _)| agreed != *key);
    !case.is_disputed() && case.filed.iter().any(|claim| differs(&claim.compare_key))
}
