//! Reading structs from rows.

/// Implements `FromRow` for a struct, by the names of its fields.
///
/// sqlx's derive macro would do the same, and compile sqlx and its driver a second
/// time, for the compiler.
macro_rules! from_row {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> for $name {
            fn from_row(row: &'r sqlx::postgres::PgRow) -> Result<Self, sqlx::Error> {
                use sqlx::Row as _;
                Ok(Self {
                    $($field: row.try_get(stringify!($field))?),*
                })
            }
        }
    };
}

pub(crate) use from_row;
