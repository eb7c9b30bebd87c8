//! What stands in `#[model(…)]`.

use proc_macro2::TokenStream;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Token};

use lookback_schema::PartitionBy;

use crate::mistakes::{Mistakes, Sql, check_name, once, parenthesized, string};

/// The attributes of a struct.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) table: Option<LitStr>,
    pub(crate) schema: Option<LitStr>,
    pub(crate) search: Option<Vec<Ident>>,
    pub(crate) schema_only: Option<Ident>,
    pub(crate) comment: Option<LitStr>,
    pub(crate) constraints: Vec<Named<lookback_schema::Constraint>>,
    pub(crate) indexes: Vec<Named<lookback_schema::Index>>,
    pub(crate) partition_by: Option<Sql<PartitionBy>>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) open_partitions: Option<Ident>,
    pub(crate) sealed: Option<Ident>,
    /// The names of all that was given, right or wrong.
    pub(crate) given: Vec<String>,
}

/// `constraint("name", "definition", problem(field, "words"))`, and the same
/// of an index.
pub(crate) struct Named<T> {
    pub(crate) name: LitStr,
    pub(crate) definition: Sql<T>,
    pub(crate) problem: Option<Problem>,
}

/// `problem(field, "words")`: what to say when the database refuses a row.
pub(crate) struct Problem {
    pub(crate) field: Ident,
    pub(crate) words: LitStr,
}

/// `partition("name", "bound", partition_by = "…", partition(…))`.
pub(crate) struct Partition {
    pub(crate) name: LitStr,
    pub(crate) bound: LitStr,
    pub(crate) partition_by: Option<Sql<PartitionBy>>,
    pub(crate) partitions: Vec<Partition>,
}

const USAGE: &str = "`model` takes: table = \"name\", search(field, …), schema = \"name\", \
     comment = \"…\", constraint(\"name\", \"CHECK (…)\"), index(\"name\", \"(column, …)\"), \
     partition_by = \"RANGE (id)\", partition(\"name\", \"DEFAULT\"), open_partitions, sealed, schema_only";

const PARTITION: &str =
    "a partition is written: partition(\"logs_default\", \"DEFAULT\"), or \"FOR VALUES …\"";

impl Options {
    pub(crate) fn parse(attribute: TokenStream, mistakes: &mut Mistakes) -> Self {
        let mut options = Self::default();
        mistakes.options(attribute, USAGE, |name, input| options.read(name, input));
        options
    }

    fn read(&mut self, name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        self.given.push(name.to_string());
        match name.to_string().as_str() {
            "table" => {
                let usage = "the table is named by a string: table = \"logs\"";
                let table = table_name(string(input, usage)?)?;
                once(&mut self.table, name, table)
            }
            "schema" => {
                let schema = string(input, "the schema is named by a string: schema = \"sales\"")?;
                check_name(&schema)?;
                once(&mut self.schema, name, schema)
            }
            "search" => {
                let fields =
                    parenthesized(input, Punctuated::<Ident, Token![,]>::parse_terminated)?;
                once(&mut self.search, name, fields.into_iter().collect())
            }
            "schema_only" => once(&mut self.schema_only, name, name.clone()),
            "comment" => {
                let comment = string(input, "a comment is a string: comment = \"…\"")?;
                once(&mut self.comment, name, comment)
            }
            "constraint" => {
                let usage = "a constraint is written: constraint(\"logs_level_check\", \
                     \"CHECK (level <> '')\"), and problem(level, \"must not be empty\") after \
                     that for the words of a refusal";
                let constraint = named(input, usage)?;
                self.constraints.push(constraint);
                Ok(())
            }
            "index" => {
                let usage = "an index is written: index(\"logs_trace_id_idx\", \"(trace_id)\"), \
                     with all of CREATE INDEX behind the name of the table";
                let index = named(input, usage)?;
                self.indexes.push(index);
                Ok(())
            }
            "partition_by" => {
                let partition_by = partition_by(input)?;
                once(&mut self.partition_by, name, partition_by)
            }
            "partition" => {
                self.partitions.push(parenthesized(input, partition)?);
                Ok(())
            }
            "open_partitions" => once(&mut self.open_partitions, name, name.clone()),
            "sealed" => once(&mut self.sealed, name, name.clone()),
            _ => Err(syn::Error::new(
                name.span(),
                format!("unknown attribute; {USAGE}"),
            )),
        }
    }
}

/// The name as it is; in quotes, as SQL has it, for one with a dot in it.
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

/// What a person who writes the schema before the table means is another table.
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
            format!("the schema stands by itself: schema = \"{schema}\", table = \"{name}\""),
        ));
    }
    Ok(())
}

fn named<T>(input: ParseStream<'_>, usage: &str) -> syn::Result<Named<T>>
where
    T: std::str::FromStr<Err = lookback_schema::Error>,
{
    let wrong = |error: syn::Error| syn::Error::new(error.span(), usage);
    parenthesized(input, |content| {
        let name = content.parse::<LitStr>().map_err(wrong)?;
        check_name(&name)?;
        content.parse::<Token![,]>().map_err(wrong)?;
        let definition = Sql::read(content.parse::<LitStr>().map_err(wrong)?)?;
        let mut problem = None;
        content.parse::<Option<Token![,]>>()?;
        if !content.is_empty() {
            let word = content.parse::<Ident>().map_err(wrong)?;
            if word != "problem" {
                return Err(syn::Error::new(word.span(), usage));
            }
            problem = Some(parenthesized(content, |content| {
                let field = content.parse().map_err(wrong)?;
                content.parse::<Token![,]>().map_err(wrong)?;
                let words = content.parse().map_err(wrong)?;
                Ok(Problem { field, words })
            })?);
        }
        Ok(Named {
            name,
            definition,
            problem,
        })
    })
}

fn partition_by(input: ParseStream<'_>) -> syn::Result<Sql<PartitionBy>> {
    Sql::read(string(
        input,
        "how rows are divided is written: partition_by = \"RANGE (id)\"",
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
            once(&mut found.partition_by, &word, partition_by(content)?)?;
        } else if word == "partition" {
            found.partitions.push(parenthesized(content, partition)?);
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
    // Not an expression, but as one: nothing left open, and no second statement.
    Sql::<lookback_schema::Expression>::read(bound.clone()).map(drop)
}
