//! The addresses on which `lookback serve` listens.
//!
//! Each of them serves everything. That of `--listen` is the server's; the others are where exporters
//! of OpenTelemetry look for one by default.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::args::{OtherAddress, ServeArgs};
use crate::failure::Failure;
use crate::output;

/// What an address is for.
struct Purpose {
    option: &'static str,
    name: &'static str,
    /// The port that exporters use if nobody says otherwise.
    port: u16,
}

const OTLP_GRPC: Purpose = Purpose {
    option: "--otlp-grpc",
    name: "OTLP over gRPC",
    port: 4317,
};
const OTLP_HTTP: Purpose = Purpose {
    option: "--otlp-http",
    name: "OTLP over HTTP",
    port: 4318,
};

/// Checks that a server without keys is reached from its own machine alone.
pub(super) fn check(listen: SocketAddr, args: &ServeArgs) -> Result<(), Failure> {
    let others = [args.otlp_grpc, args.otlp_http].into_iter().flatten();
    let others = others.filter_map(|other| match other {
        OtherAddress::At(address) => Some(address),
        OtherAddress::Off => None,
    });
    let mut all = std::iter::once(listen).chain(others);
    match all.find(|address| !address.ip().is_loopback()) {
        Some(address) if args.open => Err(Failure::usage(format!(
            "--open: {address} can be reached from other machines"
        ))
        .hint("leave out --open and make a key (lookback keys create), or listen on 127.0.0.1")),
        _ => Ok(()),
    }
}

/// The sockets of a server that are open.
pub(super) struct Listening {
    main: (SocketAddr, TcpListener),
    others: Vec<(SocketAddr, &'static Purpose, TcpListener)>,
    /// Addresses that were only tried, and what is wrong with them.
    missing: Vec<(SocketAddr, &'static Purpose, std::io::Error)>,
}

/// Opens all sockets.
pub(super) async fn listen(listen: SocketAddr, args: &ServeArgs) -> Result<Listening, Failure> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failure::failed(format!("cannot listen on {listen}: {error}"))
            .hint("another program may use the port: choose one by --listen 127.0.0.1:4001")
    })?;
    let mut listening = Listening {
        main: (listener.local_addr()?, listener),
        others: Vec::new(),
        missing: Vec::new(),
    };
    for (wanted, purpose) in [(args.otlp_grpc, &OTLP_GRPC), (args.otlp_http, &OTLP_HTTP)] {
        let address = match wanted {
            Some(OtherAddress::Off) => continue,
            Some(OtherAddress::At(address)) => address,
            // Port 0 is any that is free: such a server is beside others.
            None if listen.port() == 0 => continue,
            None => SocketAddr::new(listen.ip(), purpose.port),
        };
        if address == listening.main.0 {
            continue;
        }
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let address = listener.local_addr()?;
                listening.others.push((address, purpose, listener));
            }
            // A collector may run on the machine, or another server.
            Err(error) if wanted.is_none() => listening.missing.push((address, purpose, error)),
            Err(error) => {
                let Purpose { option, name, .. } = purpose;
                return Err(Failure::failed(format!(
                    "cannot listen on {address} for {name}: {error}"
                ))
                .hint(format!(
                    "another program may use the port: choose one by {option} ADDRESS, \
                             or {option} off; http://{} takes {name}, too",
                    listening.main.0
                )));
            }
        }
    }
    Ok(listening)
}

impl Listening {
    /// Prints where the server listens.
    pub(super) fn report(&self, scheme: &str, say: impl Fn(&str)) {
        let main = self.url(scheme);
        say(&format!("listening on {main}"));
        for (address, purpose, _) in &self.others {
            say(&format!("listening on {address} for {}", purpose.name));
        }
        for (address, purpose, error) in &self.missing {
            let Purpose { option, name, .. } = purpose;
            output::warning(&format!("not listening on {address} for {name}: {error}"));
            output::advice(&format!(
                "another program may use the port: {option} ADDRESS chooses one, {option} off \
                 none; {main} takes {name}, too"
            ));
        }
    }

    /// The address of the server.
    pub(super) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.main.0)
    }

    pub(super) fn listeners(self) -> Vec<TcpListener> {
        let others = self.others.into_iter().map(|(.., listener)| listener);
        std::iter::once(self.main.1).chain(others).collect()
    }
}
