//! A folder of migrations that cannot be used as it is.

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
    #[error("{name} is not the name of a migration")]
    FileName { name: String },
    #[error("{} begins with a byte-order mark", path.display())]
    ByteOrderMark { path: PathBuf },
    #[error("two migrations of version {version}: {first} and {second}")]
    DuplicateVersion {
        version: i64,
        first: String,
        second: String,
    },
    #[error("{}: {first} and {second} are of the same version", folder.display())]
    DuplicateGenerated {
        folder: PathBuf,
        first: String,
        second: String,
    },
    #[error("{file} undoes a migration that is not there")]
    UpFileMissing {
        file: String,
        version: i64,
        folder: PathBuf,
    },
    #[error("{} is there already", path.display())]
    FileExists { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Snapshot {
        path: PathBuf,
        source: lookback_schema::Error,
    },
    #[error("{} has no schema snapshot", folder.display())]
    NoSnapshot { folder: PathBuf },
    #[error("{} is the snapshot of version {version}", path.display())]
    SnapshotVersion { path: PathBuf, version: i64 },
    #[error("{} follows one that is not older", path.display())]
    ParentNotOlder { path: PathBuf },
    #[error("{} follows meta/{parent}.json, which is not there", path.display())]
    ParentMissing { path: PathBuf, parent: i64 },
    #[error("{} was written with a file of version {version}, which is not there", path.display())]
    FileMissing { path: PathBuf, version: i64 },
    #[error(
        "migration {version} follows {parent}, and there is no older meta/{parent}.json in the folder"
    )]
    OlderParentMissing { version: i64, parent: i64 },
    #[error("migrations {first} and {second} both have a file {file}")]
    SharedFile { first: i64, second: i64, file: i64 },
    #[error(
        "the migrations {} do not follow each other: they were generated on two branches",
        listed(versions)
    )]
    Branches { versions: Vec<i64> },
    #[error("generating was stopped half-way in {}", folder.display())]
    HalfWritten { folder: PathBuf },
    #[error("{}: {problem}", path.display())]
    Journal {
        path: PathBuf,
        problem: String,
        source: Option<serde_json::Error>,
    },
    #[error("other files came into {} meanwhile", folder.display())]
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
