//! The file that takes the lines that are not right.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::reader::Rejected;
use crate::failure::Failure;

/// Takes rejected lines, byte for byte, so that they can be mended and
/// imported.
pub(crate) struct Rejects(Option<(PathBuf, BufWriter<File>)>);

impl Rejects {
    /// Appends to the file: a resumed import adds to what it rejected before.
    pub(crate) fn create(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(|error| {
                Failure::failed(format!(
                    "--rejects: {} cannot be written: {error}",
                    path.display()
                ))
            })?;
        Ok(Self(Some((path.to_owned(), BufWriter::new(file)))))
    }

    /// Writes lines, before the batch they were in is stored: a line may come
    /// twice after a crash, and none is lost.
    pub(crate) fn write(&mut self, rejected: &[Rejected]) -> Result<(), Failure> {
        let Some((path, file)) = &mut self.0 else {
            return Ok(());
        };
        let written = rejected
            .iter()
            .try_for_each(|bad| {
                file.write_all(&bad.line.bytes)?;
                file.write_all(b"\n")
            })
            .and_then(|()| file.flush());
        written.map_err(|error| {
            Failure::failed(format!(
                "--rejects: {} cannot be written: {error}",
                path.display()
            ))
        })
    }
}
