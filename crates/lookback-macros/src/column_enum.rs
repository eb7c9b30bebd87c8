//! `#[derive(ColumnEnum)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Fields, LitStr, Meta, Variant};

use crate::diagnostics::{Diagnostics, Sql, check_name, parse_string, set_once};

pub(crate) fn expand(item: TokenStream) -> syn::Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let name = &input.ident;
    let mut diagnostics = Diagnostics::default();
    let pg_type = pg_type(&input, &mut diagnostics);
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(
            name,
            "`ColumnEnum` must be on an enum whose variants have no fields",
        ));
    };
    let mut variants = Vec::new();
    let mut labels: Vec<String> = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            diagnostics.at(
                variant.span(),
                "a variant of a `ColumnEnum` must not have fields: only its name is stored",
            );
        }
        let label = label(variant, &mut diagnostics);
        if labels.contains(&label.value()) {
            diagnostics.at(
                label.span(),
                format!("duplicate variant name \"{}\"", label.value()),
            );
        }
        variants.push(&variant.ident);
        labels.push(label.value());
    }
    diagnostics.into_result(())?;

    let (column_type, type_info) = match &pg_type {
        Some(pg) => (
            quote!(::lookback::value::ColumnType::Enum(#pg)),
            quote!(::lookback::__private::sqlx::postgres::PgTypeInfo::with_name(#pg)),
        ),
        None => (
            quote!(::lookback::value::ColumnType::Text),
            quote!(<&str as ::lookback::__private::sqlx::Type<
                ::lookback::__private::sqlx::Postgres,
            >>::type_info()),
        ),
    };
    // A text enum also decodes varchar, like any text.
    let compatible = pg_type.is_none().then(|| {
        quote! {
            fn compatible(ty: &::lookback::__private::sqlx::postgres::PgTypeInfo) -> bool {
                <&str as ::lookback::__private::sqlx::Type<::lookback::__private::sqlx::Postgres>>::compatible(ty)
            }
        }
    });

    // Operands of filters, beside `&str` and the enum itself.
    let operands = [
        quote!(::std::string::String),
        quote!(&::std::string::String),
        quote!(::std::borrow::Cow<'_, str>),
    ];
    let operands = operands.iter().map(|text| {
        quote! {
            impl ::lookback::query::Operand<#name> for #text {
                fn operand(
                    self,
                ) -> ::core::result::Result<
                    ::lookback::value::Value<'static>,
                    ::lookback::value::Problem,
                > {
                    ::lookback::query::Operand::<#name>::operand(&self[..])
                }
            }
        }
    });

    // PostgreSQL has no pattern matching for enum types.
    let text = pg_type
        .is_none()
        .then(|| quote! {
            impl ::lookback::value::Text for #name {}

            // The OID of an enum's array type is not known without a query
            // either.
            impl ::lookback::value::ArrayElement for #name {}

            impl ::lookback::__private::sqlx::postgres::PgHasArrayType for #name {
                fn array_type_info() -> ::lookback::__private::sqlx::postgres::PgTypeInfo {
                    <::std::string::String as ::lookback::__private::sqlx::postgres::PgHasArrayType>::array_type_info()
                }
            }
        });

    Ok(quote! {
        impl #name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[#(Self::#variants),*];

            /// The value as stored in the database and written in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { #(Self::#variants => #labels),* }
            }
        }

        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::core::str::FromStr for #name {
            type Err = ::lookback::value::Problem;
            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                match text {
                    #(#labels => Ok(Self::#variants),)*
                    _ => Err(::lookback::value::Problem::not_one_of(text, &[#(#labels),*])),
                }
            }
        }

        impl ::lookback::__private::serde::Serialize for #name {
            fn serialize<S: ::lookback::__private::serde::Serializer>(
                &self, serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> ::lookback::__private::serde::Deserialize<'de> for #name {
            fn deserialize<D: ::lookback::__private::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                let text = <::std::borrow::Cow<'de, str> as ::lookback::__private::serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(::lookback::__private::serde::de::Error::custom)
            }
        }

        impl ::lookback::value::ColumnValue for #name {
            const TYPE: ::lookback::value::ColumnType = #column_type;
            const VARIANTS: &'static [&'static str] = &[#(#labels),*];
            fn to_value(&self) -> ::lookback::value::Value<'_> {
                ::lookback::value::Value::Text(::std::borrow::Cow::Borrowed(self.as_str()))
            }
            fn from_value(
                value: ::lookback::value::Value<'_>,
            ) -> ::core::result::Result<Self, ::lookback::value::Problem> {
                <::std::string::String as ::lookback::value::ColumnValue>::from_value(value)?.parse()
            }
        }

        #(#operands)*

        impl ::lookback::value::TextLike for #name {}
        impl ::lookback::value::Ordered for #name {}
        #text

        impl ::lookback::__private::sqlx::Type<::lookback::__private::sqlx::Postgres> for #name {
            fn type_info() -> ::lookback::__private::sqlx::postgres::PgTypeInfo { #type_info }
            #compatible
        }

        impl<'r> ::lookback::__private::sqlx::Decode<'r, ::lookback::__private::sqlx::Postgres> for #name {
            fn decode(
                value: ::lookback::__private::sqlx::postgres::PgValueRef<'r>,
            ) -> ::core::result::Result<Self, ::lookback::__private::sqlx::error::BoxDynError> {
                Ok(value.as_str()?.parse::<Self>()?)
            }
        }
    })
}

/// Parses the `type` of `#[column_enum(type = "…")]`, if it is given.
fn pg_type(input: &DeriveInput, diagnostics: &mut Diagnostics) -> Option<LitStr> {
    const USAGE: &str = "expected type = \"name\" or type = \"schema.name\" on the enum";
    let read =
        |literal: LitStr| Sql::<lookback_schema::Name>::parse(literal).map(|sql| sql.literal);
    attribute(&input.attrs, "type", USAGE, read, diagnostics)
}

/// Returns the stored label of a variant.
///
/// It is the `name` of `#[column_enum(name = "…")]`, or the variant's own name
/// in `snake_case`.
fn label(variant: &Variant, diagnostics: &mut Diagnostics) -> LitStr {
    const USAGE: &str = "expected name = \"very happy\" on a variant";
    let read = |literal: LitStr| check_name(&literal).map(|()| literal);
    let given = attribute(&variant.attrs, "name", USAGE, read, diagnostics);
    given.unwrap_or_else(|| {
        let name = variant.ident.unraw().to_string();
        LitStr::new(&snake_case(&name), variant.ident.span())
    })
}

/// Parses the only option of `#[column_enum(…)]` at this place.
fn attribute(
    attributes: &[Attribute],
    known: &str,
    usage: &str,
    read: impl Fn(LitStr) -> syn::Result<LitStr>,
    diagnostics: &mut Diagnostics,
) -> Option<LitStr> {
    let mut found = None;
    let ours = attributes
        .iter()
        .filter(|a| a.path().is_ident("column_enum"));
    for attribute in ours {
        let Meta::List(list) = &attribute.meta else {
            diagnostics.at(attribute.span(), usage);
            continue;
        };
        diagnostics.parse_options(list.tokens.clone(), usage, |name, input| {
            if name != known {
                return Err(syn::Error::new(
                    name.span(),
                    format!("unknown attribute `{name}`: {usage}"),
                ));
            }
            set_once(&mut found, name, read(parse_string(input, usage)?)?)
        });
    }
    found
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    for (index, c) in name.chars().enumerate() {
        if c.is_uppercase() && index > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// Returns the type of a valid enum, and its variants with their labels.
#[cfg(test)]
pub(crate) fn parse_definition(item: TokenStream) -> (Option<String>, Vec<(String, String)>) {
    let mut diagnostics = Diagnostics::default();
    let Ok(input) = syn::parse2::<DeriveInput>(item) else {
        return Default::default();
    };
    let name = pg_type(&input, &mut diagnostics).map(|name| name.value());
    let Data::Enum(data) = &input.data else {
        return Default::default();
    };
    let label = |variant: &Variant| {
        let label = label(variant, &mut Diagnostics::default());
        (variant.ident.to_string(), label.value())
    };
    (name, data.variants.iter().map(label).collect())
}
