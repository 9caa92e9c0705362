//! Who may ask, how much at once, and for how long.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use opensky_api::{Code, Op};
use tokio::time::timeout;

use crate::{answer::Fault, crowd::Guest, desk::Desk};

/// How long an answer may take that comes from memory, the disk or the ledger.
const SOON: Duration = Duration::from_secs(30);
/// How long one may take that waits for other nodes: for a program to come here or to be pinned.
const LATER: Duration = Duration::from_secs(600);

/// Lets nobody in without the token. Who has none, or finds no place, is not talked to any longer.
pub(crate) async fn check_token(
    State(desk): State<Desk>,
    request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(header::AUTHORIZATION);
    if header.is_some_and(|header| desk.token.opens(header.as_bytes())) {
        let guest = request.extensions().get::<Guest>();
        let guest = guest.expect("the server says of every request whose it is");
        return match guest.let_in() {
            true => next.run(request).await,
            false => last(
                Fault::new(
                    Code::Busy,
                    "as many programs talk to the node as it serves at once",
                )
                .help("ask again in a second"),
            ),
        };
    }
    let detail = match header {
        None => "the request has no token",
        Some(_) => "the token is not the one that this node started with",
    };
    last(Fault::new(Code::Unauthorised, detail).help(
        "send `authorization: Bearer …` with what the file `api.token` in the data folder holds",
    ))
}

/// The last answer on its connection.
fn last(fault: Fault) -> Response {
    let mut response = fault.into_response();
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// Lets in as many as can be served, and each for as long as its answer may take. A stream that has
/// begun is not counted any more: connections are.
pub(crate) async fn limit(
    State((desk, op)): State<(Desk, Op)>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_permit) = desk.requests.try_acquire() else {
        return Fault::new(
            Code::Busy,
            "the node has as many requests as it works on at once",
        )
        .help("ask again in a second")
        .into_response();
    };
    let most = match op {
        // A blob may take as long as its bytes keep coming.
        Op::PutBlob => return next.run(request).await,
        Op::SubmitJob | Op::Deploy => LATER,
        _ => SOON,
    };
    match timeout(most, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Fault::new(
            Code::Slow,
            format!("there was no answer within {} seconds", most.as_secs()),
        )
        .help("the node's log may say why")
        .into_response(),
    }
}
