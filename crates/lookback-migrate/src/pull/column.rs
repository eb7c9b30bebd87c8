//! Converts columns to fields.

use lookback_schema::{Column, DataType, Expression, Fill, Name, literal};

use super::enums::Types;
use super::table::in_quotes;
use super::text::{Item, attribute, by_hand, string};

/// A column as a field of a model.
pub(super) struct Field {
    name: String,
    pub(super) ty: String,
    items: Vec<Item>,
    /// The enum that its type names.
    pub(super) enumeration: Option<Name>,
}

impl Field {
    /// Creates the field of a full model or of a `schema_only` one.
    pub(super) fn new(column: &Column, name: String, full: bool, types: &Types) -> Self {
        let mut items = Vec::new();
        if name.trim_start_matches("r#") != column.name {
            items.push(Item::text("name", &column.name));
        }
        let value = rust_type(&column.data_type, full, types);
        if !value.tells_type {
            items.push(Item::text("type", &short(&column.data_type)));
        }
        items.extend(fill(column, &value, full, types));
        if let Some(collation) = &column.collation {
            items.push(Item::text("collate", &as_given(collation)));
        }
        items.extend(comment(column));
        let mut ty = if column.not_null {
            value.rust
        } else {
            format!("Option<{}>", value.rust)
        };
        if full && column.data_type == types.embedding {
            // Vectors are hidden in debug output, like the common column
            // `embedding`.
            ty = format!("Hidden<{ty}>");
        }
        let enumeration = value.enumeration;
        Self {
            name,
            ty,
            items,
            enumeration,
        }
    }

    /// Creates a common column of a model, whose type and default are known.
    pub(super) fn common(column: &Column, ty: &str) -> Self {
        Self {
            name: column.name.clone(),
            ty: ty.to_owned(),
            items: comment(column).into_iter().collect(),
            enumeration: None,
        }
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.items.is_empty() {
            f.write_str(&attribute("column", &self.items, 4))?;
        }
        writeln!(f, "    pub {}: {},", self.name, self.ty)
    }
}

/// The Rust type of a value that is not null.
struct RustType {
    rust: String,
    /// Whether the Rust type alone determines the type of the column.
    tells_type: bool,
    enumeration: Option<Name>,
}

const OPAQUE: &str = "Opaque";

/// Whether a full model cannot read or write a column of this type.
pub(super) fn is_opaque(ty: &DataType, types: &Types) -> bool {
    rust_type(ty, true, types).rust == OPAQUE
}

fn rust_type(ty: &DataType, full: bool, types: &Types) -> RustType {
    let element = DataType {
        array: false,
        ..ty.clone()
    };
    let found = if ty.array && full && !is_array_element(&element) {
        None
    } else {
        value_type(&element, types)
    };
    let Some(found) = found else {
        return RustType {
            rust: OPAQUE.to_owned(),
            tells_type: false,
            enumeration: None,
        };
    };
    if ty.array {
        RustType {
            rust: format!("Vec<{}>", found.rust),
            ..found
        }
    } else {
        found
    }
}

/// Whether a full model supports arrays of this type: it implements
/// `ArrayElement`, and no element is null.
fn is_array_element(ty: &DataType) -> bool {
    let name = ty.name.name.as_str();
    ty.name.schema.is_none()
        && matches!(
            name,
            "boolean"
                | "smallint"
                | "integer"
                | "bigint"
                | "real"
                | "double precision"
                | "numeric"
                | "text"
                | "uuid"
                | "date"
                | "time without time zone"
                | "timestamp without time zone"
                | "timestamp with time zone"
                | "interval"
                | "inet"
                | "cidr"
                | "bytea"
        )
}

fn value_type(ty: &DataType, types: &Types) -> Option<RustType> {
    if let Some(found) = types.enums.get(&ty.name)
        && ty.modifiers.is_none()
    {
        return Some(RustType {
            rust: found.rust.clone(),
            tells_type: true,
            enumeration: Some(ty.name.clone()),
        });
    }
    let plain = ty.name.schema.is_none();
    let has_no_modifiers = ty.modifiers.is_none();
    if let Some(rust) = vector_type(ty)
        && *ty != types.embedding
    {
        return Some(RustType {
            rust,
            tells_type: plain,
            enumeration: None,
        });
    }
    let (rust, tells_type) = match ty.name.name.as_str() {
        // An extension may be in any schema.
        "citext" => ("String", false),
        _ if *ty == types.embedding => ("Embedding", true),
        _ if !plain => return None,
        "boolean" => ("bool", true),
        "smallint" => ("i16", true),
        "integer" => ("i32", true),
        "bigint" => ("i64", true),
        "real" => ("f32", true),
        "double precision" => ("f64", true),
        "numeric" => ("Decimal", has_no_modifiers),
        "uuid" => ("Uuid", true),
        "date" => ("NaiveDate", true),
        "time without time zone" => ("NaiveTime", has_no_modifiers),
        "timestamp without time zone" => ("NaiveDateTime", has_no_modifiers),
        "interval" => ("PgInterval", has_no_modifiers),
        "inet" => ("Inet", true),
        "cidr" => ("Cidr", true),
        "text" => ("String", true),
        "character varying" | "character" => ("String", false),
        "timestamp with time zone" => ("DateTime<Utc>", has_no_modifiers),
        "jsonb" => ("Json", true),
        "bytea" => ("Bytes", true),
        _ => return None,
    };
    Some(RustType {
        rust: rust.to_owned(),
        tells_type,
        enumeration: None,
    })
}

/// The Rust type of a vector with dimensions: `Vector<3>` or `HalfVector<3>`.
fn vector_type(ty: &DataType) -> Option<String> {
    let rust = match ty.name.name.as_str() {
        "vector" => "Vector",
        "halfvec" => "HalfVector",
        _ => return None,
    };
    let dimensions: u16 = ty.modifiers.as_ref()?.trim().parse().ok()?;
    Some(format!("{rust}<{dimensions}>"))
}

/// A shorter spelling of the type that parses to the same type.
fn short(ty: &DataType) -> String {
    const SHORT: &[(&str, &str)] = &[
        ("character varying", "varchar"),
        ("character", "char"),
        ("bit varying", "varbit"),
        ("timestamp with time zone", "timestamptz"),
        ("timestamp without time zone", "timestamp"),
        ("time with time zone", "timetz"),
        ("time without time zone", "time"),
    ];
    let long = ty.to_string();
    let Some((_, name)) = SHORT.iter().find(|(name, _)| ty.name == Name::new(*name)) else {
        return long;
    };
    let modifiers = ty.modifiers.as_ref().map(|inside| format!("({inside})"));
    let array = if ty.array { "[]" } else { "" };
    let short = format!("{name}{}{array}", modifiers.unwrap_or_default());
    match short.parse() {
        Ok(read) if *ty == read => short,
        _ => long,
    }
}

fn fill(column: &Column, ty: &RustType, full: bool, types: &Types) -> Option<Item> {
    let sql = |name, expression: &Expression| {
        Some(Item::text(
            name,
            &by_hand::<Expression>(expression.as_str()),
        ))
    };
    match &column.fill {
        Fill::None => None,
        Fill::Default(default) => {
            let value = if full && !column.data_type.array {
                rust_default(default, &column.data_type, ty, types)
            } else {
                None
            };
            match value {
                Some(value) => Some(Item::Plain(format!("default = {value}"))),
                None => sql("sql_default", &without_cast(default, &column.data_type)),
            }
        }
        Fill::IdentityAlways => Some(Item::text("identity", "always")),
        Fill::IdentityByDefault => Some(Item::text("identity", "by default")),
        Fill::Serial => Some(Item::Plain("serial".to_owned())),
        Fill::Stored(expression) => sql("stored", expression),
        Fill::Virtual(expression) => sql("virtual", expression),
    }
}

/// Removes a redundant cast of a literal to the type of its column.
fn without_cast(default: &Expression, ty: &DataType) -> Expression {
    let element = |array| DataType {
        modifiers: None,
        array,
        ..ty.clone()
    };
    let text = default.as_str();
    let plain = [ty.clone(), element(ty.array)]
        .iter()
        .filter_map(|ty| text.strip_suffix(&format!("::{ty}")))
        .filter(|plain| plain.starts_with('\''))
        .find_map(|plain| Expression::new(plain).ok());
    match plain {
        Some(plain) if plain.is_same_default(default, ty) => plain,
        _ => default.clone(),
    }
}

/// The default as a Rust value, if the value gives the same default.
fn rust_default(
    default: &Expression,
    data_type: &DataType,
    ty: &RustType,
    types: &Types,
) -> Option<String> {
    let is = |sql: String| {
        let written = Expression::new(sql);
        written.is_ok_and(|written| written.is_same_default(default, data_type))
    };
    let text = default.as_str();
    if let Some(found) = ty
        .enumeration
        .as_ref()
        .and_then(|name| types.enums.get(name))
    {
        let labels = found.labels.iter().map(|(label, _)| label);
        let mut labels = labels.filter(|label| is(literal(label)));
        return found.variant(labels.next()?);
    }
    let number = text.trim_start_matches(['(', '\'']);
    let end = number.find(|c: char| !c.is_ascii_digit() && !"-+.eE".contains(c));
    let number = &number[..end.unwrap_or(number.len())];
    match ty.rust.as_str() {
        "bool" => [true, false]
            .into_iter()
            .find(|value| is(value.to_string()))
            .map(|value| value.to_string()),
        "i16" => {
            let number: i16 = number.parse().ok()?;
            is(number.to_string()).then(|| number.to_string())
        }
        "f32" => {
            let number: f32 = number.parse().ok()?;
            is(number.to_string()).then(|| format!("{number:?}"))
        }
        "i32" => {
            let number: i32 = number.parse().ok()?;
            is(number.to_string()).then(|| number.to_string())
        }
        "i64" => {
            let number: i64 = number.parse().ok()?;
            is(number.to_string()).then(|| number.to_string())
        }
        "f64" => {
            let number: f64 = number.parse().ok()?;
            is(number.to_string()).then(|| format!("{number:?}"))
        }
        "String" => {
            let inside = text.strip_prefix('\'')?;
            let end = inside.replace("''", "  ").find('\'')?;
            let value = inside[..end].replace("''", "'");
            is(literal(&value)).then(|| format!("{}.to_owned()", string(&value)))
        }
        _ => None,
    }
}

/// Formats the name of a collation, quoted if it has a schema or a quote.
fn as_given(name: &Name) -> String {
    if name.schema.is_none() && !name.name.contains('"') {
        name.name.clone()
    } else {
        in_quotes(name)
    }
}

fn comment(column: &Column) -> Option<Item> {
    column
        .comment
        .as_ref()
        .map(|text| Item::text("comment", text))
}
