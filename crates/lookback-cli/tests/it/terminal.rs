//! Recorded text on a terminal: it comes from untrusted sources, and controls none.

use std::process::Stdio;

use crate::support::Lookback;

/// Clears the screen, begins a control sequence in one character, and turns the text around.
const HOSTILE: &str = "needle \u{1b}[2J \u{9b}31m \u{202e}txet \u{2066}x\u{7f}";

#[track_caller]
fn assert_harmless(text: &str, what: &str) {
    let is_hostile = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found: Vec<char> = text.chars().filter(|c| is_hostile(*c)).collect();
    assert!(found.is_empty(), "{what}: {found:?}: {text:?}");
}

#[tokio::test]
async fn recorded_text_is_shown_without_control_characters() {
    let lookback = Lookback::new().await;
    let record = serde_json::json!({
        "source": HOSTILE, "level": "info", "message": HOSTILE,
        "meta": {(HOSTILE): HOSTILE}, "trace_id": HOSTILE,
    });
    let file = lookback.write("app.jsonl", format!("{record}\n"));
    for json in [&[][..], &["--json"]] {
        let shown = |call: &[&str]| {
            let call = [call, json].concat();
            let ran = lookback.run(&call).succeeded();
            assert!(ran.out.contains("needle"), "{ran:?}");
            assert_harmless(&ran.out, &call.join(" "));
            assert_harmless(&ran.err, &call.join(" "));
        };
        shown(&["import", file.to_str().unwrap(), "--dry-run"]);
        lookback
            .run(&["import", file.to_str().unwrap(), "--restart"])
            .succeeded();
        shown(&["logs", "list"]);
        shown(&[
            "logs",
            "list",
            "--fields",
            "id,source,message,meta,trace_id",
        ]);
        shown(&["logs", "search", "needle"]);
        shown(&["logs", "search", "needle", "--explain"]);
        shown(&["logs", "patterns"]);
        shown(&["logs", "stats", "--by", "source"]);
        shown(&["logs", "get", "1"]);
        let mut tail = lookback.command(&["logs", "tail"]);
        tail.args(json).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut tail = tail.spawn().unwrap();
        let mut out = vec![0; 64 * 1024];
        let read = std::io::Read::read(tail.stdout.as_mut().unwrap(), &mut out).unwrap();
        tail.kill().unwrap();
        tail.wait().unwrap();
        let out = String::from_utf8_lossy(&out[..read]);
        assert!(out.contains("needle"), "{out}");
        assert_harmless(&out, "tail");
    }
    for (call, code) in [
        (vec!["import", HOSTILE], 2),
        (vec!["import", "app.jsonl", "--format", HOSTILE], 2),
        (vec!["logs", "list", HOSTILE], 2),
        (vec!["logs", "list", "--limit", HOSTILE], 2),
        (vec![HOSTILE], 2),
    ] {
        let ran = lookback.run(&call).failed(code);
        assert!(ran.err.contains("needle"), "{ran:?}");
        assert_harmless(&ran.err, &call.join(" "));
    }
}
