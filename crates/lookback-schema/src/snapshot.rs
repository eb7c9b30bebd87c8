//! Schema snapshots: files with the schema after a migration.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::schema::Schema;

/// The format version of new files. Older versions stay readable.
pub const FORMAT: u32 = 1;

/// The schema after a migration, and the migration that it follows.
///
/// There is no central list of migrations. Each snapshot names its parent, so that two branches
/// merge without a conflict. Two snapshots with the same parent are detected afterwards.
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

/// The header of a snapshot: everything but its schema.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SnapshotHeader {
    format: u32,
    /// The version of the migration.
    pub version: i64,
    /// The version of the snapshot that this one follows; none for the first.
    pub parent: Option<i64>,
    /// The versions of its files.
    pub files: Vec<i64>,
}

impl SnapshotHeader {
    /// Reads the header from a file and skips the schema, the largest part.
    ///
    /// # Errors
    ///
    /// Those of [`Snapshot::from_json`], except for errors in the schema.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read(text, |place: &Self| place.format)
    }
}

impl Snapshot {
    /// Creates the snapshot of a change with these files.
    pub fn new(files: Vec<i64>, parent: Option<i64>, schema: Schema) -> Self {
        Self {
            format: FORMAT,
            version: files.last().copied().unwrap_or_default(),
            parent,
            files,
            schema,
        }
    }

    /// Parses a snapshot file.
    ///
    /// # Errors
    ///
    /// A text that is not a snapshot, with the line; a newer format.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        read(text, |snapshot: &Self| snapshot.format)
    }

    /// The text of the file: always the same for the same snapshot.
    pub fn to_json(&self) -> String {
        // Only a map whose keys are not strings fails to serialize; here keys are names.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Parses a file with a format version; a newer version is reported before other errors.
fn read<T: DeserializeOwned>(text: &str, format: impl Fn(&T) -> u32) -> Result<T, Error> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let not_one = |error| Error::new(format!("not a schema snapshot: {error}"));
    let found = serde_json::from_str(text);
    let format = match &found {
        Ok(value) => format(value),
        Err(_) => {
            serde_json::from_str::<Format>(text)
                .map_err(not_one)?
                .format
        }
    };
    if format > FORMAT {
        return Err(Error::new(format!(
            "the schema snapshot is of format {format}, and this version reads up to {FORMAT}: use \
             the version that wrote it"
        )));
    }
    found.map_err(not_one)
}

#[cfg(test)]
mod tests {
    use super::{Snapshot, SnapshotHeader};
    use crate::schema::Schema;

    #[test]
    fn header_of_a_snapshot_has_its_version_and_parent() {
        let snapshot = Snapshot::new(vec![7, 8], Some(3), Schema::default());
        let header = SnapshotHeader::from_json(&snapshot.to_json()).unwrap();
        assert_eq!(
            (header.version, header.parent),
            (snapshot.version, snapshot.parent)
        );
    }

    #[test]
    fn newer_format_is_reported_before_other_errors() {
        for text in [
            r#"{"format": 99}"#,
            r#"{"format": 99, "version": 1, "parent": null, "files": [1], "schema": {}}"#,
        ] {
            let header = SnapshotHeader::from_json(text).unwrap_err().to_string();
            let snapshot = Snapshot::from_json(text).unwrap_err().to_string();
            assert!(header.contains("is of format 99"), "{header}");
            assert_eq!(header, snapshot);
        }
        for text in ["", "{}", r#"{"format": 1}"#] {
            let header = SnapshotHeader::from_json(text).unwrap_err().to_string();
            assert!(header.starts_with("not a schema snapshot: "), "{header}");
        }
    }
}
