use std::fs;
#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::{Error, Result, folder};

const POSTGRES: &str = "postgres";

/// The contents of `postmaster.pid`; see PostgreSQL's `src/include/utils/pidfile.h`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PidFile {
    pub(crate) pid: u32,
    /// Missing until the server is about to listen.
    pub(crate) port: Option<u16>,
    pub(crate) ready: bool,
}

impl PidFile {
    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        // PostgreSQL writes -pid for a server in single-user mode.
        let pid: i32 = lines.first()?.parse().ok()?;
        Some(Self {
            pid: pid.unsigned_abs(),
            port: lines.get(3).and_then(|line| line.parse().ok()),
            ready: lines.get(7) == Some(&"ready"),
        })
    }
}

/// Whether a server runs on a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Postmaster {
    /// `postmaster.pid` does not exist.
    Absent,
    /// The file contains a process that is a server on this folder.
    Alive(PidFile),
    /// The file contains a process that no longer exists.
    ///
    /// PostgreSQL removes the file itself. Before that it checks that no orphaned child still uses
    /// the shared memory.
    Dead,
    /// The file is empty, or its process id now belongs to another program or a zombie.
    ///
    /// PostgreSQL would refuse to start. No process uses the folder, so the file can be removed.
    Stale,
}

impl Postmaster {
    pub(crate) fn inspect(data: &Path) -> Result<Self> {
        let file = data.join("postmaster.pid");
        let Some(text) = folder::read(&file)? else {
            return Ok(Self::Absent);
        };
        let folder = fs::metadata(data).map_err(Error::io("read", data))?;
        let found = PidFile::parse(&text);
        Ok(
            match found
                .as_ref()
                .map(|file| identify(file.pid, POSTGRES, &folder))
            {
                Some(ProcessIdentity::Ours) => found.map_or(Self::Dead, Self::Alive),
                Some(ProcessIdentity::Gone) => Self::Dead,
                Some(ProcessIdentity::Another) | None if in_use(&folder) => Self::Dead,
                Some(ProcessIdentity::Another) | None => Self::Stale,
            },
        )
    }
}

/// Whether a process is a server on the data folder.
///
/// This includes a server that has removed its `postmaster.pid` and is about to end.
pub(crate) fn is_alive(pid: u32, data: &Path) -> bool {
    fs::metadata(data).is_ok_and(|data| identify(pid, POSTGRES, &data) == ProcessIdentity::Ours)
}

#[derive(Debug, PartialEq, Eq)]
enum ProcessIdentity {
    Ours,
    Another,
    Gone,
}

/// Identifies a process by its program and its working folder.
///
/// The working folder of a server or of `initdb` is the data folder until the process ends.
#[cfg(target_os = "linux")]
fn identify(pid: u32, program: &str, data: &fs::Metadata) -> ProcessIdentity {
    let process = Path::new("/proc").join(pid.to_string());
    let Ok(name) = fs::read_to_string(process.join("comm")) else {
        return ProcessIdentity::Gone;
    };
    let ours = name.trim() == program
        && match fs::metadata(process.join("cwd")) {
            Ok(cwd) => folder::is_same_file(&cwd, data),
            // Root without CAP_SYS_PTRACE, as in most containers, cannot inspect processes of other
            // users.
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                fs::metadata(&process).is_ok_and(|meta| meta.uid() == data.uid())
                    && looks_like_ours(&process, data)
            }
            // A zombie, which PostgreSQL would count as a live process.
            Err(_) => false,
        };
    if ours {
        ProcessIdentity::Ours
    } else {
        ProcessIdentity::Another
    }
}

/// Identifies a process by its command line, which every account can read.
///
/// The command line of a server and of `initdb` contains the folder. That of a server's children
/// does not; they count if they are orphans.
#[cfg(target_os = "linux")]
fn looks_like_ours(process: &Path, data: &fs::Metadata) -> bool {
    let command = fs::read_to_string(process.join("cmdline")).unwrap_or_default();
    if command.starts_with("postgres: ") {
        let status = fs::read_to_string(process.join("status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        let parent = Path::new("/proc").join(parent.unwrap_or_default().trim());
        let name = fs::read_to_string(parent.join("comm")).unwrap_or_default();
        return name.trim() != POSTGRES;
    }
    let mut arguments = command.split('\0').skip_while(|argument| *argument != "-D");
    let folder = arguments.nth(1).unwrap_or_default();
    fs::metadata(folder).is_ok_and(|meta| folder::is_same_file(&meta, data))
}

/// Whether a server, or a child of one, uses the data folder.
#[cfg(target_os = "linux")]
fn in_use(data: &fs::Metadata) -> bool {
    find_processes(POSTGRES, data).is_none_or(|pids| !pids.is_empty())
}

/// Lists the processes of this program on the data folder; `None` without `/proc`.
#[cfg(target_os = "linux")]
fn find_processes(program: &str, data: &fs::Metadata) -> Option<Vec<u32>> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let ours = |pid: &u32| identify(*pid, program, data) == ProcessIdentity::Ours;
    Some(pids.filter(ours).collect())
}

/// Lists the processes of this program on a data folder, as far as they are visible.
#[cfg(target_os = "linux")]
pub(crate) fn processes_on(program: &str, data: &Path) -> Vec<u32> {
    let data = fs::metadata(data).ok();
    data.and_then(|data| find_processes(program, &data))
        .unwrap_or_default()
}

/// Lists the same by their command lines, on systems without `/proc`.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn processes_on(program: &str, data: &Path) -> Vec<u32> {
    use crate::process;
    let mut ps = process::clean_command(Path::new("/bin/ps"), Path::new("/"));
    ps.args(["-A", "-ww", "-o", "pid=", "-o", "command="]);
    let Ok(done) = process::run(&mut ps, "", std::time::Duration::from_secs(60)) else {
        return Vec::new();
    };
    let (program, data) = (format!("/{program} "), format!(" -D {}", data.display()));
    let ours = |line: &&str| line.contains(&program) && line.contains(&data);
    let pid = |line: &str| line.split_whitespace().next()?.parse().ok();
    done.stdout.lines().filter(ours).filter_map(pid).collect()
}

#[cfg(not(unix))]
pub(crate) fn processes_on(_: &str, _: &Path) -> Vec<u32> {
    Vec::new()
}

/// Identifies a process by its program only, on systems without `/proc`.
#[cfg(all(unix, not(target_os = "linux")))]
fn identify(pid: u32, program: &str, _: &fs::Metadata) -> ProcessIdentity {
    use crate::process;
    let mut ps = process::clean_command(Path::new("/bin/ps"), Path::new("/"));
    ps.args(["-o", "comm=", "-p", &pid.to_string()]);
    match process::run(&mut ps, "", std::time::Duration::from_secs(60)) {
        Ok(done) if done.stdout.trim().is_empty() => ProcessIdentity::Gone,
        Ok(done) if !done.stdout.trim().ends_with(program) => ProcessIdentity::Another,
        _ => ProcessIdentity::Ours,
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn in_use(_: &fs::Metadata) -> bool {
    false
}

/// Assumes that the process is ours: on Windows only PostgreSQL's own checks exist.
#[cfg(not(unix))]
fn identify(_: u32, _: &str, _: &fs::Metadata) -> ProcessIdentity {
    ProcessIdentity::Ours
}

#[cfg(not(unix))]
fn in_use(_: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "4242\n/var/lib/lookback/server/data\n1763862000\n40123\n\n127.0.0.1\n \
                         5432001   2293762\nready   \n";

    #[test]
    fn pid_file_is_parsed() {
        let ready = PidFile::parse(READY).unwrap();
        assert_eq!(
            (ready.pid, ready.port, ready.ready),
            (4242, Some(40123), true)
        );

        let starting = PidFile::parse(&READY.replace("ready   ", "starting")).unwrap();
        assert_eq!((starting.port, starting.ready), (Some(40123), false));

        let early = PidFile::parse("4242\n/data\n1763862000\n").unwrap();
        assert_eq!((early.pid, early.port, early.ready), (4242, None, false));

        assert_eq!(PidFile::parse("-77\n/data\n").unwrap().pid, 77);
        for garbage in ["", "\n", "x\n", "99999999999999999999\n"] {
            assert_eq!(PidFile::parse(garbage), None, "{garbage:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn process_is_identified_by_program_and_working_folder() {
        use std::process::{Child, Command, Stdio};

        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().metadata().unwrap();
        for name in ["postgres", "another"] {
            crate::process::write_script(&dir.path().join(name), "read -r end");
        }
        let start = |name: &str, cwd: &Path| {
            let mut command = Command::new(dir.path().join(name));
            command.arg("-D").arg(cwd).current_dir(cwd);
            command.stdin(Stdio::piped()).spawn().unwrap()
        };
        let elsewhere = start("postgres", Path::new("/"));
        let shell = start("another", dir.path());
        assert_eq!(
            identify(elsewhere.id(), POSTGRES, &data),
            ProcessIdentity::Another
        );
        assert_eq!(
            identify(shell.id(), POSTGRES, &data),
            ProcessIdentity::Another
        );
        assert!(!in_use(&data));

        let mut ours = start("postgres", dir.path());
        let becomes = |expected: ProcessIdentity| {
            let started_at = std::time::Instant::now();
            while identify(ours.id(), POSTGRES, &data) != expected {
                assert!(started_at.elapsed().as_secs() < 300, "never {expected:?}");
                std::thread::sleep(crate::process::POLL_INTERVAL);
            }
        };
        becomes(ProcessIdentity::Ours); // its name is set somewhat after its start
        assert!(in_use(&data));
        let seems = |child: &Child| {
            looks_like_ours(&Path::new("/proc").join(child.id().to_string()), &data)
        };
        assert!(seems(&ours) && !seems(&elsewhere));

        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(ours.id().cast_signed()),
            nix::sys::signal::SIGKILL,
        )
        .unwrap();
        becomes(ProcessIdentity::Another); // a zombie
        assert!(!in_use(&data));
        ours.wait().unwrap();
        assert_eq!(identify(ours.id(), POSTGRES, &data), ProcessIdentity::Gone);
        for mut process in [elsewhere, shell] {
            drop(process.stdin.take());
            process.wait().unwrap();
        }
    }
}
