//! Puts migrations that were generated on several branches in one sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use lookback_schema::{Schema, Snapshot, merge};

use crate::error::{Error, FolderError, GenerateError};
use crate::files::Folder;
use crate::files::folder::version_of;
use crate::files::journal::Journal;
use crate::generate::{GenerateOptions, Generated, draft, next_version};

/// A plan that puts the snapshots of a folder in one sequence.
///
/// The order is that of the versions, in which a new database applies the
/// files. The change of a migration is the difference between its parent's
/// snapshot and its own. A migration that is moved behind another gets that one
/// as its parent, and a schema with both changes. Its SQL is not changed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Rebase {
    /// The snapshots that are rewritten, in order.
    pub rewritten: Vec<Snapshot>,
    /// The snapshots that are removed with their files, to be regenerated.
    pub removed: Vec<Snapshot>,
    /// The newest snapshot that stays.
    newest: Option<Snapshot>,
}

impl Rebase {
    /// Plans the rebase of the snapshots of `folder`; writes nothing.
    ///
    /// `regenerate` contains the versions of migrations to remove. Migrations
    /// that follow them on their branch are removed, too.
    ///
    /// # Errors
    ///
    /// [`Error::is_generate`] with each object that two branches change, and what
    /// each does, and for a version in `regenerate` that is on no branch;
    /// [`Error::is_folder`] for a snapshot whose parent is missing.
    pub fn plan(folder: &Folder, regenerate: &[i64]) -> Result<Self, Error> {
        let snapshots = folder.snapshots()?;
        let known = in_order(&snapshots)?;
        if is_linear(&snapshots) {
            let newest = snapshots.last().cloned();
            return Ok(Self {
                newest,
                ..Self::default()
            });
        }
        let removed = removed(&snapshots, regenerate)?;
        let mut rebase = Self::default();
        let mut conflicts = Vec::new();
        // A snapshot that follows a conflicting one is reported with it.
        let mut left_out: BTreeSet<i64> = BTreeSet::new();
        for snapshot in &snapshots {
            let version = snapshot.version;
            if removed.contains(&version) {
                rebase.removed.push(snapshot.clone());
                continue;
            }
            if snapshot
                .parent
                .is_some_and(|parent| left_out.contains(&parent))
            {
                left_out.insert(version);
                continue;
            }
            if let Err(problem) = rebase.follow(snapshot, &known) {
                conflicts.push(problem);
                left_out.insert(version);
            }
        }
        if conflicts.is_empty() {
            return Ok(rebase);
        }
        Err(GenerateError::Conflicts(conflicts).into())
    }

    /// Puts a snapshot behind the newest one.
    fn follow(
        &mut self,
        snapshot: &Snapshot,
        known: &BTreeMap<i64, &Snapshot>,
    ) -> Result<(), String> {
        let parent = self.newest.as_ref().map(|newest| newest.version);
        let head = self.newest.as_ref().map(|newest| newest.schema.clone());
        let head = head.unwrap_or_default();
        let before = snapshot.parent.and_then(|parent| known.get(&parent));
        let base = before.map(|before| before.schema.clone());
        let base = base.unwrap_or_default();
        if parent == snapshot.parent && head == base {
            self.newest = Some(snapshot.clone());
            return Ok(());
        }
        let schema = merge(&base, &head, &snapshot.schema).map_err(|conflicts| {
            let version = snapshot.version;
            let mut problem = format!(
                "migration {version} (the second) conflicts with those of the other branch, up to {} \
                 (the first)",
                parent.unwrap_or_default()
            );
            for conflict in conflicts {
                problem.push_str(&format!("\n    {conflict}"));
            }
            problem
        })?;
        let mut follower = snapshot.clone();
        follower.parent = parent;
        follower.schema = schema;
        self.rewritten.push(follower.clone());
        self.newest = Some(follower);
        Ok(())
    }

    /// Whether the plan changes nothing.
    pub fn is_empty(&self) -> bool {
        self.rewritten.is_empty() && self.removed.is_empty()
    }

    /// The schema after all migrations that are kept.
    pub fn schema(&self) -> Schema {
        let schema = self.newest.as_ref().map(|newest| newest.schema.clone());
        schema.unwrap_or_default()
    }

    /// The names of handwritten files that come after a removed migration.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read.
    pub fn written_by_hand(&self, folder: &Folder) -> Result<Vec<String>, Error> {
        let Some(first) = self.removed.iter().flat_map(|one| &one.files).min() else {
            return Ok(Vec::new());
        };
        let snapshots = folder.snapshots()?;
        let is_generated = |version: &i64| snapshots.iter().any(|s| s.files.contains(version));
        let mut names = folder.names()?;
        names.retain(|name| {
            let version = version_of(name).filter(|_| name.ends_with(".sql"));
            version.is_some_and(|version| version > *first && !is_generated(&version))
        });
        names.sort();
        Ok(names)
    }

    /// The files to write and the files to remove.
    ///
    /// # Errors
    ///
    /// A folder that cannot be read.
    pub fn files(&self, folder: &Folder) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Error> {
        let journal = self.journal(folder)?;
        let path = |name: &String| folder.path().join(name);
        let written = journal.write.keys().map(path).collect();
        Ok((written, journal.remove.iter().map(path).collect()))
    }

    /// Writes all files or none. If the process is killed while writing,
    /// [`Folder::finish`] completes the change.
    ///
    /// # Errors
    ///
    /// A folder that cannot be written.
    pub fn write(&self, folder: &Folder) -> Result<(), Error> {
        self.journal(folder)?.commit(folder)
    }

    /// Writes the plan, and the migration from the remaining snapshots to
    /// `models`.
    ///
    /// # Errors
    ///
    /// Those of [`generate`](crate::generate()); then nothing is written.
    pub fn generate(
        &self,
        folder: &Folder,
        models: &Schema,
        options: &GenerateOptions,
        now: DateTime<Utc>,
    ) -> Result<Generated, Error> {
        let first = next_version(folder, options.version, now)?;
        let draft = draft(self.newest.as_ref(), models, options, first)?;
        let mut journal = self.journal(folder)?;
        let generated = draft.generated(folder);
        journal.write.extend(draft.files);
        journal.commit(folder)?;
        Ok(generated)
    }

    fn journal(&self, folder: &Folder) -> Result<Journal, Error> {
        let mut journal = Journal::default();
        for snapshot in &self.rewritten {
            journal
                .write
                .insert(snapshot_name(snapshot.version), snapshot.to_json());
        }
        for snapshot in &self.removed {
            journal.remove.insert(snapshot_name(snapshot.version));
            for name in folder.names()? {
                let version = version_of(&name);
                let is_sql = name.ends_with(".sql");
                if is_sql && version.is_some_and(|version| snapshot.files.contains(&version)) {
                    journal.remove.insert(name);
                }
            }
        }
        Ok(journal)
    }
}

pub(super) fn snapshot_name(version: i64) -> String {
    format!("meta/{version}.json")
}

/// Checks parents and files of the snapshots, and returns them by version.
fn in_order(snapshots: &[Snapshot]) -> Result<BTreeMap<i64, &Snapshot>, Error> {
    let mut known = BTreeMap::new();
    let mut files: BTreeMap<i64, i64> = BTreeMap::new();
    for snapshot in snapshots {
        let version = snapshot.version;
        if let Some(parent) = snapshot.parent
            && !known.contains_key(&parent)
        {
            return Err(FolderError::OlderParentMissing { version, parent }.into());
        }
        known.insert(version, snapshot);
        for file in &snapshot.files {
            if let Some(other) = files.insert(*file, version) {
                return Err(FolderError::SharedFile {
                    first: other,
                    second: version,
                    file: *file,
                }
                .into());
            }
        }
    }
    Ok(known)
}

fn is_linear(snapshots: &[Snapshot]) -> bool {
    let mut last = None;
    snapshots.iter().all(|snapshot| {
        let follows = snapshot.parent == last;
        last = Some(snapshot.version);
        follows
    })
}

/// The versions of the snapshots to remove: requested ones and their followers.
fn removed(snapshots: &[Snapshot], regenerate: &[i64]) -> Result<BTreeSet<i64>, Error> {
    let mut removed = BTreeSet::new();
    for wanted in regenerate {
        let found = snapshots
            .iter()
            .find(|snapshot| snapshot.version == *wanted || snapshot.files.contains(wanted));
        let mut gone = BTreeSet::new();
        gone.extend(found.map(|snapshot| snapshot.version));
        for snapshot in snapshots {
            if snapshot.parent.is_some_and(|parent| gone.contains(&parent)) {
                gone.insert(snapshot.version);
            }
        }
        // If all other migrations come before or after this one, no migration
        // was generated on another branch beside it.
        let beside = |snapshot: &&Snapshot| {
            !gone.contains(&snapshot.version)
                && !found.is_some_and(|found| follows(snapshots, found, snapshot.version))
        };
        if found.is_none() || !snapshots.iter().any(|snapshot| beside(&snapshot)) {
            return Err(GenerateError::NotOnBranch { version: *wanted }.into());
        }
        removed.extend(gone);
    }
    Ok(removed)
}

/// Whether a snapshot comes after the one with this version.
fn follows(snapshots: &[Snapshot], snapshot: &Snapshot, version: i64) -> bool {
    let mut parent = snapshot.parent;
    while let Some(this) = parent {
        if this == version {
            return true;
        }
        parent = snapshots
            .iter()
            .find(|other| other.version == this)
            .and_then(|other| other.parent);
    }
    false
}
