//! Records as they arrive, as server-sent events.

use std::net::SocketAddr;
use std::time::Duration;

use lookback::{ApiKey, Json, KeyScope};
use lookback_server::{Server, Settings};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::TestServer;

/// Longer than anything takes on a busy machine; only failures take this long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A client that follows a table.
struct Follower {
    stream: TcpStream,
    text: String,
    last_id: String,
}

/// An event with data: its name and its data.
#[derive(Debug, PartialEq)]
struct Event(String, Json);

impl Follower {
    async fn start(server: &TestServer, path: &str) -> Self {
        Self::start_with(server, path, &server.key, "").await
    }

    async fn start_with(server: &TestServer, path: &str, key: &str, last_id: &str) -> Self {
        Self::connect(server.address, path, key, last_id).await
    }

    async fn connect(address: SocketAddr, path: &str, key: &str, last_id: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let last_id = match last_id {
            "" => String::new(),
            id => format!("last-event-id: {id}\r\n"),
        };
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n{last_id}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut follower = Self {
            stream,
            text: String::new(),
            last_id: String::new(),
        };
        let head = follower.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        let Event(name, _) = follower.event().await;
        assert_eq!(name, "start");
        follower
    }

    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some((before, after)) = self.text.split_once(end) {
                let before = before.to_owned();
                self.text = after.to_owned();
                return before;
            }
            let mut bytes = [0; 4096];
            let read = tokio::time::timeout(DEADLINE, self.stream.read(&mut bytes));
            let read = read.await.unwrap().unwrap();
            assert_ne!(read, 0, "it ended: {}", self.text);
            // The sizes of chunks are lines of their own.
            let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
            self.text.push_str(&text);
        }
    }

    /// The next event with data.
    async fn event(&mut self) -> Event {
        loop {
            let block = self.until("\n\n").await;
            let field = |name: &str| {
                let lines = block.lines().map(str::trim_end);
                lines
                    .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                    .next_back()
                    .map(str::to_owned)
            };
            if let Some(id) = field("id") {
                self.last_id = id;
            }
            if let Some(data) = field("data") {
                let data = data.parse().unwrap_or_else(|_| panic!("{block}"));
                return Event(field("event").unwrap_or_default(), data);
            }
        }
    }

    async fn message(&mut self) -> String {
        let Event(name, record) = self.event().await;
        assert_eq!(name, "", "{record}");
        record["message"].as_str().unwrap().to_owned()
    }
}

async fn insert(pool: &PgPool, level: &str, message: &str) {
    sqlx::query("INSERT INTO logs (source, level, message) VALUES ('API', $1, $2)")
        .bind(level)
        .bind(message)
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn tail_sends_what_arrives_after_its_start_with_late_commits() {
    let server = TestServer::start().await;
    insert(&server.pool, "info", "before").await;
    let mut late = server.pool.begin().await.unwrap();
    sqlx::query("INSERT INTO logs (source, level, message) VALUES ('API', 'info', 'late')")
        .execute(&mut *late)
        .await
        .unwrap();
    let mut follower = Follower::start(&server, "/api/v1/logs/tail").await;
    insert(&server.pool, "info", "one").await;
    assert_eq!(follower.message().await, "one");
    insert(&server.pool, "info", "two").await;
    assert_eq!(follower.message().await, "two");
    late.commit().await.unwrap();
    assert_eq!(follower.message().await, "late");
    insert(&server.pool, "info", "three").await;
    assert_eq!(follower.message().await, "three");
}

#[tokio::test]
async fn tail_goes_on_behind_the_last_event_id() {
    let server = TestServer::start().await;
    let mut late = server.pool.begin().await.unwrap();
    let mut follower = Follower::start(&server, "/api/v1/logs/tail?level=error").await;
    sqlx::query("INSERT INTO logs (source, level, message) VALUES ('API', 'error', 'late')")
        .execute(&mut *late)
        .await
        .unwrap();
    for n in 0..3 {
        insert(&server.pool, "error", &format!("{n}")).await;
    }
    assert_eq!(follower.message().await, "0");
    let first = follower.last_id.clone();
    assert_eq!(follower.message().await, "1");
    drop(follower);
    for n in 3..6 {
        insert(&server.pool, "error", &format!("{n}")).await;
        insert(&server.pool, "info", "of no interest").await;
    }
    late.commit().await.unwrap();
    let again = async |id: &str| {
        let path = "/api/v1/logs/tail?level=error";
        let mut follower = Follower::start_with(&server, path, &server.key, id).await;
        let mut messages = Vec::new();
        for _ in 0..6 {
            messages.push(follower.message().await);
        }
        messages.sort_unstable();
        (messages, follower.last_id)
    };
    let (messages, last) = again(&first).await;
    assert_eq!(messages, ["1", "2", "3", "4", "5", "late"]);
    insert(&server.pool, "error", "6").await;
    let mut follower =
        Follower::start_with(&server, "/api/v1/logs/tail?level=error", &server.key, &last).await;
    assert_eq!(follower.message().await, "6");
}

#[tokio::test]
async fn readers_of_one_table_share_its_poll() {
    let server = TestServer::start().await;
    let mut followers = Vec::new();
    for n in 0..20 {
        let path = match n % 3 {
            0 => "/api/v1/logs/tail",
            1 => "/api/v1/logs/tail?level=error",
            _ => "/api/v1/logs/tail?match=disk",
        };
        followers.push((n % 3, Follower::start(&server, path).await));
    }
    insert(&server.pool, "info", "disk full").await;
    insert(&server.pool, "error", "no memory").await;
    for (kind, follower) in &mut followers {
        if *kind != 1 {
            assert_eq!(follower.message().await, "disk full");
        }
        if *kind != 2 {
            assert_eq!(follower.message().await, "no memory");
        }
    }
    // At rest, the number of readers costs nothing.
    let polls = async || -> i64 {
        sqlx::query_scalar(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()",
        )
        .fetch_one(&server.pool)
        .await
        .unwrap()
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = polls().await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let during = polls().await - before;
    // Four seconds are 20 polls of two statements; one for each reader would be 400.
    assert!(during < 200, "{during}");
}

#[tokio::test]
async fn deleted_records_and_last_ones_are_sent_if_asked_for() {
    let server = TestServer::start().await;
    for n in 0..4 {
        insert(&server.pool, "warn", &format!("old {n}")).await;
    }
    sqlx::query("UPDATE logs SET deleted_at = now() WHERE message = 'old 2'")
        .execute(&server.pool)
        .await
        .unwrap();
    let mut follower = Follower::start(&server, "/api/v1/logs/tail?last=2").await;
    assert_eq!(follower.message().await, "old 1");
    assert_eq!(follower.message().await, "old 3");
    let mut deleted = Follower::start(&server, "/api/v1/logs/tail?last=2&deleted=only").await;
    let Event(_, record) = deleted.event().await;
    assert_eq!(record["message"], "old 2");
    assert!(record["deleted_at"].is_string(), "{record}");
    insert(&server.pool, "warn", "new").await;
    assert_eq!(follower.message().await, "new");
    let mut requests = Follower::start(&server, "/api/v1/requests/tail").await;
    sqlx::query(
        "INSERT INTO request_snapshots (method, path, timestamp, version, stage) VALUES \
         ('GET', '/orders', now(), '1', 'test')",
    )
    .execute(&server.pool)
    .await
    .unwrap();
    let Event(_, record) = requests.event().await;
    assert_eq!(record["path"], "/orders");
}

#[tokio::test]
async fn wrong_tails_are_problems() {
    let server = TestServer::start_with(|settings| settings.tail.readers = 1).await;
    for (query, status, field) in [
        ("levle=error", 400, "levle"),
        ("last=x", 400, "last"),
        ("after=x", 400, "after"),
        ("deleted=maybe", 400, "deleted"),
        ("search=disk", 400, "search"),
        ("id=x", 400, "id"),
        // A position in another table, and one of ids that there are not.
        (
            "after=WzEsInJlcXVlc3Rfc25hcHNob3RzIiwxLFtdXQ",
            400,
            "position",
        ),
        ("after=WzEsImxvZ3MiLDQ3MTEsW11d", 400, "position"),
    ] {
        let answer = server.get(&format!("/api/v1/logs/tail?{query}")).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(
            (answer.status, answer.problem()),
            (status, "invalid-query".to_owned()),
            "{query}: {text}"
        );
        assert!(text.contains(field), "{query}: {text}");
    }
    let answer = server.send("GET", "/api/v1/logs/tail", &[], "").await;
    assert_eq!(answer.status, 401);
    let (_, key) = server.new_key(KeyScope::Ingest).await;
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", &*bearer)];
    let answer = server.send("GET", "/api/v1/logs/tail", &headers, "").await;
    assert_eq!(answer.status, 403);
    let follower = Follower::start(&server, "/api/v1/logs/tail").await;
    let answer = server.get("/api/v1/logs/tail").await;
    assert_eq!((answer.status, answer.problem()), (503, "busy".to_owned()));
    // Its place is free when it has gone.
    drop(follower);
    let again = async {
        while server.get("/api/v1/logs/tail?levle=x").await.status == 503 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, again).await.unwrap();
}

#[tokio::test]
async fn revoked_key_ends_the_tail() {
    let server = TestServer::start_with(|settings| {
        settings.tail.access_interval = Duration::from_millis(200);
    })
    .await;
    let (id, key) = server.new_key(KeyScope::Read).await;
    let mut follower = Follower::start_with(&server, "/api/v1/logs/tail", &key, "").await;
    insert(&server.pool, "info", "one").await;
    assert_eq!(follower.message().await, "one");
    ApiKey::records().delete(&server.pool, id).await.unwrap();
    let Event(name, data) = follower.event().await;
    assert_eq!((&*name, data["reason"].as_str()), ("end", Some("access")));
    assert_eq!(data["last_event_id"], *follower.last_id);
}

#[tokio::test]
async fn slow_reader_is_dropped_with_an_event_and_loses_nothing() {
    let server =
        TestServer::start_with(|settings| settings.tail.patience = Duration::from_millis(500))
            .await;
    let mut follower = Follower::start(&server, "/api/v1/logs/tail").await;
    // More than the buffers of the sockets hold.
    let sql = "INSERT INTO logs (source, level, message) \
               SELECT 'API', 'info', n || repeat('x', 20000) FROM generate_series(1, 1500) AS n";
    sqlx::query(sql).execute(&server.pool).await.unwrap();
    let number = |message: &str| message.trim_end_matches('x').parse::<u32>().unwrap();
    // They are on their way: from now on, nothing is read.
    let mut read = vec![number(&follower.message().await)];
    tokio::time::sleep(Duration::from_secs(4)).await;
    let reading = async {
        loop {
            let Event(name, data) = follower.event().await;
            if name == "end" {
                return data;
            }
            read.push(number(data["message"].as_str().unwrap()));
            assert!(read.len() < 1_500, "it was not dropped");
        }
    };
    let end = tokio::time::timeout(DEADLINE, reading).await.unwrap();
    assert_eq!(end["reason"], "slow", "{end}");
    assert!(!read.is_empty() && read.len() < 1_500, "{}", read.len());
    let last = follower.last_id.clone();
    assert_eq!(end["last_event_id"], *last);
    let mut follower = Follower::start_with(&server, "/api/v1/logs/tail", &server.key, &last).await;
    while read.len() < 1_500 {
        let Event(name, data) = follower.event().await;
        if name == "end" {
            // On a busy machine, this reader may be slow again.
            let last = follower.last_id.clone();
            follower = Follower::start_with(&server, "/api/v1/logs/tail", &server.key, &last).await;
            continue;
        }
        read.push(number(data["message"].as_str().unwrap()));
    }
    assert_eq!(read, (1..=1_500).collect::<Vec<_>>());
}

#[tokio::test]
async fn heartbeats_move_the_id_of_a_reader_that_gets_nothing() {
    let server =
        TestServer::start_with(|settings| settings.tail.heartbeat = Duration::from_millis(300))
            .await;
    let mut follower = Follower::start(&server, "/api/v1/logs/tail?level=error").await;
    let start = follower.last_id.clone();
    insert(&server.pool, "info", "of no interest").await;
    let moved = async {
        loop {
            let block = follower.until("\n\n").await;
            assert!(block.contains(": heartbeat\n"), "{block}");
            let id = block.rsplit("id: ").next().unwrap().to_owned();
            if id != start {
                return id;
            }
        }
    };
    let id = tokio::time::timeout(DEADLINE, moved).await.unwrap();
    drop(follower);
    insert(&server.pool, "error", "of interest").await;
    let mut follower =
        Follower::start_with(&server, "/api/v1/logs/tail?level=error", &server.key, &id).await;
    assert_eq!(follower.message().await, "of interest");
}

#[tokio::test]
async fn tails_end_at_once_when_the_server_stops() {
    let server = TestServer::start().await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = {
        let server = Server::new(server.pool.clone(), Settings::default());
        tokio::spawn(async move {
            let signal = async {
                let _stopped = stopped.await;
            };
            server.serve(listener, signal).await
        })
    };
    let mut follower = Follower::connect(address, "/api/v1/logs/tail", &server.key, "").await;
    insert(&server.pool, "info", "one").await;
    assert_eq!(follower.message().await, "one");
    stop.send(()).unwrap();
    let Event(name, data) = follower.event().await;
    assert_eq!((&*name, data["reason"].as_str()), ("end", Some("shutdown")));
    // Well before the 30 s that requests may take.
    let ended = tokio::time::timeout(Duration::from_secs(15), serving).await;
    ended.unwrap().unwrap().unwrap();
    // Another server goes on.
    insert(&server.pool, "info", "two").await;
    let id = follower.last_id.clone();
    let mut follower = Follower::start_with(&server, "/api/v1/logs/tail", &server.key, &id).await;
    assert_eq!(follower.message().await, "two");
}

#[tokio::test]
async fn readers_of_an_address_leave_it_connections() {
    let server = TestServer::start_with(|settings| settings.connections_per_address = 6).await;
    let mut followers = Vec::new();
    for _ in 0..3 {
        followers.push(Follower::start(&server, "/api/v1/logs/tail").await);
    }
    let answer = server.get("/api/v1/logs/tail").await;
    assert_eq!((answer.status, answer.problem()), (503, "busy".to_owned()));
    assert_eq!(server.get("/health/live").await.status, 200);
}

/// A reader that waits for a connection must not keep one: all would wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_readers_share_few_connections() {
    let server = TestServer::start_with_pool(PgPoolOptions::new().max_connections(2), |settings| {
        settings.tail.access_interval = Duration::from_millis(50);
        // Longer than a follower waits.
        settings.connection_timeout = Duration::from_secs(600);
    })
    .await;
    let mut followers = Vec::new();
    for n in 0..20 {
        let path = format!("/api/v1/logs/tail?id__ne=-{n}");
        followers.push(Follower::start(&server, &path).await);
    }
    let sql = "INSERT INTO logs (source, level, message) \
               SELECT 'API', 'info', n::text FROM generate_series(1, 3000) AS n";
    sqlx::query(sql).execute(&server.pool).await.unwrap();
    let reading = followers.into_iter().map(|mut follower| {
        tokio::spawn(async move {
            for n in 1..=3_000 {
                assert_eq!(follower.message().await, n.to_string());
            }
        })
    });
    for reader in reading.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
}
