//! Bodies of one record each, split from those of many, and files of them.

use lookback_formats::push::{self, MAX_BYTES, ProtobufFile, Push};
use lookback_formats::{Entry, Options};
use opentelemetry_proto::tonic::logs::v1::{LogsData, ResourceLogs, ScopeLogs};
use proptest::prelude::*;
use prost::Message as _;

use crate::push::{
    any_logs, any_spans, compressed, field, log_record, logs, loki, loki_entry, metrics, resource,
    scope,
};

/// The records of a body: an entry, or why it is rejected.
fn records(push: Push, body: &[u8]) -> (Vec<Result<Entry, String>>, u64) {
    let options = Options::default();
    let mut records = push::records(push, body, &options, MAX_BYTES).unwrap();
    let all = (&mut records).map(|record| record.map_err(|problem| problem.to_string()));
    (all.collect(), records.skipped())
}

/// The same of its parts, each of which must have one record, and its number.
fn of_parts(push: Push, body: &[u8]) -> (Vec<Result<Entry, String>>, u64) {
    let mut all = (Vec::new(), 0);
    for (number, part) in (1..).zip(push.split(body.to_vec(), MAX_BYTES)) {
        let (mut records, skipped) = records(push, &part);
        assert_eq!(records.len() as u64 + skipped, 1);
        for entry in records.iter_mut().flatten() {
            assert_eq!(entry.lines, 1..=1);
            entry.lines = number..=number;
        }
        all.0.extend(records);
        all.1 += skipped;
    }
    all
}

fn loki_body(labels: &str, lines: &[(i32, String)]) -> Vec<u8> {
    let entries = lines.iter();
    let entries = entries.map(|(nanos, line)| loki_entry(*nanos, line, &[("a", "b")]));
    let stream = loki::Stream {
        labels: labels.to_owned(),
        entries: entries.collect(),
        hash: 1,
    };
    let streams = vec![stream.clone(), stream];
    compressed(&loki::PushRequest { streams }.encode_to_vec())
}

proptest! {
    #[test]
    fn parts_of_a_body_have_the_same_records(
        batch in any_logs(), traces in any_spans(), labels in "[{]?[a-z=\",]{0,8}[}]?",
        lines in prop::collection::vec((0..1_000_000_000_i32, "[ -~ä=]{0,20}"), 0..5),
    ) {
        for (push, body) in [
            (Push::OtlpLogs, batch.encode_to_vec()),
            (Push::OtlpTraces, traces.encode_to_vec()),
            (Push::Loki, loki_body(&labels, &lines)),
        ] {
            prop_assert_eq!(of_parts(push, &body), records(push, &body));
        }
    }

    /// Of a damaged body, too; and if it is none any more, what comes before the damage is there.
    #[test]
    fn parts_of_a_damaged_body_have_the_same_records(
        batch in any_logs(), traces in any_spans(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cuts in any::<bool>(),
    ) {
        for (push, mut body) in [
            (Push::OtlpLogs, batch.encode_to_vec()),
            (Push::OtlpTraces, traces.encode_to_vec()),
            (Push::Loki, loki_body("{a=\"b\"}", &[(1, "a line".to_owned()), (2, "level=warn x=1".to_owned())])),
        ] {
            if body.is_empty() {
                continue;
            }
            let at = at.index(body.len());
            if cuts {
                body.truncate(at);
            } else {
                body[at] = byte;
            }
            let _ = ProtobufFile::may_begin_with(&body);
            if push::records(push, &body, &Options::default(), MAX_BYTES).is_ok() {
                prop_assert_eq!(of_parts(push, &body), records(push, &body));
            } else {
                let bad = |part: Vec<u8>| {
                    push::records(push, &part, &Options::default(), MAX_BYTES).is_err()
                };
                prop_assert!(push.split(body, MAX_BYTES).any(bad));
            }
        }
    }
}

#[test]
fn bad_record_resource_and_scope_are_parts_of_their_own() {
    let record = log_record("good").encode_to_vec();
    let scoped = [
        &field(1, &[0x0a])[..],
        &field(2, &record),
        &field(2, &[0xff]),
        &field(2, &record),
    ]
    .concat();
    let group = [field(1, &[0x0a]), field(2, &scoped)].concat();
    let body = field(1, &group);
    let (found, _) = of_parts(Push::OtlpLogs, &body);
    assert_eq!((found.clone(), 0), records(Push::OtlpLogs, &body));
    let shown: Vec<String> = found
        .into_iter()
        .map(|record| record.map_or_else(|problem| problem, |_| "stored".to_owned()))
        .collect();
    assert_eq!(
        shown,
        [
            "resource: ends within a field",
            "scope: ends within a field",
            "stored",
            "logRecord: ends within a field",
            "stored"
        ]
    );
    // What is behind the end of a message is one part.
    let cut = [body, vec![0x0a, 0x7f, 1]].concat();
    assert_eq!(Push::OtlpLogs.split(cut, MAX_BYTES).count(), 6);
}

#[test]
fn what_is_no_batch_of_protobuf_is_one_part() {
    for (push, body) in [
        (Push::OtlpJson, &b"{\"resourceLogs\": []}"[..]),
        (Push::LokiJson, b"{\"streams\": []}"),
        (Push::Loki, b"no snappy"),
    ] {
        let parts: Vec<_> = push.split(body.to_vec(), MAX_BYTES).collect();
        assert_eq!(parts, [body.to_vec()]);
    }
    let large = compressed(&[0; 1000]);
    let parts: Vec<_> = Push::Loki.split(large.clone(), 999).collect();
    assert_eq!(parts, [large]);
}

#[test]
fn push_to_loki_is_recognised_by_its_start() {
    let detected = |body: &[u8]| push::detect(body).map(|file| (file.push, file.is_framed));
    let expected = Some((Push::Loki, false));
    for lines in [1, 2, 100, 10_000] {
        let lines: Vec<_> = (0..lines).map(|n| (n, format!("line {n}"))).collect();
        let body = loki_body("{app=\"shop\"}", &lines);
        assert!(ProtobufFile::may_begin_with(&body[..8]));
        assert_eq!(detected(&body), expected);
        assert_eq!(detected(&body[..40]), expected);
    }
    for other in [
        &compressed(b"any text")[..],
        b"A0\n\x05\n\x05[",
        b"",
        b"[\xf0",
    ] {
        assert_eq!(detected(other), None, "{other:?}");
    }
}

#[test]
fn what_may_be_protobuf_is_known_by_eight_bytes() {
    let message = logs(vec![log_record("m")]).encode_to_vec();
    let framed = |length: u32| [&length.to_be_bytes()[..], &message].concat();
    for file in [
        message.clone(),
        framed(100),
        framed(100 << 20),
        b"\0\0\0\x09\x28\xb5\x2f\xfd".to_vec(),
        b"\0\0\0\x09{\"res".to_vec(),
        vec![0; 8],
    ] {
        for length in 1..=8 {
            assert!(ProtobufFile::may_begin_with(&file[..length]), "{file:?}");
        }
    }
    for text in [
        &b"{\"msg\":\""[..],
        b"2026-01-",
        b"\xef\xbb\xbf{\"m\"",
        b"PAR1\x15\x04",
        b"\x1f\x8b\x08",
        "größe".as_bytes(),
        b"gr\xf6\xdfe",
        b"\n{\"msg\":",
        b"\n\x07bell",
        b"\x07bell on",
        b"\n\xff\xff\xff\xff\xff\xff\xff",
        b"",
    ] {
        assert!(!ProtobufFile::may_begin_with(text), "{text:?}");
    }
}

#[test]
fn batch_of_metrics_is_recognised() {
    let message = metrics().encode_to_vec();
    assert!(Push::is_of_metrics(&message));
    let empty = LogsData {
        resource_logs: vec![ResourceLogs {
            resource: Some(resource()),
            scope_logs: vec![ScopeLogs {
                scope: Some(scope()),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    for other in [
        logs(vec![log_record("m")]).encode_to_vec(),
        empty.encode_to_vec(),
        b"\n\n\n\n".to_vec(),
        Vec::new(),
    ] {
        assert!(!Push::is_of_metrics(&other), "{other:?}");
    }
}
