use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::postmaster::{PidFile, Postmaster};
use super::refusal::Refusal;
use super::tools::Tools;
use super::{Server, log, settings_file};
use crate::{Error, ErrorKind, Event, Result, folder};

/// The number of retries with another port, if other programs use the chosen one first.
const MAX_PORT_ATTEMPTS: usize = 5;

/// Starts the server on a complete data folder. The caller holds the lock.
pub(crate) fn launch(
    server: &Server,
    tools: &Tools<'_>,
    on_event: &dyn Fn(&Event),
) -> Result<PidFile> {
    let data = server.data();
    let started_at = Instant::now();
    let mut ports = 0;
    let mut is_configured = server.ephemeral.is_some();
    loop {
        match Postmaster::inspect(&data)? {
            // An earlier start was killed, but its `pg_ctl` continued and started the server.
            Postmaster::Alive(file) => return Ok(file),
            Postmaster::Stale => {
                let file = data.join("postmaster.pid");
                folder::remove_file(&file)?;
                on_event(&Event::StalePidRemoved { file });
            }
            Postmaster::Absent | Postmaster::Dead => {}
        }
        if !is_configured {
            settings_file::write(&data, tools, on_event)?;
            is_configured = true;
        }
        let port = match server.port {
            Some(given) if is_port_free(given) => given,
            Some(given) => return Err(Error::from(ErrorKind::PortTaken { port: given })),
            None => choose_port(&server.base, on_event)?,
        };
        on_event(&Event::Starting { port });
        let failure = match pg_ctl(server, tools, port)? {
            Ok(()) => break,
            Err(failure) => failure,
        };
        let waiting = started_at.elapsed() < tools.timeout;
        match failure.reason {
            FailureReason::Port if server.port.is_some() => {
                return Err(Error::from(ErrorKind::PortTaken { port }));
            }
            FailureReason::Port if ports < MAX_PORT_ATTEMPTS => ports += 1,
            // Children of a killed server notice its end within moments.
            FailureReason::Leftovers if waiting => thread::sleep(Duration::from_millis(100)),
            _ => match Refusal::from_log(&failure.log) {
                Some(refusal) => retry_without(refusal, server, tools, failure.error, on_event)?,
                None => return Err(failure.error),
            },
        }
    }
    match Postmaster::inspect(&data)? {
        Postmaster::Alive(file) => Ok(file),
        _ => Err(server.exited_error()?),
    }
}

/// Removes the computed settings if PostgreSQL refused one of them.
///
/// # Errors
///
/// Otherwise the error says who sets the refused one.
fn retry_without(
    refusal: Refusal,
    server: &Server,
    tools: &Tools<'_>,
    failure: Error,
    on_event: &dyn Fn(&Event),
) -> Result<()> {
    let (data, account) = (server.data(), tools.account.as_ref());
    let Refusal { name, reason } = refusal;
    let is_given = server.settings.iter().any(|given| given.name() == name);
    let file = if is_given {
        None
    } else {
        match settings_file::file_of(&name, &data, account) {
            Some(file) if file.ends_with(settings_file::NAME) => {
                if !settings_file::clear(&data, account, &reason)? {
                    return Err(failure);
                }
                on_event(&Event::SettingsRefused { name, reason });
                return Ok(());
            }
            Some(file) => Some(file),
            None => return Err(failure),
        }
    };
    Err(Error::from(ErrorKind::SettingRefused {
        name,
        file,
        reason,
    }))
}

struct StartFailure {
    reason: FailureReason,
    error: Error,
    /// What the server wrote into its log.
    log: String,
}

/// The reason of a failed start, which determines the next attempt.
#[derive(Debug, PartialEq, Eq)]
enum FailureReason {
    /// Another program uses the port.
    Port,
    /// Processes or shared memory of a killed server still exist.
    Leftovers,
    Other,
}

impl FailureReason {
    /// Determines the reason from the log, whose messages are in English because `lc_messages` is
    /// C.
    fn from_log(log: &str) -> Self {
        let has = |text| log.contains(text);
        if has("could not bind") && has("Address already in use") {
            Self::Port
        } else if has("pre-existing shared memory block") || has("lock file \"postmaster.pid\"") {
            Self::Leftovers
        } else {
            Self::Other
        }
    }
}

fn pg_ctl(server: &Server, tools: &Tools<'_>, port: u16) -> Result<Result<(), StartFailure>> {
    let data = server.data();
    let file = server.log_path();
    match folder::create_file(&file, 0o600) {
        Ok(_) => tools.chown(&file)?,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(Error::io("create", &file)(e)),
    }
    let before = log::len(&file);
    let mut options =
        format!("-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c port={port}");
    if let Some(ephemeral) = &server.ephemeral {
        if !ephemeral.durable {
            options.push_str(" -c fsync=off -c synchronous_commit=off -c full_page_writes=off");
        }
        // Compiling takes longer than the statements of a test.
        options.push_str(" -c max_connections=300 -c jit=off");
    }
    for setting in &server.settings {
        options.push(' ');
        options.push_str(&setting.option());
    }
    let seconds = tools.timeout.as_secs().max(1).to_string();
    let mut command = tools.command("pg_ctl");
    command.args(["start", "--silent", "--wait", "--timeout", &seconds]);
    command.arg("--pgdata").arg(&data).arg("--log").arg(&file);
    command.arg("--options").arg(options);
    let done = tools.run(&mut command, "")?;
    if done.status.success() {
        return Ok(Ok(()));
    }
    let written = log::since(&file, before)?;
    Ok(Err(StartFailure {
        reason: FailureReason::from_log(&written),
        error: tools.failure("pg_ctl start", &data, &done, &written),
        log: written,
    }))
}

/// Saves the port of a running server, for the next start and for the watchdog.
pub(crate) fn save_port(base: &Path, port: u16) -> Result<()> {
    if saved_port(base)? == Some(port) {
        return Ok(());
    }
    folder::write_atomically(&base.join("port"), &port.to_string(), 0o644)
}

fn saved_port(base: &Path) -> Result<Option<u16>> {
    let text = folder::read(&base.join("port"))?;
    Ok(text.and_then(|text| text.trim().parse().ok()))
}

/// Chooses the saved port if it is free, otherwise any free one.
fn choose_port(base: &Path, on_event: &dyn Fn(&Event)) -> Result<u16> {
    let last = saved_port(base)?;
    if let Some(port) = last.filter(|port| is_port_free(*port)) {
        return Ok(port);
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(Error::io("find a free port for", base))?
        .port();
    if let Some(from) = last {
        on_event(&Event::PortChanged { from, to: port });
    }
    Ok(port)
}

/// Whether a port can be listened on.
///
/// A port that needs privileges counts as free: PostgreSQL's own error is better.
fn is_port_free(port: u16) -> bool {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => true,
        Err(e) => e.kind() != io::ErrorKind::AddrInUse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_reason_is_determined_by_the_log() {
        let port = "LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use\n\
            HINT:  Is another postmaster already running on port 5432?\n";
        assert_eq!(FailureReason::from_log(port), FailureReason::Port);
        let memory = "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use\n";
        assert_eq!(FailureReason::from_log(memory), FailureReason::Leftovers);
        assert_eq!(
            FailureReason::from_log("FATAL:  lock file \"postmaster.pid\" already exists"),
            FailureReason::Leftovers
        );
        assert_eq!(
            FailureReason::from_log("FATAL:  something else"),
            FailureReason::Other
        );
    }

    #[test]
    fn port_with_a_listener_is_not_free() {
        // A closed port may still be open in a child that is just being started, and another
        // program may take it: so one of many attempts has to succeed.
        let started_at = Instant::now();
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            assert!(!is_port_free(port));
            drop(listener);
            if is_port_free(port) {
                return;
            }
            assert!(started_at.elapsed().as_secs() < 60, "no port was ever free");
            thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn saved_port_is_read_by_the_next_start() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(saved_port(base.path()).unwrap(), None);
        for port in [4242, 4242, 4243] {
            save_port(base.path(), port).unwrap();
            assert_eq!(saved_port(base.path()).unwrap(), Some(port));
        }
    }
}
