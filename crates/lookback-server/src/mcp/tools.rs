//! The tools: what each reads.

use std::sync::Arc;

use lookback::query::Total;
use lookback::replay::{ReplaySettings, Target, prepare};
use lookback::search::Note;
use lookback::value::JsonMap;
use lookback::{Filter, Json, Log, Metric, Model, QueryBuilder, RequestSnapshot, json};
use rmcp::handler::server::tool::schema_for_type;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{Answer, Limits};
use super::parameters::{
    GetRecord, GetTrace, LatencyWindows, ListRequests, LogPatterns, ReplayDryRun, SearchLogs,
    TableName,
};
use crate::problem::{Kind, Problem, WrongField};
use crate::server::Shared;

const SEARCH_LOGS: &str = "search_logs";
const LIST_REQUESTS: &str = "list_requests";
const LOG_PATTERNS: &str = "log_patterns";
const LATENCY_WINDOWS: &str = "latency_windows";
const GET_TRACE: &str = "get_trace";
const GET_RECORD: &str = "get_record";
const REPLAY_DRY_RUN: &str = "replay_dry_run";

/// Returns all tools.
pub(super) fn all() -> Vec<Tool> {
    vec![
        tool::<SearchLogs>(
            SEARCH_LOGS,
            "Search log lines by words (best hits first), or list the newest ones; both by filters. \
             Each has id, created_at, level, source, message, meta and trace_id.",
        ),
        tool::<ListRequests>(
            LIST_REQUESTS,
            "List requests that the API answered, or search them by words. Each has id, timestamp, \
             method, path, query, status_code, duration in milliseconds, user_id, trace_id and where \
             it ran. Headers and bodies are in `get_record`.",
        ),
        tool::<LogPatterns>(
            LOG_PATTERNS,
            "Count log lines by their text without numbers and ids, the most frequent first, with \
             the first and the last time and an example. With new_since, only what is new.",
        ),
        tool::<LatencyWindows>(
            LATENCY_WINDOWS,
            "List latency windows: for each endpoint and minute the requests (traffic_count), the \
             50th, 95th and 99th percentile in milliseconds, and error_rate from 0 to 1.",
        ),
        tool::<GetTrace>(
            GET_TRACE,
            "Show everything with a trace id: the requests, and their log lines, in the order of \
             time.",
        ),
        tool::<GetRecord>(
            GET_RECORD,
            "Show one record by its id with all fields, such as the headers and bodies of a request.",
        ),
        tool::<ReplayDryRun>(
            REPLAY_DRY_RUN,
            "Show captured requests as commands of curl, or why one cannot be sent again. Nothing \
             is sent.",
        ),
    ]
}

fn tool<P: JsonSchema + 'static>(name: &'static str, description: &'static str) -> Tool {
    let annotations = ToolAnnotations::new()
        .read_only(true)
        .destructive(false)
        .idempotent(true)
        .open_world(false);
    Tool::new(name, description, schema_for_type::<P>()).annotate(annotations)
}

/// Calls a tool; `None` if there is none of this name.
pub(super) async fn call(
    shared: &Arc<Shared>,
    name: &str,
    arguments: JsonObject,
) -> Option<Result<Json, Problem>> {
    Some(match name {
        SEARCH_LOGS => with(arguments, async |asked| search_logs(shared, asked).await).await,
        LIST_REQUESTS => with(arguments, async |asked| list_requests(shared, asked).await).await,
        LOG_PATTERNS => with(arguments, async |asked| log_patterns(shared, asked).await).await,
        LATENCY_WINDOWS => {
            with(arguments, async |asked| {
                latency_windows(shared, asked).await
            })
            .await
        }
        GET_TRACE => with(arguments, async |asked| get_trace(shared, asked).await).await,
        GET_RECORD => with(arguments, async |asked| get_record(shared, asked).await).await,
        REPLAY_DRY_RUN => with(arguments, async |asked| replay_dry_run(shared, asked).await).await,
        _ => return None,
    })
}

async fn with<P: DeserializeOwned>(
    arguments: JsonObject,
    read: impl AsyncFnOnce(P) -> Result<Answer, Problem>,
) -> Result<Json, Problem> {
    let asked = serde_json::from_value(serde_json::Value::Object(arguments))
        .map_err(|error| Problem::new(Kind::InvalidQuery, error.to_string()))?;
    read(asked).await.map(Answer::into_json)
}

async fn search_logs(shared: &Shared, asked: SearchLogs) -> Result<Answer, Problem> {
    let times = ("created_at", &asked.since, &asked.until);
    let query = narrowed::<Log>(shared, &asked.filters, times)?;
    let query = paged(query, asked.limit, asked.after.as_deref())?;
    let mut answer = Answer::new(Limits::MANY);
    match words(&asked.words) {
        Some(words) => {
            let query = query.search(words);
            let query = if asked.fold == Some(false) {
                query
            } else {
                query.fold_copies()
            };
            find(shared, &query, &mut answer, as_it_is).await?;
        }
        None => {
            let query = query.order_by_text("-created_at");
            list(shared, query, &mut answer, as_it_is).await?;
        }
    }
    Ok(answer)
}

async fn list_requests(shared: &Shared, asked: ListRequests) -> Result<Answer, Problem> {
    let times = ("timestamp", &asked.since, &asked.until);
    let query = narrowed::<RequestSnapshot>(shared, &asked.filters, times)?;
    let query = paged(query, asked.limit, asked.after.as_deref())?;
    let mut answer = Answer::new(Limits::MANY);
    match (words(&asked.words), &asked.order_by) {
        (Some(_), Some(_)) => {
            return Err(wrong(
                "order_by",
                "must be left out with words: the best hits come first",
            ));
        }
        (Some(words), None) => {
            let query = query.search(words).fold_copies();
            find(shared, &query, &mut answer, without_bodies).await?;
        }
        (None, order) => {
            let order = order.as_deref().unwrap_or("-timestamp");
            let query = query.order_by_text(order);
            list(shared, query, &mut answer, without_bodies).await?;
        }
    }
    Ok(answer)
}

async fn log_patterns(shared: &Shared, asked: LogPatterns) -> Result<Answer, Problem> {
    let times = ("created_at", &asked.since, &asked.until);
    let mut query = narrowed::<Log>(shared, &asked.filters, times)?
        .limit(limit(asked.limit)?)
        .offset(asked.offset.unwrap_or(0));
    if let Some(words) = words(&asked.words) {
        query = query.search(words);
    }
    let mut patterns = query.patterns();
    if let Some(since) = &asked.new_since {
        patterns = patterns.new_since_text(since).map_err(invalid)?;
    }
    let mut conn = shared.connection().await?;
    let page = patterns.fetch(&mut *conn).await.map_err(invalid)?;
    let mut answer = Answer::new(Limits::MANY);
    describe_total(&mut answer, "total", page.total);
    describe_total(&mut answer, "records", page.records);
    for pattern in &page.data {
        let text = pattern.fields.iter().find(|(name, _)| *name == "message");
        answer.add(json!({
            "pattern": text.map(|(_, text)| text.as_str()),
            "count": pattern.count.value(),
            "count_is_exact": pattern.count.is_exact(),
            "share": pattern.share,
            "first": record_json(&pattern.first)?,
            "last": record_json(&pattern.last)?,
            "example": record_json(&pattern.example)?,
        }));
    }
    Ok(answer)
}

async fn latency_windows(shared: &Shared, asked: LatencyWindows) -> Result<Answer, Problem> {
    let times = ("window_start", &asked.since, &asked.until);
    let mut query = narrowed::<Metric>(shared, &asked.filters, times)?;
    if let Some(endpoint) = asked.endpoint {
        query = query.filter(Metric::endpoint().eq(endpoint));
    }
    let query = paged(query, asked.limit, asked.after.as_deref())?;
    let order = asked.order_by.as_deref().unwrap_or("-window_start");
    let mut answer = Answer::new(Limits::MANY);
    list(shared, query.order_by_text(order), &mut answer, |window| {
        // For programs that add windows.
        window.remove("latency_sketch");
    })
    .await?;
    Ok(answer)
}

async fn get_trace(shared: &Shared, asked: GetTrace) -> Result<Answer, Problem> {
    /// The most requests and log lines of a trace, each.
    const MOST: u32 = 100;
    let mut conn = shared.connection().await?;
    let requests = QueryBuilder::<RequestSnapshot>::new()
        .filter(RequestSnapshot::trace_id().eq(asked.trace_id.as_str()))
        .order_by(RequestSnapshot::timestamp().asc())
        .timeout(shared.settings.read_timeout)
        .max_page_bytes(shared.settings.page_bytes as u64)
        .limit(MOST)
        .list(&mut *conn)
        .await
        .map_err(invalid)?;
    let logs = QueryBuilder::<Log>::new()
        .filter(Log::trace_id().eq(asked.trace_id.as_str()))
        .order_by(Log::created_at().asc())
        .timeout(shared.settings.read_timeout)
        .max_page_bytes(shared.settings.page_bytes as u64)
        .limit(MOST)
        .list(&mut *conn)
        .await
        .map_err(invalid)?;
    let mut records = Vec::new();
    for request in &requests.data {
        let mut json = record_json(request)?;
        if let Json::Object(map) = &mut json {
            without_bodies(map);
        }
        records.push((request.timestamp, "request", json));
    }
    for log in &logs.data {
        records.push((log.created_at, "log", record_json(log)?));
    }
    // A request comes before what it logged in the same moment.
    records.sort_by_key(|(time, ..)| *time);
    let mut answer = Answer::new(Limits::MANY);
    describe_total(&mut answer, "requests", requests.total);
    describe_total(&mut answer, "logs", logs.total);
    for (name, shown, total) in [
        ("requests", requests.data.len(), requests.total),
        ("log lines", logs.data.len(), logs.total),
    ] {
        if total.value() > shown as u64 {
            answer.note(format!(
                "the later {name}: `search_logs` and `list_requests` with the filter trace_id=… list them"
            ));
        }
    }
    for (_, kind, json) in records {
        answer.add(json!({ "kind": kind, kind: json }));
    }
    Ok(answer)
}

async fn get_record(shared: &Shared, asked: GetRecord) -> Result<Answer, Problem> {
    let mut answer = Answer::new(Limits::ONE);
    let record = match asked.table {
        TableName::Logs => get::<Log>(shared, asked.id).await?,
        TableName::Requests => get::<RequestSnapshot>(shared, asked.id).await?,
        TableName::Metrics => get::<Metric>(shared, asked.id).await?,
    };
    answer.add(record);
    Ok(answer)
}

async fn get<M: Model + Serialize>(shared: &Shared, id: i64) -> Result<Json, Problem> {
    let mut conn = shared.connection().await?;
    let query = QueryBuilder::<M>::new().timeout(shared.settings.read_timeout);
    record_json(&query.get(&mut *conn, id).await.map_err(invalid)?)
}

async fn replay_dry_run(shared: &Shared, asked: ReplayDryRun) -> Result<Answer, Problem> {
    const MOST: usize = 20;
    if asked.ids.is_empty() || asked.ids.len() > MOST {
        return Err(wrong("ids", &format!("must have 1 to {MOST} ids")));
    }
    let target: Option<Target> = match &asked.to {
        None => None,
        Some(url) => Some(
            url.parse()
                .map_err(|error: lookback::replay::TargetError| wrong("to", &error.to_string()))?,
        ),
    };
    let mut settings = ReplaySettings::default();
    settings.unsafe_methods = asked.unsafe_methods;
    let mut conn = shared.connection().await?;
    let found = QueryBuilder::<RequestSnapshot>::new()
        .filter(RequestSnapshot::id().is_in(&asked.ids))
        .timeout(shared.settings.read_timeout)
        .list(&mut *conn)
        .await
        .map_err(invalid)?;
    let mut answer = Answer::new(Limits::ONE);
    for id in asked.ids {
        let Some(snapshot) = found.data.iter().find(|snapshot| snapshot.id == id) else {
            answer.add(json!({ "id": id, "cannot_be_sent": "there is no such request" }));
            continue;
        };
        let prepared = target
            .clone()
            .or_else(|| Target::captured(snapshot))
            .ok_or_else(|| "its host is not known: name a server by `to`".to_owned())
            .and_then(|target| {
                prepare(snapshot, &target, &settings).map_err(|refusal| refusal.to_string())
            });
        answer.add(match prepared {
            Ok(mut prepared) => {
                // One for all that use the command would be no new trace.
                prepared.headers.remove("traceparent");
                let masked: Json = prepared
                    .masked
                    .iter()
                    .map(|place| Json::from(place.as_str()))
                    .collect();
                json!({ "id": id, "command": prepared.curl(), "masked": masked })
            }
            Err(reason) => json!({ "id": id, "cannot_be_sent": reason }),
        });
    }
    answer.note(
        "nothing was sent: a person can send the requests and compare the responses by `lookback \
         replay ID --to URL`",
    );
    Ok(answer)
}

/// Returns the query of filters and times.
fn narrowed<M: Model>(
    shared: &Shared,
    filters: &[String],
    (field, since, until): (&str, &Option<String>, &Option<String>),
) -> Result<QueryBuilder<M>, Problem> {
    let mut texts = filters.to_vec();
    for (lookup, time) in [("gte", since), ("lt", until)] {
        if let Some(time) = time {
            texts.push(format!("{field}__{lookup}={time}"));
        }
    }
    let query = QueryBuilder::new()
        .timeout(shared.settings.read_timeout)
        .max_page_bytes(shared.settings.page_bytes as u64);
    if texts.is_empty() {
        return Ok(query);
    }
    Ok(query.filter(Filter::parse_all(texts).map_err(invalid)?))
}

fn paged<M: Model>(
    query: QueryBuilder<M>,
    most: Option<u32>,
    after: Option<&str>,
) -> Result<QueryBuilder<M>, Problem> {
    let query = query.limit(limit(most)?);
    Ok(match after {
        Some(cursor) => query.after(cursor),
        None => query,
    })
}

fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    const DEFAULT: u32 = 20;
    const MOST: u32 = 100;
    match asked.unwrap_or(DEFAULT) {
        limit @ 1..=MOST => Ok(limit),
        other => Err(wrong(
            "limit",
            &format!("must be from 1 to {MOST}, got {other}"),
        )),
    }
}

/// The words of a search; `None` if there are none.
fn words(asked: &Option<String>) -> Option<&str> {
    asked.as_deref().filter(|words| !words.trim().is_empty())
}

async fn list<M: Model + Serialize + Sync>(
    shared: &Shared,
    query: Result<QueryBuilder<M>, lookback::Error>,
    answer: &mut Answer,
    trim: impl Fn(&mut JsonMap),
) -> Result<(), Problem> {
    /// Up to which number records are counted.
    const COUNTED: u64 = 10_000;
    let query = query.map_err(invalid)?.total_up_to(COUNTED);
    let mut conn = shared.connection().await?;
    let page = query.list(&mut *conn).await.map_err(invalid)?;
    describe_total(answer, "total", page.total);
    if let Some(next) = &page.next {
        answer.describe("next", next.to_string());
    }
    for record in &page.data {
        let mut json = record_json(record)?;
        if let Json::Object(map) = &mut json {
            trim(map);
        }
        answer.add(json);
    }
    Ok(())
}

async fn find<M: Model + Serialize + Sync>(
    shared: &Shared,
    query: &QueryBuilder<M>,
    answer: &mut Answer,
    trim: impl Fn(&mut JsonMap),
) -> Result<(), Problem> {
    let mut conn = shared.connection().await?;
    let hits = query.hits(&mut *conn).await.map_err(invalid)?;
    describe_total(answer, "total", hits.total);
    if let Some(next) = &hits.next {
        answer.describe("next", next.to_string());
    }
    for note in &hits.notes {
        match note {
            Note::Excluded(text) => answer.note(format!(
                "records with {text:?}, which the minus excludes: to search for it, quote it"
            )),
            Note::NotAField(term) => answer.note(format!(
                "nothing, but {term:?} was searched as words: it names no field, or a value that it \
                 cannot have"
            )),
            _ => {}
        }
    }
    for hit in &hits.data {
        let mut json = record_json(&hit.record)?;
        if let Json::Object(map) = &mut json {
            trim(map);
            map.insert("score".to_owned(), json!(hit.score));
            if let Some(copies) = &hit.copies
                && copies.count != Total::Exact(1)
            {
                let copies = json!({
                    "count": copies.count.value(),
                    "first": record_json(&copies.first)?,
                    "last": record_json(&copies.last)?,
                });
                map.insert("copies".to_owned(), copies);
            }
        }
        answer.add(json);
    }
    Ok(())
}

fn as_it_is(record: &mut JsonMap) {
    record.remove("updated_at");
}

/// Leaves out what makes a request long.
fn without_bodies(request: &mut JsonMap) {
    for name in [
        "headers",
        "body",
        "response_headers",
        "response_body",
        "created_at",
        "updated_at",
        "geo_lat",
        "geo_lon",
        "geo_source",
    ] {
        request.remove(name);
    }
}

fn describe_total(answer: &mut Answer, name: &str, total: Total) {
    answer.describe(name, total.value());
    answer.describe(&format!("{name}_is_exact"), total.is_exact());
}

fn record_json(record: &impl Serialize) -> Result<Json, Problem> {
    Json::from_serialize(record).map_err(|error| {
        tracing::error!("{error}");
        Problem::new(Kind::Internal, "a record has no form in JSON")
    })
}

fn invalid(error: lookback::Error) -> Problem {
    Problem::of(&error, Kind::InvalidQuery)
}

fn wrong(field: &str, problem: &str) -> Problem {
    let fields = vec![WrongField {
        record: None,
        field: field.to_owned(),
        problem: problem.to_owned(),
    }];
    Problem::new(Kind::InvalidQuery, format!("{field}: {problem}")).with_fields(fields)
}
