//! The unique keys of a model, for upserts.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Ident;
use syn::ext::IdentExt as _;

use lookback_schema::{Constraint, Deferral, Index, quoted};

use super::field::ModelField;
use super::input::Model;

/// A unique key.
struct Key {
    name: String,
    /// The column of conflict errors: the first one.
    column: String,
    /// The target after `ON CONFLICT`, from which PostgreSQL infers this key and no other.
    target: String,
}

/// Generates `Table::keys`.
pub(super) fn definitions(model: &Model) -> TokenStream {
    let keys = keys(model).into_iter().map(|key| {
        let Key {
            name,
            column,
            target,
        } = key;
        quote!(::lookback::__private::KeyDef::new(#name, #column, #target))
    });
    quote!(&[#(#keys),*])
}

/// Generates a function for each key whose name is an identifier and not a field.
pub(super) fn functions(model: &Model) -> TokenStream {
    let visibility = &model.item.vis;
    let functions = keys(model)
        .into_iter()
        .enumerate()
        .filter_map(|(place, key)| {
            let name: Ident = syn::parse_str(&key.name).ok()?;
            let is_field = model.fields.iter().any(|field| field.name.unraw() == name);
            if is_field || name == "records" {
                return None;
            }
            let title = format!("The unique key `{}`, to upsert by.", key.name);
            Some(quote! {
                #[doc = #title]
                #visibility fn #name() -> ::lookback::query::UniqueKey<Self> {
                    ::lookback::query::UniqueKey::__new(#place)
                }
            })
        });
    quote!(#(#functions)*)
}

fn keys(model: &Model) -> Vec<Key> {
    let constraints = model.options.constraints.iter().filter_map(|named| {
        let key = match &named.definition.value {
            Constraint::Unique(key) => key,
            // No record is inserted with an id.
            Constraint::PrimaryKey(key) if key.columns != ["id"] => key,
            _ => return None,
        };
        // PostgreSQL accepts neither a deferrable constraint nor one WITHOUT OVERLAPS as a conflict
        // target.
        if key.deferral != Deferral::default() || key.without_overlaps {
            return None;
        }
        let columns: Vec<String> = key
            .columns
            .iter()
            .map(|name| quoted(name).to_string())
            .collect();
        Some(Key {
            name: named.name.value(),
            column: key.columns.first()?.clone(),
            target: format!("({})", columns.join(", ")),
        })
    });
    let indexes = model.options.indexes.iter().filter_map(|named| {
        let index = &named.definition.value;
        let problem = named.problem.as_ref();
        let column = match problem.and_then(|problem| model.field(&problem.field)) {
            Some(field) => field.column(),
            None => first_column(model, index)?,
        };
        Some(Key {
            name: named.name.value(),
            column,
            target: target(index)?,
        })
    });
    constraints.chain(indexes).collect()
}

fn first_column(model: &Model, index: &Index) -> Option<String> {
    let columns = model.fields.iter().map(ModelField::column);
    let mut mentioned = columns.filter(|column| index.keys[0].expression.mentions(column));
    mentioned.next()
}

/// Returns the keys and the predicate of a unique index, without the sort order.
fn target(index: &Index) -> Option<String> {
    if !index.unique {
        return None;
    }
    let keys: Vec<String> = index
        .keys
        .iter()
        .map(|key| {
            let mut key = key.clone();
            (key.descending, key.nulls_first) = (false, false);
            key.to_string()
        })
        .collect();
    let predicate = match &index.predicate {
        Some(predicate) => format!(" WHERE {predicate}"),
        None => String::new(),
    };
    Some(format!("({}){predicate}", keys.join(", ")))
}
