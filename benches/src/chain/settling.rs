//! How many units one block pays for, in vouchers of all requesters for all providers.

use std::time::Instant;

use opensky_protocol::{Digest, Signed, Voucher, ledger::Call};

use super::{PRICE, Scene, party::Party};
use crate::{Error, Figures};

/// Units that one voucher pays.
pub const UNITS: u64 = 50;

/// All are owed by all, twice. At first vouchers are handed in escrow by escrow, as whoever has those of many does it: what
/// vouchers of a claim have in common is paid for once. Then each provider claims its own, which are of as many escrows.
pub async fn measure(scene: &Scene, figures: &mut Figures) -> Result<(), Error> {
    let of = |rounds| {
        let requesters = scene.requesters.iter();
        requesters.flat_map(move |requester| {
            let providers = scene.providers.iter();
            providers.map(move |provider| requester.voucher(provider.account(), rounds))
        })
    };
    let vouchers: Vec<_> = of(1).collect();
    let claims = vouchers.chunks(Call::MAX_VOUCHERS);
    let together = claims.zip(scene.requesters.iter().cycle());
    let together = together.map(|(some, requester)| (requester, some.to_vec()));
    let settled = settle(scene, together.collect()).await?;
    let [time, proof] = settled.fractions;
    figures.add("units_settled_per_block", settled.units as f64)?;
    figures.add("block_time_fraction_of_that", time)?;
    figures.add("block_proof_fraction_of_that", proof)?;
    figures.add("seal_ms_of_that_block", settled.seal_ms)?;

    let vouchers: Vec<_> = of(2).collect();
    let apart = scene.providers.iter().map(|provider| {
        let own = vouchers.iter();
        let own = own.filter(|voucher| voucher.value.operator == provider.account());
        (provider, own.cloned().collect())
    });
    let settled = settle(scene, apart.collect()).await?;
    figures.add("units_settled_per_block_each_its_own", settled.units as f64)?;
    Ok(())
}

struct Settled {
    units: u128,
    fractions: [f64; 2],
    seal_ms: f64,
}

/// Hands claims in, each by somebody, and answers what the first block with them has paid.
async fn settle(
    scene: &Scene,
    claims: Vec<(&Party, Vec<Signed<Voucher>>)>,
) -> Result<Settled, Error> {
    let mut handed_in = Vec::new();
    let before = free(scene).await?;
    for (party, vouchers) in claims {
        for some in vouchers.chunks(Call::MAX_VOUCHERS) {
            let vouchers = some.to_vec();
            let names = party.submit(vec![Call::Claim { vouchers }]).await?;
            handed_in.extend(names.into_iter().map(|name| (party, name)));
        }
    }
    scene.blocks.wait_for_pool(handed_in.len()).await?;
    let begun = Instant::now();
    let block = scene.blocks.seal()?;
    let seal_ms = begun.elapsed().as_secs_f64() * 1e3;
    for provider in &scene.providers {
        provider.sees(block).await?;
    }
    let paid = free(scene).await? + fees(scene, &handed_in).await? - before;
    for (party, name) in &handed_in {
        scene.blocks.seal_until(party, &[*name]).await?;
    }
    let last = scene.blocks.last()?;
    for provider in &scene.providers {
        provider.sees(last).await?;
    }
    let all = free(scene).await? + fees(scene, &handed_in).await? - before;
    let owed = PRICE * u128::from(UNITS) * (scene.requesters.len() * scene.providers.len()) as u128;
    if all != owed {
        return Err(format!("{all} of {owed} were paid").into());
    }
    println!("{paid} of {owed} were paid in the first block");
    Ok(Settled {
        units: paid / PRICE,
        fractions: scene.blocks.used(block)?.fractions(),
        seal_ms,
    })
}

/// What all providers can spend.
async fn free(scene: &Scene) -> Result<u128, Error> {
    let mut sum = 0;
    for provider in &scene.providers {
        sum += provider.state().await?.purse.free;
    }
    Ok(sum)
}

/// What providers have paid for those of these that are decided.
async fn fees(scene: &Scene, handed_in: &[(&Party, Digest)]) -> Result<u128, Error> {
    let mut sum = 0;
    for (party, name) in handed_in {
        let provider = scene.providers.iter();
        if provider
            .clone()
            .any(|provider| provider.account() == party.account())
        {
            sum += party.fee(name).await?.unwrap_or_default();
        }
    }
    Ok(sum)
}
