//! Captured records in PostgreSQL.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::Full;
use lookback::capture::{
    Batch, Capture, Locator, Measurement, Platform, PostgresSink, RebuildOptions, Sink as _,
    Sketch, Window, rebuild_windows, store_windows,
};
use lookback::value::{Bytes as StoredBytes, ErrorRate};
use lookback::{GeoSource, Json, Level, Log, Metric, NewMetric, RequestSnapshot, json};
use sqlx::{Connection as _, PgConnection};
use testkit::proxy::Fault;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::time;

const GENEROUS: Duration = Duration::from_secs(60);

/// Sends a request through the layer. The service answers with the status that the path ends with.
async fn send(capture: &Capture, method: &str, path: &str, body: &'static str) {
    let service = capture.layer().layer(service_fn(
        async |request: http::Request<lookback::capture::TeeBody<Full<Bytes>>>| {
            let status = request
                .uri()
                .path()
                .rsplit('/')
                .next()
                .unwrap()
                .parse()
                .unwrap_or(200);
            let body = http_body_util::BodyExt::collect(request.into_body())
                .await
                .unwrap()
                .to_bytes();
            tracing::info!(status, "answering");
            let response = http::Response::builder()
                .status(status)
                .header("content-type", "application/json");
            Ok::<_, Infallible>(response.body(Full::new(body)).unwrap())
        },
    ));
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .header("cf-ipcountry", "CH")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    http_body_util::BodyExt::collect(response.into_body())
        .await
        .unwrap();
}

async fn all<M: lookback::Model>(db: &testkit::Database) -> Vec<M> {
    let page = lookback::QueryBuilder::<M>::new()
        .limit(1_000)
        .list(&db.pool)
        .await
        .unwrap();
    page.data
}

/// axum tells the route and the peer, and a header that is named the country.
#[cfg(feature = "axum")]
#[tokio::test]
async fn axum_tells_the_route_and_the_peer() {
    use axum::http::HeaderName;
    use lookback::capture::{CaptureAxum as _, LocationHeaders};
    let db = testkit::database().await;
    let mut headers = LocationHeaders::default();
    headers.country = Some(HeaderName::from_static("x-country"));
    let capture = Capture::builder()
        .axum()
        .locator(Locator::new().headers(headers))
        .start(PostgresSink::new(&db.pool))
        .unwrap();
    let orders = axum::Router::new().route("/orders/{id}", axum::routing::get(async || "an order"));
    let app = axum::Router::new()
        .nest("/shop", orders)
        .layer(capture.layer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<std::net::SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    let request =
        "GET /shop/orders/7 HTTP/1.1\r\nhost: shop\r\nx-country: DE\r\nconnection: close\r\n\r\n";
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer)
        .await
        .unwrap();
    assert!(answer.ends_with("an order"), "{answer}");
    capture.flush(GENEROUS).await.unwrap();
    let request = &all::<RequestSnapshot>(&db).await[0];
    assert_eq!(request.path, "/shop/orders/7");
    let headers = request.headers.as_ref().unwrap();
    assert_eq!(headers["route"], "/shop/orders/{id}");
    assert_eq!(headers["client_ip"], "127.0.0.1");
    assert_eq!(request.geo_country.as_deref(), Some("DE"));
    assert_eq!(request.geo_source, Some(GeoSource::Header));
    let windows = all::<Metric>(&db).await;
    assert_eq!(windows[0].endpoint, "GET /shop/orders/{id}");
}

#[tokio::test]
async fn requests_logs_and_windows_are_stored() {
    let db = testkit::database().await;
    let capture = Capture::builder()
        .version("1.4.0")
        .stage("test")
        .locator(Locator::new().platform(Platform::Cloudflare))
        .start(PostgresSink::new(&db.pool))
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    let guard = tracing::subscriber::set_default(subscriber);
    send(
        &capture,
        "POST",
        "/orders/200?page=2",
        r#"{"price":1.10,"password":"PLANTED"}"#,
    )
    .await;
    send(&capture, "GET", "/orders/503", "").await;
    drop(guard);
    capture.flush(GENEROUS).await.unwrap();

    let requests = all::<RequestSnapshot>(&db).await;
    let request = requests
        .iter()
        .find(|request| request.method == "POST")
        .unwrap();
    assert_eq!(
        (request.path.as_str(), request.status_code),
        ("/orders/200", Some(200))
    );
    assert_eq!(request.query, Some(json!({ "page": "2" })));
    let body: Json = r#"{"price":1.10,"password":"[masked]"}"#.parse().unwrap();
    assert_eq!(
        (&request.body, &request.response_body),
        (&Some(body.clone()), &Some(body))
    );
    assert_eq!(
        (request.version.as_str(), request.stage.as_str()),
        ("1.4.0", "test")
    );
    assert_eq!(request.geo_country.as_deref(), Some("CH"));
    assert_eq!(request.geo_source, Some(GeoSource::Platform));
    assert_eq!(request.created_at, request.timestamp);
    assert!(request.duration.is_some());

    let logs = all::<Log>(&db).await;
    assert_eq!(logs.len(), 2);
    let of_request = logs
        .iter()
        .find(|log| log.trace_id == request.trace_id)
        .unwrap();
    assert_eq!(
        (of_request.message.as_str(), of_request.level),
        ("answering", Level::Info)
    );
    assert_eq!(of_request.meta.as_ref().unwrap()["status"], 200);

    let windows = all::<Metric>(&db).await;
    let failed = windows
        .iter()
        .find(|window| window.endpoint == "GET /orders/{id}")
        .unwrap();
    assert_eq!(
        (failed.traffic_count, failed.error_rate.fraction()),
        (1, 1.0)
    );
    assert_eq!(
        failed.window_end - failed.window_start,
        TimeDelta::seconds(60)
    );
    let sizes: Vec<_> = windows
        .iter()
        .map(|window| (window.request_size, window.response_size))
        .collect();
    assert!(sizes.contains(&(Some(35), Some(35))), "{sizes:?}");
}

fn window(minute: i64, endpoint: &str, durations: &[u32], status: u16) -> Window {
    let start = time("2026-11-29T10:00:00Z") + TimeDelta::minutes(minute);
    let mut window = Window::new(start, endpoint);
    for milliseconds in durations {
        window.totals.add(Measurement {
            status: Some(status),
            milliseconds: Some(*milliseconds),
            request_bytes: 10,
            response_bytes: 100,
        });
    }
    window
}

async fn shown(db: &testkit::Database) -> Vec<(i64, String, i32, i32, i32, i32, Option<i64>)> {
    let order = [Metric::window_start().asc(), Metric::endpoint().asc()];
    let query = order
        .into_iter()
        .fold(Metric::records(), lookback::QueryBuilder::order_by);
    let page = query.limit(1_000).list(&db.pool).await.unwrap();
    let start = time("2026-11-29T10:00:00Z");
    let show = |row: Metric| {
        let minute = (row.window_start - start).num_minutes();
        let errors = row
            .error_rate
            .errors_of(u64::from(row.traffic_count.unsigned_abs()));
        (
            minute,
            row.endpoint,
            row.traffic_count,
            i32::try_from(errors).unwrap(),
            row.p50_latency,
            row.p99_latency,
            row.request_size,
        )
    };
    page.data.into_iter().map(show).collect()
}

#[tokio::test]
async fn two_processes_that_report_a_window_end_in_one_row() {
    let db = testkit::database().await;
    let report = async |durations: Vec<u32>, status: u16| {
        let mut conn = PgConnection::connect(&db.url).await.unwrap();
        for duration in durations {
            let parts = vec![
                window(0, "GET /a", &[duration], status),
                window(1, "GET /b", &[duration], status),
                window(0, "GET /a", &[duration], status),
            ];
            store_windows(&mut conn, parts).await.unwrap();
        }
    };
    tokio::join!(
        report((0..40).collect(), 200),
        report((40..80).collect(), 503),
        report((80..100).collect(), 404),
    );
    let twice: Vec<u32> = (0..100).flat_map(|duration| [duration, duration]).collect();
    let mut exact = Sketch::new();
    for duration in &twice {
        exact.add(*duration);
    }
    let rows = shown(&db).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    let p = |percent| i32::try_from(exact.percentile(percent).unwrap()).unwrap();
    assert_eq!(
        rows[0],
        (0, "GET /a".to_owned(), 200, 80, p(50), p(99), Some(2_000))
    );
    assert_eq!((rows[1].2, rows[1].3), (100, 40));
    let row = Metric::records()
        .filter(Metric::endpoint().eq("GET /a"))
        .first(&db.pool)
        .await
        .unwrap();
    assert_eq!(
        row.unwrap().latency_sketch,
        Some(StoredBytes(exact.to_bytes()))
    );
}

#[tokio::test]
async fn window_without_a_sketch_is_counted_in() {
    let db = testkit::database().await;
    let start = time("2026-11-29T10:00:00Z");
    let end = start + TimeDelta::seconds(60);
    let row = NewMetric::new(start, end, "GET /a", 7, 8, 9, ErrorRate::of(1, 4), 4);
    Metric::records().create(&db.pool, row).await.unwrap();
    let mut conn = PgConnection::connect(&db.url).await.unwrap();
    store_windows(&mut conn, vec![window(0, "GET /a", &[50, 60], 500)])
        .await
        .unwrap();
    let rows = shown(&db).await;
    assert_eq!((rows[0].2, rows[0].3, rows[0].6), (6, 3, Some(20)));
    assert!((49..=51).contains(&rows[0].4), "{rows:?}");
}

#[tokio::test]
async fn windows_are_added_once_whatever_happens_to_the_connection() {
    let faults = [
        Fault::BeforeCommit(1),
        Fault::WithCommit(1),
        Fault::BeforeAnswer(1),
        Fault::BeforeCommit(2),
        Fault::WithCommit(2),
        Fault::BeforeAnswer(2),
    ];
    let db = testkit::database().await;
    let mut next = 0;
    let (proxy, through) = testkit::proxy::Proxy::in_front_of(&db, 1, move |_| {
        next += 1;
        // Each second connection works, or nothing would ever be stored.
        if next % 2 == 0 {
            Fault::NONE
        } else {
            faults[(next / 2) % faults.len()]
        }
    })
    .await;
    for minute in 0..12 {
        // A sink of its own for each, so that each meets a fault.
        let mut sink = PostgresSink::connect(through.clone());
        for _ in 0..3 {
            let mut batch = Batch {
                windows: vec![window(minute, "GET /a", &[5], 200)],
                ..Batch::default()
            };
            for attempt in 0.. {
                match sink.store(&mut batch).await {
                    Ok(()) => break,
                    Err(error) => assert!(error.is_temporary() && attempt < 100, "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    assert!(
        proxy.cuts.load(std::sync::atomic::Ordering::SeqCst) >= 6,
        "{:?}",
        proxy.met
    );
    for row in shown(&db).await {
        assert_eq!(row.2, 3, "{row:?} with {:?}", proxy.met);
    }
}

#[tokio::test]
async fn records_wait_for_a_database_that_is_away() {
    let db = testkit::database().await;
    let (proxy, through) = testkit::proxy::Proxy::in_front_of(&db, 1, |_| Fault::NONE).await;
    proxy.close();
    let capture = Capture::builder()
        .start(PostgresSink::connect(through))
        .unwrap();
    for _ in 0..20 {
        send(&capture, "GET", "/orders/200", "").await;
    }
    let failed = capture.flush(Duration::from_millis(300)).await.unwrap_err();
    assert!(failed.is_timeout(), "{failed}");
    assert!(capture.health().last_error.is_some());
    proxy.open();
    capture.flush(GENEROUS).await.unwrap();
    assert_eq!(all::<RequestSnapshot>(&db).await.len(), 20);
    let counted: i32 = all::<Metric>(&db)
        .await
        .iter()
        .map(|window| window.traffic_count)
        .sum();
    assert_eq!(counted, 20);
    assert!(capture.health().last_error.is_none());
}

/// Two tables have a writer with a connection each, which a spill doubles, and windows have one.
#[tokio::test]
async fn records_of_a_spill_are_stored_after_a_restart() {
    let db = testkit::database().await;
    let folder = tempfile::tempdir().unwrap();
    let (proxy, through) = testkit::proxy::Proxy::in_front_of(&db, 1, |_| Fault::NONE).await;
    let through = through.application_name("captures");
    let sink = || PostgresSink::connect(through.clone()).spill(folder.path(), 64 << 20);
    let connections = async || -> i64 {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'captures'";
        sqlx::query_scalar(sql).fetch_one(&db.pool).await.unwrap()
    };
    let capture = Capture::builder().start(sink()).unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    let subscribed = tracing::subscriber::set_default(subscriber);
    send(&capture, "GET", "/orders/200", "").await;
    capture.flush(GENEROUS).await.unwrap();
    assert!((1..=5).contains(&connections().await));
    proxy.close();
    for _ in 0..30 {
        send(&capture, "POST", "/orders/201", "[1]").await;
    }
    // The sink takes all of them, since they can wait on the disk.
    let deadline = std::time::Instant::now() + GENEROUS;
    while capture.health().requests.stored < 31 {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}",
            capture.health()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(subscribed);
    drop(capture);
    assert_eq!(all::<RequestSnapshot>(&db).await.len(), 1);
    // Another process finds them, also if nothing comes, and while the folder is still in use.
    proxy.open();
    let capture = Capture::builder().start(sink()).unwrap();
    let deadline = std::time::Instant::now() + GENEROUS;
    while all::<RequestSnapshot>(&db).await.len() < 31 {
        assert!(
            std::time::Instant::now() < deadline,
            "{:?}",
            capture.health()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    send(&capture, "GET", "/orders/200", "").await;
    capture.flush(GENEROUS).await.unwrap();
    let requests = all::<RequestSnapshot>(&db).await;
    assert_eq!(requests.len(), 32);
    let posts = requests.iter().filter(|request| request.method == "POST");
    assert_eq!(posts.count(), 30);
    // One whose folder another one uses keeps its records, and says so, until it is free.
    let second = Capture::builder().start(sink()).unwrap();
    send(&second, "PUT", "/orders/200", "").await;
    let error = loop {
        if let Some(error) = second.health().last_error {
            break error;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(error.contains("in use by another writer"), "{error}");
    drop(capture);
    second.flush(GENEROUS).await.unwrap();
    assert_eq!(second.health().requests.failed, 0);
    assert_eq!(all::<RequestSnapshot>(&db).await.len(), 33);
}

#[tokio::test]
async fn records_that_the_database_rejects_are_counted() {
    let db = testkit::database().await;
    let capture = Capture::builder()
        .settings(|settings| settings.text_limit = 4 << 20)
        .start(PostgresSink::new(&db.pool))
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    let guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("{}", "long ".repeat(500_000));
    tracing::info!("short");
    drop(guard);
    capture.flush(GENEROUS).await.unwrap();
    let health = capture.health();
    assert_eq!(
        (health.logs.stored, health.logs.failed),
        (1, 1),
        "{health:?}"
    );
    assert_eq!(all::<Log>(&db).await.len(), 1);
}

#[tokio::test]
async fn kind_whose_table_is_locked_keeps_no_other_back() {
    let db = testkit::database().await;
    let capture = Capture::builder()
        .settings(|settings| settings.requests_per_second = None)
        .start(PostgresSink::new(&db.pool))
        .unwrap();
    let mut lock = db.pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE request_snapshots IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await
        .unwrap();
    // More than its writer takes.
    for _ in 0..9_000 {
        send(&capture, "GET", "/orders/200", "").await;
    }
    let subscriber = tracing_subscriber::registry().with(capture.tracing_layer());
    let guard = tracing::subscriber::set_default(subscriber);
    tracing::info!("meanwhile");
    drop(guard);
    let stored = async {
        while all::<Log>(&db).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(GENEROUS, stored).await.unwrap();
    lock.rollback().await.unwrap();
    capture.flush(GENEROUS).await.unwrap();
    let health = capture.health();
    assert_eq!(
        health.requests.stored, health.requests.captured,
        "{health:?}"
    );
}

async fn windows(
    db: &testkit::Database,
) -> Vec<(
    DateTime<Utc>,
    String,
    i32,
    i32,
    i32,
    Option<i64>,
    Option<i64>,
    Option<StoredBytes>,
)> {
    let mut rows: Vec<_> = all::<Metric>(db)
        .await
        .into_iter()
        .map(|row| {
            (
                row.window_start,
                row.endpoint,
                row.traffic_count,
                row.error_rate.per_million(),
                row.p95_latency,
                row.request_size,
                row.response_size,
                row.latency_sketch,
            )
        })
        .collect();
    rows.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    rows
}

#[tokio::test]
async fn rebuilt_windows_are_those_that_were_captured() {
    let db = testkit::database().await;
    let capture = Capture::builder()
        .start(PostgresSink::new(&db.pool))
        .unwrap();
    for (method, path, body) in [
        ("GET", "/orders/200", ""),
        ("GET", "/orders/404", ""),
        ("GET", "/orders/503", ""),
        ("POST", "/orders", r#"{"a":1}"#),
        ("FROB", "/x", ""),
    ] {
        for _ in 0..3 {
            send(&capture, method, path, body).await;
        }
    }
    capture.flush(GENEROUS).await.unwrap();
    let captured = windows(&db).await;
    assert!(captured.len() >= 3, "{captured:?}");

    let from = Utc::now() - TimeDelta::hours(2);
    let until = Utc::now() + TimeDelta::hours(1);
    let options = RebuildOptions::default();
    let report = rebuild_windows(&db.pool, from, until, options, |_, _| {})
        .await
        .unwrap();
    assert_eq!(
        (report.requests, report.changed, report.created),
        (15, 0, 0),
        "{report:?}"
    );
    assert_eq!(report.unchanged, captured.len() as u64);

    sqlx::query("DELETE FROM metrics")
        .execute(&db.pool)
        .await
        .unwrap();
    let mut dry = options;
    dry.dry_run = true;
    let report = rebuild_windows(&db.pool, from, until, dry, |_, _| {})
        .await
        .unwrap();
    assert_eq!(report.created, captured.len() as u64);
    assert!(windows(&db).await.is_empty());
    rebuild_windows(&db.pool, from, until, options, |_, _| {})
        .await
        .unwrap();
    assert_eq!(windows(&db).await, captured);

    // Without some of its requests a window is kept, unless it may become lower.
    sqlx::query("DELETE FROM request_snapshots WHERE status_code = 503")
        .execute(&db.pool)
        .await
        .unwrap();
    let report = rebuild_windows(&db.pool, from, until, options, |_, _| {})
        .await
        .unwrap();
    assert!(report.kept > 0 && report.changed == 0, "{report:?}");
    assert_eq!(windows(&db).await, captured);
    let mut lower = options;
    lower.lower = true;
    rebuild_windows(&db.pool, from, until, lower, |_, _| {})
        .await
        .unwrap();
    let total: i32 = windows(&db).await.iter().map(|row| row.2).sum();
    assert_eq!(total, 12);
}
