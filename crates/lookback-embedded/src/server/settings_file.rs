//! The file of computed settings in a data folder, and its place in `postgresql.conf`.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::account::Account;
use super::tools::Tools;
use crate::machine::Machine;
use crate::settings::{self, ServerFeatures, ServerSetting};
use crate::{Error, Event, Result, folder};

/// The name of the file in the data folder.
pub(crate) const NAME: &str = "lookback.conf";
const MAIN: &str = "postgresql.conf";
/// The file that `ALTER SYSTEM` writes.
pub(crate) const ALTERED: &str = "postgresql.auto.conf";

const INCLUDE: &str = "\
# Lookback computes these settings from the machine at each start. Whatever this file sets below
# takes precedence, and so does ALTER SYSTEM. To keep PostgreSQL's defaults, comment the line out.
include_if_exists = 'lookback.conf'

";

/// The lines that initdb writes with PostgreSQL's defaults, which would take precedence.
const OF_INITDB: [&str; 3] = [
    "shared_buffers = 128MB",
    "max_wal_size = 1GB",
    "min_wal_size = 80MB",
];

/// Computes the settings of a server that is about to start, and writes them into its data folder.
pub(crate) fn write(data: &Path, tools: &Tools<'_>, on_event: &dyn Fn(&Event)) -> Result<()> {
    let account = tools.account.as_ref();
    match include(data, account) {
        Ok(true) => {}
        Ok(false) => return Ok(()),
        // A link to a file elsewhere, for example: its owner decides.
        Err(error) => {
            on_event(&Event::SettingsNotIncluded {
                file: data.join(MAIN),
                reason: error.to_string(),
            });
            return Ok(());
        }
    }
    let machine = Machine::detect(data);
    let mut features = ServerFeatures::new(tools.installation.version().major());
    features.lz4 = has_lz4(data, tools)?;
    features.fadvise = cfg!(target_os = "linux");
    let mut text = format!(
        "# Written at each start, for {}: changes are lost.\n\
         # To change a setting: lookback.toml, ALTER SYSTEM, or postgresql.conf.\n",
        settings::describe(&machine)
    );
    for setting in ServerSetting::computed(&machine, &features) {
        text.push_str(&setting.line());
        text.push('\n');
    }
    replace(&data.join(NAME), text.as_bytes(), account)
}

/// Removes the computed settings that PostgreSQL has refused; false if there were none.
pub(crate) fn clear(data: &Path, account: Option<&Account>, reason: &str) -> Result<bool> {
    let path = data.join(NAME);
    let text = read_own(&path, account).unwrap_or_default();
    if ServerSetting::parse_lines(&String::from_utf8_lossy(&text)).is_empty() {
        return Ok(false);
    }
    let reason = reason.replace('\n', "\n# ");
    let text = format!("# PostgreSQL refused the computed settings:\n# {reason}\n");
    replace(&path, text.as_bytes(), account)?;
    Ok(true)
}

/// Makes `postgresql.conf` include the file; false if a person has removed the line.
fn include(data: &Path, account: Option<&Account>) -> Result<bool> {
    let path = data.join(MAIN);
    let text = read_own(&path, account).map_err(Error::io("read", &path))?;
    match included(&text) {
        Included::Yes => Ok(true),
        Included::CommentedOut => Ok(false),
        Included::Added(text) => replace(&path, &text, account).map(|()| true),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Included {
    Yes,
    CommentedOut,
    /// The text with the line.
    Added(Vec<u8>),
}

/// Adds the line that includes the file, unless the text has it, also in a comment.
///
/// In the same step, and so only once, lines of initdb become comments: a person who sets one of
/// these values later means it.
fn included(text: &[u8]) -> Included {
    let trimmed = |line: &[u8]| String::from_utf8_lossy(line).trim().to_owned();
    let lines = || text.split_inclusive(|byte| *byte == b'\n');
    let mentions = |line: &String| line.contains("include") && line.contains(NAME);
    let mut mentioned = lines().map(trimmed).filter(mentions).peekable();
    if mentioned.peek().is_some() {
        return if mentioned.any(|line| !line.starts_with('#')) {
            Included::Yes
        } else {
            Included::CommentedOut
        };
    }
    let mut all = INCLUDE.as_bytes().to_vec();
    for line in lines() {
        let setting = trimmed(line);
        let setting = setting.split('#').next().unwrap_or_default().trim();
        if OF_INITDB.contains(&setting) {
            all.push(b'#');
        }
        all.extend_from_slice(line);
    }
    Included::Added(all)
}

/// Whether this PostgreSQL was built with LZ4, which it is asked for on this data folder.
fn has_lz4(data: &Path, tools: &Tools<'_>) -> Result<bool> {
    let mut postgres = tools.command("postgres");
    postgres.arg("-D").arg(data).args(["-C", "wal_compression"]);
    postgres.args(["-c", "wal_compression=lz4"]);
    postgres.args(["-c", "default_toast_compression=lz4"]);
    let done = tools.run(&mut postgres, "")?;
    Ok(done.status.success() && done.stdout.trim() == "lz4")
}

/// The file of a data folder that sets a setting, with the precedence of PostgreSQL.
pub(crate) fn file_of(name: &str, data: &Path, account: Option<&Account>) -> Option<PathBuf> {
    let sets = |file: &PathBuf| {
        let text = read_own(file, account).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).to_lowercase();
        let mut names = text.lines().filter_map(|line| {
            let line = line.trim_start();
            line.split(|c: char| c == '=' || c.is_whitespace()).next()
        });
        names.any(|of_line| of_line == name)
    };
    [ALTERED, MAIN, NAME]
        .into_iter()
        .map(|file| data.join(file))
        .find(sets)
}

/// Reads a file of the data folder that belongs to the account of the server.
///
/// Root does not follow a link there: the account of the server could make it read any file.
fn read_own(path: &Path, account: Option<&Account>) -> io::Result<Vec<u8>> {
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use nix::fcntl::OFlag;
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        options.custom_flags(flags.bits());
    }
    let mut file = options.open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || !account.is_none_or(|account| owns(account, &meta)) {
        return Err(io::Error::other("it is not a file of the server's account"));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(unix)]
fn owns(account: &Account, meta: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(meta) == account.uid
}

#[cfg(not(unix))]
fn owns(_: &Account, _: &fs::Metadata) -> bool {
    true
}

/// Replaces a file of the data folder atomically by one of the account of the server.
///
/// The old or the new text is there after a crash, too.
fn replace(path: &Path, text: &[u8], account: Option<&Account>) -> Result<()> {
    let new = folder::with_suffix(path, ".new");
    folder::remove_file(&new)?;
    let guard = folder::RemoveOnDrop(new);
    let written = folder::create_file(&guard.0, 0o600).and_then(|mut file| {
        file.write_all(text)?;
        give(&file, account)?;
        file.sync_all()?;
        fs::rename(&guard.0, path)
    });
    written.map_err(Error::io("write", path))
}

/// Makes the account the owner of an open file, whatever is at its path by now.
fn give(file: &File, account: Option<&Account>) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(account) = account {
        std::os::unix::fs::fchown(file, Some(account.uid), Some(account.gid))?;
    }
    #[cfg(not(unix))]
    let _ = (file, account);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(text: &str) -> String {
        match included(text.as_bytes()) {
            Included::Added(text) => String::from_utf8(text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn include_comes_first_and_lines_of_initdb_become_comments() {
        let text = "# memory\nshared_buffers = 128MB\t\t\t# min 128kB\nmax_connections = 100\n\
                    max_wal_size = 1GB\nmin_wal_size = 80MB\n";
        assert_eq!(
            added(text).strip_prefix(INCLUDE).unwrap(),
            "# memory\n#shared_buffers = 128MB\t\t\t# min 128kB\nmax_connections = 100\n\
             #max_wal_size = 1GB\n#min_wal_size = 80MB\n"
        );
        assert_eq!(included(added(text).as_bytes()), Included::Yes);
    }

    #[test]
    fn settings_of_a_person_stay() {
        for line in [
            "shared_buffers = 256MB",
            "shared_buffers=128MB",
            "max_wal_size = 10GB",
            "min_wal_size = 80MB2",
            "work_mem = 1GB",
        ] {
            assert_eq!(added(line), format!("{INCLUDE}{line}"));
        }
        // Not in UTF-8, and without an end of the last line.
        let odd = b"search_path = '\xff'\r\n  max_wal_size = 1GB";
        let Included::Added(text) = included(odd) else {
            panic!("not added")
        };
        assert!(text.ends_with(b"search_path = '\xff'\r\n#  max_wal_size = 1GB"));
    }

    #[test]
    fn include_that_is_commented_out_stays_so() {
        let text = added("").replace("include_if_exists", "#include_if_exists");
        assert_eq!(included(text.as_bytes()), Included::CommentedOut);
        let moved = "max_connections = 5\ninclude 'lookback.conf'\n";
        assert_eq!(included(moved.as_bytes()), Included::Yes);
    }

    #[cfg(unix)]
    #[test]
    fn link_is_not_followed() {
        let data = tempfile::tempdir().unwrap();
        let secret = data.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        std::os::unix::fs::symlink(&secret, data.path().join(MAIN)).unwrap();
        include(data.path(), None).unwrap_err();
        assert_eq!(fs::read(secret).unwrap(), b"secret");
    }
}
