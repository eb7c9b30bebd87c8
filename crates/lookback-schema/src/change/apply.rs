//! Applies a change to a schema.

use std::collections::BTreeMap;

use crate::change::Change;
use crate::schema::{Column, Constraint, Fill, Schema, Table};
use crate::syntax::Name;

impl Change {
    /// Applies the change to `schema`. A change of an object that does not
    /// exist does nothing.
    pub fn apply(&self, schema: &mut Schema) {
        match self {
            Self::CreateSchema(name) => {
                schema.schemas.insert(name.clone());
            }
            Self::CreateExtension(name) => {
                schema.extensions.insert(name.clone());
            }
            Self::CreateEnum { name, values } => {
                schema.enums.insert(name.clone(), values.clone());
            }
            Self::AddEnumValue {
                name,
                value,
                after,
                before,
            } => {
                if let Some(values) = schema.enums.get_mut(name) {
                    let at = |wanted: &String| values.iter().position(|value| value == wanted);
                    let place = match (after, before) {
                        (Some(after), _) => at(after).map_or(values.len(), |at| at + 1),
                        (None, Some(before)) => at(before).unwrap_or(0),
                        (None, None) => values.len(),
                    };
                    values.insert(place, value.clone());
                }
            }
            Self::RenameEnumValue { name, from, to } => schema.rename_value(name, from, to),
            Self::RenameEnum { from, to } => schema.rename_enum(from, to),
            Self::DropEnum(name) => {
                schema.enums.remove(name);
            }
            Self::CreateTable { name, table } => {
                let mut table = (**table).clone();
                table
                    .constraints
                    .retain(|_, constraint| constraint.comes_with_its_table());
                table.indexes.clear();
                schema.tables.insert(name.clone(), table);
            }
            Self::DropTable(name) => {
                schema.tables.remove(name);
            }
            Self::RenameTable { from, to } => schema.rename_table(from, to),
            Self::RenameColumn { table, from, to } => schema.rename_column(table, from, to),
            Self::MoveRows { from, .. } => {
                schema.tables.remove(from);
            }
            _ => {
                if let Some(table) = self.owner().and_then(|name| schema.tables.get_mut(name)) {
                    self.apply_to_table(table);
                }
            }
        }
    }

    fn apply_to_table(&self, table: &mut Table) {
        match self {
            Self::AddColumn { column, .. } => table.columns.push(column.clone()),
            Self::DropColumn { column, .. } => table.columns.retain(|c| c.name != *column),
            Self::AddConstraint {
                name, constraint, ..
            } => {
                table.constraints.insert(name.clone(), constraint.clone());
            }
            Self::AttachKey {
                name,
                index,
                constraint,
                ..
            } => {
                table.indexes.remove(index);
                table.constraints.insert(name.clone(), constraint.clone());
            }
            Self::ValidateConstraint { name, .. } => {
                if let Some(constraint) = table.constraints.get_mut(name) {
                    *constraint = constraint.clone().validated();
                }
            }
            Self::DropConstraint { name, .. } => {
                table.constraints.remove(name);
            }
            Self::RenameConstraint { from, to, .. } => moved(&mut table.constraints, from, to),
            Self::CreateIndex { name, index, .. } => {
                table.indexes.insert(name.clone(), index.clone());
            }
            Self::DropIndex { name, .. } => {
                table.indexes.remove(name);
            }
            Self::RenameIndex { from, to, .. } => moved(&mut table.indexes, from, to),
            Self::CreatePartition {
                name, partition, ..
            } => {
                table.partitions.insert(name.clone(), partition.clone());
            }
            Self::DetachPartition { name, .. } => {
                table.partitions.remove(name);
            }
            Self::SetComment {
                column: None,
                comment,
                ..
            } => table.comment.clone_from(comment),
            _ => {
                if let Some(column) = self.column_of(table) {
                    self.apply_to_column(column);
                }
            }
        }
    }

    fn column_of<'t>(&self, table: &'t mut Table) -> Option<&'t mut Column> {
        let (Self::AlterType { column: name, .. }
        | Self::SetDefault { column: name, .. }
        | Self::DropDefault { column: name, .. }
        | Self::SetNotNull { column: name, .. }
        | Self::DropNotNull { column: name, .. }
        | Self::AddIdentity { column: name, .. }
        | Self::SetIdentity { column: name, .. }
        | Self::DropIdentity { column: name, .. }
        | Self::AddSerial { column: name, .. }
        | Self::DropSerial { column: name, .. }
        | Self::AlterSequence { column: name, .. }
        | Self::DropExpression { column: name, .. }
        | Self::SetComment {
            column: Some(name), ..
        }) = self
        else {
            return None;
        };
        table.columns.iter_mut().find(|column| column.name == *name)
    }

    fn apply_to_column(&self, column: &mut Column) {
        match self {
            Self::AlterType { to, collation, .. } => {
                let sequence = column.type_of_sequence().cloned();
                column.data_type = to.clone();
                column.collation.clone_from(collation);
                column.sequence_type = sequence.filter(|ty| ty != to);
            }
            Self::AlterSequence { to, .. } => {
                column.sequence_type = Some(to.clone()).filter(|ty| *ty != column.data_type);
            }
            Self::SetDefault { default, .. } => column.fill = Fill::Default(default.clone()),
            Self::DropDefault { .. }
            | Self::DropIdentity { .. }
            | Self::DropSerial { .. }
            | Self::DropExpression { .. } => {
                column.fill = Fill::None;
                column.sequence_type = None;
            }
            Self::SetNotNull { .. } => column.not_null = true,
            Self::DropNotNull { .. } => column.not_null = false,
            Self::AddIdentity { always, .. } | Self::SetIdentity { always, .. } => {
                column.fill = if *always {
                    Fill::IdentityAlways
                } else {
                    Fill::IdentityByDefault
                };
            }
            Self::AddSerial { .. } => column.fill = Fill::Serial,
            Self::SetComment { comment, .. } => column.comment.clone_from(comment),
            _ => {}
        }
    }
}

fn moved<T>(map: &mut BTreeMap<String, T>, from: &str, to: &str) {
    if let Some(value) = map.remove(from) {
        map.insert(to.to_owned(), value);
    }
}

impl Schema {
    /// Renames a value of an enum wherever it is used.
    pub(crate) fn rename_value(&mut self, name: &Name, from: &str, to: &str) {
        if let Some(values) = self.enums.get_mut(name) {
            for value in values.iter_mut().filter(|value| *value == from) {
                to.clone_into(value);
            }
        }
        let names: BTreeMap<String, String> = [(from.to_owned(), to.to_owned())].into();
        for table in self.tables.values_mut() {
            table.rename_literals(name, &names);
        }
    }

    /// Renames an enum wherever it is used.
    pub(crate) fn rename_enum(&mut self, from: &Name, to: &Name) {
        if let Some(values) = self.enums.remove(from) {
            self.enums.insert(to.clone(), values);
        }
        for column in self
            .tables
            .values_mut()
            .flat_map(|table| &mut table.columns)
        {
            if column.data_type.name == *from {
                column.data_type.name = to.clone();
            }
            if let Fill::Default(default) = &mut column.fill {
                *default = default.with_renamed_type(from, to);
            }
        }
        for table in self.tables.values_mut() {
            table.each_expression(|expression| {
                *expression = expression.with_renamed_type(from, to);
            });
        }
    }

    /// Renames a table wherever it is used.
    pub(crate) fn rename_table(&mut self, from: &Name, to: &Name) {
        if let Some(table) = self.tables.remove(from) {
            self.tables.insert(to.clone(), table);
        }
        for table in self.tables.values_mut() {
            // A partition is a table too.
            if let Some(partition) = table.partitions.remove(from) {
                table.partitions.insert(to.clone(), partition);
            }
            for constraint in table.constraints.values_mut() {
                if let Constraint::ForeignKey(key) = constraint
                    && key.table == *from
                {
                    key.table = to.clone();
                }
            }
        }
    }

    /// Renames a column wherever it is used.
    pub(crate) fn rename_column(&mut self, table: &Name, from: &str, to: &str) {
        let names: BTreeMap<String, String> = [(from.to_owned(), to.to_owned())].into();
        self.rename_columns(table, &names);
    }

    /// Renames several columns at once.
    pub(crate) fn rename_columns(&mut self, table: &Name, names: &BTreeMap<String, String>) {
        for other in self.tables.values_mut() {
            for constraint in other.constraints.values_mut() {
                if let Constraint::ForeignKey(key) = constraint
                    && key.table == *table
                {
                    rename_all(&mut key.references, names);
                }
            }
        }
        if let Some(table) = self.tables.get_mut(table) {
            table.rename_columns(names);
        }
    }
}

fn rename_all(columns: &mut [String], names: &BTreeMap<String, String>) {
    for column in columns {
        if let Some(new) = names.get(column) {
            column.clone_from(new);
        }
    }
}

impl Table {
    fn rename_columns(&mut self, names: &BTreeMap<String, String>) {
        for column in &mut self.columns {
            if let Some(new) = names.get(&column.name) {
                column.name.clone_from(new);
            }
        }
        self.each_column_list(|columns| rename_all(columns, names));
        self.each_expression(|expression| *expression = expression.with_renamed_columns(names));
    }

    /// Renames string literals that are labels of the enum `name`: in the
    /// defaults of its columns, and in expressions with one of its columns or a
    /// cast to it.
    fn rename_literals(&mut self, name: &Name, names: &BTreeMap<String, String>) {
        let of_type: Vec<String> = self
            .columns
            .iter()
            .filter(|column| column.data_type.name == *name)
            .map(|column| column.name.clone())
            .collect();
        for column in &mut self.columns {
            if let Fill::Default(default) = &mut column.fill
                && column.data_type.name == *name
            {
                *default = default.with_renamed_literals(names);
            }
        }
        self.each_expression(|expression| {
            if of_type.iter().any(|column| expression.mentions(column)) {
                *expression = expression.with_renamed_literals(names);
            }
        });
    }

    /// Calls `change` for each list of columns in its constraints and indexes.
    fn each_column_list(&mut self, mut change: impl FnMut(&mut Vec<String>)) {
        for constraint in self.constraints.values_mut() {
            match constraint {
                Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                    change(&mut key.columns);
                    change(&mut key.include);
                }
                Constraint::ForeignKey(key) => {
                    change(&mut key.columns);
                    change(&mut key.set_columns);
                }
                Constraint::Exclude(exclusion) => change(&mut exclusion.include),
                Constraint::Check { .. } => {}
            }
        }
        for index in self.indexes.values_mut() {
            change(&mut index.include);
        }
    }

    /// Calls `change` for each expression of its columns, constraints, indexes
    /// and partitions.
    fn each_expression(&mut self, mut change: impl FnMut(&mut crate::Expression)) {
        for column in &mut self.columns {
            match &mut column.fill {
                Fill::Stored(expression) | Fill::Virtual(expression) => change(expression),
                _ => {}
            }
        }
        for constraint in self.constraints.values_mut() {
            match constraint {
                Constraint::Check { expression, .. } => change(expression),
                Constraint::Exclude(exclusion) => {
                    exclusion
                        .elements
                        .iter_mut()
                        .for_each(|(key, _)| change(&mut key.expression));
                    exclusion.predicate.iter_mut().for_each(&mut change);
                }
                _ => {}
            }
        }
        for index in self.indexes.values_mut() {
            index
                .keys
                .iter_mut()
                .for_each(|key| change(&mut key.expression));
            index.predicate.iter_mut().for_each(&mut change);
        }
        if let Some(by) = &mut self.partition_by {
            by.keys
                .iter_mut()
                .for_each(|key| change(&mut key.expression));
        }
    }
}
