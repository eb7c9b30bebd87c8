//! All mistakes found so far, so that one compilation shows every one.

use std::str::FromStr;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, LitStr, Token};

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    /// The value, if nothing was wrong.
    pub(crate) fn none<T>(self, value: T) -> syn::Result<T> {
        match self.0 {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }

    /// Reads `name …, name …` to the end; a mistake in one hides none of the
    /// next. What can be given is said where no name stands.
    pub(crate) fn options(
        &mut self,
        tokens: TokenStream,
        usage: &str,
        mut read: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
    ) {
        let mut found = Vec::new();
        let parsed = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                let result = match input.call(Ident::parse_any) {
                    Ok(name) => read(&name, input),
                    Err(error) => Err(syn::Error::new(error.span(), usage)),
                };
                let result = result.and_then(|()| match input.is_empty() {
                    true => Ok(()),
                    false => input.parse::<Token![,]>().map(drop),
                });
                if let Err(error) = result {
                    found.push(error);
                    skip_option(input);
                }
            }
            Ok(())
        })
        .parse2(tokens);
        found.extend(parsed.err());
        found.into_iter().for_each(|error| self.push(error));
    }
}

/// Goes on behind the next comma.
fn skip_option(input: ParseStream<'_>) {
    while !input.is_empty() {
        if input
            .parse::<Option<Token![,]>>()
            .is_ok_and(|c| c.is_some())
        {
            return;
        }
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

/// Reads all that stands in parentheses.
pub(crate) fn parenthesized<T>(
    input: ParseStream<'_>,
    read: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let content;
    syn::parenthesized!(content in input);
    let result = read(&content).and_then(|value| {
        content.parse::<Option<Token![,]>>()?;
        match content.is_empty() {
            true => Ok(value),
            false => Err(content.error("this is too much")),
        }
    });
    // What is left over would be reported once more, by the parser of the whole.
    while !content.is_empty() && content.parse::<TokenTree>().is_ok() {}
    result
}

/// Keeps a value that may be given once.
pub(crate) fn once<T>(slot: &mut Option<T>, name: &Ident, value: T) -> syn::Result<()> {
    if slot.is_some() {
        return Err(syn::Error::new(
            name.span(),
            format!("`{name}` is given twice"),
        ));
    }
    *slot = Some(value);
    Ok(())
}

/// `= "…"`
pub(crate) fn string(input: ParseStream<'_>, usage: &str) -> syn::Result<LitStr> {
    let wrong = |error: syn::Error| syn::Error::new(error.span(), usage);
    input.parse::<Token![=]>().map_err(wrong)?;
    input.parse::<LitStr>().map_err(wrong)
}

/// A piece of SQL in a string, and what it reads as.
pub(crate) struct Sql<T> {
    pub(crate) literal: LitStr,
    pub(crate) value: T,
}

impl<T: FromStr<Err = lookback_schema::Error>> Sql<T> {
    pub(crate) fn read(literal: LitStr) -> syn::Result<Self> {
        match literal.value().parse() {
            Ok(value) => Ok(Self { literal, value }),
            Err(error) => Err(syn::Error::new(literal.span(), error)),
        }
    }
}

/// A name of the database must be one that PostgreSQL keeps whole.
pub(crate) fn check_name(literal: &LitStr) -> syn::Result<()> {
    let name = literal.value();
    let problem = if name.is_empty() {
        "a name has at least one character".to_owned()
    } else if name.contains('\0') {
        "a name cannot hold a NUL character".to_owned()
    } else if name.len() > lookback_schema::MAX_NAME_BYTES {
        format!(
            "a name has at most {} bytes, and this one {}: PostgreSQL would cut it off",
            lookback_schema::MAX_NAME_BYTES,
            name.len()
        )
    } else {
        return Ok(());
    };
    Err(syn::Error::new(literal.span(), problem))
}
