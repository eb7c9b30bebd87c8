//! Folders of migrations: SQL files, and the schema snapshots beside them.

pub(crate) mod folder;
pub(crate) mod journal;
pub(crate) mod migrations;

pub use folder::Folder;
pub use migrations::{MigrationFile, Migrations, Script};
