//! The models of Lookback: one file a table.

mod import;
mod log;
mod metric;
mod request_snapshot;
mod setting;
mod user;

pub use import::{Import, ImportPatch, NewImport};
pub use log::{Level, Log, LogPatch, NewLog};
pub use metric::{Metric, MetricPatch, NewMetric};
pub use request_snapshot::{GeoSource, NewRequestSnapshot, RequestSnapshot, RequestSnapshotPatch};
pub use setting::{NewSetting, Setting, SettingPatch};
pub use user::{NewUser, User, UserPatch, UserRole};
