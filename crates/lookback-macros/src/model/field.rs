//! Parses a field of a model with its `#[column(…)]`.

use proc_macro2::TokenStream;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Expr, Field, GenericArgument, Ident, LitInt, LitStr, Meta, PathArguments, Token,
    Type, Visibility,
};

use lookback_schema::{DataType, Expression};

use crate::diagnostics::{
    Diagnostics, Sql, check_name, parse_parenthesized, parse_string, set_once,
};

/// A field, and so a column.
pub(crate) struct ModelField {
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) docs: Vec<Attribute>,
    /// The type of the value, without `Hidden`, `Option` and `Vec`.
    pub(crate) value: Type,
    pub(crate) nullable: bool,
    pub(crate) hidden: bool,
    /// `Vec<T>` without a `type`, in a model that is `schema_only`.
    pub(crate) array: bool,
    pub(crate) role: ColumnRole,
    pub(crate) options: ColumnOptions,
}

/// The role of a column; the names of the five common columns determine theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnRole {
    Id,
    Plain,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
    Embedding,
}

/// The common columns: name, role and required type.
pub(crate) const COMMON_COLUMNS: [(&str, ColumnRole, &str); 5] = [
    ("id", ColumnRole::Id, "i64"),
    ("created_at", ColumnRole::CreatedAt, "DateTime<Utc>"),
    ("updated_at", ColumnRole::UpdatedAt, "DateTime<Utc>"),
    (
        "deleted_at",
        ColumnRole::DeletedAt,
        "Hidden<Option<DateTime<Utc>>>",
    ),
    (
        "embedding",
        ColumnRole::Embedding,
        "Hidden<Option<Embedding>>",
    ),
];

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct ColumnOptions {
    pub(crate) not_blank: Option<Ident>,
    pub(crate) ignore_key_case: Option<Ident>,
    pub(crate) email: Option<Ident>,
    pub(crate) max_bytes: Option<LitInt>,
    pub(crate) range: Option<(Expr, Expr)>,
    pub(crate) default: Option<Expr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) data_type: Option<Sql<DataType>>,
    pub(crate) fill: Option<(Ident, Fill)>,
    pub(crate) collate: Option<LitStr>,
    pub(crate) comment: Option<LitStr>,
    /// The names of all options, in order.
    pub(crate) given: Vec<Ident>,
}

/// The source of a value if an insert gives none.
pub(crate) enum Fill {
    Default(Sql<Expression>),
    IdentityAlways,
    IdentityByDefault,
    Serial,
    Stored(Sql<Expression>),
    Virtual(Sql<Expression>),
}

const USAGE: &str = "expected one of: not_blank, email, max_bytes = N, range(MIN, MAX), default = EXPR, \
     ignore_key_case, \
     sql_default = \"now()\", type = \"numeric(10,2)\", name = \"…\", comment = \"…\", \
     collate = \"C\", identity = \"always\" or \"by default\", serial, stored = \"a + b\", \
     virtual = \"a + b\"";

impl ModelField {
    pub(crate) fn parse(
        field: &mut Field,
        schema_only: bool,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let Some(name) = field.ident.clone() else {
            unreachable!("only fields of a struct with named fields are parsed");
        };
        let mut options = ColumnOptions::default();
        // Removed from the struct: the compiler does not know `#[column]`.
        let (ours, kept) = std::mem::take(&mut field.attrs)
            .into_iter()
            .partition::<Vec<_>, _>(|a| a.path().is_ident("column"));
        field.attrs = kept;
        for attribute in &ours {
            match &attribute.meta {
                Meta::List(list) => {
                    let tokens: TokenStream = list.tokens.clone();
                    diagnostics
                        .parse_options(tokens, USAGE, |name, input| options.read(name, input));
                }
                other => diagnostics.at(other.span(), USAGE),
            }
        }

        let (hidden, inner) = match argument_of(&field.ty, "Hidden") {
            Some(inner) => (true, inner.clone()),
            None => (false, field.ty.clone()),
        };
        let (nullable, inner) = match argument_of(&inner, "Option") {
            Some(inner) => (true, inner.clone()),
            None => (false, inner),
        };
        let element = argument_of(&inner, "Vec")
            .filter(|_| schema_only && options.data_type.is_none())
            .cloned();
        let role = if schema_only {
            ColumnRole::Plain
        } else {
            COMMON_COLUMNS
                .iter()
                .find(|(common, ..)| name == *common)
                .map_or(ColumnRole::Plain, |(_, role, _)| *role)
        };
        Self {
            visibility: field.vis.clone(),
            docs: field
                .attrs
                .iter()
                .filter(|a| a.path().is_ident("doc"))
                .cloned()
                .collect(),
            array: element.is_some(),
            value: element.unwrap_or(inner),
            name,
            nullable,
            hidden,
            role,
            options,
        }
    }

    /// The name of the column.
    pub(crate) fn column(&self) -> String {
        match &self.options.name {
            Some(name) => name.value(),
            None => self.name.unraw().to_string(),
        }
    }

    /// Whether Lookback can neither read nor write the column.
    pub(crate) fn is_opaque(&self) -> bool {
        let Type::Path(path) = &self.value else {
            return false;
        };
        let last = path.path.segments.last();
        last.is_some_and(|segment| segment.ident == "Opaque")
    }

    /// Whether only the database writes the column.
    pub(crate) fn is_generated(&self) -> bool {
        let fill = self.options.fill.as_ref().map(|(_, fill)| fill);
        !matches!(fill, None | Some(Fill::Default(_)))
    }

    /// Whether the database provides a value if an insert gives none.
    pub(crate) fn is_filled(&self) -> bool {
        self.options.fill.is_some()
    }
}

impl ColumnOptions {
    fn read(&mut self, name: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        self.given.push(name.clone());
        match name.to_string().as_str() {
            "not_blank" => set_once(&mut self.not_blank, name, name.clone()),
            "ignore_key_case" => set_once(&mut self.ignore_key_case, name, name.clone()),
            "email" => set_once(&mut self.email, name, name.clone()),
            "max_bytes" => {
                input.parse::<Token![=]>()?;
                let bytes = input.parse::<LitInt>().map_err(|error| {
                    syn::Error::new(
                        error.span(),
                        "expected a whole number of bytes: max_bytes = 1024",
                    )
                })?;
                set_once(&mut self.max_bytes, name, bytes)
            }
            "range" => {
                let bounds =
                    parse_parenthesized(input, Punctuated::<Expr, Token![,]>::parse_terminated)?;
                let mut bounds = bounds.into_iter();
                match (bounds.next(), bounds.next(), bounds.next()) {
                    (Some(min), Some(max), None) => set_once(&mut self.range, name, (min, max)),
                    _ => Err(syn::Error::new(
                        name.span(),
                        "expected the smallest and the largest value: range(100, 599)",
                    )),
                }
            }
            "default" => {
                input.parse::<Token![=]>()?;
                set_once(&mut self.default, name, input.parse()?)
            }
            "name" => {
                let column = parse_string(input, "expected a string: name = \"Odd name\"")?;
                check_name(&column)?;
                set_once(&mut self.name, name, column)
            }
            "type" => {
                let usage = "expected an SQL type in a string: type = \"numeric(10,2)\"";
                set_once(
                    &mut self.data_type,
                    name,
                    Sql::parse(parse_string(input, usage)?)?,
                )
            }
            "collate" => {
                let usage = "expected a string: collate = \"C\"";
                set_once(&mut self.collate, name, parse_string(input, usage)?)
            }
            "comment" => {
                let usage = "expected a string: comment = \"…\"";
                set_once(&mut self.comment, name, parse_string(input, usage)?)
            }
            "sql_default" => {
                let usage = "expected an SQL expression in a string: sql_default = \"now()\"";
                let fill = Fill::Default(Sql::parse(parse_string(input, usage)?)?);
                self.fill(name, fill)
            }
            "identity" => {
                let usage = "expected identity = \"always\" or identity = \"by default\"";
                let kind = parse_string(input, usage)?;
                let fill = match kind.value().as_str() {
                    "always" => Fill::IdentityAlways,
                    "by default" => Fill::IdentityByDefault,
                    _ => return Err(syn::Error::new(kind.span(), usage)),
                };
                self.fill(name, fill)
            }
            "serial" => self.fill(name, Fill::Serial),
            "stored" => {
                let usage = "expected an SQL expression in a string: stored = \"price * amount\"";
                let fill = Fill::Stored(Sql::parse(parse_string(input, usage)?)?);
                self.fill(name, fill)
            }
            "virtual" => {
                let usage = "expected an SQL expression in a string: virtual = \"price * amount\"";
                let fill = Fill::Virtual(Sql::parse(parse_string(input, usage)?)?);
                self.fill(name, fill)
            }
            _ => Err(syn::Error::new(
                name.span(),
                format!("unknown attribute `{name}`, {USAGE}"),
            )),
        }
    }

    fn fill(&mut self, name: &Ident, fill: Fill) -> syn::Result<()> {
        if let Some((before, _)) = &self.fill {
            return Err(syn::Error::new(
                name.span(),
                format!(
                    "`{name}` conflicts with `{before}`: a column must have one source of values"
                ),
            ));
        }
        self.fill = Some((name.clone(), fill));
        Ok(())
    }
}

/// Returns `T` of `Wrapper<T>`, by the last segment of the path.
fn argument_of<'a>(ty: &'a Type, wrapper: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    if segment.ident != wrapper {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(ty)) => Some(ty),
        _ => None,
    }
}
