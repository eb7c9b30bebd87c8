//! The tables of Lookback, one file each.

mod alert_change;
mod alert_rule;
mod api_key;
#[cfg(feature = "migrate")]
mod internal;
mod log;
mod metric;
mod request_snapshot;
mod saved_search;
mod user;

pub use alert_change::{AlertChange, AlertChangePatch, AlertDelivery, AlertState, NewAlertChange};
pub use alert_rule::{
    AlertComparison, AlertMeasure, AlertRule, AlertRulePatch, AlertSubject, NewAlertRule,
};
pub use api_key::{ApiKey, ApiKeyPatch, KeyScope, NewApiKey};
#[cfg(feature = "migrate")]
pub(crate) use internal::*;
pub use log::{Level, Log, LogPatch, NewLog};
pub use metric::{Metric, MetricPatch, NewMetric};
pub use request_snapshot::{GeoSource, NewRequestSnapshot, RequestSnapshot, RequestSnapshotPatch};
pub use saved_search::{NewSavedSearch, SavedSearch, SavedSearchPatch, SearchView};
pub use user::{NewUser, User, UserPatch, UserRole};
