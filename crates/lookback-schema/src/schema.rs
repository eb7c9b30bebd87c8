//! The schema type. Models, schema snapshots and live databases are all
//! converted to it, and only schemas are compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::syntax::DataType;
use crate::syntax::Expression;
use crate::syntax::Name;

mod constraint;
mod definition;
mod hints;
mod index;
mod partition;
mod validate;

pub use constraint::{Action, Constraint, Deferral, Exclusion, ForeignKey, Key};
pub use definition::CreateIndex;
pub use index::{Index, IndexKey};
pub use partition::{Partition, PartitionBy, PartitionStrategy};

/// The objects of a database that models describe.
///
/// Views, functions, triggers, domains and sequences are not part of it.
///
/// The JSON form has every list in a fixed order and leaves out unset fields,
/// so that two files differ exactly where the schemas do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Extensions that must exist. They are created but never dropped, because
    /// other programs may use them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub extensions: BTreeSet<String>,
    /// Schemas besides the default one. They are created but never dropped.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub schemas: BTreeSet<String>,
    /// Enum types with their labels, in order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub enums: BTreeMap<Name, Vec<String>>,
    /// Tables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<Name, Table>,
}

impl Schema {
    /// The first object that servers before PostgreSQL 18 do not support, such as `table t, check c`,
    /// and the SQL that they lack.
    pub fn since_18(&self) -> Option<(String, &'static str)> {
        self.tables.iter().find_map(|(name, table)| {
            let is_virtual = |column: &&Column| matches!(column.fill, Fill::Virtual(_));
            if let Some(column) = table.columns.iter().find(is_virtual) {
                return Some((format!("table {name}, column {}", column.name), "VIRTUAL"));
            }
            table.constraints.iter().find_map(|(key, constraint)| {
                let sql = constraint.since_18()?;
                Some((format!("table {name}, {} {key}", constraint.kind()), sql))
            })
        })
    }

    /// The names of tables, partitions, indexes, keys and enums. Each is unique
    /// in its database schema.
    pub(crate) fn names_in_use(&self) -> BTreeSet<Name> {
        let mut names: BTreeSet<Name> = self.enums.keys().cloned().collect();
        for (name, table) in &self.tables {
            names.insert(name.clone());
            let parts = table.constraints.keys().chain(table.indexes.keys());
            names.extend(parts.map(|part| name.beside(part.as_str())));
            let mut partitions: Vec<_> = table.partitions.iter().collect();
            while let Some((name, partition)) = partitions.pop() {
                names.insert(name.clone());
                partitions.extend(&partition.partitions);
            }
        }
        names
    }
}

/// A table. The order of its columns applies to a new table only and is not
/// compared, because PostgreSQL adds columns at the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// Primary key, unique, foreign key, check and exclusion constraints, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub constraints: BTreeMap<String, Constraint>,
    /// Indexes that do not belong to a constraint, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, Index>,
    /// The partition key, for a partitioned table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<PartitionBy>,
    /// Its partitions, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub partitions: BTreeMap<Name, Partition>,
    /// Whether the application pre-creates other partitions, which are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open_partitions: bool,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            columns,
            constraints,
            indexes,
            partition_by,
            partitions,
            open_partitions,
            comment,
        } = self;
        columns.len() == other.columns.len()
            && columns
                .iter()
                .all(|column| other.column(&column.name) == Some(column))
            && *constraints == other.constraints
            && *indexes == other.indexes
            && *partition_by == other.partition_by
            && *partitions == other.partitions
            && *open_partitions == other.open_partitions
            && *comment == other.comment
    }
}

impl Eq for Table {}

impl Table {
    /// The column with this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The expressions that may contain a value of the enum `name`: the
    /// defaults of its columns, and expressions with such a column or with the
    /// type.
    pub(crate) fn expressions_of_type(&self, name: &Name) -> Vec<&Expression> {
        let typed: Vec<&Column> = (self.columns.iter())
            .filter(|column| column.data_type.name == *name)
            .collect();
        let defaults = self.columns.iter().filter_map(|column| match &column.fill {
            Fill::Default(default) if column.data_type.name == *name => Some(default),
            _ => None,
        });
        let others = self.expressions().into_iter().filter(|expression| {
            typed.iter().any(|column| expression.mentions(&column.name))
                || expression.mentions_type(name)
        });
        defaults.chain(others).collect()
    }

    /// Every expression of its columns, constraints, indexes and partitioning.
    pub(crate) fn expressions(&self) -> Vec<&Expression> {
        let mut all: Vec<&Expression> = (self.columns.iter())
            .filter_map(|column| match &column.fill {
                Fill::Default(e) | Fill::Stored(e) | Fill::Virtual(e) => Some(e),
                _ => None,
            })
            .collect();
        for constraint in self.constraints.values() {
            all.extend(constraint.expressions());
        }
        for index in self.indexes.values() {
            all.extend(index.expressions());
        }
        let by = self.partition_by.iter().flat_map(|by| &by.keys);
        all.extend(by.map(|key| &key.expression));
        all
    }

    /// Whether the bounds of a partition contain the string literal `text`.
    pub(crate) fn bounds_mention(&self, text: &str) -> bool {
        let mut partitions: Vec<&Partition> = self.partitions.values().collect();
        while let Some(partition) = partitions.pop() {
            let bound = Expression::new(partition.bound.as_str());
            if bound.is_ok_and(|bound| bound.mentions_literal(text)) {
                return true;
            }
            partitions.extend(partition.partitions.values());
        }
        false
    }

    /// The primary key: its name and its columns.
    pub fn primary_key(&self) -> Option<(&str, &Key)> {
        self.constraints
            .iter()
            .find_map(|(name, constraint)| match constraint {
                Constraint::PrimaryKey(key) => Some((name.as_str(), key)),
                _ => None,
            })
    }
}

/// A column.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub data_type: DataType,
    /// Whether it refuses null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// The source of its value when an insert gives none.
    #[serde(default, skip_serializing_if = "Fill::is_none")]
    pub fill: Fill,
    /// The collation, if it is not that of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<Name>,
    /// The type of the sequence of a serial column, if it differs.
    ///
    /// Only a live database has such a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_type: Option<DataType>,
    /// The comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Column {
    /// A column that may hold null, with nothing else set.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            not_null: false,
            fill: Fill::None,
            collation: None,
            sequence_type: None,
            comment: None,
        }
    }

    /// The type of its sequence, for a serial column.
    pub(crate) fn type_of_sequence(&self) -> Option<&DataType> {
        let ty = self.sequence_type.as_ref().unwrap_or(&self.data_type);
        (self.fill == Fill::Serial).then_some(ty)
    }
}

impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            name,
            data_type,
            not_null,
            fill,
            collation,
            sequence_type: _,
            comment,
        } = self;
        *name == other.name
            && *data_type == other.data_type
            && *not_null == other.not_null
            && fill.is_same(&other.fill, data_type)
            && *collation == other.collation
            && self.type_of_sequence() == other.type_of_sequence()
            && *comment == other.comment
    }
}

impl Eq for Column {}

/// The source of a column's value when an insert gives none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// Null.
    #[default]
    None,
    /// `DEFAULT …`
    Default(Expression),
    /// `GENERATED ALWAYS AS IDENTITY`: an insert may give no value.
    IdentityAlways,
    /// `GENERATED BY DEFAULT AS IDENTITY`
    IdentityByDefault,
    /// `serial`: a sequence that the column owns, and a default that reads the
    /// next value from it.
    Serial,
    /// `GENERATED ALWAYS AS (…) STORED`
    Stored(Expression),
    /// `GENERATED ALWAYS AS (…) VIRTUAL`, since PostgreSQL 18.
    Virtual(Expression),
}

impl Fill {
    fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Whether this means the same as `other` for a column of type `ty`.
    pub fn is_same(&self, other: &Self, ty: &DataType) -> bool {
        match (self, other) {
            (Self::Default(a), Self::Default(b)) => a.is_same_default(b, ty),
            _ => self == other,
        }
    }

    /// Whether it is one of the two kinds of identity.
    pub fn is_identity(&self) -> bool {
        matches!(self, Self::IdentityAlways | Self::IdentityByDefault)
    }

    /// The expression of a generated column.
    pub fn generated(&self) -> Option<&Expression> {
        match self {
            Self::Stored(expression) | Self::Virtual(expression) => Some(expression),
            _ => None,
        }
    }
}
