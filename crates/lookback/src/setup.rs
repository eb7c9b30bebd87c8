//! Checks of a database before Lookback uses it.

use sqlx::{PgConnection, Row as _};

use crate::embedding::ENCODER_VERSION;
use crate::error::{Error, Remedy};

/// The oldest major version of PostgreSQL that is supported.
pub const MIN_POSTGRESQL: u32 = 15;

/// The oldest version of pgvector that is supported.
///
/// Earlier versions have bugs in their indexes, under vacuum and in parallel
/// builds.
pub const MIN_PGVECTOR: (u32, u32, u32) = (0, 8, 4);

/// The statement that creates pgvector in a database.
pub(crate) const CREATE_PGVECTOR: &str = "CREATE EXTENSION vector;";
const UPDATE_PGVECTOR: &str = "ALTER EXTENSION vector UPDATE;";

/// Checks that the server is a supported PostgreSQL with a supported pgvector.
///
/// pgvector must be installed in the database, or available on the server.
///
/// # Errors
///
/// [`Error::is_setup`] otherwise; its [`remedy`](Error::remedy) has the SQL to
/// run, and who must run it. Those of the database.
pub async fn check_server(conn: &mut PgConnection) -> Result<(), Error> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::int AS version, \
         current_database()::text AS database, \
         (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS installed, \
         (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available",
    )
    .fetch_one(conn)
    .await?;
    let server = row.try_get::<i32, _>("version")?.unsigned_abs() / 10_000;
    let database: String = row.try_get("database")?;
    let installed: Option<String> = row.try_get("installed")?;
    let available: Option<String> = row.try_get("available")?;
    pgvector(
        server,
        &database,
        installed.as_deref(),
        available.as_deref(),
    )
}

fn pgvector(
    server: u32,
    database: &str,
    installed: Option<&str>,
    available: Option<&str>,
) -> Result<(), Error> {
    let (major, minor, patch) = MIN_PGVECTOR;
    let wanted = format!("{major}.{minor}.{patch}");
    if server < MIN_POSTGRESQL {
        return Err(Error::setup(
            format!("the server is PostgreSQL {server}; Lookback needs {MIN_POSTGRESQL} or newer"),
            Remedy::UseNewerPostgres,
        ));
    }
    let new_enough = |version: &str| parse_version(version) >= MIN_PGVECTOR;
    match (installed, available) {
        (Some(version), _) if new_enough(version) => Ok(()),
        (Some(version), Some(newer)) if new_enough(newer) => Err(Error::setup(
            format!(
                "the database \"{database}\" has pgvector {version}; Lookback needs {wanted} or newer"
            ),
            Remedy::RunAsSuperuser {
                database: database.to_owned(),
                statement: UPDATE_PGVECTOR,
            },
        )),
        (None, Some(version)) if new_enough(version) => Ok(()),
        (_, found) => Err(Error::setup(
            match found {
                Some(version) => {
                    format!("the server has pgvector {version}; Lookback needs {wanted} or newer")
                }
                None => "the server has no pgvector".to_owned(),
            },
            Remedy::InstallPgvector {
                version: wanted,
                server,
                database: database.to_owned(),
                statement: match installed {
                    Some(_) => UPDATE_PGVECTOR,
                    None => CREATE_PGVECTOR,
                },
            },
        )),
    }
}

/// Parses a version such as `0.8.4`. A part that is not a number counts as 0.
fn parse_version(version: &str) -> (u32, u32, u32) {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}

/// Checks that this version of the encoder computed the vectors in the
/// database.
///
/// Vectors of different versions are not comparable. The check passes if the
/// database has no record of a version.
///
/// # Errors
///
/// [`Error::is_setup`] if another version computed them; those of the database.
pub async fn check_encoder(conn: &mut PgConnection) -> Result<(), Error> {
    match recorded_encoder(conn).await? {
        Some(version) if version != ENCODER_VERSION.to_string() => Err(Error::setup(
            format!(
                "the vectors in the database are of encoder {version}, and this is encoder \
                 {ENCODER_VERSION}: search by similarity finds the wrong rows"
            ),
            Remedy::RecomputeVectors,
        )),
        _ => Ok(()),
    }
}

/// The version of the encoder that computed the vectors, if it is recorded.
pub(crate) async fn recorded_encoder(conn: &mut PgConnection) -> Result<Option<String>, Error> {
    let row = sqlx::query("SELECT value FROM settings WHERE name = 'encoder_version'")
        .fetch_optional(conn)
        .await
        .map_err(|error| Error::of_internal_table("settings", error))?;
    Ok(row.map(|row| row.try_get("value")).transpose()?)
}

/// Records that this version of the encoder computed the vectors.
#[cfg(feature = "migrate")]
pub(crate) async fn record_encoder(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES ('encoder_version', $1) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(ENCODER_VERSION.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::pgvector;

    fn outcome(server: u32, installed: Option<&str>, available: Option<&str>) -> String {
        match pgvector(server, "shop", installed, available) {
            Ok(()) => "fine".to_owned(),
            Err(error) => format!("{error}\n  {}", error.remedy().unwrap()),
        }
    }

    #[test]
    fn missing_or_old_pgvector_gives_sql_to_run() {
        insta::assert_snapshot!(
            [
                outcome(18, Some("0.8.6"), Some("0.8.6")),
                outcome(15, None, Some("0.8.4")),
                outcome(14, Some("0.8.6"), Some("0.8.6")),
                outcome(16, None, None),
                outcome(16, None, Some("0.4.4")),
                outcome(16, Some("0.8.0"), Some("0.8.5")),
                outcome(16, Some("0.8.0"), Some("0.8.0")),
            ]
            .join("\n")
        );
    }
}
