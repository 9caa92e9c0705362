//! Takes jobs on, or says what they would be.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use axum::extract::State;
use opensky_api::{
    Amount, Code, DeploymentId, JobId, JobRequest, ProgramRef, Quote, Replicas, Submitted,
};
use opensky_core::{
    Effect, Event, Identity, NodeWhy, Participant, Policy, Replicas as Wanted, Submission, Unfit,
};
use opensky_node::{Privacy, Wish};
use opensky_protocol::{Account, Deployment, Digest, Offer, PriceTerms};

use crate::{
    answer::{Answer, Fault, Json, json},
    desk::Desk,
    names, plan, refusal, show,
};

/// How long a job has where nobody says.
const TIME: Duration = Duration::from_secs(3_600);
/// Operators that are asked and paid for one unit at most, where as many are asked as it takes: of five,
/// two may be wrong, each in its own way, and the other three still decide.
const AUTO_CAP: u8 = 5;
/// And how many more, where so many are asked: those who decide when they differ. Two that are asked for
/// become five.
const MORE: u8 = 3;

/// `POST /v1/jobs`.
pub(crate) async fn submit(State(desk): State<Desk>, Json(request): Json<JobRequest>) -> Answer {
    let nonce = nonce(&request)?;
    let is_dry = request.dry_run;
    let is_said_again = request.nonce.is_some() && !is_dry;
    if is_said_again && let Some((job, order)) = desk.node.job_of(nonce).await {
        return Ok(json(&Submitted {
            job: Some(JobId::new(job)),
            quote: quote(&desk, &order).await?,
        }));
    }
    check(&request)?;
    let deployment = match &request.program {
        ProgramRef::Deployment(name) => Some(names::deployment(&desk, name).await?),
        ProgramRef::Digest(_) => None,
    };
    let told = request.blobs.iter();
    let told = told
        .map(|blob| (blob.digest.into(), blob.len.value()))
        .collect();
    let wish = wish(&desk, request, nonce, deployment.as_ref()).await?;
    let wish = match is_dry {
        true => wish,
        false => desk
            .node
            .encrypted(wish)
            .await
            .map_err(refusal::of_submit)?,
    };
    let order = desk
        .node
        .order(wish.clone(), &told)
        .map_err(refusal::of_submit)?;
    can_pay(&desk, &order)?;
    let quote = quote(&desk, &order).await?;
    let job = match is_dry {
        true => None,
        false => Some(desk.node.submit(wish).await.map_err(refusal::of_submit)?),
    };
    Ok(json(&Submitted {
        job: job.map(JobId::new),
        quote,
    }))
}

/// Refuses what makes no sense whatever is run.
fn check(request: &JobRequest) -> Result<(), Fault> {
    if request.max_price.is_some_and(|most| most.0 == 0) {
        let what = "`max_price` is 0, and providers are paid";
        return Err(Fault::new(Code::Invalid, what).help("give the most that the job may cost"));
    }
    if !request.blobs.is_empty() && !request.dry_run {
        let what = "`blobs` says what a dry run is about, and this is none";
        return Err(Fault::new(Code::Invalid, what).help("put the blobs there, and leave it out"));
    }
    let longest = JobRequest::LONGEST;
    if request.deadline.is_some_and(|span| span > longest) {
        let what = format!(
            "a job may take {} ms at most, which is 30 days",
            longest.value()
        );
        return Err(Fault::new(Code::Invalid, what).help("give a `deadline` that is nearer"));
    }
    Ok(())
}

/// What tells the job from others for the same. It follows from the request's own nonce and the whole
/// request: so a nonce that is used twice for different things makes two jobs, with a key for each.
fn nonce(request: &JobRequest) -> Result<[u8; 16], Fault> {
    let mut nonce = [0; 16];
    match request.nonce {
        Some(said) => {
            let request = serde_json::to_vec(request).expect("the API's types are JSON");
            let drawn = Digest::derive("opensky job request 1", &(said.0, request));
            nonce.copy_from_slice(&drawn.0[..16]);
        }
        None => {
            getrandom::fill(&mut nonce).map_err(|error| Fault::new(Code::Internal, error))?;
        }
    }
    Ok(nonce)
}

async fn wish(
    desk: &Desk,
    request: JobRequest,
    nonce: [u8; 16],
    deployment: Option<&Deployment>,
) -> Result<Wish, Fault> {
    let manifest = deployment.map(|found| &found.manifest);
    let own = manifest.and_then(|manifest| manifest.replicas);
    let replicas = match request.replicas {
        Some(Replicas::Exactly(count)) => Wanted::Fixed(count),
        Some(Replicas::Auto) => Wanted::Auto,
        None => own.map_or(Wanted::Auto, Wanted::Fixed),
    };
    let cap = request.price.map(PriceTerms::from);
    let cap = cap.or_else(|| manifest.and_then(|manifest| manifest.price));
    Ok(Wish {
        nonce,
        deployment: deployment.map(Deployment::id),
        price: cap.unwrap_or_else(|| market_cap(desk)),
        max_total: request.max_price.map(|most| most.0),
        replicas,
        replica_cap: match replicas {
            Wanted::Auto => AUTO_CAP,
            // Whoever wants one result does not compare.
            Wanted::Fixed(1) => 1,
            Wanted::Fixed(count) => count.saturating_add(MORE),
        },
        time: request.deadline.map_or(TIME, Duration::from),
        require: request.require.clone(),
        privacy: match (request.encrypt, deployment) {
            (false, _) => Privacy::Open,
            (true, None) => Privacy::All,
            // Whoever keeps it can read it.
            (true, Some(_)) => Privacy::Inputs,
        },
        plan: plan::plan(desk, request, deployment).await?,
    })
}

/// Twice what is asked in the middle of the market, each price by itself: half of all providers may
/// become twice as expensive before the job waits. Where nobody offers, twice what this node would ask.
fn market_cap(desk: &Desk) -> PriceTerms {
    let offers = desk.node.offers();
    let own = PriceTerms::from(desk.node.config().price);
    let cap = |price: fn(&PriceTerms) -> u128| {
        middle(offers.iter().map(|offer: &Offer| price(&offer.ask)))
            .unwrap_or(price(&own))
            .saturating_mul(2)
    };
    PriceTerms {
        dispatch: cap(|price| price.dispatch),
        per_gfuel: cap(|price| price.per_gfuel),
        per_gib: cap(|price| price.per_gib),
    }
}

/// The larger of both where the number is even.
fn middle(prices: impl Iterator<Item = u128>) -> Option<u128> {
    let mut all: Vec<u128> = prices.collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

/// What a job would be, and what it can cost.
async fn quote(desk: &Desk, order: &Submission) -> Result<Quote, Fault> {
    let (units, escrow) = ask_a_stranger(desk, order)?;
    Ok(Quote {
        spec: show::spec(order),
        deployment: order.deployment.map(DeploymentId::new),
        units,
        escrow: Amount(escrow),
        warnings: warnings(desk, order).await,
    })
}

/// Offers of others.
fn offers(desk: &Desk) -> Vec<Offer> {
    let own = desk.node.account();
    let mut offers = desk.node.offers();
    offers.retain(|offer| offer.operator != own);
    offers
}

/// What may keep a job from a result.
async fn warnings(desk: &Desk, order: &Submission) -> Vec<String> {
    let mut nodes = desk.node.lacks(order.clone()).await.unwrap_or_default();
    nodes.retain(|node| node.unfit != Some(Unfit::Own));
    let does = |node: &&NodeWhy| node.unfit.is_none();
    let operators: BTreeSet<Account> = nodes
        .iter()
        .filter(does)
        .map(|node| node.operator)
        .collect();
    let (asked, known) = (usize::from(at_first(order)), operators.len());
    if known >= asked {
        return Vec::new();
    }
    if nodes.is_empty() && order.replicas == Wanted::Auto {
        return vec!["no provider is known: the job waits for one".into()];
    }
    let needs = show::needs(&nodes);
    let mut warnings: Vec<String> = needs.iter().map(show::need_text).collect();
    if known > 0 || nodes.is_empty() {
        let operators = match known {
            1 => "1 operator".into(),
            known => format!("{known} operators"),
        };
        let waits = match known * 2 > asked {
            true => "some minutes, and goes on with these if there are none",
            false => "until the deadline",
        };
        warnings.push(format!(
            "{asked} asked, {operators} can run it: each unit waits for more of them {waits}"
        ));
    }
    warnings
}

/// Operators that are asked for each unit, if all agree and are believed.
fn at_first(order: &Submission) -> u8 {
    match order.replicas {
        Wanted::Auto => 1,
        Wanted::Fixed(count) => count,
    }
}

/// Whether the most that a job may cost pays for one of its units, run to the limit of fuel by those who
/// ask least. If not it would end with the first unit, whatever that takes.
fn can_pay(desk: &Desk, order: &Submission) -> Result<(), Fault> {
    let Some(most) = order.max_total else {
        return Ok(());
    };
    let (limits, input) = (order.plan.limits(), order.largest_input());
    let mut cheapest: BTreeMap<Account, u128> = BTreeMap::new();
    for offer in offers(desk) {
        if offer.ask.is_within(&order.price) {
            let price = offer.ask.worst_case(limits, input);
            let least = cheapest.entry(offer.operator).or_insert(price);
            *least = price.min(*least);
        }
    }
    let mut prices: Vec<u128> = cheapest.into_values().collect();
    prices.sort_unstable();
    prices.truncate(at_first(order).into());
    let sum = prices
        .iter()
        .fold(0, |sum: u128, price| sum.saturating_add(*price));
    if sum <= most {
        return Ok(());
    }
    let one = Amount(prices[0]);
    let fuel = show::digits(limits.fuel);
    let (many, most) = match prices.len() {
        1 => (String::new(), Amount(most)),
        count => (format!(", {count} are asked"), Amount(most)),
    };
    let what = format!(
        "one provider may cost {one} at the limit of {fuel} fuel{many}, and the job {most} at most"
    );
    let help = "lower the limit with --fuel, or give more with --max-price";
    Err(Fault::new(Code::Refused, what).help(help))
}

/// What the core would set aside: told by a participant that is made for this question, and knows
/// nobody. The node's own one takes no notice.
fn ask_a_stranger(desk: &Desk, order: &Submission) -> Result<(Option<u32>, u128), Fault> {
    let who = Identity {
        node: desk.node.key(),
        operator: desk.node.account(),
        ledger: Digest([0; 32]),
    };
    let stranger = Participant::restore(who, Policy::default(), [0; 32], std::iter::empty());
    let mut stranger = stranger.map_err(|error| Fault::new(Code::Internal, error))?;
    let deadline = order.deadline;
    // The deadline was reckoned from the present, which is before it.
    let now = opensky_core::Time(deadline.0.saturating_sub(1));
    stranger.handle(now, Event::Submitted(Box::new(order.clone())));
    let mut escrow = 0;
    while let Some(effect) = stranger.poll_effect() {
        match effect {
            Effect::OpenEscrow { amount, .. } => escrow = amount,
            Effect::Refused { reason, .. } => return Err(refusal::of_core(reason)),
            _ => {}
        }
    }
    let units = stranger.jobs().next().map(|job| show::count(job.planned));
    Ok((units.filter(|count| *count > 0), escrow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middle_is_the_middle() {
        assert_eq!(middle([].into_iter()), None);
        assert_eq!(middle([7].into_iter()), Some(7));
        assert_eq!(middle([9, 1].into_iter()), Some(9));
        assert_eq!(middle([9, 1, 5].into_iter()), Some(5));
    }
}
