//! What the parts of a model have to do with each other.

use std::collections::BTreeSet;

use proc_macro2::Span;
use syn::LitStr;
use syn::spanned::Spanned as _;

use lookback_schema::{Constraint, DataType, Expression, Index, PartitionBy};

use crate::mistakes::Mistakes;
use crate::model::field::{COMMON, Fill, ModelField, Role};
use crate::model::input::{Model, common_type};
use crate::model::options::Partition;

pub(crate) fn check(model: &Model, mistakes: &mut Mistakes) {
    if model.is_schema_only() {
        check_schema_only(model, mistakes);
    } else {
        check_common(model, mistakes);
        check_functions(model, mistakes);
        check_search(model, mistakes);
        for (_, problem) in model.problems() {
            if model.field(&problem.field).is_none() {
                mistakes.at(
                    problem.field.span(),
                    format!(
                        "no such field; the fields of this model: {}",
                        plain_fields(model).join(", ")
                    ),
                );
            }
        }
    }
    let mut columns = BTreeSet::new();
    for field in &model.fields {
        check_field(model, field, mistakes);
        if !columns.insert(field.column()) {
            let span = field.options.name.as_ref().map(|name| name.span());
            mistakes.at(
                span.unwrap_or_else(|| field.name.span()),
                format!("there are two columns of the name `{}`", field.column()),
            );
        }
    }
    check_names(model, mistakes);
    check_definitions(model, &columns, mistakes);
}

/// Every model has the five common columns, with the types the write path fills.
fn check_common(model: &Model, mistakes: &mut Mistakes) {
    for (name, _, ty) in COMMON {
        match model.fields.iter().find(|field| field.name == name) {
            None => mistakes.at(
                model.item.ident.span(),
                format!("a model has the five common columns; add: pub {name}: {ty}"),
            ),
            Some(field) => {
                let hidden = ty.starts_with("Hidden");
                if (field.hidden, field.nullable) != (hidden, hidden) {
                    mistakes.at(
                        field.name.span(),
                        format!("this common column is written: pub {name}: {ty}"),
                    );
                }
            }
        }
    }
}

/// The names of functions that a model has.
fn check_functions(model: &Model, mistakes: &mut Mistakes) {
    for (name, what) in [
        ("records", "its QueryBuilder"),
        ("new", "that makes a record"),
    ] {
        if let Some(field) = model.fields.iter().find(|field| field.name == name) {
            mistakes.at(
                field.name.span(),
                format!(
                    "a model has a function `{name}`, {what}, and so no field of that name; call \
                     the field otherwise: #[column(name = \"{name}\")] {name}_"
                ),
            );
        }
    }
}

fn check_search(model: &Model, mistakes: &mut Mistakes) {
    for name in &model.search {
        match model.field(name).filter(|field| field.role == Role::Plain) {
            None => mistakes.at(
                name.span(),
                format!(
                    "no such field; search takes: {}",
                    plain_fields(model).join(", ")
                ),
            ),
            Some(field) if field.hidden => mistakes.at(
                name.span(),
                "a hidden field cannot be searched: a search would show what it holds",
            ),
            Some(field) if field.is_generated() || field.is_opaque() => mistakes.at(
                name.span(),
                "the embedding is made before the database fills this column, so that it cannot \
                 be searched",
            ),
            Some(_) => {}
        }
    }
}

/// A table that is only described: nothing reads it or writes to it.
fn check_schema_only(model: &Model, mistakes: &mut Mistakes) {
    for name in &model.search {
        mistakes.at(
            name.span(),
            "a model that is schema_only is not searched: leave `search` out",
        );
    }
    for (_, problem) in model.problems() {
        mistakes.at(
            problem.field.span(),
            "a model that is schema_only stores nothing that could be refused: leave `problem` out",
        );
    }
    for field in &model.fields {
        for name in &field.options.given {
            let instead = match name.to_string().as_str() {
                "default" => "write sql_default = \"…\"",
                "not_blank" | "max_bytes" | "range" => "write a CHECK constraint",
                _ => continue,
            };
            mistakes.at(
                name.span(),
                format!("a model that is schema_only checks and fills in nothing: {instead}"),
            );
        }
        if field.hidden {
            mistakes.at(
                field.name.span(),
                "a model that is schema_only reads nothing that could be hidden: leave `Hidden` out",
            );
        }
    }
}

fn check_field(model: &Model, field: &ModelField, mistakes: &mut Mistakes) {
    let options = &field.options;
    if field.role != Role::Plain {
        for name in options.given.iter().filter(|name| *name != "comment") {
            mistakes.at(
                name.span(),
                format!(
                    "`{}` is a common column and takes no attribute but `comment`",
                    field.name
                ),
            );
        }
        return;
    }
    let opaque = field.is_opaque();
    match &options.data_type {
        None if opaque => mistakes.at(
            field.value.span(),
            "an opaque column names its type: #[column(type = \"tsvector\")]",
        ),
        Some(data_type)
            if !model.is_schema_only() && !opaque && wire_type(&data_type.value).is_none() =>
        {
            mistakes.at(
                data_type.literal.span(),
                format!(
                    "Lookback neither reads nor writes `{}`: make the field Opaque or \
                     Option<Opaque>, or the model schema_only",
                    data_type.value
                ),
            );
        }
        _ => {}
    }
    if let Some((name, fill)) = &options.fill {
        if options.default.is_some() && !matches!(fill, Fill::Default(_)) {
            mistakes.at(
                name.span(),
                "a column that the database fills has no default",
            );
        }
        let counts = matches!(
            fill,
            Fill::IdentityAlways | Fill::IdentityByDefault | Fill::Serial
        );
        if counts && field.nullable {
            mistakes.at(
                field.value.span(),
                format!("a column with `{name}` is never null: leave `Option` out"),
            );
        }
    }
    if model.is_schema_only() {
        return;
    }
    if opaque && !field.nullable && !field.is_filled() {
        mistakes.at(
            field.value.span(),
            "nothing gives this column a value: make it Option<Opaque>, or have the database fill \
             it (sql_default, stored, virtual, identity or serial)",
        );
    }
    if opaque && field.hidden {
        mistakes.at(
            field.name.span(),
            "an opaque column is never read: leave `Hidden` out",
        );
    }
    if opaque || field.is_generated() {
        for name in &options.given {
            if ["not_blank", "max_bytes", "range", "default"]
                .iter()
                .any(|checks| name == checks)
            {
                mistakes.at(
                    name.span(),
                    format!(
                        "`{name}` is of a value that is stored, and Lookback stores none in this \
                         column"
                    ),
                );
            }
        }
    }
}

/// The type whose binary form is that of this one, if Lookback has one.
pub(crate) fn wire_type(ty: &DataType) -> Option<&'static str> {
    if ty.array {
        return None;
    }
    // An extension may be in any schema, what is built in is in none.
    if ty.name.name == "citext" {
        return Some("Text");
    }
    if ty.name.schema.is_some() {
        return None;
    }
    match ty.name.name.as_str() {
        "text" | "character varying" | "character" => Some("Text"),
        "boolean" => Some("Bool"),
        "integer" => Some("Int4"),
        "bigint" => Some("Int8"),
        "double precision" => Some("Float8"),
        "timestamp with time zone" => Some("Timestamptz"),
        "jsonb" => Some("Jsonb"),
        "bytea" => Some("Bytea"),
        _ => None,
    }
}

fn check_names(model: &Model, mistakes: &mut Mistakes) {
    let options = &model.options;
    // An index and the check of a table may share a name; with the index of a
    // key, or a partition, it may not.
    let constraints = options.constraints.iter().map(|named| &named.name);
    let keys = options
        .constraints
        .iter()
        .filter(|named| named.definition.value.has_index())
        .map(|named| &named.name);
    let indexes = options.indexes.iter().map(|named| &named.name);
    let partitions = options.partitions.iter().map(|partition| &partition.name);
    let mut seen = BTreeSet::new();
    let mut relations: BTreeSet<String> = keys.map(LitStr::value).collect();
    let twice = constraints.filter(|name| !seen.insert(name.value())).chain(
        indexes
            .chain(partitions)
            .filter(|name| !relations.insert(name.value())),
    );
    for name in twice {
        mistakes.at(
            name.span(),
            format!(
                "there are two constraints, indexes or partitions of the name `{}`",
                name.value()
            ),
        );
    }
    if let (Some(open), None) = (&options.open_partitions, &options.partition_by) {
        mistakes.at(
            open.span(),
            "a table with partitions says how its rows are divided: partition_by = \"RANGE (id)\"",
        );
    }
    check_partitions(&options.partition_by, &options.partitions, mistakes);
    check_sealed(model, mistakes);
}

/// What is summarised by ranges of ids is searched, and kept by no other key: an
/// upsert would change text behind the back of the summaries.
fn check_sealed(model: &Model, mistakes: &mut Mistakes) {
    let options = &model.options;
    let Some(sealed) = &options.sealed else {
        return;
    };
    if model.search.is_empty() {
        mistakes.at(
            sealed.span(),
            "what is sealed is searched: name its fields, search(message)",
        );
    }
    let keys = options.constraints.iter().filter_map(|named| {
        matches!(named.definition.value, Constraint::Unique(_)).then_some(&named.name)
    });
    let indexes = options.indexes.iter();
    let indexes = indexes.filter_map(|named| named.definition.value.unique.then_some(&named.name));
    for name in keys.chain(indexes) {
        mistakes.at(
            name.span(),
            "what is sealed has no unique key but `id`: leave out `sealed`, or this",
        );
    }
}

fn check_partitions(
    partition_by: &Option<crate::mistakes::Sql<PartitionBy>>,
    partitions: &[Partition],
    mistakes: &mut Mistakes,
) {
    if let (None, Some(partition)) = (partition_by, partitions.first()) {
        mistakes.at(
            partition.name.span(),
            "what has partitions says how its rows are divided: partition_by = \"RANGE (id)\"",
        );
    }
    for partition in partitions {
        check_partitions(&partition.partition_by, &partition.partitions, mistakes);
    }
}

/// Every column that a definition names is there.
fn check_definitions(model: &Model, columns: &BTreeSet<String>, mistakes: &mut Mistakes) {
    let mut known = Known {
        table: model.table.value(),
        columns,
        list: model.fields.iter().map(ModelField::column).collect(),
        mistakes,
    };
    let options = &model.options;
    let mut primary = None;
    for constraint in &options.constraints {
        let span = constraint.definition.literal.span();
        known.constraint(span, &constraint.definition.value);
        if matches!(constraint.definition.value, Constraint::PrimaryKey(_))
            && primary.replace(span).is_some()
        {
            known.mistakes.at(span, "there are two primary keys");
        }
    }
    for index in &options.indexes {
        known.index(index.definition.literal.span(), &index.definition.value);
    }
    if let Some(partition_by) = &options.partition_by {
        known.partition_by(partition_by.literal.span(), &partition_by.value);
    }
    known.partitions(&options.partitions);
    for field in &model.fields {
        if let Some((_, Fill::Stored(sql) | Fill::Virtual(sql))) = &field.options.fill {
            known.expression(sql.literal.span(), &sql.value);
        }
    }
}

/// Columns that every table has (manual, 5.6 "System Columns").
const SYSTEM: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

struct Known<'a> {
    table: String,
    columns: &'a BTreeSet<String>,
    list: Vec<String>,
    mistakes: &'a mut Mistakes,
}

impl Known<'_> {
    fn constraint(&mut self, span: Span, constraint: &Constraint) {
        match constraint {
            Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                self.names(span, &key.columns);
                self.names(span, &key.include);
            }
            Constraint::Check { expression, .. } => self.expression(span, expression),
            Constraint::ForeignKey(key) => {
                self.names(span, &key.columns);
                self.names(span, &key.set_columns);
            }
            Constraint::Exclude(exclusion) => {
                for (key, _) in &exclusion.elements {
                    self.expression(span, &key.expression);
                }
                self.names(span, &exclusion.include);
                if let Some(predicate) = &exclusion.predicate {
                    self.expression(span, predicate);
                }
            }
        }
    }

    fn index(&mut self, span: Span, index: &Index) {
        for key in &index.keys {
            self.expression(span, &key.expression);
        }
        self.names(span, &index.include);
        if let Some(predicate) = &index.predicate {
            self.expression(span, predicate);
        }
    }

    fn partition_by(&mut self, span: Span, partition_by: &PartitionBy) {
        for key in &partition_by.keys {
            self.expression(span, &key.expression);
        }
    }

    fn partitions(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(partition_by) = &partition.partition_by {
                self.partition_by(partition_by.literal.span(), &partition_by.value);
            }
            self.partitions(&partition.partitions);
        }
    }

    fn expression(&mut self, span: Span, expression: &Expression) {
        // The row as a whole goes by the name of the table.
        let mut columns = expression.plain_columns();
        columns.retain(|name| *name != self.table && !SYSTEM.contains(&name.as_str()));
        self.names(span, &columns);
    }

    fn names(&mut self, span: Span, names: &[String]) {
        for name in names.iter().filter(|name| !self.columns.contains(*name)) {
            self.mistakes.at(
                span,
                format!(
                    "there is no column `{name}`; this table has: {}",
                    self.list.join(", ")
                ),
            );
        }
    }
}

/// The fields that are of the caller.
fn plain_fields(model: &Model) -> Vec<String> {
    let plain = model
        .fields
        .iter()
        .filter(|field| common_type(&field.name).is_none());
    plain.map(|field| field.name.to_string()).collect()
}
