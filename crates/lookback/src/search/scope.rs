//! The conditions that the records of a search must pass.

use std::fmt;

use crate::db::Sql;
use crate::error::Error;
use crate::filter::Comparison;
use crate::value::Value;

type PushSql<'a> = &'a (dyn Fn(&mut Sql) -> Result<(), Error> + Sync);

/// The conditions that the records of a search must pass. Written again for
/// each statement.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    where_clause: PushSql<'a>,
    template_exclusion: PushSql<'a>,
    times: &'a [Time<'a>],
    is_whole: bool,
}

/// A filter on the time at which a record was created.
pub(crate) type Time<'a> = (Comparison, &'a Value<'static>);

impl<'a> Scope<'a> {
    /// Creates a scope.
    ///
    /// `where_clause` writes ` WHERE …`. `template_exclusion` writes a
    /// condition on a record that is true if no record of the same template can
    /// pass; it writes nothing if the filters do not determine it. All of
    /// `times` hold for each record.
    pub(crate) fn new(
        where_clause: PushSql<'a>,
        template_exclusion: PushSql<'a>,
        times: &'a [Time<'a>],
    ) -> Self {
        Self {
            where_clause,
            template_exclusion,
            times,
            is_whole: false,
        }
    }

    /// Sets that nearly all records are in the scope: nothing but the soft deletion of a
    /// record may exclude it.
    pub(crate) fn whole(self, is_whole: bool) -> Self {
        Self { is_whole, ..self }
    }

    /// Returns whether nearly all records are in the scope.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Returns the filters on the time at which the records were created.
    pub(crate) fn times(&self) -> &'a [Time<'a>] {
        self.times
    }

    /// Appends ` WHERE …`.
    pub(crate) fn push_where(&self, sql: &mut Sql) -> Result<(), Error> {
        (self.where_clause)(sql)
    }

    /// Appends the condition that no record of the same template is in the
    /// scope; nothing if the filters do not determine it.
    pub(crate) fn push_template_exclusion(&self, sql: &mut Sql) -> Result<(), Error> {
        (self.template_exclusion)(sql)
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
