//! Random schemas, drawn from all that a [`Schema`] can say, for property tests.

use std::fmt;

use lookback_schema::Schema;
use proptest::prelude::*;

mod choices;
mod create;
mod draw;
mod types;

pub use create::create;

use draw::Draw;

/// Extensions that the schemas may use; to be created once, beforehand.
pub const EXTENSIONS: &[&str] = &["btree_gist", "citext", "pg_trgm", "vector"];

/// A schema that was drawn; its `Debug` is the SQL that makes it.
#[derive(Clone)]
pub struct Drawn(pub Schema);

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{};", create(&self.0).join(";\n"))
    }
}

/// A schema that PostgreSQL accepts, with virtual columns if the server has
/// them (PostgreSQL 18). It has gone through [`Schema::completed`].
pub fn schema(virtual_columns: bool) -> impl Strategy<Value = Drawn> {
    numbers().prop_map(move |numbers| {
        let mut draw = Draw::new(&numbers, virtual_columns);
        draw.whole_schema();
        Drawn(completed(draw.schema))
    })
}

fn numbers() -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..400)
}

fn completed(schema: Schema) -> Schema {
    schema
        .clone()
        .completed()
        .unwrap_or_else(|errors| panic!("{errors:?} in {:?}", Drawn(schema.clone())))
}
