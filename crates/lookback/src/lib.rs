#![doc = include_str!("lib.md")]

// The macros write `::lookback::…`, here as in any other crate.
extern crate self as lookback;

mod column;
mod db;
mod embedding;
mod error;
mod filter;
#[cfg(feature = "migrate")]
pub mod migrate;
mod model;
mod models;
#[cfg(feature = "password")]
pub mod password;
mod query;
mod search;
mod setup;
mod sql;
mod types;
mod value;

pub use lookback_macros::{ColumnEnum, model};
#[cfg(feature = "migrate")]
pub use lookback_schema as schema;

pub use column::{Column, Operand, Order};
pub use db::Db;
pub use embedding::{DIMENSIONS, ENCODER_VERSION, Embedding};
pub use error::{Error, FieldError};
pub use filter::{Filter, Lookup};
pub use model::{Assign, ColumnDef, Constraint, Described, Model, Role, Table};
pub use models::{
    GeoSource, Import, ImportPatch, Level, Log, LogPatch, Metric, MetricPatch, NewImport, NewLog,
    NewMetric, NewRequestSnapshot, NewSetting, NewUser, RequestSnapshot, RequestSnapshotPatch,
    Setting, SettingPatch, User, UserPatch, UserRole,
};
pub use query::{DEFAULT_LIMIT, MAX_LIMIT, Page, QueryBuilder, Total, check_new};
pub use search::{Highlight, Hit, Hits, MatchKind, Why, WordMatch};
pub use setup::{MIN_PGVECTOR, MIN_POSTGRESQL, check_encoder, check_server};
pub use types::{Bytes, ErrorRate, Hidden, Opaque, Patch};
pub use value::{ColumnType, ColumnValue, Json, JsonMap, Problem, Text, TextLike, Value};

/// What generated code needs. Not part of the public API: it may change in any
/// release.
#[doc(hidden)]
pub mod __private {
    pub use crate::model::{
        ColumnDefinition, Constraint, Definition, FillDefinition, JsonInput, PartitionDefinition,
        TypeDefinition, deserialize, parse,
    };
    pub use crate::query::{read, read_hidden, read_hidden_nullable, read_nullable};
    pub use crate::search::finds;
    pub use crate::value::check_stored_as;
    pub use serde;
    pub use sqlx;
}

/// The README and the guide pages: what they show compiles.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/guide/search.md")]
    struct Search;
    #[doc = include_str!("../../../docs/guide/queries.md")]
    struct Queries;
    #[doc = include_str!("../../../docs/guide/models.md")]
    struct Models;
    #[doc = include_str!("../../../docs/guide/migrations.md")]
    struct Migrations;
}
