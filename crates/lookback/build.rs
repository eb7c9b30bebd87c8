//! Lists the built-in migrations for `src/migrate/built_in.rs`.
//!
//! As `sqlx::migrate!` does, whose macro would compile sqlx and its driver a second
//! time, for the compiler.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    // `migrations` is a link to the second, which a published package does not have. A path
    // that is missing would count as changed, and compile the crate again each time.
    for folder in ["migrations", "../../migrations"] {
        if Path::new(folder).exists() {
            println!("cargo::rerun-if-changed={folder}");
        }
    }
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("migrations");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    let rows = files
        .iter()
        .map(|path| row(path))
        .collect::<io::Result<Vec<_>>>()?;
    let list = format!("[\n{}]\n", rows.concat());
    fs::write(Path::new(&variable("OUT_DIR")?).join("migrations.rs"), list)
}

/// Writes the version, the description and the SQL of a file,
/// `<version>_<description>.sql`.
fn row(path: &Path) -> io::Result<String> {
    let name = path.file_stem().and_then(|name| name.to_str());
    let parts = name.and_then(|name| name.split_once('_'));
    let Some((version, description)) = parts.filter(|(_, rest)| !rest.contains('.')) else {
        let problem = format!(
            "{} is not named <version>_<description>.sql",
            path.display()
        );
        return Err(io::Error::other(problem));
    };
    Ok(format!(
        "    ({version}, {:?}, include_str!({path:?})),\n",
        description.replace('_', " ")
    ))
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(io::Error::other)
}
