use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, ErrorKind, Event, Remedy, Result};

/// The account that PostgreSQL runs as when the caller is root.
///
/// PostgreSQL refuses to run as root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Whether the calling process runs as root.
#[must_use]
pub fn is_root() -> bool {
    #[cfg(unix)]
    return nix::unistd::geteuid().is_root();
    #[cfg(not(unix))]
    false
}

impl Account {
    /// Runs a command as this account, without the caller's groups.
    ///
    /// The standard library calls `setgroups(0, NULL)` before `setuid` when a root process gives
    /// a `uid` and no groups (`library/std/src/sys/process/unix/unix.rs`, Rust 1.95). A test
    /// checks it.
    pub(crate) fn apply(&self, command: &mut Command) {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            command.uid(self.uid).gid(self.gid);
        }
        #[cfg(not(unix))]
        let _ = command;
    }

    /// Makes this account the owner of a file or folder.
    pub(crate) fn chown(&self, path: &Path) -> Result<()> {
        #[cfg(unix)]
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .map_err(Error::io("change the owner of", path))?;
        #[cfg(not(unix))]
        let _ = path;
        Ok(())
    }

    /// Finds the first file or folder on the path to `wanted` that denies this account access.
    ///
    /// It checks the mode bits only.
    pub(crate) fn barrier(&self, wanted: &Path) -> Option<PathBuf> {
        let wanted = wanted.canonicalize().ok()?;
        let mut ancestors: Vec<&Path> = wanted.ancestors().collect();
        ancestors.reverse();
        ancestors
            .into_iter()
            .find(|p| !self.can_enter(p))
            .map(Path::to_owned)
    }

    #[cfg(unix)]
    fn can_enter(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt;
        let Ok(meta) = path.metadata() else {
            return false;
        };
        let execute = match () {
            () if meta.uid() == self.uid => 0o100,
            () if meta.gid() == self.gid => 0o010,
            () => 0o001,
        };
        meta.mode() & execute != 0
    }

    #[cfg(not(unix))]
    fn can_enter(&self, _: &Path) -> bool {
        true
    }
}

/// Selects the account for a server with this data folder; `None` to run as the caller.
///
/// `None` is correct unless the caller is root. Root uses the first one of: the given account, the
/// owner of the data folder, `lookback`, `postgres`, a new `lookback`, `nobody`.
#[cfg(unix)]
pub(crate) fn select(
    given: Option<&str>,
    data: &Path,
    on_event: &dyn Fn(&Event),
) -> Result<Option<Account>> {
    if !is_root() {
        return match given {
            Some(user) if by_name(user)?.is_none_or(|a| a.uid != effective_uid()) => {
                Err(Error::from(ErrorKind::User {
                    user: user.to_owned(),
                    reason: "only root can run it as another user".to_owned(),
                    remedy: Some(Remedy::OmitAccount),
                }))
            }
            _ => Ok(None),
        };
    }
    let account = match given {
        Some(user) => by_name(user)?.ok_or_else(|| {
            Error::from(ErrorKind::User {
                user: user.to_owned(),
                reason: "there is no such user".to_owned(),
                remedy: Some(Remedy::CreateAccount),
            })
        })?,
        // A folder without this file contains no database yet, so its owner is ignored.
        None => match owner_of(&data.join("PG_VERSION"))? {
            Some(owner) => owner,
            None => default_account(on_event)?,
        },
    };
    if account.uid == 0 {
        return Err(Error::from(ErrorKind::User {
            user: account.name,
            reason: "PostgreSQL refuses to run as root".to_owned(),
            remedy: Some(Remedy::ChooseAccount {
                data: given.is_none().then(|| data.to_owned()),
            }),
        }));
    }
    Ok(Some(account))
}

#[cfg(not(unix))]
pub(crate) fn select(_: Option<&str>, _: &Path, _: &dyn Fn(&Event)) -> Result<Option<Account>> {
    Ok(None)
}

#[cfg(unix)]
fn default_account(on_event: &dyn Fn(&Event)) -> Result<Account> {
    for name in ["lookback", "postgres"] {
        if let Some(found) = by_name(name)? {
            return Ok(found);
        }
    }
    create_account(on_event);
    // Another process may have created it at the same time, which is fine.
    match by_name("lookback")? {
        Some(found) => Ok(found),
        None => by_name("nobody")?.ok_or_else(|| {
            Error::from(ErrorKind::User {
                user: "another user than root".to_owned(),
                reason: "there is neither lookback nor postgres nor nobody".to_owned(),
                remedy: Some(Remedy::CreateSystemAccount),
            })
        }),
    }
}

/// Creates the system user `lookback`, if a known program for that exists.
///
/// The caller looks the user up to see whether it was created.
#[cfg(unix)]
fn create_account(on_event: &dyn Fn(&Event)) {
    let find = |name: &str| {
        let folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
        let mut files = folders.iter().map(|folder| Path::new(folder).join(name));
        files.find(|file| file.is_file())
    };
    let busybox = |file: &PathBuf| {
        let real = file.canonicalize().unwrap_or_default();
        real.ends_with("busybox")
    };
    let (program, options) = if let Some(useradd) = find("useradd") {
        let options = "--system --no-create-home --home-dir /var/lib/lookback --shell \
                       /usr/sbin/nologin lookback";
        (useradd, options)
    } else if let Some(adduser) = find("adduser").filter(busybox) {
        // Other programs with the name `adduser` have other options.
        let options = "-S -D -H -h /var/lib/lookback -s /sbin/nologin lookback";
        (adduser, options)
    } else {
        return;
    };
    on_event(&Event::CreatingUser {
        name: "lookback".to_owned(),
    });
    let mut command = crate::process::clean_command(&program, Path::new("/"));
    command.args(options.split_whitespace());
    let _ = crate::process::run(&mut command, "", std::time::Duration::from_secs(60));
}

/// Returns the owner of a file; `None` if the file does not exist.
#[cfg(unix)]
fn owner_of(file: &Path) -> Result<Option<Account>> {
    use std::os::unix::fs::MetadataExt;
    let Ok(meta) = file.metadata() else {
        return Ok(None);
    };
    let user = nix::unistd::User::from_uid(meta.uid().into()).map_err(|e| lookup_error("", e))?;
    Ok(Some(match user {
        Some(user) => user.into(),
        // The account was deleted; its user id still owns the folder.
        None => Account {
            name: format!("number {}", meta.uid()),
            uid: meta.uid(),
            gid: meta.gid(),
        },
    }))
}

#[cfg(unix)]
fn by_name(name: &str) -> Result<Option<Account>> {
    let user = nix::unistd::User::from_name(name).map_err(|e| lookup_error(name, e))?;
    Ok(user.map(Account::from))
}

#[cfg(unix)]
fn effective_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

#[cfg(unix)]
fn lookup_error(name: &str, error: nix::Error) -> Error {
    Error::from(ErrorKind::User {
        user: name.to_owned(),
        reason: format!("the system's list of users cannot be read: {error}"),
        remedy: None,
    })
}

#[cfg(unix)]
impl From<nix::unistd::User> for Account {
    fn from(user: nix::unistd::User) -> Self {
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::{folder, ignore_events};
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn unknown_user_is_an_error() {
        let nowhere = Path::new("/nowhere");
        let error = select(Some("no-such-user-here"), nowhere, &ignore_events).unwrap_err();
        assert!(error.to_string().contains("no-such-user-here"), "{error}");
        assert!(error.remedy().is_some(), "{error:?}");
    }

    #[test]
    fn root_is_rejected() {
        let error = select(Some("root"), Path::new("/nowhere"), &ignore_events).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("PostgreSQL cannot run as root")
        );
    }

    #[test]
    fn barrier_is_the_first_closed_folder() {
        let dir = tempfile::tempdir().unwrap();
        folder::set_mode(dir.path(), 0o755).unwrap();
        let inner = dir.path().canonicalize().unwrap().join("closed/open");
        std::fs::create_dir_all(&inner).unwrap();
        let closed = inner.parent().unwrap();
        folder::set_mode(closed, 0o700).unwrap();
        let meta = closed.metadata().unwrap();
        let stranger = Account {
            name: "stranger".to_owned(),
            uid: meta.uid() + 1,
            gid: meta.gid() + 1,
        };
        // The folder for temporary files may be closed itself, as on macOS.
        let first = stranger.barrier(dir.path());
        let expected = first.unwrap_or_else(|| closed.to_owned());
        assert_eq!(stranger.barrier(&inner), Some(expected));
        let owner = Account {
            uid: meta.uid(),
            ..stranger
        };
        assert_eq!(owner.barrier(&inner), None);
    }
}
