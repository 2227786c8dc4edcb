//! Counters for `/metrics`, in Prometheus' text format. None names a patient, a study or a sender.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that grows, or goes up and down.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Takes one away.
    pub(crate) fn sub_one(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Reads it.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Everything that is counted.
#[derive(Default)]
pub(crate) struct Metrics {
    /// Associations that are open.
    pub(crate) associations: Counter,
    /// Associations that were accepted.
    pub(crate) accepted: Counter,
    /// Associations that were rejected.
    pub(crate) rejected: Counter,
    /// Associations that ended otherwise than by their release.
    pub(crate) broken: Counter,
    /// Objects that were kept.
    pub(crate) kept: Counter,
    /// Objects that were there already.
    pub(crate) known: Counter,
    /// Objects that were refused.
    pub(crate) refused: Counter,
    /// Bytes of the data sets that were kept.
    pub(crate) bytes: Counter,
    /// Studies that were sealed.
    pub(crate) sealed: Counter,
    /// Studies whose sealing failed.
    pub(crate) failed: Counter,
    /// HTTP requests that were answered.
    pub(crate) requests: Counter,
    /// Searches that were answered.
    pub(crate) searches: Counter,
    /// Instances that were asked for and given, whole or in part.
    pub(crate) retrieved: Counter,
}

impl Metrics {
    /// Writes them all; `more` are gauges that are known elsewhere.
    pub(crate) fn text(&self, more: &[(&str, &str, u64)]) -> String {
        let own = [
            (
                "associations_open",
                "Associations that are open.",
                true,
                &self.associations,
            ),
            (
                "associations_total",
                "Associations accepted.",
                false,
                &self.accepted,
            ),
            (
                "associations_rejected_total",
                "Associations rejected.",
                false,
                &self.rejected,
            ),
            (
                "associations_broken_total",
                "Associations not released.",
                false,
                &self.broken,
            ),
            ("objects_kept_total", "Objects kept.", false, &self.kept),
            (
                "objects_known_total",
                "Objects that came again.",
                false,
                &self.known,
            ),
            (
                "objects_refused_total",
                "Objects refused.",
                false,
                &self.refused,
            ),
            (
                "object_bytes_total",
                "Bytes of the objects kept.",
                false,
                &self.bytes,
            ),
            (
                "studies_sealed_total",
                "Studies sealed.",
                false,
                &self.sealed,
            ),
            (
                "seal_failures_total",
                "Studies whose sealing failed.",
                false,
                &self.failed,
            ),
            (
                "http_requests_total",
                "HTTP requests answered.",
                false,
                &self.requests,
            ),
            (
                "searches_total",
                "Searches answered.",
                false,
                &self.searches,
            ),
            (
                "instances_retrieved_total",
                "Instances retrieved, whole or in part.",
                false,
                &self.retrieved,
            ),
        ];
        let own = own.map(|(name, help, gauge, counter)| (name, help, gauge, counter.get()));
        let more = more
            .iter()
            .map(|(name, help, value)| (*name, *help, true, *value));
        let mut text = String::new();
        for (name, help, gauge, value) in own.into_iter().chain(more) {
            let kind = if gauge { "gauge" } else { "counter" };
            // Writing into a string does not fail.
            let _ = write!(
                text,
                "# HELP pcim_gateway_{name} {help}\n# TYPE pcim_gateway_{name} {kind}\npcim_gateway_{name} {value}\n"
            );
        }
        text
    }
}
