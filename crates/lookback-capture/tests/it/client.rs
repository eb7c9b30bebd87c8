//! Requests that an application sends.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request};
use axum::routing::get;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lookback_capture::{Capture, CaptureService, CapturedRequest, MemorySink, TeeBody};
use lookback_json::json;
use tower::{Layer as _, Service as _, ServiceExt as _, service_fn};

use crate::server::{self, GENEROUS, exchange, serve};

type Calls = CaptureService<Client<HttpConnector, TeeBody<Body>>>;

#[tokio::test]
async fn calls_of_a_handler_belong_to_its_trace() {
    let upstream = Router::new().route(
        "/stock/{sku}",
        get(async |headers: HeaderMap| {
            axum::Json(serde_json::json!({
                "traceparent": headers["traceparent"].to_str().unwrap(),
                "api_key": "PLANTED",
            }))
        }),
    );
    let upstream = serve(upstream).await;
    let sink = MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let client: Calls = capture
        .client_layer()
        .layer(Client::builder(TokioExecutor::new()).build_http());
    let handler = async move |State(mut client): State<Calls>| {
        let request = Request::get(format!("http://{upstream}/stock/7?token=PLANTED"))
            .header("authorization", "Bearer PLANTED0123")
            .body(Body::empty())
            .unwrap();
        let response = client.ready().await.unwrap().call(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    let app = Router::new()
        .route("/", get(handler))
        .with_state(client)
        .layer(capture.layer());
    let address = serve(app).await;
    let response = exchange(address, server::get("/").as_bytes()).await;
    let response = String::from_utf8(response).unwrap();

    capture.flush(GENEROUS).await.unwrap();
    let records = sink.records();
    assert_eq!(records.requests.len(), 2, "{records:#?}");
    let [call, request] = [&records.requests[0], &records.requests[1]];
    assert_eq!(call.headers["direction"], "outgoing");
    assert_eq!(
        (call.path.as_str(), call.status_code),
        ("/stock/7", Some(200))
    );
    assert_eq!(
        call.headers["host"].as_str(),
        Some(upstream.to_string().as_str())
    );
    assert_eq!(call.query, Some(json!({ "token": "[masked]" })));
    assert_eq!(call.response_body.as_ref().unwrap()["api_key"], "[masked]");
    assert_eq!(call.trace_id, request.trace_id);
    assert!(
        response.contains(&format!("00-{}-", request.trace_id)),
        "{response}"
    );
    assert_eq!(request.headers.get("direction"), None);
    // Only what the application serves is counted.
    let endpoints: Vec<&str> = records
        .windows
        .iter()
        .map(|window| window.endpoint.as_str())
        .collect();
    assert_eq!(endpoints, ["GET /"]);
    let all = format!("{records:?}");
    assert!(!all.contains("PLANTED0123"), "{all}");
}

/// A service that asks another one, and both are captured.
#[tokio::test]
async fn spans_and_state_of_a_trace_go_from_service_to_service() {
    let sink = MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let echo = async |headers: HeaderMap| format!("{:?}", headers["tracestate"]);
    let upstream = Router::new().route("/stock", get(echo));
    let upstream = serve(upstream.layer(capture.layer())).await;
    let client: Calls = capture
        .client_layer()
        .layer(Client::builder(TokioExecutor::new()).build_http());
    let handler = async move |State(client): State<Calls>| {
        let request = Request::get(format!("http://{upstream}/stock"));
        let request = request.body(Body::empty()).unwrap();
        let response = client.oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    let app = Router::new().route("/", get(handler)).with_state(client);
    let address = serve(app.layer(capture.layer())).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = format!(
        "\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n\
         tracestate: rojo=00f067aa0ba902b7\r\ntracestate: congo=t61rcWkgMzE\r\n\r\n"
    );
    let request = server::get("/").replace("\r\n\r\n", &headers);
    let response = exchange(address, request.as_bytes()).await;
    let response = String::from_utf8(response).unwrap();
    assert!(
        response.contains(r#""rojo=00f067aa0ba902b7,congo=t61rcWkgMzE""#),
        "{response}"
    );

    let records = loop {
        capture.flush(GENEROUS).await.unwrap();
        let records = sink.records().requests;
        if records.len() == 3 {
            break records;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert!(records.iter().all(|record| record.trace_id == trace));
    let of = |path: &str, is_call: bool| {
        let is_it = |record: &&CapturedRequest| {
            record.path == path && record.headers.contains_key("direction") == is_call
        };
        let headers = &records.iter().find(is_it).unwrap().headers;
        let id = |name: &str| headers[name].as_str().unwrap().to_owned();
        (id("span_id"), id("parent_span_id"))
    };
    let (request, call, answer) = (of("/", false), of("/stock", true), of("/stock", false));
    assert_eq!(request.1, "00f067aa0ba902b7");
    assert_eq!(call.1, request.0);
    assert_eq!(answer.1, call.0);
    assert!(request.0 != call.0 && call.0 != answer.0);
    assert!(response.contains(&format!("traceparent: 00-{trace}-{}-01", request.0)));
}

/// As the guide has it.
async fn execute(
    capture: &Capture,
    client: &reqwest::Client,
    request: reqwest::Request,
) -> Result<reqwest::Response, reqwest::Error> {
    use reqwest::Body;
    let send = service_fn(async |request: Request<TeeBody<Body>>| {
        let request = reqwest::Request::try_from(request.map(Body::wrap))?;
        let response = client.execute(request).await;
        response.map(axum::http::Response::<Body>::from)
    });
    let request = Request::<Body>::try_from(request)?;
    let response = capture.client_layer().layer(send).oneshot(request).await?;
    Ok(response.map(Body::wrap).into())
}

#[tokio::test]
async fn calls_of_reqwest_are_the_same_and_recorded() {
    let echo = async |request: axum::extract::Request| {
        let headers = format!("{:?}", request.headers());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        format!("{headers} {}", String::from_utf8_lossy(&body))
    };
    let upstream = serve(Router::new().route("/stock", axum::routing::post(echo))).await;
    let sink = MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let client = reqwest::Client::new();
    let request = || {
        let request = client.post(format!("http://{upstream}/stock?token=PLANTED"));
        let request = request.bearer_auth("PLANTED0123");
        let request = request.json(&serde_json::json!({ "sku": "a", "password": "PLANTED" }));
        request.build().unwrap()
    };
    let bare = client.execute(request()).await.unwrap();
    let bare = bare.text().await.unwrap();
    let handler = {
        let (capture, client, call) = (
            capture.clone(),
            client.clone(),
            std::sync::Arc::new(request()),
        );
        async move || {
            let call = call.try_clone().unwrap();
            let response = execute(&capture, &client, call).await.unwrap();
            response.text().await.unwrap()
        }
    };
    let app = Router::new().route("/", get(handler));
    let address = serve(app.layer(capture.layer())).await;
    let response = exchange(address, server::get("/").as_bytes()).await;
    let response = String::from_utf8(response).unwrap();
    // What arrives is the same, but for the trace.
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let start = body.find("\"traceparent\"").unwrap();
    let end = start + body[start..].find("\", ").unwrap() + 3;
    assert_eq!(format!("{}{}", &body[..start], &body[end..]), bare);

    capture.flush(GENEROUS).await.unwrap();
    let records = sink.records().requests;
    let [call, request] = records.as_slice() else {
        panic!("{records:#?}")
    };
    assert_eq!(call.headers["parent_span_id"], request.headers["span_id"]);
    assert_eq!(
        (call.method.as_str(), call.status_code),
        ("POST", Some(200))
    );
    let host = call.headers["host"].as_str();
    assert_eq!(host, Some(upstream.to_string().as_str()));
    assert_eq!(call.query, Some(json!({ "token": "[masked]" })));
    assert_eq!(
        call.body,
        Some(json!({ "sku": "a", "password": "[masked]" }))
    );
    assert!(call.response_body.is_some());
}

/// A middleware as the guide describes it.
struct Captured(Capture);

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for Captured {
    async fn handle(
        &self,
        request: reqwest::Request,
        extensions: &mut axum::http::Extensions,
        next: reqwest_middleware::Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        // Both are moved into the one call.
        let mut rest = Some((next, extensions));
        let send = service_fn(move |request: Request<TeeBody<reqwest::Body>>| {
            let rest = rest.take();
            async move {
                let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))?;
                let (next, extensions) = rest.unwrap();
                let response = next.run(request, extensions).await?;
                Ok::<_, reqwest_middleware::Error>(axum::http::Response::from(response))
            }
        });
        let request = Request::<reqwest::Body>::try_from(request)?;
        let response = self.0.client_layer().layer(send).oneshot(request).await?;
        Ok(response.map(reqwest::Body::wrap).into())
    }
}

#[tokio::test]
async fn calls_through_a_middleware_of_reqwest_are_recorded() {
    let upstream = serve(Router::new().route("/stock", axum::routing::post(echo_sku))).await;
    let sink = MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let client = reqwest_middleware::ClientBuilder::new(reqwest::Client::new())
        .with(Captured(capture.clone()))
        .build();
    let response = client
        .post(format!("http://{upstream}/stock?token=PLANTED"))
        .header("content-type", "application/json")
        .body(r#"{"sku":"a","password":"PLANTED"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.text().await.unwrap(), "a");
    let nobody = client.get("http://127.0.0.1:9/").send().await;
    assert!(nobody.is_err());
    capture.flush(GENEROUS).await.unwrap();
    let records = sink.records().requests;
    let [call, failed] = records.as_slice() else {
        panic!("{records:#?}")
    };
    assert_eq!(
        (call.method.as_str(), call.status_code),
        ("POST", Some(200))
    );
    assert_eq!(call.query, Some(json!({ "token": "[masked]" })));
    assert_eq!(
        call.body,
        Some(json!({ "sku": "a", "password": "[masked]" }))
    );
    assert_eq!(call.response_body, Some(json!("a")));
    assert_eq!(failed.status_code, None);
}

async fn echo_sku(order: axum::Json<serde_json::Value>) -> String {
    order["sku"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn call_that_fails_is_recorded() {
    let sink = MemorySink::new();
    let capture = Capture::builder().start(sink.clone()).unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = capture.client_layer().layer(client);
    let nobody = "127.0.0.1:9".to_owned();
    let request = Request::get(format!("http://{nobody}/"))
        .body(Body::empty())
        .unwrap();
    assert!(client.oneshot(request).await.is_err());
    capture.flush(GENEROUS).await.unwrap();
    let call = &sink.records().requests[0];
    assert_eq!(call.status_code, None);
    let error = &call.response_headers.as_ref().unwrap()["error"];
    assert!(error.as_str().unwrap().starts_with("failed: "), "{error}");
}
