//! The definition of the table, for migrations: `impl SchemaModel`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt as _;

use lookback_schema::{Constraint, MAX_NAME_BYTES, PartitionBy};

use crate::diagnostics::Sql;
use crate::model::field::{ColumnRole, Fill, ModelField};
use crate::model::input::Model;
use crate::model::options::{NamedDefinition, Partition};

pub(crate) fn definition(model: &Model) -> TokenStream {
    let name = &model.item.ident;
    let text = name.unraw().to_string();
    let table = &model.table;
    let options = &model.options;
    let schema = optional(options.schema.as_ref());
    let comment = optional(options.comment.as_ref());
    let columns = model.fields.iter().map(column);
    let key = primary_key(model).into_iter();
    let constraints = options.constraints.iter().map(named_definition);
    let indexes = options.indexes.iter().map(named_definition);
    let partition_by = partition_by(options.partition_by.as_ref());
    let partitions = options.partitions.iter().map(partition);
    let open_partitions = options.open_partitions.is_some();
    let read = if model.is_schema_only() {
        quote!(::core::option::Option::None)
    } else {
        quote!(::core::option::Option::Some(<#name as ::lookback::Model>::TABLE))
    };
    quote! {
        impl ::lookback::SchemaModel for #name {
            const DEFINITION: &'static ::lookback::__private::TableDefinition =
                &::lookback::__private::TableDefinition {
                    model: #text,
                    schema: #schema,
                    table: #table,
                    comment: #comment,
                    columns: &[#(#columns),*],
                    constraints: &[#(#key,)* #(#constraints),*],
                    indexes: &[#(#indexes),*],
                    partition_by: #partition_by,
                    partitions: &[#(#partitions),*],
                    open_partitions: #open_partitions,
                    read: #read,
                };
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
    let array = field.array;
    let ty = match &options.data_type {
        Some(data_type) => {
            let sql = &data_type.literal;
            quote!(Sql(#sql))
        }
        None => quote!(Value {
            ty: <#value as ::lookback::ColumnValue>::TYPE,
            labels: <#value as ::lookback::ColumnValue>::VARIANTS,
            array: #array,
        }),
    };
    let fill = match field.role {
        ColumnRole::Plain => fill(field),
        ColumnRole::Id => quote!(IdentityAlways),
        ColumnRole::CreatedAt | ColumnRole::UpdatedAt => quote!(Sql("now()")),
        ColumnRole::DeletedAt | ColumnRole::Embedding => quote!(None),
    };
    let nullable = field.nullable;
    let collation = optional(options.collate.as_ref());
    let comment = optional(options.comment.as_ref());
    quote! {
        ::lookback::__private::ColumnDefinition {
            name: #name,
            ty: ::lookback::__private::TypeDefinition::#ty,
            nullable: #nullable,
            fill: ::lookback::__private::FillDefinition::#fill,
            collation: #collation,
            comment: #comment,
        }
    }
}

fn fill(field: &ModelField) -> TokenStream {
    let value = &field.value;
    match (&field.options.fill, &field.options.default) {
        (Some((_, Fill::Default(sql))), _) => fill_with_sql(quote!(Sql), sql),
        (Some((_, Fill::Stored(sql))), _) => fill_with_sql(quote!(Stored), sql),
        (Some((_, Fill::Virtual(sql))), _) => fill_with_sql(quote!(Virtual), sql),
        (Some((_, Fill::IdentityAlways)), _) => quote!(IdentityAlways),
        (Some((_, Fill::IdentityByDefault)), _) => quote!(IdentityByDefault),
        (Some((_, Fill::Serial)), _) => quote!(Serial),
        (None, Some(default)) => quote!(Value(|| {
            let default: #value = #default;
            ::lookback::Value::into_owned(<#value as ::lookback::ColumnValue>::to_value(&default))
        })),
        (None, None) => quote!(None),
    }
}

fn fill_with_sql<T>(kind: TokenStream, sql: &Sql<T>) -> TokenStream {
    let literal = &sql.literal;
    quote!(#kind(#literal))
}

fn named_definition<T>(named: &NamedDefinition<T>) -> TokenStream {
    let name = &named.name;
    let definition = &named.definition.literal;
    quote!((#name, #definition))
}

fn partition_by(sql: Option<&Sql<PartitionBy>>) -> TokenStream {
    optional(sql.map(|sql| &sql.literal))
}

fn partition(partition: &Partition) -> TokenStream {
    let name = &partition.name;
    let bound = &partition.bound;
    let partition_by = partition_by(partition.partition_by.as_ref());
    let partitions = partition.partitions.iter().map(self::partition);
    quote! {
        ::lookback::__private::PartitionDefinition {
            name: #name,
            bound: #bound,
            partition_by: #partition_by,
            partitions: &[#(#partitions),*],
        }
    }
}

fn optional(value: Option<&impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(Some(#value)),
        None => quote!(None),
    }
}
