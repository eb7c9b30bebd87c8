//! One typed change of a schema. A change can be displayed, checked for risks,
//! written as SQL and applied to a [`Schema`](crate::Schema).

use crate::schema::{Column, Constraint, Index, Partition, Table};
use crate::syntax::DataType;
use crate::syntax::Expression;
use crate::syntax::{Name, quoted};

mod apply;
mod casts;
mod conversion;
mod ddl;
mod effect;
mod modifiers;
mod plan;
mod risk;
mod type_change;

pub use casts::{Cast, CastContext, casts};
pub use plan::{Plan, PlanBatch, PlanStep};
pub(crate) use plan::{new_tables, slug};
pub use risk::{Lock, Risk};
pub(crate) use type_change::TypeChange;

/// What stays on a column whose type changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indexed {
    /// No index or key.
    No,
    /// An index, which PostgreSQL may have to build again.
    Index,
    /// A key or a unique index: values must not become equal.
    Key,
}

/// A change of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// `CREATE SCHEMA`
    CreateSchema(String),
    /// `CREATE EXTENSION`
    CreateExtension(String),
    /// `CREATE TYPE … AS ENUM`
    CreateEnum {
        /// The type.
        name: Name,
        /// Its values, in order.
        values: Vec<String>,
    },
    /// `ALTER TYPE … ADD VALUE`
    AddEnumValue {
        /// The type.
        name: Name,
        /// The value.
        value: String,
        /// The value that it comes after; `None` puts it first.
        after: Option<String>,
        /// The value that it comes before, if it is the first.
        before: Option<String>,
    },
    /// `ALTER TYPE … RENAME VALUE`
    RenameEnumValue {
        /// The type.
        name: Name,
        /// The old value.
        from: String,
        /// The new value.
        to: String,
    },
    /// `ALTER TYPE … RENAME TO`, and `SET SCHEMA`
    RenameEnum {
        /// The old name.
        from: Name,
        /// The new name.
        to: Name,
    },
    /// Stops if something that no model has uses an enum that is recreated
    ///
    /// PostgreSQL could neither convert nor drop it later, and would not name all of it.
    CheckEnumUsers {
        /// The type.
        name: Name,
        /// The name that it gets until it is dropped.
        temporary: Name,
        /// The columns that are converted, and tables whose expressions are created again.
        columns: Vec<(Name, Option<String>)>,
    },
    /// `DROP TYPE`
    DropEnum(Name),
    /// `CREATE TABLE` with its primary key and checks; other constraints and
    /// indexes are separate changes
    CreateTable {
        /// The table.
        name: Name,
        /// Its definition.
        table: Box<Table>,
    },
    /// `DROP TABLE`
    DropTable(Name),
    /// `ALTER TABLE … RENAME TO`, and `SET SCHEMA`
    RenameTable {
        /// The old name.
        from: Name,
        /// The new name.
        to: Name,
    },
    /// `ALTER TABLE … ADD COLUMN`
    AddColumn {
        /// The table.
        table: Name,
        /// The column.
        column: Column,
        /// The value for existing rows, for a column without a default.
        existing: Option<Expression>,
    },
    /// `ALTER TABLE … DROP COLUMN`
    DropColumn {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// Whether it is generated, so that no data is lost.
        generated: bool,
        /// Its name before another column got it.
        was: Option<String>,
    },
    /// `ALTER TABLE … RENAME COLUMN`
    RenameColumn {
        /// The table.
        table: Name,
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// `ALTER COLUMN … TYPE`
    AlterType {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// The old type.
        from: DataType,
        /// The new type.
        to: DataType,
        /// The new collation, if it is not that of the type.
        collation: Option<Name>,
        /// The conversion of a value, if an assignment cast is not enough.
        using: Option<Expression>,
        /// The removed values, if an enum is recreated under the same name.
        without: Option<Vec<String>>,
        /// What stays on the column.
        indexed: Indexed,
    },
    /// `ALTER COLUMN … SET DEFAULT`
    SetDefault {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// The default.
        default: Expression,
    },
    /// `ALTER COLUMN … DROP DEFAULT`
    DropDefault {
        /// The table.
        table: Name,
        /// The column.
        column: String,
    },
    /// `ALTER COLUMN … SET NOT NULL`
    SetNotNull {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// Whether a valid check already proves it, so that no rows are read.
        proved: bool,
    },
    /// `ALTER COLUMN … DROP NOT NULL`
    DropNotNull {
        /// The table.
        table: Name,
        /// The column.
        column: String,
    },
    /// `UPDATE … SET … WHERE … IS NULL`: replaces nulls in existing rows
    FillNulls {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// The value.
        value: Expression,
        /// Whether a constraint of the table is deferred.
        ///
        /// Such constraints are set to immediate first: PostgreSQL does not
        /// alter a table while one of its checks is pending.
        deferred: bool,
    },
    /// `ALTER COLUMN … ADD GENERATED … AS IDENTITY`, which continues after the
    /// largest value
    AddIdentity {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// `ALWAYS`, not `BY DEFAULT`.
        always: bool,
    },
    /// `ALTER COLUMN … SET GENERATED`
    SetIdentity {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// `ALWAYS`, not `BY DEFAULT`.
        always: bool,
    },
    /// `ALTER COLUMN … DROP IDENTITY`
    DropIdentity {
        /// The table.
        table: Name,
        /// The column.
        column: String,
    },
    /// A sequence that the column owns and gets its default from
    AddSerial {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// Its type.
        data_type: DataType,
        /// The sequence.
        sequence: Name,
    },
    /// Drops the default and the sequence of a serial column
    DropSerial {
        /// The table.
        table: Name,
        /// The column.
        column: String,
    },
    /// `ALTER SEQUENCE … AS`: changes the type of the sequence of a serial column
    AlterSequence {
        /// The table.
        table: Name,
        /// The column.
        column: String,
        /// The old type.
        from: DataType,
        /// The new type.
        to: DataType,
    },
    /// `ALTER COLUMN … DROP EXPRESSION`, which keeps the values
    DropExpression {
        /// The table.
        table: Name,
        /// The column.
        column: String,
    },
    /// `ADD CONSTRAINT`
    AddConstraint {
        /// The table.
        table: Name,
        /// The name.
        name: String,
        /// The constraint.
        constraint: Constraint,
    },
    /// `ADD CONSTRAINT … USING INDEX`: makes a key from an existing index,
    /// which gets the name of the key
    AttachKey {
        /// The table.
        table: Name,
        /// The name.
        name: String,
        /// The index.
        index: String,
        /// The constraint.
        constraint: Constraint,
    },
    /// `VALIDATE CONSTRAINT`
    ValidateConstraint {
        /// The table.
        table: Name,
        /// The name.
        name: String,
    },
    /// `DROP CONSTRAINT`
    DropConstraint {
        /// The table.
        table: Name,
        /// The name.
        name: String,
    },
    /// `RENAME CONSTRAINT`
    RenameConstraint {
        /// The table.
        table: Name,
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// `CREATE INDEX`
    CreateIndex {
        /// The table.
        table: Name,
        /// The name.
        name: String,
        /// The index.
        index: Index,
        /// Whether it is built outside a transaction, without blocking writers.
        concurrently: bool,
    },
    /// `DROP INDEX`
    DropIndex {
        /// The table.
        table: Name,
        /// The name.
        name: String,
    },
    /// Stores the settings of an index or key that is dropped and created again
    ///
    /// These are its comments, its targets of statistics, and its use by `REPLICA IDENTITY` and
    /// `CLUSTER`. They are stored until the end of the transaction.
    KeepIndexSettings {
        /// The table.
        table: Name,
        /// The name.
        name: String,
        /// The number of the index among those of the plan.
        number: usize,
    },
    /// Gives these settings to the new index or key of the same name
    RestoreIndexSettings {
        /// The table.
        table: Name,
        /// The name.
        name: String,
        /// As in `KeepIndexSettings`.
        number: usize,
        /// Whether it is a key or an exclusion constraint now.
        constraint: bool,
    },
    /// `ALTER INDEX … RENAME TO`
    RenameIndex {
        /// The table.
        table: Name,
        /// The old name.
        from: String,
        /// The new name.
        to: String,
    },
    /// `CREATE TABLE … PARTITION OF`
    CreatePartition {
        /// The partitioned table.
        table: Name,
        /// The partition.
        name: Name,
        /// Its definition.
        partition: Partition,
    },
    /// `DETACH PARTITION`: turns the partition into a separate table
    DetachPartition {
        /// The partitioned table.
        table: Name,
        /// The partition.
        name: Name,
    },
    /// `INSERT … SELECT`: moves the rows of a table into another with the same
    /// columns, then drops the first
    MoveRows {
        /// The table that is emptied and dropped.
        from: Name,
        /// The table that gets the rows.
        to: Name,
        /// The columns, and the expression that gives each its value.
        columns: Vec<(String, Expression)>,
        /// The columns with sequences, and whether the old table had them, too.
        ///
        /// The sequence then continues after its last value, otherwise after
        /// the largest value.
        counted: Vec<(String, bool)>,
        /// As in `FillNulls`.
        deferred: bool,
        /// Whether the whole table is recreated, not one of its partitions.
        remade: bool,
    },
    /// `COMMENT ON`
    SetComment {
        /// The table.
        table: Name,
        /// The column; `None` for the table itself.
        column: Option<String>,
        /// The comment; `None` removes it.
        comment: Option<String>,
    },
}

impl Change {
    /// The object that it changes, such as `logs.message`.
    pub fn object(&self) -> String {
        let within = |table: &Name, part: &str| format!("{table}.{}", quoted(part));
        match self {
            Self::CreateSchema(name) | Self::CreateExtension(name) => quoted(name).into_owned(),
            Self::CreateEnum { name, .. }
            | Self::CheckEnumUsers { name, .. }
            | Self::DropEnum(name)
            | Self::DropTable(name) => name.to_string(),
            Self::CreateTable { name, .. } => name.to_string(),
            Self::AddEnumValue { name, value, .. } => within(name, value),
            Self::RenameEnumValue { name, from, .. } => within(name, from),
            Self::RenameEnum { from, .. } | Self::RenameTable { from, .. } => from.to_string(),
            Self::AddColumn { table, column, .. } => within(table, &column.name),
            Self::DropColumn {
                table,
                was: Some(column),
                ..
            }
            | Self::DropColumn { table, column, .. }
            | Self::AlterType { table, column, .. }
            | Self::SetDefault { table, column, .. }
            | Self::DropDefault { table, column }
            | Self::SetNotNull { table, column, .. }
            | Self::DropNotNull { table, column }
            | Self::FillNulls { table, column, .. }
            | Self::AddIdentity { table, column, .. }
            | Self::SetIdentity { table, column, .. }
            | Self::DropIdentity { table, column }
            | Self::AddSerial { table, column, .. }
            | Self::DropSerial { table, column }
            | Self::AlterSequence { table, column, .. }
            | Self::DropExpression { table, column } => within(table, column),
            Self::RenameColumn { table, from, .. }
            | Self::RenameConstraint { table, from, .. }
            | Self::RenameIndex { table, from, .. } => within(table, from),
            Self::AddConstraint { table, name, .. }
            | Self::AttachKey { table, name, .. }
            | Self::ValidateConstraint { table, name }
            | Self::DropConstraint { table, name }
            | Self::CreateIndex { table, name, .. }
            | Self::KeepIndexSettings { table, name, .. }
            | Self::RestoreIndexSettings { table, name, .. }
            | Self::DropIndex { table, name } => within(table, name),
            Self::CreatePartition { name, .. } | Self::DetachPartition { name, .. } => {
                name.to_string()
            }
            Self::MoveRows {
                to, remade: true, ..
            } => to.to_string(),
            Self::MoveRows { from, .. } => from.to_string(),
            Self::SetComment { table, column, .. } => match column {
                Some(column) => within(table, column),
                None => table.to_string(),
            },
        }
    }

    /// Whether it only belongs to another change: that of an index or key, or of an enum.
    pub fn is_auxiliary(&self) -> bool {
        matches!(
            self,
            Self::KeepIndexSettings { .. }
                | Self::RestoreIndexSettings { .. }
                | Self::CheckEnumUsers { .. }
        )
    }

    /// Whether it converts values through their text, because there is no cast between the types.
    pub fn reads_text(&self) -> bool {
        match self {
            Self::AlterType {
                column,
                from,
                to,
                using,
                ..
            } => {
                let change = TypeChange::new(from, to);
                change.reads_text() && *using == change.using(column)
            }
            _ => false,
        }
    }

    /// The table or type that it changes.
    pub(crate) fn owner(&self) -> Option<&Name> {
        match self {
            Self::CreateSchema(_) | Self::CreateExtension(_) => None,
            Self::CreateEnum { name, .. }
            | Self::CheckEnumUsers { name, .. }
            | Self::AddEnumValue { name, .. }
            | Self::RenameEnumValue { name, .. }
            | Self::CreateTable { name, .. }
            | Self::DropEnum(name)
            | Self::DropTable(name) => Some(name),
            Self::RenameEnum { to, .. }
            | Self::RenameTable { to, .. }
            | Self::MoveRows { to, .. } => Some(to),
            Self::AddColumn { table, .. }
            | Self::DropColumn { table, .. }
            | Self::RenameColumn { table, .. }
            | Self::AlterType { table, .. }
            | Self::SetDefault { table, .. }
            | Self::DropDefault { table, .. }
            | Self::SetNotNull { table, .. }
            | Self::DropNotNull { table, .. }
            | Self::FillNulls { table, .. }
            | Self::AddIdentity { table, .. }
            | Self::SetIdentity { table, .. }
            | Self::DropIdentity { table, .. }
            | Self::AddSerial { table, .. }
            | Self::DropSerial { table, .. }
            | Self::AlterSequence { table, .. }
            | Self::DropExpression { table, .. }
            | Self::AddConstraint { table, .. }
            | Self::AttachKey { table, .. }
            | Self::ValidateConstraint { table, .. }
            | Self::DropConstraint { table, .. }
            | Self::RenameConstraint { table, .. }
            | Self::CreateIndex { table, .. }
            | Self::DropIndex { table, .. }
            | Self::KeepIndexSettings { table, .. }
            | Self::RestoreIndexSettings { table, .. }
            | Self::RenameIndex { table, .. }
            | Self::CreatePartition { table, .. }
            | Self::DetachPartition { table, .. }
            | Self::SetComment { table, .. } => Some(table),
        }
    }

    /// The change in a few words: `add column logs.trace_id`.
    pub fn summary(&self) -> String {
        let object = self.object();
        match self {
            Self::CreateSchema(_) => format!("create schema {object}"),
            Self::CreateExtension(_) => format!("create extension {object}"),
            Self::CreateEnum { .. } => format!("create enum {object}"),
            Self::AddEnumValue { .. } => format!("add value {object}"),
            Self::RenameEnumValue { to, .. } => format!("rename value {object} to {}", quoted(to)),
            Self::RenameEnum { to, .. } => format!("rename enum {object} to {to}"),
            Self::CheckEnumUsers { .. } => format!("check what uses enum {object}"),
            Self::DropEnum(_) => format!("drop enum {object}"),
            Self::CreateTable { .. } => format!("create table {object}"),
            Self::DropTable(_) => format!("drop table {object}"),
            Self::RenameTable { to, .. } => format!("rename table {object} to {to}"),
            Self::AddColumn { .. } => format!("add column {object}"),
            Self::DropColumn { .. } => format!("drop column {object}"),
            Self::RenameColumn { to, .. } => format!("rename column {object} to {}", quoted(to)),
            // The old type has a temporary name.
            Self::AlterType {
                to,
                without: Some(_),
                ..
            } => format!("convert {object} to the changed enum {to}"),
            Self::AlterType { from, to, .. } if from == to => {
                format!("change collation of {object}")
            }
            Self::AlterType { from, to, .. } => {
                format!("change type of {object} from {from} to {to}")
            }
            Self::SetDefault { default, .. } => format!("set default of {object} to {default}"),
            Self::DropDefault { .. } => format!("drop default of {object}"),
            Self::SetNotNull { .. } => format!("refuse null in {object}"),
            Self::DropNotNull { .. } => format!("allow null in {object}"),
            Self::FillNulls { value, .. } => format!("fill nulls of {object} with {value}"),
            Self::AddIdentity { .. } => format!("add identity to {object}"),
            Self::SetIdentity { .. } => format!("change identity of {object}"),
            Self::DropIdentity { .. } => format!("drop identity of {object}"),
            Self::AddSerial { .. } => format!("add sequence to {object}"),
            Self::DropSerial { .. } => format!("drop sequence of {object}"),
            Self::AlterSequence { to, .. } => {
                format!("change type of the sequence of {object} to {to}")
            }
            Self::DropExpression { .. } => format!("keep values of {object}, generate no more"),
            Self::AddConstraint { constraint, .. } | Self::AttachKey { constraint, .. } => {
                format!("add {} {object}", constraint.kind())
            }
            Self::ValidateConstraint { .. } => format!("validate constraint {object}"),
            Self::DropConstraint { .. } => format!("drop constraint {object}"),
            Self::RenameConstraint { to, .. } => {
                format!("rename constraint {object} to {}", quoted(to))
            }
            Self::CreateIndex { .. } => format!("create index {object}"),
            Self::DropIndex { .. } => format!("drop index {object}"),
            Self::KeepIndexSettings { .. } => format!("keep settings of index {object}"),
            Self::RestoreIndexSettings { .. } => format!("restore settings of index {object}"),
            Self::RenameIndex { to, .. } => format!("rename index {object} to {}", quoted(to)),
            Self::CreatePartition { .. } => format!("create partition {object}"),
            Self::DetachPartition { .. } => format!("detach partition {object}"),
            Self::MoveRows { to, .. } => format!("move rows of {object} to {to}"),
            Self::SetComment { .. } => format!("comment on {object}"),
        }
    }
}
