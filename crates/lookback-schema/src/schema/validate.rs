//! Completes a schema with its implied parts and reports its errors.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::schema::{Action, Constraint, Fill, Index, Schema, Table};
use crate::syntax::DataType;
use crate::syntax::{Name, check};

/// Types and operator classes of extensions, with the extension.
const FROM_EXTENSIONS: &[(&str, &str)] = &[
    ("vector", "vector"),
    ("halfvec", "vector"),
    ("sparsevec", "vector"),
    ("citext", "citext"),
    ("hstore", "hstore"),
    ("ltree", "ltree"),
    ("gin_trgm_ops", "pg_trgm"),
    ("gist_trgm_ops", "pg_trgm"),
];

impl Schema {
    /// Completes the schema with its implied parts. Columns of a primary key and identity columns
    /// become `NOT NULL`. A default of null is removed. A foreign key without columns refers to the
    /// primary key. Schemas and extensions that are used are added.
    ///
    /// # Errors
    ///
    /// All errors that PostgreSQL would report and that are visible here: names that are too long
    /// or used twice, columns that do not exist, a second primary key, a foreign key that does not
    /// refer to a key, a key of a partitioned table without its partition columns.
    pub fn completed(mut self) -> Result<Self, Vec<Error>> {
        let mut errors = Vec::new();
        self.complete_references(&mut errors);
        for table in self.tables.values_mut() {
            table.complete();
        }
        self.complete_names();
        self.complete_extensions();
        self.check(&mut errors);
        if errors.is_empty() {
            Ok(self)
        } else {
            Err(errors)
        }
    }

    fn complete_references(&mut self, errors: &mut Vec<Error>) {
        let keys: BTreeMap<Name, Vec<String>> = self
            .tables
            .iter()
            .filter_map(|(name, table)| {
                let (_, key) = table.primary_key()?;
                Some((name.clone(), key.columns.clone()))
            })
            .collect();
        let tables: BTreeSet<Name> = self.tables.keys().cloned().collect();
        for (table_name, table) in &mut self.tables {
            for (name, constraint) in &mut table.constraints {
                let Constraint::ForeignKey(foreign) = constraint else {
                    continue;
                };
                if !foreign.references.is_empty() {
                    continue;
                }
                if let Some(columns) = keys.get(&foreign.table) {
                    foreign.references.clone_from(columns);
                } else {
                    let why = if tables.contains(&foreign.table) {
                        "has no primary key"
                    } else {
                        "is the table of no model"
                    };
                    errors.push(Error::new(format!(
                        "table {table_name}: foreign key {name}: {} {why}; if it is there with \
                         a key, name the columns: REFERENCES {} (…)",
                        foreign.table, foreign.table
                    )));
                }
            }
        }
    }

    fn complete_names(&mut self) {
        let named = self
            .tables
            .iter()
            .flat_map(|(name, table)| std::iter::once(name).chain(table.partitions.keys()))
            .chain(self.enums.keys())
            .filter_map(|name| name.schema.clone());
        let named: BTreeSet<String> = named.collect();
        self.schemas.extend(named);
    }

    fn complete_extensions(&mut self) {
        let mut needed = BTreeSet::new();
        let mut need = |name: &str| {
            let brings = FROM_EXTENSIONS.iter().find(|(what, _)| *what == name);
            needed.extend(brings.map(|(_, extension)| (*extension).to_owned()));
        };
        for table in self.tables.values() {
            for column in &table.columns {
                // An enum of that name is a type of the schema, not of an extension.
                if !self.enums.contains_key(&column.data_type.name) {
                    need(&column.data_type.name.name);
                }
            }
            for opclass in table
                .indexes
                .values()
                .flat_map(|index| &index.keys)
                .filter_map(|key| key.opclass.as_deref())
            {
                need(opclass.split('(').next().unwrap_or(opclass));
            }
        }
        self.extensions.extend(needed);
    }

    fn check(&self, errors: &mut Vec<Error>) {
        let mut add = |result: Result<(), Error>| errors.extend(result.err());
        // Tables, partitions, indexes and the indexes of constraints share one namespace.
        let mut relations: BTreeSet<Name> = BTreeSet::new();
        for (name, labels) in &self.enums {
            add(check("enum", &name.name));
            let mut seen = BTreeSet::new();
            for label in labels {
                add(check(&format!("value of enum {name}"), label));
                if !seen.insert(label) {
                    add(Err(Error::new(format!(
                        "enum {name}: the value '{label}' is there twice"
                    ))));
                }
            }
            if labels.is_empty() {
                add(Err(Error::new(format!("enum {name} has no values"))));
            }
            if self.tables.contains_key(name) {
                add(Err(Error::new(format!(
                    "{name} is a table and an enum: PostgreSQL has one space of names for both"
                ))));
            }
        }
        for (name, table) in &self.tables {
            add(check("table", &name.name));
            if !relations.insert(name.clone()) {
                add(Err(Error::new(format!("there are two of the name {name}"))));
            }
            let owned = table
                .indexes
                .keys()
                .chain(
                    table
                        .constraints
                        .iter()
                        .filter(|(_, c)| c.has_index())
                        .map(|(n, _)| n),
                )
                .map(|index| name.beside(index.as_str()))
                .chain(table.partitions.keys().cloned());
            for relation in owned {
                add(check(&format!("table {name}"), &relation.name));
                if !relations.insert(relation.clone()) {
                    add(Err(Error::new(format!(
                        "table {name}: there are two tables, indexes or keys of the name {relation}"
                    ))));
                }
            }
        }
        for (name, table) in &self.tables {
            let mut wrong = Vec::new();
            table.check(&mut wrong);
            self.check_references(table, &mut wrong);
            errors.extend(
                wrong
                    .into_iter()
                    .map(|error| error.of(format!("table {name}"))),
            );
        }
    }

    fn check_references(&self, table: &Table, errors: &mut Vec<Error>) {
        for (name, constraint) in &table.constraints {
            let Constraint::ForeignKey(foreign) = constraint else {
                continue;
            };
            let Some(target) = self.tables.get(&foreign.table) else {
                continue;
            };
            if foreign.columns.len() != foreign.references.len() {
                errors.push(Error::new(format!(
                    "foreign key {name}: {} columns refer to {}",
                    foreign.columns.len(),
                    foreign.references.len()
                )));
            }
            let wanted: BTreeSet<&String> = foreign.references.iter().collect();
            let is_key = target
                .constraints
                .values()
                .any(|constraint| match constraint {
                    Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                        key.columns.iter().collect::<BTreeSet<_>>() == wanted
                            && key.without_overlaps == foreign.period
                            && (!foreign.period || key.columns.last() == foreign.references.last())
                    }
                    _ => false,
                })
                || !foreign.period
                    && target
                        .indexes
                        .values()
                        .any(|index| is_unique_on(index, &wanted));
            let acts = [foreign.on_update, foreign.on_delete];
            if foreign.period && acts.iter().any(|action| *action != Action::NoAction) {
                errors.push(Error::new(format!(
                    "foreign key {name}: with PERIOD, ON UPDATE and ON DELETE must be NO ACTION"
                )));
            }
            if !is_key && foreign.period {
                errors.push(Error::new(format!(
                    "foreign key {name}: PERIOD must refer to a key WITHOUT OVERLAPS, got {} ({})",
                    foreign.table,
                    foreign.references.join(", ")
                )));
            } else if !is_key {
                errors.push(Error::new(format!(
                    "foreign key {name}: {} ({}) is neither a primary key nor unique",
                    foreign.table,
                    foreign.references.join(", ")
                )));
            }
        }
    }
}

fn is_unique_on(index: &Index, wanted: &BTreeSet<&String>) -> bool {
    let keys: Option<BTreeSet<String>> = index
        .keys
        .iter()
        .map(|key| key.expression.as_column())
        .collect();
    index.unique
        && index.predicate.is_none()
        && keys == Some(wanted.iter().map(|name| (*name).clone()).collect())
}

impl Table {
    fn complete(&mut self) {
        let key: Vec<String> = self
            .primary_key()
            .map(|(_, key)| key.columns.clone())
            .unwrap_or_default();
        self.comment.take_if(|comment| comment.is_empty());
        for column in &mut self.columns {
            let filled = column.fill.is_identity() || column.fill == Fill::Serial;
            column.not_null |= filled || key.contains(&column.name);
            // The server stores neither an empty comment nor a default of null.
            column.comment.take_if(|comment| comment.is_empty());
            if matches!(&column.fill, Fill::Default(default) if default.is_null()) {
                column.fill = Fill::None;
            }
        }
    }

    fn check(&self, errors: &mut Vec<Error>) {
        let mut add = |problem: String| errors.push(Error::new(problem));
        let mut seen = BTreeSet::new();
        for column in &self.columns {
            if let Err(error) = check("column", &column.name) {
                add(error.to_string());
            }
            if !seen.insert(&column.name) {
                add(format!("column {} is there twice", column.name));
            }
            let whole = ["smallint", "integer", "bigint"];
            let counts = column.fill.is_identity() || column.fill == Fill::Serial;
            if counts
                && !whole
                    .iter()
                    .any(|ty| column.data_type == DataType::named(*ty))
            {
                add(format!(
                    "column {}: an identity is smallint, integer or bigint, not {}",
                    column.name, column.data_type
                ));
            }
        }
        let known = |name: &String| self.column(name).is_some();
        let primary = self
            .constraints
            .values()
            .filter(|c| matches!(c, Constraint::PrimaryKey(_)));
        if primary.count() > 1 {
            add("there are two primary keys".to_owned());
        }
        for (name, constraint) in &self.constraints {
            if let Err(error) = check("constraint", name) {
                add(error.to_string());
            }
            let columns: Vec<&String> = match constraint {
                Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                    key.columns.iter().chain(&key.include).collect()
                }
                Constraint::ForeignKey(foreign) => {
                    foreign.columns.iter().chain(&foreign.set_columns).collect()
                }
                Constraint::Exclude(exclusion) => exclusion.include.iter().collect(),
                Constraint::Check { .. } => Vec::new(),
            };
            for column in columns.into_iter().filter(|column| !known(column)) {
                add(format!(
                    "{} {name}: there is no column {column}",
                    constraint.kind()
                ));
            }
        }
        for (name, index) in &self.indexes {
            for column in index.include.iter().filter(|column| !known(column)) {
                add(format!("index {name}: there is no column {column}"));
            }
        }
        self.check_partitions(errors);
    }

    fn check_partitions(&self, errors: &mut Vec<Error>) {
        let Some(partition_by) = &self.partition_by else {
            if let Some(name) = self.partitions.keys().next() {
                errors.push(Error::new(format!(
                    "partition {name}: the table is not partitioned; say how: RANGE, LIST or HASH \
                     and the columns"
                )));
            }
            return;
        };
        // A table that is partitioned by an expression can have no key.
        let columns: Vec<String> = partition_by
            .keys
            .iter()
            .map(|key| {
                let column = key.expression.as_column();
                column.unwrap_or_else(|| format!("({})", key.expression))
            })
            .collect();
        for (name, constraint) in &self.constraints {
            if let Constraint::PrimaryKey(key) | Constraint::Unique(key) = constraint {
                let missing = columns.iter().find(|column| !key.columns.contains(column));
                if let Some(column) = missing {
                    errors.push(Error::new(format!(
                        "{} {name}: a key of a table that is partitioned by {column} must have \
                         that column in it",
                        constraint.kind()
                    )));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::{Column, Fill, Schema, Table};
    use crate::syntax::Name;

    fn table(columns: &[&str], constraints: &[&str]) -> Table {
        Table {
            columns: columns
                .iter()
                .map(|name| Column::new(*name, "integer".parse().unwrap()))
                .collect(),
            constraints: constraints
                .iter()
                .map(|text| ((*text).to_owned(), text.parse().unwrap()))
                .collect(),
            ..Table::default()
        }
    }

    fn completed(
        tables: impl IntoIterator<Item = (&'static str, Table)>,
    ) -> Result<Schema, String> {
        let tables = tables
            .into_iter()
            .map(|(name, table)| (Name::new(name), table));
        let schema = Schema {
            tables: tables.collect(),
            ..Schema::default()
        };
        schema.completed().map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            errors.join("\n")
        })
    }

    #[test]
    fn keys_of_quoted_column_names_are_valid() {
        let mut divided = table(&["Odd", "user"], &["PRIMARY KEY (\"Odd\", \"user\")"]);
        divided.partition_by = Some("RANGE (\"user\", \"Odd\")".parse().unwrap());
        let index = "UNIQUE USING btree (\"user\")".parse().unwrap();
        let mut target = table(&["user"], &[]);
        target.indexes.insert("i".to_owned(), index);
        let source = table(&["a"], &["FOREIGN KEY (a) REFERENCES target (\"user\")"]);
        completed([
            ("divided", divided.clone()),
            ("target", target),
            ("source", source),
        ])
        .unwrap();

        divided.partition_by = Some("RANGE ((\"user\" + 1))".parse().unwrap());
        let message = completed([("divided", divided)]).unwrap_err();
        assert!(
            message.contains("partitioned by (\"user\" + 1)"),
            "{message}"
        );
    }

    #[test]
    fn empty_comment_is_completed_to_none() {
        let mut t = table(&["a"], &[]);
        t.comment = Some(String::new());
        t.columns[0].comment = Some(String::new());
        let schema = completed([("t", t)]).unwrap();
        let t = &schema.tables[&Name::new("t")];
        assert_eq!((&t.comment, &t.columns[0].comment), (&None, &None));
    }

    #[test]
    fn enum_named_like_type_of_extension_needs_no_extension() {
        let mut t = table(&["a", "b", "c"], &[]);
        t.columns[0].data_type = "halfvec".parse().unwrap();
        t.columns[1].data_type = "sales.citext[]".parse().unwrap();
        t.columns[2].data_type = "hstore".parse().unwrap();
        let enums = ["halfvec", "sales.citext"].map(|name| (name.parse().unwrap(), labels()));
        let schema = Schema {
            tables: [(Name::new("t"), t)].into(),
            enums: enums.into(),
            ..Schema::default()
        };
        let extensions = schema.completed().unwrap().extensions;
        assert_eq!(extensions, ["hstore".to_owned()].into());
    }

    fn labels() -> Vec<String> {
        vec!["on".to_owned()]
    }

    #[test]
    fn period_refers_to_key_without_overlaps() {
        let with = |columns: &[&str], constraint: &str| {
            let mut table = table(columns, &[]);
            let constraint = constraint.parse().unwrap();
            table.constraints.insert("c".to_owned(), constraint);
            table
        };
        let target = |key| with(&["id", "valid"], key);
        let source = |reference| with(&["id", "during"], reference);
        let period = "FOREIGN KEY (id, PERIOD during) REFERENCES target (id, PERIOD valid)";
        let temporal = "PRIMARY KEY (id, valid WITHOUT OVERLAPS)";
        completed([("target", target(temporal)), ("source", source(period))]).unwrap();
        // The primary key is meant if no columns are named.
        let short = "FOREIGN KEY (id, PERIOD during) REFERENCES target";
        completed([("target", target(temporal)), ("source", source(short))]).unwrap();

        let plain = "FOREIGN KEY (id, during) REFERENCES target (id, valid)";
        let cascade = format!("{period} ON DELETE CASCADE");
        let errors = [
            ("PRIMARY KEY (id, valid)", period),
            (temporal, plain),
            (temporal, cascade.as_str()),
        ]
        .map(|(key, reference)| {
            completed([("target", target(key)), ("source", source(reference))]).unwrap_err()
        });
        insta::assert_snapshot!(errors.join("\n"), @"
        table source: foreign key c: PERIOD must refer to a key WITHOUT OVERLAPS, got target (id, valid)
        table source: foreign key c: target (id, valid) is neither a primary key nor unique
        table source: foreign key c: with PERIOD, ON UPDATE and ON DELETE must be NO ACTION
        ");
    }

    #[test]
    fn default_of_null_is_completed_to_no_default() {
        let mut t = table(&["a"], &[]);
        for null in ["NULL", "null::varchar(3)", "(CAST(NULL AS integer))"] {
            t.columns[0].fill = Fill::Default(null.parse().unwrap());
            let schema = completed([("t", t.clone())]).unwrap();
            assert_eq!(schema.tables[&Name::new("t")].columns[0].fill, Fill::None);
        }
    }
}
