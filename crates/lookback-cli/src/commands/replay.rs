//! `lookback replay`: sends captured requests again, and compares the responses.

use std::collections::{BTreeSet, VecDeque};
use std::str::FromStr as _;
use std::time::Duration;

use chrono::Utc;
use futures_util::TryStreamExt as _;
use futures_util::stream::{self, Stream};
use http::{HeaderName, HeaderValue};
use lookback::replay::{Refusal, ReplaySettings, Replayed, Target, compare, prepare};
use lookback::{Model as _, QueryBuilder, RequestSnapshot};
use lookback_formats::export::curl_command;
use lookback_server::{ReplayClient, ReplayClientError};
use serde_json::json;
use sqlx::PgConnection;
use tokio::time::MissedTickBehavior;

use super::records::{filter_query, interrupted, query_failure};
use crate::args::ReplayArgs;
use crate::config::{Config, ReadTimeout};
use crate::database;
use crate::failure::Failure;
use crate::output::{self, counted, grouped};
use crate::privileges;

mod junit;
mod outcome;
mod store;

use outcome::{Counts, Outcome};

/// The largest body of a response that is read.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Requests that are read at a time.
const CHUNK: usize = 50;

pub(crate) async fn run(config: &Config, args: ReplayArgs) -> Result<(), Failure> {
    let needs = if args.store {
        privileges::ADD
    } else {
        privileges::READ
    };
    match replay(config, args).await {
        Err(failure) => {
            let needs = [(RequestSnapshot::TABLE.name(), needs)];
            Err(privileges::explain(config, failure, &needs).await)
        }
        done => done,
    }
}

async fn replay(config: &Config, args: ReplayArgs) -> Result<(), Failure> {
    let settings = settings_of(&args)?;
    let timeout = response_timeout(&args)?;
    let selection = Selection::new(&args)?;
    if args.dry_run {
        let mut conn = database::connect(config).await?;
        let ids = selection.ids(&mut conn, config).await?;
        return print_commands(conn, ids, &args, &settings).await;
    }
    let Some(target) = args.to.clone() else {
        return Err(Failure::usage(
            "--to is required: requests are sent only to a server that you name",
        )
        .hint(
            "give the server, such as --to http://localhost:3000, or print the requests as \
             commands of curl: --dry-run",
        ));
    };
    let client = ReplayClient::new(&target, timeout, MOST_BYTES).map_err(|error| {
        Failure::failed(format!(
            "cannot read the certificates of this machine: {error}"
        ))
        .hint("name a file of certificates: SSL_CERT_FILE=ca.pem lookback replay …")
    })?;
    let mut conn = database::connect(config).await?;
    let ids = selection.ids(&mut conn, config).await?;
    let total = ids.len();
    let mut store = if args.store {
        Some(database::connect(config).await?)
    } else {
        None
    };

    let bar = output::bar(total as u64);
    let mut counts = Counts::default();
    let mut outcomes = Vec::new();
    let keeps = args.json || args.junit.is_some();
    let sent = snapshots(conn, ids, args.rate)
        .map_ok(|snapshot| send(snapshot, &target, &settings, &client))
        .try_buffered(usize::from(args.concurrency));
    let mut sent = std::pin::pin!(sent);
    let mut was_interrupted = false;
    {
        let mut interrupt = std::pin::pin!(interrupted());
        loop {
            let next = tokio::select! {
                next = sent.try_next() => next?,
                () = &mut interrupt => {
                    was_interrupted = true;
                    break;
                }
            };
            let Some(mut outcome) = next else { break };
            if let (Some(conn), Some(record)) = (&mut store, outcome.record.take()) {
                let stored = RequestSnapshot::records().create(conn, *record).await?;
                outcome.stored_id = Some(stored.id);
            }
            counts.add(&outcome);
            bar.set_position(counts.all());
            bar.set_message(counts.to_string());
            if !args.json {
                bar.suspend(|| outcome.print())?;
            }
            if keeps {
                outcomes.push(outcome);
            }
        }
    }
    bar.finish_and_clear();
    if let Some(path) = &args.junit {
        std::fs::write(path, junit::report(&outcomes)).map_err(|error| {
            Failure::failed(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    if args.json {
        let data: Vec<_> = outcomes.iter().map(Outcome::json).collect();
        output::json(&json!({ "data": data, "metadata": counts.json(total) }))?;
    }
    finish(&counts, total, was_interrupted)
}

/// Prints the summary, and decides whether the command has failed.
fn finish(counts: &Counts, total: usize, was_interrupted: bool) -> Result<(), Failure> {
    if total == 0 {
        return Err(Failure::failed("no requests found"));
    }
    let all = counted(counts.all(), "request");
    output::note(&format!("{all}: {counts}"));
    if was_interrupted {
        let left = total as u64 - counts.all();
        return Err(Failure::interrupted(format!(
            "interrupted; {} not replayed",
            counted(left, "request")
        )));
    }
    match (counts.different, counts.failed) {
        (0, 0) if counts.same == 0 => Err(Failure::failed("no request was sent")),
        (0, 0) => Ok(()),
        (0, failed) => Err(Failure::failed(format!(
            "{} got no response",
            counted(failed, "request")
        ))),
        (different, 0) => Err(Failure::failed(format!(
            "{} {} different",
            counted(different, "response"),
            if different == 1 { "is" } else { "are" }
        ))),
        (different, failed) => Err(Failure::failed(format!(
            "{} different, and {} got no response",
            if different == 1 {
                "1 response is".to_owned()
            } else {
                format!("{} responses are", grouped(different))
            },
            counted(failed, "request")
        ))),
    }
}

fn settings_of(args: &ReplayArgs) -> Result<ReplaySettings, Failure> {
    let mut settings = ReplaySettings::default();
    settings.unsafe_methods = args.unsafe_methods;
    settings.keep_host = args.keep_host;
    settings.send_masked = args.send_masked;
    settings.ignore.clone_from(&args.ignore);
    for header in &args.header {
        let invalid = || {
            // The value may be a secret.
            let name = header.split(':').next().unwrap_or_default();
            Failure::usage(format!("--header: `{name}` is not a header"))
                .hint("give a name and a value: --header 'authorization: Bearer …'")
        };
        let (name, value) = header.split_once(':').ok_or_else(invalid)?;
        let name = HeaderName::from_str(name.trim()).map_err(|_| invalid())?;
        let value = match value.trim() {
            "" => None,
            value => Some(HeaderValue::from_bytes(value.as_bytes()).map_err(|_| invalid())?),
        };
        settings.headers.push((name, value));
    }
    for pair in &args.set_query {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Failure::usage(format!("--set-query: expected NAME=VALUE, got `{pair}`"))
        })?;
        settings.query.push((name.to_owned(), value.to_owned()));
    }
    settings.body = match &args.set_body {
        None => None,
        Some(text) => Some(match text.strip_prefix('@') {
            None => text.clone().into_bytes(),
            Some(path) => std::fs::read(path)
                .map_err(|error| Failure::usage(format!("--set-body: {path}: {error}")))?,
        }),
    };
    Ok(settings)
}

fn response_timeout(args: &ReplayArgs) -> Result<Duration, Failure> {
    let text = &args.response_timeout;
    let timeout = ReadTimeout::parse(text).ok_or_else(|| {
        Failure::usage(format!(
            "--response-timeout: expected a time such as 500ms, 30s or 5m, got `{text}`"
        ))
    })?;
    Ok(timeout.0)
}

/// The requests that are asked for.
struct Selection {
    ids: BTreeSet<i64>,
    query: QueryBuilder<RequestSnapshot>,
}

impl Selection {
    fn new(args: &ReplayArgs) -> Result<Self, Failure> {
        let is_id = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit());
        let (ids, mut filters): (Vec<String>, Vec<String>) =
            args.what.iter().cloned().partition(is_id);
        let read = |id: &String| {
            id.parse::<i64>()
                .map_err(|_| Failure::usage(format!("`{id}` is not an id")))
        };
        let ids = ids.iter().map(read).collect::<Result<BTreeSet<_>, _>>()?;
        if !ids.is_empty() {
            let list: Vec<String> = ids.iter().map(ToString::to_string).collect();
            filters.push(format!("id__in={}", list.join(",")));
        }
        let limit = args.limit.max(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        let query = filter_query(&filters)?
            .limit(limit)
            .order_by(RequestSnapshot::id().desc());
        Ok(Self { ids, query })
    }

    /// Reads the ids of the requests, the oldest first.
    async fn ids(&self, conn: &mut PgConnection, config: &Config) -> Result<Vec<i64>, Failure> {
        let query = self.query.clone().timeout(config.timeout()).without_total();
        let page = query.select(RequestSnapshot::id()).list(conn).await;
        let mut ids: Vec<i64> = page.map_err(query_failure)?.data;
        ids.reverse();
        if let Some(missing) = self.ids.iter().find(|id| !ids.contains(id)) {
            return Err(Failure::failed(format!("requests: no record {missing}"))
                .hint("look for it: lookback requests list --deleted with id=…"));
        }
        Ok(ids)
    }
}

/// Reads requests, as fast as they are sent.
fn snapshots(
    conn: PgConnection,
    ids: Vec<i64>,
    rate: Option<f64>,
) -> impl Stream<Item = Result<RequestSnapshot, Failure>> {
    let pace = rate.map(|rate| {
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
        // Time that a slow response took is not made up for.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    });
    let ids = ids.into_iter();
    let read = VecDeque::new();
    stream::try_unfold((conn, ids, read, pace), async |state| {
        let (mut conn, mut ids, mut read, mut pace) = state;
        while read.is_empty() {
            let chunk: Vec<i64> = ids.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return Ok(None);
            }
            read = RequestSnapshot::records()
                .filter(RequestSnapshot::id().is_in(&chunk))
                .order_by(RequestSnapshot::id().asc())
                .stream(&mut conn)
                .try_collect()
                .await
                .map_err(query_failure)?;
        }
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let next = read.pop_front();
        Ok(next.map(|snapshot: RequestSnapshot| (snapshot, (conn, ids, read, pace))))
    })
}

/// Sends a request, and compares the response.
async fn send(
    snapshot: RequestSnapshot,
    target: &Target,
    settings: &ReplaySettings,
    client: &ReplayClient,
) -> Result<Outcome, Failure> {
    let prepared = match prepare(&snapshot, target, settings) {
        Ok(prepared) => prepared,
        Err(refusal) => return Ok(Outcome::new(&snapshot, Replayed::NotSent(refusal))),
    };
    let (masked, trace_id) = (prepared.masked.clone(), prepared.trace_id());
    let timestamp = Utc::now();
    let answered = client.send(prepared.clone().into_http()).await;
    let (replayed, record) = match answered {
        Err(error @ ReplayClientError::TimedOut(_)) => (
            Replayed::Failed(format!("{error} (--response-timeout)")),
            None,
        ),
        Err(error) => (Replayed::Failed(error.to_string()), None),
        Ok((response, duration)) => {
            let mut comparison = compare(&snapshot, &response, &settings.ignore);
            comparison.duration = Some(duration);
            let record = store::record(&snapshot, &prepared, &response, timestamp, duration);
            (Replayed::Compared(comparison), Some(Box::new(record)))
        }
    };
    let mut outcome = Outcome::new(&snapshot, replayed);
    outcome.masked = masked;
    outcome.trace_id = trace_id;
    outcome.record = record;
    Ok(outcome)
}

async fn print_commands(
    conn: PgConnection,
    ids: Vec<i64>,
    args: &ReplayArgs,
    settings: &ReplaySettings,
) -> Result<(), Failure> {
    let total = ids.len() as u64;
    let mut snapshots = std::pin::pin!(snapshots(conn, ids, None));
    while let Some(snapshot) = snapshots.try_next().await? {
        let command = curl_command(&snapshot, args.to.as_ref(), settings, explained);
        output::text(&command)?;
    }
    output::note(&format!(
        "dry run: nothing was sent ({})",
        counted(total, "request")
    ));
    Ok(())
}

/// Why a request was not sent, with the option that changes it.
fn explained(refusal: &Refusal) -> String {
    let option = match refusal {
        Refusal::UnsafeMethod(_) => " (--unsafe-methods)",
        Refusal::Masked(places) if places.iter().any(|place| place.starts_with("body")) => {
            " (--set-body, or --send-masked)"
        }
        Refusal::Masked(places) if places.iter().all(|place| place.starts_with("query")) => {
            " (--set-query, or --send-masked)"
        }
        Refusal::Masked(_) => " (--send-masked)",
        Refusal::TruncatedBody(_) | Refusal::BodyNotStored(_) => " (--set-body)",
        _ => "",
    };
    format!("{refusal}{option}")
}
