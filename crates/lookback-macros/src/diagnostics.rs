//! Compiler errors, collected so that one compilation reports all of them.

use std::str::FromStr;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Ident, LitStr, Token};

/// The errors found so far.
#[derive(Default)]
pub(crate) struct Diagnostics(Option<syn::Error>);

impl Diagnostics {
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(all) => all.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn at(&mut self, span: Span, message: impl std::fmt::Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Returns `value` if there are no errors.
    pub(crate) fn into_result<T>(self, value: T) -> syn::Result<T> {
        match self.0 {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }

    /// Parses the options `name …, name …` to the end.
    ///
    /// An error in one option does not hide errors in the next. `usage` is the
    /// message where a name is missing.
    pub(crate) fn parse_options(
        &mut self,
        tokens: TokenStream,
        usage: &str,
        mut parse: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
    ) {
        let mut found = Vec::new();
        let parsed = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                let result = match input.call(Ident::parse_any) {
                    Ok(name) => parse(&name, input),
                    Err(error) => Err(syn::Error::new(error.span(), usage)),
                };
                let result = result.and_then(|()| {
                    if input.is_empty() {
                        Ok(())
                    } else {
                        input.parse::<Token![,]>().map(drop)
                    }
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
        for error in found {
            self.push(error);
        }
    }
}

/// Skips the rest of an option and the comma after it.
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

/// Parses the whole content of parentheses.
pub(crate) fn parse_parenthesized<T>(
    input: ParseStream<'_>,
    parse: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let content;
    syn::parenthesized!(content in input);
    let result = parse(&content).and_then(|value| {
        content.parse::<Option<Token![,]>>()?;
        if content.is_empty() {
            Ok(value)
        } else {
            Err(content.error("unexpected token after the arguments"))
        }
    });
    // Otherwise the caller's parser would report the remaining tokens again.
    while !content.is_empty() && content.parse::<TokenTree>().is_ok() {}
    result
}

/// Stores the value of an option that may be given only once.
pub(crate) fn set_once<T>(slot: &mut Option<T>, name: &Ident, value: T) -> syn::Result<()> {
    if slot.is_some() {
        return Err(syn::Error::new(
            name.span(),
            format!("duplicate attribute `{name}`"),
        ));
    }
    *slot = Some(value);
    Ok(())
}

/// Parses `= "…"`.
pub(crate) fn parse_string(input: ParseStream<'_>, usage: &str) -> syn::Result<LitStr> {
    let wrong = |error: syn::Error| syn::Error::new(error.span(), usage);
    input.parse::<Token![=]>().map_err(wrong)?;
    input.parse::<LitStr>().map_err(wrong)
}

/// SQL in a string literal, and its parsed value.
pub(crate) struct Sql<T> {
    pub(crate) literal: LitStr,
    pub(crate) value: T,
}

impl<T: FromStr<Err = lookback_schema::Error>> Sql<T> {
    pub(crate) fn parse(literal: LitStr) -> syn::Result<Self> {
        match literal.value().parse() {
            Ok(value) => Ok(Self { literal, value }),
            Err(error) => Err(syn::Error::new(literal.span(), error)),
        }
    }
}

/// Checks that PostgreSQL accepts a name without truncating it.
pub(crate) fn check_name(literal: &LitStr) -> syn::Result<()> {
    let name = literal.value();
    let problem = if name.is_empty() {
        "a name must not be empty".to_owned()
    } else if name.contains('\0') {
        "a name must not contain a NUL character".to_owned()
    } else if name.len() > lookback_schema::MAX_NAME_BYTES {
        format!(
            "a name must be at most {} bytes long, got {}: PostgreSQL would truncate it",
            lookback_schema::MAX_NAME_BYTES,
            name.len()
        )
    } else {
        return Ok(());
    };
    Err(syn::Error::new(literal.span(), problem))
}
