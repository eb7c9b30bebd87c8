//! Hints: remedies of the libraries as commands and flags of this program.

pub(super) mod embedded;
pub(crate) mod library;
mod migrations;
