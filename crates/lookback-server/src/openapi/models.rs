//! The schemas and filters of models, from their definitions.

use lookback::filter::{Lookup, ValueForm};
use lookback::table::{ColumnDef, ColumnRole};
use lookback::value::{ColumnType, JsonMap};
use lookback::{Json, Model, json};

use crate::parameters::time_schema;

/// The name of a model in the document: that of its type.
pub(crate) fn name<M: Model>() -> &'static str {
    let name = std::any::type_name::<M>();
    name.rsplit("::").next().unwrap_or(name)
}

/// A reference to the schema of a model's records.
pub(crate) fn record<M: Model>() -> Json {
    reference(name::<M>())
}

/// A record with more fields.
pub(crate) fn record_with<'a, M: Model>(more: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    let visible = M::TABLE
        .columns()
        .iter()
        .filter(|column| !column.is_hidden());
    let fields = visible.map(|column| (column.name(), nullable_if(column, value_schema(column))));
    object(fields.chain(more))
}

/// A reference to the schema of a record with the reasons why it was found.
pub(crate) fn hit<M: Model>() -> Json {
    reference(&format!("{}Hit", name::<M>()))
}

/// A reference to the schema of a new record.
pub(crate) fn new<M: Model>() -> Json {
    reference(&format!("New{}", name::<M>()))
}

/// A reference to the schema of a change.
pub(crate) fn patch<M: Model>() -> Json {
    reference(&format!("{}Patch", name::<M>()))
}

/// A reference to a schema of the document.
pub(crate) fn reference(name: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with exactly these fields.
pub(crate) fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    object_with(fields, [])
}

/// An object with these fields, and perhaps the others.
pub(crate) fn object_with<'a>(
    fields: impl IntoIterator<Item = (&'a str, Json)>,
    optional: impl IntoIterator<Item = (&'a str, Json)>,
) -> Json {
    let mut required = Vec::new();
    let mut properties = JsonMap::new();
    for (name, schema) in fields {
        required.push(Json::from(name));
        properties.insert(name.to_owned(), schema);
    }
    for (name, schema) in optional {
        properties.insert(name.to_owned(), schema);
    }
    json!({
        "type": "object",
        "required": required,
        "properties": Json::Object(properties),
        "additionalProperties": false,
    })
}

/// A list of a schema.
pub(crate) fn list(schema: Json) -> Json {
    json!({ "type": "array", "items": schema })
}

/// A schema, or null.
pub(crate) fn nullable(schema: Json) -> Json {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// Writes the schemas and the parameters of a model into a document.
pub(super) fn insert<M: Model>(schemas: &mut JsonMap, parameters: &mut JsonMap) {
    let columns = M::TABLE.columns();
    let read = || {
        let visible = columns.iter().filter(|column| !column.is_hidden());
        visible.map(|column| (column.name(), nullable_if(column, value_schema(column))))
    };
    schemas.insert(name::<M>().to_owned(), object(read()));
    let hit = read().chain([("hit", reference("Hit"))]);
    schemas.insert(format!("{}Hit", name::<M>()), object(hit));

    let is_set = |column: &&ColumnDef| {
        matches!(column.role(), ColumnRole::Plain | ColumnRole::CreatedAt) && !column.is_generated()
    };
    let written = |column: &ColumnDef| {
        (
            column.name(),
            nullable_if(column, with_limits(column, value_schema(column))),
        )
    };
    let is_required = |column: &&ColumnDef| {
        column.role() == ColumnRole::Plain && !column.is_nullable() && !column.has_default()
    };
    let required = columns.iter().filter(is_set).filter(is_required);
    let optional = columns.iter().filter(is_set);
    let optional = optional.filter(|column| !is_required(column));
    let new = object_with(required.map(written), optional.map(written));
    schemas.insert(format!("New{}", name::<M>()), new);
    let patched = columns.iter().filter(is_set);
    let patched = patched.filter(|column| column.role() == ColumnRole::Plain);
    let patch = object_with([], patched.map(written));
    schemas.insert(format!("{}Patch", name::<M>()), patch);

    for (component, parameter) in filters::<M>() {
        parameters.insert(component, parameter);
    }
}

/// References to the filters of a model.
pub(super) fn filter_references<M: Model>() -> Vec<Json> {
    let names = filters::<M>().into_iter();
    names
        .map(|(name, _)| json!({ "$ref": format!("#/components/parameters/{name}") }))
        .collect()
}

/// The filters of a model: every lookup of every field, groups, and words.
fn filters<M: Model>() -> Vec<(String, Json)> {
    let table = M::TABLE;
    let mut filters = Vec::new();
    let mut push = |name: &str, about: &str, schema: Json, is_list: bool| {
        let mut json = json!({ "name": name, "in": "query", "schema": schema });
        if let Json::Object(json) = &mut json {
            if !about.is_empty() {
                json.insert("description".to_owned(), about.into());
            }
            if is_list {
                json.insert("style".to_owned(), "form".into());
                json.insert("explode".to_owned(), false.into());
            }
        }
        filters.push((format!("{}.{name}", table.name()), json));
    };
    let text = || json!({ "type": "string" });
    for (group, about) in [
        ("and", "All of these: `(level=error,not(source=API))`."),
        ("or", "One of these: `(level=error,source=API)`."),
        ("not", "Not this one: `(level=debug)`."),
        (
            "match",
            "Records with all these words, \"phrases\", and nothing that is excluded by a `-`.",
        ),
    ] {
        push(group, about, text(), false);
    }
    for column in table
        .columns()
        .iter()
        .filter(|column| column.is_filterable())
    {
        let field = column.name();
        let value = text_schema(column);
        for lookup in Lookup::all()
            .iter()
            .filter(|lookup| lookup.supports(column))
        {
            for name in lookup.names() {
                let (schema, is_list) = match lookup.value_form() {
                    ValueForm::One => (value.clone(), false),
                    ValueForm::Flag => (json!({ "type": "boolean" }), false),
                    ValueForm::Range => {
                        let schema = json!({
                            "type": "array", "items": value.clone(), "minItems": 2, "maxItems": 2,
                        });
                        (schema, true)
                    }
                    _ => (list(value.clone()), true),
                };
                if name == "eq" {
                    push(field, "", schema.clone(), is_list);
                }
                push(&format!("{field}__{name}"), "", schema, is_list);
                if lookup.takes_field() {
                    let about = "The name of another field, with which the field is compared.";
                    if name == "eq" {
                        push(&format!("{field}__field"), about, text(), false);
                    }
                    push(&format!("{field}__{name}__field"), about, text(), false);
                }
            }
        }
    }
    filters
}

/// The schema of a value in text.
fn text_schema(column: &ColumnDef) -> Json {
    if !column.variants().is_empty() {
        return variants(column);
    }
    match column.column_type() {
        ColumnType::Bool => json!({ "type": "boolean" }),
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 if is_scaled(column) => {
            json!({ "type": "number" })
        }
        ColumnType::Int2 | ColumnType::Int4 | ColumnType::Int8 => json!({ "type": "integer" }),
        ColumnType::Float4 | ColumnType::Float8 | ColumnType::Numeric => {
            json!({ "type": "number" })
        }
        ColumnType::Timestamptz => time_schema(),
        ColumnType::Uuid => json!({ "type": "string", "format": "uuid" }),
        ColumnType::Date => json!({ "type": "string", "format": "date" }),
        _ => json!({ "type": "string" }),
    }
}

/// The schema of a value in JSON.
fn value_schema(column: &ColumnDef) -> Json {
    if !column.variants().is_empty() {
        return variants(column);
    }
    let mut schema = type_schema(column.column_type());
    if is_scaled(column) {
        schema = json!({ "type": "number" });
    }
    if let Some((least, most)) = column.range()
        && let Json::Object(schema) = &mut schema
    {
        // Nothing of a range is beyond the numbers, NaN neither.
        schema.remove("anyOf");
        let bound = |bound: i64| {
            if is_scaled(column) {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "the bounds of a share are small"
                )]
                let bound = bound as f64 * column.scale();
                Json::from(bound)
            } else {
                Json::from(bound)
            }
        };
        if !schema.contains_key("type") {
            schema.insert("type".to_owned(), "number".into());
        }
        schema.insert("minimum".to_owned(), bound(least));
        schema.insert("maximum".to_owned(), bound(most));
    }
    schema
}

fn type_schema(column_type: ColumnType) -> Json {
    match column_type {
        ColumnType::Bool => json!({ "type": "boolean" }),
        ColumnType::Int2 | ColumnType::Int4 => json!({ "type": "integer", "format": "int32" }),
        ColumnType::Int8 => json!({ "type": "integer", "format": "int64" }),
        ColumnType::Float4 | ColumnType::Float8 | ColumnType::Numeric => json!({
            "anyOf": [{ "type": "number" }, { "enum": ["NaN", "Infinity", "-Infinity"] }],
        }),
        ColumnType::Timestamptz => json!({
            "anyOf": [
                { "type": "string", "format": "date-time" },
                { "enum": ["infinity", "-infinity"] },
            ],
        }),
        ColumnType::Uuid => json!({ "type": "string", "format": "uuid" }),
        ColumnType::Date => json!({ "type": "string", "format": "date" }),
        ColumnType::Bytea => json!({ "type": "string", "contentEncoding": "base64" }),
        ColumnType::Jsonb => json!({ "description": "Any value of JSON." }),
        ColumnType::Vector(_) | ColumnType::HalfVector(_) => list(json!({ "type": "number" })),
        ColumnType::Array(element) => list(type_schema(*element)),
        _ => json!({ "type": "string" }),
    }
}

/// Adds what a value that is written must be.
fn with_limits(column: &ColumnDef, mut schema: Json) -> Json {
    if column.column_type() == ColumnType::Text
        && column.variants().is_empty()
        && let Json::Object(schema) = &mut schema
    {
        schema.insert("maxLength".to_owned(), (column.max_bytes() as u64).into());
        if column.is_not_blank() {
            schema.insert("pattern".to_owned(), "\\S".into());
        }
        if column.is_email() {
            schema.insert("format".to_owned(), "email".into());
        }
        if column.is_hidden() {
            schema.insert("writeOnly".to_owned(), true.into());
        }
    }
    schema
}

fn nullable_if(column: &ColumnDef, schema: Json) -> Json {
    if column.is_nullable() {
        nullable(schema)
    } else {
        schema
    }
}

fn variants(column: &ColumnDef) -> Json {
    let variants = column.variants().iter().copied().map(Json::from);
    json!({ "enum": variants.collect::<Vec<Json>>() })
}

/// Whether a whole number as stored is a fraction in JSON.
fn is_scaled(column: &ColumnDef) -> bool {
    (column.scale() - 1.0).abs() > f64::EPSILON
}
