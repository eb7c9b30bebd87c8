//! The conditions that the records of a search must pass.

use std::fmt;

use crate::db::Sql;
use crate::error::Error;
use crate::filter::Comparison;
use crate::value::Value;

type RenderSql<'a> = &'a (dyn Fn() -> Result<Sql, Error> + Sync);

/// The conditions that the records of a search must pass. Rendered again for
/// each statement.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    where_clause: RenderSql<'a>,
    template_exclusion: RenderSql<'a>,
    times: &'a [Time<'a>],
}

/// A filter on the time at which a record was created.
pub(crate) type Time<'a> = (Comparison, &'a Value<'static>);

impl<'a> Scope<'a> {
    /// Creates a scope.
    ///
    /// `where_clause` renders ` WHERE …`; `template_exclusion` renders a
    /// condition on a record that is true if no record of the same template can
    /// pass, or nothing if the filters do not say. All of `times` hold for each
    /// record.
    pub(crate) fn new(
        where_clause: RenderSql<'a>,
        template_exclusion: RenderSql<'a>,
        times: &'a [Time<'a>],
    ) -> Self {
        Self {
            where_clause,
            template_exclusion,
            times,
        }
    }

    /// Returns the filters on the time at which the records were created.
    pub(crate) fn times(&self) -> &'a [Time<'a>] {
        self.times
    }

    /// Renders ` WHERE …`, with its values bound.
    pub(crate) fn where_clause(&self) -> Result<Sql, Error> {
        (self.where_clause)()
    }

    /// Renders a condition, with its values bound: no record of the same
    /// template is in the scope. Empty if the filters do not say.
    pub(crate) fn template_exclusion(&self) -> Result<Sql, Error> {
        (self.template_exclusion)()
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
