//! `#[model]`: parses, checks and expands a struct.
//!
//! [`input`] parses the struct, with its [`options`] and [`field`]s. [`check`] checks that the
//! parts fit each other. [`expand`](self::expand::expand) generates the code.

use proc_macro2::TokenStream;

mod check;
mod definition;
mod expand;
#[cfg(test)]
mod expansion_tests;
mod field;
mod input;
mod key;
mod options;
#[cfg(test)]
mod round_trip;

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match input::Model::parse(attribute, item.clone()) {
        Ok(model) => expand::expand(&model),
        Err(error) => {
            // Keeps the struct itself, so that code that uses it causes no further errors.
            let item = input::without_attributes(item);
            let error = error.into_compile_error();
            quote::quote!(#item #error)
        }
    }
}
