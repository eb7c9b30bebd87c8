//! From a checked model to the code it stands for.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, LitStr};

use super::input::{Model, ModelField, Role};

pub(crate) fn expand(model: &Model) -> TokenStream {
    let row = row(model);
    let handles = handles(model);
    let table = table(model);
    let new = new(model);
    let patch = patch(model);
    quote! { #row #handles #table #new #patch }
}

/// The struct itself, with `Debug`, `Clone`, `PartialEq` and `Serialize`.
fn row(model: &Model) -> TokenStream {
    let mut item = model.item.clone();
    for field in &mut item.fields {
        let hidden = model
            .fields
            .iter()
            .any(|f| Some(&f.name) == field.ident.as_ref() && f.hidden);
        if hidden {
            field.attrs.push(syn::parse_quote!(#[serde(skip)]));
        }
    }
    quote! {
        #[derive(Debug, Clone, PartialEq, ::lookback::__private::serde::Serialize)]
        #[serde(crate = "::lookback::__private::serde")]
        #item
    }
}

/// `Log::level()` and the like, plus `Log::records()`.
fn handles(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let visibility = &model.item.vis;
    let handles = model.fields.iter().enumerate().map(|(index, field)| {
        let ModelField {
            name: column,
            value,
            docs,
            visibility,
            ..
        } = field;
        let title = format!("The column `{column}`, to filter and to order by.");
        quote! {
            #[doc = #title]
            ///
            #(#docs)*
            #visibility fn #column() -> ::lookback::Column<Self, #value> {
                ::lookback::Column::__new(#index)
            }
        }
    });
    let records_doc = format!("Reads and writes the records of `{}`.", model.table.value());
    quote! {
        impl #name {
            #[doc = #records_doc]
            #visibility fn records() -> ::lookback::QueryBuilder<Self> {
                ::lookback::QueryBuilder::new()
            }
            #(#handles)*
        }
    }
}

/// The static description of the table, and `impl Model`.
fn table(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let new = format_ident!("New{name}");
    let patch = format_ident!("{name}Patch");
    let table = &model.table;
    let columns = model.fields.iter().map(column_def);
    let search = model.search.iter().map(|field| {
        model
            .fields
            .iter()
            .position(|f| f.name == *field)
            .unwrap_or_else(|| unreachable!("search fields were checked"))
    });
    let constraints = model.constraints.iter().map(|constraint| {
        let name = &constraint.name;
        let field = LitStr::new(&constraint.field.to_string(), constraint.field.span());
        let problem = &constraint.problem;
        quote!(::lookback::__private::Constraint { name: #name, field: #field, problem: #problem })
    });
    let reads = model.fields.iter().map(|field| {
        let column = &field.name;
        let text = column.to_string();
        let read = match (field.hidden, field.nullable) {
            (true, true) => quote!(::lookback::__private::read_hidden_nullable(row, #text)?),
            (true, false) => quote!(::lookback::__private::read_hidden(row, #text)?),
            (false, true) => quote!(::lookback::__private::read_nullable(row, #text)?),
            (false, false) => quote!(::lookback::__private::read(row, #text)?),
        };
        quote!(#column: #read)
    });
    quote! {
        impl ::lookback::Model for #name {
            const TABLE: &'static ::lookback::Table = &::lookback::Table {
                name: #table,
                columns: &[#(#columns),*],
                search: &[#(#search),*],
                constraints: &[#(#constraints),*],
            };
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

fn column_def(field: &ModelField) -> TokenStream {
    let name = field.name.to_string();
    let value = &field.value;
    let nullable = field.nullable;
    let hidden = field.hidden;
    let not_blank = field.not_blank;
    let role = match field.role {
        Role::Id => quote!(Id),
        Role::Plain => quote!(Plain),
        Role::CreatedAt => quote!(CreatedAt),
        Role::UpdatedAt => quote!(UpdatedAt),
        Role::DeletedAt => quote!(DeletedAt),
        Role::Embedding => quote!(Embedding),
    };
    let max_bytes = match &field.max_bytes {
        Some(bytes) => quote!(#bytes),
        None => quote!(<#value as ::lookback::ColumnValue>::TYPE.default_max_bytes()),
    };
    let range = match &field.range {
        Some((min, max)) => quote!(Some((#min, #max))),
        None => quote!(None),
    };
    let has_default = field.default.is_some();
    quote! {
        ::lookback::ColumnDef {
            name: #name,
            ty: <#value as ::lookback::ColumnValue>::TYPE,
            parse: ::lookback::__private::parse::<#value>,
            variants: <#value as ::lookback::ColumnValue>::VARIANTS,
            role: ::lookback::Role::#role,
            nullable: #nullable,
            hidden: #hidden,
            has_default: #has_default,
            not_blank: #not_blank,
            max_bytes: #max_bytes,
            range: #range,
        }
    }
}

/// The fields a caller may set: all but those the write path fills.
fn settable(model: &Model) -> impl Iterator<Item = (usize, &ModelField)> {
    model
        .fields
        .iter()
        .enumerate()
        .filter(|(_, field)| matches!(field.role, Role::Plain | Role::CreatedAt))
}

/// The fields a patch may change: those that hold what the caller recorded.
fn plain(model: &Model) -> impl Iterator<Item = (usize, &ModelField)> {
    settable(model).filter(|(_, field)| field.role == Role::Plain)
}

/// `NewLog`: the insert type.
fn new(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let visibility = &model.item.vis;
    let new = format_ident!("New{name}");
    let table = model.table.value();

    // A field is required unless it may be null or the model has a value for it.
    let required = |field: &ModelField| {
        !field.nullable && field.default.is_none() && field.role == Role::Plain
    };

    let fields = settable(model).map(|(_, field)| {
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
        let note = match (&field.role, &field.default) {
            (Role::CreatedAt, _) => Some("\n\n`None`: the time of the insert."),
            (_, Some(_)) => Some("\n\n`None`: the default of the column."),
            _ => None,
        }
        .map(|text| quote!(#[doc = #text]));
        quote! { #(#docs)* #note #visibility #name: #ty }
    });
    let parameters = settable(model)
        .filter(|(_, f)| required(f))
        .map(|(_, field)| {
            let ModelField { name, value, .. } = field;
            quote!(#name: impl ::core::convert::Into<#value>)
        });
    let initial = settable(model).map(|(_, field)| {
        let column = &field.name;
        if required(field) {
            quote!(#column: #column.into())
        } else {
            quote!(#column: None)
        }
    });
    let setters = settable(model)
        .filter(|(_, f)| !required(f))
        .map(|(_, field)| {
            let ModelField {
                name,
                value,
                visibility,
                ..
            } = field;
            let title = format!("Sets `{name}`.");
            quote! {
                #[doc = #title]
                #[must_use]
                #visibility fn #name(mut self, #name: impl ::core::convert::Into<#value>) -> Self {
                    self.#name = Some(#name.into());
                    self
                }
            }
        });
    let values = settable(model).map(|(index, field)| {
        let column = &field.name;
        let value = &field.value;
        let to_value = quote!(<#value as ::lookback::ColumnValue>::to_value);
        if required(field) {
            quote!(#index => Some(#to_value(&self.#column)))
        } else if let Some(default) = &field.default {
            quote! {
                #index => Some(match &self.#column {
                    Some(value) => #to_value(value),
                    None => ::lookback::Value::into_owned({
                        let default: #value = #default;
                        #to_value(&default).into_owned()
                    }),
                })
            }
        } else if field.role == Role::CreatedAt {
            quote!(#index => self.#column.as_ref().map(#to_value))
        } else {
            quote! {
                #index => Some(self.#column.as_ref().map_or(::lookback::Value::Null, #to_value))
            }
        }
    });
    let from_json = settable(model).map(|(index, field)| {
        let column = &field.name;
        if required(field) {
            quote!(let #column = input.required(#index);)
        } else {
            quote!(let #column = input.optional(#index);)
        }
    });
    let unwrap = settable(model).map(|(_, field)| {
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
    let impls = assign(
        name,
        &new,
        settable(model),
        &quote!(#(#values,)*),
        &quote! {
            #(#from_json)*
            let value = (|| Some(Self { #(#unwrap),* }))();
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

/// `LogPatch`: the patch type.
fn patch(model: &Model) -> TokenStream {
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
    let fields = plain(model).map(|(_, field)| {
        let ModelField {
            name,
            docs,
            visibility,
            ..
        } = field;
        let ty = ty(field);
        quote! { #(#docs)* #visibility #name: ::lookback::Patch<#ty> }
    });
    let setters = plain(model).map(|(_, field)| {
        let ModelField {
            name, visibility, ..
        } = field;
        let ty = ty(field);
        let title = if field.nullable {
            format!("Sets `{name}`; `None` makes it null.")
        } else {
            format!("Sets `{name}`.")
        };
        quote! {
            #[doc = #title]
            #[must_use]
            #visibility fn #name(mut self, #name: impl ::core::convert::Into<#ty>) -> Self {
                self.#name = ::lookback::Patch::Set(#name.into());
                self
            }
        }
    });
    let values = plain(model).map(|(index, field)| {
        let column = &field.name;
        let value = &field.value;
        let to_value = quote!(<#value as ::lookback::ColumnValue>::to_value);
        if field.nullable {
            quote! {
                #index => self.#column.as_set().map(|value| {
                    value.as_ref().map_or(::lookback::Value::Null, #to_value)
                })
            }
        } else {
            quote!(#index => self.#column.as_set().map(#to_value))
        }
    });
    let from_json = plain(model).map(|(index, field)| {
        let column = &field.name;
        if field.nullable {
            quote!(#column: input.patch_nullable(#index))
        } else {
            quote!(#column: input.patch(#index))
        }
    });
    let patch_doc = format!("A change to a record of `{table}`: a field that is absent is kept.");
    let impls = assign(
        name,
        &patch,
        plain(model),
        &quote!(#(#values,)*),
        &quote!(let value = Some(Self { #(#from_json),* });),
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

/// What the insert type and the patch type share: `Assign`, reading from JSON,
/// and a `Debug` that shows no hidden value.
fn assign<'a>(
    model: &Ident,
    ty: &Ident,
    fields: impl Iterator<Item = (usize, &'a ModelField)>,
    values: &TokenStream,
    from_json: &TokenStream,
) -> TokenStream {
    let name = ty.to_string();
    let debug = fields.map(|(_, field)| {
        let column = &field.name;
        let text = column.to_string();
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

        impl ::lookback::Assign for #ty {
            type Model = #model;

            fn value(&self, column: usize) -> ::core::option::Option<::lookback::Value<'_>> {
                match column {
                    #values
                    _ => None,
                }
            }

            fn from_json(
                map: ::lookback::JsonMap,
            ) -> ::core::result::Result<Self, ::lookback::Error> {
                let mut input = ::lookback::__private::JsonInput::new::<#model>(map);
                #from_json
                input.finish(value)
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
