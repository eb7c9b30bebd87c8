use std::net::TcpListener;

use lookback_embedded::{Error, Event, quiet};

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
    assert!(
        matches!(error, Error::PortTaken { port: p } if p == port),
        "{error:?}"
    );
    assert!(error.is_port());
    let text = error.to_string();
    assert!(
        text.contains(&port.to_string()) && text.contains("--pg-port"),
        "{text}"
    );

    drop(listener);
    let running = start(&place.server().port(port));
    assert_eq!(running.port(), port);
}

#[test]
fn a_remembered_port_that_is_taken_is_replaced_for_good() {
    let place = Place::new();
    let server = place.server();
    let before = start(&server).port();
    server.stop(&quiet).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", before)).unwrap();
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
    assert_eq!(start(&server).port(), after);
}

#[test]
fn another_port_than_that_of_the_running_server_is_an_error() {
    let place = Place::new();
    let running = place.start();
    let (_listener, port) = taken();
    let error = refused(&place.server().port(port));
    assert!(
        matches!(error, Error::OtherPort { wanted, .. } if wanted == port),
        "{error:?}"
    );
    assert_eq!(query(&running.url(), "SELECT 1"), "1");
}
