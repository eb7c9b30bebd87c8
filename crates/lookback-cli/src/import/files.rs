//! The files of folders, and of patterns that the shell has left as they are.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::output;

/// Returns the inputs with each folder replaced by its files, those of its folders included, and
/// each pattern such as `logs/*.log` by its files, in the order of their names. Hidden files are
/// left out.
///
/// # Errors
///
/// A folder cannot be read, no file matches a pattern, or none of the folders has a file.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            add_files(path, &mut files)?;
        } else if let Some(pattern) = pattern(path) {
            let found = matching(&pattern)?;
            if found.is_empty() {
                return Err(Failure::failed(format!("{pattern}: matches no file")));
            }
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    if files.is_empty() {
        let shown: Vec<String> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(Failure::failed(format!(
            "{}: has no files",
            shown.join(", ")
        )));
    }
    Ok(files)
}

/// Whether a path stands for files that may be several: it is a folder, or a pattern.
pub(super) fn is_several(path: &Path) -> bool {
    path.is_dir() || pattern(path).is_some()
}

/// Returns the files of a folder or a pattern that there are now. What cannot be read is left out:
/// it may have been removed meanwhile.
pub(super) fn find(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let found = if path.is_dir() {
        add_files(path, &mut files)
    } else if let Some(pattern) = pattern(path) {
        matching(&pattern).map(|found| files.extend(found))
    } else {
        Ok(())
    };
    if let Err(failure) = found {
        output::detail(failure.message());
    }
    files
}

/// The pattern that a path is, unless there is a file of this name.
fn pattern(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    (text.contains(['*', '?', '[']) && !path.exists()).then(|| text.to_owned())
}

/// Checks a path, if it is a pattern.
///
/// # Errors
///
/// The pattern is invalid.
pub(super) fn check_pattern(path: &Path) -> Result<(), Failure> {
    match pattern(path) {
        Some(pattern) => matching(&pattern).map(drop),
        None => Ok(()),
    }
}

/// The files that match a pattern, in the order of their names.
fn matching(pattern: &str) -> Result<Vec<PathBuf>, Failure> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let found = glob::glob_with(pattern, options).map_err(|error| {
        Failure::usage(format!("{pattern}: is no pattern of files: {error}"))
            .hint("* stands for any characters, ? for one, [ab] for one of them, ** for folders")
    })?;
    let files = found.flatten().filter(|path| path.is_file());
    Ok(files.collect())
}

fn add_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::failed(format!("{}: cannot be read: {error}", folder.display()))
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        entries.push(entry.map_err(cannot)?);
    }
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_dir() {
            add_files(&entry.path(), files)?;
        } else if entry.path().is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}
