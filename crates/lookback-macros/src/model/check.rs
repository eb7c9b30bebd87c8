//! Checks that the parts of a model fit each other.

use std::collections::BTreeSet;

use proc_macro2::Span;
use syn::spanned::Spanned as _;
use syn::{Ident, LitStr};

use lookback_schema::{Constraint, DataType, Expression, Index, PartitionBy};

use crate::diagnostics::Diagnostics;
use crate::model::field::{COMMON_COLUMNS, ColumnRole, Fill, ModelField};
use crate::model::input::{Model, common_type};
use crate::model::options::{Partition, Rollup};

pub(crate) fn check(model: &Model, diagnostics: &mut Diagnostics) {
    if model.is_schema_only() {
        check_schema_only(model, diagnostics);
    } else {
        check_common(model, diagnostics);
        check_functions(model, diagnostics);
        check_search(model, diagnostics);
        check_column_names(model, diagnostics);
        for (_, problem) in model.problems() {
            if model.field(&problem.field).is_none() {
                diagnostics.at(
                    problem.field.span(),
                    format!(
                        "unknown field, expected one of: {}",
                        plain_field_names(model).join(", ")
                    ),
                );
            }
        }
    }
    let mut columns = BTreeSet::new();
    for field in &model.fields {
        check_field(model, field, diagnostics);
        if !columns.insert(field.column()) {
            let span = field.options.name.as_ref().map(syn::LitStr::span);
            diagnostics.at(
                span.unwrap_or_else(|| field.name.span()),
                format!("duplicate column `{}`", field.column()),
            );
        }
    }
    check_names(model, diagnostics);
    check_definitions(model, &columns, diagnostics);
}

/// Checks that the model has the five common columns, with the required types.
fn check_common(model: &Model, diagnostics: &mut Diagnostics) {
    for (name, _, ty) in COMMON_COLUMNS {
        match model.fields.iter().find(|field| field.name == name) {
            None => diagnostics.at(
                model.item.ident.span(),
                format!("a model must have the five common columns: add pub {name}: {ty}"),
            ),
            Some(field) => {
                let hidden = ty.starts_with("Hidden");
                if (field.hidden, field.nullable) != (hidden, hidden) {
                    diagnostics.at(
                        field.name.span(),
                        format!("expected the common column pub {name}: {ty}"),
                    );
                }
            }
        }
    }
}

/// Rejects fields whose name is a function of every model.
fn check_functions(model: &Model, diagnostics: &mut Diagnostics) {
    for (name, purpose) in [
        ("records", "its QueryBuilder"),
        ("new", "which creates a record"),
    ] {
        if let Some(field) = model.fields.iter().find(|field| field.name == name) {
            diagnostics.at(
                field.name.span(),
                format!(
                    "a field must not have the name of the model's function `{name}` ({purpose}): \
                     rename it, #[column(name = \"{name}\")] {name}_"
                ),
            );
        }
    }
}

/// Rejects columns whose name begins as those that statements add.
fn check_column_names(model: &Model, diagnostics: &mut Diagnostics) {
    let reserved = |field: &&ModelField| field.column().starts_with("__");
    for field in model.fields.iter().filter(reserved) {
        diagnostics.at(
            field.name.span(),
            "the name of a column must not begin with `__`: statements of Lookback add columns \
             with such names",
        );
    }
}

fn check_search(model: &Model, diagnostics: &mut Diagnostics) {
    for name in &model.search {
        match model
            .field(name)
            .filter(|field| field.role == ColumnRole::Plain)
        {
            None => diagnostics.at(
                name.span(),
                format!(
                    "unknown field, expected one of: {}",
                    plain_field_names(model).join(", ")
                ),
            ),
            Some(field) if field.hidden => diagnostics.at(
                name.span(),
                "a search field must not be hidden: a search would show its value",
            ),
            Some(field) if field.is_generated() || field.is_opaque() => diagnostics.at(
                name.span(),
                "a search field must not be filled by the database, which does so after the \
                 embedding is computed",
            ),
            Some(_) => {}
        }
    }
}

/// Checks a model that is for migrations only, without queries and inserts.
fn check_schema_only(model: &Model, diagnostics: &mut Diagnostics) {
    for name in &model.search {
        diagnostics.at(
            name.span(),
            "a schema_only model cannot be searched: remove `search`",
        );
    }
    for (_, problem) in model.problems() {
        diagnostics.at(
            problem.field.span(),
            "a schema_only model stores no rows that could be rejected: remove `problem`",
        );
    }
    for field in &model.fields {
        for name in &field.options.given {
            let instead = match name.to_string().as_str() {
                "default" => "write sql_default = \"…\"",
                "not_blank" | "email" | "max_bytes" | "range" => "write a CHECK constraint",
                "ignore_key_case" => "remove it",
                _ => continue,
            };
            diagnostics.at(
                name.span(),
                format!("a schema_only model neither checks nor fills values: {instead}"),
            );
        }
        if field.hidden {
            diagnostics.at(
                field.name.span(),
                "a schema_only model reads no values that could be hidden: remove `Hidden`",
            );
        }
    }
}

fn check_field(model: &Model, field: &ModelField, diagnostics: &mut Diagnostics) {
    let options = &field.options;
    if field.role != ColumnRole::Plain {
        for name in options.given.iter().filter(|name| *name != "comment") {
            diagnostics.at(
                name.span(),
                format!(
                    "`{}` is a common column, expected no attribute other than `comment`",
                    field.name
                ),
            );
        }
        return;
    }
    let opaque = field.is_opaque();
    match &options.data_type {
        None if opaque => diagnostics.at(
            field.value.span(),
            "an opaque column must have a type: #[column(type = \"tsvector\")]",
        ),
        Some(data_type)
            if !model.is_schema_only() && !opaque && wire_type(&data_type.value).is_none() =>
        {
            diagnostics.at(
                data_type.literal.span(),
                format!(
                    "cannot read or write the type `{}`: make the field Opaque or \
                     Option<Opaque>, or the model schema_only",
                    data_type.value
                ),
            );
        }
        _ => {}
    }
    if let Some((name, fill)) = &options.fill {
        if options.default.is_some() && !matches!(fill, Fill::Default(_)) {
            diagnostics.at(
                name.span(),
                "a column that the database fills must not have `default`",
            );
        }
        let counts = matches!(
            fill,
            Fill::IdentityAlways | Fill::IdentityByDefault | Fill::Serial
        );
        if counts && field.nullable {
            diagnostics.at(
                field.value.span(),
                format!("a column with `{name}` must not be nullable: remove `Option`"),
            );
        }
    }
    if model.is_schema_only() {
        return;
    }
    if opaque && !field.nullable && !field.is_filled() {
        diagnostics.at(
            field.value.span(),
            "a column must have a source of values: make it Option<Opaque>, or have the database \
             fill it (sql_default, stored, virtual, identity or serial)",
        );
    }
    if opaque && field.hidden {
        diagnostics.at(
            field.name.span(),
            "an opaque column is never read: remove `Hidden`",
        );
    }
    if opaque || field.is_generated() {
        for name in &options.given {
            if ["not_blank", "email", "max_bytes", "range", "default"]
                .iter()
                .any(|checks| name == checks)
            {
                diagnostics.at(
                    name.span(),
                    format!(
                        "`{name}` must be on a column that Lookback writes, and it does not write \
                         this one"
                    ),
                );
            }
        }
    }
}

/// Returns the variant of `ColumnType` with the same binary encoding, if there is one.
pub(crate) fn wire_type(ty: &DataType) -> Option<String> {
    let variant = element_wire_type(ty)?;
    if !ty.array {
        return Some(variant);
    }
    // PostgreSQL reads the binary form of an array only with elements of the same type.
    let is_same = variant != "Text" || ty.name.name == "text";
    let is_element = is_same && variant != "Jsonb" && !variant.contains('(');
    is_element.then(|| format!("Array(&::lookback::value::ColumnType::{variant})"))
}

fn element_wire_type(ty: &DataType) -> Option<String> {
    let variant = match ty.name.name.as_str() {
        // An extension's type may be in any schema; built-in types have none.
        "citext" => "Text",
        "vector" | "halfvec" => {
            let dimensions: u16 = ty.modifiers.as_ref()?.trim().parse().ok()?;
            let variant = match ty.name.name.as_str() {
                "vector" => "Vector",
                _ => "HalfVector",
            };
            return Some(format!("{variant}({dimensions})"));
        }
        _ if ty.name.schema.is_some() => return None,
        "text" | "character varying" | "character" => "Text",
        "boolean" => "Bool",
        "smallint" => "Int2",
        "integer" => "Int4",
        "bigint" => "Int8",
        "real" => "Float4",
        "double precision" => "Float8",
        "numeric" => "Numeric",
        "uuid" => "Uuid",
        "date" => "Date",
        "time without time zone" => "Time",
        "timestamp without time zone" => "Timestamp",
        "timestamp with time zone" => "Timestamptz",
        "interval" => "Interval",
        "inet" => "Inet",
        "cidr" => "Cidr",
        "jsonb" => "Jsonb",
        "bytea" => "Bytea",
        _ => return None,
    };
    Some(variant.to_owned())
}

fn check_names(model: &Model, diagnostics: &mut Diagnostics) {
    let options = &model.options;
    // A check constraint may have the name of an index. An index, a key (which has an index, too)
    // and a partition need different names.
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
        diagnostics.at(
            name.span(),
            format!(
                "duplicate name `{}` of a constraint, index or partition",
                name.value()
            ),
        );
    }
    if let (Some(open), None) = (&options.open_partitions, &options.partition_by) {
        diagnostics.at(
            open.span(),
            "a table with partitions must have `partition_by`, such as partition_by = \"RANGE (id)\"",
        );
    }
    check_partitions(&options.partition_by, &options.partitions, diagnostics);
    check_sealed(model, diagnostics);
    check_rollup(model, diagnostics);
}

/// Checks that a sealed model has search fields, and no unique key other than `id`.
///
/// An upsert by another key would change text without unsealing its summary.
fn check_sealed(model: &Model, diagnostics: &mut Diagnostics) {
    let options = &model.options;
    let Some(sealed) = &options.sealed else {
        return;
    };
    if model.search.is_empty() {
        diagnostics.at(
            sealed.span(),
            "a sealed model must have search fields: search(message)",
        );
    }
    let keys = options.constraints.iter().filter_map(|named| {
        matches!(named.definition.value, Constraint::Unique(_)).then_some(&named.name)
    });
    let indexes = options.indexes.iter();
    let indexes = indexes.filter_map(|named| named.definition.value.unique.then_some(&named.name));
    for name in keys.chain(indexes) {
        diagnostics.at(
            name.span(),
            "a sealed model must not have a unique key other than `id`: remove this key, or `sealed`",
        );
    }
}

/// Checks that a roll-up is of a sealed model, and of visible fields that filters can name.
fn check_rollup(model: &Model, diagnostics: &mut Diagnostics) {
    let Some(Rollup { time, places }) = &model.options.rollup else {
        return;
    };
    if let Some(name) = places.iter().map(|place| &place.field).chain(time).next()
        && model.options.sealed.is_none()
    {
        diagnostics.at(
            name.span(),
            "a model with `rollup` must be `sealed`: roll-ups are made of sealed records",
        );
        return;
    }
    for (index, place) in places.iter().enumerate() {
        let mut others = places[..index].iter();
        if others.any(|other| other.contains(place) || place.contains(other)) {
            diagnostics.at(place.field.span(), "the field is given twice");
        }
        check_rollup_field(model, &place.field, diagnostics);
    }
    if let Some(time) = time {
        check_rollup_field(model, time, diagnostics);
    }
}

fn check_rollup_field(model: &Model, name: &Ident, diagnostics: &mut Diagnostics) {
    match model
        .field(name)
        .filter(|field| matches!(field.role, ColumnRole::Plain))
    {
        None => diagnostics.at(
            name.span(),
            format!(
                "unknown field, expected one of: {}",
                plain_field_names(model).join(", ")
            ),
        ),
        Some(field) if field.hidden || field.is_opaque() => diagnostics.at(
            name.span(),
            "a field of a roll-up must be visible text, a whole number or a boolean",
        ),
        Some(_) => {}
    }
}

fn check_partitions(
    partition_by: &Option<crate::diagnostics::Sql<PartitionBy>>,
    partitions: &[Partition],
    diagnostics: &mut Diagnostics,
) {
    if let (None, Some(partition)) = (partition_by, partitions.first()) {
        diagnostics.at(
            partition.name.span(),
            "a table with partitions must have `partition_by`, such as partition_by = \"RANGE (id)\"",
        );
    }
    for partition in partitions {
        check_partitions(&partition.partition_by, &partition.partitions, diagnostics);
    }
}

/// Checks that definitions refer only to columns of the model.
fn check_definitions(model: &Model, columns: &BTreeSet<String>, diagnostics: &mut Diagnostics) {
    let mut checker = DefinitionChecker {
        table: model.table.value(),
        columns,
        column_list: model.fields.iter().map(ModelField::column).collect(),
        diagnostics,
    };
    let options = &model.options;
    let mut primary = None;
    for constraint in &options.constraints {
        let span = constraint.definition.literal.span();
        checker.check_constraint(span, &constraint.definition.value);
        if matches!(constraint.definition.value, Constraint::PrimaryKey(_))
            && primary.replace(span).is_some()
        {
            checker.diagnostics.at(span, "duplicate primary key");
        }
    }
    for index in &options.indexes {
        checker.check_index(index.definition.literal.span(), &index.definition.value);
    }
    if let Some(partition_by) = &options.partition_by {
        checker.check_partition_by(partition_by.literal.span(), &partition_by.value);
    }
    checker.check_partitions(&options.partitions);
    for field in &model.fields {
        if let Some((_, Fill::Stored(sql) | Fill::Virtual(sql))) = &field.options.fill {
            checker.check_expression(sql.literal.span(), &sql.value);
        }
    }
}

/// Columns of every table (PostgreSQL manual, 5.6 "System Columns").
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

struct DefinitionChecker<'a> {
    table: String,
    columns: &'a BTreeSet<String>,
    column_list: Vec<String>,
    diagnostics: &'a mut Diagnostics,
}

impl DefinitionChecker<'_> {
    fn check_constraint(&mut self, span: Span, constraint: &Constraint) {
        match constraint {
            Constraint::PrimaryKey(key) | Constraint::Unique(key) => {
                self.check_columns(span, &key.columns);
                self.check_columns(span, &key.include);
            }
            Constraint::Check { expression, .. } => self.check_expression(span, expression),
            Constraint::ForeignKey(key) => {
                self.check_columns(span, &key.columns);
                self.check_columns(span, &key.set_columns);
            }
            Constraint::Exclude(exclusion) => {
                for (key, _) in &exclusion.elements {
                    self.check_expression(span, &key.expression);
                }
                self.check_columns(span, &exclusion.include);
                if let Some(predicate) = &exclusion.predicate {
                    self.check_expression(span, predicate);
                }
            }
        }
    }

    fn check_index(&mut self, span: Span, index: &Index) {
        for key in &index.keys {
            self.check_expression(span, &key.expression);
        }
        self.check_columns(span, &index.include);
        if let Some(predicate) = &index.predicate {
            self.check_expression(span, predicate);
        }
    }

    fn check_partition_by(&mut self, span: Span, partition_by: &PartitionBy) {
        for key in &partition_by.keys {
            self.check_expression(span, &key.expression);
        }
    }

    fn check_partitions(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(partition_by) = &partition.partition_by {
                self.check_partition_by(partition_by.literal.span(), &partition_by.value);
            }
            self.check_partitions(&partition.partitions);
        }
    }

    fn check_expression(&mut self, span: Span, expression: &Expression) {
        // The name of the table denotes the whole row.
        let mut columns = expression.plain_columns();
        columns.retain(|name| *name != self.table && !SYSTEM_COLUMNS.contains(&name.as_str()));
        self.check_columns(span, &columns);
    }

    fn check_columns(&mut self, span: Span, names: &[String]) {
        for name in names.iter().filter(|name| !self.columns.contains(*name)) {
            self.diagnostics.at(
                span,
                format!(
                    "unknown column `{name}`, expected one of: {}",
                    self.column_list.join(", ")
                ),
            );
        }
    }
}

/// Returns the names of all fields but the common columns.
fn plain_field_names(model: &Model) -> Vec<String> {
    let plain = model
        .fields
        .iter()
        .filter(|field| common_type(&field.name).is_none());
    plain.map(|field| field.name.to_string()).collect()
}
