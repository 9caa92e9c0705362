//! What a claim by evidence takes of a block: one turn that no voucher pays, shown with all that was signed about it.

use opensky_protocol::{
    Assignment, Class, Commit, Digest, Limits, PriceTerms, Profile, Statement, Summons, Ticket,
    Turn,
    ledger::{Call, Evidence, Showing},
};

use super::{PRICE, Scene, party::Party};
use crate::{Error, Figures};

/// What a provider has at stake.
const BOND: u128 = 1_000_000_000_000;

pub async fn measure(scene: &Scene, figures: &mut Figures) -> Result<(), Error> {
    let (requester, provider) = (&scene.requesters[0], &scene.providers[0]);
    let bond = provider.submit(vec![Call::Bond { amount: BOND }]).await?;
    scene.blocks.seal_until(provider, &bond).await?;
    // What no voucher pays is claimed when the work is over.
    let escrow = requester.escrow();
    let closed = requester.submit(vec![Call::Close { escrow }]).await?;
    scene.blocks.seal_until(requester, &closed).await?;
    let showing = Showing {
        escrow,
        voucher: None,
        opened: Vec::new(),
        evidence: vec![evidence(requester, provider)],
    };
    let shown = provider.submit(vec![Call::Show(Box::new(showing))]).await?;
    scene.blocks.wait_for_pool(1).await?;
    let block = scene.blocks.seal()?;
    scene.blocks.seal_until(provider, &shown).await?;
    let used = scene.blocks.used(block)?;
    figures.add("evidence_claim_weight_fraction_of_block", used.fraction())?;
    Ok(())
}

/// What a provider has of a unit that it has run, and was asked to show.
fn evidence(requester: &Party, provider: &Party) -> Evidence {
    let (broker, node) = (requester.secret.node(), provider.secret.node());
    let unit = Digest::derive("opensky bench unit 1", &0u8);
    let price = PriceTerms {
        dispatch: PRICE,
        per_gfuel: 0,
        per_gib: 0,
    };
    let ticket = Ticket {
        unit,
        job: requester.escrow(),
        requester: broker,
        payer: requester.account(),
        ledger: requester.ledger(),
        price,
        replicas: 2,
        replica_cap: 3,
        input_len: 0,
        limits: Limits::DEFAULT,
        deadline: u64::MAX,
    };
    let assignment = Assignment {
        unit,
        job: ticket.job,
        broker,
        provider: node,
        operator: provider.account(),
        ask: price,
        attempt: 0,
        lease: 1,
    };
    let mut statement = Statement {
        unit,
        compare_key: unit,
        class: Class::Ok,
        output: unit,
        output_len: 0,
        transcript: unit,
        calls: 0,
        fuel: 50,
        profile: Profile::new("1"),
        node,
        operator: provider.account(),
    };
    statement.compare_key = statement.key();
    let (turn, salt) = (Turn::from(&assignment), unit);
    let hash = Commit::hash_of(&node, &turn, &statement.compare_key, &salt);
    let commit = Commit { turn, node, hash };
    let summons = Summons {
        broker,
        commit: commit.clone(),
    };
    Evidence {
        ticket: requester.sign(ticket),
        assignment: requester.sign(assignment),
        commit: provider.sign(commit),
        summons: requester.sign(summons),
        salt,
        // The domain in which statements are signed; a receipt is made of one.
        signature: provider.secret.sign("opensky statement 1", &statement),
        statement,
    }
}
