#![doc = include_str!("lib.md")]

// The macros write `::lookback::…`, here as in any other crate.
extern crate self as lookback;

#[cfg(feature = "capture")]
pub mod capture;
mod db;
pub mod embedding;
pub mod error;
pub mod filter;
mod hash;
pub mod ingest;
mod letters;
pub mod maintenance;
#[cfg(feature = "migrate")]
pub mod migrate;
mod model;
#[cfg(feature = "password")]
pub mod password;
pub mod query;
#[cfg(feature = "replay")]
pub mod replay;
pub mod search;
pub mod setup;
mod tables;
pub mod value;
mod write;

pub use lookback_macros::{ColumnEnum, model};
#[cfg(feature = "migrate")]
pub use lookback_schema as schema;

pub use db::Db;
#[doc(inline)]
pub use error::Error;
#[doc(inline)]
pub use filter::Filter;
pub use lookback_json::json;
pub use model::Model;
#[doc(inline)]
pub use query::{Page, QueryBuilder};
pub use tables::{
    AlertChange, AlertChangePatch, AlertComparison, AlertDelivery, AlertMeasure, AlertRule,
    AlertRulePatch, AlertState, AlertSubject, NewAlertChange, NewAlertRule,
};
pub use tables::{
    ApiKey, ApiKeyPatch, GeoSource, KeyScope, Level, Log, LogPatch, Metric, MetricPatch, NewApiKey,
    NewLog, NewMetric, NewRequestSnapshot, NewUser, RequestSnapshot, RequestSnapshotPatch, User,
    UserPatch, UserRole,
};
pub use tables::{NewSavedSearch, SavedSearch, SavedSearchPatch, SearchView};
#[doc(inline)]
pub use value::Json;

/// Tables as `#[model]` describes them: names, columns, keys and constraints.
//
// Not `model`, which would be imported with the macro of that name.
pub mod table {
    pub use crate::model::{
        ColumnDef, ColumnRole, ColumnValues, Constraint, KeyDef, SchemaModel, Table,
    };
}

/// What generated code needs. Not part of the public API: it may change in any
/// release.
#[doc(hidden)]
pub mod __private {
    pub use crate::model::{
        ColumnDef, ColumnDefinition, Constraint, JsonInput, KeyDef, PartitionDefinition, RollupKey,
        Table, TableDefinition, TypeDefinition, deserialize,
    };
    pub use crate::query::{read, read_hidden, read_hidden_nullable, read_json, read_nullable};
    pub use crate::search::finds;
    pub use crate::value::{check_stored_as, serialize, serialize_nullable};
    pub use serde;
    pub use serde_json;
    pub use sqlx;
}

/// The README and the guide pages: what they show compiles.
#[cfg(doctest)]
mod guide {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/guide/search.md")]
    struct Search;
    #[doc = include_str!("../../../docs/guide/replay.md")]
    struct Replay;
    #[doc = include_str!("../../../docs/guide/queries.md")]
    struct Queries;
    #[doc = include_str!("../../../docs/guide/ingest.md")]
    struct Ingest;
    #[doc = include_str!("../../../docs/guide/models.md")]
    struct Models;
    #[doc = include_str!("../../../docs/guide/storage.md")]
    struct Storage;
    #[doc = include_str!("../../../docs/guide/migrations.md")]
    struct Migrations;
    #[doc = include_str!("../../../docs/guide/capture.md")]
    struct Capture;
    #[doc = include_str!("../../../docs/guide/masking.md")]
    struct Masking;
}
