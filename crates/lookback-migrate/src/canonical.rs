//! Converts schemas to canonical form, as the server prints them.

use std::collections::BTreeMap;

use lookback_schema::{Change, Constraint, Decisions, Name, Schema, Table, diff, quoted};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use crate::error::{Error, SchemaError};
use crate::introspect::{Scope, current_schema, read_here, set_search_path};
use crate::scratch_transaction::ScratchTransaction;
use crate::sqlstate::{is_change_forbidden, server_error};
use scratch_schemas::ScratchSchemas;

mod scratch_schemas;

/// Converts a schema to canonical form, as this server prints it.
///
/// After that, types, expressions, bounds and definitions that mean the same are equal to those of
/// a live database. The schema is created without rows, in schemas with other names, in a scratch
/// transaction. If the caller has a transaction, that is a savepoint in it. No existing table is
/// changed or locked. Foreign keys to tables that are not in `schema` stay as given.
///
/// If the role may not create schemas or extensions, or if the server is read-only, `schema` is
/// returned unchanged. A diff may then show differences that have no effect.
///
/// # Errors
///
/// [`Error::is_schema`] if the server rejects a part of the schema. The error has the table, the
/// column, constraint or index, and the server's message. Otherwise those of the database.
pub async fn canonical(conn: &mut PgConnection, schema: &Schema) -> Result<Schema, Error> {
    let mut transaction = ScratchTransaction::begin(conn, "BEGIN").await?;
    let result = in_scratch(transaction.conn(), schema).await;
    transaction.end(result).await
}

/// Whether [`canonical`] can work: the role may create schemas, and the server is not read-only.
///
/// # Errors
///
/// Those of the database.
pub async fn can_canonicalize(conn: &mut PgConnection) -> Result<bool, Error> {
    let row = sqlx::query(
        "SELECT has_database_privilege(current_database(), 'CREATE') \
           AND NOT current_setting('transaction_read_only')::boolean AS can",
    )
    .fetch_one(conn)
    .await?;
    Ok(row.try_get("can")?)
}

async fn in_scratch(conn: &mut PgConnection, schema: &Schema) -> Result<Schema, Error> {
    let default = current_schema(conn).await?;
    let row = sqlx::query("SELECT pg_backend_pid() AS pid")
        .fetch_one(&mut *conn)
        .await?;
    let scratch = ScratchSchemas::new(row.try_get("pid")?, &default, schema);
    for name in scratch.schemas() {
        match execute(conn, format!("CREATE SCHEMA {}", quoted(name))).await {
            Ok(()) => {}
            Err(refusal) if refusal.is_change_forbidden() => return Ok(schema.clone()),
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let scope = Scope {
        default_schema: Some(scratch.default_schema().to_owned()),
        schemas: scratch.schemas().iter().skip(1).cloned().collect(),
        ..Scope::default()
    };
    // Functions, for example, are not created: the existing ones are used.
    let also = [default];
    set_search_path(conn, scratch.default_schema(), &also, &schema.schemas).await?;
    if !create_extensions(conn, schema).await? {
        return Ok(schema.clone());
    }
    create(conn, &scratch, schema).await?;
    let live = read_here(conn, &scope, &also, &schema.schemas).await?;
    scratch
        .restore_names(&live.schema)
        .map(|printed| merge_canonical(schema, printed))
}

/// Creates the extensions; returns `false` if the role may not.
async fn create_extensions(conn: &mut PgConnection, schema: &Schema) -> Result<bool, Error> {
    for name in &schema.extensions {
        let sql = format!("CREATE EXTENSION IF NOT EXISTS {} CASCADE", quoted(name));
        match execute(conn, sql).await {
            Ok(()) => {}
            Err(refusal) if refusal.is_change_forbidden() => return Ok(false),
            Err(refusal) => {
                return Err(refusal.about(&format!("extension {name}")));
            }
        }
    }
    Ok(true)
}

async fn create(
    conn: &mut PgConnection,
    scratch: &ScratchSchemas,
    schema: &Schema,
) -> Result<(), Error> {
    let there = scratch.renamed_schema(schema);
    for (name, labels) in &there.enums {
        let create = Change::CreateEnum {
            name: name.clone(),
            values: labels.clone(),
        };
        execute(conn, create.statements().join("; "))
            .await
            .map_err(|refusal| refusal.about(&format!("enum {name}")))?;
    }
    for (name, table) in &there.tables {
        let sql = create_table(name, table)?;
        // Sent alone: the server runs no part of a text with a syntax error.
        execute(conn, "SAVEPOINT lookback_table".to_owned()).await?;
        let sql = format!("{sql}; RELEASE SAVEPOINT lookback_table");
        if let Err(refusal) = execute(conn, sql).await {
            execute(conn, "ROLLBACK TO SAVEPOINT lookback_table".to_owned()).await?;
            let (what, refusal) = find_refused_part(conn, name, table, refusal).await?;
            return Err(refusal.about(&scratch.strip_names(&format!("table {name}{what}"))));
        }
    }
    for (name, table) in &there.tables {
        for (key, constraint) in &table.constraints {
            if !matches!(constraint, Constraint::ForeignKey(key) if there.tables.contains_key(&key.table))
            {
                continue;
            }
            let add = Change::AddConstraint {
                table: name.clone(),
                name: key.clone(),
                constraint: constraint.clone(),
            };
            execute(conn, add.statements().join("; "))
                .await
                .map_err(|refusal| {
                    refusal.about(&scratch.strip_names(&format!("table {name}, foreign key {key}")))
                })?;
        }
    }
    Ok(())
}

/// The SQL of the table with its partitions and indexes, without its foreign keys.
fn create_table(name: &Name, table: &Table) -> Result<String, Error> {
    let mut table = table.clone();
    table
        .constraints
        .retain(|_, constraint| !matches!(constraint, Constraint::ForeignKey(_)));
    let alone = Schema {
        tables: [(name.clone(), table)].into(),
        ..Schema::default()
    };
    let plan = diff(&Schema::default(), &alone, &Decisions::default())?;
    let statements = plan.steps.iter().flat_map(|step| step.change.statements());
    Ok(statements.collect::<Vec<_>>().join("; "))
}

/// Finds the part of a table that the server rejects, and its error.
async fn find_refused_part(
    conn: &mut PgConnection,
    name: &Name,
    table: &Table,
    whole: ServerError,
) -> Result<(String, ServerError), Error> {
    for (part, alone) in parts(table) {
        let sql = create_table(name, &alone)?;
        execute(conn, "SAVEPOINT lookback_part".to_owned()).await?;
        let result = execute(conn, sql).await;
        execute(conn, "ROLLBACK TO SAVEPOINT lookback_part".to_owned()).await?;
        if let Err(refusal) = result {
            return Ok((format!(", {part}"), refusal));
        }
    }
    Ok((String::new(), whole))
}

/// Splits a table into its parts, each with the columns that it needs.
fn parts(table: &Table) -> Vec<(String, Table)> {
    let bare = |column: &lookback_schema::Column| lookback_schema::Column {
        collation: column.collation.clone(),
        ..lookback_schema::Column::new(&column.name, column.data_type.clone())
    };
    let columns: Vec<lookback_schema::Column> = table.columns.iter().map(bare).collect();
    let mut parts = Vec::new();
    for column in &columns {
        let alone = Table {
            columns: vec![column.clone()],
            ..Table::default()
        };
        parts.push((format!("column {}", column.name), alone));
    }
    let empty = Table {
        columns,
        ..Table::default()
    };
    for (place, column) in table.columns.iter().enumerate() {
        let mut alone = empty.clone();
        alone.columns[place] = column.clone();
        parts.push((format!("column {}", column.name), alone));
    }
    for (name, constraint) in &table.constraints {
        if !matches!(constraint, Constraint::ForeignKey(_)) {
            let mut alone = empty.clone();
            alone.constraints.insert(name.clone(), constraint.clone());
            parts.push((format!("{} {name}", constraint.kind()), alone));
        }
    }
    for (name, index) in &table.indexes {
        let mut alone = empty.clone();
        alone.indexes.insert(name.clone(), index.clone());
        parts.push((format!("index {name}"), alone));
    }
    for (name, partition) in &table.partitions {
        let mut alone = empty.clone();
        alone.partition_by.clone_from(&table.partition_by);
        alone.partitions.insert(name.clone(), partition.clone());
        parts.push((format!("partition {name}"), alone));
    }
    parts
}

/// The given schema, with the definitions that the server printed.
fn merge_canonical(given: &Schema, mut printed: Schema) -> Schema {
    let mut schema = given.clone();
    for (name, table) in &mut schema.tables {
        let Some(printed) = printed.tables.remove(name) else {
            continue;
        };
        table.columns = printed.columns;
        let mut constraints: BTreeMap<_, _> = printed.constraints;
        for (name, constraint) in std::mem::take(&mut table.constraints) {
            constraints.entry(name).or_insert(constraint);
        }
        table.constraints = constraints;
        table.indexes.extend(printed.indexes);
        table.partition_by = printed.partition_by;
        table.partitions = printed.partitions;
    }
    schema
}

async fn execute(conn: &mut PgConnection, sql: String) -> Result<(), ServerError> {
    match conn.execute(AssertSqlSafe(sql)).await {
        Ok(_) => Ok(()),
        Err(source) => Err(ServerError(source)),
    }
}

/// A statement that failed.
struct ServerError(sqlx::Error);

impl ServerError {
    fn is_change_forbidden(&self) -> bool {
        is_change_forbidden(&self.0)
    }

    /// Adds the rejected object to the error, if the server reported it.
    fn about(self, what: &str) -> Error {
        if server_error(&self.0).is_none() {
            return self.into();
        }
        SchemaError::Refused {
            object: what.to_owned(),
            source: self.0,
        }
        .into()
    }
}

impl From<ServerError> for Error {
    fn from(refusal: ServerError) -> Self {
        refusal.0.into()
    }
}
