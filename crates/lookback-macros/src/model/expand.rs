//! Generates the code of a checked model.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;

use super::check::wire_type;
use super::definition::definition;
use super::field::{ColumnRole, ModelField};
use super::input::Model;
use super::key;

pub(crate) fn expand(model: &Model) -> TokenStream {
    let definition = definition(model);
    if model.is_schema_only() {
        let item = &model.item;
        return quote! {
            // It represents a table; values of it may never be created.
            #[allow(dead_code)]
            #item
            #definition
        };
    }
    let row = row_type(model);
    let functions = column_functions(model);
    let table = model_impl(model);
    let new = insert_type(model);
    let patch = patch_type(model);
    quote! { #row #definition #functions #table #new #patch }
}

/// Generates the struct itself, with `Debug`, `Clone`, `PartialEq` and `Serialize`.
fn row_type(model: &Model) -> TokenStream {
    let mut item = model.item.clone();
    for field in &mut item.fields {
        let Some(model_field) = field.ident.as_ref().and_then(|name| model.field(name)) else {
            continue;
        };
        if model_field.hidden || model_field.is_opaque() {
            field.attrs.push(syn::parse_quote!(#[serde(skip)]));
            continue;
        }
        if let Some(name) = &model_field.options.name {
            field
                .attrs
                .push(syn::parse_quote!(#[serde(rename = #name)]));
        }
        // The same form as in `read_json`, also for values that JSON cannot express.
        let function = if model_field.nullable {
            "::lookback::__private::serialize_nullable"
        } else {
            "::lookback::__private::serialize"
        };
        field
            .attrs
            .push(syn::parse_quote!(#[serde(serialize_with = #function)]));
    }
    quote! {
        #[derive(Debug, Clone, PartialEq, ::lookback::__private::serde::Serialize)]
        #[serde(crate = "::lookback::__private::serde")]
        #item
    }
}

/// Generates `Log::records()`, and a function for each column, for example `Log::level()`.
fn column_functions(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let visibility = &model.item.vis;
    let functions = model.readable().map(|(index, field)| {
        let ModelField {
            name: column,
            value,
            docs,
            visibility,
            ..
        } = field;
        let title = format!(
            "The column `{}`, for filters, ordering and selection.",
            field.column()
        );
        let nullable = field
            .nullable
            .then(|| quote!(, ::lookback::query::Nullable));
        quote! {
            #[doc = #title]
            ///
            #(#docs)*
            #visibility fn #column() -> ::lookback::query::Column<Self, #value #nullable> {
                ::lookback::query::Column::__new(#index)
            }
        }
    });
    let keys = key::functions(model);
    let records_doc = format!("Reads and writes the records of `{}`.", model.table.value());
    quote! {
        impl #name {
            #[doc = #records_doc]
            #visibility fn records() -> ::lookback::QueryBuilder<Self> {
                ::lookback::QueryBuilder::new()
            }
            #(#functions)*
            #keys
        }
    }
}

/// Generates `impl Model`, with the static description of the table.
fn model_impl(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let new = format_ident!("New{name}");
    let patch = format_ident!("{name}Patch");
    let table = &model.table;
    let type_checks = model.readable().filter_map(|(_, field)| type_check(field));
    let schema = model.options.schema.as_ref();
    let schema = schema.map(|schema| quote!(.with_schema(#schema)));
    let columns = model.readable().map(|(_, field)| column_def(model, field));
    let search = model.search.iter().map(|name| {
        let found = model.readable().find(|(_, field)| field.name == *name);
        found.map_or_else(|| unreachable!("search fields were checked"), |(at, _)| at)
    });
    let constraints = model.problems().map(|(name, problem)| {
        let field = model.field(&problem.field).map(ModelField::column);
        let problem = &problem.message;
        quote!(::lookback::__private::Constraint::new(#name, #field, #problem))
    });
    let keys = key::definitions(model);
    let sealed = model.options.sealed.is_some();
    let sealed = sealed.then(|| quote!(.with_sealed()));
    let rollup = model.options.rollup.as_ref().map(|rollup| {
        let column = |name: &Ident| {
            let found = model.readable().find(|(_, field)| field.name == *name);
            found.map_or_else(|| unreachable!("roll-up fields were checked"), |(at, _)| at)
        };
        let keys = rollup.places.iter().map(|place| {
            let (column, path) = (column(&place.field), &place.path);
            quote!(::lookback::__private::RollupKey::new(#column, &[#(#path),*]))
        });
        let time = match rollup.time.as_ref().map(column) {
            Some(time) => quote!(::core::option::Option::Some(#time)),
            None => quote!(::core::option::Option::None),
        };
        quote!(.with_rollup(#time, &[#(#keys),*]))
    });
    let reads = model.fields.iter().map(|field| {
        let column = &field.name;
        let text = field.column();
        if field.is_opaque() {
            let opaque = &field.value;
            return if field.nullable {
                quote!(#column: None)
            } else {
                quote!(#column: <#opaque as ::core::default::Default>::default())
            };
        }
        let read = match (field.hidden, field.nullable) {
            (true, true) => quote!(::lookback::__private::read_hidden_nullable(row, #text)?),
            (true, false) => quote!(::lookback::__private::read_hidden(row, #text)?),
            (false, true) => quote!(::lookback::__private::read_nullable(row, #text)?),
            (false, false) => quote!(::lookback::__private::read(row, #text)?),
        };
        quote!(#column: #read)
    });
    quote! {
        #(#type_checks)*

        impl ::lookback::Model for #name {
            const TABLE: &'static ::lookback::table::Table =
                &::lookback::__private::Table::new(#table, &[#(#columns),*])
                    #schema
                    .with_search(&[#(#search),*])
                    .with_constraints(&[#(#constraints),*])
                    .with_keys(#keys)
                    #sealed
                    #rollup;
            type New = #new;
            type Patch = #patch;

            fn id(&self) -> i64 { self.id }

            fn from_row(
                row: &::lookback::__private::sqlx::postgres::PgRow,
            ) -> ::core::result::Result<Self, ::lookback::__private::sqlx::Error> {
                Ok(Self { #(#reads),* })
            }
        }
    }
}

/// Generates a compile-time check that the `type` fits the Rust type of the field.
fn type_check(field: &ModelField) -> Option<TokenStream> {
    let value = &field.value;
    let data_type = field.options.data_type.as_ref()?;
    let span = data_type.literal.span();
    let wire: TokenStream = wire_type(&data_type.value)?.parse().ok()?;
    Some(quote_spanned! {span=>
        const _: () = ::lookback::__private::check_stored_as(
            <#value as ::lookback::value::ColumnValue>::TYPE,
            ::lookback::value::ColumnType::#wire,
        );
    })
}

fn column_def(model: &Model, field: &ModelField) -> TokenStream {
    let options = &field.options;
    let name = field.column();
    let value = &field.value;
    let role = match field.role {
        ColumnRole::Id => quote!(Id),
        ColumnRole::Plain => quote!(Plain),
        ColumnRole::CreatedAt => quote!(CreatedAt),
        ColumnRole::UpdatedAt => quote!(UpdatedAt),
        ColumnRole::DeletedAt => quote!(DeletedAt),
        ColumnRole::Embedding => quote!(Embedding),
    };
    let mut column = quote! {
        ::lookback::__private::ColumnDef::new::<#value>(#name, ::lookback::table::ColumnRole::#role)
    };
    if field.nullable {
        column.extend(quote!(.with_nullable()));
    }
    if field.hidden {
        column.extend(quote!(.with_hidden()));
    }
    if model.has_database_default(field) {
        column.extend(quote!(.with_database_default()));
    } else if options.default.is_some() {
        column.extend(quote!(.with_default()));
    }
    if field.is_generated() {
        column.extend(quote!(.with_generated()));
    }
    if let Some(data_type) = &options.data_type
        && data_type.value.name.name == "citext"
    {
        let name = data_type.value.name.to_string();
        column.extend(quote!(.with_cast(#name)));
    }
    if options.not_blank.is_some() {
        column.extend(quote!(.with_not_blank()));
    }
    if options.ignore_key_case.is_some() {
        column.extend(quote!(.with_ignore_key_case()));
    }
    if options.email.is_some() {
        column.extend(quote!(.with_email()));
    }
    if let Some(bytes) = &options.max_bytes {
        column.extend(quote!(.with_max_bytes(#bytes)));
    }
    if let Some((min, max)) = &options.range {
        column.extend(quote!(.with_range(#min, #max)));
    }
    if !field.hidden || field.role == ColumnRole::DeletedAt {
        column.extend(quote!(.with_read_json(::lookback::__private::read_json::<#value>)));
    }
    column
}

/// Whether no conversion is offered into the type: the compiler takes a number such as `5`
/// as an `i32` or `f64` where it may choose, and neither converts into these.
fn is_small_number(ty: &syn::Type) -> bool {
    let syn::Type::Path(path) = ty else {
        return false;
    };
    path.path.is_ident("i16") || path.path.is_ident("f32")
}

/// Generates the insert type, for example `NewLog`.
fn insert_type(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let visibility = &model.item.vis;
    let new = format_ident!("New{name}");
    let table = model.table.value();

    // A field is required unless it is nullable or has a default.
    let required = |field: &ModelField| {
        !field.nullable
            && field.options.default.is_none()
            && field.role == ColumnRole::Plain
            && !model.has_database_default(field)
    };

    let fields = model.settable().map(|(_, field)| {
        let ModelField {
            name,
            value,
            docs,
            visibility,
            ..
        } = field;
        let ty = if required(field) {
            quote!(#value)
        } else {
            quote!(::core::option::Option<#value>)
        };
        let note = match (&field.role, &field.options.default) {
            (ColumnRole::CreatedAt, _) => Some("\n\n`None`: the time of the insert."),
            (_, Some(_)) => Some("\n\n`None`: the default of the column."),
            _ if model.has_database_default(field) => {
                Some("\n\n`None`: the default of the database.")
            }
            _ => None,
        }
        .map(|text| quote!(#[doc = #text]));
        quote! { #(#docs)* #note #visibility #name: #ty }
    });
    let parameters = model
        .settable()
        .filter(|(_, f)| required(f))
        .map(|(_, field)| {
            let ModelField { name, value, .. } = field;
            if is_small_number(value) {
                quote!(#name: #value)
            } else {
                quote!(#name: impl ::core::convert::Into<#value>)
            }
        });
    let initial = model.settable().map(|(_, field)| {
        let column = &field.name;
        if required(field) {
            quote!(#column: #column.into())
        } else {
            quote!(#column: None)
        }
    });
    let setters = model
        .settable()
        .filter(|(_, f)| !required(f))
        .map(|(_, field)| {
            let ModelField {
                name,
                value,
                visibility,
                ..
            } = field;
            let title = format!("Sets `{}`; `None` omits it.", field.column());
            if is_small_number(value) {
                return quote! {
                    #[doc = #title]
                    #[must_use]
                    #visibility fn #name(
                        mut self,
                        #name: impl ::core::convert::Into<::core::option::Option<#value>>,
                    ) -> Self {
                        self.#name = #name.into();
                        self
                    }
                };
            }
            quote! {
                #[doc = #title]
                #[must_use]
                #visibility fn #name<__By>(
                    mut self,
                    #name: impl ::lookback::value::IntoOptional<#value, __By>,
                ) -> Self {
                    self.#name = ::lookback::value::IntoOptional::into_optional(#name);
                    self
                }
            }
        });
    let values = model.settable().map(|(index, field)| {
        let column = &field.name;
        let value = &field.value;
        let to_value = quote!(<#value as ::lookback::value::ColumnValue>::to_value);
        if required(field) {
            quote!(#index => Some(#to_value(&self.#column)))
        } else if let Some(default) = &field.options.default {
            quote! {
                #index => Some(match &self.#column {
                    Some(value) => #to_value(value),
                    None => ::lookback::value::Value::into_owned({
                        let default: #value = #default;
                        #to_value(&default).into_owned()
                    }),
                })
            }
        } else if field.role == ColumnRole::CreatedAt || model.has_database_default(field) {
            quote!(#index => self.#column.as_ref().map(#to_value))
        } else {
            quote! {
                #index => Some(self.#column.as_ref().map_or(::lookback::value::Value::Null, #to_value))
            }
        }
    });
    let from_json = model.settable().map(|(index, field)| {
        let column = &field.name;
        if required(field) {
            quote!(let #column = __input.required(#index);)
        } else {
            quote!(let #column = __input.optional(#index);)
        }
    });
    let unwrap = model.settable().map(|(_, field)| {
        let column = &field.name;
        if required(field) {
            quote!(#column: #column?)
        } else {
            quote!(#column)
        }
    });
    let new_doc = format!(
        "A record to insert into `{table}`. `id`, `updated_at` and `embedding` are filled in by the write path."
    );
    let impls = shared_impls(
        name,
        &new,
        model.settable(),
        &quote!(#(#values,)*),
        &quote! {
            #(#from_json)*
            let __record = (|| Some(Self { #(#unwrap),* }))();
        },
    );

    quote! {
        #[doc = #new_doc]
        #[derive(Clone, PartialEq)]
        #visibility struct #new { #(#fields),* }

        impl #new {
            /// A record with the required fields; the others are set by the methods named after them.
            #[allow(clippy::too_many_arguments)]
            #visibility fn new(#(#parameters),*) -> Self {
                Self { #(#initial),* }
            }
            #(#setters)*
        }

        #impls
    }
}

/// Generates the patch type, for example `LogPatch`.
fn patch_type(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let visibility = &model.item.vis;
    let patch = format_ident!("{name}Patch");
    let table = model.table.value();

    let ty = |field: &ModelField| {
        let value = &field.value;
        if field.nullable {
            quote!(::core::option::Option<#value>)
        } else {
            quote!(#value)
        }
    };
    let fields = model.plain().map(|(_, field)| {
        let ModelField {
            name,
            docs,
            visibility,
            ..
        } = field;
        let ty = ty(field);
        quote! { #(#docs)* #visibility #name: ::lookback::value::Patch<#ty> }
    });
    let setters = model.plain().map(|(_, field)| {
        let ModelField {
            name, visibility, ..
        } = field;
        let ty = ty(field);
        let title = if field.nullable {
            format!("Sets `{}`; `None` sets it to NULL.", field.column())
        } else {
            format!("Sets `{}`.", field.column())
        };
        let value = &field.value;
        let (generic, argument, set) = match (field.nullable, is_small_number(value)) {
            (false, true) => (None, ty, quote!(#name)),
            (true, false) => (
                Some(quote!(<__By>)),
                quote!(impl ::lookback::value::IntoNullable<#value, __By>),
                quote!(::lookback::value::IntoNullable::into_nullable(#name)),
            ),
            _ => (
                None,
                quote!(impl ::core::convert::Into<#ty>),
                quote!(#name.into()),
            ),
        };
        quote! {
            #[doc = #title]
            #[must_use]
            #visibility fn #name #generic(mut self, #name: #argument) -> Self {
                self.#name = ::lookback::value::Patch::Set(#set);
                self
            }
        }
    });
    let values = model.plain().map(|(index, field)| {
        let column = &field.name;
        let value = &field.value;
        let to_value = quote!(<#value as ::lookback::value::ColumnValue>::to_value);
        if field.nullable {
            quote! {
                #index => self.#column.as_set().map(|value| {
                    value.as_ref().map_or(::lookback::value::Value::Null, #to_value)
                })
            }
        } else {
            quote!(#index => self.#column.as_set().map(#to_value))
        }
    });
    let from_json = model.plain().map(|(index, field)| {
        let column = &field.name;
        if field.nullable {
            quote!(#column: __input.patch_nullable(#index))
        } else {
            quote!(#column: __input.patch(#index))
        }
    });
    let patch_doc = format!("A change to a record of `{table}`; an absent field is kept.");
    let impls = shared_impls(
        name,
        &patch,
        model.plain(),
        &quote!(#(#values,)*),
        &quote!(let __record = Some(Self { #(#from_json),* });),
    );

    quote! {
        #[doc = #patch_doc]
        #[derive(Clone, PartialEq, Default)]
        #visibility struct #patch { #(#fields),* }

        impl #patch {
            /// A patch that keeps every field.
            #visibility fn new() -> Self { Self::default() }
            #(#setters)*
        }

        #impls
    }
}

/// Generates the impls that both the insert and the patch type have.
///
/// These are `ColumnValues`, `Deserialize`, and a `Debug` that shows no hidden value.
fn shared_impls<'a>(
    model: &Ident,
    ty: &Ident,
    fields: impl Iterator<Item = (usize, &'a ModelField)>,
    values: &TokenStream,
    from_json: &TokenStream,
) -> TokenStream {
    let name = ty.to_string();
    let debug = fields.map(|(_, field)| {
        let column = &field.name;
        let text = field.column();
        if field.hidden {
            quote!(.field(#text, &::core::format_args!("<hidden>")))
        } else {
            quote!(.field(#text, &self.#column))
        }
    });
    quote! {
        impl ::core::fmt::Debug for #ty {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#name) #(#debug)* .finish()
            }
        }

        impl ::lookback::table::ColumnValues for #ty {
            type Model = #model;

            fn value(&self, column: usize) -> ::core::option::Option<::lookback::value::Value<'_>> {
                match column {
                    #values
                    _ => None,
                }
            }

            fn from_json(
                map: ::lookback::value::JsonMap,
            ) -> ::core::result::Result<Self, ::lookback::Error> {
                let mut __input = ::lookback::__private::JsonInput::new::<#model>(map);
                #from_json
                __input.finish(__record)
            }
        }

        impl<'de> ::lookback::__private::serde::Deserialize<'de> for #ty {
            fn deserialize<D: ::lookback::__private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                ::lookback::__private::deserialize(deserializer)
            }
        }
    }
}
