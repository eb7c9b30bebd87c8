use std::io::ErrorKind;
use std::net::TcpListener;

use lookback_embedded::{Event, Remedy, ignore_events};

use crate::support::{TestServer, query, start, start_error, start_with_events};

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn taken_given_port_is_an_error() {
    let place = TestServer::new();
    let (listener, port) = listen();
    let error = start_error(&place.server().port(port));
    assert!(error.is_port_conflict(), "{error:?}");
    assert_eq!(error.remedy(), Some(Remedy::ChoosePort));
    let expected = format!("port {port} on 127.0.0.1 is in use");
    assert!(error.to_string().starts_with(&expected), "{error}");

    // Another program may take the free port before the server does.
    start(&place.server());
    place.server().stop(&ignore_events).unwrap();
    drop(listener);
    let mut free = port;
    for attempt in 1.. {
        let (running, _) = start_with_events(&place.server().port(free));
        match running {
            Err(error) if error.is_port_conflict() && attempt < 10 => free = listen().1,
            running => {
                assert_eq!(running.unwrap().port(), free);
                return;
            }
        }
    }
}

#[test]
fn taken_saved_port_is_replaced_permanently() {
    let place = TestServer::new();
    let server = place.server();
    // Another program may take the port before this test does.
    let mut attempts = 0;
    let (before, listener) = loop {
        let before = start(&server).port();
        server.stop(&ignore_events).unwrap();
        attempts += 1;
        match TcpListener::bind(("127.0.0.1", before)) {
            Err(e) if e.kind() == ErrorKind::AddrInUse && attempts < 10 => {}
            listener => break (before, listener.unwrap()),
        }
    };
    let (running, events) = start_with_events(&server);
    let after = running.unwrap().port();
    assert_ne!(after, before);
    let moved = Event::PortChanged {
        from: before,
        to: after,
    };
    assert!(events.contains(&moved), "{events:?}");

    drop(listener);
    server.stop(&ignore_events).unwrap();
    let (running, events) = start_with_events(&server);
    let last = running.unwrap().port();
    // If that port was taken meanwhile, an event names it, and so it was saved.
    let moved = Event::PortChanged {
        from: after,
        to: last,
    };
    assert!(
        last == after || events.contains(&moved),
        "{last} {after} {events:?}"
    );
}

#[test]
fn given_port_other_than_the_running_one_is_an_error() {
    let place = TestServer::new();
    let running = place.start();
    let (_listener, port) = listen();
    let error = start_error(&place.server().port(port));
    assert!(error.is_port_conflict(), "{error:?}");
    assert_eq!(error.remedy(), Some(Remedy::StopServer));
    let expected = format!("not on the given port {port}");
    assert!(error.to_string().ends_with(&expected), "{error}");
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
}
