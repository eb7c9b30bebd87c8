use std::io::ErrorKind;
use std::net::TcpListener;

use lookback_embedded::{Event, Remedy, quiet};

use crate::support::{Place, query, refused, start, start_heard};

fn taken() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn a_given_port_that_is_taken_is_an_error() {
    let place = Place::new();
    let (listener, port) = taken();
    let error = refused(&place.server().port(port));
    assert!(error.is_port_conflict(), "{error:?}");
    assert_eq!(error.remedy(), Some(Remedy::ChoosePort));
    let expected = format!("port {port} on 127.0.0.1 is taken");
    assert!(error.to_string().starts_with(&expected), "{error}");

    // A port that is given up may be taken by another program before the server is there.
    start(&place.server());
    place.server().stop(&quiet).unwrap();
    drop(listener);
    let mut free = port;
    for attempt in 1.. {
        let (running, _) = start_heard(&place.server().port(free));
        match running {
            Err(error) if error.is_port_conflict() && attempt < 10 => free = taken().1,
            running => {
                assert_eq!(running.unwrap().port(), free);
                return;
            }
        }
    }
}

#[test]
fn a_remembered_port_that_is_taken_is_replaced_for_good() {
    let place = Place::new();
    let server = place.server();
    // Another program may be faster in taking the port than this one is.
    let mut attempts = 0;
    let (before, listener) = loop {
        let before = start(&server).port();
        server.stop(&quiet).unwrap();
        attempts += 1;
        match TcpListener::bind(("127.0.0.1", before)) {
            Err(e) if e.kind() == ErrorKind::AddrInUse && attempts < 10 => {}
            listener => break (before, listener.unwrap()),
        }
    };
    let (running, events) = start_heard(&server);
    let after = running.unwrap().port();
    assert_ne!(after, before);
    let moved = Event::PortMoved {
        from: before,
        to: after,
    };
    assert!(events.contains(&moved), "{events:?}");

    drop(listener);
    server.stop(&quiet).unwrap();
    let (running, events) = start_heard(&server);
    let last = running.unwrap().port();
    // If that one was taken meanwhile it says so, and so it has remembered it.
    let moved = Event::PortMoved {
        from: after,
        to: last,
    };
    assert!(
        last == after || events.contains(&moved),
        "{last} {after} {events:?}"
    );
}

#[test]
fn another_port_than_that_of_the_running_server_is_an_error() {
    let place = Place::new();
    let running = place.start();
    let (_listener, port) = taken();
    let error = refused(&place.server().port(port));
    assert!(error.is_port_conflict(), "{error:?}");
    assert_eq!(error.remedy(), Some(Remedy::StopServer));
    let expected = format!("not on the given port {port}");
    assert!(error.to_string().ends_with(&expected), "{error}");
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
}
