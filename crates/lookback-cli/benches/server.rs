//! `lookback serve` as a program, against the library's writer; what it does at twice the load; and
//! what HTTP adds to a list and a search.
//!
//! `make bench-server`, or `ROWS=500000 make bench-server`. The writer and the two forms of a body
//! run in turn, each with four clients that send 1,000 log lines at a time and wait until they are
//! stored. The server of the database is not durable (`fsync=off`), so that the work is measured and
//! not the disk. `OVERLOAD_SECONDS` is the time of the overload (20).

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use lookback::ingest::Writer;
use lookback::{Level, Log, NewLog};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use sqlx::PgPool;
use testkit::bench::{Contest, Report, Target, Times, execute, rows};
use testkit::sample::log_lines;

const ROUNDS: usize = 5;
const SEED: u64 = 42;
const CLIENTS: usize = 4;
const BATCH: usize = 1_000;
/// The clients of the overload, of which each sends as fast as it is answered.
const TOO_MANY: usize = 400;
/// The rows of the lists and searches, and how often each is measured.
const LISTED: u64 = 100_000;
const READS: usize = 200;
/// The seconds after which a server is at rest.
const AT_REST: u64 = 30;

const WRITER: &str = "writer, 1,000 lines at a time";
const LINES: &str = "JSON lines over HTTP";
const OTLP: &str = "OTLP over HTTP, protobuf";

/// A body to send again and again.
#[derive(Clone)]
struct Body {
    path: &'static str,
    content_type: &'static str,
    bytes: Arc<[u8]>,
}

#[tokio::main]
async fn main() {
    let rows = rows(200_000);
    let db = testkit::database().await;
    let mut report = Report::new("server", "the server, as a program");
    report.note("rows", rows);
    report.note("clients", CLIENTS);
    report.note("log lines of a body", BATCH);
    let batches: Vec<Vec<NewLog>> = log_lines(SEED, 0, rows)
        .collect::<Vec<_>>()
        .chunks(BATCH)
        .map(<[NewLog]>::to_vec)
        .collect();
    let lines: Vec<Body> = batches.iter().map(|batch| json_lines(batch)).collect();
    let otlp: Vec<Body> = batches.iter().map(|batch| otlp_body(batch)).collect();

    let server = Serving::start(&db.url);
    let at_rest = server.memory();
    let mut contest = Contest::new();
    let mut waits: [Times; 3] = Default::default();
    for _ in 0..ROUNDS {
        empty(&db.pool).await;
        let written = write(&db.pool, &batches);
        waits[0].extend(contest.time(WRITER, written).await);
        for (index, name, bodies) in [(1, LINES, &lines), (2, OTLP, &otlp)] {
            empty(&db.pool).await;
            let sent = async { server.send_all(bodies) };
            waits[index].extend(contest.time(name, sent).await);
            assert_eq!(count(&db.pool).await, rows, "{name}");
        }
    }
    report.contest(&contest, Some(rows));
    let names = [WRITER, LINES, OTLP];
    for (name, times) in names.iter().zip(&waits) {
        report.figure(&format!("{name}, each"), times, None);
    }
    let rate = |name| 1.0 / contest.times(name).median();
    for (index, name, target) in [(1, LINES, 0.8), (2, OTLP, 0.6)] {
        let ratio = rate(name) / rate(WRITER);
        let what = format!("{name}: lines per second against the writer");
        report.ratio(&what, ratio, Target::AtLeast(target));
        let p99 = waits[index].percentile(99.0) / waits[0].percentile(99.0);
        let what = format!("{name}: 99th percentile of a body against the writer's");
        report.ratio(&what, p99, Target::AtMost(1.0 / target));
    }

    overload(&mut report, &server, &db.pool, &lines[0], at_rest).await;

    empty(&db.pool).await;
    write(
        &db.pool,
        &batches[..batches.len().min(LISTED as usize / BATCH)],
    )
    .await;
    reads(&mut report, &server, &db.pool).await;
    report.finish();
}

/// Writes batches by the library, each until it is stored; returns the time of each.
async fn write(pool: &PgPool, batches: &[Vec<NewLog>]) -> Vec<Duration> {
    let mut clients = Vec::new();
    for client in 0..CLIENTS {
        let own: Vec<Vec<NewLog>> = batches
            .iter()
            .skip(client)
            .step_by(CLIENTS)
            .cloned()
            .collect();
        let writer = Writer::<Log>::builder()
            .connections(1)
            .start(pool)
            .await
            .unwrap();
        clients.push(tokio::spawn(async move {
            let mut times = Vec::new();
            for batch in own {
                let clock = Instant::now();
                for line in batch {
                    writer.send(line).await.unwrap();
                }
                writer.flush().await.unwrap();
                times.push(clock.elapsed());
            }
            writer.close().await.unwrap();
            times
        }));
    }
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    times
}

/// Sends with many clients at a time, and looks at the memory of the server.
async fn overload(report: &mut Report, server: &Serving, pool: &PgPool, body: &Body, at_rest: f64) {
    let seconds: u64 = std::env::var("OVERLOAD_SECONDS").map_or(20, |text| text.parse().unwrap());
    empty(pool).await;
    let before = server.memory();
    let (stop, stored, refused) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    let clients: Vec<_> = (0..TOO_MANY)
        .map(|_| {
            let (stop, stored, refused) =
                (Arc::clone(&stop), Arc::clone(&stored), Arc::clone(&refused));
            let (address, body) = (server.address.clone(), body.clone());
            thread::spawn(move || {
                let mut client = Client::connect(&address);
                while !stop.load(Relaxed) {
                    // A server that reads no more of a body hangs up, perhaps before its answer is
                    // read.
                    let Ok(answer) = client.try_post(&body) else {
                        client = Client::connect(&address);
                        refused.fetch_add(1, Relaxed);
                        continue;
                    };
                    match answer.status {
                        200 => stored.fetch_add(BATCH as u64, Relaxed),
                        503 => {
                            assert!(answer.head.contains("retry-after: "), "{}", answer.head);
                            thread::sleep(Duration::from_millis(50));
                            refused.fetch_add(1, Relaxed)
                        }
                        status => panic!("{status}: {}", answer.text()),
                    };
                }
            })
        })
        .collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut early, mut peak) = (0.0_f64, 0.0_f64);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = server.memory();
        peak = peak.max(now);
        if Instant::now() + Duration::from_secs(seconds * 3 / 4) < end {
            early = early.max(now);
        }
    }
    stop.store(true, Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    let stored = stored.load(Relaxed);
    assert_eq!(
        count(pool).await,
        stored,
        "what is acknowledged is stored once"
    );
    // Its threads for decoding end after ten idle seconds, and give back what they kept.
    tokio::time::sleep(Duration::from_secs(AT_REST)).await;
    let after = server.memory();
    report.note("overload: clients", TOO_MANY);
    report.note("overload: lines that were acknowledged, and stored", stored);
    report.note("overload: bodies that were refused", refused.load(Relaxed));
    report.note("memory at the start, MiB", at_rest);
    report.note("memory before the overload, MiB", before);
    report.note("memory in its first quarter at most, MiB", early);
    report.ratio(
        &format!("memory {AT_REST} s after it, against that before it"),
        after / before,
        Target::AtMost(1.1),
    );
    report.ratio(
        "memory in the overload at most, MiB",
        peak,
        Target::AtMost(600.0),
    );
    report.ratio(
        "memory at most, against its first quarter",
        peak / early,
        Target::AtMost(1.2),
    );
}

/// Measures a list and a search over HTTP, and by the library.
async fn reads(report: &mut Report, server: &Serving, pool: &PgPool) {
    let mut client = server.client();
    for (name, path, words) in [
        (
            "newest 20",
            "/api/v1/logs?limit=20&total=none&order_by=-created_at",
            None,
        ),
        (
            "search, 20",
            "/api/v1/logs?limit=20&total=none&search=connection%20refused",
            Some("connection refused"),
        ),
    ] {
        let (mut by_http, mut by_library) = (Times::default(), Times::default());
        let mut added = Vec::with_capacity(READS);
        for _ in 0..READS {
            let clock = Instant::now();
            let answer = client.get(path);
            let over_http = clock.elapsed();
            assert_eq!(answer.status, 200, "{}", answer.text());
            let clock = Instant::now();
            let mut query = Log::records().limit(20).total_up_to(0);
            query = match words {
                Some(words) => query.search(words),
                None => query.order_by(Log::created_at().desc()),
            };
            let page = query.list(pool).await.unwrap();
            let in_library = clock.elapsed();
            assert_eq!(page.data.len(), 20);
            by_http.push(over_http);
            by_library.push(in_library);
            added.push((over_http.as_secs_f64() - in_library.as_secs_f64()) * 1_000.0);
        }
        report.figure(&format!("{name}, over HTTP"), &by_http, None);
        report.figure(&format!("{name}, by the library"), &by_library, None);
        // Of neighbours, since what else the machine does is the same for both.
        added.sort_by(f64::total_cmp);
        report.ratio(
            &format!("{name}: added by HTTP, ms"),
            added[READS / 2],
            Target::AtMost(2.0),
        );
    }
}

fn json_lines(batch: &[NewLog]) -> Body {
    let mut text = String::new();
    for (number, log) in batch.iter().enumerate() {
        writeln!(
            text,
            "{{\"source\":\"orders\",\"level\":\"{}\",\"message\":{},\"meta\":{{\"pid\":18,\
             \"orderId\":{number}}},\"created_at\":\"2026-10-11T12:00:{:02}.{:03}Z\"}}",
            log.level.as_str(),
            lookback::Json::from(&log.message),
            number / 1_000 % 60,
            number % 1_000,
        )
        .unwrap();
    }
    Body {
        path: "/api/v1/logs",
        content_type: "application/x-ndjson",
        bytes: text.into_bytes().into(),
    }
}

fn otlp_body(batch: &[NewLog]) -> Body {
    let text = |text: &str| {
        Some(AnyValue {
            value: Some(Value::StringValue(text.to_owned())),
        })
    };
    let attribute = |key: &str, value: Option<AnyValue>| KeyValue {
        key: key.to_owned(),
        value,
        ..KeyValue::default()
    };
    let number = |number: usize| {
        Some(AnyValue {
            value: Some(Value::IntValue(i64::try_from(number).unwrap())),
        })
    };
    let record = |(position, log): (usize, &NewLog)| LogRecord {
        time_unix_nano: 1_791_720_000_000_000_000 + 1_000_000 * position as u64,
        severity_number: match log.level {
            Level::Debug => 5,
            Level::Info => 9,
            Level::Warn => 13,
            Level::Error => 17,
        },
        body: text(&log.message),
        attributes: vec![
            attribute("pid", number(18)),
            attribute("orderId", number(position)),
        ],
        ..LogRecord::default()
    };
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource {
                attributes: vec![attribute("service.name", text("orders"))],
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: batch.iter().enumerate().map(record).collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    Body {
        path: "/v1/logs",
        content_type: "application/x-protobuf",
        bytes: request.encode_to_vec().into(),
    }
}

/// The program, which serves.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(url: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lookback"))
            .args(["serve", "--open", "--listen", "127.0.0.1:0"])
            // The clients of the overload all have one address.
            .args([
                "--client-connections",
                "1000",
                "--connections-per-address",
                "1000",
            ])
            .args(["--requests-per-second", "0", "--database-url", url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut messages = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(messages.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                break address.to_owned();
            }
        };
        // What else it says is of no use here, and must not fill the pipe.
        thread::spawn(move || std::io::copy(&mut messages, &mut std::io::sink()));
        Self { child, address }
    }

    fn client(&self) -> Client {
        Client::connect(&self.address)
    }

    /// Sends bodies with a few clients; returns the time of each.
    fn send_all(&self, bodies: &[Body]) -> Vec<Duration> {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let own: Vec<Body> = bodies
                    .iter()
                    .skip(client)
                    .step_by(CLIENTS)
                    .cloned()
                    .collect();
                let mut client = self.client();
                thread::spawn(move || {
                    let send = |body: &Body| {
                        let clock = Instant::now();
                        let answer = client.post(body);
                        assert_eq!(answer.status, 200, "{}", answer.text());
                        clock.elapsed()
                    };
                    own.iter().map(send).collect::<Vec<_>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    }

    /// The memory of the process, in MiB.
    fn memory(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kibibytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        (kibibytes / 1024.0).round()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// A connection that is kept.
struct Client {
    input: BufReader<TcpStream>,
    stream: TcpStream,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            input: BufReader::new(stream.try_clone().unwrap()),
            stream,
        }
    }

    fn post(&mut self, body: &Body) -> Answer {
        self.try_post(body).unwrap()
    }

    fn try_post(&mut self, body: &Body) -> std::io::Result<Answer> {
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            body.path,
            body.content_type,
            body.bytes.len()
        );
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(&body.bytes)?;
        self.answer()
    }

    fn get(&mut self, path: &str) -> Answer {
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.stream.write_all(head.as_bytes()).unwrap();
        self.answer().unwrap()
    }

    fn answer(&mut self) -> std::io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.input.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.input.read_exact(&mut body)?;
        Ok(Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body,
        })
    }
}

async fn count(pool: &PgPool) -> u64 {
    Log::records().count(pool).await.unwrap().value()
}

async fn empty(pool: &PgPool) {
    execute(pool, "TRUNCATE logs; CHECKPOINT").await;
}
