//! Files of OpenTelemetry and Loki, written by other crates than those that read them.

use std::io::Write as _;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, MetricsData, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use prost::Message as _;

use crate::support::Lookback;

/// 2026-10-11T12:13:14Z.
pub(super) const TIME: u64 = 1_791_720_794_000_000_000;

pub(super) fn text(text: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(text.to_owned())),
    }
}

pub(super) fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..KeyValue::default()
    }
}

pub(super) fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: vec![pair("service.name", text("shop"))],
        ..Resource::default()
    })
}

pub(super) fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "orders".to_owned(),
        ..InstrumentationScope::default()
    })
}

pub(super) fn log(number: u64) -> LogRecord {
    LogRecord {
        time_unix_nano: TIME + number * 1_000_000_000,
        severity_number: 13,
        body: Some(text(&format!("line {number}"))),
        attributes: vec![pair(
            "order",
            AnyValue {
                value: Some(Value::IntValue(number.cast_signed())),
            },
        )],
        ..LogRecord::default()
    }
}

pub(super) fn logs(numbers: std::ops::Range<u64>) -> LogsData {
    LogsData {
        resource_logs: vec![ResourceLogs {
            resource: resource(),
            scope_logs: vec![ScopeLogs {
                scope: scope(),
                log_records: numbers.map(log).collect(),
                schema_url: String::new(),
            }],
            schema_url: "https://schema.example/1".to_owned(),
        }],
    }
}

/// A span of a server for each even number, and one of a client for each odd one.
pub(super) fn spans(numbers: std::ops::Range<u64>) -> TracesData {
    let span = |number| Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        kind: 2 + i32::from(number % 2 == 1),
        name: "GET /carts".to_owned(),
        start_time_unix_nano: TIME + number * 1_000_000_000,
        end_time_unix_nano: TIME + number * 1_000_000_000 + 5_000_000,
        attributes: vec![
            pair("http.request.method", text("GET")),
            pair("url.path", text(&format!("/carts/{number}"))),
        ],
        ..Span::default()
    };
    TracesData {
        resource_spans: vec![ResourceSpans {
            resource: resource(),
            scope_spans: vec![ScopeSpans {
                scope: scope(),
                spans: numbers.map(span).collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

pub(super) fn metrics() -> Vec<u8> {
    let point = NumberDataPoint {
        time_unix_nano: TIME,
        ..NumberDataPoint::default()
    };
    let metric = Metric {
        name: "queue.length".to_owned(),
        data: Some(Data::Gauge(Gauge {
            data_points: vec![point],
        })),
        ..Metric::default()
    };
    let data = MetricsData {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(),
            scope_metrics: vec![ScopeMetrics {
                scope: scope(),
                metrics: vec![metric],
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    };
    data.encode_to_vec()
}

/// A message with its length before it, as the Collector writes it.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_be_bytes()[..], message].concat()
}

/// A field of bytes, below number 16 and shorter than 128 bytes.
pub(super) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).unwrap();
    assert!(number < 16 && length < 128);
    [&[number << 3 | 2, length], bytes].concat()
}

/// Logs, the second of which cannot be decoded.
pub(super) fn damaged() -> Vec<u8> {
    let good = |number| LogRecord {
        attributes: Vec::new(),
        ..log(number)
    };
    let scoped = [
        field(2, &good(0).encode_to_vec()),
        field(2, &[0xff]),
        field(2, &good(2).encode_to_vec()),
    ];
    field(1, &field(2, &scoped.concat()))
}

/// A push to Loki of two lines.
pub(super) fn loki() -> Vec<u8> {
    let line = |second: u8, line: &str| {
        let time = [
            &[0x08][..],
            &varint(TIME / 1_000_000_000 + u64::from(second)),
        ]
        .concat();
        field(2, &[field(1, &time), field(2, line.as_bytes())].concat())
    };
    let stream = [
        field(1, b"{app=\"shop\"}"),
        line(0, "level=warn msg=low"),
        line(1, "plain"),
    ];
    let body = field(1, &stream.concat());
    snap::raw::Encoder::new().compress_vec(&body).unwrap()
}

pub(super) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
    bytes
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// The files that the guide imports.
pub(crate) fn write_samples(lookback: &Lookback) {
    lookback.write("traces.binpb", spans(0..4).encode_to_vec());
    let messages = [logs(0..9).encode_to_vec(), metrics()];
    let file = messages.map(|message| framed(&message)).concat();
    lookback.write("collector.pb.zst", zstd(&file));
    lookback.write("body.pb", logs(9..10).encode_to_vec());
}
