//! Bodies that programs push. Those in protobuf are encoded by other crates than the decoder.

use std::fmt::Write as _;

use lookback::query::check_new;
use lookback::{Json, json};
use lookback_formats::push::{self, MAX_BYTES, ProtobufFile, Push, Pushed};
use lookback_formats::{Entry, Options};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, MetricsData, ResourceMetrics, ScopeMetrics, metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, TracesData};
use proptest::prelude::*;
use prost::Message;

use crate::accounted::held;

fn decode(push: Push, body: &[u8]) -> Pushed {
    push::decode(push, body, &Options::default(), MAX_BYTES).unwrap()
}

fn refused(push: Push, body: &[u8]) -> String {
    push::decode(push, body, &Options::default(), MAX_BYTES)
        .unwrap_err()
        .to_string()
}

fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: &str) -> AnyValue {
    value(Value::StringValue(text.to_owned()))
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..KeyValue::default()
    }
}

pub(crate) fn resource() -> Resource {
    Resource {
        attributes: vec![pair("service.name", text("shop"))],
        dropped_attributes_count: 31,
        entity_refs: vec![EntityRef {
            schema_url: "https://e.example/1".to_owned(),
            r#type: "service".to_owned(),
            id_keys: vec!["service.name".to_owned()],
            description_keys: vec!["service.version".to_owned()],
        }],
    }
}

pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "the scope".to_owned(),
        version: "v32".to_owned(),
        attributes: vec![pair("of_scope", value(Value::BoolValue(true)))],
        dropped_attributes_count: 33,
    }
}

pub(crate) fn logs(log_records: Vec<LogRecord>) -> LogsData {
    LogsData {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource()),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope()),
                log_records,
                schema_url: "https://s.example/34".to_owned(),
            }],
            schema_url: "https://r.example/35".to_owned(),
        }],
    }
}

fn spans(spans: Vec<Span>) -> TracesData {
    TracesData {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource()),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope()),
                spans,
                schema_url: "https://s.example/34".to_owned(),
            }],
            schema_url: "https://r.example/35".to_owned(),
        }],
    }
}

pub(crate) fn log_record(body: &str) -> LogRecord {
    LogRecord {
        time_unix_nano: 1_791_720_794_500_000_000,
        body: Some(text(body)),
        ..LogRecord::default()
    }
}

fn full_log() -> LogRecord {
    LogRecord {
        time_unix_nano: 1_791_720_794_500_000_017,
        observed_time_unix_nano: 1_791_720_795_600_000_000,
        severity_number: 14,
        severity_text: "notable".to_owned(),
        body: Some(value(Value::KvlistValue(KeyValueList {
            values: vec![
                pair("message", text("stock is low")),
                pair("password", text("p1")),
                pair("bytes", value(Value::BytesValue(vec![0, 1, 255]))),
            ],
        }))),
        attributes: vec![
            pair("int", value(Value::IntValue(i64::MIN))),
            pair("double", value(Value::DoubleValue(0.1))),
            pair("nan", value(Value::DoubleValue(f64::NAN))),
            pair("low", value(Value::DoubleValue(f64::NEG_INFINITY))),
            pair(
                "list",
                value(Value::ArrayValue(ArrayValue {
                    values: vec![text("a"), AnyValue::default()],
                })),
            ),
            pair("http.request.header.cookie", text("a=b")),
        ],
        dropped_attributes_count: 41,
        flags: 1,
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        event_name: "stock.low".to_owned(),
    }
}

fn full_span() -> Span {
    Span {
        trace_id: vec![0xab; 16],
        span_id: vec![0xcd; 8],
        trace_state: "k=v".to_owned(),
        parent_span_id: vec![0xef; 8],
        flags: 257,
        name: "GET /a".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_791_720_794_500_000_000,
        end_time_unix_nano: 1_791_720_794_512_300_000,
        attributes: vec![
            pair("http.request.method", text("GET")),
            pair("url.path", text("/a")),
            pair("http.response.status_code", value(Value::IntValue(503))),
            pair("peer", text("p")),
        ],
        dropped_attributes_count: 51,
        events: vec![Event {
            time_unix_nano: 1_791_720_794_500_000_001,
            name: "exception".to_owned(),
            attributes: vec![pair("api_key", text("k1")), pair("kind", text("io"))],
            dropped_attributes_count: 52,
        }],
        dropped_events_count: 53,
        links: vec![Link {
            trace_id: vec![0x11; 16],
            span_id: vec![0x22; 8],
            trace_state: "l=w".to_owned(),
            attributes: vec![pair("why", text("retry"))],
            dropped_attributes_count: 54,
            flags: 256,
        }],
        dropped_links_count: 55,
        status: Some(Status {
            message: "broken".to_owned(),
            code: 2,
        }),
    }
}

#[test]
fn every_field_of_a_log_record_is_found_again() {
    let pushed = decode(Push::OtlpLogs, &logs(vec![full_log()]).encode_to_vec());
    assert_eq!((pushed.entries.len(), pushed.rejected.count()), (1, 0));
    let log = pushed.entries[0].log.as_ref().unwrap();
    assert_eq!(log.message, "stock is low");
    assert_eq!(log.level, lookback::Level::Warn);
    assert_eq!(log.trace_id.as_deref(), Some(&*"ab".repeat(16)));
    let time = log.created_at.unwrap().timestamp_micros();
    assert_eq!(time, 1_791_720_794_500_000);
    let expected: Json = json!({
        "body": { "message": "stock is low", "password": "[masked]", "bytes": "AAH/" },
        "double": 0.1, "nan": "NaN", "low": "-Infinity", "int": i64::MIN, "list": ["a", null],
        "http.request.header.cookie": "[masked]",
        "timeUnixNano": "1791720794500000017", "observedTimeUnixNano": "1791720795600000000",
        "severityNumber": 14, "severityText": "notable", "droppedAttributesCount": 41,
        "flags": 1, "spanId": "cdcdcdcdcdcdcdcd", "eventName": "stock.low",
        "resource": {
            "service.name": "shop", "droppedAttributesCount": 31,
            "schemaUrl": "https://r.example/35",
            "entityRefs": [{
                "schemaUrl": "https://e.example/1", "type": "service",
                "idKeys": ["service.name"], "descriptionKeys": ["service.version"],
            }],
        },
        "scope": {
            "name": "the scope", "version": "v32", "attributes": { "of_scope": true },
            "droppedAttributesCount": 33, "schemaUrl": "https://s.example/34",
        },
    });
    assert_eq!(log.meta.as_ref(), Some(&expected));
}

#[test]
fn server_span_is_a_request_and_others_are_skipped() {
    let inner = Span {
        kind: 1,
        ..full_span()
    };
    let body = spans(vec![inner, full_span()]).encode_to_vec();
    let pushed = decode(Push::OtlpTraces, &body);
    assert_eq!((pushed.skipped, pushed.rejected.count()), (1, 0));
    assert_eq!(*pushed.entries[0].lines.start(), 2);
    let request = pushed.entries[0].request.as_ref().unwrap();
    assert_eq!((&*request.method, &*request.path), ("GET", "/a"));
    assert_eq!(
        (request.status_code, request.duration),
        (Some(503), Some(12))
    );
    assert_eq!(request.trace_id.as_deref(), Some(&*"ab".repeat(16)));
    let headers = request.headers.as_ref().unwrap();
    assert_eq!(headers["events"][0]["attributes"]["api_key"], *"[masked]");
    let held = held(&pushed.entries[0]);
    for part in [
        "k=v",
        "efefefefefefefef",
        "257",
        "1791720794512300000",
        "51",
        "exception",
        "52",
        "53",
        "io",
        "1111111111111111",
        "2222222222222222",
        "l=w",
        "retry",
        "54",
        "256",
        "55",
        "broken",
        "31",
        "v32",
        "https://s.example/34",
        "https://r.example/35",
        "cdcdcdcdcdcdcdcd",
        "GET /a",
    ] {
        assert!(held.contains(part), "{part} in {held}");
    }
}

/// A field of a message, as it is on the wire.
pub(crate) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

/// A batch of records, some of which are no messages.
fn batch(records: &[&[u8]]) -> Vec<u8> {
    let records: Vec<u8> = records.iter().flat_map(|record| field(2, record)).collect();
    field(1, &field(2, &records))
}

#[test]
fn bad_record_is_rejected_and_the_others_are_stored() {
    let good = log_record("good").encode_to_vec();
    // Its body says that it has 9 bytes; its severity is a text; it has a tag 0.
    let cut = field(5, b"");
    let cut = [&cut[..1], &[9]].concat();
    let other = field(2, b"x");
    let body = batch(&[&good, &cut, &other, &[0, 0], &good]);
    assert!(LogsData::decode(&*body).is_err());
    let pushed = decode(Push::OtlpLogs, &body);
    assert_eq!(pushed.entries.len(), 2);
    assert_eq!(*pushed.entries[1].lines.start(), 5);
    assert_eq!(
        pushed.rejected.to_string(),
        "record 2: logRecord: ends within a field; \
         record 3: logRecord.severityNumber: is of another type; \
         record 4: logRecord: has a field without a valid number"
    );
}

#[test]
fn text_that_is_not_utf_8_costs_no_record() {
    let mut record = log_record("good").encode_to_vec();
    record.extend(field(12, b"na\xffme"));
    let body = batch(&[&record]);
    assert!(LogsData::decode(&*body).is_err());
    let pushed = decode(Push::OtlpLogs, &body);
    let log = pushed.entries[0].log.as_ref().unwrap();
    assert_eq!(log.meta.as_ref().unwrap()["eventName"], *"na\u{fffd}me");
}

#[test]
fn bad_resource_is_rejected_and_its_records_are_stored() {
    let records = field(2, &field(2, &log_record("good").encode_to_vec()));
    let body = field(1, &[field(1, &[9]), records].concat());
    let pushed = decode(Push::OtlpLogs, &body);
    assert_eq!(pushed.entries[0].log.as_ref().unwrap().message, "good");
    assert_eq!(
        pushed.rejected.to_string(),
        "record 1: resource: ends within a field"
    );
}

#[test]
fn huge_resource_is_not_copied_to_its_records() {
    let mut body = logs(vec![log_record("good")]);
    let huge = pair("huge", text(&"x".repeat(2 * 1024 * 1024)));
    let group = &mut body.resource_logs[0];
    group.resource.as_mut().unwrap().attributes.push(huge);
    let pushed = decode(Push::OtlpLogs, &body.encode_to_vec());
    assert_eq!(pushed.entries.len(), 1);
    assert_eq!(
        pushed.rejected.to_string(),
        "record 1: resource: has more than 1048576 bytes"
    );
}

#[test]
fn body_that_is_nothing_else_is_refused() {
    let full = logs(vec![full_log()]).encode_to_vec();
    for (push, body, reason) in [
        (
            Push::OtlpLogs,
            &full[..full.len() - 1],
            "the body: ends within a field",
        ),
        (Push::OtlpLogs, b"{}", "the body: has a group"),
        (
            Push::OtlpTraces,
            &[8, 1],
            "resourceSpans: is of another type",
        ),
        (Push::OtlpJson, b"{", "the body is not JSON: "),
        (Push::OtlpJson, b"[]", "the body must be an object"),
        (
            Push::OtlpJson,
            b"{}",
            "the body must have resourceLogs or resourceSpans",
        ),
        (
            Push::OtlpJson,
            br#"{"resource_logs":[]}"#,
            "resource_logs: must be named",
        ),
        (Push::LokiJson, b"{}", "streams: must be an array"),
        (Push::Loki, b"{}", "the body is not snappy"),
        // It claims 4 GiB, and then 16 MiB.
        (
            Push::Loki,
            b"\xff\xff\xff\xff\x0f",
            "the body must have at most 67108864 bytes, got 4294967295",
        ),
        (
            Push::Loki,
            b"\x80\x80\x80\x08\x00a",
            "the body is not snappy: 6 bytes cannot be 16777216",
        ),
    ] {
        let refused = refused(push, body);
        assert!(refused.starts_with(reason), "{refused}");
    }
    let refused = push::decode(Push::OtlpLogs, &full, &Options::default(), 10).unwrap_err();
    let expected = format!("the body must have at most 10 bytes, got {}", full.len());
    assert!(refused.to_string().starts_with(&expected), "{refused}");
}

#[test]
fn deep_and_many_values_are_rejected() {
    let mut deep = text("x");
    for _ in 0..100 {
        deep = value(Value::ArrayValue(ArrayValue { values: vec![deep] }));
    }
    let many = ArrayValue {
        values: vec![AnyValue::default(); 200_000],
    };
    let of = |body: AnyValue| LogRecord {
        body: Some(body),
        ..log_record("")
    };
    let body = logs(vec![
        of(deep),
        of(value(Value::ArrayValue(many))),
        log_record("good"),
    ]);
    let pushed = decode(Push::OtlpLogs, &body.encode_to_vec());
    assert_eq!(pushed.entries.len(), 1);
    assert_eq!(
        pushed.rejected.to_string(),
        "record 1: logRecord.body: has values in values, more than 64 levels deep; \
         record 2: logRecord.body: has more than 100000 values"
    );
}

#[test]
fn many_rejected_records_are_counted() {
    let bad: &[u8] = &[0];
    let pushed = decode(Push::OtlpLogs, &batch(&[bad; 1000]));
    assert_eq!(
        (pushed.rejected.count(), pushed.rejected.first().len()),
        (1000, 10)
    );
    assert!(pushed.rejected.to_string().ends_with("; and 990 more"));
}

#[test]
fn bad_record_of_json_is_rejected_and_the_others_are_stored() {
    let good = r#"{"body":{"stringValue":"good"}}"#;
    let body = format!(
        r#"{{"resourceLogs":[7,{{"scopeLogs":[{{"logRecords":[{good},"bad",{good}]}},{{"logRecords":{{}}}}]}}]}}"#
    );
    let pushed = decode(Push::OtlpJson, body.as_bytes());
    assert_eq!(pushed.entries.len(), 2);
    assert_eq!(
        pushed.rejected.to_string(),
        "record 1: resourceLogs: must have objects; record 3: logRecords: must have objects; \
         record 5: logRecords: must be an array"
    );
}

pub(crate) mod loki {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct PushRequest {
        #[prost(message, repeated, tag = "1")]
        pub(crate) streams: Vec<Stream>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Stream {
        #[prost(string, tag = "1")]
        pub(crate) labels: String,
        #[prost(message, repeated, tag = "2")]
        pub(crate) entries: Vec<Entry>,
        #[prost(uint64, tag = "3")]
        pub(crate) hash: u64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Entry {
        #[prost(message, optional, tag = "1")]
        pub(crate) timestamp: Option<Timestamp>,
        #[prost(string, tag = "2")]
        pub(crate) line: String,
        #[prost(message, repeated, tag = "3")]
        pub(crate) structured_metadata: Vec<Pair>,
        #[prost(message, repeated, tag = "4")]
        pub(crate) parsed: Vec<Pair>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Timestamp {
        #[prost(int64, tag = "1")]
        pub(crate) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(crate) nanos: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Pair {
        #[prost(string, tag = "1")]
        pub(crate) name: String,
        #[prost(string, tag = "2")]
        pub(crate) value: String,
    }
}

pub(crate) fn compressed(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(bytes).unwrap()
}

pub(crate) fn loki_entry(nanos: i32, line: &str, metadata: &[(&str, &str)]) -> loki::Entry {
    let pair = |(name, value): &(&str, &str)| loki::Pair {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    loki::Entry {
        timestamp: Some(loki::Timestamp {
            seconds: 1_791_720_794,
            nanos,
        }),
        line: line.to_owned(),
        structured_metadata: metadata.iter().map(pair).collect(),
        parsed: Vec::new(),
    }
}

#[test]
fn lines_of_loki_are_found_again() {
    let entries = vec![
        loki_entry(500_000_000, r#"{"level":"error","msg":"inner","n":7}"#, &[]),
        loki_entry(
            600_000_001,
            "text",
            &[("trace_id", "t1"), ("token", "secret1")],
        ),
        loki::Entry {
            timestamp: None,
            ..loki_entry(0, "without a time", &[])
        },
    ];
    let stream = |labels: &str, entries| loki::Stream {
        labels: labels.to_owned(),
        entries,
        hash: 9,
    };
    let body = loki::PushRequest {
        streams: vec![
            stream(r#"{app="sh\"op", level="warn"}"#, entries),
            stream("{app=", vec![loki_entry(0, "labels are kept", &[])]),
        ],
    };
    let pushed = decode(Push::Loki, &compressed(&body.encode_to_vec()));
    assert_eq!(pushed.rejected.count(), 0);
    let mut shown = String::new();
    for entry in &pushed.entries {
        let log = entry.log.as_ref().unwrap();
        let (time, trace) = (log.created_at.map(|t| t.timestamp_micros()), &log.trace_id);
        let meta = log.meta.as_ref().unwrap();
        writeln!(
            shown,
            "{} {time:?} {} [{}] {} {trace:?} {meta}",
            entry.lines.start(),
            log.level,
            log.source,
            log.message
        )
        .unwrap();
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn bad_entry_of_loki_is_rejected_and_the_others_are_stored() {
    let good = loki_entry(0, "good", &[]).encode_to_vec();
    let entries: Vec<u8> = [&good[..], &field(1, &[9]), &good]
        .iter()
        .flat_map(|entry| field(2, entry))
        .collect();
    let pushed = decode(Push::Loki, &compressed(&field(1, &entries)));
    assert_eq!(pushed.entries.len(), 2);
    assert_eq!(
        pushed.rejected.to_string(),
        "record 2: entries.timestamp: ends within a field"
    );
}

#[test]
fn file_of_protobuf_is_recognised_by_its_start() {
    let logs = logs(vec![full_log(); 40]).encode_to_vec();
    let traces = spans(vec![full_span(); 40]).encode_to_vec();
    let framed = |message: &[u8]| [&(message.len() as u32).to_be_bytes()[..], message].concat();
    for (push, message) in [(Push::OtlpLogs, &logs), (Push::OtlpTraces, &traces)] {
        for is_framed in [false, true] {
            let file = if is_framed {
                [framed(message), framed(message)].concat()
            } else {
                message.clone()
            };
            let expected = Some(ProtobufFile { push, is_framed });
            assert_eq!(push::detect(&file), expected);
            assert_eq!(push::detect(&file[..1000]), expected);
        }
    }
    let mut frames = push::frames(&[]);
    assert!(frames.next().is_none());
    let file = [
        framed(&logs),
        framed(&traces),
        framed(&logs)[..100].to_vec(),
    ]
    .concat();
    let mut frames = push::frames(&file);
    assert_eq!(frames.next(), Some(Ok(&*logs)));
    assert_eq!(frames.next(), Some(Ok(&*traces)));
    assert_eq!(frames.next(), None);
    assert_eq!(frames.rest().len(), 100);
    let mut frames = push::frames(&[0, 0, 0, 0, 1]);
    assert!(frames.next().unwrap().is_err());
    assert_eq!(frames.next(), None);
}

pub(crate) fn metrics() -> MetricsData {
    MetricsData {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource()),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: vec![Metric {
                    name: "sixteen.letters.".to_owned(),
                    description: "of eight".to_owned(),
                    data: Some(Data::Gauge(Gauge::default())),
                    ..Metric::default()
                }],
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

#[test]
fn other_files_are_not_taken_for_protobuf() {
    let metrics = metrics();
    for file in [
        &metrics.encode_to_vec()[..],
        b"",
        b"\n",
        b"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
        b"{\"msg\":\"text\"}",
        b"\n{\"msg\":\"text\"}\n\x12\x12",
        b"2026-01-02 text",
        &[0; 64],
        &logs(Vec::new()).encode_to_vec(),
        b"PAR1\x15\x04\x15\x10",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    ] {
        assert_eq!(push::detect(file), None, "{file:?}");
    }
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        "[ -~äß日]{0,8}".prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|value| Some(Value::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Value::IntValue(value))),
        prop::num::f64::NORMAL.prop_map(|value| Some(Value::DoubleValue(value))),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(|bytes| Some(Value::BytesValue(bytes))),
    ];
    leaf.prop_map(|value| AnyValue { value })
        .prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|values| value(Value::ArrayValue(ArrayValue { values }))),
                pairs_of(inner)
                    .prop_map(|values| value(Value::KvlistValue(KeyValueList { values }))),
            ]
        })
}

fn pairs_of(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = Vec<KeyValue>> {
    const NAMES: &[&str] = &[
        "a",
        "b.c",
        "resource",
        "traceId",
        "flags",
        "password",
        "service.name",
        "message",
        "http.request.method",
        "url.path",
        "http.response.status_code",
        "url.query",
        "http.request.header.accept",
        "user.id",
        "schemaUrl",
        "",
    ];
    let pair = (prop::sample::select(NAMES), prop::option::of(value));
    let pair = pair.prop_map(|(key, value)| KeyValue {
        key: key.to_owned(),
        value,
        ..KeyValue::default()
    });
    prop::collection::vec(pair, 0..5)
}

fn word() -> impl Strategy<Value = String> {
    "[a-zß =]{0,5}"
}

fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(vec![0; bytes]),
        prop::collection::vec(any::<u8>(), bytes),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1_791_720_794_500_000_000),
        1_700_000_000_000_000_000..1_800_000_000_000_000_000_u64,
        any::<u64>(),
    ]
}

prop_compose! {
    fn any_resource()(attributes in pairs_of(any_value()), dropped_attributes_count in 0..2_u32) -> Resource {
        Resource { attributes, dropped_attributes_count, entity_refs: Vec::new() }
    }
}

prop_compose! {
    fn any_scope()(name in word(), version in word(), attributes in pairs_of(any_value()), dropped_attributes_count in 0..2_u32) -> InstrumentationScope {
        InstrumentationScope { name, version, attributes, dropped_attributes_count }
    }
}

prop_compose! {
    fn any_log()(
        times in (time(), time()), severity_number in -1..30, texts in (word(), word()),
        body in prop::option::of(any_value()), attributes in pairs_of(any_value()),
        numbers in (0..2_u32, 0..2_u32), ids in (id(16), id(8)),
    ) -> LogRecord {
        LogRecord {
            time_unix_nano: times.0, observed_time_unix_nano: times.1, severity_number,
            severity_text: texts.0, body, attributes, dropped_attributes_count: numbers.0,
            flags: numbers.1, trace_id: ids.0, span_id: ids.1, event_name: texts.1,
        }
    }
}

prop_compose! {
    fn any_span()(
        times in (time(), time(), time()), kind in 2..4, texts in (word(), word(), word()),
        attributes in pairs_of(any_value()), of_event in pairs_of(any_value()), of_link in pairs_of(any_value()),
        numbers in (0..2_u32, 0..2_u32, 0..2_u32), ids in (id(16), id(8), id(8)),
        code in 0..3, has in any::<(bool, bool, bool)>(),
    ) -> Span {
        let mut attributes = attributes;
        if has.2 {
            attributes.push(pair("http.request.method", text("GET")));
        }
        let event = Event {
            time_unix_nano: times.2, name: texts.1.clone(), attributes: of_event,
            dropped_attributes_count: numbers.1,
        };
        let link = Link {
            trace_id: ids.0.clone(), span_id: ids.1.clone(), trace_state: texts.1.clone(),
            attributes: of_link, dropped_attributes_count: numbers.2, flags: numbers.0,
        };
        Span {
            trace_id: ids.0, span_id: ids.1, trace_state: texts.0, parent_span_id: ids.2,
            flags: numbers.0, name: texts.1, kind, start_time_unix_nano: times.0,
            end_time_unix_nano: times.1, attributes, dropped_attributes_count: numbers.1,
            events: has.0.then_some(event).into_iter().collect(), dropped_events_count: numbers.2,
            links: has.1.then_some(link).into_iter().collect(), dropped_links_count: numbers.0,
            status: has.2.then_some(Status { message: texts.2, code }),
        }
    }
}

prop_compose! {
    pub(crate) fn any_logs()(groups in prop::collection::vec((prop::option::of(any_resource()), prop::collection::vec((prop::option::of(any_scope()), prop::collection::vec(any_log(), 0..3), word()), 0..3), word()), 0..3)) -> LogsData {
        let resource_logs = groups.into_iter().map(|(resource, scopes, schema_url)| ResourceLogs {
            resource,
            scope_logs: scopes.into_iter().map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url }).collect(),
            schema_url,
        });
        LogsData { resource_logs: resource_logs.collect() }
    }
}

prop_compose! {
    pub(crate) fn any_spans()(groups in prop::collection::vec((prop::option::of(any_resource()), prop::collection::vec((prop::option::of(any_scope()), prop::collection::vec(any_span(), 0..3), word()), 0..3), word()), 0..3)) -> TracesData {
        let resource_spans = groups.into_iter().map(|(resource, scopes, schema_url)| ResourceSpans {
            resource,
            scope_spans: scopes.into_iter().map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url }).collect(),
            schema_url,
        });
        TracesData { resource_spans: resource_spans.collect() }
    }
}

/// Compares the entries; a failure shows both.
fn same(protobuf: &Pushed, json: &Pushed) -> Result<(), TestCaseError> {
    prop_assert_eq!(protobuf.rejected.count(), 0);
    prop_assert_eq!(protobuf, json);
    for entry in &protobuf.entries {
        is_storable(entry)?;
    }
    Ok(())
}

fn is_storable(entry: &Entry) -> Result<(), TestCaseError> {
    if let Some(log) = &entry.log {
        prop_assert!(check_new(log).is_ok(), "{entry:?}");
    }
    if let Some(request) = &entry.request {
        prop_assert!(check_new(&**request).is_ok(), "{entry:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn logs_in_protobuf_and_json_become_the_same(batch in any_logs()) {
        let json = serde_json::to_vec(&batch).unwrap();
        same(&decode(Push::OtlpLogs, &batch.encode_to_vec()), &decode(Push::OtlpJson, &json))?;
    }

    #[test]
    fn spans_in_protobuf_and_json_become_the_same(batch in any_spans()) {
        let json = serde_json::to_vec(&batch).unwrap();
        same(&decode(Push::OtlpTraces, &batch.encode_to_vec()), &decode(Push::OtlpJson, &json))?;
    }

    #[test]
    fn lines_of_loki_in_protobuf_and_json_become_the_same(
        labels in prop::collection::btree_map("[a-z_]{1,6}", "[ -~\nä]{0,8}", 0..4),
        lines in prop::collection::vec((0..1_000_000_000_i32, "[ -~ä=]{0,20}", prop::collection::btree_map("[a-z_]{1,6}", "[ -~]{0,6}", 0..3)), 0..5),
    ) {
        let text: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            let pair = |(name, value): (&String, &String)| loki::Pair { name: name.clone(), value: value.clone() };
            map.iter().map(pair).collect()
        };
        let entries = lines.iter().map(|(nanos, line, metadata)| loki::Entry {
            structured_metadata: pairs(metadata),
            ..loki_entry(*nanos, line, &[])
        });
        let labels_text = format!("{{{}}}", text.join(", "));
        let stream = loki::Stream { labels: labels_text.clone(), entries: entries.collect(), hash: 1 };
        let body = loki::PushRequest { streams: vec![stream] }.encode_to_vec();
        let values: Vec<_> = lines.iter().map(|(nanos, line, metadata)| {
            serde_json::json!([format!("1791720794{nanos:09}"), line, metadata])
        }).collect();
        let json = serde_json::json!({ "streams": [{ "stream": labels, "values": values }] });
        same(&decode(Push::Loki, &compressed(&body)), &decode(Push::LokiJson, json.to_string().as_bytes()))?;
    }

    /// All records before the damage are found, and nothing panics.
    #[test]
    fn damaged_bodies_are_decoded_as_far_as_they_go(
        batch in any_logs(), traces in any_spans(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cuts in any::<bool>(),
    ) {
        for (push, mut body) in [(Push::OtlpLogs, batch.encode_to_vec()), (Push::OtlpTraces, traces.encode_to_vec())] {
            if body.is_empty() {
                continue;
            }
            let at = at.index(body.len());
            if cuts {
                body.truncate(at);
            } else {
                body[at] = byte;
            }
            let _ = push::detect(&body);
            for packed in [body.clone(), compressed(&body)] {
                for push in [push, Push::Loki] {
                    if let Ok(pushed) = push::decode(push, &packed, &Options::default(), MAX_BYTES) {
                        pushed.entries.iter().try_for_each(is_storable)?;
                    }
                }
            }
        }
    }
}
