//! The storage of the tables, and the state of the process.

use std::time::{Duration, Instant};

use lookback::maintenance::sealing::{SealStep, Sealer};
use lookback::maintenance::{
    MaintenanceOptions, MaintenanceWorker, PrecreateOptions, RetentionPolicy, precreate_partitions,
    storage_report,
};
use lookback::{Json, Log, Metric, Model as _, UserRole};
use lookback_server::syslog::Syslog;

use crate::support::TestServer;

const DEADLINE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A server with 4 partitions of 10,000 ids, of which three are full and old, and two sealed.
async fn filled() -> TestServer {
    let policy = RetentionPolicy::default().older_than(30 * DAY);
    let server = TestServer::start_with(|settings| {
        settings.retention = vec![(Log::TABLE, policy), (Metric::TABLE, policy)];
    })
    .await;
    // Those of the migration have millions of ids.
    server
        .execute(
            "DROP TABLE logs_p0000000000000000, logs_p0000000004194304, logs_p0000000008388608",
        )
        .await;
    let mut precreate = PrecreateOptions::default();
    precreate.count = 4;
    precreate.ids_per_partition = 10_000;
    precreate_partitions(&server.pool, Log::TABLE, &precreate)
        .await
        .unwrap();
    server
        .execute(
            "INSERT INTO logs (source, level, message, created_at) \
             SELECT 'API', 'info', 'line ' || n, \
             now() - CASE WHEN n < 30000 THEN interval '40 days' ELSE interval '1 day' END \
             FROM generate_series(1, 35000) AS n",
        )
        .await;
    let mut sealer = Sealer::new(Log::TABLE, 10_000).unwrap();
    for _ in 0..2 {
        let step = sealer.steps(&server.pool, 1, Duration::ZERO).await.unwrap();
        assert!(matches!(step, SealStep::Sealed { .. }), "{step:?}");
    }
    server
}

#[tokio::test]
async fn storage_has_partitions_sealing_and_what_pruning_would_delete() {
    let server = filled().await;
    let answer = server.get("/api/v1/storage").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let tables = json["data"].as_array().unwrap();
    let names: Vec<&str> = tables
        .iter()
        .map(|t| t["table"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["logs", "request_snapshots", "metrics", "users"]);
    let logs = &tables[0];
    assert_eq!(logs["rows"], 35_000_u64);
    assert_eq!(logs["rows_are_exact"], false);
    assert_eq!(logs["newest_id"], 35_000_u64);
    let sealed_until = logs["sealed_until"].as_u64().unwrap();
    assert_eq!(logs["unsealed_rows"], 35_000 - sealed_until);
    assert!((19_000..=20_000).contains(&sealed_until), "{sealed_until}");
    assert!(logs["bytes"]["table"].as_u64().unwrap() > 1_000_000);
    assert!(logs["bytes"]["search"].as_u64().unwrap() > 0);
    let partitions = logs["partitions"].as_array().unwrap();
    let state = |at: usize| partitions[at]["state"].as_str().unwrap();
    assert_eq!((state(0), state(2)), ("sealed", "hot"), "{partitions:#?}");
    assert_eq!(partitions[0]["to"], 10_000_u64);
    assert_eq!(logs["retention"]["older_than_seconds"], 30_u64 * 86_400);
    assert_eq!(logs["retention"]["larger_than_bytes"], Json::Null);
    let plan = &logs["prune_plan"];
    assert_eq!(plan["deleted_rows"], 29_999_u64, "{plan}");
    assert_eq!(plan["dropped_partitions"].as_array().unwrap().len(), 3);
    // A table without a policy keeps everything.
    assert_eq!(tables[1]["retention"]["older_than_seconds"], Json::Null);
    assert_eq!(tables[1]["prune_plan"], Json::Null);
    assert_eq!(tables[2]["prune_plan"]["deleted_rows"], 0_u64);

    // It is what the library reports, and so the command line.
    let mut conn = server.pool.acquire().await.unwrap();
    let policy = RetentionPolicy::default().older_than(30 * DAY);
    let report = storage_report(&mut conn, &[(Log::TABLE, policy)]).await;
    let report = report.unwrap()[0].to_json();
    assert_eq!(report["prune_plan"], logs["prune_plan"]);
    assert_eq!(report["partitions"], logs["partitions"]);
}

#[tokio::test]
async fn storage_is_measured_once_for_readers_who_ask_again() {
    let server = filled().await;
    let ask = async || {
        let answer = server.get("/api/v1/storage").await;
        assert_eq!(answer.status, 200);
        answer.json()["metadata"]["measured_at"].clone()
    };
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!(first, second);
    assert_eq!(ask().await, first);
    let refused = server.get("/api/v1/storage?table=logs").await;
    assert_eq!(refused.problem(), "invalid-query");
}

#[tokio::test]
async fn users_read_storage_and_status() {
    let server = TestServer::start().await;
    let browser = server.browser("ada@shop.test", UserRole::User).await;
    for path in ["/api/v1/storage", "/api/v1/status"] {
        let answer = server.send("GET", path, &browser.headers(), "").await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

async fn status(server: &TestServer) -> Json {
    let answer = server.get("/api/v1/status").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"].clone()
}

#[tokio::test]
async fn status_counts_what_is_stored_rejected_and_refused() {
    let server = TestServer::start_with(|settings| settings.body_bytes = 1_000).await;
    let before = status(&server).await;
    assert_eq!(before["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(before["is_ready"], true);
    assert_eq!(before["problem"], Json::Null);
    assert_eq!(before["syslog"], Json::Null);
    assert_eq!(before["maintenance"], Json::Null);
    assert_eq!(before["limits"]["ingests"]["limit"], 256_u64);
    assert_eq!(before["limits"]["tail_readers"]["used"], 0_u64);
    let lines = "{\"level\":\"info\",\"source\":\"a\",\"message\":\"one\"}\n\
                 {\"level\":\"loud\",\"source\":\"a\",\"message\":\"two\"}\n";
    let ndjson = "application/x-ndjson";
    let stored = server.post("/api/v1/logs", ndjson, lines).await;
    assert_eq!(stored.status, 200, "{stored:?}");
    let refused = server.post("/api/v1/logs", ndjson, "x".repeat(2_000)).await;
    assert_eq!(refused.status, 413);
    let after = status(&server).await;
    assert_eq!(after["stored_records"]["logs"], 1_u64, "{after}");
    assert_eq!(after["stored_records"]["requests"], 0_u64);
    assert_eq!(after["rejected_records"], 1_u64);
    assert_eq!(after["refused_bodies"]["invalid"], 1_u64);
    assert_eq!(after["refused_bodies"]["busy"], 0_u64);
    assert!(after["uptime_seconds"].as_f64() > before["uptime_seconds"].as_f64());
    let metrics = server.get("/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let line = "lookback_bodies_refused_total{inlet=\"/api/v1/logs\",reason=\"invalid\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn status_says_when_bodies_are_refused_for_want_of_room() {
    let server = TestServer::start_with(|settings| settings.ingests = 0).await;
    let refused = server.post("/api/v1/logs", "application/json", "{}").await;
    assert_eq!(refused.problem(), "busy");
    let status = status(&server).await;
    assert_eq!(status["is_ready"], false, "{status}");
    assert_eq!(status["problem"], "too many bodies are being stored");
    assert_eq!(status["refused_bodies"]["busy"], 1_u64);
}

#[tokio::test]
async fn status_has_maintenance_and_syslog_of_the_process() {
    let server = TestServer::start().await;
    server
        .execute(
            "INSERT INTO logs (source, level, message) \
             SELECT 'API', 'info', 'line ' || n FROM generate_series(1, 2000) AS n",
        )
        .await;
    let mut options = MaintenanceOptions::default();
    options.segment_ids = 1_000;
    let worker = MaintenanceWorker::spawn(server.pool.clone(), options).unwrap();
    server.server.observe_maintenance(worker.observer());
    let syslog = Syslog::new(&server.server);
    let counts = syslog.counts();
    let serving = tokio::spawn(syslog.serve(std::future::pending()));
    let started = Instant::now();
    let found = loop {
        let status = status(&server).await;
        let has_sealed = status["maintenance"]["sealed_records"].as_u64() > Some(0);
        if has_sealed && status["syslog"] != Json::Null {
            break status;
        }
        assert!(started.elapsed() < DEADLINE, "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(found["maintenance"]["is_failing"], false);
    assert_eq!(found["maintenance"]["is_behind"], false);
    assert_eq!(found["syslog"]["dropped"], counts.dropped());
    let metrics = server.get("/metrics").await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    for line in [
        "lookback_maintenance_behind 0\n",
        "lookback_syslog_messages_total{result=\"stored\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    worker.stop().await;
    serving.abort();
}
