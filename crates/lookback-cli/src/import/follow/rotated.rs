//! Rotated files: which they are, and what of them is not stored.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::checkpoint::Import;
use super::super::copies::{COMPRESSED, has_stored, names_before};
use super::super::input::Identity;
use crate::args::ImportArgs;

/// The number of rotated files, from the newest on, among which the last stored line is looked for.
const MAX_LOOKED_AT: usize = 30;

/// A file beside a followed one.
struct Candidate {
    path: PathBuf,
    identity: Option<Identity>,
    length: u64,
    modified: SystemTime,
    is_compressed: bool,
}

/// Returns the rotated files of a path that may have lines behind those of an import, in the order
/// in which they were written; `None` if the file that the import has read is not among them.
///
/// `read` is the file that this process has read to its end, and whether it was rewritten since.
/// `current` is the one that is read next: it may have been rotated meanwhile, and others after it.
pub(super) fn not_stored(
    args: &ImportArgs,
    path: &Path,
    import: &Import,
    read: Option<(Identity, bool)>,
    current: Option<Identity>,
) -> Option<Vec<PathBuf>> {
    let mut candidates = candidates(path);
    let next = candidates
        .iter()
        .position(|candidate| current.is_some() && candidate.identity == current);
    candidates.truncate(next.unwrap_or(candidates.len()));
    let stored = import.position.unsigned_abs();
    let is_of_read = |candidate: &Candidate, is_expected: bool| {
        read.is_some_and(|(identity, is_rewritten)| {
            candidate.identity == Some(identity) && is_rewritten == is_expected
        })
    };
    let is_last_stored = |candidate: &Candidate| {
        (is_of_read(candidate, false) && candidate.length >= stored)
            || (stored > 0 && begins_with(args, candidate, import))
    };
    let looked_at = candidates.len().saturating_sub(MAX_LOOKED_AT)..candidates.len();
    let last = looked_at
        .clone()
        .rev()
        .find(|index| is_last_stored(&candidates[*index]));
    let rewritten = |index: &usize| is_of_read(&candidates[*index], true);
    let first = last.or_else(|| looked_at.rev().find(rewritten))?;
    let is_complete = |candidate: &Candidate| {
        Some(first) == last && !candidate.is_compressed && candidate.length <= stored
    };
    let skipped = usize::from(is_complete(&candidates[first]));
    let rest = candidates.drain(first + skipped..);
    Some(rest.map(|candidate| candidate.path).collect())
}

/// The rotated files of a path, the oldest first.
fn candidates(path: &Path) -> Vec<Candidate> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str()))
    else {
        return Vec::new();
    };
    // A folder that cannot be read has none that could be.
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut candidates: Vec<Candidate> = entries
        .filter_map(|entry| {
            let found = entry.file_name().into_string().ok()?;
            if !names_before(&found).iter().any(|before| before == name) {
                return None;
            }
            let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let identity = Identity::of(&metadata);
            let extension = COMPRESSED.iter().find(|end| found.ends_with(**end));
            let plain = extension.and_then(|end| found.strip_suffix(end));
            // It is being compressed.
            if plain.is_some_and(|plain| folder.join(plain).exists() && plain != name) {
                return None;
            }
            Some(Candidate {
                path: entry.path(),
                identity,
                length: metadata.len(),
                modified: metadata.modified().ok()?,
                is_compressed: plain.is_some(),
            })
        })
        .collect();
    // Of two with the same time, the one with the larger number is older.
    candidates.sort_by(|a, b| (a.modified, &b.path).cmp(&(b.modified, &a.path)));
    candidates
}

/// Whether a file begins with everything that an import has read.
fn begins_with(args: &ImportArgs, candidate: &Candidate, import: &Import) -> bool {
    if !candidate.is_compressed && candidate.length < import.position.unsigned_abs() {
        return false;
    }
    let mut args = args.clone();
    args.format = None;
    has_stored(&args, &candidate.path, import)
}
