//! The lookups: each row of [`LOOKUPS`] describes one.
//!
//! The parser, the formatter and the renderer all read this table, so that a new
//! lookup with an existing [`Operation`] is one more row.

use crate::filter::key::FieldPath;
use crate::filter::lexer::excerpt;
use crate::filter::tree::{Comparison, Pattern, Relation};
use crate::model::{ColumnDef, Table, nearest};
use crate::value::{ColumnType, Problem};

use ColumnTypes::{Any, Array, Equatable, JsonPath, Ordered, Scalar, Text};
use Operand::{Flag, Items, JsonValues, Range, Value, Values};
use Operation::{Between, Compare, Exists, In, IsNull, JsonIn, Match, Overlap};
use Shape::{Like, Prefix, Substring, Suffix};
use TextMatch::{Exact, IgnoreCase};

/// Every lookup, in the order in which errors list them.
#[rustfmt::skip] // one row per lookup
static LOOKUPS: [Lookup; 28] = [
    Lookup::new("eq", Value, Equatable, Compare(Comparison::Eq))
        .aliases(&["exact"])
        .operator("="),
    Lookup::new("ne", Value, Equatable, Compare(Comparison::Eq)).negated(),
    Lookup::new("gt", Value, Ordered, Compare(Comparison::Gt)).operator(">"),
    Lookup::new("gte", Value, Ordered, Compare(Comparison::Gte)).operator(">="),
    Lookup::new("lt", Value, Ordered, Compare(Comparison::Lt)).operator("<"),
    Lookup::new("lte", Value, Ordered, Compare(Comparison::Lte)).operator("<="),
    Lookup::new("like", Value, Text, LIKE).operator("LIKE"),
    Lookup::new("ilike", Value, Text, ILIKE).operator("ILIKE"),
    Lookup::new("notlike", Value, Text, LIKE).negated(),
    Lookup::new("notilike", Value, Text, ILIKE).negated(),
    Lookup::new("startswith", Value, Text, Match(Exact, Prefix)),
    Lookup::new("istartswith", Value, Text, Match(IgnoreCase, Prefix)),
    Lookup::new("endswith", Value, Text, Match(Exact, Suffix)),
    Lookup::new("iendswith", Value, Text, Match(IgnoreCase, Suffix)),
    Lookup::new("contains", Value, Text, CONTAINS),
    Lookup::new("icontains", Value, Text, Match(IgnoreCase, Substring)),
    Lookup::new("in", Values, Scalar, In),
    Lookup::new("notin", Values, Scalar, In).negated(),
    Lookup::new("between", Range, Ordered, Between),
    Lookup::new("notbetween", Range, Ordered, Between).negated(),
    Lookup::new("isnull", Flag, Any, IsNull).operator("IS NULL"),
    Lookup::new("isnotnull", Flag, Any, IsNull).negated(),
    Lookup::new("arraycontains", Items, Array, Overlap(Relation::Contains)).operator("@>"),
    Lookup::new("arraycontained", Items, Array, Overlap(Relation::Contained)).operator("<@"),
    Lookup::new("arrayoverlaps", Items, Array, Overlap(Relation::Overlaps)).operator("&&"),
    Lookup::new("exists", Flag, JsonPath, Exists),
    Lookup::new("is", JsonValues, JsonPath, JsonIn),
    Lookup::new("isnot", JsonValues, JsonPath, JsonIn).negated(),
];

const LIKE: Operation = Match(Exact, Like);
const ILIKE: Operation = Match(IgnoreCase, Like);

/// Contains this text. In JSON, arrays that contain it as an element match, too.
pub(super) const CONTAINS: Operation = Match(Exact, Substring);

/// The lookup of a key without one.
pub(super) const DEFAULT: &str = "eq";

/// An operator of a text filter, such as `gte` in `id__gte=7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    name: &'static str,
    aliases: &'static [&'static str],
    operand: Operand,
    columns: ColumnTypes,
    operation: Operation,
    negated: bool,
    operator: &'static str,
}

/// The form of the value of a lookup in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueForm {
    /// A value of the column.
    One,
    /// Values of the column, or elements of an array, with commas between them.
    List,
    /// The smallest and the largest value, with a comma between them.
    Range,
    /// `true` or `false`.
    Flag,
}

/// The operand of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// A value of the column.
    Value,
    /// A list of values of the column.
    Values,
    /// The smallest and the largest value.
    Range,
    /// A list of elements of an array.
    Items,
    /// A list of JSON values.
    JsonValues,
    /// `true` or `false`, which negates.
    Flag,
}

/// The types of the columns that support a lookup. A path into JSON supports every
/// lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnTypes {
    Any,
    /// Types with an equality.
    Equatable,
    /// Types with an equality, except arrays.
    Scalar,
    /// Types with an order.
    Ordered,
    Text,
    Array,
    /// No column, only paths into JSON.
    JsonPath,
}

/// The condition that a lookup makes, or that it negates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Compare(Comparison),
    /// Equals one of the values.
    In,
    /// Is greater than or equal to one value, and less than or equal to another.
    Between,
    IsNull,
    Match(TextMatch, Shape),
    /// Relates an array to a list.
    Overlap(Relation),
    /// Is present in JSON, even as null.
    Exists,
    /// Equals one of the JSON values, including the type.
    JsonIn,
}

/// How text is compared with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextMatch {
    Exact,
    IgnoreCase,
}

/// The pattern that the operand of a lookup stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The operand is a pattern of `LIKE`.
    Like,
    Prefix,
    Suffix,
    Substring,
}

impl Lookup {
    const fn new(
        name: &'static str,
        operand: Operand,
        columns: ColumnTypes,
        operation: Operation,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            operand,
            columns,
            operation,
            negated: false,
            operator: "",
        }
    }

    /// Adds other names.
    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Makes it the negation of its operation.
    const fn negated(mut self) -> Self {
        self.negated = true;
        self
    }

    /// Sets the SQL operator after a column, for an operation that is rendered by
    /// one.
    const fn operator(mut self, operator: &'static str) -> Self {
        self.operator = operator;
        self
    }

    /// Every lookup.
    pub fn all() -> &'static [Self] {
        &LOOKUPS
    }

    /// The name, such as `gte`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// All names: the name, then the aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Whether a column supports it. A path into JSON supports every lookup.
    pub fn supports(&self, column: &ColumnDef) -> bool {
        self.columns.contains(column.ty)
    }

    /// Whether its value may be the name of another field: `gt__field`.
    pub fn takes_field(&self) -> bool {
        self.compares()
    }

    /// The form of its value in text.
    pub fn value_form(&self) -> ValueForm {
        match self.operand {
            Operand::Value => ValueForm::One,
            Operand::Values | Operand::Items | Operand::JsonValues => ValueForm::List,
            Operand::Range => ValueForm::Range,
            Operand::Flag => ValueForm::Flag,
        }
    }

    pub(super) fn operand(&self) -> Operand {
        self.operand
    }

    pub(super) fn operation(&self) -> Operation {
        self.operation
    }

    /// Whether it compares with one value.
    pub(super) fn compares(&self) -> bool {
        matches!(self.operation, Compare(_))
    }

    pub(super) fn is_negated(&self) -> bool {
        self.negated
    }

    /// The suffix of a key; empty for the default lookup.
    pub(super) fn suffix(&self) -> String {
        if self.name == DEFAULT {
            String::new()
        } else {
            format!("__{}", self.name)
        }
    }

    fn named(name: &str) -> Option<&'static Self> {
        LOOKUPS
            .iter()
            .find(|lookup| lookup.names().any(|known| known == name))
    }

    /// The lookup that makes this operation, or its negation, if there is one.
    pub(super) fn of(operation: Operation, negated: bool) -> Option<&'static Self> {
        LOOKUPS
            .iter()
            .find(|lookup| lookup.operation == operation && lookup.negated == negated)
    }
}

impl Operation {
    /// The SQL operator, for an operation that is rendered by one.
    pub(super) fn operator(self) -> &'static str {
        Lookup::of(self, false).map_or("", |lookup| lookup.operator)
    }
}

impl From<&Pattern> for Operation {
    fn from(pattern: &Pattern) -> Self {
        if pattern.ignore_case { ILIKE } else { LIKE }
    }
}

impl Shape {
    /// Makes the pattern of an operand.
    pub(super) fn pattern(self, text: &str, case: TextMatch) -> Result<Pattern, Problem> {
        let ignore_case = case == TextMatch::IgnoreCase;
        match self {
            Self::Like => Pattern::new(text, ignore_case),
            Self::Prefix => Ok(Pattern::literal(false, text, true, ignore_case)),
            Self::Suffix => Ok(Pattern::literal(true, text, false, ignore_case)),
            Self::Substring => Ok(Pattern::literal(true, text, true, ignore_case)),
        }
    }
}

impl ColumnTypes {
    fn contains(self, ty: ColumnType) -> bool {
        let is_array = matches!(ty, ColumnType::Array(_));
        match self {
            Self::Any => true,
            Self::Equatable => !ty.is_vector(),
            Self::Scalar => !ty.is_vector() && !is_array,
            Self::Ordered => ty.is_ordered(),
            Self::Text => ty == ColumnType::Text,
            Self::Array => is_array,
            Self::JsonPath => false,
        }
    }
}

/// The lookup of this name, if the column or the path into it supports it.
pub(super) fn lookup_for(
    column: &ColumnDef,
    target: &FieldPath,
    name: &str,
) -> Result<&'static Lookup, Problem> {
    let in_json = !target.path.is_empty();
    let is_supported = |lookup: &Lookup| in_json || lookup.columns.contains(column.ty);
    let names = || {
        LOOKUPS
            .iter()
            .filter(|lookup| is_supported(lookup))
            .flat_map(Lookup::names)
    };
    let offer = || names().collect::<Vec<_>>().join(", ");
    let of = if in_json {
        "a place in JSON".into()
    } else {
        column.ty.sql()
    };
    match Lookup::named(name) {
        Some(lookup) if is_supported(lookup) => Ok(lookup),
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
        None if column.ty == ColumnType::Jsonb && !is_misspelled(name, names()) => {
            let field = target.to_text(column);
            let (name, last) = (excerpt(name), field.rsplit('.').next().unwrap_or_default());
            let parent = field.strip_suffix(last).unwrap_or_default();
            let in_quotes = if in_json && !last.contains('"') {
                format!(", or the key with underscores, {parent}\"{last}__{name}\"")
            } else {
                String::new()
            };
            Err(Problem::new(format!(
                "{name} is not a lookup; did you mean the key {name} in it, {field}.{name}{in_quotes}? \
                 ({of} takes {})",
                offer()
            )))
        }
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

/// Whether a word is a misspelled lookup and not a key in JSON: the same but for case, or a
/// long name with one mistake.
fn is_misspelled<'a>(word: &str, mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|name| {
        name.eq_ignore_ascii_case(word)
            || (name.len() > 4 && nearest(word, std::iter::once(name)).is_some())
    })
}

/// Names the JSON columns of a table, for an error.
pub(super) fn json_columns(table: &'static Table) -> String {
    let names: Vec<&str> = table
        .visible()
        .filter(|column| column.ty == ColumnType::Jsonb)
        .map(|column| column.name)
        .collect();
    if names.is_empty() {
        format!(", as no field of {} is", table.name)
    } else {
        format!(", as {} is", names.join(", "))
    }
}
