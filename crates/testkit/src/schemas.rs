//! Random schemas, drawn from all that a [`Schema`] can say, for property tests.

use std::fmt;

use lookback_schema::Schema;
use proptest::prelude::*;

mod choices;
mod create;
mod draw;
mod edit;
mod pair;
mod rows;
mod types;

pub use create::create;
pub use pair::{Dropped, Origins, Pair, Rename, Survivor};

use draw::Draw;
use edit::Edit;

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

/// Two schemas that PostgreSQL accepts: the second is the first after a few
/// changes of every kind, or one that has nothing to do with it.
pub fn pair(virtual_columns: bool) -> impl Strategy<Value = Pair> {
    numbers().prop_map(move |numbers| {
        let mut draw = Draw::new(&numbers, virtual_columns);
        draw.whole_schema();
        let from = completed(draw.schema.clone());
        let mut edit = Edit::new(draw, &from);
        if edit.draw.choices.one_in(10) {
            edit.start_anew();
        } else {
            for _ in 0..edit.draw.choices.between(1, 8) {
                edit.edit();
            }
        }
        let to = completed(edit.draw.schema);
        let origins = edit.origins;
        Pair { from, to, origins }
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
