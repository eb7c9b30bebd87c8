//! What the server measures of itself, in the text format of Prometheus: `GET /metrics`.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
//!
//! It is written by hand: `prometheus-client` has its own registry of families with locks, and the
//! values here are counters, and gauges that are read when they are asked for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use lookback::maintenance::MaintenanceObserver;
use lookback::value::JsonMap;
use lookback::{Json, json};

use crate::access::MayRead;
use crate::openapi::{Access, Operation};
use crate::problem::{Kind, Problem};
use crate::server::Shared;
use crate::syslog::Counts;

mod exposition;
mod requests;

use exposition::{Exposition, MetricKind};
use requests::RequestHistograms;

/// Who may read `GET /metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Keys that may read.
    #[default]
    Readers,
    /// All who reach the server.
    Everybody,
    /// Nobody: there is no such path.
    Nobody,
}

/// The ways that records come in by, as the paths of [`Ingest`](crate::ingest::Ingest) name them.
/// Another one counts as the last.
const INLETS: &[&str] = &[
    "/api/v1/logs",
    "/api/v1/requests",
    "/api/v1/metrics",
    "/v1/logs",
    "/v1/traces",
    "/v1/metrics",
    "/loki/api/v1/push",
    "/elastic/_bulk",
    "syslog",
    "other",
];
const KINDS: [&str; 3] = ["logs", "requests", "metrics"];
/// Why a body is refused.
const REASONS: [&str; 2] = ["busy", "invalid"];

/// What becomes of an attempt to notify a webhook.
const DELIVERIES: [&str; 2] = ["delivered", "failed"];

/// A gauge of what is limited.
struct Limit {
    name: &'static str,
    help: &'static str,
    used: u64,
    most: u64,
}

/// The counters of a server.
#[derive(Debug)]
pub(crate) struct Telemetry {
    started: Instant,
    pub(crate) requests: RequestHistograms,
    /// The records that are stored, by inlet and kind.
    stored: [[AtomicU64; KINDS.len()]; INLETS.len()],
    /// The records that could not be stored, by inlet.
    rejected: [AtomicU64; INLETS.len()],
    /// The bodies that were refused, by inlet: for want of room, and for what is in them.
    refused: [[AtomicU64; REASONS.len()]; INLETS.len()],
    maintenance: OnceLock<MaintenanceObserver>,
    syslog: OnceLock<Arc<Counts>>,
    /// Other gauges: how often a change of an alert was delivered, and was not.
    pub(crate) alert_deliveries: [AtomicU64; 2],
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            requests: RequestHistograms::default(),
            stored: Default::default(),
            rejected: Default::default(),
            refused: Default::default(),
            maintenance: OnceLock::new(),
            syslog: OnceLock::new(),
            alert_deliveries: Default::default(),
        }
    }
}

impl Telemetry {
    /// Counts the records of a body that is stored: log lines, requests and windows.
    pub(crate) fn count_stored(&self, inlet: &str, stored: [u64; KINDS.len()], rejected: u64) {
        let inlet = inlet_index(inlet);
        for (counter, records) in self.stored[inlet].iter().zip(stored) {
            counter.fetch_add(records, Ordering::Relaxed);
        }
        self.rejected[inlet].fetch_add(rejected, Ordering::Relaxed);
    }

    /// Counts a body of which nothing is stored.
    pub(crate) fn count_refused(&self, inlet: &str, problem: &Problem) {
        let reason = usize::from(!problem.status().is_server_error());
        self.refused[inlet_index(inlet)][reason].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn observe_syslog(&self, counts: Arc<Counts>) {
        // The first one stays.
        let _set = self.syslog.set(counts);
    }

    pub(crate) fn observe_maintenance(&self, observer: MaintenanceObserver) {
        // The first one stays.
        let _set = self.maintenance.set(observer);
    }
}

fn inlet_index(inlet: &str) -> usize {
    let index = INLETS.iter().position(|known| *known == inlet);
    index.unwrap_or(INLETS.len() - 1)
}

/// Answers with all measurements.
pub(crate) fn operations() -> Vec<Operation> {
    vec![
        Operation::get(
            "/metrics",
            "The metrics of the server itself, as Prometheus reads them",
            Access::Read,
        )
        .about("A setting of the server lets everybody read them, or nobody.")
        .answer(
            200,
            "The metrics.",
            &[("text/plain", json!({ "type": "string" }))],
        )
        .problems(&[Kind::NotFound]),
    ]
}

pub(crate) async fn metrics(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    match shared.settings.metrics_access {
        MetricsAccess::Everybody => {}
        MetricsAccess::Readers => {
            let (mut parts, _) = request.into_parts();
            let _access = MayRead::from_request_parts(&mut parts, &shared).await?;
        }
        MetricsAccess::Nobody => {
            return Err(Problem::new(Kind::NotFound, "there is no /metrics"));
        }
    }
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(CONTENT_TYPE, content_type)], shared.exposition()).into_response())
}

impl Shared {
    fn exposition(&self) -> String {
        let telemetry = &self.telemetry;
        let mut out = Exposition::default();
        out.family(
            "lookback_build_info",
            MetricKind::Gauge,
            "The version of the server.",
        )
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        out.family(
            "lookback_uptime_seconds",
            MetricKind::Gauge,
            "How long the server runs.",
        )
        .sample(&[], telemetry.started.elapsed().as_secs_f64());
        telemetry.requests.write(&mut out);

        let mut stored = out.family(
            "lookback_records_stored_total",
            MetricKind::Counter,
            "Records that were stored.",
        );
        for (inlet, counters) in INLETS.iter().zip(&telemetry.stored) {
            for (kind, counter) in KINDS.iter().zip(counters) {
                let records = counter.load(Ordering::Relaxed);
                if records > 0 {
                    stored.count(&[("inlet", inlet), ("kind", kind)], records);
                }
            }
        }
        let mut rejected = out.family(
            "lookback_records_rejected_total",
            MetricKind::Counter,
            "Records of bodies with others that could not be stored.",
        );
        for (inlet, counter) in INLETS.iter().zip(&telemetry.rejected) {
            let records = counter.load(Ordering::Relaxed);
            if records > 0 {
                rejected.count(&[("inlet", inlet)], records);
            }
        }
        let mut refused = out.family(
            "lookback_bodies_refused_total",
            MetricKind::Counter,
            "Bodies of which nothing was stored: the server was busy, or the body invalid.",
        );
        for (inlet, counters) in INLETS.iter().zip(&telemetry.refused) {
            for (reason, counter) in REASONS.iter().zip(counters) {
                let bodies = counter.load(Ordering::Relaxed);
                if bodies > 0 {
                    refused.count(&[("inlet", inlet), ("reason", reason)], bodies);
                }
            }
        }
        if let Some(counts) = telemetry.syslog.get() {
            let mut messages = out.family(
                "lookback_syslog_messages_total",
                MetricKind::Counter,
                "Messages of syslog, by what became of them.",
            );
            for (result, number) in counts.by_result() {
                messages.count(&[("result", result)], number);
            }
        }
        self.write_limits(&mut out);
        if let Some(observer) = telemetry.maintenance.get() {
            write_maintenance(&observer.stats(), &mut out);
        }
        let mut deliveries = out.family(
            "lookback_alert_deliveries_total",
            MetricKind::Counter,
            "Attempts to notify a webhook.",
        );
        for (result, counter) in DELIVERIES.iter().zip(&telemetry.alert_deliveries) {
            deliveries.count(&[("result", result)], counter.load(Ordering::Relaxed));
        }
        out.finish()
    }

    /// The numbers of the metrics, as JSON.
    pub(crate) fn status(&self) -> JsonMap {
        let telemetry = &self.telemetry;
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let named = |names: &[&str], counts: &[u64]| -> Json {
            let pairs = names.iter().zip(counts);
            let pairs = pairs.map(|(name, count)| ((*name).to_owned(), Json::from(*count)));
            Json::Object(pairs.collect())
        };
        let stored = |kind: usize| {
            telemetry
                .stored
                .iter()
                .map(|kinds| load(&kinds[kind]))
                .sum()
        };
        let stored: [u64; KINDS.len()] = std::array::from_fn(stored);
        let refused = |reason: usize| telemetry.refused.iter().map(|all| load(&all[reason])).sum();
        let refused: [u64; REASONS.len()] = std::array::from_fn(refused);
        let rejected: u64 = telemetry.rejected.iter().map(load).sum();
        let limits = self.limits().map(|limit| {
            let name = limit.name.trim_start_matches("lookback_").to_owned();
            (name, named(&["used", "limit"], &[limit.used, limit.most]))
        });
        let syslog = telemetry.syslog.get().map(|counts| {
            let counts = counts.by_result();
            named(
                &counts.map(|(name, _)| name),
                &counts.map(|(_, count)| count),
            )
        });
        let maintenance = telemetry.maintenance.get().map(|observer| {
            let stats = observer.stats();
            // The error itself is in the log: it is for those who run the server.
            json!({
                "is_failing": stats.last_error.is_some(),
                "is_behind": stats.is_behind,
                "unsealed_ids": stats.unsealed_ids,
                "sealed_records": stats.sealed_rows,
                "created_partitions": stats.created_partitions,
                "dropped_partitions": stats.dropped_partitions,
            })
        });
        let uptime = telemetry.started.elapsed().as_secs_f64();
        let deliveries = telemetry.alert_deliveries.each_ref().map(load);
        JsonMap::from([
            ("version".to_owned(), env!("CARGO_PKG_VERSION").into()),
            ("uptime_seconds".to_owned(), uptime.into()),
            (
                "limits".to_owned(),
                Json::Object(limits.into_iter().collect()),
            ),
            ("stored_records".to_owned(), named(&KINDS, &stored)),
            ("rejected_records".to_owned(), rejected.into()),
            ("refused_bodies".to_owned(), named(&REASONS, &refused)),
            ("syslog".to_owned(), syslog.unwrap_or(Json::Null)),
            ("maintenance".to_owned(), maintenance.unwrap_or(Json::Null)),
            (
                "alert_deliveries".to_owned(),
                named(&DELIVERIES, &deliveries),
            ),
        ])
    }

    /// What is in use of what is limited.
    fn limits(&self) -> [Limit; 4] {
        let settings = &self.settings;
        let free_bytes = self.body_room.available_permits();
        let free_ingests = self.ingests.available_permits();
        let free_tails = self.tail_places.available_permits();
        [
            (
                "lookback_body_bytes",
                "Bytes of bodies that are being stored or read.",
                settings.all_body_bytes.saturating_sub(free_bytes),
                settings.all_body_bytes,
            ),
            (
                "lookback_ingests",
                "Bodies that are being stored, or wait for it.",
                settings.ingests.saturating_sub(free_ingests),
                settings.ingests,
            ),
            (
                "lookback_tail_readers",
                "Readers that follow a table.",
                settings.tail.readers.saturating_sub(free_tails),
                settings.tail.readers,
            ),
            (
                "lookback_pool_connections",
                "Connections to the database.",
                self.pool.size() as usize,
                self.pool.options().get_max_connections() as usize,
            ),
        ]
        .map(|(name, help, used, most)| Limit {
            name,
            help,
            used: used as u64,
            most: most as u64,
        })
    }

    fn write_limits(&self, out: &mut Exposition) {
        for limit in self.limits() {
            let name = limit.name;
            out.family(name, MetricKind::Gauge, limit.help)
                .count(&[], limit.used);
            out.family(
                &format!("{name}_limit"),
                MetricKind::Gauge,
                &format!("The most of {name}."),
            )
            .count(&[], limit.most);
        }
        let idle = u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX);
        out.family(
            "lookback_pool_idle_connections",
            MetricKind::Gauge,
            "Connections to the database that nothing uses.",
        )
        .count(&[], idle.into());
    }
}

fn write_maintenance(stats: &lookback::maintenance::MaintenanceStats, out: &mut Exposition) {
    for (name, help, number) in [
        (
            "lookback_maintenance_sealed_records_total",
            "Records that this process has sealed.",
            stats.sealed_rows,
        ),
        (
            "lookback_maintenance_sealed_segments_total",
            "Segments that this process has sealed.",
            stats.sealed_segments,
        ),
        (
            "lookback_maintenance_created_partitions_total",
            "Partitions that this process has created.",
            stats.created_partitions,
        ),
        (
            "lookback_maintenance_dropped_partitions_total",
            "Partitions that this process has dropped.",
            stats.dropped_partitions,
        ),
        (
            "lookback_maintenance_frozen_partitions_total",
            "Partitions that this process has frozen.",
            stats.frozen_partitions,
        ),
    ] {
        out.family(name, MetricKind::Counter, help)
            .count(&[], number);
    }
    out.family(
        "lookback_maintenance_unsealed_ids",
        MetricKind::Gauge,
        "Ids that were not sealed at the last check.",
    )
    .count(&[], stats.unsealed_ids);
    out.family(
        "lookback_maintenance_failing",
        MetricKind::Gauge,
        "1 if the last round of maintenance failed; the log of the server says why.",
    )
    .count(&[], u64::from(stats.last_error.is_some()));
    out.family(
        "lookback_maintenance_behind",
        MetricKind::Gauge,
        "1 while sealing is far behind: more than eight segments of a table.",
    )
    .count(&[], u64::from(stats.is_behind));
}

/// Locks a mutex: what a thread that panicked has left in it is whole.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
