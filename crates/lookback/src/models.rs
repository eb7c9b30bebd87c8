//! The models of Lookback: one file a table.

mod import;
mod ingest_lane;
mod log;
mod metric;
mod request_snapshot;
mod sealed_segment;
mod search_block;
mod search_kind;
mod search_template;
mod setting;
mod user;

pub use import::{Import, ImportPatch, NewImport};
pub use ingest_lane::{IngestLane, IngestLanePatch, NewIngestLane};
pub use log::{Level, Log, LogPatch, NewLog};
pub use metric::{Metric, MetricPatch, NewMetric};
pub use request_snapshot::{GeoSource, NewRequestSnapshot, RequestSnapshot, RequestSnapshotPatch};
pub use sealed_segment::{NewSealedSegment, SealedSegment, SealedSegmentPatch};
pub use search_block::{NewSearchBlock, SearchBlock, SearchBlockPatch};
pub use search_kind::{NewSearchKind, SearchKind, SearchKindPatch};
pub use search_template::{NewSearchTemplate, SearchTemplate, SearchTemplatePatch};
pub use setting::{NewSetting, Setting, SettingPatch};
pub use user::{NewUser, User, UserPatch, UserRole};
