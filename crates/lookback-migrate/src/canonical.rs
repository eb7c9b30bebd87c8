//! Converts schemas to canonical form, as the server prints them.

use std::collections::BTreeMap;

use lookback_schema::{
    Change, Column, Constraint, Decisions, Fill, Name, Partition, Schema, Table, diff, quoted,
};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use crate::error::{Error, SchemaError};
use crate::introspect::{Scope, current_schema, read_here, set_search_path};
use crate::scratch_transaction::ScratchTransaction;
use crate::sqlstate::{self, is_change_forbidden, server_error};
use bounds::{PartitionError, RefusedPartition};
use scratch_schemas::ScratchSchemas;

mod bounds;
mod own_types;
mod scratch_schemas;

/// The largest number of relations that exist at the same time: each is locked by the transaction.
const RELATIONS_AT_ONCE: usize = 500;

/// Converts a schema to canonical form, as this server prints it.
///
/// After that, types, expressions, bounds and definitions that mean the same are equal to those of
/// a live database. The schema is created without rows, in schemas with other names, in a scratch
/// transaction. If the caller has a transaction, that is a savepoint in it. No existing table is
/// changed or locked. Foreign keys to tables that are not in `schema` stay as given. A large schema
/// is created in parts, so that the number of locks does not grow with it; foreign keys from one
/// part to another stay as given, too.
///
/// A definition with a function over a type of the schema is printed with the existing type, and so
/// is one with a domain over it: there are none for the type's copy in the scratch schema. One that
/// needs the type of a row of its table stays as given.
///
/// If the role may not create schemas or extensions, or if the server is read-only, `schema` is
/// returned unchanged. A diff may then show differences that have no effect.
///
/// # Errors
///
/// [`Error::is_schema`] if the server rejects a part of the schema, or is too old for it. The error
/// has the table, the column, constraint or index, and the server's message. Otherwise those of the
/// database.
pub async fn canonical(conn: &mut PgConnection, schema: &Schema) -> Result<Schema, Error> {
    canonical_beside(conn, schema, &Schema::default()).await
}

/// [`canonical`] for a schema that is compared with `live`: partitions that are equal to those of
/// `live` are taken from it.
pub(crate) async fn canonical_beside(
    conn: &mut PgConnection,
    schema: &Schema,
    live: &Schema,
) -> Result<Schema, Error> {
    check_version(conn, schema)?;
    let mut transaction = ScratchTransaction::begin(conn, "BEGIN").await?;
    let result = in_scratch(transaction.conn(), schema, live).await;
    transaction.end(result).await
}

/// Checks that the server has everything that the schema uses.
fn check_version(conn: &PgConnection, schema: &Schema) -> Result<(), Error> {
    let Some(server) = conn.server_version_num() else {
        return Ok(());
    };
    match schema.since_18() {
        Some((object, sql)) if server < 180_000 => Err(SchemaError::ServerTooOld {
            object,
            sql,
            needs: 18,
            server: server / 10_000,
        }
        .into()),
        _ => Ok(()),
    }
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

async fn in_scratch(
    conn: &mut PgConnection,
    schema: &Schema,
    live: &Schema,
) -> Result<Schema, Error> {
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
    let own: Vec<String> = also.iter().chain(&schema.schemas).cloned().collect();
    let (rest, mut known) = without_known_partitions(schema, live);
    let there = scratch.renamed_schema(&rest);
    create_enums(conn, &there).await?;
    let (mut printed, mut left_out) = (Schema::default(), Vec::new());
    for part in parts_of_schema(&there) {
        execute(conn, "SAVEPOINT lookback_part_of_schema".to_owned()).await?;
        left_out.extend(create(conn, &scratch, &part, &own).await?);
        let read = read_here(conn, &scope, &also, &schema.schemas).await?;
        printed.tables.extend(read.schema.tables);
        execute(
            conn,
            "ROLLBACK TO SAVEPOINT lookback_part_of_schema; \
             RELEASE SAVEPOINT lookback_part_of_schema"
                .to_owned(),
        )
        .await?;
    }
    for (name, table) in &there.tables {
        let partitions = print_partitions(conn, &scratch, name, table).await?;
        if let Some(printed) = printed.tables.get_mut(name) {
            printed.partitions = partitions;
        }
    }
    let mut printed = scratch.restore_names(&printed)?;
    for (name, table) in &mut printed.tables {
        table
            .partitions
            .append(&mut known.remove(name).unwrap_or_default());
    }
    let left_out: Vec<(Name, Part)> = left_out
        .into_iter()
        .filter_map(|(there, part)| {
            let mut names = schema.tables.keys();
            let is_it = |name: &&Name| scratch.strip_names(&there.to_string()) == name.to_string();
            Some((names.find(is_it)?.clone(), part))
        })
        .collect();
    let mut merged = merge_canonical(schema, printed, &left_out);
    if !left_out.is_empty() {
        own_types::print(conn, &scratch.another(), &mut merged, &left_out, &also).await?;
    }
    Ok(merged)
}

type Partitions = BTreeMap<Name, Partition>;

/// The schema without the partitions that are equal to those of `live`, and these partitions by
/// their table, as they are in `live`.
fn without_known_partitions(
    schema: &Schema,
    live: &Schema,
) -> (Schema, BTreeMap<Name, Partitions>) {
    let mut rest = schema.clone();
    let mut known: BTreeMap<Name, Partitions> = BTreeMap::new();
    for (name, table) in &mut rest.tables {
        let Some(there) = live.tables.get(name) else {
            continue;
        };
        let same_key = table.partition_by == there.partition_by
            && table.columns.iter().all(|column| {
                let is_key = (table.partition_by.iter().flat_map(|by| &by.keys))
                    .any(|key| key.expression.mentions(&column.name));
                let same = there.column(&column.name);
                !is_key || same.is_some_and(|there| there.data_type == column.data_type)
            });
        if !same_key {
            continue;
        }
        let is_known = |name: &Name, partition: &mut Partition| {
            there.partitions.get(name) == Some(&*partition)
        };
        let same = table.partitions.extract_if(.., is_known);
        let same = same.filter_map(|(name, _)| there.partitions.get_key_value(&name));
        let same: Partitions = same.map(|(name, it)| (name.clone(), it.clone())).collect();
        known.insert(name.clone(), same);
    }
    (rest, known)
}

/// Splits the tables into parts with a limited number of relations.
fn parts_of_schema(schema: &Schema) -> Vec<BTreeMap<Name, Table>> {
    let mut parts = vec![BTreeMap::new()];
    let mut relations = 0;
    for (name, table) in &schema.tables {
        let keys = table.constraints.values().filter(|key| key.has_index());
        let counted = table
            .columns
            .iter()
            .filter(|column| column.fill.is_identity() || column.fill == Fill::Serial);
        // The table, its TOAST table and the index of that.
        let own = 3 + keys.count() + table.indexes.len() + counted.count();
        relations += own;
        if relations > RELATIONS_AT_ONCE && parts.last().is_some_and(|part| !part.is_empty()) {
            parts.push(BTreeMap::new());
            relations = own;
        }
        if let Some(part) = parts.last_mut() {
            part.insert(name.clone(), table.clone());
        }
    }
    parts
}

/// The partitions of a table in the scratch schemas, as the server prints them.
async fn print_partitions(
    conn: &mut PgConnection,
    scratch: &ScratchSchemas,
    name: &Name,
    table: &Table,
) -> Result<Partitions, Error> {
    match bounds::print(conn, name, table).await {
        Ok(partitions) => Ok(partitions),
        Err(PartitionError::Refused(RefusedPartition { part, error })) => {
            let what = format!("table {name}, {part}");
            Err(error.about(&scratch.strip_names(&what)))
        }
        Err(PartitionError::Other(error)) => Err(error),
    }
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

async fn create_enums(conn: &mut PgConnection, schema: &Schema) -> Result<(), Error> {
    for (name, labels) in &schema.enums {
        let create = Change::CreateEnum {
            name: name.clone(),
            values: labels.clone(),
        };
        execute(conn, create.statements().join("; "))
            .await
            .map_err(|refusal| refusal.about(&format!("enum {name}")))?;
    }
    Ok(())
}

/// Creates tables without their partitions. Returns the parts of tables that are left out, because
/// they need a function or a domain over a type in the schemas `own`: there is none for the type's
/// copy.
async fn create(
    conn: &mut PgConnection,
    scratch: &ScratchSchemas,
    tables: &BTreeMap<Name, Table>,
    own: &[String],
) -> Result<Vec<(Name, Part)>, Error> {
    let mut left_out = Vec::new();
    for (name, table) in tables {
        let mut table = table.clone();
        table.partitions.clear();
        loop {
            let sql = create_table(name, &table)?;
            // Sent alone: the server runs no part of a text with a syntax error.
            execute(conn, "SAVEPOINT lookback_table".to_owned()).await?;
            let sql = format!("{sql}; RELEASE SAVEPOINT lookback_table");
            let Err(refusal) = execute(conn, sql).await else {
                break;
            };
            execute(conn, "ROLLBACK TO SAVEPOINT lookback_table".to_owned()).await?;
            let (part, refusal) = find_refused_part(conn, name, &table, refusal).await?;
            if let Some(part) = &part
                && refusal.is_about_types()
                && uses_own_type(conn, part, &table, own).await?
                && part.remove_from(&mut table)
            {
                left_out.push((name.clone(), part.clone()));
                continue;
            }
            let what = part.map_or(String::new(), |part| format!(", {part}"));
            return Err(refusal.about(&scratch.strip_names(&format!("table {name}{what}"))));
        }
    }
    for (name, table) in tables {
        for (key, constraint) in &table.constraints {
            if !matches!(constraint, Constraint::ForeignKey(key) if tables.contains_key(&key.table))
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
    Ok(left_out)
}

/// Whether a part may call a function that has a type of these schemas as an argument, or
/// contains a column of a domain or a composite type of them.
async fn uses_own_type(
    conn: &mut PgConnection,
    part: &Part,
    table: &Table,
    own: &[String],
) -> Result<bool, Error> {
    let types: Vec<&str> = (table.columns.iter())
        .filter(|column| part.mentions(&column.name, table))
        .map(|column| column.data_type.name.name.as_str())
        .collect();
    let row = sqlx::query(
        "SELECT EXISTS (SELECT FROM pg_proc AS p JOIN pg_type AS t ON t.oid = ANY (p.proargtypes) \
             LEFT JOIN pg_type AS e ON e.oid = t.typelem \
             JOIN pg_namespace AS n ON n.oid = coalesce(e.typnamespace, t.typnamespace) \
             WHERE n.nspname = ANY ($2) AND position(lower(p.proname) IN lower($1)) > 0) \
           OR EXISTS (SELECT FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace \
             WHERE n.nspname = ANY ($2) AND t.typtype IN ('c', 'd') AND t.typname = ANY ($3)) \
           AS uses",
    )
    .bind(part.text(table))
    .bind(own)
    .bind(types)
    .fetch_one(conn)
    .await?;
    Ok(row.try_get::<Option<bool>, _>("uses")?.unwrap_or(false))
}

/// A part of a table that the server can reject by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// The type of a column.
    Type(String),
    /// A column with its default or its expression.
    Column(String),
    Constraint(&'static str, String),
    Index(String),
    Partition(Name),
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Type(name) | Self::Column(name) => write!(f, "column {name}"),
            Self::Constraint(kind, name) => write!(f, "{kind} {name}"),
            Self::Index(name) => write!(f, "index {name}"),
            Self::Partition(name) => write!(f, "partition {name}"),
        }
    }
}

impl Part {
    /// Its definition.
    fn text(&self, table: &Table) -> Option<String> {
        match self {
            Self::Column(name) => match &table.column(name)?.fill {
                Fill::Default(text) | Fill::Stored(text) | Fill::Virtual(text) => {
                    Some(text.to_string())
                }
                _ => None,
            },
            Self::Constraint(_, name) => Some(table.constraints.get(name)?.to_string()),
            Self::Index(name) => Some(table.indexes.get(name)?.to_string()),
            Self::Type(_) | Self::Partition(_) => None,
        }
    }

    /// Whether it contains this column.
    fn mentions(&self, column: &str, table: &Table) -> bool {
        match self {
            Self::Column(name) => {
                let fill = table.column(name).map(|column| &column.fill);
                let generated = fill.and_then(Fill::generated);
                name == column || generated.is_some_and(|from| from.mentions(column))
            }
            Self::Constraint(_, name) => match table.constraints.get(name) {
                Some(Constraint::Check { expression, .. }) => expression.mentions(column),
                other => other.is_some(),
            },
            Self::Index(name) => {
                let index = table.indexes.get(name);
                index.is_some_and(|index| index.mentions(column))
            }
            Self::Type(_) | Self::Partition(_) => false,
        }
    }

    /// Removes it; `false` if there is nothing to remove.
    fn remove_from(&self, table: &mut Table) -> bool {
        match self {
            Self::Column(name) => {
                let mut columns = table.columns.iter_mut();
                match columns.find(|column| column.name == *name) {
                    Some(column) => std::mem::replace(&mut column.fill, Fill::None) != Fill::None,
                    None => false,
                }
            }
            Self::Constraint(_, name) => table.constraints.remove(name).is_some(),
            Self::Index(name) => table.indexes.remove(name).is_some(),
            Self::Type(_) | Self::Partition(_) => false,
        }
    }
}

/// The SQL of the table with its indexes, without its foreign keys.
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
) -> Result<(Option<Part>, ServerError), Error> {
    for (part, alone) in parts(table) {
        let sql = create_table(name, &alone)?;
        execute(conn, "SAVEPOINT lookback_part".to_owned()).await?;
        let result = execute(conn, sql).await;
        execute(conn, "ROLLBACK TO SAVEPOINT lookback_part".to_owned()).await?;
        if let Err(refusal) = result {
            return Ok((Some(part), refusal));
        }
    }
    Ok((None, whole))
}

/// Splits a table into its parts, each with the columns that it needs.
fn parts(table: &Table) -> Vec<(Part, Table)> {
    let columns = columns_of(table);
    let mut parts = Vec::new();
    for column in &columns {
        let alone = Table {
            columns: vec![column.clone()],
            ..Table::default()
        };
        parts.push((Part::Type(column.name.clone()), alone));
    }
    let empty = Table {
        columns,
        ..Table::default()
    };
    for (place, column) in table.columns.iter().enumerate() {
        let mut alone = empty.clone();
        alone.columns[place] = column.clone();
        parts.push((Part::Column(column.name.clone()), alone));
    }
    for (name, constraint) in &table.constraints {
        if !matches!(constraint, Constraint::ForeignKey(_)) {
            let mut alone = empty.clone();
            alone.constraints.insert(name.clone(), constraint.clone());
            parts.push((Part::Constraint(constraint.kind(), name.clone()), alone));
        }
    }
    for (name, index) in &table.indexes {
        let mut alone = empty.clone();
        alone.indexes.insert(name.clone(), index.clone());
        parts.push((Part::Index(name.clone()), alone));
    }
    parts
}

/// The columns of a table, with nothing but their types.
fn columns_of(table: &Table) -> Vec<Column> {
    let bare = |column: &Column| Column {
        collation: column.collation.clone(),
        ..Column::new(&column.name, column.data_type.clone())
    };
    table.columns.iter().map(bare).collect()
}

/// The given schema, with the definitions that the server printed. Parts that were left out stay as
/// given.
fn merge_canonical(given: &Schema, mut printed: Schema, left_out: &[(Name, Part)]) -> Schema {
    let mut schema = given.clone();
    for (name, table) in &mut schema.tables {
        let Some(printed) = printed.tables.remove(name) else {
            continue;
        };
        let given = std::mem::replace(&mut table.columns, printed.columns);
        for column in given {
            let part = (name.clone(), Part::Column(column.name.clone()));
            let mut columns = table.columns.iter_mut();
            if left_out.contains(&part)
                && let Some(printed) = columns.find(|printed| printed.name == column.name)
            {
                printed.fill = column.fill;
            }
        }
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
    /// Whether a function, an operator or a cast does not exist for these types.
    fn is_about_types(&self) -> bool {
        let code = sqlstate::code(&self.0);
        code.is_some_and(|code| sqlstate::WRONG_TYPES.contains(&code))
    }

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
