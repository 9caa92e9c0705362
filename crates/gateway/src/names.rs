//! What people type, and the one thing that they mean.

use std::collections::BTreeMap;

use opensky_api::{DeploymentRef, JobId, NodeId, NotOne, Prefix, kind};
use opensky_core::JobView;
use opensky_protocol::{Deployment, Digest, NodeKey};

use crate::{answer::Fault, desk::Desk, refusal};

/// Deployments that are named to whoever asks for one that is not there.
const LISTED: usize = 8;

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
    found.ok_or_else(|| no_deployment(desk, name))
}

/// That nothing is deployed under that name, and what is here.
pub(crate) fn no_deployment(desk: &Desk, name: &DeploymentRef) -> Fault {
    let own = desk.node.key();
    let known = desk.node.deployments();
    let mine = known.into_iter().filter(|known| known.publisher == own);
    let mut mine: Vec<String> = mine.map(|known| known.name).collect();
    mine.sort_unstable();
    let more = mine.len().saturating_sub(LISTED);
    mine.truncate(LISTED);
    let nothing = NotOne::Nothing {
        what: "deployment",
        prefix: name.to_string(),
    };
    Fault::from(nothing).help(match (mine.is_empty(), more) {
        (true, _) => "this node has deployed nothing; `opensky deploy` does".to_owned(),
        (false, 0) => format!("this node has deployed {}", mine.join(", ")),
        (false, more) => format!("this node has deployed {} and {more} more", mine.join(", ")),
    })
}

/// What programs are called, where they are deployed as far as this node knows.
pub(crate) struct Names {
    /// By the deployment.
    deployed: BTreeMap<Digest, String>,
    /// By the program.
    programs: BTreeMap<Digest, String>,
}

impl Names {
    /// As things are now. Where a program has several names one of the node's own comes first.
    pub(crate) fn now(desk: &Desk) -> Self {
        let own = desk.node.key();
        let mut known = desk.node.deployments();
        known.sort_by_cached_key(|known| (known.publisher != own, known.id()));
        let (mut deployed, mut programs) = (BTreeMap::new(), BTreeMap::new());
        for known in known {
            let id = known.id();
            let name = match known.publisher == own {
                true => known.name,
                false => format!("{}/{}", NodeId::from(known.publisher).short(), known.name),
            };
            deployed.insert(id, name.clone());
            programs.entry(known.program).or_insert(name);
        }
        Self { deployed, programs }
    }

    /// The name of the deployment that a program was named by, or else one that the program has.
    pub(crate) fn of(&self, program: &Digest, named_by: Option<&Digest>) -> Option<String> {
        let said = named_by.and_then(|id| self.deployed.get(id));
        said.or_else(|| self.programs.get(program)).cloned()
    }
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
