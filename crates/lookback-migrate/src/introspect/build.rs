//! Converts the rows of the catalog to a schema.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

use lookback_schema::{
    Column, Constraint, CreateIndex, DataType, Expression, Fill, Name, Partition, PartitionBy,
    Table,
};
use sqlx::postgres::types::Oid;

use crate::error::{Error, SchemaError};
use crate::introspect::Introspection;
use crate::introspect::catalog::{CatalogRows, ColumnRow, ConstraintRow, IndexRow, TableRow};

/// Builds the schema from the rows; names in the schema `default` are
/// unqualified.
pub(super) fn live(default: &str, rows: CatalogRows) -> Result<Introspection, Error> {
    let named = |schema: &str, name: &str| Name {
        schema: (schema != default).then(|| schema.to_owned()),
        name: name.to_owned(),
    };
    let mut live = Introspection::default();
    live.schema.extensions = rows.extensions.into_iter().collect();
    live.schema.schemas = rows.schemas.into_iter().collect();
    live.schema.enums = rows
        .enums
        .into_iter()
        .map(|row| (named(&row.schema, &row.name), row.labels))
        .collect();

    let names: HashMap<Oid, Name> = rows
        .tables
        .iter()
        .map(|row| (row.oid, named(&row.schema, &row.name)))
        .collect();
    let mut tables = TableBuilder {
        names,
        tables: HashMap::new(),
        live,
    };
    for row in &rows.inheriting_tables {
        let name = named(&row.schema, &row.name);
        tables.live.notes.push(format!(
            "table {name} is left out: it inherits from another, which is not in the schema"
        ));
    }
    for row in rows.tables.iter().filter(|row| row.parent.is_none()) {
        tables.table(row)?;
    }
    for row in rows.columns {
        tables.column(row)?;
    }
    for row in rows.constraints {
        let target = match (&row.target_schema, &row.target) {
            (Some(schema), Some(name)) => Some(named(schema, name)),
            _ => None,
        };
        tables.constraint(row, target);
    }
    for row in rows.indexes {
        let name = named(&row.schema, &row.name);
        tables.index(row, name);
    }
    tables.partitions(&rows.tables)?;
    let TableBuilder {
        names,
        tables,
        mut live,
    } = tables;
    live.schema.tables = tables
        .into_iter()
        .filter_map(|(oid, table)| Some((names.get(&oid)?.clone(), table)))
        .collect();
    live.notes.sort();
    Ok(live)
}

struct TableBuilder {
    names: HashMap<Oid, Name>,
    tables: HashMap<Oid, Table>,
    live: Introspection,
}

impl TableBuilder {
    fn table(&mut self, row: &TableRow) -> Result<(), Error> {
        let name = &self.names[&row.oid];
        let table = Table {
            comment: row.comment.clone(),
            partition_by: partition_by(name, row)?,
            ..Table::default()
        };
        if row.unlogged {
            self.live.notes.push(format!(
                "table {name} is unlogged, which is not in the schema"
            ));
        }
        if row.typed {
            self.live.notes.push(format!(
                "table {name} is of a composite type, which is not in the schema: its columns are"
            ));
        }
        if let Some(options) = &row.options {
            self.live.notes.push(format!(
                "table {name} has storage parameters, which are not in the schema: {}",
                options.join(", ")
            ));
        }
        if row.has_row_security {
            self.live.notes.push(format!(
                "table {name} has row-level security, which is not in the schema"
            ));
        }
        self.tables.insert(row.oid, table);
        Ok(())
    }

    fn column(&mut self, row: ColumnRow) -> Result<(), Error> {
        let Some(table) = self.tables.get_mut(&row.table_oid) else {
            return Ok(());
        };
        let name = &self.names[&row.table_oid];
        let wrong =
            |error: &dyn Display| unknown(format!("table {name}, column {}", row.name), error);
        if let Some(options) = &row.sequence_options {
            self.live.notes.push(format!(
                "table {name}: the sequence of {} has options, which are not in the schema: \
                 {options}",
                row.name
            ));
        }
        let expression = || match &row.expression {
            Some(text) => Expression::printed(text).map(Some),
            None => Ok(None),
        };
        let fill = match (row.identity.as_str(), row.generated.as_str()) {
            ("a", _) => Fill::IdentityAlways,
            ("d", _) => Fill::IdentityByDefault,
            _ if row.serial => Fill::Serial,
            (_, generated) => match (generated, expression().map_err(|error| wrong(&error))?) {
                (_, None) => Fill::None,
                // If a default of null has a cast, the server stores it.
                ("", Some(expression)) if expression.is_null() => Fill::None,
                ("", Some(expression)) => Fill::Default(expression),
                ("s", Some(expression)) => Fill::Stored(expression),
                ("v", Some(expression)) => Fill::Virtual(expression),
                (other, Some(_)) => {
                    return Err(wrong(&format!("a generated column of the kind `{other}`")));
                }
            },
        };
        let data_type: DataType = row.data_type.parse().map_err(|error| wrong(&error))?;
        let sequence_type = match &row.sequence_type {
            Some(ty) if row.serial => Some(ty.parse().map_err(|error| wrong(&error))?),
            _ => None,
        };
        table.columns.push(Column {
            sequence_type: sequence_type.filter(|ty| *ty != data_type),
            data_type,
            not_null: row.not_null,
            fill,
            collation: row
                .collation
                .map(|name| Name::within(row.collation_schema, name)),
            comment: row.comment,
            ..Column::new(row.name, DataType::named("text"))
        });
        Ok(())
    }

    fn constraint(&mut self, row: ConstraintRow, target: Option<Name>) {
        let Some(table) = self.tables.get_mut(&row.table_oid) else {
            return;
        };
        if row.kind == "n" {
            self.live.notes.push(format!(
                "table {}: {} {} holds for new rows only and is read as if it held for all",
                self.names[&row.table_oid], row.name, row.definition
            ));
            return;
        }
        match row.definition.parse() {
            Ok(mut constraint) => {
                // The printed name has no schema if the search path contains
                // it.
                if let (Constraint::ForeignKey(key), Some(target)) = (&mut constraint, target) {
                    key.table = target;
                }
                table.constraints.insert(row.name, constraint);
            }
            Err(error) => self.live.notes.push(format!(
                "table {}: the constraint {} is left out: {error}",
                self.names[&row.table_oid], row.name
            )),
        }
    }

    fn index(&mut self, row: IndexRow, name: Name) {
        if !row.valid {
            self.live.invalid_indexes.push(name);
            return;
        }
        let Some(table) = self.tables.get_mut(&row.table_oid) else {
            return;
        };
        match row.definition.parse::<CreateIndex>() {
            Ok(created) => {
                table.indexes.insert(row.name, created.index);
            }
            Err(error) => self.live.notes.push(format!(
                "table {}: the index {name} is left out: {error}",
                self.names[&row.table_oid]
            )),
        }
    }

    /// Attaches the partitions to their tables; parents come first in `rows`.
    fn partitions(&mut self, rows: &[TableRow]) -> Result<(), Error> {
        let mut of: HashMap<Oid, BTreeMap<Name, Partition>> = HashMap::new();
        for row in rows.iter().rev() {
            let Some(parent) = row.parent else {
                continue;
            };
            let name = &self.names[&row.oid];
            if row.is_foreign {
                self.live.notes.push(format!(
                    "partition {name} is a foreign table, which is not supported"
                ));
                continue;
            }
            let partition = Partition {
                bound: row.bound.clone().unwrap_or_default(),
                partition_by: partition_by(name, row)?,
                partitions: of.remove(&row.oid).unwrap_or_default(),
            };
            of.entry(parent)
                .or_default()
                .insert(name.clone(), partition);
        }
        for (oid, partitions) in of {
            if let Some(table) = self.tables.get_mut(&oid) {
                table.partitions = partitions;
            }
        }
        Ok(())
    }
}

fn partition_by(name: &Name, row: &TableRow) -> Result<Option<PartitionBy>, Error> {
    row.partition_by
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(|error| unknown(format!("table {name}"), &error))
}

fn unknown(object: String, error: &dyn Display) -> Error {
    let problem = error.to_string();
    SchemaError::Unreadable { object, problem }.into()
}
