//! Which question is answered where. All that the API lists has an answer: the match has no default.

use axum::{
    Router,
    http::{Method as HttpMethod, Uri},
    middleware::from_fn_with_state,
    response::IntoResponse,
    routing::{MethodFilter, MethodRouter, on},
};
use opensky_api::{Code, Method, Op, document};

use crate::{
    answer::{Answer, Fault, json},
    blobs, deployments,
    desk::Desk,
    guard, jobs, live, market, outputs, submit, wallet,
};

/// Everything that is answered.
pub(crate) fn router(desk: &Desk) -> Router {
    let mut router = Router::new();
    for op in Op::ALL {
        let limit = from_fn_with_state((desk.clone(), op), guard::limit);
        router = router.route(op.operation().path, answer(op).layer(limit));
    }
    router
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(desk.clone(), guard::check_token))
        .with_state(desk.clone())
}

fn answer(op: Op) -> MethodRouter<Desk> {
    let filter = match op.operation().method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
    };
    match op {
        Op::Document => on(filter, async || json(&document())),
        Op::Node => on(filter, market::status),
        Op::Offers => on(filter, market::offers),
        Op::PutBlob => on(filter, blobs::put),
        Op::Blob => on(filter, blobs::get),
        Op::SubmitJob => on(filter, submit::submit),
        Op::Jobs => on(filter, jobs::list),
        Op::Job => on(filter, jobs::one),
        Op::JobEvents => on(filter, live::events),
        Op::JobLogs => on(filter, jobs::logs),
        Op::JobResult => on(filter, outputs::result),
        Op::JobOutput => on(filter, outputs::output),
        Op::JobReceipt => on(filter, jobs::receipt),
        Op::JobWhy => on(filter, jobs::why),
        Op::JobKey => on(filter, outputs::key),
        Op::CancelJob => on(filter, jobs::cancel),
        Op::Deploy => on(filter, deployments::deploy),
        Op::Deployments => on(filter, deployments::list),
        Op::Deployment => on(filter, deployments::one),
        Op::Wallet => on(filter, wallet::balance),
        Op::WalletHistory => on(filter, wallet::history),
        Op::Stake => on(filter, wallet::stake),
        Op::Unstake => on(filter, wallet::unstake),
        Op::Fund => on(filter, wallet::fund),
        Op::Metrics => on(filter, market::metrics),
    }
}

async fn no_such_path(uri: Uri) -> Answer {
    let path: String = uri.path().chars().take(200).collect();
    Err(
        Fault::new(Code::NotFound, format!("there is nothing at {path}"))
            .help("`/v1/openapi.json` describes all that there is"),
    )
}

async fn no_such_method(method: HttpMethod, uri: Uri) -> impl IntoResponse {
    let path: String = uri.path().chars().take(200).collect();
    Fault::new(Code::Method, format!("{path} takes no {method}"))
        .help("`/v1/openapi.json` describes all that there is")
}
