/**
 * How records are sent, as the documentation says it (`docs/http.md`, `docs/otlp.md`, and
 * `capture.md` and `import.md` of `docs/guide`): its snippets are tested there.
 */
import { storeByCurl } from "../keys/example";

export interface Step {
  /** What the step is. */
  name: string;
  /** What is copied; a step may have nothing to copy. */
  text?: string;
  note?: string;
  /** Whether it is one of several ways to go on, and opened when it is wanted. */
  isFolded?: boolean;
}

export interface Way {
  id: string;
  name: string;
  /** `key` is null where the server asks for none. */
  steps: (origin: string, key: string | null) => Step[];
}

/** Stands where a key is to be put. */
export const NO_KEY = "lb_…";

export const WAYS: Way[] = [
  { id: "axum", name: "axum", steps: axum },
  { id: "otel", name: "OpenTelemetry", steps: otel },
  { id: "file", name: "A log file", steps: file },
  { id: "curl", name: "curl", steps: (origin, key) => [{ name: "In a shell", text: storeByCurl(origin, key) }] },
  { id: "others", name: "Others", steps: others },
];

function axum(origin: string, key: string | null): Step[] {
  return [
    {
      name: "Cargo.toml",
      text: `[dependencies]
lookback = { version = "0.1", features = ["axum", "http-sink"] }
tracing-subscriber = "0.3"`,
    },
    {
      name: "Requests, log lines and latencies of an app",
      text: `use lookback::capture::{Capture, CaptureAxum as _, HttpSink};
use tracing_subscriber::prelude::*;

let key = std::env::var("LOOKBACK_KEY")?;
let capture = Capture::builder()
    .version(env!("CARGO_PKG_VERSION"))
    .stage("production")
    .axum()
    .start(HttpSink::new("${origin}", &key)?)?;

tracing_subscriber::registry()
    .with(capture.tracing_layer()) // log lines
    .init();
let app = Router::new()
    .route("/orders/{id}", get(async || "an order"))
    .layer(capture.layer()); // requests and windows

let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
    .with_graceful_shutdown(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
    .await?;
capture.flush(Duration::from_secs(5)).await?; // the last records, and the windows of this minute`,
      note: "Put the layer behind the last route.",
    },
    { name: "Run it, and ask it for something", text: `LOOKBACK_KEY=${key ?? "none"} cargo run &\ncurl http://127.0.0.1:3000/orders/1` },
  ];
}

function otel(origin: string, key: string | null): Step[] {
  return [
    {
      name: "For any exporter of OpenTelemetry",
      text: `export OTEL_EXPORTER_OTLP_ENDPOINT=${origin}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf   # or grpc, http/json${key === null ? "" : `\nexport OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer ${key}"`}
export OTEL_METRICS_EXPORTER=none`,
      note: "Log records become log lines, spans of a server become requests. Metrics are not taken.",
    },
    {
      name: "The first log line from Node.js",
      isFolded: true,
      text: `// npm install @opentelemetry/sdk-logs @opentelemetry/api-logs @opentelemetry/exporter-logs-otlp-proto @opentelemetry/resources
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';

const logs = new LoggerProvider({
  resource: resourceFromAttributes({ 'service.name': 'shop' }),
  processors: [new BatchLogRecordProcessor(new OTLPLogExporter())],
});
logs.getLogger('checkout').emit({
  severityNumber: SeverityNumber.ERROR,
  body: 'payment failed',
  attributes: { order: 42 },
});
await logs.shutdown();`,
    },
    {
      name: "The first log line from Python",
      isFolded: true,
      text: `# pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-grpc
import logging

from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource

logs = LoggerProvider(resource=Resource.create({"service.name": "shop"}))
logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(${origin.startsWith("https:") ? "" : "insecure=True"})))
logging.getLogger().addHandler(LoggingHandler(logger_provider=logs))
logging.error("payment failed", extra={"order": 42})
logs.shutdown()`,
    },
  ];
}

function file(origin: string, key: string | null): Step[] {
  return [
    {
      name: "From anywhere",
      text: `curl ${origin}/api/v1/logs \\${key === null ? "" : `\n    -H "Authorization: Bearer ${key}" \\`}\n    --data-binary @app.log`,
      note: "JSON of any logger, text, key=value pairs, access logs and others, each line recognised by what it says; up to 32 MiB at a time.",
    },
    {
      name: "Where the server runs, files of any size",
      text: `lookback import app.log          # text, key=value pairs, syslog
lookback import app.jsonl.gz     # compressed
lookback import access.log       # nginx or Apache
docker logs shop 2>&1 | lookback import - --source shop`,
      note: "It needs the database, and no key.",
    },
  ];
}

function others(origin: string, key: string | null): Step[] {
  return [
    {
      name: "Loki: Promtail, Grafana Alloy, Vector, Fluent Bit and others push to",
      text: `${origin}/loki/api/v1/push`,
      note: "The key is the password of basic authentication, or a bearer token.",
    },
    { name: "Elasticsearch: clients that send bulks, to", text: `${origin}/elastic`, note: "The key is sent as ApiKey, or as the password of basic authentication." },
    {
      name: "Node.js, without a library",
      isFolded: true,
      text: `await fetch("${origin}/api/v1/logs", {
  method: "POST",
  headers: { authorization: \`Bearer \${process.env.KEY}\`, "content-type": "application/json" },
  body: JSON.stringify({ level: "error", source: "shop", message: "disk full" }),
});`,
      note: `With KEY=${key ?? "none"}`,
    },
    {
      name: "Python, without a library",
      isFolded: true,
      text: `import json, os, urllib.request
urllib.request.urlopen(urllib.request.Request(
    "${origin}/api/v1/logs",
    data=json.dumps({"level": "error", "source": "shop", "message": "disk full"}).encode(),
    headers={"Authorization": f"Bearer {os.environ['KEY']}", "Content-Type": "application/json"}))`,
      note: `With KEY=${key ?? "none"}`,
    },
    { name: "Syslog: start the server with", text: "lookback serve --syslog-udp 127.0.0.1:5514 --syslog-tcp 127.0.0.1:5514", note: "Syslog has no keys: only the machine itself may send." },
  ];
}
