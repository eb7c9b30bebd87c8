//! Syslog over UDP and TCP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lookback::Json;
use lookback_server::syslog::{Counts, Syslog};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::TestServer;

struct Receiver {
    udp: SocketAddr,
    tcp: SocketAddr,
    counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Receiver {
    async fn start(server: &TestServer) -> Self {
        Self::start_with(server, |syslog| syslog).await
    }

    async fn start_with(server: &TestServer, change: impl FnOnce(Syslog) -> Syslog) -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (udp_address, tcp_address) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        let syslog = change(Syslog::new(&server.server).udp(udp).tcp(tcp));
        let counts = syslog.counts();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(syslog.serve(async {
            let _stopped = stopped.await;
        }));
        Self {
            udp: udp_address,
            tcp: tcp_address,
            counts,
            stop,
            ended,
        }
    }

    /// Waits until this many are stored.
    async fn stored(&self, number: u64) {
        let started = Instant::now();
        while self.counts.stored() < number {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "{}",
                self.counts
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn send(&self, messages: &[&str]) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for message in messages {
            socket.send_to(message.as_bytes(), self.udp).await.unwrap();
        }
    }

    async fn stop(self) -> Arc<Counts> {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap();
        self.counts
    }
}

#[tokio::test]
async fn datagrams_of_both_standards_and_of_handlers_are_stored() {
    let server = TestServer::start().await;
    let receiver = Receiver::start(&server).await;
    receiver
        .send(&[
            "<165>1 2026-11-29T10:00:00.123Z web1 shop 812 ID47 [req@1 user=\"7\"] of 5424",
            "<34>Nov 29 10:00:00 web2 su[9]: of 3164",
            // As Python's SysLogHandler does, with a stack trace.
            "<11>shop: no stock\nTraceback:\n  at a\0",
            "<14>{\"level\":\"warn\",\"msg\":\"of JSON\",\"user\":3}",
            "nothing of syslog",
            "<190>Nov 29 10:00:00 web1 nginx: 10.0.0.9 - - [29/Nov/2026:10:00:00 +0000] \"GET /a HTTP/1.1\" 200 5 \"-\" \"curl\"",
        ])
        .await;
    receiver.stored(6).await;
    let logs = server.get("/api/v1/logs?order_by=id").await.json();
    let logs = logs["data"].as_array().unwrap();
    let told: Vec<String> = logs
        .iter()
        .map(|log| {
            let text = |json: &Json| json.as_str().unwrap().to_owned();
            format!(
                "{} {} {} {}",
                text(&log["source"]),
                text(&log["level"]),
                text(&log["meta"]["host"]),
                text(&log["message"])
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "shop info web1 of 5424",
            "su error web2 of 3164",
            "shop error 127.0.0.1 no stock\nTraceback:\n  at a",
            "app warn 127.0.0.1 of JSON",
            "app info 127.0.0.1 nothing of syslog",
        ]
    );
    assert_eq!(logs[0]["meta"]["req@1"]["user"], "7");
    assert_eq!(logs[0]["created_at"], "2026-11-29T10:00:00.123Z");
    assert_eq!(logs[3]["meta"]["user"], 3);
    let requests = server.get("/api/v1/requests").await.json();
    assert_eq!(requests["data"][0]["path"], "/a");
    assert_eq!(receiver.stop().await.losses(), 0);
}

#[tokio::test]
async fn connections_send_counted_messages_and_lines() {
    let server = TestServer::start().await;
    let receiver = Receiver::start(&server).await;
    let mut counted = TcpStream::connect(receiver.tcp).await.unwrap();
    // In two parts.
    counted
        .write_all(b"17 <14>web: of 6587\n13 <14>")
        .await
        .unwrap();
    counted.flush().await.unwrap();
    receiver.stored(1).await;
    counted.write_all(b"web: more").await.unwrap();
    receiver.stored(2).await;
    let mut lines = TcpStream::connect(receiver.tcp).await.unwrap();
    lines
        .write_all(b"<11>web-c: no\n  at a\n  at b\n<14>web-d: next\n")
        .await
        .unwrap();
    // A line end is enough: the connection stays open.
    receiver.stored(4).await;
    lines.write_all(b"<14>web-e: without an end").await.unwrap();
    lines.shutdown().await.unwrap();
    receiver.stored(5).await;
    assert_eq!(
        server.messages().await,
        [
            "of 6587",
            "more",
            "no\n  at a\n  at b",
            "next",
            "without an end"
        ]
    );
    let mut long = TcpStream::connect(receiver.tcp).await.unwrap();
    let text = format!("<14>web-f: {}\n<14>web-g: behind\n", "x".repeat(100_000));
    long.write_all(text.as_bytes()).await.unwrap();
    receiver.stored(7).await;
    let messages = server.messages().await;
    assert_eq!(messages[5].len(), 64 * 1024 - "<14>web-f: ".len());
    assert_eq!(messages[6], "behind");
    let counts = receiver.stop().await;
    assert_eq!((counts.cut(), counts.dropped()), (1, 0));
}

#[tokio::test]
async fn messages_wait_while_the_database_is_away_and_those_without_room_are_counted() {
    let server = TestServer::start_with(|settings| {
        settings.connection_timeout = Duration::from_millis(50);
    })
    .await;
    let receiver = Receiver::start(&server).await;
    // All connections are taken.
    let mut taken = Vec::new();
    while let Ok(Ok(connection)) =
        tokio::time::timeout(Duration::from_millis(300), server.pool.acquire()).await
    {
        taken.push(connection);
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let filler = format!("<14>filler: {}", "x".repeat(60_000));
    let mut sent = 0;
    while receiver.counts.dropped() == 0 {
        sent += 1;
        assert!(sent < 2_000, "nothing is dropped");
        socket
            .send_to(filler.as_bytes(), receiver.udp)
            .await
            .unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(receiver.counts.stored(), 0);
    drop(taken);
    // 16 MiB of messages with 60,012 bytes and what each costs beside them.
    receiver.stored(278).await;
    let counts = receiver.stop().await;
    assert_eq!(counts.stored(), 278, "{counts}");
    assert!(counts.to_string().contains("dropped for want of room"));
}

#[tokio::test]
async fn what_was_received_is_stored_before_the_end() {
    let server = TestServer::start().await;
    let receiver = Receiver::start(&server).await;
    let mut stream = TcpStream::connect(receiver.tcp).await.unwrap();
    for number in 0..500 {
        let line = format!("<14>a: line {number}\n");
        stream.write_all(line.as_bytes()).await.unwrap();
    }
    receiver.stored(1).await;
    let counts = receiver.stop().await;
    let messages = server.messages().await;
    assert_eq!(messages.len() as u64, counts.stored());
    assert_eq!(counts.losses(), 0, "{counts}");
    for (number, message) in messages.iter().enumerate() {
        assert_eq!(*message, format!("line {number}"));
    }
}

#[tokio::test]
async fn senders_that_are_not_allowed_are_counted_and_nothing_of_them_is_stored() {
    let server = TestServer::start().await;
    let Some(own) = own_address().await else {
        return;
    };
    for (allowed, is_stored) in [(None, false), (Some(own), true)] {
        let udp = UdpSocket::bind((own, 0)).await.unwrap();
        let address = udp.local_addr().unwrap();
        let mut syslog = Syslog::new(&server.server).udp(udp);
        if let Some(allowed) = allowed {
            syslog = syslog.allow([allowed.to_string().parse().unwrap()]);
        }
        let counts = syslog.counts();
        let (stop, stopped) = oneshot::channel::<()>();
        let ended = tokio::spawn(syslog.serve(async {
            let _stopped = stopped.await;
        }));
        let socket = UdpSocket::bind((own, 0)).await.unwrap();
        socket.send_to(b"<14>a: hello", address).await.unwrap();
        let started = Instant::now();
        while counts.stored() + counts.not_allowed() == 0 {
            assert!(started.elapsed() < Duration::from_secs(60), "{counts}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(counts.stored() == 1, is_stored, "{counts}");
        stop.send(()).unwrap();
        ended.await.unwrap();
    }
}

/// An address of this machine that is not its loopback; `None` if it has no network.
async fn own_address() -> Option<std::net::IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").await.ok()?;
    // Nothing is sent by this.
    socket.connect("192.0.2.1:9").await.ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
