//! The tables that Lookback keeps for itself.

mod import;
mod ingest_lane;
mod sealed_segment;
mod search_block;
mod search_kind;
mod search_template;
mod setting;

pub use import::{Import, ImportPatch, NewImport};
pub use ingest_lane::{IngestLane, IngestLanePatch, NewIngestLane};
pub use sealed_segment::{NewSealedSegment, SealedSegment, SealedSegmentPatch};
pub use search_block::{NewSearchBlock, SearchBlock, SearchBlockPatch};
pub use search_kind::{NewSearchKind, SearchKind, SearchKindPatch};
pub use search_template::{NewSearchTemplate, SearchTemplate, SearchTemplatePatch};
pub use setting::{NewSetting, Setting, SettingPatch};
