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

/// The objects of a database that are read.
///
/// Anything else is not in the resulting schema, so that no plan drops it. By
/// default, the tables and enums of the default schema are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// The schema whose names are written unqualified.
    ///
    /// `None` means the first one of the connection's `search_path`.
    pub default_schema: Option<String>,
    /// The schemas to read besides the default one.
    pub schemas: BTreeSet<String>,
    /// The tables to read; `None` for all. Partitions come with their table.
    pub tables: Option<BTreeSet<Name>>,
    /// The enums to read; `None` for all.
    pub enums: Option<BTreeSet<Name>>,
}

impl Scope {
    /// The tables and enums of the default schema and of these schemas.
    pub fn schemas(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            schemas: names.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

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

/// The schema of a live database, and notes on what it leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Introspection {
    /// Its schema.
    pub schema: Schema,
    /// Indexes that a failed `CREATE INDEX CONCURRENTLY` left.
    ///
    /// They serve no query and are not in the schema.
    pub invalid_indexes: Vec<Name>,
    /// The objects that a [`Schema`] cannot describe, or only in part, as
    /// sentences.
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

/// Reads the schema of a live database from `pg_catalog`.
///
/// The number of queries does not depend on the number of tables.
///
/// Views, functions, triggers, sequences, foreign tables, tables that inherit
/// without being partitions, objects of extensions, the table of applied
/// migrations, and objects that only a partition has are not read. Names are printed without the default schema, and what
/// extensions brought without the schema that they are in, unless it is one of
/// those that are read.
///
/// Everything is read in one transaction: its own, or the caller's transaction.
/// Nothing is changed.
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

/// Reads in the caller's transaction, and changes its `search_path`.
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
