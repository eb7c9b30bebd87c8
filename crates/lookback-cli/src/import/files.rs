//! The files of folders, and of patterns that the shell has left as they are.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::input::shown_path;
use crate::failure::Failure;
use crate::output;

/// A file to import, or why there is none.
pub(super) type Found = Result<PathBuf, Failure>;

/// Returns the inputs with each folder replaced by its files, those of its folders included, and
/// each pattern such as `logs/*.log` by its files, in the order of their names. Hidden files are
/// left out. What cannot be read is a failure of its own, which keeps no other file away.
///
/// # Errors
///
/// A pattern is none, or none of the folders has a file.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<Found>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut left_out = Vec::new();
            add_files(path, &mut files, &mut left_out);
            note_left_out(path, &left_out);
        } else if let Some(pattern) = pattern(path) {
            let found = matching(&pattern)?;
            if found.is_empty() {
                files.push(Err(Failure::failed(format!("{pattern}: matches no file"))));
            }
            files.extend(found);
        } else {
            files.push(Ok(path.clone()));
        }
    }
    if files.is_empty() {
        let shown: Vec<String> = paths.iter().map(|path| shown_path(path)).collect();
        return Err(Failure::failed(format!(
            "{}: has no files",
            shown.join(", ")
        )));
    }
    Ok(files)
}

/// Says which entries of a folder are not imported.
fn note_left_out(folder: &Path, left_out: &[String]) {
    const SHOWN: usize = 5;
    if left_out.is_empty() {
        return;
    }
    let more = match left_out.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(", and {} more", output::grouped(more as u64)),
    };
    output::note(&format!(
        "{}: left out what is no file: {}{more}",
        shown_path(folder),
        left_out[..left_out.len().min(SHOWN)].join(", ")
    ));
}

/// Whether a path stands for files that may be several: it is a folder, or a pattern.
pub(super) fn is_several(path: &Path) -> bool {
    path.is_dir() || pattern(path).is_some()
}

/// Returns the files of a folder or a pattern that there are now, and what cannot be read.
pub(super) fn find(path: &Path) -> Vec<Found> {
    let mut files = Vec::new();
    if path.is_dir() {
        add_files(path, &mut files, &mut Vec::new());
    } else if let Some(pattern) = pattern(path) {
        match matching(&pattern) {
            Ok(found) => files.extend(found),
            Err(failure) => files.push(Err(failure)),
        }
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

/// The files that match a pattern, in the order of their names, and what cannot be read.
fn matching(pattern: &str) -> Result<Vec<Found>, Failure> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let found = glob::glob_with(pattern, options).map_err(|error| {
        Failure::usage(format!("{pattern}: is no pattern of files: {error}"))
            .hint("* stands for any characters, ? for one, [ab] for one of them, ** for folders")
    })?;
    let mut files = Vec::new();
    for path in found {
        match path {
            Err(error) => files.push(Err(unreadable(error.path(), error.error()))),
            Ok(path) => match path.metadata() {
                Ok(file) if file.is_file() => files.push(Ok(path)),
                // It was removed meanwhile, or is a link to nothing.
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    files.push(Err(unreadable(&path, &error)));
                }
                _ => {}
            },
        }
    }
    if files.is_empty()
        && let Some(failure) = closed_folder(pattern)
    {
        files.push(Err(failure));
    }
    Ok(files)
}

/// The failure of a pattern whose folder cannot be entered: it seems not to be there.
fn closed_folder(pattern: &str) -> Option<Failure> {
    let is_name = |part: &std::path::Component<'_>| {
        !part.as_os_str().to_string_lossy().contains(['*', '?', '['])
    };
    let folder: PathBuf = Path::new(pattern)
        .components()
        .take_while(is_name)
        .collect();
    let error = folder.metadata().err()?;
    (error.kind() != ErrorKind::NotFound && !folder.as_os_str().is_empty())
        .then(|| unreadable(&folder, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: cannot be read: {error}", shown_path(path)))
}

/// Adds the files of a folder, and what cannot be read. Only files: a pipe would be waited for.
fn add_files(folder: &Path, files: &mut Vec<Found>, left_out: &mut Vec<String>) {
    let mut entries = Vec::new();
    match std::fs::read_dir(folder) {
        Err(error) => files.push(Err(unreadable(folder, &error))),
        Ok(found) => {
            for entry in found {
                match entry {
                    Ok(entry) => entries.push(entry),
                    Err(error) => files.push(Err(unreadable(folder, &error))),
                }
            }
        }
    }
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            add_files(&path, files, left_out);
            continue;
        }
        match path.metadata() {
            Ok(file) if file.is_file() => files.push(Ok(path)),
            // Its files may be above it.
            Ok(file) if file.is_dir() => {
                left_out.push(format!("{} (a link to a folder)", shown_path(&path)));
            }
            Ok(_) => left_out.push(shown_path(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                left_out.push(format!("{} (a link to nothing)", shown_path(&path)));
            }
            Err(error) => files.push(Err(unreadable(&path, &error))),
        }
    }
}
