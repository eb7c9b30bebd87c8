//! What is imported: a file or standard input, and the name it is known by.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::args::ImportArgs;
use crate::failure::Failure;

/// The input of an import.
#[derive(Debug)]
pub(crate) struct Input {
    source: Source,
    name: Option<String>,
}

#[derive(Debug)]
enum Source {
    Stdin,
    File {
        path: PathBuf,
        shown: String,
        length: u64,
    },
}

impl Input {
    pub(crate) fn open(args: &ImportArgs) -> Result<Self, Failure> {
        if args.input == Path::new("-") {
            if args.resume && args.name.is_none() {
                return Err(Failure::usage(
                    "--resume of standard input needs --name, by which an earlier import is known",
                ));
            }
            return Ok(Self {
                source: Source::Stdin,
                name: args.name.clone(),
            });
        }
        let shown = args.input.display().to_string();
        let unreadable =
            |error: io::Error| Failure::failed(format!("{shown}: cannot be read: {error}"));
        let path = args.input.canonicalize().map_err(unreadable)?;
        let metadata = path.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Failure::failed(format!("{shown}: is a folder, not a file")));
        }
        // Only a regular file has a length, and the same content the next time.
        let name = match (&args.name, metadata.is_file()) {
            (Some(name), _) => Some(name.clone()),
            (None, true) => Some(path.to_string_lossy().into_owned()),
            (None, false) => None,
        };
        Ok(Self {
            source: Source::File {
                path,
                length: metadata.len(),
                shown,
            },
            name,
        })
    }

    pub(crate) fn reader(&self) -> Result<Box<dyn Read + Send>, Failure> {
        Ok(match &self.source {
            Source::Stdin => Box::new(io::stdin()),
            Source::File { path, shown, .. } => {
                Box::new(File::open(path).map_err(|error| {
                    Failure::failed(format!("{shown}: cannot be read: {error}"))
                })?)
            }
        })
    }

    /// The name by which a later import knows this input again.
    pub(crate) fn known_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The name to record.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("-")
    }

    /// The name to show.
    pub(crate) fn shown(&self) -> &str {
        match &self.source {
            Source::Stdin => "standard input",
            Source::File { shown, .. } => shown,
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self.source, Source::File { .. })
    }

    /// Bytes in all, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.source {
            Source::Stdin => None,
            Source::File { length, .. } => Some(*length),
        }
    }
}
