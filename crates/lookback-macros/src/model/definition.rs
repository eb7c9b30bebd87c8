//! Generates the table definition for migrations: `impl SchemaModel`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;

use lookback_schema::{Constraint, MAX_NAME_BYTES};

use crate::diagnostics::Sql;
use crate::model::field::{ColumnRole, Fill, ModelField};
use crate::model::input::Model;
use crate::model::options::{NamedDefinition, Partition};

pub(crate) fn definition(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let text = name.unraw().to_string();
    let table = &model.table;
    let options = &model.options;
    let columns = model.fields.iter().map(column);
    let key = primary_key(model).into_iter();
    let constraints = options.constraints.iter().map(named_definition);
    let indexes = options.indexes.iter().map(named_definition);
    let mut definition = quote! {
        ::lookback::__private::TableDefinition::new(#text, #table, &[#(#columns),*])
            .with_constraints(&[#(#key,)* #(#constraints),*])
            .with_indexes(&[#(#indexes),*])
    };
    if let Some(schema) = &options.schema {
        definition.extend(quote!(.with_schema(#schema)));
    }
    if let Some(comment) = &options.comment {
        definition.extend(quote!(.with_comment(#comment)));
    }
    if let Some(sql) = &options.partition_by {
        definition.extend(with_sql(quote!(with_partition_by), sql));
    }
    if !options.partitions.is_empty() {
        let partitions = options.partitions.iter().map(partition);
        definition.extend(quote!(.with_partitions(&[#(#partitions),*])));
    }
    if options.open_partitions.is_some() {
        definition.extend(quote!(.with_open_partitions()));
    }
    if !model.is_schema_only() {
        definition.extend(quote!(.with_table(<#name as ::lookback::Model>::TABLE)));
    }
    quote! {
        impl ::lookback::table::SchemaModel for #name {
            const DEFINITION: &'static ::lookback::__private::TableDefinition = &#definition;
        }
    }
}

/// Generates the default primary key: `<table>_pkey` on `id`.
fn primary_key(model: &Model) -> Option<TokenStream> {
    let declared = model
        .options
        .constraints
        .iter()
        .any(|named| matches!(named.definition.value, Constraint::PrimaryKey(_)));
    if declared || model.is_schema_only() {
        return None;
    }
    let name = primary_key_name(&model.table.value());
    Some(quote!((#name, "PRIMARY KEY (id)")))
}

/// Returns the name that PostgreSQL gives to an unnamed primary key.
pub(crate) fn primary_key_name(table: &str) -> String {
    let mut name = table.to_owned();
    while name.len() > MAX_NAME_BYTES - "_pkey".len() {
        name.pop();
    }
    name + "_pkey"
}

fn column(field: &ModelField) -> TokenStream {
    let name = field.column();
    let options = &field.options;
    let value = &field.value;
    let ty = if let Some(data_type) = &options.data_type {
        let sql = &data_type.literal;
        quote!(sql(#sql))
    } else {
        let ty = quote!(<#value as ::lookback::value::ColumnValue>::TYPE);
        let labels = quote!(<#value as ::lookback::value::ColumnValue>::VARIANTS);
        if field.array {
            quote!(array(#ty, #labels))
        } else {
            quote!(value(#ty, #labels))
        }
    };
    let mut column = quote! {
        ::lookback::__private::ColumnDefinition::new(
            #name,
            ::lookback::__private::TypeDefinition::#ty,
        )
    };
    if field.nullable {
        column.extend(quote!(.with_nullable()));
    }
    column.extend(match field.role {
        ColumnRole::Plain => fill(field),
        ColumnRole::Id => quote!(.with_identity_always()),
        ColumnRole::CreatedAt | ColumnRole::UpdatedAt => quote!(.with_sql_default("now()")),
        ColumnRole::DeletedAt | ColumnRole::Embedding => quote!(),
    });
    if let Some(collation) = &options.collate {
        column.extend(quote!(.with_collation(#collation)));
    }
    if let Some(comment) = &options.comment {
        column.extend(quote!(.with_comment(#comment)));
    }
    column
}

fn fill(field: &ModelField) -> TokenStream {
    let value = &field.value;
    match (&field.options.fill, &field.options.default) {
        (Some((_, Fill::Default(sql))), _) => with_sql(quote!(with_sql_default), sql),
        (Some((_, Fill::Stored(sql))), _) => with_sql(quote!(with_stored), sql),
        (Some((_, Fill::Virtual(sql))), _) => with_sql(quote!(with_virtual), sql),
        (Some((_, Fill::IdentityAlways)), _) => quote!(.with_identity_always()),
        (Some((_, Fill::IdentityByDefault)), _) => quote!(.with_identity_by_default()),
        (Some((_, Fill::Serial)), _) => quote!(.with_serial()),
        (None, Some(default)) => quote!(.with_default(|| {
            let default: #value = #default;
            ::lookback::value::Value::into_owned(<#value as ::lookback::value::ColumnValue>::to_value(&default))
        })),
        (None, None) => quote!(),
    }
}

fn with_sql<T>(method: TokenStream, sql: &Sql<T>) -> TokenStream {
    let literal = &sql.literal;
    quote!(.#method(#literal))
}

fn named_definition<T>(named: &NamedDefinition<T>) -> TokenStream {
    let name = &named.name;
    let definition = &named.definition.literal;
    quote!((#name, #definition))
}

fn partition(partition: &Partition) -> TokenStream {
    let name = &partition.name;
    let bound = &partition.bound;
    let mut definition = quote!(::lookback::__private::PartitionDefinition::new(#name, #bound));
    if let Some(sql) = &partition.partition_by {
        definition.extend(with_sql(quote!(with_partition_by), sql));
    }
    if !partition.partitions.is_empty() {
        let partitions = partition.partitions.iter().map(self::partition);
        definition.extend(quote!(.with_partitions(&[#(#partitions),*])));
    }
    definition
}
