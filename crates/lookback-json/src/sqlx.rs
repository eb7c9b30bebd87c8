//! Values of `json` and `jsonb` columns.

use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Postgres, Type, ValueRef as _};

use super::{Json, parse};

impl Type<Postgres> for Json {
    fn type_info() -> PgTypeInfo {
        <serde_json::Value as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <serde_json::Value as Type<Postgres>>::compatible(ty)
    }
}

impl<'r> Decode<'r, Postgres> for Json {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        // The binary form of `json` and of text is the text; `jsonb` has a version
        // before it.
        let is_jsonb = *value.type_info() == Self::type_info();
        match (value.format(), value.as_bytes()?) {
            (PgValueFormat::Binary, [1, text @ ..]) if is_jsonb => Ok(parse::parse_stored(text)?),
            (PgValueFormat::Binary, _) if is_jsonb => Err("unknown version of jsonb".into()),
            (_, text) => Ok(parse::parse_stored(text)?),
        }
    }
}
