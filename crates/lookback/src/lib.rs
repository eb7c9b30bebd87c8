#![doc = include_str!("lib.md")]

// The macros write `::lookback::…`, here as in any other crate.
extern crate self as lookback;

mod db;
mod embedding;
mod error;
mod filter;
mod hash;
pub mod ingest;
pub mod maintenance;
#[cfg(feature = "migrate")]
pub mod migrate;
mod model;
#[cfg(feature = "password")]
pub mod password;
mod query;
mod search;
mod setup;
mod tables;
mod value;
mod write;

pub use lookback_macros::{ColumnEnum, model};
#[cfg(feature = "migrate")]
pub use lookback_schema as schema;

pub use db::Db;
pub use embedding::{DIMENSIONS, ENCODER_VERSION, Embedding};
pub use error::{Error, FieldError, Remedy};
pub use filter::{Filter, JsonPath, Lookup};
pub use model::{
    ColumnDef, ColumnRole, ColumnValues, Constraint, KeyDef, Model, SchemaModel, Table,
};
pub use query::{
    Aggregate, Average, Bucket, Bucketed, Column, Columns, Cursor, DEFAULT_LIMIT, Fields, Grouped,
    Hits, Keys, MAX_LIMIT, Measures, NotNull, Nullable, Operand, Order, Page, QueryBuilder,
    Records, Select, Selection, TextKeys, TextMeasures, Total, UniqueKey, Upserted, check_new,
    count,
};
pub use search::{Highlight, Hit, MatchKind, Why, WordMatch};
pub use setup::{MIN_PGVECTOR, MIN_POSTGRESQL, check_encoder, check_server};
pub use tables::{
    GeoSource, Import, ImportPatch, IngestLane, IngestLanePatch, Level, Log, LogPatch, Metric,
    MetricPatch, NewImport, NewIngestLane, NewLog, NewMetric, NewRequestSnapshot, NewSealedSegment,
    NewSearchBlock, NewSearchKind, NewSearchTemplate, NewSetting, NewUser, RequestSnapshot,
    RequestSnapshotPatch, SealedSegment, SealedSegmentPatch, SearchBlock, SearchBlockPatch,
    SearchKind, SearchKindPatch, SearchTemplate, SearchTemplatePatch, Setting, SettingPatch, User,
    UserPatch, UserRole,
};
pub use value::{
    Array, ArrayElement, Bytes, ColumnType, ColumnValue, Document, ErrorRate, Hidden, Json,
    JsonError, JsonMap, JsonNumber, Opaque, Ordered, Patch, Problem, Text, TextLike, Value,
};

/// What generated code needs. Not part of the public API: it may change in any
/// release.
#[doc(hidden)]
pub mod __private {
    pub use crate::model::{
        ColumnDef, ColumnDefinition, Constraint, JsonInput, KeyDef, PartitionDefinition, Table,
        TableDefinition, TypeDefinition, deserialize,
    };
    pub use crate::query::{read, read_hidden, read_hidden_nullable, read_json, read_nullable};
    pub use crate::search::finds;
    pub use crate::value::check_stored_as;
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
}
