//! Local settings: server settings that hold for one transaction.

use sqlx::postgres::PgRow;
use sqlx::{Connection as _, PgConnection, Postgres, Row as _, SqlSafeStr as _};
use sqlx_core::transaction::TransactionManager as _;

use super::{BEGIN, CloseOnDrop, Sql};
use crate::error::Error;

/// The driver's transaction manager, which knows whether a transaction is open.
type Transactions = <Postgres as sqlx::Database>::TransactionManager;

/// A connection that [`LocalSettings`] can be set on.
pub(crate) trait Connected {
    fn conn(&mut self) -> &mut PgConnection;
}

impl Connected for &mut PgConnection {
    fn conn(&mut self) -> &mut PgConnection {
        self
    }
}

impl Connected for CloseOnDrop<'_> {
    fn conn(&mut self) -> &mut PgConnection {
        self.conn()
    }
}

/// A setting, and its value for the transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalSetting<'a> {
    pub(crate) name: &'static str,
    /// `None` for a setting that is set later, and only restored here.
    pub(crate) value: Option<&'a str>,
    /// An SQL condition: the setting is set only if it is true.
    pub(crate) condition: Option<&'static str>,
}

impl<'a> LocalSetting<'a> {
    pub(crate) fn new(name: &'static str, value: &'a str) -> Self {
        Self {
            name,
            value: Some(value),
            condition: None,
        }
    }
}

/// A guard for the settings of one transaction.
///
/// Outside a transaction, the guard begins one. At the end it rolls back that
/// transaction, and the settings with it: nothing may be written in it. In the caller's
/// transaction, the guard restores the previous settings. It sets no savepoint (see
/// [`TransactionScope`](super::TransactionScope)).
pub(crate) struct LocalSettings<C: Connected> {
    /// `None` once it has ended.
    connection: Option<C>,
    /// The previous settings in the caller's transaction; `None` in one of its own.
    /// A setting that did not exist has no value.
    previous: Option<Vec<(&'static str, Option<String>)>>,
}

impl<C: Connected> LocalSettings<C> {
    /// Sets the settings, and reads further columns in the same statement, each
    /// followed by a comma.
    pub(crate) async fn begin(
        mut connection: C,
        settings: &[LocalSetting<'_>],
        columns: impl FnOnce(&mut Sql) -> Result<String, Error>,
    ) -> Result<(Self, PgRow), sqlx::Error> {
        let conn = connection.conn();
        let is_callers = conn.is_in_transaction();
        if !is_callers {
            Transactions::begin(conn, Some(BEGIN.into_sql_str())).await?;
        }
        let mut guard = Self {
            connection: Some(connection),
            previous: is_callers.then(Vec::new),
        };
        let mut sql = Sql::default();
        let columns = columns(&mut sql).map_err(driver_error)?;
        let mut set = Vec::new();
        for setting in settings {
            let Some(value) = setting.value else { continue };
            let name = setting.name;
            let value = sql.argument(value).map_err(driver_error)?;
            let call = format!("set_config('{name}', {value}, TRUE)");
            set.push(match setting.condition {
                Some(condition) => format!("CASE WHEN {condition} THEN {call} END"),
                None => call,
            });
        }
        let previous = settings.iter().map(|setting| setting.name);
        let previous = previous.map(|name| format!("current_setting('{name}', TRUE)"));
        // `OFFSET 0` makes the server read the previous settings before it sets others.
        sql.push(&format!(
            "SELECT {columns}was.previous, {} FROM (SELECT ARRAY[{}] AS previous OFFSET 0) AS was",
            set.join(", "),
            previous.collect::<Vec<_>>().join(", "),
        ));
        let row = sql.fetch_optional(guard.conn()).await?;
        let row = row.ok_or(sqlx::Error::RowNotFound)?;
        if let Some(previous) = &mut guard.previous {
            let values: Vec<Option<String>> = row.try_get("previous")?;
            let names = settings.iter().map(|setting| setting.name);
            previous.extend(names.zip(values));
        }
        Ok((guard, row))
    }

    pub(crate) fn connection(&mut self) -> &mut C {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("only `end` takes the connection"),
        }
    }

    pub(crate) fn conn(&mut self) -> &mut PgConnection {
        self.connection().conn()
    }

    /// Rolls back, or restores the previous settings, and returns the connection.
    ///
    /// In the caller's transaction this fails if the transaction has failed, which
    /// will then be rolled back.
    pub(crate) async fn end(mut self) -> (C, Result<(), sqlx::Error>) {
        let ended = match self.previous.clone() {
            None => Transactions::rollback(self.conn()).await,
            Some(previous) => restore(self.conn(), previous).await,
        };
        match self.connection.take() {
            Some(connection) => (connection, ended),
            None => unreachable!("only `end` takes the connection"),
        }
    }
}

impl<C: Connected> Drop for LocalSettings<C> {
    fn drop(&mut self) {
        // The server rolls back when the connection is next used, or closed.
        if self.previous.is_none()
            && let Some(connection) = &mut self.connection
        {
            Transactions::start_rollback(connection.conn());
        }
    }
}

async fn restore(
    conn: &mut PgConnection,
    previous: Vec<(&'static str, Option<String>)>,
) -> Result<(), sqlx::Error> {
    let mut sql = Sql::default();
    let mut set = Vec::new();
    for (name, value) in previous {
        // Empty is a setting of an extension that an earlier transaction set before the extension
        // was loaded. Now that it is, it may not take an empty value back: NULL is its default.
        let value = value.filter(|value| !value.is_empty());
        let value = sql.argument(value).map_err(driver_error)?;
        set.push(format!("set_config('{name}', {value}, TRUE)"));
    }
    sql.push(&format!("SELECT {}", set.join(", ")));
    sql.fetch_optional(conn).await.map(drop)
}

fn driver_error(error: Error) -> sqlx::Error {
    match error.into_driver() {
        Ok(source) => source,
        Err(other) => sqlx::Error::Encode(Box::new(other)),
    }
}
