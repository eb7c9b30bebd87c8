//! A round-trip test: code from `lookback::migrate::rust_code` describes the original schema.
//!
//! It covers random schemas, without compiling the code.

use std::collections::BTreeMap;

use lookback::migrate::rust_code;
use lookback_schema::{Column, Constraint, DataType, Expression, Fill, Name, Schema, Table};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use quote::ToTokens as _;
use syn::{Attribute, Expr, Item, ItemStruct, Lit, Type};
use testkit::schemas::{GeneratedSchema, schema};

use super::definition::primary_key_name;
use super::field::{self, ColumnRole, ModelField};
use super::input::Model;
use super::options::{Options, Partition};

#[test]
fn generated_code_describes_the_same_schema() {
    let config = Config {
        source_file: Some(file!()),
        ..Config::default()
    };
    let strategy = (schema(true), any::<bool>());
    let result = TestRunner::new(config).run(&strategy, |(GeneratedSchema(drawn), full)| {
        let schema = if full {
            with_common_columns(drawn)
        } else {
            drawn
        };
        let code = rust_code(&schema);
        prop_assert_eq!(&code.notes, &Vec::<String>::new());
        let read = parse_code(&code.text)
            .and_then(|read| read.completed().map_err(|errors| format!("{errors:?}")))
            .map_err(|error| TestCaseError::fail(format!("{error}\n{}", code.text)))?;
        prop_assert_eq!(&read.enums, &schema.enums, "{}", &code.text);
        prop_assert_eq!(&read.extensions, &schema.extensions, "{}", &code.text);
        prop_assert_eq!(&read.schemas, &schema.schemas, "{}", &code.text);
        for (name, table) in &schema.tables {
            prop_assert_eq!(read.tables.get(name), Some(table), "{}", &code.text);
        }
        prop_assert_eq!(read.tables.len(), schema.tables.len());
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// Adds the common columns to the tables of a schema, unless they conflict with a key.
fn with_common_columns(drawn: Schema) -> Schema {
    let mut schema = drawn.clone();
    let times = "timestamptz";
    let columns = [
        ("id", "bigint", Fill::IdentityAlways),
        ("created_at", times, Fill::Default("now()".parse().unwrap())),
        ("updated_at", times, Fill::Default("now()".parse().unwrap())),
        ("deleted_at", times, Fill::None),
        ("embedding", "vector(16)", Fill::None),
    ];
    for (name, table) in &mut schema.tables {
        let taken = columns
            .iter()
            .any(|(common, ..)| table.column(common).is_some());
        let key = primary_key_name(&name.name);
        if taken || table.primary_key().is_some() || table.constraints.contains_key(&key) {
            continue;
        }
        if table.partition_by.is_some() || table.indexes.contains_key(&key) {
            continue;
        }
        for (column, ty, fill) in &columns {
            table.columns.push(Column {
                not_null: *fill != Fill::None,
                fill: fill.clone(),
                ..Column::new(*column, ty.parse().unwrap())
            });
        }
        // Lookback does not write opaque columns: they need a default or must be nullable.
        for column in &mut table.columns {
            column.not_null &= column.fill != Fill::None;
        }
        let primary = "PRIMARY KEY (id)".parse().unwrap();
        table.constraints.insert(key, primary);
    }
    // Table names of 63 bytes may lead to keys with the same name.
    schema.completed().unwrap_or(drawn)
}

/// An enum of the generated code: its database name, variants and labels.
struct EnumDefinition {
    name: Name,
    labels: Vec<(String, String)>,
}

type Enums = BTreeMap<String, EnumDefinition>;

fn parse_code(code: &str) -> Result<Schema, String> {
    let file = syn::parse_file(code).map_err(|error| error.to_string())?;
    let mut enums = Enums::new();
    let mut structs = BTreeMap::new();
    for item in &file.items {
        match item {
            Item::Enum(item) => {
                let tokens = item.to_token_stream();
                crate::column_enum::expand(tokens.clone()).map_err(|error| error.to_string())?;
                let (name, labels) = crate::column_enum::parse_definition(tokens);
                let name = name.ok_or("an enum without a type")?;
                let name = name.parse().map_err(|error| format!("{error}"))?;
                enums.insert(item.ident.to_string(), EnumDefinition { name, labels });
            }
            Item::Struct(item) => {
                structs.insert(item.ident.to_string(), item.clone());
            }
            _ => {}
        }
    }
    let mut schema = Schema::default();
    for BuilderCall { method, ty, text } in calls(&file)? {
        match (method.as_str(), ty, text) {
            ("extension", _, Some(name)) => drop(schema.extensions.insert(name)),
            ("schema", _, Some(name)) => drop(schema.schemas.insert(name)),
            ("enum_type", Some(ty), _) => insert_enum(&enums[&ty], &mut schema),
            ("model", Some(ty), _) => {
                let item = structs.remove(&ty).ok_or(format!("duplicate model {ty}"))?;
                let (name, table) = table(item, &enums, &mut schema)?;
                schema.tables.insert(name, table);
            }
            (other, ..) => return Err(format!("models() calls {other}")),
        }
    }
    match structs.keys().next() {
        Some(left) => Err(format!("models() has no {left}")),
        None => Ok(schema),
    }
}

fn insert_enum(found: &EnumDefinition, schema: &mut Schema) {
    let labels = found.labels.iter().map(|(_, label)| label.clone());
    schema.enums.insert(found.name.clone(), labels.collect());
}

/// A method call in `fn models`, with its type or its text.
struct BuilderCall {
    method: String,
    ty: Option<String>,
    text: Option<String>,
}

fn calls(file: &syn::File) -> Result<Vec<BuilderCall>, String> {
    let function = file.items.iter().find_map(|item| match item {
        Item::Fn(function) if function.sig.ident == "models" => Some(function),
        _ => None,
    });
    let function = function.ok_or("missing fn models")?;
    let Some(syn::Stmt::Expr(mut expr, None)) = function.block.stmts.first().cloned() else {
        return Err("fn models is not one expression".to_owned());
    };
    let mut calls = Vec::new();
    while let Expr::MethodCall(call) = expr {
        let ty = call
            .turbofish
            .as_ref()
            .map(|t| t.args.to_token_stream().to_string());
        let text = call.args.first().and_then(text);
        let method = call.method.to_string();
        calls.push(BuilderCall { method, ty, text });
        expr = *call.receiver;
    }
    calls.reverse();
    Ok(calls)
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(lit) => match &lit.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

fn table(
    mut item: ItemStruct,
    enums: &Enums,
    schema: &mut Schema,
) -> Result<(Name, Table), String> {
    let is_model = |attribute: &Attribute| attribute.path().is_ident("model");
    let attribute = item.attrs.iter().find(|a| is_model(a)).cloned();
    let attribute = attribute.ok_or("a struct without #[model]")?;
    item.attrs.retain(|attribute| !is_model(attribute));
    let tokens = attribute
        .meta
        .require_list()
        .map_err(|error| error.to_string())?;
    let model = Model::parse(tokens.tokens.clone(), item.to_token_stream()).map_err(|error| {
        let all: Vec<String> = error.into_iter().map(|error| error.to_string()).collect();
        format!("{}: {}", item.ident, all.join("; "))
    })?;
    let options = &model.options;
    let value = |literal: &syn::LitStr| literal.value();
    let name = Name::within(options.schema.as_ref().map(value), model.table.value());
    let mut table = Table {
        comment: options.comment.as_ref().map(value),
        open_partitions: options.open_partitions.is_some(),
        partition_by: options.partition_by.as_ref().map(|sql| sql.value.clone()),
        partitions: partitions(&name, &options.partitions),
        ..Table::default()
    };
    constraints(&mut table, options);
    if !model.is_schema_only() && table.primary_key().is_none() {
        let key = Constraint::PrimaryKey(lookback_schema::Key {
            columns: vec!["id".to_owned()],
            ..Default::default()
        });
        table.constraints.insert(primary_key_name(&name.name), key);
    }
    for field in &model.fields {
        table.columns.push(column(field, enums, schema)?);
    }
    Ok((name, table))
}

fn constraints(table: &mut Table, options: &Options) {
    for named in &options.constraints {
        let constraint = named.definition.value.clone();
        table.constraints.insert(named.name.value(), constraint);
    }
    for named in &options.indexes {
        let index = named.definition.value.clone();
        table.indexes.insert(named.name.value(), index);
    }
}

fn partitions(
    table: &Name,
    partitions: &[Partition],
) -> BTreeMap<Name, lookback_schema::Partition> {
    let of = |partition: &Partition| {
        let name = named(Some(table), &partition.name.value());
        let found = lookback_schema::Partition {
            bound: partition.bound.value(),
            partition_by: partition.partition_by.as_ref().map(|sql| sql.value.clone()),
            partitions: self::partitions(table, &partition.partitions),
        };
        (name, found)
    };
    partitions.iter().map(of).collect()
}

/// Parses a name as `Models` does: as SQL if it has quotes, otherwise literally.
fn named(beside: Option<&Name>, text: &str) -> Name {
    if text.contains('"') {
        text.parse().unwrap()
    } else {
        beside.map_or_else(|| Name::new(text), |table| table.beside(text))
    }
}

fn column(field: &ModelField, enums: &Enums, schema: &mut Schema) -> Result<Column, String> {
    let options = &field.options;
    let rust = field.value.to_token_stream().to_string().replace(' ', "");
    let data_type = match (&options.data_type, enums.get(&rust)) {
        (Some(given), _) => given.value.clone(),
        (None, Some(found)) => {
            insert_enum(found, schema);
            DataType {
                array: field.array,
                ..DataType::named(found.name.clone())
            }
        }
        (None, None) => {
            let ty = sql_type(&rust)?;
            DataType {
                array: field.array || ty.array,
                ..ty
            }
        }
    };
    let now = || "now()".parse().unwrap();
    let fill = match (field.role, &options.fill, &options.default) {
        (ColumnRole::Id, ..) => Fill::IdentityAlways,
        (ColumnRole::CreatedAt | ColumnRole::UpdatedAt, ..) => Fill::Default(now()),
        (ColumnRole::DeletedAt | ColumnRole::Embedding, ..) => Fill::None,
        (_, Some((_, fill)), _) => match fill {
            field::Fill::Default(sql) => Fill::Default(sql.value.clone()),
            field::Fill::Stored(sql) => Fill::Stored(sql.value.clone()),
            field::Fill::Virtual(sql) => Fill::Virtual(sql.value.clone()),
            field::Fill::IdentityAlways => Fill::IdentityAlways,
            field::Fill::IdentityByDefault => Fill::IdentityByDefault,
            field::Fill::Serial => Fill::Serial,
        },
        (_, None, Some(default)) => Fill::Default(value(default, &field.value, enums)?),
        (_, None, None) => Fill::None,
    };
    let collation = options
        .collate
        .as_ref()
        .map(|name| named(None, &name.value()));
    Ok(Column {
        not_null: !field.nullable,
        fill,
        collation,
        comment: options.comment.as_ref().map(syn::LitStr::value),
        ..Column::new(field.column(), data_type)
    })
}

fn sql_type(rust: &str) -> Result<DataType, String> {
    if let Some(element) = rust.strip_prefix("Vec<").and_then(|r| r.strip_suffix('>')) {
        return Ok(DataType {
            array: true,
            ..sql_type(element)?
        });
    }
    for (vector, sql) in [("Vector<", "vector"), ("HalfVector<", "halfvec")] {
        if let Some(dimensions) = rust.strip_prefix(vector).and_then(|r| r.strip_suffix('>')) {
            return Ok(format!("{sql}({dimensions})").parse().unwrap());
        }
    }
    let sql = match rust {
        "bool" => "boolean",
        "i16" => "smallint",
        "i32" => "integer",
        "i64" => "bigint",
        "f32" => "real",
        "f64" => "double precision",
        "Decimal" => "numeric",
        "Uuid" => "uuid",
        "NaiveDate" => "date",
        "NaiveTime" => "time",
        "NaiveDateTime" => "timestamp",
        "PgInterval" => "interval",
        "Inet" => "inet",
        "Cidr" => "cidr",
        "String" => "text",
        "DateTime<Utc>" => "timestamptz",
        "Json" => "jsonb",
        "Bytes" => "bytea",
        "Embedding" => "vector(16)",
        other => return Err(format!("no column is of the type {other}")),
    };
    Ok(sql.parse().unwrap())
}

/// Converts the value of a default to SQL.
fn value(default: &Expr, ty: &Type, enums: &Enums) -> Result<Expression, String> {
    let rust = ty.to_token_stream().to_string();
    let sql = match default {
        Expr::MethodCall(call) if call.method == "to_owned" => {
            text(&call.receiver).map(|text| lookback_schema::literal(&text))
        }
        Expr::Path(path) => {
            let variant = path.path.segments.last().map(|s| s.ident.to_string());
            let labels = enums.get(&rust).map(|found| found.labels.as_slice());
            let labels = labels.unwrap_or_default().iter();
            labels
                .clone()
                .find(|(known, _)| Some(known) == variant.as_ref())
                .map(|(_, label)| lookback_schema::literal(label))
        }
        number => {
            let written = number.to_token_stream().to_string().replace("- ", "-");
            // `Models` formats the number 1.0 as 1.
            match written.parse::<f64>() {
                Ok(number) if written.contains('.') => Some(number.to_string()),
                _ => Some(written),
            }
        }
    };
    let sql = sql.ok_or("a default of another form")?;
    Expression::new(sql).map_err(|error| error.to_string())
}
