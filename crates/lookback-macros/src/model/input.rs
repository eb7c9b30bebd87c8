//! Parses `#[model]` into a [`Model`].

use proc_macro2::TokenStream;
use quote::ToTokens as _;
use syn::spanned::Spanned as _;
use syn::{Fields, Ident, ItemStruct, LitStr};

use crate::diagnostics::Diagnostics;
use crate::model::check;
use crate::model::field::{COMMON_COLUMNS, ColumnRole, Fill, ModelField};
use crate::model::options::{Options, Problem};

/// A parsed model.
pub(crate) struct Model {
    pub(crate) item: ItemStruct,
    pub(crate) table: LitStr,
    pub(crate) search: Vec<Ident>,
    pub(crate) fields: Vec<ModelField>,
    pub(crate) options: Options,
}

const NAMES_TABLE: &str = "missing `table`: expected #[model(table = \"name\", search(field, …))]";

impl Model {
    pub(crate) fn parse(attribute: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let mut diagnostics = Diagnostics::default();
        let mut item: ItemStruct = syn::parse2(item).map_err(|error| {
            syn::Error::new(
                error.span(),
                "`#[model]` must be on a struct with named fields",
            )
        })?;
        if !item.generics.params.is_empty() {
            diagnostics.at(
                item.generics.span(),
                "a model must not have generic parameters",
            );
        }
        let mut options = Options::parse(attribute, &mut diagnostics);
        let schema_only = options.schema_only.is_some();
        let table = options.table.take();
        // An option that is present but invalid was already reported.
        let missing = |name: &str| !options.given.iter().any(|given| given == name);
        if missing("table") {
            diagnostics.at(item.ident.span(), NAMES_TABLE);
        }
        if missing("search") && !schema_only {
            diagnostics.at(
                item.ident.span(),
                "missing `search`, which is `search()` for no fields: \
                 expected #[model(table = \"name\", search(field, …))]",
            );
        }
        let mut fields = Vec::new();
        if let Fields::Named(named) = &mut item.fields {
            for field in &mut named.named {
                fields.push(ModelField::parse(field, schema_only, &mut diagnostics));
            }
        } else {
            diagnostics.at(
                item.ident.span(),
                "`#[model]` must be on a struct with named fields",
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
        check::check(&model, &mut diagnostics);
        diagnostics.into_result(model)
    }

    pub(crate) fn is_schema_only(&self) -> bool {
        self.options.schema_only.is_some()
    }

    /// The columns that queries read, with their indexes.
    pub(crate) fn readable(&self) -> impl Iterator<Item = (usize, &ModelField)> {
        let readable = self.fields.iter().filter(|field| !field.is_opaque());
        readable.enumerate()
    }

    /// The fields of the insert type: neither Lookback nor the database sets them.
    pub(crate) fn settable(&self) -> impl Iterator<Item = (usize, &ModelField)> {
        self.readable().filter(|(_, field)| {
            matches!(field.role, ColumnRole::Plain | ColumnRole::CreatedAt) && !field.is_generated()
        })
    }

    /// Whether the database provides a value if a new record leaves out the field.
    ///
    /// Never a search field: its text would be missing in the embedding.
    pub(crate) fn has_database_default(&self, field: &ModelField) -> bool {
        matches!(&field.options.fill, Some((_, Fill::Default(_))))
            && field.options.default.is_none()
            && field.role == ColumnRole::Plain
            && !self.search.contains(&field.name)
    }

    /// The fields of the patch type.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (usize, &ModelField)> {
        self.settable()
            .filter(|(_, field)| field.role == ColumnRole::Plain)
    }

    /// The messages for rejected rows, with the name of the constraint or index.
    pub(crate) fn problems(&self) -> impl Iterator<Item = (&LitStr, &Problem)> {
        let constraints = self.options.constraints.iter();
        let constraints = constraints.map(|named| (&named.name, &named.problem));
        let indexes = self.options.indexes.iter();
        let indexes = indexes.map(|named| (&named.name, &named.problem));
        constraints
            .chain(indexes)
            .filter_map(|(name, problem)| Some((name, problem.as_ref()?)))
    }

    /// The field with this name.
    pub(crate) fn field(&self, name: &Ident) -> Option<&ModelField> {
        self.fields.iter().find(|field| field.name == *name)
    }
}

/// Returns the struct without the attributes of this macro.
pub(crate) fn without_attributes(item: TokenStream) -> TokenStream {
    let Ok(mut parsed) = syn::parse2::<ItemStruct>(item.clone()) else {
        return item;
    };
    for field in &mut parsed.fields {
        field.attrs.retain(|a| !a.path().is_ident("column"));
    }
    parsed.into_token_stream()
}

/// Returns the type of a common column, if this is the name of one.
pub(crate) fn common_type(name: &Ident) -> Option<&'static str> {
    let found = COMMON_COLUMNS.iter().find(|(common, ..)| name == *common);
    found.map(|(_, _, ty)| *ty)
}
