use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::run_query;
use crate::process;

/// Folders of PostgreSQL's programs in packages; `*` stands for any text within a name.
const COMMON_FOLDERS: [&str; 7] = [
    "/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
    "/usr/pgsql-*/bin",                                   // PostgreSQL's own RPMs
    "/usr/libexec/postgresql*",                           // Alpine
    "/usr/local/pgsql/bin",                               // built from source
    "/opt/homebrew/opt/postgresql@*/bin",                 // Homebrew, Apple processor
    "/usr/local/opt/postgresql@*/bin",                    // Homebrew, Intel
    "/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
];

/// Lists the folders that may hold the system's PostgreSQLs, each once, in a fixed order.
pub(crate) fn candidates(path: &OsStr) -> Vec<PathBuf> {
    let configured = process::find_on_path(path, "pg_config")
        .and_then(|pg_config| run_query(&pg_config, "--bindir").ok())
        .map(|line| PathBuf::from(line.trim()));
    let on_path =
        process::find_on_path(path, "postgres").and_then(|p| Some(p.parent()?.to_owned()));
    let common = COMMON_FOLDERS.into_iter().flat_map(expand);

    let mut found: Vec<PathBuf> = Vec::new();
    for bin in configured.into_iter().chain(on_path).chain(common) {
        // A symbolic link to a folder that was seen already is the same PostgreSQL.
        let real = bin.canonicalize().unwrap_or(bin);
        if real.join("postgres").is_file() && !found.contains(&real) {
            found.push(real);
        }
    }
    found
}

/// Lists the folders that match a pattern with at most one `*`, in order of name.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let (suffix, below) = after.split_once('/').unwrap_or((after, ""));
    let Ok(entries) = fs::read_dir(Path::new(parent)) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(prefix) && name.ends_with(suffix)
        })
        .map(|entry| entry.path().join(below))
        .collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expand_matches_star_within_one_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["pg@18/bin", "pg@16/bin", "other/bin"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let found = expand(&format!("{}/pg@*/bin", dir.path().display()));
        assert_eq!(
            found,
            ["pg@16/bin", "pg@18/bin"].map(|name| dir.path().join(name))
        );
        assert_eq!(expand("/nowhere/at/all/*/bin"), Vec::<PathBuf>::new());
        assert_eq!(expand("/usr/bin"), [PathBuf::from("/usr/bin")]);
    }
}
