//! The schema of a live database, from its catalog.

use std::collections::BTreeSet;

use lookback_schema::{Name, Schema};
use sqlx::PgConnection;

use crate::error::Error;
use crate::scratch_transaction::ScratchTransaction;

mod build;
mod catalog;

pub(crate) use catalog::{current_schema, set_search_path};

/// The table in which sqlx's migrator records what is applied.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

/// What of a database is read. Everything else is not ours: it is not in the
/// schema that comes back, so nothing can come to drop it.
///
/// Without more said, the tables and enums of the default schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The schema whose names are written without it; `None` for the first of
    /// the connection's `search_path`.
    pub default_schema: Option<String>,
    /// Schemas to read besides that one.
    pub schemas: BTreeSet<String>,
    /// The tables to read, if not all of them. Partitions come with their table.
    pub tables: Option<BTreeSet<Name>>,
    /// The enums to read, if not all of them.
    pub enums: Option<BTreeSet<Name>>,
}

impl Scope {
    /// The tables and enums of these schemas, and no others.
    pub fn of<'a>(schemas: impl IntoIterator<Item = &'a Schema>) -> Self {
        let (mut named, mut tables, mut enums) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for schema in schemas {
            named.extend(schema.schemas.iter().cloned());
            tables.extend(schema.tables.keys().cloned());
            enums.extend(schema.enums.keys().cloned());
        }
        let used = tables
            .iter()
            .chain(&enums)
            .filter_map(|name| name.schema.clone());
        named.extend(used.collect::<Vec<_>>());
        Self {
            default_schema: None,
            schemas: named,
            tables: Some(tables),
            enums: Some(enums),
        }
    }
}

/// What was read of a live database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introspection {
    /// Its schema.
    pub schema: Schema,
    /// Indexes that a `CREATE INDEX CONCURRENTLY` left half-built: they serve
    /// no query and are not in the schema.
    pub invalid_indexes: Vec<Name>,
    /// What is there and cannot be said in a [`Schema`], as sentences: it is
    /// not in the schema, or not all of it.
    pub notes: Vec<String>,
}

/// Reads the schema of a live database, as [`read`] does, without its notes.
///
/// # Errors
///
/// Those of [`read`].
pub async fn introspect(conn: &mut PgConnection, scope: &Scope) -> Result<Schema, Error> {
    Ok(read(conn, scope).await?.schema)
}

/// Reads the schema of a live database from `pg_catalog`, in a handful of
/// queries however many tables there are.
///
/// Left alone are views, functions, triggers, sequences, foreign tables, tables
/// that inherit from others without being their partitions, what extensions
/// brought, the table of applied migrations, and what partitions have that
/// their table has not. Names are printed without the default schema, and what
/// extensions brought without the schema that they are in, unless it is one of
/// those that are read.
///
/// All is read in one snapshot, in a transaction of its own; in a transaction
/// of the caller, as that sees it. Nothing is changed.
///
/// # Errors
///
/// Those of the database; [`Error::is_schema`] if there is no default schema, or
/// a column is of a form that this version does not know.
pub async fn read(conn: &mut PgConnection, scope: &Scope) -> Result<Introspection, Error> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut transaction = ScratchTransaction::begin(conn, BEGIN).await?;
    let result = read_here(transaction.conn(), scope, &[], &scope.schemas).await;
    transaction.end(result).await
}

/// The same, in the caller's transaction, whose `search_path` it changes.
/// Functions and the like in the schemas `also` are printed without them;
/// `named` are those of extensions that are printed with theirs.
pub(crate) async fn read_here(
    conn: &mut PgConnection,
    scope: &Scope,
    also: &[String],
    named: &BTreeSet<String>,
) -> Result<Introspection, Error> {
    let default = match &scope.default_schema {
        Some(schema) => schema.clone(),
        None => catalog::current_schema(conn).await?,
    };
    catalog::set_search_path(conn, &default, also, named).await?;
    let rows = catalog::CatalogRows::read(conn, &default, scope).await?;
    build::live(&default, rows)
}
