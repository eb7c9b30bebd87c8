//! Names of the temporary schemas in which a canonical form is created.

use std::collections::BTreeMap;

use lookback_schema::{
    Constraint, DataType, Expression, Fill, Index, IndexKey, Name, Partition, PartitionBy, Schema,
    Table, quoted,
};

use crate::error::{Error, SchemaError};

/// The scratch schemas, one for each original schema.
pub(super) struct ScratchSchemas {
    /// The scratch name of the default schema, then of the others in order.
    names: Vec<String>,
    /// The original schemas, in the same order.
    originals: Vec<String>,
    /// The scratch names of enums and tables, with and without the default
    /// schema.
    renamed: BTreeMap<Name, Name>,
}

impl ScratchSchemas {
    /// Creates the names with the process id of the server session, so that two
    /// sessions do not block each other.
    pub(super) fn new(pid: i32, default: &str, schema: &Schema) -> Self {
        let others = schema.schemas.iter().filter(|name| *name != default);
        let originals: Vec<String> = std::iter::once(default.to_owned())
            .chain(others.cloned())
            .collect();
        let names: Vec<String> = (0..originals.len())
            .map(|place| format!("lookback_scratch_{pid}_{place}"))
            .collect();
        let mut scratch = Self {
            names,
            originals,
            renamed: BTreeMap::new(),
        };
        let own = schema.enums.keys().chain(schema.tables.keys());
        let own = own.chain(
            schema
                .tables
                .values()
                .flat_map(|table| table.partitions.keys()),
        );
        for name in own {
            let there = scratch.name(name);
            if name.schema.is_none() {
                let named = Name::within(Some(default), &name.name);
                scratch.renamed.insert(named, there.clone());
            }
            scratch.renamed.insert(name.clone(), there);
        }
        scratch
    }

    pub(super) fn schemas(&self) -> &[String] {
        &self.names
    }

    pub(super) fn default_schema(&self) -> &str {
        &self.names[0]
    }

    /// The name of one more scratch schema.
    pub(super) fn another(&self) -> String {
        format!("{}_own", self.names[0])
    }

    fn name(&self, name: &Name) -> Name {
        let Some(schema) = &name.schema else {
            return name.clone();
        };
        match self
            .originals
            .iter()
            .position(|original| original == schema)
        {
            Some(0) => Name::new(&name.name),
            Some(place) => Name::within(Some(&self.names[place]), &name.name),
            None => name.clone(),
        }
    }

    /// The schema with all names in the scratch schemas.
    pub(super) fn renamed_schema(&self, schema: &Schema) -> Schema {
        let tables = schema.tables.iter();
        Schema {
            extensions: schema.extensions.clone(),
            schemas: self.names[1..].iter().cloned().collect(),
            enums: schema
                .enums
                .iter()
                .map(|(name, labels)| (self.name(name), labels.clone()))
                .collect(),
            tables: tables
                .map(|(name, table)| (self.name(name), self.table(table)))
                .collect(),
        }
    }

    fn table(&self, table: &Table) -> Table {
        let mut table = table.clone();
        for column in &mut table.columns {
            column.data_type = self.data_type(&column.data_type);
            match &mut column.fill {
                Fill::Default(expression)
                | Fill::Stored(expression)
                | Fill::Virtual(expression) => self.rename(expression),
                _ => {}
            }
        }
        for constraint in table.constraints.values_mut() {
            match constraint {
                Constraint::Check { expression, .. } => self.rename(expression),
                Constraint::ForeignKey(foreign) => foreign.table = self.name(&foreign.table),
                Constraint::Exclude(exclusion) => {
                    for (key, _) in &mut exclusion.elements {
                        self.key(key);
                    }
                    exclusion
                        .predicate
                        .iter_mut()
                        .for_each(|predicate| self.rename(predicate));
                }
                Constraint::PrimaryKey(_) | Constraint::Unique(_) => {}
            }
        }
        for index in table.indexes.values_mut() {
            self.index(index);
        }
        table
            .partition_by
            .iter_mut()
            .for_each(|by| self.partition_by(by));
        table.partitions = self.partitions(&table.partitions);
        table
    }

    fn data_type(&self, ty: &DataType) -> DataType {
        let own = self.renamed.get(&ty.name);
        DataType {
            name: own.unwrap_or(&ty.name).clone(),
            ..ty.clone()
        }
    }

    fn index(&self, index: &mut Index) {
        for key in &mut index.keys {
            self.key(key);
        }
        index
            .predicate
            .iter_mut()
            .for_each(|predicate| self.rename(predicate));
    }

    fn partition_by(&self, by: &mut PartitionBy) {
        for key in &mut by.keys {
            self.key(key);
        }
    }

    fn partitions(&self, partitions: &BTreeMap<Name, Partition>) -> BTreeMap<Name, Partition> {
        let moved = |partition: &Partition| {
            let mut moved = partition.clone();
            moved
                .partition_by
                .iter_mut()
                .for_each(|by| self.partition_by(by));
            moved.partitions = self.partitions(&partition.partitions);
            moved
        };
        partitions
            .iter()
            .map(|(name, partition)| (self.name(name), moved(partition)))
            .collect()
    }

    fn key(&self, key: &mut IndexKey) {
        self.rename(&mut key.expression);
    }

    fn rename(&self, expression: &mut Expression) {
        *expression = expression.with_renamed_qualified(&self.renamed);
    }

    /// Restores the original names, also in expressions.
    ///
    /// The names of the scratch schemas occur nowhere else.
    pub(super) fn restore_names(&self, read: &Schema) -> Result<Schema, Error> {
        let mut json = serde_json::to_string(read).map_err(SchemaError::Unprintable)?;
        for (name, original) in self.names.iter().zip(&self.originals) {
            let named =
                serde_json::to_string(&quoted(original)).map_err(SchemaError::Unprintable)?;
            let inside = &named[1..named.len() - 1];
            json = json.replace(&format!("{name}."), &format!("{inside}."));
        }
        Ok(serde_json::from_str(&json).map_err(SchemaError::Unprintable)?)
    }

    /// Removes the names of the scratch schemas from a text.
    pub(super) fn strip_names(&self, text: &str) -> String {
        let mut text = text.replace(&format!("{}.", self.names[0]), "");
        for (name, original) in self.names.iter().zip(&self.originals).skip(1) {
            text = text.replace(name, &quoted(original));
        }
        text
    }
}
