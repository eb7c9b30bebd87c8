//! Which records a search is about.

use std::fmt;

use crate::db::Sql;
use crate::error::Error;
use crate::filter::Comparison;
use crate::value::Value;

type Written<'a> = &'a (dyn Fn() -> Result<Sql, Error> + Sync);

/// Which records a search is about. It is written anew for each statement.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    records: Written<'a>,
    never: Written<'a>,
    times: &'a [Time<'a>],
}

/// What a filter says of when a record was made.
pub(crate) type Time<'a> = (Comparison, &'a Value<'static>);

impl<'a> Scope<'a> {
    /// `records` writes ` WHERE …`; `never` a condition on a record that says
    /// that no record of its kind is meant, or nothing where the filters do not
    /// tell; of `times`, all hold for each record.
    pub(crate) fn new(records: Written<'a>, never: Written<'a>, times: &'a [Time<'a>]) -> Self {
        Self {
            records,
            never,
            times,
        }
    }

    /// What is known of when the records were made.
    pub(crate) fn times(&self) -> &'a [Time<'a>] {
        self.times
    }

    /// ` WHERE …`, with its values bound.
    pub(crate) fn records(&self) -> Result<Sql, Error> {
        (self.records)()
    }

    /// A condition, with its values bound: no record of the same kind is of the
    /// scope. Empty where the filters do not tell.
    pub(crate) fn never(&self) -> Result<Sql, Error> {
        (self.never)()
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
