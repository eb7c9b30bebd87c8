//! What `#[model]` was given, checked.

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Fields, Ident, ItemStruct, LitStr};

use crate::mistakes::Mistakes;
use crate::model::check;
use crate::model::field::{COMMON, Fill, ModelField, Role};
use crate::model::options::{Options, Problem};

/// A model as written.
pub(crate) struct Model {
    pub(crate) item: ItemStruct,
    pub(crate) table: LitStr,
    pub(crate) search: Vec<Ident>,
    pub(crate) fields: Vec<ModelField>,
    pub(crate) options: Options,
}

const NAMES_TABLE: &str = "a model names its table: #[model(table = \"name\", search(field, …))]";

impl Model {
    pub(crate) fn parse(attribute: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let mut mistakes = Mistakes::default();
        let mut item: ItemStruct = syn::parse2(item).map_err(|error| {
            syn::Error::new(error.span(), "`#[model]` is for a struct with named fields")
        })?;
        if !item.generics.params.is_empty() {
            mistakes.at(item.generics.span(), "a model has no generic parameters");
        }
        let mut options = Options::parse(attribute, &mut mistakes);
        let schema_only = options.schema_only.is_some();
        let table = options.table.take();
        // One that is there and wrong has been reported.
        let missing = |name: &str| !options.given.iter().any(|given| given == name);
        if missing("table") {
            mistakes.at(item.ident.span(), NAMES_TABLE);
        }
        if missing("search") && !schema_only {
            mistakes.at(
                item.ident.span(),
                "a model names its search fields, `search()` for none: \
                 #[model(table = \"name\", search(field, …))]",
            );
        }
        let mut fields = Vec::new();
        if let Fields::Named(named) = &mut item.fields {
            for field in &mut named.named {
                fields.push(ModelField::parse(field, schema_only, &mut mistakes));
            }
        } else {
            mistakes.at(
                item.ident.span(),
                "`#[model]` is for a struct with named fields",
            );
        }
        let search = options.search.take();
        let model = Self {
            item,
            table: table.unwrap_or_else(|| LitStr::new("", proc_macro2::Span::call_site())),
            search: search.unwrap_or_default(),
            fields,
            options,
        };
        check::check(&model, &mut mistakes);
        mistakes.none(model)
    }

    pub(crate) fn is_schema_only(&self) -> bool {
        self.options.schema_only.is_some()
    }

    /// The columns that are read, with their place among each other.
    pub(crate) fn readable(&self) -> impl Iterator<Item = (usize, &ModelField)> {
        let readable = self.fields.iter().filter(|field| !field.is_opaque());
        readable.enumerate()
    }

    /// The fields a caller may set: all but those the write path or the
    /// database fills.
    pub(crate) fn settable(&self) -> impl Iterator<Item = (usize, &ModelField)> {
        self.readable().filter(|(_, field)| {
            matches!(field.role, Role::Plain | Role::CreatedAt) && !field.is_generated()
        })
    }

    /// Whether a new record may leave the field out, and the database then gives
    /// it its default. Not a search field: its text would be in no embedding.
    pub(crate) fn is_left_to_the_database(&self, field: &ModelField) -> bool {
        matches!(&field.options.fill, Some((_, Fill::Default(_))))
            && field.options.default.is_none()
            && field.role == Role::Plain
            && !self.search.contains(&field.name)
    }

    /// The fields a patch may change: those that hold what the caller recorded.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (usize, &ModelField)> {
        self.settable()
            .filter(|(_, field)| field.role == Role::Plain)
    }

    /// What to say of a refusal, with the name of the constraint or index.
    pub(crate) fn problems(&self) -> impl Iterator<Item = (&LitStr, &Problem)> {
        let constraints = self.options.constraints.iter();
        let constraints = constraints.map(|named| (&named.name, &named.problem));
        let indexes = self.options.indexes.iter();
        let indexes = indexes.map(|named| (&named.name, &named.problem));
        constraints
            .chain(indexes)
            .filter_map(|(name, problem)| Some((name, problem.as_ref()?)))
    }

    /// The field of this name.
    pub(crate) fn field(&self, name: &Ident) -> Option<&ModelField> {
        self.fields.iter().find(|field| field.name == *name)
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

/// What a common column is written like, if this is the name of one.
pub(crate) fn common_type(name: &Ident) -> Option<&'static str> {
    let found = COMMON.iter().find(|(common, ..)| name == *common);
    found.map(|(_, _, ty)| *ty)
}
