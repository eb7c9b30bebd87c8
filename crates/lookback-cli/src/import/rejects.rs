//! The file for rejected lines.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::Input;
use super::reader::Rejected;
use crate::failure::{Failure, io_hint};

/// Writes rejected lines, byte for byte, so that they can be corrected and imported.
#[derive(Debug)]
pub(crate) struct Rejects(Option<RejectsFile>);

#[derive(Debug)]
struct RejectsFile {
    path: PathBuf,
    /// `None` until the first line: the file is created for it.
    file: Option<BufWriter<File>>,
}

impl Rejects {
    /// Opens the file for appending: a resumed import adds its rejected lines.
    ///
    /// The file must not be the input itself, or the import would never end.
    pub(crate) fn open(path: Option<&Path>, input: &Input) -> Result<Self, Failure> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let file = match OpenOptions::new().append(true).open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                check_folder(path)?;
                None
            }
            Err(error) => return Err(write_failure(path, &error)),
        };
        let metadata = file.as_ref().map(File::metadata).transpose();
        if metadata
            .map_err(|error| write_failure(path, &error))?
            .is_some_and(|file| input.is_same(&file))
        {
            return Err(Failure::usage(format!(
                "--rejects: must not be the input itself, {}",
                path.display()
            )));
        }
        Ok(Self(Some(RejectsFile {
            path: path.to_owned(),
            file: file.map(BufWriter::new),
        })))
    }

    /// Writes lines, before their batch is stored.
    ///
    /// After a crash, a line may be in the file twice, but none is lost.
    pub(crate) fn write(&mut self, rejected: &[Rejected]) -> Result<(), Failure> {
        let Some(output) = &mut self.0 else {
            return Ok(());
        };
        if rejected.is_empty() {
            return Ok(());
        }
        output
            .write(rejected)
            .map_err(|error| write_failure(&output.path, &error))
    }
}

impl RejectsFile {
    fn write(&mut self, rejected: &[Rejected]) -> io::Result<()> {
        let file = if let Some(file) = &mut self.file {
            file
        } else {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.path)?;
            self.file.insert(BufWriter::new(file))
        };
        for bad in rejected {
            file.write_all(&bad.line.bytes)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }
}

/// Checks at the start that the file can be created when its first line comes.
fn check_folder(path: &Path) -> Result<(), Failure> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match folder.metadata() {
        Ok(_) => Ok(()),
        Err(error) => Err(write_failure(path, &error)),
    }
}

fn write_failure(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::failed(format!(
        "--rejects: cannot write {}: {error}",
        path.display()
    ));
    match io_hint(error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
