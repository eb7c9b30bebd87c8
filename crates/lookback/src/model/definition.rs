//! The definition of a table, which `#[model]` generates for migrations.
//!
//! Constraints, indexes and types are text here; the migrations parse them.
//! Generated code builds a definition with `const` functions only, so that a field
//! can be added without breaking code that an older macro generated.

use crate::model::Table;
use crate::value::{ColumnType, Value};

/// A Rust type that describes a table of a schema: every model, also
/// `schema_only` ones.
///
/// Implemented by [`#[model]`](crate::model).
#[diagnostic::on_unimplemented(
    message = "`{Self}` describes no table",
    note = "put #[model(table = \"…\", search(…))] on the struct, or #[model(table = \"…\", \
            schema_only)] if Lookback need not read or write it"
)]
pub trait SchemaModel: 'static {
    #[doc(hidden)]
    const DEFINITION: &'static TableDefinition;
}

/// The definition of a table; used by generated code.
#[derive(Debug)]
pub struct TableDefinition {
    /// The name of the Rust type.
    pub(crate) model: &'static str,
    /// The schema, if it is not the default one.
    pub(crate) schema: Option<&'static str>,
    /// The name, not quoted.
    pub(crate) table: &'static str,
    pub(crate) comment: Option<&'static str>,
    pub(crate) columns: &'static [ColumnDefinition],
    /// The names and definitions of the constraints.
    pub(crate) constraints: &'static [(&'static str, &'static str)],
    /// The names and definitions of the indexes.
    pub(crate) indexes: &'static [(&'static str, &'static str)],
    pub(crate) partition_by: Option<&'static str>,
    pub(crate) partitions: &'static [PartitionDefinition],
    /// Whether the table may have other partitions.
    pub(crate) open_partitions: bool,
    /// The table for queries; `None` for a `schema_only` model.
    pub(crate) read: Option<&'static Table>,
}

impl TableDefinition {
    /// Defines the table of the Rust type `model`.
    pub const fn new(
        model: &'static str,
        table: &'static str,
        columns: &'static [ColumnDefinition],
    ) -> Self {
        Self {
            model,
            schema: None,
            table,
            comment: None,
            columns,
            constraints: &[],
            indexes: &[],
            partition_by: None,
            partitions: &[],
            open_partitions: false,
            read: None,
        }
    }

    /// Sets the schema.
    #[must_use]
    pub const fn with_schema(mut self, schema: &'static str) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Sets the comment.
    #[must_use]
    pub const fn with_comment(mut self, comment: &'static str) -> Self {
        self.comment = Some(comment);
        self
    }

    /// Sets the names and definitions of the constraints.
    #[must_use]
    pub const fn with_constraints(
        mut self,
        constraints: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.constraints = constraints;
        self
    }

    /// Sets the names and definitions of the indexes.
    #[must_use]
    pub const fn with_indexes(mut self, indexes: &'static [(&'static str, &'static str)]) -> Self {
        self.indexes = indexes;
        self
    }

    /// Sets the partition key, such as `RANGE (id)`.
    #[must_use]
    pub const fn with_partition_by(mut self, partition_by: &'static str) -> Self {
        self.partition_by = Some(partition_by);
        self
    }

    /// Sets the partitions.
    #[must_use]
    pub const fn with_partitions(mut self, partitions: &'static [PartitionDefinition]) -> Self {
        self.partitions = partitions;
        self
    }

    /// Allows other partitions.
    #[must_use]
    pub const fn with_open_partitions(mut self) -> Self {
        self.open_partitions = true;
        self
    }

    /// Sets the table for queries.
    #[must_use]
    pub const fn with_table(mut self, table: &'static Table) -> Self {
        self.read = Some(table);
        self
    }
}

/// The definition of a column; used by generated code.
#[derive(Debug)]
pub struct ColumnDefinition {
    /// The name, not quoted.
    pub(crate) name: &'static str,
    pub(crate) ty: TypeDefinition,
    pub(crate) nullable: bool,
    /// The source of the value if an insert gives none.
    pub(crate) fill: FillDefinition,
    pub(crate) collation: Option<&'static str>,
    pub(crate) comment: Option<&'static str>,
}

impl ColumnDefinition {
    /// Defines a column that is not nullable and has no default.
    pub const fn new(name: &'static str, ty: TypeDefinition) -> Self {
        Self {
            name,
            ty,
            nullable: false,
            fill: FillDefinition::None,
            collation: None,
            comment: None,
        }
    }

    /// Makes the column nullable.
    #[must_use]
    pub const fn with_nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// Sets the default, as a Rust value.
    #[must_use]
    pub const fn with_default(mut self, value: fn() -> Value<'static>) -> Self {
        self.fill = FillDefinition::Value(value);
        self
    }

    /// Sets the default, in SQL.
    #[must_use]
    pub const fn with_sql_default(mut self, sql: &'static str) -> Self {
        self.fill = FillDefinition::Sql(sql);
        self
    }

    /// Makes it `GENERATED ALWAYS AS IDENTITY`.
    #[must_use]
    pub const fn with_identity_always(mut self) -> Self {
        self.fill = FillDefinition::IdentityAlways;
        self
    }

    /// Makes it `GENERATED BY DEFAULT AS IDENTITY`.
    #[must_use]
    pub const fn with_identity_by_default(mut self) -> Self {
        self.fill = FillDefinition::IdentityByDefault;
        self
    }

    /// Makes it `serial`.
    #[must_use]
    pub const fn with_serial(mut self) -> Self {
        self.fill = FillDefinition::Serial;
        self
    }

    /// Makes it `GENERATED ALWAYS AS (…) STORED`.
    #[must_use]
    pub const fn with_stored(mut self, sql: &'static str) -> Self {
        self.fill = FillDefinition::Stored(sql);
        self
    }

    /// Makes it `GENERATED ALWAYS AS (…) VIRTUAL`.
    #[must_use]
    pub const fn with_virtual(mut self, sql: &'static str) -> Self {
        self.fill = FillDefinition::Virtual(sql);
        self
    }

    /// Sets the collation.
    #[must_use]
    pub const fn with_collation(mut self, collation: &'static str) -> Self {
        self.collation = Some(collation);
        self
    }

    /// Sets the comment.
    #[must_use]
    pub const fn with_comment(mut self, comment: &'static str) -> Self {
        self.comment = Some(comment);
        self
    }
}

/// The type of a column; used by generated code.
#[derive(Debug)]
pub struct TypeDefinition(pub(crate) TypeSource);

/// The source of the type of a column.
#[derive(Debug)]
pub(crate) enum TypeSource {
    /// SQL, as in the model.
    Sql(&'static str),
    /// The Rust type of the field.
    Value {
        /// The type, or that of the elements of an array.
        ty: ColumnType,
        /// The labels of an enum type.
        labels: &'static [&'static str],
        array: bool,
    },
}

impl TypeDefinition {
    /// Defines a type in SQL.
    pub const fn sql(sql: &'static str) -> Self {
        Self(TypeSource::Sql(sql))
    }

    /// Defines the type of values of a Rust type, with the labels of an enum type.
    pub const fn value(ty: ColumnType, labels: &'static [&'static str]) -> Self {
        let array = false;
        Self(TypeSource::Value { ty, labels, array })
    }

    /// Defines an array of values of a Rust type.
    pub const fn array(ty: ColumnType, labels: &'static [&'static str]) -> Self {
        let array = true;
        Self(TypeSource::Value { ty, labels, array })
    }
}

/// The source of the value of a column if an insert gives none.
#[derive(Debug)]
pub(crate) enum FillDefinition {
    /// NULL.
    None,
    /// A default, as a Rust value.
    Value(fn() -> Value<'static>),
    /// A default, in SQL.
    Sql(&'static str),
    /// `GENERATED ALWAYS AS IDENTITY`
    IdentityAlways,
    /// `GENERATED BY DEFAULT AS IDENTITY`
    IdentityByDefault,
    /// `serial`
    Serial,
    /// `GENERATED ALWAYS AS (…) STORED`
    Stored(&'static str),
    /// `GENERATED ALWAYS AS (…) VIRTUAL`
    Virtual(&'static str),
}

/// The definition of a partition; used by generated code.
#[derive(Debug)]
pub struct PartitionDefinition {
    /// The name: not quoted and in the schema of the table, or quoted with its
    /// schema.
    pub(crate) name: &'static str,
    pub(crate) bound: &'static str,
    pub(crate) partition_by: Option<&'static str>,
    pub(crate) partitions: &'static [Self],
}

impl PartitionDefinition {
    /// Defines a partition.
    pub const fn new(name: &'static str, bound: &'static str) -> Self {
        Self {
            name,
            bound,
            partition_by: None,
            partitions: &[],
        }
    }

    /// Sets its own partition key.
    #[must_use]
    pub const fn with_partition_by(mut self, partition_by: &'static str) -> Self {
        self.partition_by = Some(partition_by);
        self
    }

    /// Sets its own partitions.
    #[must_use]
    pub const fn with_partitions(mut self, partitions: &'static [Self]) -> Self {
        self.partitions = partitions;
        self
    }
}
