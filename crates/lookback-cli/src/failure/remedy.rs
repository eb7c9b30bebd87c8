//! Hints: the remedies of the libraries, in commands and flags of this program.

pub(super) mod embedded;
pub(crate) mod library;
mod migrations;
