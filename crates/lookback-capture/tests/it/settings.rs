//! What is captured, and how much of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::get;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::server::{self, Server};

fn app() -> Router {
    Router::new()
        .route("/ok", get(async || "ok"))
        .route("/fails", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/health", get(async || "fine"))
        .route(
            "/slow",
            get(async || tokio::time::sleep(Duration::from_millis(400)).await),
        )
        .route(
            "/events",
            get(async || ([("content-type", "text/event-stream")], "data: 1\n\n")),
        )
}

async fn send(server: &Server, path: &str, times: usize) {
    for _ in 0..times {
        server.send(&server::get(path)).await;
    }
}

fn counted(records: &lookback_capture::Batch) -> u64 {
    records
        .windows
        .iter()
        .map(|window| window.totals.requests)
        .sum()
}

#[tokio::test]
async fn errors_and_slow_requests_are_kept_when_others_are_sampled() {
    let server = Server::start_with(app(), |builder| {
        builder.settings(|settings| {
            settings.sample_rate = 0.0;
            settings.slow = Duration::from_millis(400);
        })
    })
    .await;
    send(&server, "/ok", 5).await;
    send(&server, "/fails", 1).await;
    send(&server, "/slow", 1).await;
    let records = server.requests(2).await;
    let paths: Vec<&str> = records.iter().map(|record| record.path.as_str()).collect();
    assert_eq!(paths, ["/fails", "/slow"]);
    assert_eq!(counted(&server.records().await), 7);
}

#[tokio::test]
async fn endpoints_beyond_the_most_are_counted_as_other_and_reported() {
    let server = Server::start_with(app(), |builder| {
        builder.settings(|settings| settings.endpoints = 2)
    })
    .await;
    for path in ["/ok", "/fails", "/events", "/ok", "/slow", "/fails"] {
        send(&server, path, 1).await;
    }
    server.requests(6).await;
    let in_other = server.capture.health().in_other_window;
    let records = server.records().await;
    assert_eq!(counted(&records), 6);
    let of_other: u64 = records
        .windows
        .iter()
        .filter(|window| window.endpoint == lookback_capture::OTHER)
        .map(|window| window.totals.requests)
        .sum();
    // Two, unless a minute began meanwhile, whose first two endpoints have windows of their own.
    assert!((1..=2).contains(&of_other), "{of_other}");
    assert_eq!(in_other, of_other);
    let report = async {
        loop {
            let records = server.records().await;
            if let Some(log) = records.logs.iter().find(|log| log.source == "lookback") {
                return log.message.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let message = tokio::time::timeout(server::GENEROUS, report)
        .await
        .unwrap();
    assert!(message.contains("counted as `other`"), "{message}");
}

#[tokio::test]
async fn sampling_goes_by_the_trace() {
    let server = Server::start_with(app(), |builder| {
        builder.settings(|settings| settings.sample_rate = 0.5)
    })
    .await;
    let of_trace = |trace: &str| {
        server::get("/ok").replace(
            "\r\n\r\n",
            &format!("\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\r\n"),
        )
    };
    let low = "4bf92f3577b34da60000000000000001";
    let high = "4bf92f3577b34da6f000000000000001";
    for trace in [low, high, low, high, high] {
        server.send(&of_trace(trace)).await;
    }
    let traces: Vec<String> = server
        .requests(2)
        .await
        .into_iter()
        .map(|record| record.trace_id)
        .collect();
    assert_eq!(traces, [low, low]);
}

#[tokio::test]
async fn settings_change_while_the_application_runs() {
    let server = Server::start(app()).await;
    send(&server, "/health", 1).await;
    send(&server, "/ok", 1).await;
    server.capture.update(|settings| {
        settings.ignored_paths = vec!["/ok".to_owned()];
        settings.headers = false;
        settings.response_bodies = false;
    });
    send(&server, "/ok", 1).await;
    send(&server, "/health", 1).await;
    server.capture.update(|settings| settings.requests = false);
    send(&server, "/health", 1).await;
    server.capture.update(|settings| settings.windows = false);
    send(&server, "/health", 1).await;
    let requests = server.requests(2).await;
    assert_eq!(
        (
            requests[0].path.as_str(),
            requests[0].headers["host"].as_str()
        ),
        ("/ok", Some("shop.test"))
    );
    assert_eq!(
        (requests[1].path.as_str(), requests[1].headers.get("host")),
        ("/health", None)
    );
    assert_eq!(requests[1].headers["route"], "/health");
    assert_eq!(
        requests[1].response_body.as_ref().unwrap()["$body"]["size"],
        4
    );
    assert_eq!(counted(&server.records().await), 3);
}

#[tokio::test]
async fn probes_are_counted_and_captured_if_they_fail() {
    let server = Server::start(app()).await;
    let probe = |path: &str| {
        server::get(path).replace("\r\n\r\n", "\r\nuser-agent: kube-probe/1.31\r\n\r\n")
    };
    for path in ["/ok", "/fails", "/health"] {
        server.send(&probe(path)).await;
    }
    assert_eq!(server.request().await.path, "/fails");
    assert_eq!(counted(&server.records().await), 2);
}

#[tokio::test]
async fn layer_within_a_layer_captures_once() {
    let server = Server::start_with(Router::new(), |builder| builder).await;
    let inner = app().layer(server.capture.layer());
    let app = Router::new()
        .nest("/inner", inner)
        .layer(server.capture.layer());
    let address = server::serve(app).await;
    server::exchange(address, server::get("/inner/ok").as_bytes()).await;
    let record = server.request().await;
    assert_eq!(record.headers["route"], "/inner/ok");
    assert_eq!(counted(&server.records().await), 1);
}

#[tokio::test]
async fn requests_above_the_rate_are_counted() {
    let server = Server::start_with(app(), |builder| {
        builder.settings(|settings| settings.requests_per_second = Some(2))
    })
    .await;
    send(&server, "/ok", 50).await;
    let records = server.records().await;
    let health = server.capture.health();
    assert!(health.requests.over_rate > 0, "{health:?}");
    assert_eq!(
        records.requests.len() as u64 + health.requests.over_rate,
        50
    );
    assert_eq!(counted(&records), 50);
}

/// A short body that comes late.
struct Late {
    body: Option<Bytes>,
    wait: Pin<Box<Sleep>>,
}

impl Body for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.wait.as_mut().poll(context));
        Poll::Ready(self.body.take().map(|body| Ok(Frame::data(body))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}

#[tokio::test]
async fn request_above_the_rate_that_becomes_slow_is_captured() {
    let late = async || {
        let body = Late {
            body: Some(Bytes::from_static(b"late")),
            wait: Box::pin(tokio::time::sleep(Duration::from_millis(400))),
        };
        (
            [("content-type", "text/plain")],
            axum::body::Body::new(body),
        )
    };
    let app = app().route("/late", get(late));
    let server = Server::start_with(app, |builder| {
        builder.settings(|settings| {
            settings.requests_per_second = Some(1);
            settings.slow = Duration::from_millis(300);
        })
    })
    .await;
    // The first takes the place of its second.
    send(&server, "/ok", 1).await;
    send(&server, "/late", 1).await;
    let requests = server.requests(2).await;
    let late = requests.iter().find(|request| request.path == "/late");
    let late = late.unwrap();
    assert_eq!(late.status_code, Some(200));
    assert!(late.duration >= 300, "{late:?}");
    assert_eq!(late.response_headers.as_ref().unwrap()["response_size"], 4);
    assert_eq!(counted(&server.records().await), 2);
}

#[tokio::test]
async fn event_streams_are_stored_as_size_and_type() {
    let server = Server::start(app()).await;
    send(&server, "/events", 1).await;
    let body = server.request().await.response_body.unwrap();
    assert_eq!(body["$body"]["type"], "text/event-stream");
    assert_eq!(body["$body"]["size"], 9);
    assert_eq!(body["$body"].get("text"), None);
}
