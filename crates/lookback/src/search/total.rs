//! A number of records, exact or not.

use std::fmt;

/// A number of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Total {
    /// Exactly this many.
    Exact(u64),
    /// At least this many.
    AtLeast(u64),
    /// About this many: as many as were counted when they were sealed. Records that were
    /// deleted or changed since are still counted.
    About(u64),
}

impl Total {
    /// Returns the number.
    pub fn value(self) -> u64 {
        match self {
            Self::Exact(value) | Self::AtLeast(value) | Self::About(value) => value,
        }
    }

    /// Returns whether the number is exact: neither a lower bound nor about right.
    pub fn is_exact(self) -> bool {
        matches!(self, Self::Exact(_))
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(value) => write!(f, "{value}"),
            Self::AtLeast(value) => write!(f, "{value} or more"),
            Self::About(value) => write!(f, "about {value}"),
        }
    }
}
