//! A journal for changing several files as one, which a later process can finish.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::Folder;
use super::folder::{cannot, version_of};
use crate::error::{Error, FolderError};

/// The file of the journal; not `.json`, because it is not a snapshot.
pub(crate) const NAME: &str = "meta/generate.journal";

/// Files to write and files to remove, by their names in the folder.
///
/// Finishing a journal twice has the same effect as finishing it once.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Journal {
    pub(crate) write: BTreeMap<String, String>,
    pub(crate) remove: BTreeSet<String>,
    /// The newest version of the folder when the files were generated. If there are newer files
    /// now, nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<i64>,
}

impl Journal {
    /// Reads the journal of an interrupted run.
    pub(crate) fn read(folder: &Folder) -> Result<Option<Self>, Error> {
        let path = folder.path().join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // Other errors are reported when the folder is read.
            Err(error)
                if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory]
                    .contains(&error.kind()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(cannot("read", &path, error)),
        };
        let wrong = |problem: String, source| FolderError::Journal {
            path: path.clone(),
            problem,
            source,
        };
        let journal: Self = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("not a list of files: {error}"), Some(error)))?;
        for name in journal.write.keys().chain(&journal.remove) {
            if !is_generated_name(name) {
                return Err(wrong(format!("`{name}` is not a file of migrations"), None).into());
            }
        }
        Ok(Some(journal))
    }

    /// Writes new files through the journal, unless another process was faster.
    ///
    /// Several processes may generate at the same time. While a journal exists, no other can be
    /// written. So this process and another one that finds the journal make the same decision.
    pub(crate) fn claim(&self, folder: &Folder) -> Result<(), Error> {
        folder.claim(NAME, &self.to_json())?;
        self.finish(folder)
    }

    /// Writes the journal, which commits the change, and finishes it.
    pub(crate) fn commit(&self, folder: &Folder) -> Result<(), Error> {
        folder.replace(NAME, &self.to_json())?;
        self.finish(folder)
    }

    fn to_json(&self) -> String {
        // Serializing a map of strings cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Makes the remaining changes.
    pub(crate) fn finish(&self, folder: &Folder) -> Result<(), Error> {
        if self.is_overtaken(folder)? {
            remove(folder, NAME)?;
            let folder = folder.path().to_owned();
            return Err(FolderError::Overtaken { folder }.into());
        }
        for (name, text) in &self.write {
            folder.replace(name, text)?;
        }
        for name in self.remove.iter().map(String::as_str).chain([NAME]) {
            remove(folder, name)?;
        }
        Ok(())
    }

    /// Whether the folder has newer files than the journal expects.
    ///
    /// Files that the journal itself has written do not count.
    fn is_overtaken(&self, folder: &Folder) -> Result<bool, Error> {
        let Some(after) = self.after else {
            return Ok(false);
        };
        let mut last = 0;
        for name in folder.names()? {
            match self.write.get(&name) {
                Some(text)
                    if fs::read(folder.path().join(&name))
                        .is_ok_and(|is| is == text.as_bytes()) => {}
                _ => last = last.max(version_of(&name).unwrap_or(0)),
            }
        }
        Ok(last != after)
    }
}

fn remove(folder: &Folder, name: &str) -> Result<(), Error> {
    let path = folder.path().join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(cannot("remove", &path, error))
        }
        _ => Ok(()),
    }
}

/// Whether it is the name of a generated file directly in the folder.
fn is_generated_name(name: &str) -> bool {
    let (file, end) = match name.strip_prefix("meta/") {
        Some(file) => (file, ".json"),
        None => (name, ".sql"),
    };
    file.starts_with(|c: char| c.is_ascii_digit())
        && file.ends_with(end)
        && !file.contains(['/', '\\', ':'])
}

#[cfg(test)]
mod tests {
    use super::{Folder, Journal, NAME, fs};

    /// Makes a folder with these files, of one byte each.
    fn folder(names: &[&str]) -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(dir.path().join(name), "1").unwrap();
        }
        let folder = Folder::new(dir.path());
        (dir, folder)
    }

    /// Writes `6_b.sql`, if 5 is the newest version.
    fn journal() -> Journal {
        Journal {
            write: [("6_b.sql".to_owned(), "2".to_owned())].into(),
            after: Some(5),
            ..Journal::default()
        }
    }

    #[test]
    fn journal_with_files_added_meanwhile_writes_nothing() {
        for newer in ["6_c.sql", "7_c.sql", "6_b.sql"] {
            let (dir, folder) = folder(&["5_a.sql", newer]);
            // In the run that wrote the journal, and in a run that found it.
            for found in [false, true] {
                let error = if found {
                    folder.replace(NAME, &journal().to_json()).unwrap();
                    folder.finish().unwrap_err()
                } else {
                    journal().claim(&folder).unwrap_err()
                };
                assert!(error.is_folder(), "{error}");
                assert_eq!(fs::read(dir.path().join(newer)).unwrap(), b"1");
                assert!(!folder.is_half_written().unwrap());
            }
        }
    }

    #[test]
    fn journal_with_files_it_wrote_itself_is_finished() {
        let (dir, folder) = folder(&["5_a.sql"]);
        fs::write(dir.path().join("6_b.sql"), "2").unwrap();
        folder.replace(NAME, &journal().to_json()).unwrap();
        folder.finish().unwrap();
        assert!(!folder.is_half_written().unwrap());
        assert_eq!(fs::read(dir.path().join("6_b.sql")).unwrap(), b"2");
    }
}
