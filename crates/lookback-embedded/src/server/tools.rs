use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::account::Account;
use crate::error::{ErrorKind, is_disk_full};
use crate::process::{self, ProgramOutput};
use crate::{Error, Installation, Result, folder};

/// The time limit of a program: that of `initdb` on a slow disk.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(600);

/// PostgreSQL's programs, run for one server as the account that owns it.
#[derive(Debug)]
pub(crate) struct Tools<'a> {
    pub(crate) installation: &'a Installation,
    pub(crate) account: Option<Account>,
    pub(crate) base: &'a Path,
    pub(crate) timeout: Duration,
}

impl<'a> Tools<'a> {
    pub(crate) fn new(
        installation: &'a Installation,
        account: Option<Account>,
        base: &'a Path,
        timeout: Duration,
    ) -> Self {
        Self {
            installation,
            account,
            base,
            timeout,
        }
    }

    /// Creates a command for a program, as the server's account, in the base folder.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = process::clean_command(&self.installation.program(name), self.base);
        if let Some(account) = &self.account {
            account.apply(&mut command);
        }
        command
    }

    /// Runs a command until it ends, with any exit status.
    pub(crate) fn run(&self, command: &mut Command, input: &str) -> Result<ProgramOutput> {
        let limit = PROGRAM_TIMEOUT.max(self.timeout.saturating_mul(2));
        process::run(command, input, limit)
            .map_err(Error::io("run", Path::new(command.get_program())))
    }

    /// Makes the server's account the owner of a file or folder.
    pub(crate) fn chown(&self, path: &Path) -> Result<()> {
        self.account
            .as_ref()
            .map_or(Ok(()), |account| account.chown(path))
    }

    /// Checks that the server's account can enter the base folder and run the programs.
    ///
    /// It runs one of the programs, because not only mode bits decide.
    pub(crate) fn check_access(&self) -> Result<()> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        let mut command = self.command("postgres");
        command.arg("--version");
        let program = PathBuf::from(command.get_program());
        match process::run(&mut command, "", PROGRAM_TIMEOUT) {
            Ok(_) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                let barrier = [self.base, program.as_path()]
                    .into_iter()
                    .find_map(|wanted| Some((wanted, account.barrier(wanted)?)));
                Err(match barrier {
                    Some((wanted, barrier)) => Error::from(ErrorKind::AccessDenied {
                        user: account.name.clone(),
                        wanted: wanted.to_owned(),
                        barrier,
                    }),
                    None => Error::io("run", &program)(e),
                })
            }
            Err(e) => Err(Error::io("run", &program)(e)),
        }
    }

    /// Creates the error of a failed program, with its last lines and those of `log`.
    pub(crate) fn failure(
        &self,
        tool: &str,
        path: &Path,
        done: &ProgramOutput,
        log: &str,
    ) -> Error {
        let mut detail = process::last_lines(&format!("{}\n{}", done.stdout, done.stderr), 10);
        if !log.trim().is_empty() {
            detail = format!("{detail}\nserver.log:\n{}", process::last_lines(log, 10));
        }
        let (tool, path) = (tool.to_owned(), path.to_owned());
        // On a full disk even the log may be empty, hence the second check.
        if process::mentions_disk_full(&detail) || self.disk_is_full() {
            return Error::from(ErrorKind::DiskFull { tool, path, detail });
        }
        Error::from(ErrorKind::Tool {
            tool,
            status: done.status.to_string(),
            path,
            detail,
        })
    }

    /// Whether a file of some blocks cannot be written to the base folder.
    fn disk_is_full(&self) -> bool {
        let probe = folder::RemoveOnDrop(self.base.join("probe"));
        let written = folder::create_file(&probe.0, 0o600)
            .and_then(|mut file| file.write_all(&[1; 64 * 1024]));
        written.is_err_and(|e| is_disk_full(&e))
    }
}
