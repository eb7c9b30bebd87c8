//! Connecting to a database.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use crate::support::Lookback;

/// What a client sends first, to ask for TLS.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Listens in front of a server, and agrees to TLS, but then speaks something else: as a server
/// does whose certificate a client cannot read.
fn with_broken_tls(server: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            std::thread::spawn(move || {
                let mut first = [0; 8];
                client.read_exact(&mut first).unwrap();
                if first == TLS_REQUEST {
                    client.write_all(b"S").unwrap();
                    let _hello = client.read(&mut [0; 4096]).unwrap();
                    client
                        .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        .unwrap();
                    client.shutdown(Shutdown::Write).unwrap();
                    return;
                }
                let mut server = TcpStream::connect(server).unwrap();
                server.write_all(&first).unwrap();
                let (mut to, mut from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ended = std::io::copy(&mut from, &mut to);
                    to.shutdown(Shutdown::Write)
                });
                let _ended = std::io::copy(&mut server, &mut client);
                let _ended = client.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

#[tokio::test]
async fn tls_that_fails_is_left_out_where_it_is_only_preferred() {
    let lookback = Lookback::new().await;
    let url = &lookback.db.as_ref().unwrap().url;
    let (url, _) = url.split_once('?').unwrap();
    let (before, rest) = url.rsplit_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    let proxy = with_broken_tls(host.parse().unwrap());
    for (mode, code) in [("", 0), ("?sslmode=prefer", 0), ("?sslmode=require", 1)] {
        let url = format!("{before}@{proxy}/{database}{mode}");
        let ran = lookback.run(&["logs", "list", "--database-url", &url]);
        assert_eq!(ran.code, Some(code), "{mode}: {}", ran.err);
        assert_eq!(ran.err.contains("cannot connect"), code == 1, "{}", ran.err);
    }
}
