//! OpenTelemetry's exporter of Rust: logs and traces over gRPC, compressed by zstd.
//!
//! Its endpoint and key are in `OTEL_EXPORTER_OTLP_ENDPOINT` and `OTEL_EXPORTER_OTLP_HEADERS`.

use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _};
use opentelemetry::{KeyValue, SpanId, TraceFlags, TraceId};
use opentelemetry_otlp::{Compression, LogExporter, SpanExporter, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::json;

const SOURCE: &str = "rust-otlp-grpc-zstd";
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let resource = || {
        let resource = Resource::builder().with_service_name(SOURCE);
        resource
            .with_attribute(KeyValue::new("service.version", "1.2"))
            .build()
    };
    let exporter = LogExporter::builder()
        .with_tonic()
        .with_compression(Compression::Zstd)
        .build()?;
    let logs = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let logger = logs.logger("scope");
    let mut records = Vec::new();
    for number in 0..40_i64 {
        let (level, severity) = [
            ("debug", Severity::Debug),
            ("info", Severity::Info),
            ("warn", Severity::Warn),
            ("error", Severity::Error),
        ][number as usize % 4];
        let message = format!("event {number}: käse \"quoted\" 100% \\ /");
        let order = 140_737_488_355_329 + number;
        let mut record = logger.create_log_record();
        record.set_severity_number(severity);
        record.set_body(AnyValue::from(message.clone()));
        record.add_attribute("order", order);
        record.add_attribute("ratio", 0.5);
        record.add_attribute("paid", true);
        record.add_attribute("note", "two words");
        record.set_trace_context(
            TraceId::from_hex(TRACE_ID)?,
            SpanId::from_hex("b7ad6b7169203331")?,
            Some(TraceFlags::SAMPLED),
        );
        logger.emit(record);
        records.push(json!({
            "level": level,
            "message": message,
            "trace_id": TRACE_ID,
            "fields": { "order": order, "ratio": 0.5, "paid": true, "note": "two words" },
        }));
    }
    logs.shutdown()?;

    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_compression(Compression::Zstd)
        .build()?;
    let spans = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    let tracer = spans.tracer("scope");
    let start = UNIX_EPOCH + Duration::from_millis(1_791_720_794_500);
    let path = format!("/carts/{SOURCE}");
    let mut span = tracer
        .span_builder("PUT /carts")
        .with_kind(SpanKind::Server)
        .with_start_time(start)
        .with_attributes([
            KeyValue::new("http.request.method", "PUT"),
            KeyValue::new("url.path", path.clone()),
            KeyValue::new("url.query", "x=1"),
            KeyValue::new("http.response.status_code", 404),
        ])
        .start(&tracer);
    span.end_with_timestamp(start + Duration::from_millis(20));
    spans.shutdown()?;

    let request = json!({
        "path": path,
        "method": "PUT",
        "query": { "x": "1" },
        "status_code": 404,
        "duration": 20,
        "version": "1.2",
    });
    let expected = json!({ "source": SOURCE, "records": records, "requests": [request] });
    let folder = std::env::var("LOOKBACK_EXPORTERS")?;
    std::fs::write(format!("{folder}/{SOURCE}.json"), expected.to_string())?;
    Ok(())
}
