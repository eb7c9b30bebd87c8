//! Column values of other crates, each with a feature of its own.

use super::column_value::{column_value, implement};
use super::{ArrayElement, ColumnType, ColumnValue, Ordered, Problem, Value};

#[cfg(feature = "uuid")]
mod uuid {
    use ::uuid::Uuid;

    use super::*;

    column_value!(Uuid, Uuid, |value| value.as_u128(), |stored| Ok(
        Uuid::from_u128(stored)
    ));
    implement!(Ordered: Uuid);
    implement!(ArrayElement: Uuid);
}

#[cfg(feature = "rust_decimal")]
mod rust_decimal {
    use ::rust_decimal::Decimal;

    use super::*;

    column_value!(
        Decimal,
        Numeric,
        |value| value.to_string().into(),
        |stored| {
            Decimal::from_str_exact(&stored).map_err(|_| {
                Problem::new(format!(
                    "{} is not a Decimal, which has at most 28 digits; use JsonNumber",
                    super::super::Quoted(&stored)
                ))
            })
        }
    );
    implement!(Ordered: Decimal);
    implement!(ArrayElement: Decimal);
}
