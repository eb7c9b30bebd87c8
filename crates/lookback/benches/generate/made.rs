//! Models of any number of tables: `Made<7, 4, 2>` is the table 742.

use lookback::__private::{ColumnDefinition, TableDefinition, TypeDefinition};
use lookback::migrate::Models;
use lookback::table::SchemaModel;
use lookback::value::{ColumnType, Value};

/// The extra objects of each tenth table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    None,
    Column,
    Index,
}

/// Returns the first `tables` models, a multiple of ten.
pub(crate) fn models(tables: usize, edit: Edit) -> Models {
    match edit {
        Edit::None => of::<0>(tables),
        Edit::Column => of::<1>(tables),
        Edit::Index => of::<2>(tables),
    }
}

fn of<const EDIT: usize>(tables: usize) -> Models {
    let hundreds = [
        hundred::<EDIT, 0>,
        hundred::<EDIT, 1>,
        hundred::<EDIT, 2>,
        hundred::<EDIT, 3>,
        hundred::<EDIT, 4>,
        hundred::<EDIT, 5>,
        hundred::<EDIT, 6>,
        hundred::<EDIT, 7>,
    ];
    let mut models = Models::new();
    for (at, add) in hundreds.iter().enumerate() {
        let tens = (tables / 10).saturating_sub(at * 10).min(10);
        models = add(models, tens);
    }
    models
}

fn hundred<const EDIT: usize, const H: usize>(mut models: Models, tens: usize) -> Models {
    let all = [
        ten::<EDIT, H, 0>,
        ten::<EDIT, H, 1>,
        ten::<EDIT, H, 2>,
        ten::<EDIT, H, 3>,
        ten::<EDIT, H, 4>,
        ten::<EDIT, H, 5>,
        ten::<EDIT, H, 6>,
        ten::<EDIT, H, 7>,
        ten::<EDIT, H, 8>,
        ten::<EDIT, H, 9>,
    ];
    for add in all.iter().take(tens) {
        models = add(models);
    }
    models
}

fn ten<const EDIT: usize, const H: usize, const T: usize>(models: Models) -> Models {
    models
        .model::<Made<EDIT, H, T, 0>>()
        .model::<Made<0, H, T, 1>>()
        .model::<Made<0, H, T, 2>>()
        .model::<Made<0, H, T, 3>>()
        .model::<Made<0, H, T, 4>>()
        .model::<Made<0, H, T, 5>>()
        .model::<Made<0, H, T, 6>>()
        .model::<Made<0, H, T, 7>>()
        .model::<Made<0, H, T, 8>>()
        .model::<Made<0, H, T, 9>>()
}

/// A table of 13 columns with a primary key, a unique key, a foreign key to
/// another table, a check, two indexes and an enum of its own.
struct Made<const EDIT: usize, const H: usize, const T: usize, const U: usize>;

impl<const EDIT: usize, const H: usize, const T: usize, const U: usize> Made<EDIT, H, T, U> {
    const TABLE: &'static str = text(const { &digits(*b"orders_###", H, T, U) });
    const STATE: &'static str = text(const { &digits(*b"order_state_###", H, T, U) });
    const KEY: &'static str = text(const { &digits(*b"orders_###_pkey", H, T, U) });
    const CODE_KEY: &'static str = text(const { &digits(*b"orders_###_code_key", H, T, U) });
    const PARENT_KEY: &'static str =
        text(const { &digits(*b"orders_###_parent_id_fkey", H, T, U) });
    const AMOUNT_CHECK: &'static str =
        text(const { &digits(*b"orders_###_amount_check", H, T, U) });
    const PARENT_INDEX: &'static str =
        text(const { &digits(*b"orders_###_parent_id_idx", H, T, U) });
    const NAME_INDEX: &'static str = text(const { &digits(*b"orders_###_name_idx", H, T, U) });
    const NEW_INDEX: &'static str = text(const { &digits(*b"orders_###_placed_at_idx", H, T, U) });
    /// References the first of its ten tables, which references the first of all.
    const PARENT: &'static str = text(
        const {
            let (h, t) = if U == 0 { (0, 0) } else { (H, T) };
            &digits(
                *b"FOREIGN KEY (parent_id) REFERENCES orders_### (id)",
                h,
                t,
                0,
            )
        },
    );
    const COLUMNS: &'static [ColumnDefinition] = &[
        ColumnDefinition::new("id", value(ColumnType::Int8)).with_identity_always(),
        ColumnDefinition::new("code", value(ColumnType::Text)),
        ColumnDefinition::new("name", value(ColumnType::Text)),
        ColumnDefinition::new(
            "state",
            TypeDefinition::value(
                ColumnType::Enum(Self::STATE),
                &["open", "paid", "shipped", "returned"],
            ),
        )
        .with_default(|| Value::Text("open".into())),
        ColumnDefinition::new("amount", TypeDefinition::sql("numeric(12,2)")).with_sql_default("0"),
        ColumnDefinition::new("quantity", value(ColumnType::Int4)).with_default(|| Value::Int4(1)),
        ColumnDefinition::new("parent_id", value(ColumnType::Int8)).with_nullable(),
        ColumnDefinition::new("placed_at", value(ColumnType::Timestamptz)).with_nullable(),
        ColumnDefinition::new("meta", value(ColumnType::Jsonb)).with_nullable(),
        ColumnDefinition::new("created_at", value(ColumnType::Timestamptz))
            .with_sql_default("now()"),
        ColumnDefinition::new("updated_at", value(ColumnType::Timestamptz))
            .with_sql_default("now()"),
        ColumnDefinition::new("deleted_at", value(ColumnType::Timestamptz)).with_nullable(),
        ColumnDefinition::new("embedding", value(ColumnType::Vector(16))).with_nullable(),
        ColumnDefinition::new("note", value(ColumnType::Text)).with_nullable(),
    ];
    const INDEXES: &'static [(&'static str, &'static str)] = &[
        (Self::PARENT_INDEX, "(parent_id)"),
        (Self::NAME_INDEX, "(lower(name)) WHERE deleted_at IS NULL"),
        (Self::NEW_INDEX, "(placed_at DESC)"),
    ];
}

impl<const EDIT: usize, const H: usize, const T: usize, const U: usize> SchemaModel
    for Made<EDIT, H, T, U>
{
    const DEFINITION: &'static TableDefinition = &TableDefinition::new(
        "Made",
        Self::TABLE,
        Self::COLUMNS.split_at(13 + (EDIT == 1) as usize).0,
    )
    .with_constraints(&[
        (Self::KEY, "PRIMARY KEY (id)"),
        (Self::CODE_KEY, "UNIQUE (code)"),
        (Self::PARENT_KEY, Self::PARENT),
        (Self::AMOUNT_CHECK, "CHECK (amount >= 0 AND quantity > 0)"),
    ])
    .with_indexes(Self::INDEXES.split_at(2 + (EDIT == 2) as usize).0);
}

const fn value(ty: ColumnType) -> TypeDefinition {
    TypeDefinition::value(ty, &[])
}

/// Replaces `###` in the pattern by the digits.
const fn digits<const N: usize>(mut pattern: [u8; N], h: usize, t: usize, u: usize) -> [u8; N] {
    let digits = [b'0' + h as u8, b'0' + t as u8, b'0' + u as u8];
    let (mut at, mut next) = (0, 0);
    while at < N {
        if pattern[at] == b'#' {
            pattern[at] = digits[next];
            next += 1;
        }
        at += 1;
    }
    pattern
}

const fn text(bytes: &'static [u8]) -> &'static str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("digits are ASCII"),
    }
}
