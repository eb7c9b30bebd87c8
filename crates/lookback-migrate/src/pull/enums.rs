//! Converts enum types to Rust enums.

use std::collections::BTreeMap;
use std::fmt;

use lookback_schema::{DataType, Name, Schema};

use super::names::{TypeNames, variants};
use super::text::{self, Item, attribute};

/// The enum types that models have, by their names.
pub(super) type Enums = BTreeMap<Name, Enum>;

/// The types of the database that have Rust names of their own.
pub(super) struct Types {
    pub(super) enums: Enums,
    /// The type of the common column `embedding`.
    pub(super) embedding: DataType,
}

impl Types {
    pub(super) fn new(enums: Enums, dimensions: usize) -> Self {
        let embedding = DataType {
            modifiers: Some(dimensions.to_string()),
            ..DataType::named("vector")
        };
        Self { enums, embedding }
    }
}

/// A Rust enum; its `Display` writes the code.
pub(super) struct Enum {
    name: Name,
    /// The name of the Rust enum.
    pub(super) rust: String,
    /// The labels and their variants.
    pub(super) labels: Vec<(String, String)>,
}

/// Names the enums of a schema; adds a note for each that models cannot have.
pub(super) fn named(schema: &Schema, names: &mut TypeNames, notes: &mut Vec<String>) -> Enums {
    let mut enums = Enums::new();
    for (name, labels) in &schema.enums {
        if labels.is_empty() || labels.iter().any(String::is_empty) {
            notes.push(format!(
                "the enum type {name} is left out: a model has none without values, or with an \
                 empty one"
            ));
            continue;
        }
        let found = Enum {
            name: name.clone(),
            rust: names.enumeration(name),
            labels: labels.iter().cloned().zip(variants(labels)).collect(),
        };
        enums.insert(name.clone(), found);
    }
    enums
}

impl Enum {
    /// The Rust path of the variant for a label.
    pub(super) fn variant(&self, label: &str) -> Option<String> {
        let found = self.labels.iter().find(|(known, _)| known == label);
        found.map(|(_, variant)| format!("{}::{variant}", self.rust))
    }
}

impl fmt::Display for Enum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.to_string();
        writeln!(f, "/// The enum type `{}`.", text::remark(&name))?;
        f.write_str("#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ColumnEnum)]\n")?;
        f.write_str(&attribute("column_enum", &[Item::text("type", &name)], 0))?;
        writeln!(f, "pub enum {} {{", self.rust)?;
        for (label, variant) in &self.labels {
            if snake_case(variant) != *label {
                f.write_str(&attribute("column_enum", &[Item::text("name", label)], 4))?;
            }
            writeln!(f, "    {variant},")?;
        }
        f.write_str("}\n")
    }
}

/// The label that `#[derive(ColumnEnum)]` gives a variant by default.
fn snake_case(variant: &str) -> String {
    let mut label = String::with_capacity(variant.len() + 2);
    for (at, c) in variant.chars().enumerate() {
        if c.is_uppercase() && at > 0 {
            label.push('_');
        }
        label.extend(c.to_lowercase());
    }
    label
}
