//! Random edits of a schema, with a record of every rename and change.

use std::collections::BTreeMap;

use lookback_schema::{
    Action, Column, Constraint, DataType, Deferral, Expression, Fill, Name, Partition, Schema,
    Table, literal, quoted,
};

use super::draw::{Draw, expression, parsed};
use super::pair::Origins;
use super::rows::keys;
use super::types::{CONVERSIONS, known};

/// The second schema while it is edited, starting from the first.
#[derive(Debug)]
pub(super) struct Edit<'a> {
    pub(super) draw: Draw<'a>,
    pub(super) origins: Origins,
    first: Schema,
}

impl<'a> Edit<'a> {
    pub(super) fn new(mut draw: Draw<'a>, from: &Schema) -> Self {
        draw.schema = from.clone();
        draw.editing = true;
        Self {
            draw,
            origins: Origins::of(from),
            first: from.clone(),
        }
    }

    /// Generates an unrelated schema without any name of the first.
    pub(super) fn start_anew(&mut self) {
        self.draw.schema = Schema::default();
        self.origins = Origins::default();
        self.draw.editing = false;
        self.draw.whole_schema();
    }

    pub(super) fn edit(&mut self) {
        match self.draw.choices.below(47) {
            0..=3 => self.add_column(),
            4 | 5 => self.drop_column(),
            6 | 7 => self.rename_column(),
            8..=11 => self.change_type(),
            12 | 13 => self.change_not_null(),
            14..=16 => self.change_default(),
            17 | 18 => self.in_table(super::draw::Draw::add_constraint),
            19 => self.drop_constraint(),
            20 | 21 => self.alter_constraint(),
            22 => self.in_table(super::draw::Draw::add_index),
            23 => self.drop_index(),
            24 => self.alter_index(),
            25 => self.rename_part(),
            26 => self.add_table(),
            27 => self.drop_table(),
            28 => self.rename_table(),
            29 => self.add_label(),
            30 => self.remove_label(),
            31 => self.rename_label(),
            32 => self.change_enums(),
            33 => self.change_comment(),
            34 | 35 => self.change_identity(),
            36 => self.add_foreign_key(),
            37 => self.change_partitions(),
            38 => self.change_generated(),
            39 => self.swap_columns(),
            40 => self.swap_tables(),
            41 => self.generate_column(),
            42 => self.divide_or_unite(),
            43 | 44 => self.swap_parts(),
            45 => self.replace_table(),
            _ => self.change_collation(),
        }
        self.prune();
    }

    fn any_table(&mut self) -> Option<Name> {
        let names: Vec<Name> = self.draw.schema.tables.keys().cloned().collect();
        self.draw.choices.any(&names).cloned()
    }

    fn any_column(
        &mut self,
        fit: impl Fn(&Edit<'_>, &Name, &Column) -> bool,
    ) -> Option<(Name, String)> {
        let found: Vec<(Name, String)> = self
            .draw
            .schema
            .tables
            .iter()
            .flat_map(|(name, table)| table.columns.iter().map(move |column| (name, column)))
            .filter(|(name, column)| fit(self, name, column))
            .map(|(name, column)| (name.clone(), column.name.clone()))
            .collect();
        self.draw.choices.any(&found).cloned()
    }

    fn column(&mut self, (table, column): &(Name, String)) -> Option<&mut Column> {
        let table = self.draw.schema.tables.get_mut(table)?;
        table.columns.iter_mut().find(|there| there.name == *column)
    }

    /// Returns the column in the first schema.
    fn before(&self, place: &(Name, String)) -> Option<&Column> {
        let from = self.origins.columns.get(place)?;
        let table = self.origins.tables.get(&place.0)?;
        self.first.tables[table].column(from)
    }

    fn in_table(&mut self, change: impl FnOnce(&mut Draw<'a>, &Name, &mut Table)) {
        let Some(name) = self.any_table() else {
            return;
        };
        let Some(mut table) = self.draw.schema.tables.remove(&name) else {
            return;
        };
        change(&mut self.draw, &name, &mut table);
        self.draw.schema.tables.insert(name, table);
    }

    fn is_key(&self, table: &Name, column: &str) -> bool {
        keys(&self.draw.schema).contains(&(table.clone(), column.to_owned()))
    }

    fn is_old(&self, table: &Name) -> bool {
        self.origins.tables.contains_key(table)
    }

    fn add_column(&mut self) {
        let Some(name) = self.any_table() else {
            return;
        };
        let table = self.draw.schema.tables[&name].clone();
        let generated = if self.draw.choices.one_in(5) {
            self.draw.generated_column(&table)
        } else {
            None
        };
        let column = generated.unwrap_or_else(|| self.draw.plain_column(&table));
        if self.is_old(&name) {
            self.draw.mark_new(&column.name);
            if column.not_null || column.fill != Fill::None {
                self.draw.mark_dull(&column.name);
            }
        }
        if let Some(table) = self.draw.schema.tables.get_mut(&name) {
            table.columns.push(column);
        }
    }

    fn drop_column(&mut self) {
        let found = self.any_column(|edit, name, column| {
            let table = &edit.draw.schema.tables[name];
            let own = table
                .columns
                .iter()
                .filter(|column| column.fill.generated().is_none());
            !is_partition_key(table, &column.name)
                && (column.fill.generated().is_some() || own.count() > 1)
        });
        if let Some((table, column)) = found {
            self.forget_column(&table, &column);
        }
    }

    fn forget_column(&mut self, name: &Name, column: &str) {
        self.forget_users(name, column, true);
        if let Some(table) = self.draw.schema.tables.get_mut(name) {
            table.columns.retain(|there| there.name != column);
        }
        self.origins
            .columns
            .remove(&(name.clone(), column.to_owned()));
    }

    /// Removes objects that use a column: generated columns, constraints and indexes.
    ///
    /// Keys are removed only if `keys` is true.
    fn forget_users(&mut self, name: &Name, column: &str, keys: bool) {
        let Some(table) = self.draw.schema.tables.get_mut(name) else {
            return;
        };
        let users: Vec<String> = table
            .columns
            .iter()
            .filter(|there| {
                there
                    .fill
                    .generated()
                    .is_some_and(|from| from.mentions(column))
            })
            .map(|there| there.name.clone())
            .collect();
        let is = |there: &String| there == column;
        table.constraints.retain(|_, constraint| match constraint {
            Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                let keys = keys || key.without_overlaps;
                !(keys && key.columns.iter().any(is) || key.include.iter().any(is))
            }
            Constraint::Check { expression, .. } => !expression.mentions(column),
            Constraint::ForeignKey(foreign) => !foreign.columns.iter().any(is),
            Constraint::Exclude(exclusion) => {
                !exclusion
                    .elements
                    .iter()
                    .any(|(key, _)| key.expression.mentions(column))
                    && !exclusion
                        .predicate
                        .iter()
                        .any(|predicate| predicate.mentions(column))
            }
        });
        table.indexes.retain(|_, index| !index.mentions(column));
        for user in users {
            self.forget_column(name, &user);
        }
    }

    /// Removes foreign keys to removed keys, and records of removed objects.
    fn prune(&mut self) {
        loop {
            let tables = self.draw.schema.tables.clone();
            let mut pruned = false;
            for table in self.draw.schema.tables.values_mut() {
                table.constraints.retain(|_, constraint| {
                    let Constraint::ForeignKey(foreign) = constraint else {
                        return true;
                    };
                    let mut wanted = foreign.references.clone();
                    wanted.sort();
                    let fits = |target: &Table| {
                        Draw::targets(target).into_iter().any(|mut key| {
                            key.sort();
                            key == wanted
                        })
                    };
                    let kept = tables.get(&foreign.table).is_some_and(fits);
                    pruned |= !kept;
                    kept
                });
            }
            if !pruned {
                break;
            }
        }
        self.origins.prune(&self.draw.schema);
    }

    fn rename_column(&mut self) {
        let Some((name, column)) = self.any_column(|_, _, _| true) else {
            return;
        };
        let table = self.draw.schema.tables[&name].clone();
        let new = self.draw.column_name(&table);
        self.rename_column_to(&name, &column, &new);
    }

    /// Swaps the names of two columns.
    ///
    /// A new and an old column are not swapped: if the old one is dropped later, the new one would
    /// look like it.
    fn swap_columns(&mut self) {
        let was = |edit: &Edit<'_>, name: &Name, column: &str| {
            let place = (name.clone(), column.to_owned());
            edit.origins.columns.contains_key(&place)
        };
        let Some((name, first)) = self.any_column(|edit, name, c| was(edit, name, &c.name)) else {
            return;
        };
        let columns = &self.draw.schema.tables[&name].columns;
        let others: Vec<String> = columns
            .iter()
            .filter(|column| column.name != first && was(self, &name, &column.name))
            .map(|column| column.name.clone())
            .collect();
        let Some(second) = self.draw.choices.any(&others).cloned() else {
            return;
        };
        for (from, to) in [
            (first.as_str(), "meanwhile"),
            (second.as_str(), first.as_str()),
            ("meanwhile", second.as_str()),
        ] {
            self.rename_column_to(&name, from, to);
        }
    }

    fn rename_column_to(&mut self, name: &Name, column: &str, new: &str) {
        let (name, column, new) = (name.clone(), column.to_owned(), new.to_owned());
        if self.draw.is_new(&column) {
            self.draw.mark_new(&new);
        }
        if self.draw.is_dull(&column) {
            self.draw.mark_dull(&new);
        }
        let names: BTreeMap<String, String> = [(column.clone(), new.clone())].into();
        let swap = |list: &mut Vec<String>| {
            list.iter_mut()
                .filter(|there| **there == column)
                .for_each(|there| there.clone_from(&new));
        };
        for table in self.draw.schema.tables.values_mut() {
            for constraint in table.constraints.values_mut() {
                if let Constraint::ForeignKey(foreign) = constraint
                    && foreign.table == name
                {
                    swap(&mut foreign.references);
                }
            }
        }
        let Some(table) = self.draw.schema.tables.get_mut(&name) else {
            return;
        };
        for there in &mut table.columns {
            if there.name == column {
                there.name.clone_from(&new);
            }
        }
        for constraint in table.constraints.values_mut() {
            match constraint {
                Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                    swap(&mut key.columns);
                    swap(&mut key.include);
                }
                Constraint::ForeignKey(foreign) => {
                    swap(&mut foreign.columns);
                    swap(&mut foreign.set_columns);
                }
                Constraint::Check { .. } | Constraint::Exclude(_) => {}
            }
        }
        for index in table.indexes.values_mut() {
            swap(&mut index.include);
        }
        expressions(table, |expression| {
            *expression = expression.with_renamed_columns(&names);
        });
        let origin = self.origins.columns.remove(&(name.clone(), column));
        self.origins
            .columns
            .extend(origin.map(|origin| ((name, new), origin)));
    }

    fn change_type(&mut self) {
        let found = self.any_column(|edit, name, column| {
            let table = &edit.draw.schema.tables[name];
            !is_partition_key(table, &column.name)
                && matches!(column.fill, Fill::None | Fill::Default(_))
                || (column.fill.is_identity() || column.fill == Fill::Serial)
                    && !is_partition_key(table, &column.name)
        });
        let Some(place) = found else {
            return;
        };
        let Some(column) = self.column(&place).cloned() else {
            return;
        };
        // A column is converted only once, not in a chain.
        let before = self.before(&place);
        if before.is_some_and(|before| before.data_type != column.data_type) {
            return;
        }
        let sql = column.data_type.to_string();
        if let "vector(3)" | "vector(4)" = sql.as_str() {
            return self.change_dimensions(&place, &column);
        }
        let counted = !matches!(column.fill, Fill::None | Fill::Default(_));
        let foreign = self.is_in_foreign_key(&place.0, &place.1);
        let family = |ty: &str| known(ty).map(|kind| kind.family);
        let fit: Vec<&str> = if self.draw.facts(&column.data_type).label.is_some() {
            vec!["text"]
        } else {
            CONVERSIONS
                .iter()
                .filter(|(from, _, _)| *from == sql)
                .filter(|(_, to, _)| !(counted || foreign) || family(to) == Some("whole"))
                .filter(|(from, _, _)| !(counted || foreign) || family(from) == Some("whole"))
                .map(|(_, to, _)| *to)
                .collect()
        };
        let Some(&to) = self.draw.choices.any(&fit) else {
            return;
        };
        let same = family(&sql).is_some() && family(&sql) == family(to);
        let from_key = self.draw.facts(&column.data_type).key;
        let to_key = self.draw.facts(&parsed(to)).key;
        if !same {
            self.draw.mark_dull(&column.name);
            let keeps = from_key && to_key;
            self.forget_users(&place.0, &place.1, !keeps);
        }
        let ty = parsed(to);
        let redraw = self.draw.choices.one_in(2);
        let mut changed = Column {
            data_type: ty,
            ..column.clone()
        };
        if !same {
            changed.collation = None;
            changed.fill = Fill::None;
            if redraw {
                changed.fill = self.default_for(&place, &changed);
            }
        }
        if let Some(there) = self.column(&place) {
            *there = changed;
        }
    }

    fn change_dimensions(&mut self, place: &(Name, String), column: &Column) {
        if column.not_null {
            return;
        }
        let to = if column.data_type == parsed("vector(3)") {
            "vector(4)"
        } else {
            "vector(3)"
        };
        if let Some(table) = self.draw.schema.tables.get_mut(&place.0) {
            table.constraints.retain(|_, constraint| {
                !matches!(constraint, Constraint::Check { expression, .. } if expression.mentions(&place.1))
            });
        }
        if let Some(there) = self.column(place) {
            there.data_type = parsed(to);
            there.fill = Fill::None;
        }
    }

    /// Generates a default, unless existing rows would get it as a key value.
    fn default_for(&mut self, place: &(Name, String), column: &Column) -> Fill {
        if self.draw.is_new(&place.1) {
            if self.is_key(&place.0, &place.1) {
                return Fill::None;
            }
            self.draw.mark_dull(&place.1);
        }
        match self.draw.default_of(column) {
            Fill::Default(default) if default.is_null() => Fill::None,
            fill => fill,
        }
    }

    fn is_in_foreign_key(&self, table: &Name, column: &str) -> bool {
        self.draw.schema.tables.iter().any(|(name, there)| {
            there.constraints.values().any(|constraint| {
                let Constraint::ForeignKey(foreign) = constraint else {
                    return false;
                };
                let is = |there: &String| there == column;
                (name == table && foreign.columns.iter().any(is))
                    || (foreign.table == *table && foreign.references.iter().any(is))
            })
        })
    }

    fn change_not_null(&mut self) {
        let found = self.any_column(|edit, name, column| {
            let table = &edit.draw.schema.tables[name];
            let primary = table
                .primary_key()
                .is_some_and(|(_, key)| key.columns.contains(&column.name));
            if column.not_null {
                !primary && matches!(column.fill, Fill::None | Fill::Default(_))
            } else {
                !edit.is_key(name, &column.name) && column.fill.generated().is_none()
            }
        });
        let Some(place) = found else {
            return;
        };
        if let Some(column) = self.column(&place) {
            column.not_null = !column.not_null;
            if column.not_null {
                self.draw.mark_dull(&place.1);
            }
        }
    }

    fn change_default(&mut self) {
        let found =
            self.any_column(|_, _, column| matches!(column.fill, Fill::None | Fill::Default(_)));
        let Some(place) = found else {
            return;
        };
        let Some(column) = self.column(&place).cloned() else {
            return;
        };
        let fill = if column.fill != Fill::None && self.draw.choices.one_in(3) {
            Fill::None
        } else {
            self.default_for(&place, &column)
        };
        if let Some(there) = self.column(&place) {
            there.fill = fill;
        }
    }

    fn any_constraint(&mut self) -> Option<(Name, String)> {
        let all: Vec<(Name, String)> = self
            .draw
            .schema
            .tables
            .iter()
            .flat_map(|(name, table)| table.constraints.keys().map(|c| (name.clone(), c.clone())))
            .collect();
        self.draw.choices.any(&all).cloned()
    }

    fn any_index(&mut self) -> Option<(Name, String)> {
        let all: Vec<(Name, String)> = self
            .draw
            .schema
            .tables
            .iter()
            .flat_map(|(name, table)| table.indexes.keys().map(|i| (name.clone(), i.clone())))
            .collect();
        self.draw.choices.any(&all).cloned()
    }

    fn drop_constraint(&mut self) {
        if let Some((name, constraint)) = self.any_constraint()
            && let Some(table) = self.draw.schema.tables.get_mut(&name)
        {
            table.constraints.remove(&constraint);
        }
    }

    fn alter_constraint(&mut self) {
        let Some((name, constraint_name)) = self.any_constraint() else {
            return;
        };
        let table = self.draw.schema.tables[&name].clone();
        let mut constraint = table.constraints[&constraint_name].clone();
        let new =
            |edit: &Self, columns: &[String]| columns.iter().any(|column| edit.draw.is_new(column));
        let referred = self.draw.schema.tables.values().any(|there| {
            there.constraints.values().any(|constraint| {
                matches!(constraint, Constraint::ForeignKey(foreign) if foreign.table == name)
            })
        });
        match &mut constraint {
            Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                match self.draw.choices.below(3) {
                    0 if !referred => {
                        key.deferral = match key.deferral {
                            Deferral::NotDeferrable => Deferral::Deferrable,
                            Deferral::Deferrable => Deferral::InitiallyDeferred,
                            Deferral::InitiallyDeferred => Deferral::NotDeferrable,
                        };
                    }
                    1 if !key.without_overlaps => {
                        let fit = table.columns.iter().find(|column| {
                            !key.columns.contains(&column.name)
                                && !key.include.contains(&column.name)
                                && !matches!(column.fill, Fill::Virtual(_))
                        });
                        key.include.extend(fit.map(|column| column.name.clone()));
                    }
                    _ => {
                        let unique =
                            matches!(table.constraints[&constraint_name], Constraint::Unique(_));
                        if unique && !key.without_overlaps && !new(self, &key.columns) {
                            key.nulls_not_distinct = !key.nulls_not_distinct;
                        }
                    }
                }
            }
            Constraint::Check {
                expression,
                not_valid,
                not_enforced,
                ..
            } => {
                if self.draw.choices.one_in(3) {
                    (*not_valid, *not_enforced) = (!*not_valid && !*not_enforced, false);
                } else if self.draw.is_18 && self.draw.choices.one_in(4) {
                    (*not_valid, *not_enforced) = (false, !*not_enforced);
                } else if let Some(text) = self.draw.condition(&table, false) {
                    *expression = super::draw::expression(&text);
                }
            }
            Constraint::ForeignKey(foreign) => match self.draw.choices.below(3) {
                0 => {
                    foreign.on_delete = *self.draw.choices.pick(&[
                        Action::Cascade,
                        Action::SetNull,
                        Action::NoAction,
                        Action::Restrict,
                    ]);
                    foreign.set_columns = Vec::new();
                }
                1 => {
                    foreign.deferral = match foreign.deferral {
                        Deferral::NotDeferrable => Deferral::InitiallyDeferred,
                        _ => Deferral::NotDeferrable,
                    };
                }
                _ => {
                    if !new(self, &foreign.columns) {
                        foreign.match_full = !foreign.match_full;
                    }
                }
            },
            Constraint::Exclude(exclusion) => {
                let text = self.draw.condition(&table, true);
                exclusion.predicate = text.map(|text| expression(&text));
            }
        }
        if let Some(there) = self.draw.schema.tables.get_mut(&name) {
            there.constraints.insert(constraint_name, constraint);
        }
    }

    fn drop_index(&mut self) {
        if let Some((name, index)) = self.any_index()
            && let Some(table) = self.draw.schema.tables.get_mut(&name)
        {
            table.indexes.remove(&index);
        }
    }

    fn alter_index(&mut self) {
        let Some((name, index_name)) = self.any_index() else {
            return;
        };
        let table = self.draw.schema.tables[&name].clone();
        let mut index = table.indexes[&index_name].clone();
        match self.draw.choices.below(3) {
            0 if index.method == "btree" => {
                index.keys[0].descending = !index.keys[0].descending;
            }
            1 => match index.keys[0].opclass.as_deref() {
                Some("vector_l2_ops") => index.keys[0].opclass = Some("vector_ip_ops".to_owned()),
                Some("vector_cosine_ops") => {
                    index.keys[0].opclass = Some("vector_l2_ops".to_owned());
                }
                _ if index.method == "btree" => {
                    index.with = vec![("fillfactor".to_owned(), "80".to_owned())];
                }
                _ => index.predicate = None,
            },
            _ => {
                let text = self.draw.condition(&table, true);
                index.predicate = text.map(|text| expression(&text));
            }
        }
        if let Some(there) = self.draw.schema.tables.get_mut(&name) {
            there.indexes.insert(index_name, index);
        }
    }

    fn rename_part(&mut self) {
        if self.draw.choices.one_in(2) {
            let Some((name, old)) = self.any_constraint() else {
                return;
            };
            let new = self.draw.free("renamed constraint");
            if let Some(table) = self.draw.schema.tables.get_mut(&name)
                && let Some(constraint) = table.constraints.remove(&old)
            {
                table.constraints.insert(new.clone(), constraint);
                let origin = self.origins.constraints.remove(&(name.clone(), old));
                self.origins
                    .constraints
                    .extend(origin.map(|origin| ((name, new), origin)));
            }
        } else {
            let Some((name, old)) = self.any_index() else {
                return;
            };
            let new = self.draw.free("renamed_index");
            if let Some(table) = self.draw.schema.tables.get_mut(&name)
                && let Some(index) = table.indexes.remove(&old)
            {
                table.indexes.insert(new.clone(), index);
                let origin = self.origins.indexes.remove(&(name.clone(), old));
                self.origins
                    .indexes
                    .extend(origin.map(|origin| ((name, new), origin)));
            }
        }
    }

    /// Swaps the names of two constraints or indexes, of one table or of two.
    fn swap_parts(&mut self) {
        let parts = |edit: &Self| -> Vec<(Name, String, bool)> {
            let tables = edit.draw.schema.tables.iter();
            let parts = tables.flat_map(|(name, table)| {
                let constraints = table.constraints.keys().map(|part| (part, false));
                let indexes = table.indexes.keys().map(|part| (part, true));
                let parts = constraints.chain(indexes);
                parts.map(|(part, is_index)| (name.clone(), part.clone(), is_index))
            });
            parts.collect()
        };
        let all = parts(self);
        let (first, second) = (
            self.draw.choices.any(&all).cloned(),
            self.draw.choices.any(&all).cloned(),
        );
        let (Some(first), Some(second)) = (first, second) else {
            return;
        };
        if first.0.schema != second.0.schema || first == second {
            return;
        }
        let meanwhile = self.draw.free("meanwhile");
        let swapped = (first.1.clone(), second.1.clone());
        self.rename_part_to(&first, &meanwhile);
        self.rename_part_to(&second, &swapped.0);
        self.rename_part_to(&(first.0, meanwhile, first.2), &swapped.1);
    }

    fn rename_part_to(&mut self, (name, old, is_index): &(Name, String, bool), new: &str) {
        let Some(table) = self.draw.schema.tables.get_mut(name) else {
            return;
        };
        let origins = if *is_index {
            if let Some(index) = table.indexes.remove(old) {
                table.indexes.insert(new.to_owned(), index);
            }
            &mut self.origins.indexes
        } else {
            if let Some(constraint) = table.constraints.remove(old) {
                table.constraints.insert(new.to_owned(), constraint);
            }
            &mut self.origins.constraints
        };
        let origin = origins.remove(&(name.clone(), old.clone()));
        origins.extend(origin.map(|origin| ((name.clone(), new.to_owned()), origin)));
    }

    /// Drops a table, and gives its name and those of its constraints to another one.
    fn replace_table(&mut self) {
        let (gone, other) = (self.any_table(), self.any_table());
        let (Some(gone), Some(other)) = (gone, other) else {
            return;
        };
        let both_old = self.is_old(&gone) && self.is_old(&other);
        if gone == other || gone.schema != other.schema || !both_old {
            return;
        }
        let Some(table) = self.draw.schema.tables.remove(&gone) else {
            return;
        };
        self.prune();
        self.rename_table_to(&other, &gone);
        let parts = self.draw.schema.tables[&gone].clone();
        let old: Vec<&String> = parts.constraints.keys().collect();
        for (old, new) in old.into_iter().zip(table.constraints.keys()) {
            self.rename_part_to(&(gone.clone(), old.clone(), false), new);
        }
    }

    fn add_table(&mut self) {
        self.draw.editing = false;
        self.draw.add_table();
        self.draw.editing = true;
    }

    fn drop_table(&mut self) {
        if let Some(name) = self.any_table() {
            self.draw.schema.tables.remove(&name);
        }
    }

    fn rename_table(&mut self) {
        let Some(old) = self.any_table() else {
            return;
        };
        let new = self.draw.table_name();
        self.rename_table_to(&old, &new);
    }

    /// Swaps the names of two existing tables; new ones are excluded as for columns.
    fn swap_tables(&mut self) {
        let (first, second) = (self.any_table(), self.any_table());
        let (Some(first), Some(second)) = (first, second) else {
            return;
        };
        let both_old = self.is_old(&first) && self.is_old(&second);
        if first == second || first.schema != second.schema || !both_old {
            return;
        }
        let meanwhile = first.beside("meanwhile");
        self.rename_table_to(&first, &meanwhile);
        self.rename_table_to(&second, &first);
        self.rename_table_to(&meanwhile, &second);
    }

    fn rename_table_to(&mut self, old: &Name, new: &Name) {
        let (old, new) = (old.clone(), new.clone());
        let Some(table) = self.draw.schema.tables.remove(&old) else {
            return;
        };
        self.draw.schema.tables.insert(new.clone(), table);
        for table in self.draw.schema.tables.values_mut() {
            for constraint in table.constraints.values_mut() {
                if let Constraint::ForeignKey(foreign) = constraint
                    && foreign.table == old
                {
                    foreign.table = new.clone();
                }
            }
        }
        self.origins.rename_table(&old, &new);
    }

    fn any_enum(&mut self) -> Option<Name> {
        let names: Vec<Name> = self.draw.schema.enums.keys().cloned().collect();
        self.draw.choices.any(&names).cloned()
    }

    fn add_label(&mut self) {
        let Some(name) = self.any_enum() else {
            return;
        };
        let labels = self.draw.schema.enums[&name].clone();
        let label = self.draw.label(&labels);
        let place = self.draw.choices.between(0, labels.len());
        if let Some(labels) = self.draw.schema.enums.get_mut(&name) {
            labels.insert(place, label);
        }
    }

    fn remove_label(&mut self) {
        let Some(name) = self.any_enum() else {
            return;
        };
        let labels = self.draw.schema.enums[&name].clone();
        // One label of the first schema stays, for existing rows.
        let old = |label: &String| {
            self.origins
                .labels
                .contains_key(&(name.clone(), label.clone()))
        };
        let place = self.draw.choices.below(labels.len());
        let label = &labels[place];
        let others = labels
            .iter()
            .filter(|there| *there != label && old(there))
            .count();
        if others == 0 || labels.len() < 2 || self.mentions_literal(label) {
            return;
        }
        self.origins.labels.remove(&(name.clone(), label.clone()));
        if let Some(labels) = self.draw.schema.enums.get_mut(&name) {
            labels.remove(place);
        }
    }

    fn mentions_literal(&mut self, label: &str) -> bool {
        let mut mentioned = false;
        for table in self.draw.schema.tables.values_mut() {
            expressions(table, |expression| {
                mentioned |= expression.mentions_literal(label);
            });
        }
        mentioned
    }

    fn rename_label(&mut self) {
        let Some(name) = self.any_enum() else {
            return;
        };
        let labels = self.draw.schema.enums[&name].clone();
        let old = self.draw.choices.pick(&labels).clone();
        let new = self.draw.label(&labels);
        let names: BTreeMap<String, String> = [(old.clone(), new.clone())].into();
        for table in self.draw.schema.tables.values_mut() {
            let columns: Vec<String> = table
                .columns
                .iter()
                .filter(|column| column.data_type.name == name)
                .map(|column| column.name.clone())
                .collect();
            for column in &mut table.columns {
                if let (true, Fill::Default(default)) =
                    (columns.contains(&column.name), &mut column.fill)
                {
                    *default = default.with_renamed_literals(&names);
                }
            }
            conditions(table, |expression| {
                if columns.iter().any(|column| expression.mentions(column)) {
                    *expression = expression.with_renamed_literals(&names);
                }
            });
        }
        if let Some(labels) = self.draw.schema.enums.get_mut(&name) {
            for label in labels {
                if *label == old {
                    label.clone_from(&new);
                }
            }
        }
        let origin = self.origins.labels.remove(&(name.clone(), old));
        self.origins
            .labels
            .extend(origin.map(|origin| ((name, new), origin)));
    }

    fn change_enums(&mut self) {
        let unused = |edit: &Self, name: &Name| {
            !edit.draw.schema.tables.values().any(|table| {
                table
                    .columns
                    .iter()
                    .any(|column| column.data_type.name == *name)
            })
        };
        match (self.draw.choices.below(3), self.any_enum()) {
            (1, Some(name)) if unused(self, &name) => {
                self.draw.schema.enums.remove(&name);
            }
            (2, Some(old)) => {
                let mut named = false;
                for table in self.draw.schema.tables.values_mut() {
                    expressions(table, |expression| {
                        named |= expression.as_str().contains(&old.name)
                            || expression.as_str().contains(&*quoted(&old.name));
                    });
                }
                if named {
                    return;
                }
                let new = self.draw.enum_name();
                let labels = self.draw.schema.enums.remove(&old).unwrap_or_default();
                self.draw.schema.enums.insert(new.clone(), labels);
                for table in self.draw.schema.tables.values_mut() {
                    for column in &mut table.columns {
                        if column.data_type.name == old {
                            column.data_type.name = new.clone();
                        }
                    }
                }
                self.origins.rename_enum(&old, &new);
            }
            _ => self.draw.add_enum(),
        }
    }

    fn change_comment(&mut self) {
        let comment = self.draw.comment();
        if self.draw.choices.one_in(2) {
            if let Some(name) = self.any_table()
                && let Some(table) = self.draw.schema.tables.get_mut(&name)
            {
                table.comment = comment;
            }
        } else if let Some(place) = self.any_column(|_, _, _| true)
            && let Some(column) = self.column(&place)
        {
            column.comment = comment;
        }
    }

    fn change_identity(&mut self) {
        let whole = ["smallint", "integer", "bigint"].map(parsed);
        let found = self.any_column(|edit, name, column| {
            let old = !edit.draw.is_new(&column.name) || !edit.is_old(name);
            old && column.not_null
                && whole.contains(&column.data_type)
                && column.fill.generated().is_none()
        });
        let Some(place) = found else {
            return;
        };
        let fills = [
            Fill::IdentityAlways,
            Fill::IdentityByDefault,
            Fill::None,
            Fill::Serial,
        ];
        let fill = self.draw.choices.pick(&fills).clone();
        if let Some(column) = self.column(&place) {
            column.fill = fill;
        }
    }

    fn add_foreign_key(&mut self) {
        let tables = self.origins.tables.clone();
        self.draw
            .add_foreign_key(|from, to| tables.contains_key(to) || !tables.contains_key(from));
    }

    fn change_partitions(&mut self) {
        let divided: Vec<Name> = self
            .draw
            .schema
            .tables
            .iter()
            .filter(|(_, table)| table.partition_by.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        let Some(name) = self.draw.choices.any(&divided).cloned() else {
            return;
        };
        let far = |number: usize| {
            format!(
                "FOR VALUES FROM ({}) TO ({})",
                1_000 * number,
                1_000 * (number + 1)
            )
        };
        let number = self.draw.choices.between(1, 3);
        let partition_name = name.beside(self.draw.free(&format!("{}_far", name.name)));
        let Some(table) = self.draw.schema.tables.get_mut(&name) else {
            return;
        };
        let text = table
            .partitions
            .values()
            .any(|partition| partition.bound.contains("row 1"));
        let ranges = table
            .partitions
            .values()
            .any(|partition| partition.bound.contains("TO (2)"));
        let bound = if text {
            format!("FOR VALUES IN ('far {number}')")
        } else if ranges {
            far(number)
        } else {
            return;
        };
        let same = table
            .partitions
            .iter()
            .find(|(_, partition)| partition.bound == bound);
        match same.map(|(name, _)| name.clone()) {
            Some(there) => drop(table.partitions.remove(&there)),
            None => drop(
                table
                    .partitions
                    .insert(partition_name, Partition::new(bound)),
            ),
        }
    }

    /// Turns a plain column into a generated one.
    fn generate_column(&mut self) {
        let found = self.any_column(|edit, name, column| {
            let table = &edit.draw.schema.tables[name];
            column.fill == Fill::None
                && !column.not_null
                && !is_partition_key(table, &column.name)
                && !edit.is_in_foreign_key(name, &column.name)
        });
        let Some(place) = found else {
            return;
        };
        let table = self.draw.schema.tables[&place.0].clone();
        let Some(mut generated) = self.draw.generated_column(&table) else {
            return;
        };
        let from = generated.fill.generated();
        if from.is_none_or(|from| from.mentions(&place.1)) {
            return;
        }
        self.forget_users(&place.0, &place.1, true);
        generated.name.clone_from(&place.1);
        self.draw.mark_dull(&place.1);
        if let Some(there) = self.column(&place) {
            *there = generated;
        }
    }

    /// Removes the partitioning of a table, or partitions a plain table without keys.
    fn divide_or_unite(&mut self) {
        self.in_table(|draw, name, table| {
            let is_key = |constraint: &Constraint| {
                matches!(
                    constraint,
                    Constraint::PrimaryKey(_) | Constraint::Unique(_) | Constraint::Exclude(_)
                )
            };
            let no_inherit = |constraint: &Constraint| {
                matches!(
                    constraint,
                    Constraint::Check {
                        no_inherit: true,
                        ..
                    }
                )
            };
            let mut constraints = table.constraints.values();
            if table.partition_by.take().is_some() {
                table.partitions.clear();
            } else if !constraints.any(|c| is_key(c) || no_inherit(c))
                && !table.indexes.values().any(|index| index.unique)
            {
                draw.divide(name, table);
            }
        });
    }

    fn change_generated(&mut self) {
        let found = self.any_column(|_, _, column| column.fill.generated().is_some());
        let Some(place) = found else {
            return;
        };
        // Not a column that was plain before: its type may differ.
        let was_generated = self
            .before(&place)
            .is_none_or(|before| before.fill.generated().is_some());
        let plain = self.draw.choices.one_in(3) && was_generated;
        let Some(column) = self.column(&place) else {
            return;
        };
        let sql = column.data_type.to_string();
        if let (true, Fill::Stored(_)) = (plain, &column.fill) {
            column.fill = Fill::None;
            return self.draw.mark_dull(&place.1);
        }
        let Some(from) = column.fill.generated() else {
            return;
        };
        let changed = match sql.as_str() {
            "bigint" | "integer" | "numeric" => expression(&format!("({from}) + 0")),
            "text" | "character varying" => expression(&format!("({from}) || '?'")),
            _ => return,
        };
        column.fill = match &column.fill {
            Fill::Virtual(_) => Fill::Virtual(changed),
            _ => Fill::Stored(changed),
        };
    }

    fn change_collation(&mut self) {
        let found = self.any_column(|edit, name, column| {
            let table = &edit.draw.schema.tables[name];
            edit.draw
                .facts(&column.data_type)
                .kind
                .is_some_and(|kind| kind.family == "words")
                && column.fill.generated().is_none()
                && !is_partition_key(table, &column.name)
                && !edit.is_in_foreign_key(name, &column.name)
        });
        let Some(place) = found else {
            return;
        };
        let collations = [None, Some("C"), Some("POSIX")];
        let collation = self.draw.choices.pick(&collations).map(Name::new);
        if let Some(column) = self.column(&place) {
            column.collation = collation;
        }
    }
}

fn is_partition_key(table: &Table, column: &str) -> bool {
    let keys = table.partition_by.iter().flat_map(|by| &by.keys);
    keys.into_iter().any(|key| key.expression.mentions(column))
}

/// Visits every expression of a table.
fn expressions(table: &mut Table, mut change: impl FnMut(&mut Expression)) {
    for column in &mut table.columns {
        if let Fill::Default(expression) | Fill::Stored(expression) | Fill::Virtual(expression) =
            &mut column.fill
        {
            change(expression);
        }
    }
    conditions(table, change);
}

/// Visits every expression of a table other than column values.
fn conditions(table: &mut Table, mut change: impl FnMut(&mut Expression)) {
    for constraint in table.constraints.values_mut() {
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
    for index in table.indexes.values_mut() {
        index
            .keys
            .iter_mut()
            .for_each(|key| change(&mut key.expression));
        index.predicate.iter_mut().for_each(&mut change);
    }
    let mut divided = |by: &mut Option<lookback_schema::PartitionBy>| {
        let keys = by.iter_mut().flat_map(|by| &mut by.keys);
        keys.for_each(|key| change(&mut key.expression));
    };
    divided(&mut table.partition_by);
    for partition in table.partitions.values_mut() {
        divided(&mut partition.partition_by);
    }
}

/// Returns the expression that converts a column of type `from` to the type `to`.
pub(super) fn conversion(from: &DataType, to: &DataType) -> Option<Option<&'static str>> {
    let (from, to) = (from.to_string(), to.to_string());
    CONVERSIONS
        .iter()
        .find(|(a, b, _)| *a == from && *b == to)
        .map(|(_, _, using)| *using)
}

/// Returns the CASE expression that renames labels.
pub(super) fn relabelled(column: &str, labels: &BTreeMap<String, String>) -> String {
    let whens: Vec<String> = labels
        .iter()
        .map(|(old, new)| format!("WHEN {} THEN {}", literal(old), literal(new)))
        .collect();
    if whens.is_empty() {
        return format!("{column}::text");
    }
    format!(
        "CASE {column}::text {} ELSE {column}::text END",
        whens.join(" ")
    )
}
