//! Several files changed as one: what is to be done is written down first, and
//! can then be finished by whoever finds it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::migrate::Folder;
use crate::migrate::folder::cannot;

/// Not `.json`: it is no snapshot.
pub(super) const NAME: &str = "meta/generate.journal";

/// Files to write, with their text, and files to remove, by their names in the
/// folder. Done twice it is the same as done once.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    pub(super) write: BTreeMap<String, String>,
    pub(super) remove: BTreeSet<String>,
}

impl Journal {
    /// What an earlier run wrote down and did not finish.
    pub(super) fn read(folder: &Folder) -> Result<Option<Self>, Error> {
        let path = folder.path().join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // What is wrong with the folder is said when it is read.
            Err(error)
                if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory]
                    .contains(&error.kind()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(cannot("read", &path, &error)),
        };
        let wrong = |problem: String| Error::Setup {
            problem: format!("{}: {problem}", path.display()),
            hint: "it is not what db generate wrote: take the folder from the \
                   repository's history"
                .to_owned(),
        };
        let journal: Self = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("not a list of files: {error}")))?;
        for name in journal.write.keys().chain(&journal.remove) {
            if !is_own(name) {
                return Err(wrong(format!("`{name}` is no file of migrations")));
            }
        }
        Ok(Some(journal))
    }

    /// The same for files that are new, from the version `first` on, unless
    /// others came first: two programs may generate at the same time.
    pub(super) fn commit_after(&self, folder: &Folder, first: i64) -> Result<(), Error> {
        // A map of strings can be written.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        let path = folder.claim(NAME, &text)?;
        match folder.last_version() {
            Ok(last) if last < first => self.finish(folder),
            other => {
                fs::remove_file(&path).map_err(|error| cannot("remove", &path, &error))?;
                other.and_then(|_| {
                    Err(Error::Setup {
                        problem: format!(
                            "other files came into {} meanwhile",
                            folder.path().display()
                        ),
                        hint: "nothing was written; run it again".to_owned(),
                    })
                })
            }
        }
    }

    /// Writes it down, which decides that it is done, and does it.
    pub(super) fn commit(&self, folder: &Folder) -> Result<(), Error> {
        // A map of strings can be written.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        folder.replace(NAME, &text)?;
        self.finish(folder)
    }

    pub(super) fn finish(&self, folder: &Folder) -> Result<(), Error> {
        for (name, text) in &self.write {
            folder.replace(name, text)?;
        }
        for name in self.remove.iter().map(String::as_str).chain([NAME]) {
            let path = folder.path().join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(cannot("remove", &path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether it is a file that is generated, and nowhere but in the folder.
fn is_own(name: &str) -> bool {
    let (file, end) = match name.strip_prefix("meta/") {
        Some(file) => (file, ".json"),
        None => (name, ".sql"),
    };
    file.starts_with(|c: char| c.is_ascii_digit())
        && file.ends_with(end)
        && !file.contains(['/', '\\', ':'])
}
