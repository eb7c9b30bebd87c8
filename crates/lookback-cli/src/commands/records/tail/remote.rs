//! `tail --server`: what a server sends.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as PooledClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lookback::query::Position;
use lookback::{Error, Json, Model};
use serde::Serialize;

use super::event_stream::EventParser;
use super::{CHUNK_BYTES, interrupted};
use super::{Lines, Printer, TableRow, call_without_position, closed_output, filter_query};
use crate::args::{Deleted, TailArgs};
use crate::failure::{Failure, with_sources};
use crate::output;

/// The pauses before it connects again: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How long a server may take to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server may send nothing: it sends a sign of life every 15 s by default.
const SILENCE: Duration = Duration::from_secs(90);
/// The most bytes of an error that are read.
const MOST_BYTES: usize = 64 * 1024;

/// An answer, whose body comes in parts.
type Answer = Response<UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

/// Why a connection has ended.
enum Cut {
    /// It can be tried again, after a pause that the server asks for.
    Again(String, Option<Duration>),
    Failed(Failure),
}

impl From<Failure> for Cut {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub(super) async fn run<M: Model + Serialize + TableRow>(
    server: &str,
    args: &TailArgs,
) -> Result<(), Failure> {
    if !matches!(M::COMMAND, "logs" | "requests") {
        return Err(Failure::usage(format!(
            "--server: {} do not arrive from a server",
            M::COMMAND
        ))
        .hint("follow logs or requests, or connect to the database"));
    }
    // Wrong filters are found without a server.
    filter_query::<M>(&args.filters)?;
    if let Some(position) = &args.after {
        let position: Result<Position, Error> = position.parse();
        position.map_err(|error| Failure::usage(format!("--after: {error}")))?;
    }
    let same_call = call_without_position::<M>(args);
    let mut follower = Follower {
        client: Client::new(server, key(args)?)?,
        path: path::<M>(args),
        lines: Lines::new(args),
        printer: Printer::spawn(args.json, args.after.clone()),
    };
    let ended = tokio::select! {
        ended = follower.follow::<M>() => ended,
        () = closed_output() => Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()),
        () = pin!(interrupted()) => Err(Failure::interrupted("interrupted")),
    };
    match (ended, follower.printer.end().await) {
        (Err(failure), Some(position)) if failure.is_interrupted() => Err(failure.hint(format!(
            "to continue with the next record: {same_call} --after {position}"
        ))),
        (ended, _) => ended,
    }
}

/// The key of the option or of the environment.
fn key(args: &TailArgs) -> Result<Option<HeaderValue>, Failure> {
    let key = match &args.key {
        Some(key) => Some(key.clone()),
        None => std::env::var("LOOKBACK_KEY")
            .ok()
            .filter(|key| !key.is_empty()),
    };
    let Some(key) = key else {
        return Ok(None);
    };
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    let header = HeaderValue::try_from(format!("Bearer {key}"));
    let mut header = header.ok().filter(|_| is_key).ok_or_else(|| {
        Failure::usage("--key: it is not an API key")
            .hint("make one: lookback keys create NAME --scope read")
    })?;
    header.set_sensitive(true);
    Ok(Some(header))
}

/// The path with the query, without a position.
fn path<M: TableRow>(args: &TailArgs) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for filter in &args.filters {
        let (name, value) = filter.split_once('=').unwrap_or((filter, ""));
        query.append_pair(name, value);
    }
    match args.deleted {
        Deleted::Without => {}
        Deleted::With => {
            query.append_pair("deleted", "with");
        }
        Deleted::Only => {
            query.append_pair("deleted", "only");
        }
    }
    if args.after.is_none() {
        query.append_pair("last", &args.last.to_string());
    }
    format!("/api/v1/{}/tail?{}", M::COMMAND, query.finish())
}

/// Prints what a server sends.
struct Follower {
    client: Client,
    path: String,
    lines: Lines,
    printer: Printer<String>,
}

impl Follower {
    async fn follow<M: Model + Serialize + TableRow>(&mut self) -> Result<(), Failure> {
        let mut pause = BACK_OFF.0;
        let mut was_connected = false;
        let mut is_reported = false;
        loop {
            let printed = self.printer.position().map(String::as_str);
            let connected = self.client.connect(&self.path, printed);
            let cut = match connected.await {
                Ok(response) => {
                    if is_reported {
                        output::note("connected again");
                    }
                    (was_connected, is_reported, pause) = (true, false, BACK_OFF.0);
                    self.read::<M>(response).await
                }
                Err(cut) => cut,
            };
            let (problem, asked) = match cut {
                Cut::Failed(failure) => return Err(failure),
                Cut::Again(problem, _) if !was_connected => {
                    return Err(Failure::failed(problem)
                        .hint("is the URL that of `lookback serve`, and does it run?"));
                }
                Cut::Again(problem, asked) => (problem, asked),
            };
            if is_reported {
                output::detail(&problem);
            } else {
                output::warning(&format!(
                    "{problem}; tail continues when the server can be reached again"
                ));
                is_reported = true;
            }
            tokio::time::sleep(pause.max(asked.unwrap_or_default().min(BACK_OFF.1))).await;
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    /// Reads events until the connection ends.
    async fn read<M: Model + Serialize + TableRow>(&mut self, response: Answer) -> Cut {
        let mut body = response.into_body();
        let mut parser = EventParser::default();
        let cut = |problem: String| Cut::Again(format!("the connection was cut: {problem}"), None);
        loop {
            let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
                Err(_) => return cut(format!("nothing came for {} s", SILENCE.as_secs())),
                Ok(None) => return cut("the server ended it".to_owned()),
                Ok(Some(Err(error))) => return cut(with_sources(&*error)),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if let Err(ended) = self.print::<M>(&data, &mut parser).await {
                return ended;
            }
        }
    }

    /// Prints the records of some bytes.
    async fn print<M: Model + Serialize + TableRow>(
        &mut self,
        mut bytes: &[u8],
        parser: &mut EventParser,
    ) -> Result<(), Cut> {
        let mut text = String::new();
        let mut ended = None;
        loop {
            let event = parser
                .next(&mut bytes)
                .map_err(|problem| Cut::Again(problem.to_owned(), None))?;
            let is_last = event.is_none();
            match event {
                Some(event) if event.name.is_empty() => {
                    self.push::<M>(&event.data, &mut text)?;
                }
                Some(event) if event.name == "end" => ended = Some(end(&event.data)),
                _ => {}
            }
            let id = parser.last_id();
            let position = Some(id.to_owned()).filter(|id| !id.is_empty());
            if text.len() >= CHUNK_BYTES || (is_last && !text.is_empty()) {
                self.printer
                    .print(std::mem::take(&mut text), position)
                    .await?;
            } else if text.is_empty() && position.is_some() {
                self.printer.begin_at(position);
            }
            if let Some(ended) = ended.take() {
                return Err(ended);
            }
            if is_last {
                return Ok(());
            }
        }
    }

    fn push<M: Model + Serialize + TableRow>(
        &mut self,
        data: &str,
        text: &mut String,
    ) -> Result<(), Failure> {
        let not_a_record = |problem: &str| {
            Failure::failed(format!(
                "the server sent a record that cannot be read: {problem}"
            ))
            .hint("is the server of the same version as this program?")
        };
        let json: Json = data
            .parse()
            .map_err(|error: lookback::value::JsonError| not_a_record(&error.to_string()))?;
        if self.lines.is_json {
            return Lines::push_json(&json, text);
        }
        let Json::Object(record) = json else {
            return Err(not_a_record("it is no object"));
        };
        let deleted_at = record.get("deleted_at").and_then(Json::as_str);
        let deleted_at = deleted_at.and_then(|time| time.parse().ok());
        let record = M::received(record)
            .ok_or_else(|| not_a_record("it is of another table"))?
            .map_err(|problem| not_a_record(&problem))?;
        self.lines.push_cells::<M>(record.cells(), deleted_at, text);
        Ok(())
    }
}

/// Why the server has ended it: some reasons pass.
fn end(data: &str) -> Cut {
    let json: Json = data.parse().unwrap_or(Json::Null);
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let detail = text("detail");
    match text("reason").as_str() {
        "access" | "error" => Cut::Failed(Failure::failed(detail)),
        _ => Cut::Again(detail, None),
    }
}

/// The client: HTTP/1.1, one server, no redirects.
struct Client {
    connections: Connections,
    /// The URL, without a slash at its end.
    base: String,
    key: Option<HeaderValue>,
}

enum Connections {
    Plain(PooledClient<HttpConnector, Empty<Bytes>>),
    Tls(PooledClient<HttpsConnector<HttpConnector>, Empty<Bytes>>),
}

impl Client {
    fn new(url: &str, key: Option<HeaderValue>) -> Result<Self, Failure> {
        let wrong = |problem: &str| {
            Failure::usage(format!("--server: {problem}"))
                .hint("expected a URL such as https://lookback.example.com")
        };
        let uri: Uri = url.parse().map_err(|_| wrong("it is not a URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong("it has a user or a query"));
        }
        let builder = PooledClient::builder(TokioExecutor::new());
        let connections = match uri.scheme_str() {
            Some("http") => Connections::Plain(builder.build_http()),
            Some("https") => {
                let connector = HttpsConnectorBuilder::new()
                    .with_native_roots()
                    .map_err(|error| {
                        Failure::failed(format!(
                            "cannot read the certificates of this machine: {error}"
                        ))
                        .hint("name a file of certificates by the variable SSL_CERT_FILE")
                    })?
                    .https_only()
                    .enable_http1()
                    .build();
                Connections::Tls(builder.build(connector))
            }
            _ => return Err(wrong("it does not begin with http:// or https://")),
        };
        Ok(Self {
            connections,
            base: url.trim_end_matches('/').to_owned(),
            key,
        })
    }

    /// Asks for what arrives after a position.
    async fn connect(&self, path: &str, position: Option<&str>) -> Result<Answer, Cut> {
        let mut request = Request::get(format!("{}{path}", self.base))
            .header(ACCEPT, "text/event-stream")
            .header(USER_AGENT, concat!("lookback/", env!("CARGO_PKG_VERSION")));
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        if let Some(position) = position {
            request = request.header("last-event-id", position);
        }
        let request = request
            .body(Empty::new())
            .map_err(|error| Failure::usage(format!("--server: {error}")))?;
        let response = async {
            match &self.connections {
                Connections::Plain(client) => client.request(request).await,
                Connections::Tls(client) => client.request(request).await,
            }
        };
        let base = &self.base;
        let response = match tokio::time::timeout(ANSWER_TIMEOUT, response).await {
            Err(_) => return Err(Cut::Again(format!("{base} does not answer"), None)),
            Ok(Err(error)) => {
                let problem = format!("cannot reach {base}: {}", with_sources(&error));
                return Err(Cut::Again(problem, None));
            }
            Ok(Ok(response)) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
        };
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    async fn refusal(&self, response: Answer) -> Cut {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect();
        let body = tokio::time::timeout(ANSWER_TIMEOUT, body).await;
        let body = body.ok().and_then(Result::ok);
        let json = body.and_then(|body| Json::from_slice(&body.to_bytes()).ok());
        let detail = json.and_then(|json| Some(json["detail"].as_str()?.to_owned()));
        let detail = detail.unwrap_or_else(|| "it gave no reason".to_owned());
        let problem = format!("{} answered {}: {detail}", self.base, head.status);
        let seconds = head.headers.get(RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        match head.status.as_u16() {
            408 | 425 | 429 | 500.. => Cut::Again(problem, seconds.map(Duration::from_secs)),
            400 => Cut::Failed(Failure::usage(problem)),
            401 => Cut::Failed(
                Failure::failed(problem)
                    .hint("give a key that may read: --key KEY, or the variable LOOKBACK_KEY"),
            ),
            403 => Cut::Failed(
                Failure::failed(problem)
                    .hint("make a key that may read: lookback keys create NAME --scope read"),
            ),
            _ => Cut::Failed(Failure::failed(problem)),
        }
    }
}
