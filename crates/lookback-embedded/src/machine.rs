//! The machine that a server runs on, as far as its settings depend on it.

mod memory;

use std::fs;
use std::path::Path;
use std::thread;

/// The parts of a machine that the settings of a server depend on.
///
/// Nothing in it is exact: a value that cannot be found out is `None`, and the settings that depend
/// on it are left to PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Machine {
    /// The memory in bytes: that of the machine, or the limit of the container or service.
    pub memory: Option<u64>,
    /// The processors that this process may use.
    pub processors: usize,
    /// The bytes on the disk of the data folder that are free or used by its WAL.
    pub disk: Option<u64>,
}

impl Machine {
    /// Creates a machine from its parts.
    #[must_use]
    pub fn new(memory: Option<u64>, processors: usize, disk: Option<u64>) -> Self {
        Self {
            memory,
            processors,
            disk,
        }
    }

    /// Reads what the operating system tells about this machine.
    pub(crate) fn detect(data: &Path) -> Self {
        Self {
            memory: memory::detect(),
            processors: thread::available_parallelism().map_or(1, usize::from),
            disk: disk(data),
        }
    }
}

/// The bytes that a data folder may still fill, its WAL included: a restart must not shrink its
/// limits because of the WAL that they allowed.
fn disk(data: &Path) -> Option<u64> {
    let wal = data.join("pg_wal");
    let used: u64 = (fs::read_dir(&wal).ok()?.flatten())
        .filter_map(|entry| entry.metadata().ok())
        .map(|meta| meta.len())
        .sum();
    // The WAL may be on a disk of its own.
    let free = free_bytes(&wal)?.saturating_add(used);
    Some(free.min(free_bytes(data)?.saturating_add(used)))
}

#[cfg(unix)]
#[cfg_attr(
    target_os = "linux",
    expect(
        clippy::useless_conversion,
        reason = "the fields have other types on other systems"
    )
)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    u64::from(disk.blocks_available()).checked_mul(u64::from(disk.fragment_size()))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wal_counts_as_free() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(disk(data.path()), None);
        let wal = data.path().join("pg_wal");
        fs::create_dir(&wal).unwrap();
        let segment = fs::File::create(wal.join("000000010000000000000001")).unwrap();
        // Without blocks: whatever else happens on the disk, this much is more than all of it.
        let length = 1 << 42;
        segment.set_len(length).unwrap();
        let machine = Machine::detect(data.path());
        assert!(
            machine.disk.is_some_and(|disk| disk >= length),
            "{machine:?}"
        );
        assert!(machine.processors > 0);
    }
}
