//! Which records of a sealed table are worth reading: see [`crate::search::index`].
//!
//! ```text
//! hot       every record that is not sealed
//! kinds     of those whose template has the most of the words, and of those
//!           whose vector is the nearest, the newest records
//! blocks    those that may have words with digits, or a word within an id
//! ```
//!
//! What is read is read and compared as in any other table, by the one statement
//! of a search, which is given the places instead of the table. So a search
//! finds the same as without summaries, up to its own bounds; beyond these it
//! reads less.

mod blocks;
mod kind;
mod lettered;
mod near;
mod pieces;
mod places;
mod span;

pub(super) use lettered::Lettered;
pub(crate) use near::{Nearest, nearest};
pub(crate) use places::Places;
