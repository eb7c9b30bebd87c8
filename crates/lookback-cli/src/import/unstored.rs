//! Saves what a stream has sent and could not be stored.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::PathBuf;

use chrono::Utc;

use super::input::Input;

/// Writes what a stream has sent and is not stored to a file, and returns its path; `None` if all
/// is stored, or the input can be read again: it is a file, or has a name.
pub(super) fn save(input: &Input) -> io::Result<Option<PathBuf>> {
    let is_repeatable = !input.is_unrepeatable() || input.known_name().is_some();
    if is_repeatable || input.buffer().is_all_stored() {
        return Ok(None);
    }
    let (mut file, path) = create()?;
    input.buffer().write_unstored(&mut file)?;
    file.sync_all()?;
    Ok(Some(path))
}

/// Creates a file that only its user can read: it has what logs have.
fn create() -> io::Result<(File, PathBuf)> {
    let folder = folder();
    let (mut folders, mut options) = (DirBuilder::new(), OpenOptions::new());
    folders.recursive(true);
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        folders.mode(0o700);
        options.mode(0o600);
    }
    folders.create(&folder)?;
    let time = Utc::now().format("%Y%m%dT%H%M%S");
    let path = folder.join(format!("stream-{time}-{}.log", std::process::id()));
    Ok((options.open(&path)?, path))
}

/// `$XDG_STATE_HOME` or `~/.local/state`, or on Windows `%LOCALAPPDATA%`, then `lookback`; without
/// them the folder of temporary files.
fn folder() -> PathBuf {
    let of = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = if cfg!(windows) {
        of("LOCALAPPDATA")
    } else {
        of("XDG_STATE_HOME").or_else(|| of("HOME").map(|home| home.join(".local/state")))
    };
    state.unwrap_or_else(std::env::temp_dir).join("lookback")
}
