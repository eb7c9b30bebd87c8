//! What a list returns.

use std::fmt;

use super::Cursor;
use crate::search::Hit;

/// Records, and how many there are in all.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Page<M> {
    /// The records of this page, in order.
    pub data: Vec<M>,
    /// The records in all, on every page.
    pub total: Total,
    /// Where the next page starts, for [`after`](super::QueryBuilder::after);
    /// `None` on the last page, and where the order is by a hidden column.
    pub next: Option<Cursor>,
    /// Where the page before ends, for
    /// [`before`](super::QueryBuilder::before); `None` on the first page.
    pub previous: Option<Cursor>,
}

/// What a search found, the best first, and how much there is in all.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hits<M> {
    /// The hits of this page, in order.
    pub data: Vec<Hit<M>>,
    /// The hits in all, on every page.
    pub total: Total,
    /// Where the next page starts, as in [`Page`](crate::Page).
    pub next: Option<Cursor>,
    /// Where the page before ends.
    pub previous: Option<Cursor>,
}

/// A number of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// Exactly this many.
    Exact(u64),
    /// This many that were looked at, and maybe more.
    AtLeast(u64),
}

impl Total {
    /// The number.
    pub fn value(self) -> u64 {
        match self {
            Self::Exact(value) | Self::AtLeast(value) => value,
        }
    }

    /// Whether the number is exact, and not a floor.
    pub fn is_exact(self) -> bool {
        matches!(self, Self::Exact(_))
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(value) => write!(f, "{value}"),
            Self::AtLeast(value) => write!(f, "{value} or more"),
        }
    }
}
