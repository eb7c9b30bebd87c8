//! What is imported: a file or standard input, and the name it is known by.

use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::Path;

use crate::args::ImportArgs;
use crate::failure::Failure;

/// The input of an import, opened once: a file that is replaced meanwhile is
/// not mixed with the one that took its place.
#[derive(Debug)]
pub(crate) struct Input {
    source: Source,
    shown: String,
    name: Option<String>,
    identity: Option<Identity>,
}

#[derive(Debug)]
enum Source {
    /// Read once, from where it stands: standard input, a pipe, a device.
    Stream(Option<File>),
    /// A regular file: it has a length, and can be read again.
    File { file: File, length: u64 },
}

impl Input {
    pub(crate) fn open(args: &ImportArgs) -> Result<Self, Failure> {
        let name = args.name.as_deref().map(checked_name).transpose()?;
        if args.input == Path::new("-") {
            if args.resume && name.is_none() {
                return Err(Failure::usage(
                    "--resume of standard input needs --name, by which an earlier import is known",
                ));
            }
            return Ok(Self {
                source: Source::Stream(None),
                shown: "standard input".to_owned(),
                name,
                identity: Identity::of_stdin(),
            });
        }
        let shown = args.input.display().to_string();
        Self::open_file(&args.input, shown.clone(), name)
            .map_err(|error| Failure::failed(format!("{shown}: {error}")))
    }

    fn open_file(path: &Path, shown: String, name: Option<String>) -> Result<Self, String> {
        let unreadable = |error: io::Error| format!("cannot be read: {error}");
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err("is a folder, not a file".to_owned());
        }
        let identity = Identity::of(&metadata);
        // Only a regular file has a length, and the same content the next time.
        if !metadata.is_file() {
            return Ok(Self {
                source: Source::Stream(Some(file)),
                shown,
                name,
                identity,
            });
        }
        // One that was removed, or was never in a folder, has no path to be known by.
        let known = || path.canonicalize().ok().map(|path| path_as_name(&path));
        Ok(Self {
            source: Source::File {
                file,
                length: metadata.len(),
            },
            shown,
            name: name.or_else(known),
            identity,
        })
    }

    /// The input from its start; one that is no regular file, from where it
    /// stands.
    pub(crate) fn reader(&self) -> Result<Box<dyn Read + Send>, Failure> {
        let unreadable =
            |error: io::Error| Failure::failed(format!("{}: cannot be read: {error}", self.shown));
        Ok(match &self.source {
            Source::Stream(None) => Box::new(io::stdin()),
            Source::Stream(Some(file)) => Box::new(file.try_clone().map_err(unreadable)?),
            Source::File { file, .. } => {
                let mut file = file.try_clone().map_err(unreadable)?;
                file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
                Box::new(file)
            }
        })
    }

    /// The name by which a later import knows this input again.
    pub(crate) fn known_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The name to record.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(UNNAMED)
    }

    /// The name to show.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether it can be read again.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.source, Source::File { .. })
    }

    /// Bytes in all, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.source {
            Source::Stream(_) => None,
            Source::File { length, .. } => Some(*length),
        }
    }

    /// Whether what is written to this file would be read again.
    pub(crate) fn is_same(&self, file: &Metadata) -> bool {
        self.identity.is_some() && self.identity == Identity::of(file)
    }
}

/// What is recorded as the name of an input that has none. No name is this
/// one, so that no later import takes the input for its own.
const UNNAMED: &str = "-";

fn checked_name(name: &str) -> Result<String, Failure> {
    if name.trim().is_empty() {
        return Err(Failure::usage("--name: must not be blank"));
    }
    if name == UNNAMED {
        return Err(Failure::usage(
            "--name: - stands for an input without a name; leave --name out, or give another",
        ));
    }
    Ok(name.to_owned())
}

/// A full path as text: as it is, or with the bytes that are not UTF-8 as
/// `\xff`. Two paths never have the same text: the second form does not begin
/// with `/`, and has its backslashes doubled.
fn path_as_name(path: &Path) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut name = "bytes:".to_owned();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        name.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(name, "\\x{byte:02x}");
        }
    }
    name
}

/// Which file it is, whatever path leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl Identity {
    /// None for a device: what is written to a terminal is not what is read.
    fn of(file: &Metadata) -> Option<Self> {
        use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

        (!file.file_type().is_char_device()).then(|| Self {
            device: file.dev(),
            inode: file.ino(),
        })
    }

    fn of_stdin() -> Option<Self> {
        use std::os::fd::AsFd as _;

        let stdin = io::stdin().as_fd().try_clone_to_owned().ok()?;
        Self::of(&File::from(stdin).metadata().ok()?)
    }
}

#[cfg(not(unix))]
impl Identity {
    fn of(_file: &Metadata) -> Option<Self> {
        None
    }

    fn of_stdin() -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::path_as_name;

    #[cfg(unix)]
    #[test]
    fn different_paths_have_different_names() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;

        let name = |bytes: &[u8]| path_as_name(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(name("/ä".as_bytes()), "/ä");
        assert_eq!(name(br"/a\xff"), r"/a\xff");
        assert_eq!(name(b"/a\xff"), r"bytes:/a\xff");
        assert_eq!(name(b"/a\xfe"), r"bytes:/a\xfe");
        assert_eq!(name(b"/a\\xfe\xfe"), r"bytes:/a\\xfe\xfe");
    }
}
