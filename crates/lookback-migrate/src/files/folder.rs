//! Folders of migrations, with schema snapshots in `meta/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use lookback_schema::{Snapshot, SnapshotHeader};

use super::journal::Journal;
use crate::error::{Error, FolderError};

/// A folder of migrations, which need not exist yet.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Uses the folder at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest snapshot, which no other follows; `None` in an empty folder.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not a snapshot; two snapshots with the same parent, which
    /// two branches leave behind.
    pub fn newest(&self) -> Result<Option<Snapshot>, Error> {
        // The headers of the other snapshots are enough, and much faster to read.
        let mut places = self.read_all(SnapshotHeader::from_json)?;
        places.sort_by_key(|(_, place)| place.version);
        self.check_complete(&places)?;
        let parents: BTreeSet<i64> = places
            .iter()
            .filter_map(|(_, place)| place.parent)
            .collect();
        let leaves: Vec<&(PathBuf, SnapshotHeader)> = places
            .iter()
            .filter(|(_, place)| !parents.contains(&place.version))
            .collect();
        match leaves.as_slice() {
            [] => Ok(None),
            [(newest, _)] => read_file(newest, Snapshot::from_json).map(Some),
            several => {
                let versions = several.iter().map(|(_, place)| place.version).collect();
                Err(FolderError::Branches { versions }.into())
            }
        }
    }

    /// Checks that no snapshot and no file is missing and no version is used twice.
    ///
    /// Files get lost in merges and clean-ups.
    fn check_complete(&self, places: &[(PathBuf, SnapshotHeader)]) -> Result<(), Error> {
        let mut files: BTreeMap<i64, String> = BTreeMap::new();
        for name in self.names()? {
            let up = name.ends_with(".sql") && !name.ends_with(".down.sql");
            let Some(version) = version_of(&name).filter(|_| up) else {
                continue;
            };
            if let Some(other) = files.insert(version, name.clone()) {
                return Err(FolderError::DuplicateGenerated {
                    folder: self.path.clone(),
                    first: other,
                    second: name,
                }
                .into());
            }
        }
        let versions: BTreeSet<i64> = places.iter().map(|(_, place)| place.version).collect();
        for (path, place) in places {
            let named = path
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok());
            if named != Some(place.version) {
                return Err(FolderError::SnapshotVersion {
                    path: path.clone(),
                    version: place.version,
                }
                .into());
            }
            if place.parent.is_some_and(|parent| parent >= place.version) {
                let path = path.clone();
                return Err(FolderError::ParentNotOlder { path }.into());
            }
            if let Some(parent) = place.parent.filter(|parent| !versions.contains(parent)) {
                let path = path.clone();
                return Err(FolderError::ParentMissing { path, parent }.into());
            }
            if let Some(file) = place.files.iter().find(|file| !files.contains_key(file)) {
                let (path, version) = (path.clone(), *file);
                return Err(FolderError::FileMissing { path, version }.into());
            }
        }
        Ok(())
    }

    /// Reads all snapshots, ordered by version.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not a snapshot; an interrupted change.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, Error> {
        let snapshots = self.read_all(Snapshot::from_json)?;
        let mut snapshots: Vec<Snapshot> = snapshots.into_iter().map(|(_, one)| one).collect();
        snapshots.sort_by_key(|snapshot| snapshot.version);
        Ok(snapshots)
    }

    /// Reads all snapshots with `read`, in no particular order.
    fn read_all<T>(&self, read: Read<T>) -> Result<Vec<(PathBuf, T)>, Error> {
        self.refuse_half_written()?;
        let meta = self.path.join("meta");
        let entries = match fs::read_dir(&meta) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot("read", &meta, error)),
        };
        let mut all = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| cannot("read", &meta, error))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let value = read_file(&path, read)?;
                all.push((path, value));
            }
        }
        Ok(all)
    }

    /// Whether [`generate`](crate::generate()) or a [`Rebase`](crate::Rebase) was killed while it
    /// wrote files.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read.
    pub fn is_half_written(&self) -> Result<bool, Error> {
        Ok(Journal::read(self)?.is_some())
    }

    /// Returns an error if only some files of a change are written.
    pub(crate) fn refuse_half_written(&self) -> Result<(), Error> {
        if self.is_half_written()? {
            let folder = self.path.clone();
            return Err(FolderError::HalfWritten { folder }.into());
        }
        Ok(())
    }

    /// Finishes an interrupted [`generate`](crate::generate()) or rebase.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read or written.
    pub fn finish(&self) -> Result<(), Error> {
        match Journal::read(self)? {
            Some(journal) => journal.finish(self),
            None => Ok(()),
        }
    }

    /// The largest version of all files; 0 for an empty folder.
    pub(crate) fn last_version(&self) -> Result<i64, Error> {
        let names = self.names()?;
        let versions = names.iter().filter_map(|name| version_of(name));
        Ok(versions.max().unwrap_or(0))
    }

    /// The names of all entries of the folder.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot("read", &self.path, error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| cannot("read", &self.path, error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    /// Writes a file to the folder that must not exist yet.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        if path.exists() {
            return Err(FolderError::FileExists { path }.into());
        }
        self.replace(name, text)
    }

    /// Writes or replaces a file in the folder atomically.
    pub(crate) fn replace(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        self.write_beside(name, text, |beside, path| fs::rename(beside, path))
    }

    /// Writes a file that must not exist yet, atomically.
    pub(crate) fn claim(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        self.write_beside(name, text, |beside, path| {
            match fs::hard_link(beside, path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
                // Not every file system supports hard links.
                Err(_) => fs::rename(beside, path),
                Ok(()) => fs::remove_file(beside),
            }
        })
    }

    fn write_beside(
        &self,
        name: &str,
        text: &str,
        then: impl FnOnce(&Path, &Path) -> io::Result<()>,
    ) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| cannot("create", parent, error))?;
        }
        // Written under a temporary name first: a partial file never has its final name.
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        let written = fs::write(&beside, text).map_err(|error| cannot("write", &beside, error));
        let moved = written
            .and_then(|()| then(&beside, &path).map_err(|error| cannot("write", &path, error)));
        if let Err(error) = moved {
            // The first error is the one to return.
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        Ok(path)
    }
}

type Read<T> = fn(&str) -> Result<T, lookback_schema::Error>;

fn read_file<T>(path: &Path, read: Read<T>) -> Result<T, Error> {
    let text = fs::read_to_string(path).map_err(|error| cannot("read", path, error))?;
    read(&text).map_err(|source| {
        let path = path.to_owned();
        FolderError::Snapshot { path, source }.into()
    })
}

/// The number at the start of a name.
pub(crate) fn version_of(name: &str) -> Option<i64> {
    name.split('_').next()?.parse().ok()
}

pub(super) fn cannot(action: &'static str, path: &Path, source: io::Error) -> Error {
    FolderError::io(action, path, source).into()
}
