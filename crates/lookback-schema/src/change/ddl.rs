//! Writes changes as SQL; no other module of this crate does.

use crate::change::Change;
use crate::schema::{Column, Constraint, Fill, Partition, Table};
use crate::syntax::{DataType, Name, literal, quoted, quoted_list};

mod enum_users;
mod index_settings;

/// Checks deferred constraints: no table is altered while a check is pending.
const NOW: &str = "SET CONSTRAINTS ALL IMMEDIATE";

/// Turns hidden rows into an error.
///
/// Rows that a policy hides would be lost when the old table is dropped.
const ALL_ROWS: &str = "SET LOCAL row_security = off";

impl Change {
    /// Its action in an `ALTER TABLE` with others, and the statements after it; `None` if it is no
    /// such action.
    ///
    /// PostgreSQL drops defaults before it changes types, and sets them at the end.
    pub(super) fn action(&self) -> Option<(String, Vec<String>)> {
        let (Self::AlterType { table, .. }
        | Self::AddColumn { table, .. }
        | Self::DropDefault { table, .. }
        | Self::SetDefault { table, .. }) = self
        else {
            return None;
        };
        let mut statements = self.statements();
        let first = statements.remove(0);
        let action = first.strip_prefix(&format!("ALTER TABLE {table} "))?;
        Some((action.to_owned(), statements))
    }

    /// The statements, without semicolons, in order.
    pub fn statements(&self) -> Vec<String> {
        let alter = |table: &Name, what: String| vec![format!("ALTER TABLE {table} {what}")];
        let column_of = |table: &Name, column: &str, what: &str| {
            vec![format!(
                "ALTER TABLE {table} ALTER COLUMN {} {what}",
                quoted(column)
            )]
        };
        match self {
            Self::CreateSchema(name) => {
                vec![format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(name))]
            }
            Self::CreateExtension(name) => {
                vec![format!("CREATE EXTENSION IF NOT EXISTS {}", quoted(name))]
            }
            Self::CreateEnum { name, values } => {
                let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
                vec![format!(
                    "CREATE TYPE {name} AS ENUM ({})",
                    values.join(", ")
                )]
            }
            Self::AddEnumValue {
                name,
                value,
                after,
                before,
            } => {
                let place = match (after, before) {
                    (Some(after), _) => format!(" AFTER {}", literal(after)),
                    (None, Some(before)) => format!(" BEFORE {}", literal(before)),
                    (None, None) => String::new(),
                };
                vec![format!(
                    "ALTER TYPE {name} ADD VALUE {}{place}",
                    literal(value)
                )]
            }
            Self::RenameEnumValue { name, from, to } => vec![format!(
                "ALTER TYPE {name} RENAME VALUE {} TO {}",
                literal(from),
                literal(to)
            )],
            Self::RenameEnum { from, to } => rename("TYPE", from, to),
            Self::CheckEnumUsers {
                name,
                temporary,
                columns,
            } => vec![enum_users::check(name, temporary, columns)],
            Self::DropEnum(name) => vec![format!("DROP TYPE {name}")],
            Self::CreateTable { name, table } => create_table(name, table),
            Self::DropTable(name) => vec![format!("DROP TABLE {name}")],
            Self::RenameTable { from, to } => rename("TABLE", from, to),
            Self::AddColumn {
                table,
                column,
                existing,
            } => add_column(
                table,
                column,
                existing.as_ref().map(crate::Expression::as_str),
            ),
            Self::DropColumn { table, column, .. } => {
                alter(table, format!("DROP COLUMN {}", quoted(column)))
            }
            Self::RenameColumn { table, from, to } => alter(
                table,
                format!("RENAME COLUMN {} TO {}", quoted(from), quoted(to)),
            ),
            Self::AlterType {
                table,
                column,
                to,
                collation,
                using,
                ..
            } => {
                let collate = collation
                    .as_ref()
                    .map_or(String::new(), |name| format!(" COLLATE {name}"));
                let using = using
                    .as_ref()
                    .map_or(String::new(), |how| format!(" USING {how}"));
                column_of(table, column, &format!("TYPE {to}{collate}{using}"))
            }
            Self::SetDefault {
                table,
                column,
                default,
            } => column_of(table, column, &format!("SET DEFAULT {default}")),
            Self::DropDefault { table, column } => column_of(table, column, "DROP DEFAULT"),
            Self::SetNotNull { table, column, .. } => column_of(table, column, "SET NOT NULL"),
            Self::DropNotNull { table, column } => column_of(table, column, "DROP NOT NULL"),
            Self::FillNulls {
                table,
                column,
                value,
                deferred,
            } => {
                let column = quoted(column);
                let mut sql = Vec::new();
                if *deferred {
                    sql.push(NOW.to_owned());
                }
                sql.push(format!(
                    "UPDATE {table} SET {column} = {value} WHERE {column} IS NULL"
                ));
                sql
            }
            Self::AddIdentity {
                table,
                column,
                always,
            } => {
                let mut sql = column_of(
                    table,
                    column,
                    &format!("ADD GENERATED {} AS IDENTITY", identity(*always)),
                );
                sql.push(go_on_after_the_largest(table, column));
                sql
            }
            Self::SetIdentity {
                table,
                column,
                always,
            } => column_of(
                table,
                column,
                &format!("SET GENERATED {}", identity(*always)),
            ),
            Self::DropIdentity { table, column } => column_of(table, column, "DROP IDENTITY"),
            Self::AddSerial {
                table,
                column,
                data_type,
                sequence,
            } => {
                let column_name = quoted(column);
                vec![
                    format!(
                        "CREATE SEQUENCE {sequence} AS {data_type} OWNED BY {table}.{column_name}"
                    ),
                    format!(
                        "ALTER TABLE {table} ALTER COLUMN {column_name} SET DEFAULT nextval({}::regclass)",
                        literal(&sequence.to_string())
                    ),
                    go_on_after_the_largest(table, column),
                ]
            }
            Self::DropSerial { table, column } => drop_serial(table, column),
            Self::AlterSequence {
                table, column, to, ..
            } => vec![alter_sequence(table, column, to)],
            Self::DropExpression { table, column } => column_of(table, column, "DROP EXPRESSION"),
            Self::AddConstraint {
                table,
                name,
                constraint,
            } => alter(
                table,
                format!("ADD CONSTRAINT {} {constraint}", quoted(name)),
            ),
            Self::AttachKey {
                table,
                name,
                index,
                constraint,
            } => {
                let (kind, deferral) = match constraint {
                    Constraint::PrimaryKey(key) => ("PRIMARY KEY", key.deferral),
                    Constraint::Unique(key) => ("UNIQUE", key.deferral),
                    _ => unreachable!("only keys are attached: files.rs makes no others"),
                };
                let (name, index) = (quoted(name), quoted(index));
                alter(
                    table,
                    format!("ADD CONSTRAINT {name} {kind} USING INDEX {index}{deferral}"),
                )
            }
            Self::ValidateConstraint { table, name } => {
                alter(table, format!("VALIDATE CONSTRAINT {}", quoted(name)))
            }
            Self::DropConstraint { table, name } => {
                alter(table, format!("DROP CONSTRAINT {}", quoted(name)))
            }
            Self::RenameConstraint { table, from, to } => alter(
                table,
                format!("RENAME CONSTRAINT {} TO {}", quoted(from), quoted(to)),
            ),
            Self::CreateIndex {
                table,
                name,
                index,
                concurrently,
            } => vec![format!(
                "CREATE {}INDEX {}{} ON {table} {}",
                if index.unique { "UNIQUE " } else { "" },
                if *concurrently { "CONCURRENTLY " } else { "" },
                quoted(name),
                index.body()
            )],
            Self::DropIndex { table, name } => {
                vec![format!("DROP INDEX {}", table.beside(name.as_str()))]
            }
            Self::KeepIndexSettings {
                table,
                name,
                number,
            } => vec![index_settings::keep(table, name, *number)],
            Self::RestoreIndexSettings {
                table,
                name,
                number,
                constraint,
            } => vec![index_settings::restore(table, name, *number, *constraint)],
            Self::RenameIndex { table, from, to } => vec![format!(
                "ALTER INDEX {} RENAME TO {}",
                table.beside(from.as_str()),
                quoted(to)
            )],
            Self::CreatePartition {
                table,
                name,
                partition,
            } => {
                let mut sql = Vec::new();
                create_partition(&mut sql, table, name, partition);
                sql
            }
            Self::DetachPartition { table, name } => {
                alter(table, format!("DETACH PARTITION {name}"))
            }
            Self::MoveRows {
                from,
                to,
                columns,
                counted,
                deferred,
                ..
            } => {
                let values: Vec<&str> = columns.iter().map(|(_, value)| value.as_str()).collect();
                let columns: Vec<&String> = columns.iter().map(|(column, _)| column).collect();
                let mut sql = vec![ALL_ROWS.to_owned()];
                if *deferred {
                    sql.push(NOW.to_owned());
                }
                sql.push(if columns.is_empty() {
                    // All columns get their defaults; only the number of rows
                    // is kept.
                    format!("INSERT INTO {to} SELECT FROM {from}")
                } else {
                    format!(
                        "INSERT INTO {to} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {from}",
                        quoted_list(&columns),
                        values.join(", ")
                    )
                });
                sql.extend(counted.iter().map(|(column, before)| {
                    if *before {
                        go_on_as(from, to, column)
                    } else {
                        go_on_after_the_largest(to, column)
                    }
                }));
                sql.push(format!("DROP TABLE {from}"));
                sql
            }
            Self::SetComment {
                table,
                column,
                comment,
            } => vec![comment_on(table, column.as_deref(), comment.as_deref())],
        }
    }
}

fn rename(kind: &str, from: &Name, to: &Name) -> Vec<String> {
    let mut sql = Vec::new();
    let mut at = from.clone();
    if from.schema != to.schema {
        sql.push(match &to.schema {
            Some(schema) => format!("ALTER {kind} {at} SET SCHEMA {}", quoted(schema)),
            // Only the database knows the name of the default schema.
            None => format!(
                "DO $move$ BEGIN EXECUTE {} || quote_ident(current_schema()); END $move$",
                literal(&format!("ALTER {kind} {at} SET SCHEMA "))
            ),
        });
        at.schema.clone_from(&to.schema);
    }
    if from.name != to.name {
        sql.push(format!("ALTER {kind} {at} RENAME TO {}", quoted(&to.name)));
    }
    sql
}

fn create_table(name: &Name, table: &Table) -> Vec<String> {
    let mut lines: Vec<String> = table
        .columns
        .iter()
        .map(|column| format!("    {}", column_definition(column)))
        .collect();
    // The primary key first, then by name.
    let mut constraints: Vec<(&String, &Constraint)> = table
        .constraints
        .iter()
        .filter(|(_, constraint)| constraint.comes_with_its_table())
        .collect();
    constraints.sort_by_key(|(_, constraint)| !matches!(constraint, Constraint::PrimaryKey(_)));
    lines.extend(
        constraints
            .into_iter()
            .map(|(name, constraint)| format!("    CONSTRAINT {} {constraint}", quoted(name))),
    );
    let columns = if lines.is_empty() {
        "()".to_owned()
    } else {
        format!("(\n{}\n)", lines.join(",\n"))
    };
    let partition_by = match &table.partition_by {
        Some(by) => format!(" PARTITION BY {by}"),
        None => String::new(),
    };
    let mut sql = vec![format!("CREATE TABLE {name} {columns}{partition_by}")];
    for (partition_name, partition) in &table.partitions {
        create_partition(&mut sql, name, partition_name, partition);
    }
    sql.extend(
        table
            .comment
            .iter()
            .map(|comment| comment_on(name, None, Some(comment))),
    );
    for column in &table.columns {
        let comment = column.comment.iter();
        sql.extend(comment.map(|comment| comment_on(name, Some(&column.name), Some(comment))));
    }
    sql
}

fn create_partition(sql: &mut Vec<String>, parent: &Name, name: &Name, partition: &Partition) {
    let partition_by = match &partition.partition_by {
        Some(by) => format!(" PARTITION BY {by}"),
        None => String::new(),
    };
    sql.push(format!(
        "CREATE TABLE {name} PARTITION OF {parent} {}{partition_by}",
        partition.bound
    ));
    for (child_name, child) in &partition.partitions {
        create_partition(sql, name, child_name, child);
    }
}

fn column_definition(column: &Column) -> String {
    let mut sql = quoted(&column.name).into_owned();
    sql.push(' ');
    if column.fill == Fill::Serial {
        sql.push_str(match column.data_type.to_string().as_str() {
            "smallint" => "smallserial",
            "bigint" => "bigserial",
            _ => "serial",
        });
    } else {
        sql.push_str(&column.data_type.to_string());
    }
    if let Some(collation) = &column.collation {
        sql.push_str(&format!(" COLLATE {collation}"));
    }
    match &column.fill {
        Fill::None | Fill::Serial => {}
        Fill::Default(expression) => {
            sql.push_str(&format!(" DEFAULT {}", default(expression.as_str())));
        }
        Fill::IdentityAlways => sql.push_str(" GENERATED ALWAYS AS IDENTITY"),
        Fill::IdentityByDefault => sql.push_str(" GENERATED BY DEFAULT AS IDENTITY"),
        Fill::Stored(expression) => {
            sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
        }
        Fill::Virtual(expression) => {
            sql.push_str(&format!(" GENERATED ALWAYS AS ({expression}) VIRTUAL"));
        }
    }
    if column.not_null {
        sql.push_str(" NOT NULL");
    }
    sql
}

fn add_column(table: &Name, column: &Column, existing: Option<&str>) -> Vec<String> {
    let name = quoted(&column.name);
    let mut definition = column_definition(column);
    if let Some(existing) = existing {
        let existing = default(existing);
        // A default for existing rows is stored in the catalog: no row is
        // rewritten.
        definition = match definition.strip_suffix(" NOT NULL") {
            Some(front) => format!("{front} DEFAULT {existing} NOT NULL"),
            None => format!("{definition} DEFAULT {existing}"),
        };
    }
    let mut sql = vec![format!("ALTER TABLE {table} ADD COLUMN {definition}")];
    if existing.is_some() {
        sql.push(format!(
            "ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT"
        ));
    }
    let comment = column.comment.iter();
    sql.extend(comment.map(|comment| comment_on(table, Some(&column.name), Some(comment))));
    sql
}

/// Puts the expression of a default in parentheses where the grammar needs
/// them.
fn default(expression: &str) -> String {
    const LOOSE: [&str; 14] = [
        "and", "or", "not", "is", "isnull", "notnull", "in", "between", "like", "ilike", "similar",
        "at", "collate", "overlaps",
    ];
    let found = crate::syntax::tokens(expression).unwrap_or_default();
    let mut depth = 0_usize;
    let loose = found.iter().enumerate().any(|(at, token)| {
        if token.is("(") || token.is("[") {
            depth += 1;
        } else if token.is(")") || token.is("]") {
            depth = depth.saturating_sub(1);
        }
        let operator = token.kind == crate::syntax::TokenKind::Operator
            && !token.is("::")
            && !(at == 0 && token.is("-"));
        depth == 0 && (operator || LOOSE.iter().any(|word| token.is_word(word)))
    });
    if loose {
        format!("({expression})")
    } else {
        expression.to_owned()
    }
}

fn identity(always: bool) -> &'static str {
    if always { "ALWAYS" } else { "BY DEFAULT" }
}

/// Continues the sequence of the replaced table `from` in `to`, so that no
/// number is used twice.
fn go_on_as(from: &Name, to: &Name, column: &str) -> String {
    let column_name = literal(column);
    format!(
        "SELECT setval(pg_get_serial_sequence({}, {column_name}), greatest(coalesce(max({}), 0), \
         coalesce(pg_sequence_last_value(pg_get_serial_sequence({}, {column_name})::regclass), 0)) \
         + 1, false) FROM {to}",
        literal(&to.to_string()),
        quoted(column),
        literal(&from.to_string()),
    )
}

fn go_on_after_the_largest(table: &Name, column: &str) -> String {
    format!(
        "SELECT setval(pg_get_serial_sequence({}, {}), coalesce(max({}), 0) + 1, false) FROM {table}",
        literal(&table.to_string()),
        literal(column),
        quoted(column)
    )
}

/// Drops the sequence by a query: only the database knows its name.
fn drop_serial(table: &Name, column: &str) -> Vec<String> {
    let column_name = quoted(column);
    vec![
        format!("ALTER TABLE {table} ALTER COLUMN {column_name} DROP DEFAULT"),
        format!(
            "DO $drop$ BEGIN EXECUTE 'DROP SEQUENCE ' || pg_get_serial_sequence({}, {}); END $drop$",
            literal(&table.to_string()),
            literal(column)
        ),
    ]
}

/// Changes the type of the sequence: only the database knows its name.
fn alter_sequence(table: &Name, column: &str, to: &DataType) -> String {
    format!(
        "DO $alter$ BEGIN EXECUTE 'ALTER SEQUENCE ' || pg_get_serial_sequence({}, {}) || ' AS {to}'; \
         END $alter$",
        literal(&table.to_string()),
        literal(column)
    )
}

fn comment_on(table: &Name, column: Option<&str>, comment: Option<&str>) -> String {
    let object = match column {
        Some(column) => format!("COLUMN {table}.{}", quoted(column)),
        None => format!("TABLE {table}"),
    };
    let comment = comment.map_or("NULL".to_owned(), literal);
    format!("COMMENT ON {object} IS {comment}")
}
