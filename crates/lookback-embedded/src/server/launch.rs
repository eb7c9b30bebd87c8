use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::postmaster::{PidFile, Postmaster};
use super::tools::Tools;
use super::{Server, log};
use crate::{Error, ErrorKind, Event, Result, folder};

/// So many ports are tried if other programs are faster in taking the chosen one.
const PORTS: usize = 5;

/// Starts the server on a complete data folder. The caller holds the lock.
pub(crate) fn launch(server: &Server, tools: &Tools<'_>, on: &dyn Fn(&Event)) -> Result<PidFile> {
    let data = server.data();
    let begun = Instant::now();
    let mut ports = 0;
    loop {
        match Postmaster::look(&data)? {
            // By a start that was killed: its `pg_ctl` has gone on.
            Postmaster::Alive(file) => return Ok(file),
            Postmaster::Stale => {
                let file = data.join("postmaster.pid");
                folder::remove_file(&file)?;
                on(&Event::StalePidRemoved { file });
            }
            Postmaster::Absent | Postmaster::Dead => {}
        }
        let port = match server.port {
            Some(given) if is_free(given) => given,
            Some(given) => return Err(Error::from(ErrorKind::PortTaken { port: given })),
            None => choose(&server.base, on)?,
        };
        on(&Event::Starting { port });
        let failure = match pg_ctl(server, tools, port)? {
            Ok(()) => break,
            Err(failure) => failure,
        };
        let waiting = begun.elapsed() < tools.patience;
        match failure.reason {
            Reason::Port if server.port.is_some() => {
                return Err(Error::from(ErrorKind::PortTaken { port }));
            }
            Reason::Port if ports < PORTS => ports += 1,
            // Children of a killed server see its end within moments.
            Reason::Remains if waiting => thread::sleep(Duration::from_millis(100)),
            _ => return Err(failure.error),
        }
    }
    match Postmaster::look(&data)? {
        Postmaster::Alive(file) => Ok(file),
        _ => Err(server.ended()?),
    }
}

struct Failure {
    reason: Reason,
    error: Error,
}

/// What a failed start means for the next attempt.
#[derive(Debug, PartialEq, Eq)]
enum Reason {
    /// Another program has the port.
    Port,
    /// Something is left of a server that was killed.
    Remains,
    Other,
}

impl Reason {
    /// Reads it off the log, whose messages are in English because `lc_messages` is C.
    fn of(log: &str) -> Self {
        let has = |text| log.contains(text);
        if has("could not bind") && has("Address already in use") {
            Self::Port
        } else if has("pre-existing shared memory block") || has("lock file \"postmaster.pid\"") {
            Self::Remains
        } else {
            Self::Other
        }
    }
}

fn pg_ctl(server: &Server, tools: &Tools<'_>, port: u16) -> Result<Result<(), Failure>> {
    let data = server.data();
    let file = server.log_path();
    match folder::create_file(&file, 0o600) {
        Ok(_) => tools.own(&file)?,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(Error::io("create", &file)(e)),
    }
    let before = log::length(&file);
    let mut options =
        format!("-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c port={port}");
    if let Some(throw_away) = &server.throw_away {
        if !throw_away.durable {
            options.push_str(" -c fsync=off -c synchronous_commit=off -c full_page_writes=off");
        }
        options.push_str(" -c max_connections=300");
    }
    let seconds = tools.patience.as_secs().max(1).to_string();
    let mut command = tools.command("pg_ctl");
    command.args(["start", "--silent", "--wait", "--timeout", &seconds]);
    command.arg("--pgdata").arg(&data).arg("--log").arg(&file);
    command.arg("--options").arg(options);
    let done = tools.run(&mut command, "")?;
    if done.status.success() {
        return Ok(Ok(()));
    }
    let said = log::since(&file, before)?;
    Ok(Err(Failure {
        reason: Reason::of(&said),
        error: tools.failure("pg_ctl start", &data, &done, &said),
    }))
}

/// Keeps the port of a server that runs, for the next start and for the watch.
pub(crate) fn remember(base: &Path, port: u16) -> Result<()> {
    if remembered(base)? == Some(port) {
        return Ok(());
    }
    folder::write(&base.join("port"), &port.to_string(), 0o644)
}

fn remembered(base: &Path) -> Result<Option<u16>> {
    let text = folder::read(&base.join("port"))?;
    Ok(text.and_then(|text| text.trim().parse().ok()))
}

/// The remembered port if it is free, or else any free one.
fn choose(base: &Path, on: &dyn Fn(&Event)) -> Result<u16> {
    let last = remembered(base)?;
    if let Some(port) = last.filter(|port| is_free(*port)) {
        return Ok(port);
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(Error::io("find a free port for", base))?
        .port();
    if let Some(from) = last {
        on(&Event::PortMoved { from, to: port });
    }
    Ok(port)
}

/// Whether a port can be listened on. A port that needs rights is left to PostgreSQL, which
/// says it better.
fn is_free(port: u16) -> bool {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => true,
        Err(e) => e.kind() != io::ErrorKind::AddrInUse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_read_off_the_log() {
        let port = "LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use\n\
            HINT:  Is another postmaster already running on port 5432?\n";
        assert_eq!(Reason::of(port), Reason::Port);
        let memory = "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use\n";
        assert_eq!(Reason::of(memory), Reason::Remains);
        assert_eq!(
            Reason::of("FATAL:  lock file \"postmaster.pid\" already exists"),
            Reason::Remains
        );
        assert_eq!(Reason::of("FATAL:  something else"), Reason::Other);
    }

    #[test]
    fn a_port_somebody_listens_on_is_not_free() {
        // Once it is given up, a child that is just being started may still have it, and another
        // program may take it: so one of many has to do.
        let begun = Instant::now();
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(!is_free(port));
            drop(listener);
            if is_free(port) {
                return;
            }
            assert!(begun.elapsed().as_secs() < 60, "no port was ever free");
            thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_port_is_remembered_for_the_next_start() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(remembered(base.path()).unwrap(), None);
        for port in [4242, 4242, 4243] {
            remember(base.path(), port).unwrap();
            assert_eq!(remembered(base.path()).unwrap(), Some(port));
        }
    }
}
