//! Session settings that SQL text and printed definitions depend on.
//!
//! A role, a database or the caller's session may set others. With
//! `standard_conforming_strings = off`, for example, `CHECK (message ~ '\S')` is stored as
//! `CHECK (message ~ 'S')`.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

/// The settings, and their values while migrations are applied, read or compared.
const SETTINGS: [(&str, &str); 10] = [
    // The meaning of SQL text.
    ("standard_conforming_strings", "on"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("xmloption", "content"),
    // The text of values and of definitions.
    ("datestyle", "ISO, MDY"),
    ("intervalstyle", "postgres"),
    ("timezone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("quote_all_identifiers", "off"),
];

/// The setting of transactions that begin later.
const ISOLATION: (&str, &str) = ("default_transaction_isolation", "read committed");

/// The earlier values of settings that were changed.
#[derive(Debug)]
pub(crate) struct EarlierSettings(Vec<(&'static str, String)>);

/// Sets the settings for the session.
pub(crate) async fn set_for_session(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let all = SETTINGS.into_iter().chain([ISOLATION]);
    set(conn, all, false).await
}

/// Sets the settings for the transaction, and returns the earlier ones.
pub(crate) async fn set_for_transaction(
    conn: &mut PgConnection,
) -> Result<EarlierSettings, sqlx::Error> {
    let names = SETTINGS.map(|(name, _)| format!("current_setting('{name}')"));
    let earlier = format!("SELECT ARRAY[{}] AS earlier", names.join(", "));
    let row = sqlx::query(AssertSqlSafe(earlier))
        .persistent(false)
        .fetch_one(&mut *conn)
        .await?;
    let earlier: Vec<String> = row.try_get("earlier")?;
    set(conn, SETTINGS, true).await?;
    let names = SETTINGS.into_iter().map(|(name, _)| name);
    Ok(EarlierSettings(names.zip(earlier).collect()))
}

impl EarlierSettings {
    /// Restores them for the rest of the transaction.
    pub(crate) async fn restore(self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let settings = self.0.iter().map(|(name, value)| (*name, value.as_str()));
        set(conn, settings, true).await
    }
}

async fn set<'a>(
    conn: &mut PgConnection,
    settings: impl IntoIterator<Item = (&'static str, &'a str)>,
    is_local: bool,
) -> Result<(), sqlx::Error> {
    let (names, values): (Vec<&str>, Vec<&str>) = settings.into_iter().unzip();
    // No prepared statement: a pooler loses it.
    sqlx::query(
        "SELECT set_config(name, value, $3) FROM unnest($1::text[], $2::text[]) AS s (name, value)",
    )
    .persistent(false)
    .bind(names)
    .bind(values)
    .bind(is_local)
    .execute(conn)
    .await?;
    Ok(())
}
