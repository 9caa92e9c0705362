//! What the node counts about itself, in the text form that Prometheus reads.

use std::sync::Arc;

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// All counters. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Arc<Registry>,
    /// See the registration for what each counts.
    pub sent: Counter,
    pub dropped: Counter,
    pub received: Counter,
    pub unsound: Counter,
    pub turned_away: Counter,
    pub events: Counter,
    pub commits: Counter,
    pub executed: Counter,
    pub aborted: Counter,
    pub fuel: Counter,
    pub running: Gauge,
    pub queued: Gauge,
    pub offers: Gauge,
    pub jobs_ended: Counter,
    pub claimed: Counter,
    pub unit_seconds: Histogram,
}

/// From a tenth of a millisecond to more than an hour, each bucket four times the one before.
fn spans() -> impl Iterator<Item = f64> {
    (0..14).map(|exponent| 0.000_1 * 4f64.powi(exponent))
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("opensky");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let sent = counter(
            "messages_sent",
            "Messages given to other nodes, or tried to",
        );
        let dropped = counter("messages_dropped", "Messages that found their queue full");
        let received = counter("messages_received", "Sound messages of other nodes");
        let unsound = counter(
            "messages_unsound",
            "Messages that did not decode, or whose signatures do not hold",
        );
        let turned_away = counter("requests_busy", "Requests that were told to come later");
        let events = counter("core_events", "Events that the core has handled");
        let commits = counter("row_batches", "Batches of rows that were made durable");
        let executed = counter("units_executed", "Units that came to a result here");
        let aborted = counter("units_aborted", "Units that had no result here");
        let fuel = counter(
            "fuel_executed",
            "Fuel of the units that came to a result here",
        );
        let jobs_ended = counter("jobs_ended", "Own jobs that are over");
        let claimed = counter("vouchers_claimed", "Vouchers that the ledger has taken");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let running = gauge("units_running", "Units that run now");
        let queued = gauge(
            "units_queued",
            "Units that wait for their inputs or for a core",
        );
        let offers = gauge("offers_known", "Offers of other nodes that are known");
        let unit_seconds = Histogram::new(spans());
        registry.register_with_unit(
            "unit_wall",
            "Time from a unit's start to its result",
            Unit::Seconds,
            unit_seconds.clone(),
        );
        Self {
            registry: Arc::new(registry),
            sent,
            dropped,
            received,
            unsound,
            turned_away,
            events,
            commits,
            executed,
            aborted,
            fuel,
            running,
            queued,
            offers,
            jobs_ended,
            claimed,
            unit_seconds,
        }
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
