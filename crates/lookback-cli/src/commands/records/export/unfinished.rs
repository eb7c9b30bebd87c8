//! Files that exports write to until they are whole. A process that is killed
//! leaves its own behind, which the next export to the same target removes.
//!
//! Each is locked by the process that writes it, until it has its name or is
//! removed. A lock ends with its process, however that ends: a file that can be
//! locked is nobody's any more.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

/// How all of their names begin.
pub(super) const PREFIX: &str = ".lookback-export-";

/// Characters of the name of the target, so that the whole is not too long a name.
const OF_TARGET: usize = 50;

/// Letters that `tempfile` draws for the end of a name.
const DRAWN: usize = 6;

/// How their names begin for a target. Two targets may have the same, which does
/// no harm.
pub(super) fn prefix(target: &Path) -> String {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(OF_TARGET).collect();
    format!("{PREFIX}{name}-")
}

/// Makes one, and returns it with its lock and its path, which removes it when it
/// is dropped.
pub(super) fn create(folder: &Path, prefix: &str) -> io::Result<(File, File, TempPath)> {
    loop {
        let made = tempfile::Builder::new()
            .prefix(prefix)
            .rand_bytes(DRAWN)
            .tempfile_in(folder)?;
        let (file, path) = NamedTempFile::into_parts(made);
        // Of the same opening of the file, and so with the same lock.
        let lock = file.try_clone()?;
        // Waits for whoever was faster, who is about to remove it. Where files cannot be locked,
        // nobody can take this one for a dead process's either.
        let _ = lock.lock();
        if path.exists() {
            return Ok((file, lock, path));
        }
    }
}

/// Removes those that processes left behind that are no more. What cannot be
/// looked at or removed stays: the export does not need it gone.
pub(super) fn remove(folder: &Path, prefix: &str) {
    let Ok(entries) = folder.read_dir() else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_one = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix))
            .is_some_and(|end| {
                end.len() == DRAWN && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        // Not a link, nor a pipe that opening it would wait for.
        if !is_one || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
