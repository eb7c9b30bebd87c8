//! The lookups, and the columns that support them.

use crate::filter::key::FieldPath;
use crate::filter::lexer::excerpt;
use crate::model::{ColumnDef, Table, nearest};
use crate::value::{ColumnType, Problem};

/// An operator of a text filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Is this value.
    Eq,
    /// Is not this value, or is null.
    Ne,
    /// Is greater.
    Gt,
    /// Is this value or greater.
    Gte,
    /// Is less.
    Lt,
    /// Is this value or less.
    Lte,
    /// Matches this pattern of `%` and `_`.
    Like,
    /// Matches this pattern whatever the case.
    Ilike,
    /// Does not match this pattern, or is null.
    NotLike,
    /// Does not match this pattern whatever the case, or is null.
    NotIlike,
    /// Starts with this text.
    StartsWith,
    /// Starts with this text whatever the case.
    IStartsWith,
    /// Ends with this text.
    EndsWith,
    /// Ends with this text whatever the case.
    IEndsWith,
    /// Contains this text.
    Contains,
    /// Contains this text whatever the case.
    IContains,
    /// Is one of these values.
    In,
    /// Is none of these values, or is null.
    NotIn,
    /// Is one of two values, or between them.
    Between,
    /// Is less than the first of two values or greater than the second, or is
    /// null.
    NotBetween,
    /// Is null (`true`) or is not (`false`).
    IsNull,
    /// Is not null (`true`) or is (`false`).
    IsNotNull,
    /// Is an array that holds all of these values.
    ArrayContains,
    /// Is an array that holds nothing but these values.
    ArrayContained,
    /// Is an array that holds one of these values.
    ArrayOverlaps,
    /// Is there in JSON, if only as null (`true`), or is not (`false`).
    Exists,
    /// Is one of these JSON values, their types included.
    Is,
    /// Is none of these JSON values, or is not there.
    IsNot,
}

impl Lookup {
    /// Every lookup with its name; `exact` is an alias of `eq`.
    pub const ALL: [(&'static str, Self); 29] = [
        ("eq", Self::Eq),
        ("exact", Self::Eq),
        ("ne", Self::Ne),
        ("gt", Self::Gt),
        ("gte", Self::Gte),
        ("lt", Self::Lt),
        ("lte", Self::Lte),
        ("like", Self::Like),
        ("ilike", Self::Ilike),
        ("notlike", Self::NotLike),
        ("notilike", Self::NotIlike),
        ("startswith", Self::StartsWith),
        ("istartswith", Self::IStartsWith),
        ("endswith", Self::EndsWith),
        ("iendswith", Self::IEndsWith),
        ("contains", Self::Contains),
        ("icontains", Self::IContains),
        ("in", Self::In),
        ("notin", Self::NotIn),
        ("between", Self::Between),
        ("notbetween", Self::NotBetween),
        ("isnull", Self::IsNull),
        ("isnotnull", Self::IsNotNull),
        ("arraycontains", Self::ArrayContains),
        ("arraycontained", Self::ArrayContained),
        ("arrayoverlaps", Self::ArrayOverlaps),
        ("exists", Self::Exists),
        ("is", Self::Is),
        ("isnot", Self::IsNot),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, lookup)| lookup)
    }

    /// Whether columns of this type support it.
    fn is_supported_by(self, ty: ColumnType) -> bool {
        use ColumnType as T;
        let is_array = matches!(ty, T::Array(_));
        match self {
            Self::IsNull | Self::IsNotNull => true,
            Self::Eq | Self::Ne => !matches!(ty, T::Vector(_)),
            Self::In | Self::NotIn => !is_array && !matches!(ty, T::Vector(_)),
            Self::Gt | Self::Gte | Self::Lt | Self::Lte | Self::Between | Self::NotBetween => {
                matches!(
                    ty,
                    T::Int4 | T::Int8 | T::Float8 | T::Text | T::Timestamptz | T::Enum(_)
                )
            }
            Self::Like
            | Self::Ilike
            | Self::NotLike
            | Self::NotIlike
            | Self::StartsWith
            | Self::IStartsWith
            | Self::EndsWith
            | Self::IEndsWith
            | Self::Contains
            | Self::IContains => ty == T::Text,
            Self::ArrayContains | Self::ArrayContained | Self::ArrayOverlaps => is_array,
            Self::Exists | Self::Is | Self::IsNot => false,
        }
    }
}

/// The lookup of this name, if the column or the path into it supports it. A path
/// into JSON supports every lookup.
pub(super) fn lookup_for(
    column: &ColumnDef,
    target: &FieldPath,
    name: &str,
) -> Result<Lookup, Problem> {
    let in_json = !target.path.is_empty();
    let fits = |lookup: Lookup| in_json || lookup.is_supported_by(column.ty);
    let names = || {
        Lookup::ALL
            .into_iter()
            .filter(|(_, lookup)| fits(*lookup))
            .map(|(name, _)| name)
    };
    let offer = || names().collect::<Vec<_>>().join(", ");
    let of = match in_json {
        true => "a place in JSON".into(),
        false => column.ty.sql(),
    };
    match Lookup::named(name) {
        Some(lookup) if fits(lookup) => Ok(lookup),
        Some(_) if column.ty == ColumnType::Jsonb => Err(Problem::new(format!(
            "the lookup {name} is not for jsonb as a whole; ask what is in it, as in \
             {}.key__{name}, or of the whole {}",
            column.name,
            offer()
        ))),
        Some(_) => Err(Problem::new(format!(
            "the lookup {name} is not for {of}; it takes {}",
            offer()
        ))),
        None => {
            let name = &excerpt(name);
            let near = nearest(name, names())
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            Err(Problem::new(format!(
                "{name} is not a lookup{near} ({of} takes {})",
                offer()
            )))
        }
    }
}

/// Names the JSON columns of a table, for an error.
pub(super) fn json_columns(table: &'static Table) -> String {
    let names: Vec<&str> = table
        .visible()
        .filter(|column| column.ty == ColumnType::Jsonb)
        .map(|column| column.name)
        .collect();
    match names.is_empty() {
        true => format!(", as no field of {} is", table.name),
        false => format!(", as {} is", names.join(", ")),
    }
}
