//! Converts tables to structs.

use std::collections::BTreeMap;
use std::fmt;

use lookback_schema::{
    Column, Constraint, DataType, Expression, Fill, Index, MAX_NAME_BYTES, Name, Partition,
    PartitionBy, Table, quoted,
};

use super::column::{Field, is_opaque};
use super::enums::Types;
use super::names::fields;
use super::text::{self, Item, attribute, by_hand};

/// The kind of model for a table.
pub(super) enum ModelKind {
    /// A model with records that can be read and written.
    Full,
    /// A model for migrations only; with a reason if it has the common columns.
    SchemaOnly(Option<String>),
}

impl ModelKind {
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Full)
    }
}

/// The common columns of a model, with their Rust types.
const COMMON: [(&str, &str); 5] = [
    ("id", "i64"),
    ("created_at", "DateTime<Utc>"),
    ("updated_at", "DateTime<Utc>"),
    ("deleted_at", "Hidden<Option<DateTime<Utc>>>"),
    ("embedding", "Hidden<Option<Embedding>>"),
];

/// Field names that a full model cannot have: generated functions have these names, or generated
/// code uses them.
const MADE: [&str; 4] = ["new", "records", "__input", "__record"];

/// Formats a table name for an attribute. It is quoted if it would otherwise be parsed as a schema
/// and a name, or as a quoted name.
fn table_name(name: &str) -> String {
    let plain = |part: &str| quoted(part) == part;
    let dotted = name.split_once('.');
    let dotted = dotted.is_some_and(|(schema, table)| plain(schema) && plain(table));
    if dotted || (name.starts_with('"') && name.ends_with('"')) {
        in_quotes(&Name::new(name))
    } else {
        name.to_owned()
    }
}

/// The kind of model for a table.
pub(super) fn kind(table: &Table, types: &Types) -> ModelKind {
    if COMMON.iter().any(|(name, _)| table.column(name).is_none()) {
        return ModelKind::SchemaOnly(None);
    }
    for column in &table.columns {
        match common(column, types) {
            Some(wanted) if wanted != *column => {
                return ModelKind::SchemaOnly(Some(format!(
                    "its column {} differs from the one that every model with queries needs",
                    column.name
                )));
            }
            None if needs_value(column, types) => {
                return ModelKind::SchemaOnly(Some(format!(
                    "Lookback cannot write a {}, and the column {} has no default",
                    column.data_type, column.name
                )));
            }
            _ => {}
        }
    }
    let key = table.primary_key().map(|(_, key)| key.columns.as_slice());
    if key != Some(&["id".to_owned()]) {
        return ModelKind::SchemaOnly(Some("its primary key is not (id)".to_owned()));
    }
    ModelKind::Full
}

/// A common column as a model defines it, with the comment of `column`.
fn common(column: &Column, types: &Types) -> Option<Column> {
    let (ty, fill) = match column.name.as_str() {
        "id" => (DataType::named("bigint"), Fill::IdentityAlways),
        "created_at" | "updated_at" => {
            let now = Expression::new("now()").ok()?;
            (
                DataType::named("timestamp with time zone"),
                Fill::Default(now),
            )
        }
        "deleted_at" => (DataType::named("timestamp with time zone"), Fill::None),
        "embedding" => (types.embedding.clone(), Fill::None),
        _ => return None,
    };
    Some(Column {
        not_null: fill != Fill::None,
        fill,
        comment: column.comment.clone(),
        ..Column::new(&column.name, ty)
    })
}

fn needs_value(column: &Column, types: &Types) -> bool {
    column.not_null && column.fill == Fill::None && is_opaque(&column.data_type, types)
}

/// A table as a struct; its `Display` writes the code.
pub(super) struct Model<'a> {
    pub(super) name: &'a Name,
    pub(super) table: &'a Table,
    /// The name of the struct.
    pub(super) rust: String,
    kind: ModelKind,
    fields: Vec<Field>,
}

impl<'a> Model<'a> {
    pub(super) fn new(
        name: &'a Name,
        table: &'a Table,
        kind: ModelKind,
        rust: String,
        types: &Types,
    ) -> Self {
        let full = kind.is_full();
        let columns: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let names = fields(&columns, if full { &MADE } else { &[] });
        let field = |(column, name): (&Column, String)| {
            let common = COMMON
                .iter()
                .find(|(common, _)| full && *common == column.name);
            match common {
                Some((_, ty)) => Field::common(column, ty),
                None => Field::new(column, name, full, types),
            }
        };
        let fields = table.columns.iter().zip(names).map(field).collect();
        Self {
            name,
            table,
            rust,
            kind,
            fields,
        }
    }

    /// A note if the model is unexpectedly `schema_only`.
    pub(super) fn note(&self) -> Option<String> {
        match &self.kind {
            ModelKind::SchemaOnly(Some(why)) => {
                Some(format!("table {} is schema_only: {why}", self.name))
            }
            _ => None,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.kind.is_full()
    }

    /// The Rust types of its fields.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.ty.as_str())
    }

    /// The enums that its fields use.
    pub(super) fn enums(&self) -> impl Iterator<Item = &Name> {
        self.fields
            .iter()
            .filter_map(|field| field.enumeration.as_ref())
    }

    fn items(&self) -> Vec<Item> {
        let mut items = vec![Item::text("table", &table_name(&self.name.name))];
        items.extend(
            self.name
                .schema
                .as_ref()
                .map(|schema| Item::text("schema", schema)),
        );
        items.extend(
            self.table
                .comment
                .as_ref()
                .map(|text| Item::text("comment", text)),
        );
        items.push(match self.kind {
            ModelKind::Full => Item::Plain("search()".to_owned()),
            ModelKind::SchemaOnly(_) => Item::Plain("schema_only".to_owned()),
        });
        for (name, constraint) in &self.table.constraints {
            if !(self.kind.is_full() && self.is_implied(name, constraint)) {
                let sql = by_hand::<Constraint>(&constraint.to_string());
                items.push(named("constraint", name, &sql));
            }
        }
        for (name, index) in &self.table.indexes {
            let sql = by_hand::<Index>(&index.to_string());
            items.push(named("index", name, &without_btree(&sql)));
        }
        items.extend(self.table.partition_by.as_ref().map(partition_by));
        items.extend(partitions(self.name, &self.table.partitions));
        if self.table.open_partitions {
            items.push(Item::Plain("open_partitions".to_owned()));
        }
        items
    }

    /// Whether a model implies this constraint: its primary key, with the name that PostgreSQL
    /// gives it.
    fn is_implied(&self, name: &str, constraint: &Constraint) -> bool {
        let mut usual = self.name.name.clone();
        while usual.len() > MAX_NAME_BYTES - "_pkey".len() {
            usual.pop();
        }
        usual.push_str("_pkey");
        name == usual && constraint.to_string() == "PRIMARY KEY (id)"
    }
}

fn named(kind: &'static str, name: &str, sql: &str) -> Item {
    let texts = [name, sql].map(|part| Item::Plain(text::string(part)));
    Item::List(kind, texts.into())
}

/// Removes `USING btree` from an index, if the meaning stays the same.
fn without_btree(sql: &str) -> String {
    let short = sql.replacen("USING btree ", "", 1);
    match (sql.parse::<Index>(), short.parse::<Index>()) {
        (Ok(long), Ok(found)) if long == found => short,
        _ => sql.to_owned(),
    }
}

fn partition_by(by: &PartitionBy) -> Item {
    Item::text("partition_by", &by_hand::<PartitionBy>(&by.to_string()))
}

fn partitions<'a>(
    table: &'a Name,
    partitions: &'a BTreeMap<Name, Partition>,
) -> impl Iterator<Item = Item> + 'a {
    partitions.iter().map(|(name, partition)| {
        // Without quotes if it is in the schema of its table; otherwise quoted, with its schema.
        let beside = name.schema == table.schema && !name.name.contains('"');
        let shown = if beside {
            name.name.clone()
        } else {
            in_quotes(name)
        };
        let mut items = vec![
            Item::Plain(text::string(&shown)),
            Item::Plain(text::string(&partition.bound)),
        ];
        items.extend(partition.partition_by.as_ref().map(partition_by));
        items.extend(self::partitions(table, &partition.partitions));
        Item::List("partition", items)
    })
}

/// The name with every part quoted, which attributes parse as SQL.
pub(super) fn in_quotes(name: &Name) -> String {
    let part = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
    match &name.schema {
        Some(schema) => format!("{}.{}", part(schema), part(&name.name)),
        None => part(&name.name),
    }
}

impl fmt::Display for Model<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.to_string();
        writeln!(f, "/// A row of the table `{}`.", text::remark(&name))?;
        f.write_str(&attribute("model", &self.items(), 0))?;
        if self.fields.is_empty() {
            return writeln!(f, "pub struct {} {{}}", self.rust);
        }
        writeln!(f, "pub struct {} {{", self.rust)?;
        for field in &self.fields {
            write!(f, "{field}")?;
        }
        f.write_str("}\n")
    }
}
