//! Lookback's internal tables.
//!
//! The models are for migrations only. The modules that use the tables have the
//! SQL (`search/index.rs`, `ingest/connection.rs`, `ingest/batch_key.rs`, `setup.rs`); the
//! command-line program has that of `imports`, and the server that of `sessions`, `login_attempts`,
//! `one_time_passwords` and `alert_statuses`.

mod alert_status;
mod import;
mod ingest_lane;
mod ingested_batch;
mod login_attempt;
mod one_time_password;
mod rollup_cell;
mod rollup_correction;
mod rollup_range;
mod sealed_segment;
mod search_block;
mod search_posting;
mod search_template;
mod session;
mod setting;

pub(crate) use alert_status::AlertStatus;
pub(crate) use import::Import;
pub(crate) use ingest_lane::IngestLane;
pub(crate) use ingested_batch::IngestedBatch;
pub(crate) use login_attempt::LoginAttempt;
pub(crate) use one_time_password::OneTimePassword;
pub(crate) use rollup_cell::RollupCell;
pub(crate) use rollup_correction::RollupCorrection;
pub(crate) use rollup_range::RollupRange;
pub(crate) use sealed_segment::SealedSegment;
pub(crate) use search_block::SearchBlock;
pub(crate) use search_posting::SearchPosting;
pub(crate) use search_template::SearchTemplate;
pub(crate) use session::UserSession;
pub(crate) use setting::Setting;
