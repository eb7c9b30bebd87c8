//! The result of a list.

use super::Cursor;
pub use crate::search::total::Total;
use crate::search::{Hit, Note};

/// A page of records, and the total.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page<M> {
    /// The records of this page, in order.
    pub data: Vec<M>,
    /// The number of records on all pages.
    pub total: Total,
    /// The cursor of the next page, for [`after`](super::QueryBuilder::after); `None`
    /// on the last page, and in an order by a hidden column.
    pub next: Option<Cursor>,
    /// The cursor of the previous page, for
    /// [`before`](super::QueryBuilder::before); `None` on the first page.
    pub previous: Option<Cursor>,
}

/// A page of search hits, the best first, and the total.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hits<M> {
    /// The hits of this page, in order.
    pub data: Vec<Hit<M>>,
    /// The number of hits on all pages.
    pub total: Total,
    /// The cursor of the next page, as in [`Page`](crate::Page).
    pub next: Option<Cursor>,
    /// The cursor of the previous page.
    pub previous: Option<Cursor>,
    /// The number of rows on all pages, if copies are folded
    /// ([`fold_copies`](super::QueryBuilder::fold_copies)).
    pub folded: Option<Total>,
    /// Notes on how the search text was read.
    pub notes: Vec<Note>,
}
