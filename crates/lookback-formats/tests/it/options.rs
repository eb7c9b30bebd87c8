//! What options change: the format, the names of fields, the unit of times.

use lookback::{Json, Level};
use lookback_formats::{Decoder, Entry, FieldNames, Format, Options, Problem, TimeUnit};

fn decode(options: Options, lines: &[&str]) -> Result<Vec<Entry>, Problem> {
    let mut decoder = Decoder::new(options);
    let mut entries = Vec::new();
    for line in lines {
        decoder.line(line.as_bytes(), &mut entries)?;
    }
    decoder.finish(&mut entries);
    Ok(entries)
}

fn of_format(format: Format) -> Options {
    Options {
        format: Some(format),
        ..Options::default()
    }
}

#[test]
fn given_names_come_before_known_ones() {
    let name = |name: &str| vec![name.to_owned()];
    let options = Options {
        names: FieldNames {
            message: name("what"),
            time: name("at.when"),
            level: vec!["sev".to_owned(), "severity".to_owned()],
            source: name("svc"),
            trace_id: name("op"),
        },
        time_unit: Some(TimeUnit::Milliseconds),
        ..Options::default()
    };
    let line = r#"{"msg":"not this","what":"stored","at":{"when":1500,"zone":"x"},"level":"info","severity":"ERROR","svc":"shop","name":"n","op":"t-1"}"#;
    let entries = decode(options, &[line]).unwrap();
    let log = entries[0].log.as_ref().unwrap();
    assert_eq!(
        (log.message.as_str(), log.source.as_str(), log.level),
        ("stored", "shop", Level::Error)
    );
    assert_eq!(log.trace_id.as_deref(), Some("t-1"));
    let time = log.created_at.unwrap();
    assert_eq!(time.to_rfc3339(), "1970-01-01T00:00:01.500+00:00");
    let rest: Json = r#"{"at":{"zone":"x"},"level":"info","msg":"not this","name":"n"}"#
        .parse()
        .unwrap();
    assert_eq!(log.meta.as_ref(), Some(&rest));
}

#[test]
fn numbers_are_times_in_the_given_unit() {
    for (unit, number) in [
        (TimeUnit::Seconds, "1761234567"),
        (TimeUnit::Milliseconds, "1761234567000"),
        (TimeUnit::Microseconds, "\"1761234567000000\""),
        (TimeUnit::Nanoseconds, "1761234567000000000"),
    ] {
        let options = Options {
            time_unit: Some(unit),
            ..Options::default()
        };
        let line = format!("{{\"msg\":\"m\",\"time\":{number}}}");
        let entries = decode(options, &[&line]).unwrap();
        let time = entries[0].log.as_ref().unwrap().created_at.unwrap();
        assert_eq!(time.timestamp(), 1_761_234_567, "{number}");
    }
}

/// A record of each format, which is read as that format, and not as any other.
#[test]
fn given_format_is_that_of_all_records() {
    let samples = [
        (
            Format::Json,
            r#"{"log":"x","time":"2026-01-02T03:04:05Z","msg":"m"}"#,
        ),
        (Format::Clef, r#"{"@t":"2026-01-02T03:04:05Z","@mt":"m"}"#),
        (
            Format::Docker,
            r#"{"log":"x\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}"#,
        ),
        (Format::Cri, "2026-01-02T03:04:05Z stdout F x"),
        (
            Format::Journald,
            r#"{"MESSAGE":"m","__REALTIME_TIMESTAMP":"1761234567000000"}"#,
        ),
        (Format::Syslog, "<34>Oct 11 22:14:15 host su: failed"),
        (
            Format::Heroku,
            "2026-01-02T03:04:05.678901+00:00 app[web.1]: x",
        ),
        (Format::Gcp, r#"{"textPayload":"m","severity":"INFO"}"#),
        (
            Format::CloudWatch,
            r#"{"logEvents":[{"id":"1","timestamp":1761234567000,"message":"m"}]}"#,
        ),
        (
            Format::Azure,
            r#"{"records":[{"time":"2026-01-02T03:04:05Z","category":"c"}]}"#,
        ),
        (Format::Logfmt, "level=info msg=m"),
        (
            Format::AccessLog,
            r#"192.0.2.1 - - [11/Oct/2026:12:00:00 +0200] "GET / HTTP/1.1" 200 5 "-" "-""#,
        ),
        (
            Format::Otlp,
            r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"m"}}]}]}]}"#,
        ),
        (
            Format::Loki,
            r#"{"streams":[{"stream":{"a":"b"},"values":[["1761234567000000000","m"]]}]}"#,
        ),
        (
            Format::Har,
            r#"{"log":{"entries":[{"startedDateTime":"2026-01-02T03:04:05Z","request":{"method":"GET","url":"http://a/"},"response":{"status":200}}]}}"#,
        ),
        (Format::Text, r#"{"msg":"left as it is"}"#),
    ];
    for (format, line) in samples {
        let entries = decode(of_format(format), &[line]).unwrap();
        assert_eq!(entries.len(), 1, "{line} as {}", format.name());
    }
    let entries = decode(of_format(Format::Text), &[samples[15].1]).unwrap();
    assert_eq!(entries[0].log.as_ref().unwrap().message, samples[15].1);
    // As JSON, what Docker would have wrapped is a field.
    let entries = decode(of_format(Format::Json), &[samples[0].1]).unwrap();
    let log = entries[0].log.as_ref().unwrap();
    assert_eq!(
        (
            log.message.as_str(),
            log.meta.as_ref().unwrap()["log"].as_str()
        ),
        ("m", Some("x"))
    );
}

#[test]
fn line_of_another_format_is_a_problem() {
    for (format, line, problem) in [
        (Format::Json, "plain text", "is not of the format json"),
        (
            Format::Syslog,
            r#"{"msg":"m"}"#,
            "is not of the format syslog",
        ),
        (
            Format::AccessLog,
            "GET /",
            "is not of the format access-log",
        ),
        (
            Format::Docker,
            r#"{"msg":"m"}"#,
            "must have a log and a time",
        ),
        (
            Format::Otlp,
            r#"{"msg":"m"}"#,
            "must have resourceLogs or resourceSpans",
        ),
        (
            Format::Har,
            r#"{"msg":"m"}"#,
            "log.entries: must be an array",
        ),
        (Format::Loki, r#"{"msg":"m"}"#, "streams: must be an array"),
    ] {
        let error = decode(of_format(format), &[line]).unwrap_err();
        assert_eq!(error.to_string(), problem, "{line}");
    }
    // JSON over lines that breaks off.
    let mut decoder = Decoder::new(of_format(Format::Json));
    let mut entries = Vec::new();
    decoder.line(b"{", &mut entries).unwrap();
    decoder.line(b"\"a\": 1,", &mut entries).unwrap();
    let error = decoder.line(b"<html>", &mut entries).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.lines()),
        ("is not JSON", &(1..=3))
    );
}

/// One record that cannot be read takes no other of its batch with it.
#[test]
fn bad_record_of_a_batch_is_a_problem_beside_the_others() {
    let line = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"first"}},7,{"body":{"stringValue":"last"}}]}]}]}"#;
    let mut decoder = Decoder::new(Options::default());
    let mut entries = Vec::new();
    decoder.line(line.as_bytes(), &mut entries).unwrap_err();
    let messages: Vec<&str> = entries
        .iter()
        .map(|entry| entry.log.as_ref().unwrap().message.as_str())
        .collect();
    assert_eq!(messages, ["first", "last"]);
}
