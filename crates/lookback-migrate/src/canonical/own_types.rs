//! Prints definitions with functions or domains over types of the schema, of which the scratch
//! schemas have copies: with the existing types instead.

use std::collections::BTreeSet;

use lookback_schema::{Fill, Name, Schema, Table, quoted};
use sqlx::PgConnection;

use super::{Part, create_table, execute, parts};
use crate::error::Error;
use crate::introspect::{Scope, read_here, set_search_path};

/// Replaces these parts of the tables of `schema` by what the server prints. A part stays as given
/// if the server has no such function or type, either.
pub(super) async fn print(
    conn: &mut PgConnection,
    scratch: &str,
    schema: &mut Schema,
    left_out: &[(Name, Part)],
    also: &[String],
) -> Result<(), Error> {
    let named: BTreeSet<String> = schema.schemas.clone();
    let create_schema = format!("CREATE SCHEMA {}", quoted(scratch));
    execute(conn, create_schema).await?;
    for (name, part) in left_out {
        let Some(table) = schema.tables.get_mut(name) else {
            continue;
        };
        let alone = parts(table).into_iter().find(|(other, _)| other == part);
        let Some((_, alone)) = alone else {
            continue;
        };
        execute(conn, "SAVEPOINT lookback_own_types".to_owned()).await?;
        set_search_path(conn, scratch, also, &named).await?;
        // Names of the default schema are those of the existing types.
        let here = Name::new(&name.name);
        if execute(conn, create_table(&here, &alone)?).await.is_ok() {
            let scope = Scope {
                default_schema: Some(scratch.to_owned()),
                ..Scope::default()
            };
            let read = read_here(conn, &scope, also, &named).await?;
            if let Some(printed) = read.schema.tables.get(&here) {
                part.copy(printed, table);
            }
        }
        let undo = "ROLLBACK TO SAVEPOINT lookback_own_types; \
                    RELEASE SAVEPOINT lookback_own_types";
        execute(conn, undo.to_owned()).await?;
    }
    Ok(())
}

impl Part {
    /// Copies it from one table to another that has it, too.
    fn copy(&self, from: &Table, to: &mut Table) {
        match self {
            Self::Column(name) => {
                let fill = from.column(name).map(|column| column.fill.clone());
                let column = to.columns.iter_mut().find(|column| column.name == *name);
                if let (Some(fill), Some(column)) = (fill, column)
                    && fill != Fill::None
                {
                    column.fill = fill;
                }
            }
            Self::Constraint(_, name) => {
                if let Some(constraint) = from.constraints.get(name) {
                    to.constraints.insert(name.clone(), constraint.clone());
                }
            }
            Self::Index(name) => {
                if let Some(index) = from.indexes.get(name) {
                    to.indexes.insert(name.clone(), index.clone());
                }
            }
            Self::Type(_) | Self::Partition(_) => {}
        }
    }
}
