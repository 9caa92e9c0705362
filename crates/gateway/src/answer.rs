//! How answers and problems go out, and how bodies and queries come in.

use std::io;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use opensky_api::{Code, Cursor, MAX_JSON_BYTES, Page, PageQuery, Problem};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use crate::desk::Desk;

/// Bytes of a page's entries: a fourth of the most that a client reads, so that one that is very long
/// beside many still fits.
const PAGE_BYTES: usize = MAX_JSON_BYTES / 4;

/// An answer, or what is wrong.
pub(crate) type Answer = Result<Response, Fault>;

/// A problem on its way out.
#[derive(Debug)]
pub(crate) struct Fault(pub Problem);

impl Fault {
    /// A problem of that kind, and what happened.
    pub fn new(code: Code, detail: impl ToString) -> Self {
        Self(Problem::new(code, detail.to_string()))
    }

    /// Says what to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self(self.0.help(help))
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        if problem.code == Code::Internal {
            tracing::error!(detail = problem.detail, "a request failed");
        }
        let status = StatusCode::from_u16(problem.status);
        let mut response = bytes(Problem::MEDIA, &problem);
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        match problem.code {
            Code::Unauthorised => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Code::Busy => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// JSON, out.
pub(crate) fn json(value: &impl Serialize) -> Response {
    bytes("application/json", value)
}

fn bytes(media: &'static str, value: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(value).expect("the API's types are JSON");
    ([(header::CONTENT_TYPE, media)], bytes).into_response()
}

/// JSON, in: of the right media type, of 16 MiB at most, and soon.
pub(crate) struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Desk> for Json<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, desk: &Desk) -> Result<Self, Fault> {
        let media = request.headers().get(header::CONTENT_TYPE);
        if !is_media(media, "application/json") {
            return Err(Fault::new(Code::MediaType, "the body is not JSON")
                .help("send it with `content-type: application/json`"));
        }
        if length(request.headers()).is_some_and(|len| len > MAX_JSON_BYTES as u64) {
            return Err(too_large());
        }
        let body = timeout(desk.patience.body, whole(request.into_body())).await;
        let body = body.map_err(|_| {
            Fault::new(Code::Slow, "the rest of the body did not come").help("send it again")
        })??;
        let value = serde_json::from_slice(&body);
        value.map(Self).map_err(|error| {
            Fault::new(
                Code::Invalid,
                format!("the body is not what it has to be: {error}"),
            )
        })
    }
}

/// All of a body that is not too long.
async fn whole(body: Body) -> Result<Vec<u8>, Fault> {
    let mut pieces = body.into_data_stream();
    let mut all = Vec::new();
    while let Some(piece) = pieces.next().await {
        // It may also be cut into chunks that are none.
        let piece = piece.map_err(|_| {
            Fault::new(Code::Invalid, "the body breaks off").help("send it again, whole")
        })?;
        if all.len() + piece.len() > MAX_JSON_BYTES {
            return Err(too_large());
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

fn too_large() -> Fault {
    Fault::new(
        Code::TooLarge,
        format!("the body has more than {MAX_JSON_BYTES} bytes"),
    )
}

/// Whether a content type is that one, whatever its parameters.
pub(crate) fn is_media(found: Option<&HeaderValue>, media: &str) -> bool {
    let text = found.and_then(|found| found.to_str().ok());
    let essence = text.and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(media))
}

/// How long a body says that it is.
pub(crate) fn length(headers: &axum::http::HeaderMap) -> Option<u64> {
    let text = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    text.parse().ok()
}

/// The one parameter of a path.
pub(crate) struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Fault> {
        let found = Path::<String>::from_request_parts(parts, state).await;
        let Path(name) = found.map_err(|error| Fault::new(Code::Invalid, error.body_text()))?;
        Ok(Self(name))
    }
}

/// Which part of a list is wanted.
pub(crate) struct Paged {
    /// The most entries.
    pub entries: usize,
    /// Where to go on.
    pub after: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Paged {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let query = Query::<PageQuery>::try_from_uri(&parts.uri);
        let Query(query) = query.map_err(|error| Fault::new(Code::Invalid, error.body_text()))?;
        let entries = query.entries().ok_or_else(|| {
            let most = PageQuery::MAX;
            Fault::new(
                Code::Invalid,
                format!("`limit` is not between 1 and {most}"),
            )
        })?;
        Ok(Self {
            entries,
            after: query.after.map(|after| after.to_string()),
        })
    }
}

/// A page that is being filled: as many entries as were asked for, and no more bytes than a client takes.
pub(crate) struct Filling<T> {
    items: Vec<T>,
    entries: usize,
    bytes: usize,
}

impl<T: Serialize> Filling<T> {
    /// An empty page of at most so many entries.
    pub fn new(entries: usize) -> Self {
        Self {
            items: Vec::new(),
            entries,
            bytes: PAGE_BYTES,
        }
    }

    /// Takes the next entry, unless the page is full; one it takes in any case. Whether it did.
    pub fn take(&mut self, item: T) -> bool {
        let bytes = encoded(&item);
        let fits = bytes <= self.bytes || self.items.is_empty();
        if self.items.len() == self.entries || !fits {
            return false;
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        self.items.push(item);
        true
    }

    /// The entries.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }
}

/// A page of entries with their places, and the place of its last one if there are more.
pub(crate) fn fill<T: Serialize, P>(
    entries: usize,
    all: impl IntoIterator<Item = (P, T)>,
    write: impl FnOnce(P) -> Option<Cursor>,
) -> Page<T> {
    let mut page = Filling::new(entries);
    let mut last = None;
    for (place, item) in all {
        if !page.take(item) {
            let next = last.and_then(write);
            let items = page.into_items();
            return Page { items, next };
        }
        last = Some(place);
    }
    Page::last(page.into_items())
}

/// Bytes of JSON: what is one byte of a log may be six of them.
fn encoded(value: &impl Serialize) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).expect("the API's types are JSON");
    count.0
}

/// That a place in a list was made up.
pub(crate) fn no_place() -> Fault {
    Fault::new(Code::Invalid, "`after` is no place in this list")
        .help("take it from `next` of the page before")
}

/// Bytes of known length and media type, from a stream.
pub(crate) fn stream(media: &'static str, len: u64, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CONTENT_LENGTH, HeaderValue::from(len)),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(entries: usize, all: &[String]) -> Vec<usize> {
        let mut lens = Vec::new();
        let mut from = 0;
        loop {
            let rest = all.iter().enumerate().skip(from);
            let page = fill(entries, rest, |at| Cursor::new(at.to_string()));
            let bytes = serde_json::to_vec(&page).expect("JSON").len();
            assert!(bytes <= MAX_JSON_BYTES, "{bytes}");
            lens.push(page.items.len());
            match page.next {
                None => return lens,
                Some(next) => from = next.as_str().parse::<usize>().expect("a number") + 1,
            }
        }
    }

    #[test]
    fn page_ends_where_a_client_would_stop_reading() {
        // What providers log are their own words: of NULs each is six bytes of JSON.
        let nuls = vec!["\0".repeat(64 << 10); 64];
        let lens = pages(500, &nuls);
        assert_eq!(lens, [10, 10, 10, 10, 10, 10, 4]);
        assert_eq!(pages(3, &nuls[..7]), [3, 3, 1]);
        assert_eq!(pages(3, &nuls[..3]), [3]);
        assert_eq!(pages(3, &[]), [0]);
        let long = vec!["\0".repeat(1 << 20), String::new(), "\0".repeat(1 << 20)];
        assert_eq!(pages(500, &long), [1, 1, 1]);
    }
}
