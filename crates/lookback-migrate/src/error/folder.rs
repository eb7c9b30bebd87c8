//! Errors of invalid migration folders.

use std::io;
use std::path::{Path, PathBuf};

use super::Remedy;

#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("expected <version>_<description>.sql, got {name}")]
    FileName { name: String },
    #[error("{} begins with a byte-order mark", path.display())]
    ByteOrderMark { path: PathBuf },
    #[error("{}, line {line}: the file is not UTF-8{}", path.display(), encoding.unwrap_or(""))]
    NotUtf8 {
        path: PathBuf,
        line: usize,
        encoding: Option<&'static str>,
    },
    #[error("{} has migrations of {tool}, which are not read: {found}", folder.display())]
    Foreign {
        folder: PathBuf,
        tool: &'static str,
        found: String,
        name: String,
    },
    #[error("two migrations have version {version}: {first} and {second}")]
    DuplicateVersion {
        version: i64,
        first: String,
        second: String,
    },
    #[error("{}: {first} and {second} have the same version", folder.display())]
    DuplicateGenerated {
        folder: PathBuf,
        first: String,
        second: String,
    },
    #[error("{file} reverts a migration that does not exist")]
    UpFileMissing {
        file: String,
        version: i64,
        folder: PathBuf,
    },
    #[error("{} already exists", path.display())]
    FileExists { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Snapshot {
        path: PathBuf,
        source: lookback_schema::Error,
    },
    #[error("{} has no schema snapshot", folder.display())]
    NoSnapshot { folder: PathBuf },
    #[error("{} holds the snapshot of version {version}", path.display())]
    SnapshotVersion { path: PathBuf, version: i64 },
    #[error("the parent of {} must be older", path.display())]
    ParentNotOlder { path: PathBuf },
    #[error("{} follows meta/{parent}.json, which is missing", path.display())]
    ParentMissing { path: PathBuf, parent: i64 },
    #[error("{} belongs to a file of version {version}, which is missing", path.display())]
    FileMissing { path: PathBuf, version: i64 },
    #[error("migration {version} follows meta/{parent}.json, which is missing or not older")]
    OlderParentMissing { version: i64, parent: i64 },
    #[error("migrations {first} and {second} both have a file of version {file}")]
    SharedFile { first: i64, second: i64, file: i64 },
    #[error("migrations {} were generated on two branches", listed(versions))]
    Branches { versions: Vec<i64> },
    #[error("an earlier run was stopped while writing {}", folder.display())]
    HalfWritten { folder: PathBuf },
    #[error("{}: {problem}", path.display())]
    Journal {
        path: PathBuf,
        problem: String,
        source: Option<serde_json::Error>,
    },
    #[error("another process wrote files to {}", folder.display())]
    Overtaken { folder: PathBuf },
}

impl FolderError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Io { .. } => Remedy::NameFolder,
            Self::FileName { .. } => Remedy::RenameFile,
            Self::ByteOrderMark { .. } => Remedy::RemoveByteOrderMark,
            Self::NotUtf8 { .. } => Remedy::SaveAsUtf8,
            Self::Foreign { name, .. } => Remedy::RenameForeign { name: name.clone() },
            Self::DuplicateVersion { .. } => Remedy::ChangeVersion,
            Self::DuplicateGenerated { .. } => Remedy::RegenerateDuplicate { snapshot: None },
            Self::SharedFile { second, .. } => Remedy::RegenerateDuplicate {
                snapshot: Some(format!("meta/{second}.json")),
            },
            Self::UpFileMissing {
                version, folder, ..
            } => Remedy::AddUpFile {
                version: *version,
                folder: folder.clone(),
            },
            Self::FileExists { .. } => Remedy::RunAgain,
            Self::NoSnapshot { .. } => Remedy::GenerateMigrations,
            Self::SnapshotVersion { version, .. } => Remedy::RestoreFile {
                name: Some(format!("meta/{version}.json")),
            },
            Self::Snapshot { .. }
            | Self::ParentNotOlder { .. }
            | Self::ParentMissing { .. }
            | Self::OlderParentMissing { .. } => Remedy::RestoreFile { name: None },
            Self::FileMissing { .. } => Remedy::RestoreOrRegenerate,
            Self::Branches { .. } => Remedy::Rebase,
            Self::HalfWritten { .. } => Remedy::FinishGenerating,
            Self::Journal { .. } => Remedy::RestoreFolder,
            Self::Overtaken { .. } => Remedy::RunAgainUnchanged,
        }
    }
}

fn listed(versions: &[i64]) -> String {
    let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
    versions.join(" and ")
}
