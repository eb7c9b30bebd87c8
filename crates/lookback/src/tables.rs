//! The tables of Lookback, one file each.

#[cfg(feature = "migrate")]
mod internal;
mod log;
mod metric;
mod request_snapshot;
mod user;

#[cfg(feature = "migrate")]
pub(crate) use internal::*;
pub use log::{Level, Log, LogPatch, NewLog};
pub use metric::{Metric, MetricPatch, NewMetric};
pub use request_snapshot::{GeoSource, NewRequestSnapshot, RequestSnapshot, RequestSnapshotPatch};
pub use user::{NewUser, User, UserPatch, UserRole};
