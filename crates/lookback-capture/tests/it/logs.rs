//! Events of `tracing` as log lines.

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use lookback_capture::{Capture, CapturedLog, Level, MemorySink};
use lookback_json::json;
use tracing::{Instrument as _, debug, error, error_span, info, info_span, trace, warn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

use crate::server::{self, GENEROUS, serve};

/// Runs with a subscriber of its own, and returns the lines.
async fn logged(run: impl AsyncFnOnce(&Capture)) -> Vec<CapturedLog> {
    let sink = MemorySink::new();
    let capture = Capture::builder()
        .settings(|settings| settings.level = Level::Debug)
        .start(sink.clone())
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    let guard = tracing::subscriber::set_default(subscriber);
    run(&capture).await;
    drop(guard);
    capture.flush(GENEROUS).await.unwrap();
    sink.records().logs
}

#[tokio::test]
async fn event_becomes_a_line_with_all_its_fields() {
    let logs = logged(async |_| {
        let failed = std::io::Error::other("disk full");
        error!(
            target: "shop::orders",
            order = 42,
            big = u128::MAX,
            share = 0.5,
            nan = f64::NAN,
            is_late = true,
            text = "words",
            debug = ?Some(1),
            error = &failed as &dyn std::error::Error,
            password = "PLANTED",
            "order {} failed, token=PLANTED", 42,
        );
        warn!(source = "WORKER", "job is late");
        info!("");
        info!(only = "fields");
        trace!("details");
    })
    .await;
    assert_eq!(logs.len(), 5);
    let first = &logs[0];
    assert_eq!(
        (first.source.as_str(), first.level),
        ("shop::orders", Level::Error)
    );
    assert_eq!(first.message, "order 42 failed, token=[masked]");
    let mut meta = first.meta.clone().unwrap();
    let file = meta.remove("file").unwrap();
    assert!(
        file.as_str().unwrap().contains("tests/it/logs.rs:"),
        "{file}"
    );
    let expected = format!(
        r#"{{"big":{},"debug":"Some(1)","error":"disk full","is_late":true,"nan":"NaN","order":42,"password":"[masked]","share":0.5,"text":"words"}}"#,
        u128::MAX
    );
    let expected: lookback_json::Json = expected.parse().unwrap();
    assert_eq!(lookback_json::Json::Object(meta), expected);
    assert_eq!(
        (logs[1].source.as_str(), logs[1].level),
        ("WORKER", Level::Warn)
    );
    assert_eq!(logs[1].meta.as_ref().unwrap()["target"], "it::logs");
    assert_eq!(logs[2].message, "(no message)");
    assert!(logs[3].message.starts_with("event "), "{}", logs[3].message);
    assert_eq!(logs[3].meta.as_ref().unwrap()["only"], "fields");
    assert_eq!(logs[4].level, Level::Debug);
    assert_eq!(logs[4].meta.as_ref().unwrap()["level"], "TRACE");
    assert!(logs.iter().all(|log| log.trace_id.is_none()));
}

#[tokio::test]
async fn fields_of_spans_arrive() {
    let logs = logged(async |_| {
        let outer = info_span!("checkout", user = "anna", total = tracing::field::Empty);
        let inner = info_span!(parent: &outer, "pay", card = "4111 1111");
        outer.record("total", 12.5);
        inner.in_scope(|| info!("paid"));
        async { info!("later") }.instrument(inner).await;
    })
    .await;
    for log in &logs {
        assert_eq!(
            log.meta.as_ref().unwrap()["spans"],
            json!([
                { "name": "checkout", "user": "anna", "total": 12.5 },
                { "name": "pay", "card": "4111 1111" },
            ])
        );
    }
    assert_eq!(logs.len(), 2);
}

#[tokio::test]
async fn lines_of_a_request_have_its_trace() {
    async fn handler(Path(id): Path<u32>) -> String {
        info!(id, "handling");
        // A task of its own belongs to the request by its span.
        let span = info_span!("background");
        tokio::spawn(async { info!("in the background") }.instrument(span))
            .await
            .unwrap();
        lookback_capture::current_trace().unwrap().trace_id()
    }
    let mut answer = String::new();
    let logs = logged(async |capture| {
        let app = Router::new()
            .route("/{id}", get(handler))
            .layer(capture.layer());
        let address = serve(app).await;
        let response = server::exchange(address, server::get("/7").as_bytes()).await;
        answer = String::from_utf8(response).unwrap();
        info!("outside");
    })
    .await;
    let trace = answer.rsplit("\r\n").next().unwrap();
    let by_message = |message: &str| {
        let log = logs.iter().find(|log| log.message == message);
        log.unwrap_or_else(|| panic!("{message} of {logs:#?}"))
            .trace_id
            .as_deref()
    };
    assert_eq!(by_message("handling"), Some(trace));
    assert_eq!(by_message("in the background"), Some(trace));
    assert_eq!(by_message("outside"), None);
}

#[tokio::test]
async fn trace_id_of_a_span_counts_outside_of_requests() {
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let logs = logged(async |_| {
        error_span!("job", trace_id = id).in_scope(|| info!("in a job"));
        info!(trace_id = id, "in an event");
        info!(trace_id = "none", "without");
    })
    .await;
    let ids: Vec<_> = logs.iter().map(|log| log.trace_id.as_deref()).collect();
    assert_eq!(ids, [Some(id), Some(id), None]);
}

#[tokio::test]
async fn level_and_switch_are_settings() {
    let logs = logged(async |capture| {
        debug!("one");
        capture.update(|settings| settings.level = Level::Warn);
        info!("two");
        warn!("three");
        capture.update(|settings| settings.logs = false);
        error!("four");
    })
    .await;
    let messages: Vec<&str> = logs.iter().map(|log| log.message.as_str()).collect();
    assert_eq!(messages, ["one", "three"]);
}

/// From a level that takes less, or from none, to one that takes more: `tracing` remembers who wants
/// what.
#[tokio::test]
async fn level_is_raised_while_the_application_runs() {
    let sink = MemorySink::new();
    let capture = Capture::builder()
        .settings(|settings| settings.logs = false)
        .start(sink.clone())
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    let guard = tracing::subscriber::set_default(subscriber);
    for logs in [false, true] {
        capture.update(|settings| settings.logs = logs);
        for level in [Level::Error, Level::Info, Level::Debug, Level::Warn] {
            capture.update(|settings| settings.level = level);
            error!("{level:?} error");
            info!("{level:?} info");
            debug!("{level:?} debug");
        }
    }
    drop(guard);
    capture.flush(GENEROUS).await.unwrap();
    let logs = sink.records().logs;
    let messages: Vec<&str> = logs.iter().map(|log| log.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "Error error",
            "Info error",
            "Info info",
            "Debug error",
            "Debug info",
            "Debug debug",
            "Warn error"
        ]
    );
}

/// A layer that takes each event, as a program's own output does.
#[derive(Clone, Default)]
struct Seen(std::sync::Arc<std::sync::Mutex<Vec<tracing::Level>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Seen {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        self.0.lock().unwrap().push(*event.metadata().level());
    }
}

/// Capture takes what its settings say, and other layers what they would without it.
#[tokio::test]
async fn other_layers_get_every_event() {
    use tracing::Level as L;
    for logs in [true, false] {
        let sink = MemorySink::new();
        let capture = Capture::builder()
            .settings(|settings| settings.logs = logs)
            .start(sink.clone())
            .unwrap();
        let (before, behind) = (Seen::default(), Seen::default());
        let subscriber = tracing_subscriber::registry()
            .with(before.clone())
            .with(capture.tracing_layer())
            .with(behind.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        error!("one");
        info!("two");
        debug!("three");
        trace!("four");
        drop(guard);
        capture.flush(GENEROUS).await.unwrap();
        let all = [L::ERROR, L::INFO, L::DEBUG, L::TRACE];
        assert_eq!(*before.0.lock().unwrap(), all);
        assert_eq!(*behind.0.lock().unwrap(), all);
        assert_eq!(sink.records().logs.len(), if logs { 2 } else { 0 });
    }
}

#[tokio::test]
async fn long_texts_are_cut_and_say_so() {
    let logs = logged(async |capture| {
        capture.update(|settings| settings.text_limit = 10);
        info!(field = "ä".repeat(20), "{}", "0123456789abc");
    })
    .await;
    assert_eq!(logs[0].message, "0123456789… [3 bytes more]");
    assert_eq!(
        logs[0].meta.as_ref().unwrap()["field"],
        "äääää… [30 bytes more]"
    );
}

#[tokio::test]
async fn two_captures_are_side_by_side() {
    let (first, second) = (MemorySink::new(), MemorySink::new());
    let captures =
        [first.clone(), second.clone()].map(|sink| Capture::builder().start(sink).unwrap());
    let [one, other] = &captures;
    let layers = one.tracing_layer().and_then(other.tracing_layer());
    let subscriber = tracing_subscriber::registry().with(layers);
    let guard = tracing::subscriber::set_default(subscriber);
    info_span!("work", id = 7).in_scope(|| info!("done"));
    drop(guard);
    for (capture, sink) in captures.iter().zip([first, second]) {
        capture.flush(GENEROUS).await.unwrap();
        let log = &sink.records().logs[0];
        assert_eq!(
            log.meta.as_ref().unwrap()["spans"],
            json!([{ "name": "work", "id": 7 }])
        );
    }
}

#[tokio::test]
async fn application_may_log_while_it_changes_settings_or_records_fields() {
    struct Talking;
    impl std::fmt::Debug for Talking {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            info!("while it is formatted");
            f.write_str("Talking")
        }
    }
    let logs = logged(async |capture| {
        capture.update(|settings| {
            info!("while settings change: {:?}", capture.settings().level);
            settings.level = Level::Info;
        });
        let span = info_span!("work", value = tracing::field::Empty);
        let _entered = span.enter();
        span.record("value", tracing::field::debug(Talking));
        info!("at the end");
    })
    .await;
    let messages: Vec<&str> = logs.iter().map(|log| log.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "while settings change: Debug",
            "while it is formatted",
            "at the end"
        ]
    );
    assert_eq!(
        logs[2].meta.as_ref().unwrap()["spans"][0]["value"],
        "Talking"
    );
}

#[tokio::test]
async fn source_is_masked() {
    let logs =
        logged(async |_| info!(source = "postgres://anna:PLANTED@db/shop", "connected")).await;
    assert_eq!(logs[0].source, "postgres://anna:[masked]@db/shop");
}
