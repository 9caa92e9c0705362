//! Programs under names.

use axum::extract::{Query, State, rejection::QueryRejection};
use opensky_api::{Code, Cursor, Deployed, DeploymentRef, DeploymentRequest, Replicas};
use opensky_executor::Rules;
use opensky_protocol::{Limits, Manifest, NodeKey, Profile};
use serde::Deserialize;

use crate::{
    answer::{Answer, Fault, Json, Named, Paged, fill, json, no_place},
    desk::Desk,
    names, refusal, show,
};

/// Holders of a program that are listed.
const HOLDERS: usize = 64;

/// `POST /v1/deployments`.
pub(crate) async fn deploy(
    State(desk): State<Desk>,
    Json(request): Json<DeploymentRequest>,
) -> Answer {
    let pins = pins(&request)?;
    let profile = request
        .profile
        .map_or_else(|| Rules::DEFAULT.profile(), Profile::new);
    let manifest = Manifest {
        profile,
        limits: request.limits.over(Limits::DEFAULT),
        replicas: match request.replicas {
            Some(Replicas::Exactly(count)) => Some(count),
            Some(Replicas::Auto) | None => None,
        },
        price: request.price.map(Into::into),
        about: request.about,
    };
    let program = request.program.into();
    let deployed = desk.node.deploy(&request.name, program, manifest, pins);
    let deployed = deployed.await.map_err(refusal::of_deploy)?;
    Ok(json(&Deployed {
        deployment: pinned_by(deployed.pinned, show::deployment(&deployed.record)),
        refused: show::refused(&deployed.refused),
        announced: deployed.announced,
    }))
}

fn pins(request: &DeploymentRequest) -> Result<Option<usize>, Fault> {
    const MOST: u8 = DeploymentRequest::MAX_PINS;
    match request.pins {
        None => Ok(None),
        Some(pins @ 1..=MOST) => Ok(Some(pins.into())),
        Some(_) => Err(Fault::new(
            Code::Invalid,
            format!("`pins` is not between 1 and {MOST}"),
        )),
    }
}

fn pinned_by(nodes: Vec<NodeKey>, shown: opensky_api::Deployment) -> opensky_api::Deployment {
    opensky_api::Deployment {
        pinned: Some(nodes.into_iter().map(Into::into).collect()),
        ..shown
    }
}

/// `GET /v1/deployments`.
pub(crate) async fn list(State(desk): State<Desk>, page: Paged) -> Answer {
    let own = desk.node.key();
    let mut all = desk.node.deployments();
    all.retain(|record| record.publisher == own);
    all.sort_by(|one, other| one.name.cmp(&other.name));
    let start = match &page.after {
        None => 0,
        Some(after) if opensky_protocol::Deployment::is_name(after) => {
            all.partition_point(|record| record.name <= *after)
        }
        Some(_) => return Err(no_place()),
    };
    let shown = all[start..].iter();
    let shown = shown.map(|record| (&record.name, show::deployment(record)));
    let after = |last: &String| Cursor::new(last.clone());
    Ok(json(&fill(page.entries, shown, after)))
}

/// What is to be found out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    #[serde(default)]
    holders: bool,
}

/// `GET /v1/deployments/{deployment}`: whoever says that they have the program is named, if that is asked.
pub(crate) async fn one(
    State(desk): State<Desk>,
    Named(name): Named,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Answer {
    let asked = asked.map_err(|error| Fault::new(Code::Invalid, error.body_text()))?;
    let name: DeploymentRef = name.parse()?;
    let record = names::deployment(&desk, &name).await?;
    let shown = show::deployment(&record);
    let shown = match asked.0.holders {
        true => pinned_by(desk.node.holders(&record.program, HOLDERS).await, shown),
        false => shown,
    };
    Ok(json(&shown))
}
