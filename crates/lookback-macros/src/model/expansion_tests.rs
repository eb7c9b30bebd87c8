//! Snapshots of the generated code.

use quote::quote;

/// Expands a model and formats the result.
fn expansion(attribute: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> String {
    let tokens = super::expand(attribute, item);
    let file = syn::parse2(tokens).expect("the generated code parses");
    prettyplease::unparse(&file)
}

#[test]
fn model_expands_to_row_insert_and_patch_types() {
    let code = expansion(
        quote! {
            table = "notes",
            search(title, body),
            constraint("notes_title_key", "UNIQUE (title)", problem(title, "is taken")),
            index("notes_stars_idx", "(stars)")
        },
        quote! {
            /// A note.
            pub struct Note {
                /// Primary key.
                pub id: i64,
                /// The title.
                #[column(not_blank, max_bytes = 200)]
                pub title: String,
                /// The text.
                pub body: Option<String>,
                #[column(range(0, 5), default = 3)]
                pub stars: i64,
                #[column(sql_default = "0", type = "bigint", name = "view count")]
                pub views: i64,
                pub secret: Hidden<Option<String>>,
                #[column(type = "tsvector", stored = "to_tsvector('simple', title)")]
                pub words: Option<Opaque>,
                pub created_at: DateTime<Utc>,
                pub updated_at: DateTime<Utc>,
                pub deleted_at: Hidden<Option<DateTime<Utc>>>,
                pub embedding: Hidden<Option<Embedding>>,
            }
        },
    );
    insta::assert_snapshot!(code);
}

#[test]
fn schema_only_model_expands_to_its_definition() {
    let code = expansion(
        quote! {
            table = "events",
            schema = "audit",
            schema_only,
            comment = "written by triggers",
            constraint("events_pkey", "PRIMARY KEY (id)"),
            partition_by = "RANGE (id)",
            partition("events_1", "FOR VALUES FROM (1) TO (1000)"),
            partition("events_default", "DEFAULT"),
            open_partitions
        },
        quote! {
            struct Event {
                #[column(identity = "by default")]
                id: i64,
                #[column(collate = "C", comment = "who did it")]
                actor: String,
                tags: Option<Vec<String>>,
            }
        },
    );
    insta::assert_snapshot!(code);
}

#[test]
fn invalid_model_keeps_the_struct_and_reports_every_error() {
    let code = expansion(
        quote!(search(missing), colour),
        quote! {
            struct Note {
                #[column(blank)]
                id: i64,
            }
        },
    );
    insta::assert_snapshot!(code);
}
