//! Programs under names.

use axum::extract::State;
use opensky_api::{Cursor, DeploymentRef, DeploymentRequest, Page, Replicas};
use opensky_executor::Rules;
use opensky_protocol::{Limits, Manifest, Profile};

use crate::{
    answer::{Answer, Json, Named, Paged, json, no_place},
    desk::Desk,
    names, refusal, show,
};

/// `POST /v1/deployments`.
pub(crate) async fn deploy(
    State(desk): State<Desk>,
    Json(request): Json<DeploymentRequest>,
) -> Answer {
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
    let deployed = desk.node.deploy(&request.name, program, manifest).await;
    let deployed = deployed.map_err(refusal::of_deploy)?;
    let pinned = deployed.pinned.into_iter().map(Into::into).collect();
    Ok(json(&show::deployment(&deployed.record, pinned)))
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
    let rest = &all[start..];
    let shown = &rest[..rest.len().min(page.entries)];
    let last = shown.last().filter(|_| rest.len() > shown.len());
    Ok(json(&Page {
        items: shown
            .iter()
            .map(|record| show::deployment(record, Vec::new()))
            .collect(),
        next: last.and_then(|record| Cursor::new(record.name.clone())),
    }))
}

/// `GET /v1/deployments/{deployment}`: whoever says that they have the program is named.
pub(crate) async fn one(State(desk): State<Desk>, Named(name): Named) -> Answer {
    let name: DeploymentRef = name.parse()?;
    let record = names::deployment(&desk, &name).await?;
    let holders = desk.node.holders(&record.program).await;
    let pinned = holders.into_iter().map(Into::into).collect();
    Ok(json(&show::deployment(&record, pinned)))
}
