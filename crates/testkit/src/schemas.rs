//! Random schemas that use all features of a [`Schema`], for property tests.

use std::fmt;

use lookback_schema::Schema;
use proptest::prelude::*;

mod choices;
mod create;
mod draw;
mod edit;
mod pair;
mod rows;
mod types;

pub use create::create;
pub use pair::{Dropped, Origins, Pair, Rename, Survivor};

use draw::Draw;
use edit::Edit;

/// Extensions that the schemas may use; tests create them first.
pub const EXTENSIONS: &[&str] = &["btree_gist", "citext", "pg_trgm", "vector"];

/// A generated schema; its `Debug` is the SQL that creates it.
#[derive(Clone)]
pub struct GeneratedSchema(pub Schema);

impl fmt::Debug for GeneratedSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{};", create(&self.0).join(";\n"))
    }
}

/// Generates a schema that PostgreSQL accepts, completed by [`Schema::completed`].
///
/// `is_18` adds what servers have since PostgreSQL 18: virtual columns, keys `WITHOUT OVERLAPS`, and
/// constraints that are `NOT ENFORCED`.
pub fn schema(is_18: bool) -> impl Strategy<Value = GeneratedSchema> {
    numbers().prop_map(move |numbers| {
        let mut draw = Draw::new(&numbers, is_18);
        draw.whole_schema();
        GeneratedSchema(completed(draw.schema))
    })
}

/// Generates two schemas that PostgreSQL accepts.
///
/// The second is the first with a few changes of any kind, or an unrelated schema.
pub fn pair(is_18: bool) -> impl Strategy<Value = Pair> {
    numbers().prop_map(move |numbers| {
        let mut draw = Draw::new(&numbers, is_18);
        draw.whole_schema();
        let from = completed(draw.schema.clone());
        let mut edit = Edit::new(draw, &from);
        if edit.draw.choices.one_in(10) {
            edit.start_anew();
        } else {
            for _ in 0..edit.draw.choices.between(1, 8) {
                edit.edit();
            }
        }
        let to = completed(edit.draw.schema);
        let origins = edit.origins;
        Pair { from, to, origins }
    })
}

/// Generates a schema and two independent successors, each with a few changes.
pub fn fork(is_18: bool) -> impl Strategy<Value = (Pair, Pair)> {
    (numbers(), numbers(), numbers()).prop_map(move |(base, first, second)| {
        let mut draw = Draw::new(&base, is_18);
        draw.whole_schema();
        let from = completed(draw.schema.clone());
        let changed = |numbers: &[u16]| {
            let mut edit = Edit::new(draw.again(numbers), &from);
            for _ in 0..edit.draw.choices.between(1, 3) {
                edit.edit();
            }
            Pair {
                from: from.clone(),
                to: completed(edit.draw.schema),
                origins: edit.origins,
            }
        };
        (changed(&first), changed(&second))
    })
}

fn numbers() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..400)
}

fn completed(schema: Schema) -> Schema {
    schema
        .clone()
        .completed()
        .unwrap_or_else(|errors| panic!("{errors:?} in {:?}", GeneratedSchema(schema.clone())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use lookback_schema::{Constraint, Deferral, Fill, Schema};
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;

    use super::{Dropped, Rename, pair};

    /// Collects the features of a schema.
    fn features(schema: &Schema, found: &mut BTreeSet<String>) {
        let mut add = |yes: bool, what: &str| {
            if yes {
                found.insert(what.to_owned());
            }
        };
        add(!schema.schemas.is_empty(), "schema");
        add(!schema.enums.is_empty(), "enum");
        for extension in &schema.extensions {
            add(true, &format!("extension {extension}"));
        }
        for (name, table) in &schema.tables {
            add(name.schema.is_some(), "table in a schema");
            add(name.name.len() == 63, "long name");
            add(table.comment.is_some(), "comment of a table");
            if let Some(by) = &table.partition_by {
                add(true, &format!("by {}", by.strategy));
            }
            add(
                table.partitions.values().any(|p| !p.partitions.is_empty()),
                "partition of a partition",
            );
            for column in &table.columns {
                add(true, &format!("type {}", column.data_type));
                add(column.not_null, "not null");
                add(column.collation.is_some(), "collation");
                add(column.comment.is_some(), "comment of a column");
                add(
                    schema.enums.contains_key(&column.data_type.name),
                    "enum column",
                );
                add(
                    true,
                    match &column.fill {
                        Fill::None => "no default",
                        Fill::Default(_) => "default",
                        Fill::IdentityAlways => "identity always",
                        Fill::IdentityByDefault => "identity by default",
                        Fill::Serial => "serial",
                        Fill::Stored(_) => "stored",
                        Fill::Virtual(_) => "virtual",
                    },
                );
            }
            for constraint in table.constraints.values() {
                add(true, constraint.kind());
                if let Some(sql) = constraint.since_18() {
                    add(true, &format!("{} {sql}", constraint.kind()));
                }
                add(
                    constraint.is_not_valid(),
                    &format!("{} not valid", constraint.kind()),
                );
                match constraint {
                    Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                        add(key.columns.len() > 1, "key of two columns");
                        add(!key.include.is_empty(), "key with included column");
                        add(key.nulls_not_distinct, "nulls not distinct");
                        add(key.deferral == Deferral::InitiallyDeferred, "deferred key");
                    }
                    Constraint::ForeignKey(foreign) => {
                        add(foreign.table == *name, "foreign key to itself");
                        add(
                            foreign.table.schema != name.schema,
                            "foreign key to a schema",
                        );
                        add(foreign.columns.len() > 1, "foreign key of two columns");
                        add(!foreign.set_columns.is_empty(), "set null of some columns");
                        add(foreign.match_full, "match full");
                        add(
                            foreign.deferral != Deferral::NotDeferrable,
                            "deferrable foreign key",
                        );
                        add(true, &format!("on delete {}", foreign.on_delete));
                        add(true, &format!("on update {}", foreign.on_update));
                        let back = schema.tables.get(&foreign.table).is_some_and(|target| {
                            target.constraints.values().any(|constraint| {
                                foreign.table != *name
                                    && matches!(constraint, Constraint::ForeignKey(f) if f.table == *name)
                            })
                        });
                        add(back, "cycle of foreign keys");
                    }
                    Constraint::Check { no_inherit, .. } => add(*no_inherit, "check no inherit"),
                    Constraint::Exclude(exclusion) => {
                        add(true, &format!("exclude using {}", exclusion.method));
                        add(exclusion.elements.len() > 1, "exclude by two");
                        add(exclusion.predicate.is_some(), "exclude some");
                    }
                }
            }
            for index in table.indexes.values() {
                add(true, &format!("index {}", index.method));
                add(index.unique, "unique index");
                add(index.predicate.is_some(), "partial index");
                add(!index.include.is_empty(), "index with included column");
                add(!index.with.is_empty(), "index with parameters");
                for key in &index.keys {
                    add(
                        key.expression.as_column().is_none(),
                        "index of an expression",
                    );
                    add(key.descending, "descending index");
                    add(key.nulls_first != key.descending, "order of nulls");
                    add(key.opclass.is_some(), "operator class");
                    add(key.collation.is_some(), "collation of a key");
                }
            }
        }
    }

    /// Every feature of a schema is generated in some of the cases.
    #[test]
    fn generated_schema_pairs_cover_all_features() {
        let mut runner = TestRunner::deterministic();
        let strategy = pair(true);
        let (mut found, mut changes) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..4_000 {
            let pair = strategy.new_tree(&mut runner).unwrap().current();
            features(&pair.from, &mut found);
            features(&pair.to, &mut found);
            for rename in pair.renames() {
                changes.insert(match rename {
                    Rename::Table(..) => "rename table",
                    Rename::Column(..) => "rename column",
                    Rename::Constraint(..) => "rename constraint",
                    Rename::Index(..) => "rename index",
                    Rename::Enum(..) => "rename enum",
                    Rename::Label(..) => "rename label",
                });
            }
            for dropped in pair.drops() {
                changes.insert(match dropped {
                    Dropped::Table(_) => "drop table",
                    Dropped::Column(..) => "drop column",
                    Dropped::Enum(_) => "drop enum",
                    Dropped::Label(..) => "drop label",
                });
            }
            changes.extend((!pair.fills().is_empty()).then_some("fill"));
            changes.extend((!pair.usings().is_empty()).then_some("using"));
            let back = pair.reversed();
            assert_eq!(back.reversed().renames(), pair.renames());
            assert_eq!(back.renames().len(), pair.renames().len());
        }
        let missing: Vec<&str> = super::types::KINDS
            .iter()
            .map(|kind| kind.sql)
            .filter(|sql| !found.contains(&format!("type {sql}")))
            .collect();
        assert_eq!(missing, [""; 0]);
        let others: Vec<&String> = found
            .iter()
            .filter(|what| !what.starts_with("type "))
            .collect();
        insta::assert_snapshot!(format!("{others:?}\n{changes:?}"));
    }
}
