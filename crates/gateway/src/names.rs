//! What people type, and the one thing that they mean.

use opensky_api::{DeploymentRef, JobId, NotOne, Prefix, kind};
use opensky_core::JobView;
use opensky_protocol::{Deployment, Digest, NodeKey};

use crate::{answer::Fault, desk::Desk, refusal};

/// The node's jobs.
pub(crate) async fn jobs(desk: &Desk) -> Result<Vec<JobView>, Fault> {
    desk.node.jobs().await.ok_or_else(refusal::ended)
}

/// The job whose id begins so.
pub(crate) async fn job(desk: &Desk, text: &str) -> Result<JobView, Fault> {
    let prefix: Prefix<kind::Job> = text.parse()?;
    let jobs = jobs(desk).await?;
    let id: JobId = prefix.pick(jobs.iter().map(|job| job.id))?;
    let found = jobs.into_iter().find(|job| job.id == id.digest());
    Ok(found.expect("it was picked among them"))
}

/// The id of a deployment, as far as it can be told without asking anybody.
pub(crate) fn id(desk: &Desk, name: &DeploymentRef) -> Result<Digest, Fault> {
    Ok(match name {
        DeploymentRef::Id(prefix) => whole(prefix, || {
            let known = desk.node.deployments();
            known.iter().map(Deployment::id).collect()
        })?,
        DeploymentRef::Own(name) => Deployment::id_of(&desk.node.key(), name),
        DeploymentRef::Of(publisher, name) => {
            let publisher = whole(publisher, || publishers(desk))?;
            Deployment::id_of(&NodeKey(publisher.0), name)
        }
    })
}

/// The newest version of a deployment, whose ever it is.
pub(crate) async fn deployment(desk: &Desk, name: &DeploymentRef) -> Result<Deployment, Fault> {
    let found = desk.node.deployment(id(desk, name)?).await;
    Ok(found.ok_or_else(|| NotOne::Nothing {
        what: "deployment",
        prefix: name.to_string(),
    })?)
}

/// The digest that begins so: itself if nothing is missing, else the one among those that are known.
fn whole<K: opensky_api::Kind>(
    prefix: &Prefix<K>,
    known: impl FnOnce() -> Vec<Digest>,
) -> Result<Digest, Fault> {
    let range = prefix.range();
    if range.start() == range.end() {
        return Ok(*range.start());
    }
    Ok(prefix.pick(known())?.digest())
}

/// Everyone who may have deployed something, as far as this node knows.
fn publishers(desk: &Desk) -> Vec<Digest> {
    let deployments = desk.node.deployments();
    let offers = desk.node.offers();
    let publishers = deployments.iter().map(|known| known.publisher);
    let all = publishers.chain(offers.iter().map(|offer| offer.node));
    all.chain([desk.node.key()])
        .map(|node| Digest(node.0))
        .collect()
}
