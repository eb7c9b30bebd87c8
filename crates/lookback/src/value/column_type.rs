//! The types of columns, with what PostgreSQL says about each.

use std::borrow::Cow;

use sqlx::postgres::PgTypeInfo;
use sqlx::postgres::types::Oid;

/// The PostgreSQL type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnType {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric`
    Numeric,
    /// `text`
    Text,
    /// `uuid`
    Uuid,
    /// `date`
    Date,
    /// `time` without a zone, in microseconds
    Time,
    /// `timestamp` without a zone, in microseconds
    Timestamp,
    /// `timestamptz`, in microseconds
    Timestamptz,
    /// `interval`
    Interval,
    /// `inet`
    Inet,
    /// `cidr`
    Cidr,
    /// `jsonb`
    Jsonb,
    /// `bytea`
    Bytea,
    /// `vector(n)` of pgvector
    Vector(u16),
    /// `halfvec(n)` of pgvector
    HalfVector(u16),
    /// An enum type. Holds its name as written in SQL, `mood` or `sales.mood`.
    Enum(&'static str),
    /// An array of one dimension without null elements, such as `text[]`.
    ///
    /// Holds the type of its elements, which is one of those above.
    Array(&'static Self),
}

/// A built-in type: its name, its OID and that of its array type, which are fixed
/// (`pg_type.dat` in PostgreSQL).
struct BuiltIn {
    name: &'static str,
    oid: u32,
    array_oid: u32,
}

impl ColumnType {
    const fn built_in(self) -> Option<BuiltIn> {
        let (name, oid, array_oid) = match self {
            Self::Bool => ("boolean", 16, 1000),
            Self::Bytea => ("bytea", 17, 1001),
            Self::Int8 => ("bigint", 20, 1016),
            Self::Int2 => ("smallint", 21, 1005),
            Self::Int4 => ("integer", 23, 1007),
            Self::Text => ("text", 25, 1009),
            Self::Cidr => ("cidr", 650, 651),
            Self::Float4 => ("real", 700, 1021),
            Self::Float8 => ("double precision", 701, 1022),
            Self::Inet => ("inet", 869, 1041),
            Self::Date => ("date", 1082, 1182),
            Self::Time => ("time without time zone", 1083, 1183),
            Self::Timestamp => ("timestamp without time zone", 1114, 1115),
            Self::Timestamptz => ("timestamp with time zone", 1184, 1185),
            Self::Interval => ("interval", 1186, 1187),
            Self::Numeric => ("numeric", 1700, 1231),
            Self::Uuid => ("uuid", 2950, 2951),
            Self::Jsonb => ("jsonb", 3802, 3807),
            Self::Vector(_) | Self::HalfVector(_) | Self::Enum(_) | Self::Array(_) => return None,
        };
        Some(BuiltIn {
            name,
            oid,
            array_oid,
        })
    }

    /// The type as PostgreSQL prints it.
    pub fn sql(self) -> Cow<'static, str> {
        match (self, self.built_in()) {
            (_, Some(built_in)) => built_in.name.into(),
            (Self::Vector(dimensions), _) => format!("vector({dimensions})").into(),
            (Self::HalfVector(dimensions), _) => format!("halfvec({dimensions})").into(),
            (Self::Enum(name), _) => name.into(),
            (Self::Array(element), _) => format!("{}[]", element.sql()).into(),
            (_, None) => unreachable!("every other type is built in"),
        }
    }

    /// The maximum size of a value in bytes, if the model sets no `max_bytes`.
    ///
    /// It is 8 MiB for JSON and bytes, and 1 MiB for every other type.
    pub const fn default_max_bytes(self) -> usize {
        match self {
            Self::Jsonb | Self::Bytea => 8 * 1024 * 1024,
            _ => 1024 * 1024,
        }
    }

    /// Whether its values have an order, for filters such as `gt`.
    pub(crate) const fn is_ordered(self) -> bool {
        match self {
            Self::Int2
            | Self::Int4
            | Self::Int8
            | Self::Float4
            | Self::Float8
            | Self::Numeric
            | Self::Text
            | Self::Uuid
            | Self::Date
            | Self::Time
            | Self::Timestamp
            | Self::Timestamptz
            | Self::Interval
            | Self::Inet
            | Self::Cidr
            | Self::Enum(_) => true,
            Self::Bool
            | Self::Jsonb
            | Self::Bytea
            | Self::Vector(_)
            | Self::HalfVector(_)
            | Self::Array(_) => false,
        }
    }

    /// Whether its values are numbers, which have a sum and an average.
    pub(crate) const fn is_number(self) -> bool {
        matches!(
            self,
            Self::Int2 | Self::Int4 | Self::Int8 | Self::Float4 | Self::Float8 | Self::Numeric
        )
    }

    /// Whether the encoder finds words in its values
    /// ([`Encoder::add_value`](crate::embedding::Encoder::add_value)).
    pub(crate) const fn has_words(self) -> bool {
        match self {
            Self::Text | Self::Enum(_) | Self::Jsonb | Self::Int2 | Self::Int4 | Self::Int8 => true,
            Self::Array(element) => element.has_words(),
            _ => false,
        }
    }

    /// Whether it is a type of vectors, which have a distance and no equality in filters.
    pub(crate) const fn is_vector(self) -> bool {
        matches!(self, Self::Vector(_) | Self::HalfVector(_))
    }

    pub(super) fn type_info(self) -> PgTypeInfo {
        match (self, self.built_in()) {
            (_, Some(built_in)) => PgTypeInfo::with_oid(Oid(built_in.oid)),
            (Self::Vector(_), _) => PgTypeInfo::with_name("vector"),
            (Self::HalfVector(_), _) => PgTypeInfo::with_name("halfvec"),
            (Self::Enum(name), _) => PgTypeInfo::with_name(name),
            (Self::Array(element), _) => match element.list_element().and_then(|e| e.built_in()) {
                Some(element) => PgTypeInfo::with_oid(Oid(element.array_oid)),
                None => unreachable!("`list_element` gives no such type, nor does ArrayElement"),
            },
            (_, None) => unreachable!("every other type is built in"),
        }
    }

    /// The OID of a built-in type; `None` for another type.
    pub(super) fn oid(self) -> Option<u32> {
        self.built_in().map(|built_in| built_in.oid)
    }

    /// Returns the element type for binding a list of values of this type as one array.
    ///
    /// Labels of an enum type are bound as text, and cast. `None` for vectors and arrays.
    pub(crate) fn list_element(self) -> Option<&'static Self> {
        Some(match self {
            Self::Bool => &Self::Bool,
            Self::Int2 => &Self::Int2,
            Self::Int4 => &Self::Int4,
            Self::Int8 => &Self::Int8,
            Self::Float4 => &Self::Float4,
            Self::Float8 => &Self::Float8,
            Self::Numeric => &Self::Numeric,
            Self::Text | Self::Enum(_) => &Self::Text,
            Self::Uuid => &Self::Uuid,
            Self::Date => &Self::Date,
            Self::Time => &Self::Time,
            Self::Timestamp => &Self::Timestamp,
            Self::Timestamptz => &Self::Timestamptz,
            Self::Interval => &Self::Interval,
            Self::Inet => &Self::Inet,
            Self::Cidr => &Self::Cidr,
            Self::Jsonb => &Self::Jsonb,
            Self::Bytea => &Self::Bytea,
            Self::Vector(_) | Self::HalfVector(_) | Self::Array(_) => return None,
        })
    }
}

/// Checks that a field fits a column whose model sets another `type`.
///
/// Generated code calls it at compile time. The field is read and written in the binary
/// form of `column`.
#[doc(hidden)]
pub const fn check_stored_as(field: ColumnType, column: ColumnType) {
    use ColumnType as T;
    let fits = match (field, column) {
        (T::Vector(field), T::Vector(column)) | (T::HalfVector(field), T::HalfVector(column)) => {
            field == column
        }
        (T::Array(field), T::Array(column)) => is_same_built_in(*field, *column),
        (field, column) => is_same_built_in(field, column),
    };
    assert!(
        fits,
        "a field of this Rust type is neither read from nor written to a column of this `type`"
    );
}

const fn is_same_built_in(field: ColumnType, column: ColumnType) -> bool {
    match (field.built_in(), column.built_in()) {
        (Some(field), Some(column)) => field.oid == column.oid,
        _ => false,
    }
}
