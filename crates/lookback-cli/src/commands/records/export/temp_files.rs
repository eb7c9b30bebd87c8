//! Temporary files of exports.
//!
//! A killed process leaves its file behind; the next export to the same target removes it. The
//! writing process locks its file until the file is renamed or removed. The system releases the
//! lock when the process ends in any way, so a file that can be locked is stale.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

/// The prefix of the names of all temporary files.
pub(super) const PREFIX: &str = ".lookback-export-";

/// The number of characters from the target's name, which limits the length of the name.
const MAX_TARGET_CHARS: usize = 50;

/// The number of random characters that `tempfile` appends to a name.
const RANDOM_CHARS: usize = 6;

/// Returns the prefix of the temporary names for a target; two targets may share one.
pub(super) fn prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(MAX_TARGET_CHARS).collect();
    format!("{PREFIX}{name}-")
}

/// Creates a temporary file, and returns it with its lock and its path.
///
/// Dropping the path removes the file.
pub(super) fn create(folder: &Path, prefix: &str) -> io::Result<(File, File, TempPath)> {
    loop {
        let temp_file = tempfile::Builder::new()
            .prefix(prefix)
            .rand_bytes(RANDOM_CHARS)
            .tempfile_in(folder)?;
        let (file, path) = NamedTempFile::into_parts(temp_file);
        // A duplicate of the same open file has the same lock.
        let lock = file.try_clone()?;
        // Waits for a process that locked it first and is about to remove it. On file systems
        // without locks, no process can mistake this file for a stale one either.
        let _ = lock.lock();
        if path.exists() {
            return Ok((file, lock, path));
        }
    }
}

/// Removes temporary files of processes that have ended.
///
/// Files that cannot be read or removed stay; they do not affect the export.
pub(super) fn remove_stale(folder: &Path, prefix: &str) {
    let Ok(entries) = folder.read_dir() else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_temp_file = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix))
            .is_some_and(|end| {
                end.len() == RANDOM_CHARS && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        // Not a link and not a pipe: opening a pipe would block.
        if !is_temp_file || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
