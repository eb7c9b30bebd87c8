//! Typed handles of columns: `Log::level().eq("error")`.

use std::fmt;
use std::marker::PhantomData;

use crate::filter::{Comparison, Filter, JsonPath, Pattern, Relation, Test};
use crate::model::{ColumnDef, Model};
use crate::query::Order;
use crate::value::{
    Array, ColumnType, ColumnValue, Document, Ordered, Problem, Text, TextLike, Value,
};

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
        !self.eq(value)
    }

    /// The column is greater than this value.
    pub fn gt(self, value: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare(Comparison::Gt, value)
    }

    /// The column is this value or greater.
    pub fn gte(self, value: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare(Comparison::Gte, value)
    }

    /// The column is less than this value.
    pub fn lt(self, value: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare(Comparison::Lt, value)
    }

    /// The column is this value or less.
    pub fn lte(self, value: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare(Comparison::Lte, value)
    }

    /// The column is one of these two values, or between them.
    pub fn between(self, low: impl Operand<T>, high: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        self.gte(low) & self.lte(high)
    }

    /// The column is less than the first value or greater than the second, or
    /// is null.
    pub fn not_between(self, low: impl Operand<T>, high: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        !self.between(low, high)
    }

    /// The column is one of these values; of none, nothing is.
    pub fn is_in<O: Operand<T>>(self, values: impl IntoIterator<Item = O>) -> Filter<M> {
        let values: Result<_, _> = values.into_iter().map(Operand::operand).collect();
        Filter::test(self.index, values.map(Test::In))
    }

    /// The column is none of these values, or is null.
    pub fn not_in<O: Operand<T>>(self, values: impl IntoIterator<Item = O>) -> Filter<M> {
        !self.is_in(values)
    }

    /// The column is null.
    pub fn is_null(self) -> Filter<M> {
        Filter::test(self.index, Ok(Test::IsNull))
    }

    /// The column is not null.
    pub fn is_not_null(self) -> Filter<M> {
        !self.is_null()
    }

    /// The column matches this pattern: `%` is any text, `_` any one
    /// character, `\` takes the next character as it is.
    pub fn like(self, pattern: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Pattern::new(pattern, false))
    }

    /// As [`like`](Self::like), whatever the case of the letters, as the
    /// database folds it.
    pub fn ilike(self, pattern: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Pattern::new(pattern, true))
    }

    /// The column does not match this pattern, or is null.
    pub fn not_like(self, pattern: &str) -> Filter<M>
    where
        T: Text,
    {
        !self.like(pattern)
    }

    /// As [`not_like`](Self::not_like), whatever the case of the letters.
    pub fn not_ilike(self, pattern: &str) -> Filter<M>
    where
        T: Text,
    {
        !self.ilike(pattern)
    }

    /// The column starts with this text, letter by letter.
    pub fn starts_with(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(false, text, true, false)))
    }

    /// As [`starts_with`](Self::starts_with), whatever the case of the letters.
    pub fn istarts_with(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(false, text, true, true)))
    }

    /// The column ends with this text, letter by letter.
    pub fn ends_with(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(true, text, false, false)))
    }

    /// As [`ends_with`](Self::ends_with), whatever the case of the letters.
    pub fn iends_with(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(true, text, false, true)))
    }

    /// The column has this text in it, letter by letter.
    pub fn contains(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(true, text, true, false)))
    }

    /// As [`contains`](Self::contains), whatever the case of the letters.
    pub fn icontains(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(true, text, true, true)))
    }

    /// The array holds all of these values.
    pub fn array_contains<O>(self, values: impl IntoIterator<Item = O>) -> Filter<M>
    where
        T: Array,
        O: Operand<T::Element>,
    {
        self.array(Relation::Contains, values)
    }

    /// The array holds nothing but these values.
    pub fn array_contained<O>(self, values: impl IntoIterator<Item = O>) -> Filter<M>
    where
        T: Array,
        O: Operand<T::Element>,
    {
        self.array(Relation::Contained, values)
    }

    /// The array holds one of these values.
    pub fn array_overlaps<O>(self, values: impl IntoIterator<Item = O>) -> Filter<M>
    where
        T: Array,
        O: Operand<T::Element>,
    {
        self.array(Relation::Overlaps, values)
    }

    /// The place in the JSON at this path, `user.id` or `tags.0`; a name that
    /// holds a dot or a quote is in quotes, `"odd.key".id`.
    pub fn path(self, path: &str) -> JsonPath<M>
    where
        T: Document,
    {
        JsonPath::new(self.index).path(path)
    }

    /// The value of this key of the JSON, whatever is in its name.
    pub fn key(self, name: &str) -> JsonPath<M>
    where
        T: Document,
    {
        JsonPath::new(self.index).key(name)
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

    fn pattern(self, pattern: Result<Pattern, Problem>) -> Filter<M> {
        Filter::test(self.index, pattern.map(Test::Like))
    }

    fn array<O>(self, relation: Relation, values: impl IntoIterator<Item = O>) -> Filter<M>
    where
        T: Array,
        O: Operand<T::Element>,
    {
        let ColumnType::Array(element) = T::TYPE else {
            unreachable!("`Array` is of Vec alone");
        };
        let values: Result<Vec<_>, _> = values.into_iter().map(Operand::operand).collect();
        let test = values.map(|values| Test::Array(relation, Value::Array(element, values)));
        Filter::test(self.index, test)
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
