//! A job while it runs: what it is like now, told again whenever that has changed.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::IntoResponse,
};
use futures::stream;
use opensky_api::{Code, JobEvent, JobState, JobSummary, Unit};
use opensky_core::Submission;
use opensky_protocol::Digest;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep},
};

use crate::{
    answer::{Answer, Fault, Named},
    desk::Desk,
    jobs,
    names::Names,
    show,
};

/// How often a job is looked at: as often as a person sees.
const LOOK: Duration = Duration::from_millis(200);
/// Looking takes the core's time: at most a twentieth of it.
const SHARE: u32 = 20;
/// How often something is said at least, so that everyone knows that the other is there.
const ALIVE: Duration = Duration::from_secs(5);
/// Pieces that wait for a slow reader. What changes meanwhile is told as it is then.
const WAITING: usize = 4;
/// Units of a job of which each is looked at, whether the job has changed or not.
const FEW: u64 = 64;
/// Bytes of events in one piece, about.
const PIECE: usize = 64 << 10;

/// `GET /v1/jobs/{job}/events`.
pub(crate) async fn events(State(desk): State<Desk>, Named(job): Named) -> Answer {
    let (job, order) = jobs::find(&desk, &job).await?;
    let permit = desk.watchers.clone().try_acquire_owned();
    let permit = permit.map_err(|_| {
        Fault::new(Code::Busy, "as many jobs are watched as can be at once")
            .help("look at the job with `opensky job show`")
    })?;
    let (pieces, receiver) = mpsc::channel(WAITING);
    let watch = Watch {
        names: Names::now(&desk),
        desk,
        id: job.id,
        order,
        pieces,
        job: None,
        units: BTreeMap::new(),
        _permit: permit,
    };
    tokio::spawn(watch.run());
    let body = Body::from_stream(stream::unfold(receiver, async |mut receiver| {
        let piece: Bytes = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(piece), receiver))
    }));
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, body).into_response())
}

/// Somebody watches a job. Ends with the job, the gateway, or whoever watches.
struct Watch {
    desk: Desk,
    id: Digest,
    order: Submission,
    names: Names,
    pieces: mpsc::Sender<Bytes>,
    /// What was told last.
    job: Option<JobSummary>,
    units: BTreeMap<u32, Unit>,
    _permit: OwnedSemaphorePermit,
}

impl Watch {
    async fn run(mut self) {
        let desk = self.desk.clone();
        tokio::select! {
            _ = self.tell() => {}
            () = desk.closed() => {}
        }
    }

    /// `None` when nobody listens, or the node has ended.
    async fn tell(&mut self) -> Option<()> {
        let mut said = Instant::now();
        loop {
            let start = Instant::now();
            let events = self.changes().await?;
            let took = start.elapsed();
            let is_end = matches!(events.last(), Some(JobEvent::End(_)));
            if !events.is_empty() {
                self.send(&events).await?;
                said = Instant::now();
            }
            if is_end {
                return Some(());
            }
            if said.elapsed() >= ALIVE {
                self.pieces
                    .send(Bytes::from_static(b": alive\n\n"))
                    .await
                    .ok()?;
                said = Instant::now();
            }
            sleep(LOOK.max(took * SHARE)).await;
        }
    }

    /// What is not as it was told last.
    async fn changes(&mut self) -> Option<Vec<JobEvent>> {
        // The job first: what is over then has units that do not change any more.
        let view = self.desk.node.job(self.id).await?;
        let job = show::summary(&view, &self.order, &self.names);
        let mut events = Vec::new();
        let has_changed = self.job.as_ref() != Some(&job);
        // A provider that takes an order on does not change how the job stands.
        if has_changed || view.planned <= FEW {
            for unit in self.desk.node.units(self.id).await? {
                let unit = show::unit(&unit, &self.order, show::Over::from(&view));
                if self.units.get(&unit.index) != Some(&unit) {
                    self.units.insert(unit.index, unit.clone());
                    events.push(JobEvent::Unit(unit));
                }
            }
        }
        if has_changed {
            match job.state {
                // Its end is told last; that there is a job, first.
                JobState::Ended => {
                    let first = self.job.is_none().then(|| JobEvent::Job(job.clone()));
                    events.splice(0..0, first);
                    events.push(JobEvent::End(job.clone()));
                }
                _ => events.insert(0, JobEvent::Job(job.clone())),
            }
            self.job = Some(job);
        }
        Some(events)
    }

    async fn send(&self, events: &[JobEvent]) -> Option<()> {
        let mut text = String::new();
        for event in events {
            text.push_str(&format!(
                "event: {}\ndata: {}\n\n",
                event.name(),
                event.data()
            ));
            if text.len() >= PIECE {
                self.pieces
                    .send(std::mem::take(&mut text).into())
                    .await
                    .ok()?;
            }
        }
        match text.is_empty() {
            true => Some(()),
            false => self.pieces.send(text.into()).await.ok(),
        }
    }
}
