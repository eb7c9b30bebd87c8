//! Two schemas, and the changes between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lookback_schema::{Fill, Name, Schema, quoted};

use super::create;
use super::edit::{conversion, relabelled};
use super::rows::{any_value, fill, keys, values};

/// Names in the new schema, mapped to their names in the old one.
///
/// An object without a mapping is new, or dropped.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// Tables.
    pub tables: BTreeMap<Name, Name>,
    /// Columns of kept tables, by the new names of table and column.
    pub columns: BTreeMap<(Name, String), String>,
    /// Constraints, like columns.
    pub constraints: BTreeMap<(Name, String), String>,
    /// Indexes, like columns.
    pub indexes: BTreeMap<(Name, String), String>,
    /// Enums.
    pub enums: BTreeMap<Name, Name>,
    /// Values of kept enums, by the new names of enum and value.
    pub labels: BTreeMap<(Name, String), String>,
}

impl Origins {
    /// Maps everything to itself.
    pub(super) fn of(schema: &Schema) -> Self {
        let mut origins = Self::default();
        for (name, table) in &schema.tables {
            origins.tables.insert(name.clone(), name.clone());
            let at = |part: &String| ((name.clone(), part.clone()), part.clone());
            origins
                .columns
                .extend(table.columns.iter().map(|column| at(&column.name)));
            origins.constraints.extend(table.constraints.keys().map(at));
            origins.indexes.extend(table.indexes.keys().map(at));
        }
        for (name, labels) in &schema.enums {
            origins.enums.insert(name.clone(), name.clone());
            let at = |label: &String| ((name.clone(), label.clone()), label.clone());
            origins.labels.extend(labels.iter().map(at));
        }
        origins
    }

    /// Removes mappings of objects that no longer exist.
    pub(super) fn prune(&mut self, schema: &Schema) {
        let tables = &schema.tables;
        self.tables.retain(|name, _| tables.contains_key(name));
        let old = &self.tables;
        self.columns.retain(|(name, column), _| {
            old.contains_key(name) && tables[name].column(column).is_some()
        });
        self.constraints.retain(|(name, constraint), _| {
            old.contains_key(name) && tables[name].constraints.contains_key(constraint)
        });
        self.indexes.retain(|(name, index), _| {
            old.contains_key(name) && tables[name].indexes.contains_key(index)
        });
        self.enums.retain(|name, _| schema.enums.contains_key(name));
        let old = &self.enums;
        self.labels.retain(|(name, label), _| {
            old.contains_key(name) && schema.enums[name].contains(label)
        });
    }

    pub(super) fn rename_table(&mut self, old: &Name, new: &Name) {
        if let Some(origin) = self.tables.remove(old) {
            self.tables.insert(new.clone(), origin);
        }
        for parts in [&mut self.columns, &mut self.constraints, &mut self.indexes] {
            rename_owner(parts, old, new);
        }
    }

    pub(super) fn rename_enum(&mut self, old: &Name, new: &Name) {
        if let Some(origin) = self.enums.remove(old) {
            self.enums.insert(new.clone(), origin);
        }
        rename_owner(&mut self.labels, old, new);
    }
}

fn rename_owner(parts: &mut BTreeMap<(Name, String), String>, old: &Name, new: &Name) {
    *parts = std::mem::take(parts)
        .into_iter()
        .map(|((name, part), origin)| {
            (
                (if name == *old { new.clone() } else { name }, part),
                origin,
            )
        })
        .collect();
}

/// An old and a new schema, and the mapping between them.
#[derive(Clone)]
pub struct Pair {
    /// The old schema.
    pub from: Schema,
    /// The new schema.
    pub to: Schema,
    /// The names in the new schema, mapped to those in the old one.
    pub origins: Origins,
}

/// A renamed object.
///
/// Parts have the name of their table or enum in the first schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rename {
    /// A table.
    Table(Name, Name),
    /// A column.
    Column(Name, String, String),
    /// A constraint.
    Constraint(Name, String, String),
    /// An index.
    Index(Name, String, String),
    /// An enum.
    Enum(Name, Name),
    /// The value of an enum.
    Label(Name, String, String),
}

/// A dropped object, by its name in the first schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// A table.
    Table(Name),
    /// A column.
    Column(Name, String),
    /// An enum.
    Enum(Name),
    /// The value of an enum.
    Label(Name, String),
}

/// A table of both schemas, with queries for its kept values.
///
/// Both queries return the same rows of text.
#[derive(Clone, Debug)]
pub struct Survivor {
    /// Its name in the second schema.
    pub table: Name,
    /// The query in the first schema.
    pub before: String,
    /// The query in the second schema.
    pub after: String,
}

impl Pair {
    /// Inverts the mapping.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let Origins {
            tables,
            columns,
            constraints,
            indexes,
            enums,
            labels,
        } = &self.origins;
        let turned = |names: &BTreeMap<Name, Name>| {
            names
                .iter()
                .map(|(to, from)| (from.clone(), to.clone()))
                .collect()
        };
        let parts = |parts: &BTreeMap<(Name, String), String>, owners: &BTreeMap<Name, Name>| {
            parts
                .iter()
                .map(|((owner, to), from)| ((owners[owner].clone(), from.clone()), to.clone()))
                .collect()
        };
        Self {
            from: self.to.clone(),
            to: self.from.clone(),
            origins: Origins {
                tables: turned(tables),
                columns: parts(columns, tables),
                constraints: parts(constraints, tables),
                indexes: parts(indexes, tables),
                enums: turned(enums),
                labels: parts(labels, enums),
            },
        }
    }

    /// Returns the renamed objects.
    pub fn renames(&self) -> Vec<Rename> {
        let Origins {
            tables,
            columns,
            constraints,
            indexes,
            enums,
            labels,
        } = &self.origins;
        let mut renames = Vec::new();
        let changed = |(to, from): &(&Name, &Name)| to != from;
        for (to, from) in tables.iter().filter(changed) {
            renames.push(Rename::Table(from.clone(), to.clone()));
        }
        for (to, from) in enums.iter().filter(changed) {
            renames.push(Rename::Enum(from.clone(), to.clone()));
        }
        type Make = fn(Name, String, String) -> Rename;
        let parts: [(_, _, Make); 4] = [
            (columns, tables, Rename::Column),
            (constraints, tables, Rename::Constraint),
            (indexes, tables, Rename::Index),
            (labels, enums, Rename::Label),
        ];
        for (parts, owners, make) in parts {
            for ((owner, to), from) in parts.iter().filter(|((_, to), from)| to != *from) {
                renames.push(make(owners[owner].clone(), from.clone(), to.clone()));
            }
        }
        renames
    }

    /// Returns the dropped objects, without renamed ones.
    pub fn drops(&self) -> Vec<Dropped> {
        let Origins {
            tables,
            columns,
            enums,
            labels,
            ..
        } = &self.origins;
        let mut drops = Vec::new();
        for (name, table) in &self.from.tables {
            let Some((to, _)) = tables.iter().find(|(_, from)| *from == name) else {
                drops.push(Dropped::Table(name.clone()));
                continue;
            };
            let stays = |column: &String| {
                columns
                    .iter()
                    .any(|((owner, _), from)| owner == to && from == column)
            };
            let gone = table.columns.iter().filter(|column| !stays(&column.name));
            drops.extend(gone.map(|column| Dropped::Column(name.clone(), column.name.clone())));
        }
        for (name, values) in &self.from.enums {
            let Some((to, _)) = enums.iter().find(|(_, from)| *from == name) else {
                drops.push(Dropped::Enum(name.clone()));
                continue;
            };
            let stays = |label: &String| {
                labels
                    .iter()
                    .any(|((owner, _), from)| owner == to && from == label)
            };
            let gone = values.iter().filter(|label| !stays(label));
            drops.extend(gone.map(|label| Dropped::Label(name.clone(), label.clone())));
        }
        drops
    }

    /// Returns SQL values for NOT NULL columns that existing rows have no value for.
    ///
    /// Names are those of the second schema.
    pub fn fills(&self) -> Vec<(Name, String, String)> {
        let mut fills = Vec::new();
        for (name, origin) in &self.origins.tables {
            for column in &self.to.tables[name].columns {
                let before = self
                    .origins
                    .columns
                    .get(&(name.clone(), column.name.clone()))
                    .and_then(|from| self.from.tables[origin].column(from));
                let needed = column.not_null
                    && match before {
                        None => column.fill == Fill::None,
                        Some(before) => !before.not_null,
                    };
                if needed {
                    let value = any_value(&self.to, &column.data_type);
                    fills.push((name.clone(), column.name.clone(), value));
                }
            }
        }
        fills
    }

    /// Returns SQL conversions for columns whose type change has no assignment cast.
    ///
    /// Names are those of the second schema, also in the SQL.
    pub fn usings(&self) -> Vec<(Name, String, String)> {
        let mut usings = Vec::new();
        for (name, column, from, to) in self.changed_types() {
            let sql = quoted(&column).into_owned();
            let using = match conversion(&from, &to) {
                Some(None) => continue,
                Some(Some(using)) => using.replace("{}", &sql),
                None if is_enum(&self.from, &from) && to.to_string() == "text" => continue,
                None if from.name == to.name && from.array == to.array => format!("NULL::{to}"),
                None => format!("{sql}::text::{to}"),
            };
            usings.push((name, column, using));
        }
        usings
    }

    /// Returns kept columns with another type; a renamed enum counts as the same type.
    fn changed_types(
        &self,
    ) -> Vec<(
        Name,
        String,
        lookback_schema::DataType,
        lookback_schema::DataType,
    )> {
        let mut changed = Vec::new();
        for ((name, column), from) in &self.origins.columns {
            let before = self.from.tables[&self.origins.tables[name]].column(from);
            let after = self.to.tables[name].column(column);
            let (Some(before), Some(after)) = (before, after) else {
                continue;
            };
            let (from, to) = (&before.data_type, &after.data_type);
            let renamed =
                from.array == to.array && self.origins.enums.get(&to.name) == Some(&from.name);
            if from != to && !renamed {
                changed.push((name.clone(), column.clone(), from.clone(), to.clone()));
            }
        }
        changed
    }

    /// Returns the statements that insert rows into the first schema.
    ///
    /// The second schema accepts these rows, too. Triggers are off while the statements run, which
    /// requires a superuser.
    pub fn rows(&self) -> Vec<String> {
        let mut keyed = keys(&self.from);
        for (name, column) in keys(&self.to) {
            if let (Some(table), Some(column)) = (
                self.origins.tables.get(&name),
                self.origins.columns.get(&(name.clone(), column)),
            ) {
                keyed.insert((table.clone(), column.clone()));
            }
        }
        let mut labels: BTreeMap<Name, Vec<String>> = BTreeMap::new();
        for ((name, _), from) in &self.origins.labels {
            labels
                .entry(self.origins.enums[name].clone())
                .or_default()
                .push(from.clone());
        }
        fill(&self.from, &keyed, &labels)
    }

    /// Returns the kept tables, with queries for their values before and after.
    pub fn survivors(&self) -> Vec<Survivor> {
        self.surviving_columns()
            .into_iter()
            .map(|(table, columns)| {
                let before: Vec<String> = columns.iter().map(|(_, sql)| sql.clone()).collect();
                let after: Vec<String> = columns
                    .iter()
                    .map(|(name, _)| quoted(name).into_owned())
                    .collect();
                Survivor {
                    before: values(&self.origins.tables[&table], &before),
                    after: values(&table, &after),
                    table,
                }
            })
            .collect()
    }

    /// Returns the columns with kept values of each table, and their SQL as text.
    ///
    /// The SQL is for the first schema.
    pub fn surviving_columns(&self) -> Vec<(Name, Vec<(String, String)>)> {
        let fills: BTreeMap<(Name, String), String> = self
            .fills()
            .into_iter()
            .map(|(table, column, value)| ((table, column), value))
            .collect();
        let lost: BTreeSet<(Name, String)> = self
            .changed_types()
            .into_iter()
            .filter(|(_, _, from, to)| conversion(from, to).is_none() && !is_enum(&self.from, from))
            .map(|(name, column, _, _)| (name, column))
            .collect();
        let mut surviving = Vec::new();
        for (name, origin) in &self.origins.tables {
            let mut columns = Vec::new();
            for after in &self.to.tables[name].columns {
                let place = (name.clone(), after.name.clone());
                let Some(from) = self.origins.columns.get(&place) else {
                    continue;
                };
                let Some(before) = self.from.tables[origin].column(from) else {
                    continue;
                };
                // Stored generated values stay when the column is no longer generated.
                let own =
                    after.fill.generated().is_none() && !matches!(before.fill, Fill::Virtual(_));
                if !own || lost.contains(&place) {
                    continue;
                }
                let mut sql = quoted(from).into_owned();
                if is_enum(&self.from, &before.data_type) {
                    sql = self.labels_after(&sql, before, after);
                } else if before.data_type != after.data_type {
                    let using = conversion(&before.data_type, &after.data_type).flatten();
                    let using = using.map_or(sql.clone(), |using| using.replace("{}", &sql));
                    sql = format!("({using})::{}::text", after.data_type);
                } else {
                    sql = format!("{sql}::text");
                }
                if let Some(fill) = fills.get(&place) {
                    sql = if is_enum(&self.to, &after.data_type) {
                        // Its type does not exist yet.
                        let label = fill
                            .rsplit_once("::")
                            .map_or(fill.as_str(), |(label, _)| label);
                        let label = if after.data_type.array {
                            format!("({label}::text[])::text")
                        } else {
                            label.to_owned()
                        };
                        format!("coalesce({sql}, {label})")
                    } else {
                        format!("coalesce({sql}, ({fill})::text)")
                    };
                }
                columns.push((after.name.clone(), sql));
            }
            surviving.push((name.clone(), columns));
        }
        surviving
    }

    fn labels_after(
        &self,
        sql: &str,
        before: &lookback_schema::Column,
        after: &lookback_schema::Column,
    ) -> String {
        let renamed: BTreeMap<String, String> = self
            .origins
            .labels
            .iter()
            .filter(|((name, to), from)| {
                self.origins.enums[name] == before.data_type.name && to != *from
            })
            .map(|((_, to), from)| (from.clone(), to.clone()))
            .collect();
        if after.data_type.array {
            let inner = relabelled("label", &renamed);
            return format!(
                "(SELECT array_agg({inner})::text FROM unnest({sql}) AS label WHERE {sql} IS NOT NULL)"
            );
        }
        relabelled(sql, &renamed)
    }
}

fn is_enum(schema: &Schema, ty: &lookback_schema::DataType) -> bool {
    schema.enums.contains_key(&ty.name)
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n-- from\n{};", create(&self.from).join(";\n"))?;
        writeln!(f, "-- to\n{};", create(&self.to).join(";\n"))?;
        for rename in self.renames() {
            writeln!(f, "-- rename {rename:?}")?;
        }
        for dropped in self.drops() {
            writeln!(f, "-- drop {dropped:?}")?;
        }
        for (table, column, value) in self.fills() {
            writeln!(f, "-- fill {table}.{column} with {value}")?;
        }
        for (table, column, value) in self.usings() {
            writeln!(f, "-- {table}.{column} using {value}")?;
        }
        Ok(())
    }
}
