//! Applying through a transaction pooler, which moves a connection between sessions.

use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lookback_migrate::{ApplyOptions, Event};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use super::{Shop, message};

/// The write halves to both clients, or to both sessions of the server.
type Writers = Arc<[Mutex<Option<OwnedWriteHalf>>; 2]>;

/// Serves two clients; client `n` has session `n ^ swap` of the server, and `swap` may
/// change while both are idle. Returns the port.
async fn pooler(server: (String, u16), swap: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (to_clients, to_servers) = (Writers::default(), Writers::default());
    tokio::spawn(async move {
        for n in 0..2 {
            let (client, _) = listener.accept().await.unwrap();
            let (from_client, to_client) = client.into_split();
            let server = TcpStream::connect((server.0.as_str(), server.1))
                .await
                .unwrap();
            let (from_server, to_server) = server.into_split();
            *to_clients[n].lock().await = Some(to_client);
            *to_servers[n].lock().await = Some(to_server);
            tokio::spawn(relay(n, from_client, to_servers.clone(), swap.clone()));
            tokio::spawn(relay(n, from_server, to_clients.clone(), swap.clone()));
        }
    });
    port
}

async fn relay(n: usize, mut from: OwnedReadHalf, to: Writers, swap: Arc<AtomicUsize>) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut writer = to[n ^ swap.load(Ordering::SeqCst)].lock().await;
        if writer
            .as_mut()
            .unwrap()
            .write_all(&buffer[..length])
            .await
            .is_err()
        {
            break;
        }
    }
}

#[tokio::test]
async fn connection_moved_to_another_session_stops_apply() {
    let mut shop = Shop::new(&[
        ("1_a.sql", "CREATE TABLE a ()"),
        ("2_b.sql", "CREATE TABLE b ()"),
    ])
    .await;
    let options = PgConnectOptions::from_str(&shop.db.url).unwrap();
    let swap = Arc::new(AtomicUsize::new(0));
    let server = (options.get_host().to_owned(), options.get_port());
    let port = pooler(server, swap.clone()).await;
    let options = options.host("127.0.0.1").port(port);
    let mut moved = options.connect().await.unwrap();
    let other = options.connect().await.unwrap();

    let migrations = shop.migrations();
    let mut sink = |event: Event| {
        if matches!(&event, Event::Applying { file } if file == "2_b.sql") {
            swap.store(1, Ordering::SeqCst);
        }
    };
    let options = ApplyOptions::default();
    let applied = lookback_migrate::apply(&mut moved, &migrations, &options, &mut sink);
    let error = message(&applied.await.unwrap_err());
    insta::with_settings!({filters => vec![(r"process \d+", "process [pid]")]}, {
        insta::assert_snapshot!(error, @"
        error: cannot begin 2_b.sql: the connection is now to server process [pid], and server process [pid] holds the migration lock
        hint: a pooler moves the connection between sessions; connect to the server itself, or to a pooler that keeps a session for each client
        ");
    });
    assert_eq!(shop.status().await, "1 Applied\n2 Pending");
    assert_eq!(shop.lines("SELECT to_regclass('b') IS NULL").await, "true");
    // The session that holds the lock belongs to the other connection now.
    drop((moved, other));
    shop.migrate().await.ok();
}

#[tokio::test]
async fn migration_lock_released_by_a_file_stops_apply() {
    let mut shop = Shop::new(&[
        ("1_a.sql", "SELECT pg_advisory_unlock_all()"),
        ("2_b.sql", "CREATE TABLE b ()"),
    ])
    .await;
    insta::assert_snapshot!(shop.migrate().await.error(), @"
    error: cannot begin 2_b.sql: the migration lock was released
    hint: a migration must not call pg_advisory_unlock_all() or DISCARD ALL; run it again for the rest
    ");
    assert_eq!(shop.migrate().await.ok().len(), 1);
}

#[tokio::test]
async fn pooler_port_or_host_name_emits_warning() {
    let mut shop = Shop::new(&[]).await;
    for (url, expected) in [
        ("postgres://db.example:6432/shop", Some("db.example:6432")),
        ("postgres://db.example:6543/shop", Some("db.example:6543")),
        (
            "postgres://eu-pooler.example/shop",
            Some("eu-pooler.example:5432"),
        ),
        ("postgres://db.example:5432/shop", None),
    ] {
        shop.options.connected_to = Some(PgConnectOptions::from_str(url).unwrap());
        let ran = shop.migrate().await;
        let warned: Vec<String> = ran
            .events
            .iter()
            .filter(|event| event.is_warning())
            .map(ToString::to_string)
            .collect();
        assert_eq!(warned.len(), usize::from(expected.is_some()), "{url}");
        if let Some(expected) = expected {
            assert!(warned[0].starts_with(expected), "{warned:?}");
        }
    }
    shop.conn.close().await.unwrap();
}
