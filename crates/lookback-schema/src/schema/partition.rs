//! Partitioned tables and their partitions.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::schema::index::IndexKey;

/// The partition key of a table, parsed and formatted as PostgreSQL prints it
/// (`pg_get_partkeydef`): `RANGE (id)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionBy {
    /// The strategy.
    pub strategy: PartitionStrategy,
    /// The columns or expressions.
    pub keys: Vec<IndexKey>,
}

/// The partitioning strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionStrategy {
    /// By ranges of values.
    Range,
    /// By lists of values.
    List,
    /// By the remainder of a hash.
    Hash,
}

impl fmt::Display for PartitionStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Range => "RANGE",
            Self::List => "LIST",
            Self::Hash => "HASH",
        })
    }
}

impl fmt::Display for PartitionBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        write!(f, "{} ({})", self.strategy, keys.join(", "))
    }
}

/// A partition of a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// `DEFAULT`, or `FOR VALUES …` (`pg_get_expr(relpartbound)`).
    pub bound: String,
    /// Its own partition key, if it is partitioned further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_by: Option<PartitionBy>,
    /// Its own partitions, by name.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub partitions: std::collections::BTreeMap<crate::syntax::Name, Self>,
}

impl Partition {
    /// A partition with this bound that is not partitioned further.
    pub fn new(bound: impl Into<String>) -> Self {
        Self {
            bound: bound.into(),
            partition_by: None,
            partitions: std::collections::BTreeMap::new(),
        }
    }

    /// Whether it is the default partition, which gets the rows of no other
    /// one.
    pub fn is_default(&self) -> bool {
        self.bound.trim().eq_ignore_ascii_case("default")
    }
}

impl PartialEq for Partition {
    fn eq(&self, other: &Self) -> bool {
        bound_form(&self.bound) == bound_form(&other.bound)
            && self.partition_by == other.partition_by
            && self.partitions == other.partitions
    }
}

impl Eq for Partition {}

/// A bound in a uniform spelling: PostgreSQL prints numbers in quotes
/// (`FROM ('1')`) and adds casts to strings.
fn bound_form(bound: &str) -> String {
    let Ok(found) = crate::syntax::tokens(bound) else {
        return bound.to_owned();
    };
    let words: Vec<String> = found
        .iter()
        .map(|token| match token.kind {
            crate::syntax::TokenKind::Word => token.text.to_lowercase(),
            crate::syntax::TokenKind::String => {
                let inner = token.text.trim_matches('\'');
                match inner.parse::<f64>() {
                    Ok(_) => inner.to_owned(),
                    Err(_) => token.text.to_owned(),
                }
            }
            _ => token.text.to_owned(),
        })
        .collect();
    words.join(" ").replace("- ", "-")
}
