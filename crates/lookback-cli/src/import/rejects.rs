//! The file that takes the lines that are not right.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::Input;
use super::reader::Rejected;
use crate::failure::Failure;

/// Takes rejected lines, byte for byte, so that they can be mended and
/// imported.
#[derive(Debug)]
pub(crate) struct Rejects(Option<Target>);

#[derive(Debug)]
struct Target {
    path: PathBuf,
    /// None as long as there is no such file: it is made for the first line.
    file: Option<BufWriter<File>>,
}

impl Rejects {
    /// Appends to the file: a resumed import adds to what it rejected before.
    /// A file that is the input itself would be read for ever.
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
            Err(error) => return Err(unwritable(path, &error)),
        };
        let metadata = file.as_ref().map(File::metadata).transpose();
        if metadata
            .map_err(|error| unwritable(path, &error))?
            .is_some_and(|file| input.is_same(&file))
        {
            return Err(Failure::usage(format!(
                "--rejects: {} is the input itself",
                path.display()
            )));
        }
        Ok(Self(Some(Target {
            path: path.to_owned(),
            file: file.map(BufWriter::new),
        })))
    }

    /// Writes lines, before the batch they were in is stored: a line may come
    /// twice after a crash, and none is lost.
    pub(crate) fn write(&mut self, rejected: &[Rejected]) -> Result<(), Failure> {
        let Some(target) = &mut self.0 else {
            return Ok(());
        };
        if rejected.is_empty() {
            return Ok(());
        }
        target
            .write(rejected)
            .map_err(|error| unwritable(&target.path, &error))
    }
}

impl Target {
    fn write(&mut self, rejected: &[Rejected]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&self.path)?;
                self.file.insert(BufWriter::new(file))
            }
        };
        for bad in rejected {
            file.write_all(&bad.line.bytes)?;
            file.write_all(b"\n")?;
        }
        file.flush()
    }
}

/// The file is made only when a line needs it; that it can be made is asked at
/// the start.
fn check_folder(path: &Path) -> Result<(), Failure> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    match folder.metadata() {
        Ok(_) => Ok(()),
        Err(error) => Err(unwritable(path, &error)),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!(
        "--rejects: {} cannot be written: {error}",
        path.display()
    ))
}
