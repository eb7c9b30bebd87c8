//! `#[model]`: parse ([`input`]), then expand ([`expand`](self::expand::expand)).

use proc_macro2::TokenStream;

mod expand;
mod input;

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
