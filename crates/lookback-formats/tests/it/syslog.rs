//! Messages of syslog as senders send them: each is one record.

use lookback::Json;
use lookback_formats::{Options, syslog_message};

/// The source, level and message of a record, and what `meta` has under some names.
fn read(message: &[u8]) -> (String, String, String, Json) {
    let options = Options {
        now: "2026-12-01T00:00:00Z".parse().unwrap(),
        ..Options::default()
    };
    let entry = syslog_message(message, &options, 7);
    assert_eq!(entry.lines, 7..=7);
    let log = entry.log.unwrap();
    (
        log.source,
        log.level.to_string(),
        log.message,
        log.meta.unwrap_or(Json::Null),
    )
}

#[test]
fn message_is_read_in_each_form_that_senders_use() {
    for (message, source, level, text) in [
        // RFC 5424, RFC 3164 with and without a host.
        (
            "<165>1 2026-11-29T10:00:00Z web1 shop 8 ID47 - of 5424",
            "shop",
            "info",
            "of 5424",
        ),
        (
            "<34>Nov 29 10:00:00 web2 su[9]: of 3164",
            "su",
            "error",
            "of 3164",
        ),
        (
            "<27>Nov 29 10:00:00 dockerd: no host",
            "dockerd",
            "error",
            "no host",
        ),
        // A priority alone, as handlers of languages send it.
        ("<11>shop: failed\0", "shop", "error", "failed"),
        ("<11>shop[42]: failed\n", "shop", "error", "failed"),
        ("<14>failed", "app", "info", "failed"),
        ("<12>error: no stock", "app", "warn", "error: no stock"),
        (
            "<189>123: *Mar 1 00:00:01.123: %SYS-5-CONFIG_I: by console",
            "app",
            "info",
            "123: *Mar 1 00:00:01.123: %SYS-5-CONFIG_I: by console",
        ),
        // A stack trace.
        (
            "<11>shop: failed\nTraceback:\n  at a\0",
            "shop",
            "error",
            "failed\nTraceback:\n  at a",
        ),
        // JSON, with its own level.
        (
            r#"<14>{"level":"error","msg":"of JSON","order":7}"#,
            "app",
            "error",
            "of JSON",
        ),
        (
            r#"<14>Nov 29 10:00:00 web1 {"level":"error","msg":"of JSON"}"#,
            "app",
            "error",
            "of JSON",
        ),
        // No syslog.
        ("hello", "app", "info", "hello"),
        ("<999>hello", "app", "info", "<999>hello"),
    ] {
        let (found_source, found_level, found_text, meta) = read(message.as_bytes());
        assert_eq!(
            (&*found_source, &*found_level, &*found_text),
            (source, level, text),
            "{message:?}: {meta}"
        );
    }
    let (_, _, _, meta) = read(br#"<14>{"level":"error","msg":"of JSON","order":7}"#);
    assert_eq!((&meta["order"], &meta["facility"]), (&7.into(), &1.into()));
    let (_, _, text, _) = read(b"<14>shop: no UTF-8 \xff");
    assert_eq!(text, "no UTF-8 \u{fffd}");
}
