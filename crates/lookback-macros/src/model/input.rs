//! What `#[model]` was given, checked.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Expr, Field, Fields, GenericArgument, Ident, ItemStruct, Lit, LitInt, LitStr,
    PathArguments, Token, Type, Visibility,
};

/// A model as written.
pub(crate) struct Model {
    pub(crate) item: ItemStruct,
    pub(crate) table: LitStr,
    pub(crate) search: Vec<Ident>,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) fields: Vec<ModelField>,
}

/// `constraint("name", field, "problem")`.
pub(crate) struct Constraint {
    pub(crate) name: LitStr,
    pub(crate) field: Ident,
    pub(crate) problem: LitStr,
}

/// One field, and so one column.
pub(crate) struct ModelField {
    pub(crate) name: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) docs: Vec<Attribute>,
    /// The type of the value, without `Hidden` and `Option`.
    pub(crate) value: Type,
    pub(crate) nullable: bool,
    pub(crate) hidden: bool,
    pub(crate) role: Role,
    pub(crate) not_blank: bool,
    pub(crate) max_bytes: Option<LitInt>,
    pub(crate) range: Option<(Expr, Expr)>,
    pub(crate) default: Option<Expr>,
}

/// What a column is for. The five common columns have a role by their name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Id,
    Plain,
    CreatedAt,
    UpdatedAt,
    DeletedAt,
    Embedding,
}

/// The common columns: name, role and the type a field of that name must have.
const COMMON: [(&str, Role, &str); 5] = [
    ("id", Role::Id, "i64"),
    ("created_at", Role::CreatedAt, "DateTime<Utc>"),
    ("updated_at", Role::UpdatedAt, "DateTime<Utc>"),
    (
        "deleted_at",
        Role::DeletedAt,
        "Hidden<Option<DateTime<Utc>>>",
    ),
    ("embedding", Role::Embedding, "Hidden<Option<Embedding>>"),
];

const MODEL_ATTRIBUTES: &str = "`model` takes: table = \"name\", search(field, …), \
     constraint(\"name\", field, \"problem\")";
const COLUMN_ATTRIBUTES: &str =
    "`column` takes: not_blank, max_bytes = N, range(MIN, MAX), default = EXPR";

/// All mistakes found so far, so that one compilation shows every one.
#[derive(Default)]
struct Mistakes(Option<syn::Error>);

impl Mistakes {
    fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }
}

impl Model {
    pub(crate) fn parse(attribute: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let mut mistakes = Mistakes::default();
        let mut item: ItemStruct = syn::parse2(item).map_err(|error| {
            syn::Error::new(error.span(), "`#[model]` is for a struct with named fields")
        })?;
        if !item.generics.params.is_empty() {
            mistakes.at(item.generics.span(), "a model has no generic parameters");
        }

        let mut table = None;
        let mut search = None;
        let mut constraints = Vec::new();
        match syn::parse2::<Options>(attribute) {
            Ok(options) => {
                for option in options.0 {
                    match option {
                        TableOption::Table(name) => table = Some(name),
                        TableOption::Search(fields) => search = Some(fields),
                        TableOption::Constraint(constraint) => constraints.push(constraint),
                    }
                }
                if table.is_none() {
                    mistakes.at(
                        item.ident.span(),
                        "a model names its table: #[model(table = \"name\", search(field, …))]",
                    );
                }
                if search.is_none() {
                    mistakes.at(
                        item.ident.span(),
                        "a model names its search fields, `search()` for none: \
                         #[model(table = \"name\", search(field, …))]",
                    );
                }
            }
            Err(error) => mistakes.push(error),
        }
        if let Some(name) = &table {
            check_table_name(name, &mut mistakes);
        }

        let mut fields = Vec::new();
        if let Fields::Named(named) = &mut item.fields {
            for field in &mut named.named {
                fields.push(ModelField::parse(field, &mut mistakes));
            }
        } else {
            mistakes.at(
                item.ident.span(),
                "`#[model]` is for a struct with named fields",
            );
        }
        check_common(&item, &fields, &mut mistakes);
        if let Some(field) = fields.iter().find(|field| field.name == "records") {
            mistakes.at(
                field.name.span(),
                "a model has a function `records`, its QueryBuilder, and so no field of that name",
            );
        }

        let search = search.unwrap_or_default();
        let known: Vec<String> = fields
            .iter()
            .filter(|field| field.role == Role::Plain)
            .map(|field| field.name.to_string())
            .collect();
        for name in &search {
            let field = fields
                .iter()
                .find(|f| f.name == *name && f.role == Role::Plain);
            match field {
                None => mistakes.at(
                    name.span(),
                    format!("no such field; search takes: {}", known.join(", ")),
                ),
                Some(field) if field.hidden => mistakes.at(
                    name.span(),
                    "a hidden field cannot be searched: a search would show what it holds",
                ),
                Some(_) => {}
            }
        }
        for constraint in &constraints {
            if !fields.iter().any(|f| f.name == constraint.field) {
                mistakes.at(
                    constraint.field.span(),
                    format!(
                        "no such field; the fields of this model: {}",
                        known.join(", ")
                    ),
                );
            }
        }

        match (mistakes.0, table) {
            (Some(error), _) => Err(error),
            (None, Some(table)) => Ok(Self {
                item,
                table,
                search,
                constraints,
                fields,
            }),
            (None, None) => unreachable!("a missing table was reported above"),
        }
    }
}

impl ModelField {
    fn parse(field: &mut Field, mistakes: &mut Mistakes) -> Self {
        let Some(name) = field.ident.clone() else {
            unreachable!("only fields of a struct with named fields are parsed");
        };
        let (hidden, inner) = match argument_of(&field.ty, "Hidden") {
            Some(inner) => (true, inner.clone()),
            None => (false, field.ty.clone()),
        };
        let (nullable, value) = match argument_of(&inner, "Option") {
            Some(inner) => (true, inner.clone()),
            None => (false, inner),
        };
        let role = COMMON
            .iter()
            .find(|(common, ..)| name == *common)
            .map_or(Role::Plain, |(_, role, _)| *role);

        let mut parsed = Self {
            name,
            visibility: field.vis.clone(),
            docs: field
                .attrs
                .iter()
                .filter(|a| a.path().is_ident("doc"))
                .cloned()
                .collect(),
            value,
            nullable,
            hidden,
            role,
            not_blank: false,
            max_bytes: None,
            range: None,
            default: None,
        };
        // Taken off the struct: `#[column]` is ours, and means nothing to the compiler.
        let (ours, kept) = std::mem::take(&mut field.attrs)
            .into_iter()
            .partition::<Vec<_>, _>(|a| a.path().is_ident("column"));
        field.attrs = kept;
        for attribute in ours {
            if let Err(error) = parsed.parse_attribute(&attribute) {
                mistakes.push(error);
            }
        }
        parsed
    }

    fn parse_attribute(&mut self, attribute: &Attribute) -> syn::Result<()> {
        if self.role != Role::Plain {
            return Err(syn::Error::new(
                attribute.span(),
                format!(
                    "`{}` is a common column and takes no `column` attribute",
                    self.name
                ),
            ));
        }
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("not_blank") {
                self.not_blank = true;
            } else if meta.path.is_ident("max_bytes") {
                let value: Lit = meta.value()?.parse()?;
                match value {
                    Lit::Int(number) => self.max_bytes = Some(number),
                    other => {
                        return Err(syn::Error::new(
                            other.span(),
                            "max_bytes takes a whole number of bytes: max_bytes = 1024",
                        ));
                    }
                }
            } else if meta.path.is_ident("range") {
                let content;
                syn::parenthesized!(content in meta.input);
                let bounds = Punctuated::<Expr, Token![,]>::parse_terminated(&content)?;
                let mut bounds = bounds.into_iter();
                match (bounds.next(), bounds.next(), bounds.next()) {
                    (Some(min), Some(max), None) => self.range = Some((min, max)),
                    _ => {
                        return Err(meta.error(
                            "range takes the smallest and the largest value: range(100, 599)",
                        ));
                    }
                }
            } else if meta.path.is_ident("default") {
                self.default = Some(meta.value()?.parse()?);
            } else {
                return Err(meta.error(format!("unknown attribute; {COLUMN_ATTRIBUTES}")));
            }
            Ok(())
        })
    }
}

/// The struct without the attributes that are ours.
pub(crate) fn without_attributes(item: TokenStream) -> TokenStream {
    let Ok(mut parsed) = syn::parse2::<ItemStruct>(item.clone()) else {
        return item;
    };
    for field in &mut parsed.fields {
        field.attrs.retain(|a| !a.path().is_ident("column"));
    }
    parsed.into_token_stream()
}

/// `table` must be a plain lower-case name: it goes into SQL as an identifier.
fn check_table_name(name: &LitStr, mistakes: &mut Mistakes) {
    let text = name.value();
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    // PostgreSQL cuts longer names off without an error.
    if !plain || text.len() > 63 {
        mistakes.at(
            name.span(),
            "a table name is at most 63 of a-z, 0-9 and _, and starts with a letter or _",
        );
    }
}

/// Every model has the five common columns, with the types the write path fills.
fn check_common(item: &ItemStruct, fields: &[ModelField], mistakes: &mut Mistakes) {
    for (name, _, ty) in COMMON {
        match fields.iter().find(|field| field.name == name) {
            None => mistakes.at(
                item.ident.span(),
                format!("a model has the five common columns; add: pub {name}: {ty}"),
            ),
            Some(field) => {
                let hidden = ty.starts_with("Hidden");
                if (field.hidden, field.nullable) != (hidden, hidden) {
                    mistakes.at(
                        field.name.span(),
                        format!("this common column is written: pub {name}: {ty}"),
                    );
                }
            }
        }
    }
}

/// `T` of `Wrapper<T>`, by the last segment of the path.
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

struct Options(Vec<TableOption>);

enum TableOption {
    Table(LitStr),
    Search(Vec<Ident>),
    Constraint(Constraint),
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let options = Punctuated::<TableOption, Token![,]>::parse_terminated(input)?;
        Ok(Self(options.into_iter().collect()))
    }
}

impl Parse for TableOption {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name: Ident = input
            .parse()
            .map_err(|error| syn::Error::new(error.span(), MODEL_ATTRIBUTES))?;
        match name.to_string().as_str() {
            "table" => {
                input.parse::<Token![=]>()?;
                let table = input.parse::<LitStr>().map_err(|error| {
                    syn::Error::new(
                        error.span(),
                        "the table is named by a string: table = \"logs\"",
                    )
                })?;
                Ok(Self::Table(table))
            }
            "search" => {
                let content;
                syn::parenthesized!(content in input);
                let fields = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
                Ok(Self::Search(fields.into_iter().collect()))
            }
            "constraint" => {
                let content;
                syn::parenthesized!(content in input);
                let name = content.parse()?;
                content.parse::<Token![,]>()?;
                let field = content.parse()?;
                content.parse::<Token![,]>()?;
                let problem = content.parse()?;
                Ok(Self::Constraint(Constraint {
                    name,
                    field,
                    problem,
                }))
            }
            _ => Err(syn::Error::new(
                name.span(),
                format!("unknown attribute; {MODEL_ATTRIBUTES}"),
            )),
        }
    }
}
