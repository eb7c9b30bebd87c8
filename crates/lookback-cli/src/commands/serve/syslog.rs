//! Syslog beside the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{FixedOffset, Offset as _, Utc};
use lookback_server::Server;
use lookback_server::syslog::{Counts, Network, Syslog};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::args::ServeArgs;
use crate::failure::Failure;
use crate::output;

/// How often messages that are not stored are reported.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Checks that only the own machine sends, if nobody has said who else may.
pub(super) fn check(args: &ServeArgs) -> Result<(), Failure> {
    let all = [
        ("--syslog-udp", args.syslog_udp),
        ("--syslog-tcp", args.syslog_tcp),
    ];
    let mut given = all
        .into_iter()
        .filter_map(|(option, address)| Some((option, address?)));
    let wide = given
        .clone()
        .find(|(_, address)| !address.ip().is_loopback());
    if let Some((option, address)) = wide
        && args.syslog_allow.is_empty()
    {
        return Err(Failure::usage(format!(
            "{option}: {address} can be reached from other machines, and syslog has no keys"
        ))
        .hint("say who may send, such as --syslog-allow 10.0.0.0/8, or listen on 127.0.0.1"));
    }
    if given.next().is_none() && (!args.syslog_allow.is_empty() || args.syslog_timezone.is_some()) {
        return Err(Failure::usage(
            "--syslog-allow and --syslog-timezone need --syslog-udp or --syslog-tcp",
        ));
    }
    Ok(())
}

/// The sockets for syslog, which are open.
pub(super) struct Sockets {
    udp: Option<UdpSocket>,
    tcp: Option<TcpListener>,
    allowed: Vec<Network>,
    offset: FixedOffset,
}

/// Opens the sockets; `None` if syslog is not asked for.
pub(super) async fn listen(args: &ServeArgs) -> Result<Option<Sockets>, Failure> {
    let failed = |option: &str, address: SocketAddr, error: std::io::Error| {
        let is_denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        let failure = Failure::failed(format!("cannot listen on {address} for syslog: {error}"));
        failure.hint(if is_denied {
            format!("ports below 1024 are for root; choose another one: {option} 127.0.0.1:5514")
        } else {
            format!("another program may use the port: choose one by {option} ADDRESS")
        })
    };
    let mut sockets = Sockets {
        udp: None,
        tcp: None,
        allowed: args.syslog_allow.clone(),
        offset: args.syslog_timezone.unwrap_or_else(|| Utc.fix()),
    };
    if let Some(address) = args.syslog_udp {
        let socket = UdpSocket::bind(address).await;
        sockets.udp = Some(socket.map_err(|error| failed("--syslog-udp", address, error))?);
    }
    if let Some(address) = args.syslog_tcp {
        let socket = TcpListener::bind(address).await;
        sockets.tcp = Some(socket.map_err(|error| failed("--syslog-tcp", address, error))?);
    }
    Ok((sockets.udp.is_some() || sockets.tcp.is_some()).then_some(sockets))
}

impl Sockets {
    /// Prints where it listens, and receives.
    pub(super) fn start(self, server: &Server) -> Receiving {
        let mut syslog = Syslog::new(server).allow(self.allowed).offset(self.offset);
        if let Some(socket) = self.udp {
            report("UDP", socket.local_addr());
            syslog = syslog.udp(socket);
        }
        if let Some(listener) = self.tcp {
            report("TCP", listener.local_addr());
            syslog = syslog.tcp(listener);
        }
        let counts = syslog.counts();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            let signal = async {
                let _stopped = stopped.await;
            };
            syslog.serve(signal).await;
        });
        let reporting = tokio::spawn(report_losses(Arc::clone(&counts)));
        Receiving {
            counts,
            stop,
            served,
            reporting,
        }
    }
}

fn report(what: &str, address: std::io::Result<SocketAddr>) {
    if let Ok(address) = address {
        output::note(&format!("listening on {address} for syslog over {what}"));
    }
}

/// Syslog that is being received.
pub(super) struct Receiving {
    counts: Arc<Counts>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    reporting: JoinHandle<()>,
}

impl Receiving {
    /// Stores what waits, and prints what became of all.
    pub(super) async fn stop(self) {
        // If it has ended, there is nothing to stop.
        let _sent = self.stop.send(());
        let _ended = self.served.await;
        self.reporting.abort();
        output::note(&format!("syslog: {}", self.counts));
    }
}

/// Prints the counts whenever more messages were not stored.
async fn report_losses(counts: Arc<Counts>) {
    let mut reported = 0;
    loop {
        tokio::time::sleep(REPORT_EVERY).await;
        if counts.losses() > reported {
            reported = counts.losses();
            output::warning(&format!("syslog: {counts}"));
        }
    }
}
