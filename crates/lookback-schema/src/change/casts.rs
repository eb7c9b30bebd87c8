//! The casts of PostgreSQL and of some extensions (`pg_cast`), and what each does to a value.

use crate::change::effect::Effect;

/// A cast from one type to another, as in `pg_cast`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cast {
    /// The source, as the server prints it: `bigint`, `real[]`.
    pub from: &'static str,
    /// The target.
    pub to: &'static str,
    /// Where the server uses it.
    pub context: CastContext,
    /// Whether the bytes of a value stay as they are, so that no row is rewritten.
    pub binary: bool,
    /// What it does to a value.
    pub(crate) effect: Effect,
}

/// The contexts in which the server uses a cast (`castcontext`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastContext {
    /// In any expression.
    Implicit,
    /// If a value is assigned to a column.
    Assignment,
    /// Only if it is written: `CAST (… AS …)` or `::`.
    Explicit,
}

const IF: (CastContext, bool) = (CastContext::Implicit, false);
const IB: (CastContext, bool) = (CastContext::Implicit, true);
const AF: (CastContext, bool) = (CastContext::Assignment, false);
const AB: (CastContext, bool) = (CastContext::Assignment, true);
const EF: (CastContext, bool) = (CastContext::Explicit, false);

const KEEPS: Effect = Effect::NONE;
const FAILS: Effect = Effect::NONE.failing();
const DIGITS: Effect = Effect::losing("digits");
const ROUNDS: Effect = DIGITS.failing();
const FIRST_BYTE: Effect = Effect::losing("all but the first byte");
const CENTRE: Effect = Effect::losing("all but the centre");
const LENGTH: Effect = Effect::losing("zeros at the start").failing();
const LARGE: Effect = Effect::losing("numbers above 2147483647");
const NEGATIVE: Effect = Effect::losing("negative numbers");
const DATE: Effect = Effect::losing("the date");
const ZONE: Effect = Effect::losing("the time zone");
const DAYTIME: Effect = Effect::losing("the time of day");
const JSON_TEXT: Effect = Effect::losing("white space, order and repeated keys");

type Row = (&'static str, &'static str, (CastContext, bool), Effect);

/// The rows of `pg_cast` without casts to the same type and without those of [`NAMED_OIDS`].
///
/// Effects that depend on modifiers, such as the length of a bit string, are not in it.
#[rustfmt::skip]
const CASTS: &[Row] = &[
    ("\"char\"", "character", AF, KEEPS),
    ("\"char\"", "character varying", AF, KEEPS),
    ("\"char\"", "integer", EF, KEEPS),
    ("\"char\"", "text", IF, KEEPS),
    ("bigint", "bit", EF, KEEPS),
    ("bigint", "bytea", EF, KEEPS),
    ("bigint", "double precision", IF, DIGITS),
    ("bigint", "integer", AF, FAILS),
    ("bigint", "money", AF, FAILS),
    ("bigint", "numeric", IF, KEEPS),
    ("bigint", "oid", IF, FAILS),
    ("bigint", "real", IF, DIGITS),
    ("bigint", "smallint", AF, FAILS),
    ("bit", "bigint", EF, KEEPS),
    ("bit", "bit varying", IB, KEEPS),
    ("bit", "integer", EF, KEEPS),
    ("bit varying", "bit", IB, KEEPS),
    ("boolean", "character", AF, KEEPS),
    ("boolean", "character varying", AF, KEEPS),
    ("boolean", "integer", EF, KEEPS),
    ("boolean", "text", AF, KEEPS),
    ("box", "circle", EF, Effect::losing("the corners")),
    ("box", "lseg", EF, KEEPS),
    ("box", "point", EF, CENTRE),
    ("box", "polygon", AF, KEEPS),
    ("bytea", "bigint", EF, LENGTH),
    ("bytea", "integer", EF, LENGTH),
    ("bytea", "smallint", EF, LENGTH),
    ("character", "\"char\"", AF, FIRST_BYTE),
    ("character", "character varying", IF, KEEPS),
    ("character", "name", IF, KEEPS),
    ("character", "text", IF, KEEPS),
    ("character", "xml", EF, FAILS),
    ("character varying", "\"char\"", AF, FIRST_BYTE),
    ("character varying", "character", IB, KEEPS),
    ("character varying", "name", IF, KEEPS),
    ("character varying", "text", IB, KEEPS),
    ("character varying", "xml", EF, FAILS),
    ("cidr", "character", AF, KEEPS),
    ("cidr", "character varying", AF, KEEPS),
    ("cidr", "inet", IB, KEEPS),
    ("cidr", "text", AF, KEEPS),
    ("circle", "box", EF, Effect::losing("the radius")),
    ("circle", "point", EF, CENTRE),
    ("circle", "polygon", EF, Effect::losing("all but twelve points")),
    ("date", "timestamp with time zone", IF, KEEPS),
    ("date", "timestamp without time zone", IF, KEEPS),
    ("daterange", "datemultirange", EF, KEEPS),
    ("double precision", "bigint", AF, ROUNDS),
    ("double precision", "integer", AF, ROUNDS),
    // Fifteen digits are kept.
    ("double precision", "numeric", AF, DIGITS),
    ("double precision", "real", AF, ROUNDS),
    ("double precision", "smallint", AF, ROUNDS),
    ("inet", "character", AF, KEEPS),
    ("inet", "character varying", AF, KEEPS),
    ("inet", "cidr", AF, Effect::losing("the bits of the host")),
    ("inet", "text", AF, KEEPS),
    ("int4range", "int4multirange", EF, KEEPS),
    ("int8range", "int8multirange", EF, KEEPS),
    ("integer", "\"char\"", EF, FAILS),
    ("integer", "bigint", IF, KEEPS),
    ("integer", "bit", EF, KEEPS),
    ("integer", "boolean", EF, Effect::losing("the numbers other than 0 and 1")),
    ("integer", "bytea", EF, KEEPS),
    ("integer", "double precision", IF, KEEPS),
    ("integer", "money", AF, KEEPS),
    ("integer", "numeric", IF, KEEPS),
    ("integer", "oid", IB, NEGATIVE),
    ("integer", "real", IF, DIGITS),
    ("integer", "smallint", AF, FAILS),
    ("interval", "time without time zone", AF, Effect::losing("days, months and years")),
    // It refuses \u0000.
    ("json", "jsonb", (CastContext::Assignment, false), JSON_TEXT.failing()),
    ("jsonb", "bigint", EF, ROUNDS),
    ("jsonb", "boolean", EF, FAILS),
    ("jsonb", "double precision", EF, ROUNDS),
    ("jsonb", "integer", EF, ROUNDS),
    ("jsonb", "json", (CastContext::Assignment, false), KEEPS),
    ("jsonb", "numeric", EF, FAILS),
    ("jsonb", "real", EF, ROUNDS),
    ("jsonb", "smallint", EF, ROUNDS),
    ("lseg", "point", EF, CENTRE),
    ("macaddr", "macaddr8", IF, KEEPS),
    ("macaddr8", "macaddr", IF, FAILS),
    ("money", "numeric", AF, KEEPS),
    ("name", "character", AF, KEEPS),
    ("name", "character varying", AF, KEEPS),
    ("name", "text", IF, KEEPS),
    ("numeric", "bigint", AF, FAILS),
    ("numeric", "double precision", IF, ROUNDS),
    ("numeric", "integer", AF, FAILS),
    ("numeric", "money", AF, FAILS),
    ("numeric", "real", IF, ROUNDS),
    ("numeric", "smallint", AF, FAILS),
    ("numrange", "nummultirange", EF, KEEPS),
    ("oid", "bigint", AF, KEEPS),
    ("oid", "integer", AB, LARGE),
    ("path", "polygon", AF, FAILS),
    ("pg_dependencies", "bytea", IB, KEEPS),
    ("pg_dependencies", "text", IF, KEEPS),
    ("pg_mcv_list", "bytea", IB, KEEPS),
    ("pg_mcv_list", "text", IF, KEEPS),
    ("pg_ndistinct", "bytea", IB, KEEPS),
    ("pg_ndistinct", "text", IF, KEEPS),
    ("pg_node_tree", "text", IB, KEEPS),
    ("point", "box", AF, KEEPS),
    ("polygon", "box", EF, Effect::losing("all but the bounds")),
    ("polygon", "circle", EF, Effect::losing("the points")),
    ("polygon", "path", AF, KEEPS),
    ("polygon", "point", EF, CENTRE),
    ("real", "bigint", AF, ROUNDS),
    ("real", "double precision", IF, KEEPS),
    ("real", "integer", AF, ROUNDS),
    // Six digits are kept.
    ("real", "numeric", AF, DIGITS),
    ("real", "smallint", AF, ROUNDS),
    ("smallint", "bigint", IF, KEEPS),
    ("smallint", "bytea", EF, KEEPS),
    ("smallint", "double precision", IF, KEEPS),
    ("smallint", "integer", IF, KEEPS),
    ("smallint", "numeric", IF, KEEPS),
    ("smallint", "oid", IF, NEGATIVE),
    ("smallint", "real", IF, KEEPS),
    ("text", "\"char\"", AF, FIRST_BYTE),
    ("text", "character", IB, KEEPS),
    ("text", "character varying", IB, KEEPS),
    ("text", "name", IF, KEEPS),
    ("text", "xml", EF, FAILS),
    ("time with time zone", "time without time zone", AF, ZONE),
    ("time without time zone", "interval", IF, KEEPS),
    ("time without time zone", "time with time zone", IF, KEEPS),
    ("timestamp with time zone", "date", AF, DAYTIME),
    ("timestamp with time zone", "time with time zone", AF, DATE),
    ("timestamp with time zone", "time without time zone", AF, DATE),
    ("timestamp with time zone", "timestamp without time zone", AF, ZONE),
    ("timestamp without time zone", "date", AF, DAYTIME),
    ("timestamp without time zone", "time without time zone", AF, DATE),
    ("timestamp without time zone", "timestamp with time zone", IF, KEEPS),
    ("tsrange", "tsmultirange", EF, KEEPS),
    ("tstzrange", "tstzmultirange", EF, KEEPS),
    ("xid8", "xid", EF, Effect::losing("the epoch")),
    ("xml", "character", AB, KEEPS),
    ("xml", "character varying", AB, KEEPS),
    ("xml", "text", AB, KEEPS),
    // citext
    ("boolean", "citext", AF, KEEPS),
    ("character", "citext", AF, KEEPS),
    ("character varying", "citext", AB, KEEPS),
    ("citext", "character", AB, KEEPS),
    ("citext", "character varying", IB, KEEPS),
    ("citext", "text", IB, KEEPS),
    ("inet", "citext", AF, KEEPS),
    ("text", "citext", AB, KEEPS),
    // hstore
    ("hstore", "json", EF, KEEPS),
    ("hstore", "jsonb", EF, KEEPS),
    ("text[]", "hstore", EF, Effect::losing("order and repeated keys").failing()),
    // isn
    ("ean13", "isbn", EF, FAILS),
    ("ean13", "isbn13", EF, FAILS),
    ("ean13", "ismn", EF, FAILS),
    ("ean13", "ismn13", EF, FAILS),
    ("ean13", "issn", EF, FAILS),
    ("ean13", "issn13", EF, FAILS),
    ("ean13", "upc", EF, FAILS),
    ("isbn", "ean13", AB, KEEPS),
    ("isbn", "isbn13", AB, KEEPS),
    ("isbn13", "ean13", AB, KEEPS),
    ("isbn13", "isbn", AB, KEEPS),
    ("ismn", "ean13", AB, KEEPS),
    ("ismn", "ismn13", AB, KEEPS),
    ("ismn13", "ean13", AB, KEEPS),
    ("ismn13", "ismn", AB, KEEPS),
    ("issn", "ean13", AB, KEEPS),
    ("issn", "issn13", AB, KEEPS),
    ("issn13", "ean13", AB, KEEPS),
    ("issn13", "issn", AB, KEEPS),
    ("upc", "ean13", AB, KEEPS),
    // vector
    ("double precision[]", "halfvec", AF, ROUNDS),
    ("double precision[]", "sparsevec", AF, ROUNDS),
    ("double precision[]", "vector", AF, ROUNDS),
    ("halfvec", "real[]", AF, KEEPS),
    ("halfvec", "sparsevec", IF, KEEPS),
    ("halfvec", "vector", AF, KEEPS),
    ("integer[]", "halfvec", AF, ROUNDS),
    ("integer[]", "sparsevec", AF, ROUNDS),
    ("integer[]", "vector", AF, ROUNDS),
    ("numeric[]", "halfvec", AF, ROUNDS),
    ("numeric[]", "sparsevec", AF, ROUNDS),
    ("numeric[]", "vector", AF, ROUNDS),
    ("real[]", "halfvec", AF, ROUNDS),
    // NULL and more than one dimension are refused.
    ("real[]", "sparsevec", AF, FAILS),
    ("real[]", "vector", AF, FAILS),
    ("sparsevec", "halfvec", AF, ROUNDS),
    ("sparsevec", "vector", AF, FAILS),
    ("vector", "halfvec", IF, ROUNDS),
    ("vector", "real[]", IF, KEEPS),
    ("vector", "sparsevec", IF, KEEPS),
];

/// Types whose value is the `oid` of an object and whose text is its name.
const NAMED_OIDS: [&str; 11] = [
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
];

/// The casts of PostgreSQL 18 and of some extensions, between two different types.
///
/// The extensions are `citext`, `hstore`, `isn` and `vector`.
pub fn casts() -> impl Iterator<Item = Cast> {
    let listed = CASTS.iter().copied();
    let of_oids = NAMED_OIDS.iter().flat_map(|name| {
        [
            ("bigint", *name, IF, FAILS),
            ("integer", *name, IB, NEGATIVE),
            ("oid", *name, IB, KEEPS),
            ("smallint", *name, IF, NEGATIVE),
            (*name, "bigint", AF, KEEPS),
            (*name, "integer", AB, LARGE),
            (*name, "oid", IB, KEEPS),
        ]
    });
    let others = [
        ("character varying", "regclass", IF, FAILS),
        ("text", "regclass", IF, FAILS),
        ("regoper", "regoperator", IB, KEEPS),
        ("regoperator", "regoper", IB, KEEPS),
        ("regproc", "regprocedure", IB, KEEPS),
        ("regprocedure", "regproc", IB, KEEPS),
    ];
    listed
        .chain(of_oids)
        .chain(others)
        .map(|(from, to, (context, binary), effect)| Cast {
            from,
            to,
            context,
            binary,
            effect,
        })
}

/// The cast from one type to another, by the names in [`Cast`].
pub(super) fn cast(from: &str, to: &str) -> Option<Cast> {
    casts().find(|cast| cast.from == from && cast.to == to)
}

/// Whether the value of a type is the `oid` of an object.
pub(super) fn is_named_oid(name: &str) -> bool {
    NAMED_OIDS.contains(&name)
}
