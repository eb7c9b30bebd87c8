//! `db pull`

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use lookback::migrate::{self, Scope};
use sqlx::PgConnection;

use crate::failure::Failure;
use crate::output;

pub(super) async fn run(
    conn: &mut PgConnection,
    schemas: Vec<String>,
    out: Option<&Path>,
) -> Result<(), Failure> {
    if let Some(path) = out.filter(|path| path.exists()) {
        return Err(cannot_write(path, &io::ErrorKind::AlreadyExists.into()));
    }
    let scope = Scope::schemas(schemas);
    let code = migrate::pull(conn, &scope).await?;
    for note in &code.notes {
        output::warning(note);
    }
    match out {
        None => output::text(&code.text)?,
        Some(path) => {
            write_new(path, &code.text).map_err(|error| cannot_write(path, &error))?;
            output::line(&path.display().to_string())?;
        }
    }
    Ok(())
}

/// Writes a new file. Existing models may be edited by hand, so they are not
/// overwritten.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    File::create_new(path)?.write_all(text.as_bytes())
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::failed(format!("{path} already exists"))
            .hint("give a new file, and copy from it by hand"),
        _ => Failure::failed(format!("cannot write {path}: {error}"))
            .hint("--out must be a file in an existing folder"),
    }
}
