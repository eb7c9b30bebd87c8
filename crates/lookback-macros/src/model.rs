//! `#[model]`: parse ([`input`], with [`options`] of the struct and [`field`]s),
//! [`check`] what the parts have to do with each other, then
//! [`expand`](self::expand::expand).

use proc_macro2::TokenStream;

mod check;
mod definition;
mod expand;
mod field;
mod input;
mod key;
mod options;
#[cfg(test)]
mod pulled;

pub(crate) fn expand(attribute: TokenStream, item: TokenStream) -> TokenStream {
    match input::Model::parse(attribute, item.clone()) {
        Ok(model) => expand::expand(&model),
        Err(error) => {
            // The struct itself stays, so that what uses it adds no errors of its own.
            let item = input::without_attributes(item);
            let error = error.into_compile_error();
            quote::quote!(#item #error)
        }
    }
}
