//! Text lookups: `level__eq=error`.

use crate::error::Error;
use crate::filter::{Comparison, Filter, Test};
use crate::model::{ColumnDef, Model, Role, Table, nearest};
use crate::value::{ColumnType, Problem};

/// What a text lookup asks of a column.
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
    /// Is one of these values, separated by commas.
    In,
    /// Is null (`true`) or is not (`false`).
    IsNull,
    /// Matches this pattern of `%` and `_`.
    Like,
    /// Matches this pattern whatever the case.
    Ilike,
}

impl Lookup {
    /// Every lookup, with its name.
    pub const ALL: [(&'static str, Self); 10] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("gt", Self::Gt),
        ("gte", Self::Gte),
        ("lt", Self::Lt),
        ("lte", Self::Lte),
        ("in", Self::In),
        ("isnull", Self::IsNull),
        ("like", Self::Like),
        ("ilike", Self::Ilike),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, lookup)| lookup)
    }

    /// Whether a column of this type can be asked.
    fn fits(self, ty: ColumnType) -> bool {
        use ColumnType as T;
        match self {
            Self::IsNull => true,
            Self::Eq | Self::Ne | Self::In => !matches!(ty, T::Vector(_)),
            Self::Gt | Self::Gte | Self::Lt | Self::Lte => {
                matches!(ty, T::Int4 | T::Int8 | T::Float8 | T::Text | T::Timestamptz)
            }
            Self::Like | Self::Ilike => ty == T::Text,
        }
    }
}

impl<M: Model> Filter<M> {
    /// Reads `field__lookup=value`; without a lookup, `field=value` is `eq`.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a field, lookup or value that is not of the
    /// model, listing what is.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let table = M::TABLE;
        let Some((key, value)) = text.split_once('=') else {
            return Err(Error::invalid_field(
                table.name,
                text,
                "is not a filter; write field__lookup=value, such as level__eq=error",
            ));
        };
        Self::lookup(key.trim(), value)
    }

    /// Reads a filter whose key and value come apart, as in the query of a URL.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn lookup(key: &str, value: &str) -> Result<Self, Error> {
        let table = M::TABLE;
        let (field, lookup) = key.split_once("__").unwrap_or((key, "eq"));
        let index = searchable(table, field)?;
        let column = &table.columns[index];
        let lookup = fitting(column, lookup)
            .map_err(|problem| Error::invalid_field(table.name, field, problem))?;
        let test = read(column, lookup, value)
            .map_err(|problem| Error::invalid_field(table.name, key, problem))?;
        Ok(Self::test(index, Ok(test)))
    }
}

/// The place of a column that text may filter and order by.
///
/// Hidden columns are not: what cannot be read cannot be asked about either,
/// or a pattern could spell a password hash out letter by letter. The one
/// exception is `deleted_at`, which holds no secret.
pub(crate) fn searchable(table: &'static Table, name: &str) -> Result<usize, Error> {
    let open = |column: &ColumnDef| !column.hidden || column.role == Role::DeletedAt;
    let found = table
        .columns
        .iter()
        .position(|column| column.name == name && open(column));
    found.ok_or_else(|| {
        let names = || {
            table
                .columns
                .iter()
                .filter(|c| open(c))
                .map(|column| column.name)
        };
        let problem = match nearest(name, names()) {
            Some(near) => format!("is not a field of {}; did you mean {near}?", table.name),
            None => format!(
                "is not a field of {}, which has {}",
                table.name,
                names().collect::<Vec<_>>().join(", ")
            ),
        };
        Error::invalid_field(table.name, name, problem)
    })
}

fn fitting(column: &ColumnDef, name: &str) -> Result<Lookup, Problem> {
    let names = || {
        Lookup::ALL
            .into_iter()
            .filter(|(_, lookup)| lookup.fits(column.ty))
            .map(|(name, _)| name)
    };
    let offer = || names().collect::<Vec<_>>().join(", ");
    match Lookup::named(name) {
        Some(lookup) if lookup.fits(column.ty) => Ok(lookup),
        Some(_) => Err(Problem::new(format!(
            "the lookup {name} is not for {}; it takes {}",
            column.ty.sql(),
            offer()
        ))),
        None => {
            let near = nearest(name, names())
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            Err(Problem::new(format!(
                "{name} is not a lookup{near} ({} take {})",
                column.ty.sql(),
                offer()
            )))
        }
    }
}

fn read(column: &ColumnDef, lookup: Lookup, text: &str) -> Result<Test, Problem> {
    let compare = |comparison| (column.parse)(text).map(|value| Test::Compare(comparison, value));
    match lookup {
        Lookup::Eq => compare(Comparison::Eq),
        Lookup::Ne => compare(Comparison::Ne),
        Lookup::Gt => compare(Comparison::Gt),
        Lookup::Gte => compare(Comparison::Gte),
        Lookup::Lt => compare(Comparison::Lt),
        Lookup::Lte => compare(Comparison::Lte),
        Lookup::In => {
            // Nothing between the commas is nothing to be in, not the empty string.
            let parts = text.split(',').filter(|part| !part.is_empty());
            parts
                .map(column.parse)
                .collect::<Result<_, _>>()
                .map(Test::In)
        }
        Lookup::IsNull => match text {
            "true" => Ok(Test::IsNull(true)),
            "false" => Ok(Test::IsNull(false)),
            _ => Err(Problem::unreadable(text, "true or false")),
        },
        Lookup::Like => Test::like(text, false),
        Lookup::Ilike => Test::like(text, true),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Filter, Level, Log, Metric, RequestSnapshot, User};

    fn refused<M: crate::Model>(text: &str) -> String {
        Filter::<M>::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn text_and_types_build_the_same_tree() {
        let parse = |text| Filter::<Log>::parse(text).expect(text);
        assert_eq!(parse("level=error"), Log::level().eq(Level::Error));
        assert_eq!(parse("level__eq=error"), Log::level().eq("error"));
        assert_eq!(parse("id__gte=7"), Log::id().gte(7));
        assert_eq!(
            parse("level__in=warn,error"),
            Log::level().is_in([Level::Warn, Level::Error])
        );
        assert_eq!(parse("trace_id__isnull=true"), Log::trace_id().is_null());
        assert_eq!(parse("message__ilike=%a=b%"), Log::message().ilike("%a=b%"));
        assert_eq!(
            Filter::<Metric>::parse("error_rate__gt=0.05").expect("a rate"),
            Metric::error_rate().gt(crate::ErrorRate::of(5, 100))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        insta::assert_snapshot!(
            [
                refused::<Log>("level"),
                refused::<Log>("levle=error"),
                refused::<Log>("colour=red"),
                refused::<Log>("level__equals=error"),
                refused::<Log>("level=verbose"),
                refused::<Log>("created_at__gte=2026-01-01"),
                refused::<Log>("created_at__like=2026%"),
                refused::<Log>("message__like=100\\"),
                refused::<Log>("trace_id__isnull=yes"),
                refused::<RequestSnapshot>("status_code=abc"),
                refused::<RequestSnapshot>("status_code=99999999999"),
                refused::<User>("password_hash__like=$argon%"),
                refused::<Log>("embedding__isnull=true"),
            ]
            .join("\n")
        );
    }
}
