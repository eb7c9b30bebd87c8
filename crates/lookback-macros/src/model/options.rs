//! The options in `#[model(…)]`.

use proc_macro2::TokenStream;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Token};

use lookback_schema::PartitionBy;

use crate::diagnostics::{
    Diagnostics, Sql, check_name, parse_parenthesized, parse_string, set_once,
};

/// The attributes of a struct.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) table: Option<LitStr>,
    pub(crate) schema: Option<LitStr>,
    pub(crate) search: Option<Vec<Ident>>,
    pub(crate) schema_only: Option<Ident>,
    pub(crate) comment: Option<LitStr>,
    pub(crate) constraints: Vec<NamedDefinition<lookback_schema::Constraint>>,
    pub(crate) indexes: Vec<NamedDefinition<lookback_schema::Index>>,
    pub(crate) partition_by: Option<Sql<PartitionBy>>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) open_partitions: Option<Ident>,
    pub(crate) sealed: Option<Ident>,
    pub(crate) rollup: Option<Rollup>,
    /// The names of all options, valid or not.
    pub(crate) given: Vec<String>,
}

/// `rollup(time = field, field, field.key)`.
#[derive(Default)]
pub(crate) struct Rollup {
    pub(crate) time: Option<Ident>,
    pub(crate) places: Vec<Place>,
}

/// `field`, or `field.key."other key"`.
pub(crate) struct Place {
    pub(crate) field: Ident,
    /// The keys in the JSON of the field.
    pub(crate) path: Vec<String>,
}

impl Place {
    /// Returns whether the other is the same place, or within it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.field == other.field && other.path.starts_with(&self.path)
    }
}

impl Parse for Rollup {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut rollup = Self::default();
        while !input.is_empty() {
            if input.peek(Ident) && input.peek2(Token![=]) {
                let name: Ident = input.parse()?;
                input.parse::<Token![=]>()?;
                if name != "time" || rollup.time.is_some() {
                    return Err(syn::Error::new(name.span(), ROLLUP));
                }
                rollup.time = Some(input.parse()?);
            } else {
                rollup.places.push(input.parse()?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(rollup)
    }
}

impl Parse for Place {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let field = input.parse()?;
        let mut path = Vec::new();
        while input.peek(Token![.]) {
            input.parse::<Token![.]>()?;
            if input.peek(LitStr) {
                path.push(input.parse::<LitStr>()?.value());
            } else {
                path.push(input.call(Ident::parse_any)?.to_string());
            }
        }
        Ok(Self { field, path })
    }
}

/// `constraint("name", "definition", problem(field, "message"))`, or the same with `index`.
pub(crate) struct NamedDefinition<T> {
    pub(crate) name: LitStr,
    pub(crate) definition: Sql<T>,
    pub(crate) problem: Option<Problem>,
}

/// `problem(field, "message")`: the error when the database rejects a row.
pub(crate) struct Problem {
    pub(crate) field: Ident,
    pub(crate) message: LitStr,
}

/// `partition("name", "bound", partition_by = "…", partition(…))`.
pub(crate) struct Partition {
    pub(crate) name: LitStr,
    pub(crate) bound: LitStr,
    pub(crate) partition_by: Option<Sql<PartitionBy>>,
    pub(crate) partitions: Vec<Self>,
}

const USAGE: &str = "expected one of: table = \"name\", search(field, …), schema = \"name\", \
     comment = \"…\", constraint(\"name\", \"CHECK (…)\"), index(\"name\", \"(column, …)\"), \
     partition_by = \"RANGE (id)\", partition(\"name\", \"DEFAULT\"), open_partitions, sealed, \
     rollup(field, …), schema_only";

const ROLLUP: &str = "expected rollup(field, field.key, …), and optionally time = field";

const PARTITION: &str =
    "expected partition(\"logs_default\", \"DEFAULT\") or partition(\"logs_1\", \"FOR VALUES …\")";

impl Options {
    pub(crate) fn parse(attribute: TokenStream, diagnostics: &mut Diagnostics) -> Self {
        let mut options = Self::default();
        diagnostics.parse_options(attribute, USAGE, |name, input| options.read(name, input));
        options
    }

    fn read(&mut self, name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        self.given.push(name.to_string());
        match name.to_string().as_str() {
            "table" => {
                let usage = "expected a string: table = \"logs\"";
                let table = table_name(parse_string(input, usage)?)?;
                set_once(&mut self.table, name, table)
            }
            "schema" => {
                let schema = parse_string(input, "expected a string: schema = \"sales\"")?;
                check_name(&schema)?;
                set_once(&mut self.schema, name, schema)
            }
            "search" => {
                let fields =
                    parse_parenthesized(input, Punctuated::<Ident, Token![,]>::parse_terminated)?;
                set_once(&mut self.search, name, fields.into_iter().collect())
            }
            "rollup" => {
                let rollup = parse_parenthesized(input, Rollup::parse)?;
                set_once(&mut self.rollup, name, rollup)
            }
            "schema_only" => set_once(&mut self.schema_only, name, name.clone()),
            "comment" => {
                let comment = parse_string(input, "expected a string: comment = \"…\"")?;
                set_once(&mut self.comment, name, comment)
            }
            "constraint" => {
                let usage = "expected constraint(\"logs_level_check\", \"CHECK (level <> '')\"), and \
                     optionally problem(level, \"must not be empty\") as the last argument";
                let constraint = named(input, usage)?;
                self.constraints.push(constraint);
                Ok(())
            }
            "index" => {
                let usage = "expected index(\"logs_trace_id_idx\", \"(trace_id)\"), with the part of \
                     CREATE INDEX after the table name";
                let index = named(input, usage)?;
                self.indexes.push(index);
                Ok(())
            }
            "partition_by" => {
                let partition_by = partition_by(input)?;
                set_once(&mut self.partition_by, name, partition_by)
            }
            "partition" => {
                self.partitions.push(parse_parenthesized(input, partition)?);
                Ok(())
            }
            "open_partitions" => set_once(&mut self.open_partitions, name, name.clone()),
            "sealed" => set_once(&mut self.sealed, name, name.clone()),
            _ => Err(syn::Error::new(
                name.span(),
                format!("unknown attribute `{name}`, {USAGE}"),
            )),
        }
    }
}

/// Returns the table name; a quoted one, needed for a dot, without its quotes.
fn table_name(table: LitStr) -> syn::Result<LitStr> {
    let text = table.value();
    if text.starts_with('"')
        && text.ends_with('"')
        && let Ok(lookback_schema::Name { schema: None, name }) = text.parse()
    {
        let table = LitStr::new(&name, table.span());
        check_name(&table)?;
        return Ok(table);
    }
    check_table(&table)?;
    Ok(table)
}

/// Rejects a name such as `sales.orders`, which is meant as a schema and a table.
fn check_table(table: &LitStr) -> syn::Result<()> {
    check_name(table)?;
    let text = table.value();
    let plain = |part: &str| lookback_schema::quoted(part) == part;
    if let Some((schema, name)) = text.split_once('.')
        && plain(schema)
        && plain(name)
    {
        return Err(syn::Error::new(
            table.span(),
            format!(
                "`table` must not contain the schema: expected schema = \"{schema}\", table = \"{name}\""
            ),
        ));
    }
    Ok(())
}

fn named<T>(input: ParseStream<'_>, usage: &str) -> syn::Result<NamedDefinition<T>>
where
    T: std::str::FromStr<Err = lookback_schema::Error>,
{
    let wrong = |error: syn::Error| syn::Error::new(error.span(), usage);
    parse_parenthesized(input, |content| {
        let name = content.parse::<LitStr>().map_err(wrong)?;
        check_name(&name)?;
        content.parse::<Token![,]>().map_err(wrong)?;
        let definition = Sql::parse(content.parse::<LitStr>().map_err(wrong)?)?;
        let mut problem = None;
        content.parse::<Option<Token![,]>>()?;
        if !content.is_empty() {
            let word = content.parse::<Ident>().map_err(wrong)?;
            if word != "problem" {
                return Err(syn::Error::new(word.span(), usage));
            }
            problem = Some(parse_parenthesized(content, |content| {
                let field = content.parse().map_err(wrong)?;
                content.parse::<Token![,]>().map_err(wrong)?;
                let message = content.parse().map_err(wrong)?;
                Ok(Problem { field, message })
            })?);
        }
        Ok(NamedDefinition {
            name,
            definition,
            problem,
        })
    })
}

fn partition_by(input: ParseStream<'_>) -> syn::Result<Sql<PartitionBy>> {
    Sql::parse(parse_string(
        input,
        "expected a string: partition_by = \"RANGE (id)\"",
    )?)
}

fn partition(content: ParseStream<'_>) -> syn::Result<Partition> {
    let wrong = |error: syn::Error| syn::Error::new(error.span(), PARTITION);
    let name = content.parse::<LitStr>().map_err(wrong)?;
    content.parse::<Token![,]>().map_err(wrong)?;
    let bound = content.parse::<LitStr>().map_err(wrong)?;
    check_bound(&bound)?;
    let mut found = Partition {
        name,
        bound,
        partition_by: None,
        partitions: Vec::new(),
    };
    while content.parse::<Option<Token![,]>>()?.is_some() && !content.is_empty() {
        let word = content.parse::<Ident>().map_err(wrong)?;
        if word == "partition_by" {
            set_once(&mut found.partition_by, &word, partition_by(content)?)?;
        } else if word == "partition" {
            found
                .partitions
                .push(parse_parenthesized(content, partition)?);
        } else {
            return Err(syn::Error::new(word.span(), PARTITION));
        }
    }
    Ok(found)
}

fn check_bound(bound: &LitStr) -> syn::Result<()> {
    let text = bound.value();
    let text = text.trim().to_lowercase();
    if text != "default" && !text.starts_with("for values ") {
        return Err(syn::Error::new(bound.span(), PARTITION));
    }
    // Parsed like an expression: parentheses and quotes are balanced, and there is one statement.
    Sql::<lookback_schema::Expression>::parse(bound.clone()).map(drop)
}
