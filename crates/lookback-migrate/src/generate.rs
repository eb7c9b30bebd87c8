//! Generates migration files from a schema.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use lookback_schema::{Decisions, Plan, Risk, Schema, Snapshot, diff};

use crate::error::{Error, GenerateError};
use crate::files::Folder;
use crate::files::journal::Journal;
use crate::rebase::snapshot_name;

/// The largest number of files of a migration, each with its own version.
const MAX_FILES: i64 = 1_000_000;

/// Options of [`generate`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GenerateOptions {
    /// The words of its name; derived from the change if `None`.
    pub name: Option<String>,
    /// Decisions that the schemas leave open.
    pub decisions: Decisions,
    /// Whether each file gets another one that reverts it.
    pub reversible: bool,
    /// The version of the first file, later than existing ones; the time if `None`.
    pub version: Option<i64>,
}

/// A generated migration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Generated {
    /// The plan, before it was split into files.
    pub plan: Plan,
    /// The files that were written, the snapshot last; empty if nothing changed.
    pub files: Vec<PathBuf>,
    /// The risks of applying the files, with the file names.
    pub risks: Vec<(String, Risk)>,
    /// The names of files in which functions have to be created by hand, with these functions.
    ///
    /// They take an enum that the migration creates, and a later file calls them.
    pub functions: Vec<(String, Vec<String>)>,
}

/// Generates the migration from the newest snapshot of `folder` to `models`.
///
/// Writes the files of the migration and a snapshot. Needs no database. Functions that take a new
/// enum get an empty file after the one that creates the type ([`Generated::functions`]).
///
/// Versions are `now` as `YYYYMMDDhhmmss` in UTC, and later than those of all existing files.
/// [`GenerateOptions::version`] sets them instead.
///
/// # Errors
///
/// [`Error::is_generate`] if the version is not later than those of the folder, or if there are
/// [`Error::questions`] to decide; [`Error::is_folder`] if the folder cannot be read or written, or
/// has migrations of two branches.
pub fn generate(
    folder: &Folder,
    models: &Schema,
    options: &GenerateOptions,
    now: DateTime<Utc>,
) -> Result<Generated, Error> {
    // In this order, the commit detects files that were written after the versions were read.
    let last = folder.last_version()?;
    let first = later_version(folder, last, options.version, now)?;
    let newest = folder.newest()?;
    let draft = draft(newest.as_ref(), models, options, first)?;
    let generated = draft.generated(folder);
    if !draft.files.is_empty() {
        let journal = Journal {
            write: draft.files.into_iter().collect(),
            after: Some(last),
            ..Journal::default()
        };
        journal.claim(folder)?;
    }
    Ok(generated)
}

/// A migration that is not written yet.
pub(super) struct Draft {
    pub(super) plan: Plan,
    /// File names and texts, the snapshot last; empty if nothing changes.
    pub(super) files: Vec<(String, String)>,
    risks: Vec<(String, Risk)>,
    functions: Vec<(String, Vec<String>)>,
}

impl Draft {
    /// The result of writing it to `folder`.
    pub(super) fn generated(&self, folder: &Folder) -> Generated {
        let names = self.files.iter().map(|(name, _)| name);
        Generated {
            plan: self.plan.clone(),
            files: names.map(|name| folder.path().join(name)).collect(),
            risks: self.risks.clone(),
            functions: self.functions.clone(),
        }
    }
}

/// Drafts the migration from the schema of `parent` to `models`.
///
/// Its files get the versions from `first` on.
pub(super) fn draft(
    parent: Option<&Snapshot>,
    models: &Schema,
    options: &GenerateOptions,
    first: i64,
) -> Result<Draft, Error> {
    let before = parent.map(|snapshot| snapshot.schema.clone());
    let before = before.unwrap_or_default();
    let plan = diff(&before, models, &options.decisions)?;
    if plan.is_empty() {
        return Ok(Draft {
            plan,
            files: Vec::new(),
            risks: Vec::new(),
            functions: Vec::new(),
        });
    }
    let name = match &options.name {
        Some(name) => validated_name(name)?,
        None => plan.name(),
    };
    let (mut files, mut risks) = (Vec::new(), Vec::new());
    let (mut versions, mut functions) = (Vec::new(), Vec::new());
    let mut numbers = first..;
    let end = if options.reversible {
        ".up.sql"
    } else {
        ".sql"
    };
    for file in plan.files(&before, &name) {
        let version = numbers.next().unwrap_or(first);
        let words = &file.name;
        let up = format!("{version}_{words}{end}");
        risks.extend(risks_of(&file.plan).map(|risk| (up.clone(), risk)));
        files.push((up, file.sql()));
        if options.reversible {
            let down = format!("{version}_{words}.down.sql");
            let back = file
                .reversal()
                .map_err(|source| GenerateError::NotReversible {
                    name: words.clone(),
                    source,
                })?;
            risks.extend(risks_of(&back).map(|risk| (down.clone(), risk)));
            files.push((down, file.reversal_sql(&back)));
        }
        versions.push(version);
        if !file.functions.is_empty() {
            let stem = format!("{}_{name}_functions", numbers.next().unwrap_or(first));
            let calls = file.functions.join(", ");
            let text = format!(
                "-- Create the functions here that take the new types and that the next file \
                 calls: {calls}.\n"
            );
            files.push((format!("{stem}{end}"), text));
            if options.reversible {
                let text = format!("-- Drop these functions here: {calls}.\n");
                files.push((format!("{stem}.down.sql"), text));
            }
            functions.push((format!("{stem}{end}"), file.functions));
        }
    }
    let parent = parent.map(|snapshot| snapshot.version);
    let snapshot = Snapshot::new(versions, parent, models.clone());
    files.push((snapshot_name(snapshot.version), snapshot.to_json()));
    Ok(Draft {
        plan,
        files,
        risks,
        functions,
    })
}

fn risks_of(plan: &Plan) -> impl Iterator<Item = Risk> {
    let risks = plan.steps.iter().flat_map(|step| &step.risks);
    risks.cloned().collect::<Vec<_>>().into_iter()
}

/// Writes an empty file for a handwritten change of data.
///
/// Its version is the given one or the current time.
///
/// # Errors
///
/// A folder that cannot be written; a name that is not valid; a version that is
/// not later than those of the folder.
pub fn generate_empty(
    folder: &Folder,
    name: &str,
    version: Option<i64>,
    now: DateTime<Utc>,
) -> Result<PathBuf, Error> {
    let name = validated_name(name)?;
    let version = next_version(folder, version, now)?;
    let text = "-- Write the change here. It runs in one transaction; for one that cannot,\n\
                -- make `-- no-transaction` the first line.\n";
    folder.write(&format!("{version}_{name}.sql"), text)
}

/// Checks the words of a file's name.
///
/// # Errors
///
/// [`Error::is_generate`], with a remedy that describes a valid name.
pub fn check_name(name: &str) -> Result<(), Error> {
    validated_name(name).map(|_| ())
}

fn validated_name(name: &str) -> Result<String, Error> {
    let fits = !name.is_empty()
        && name.len() <= 100
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits {
        return Ok(name.to_owned());
    }
    let name = name.to_owned();
    Err(GenerateError::MigrationName { name }.into())
}

/// The version of the next file.
///
/// The given version, if it is later than those of the folder. Without one, the time, or the latest
/// version plus one if that is later.
pub(super) fn next_version(
    folder: &Folder,
    given: Option<i64>,
    now: DateTime<Utc>,
) -> Result<i64, Error> {
    later_version(folder, folder.last_version()?, given, now)
}

fn later_version(
    folder: &Folder,
    last: i64,
    given: Option<i64>,
    now: DateTime<Utc>,
) -> Result<i64, Error> {
    if let Some(given) = given {
        if given <= last {
            return Err(GenerateError::VersionNotLater {
                version: given,
                last,
                folder: folder.path().to_owned(),
            }
            .into());
        }
        if given > i64::MAX - MAX_FILES {
            return Err(GenerateError::VersionTooLarge { version: given }.into());
        }
        return Ok(given);
    }
    let stamp = now.format("%Y%m%d%H%M%S").to_string().parse().unwrap_or(0);
    if last > i64::MAX - MAX_FILES {
        let folder = folder.path().to_owned();
        return Err(GenerateError::NoLaterVersion { last, folder }.into());
    }
    Ok((last + 1).max(stamp))
}
