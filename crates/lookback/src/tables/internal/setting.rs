//! `settings`

use crate::model;

/// A fact about the database, such as the version of the encoder that computed its
/// vectors.
#[model(
    table = "settings",
    schema_only,
    constraint("settings_pkey", "PRIMARY KEY (name)")
)]
pub(crate) struct Setting {
    /// The name.
    pub(crate) name: String,
    /// The value.
    pub(crate) value: String,
}
