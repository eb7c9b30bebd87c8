use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::{Error, Result};

/// The number of bytes at the end of a log that are read to find its last lines.
const TAIL_BYTES: u64 = 256 * 1024;

/// Reads the last lines of a log; empty if the log does not exist.
pub(crate) fn tail(path: &Path, lines: usize) -> Result<String> {
    let text = since(path, len(path).saturating_sub(TAIL_BYTES))?;
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}

/// The length of a log; 0 if the log does not exist.
pub(crate) fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Reads a log from a position on; empty if the log does not exist.
pub(crate) fn since(path: &Path, position: u64) -> Result<String> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        file => file.map_err(Error::io("open", path))?,
    };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(position))
        .and_then(|_| file.read_to_end(&mut bytes))
        .map_err(Error::io("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_returns_the_last_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.log");
        assert_eq!(tail(&path, 3).unwrap(), "");
        fs::write(&path, "a\nb\nc\n").unwrap();
        assert_eq!(tail(&path, 2).unwrap(), "b\nc");
        assert_eq!(tail(&path, 9).unwrap(), "a\nb\nc");
        assert_eq!(tail(&path, 0).unwrap(), "");
        assert_eq!(since(&path, 4).unwrap(), "c\n");

        // Only the end of a long log is read, even if this cuts a character.
        fs::write(&path, "ä".repeat(300_000) + "\nthe end\n").unwrap();
        assert_eq!(tail(&path, 1).unwrap(), "the end");
    }
}
