//! Changes that the database computes: `x = x + 1`, or the value of another column.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::{Column, QueryBuilder};
use crate::db::Sql;
use crate::error::{Error, FieldError};
use crate::model::{ColumnDef, ColumnRole, Model, Table};
use crate::value::{
    ColumnType, ColumnValue, JsonNumber, Parameter, PgInterval, Problem, Value, numeric,
};

/// A new value of a column that the database computes from the record.
///
/// [`Column::plus`], [`Column::minus`] and [`Column::copy_of`] make it, and
/// [`QueryBuilder::set`] takes it.
pub struct Assignment<M> {
    column: usize,
    term: Term,
    of: PhantomData<fn() -> M>,
}

/// A value in SQL, in terms of the columns of the record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term {
    /// The column and a value: the operator, and the type of the value.
    Step(&'static str, ColumnType, Value<'static>),
    /// The value of another column.
    Column(usize),
}

/// The new value of a column in an `UPDATE`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum NewValue<'a> {
    Given(Value<'a>),
    Computed(Term),
}

/// A column value to which a `By` is added: a number, or a time and an interval.
#[diagnostic::on_unimplemented(
    message = "a `{By}` is not added to a column of `{Self}`",
    note = "`plus` and `minus` are for numbers of the same type, for times with a PgInterval, \
            Duration or TimeDelta, and for intervals"
)]
pub trait Steps<By: ColumnValue>: ColumnValue {}

macro_rules! steps {
    ($($ty:ty: $($by:ty),+;)+) => {
        $($(impl Steps<$by> for $ty {})+)+
    };
}

steps! {
    i16: i16;
    i32: i32;
    i64: i64;
    f32: f32;
    f64: f64;
    JsonNumber: JsonNumber;
    PgInterval: PgInterval, TimeDelta, std::time::Duration;
    TimeDelta: TimeDelta, std::time::Duration;
    std::time::Duration: TimeDelta, std::time::Duration;
    DateTime<Utc>: PgInterval, TimeDelta, std::time::Duration;
    NaiveDateTime: PgInterval, TimeDelta, std::time::Duration;
}
#[cfg(feature = "rust_decimal")]
steps!(crate::value::Decimal: crate::value::Decimal;);

impl<M: Model, T: ColumnValue, N> Column<M, T, N> {
    /// The value of the column plus this one, computed by the database. NULL stays NULL.
    pub fn plus<By: ColumnValue>(self, by: By) -> Assignment<M>
    where
        T: Steps<By>,
    {
        self.step("+", &by)
    }

    /// The value of the column minus this one, computed by the database. NULL stays NULL.
    pub fn minus<By: ColumnValue>(self, by: By) -> Assignment<M>
    where
        T: Steps<By>,
    {
        self.step("-", &by)
    }

    /// The value of another column of the record.
    pub fn copy_of<N2>(self, other: Column<M, T, N2>) -> Assignment<M> {
        Assignment {
            column: self.index(),
            term: Term::Column(other.index()),
            of: PhantomData,
        }
    }

    fn step<By: ColumnValue>(self, operator: &'static str, by: &By) -> Assignment<M> {
        Assignment {
            column: self.index(),
            term: Term::Step(operator, By::TYPE, by.to_value().into_owned()),
            of: PhantomData,
        }
    }
}

impl<M: Model> QueryBuilder<M> {
    /// Sets a column in the next [`update`](Self::update) or
    /// [`update_all`](Self::update_all) to a value that the database computes, beside the
    /// fields of the patch.
    ///
    /// Concurrent updates wait for each other, and none is lost. The `range` of the column
    /// is checked: a result outside of it is an error, and nothing is changed.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::{Metric, MetricPatch};
    ///
    /// let metric = Metric::records()
    ///     .set(Metric::traffic_count().plus(1))
    ///     .update(&pool, 7, MetricPatch::new())
    ///     .await?;
    /// # let _ = metric;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn set(mut self, assignment: Assignment<M>) -> Self {
        self.assignments.push((assignment.column, assignment.term));
        self
    }

    /// Splits off the assignments: the query without them, and the changes.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a column that is set twice, by the patch or by another
    /// assignment, that Lookback or the database fills in, or that is a search field.
    pub(super) fn split_assignments<'a>(
        &self,
        given: Vec<(usize, Value<'a>)>,
    ) -> Result<(Self, Vec<(usize, NewValue<'a>)>), Error> {
        let table = M::TABLE;
        let mut changes: Vec<(usize, NewValue<'a>)> = given
            .into_iter()
            .map(|(column, value)| (column, NewValue::Given(value)))
            .collect();
        let mut wrong = Vec::new();
        for (column, term) in &self.assignments {
            let is_set = changes.iter().any(|(other, _)| other == column);
            match problem(table, *column, term, is_set) {
                Some(problem) => wrong.push(FieldError::new(table.columns[*column].name, problem)),
                None => changes.push((*column, NewValue::Computed(term.clone()))),
            }
        }
        if !wrong.is_empty() {
            return Err(Error::invalid(table.name, wrong));
        }
        let mut query = self.clone();
        query.assignments = Vec::new();
        Ok((query, changes))
    }
}

/// The reason why a column is not set to a term, if there is one.
fn problem(table: &'static Table, column: usize, term: &Term, is_set: bool) -> Option<Problem> {
    let def = &table.columns[column];
    if def.role != ColumnRole::Plain || def.generated {
        return Some(Problem::new(
            "is filled in by Lookback or the database, and cannot be set",
        ));
    }
    if table.search.contains(&column) {
        return Some(Problem::new(
            "is a search field, from which the embedding is computed; set it by a patch",
        ));
    }
    if is_set {
        return Some(Problem::new("is set twice"));
    }
    let is_finite = match term {
        Term::Step(_, _, Value::Float4(number)) => number.is_finite(),
        Term::Step(_, _, Value::Float8(number)) => number.is_finite(),
        Term::Step(_, _, Value::Numeric(number)) => numeric::is_finite(number),
        _ => true,
    };
    (!is_finite).then(|| Problem::new("is changed by a number that is not finite"))
}

impl NewValue<'_> {
    /// Appends the value in SQL.
    pub(super) fn push(
        &self,
        table: &'static Table,
        column: &ColumnDef,
        sql: &mut Sql,
    ) -> Result<(), Error> {
        match self {
            Self::Given(value) => sql.bind_value(column, value.clone()),
            Self::Computed(Term::Column(other)) => {
                sql.push(&table.columns[*other].quoted());
                Ok(())
            }
            Self::Computed(Term::Step(operator, ty, value)) => {
                sql.push(&format!("{} {operator} ", column.quoted()));
                sql.bind(Parameter {
                    ty: *ty,
                    value: value.clone(),
                })
            }
        }
    }

    pub(super) fn given(&self) -> Option<&Value<'_>> {
        match self {
            Self::Given(value) => Some(value),
            Self::Computed(_) => None,
        }
    }
}

/// The columns that are computed and have a range, which the result has to be in.
pub(super) fn ranged(
    table: &'static Table,
    changes: &[(usize, NewValue<'_>)],
) -> Vec<&'static ColumnDef> {
    let computed = changes
        .iter()
        .filter(|(_, value)| value.given().is_none())
        .map(|(column, _)| &table.columns[*column]);
    computed.filter(|column| column.range.is_some()).collect()
}

impl<M> Clone for Assignment<M> {
    fn clone(&self) -> Self {
        Self {
            column: self.column,
            term: self.term.clone(),
            of: PhantomData,
        }
    }
}

impl<M: Model> fmt::Debug for Assignment<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = M::TABLE.columns[self.column].name;
        match &self.term {
            Term::Step(operator, _, value) => write!(f, "{name} = {name} {operator} {value:?}"),
            Term::Column(other) => write!(f, "{name} = {}", M::TABLE.columns[*other].name),
        }
    }
}
