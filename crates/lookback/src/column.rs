//! Typed handles of columns: `Log::level().eq("error")`.

use std::fmt;
use std::marker::PhantomData;

use crate::filter::{Comparison, Filter, Test};
use crate::model::{ColumnDef, Model};
use crate::query::Order;
use crate::value::{ColumnValue, Problem, Text, TextLike, Value};

/// The column of a model `M` that holds a `T`; `N` is [`Nullable`] where it may
/// be null instead.
///
/// Made by the functions that [`#[model]`](crate::model) gives a struct, one
/// for each field: `Log::level()`.
pub struct Column<M, T, N = NotNull> {
    index: usize,
    of: PhantomData<fn(M, T) -> N>,
}

/// Says of a [`Column`] that it holds a value in every record.
#[derive(Clone, Copy, Debug)]
pub enum NotNull {}

/// Says of a [`Column`] that it may be null.
#[derive(Clone, Copy, Debug)]
pub enum Nullable {}

/// What a filter compares a column of `T` with: a `T`, or a string for a
/// column that is text underneath.
#[diagnostic::on_unimplemented(
    message = "a column of `{T}` is not compared with `{Self}`",
    label = "give a `{T}` here",
    note = "a string is taken only by columns of text: String, or an enum with #[derive(ColumnEnum)]"
)]
pub trait Operand<T> {
    /// The value to compare with.
    ///
    /// # Errors
    ///
    /// A string that is none of the values of the column.
    fn operand(self) -> Result<Value<'static>, Problem>;
}

impl<T: ColumnValue> Operand<T> for T {
    fn operand(self) -> Result<Value<'static>, Problem> {
        Ok(self.to_value().into_owned())
    }
}

impl<T: TextLike> Operand<T> for &str {
    fn operand(self) -> Result<Value<'static>, Problem> {
        T::from_text(self).map(|value| value.to_value().into_owned())
    }
}

impl<M: Model, T: ColumnValue, N> Column<M, T, N> {
    #[doc(hidden)]
    pub const fn __new(index: usize) -> Self {
        Self {
            index,
            of: PhantomData,
        }
    }

    /// What the model says of the column.
    pub fn def(self) -> &'static ColumnDef {
        &M::TABLE.columns[self.index]
    }

    pub(crate) fn index(self) -> usize {
        self.index
    }

    /// The column is this value. Null is no value.
    pub fn eq(self, value: impl Operand<T>) -> Filter<M> {
        self.compare(Comparison::Eq, value)
    }

    /// The column is not this value, or is null.
    pub fn ne(self, value: impl Operand<T>) -> Filter<M> {
        self.compare(Comparison::Ne, value)
    }

    /// The column is greater than this value.
    pub fn gt(self, value: impl Operand<T>) -> Filter<M> {
        self.compare(Comparison::Gt, value)
    }

    /// The column is this value or greater.
    pub fn gte(self, value: impl Operand<T>) -> Filter<M> {
        self.compare(Comparison::Gte, value)
    }

    /// The column is less than this value.
    pub fn lt(self, value: impl Operand<T>) -> Filter<M> {
        self.compare(Comparison::Lt, value)
    }

    /// The column is this value or less.
    pub fn lte(self, value: impl Operand<T>) -> Filter<M> {
        self.compare(Comparison::Lte, value)
    }

    /// The column is one of these values; of none, nothing is.
    pub fn is_in<O: Operand<T>>(self, values: impl IntoIterator<Item = O>) -> Filter<M> {
        let values: Result<_, _> = values.into_iter().map(Operand::operand).collect();
        Filter::test(self.index, values.map(Test::In))
    }

    /// The column is null.
    pub fn is_null(self) -> Filter<M> {
        Filter::test(self.index, Ok(Test::IsNull(true)))
    }

    /// The column is not null.
    pub fn is_not_null(self) -> Filter<M> {
        Filter::test(self.index, Ok(Test::IsNull(false)))
    }

    /// Smallest first, null last.
    pub fn asc(self) -> Order<M> {
        Order::new(self.index, false)
    }

    /// Largest first, null last.
    pub fn desc(self) -> Order<M> {
        Order::new(self.index, true)
    }

    fn compare(self, comparison: Comparison, value: impl Operand<T>) -> Filter<M> {
        let test = value
            .operand()
            .map(|value| Test::Compare(comparison, value));
        Filter::test(self.index, test)
    }
}

impl<M: Model, T: Text, N> Column<M, T, N> {
    /// The column matches this pattern: `%` is any text, `_` any one
    /// character, `\` takes the next character as it is.
    pub fn like(self, pattern: &str) -> Filter<M> {
        self.matches(pattern, false)
    }

    /// As [`like`](Self::like), whatever the case of the letters.
    pub fn ilike(self, pattern: &str) -> Filter<M> {
        self.matches(pattern, true)
    }

    fn matches(self, pattern: &str, ignore_case: bool) -> Filter<M> {
        Filter::test(self.index, Test::like(pattern, ignore_case))
    }
}

impl<M, T, N> Clone for Column<M, T, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, T, N> Copy for Column<M, T, N> {}

impl<M: Model, T: ColumnValue, N> fmt::Debug for Column<M, T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", M::TABLE.name, self.def().name)
    }
}
