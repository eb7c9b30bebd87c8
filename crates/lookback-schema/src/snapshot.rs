//! Schema snapshots: the schema after a migration, as a file.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::schema::Schema;

/// The version of the format that is written. Older ones are read for ever.
pub const FORMAT: u32 = 1;

/// The schema after a migration, and the migration it follows.
///
/// There is no central list of migrations: each snapshot names its parent, so
/// that two branches merge without a conflict, and that both went on from the
/// same parent is seen afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The version of the format.
    format: u32,
    /// The version of the migration: the last, if the change took several files.
    pub version: i64,
    /// The version of the snapshot that this one follows; none for the first.
    pub parent: Option<i64>,
    /// The versions of all files of the change, in order.
    pub files: Vec<i64>,
    /// The schema after it.
    pub schema: Schema,
}

impl Snapshot {
    /// The snapshot of a change that took these files.
    pub fn new(files: Vec<i64>, parent: Option<i64>, schema: Schema) -> Self {
        Self {
            format: FORMAT,
            version: files.last().copied().unwrap_or_default(),
            parent,
            files,
            schema,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// What is not a snapshot, with its line; a newer format.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let format: Format = serde_json::from_str(text)
            .map_err(|error| Error::new(format!("not a schema snapshot: {error}")))?;
        if format.format > FORMAT {
            return Err(Error::new(format!(
                "the schema snapshot is of format {}, and this version reads up to {FORMAT}: use \
                 the version that wrote it",
                format.format
            )));
        }
        serde_json::from_str(text)
            .map_err(|error| Error::new(format!("not a schema snapshot: {error}")))
    }

    /// The text of the file: always the same for the same snapshot.
    pub fn to_json(&self) -> String {
        // Only a map with keys that are not strings cannot be written, and names are strings.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
