//! Typed columns: `Log::level().eq("error")`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, FixedOffset, Local, Utc};

use crate::filter::{Comparison, Filter, JsonPath, Pattern, Relation, Test};
use crate::model::{ColumnDef, Model};
use crate::query::Order;
use crate::value::{
    Array, ArrayElement, Bytes, ColumnType, ColumnValue, Document, ErrorRate, Inet, Ordered,
    Problem, Text, TextLike, Value,
};

/// A column of a model `M` with values of type `T`; `N` is [`Nullable`] if it can
/// be NULL.
///
/// [`#[model]`](crate::model) generates a function for each field of a struct that
/// returns its column: `Log::level()`.
pub struct Column<M, T, N = NotNull> {
    index: usize,
    of: PhantomData<fn(M, T) -> N>,
}

/// Marks a [`Column`] that has a value in every record.
#[derive(Clone, Copy, Debug)]
pub enum NotNull {}

/// Marks a [`Column`] that can be NULL.
#[derive(Clone, Copy, Debug)]
pub enum Nullable {}

/// A value that a filter compares with a column of `T`: a `T` or a `&T`, a string if the
/// column is stored as text, a time of another zone, a fraction for an
/// [`ErrorRate`](crate::value::ErrorRate).
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
    /// A string that is not a value of the column.
    fn operand(self) -> Result<Value<'static>, Problem>;
}

impl<T: ColumnValue> Operand<T> for T {
    fn operand(self) -> Result<Value<'static>, Problem> {
        Ok(self.to_value().into_owned())
    }
}

/// An operand by reference, such as the items of a list.
impl<T: ColumnValue> Operand<T> for &T {
    fn operand(self) -> Result<Value<'static>, Problem> {
        Ok(self.to_value().into_owned())
    }
}

impl<T: TextLike> Operand<T> for &str {
    fn operand(self) -> Result<Value<'static>, Problem> {
        T::from_text(self).map(|value| value.to_value().into_owned())
    }
}

impl<T: TextLike> Operand<T> for &&str {
    fn operand(self) -> Result<Value<'static>, Problem> {
        Operand::<T>::operand(*self)
    }
}

impl Operand<String> for Cow<'_, str> {
    fn operand(self) -> Result<Value<'static>, Problem> {
        Ok(Value::Text(Cow::Owned(self.into_owned())))
    }
}

/// A fraction from 0 to 1.
impl Operand<ErrorRate> for f64 {
    fn operand(self) -> Result<Value<'static>, Problem> {
        ErrorRate::new(self)?.operand()
    }
}

/// Operands that convert into the type of the column.
macro_rules! converted {
    ($($from:ty => $to:ty),+ $(,)?) => {$(
        impl Operand<$to> for $from {
            fn operand(self) -> Result<Value<'static>, Problem> {
                Operand::<$to>::operand(<$to>::from(self))
            }
        }
    )+};
}

converted! {
    DateTime<Local> => DateTime<Utc>,
    DateTime<FixedOffset> => DateTime<Utc>,
    Ipv4Addr => IpAddr,
    Ipv6Addr => IpAddr,
    IpAddr => Inet,
    &[u8] => Vec<u8>,
    &[u8] => Bytes,
    Vec<u8> => Bytes,
}
#[cfg(feature = "rust_decimal")]
converted!(i64 => crate::value::Decimal);

/// The elements of an array.
impl<E: ArrayElement, O: Operand<E>, const N: usize> Operand<Vec<E>> for [O; N] {
    fn operand(self) -> Result<Value<'static>, Problem> {
        array_of::<E, O>(self)
    }
}

/// The elements of an array.
impl<E: ArrayElement, O> Operand<Vec<E>> for &[O]
where
    for<'a> &'a O: Operand<E>,
{
    fn operand(self) -> Result<Value<'static>, Problem> {
        array_of::<E, &O>(self)
    }
}

fn array_of<E: ArrayElement, O: Operand<E>>(
    items: impl IntoIterator<Item = O>,
) -> Result<Value<'static>, Problem> {
    let ColumnType::Array(element) = <Vec<E> as ColumnValue>::TYPE else {
        unreachable!("`Vec` of an ArrayElement is an array");
    };
    let items: Result<Vec<_>, _> = items.into_iter().map(Operand::operand).collect();
    Ok(Value::Array(element, items?))
}

impl<M: Model, T: ColumnValue, N> Column<M, T, N> {
    #[doc(hidden)]
    pub const fn __new(index: usize) -> Self {
        Self {
            index,
            of: PhantomData,
        }
    }

    /// The definition of the column.
    pub fn def(self) -> &'static ColumnDef {
        &M::TABLE.columns[self.index]
    }

    pub(crate) fn index(self) -> usize {
        self.index
    }

    /// The column equals this value. NULL equals nothing.
    pub fn eq(self, value: impl Operand<T>) -> Filter<M> {
        self.compare(Comparison::Eq, value)
    }

    /// The column does not equal this value, or is NULL.
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

    /// The column is greater than or equal to this value.
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

    /// The column is less than or equal to this value.
    pub fn lte(self, value: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare(Comparison::Lte, value)
    }

    /// The column is between these two values, inclusive.
    pub fn between(self, low: impl Operand<T>, high: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        self.gte(low) & self.lte(high)
    }

    /// The column is less than the first value, greater than the second, or NULL.
    pub fn not_between(self, low: impl Operand<T>, high: impl Operand<T>) -> Filter<M>
    where
        T: Ordered,
    {
        !self.between(low, high)
    }

    /// The column equals another column of the same record. NULL equals nothing.
    pub fn eq_column<N2>(self, other: Column<M, T, N2>) -> Filter<M> {
        self.compare_column(Comparison::Eq, other)
    }

    /// The column does not equal another column, or one of the two is NULL.
    pub fn ne_column<N2>(self, other: Column<M, T, N2>) -> Filter<M> {
        !self.eq_column(other)
    }

    /// The column is greater than another column of the same record.
    pub fn gt_column<N2>(self, other: Column<M, T, N2>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare_column(Comparison::Gt, other)
    }

    /// The column is greater than or equal to another column of the same record.
    pub fn gte_column<N2>(self, other: Column<M, T, N2>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare_column(Comparison::Gte, other)
    }

    /// The column is less than another column of the same record.
    pub fn lt_column<N2>(self, other: Column<M, T, N2>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare_column(Comparison::Lt, other)
    }

    /// The column is less than or equal to another column of the same record.
    pub fn lte_column<N2>(self, other: Column<M, T, N2>) -> Filter<M>
    where
        T: Ordered,
    {
        self.compare_column(Comparison::Lte, other)
    }

    /// The column equals one of these values. An empty list matches nothing.
    pub fn is_in<O: Operand<T>>(self, values: impl IntoIterator<Item = O>) -> Filter<M> {
        let values: Result<_, _> = values.into_iter().map(Operand::operand).collect();
        Filter::test(self.index, values.map(Test::In))
    }

    /// The column equals none of these values, or is NULL.
    pub fn not_in<O: Operand<T>>(self, values: impl IntoIterator<Item = O>) -> Filter<M> {
        !self.is_in(values)
    }

    /// The column is NULL.
    pub fn is_null(self) -> Filter<M> {
        Filter::test(self.index, Ok(Test::IsNull))
    }

    /// The column is not NULL.
    pub fn is_not_null(self) -> Filter<M> {
        !self.is_null()
    }

    /// The column matches this pattern: `%` is any text, `_` any one character, `\`
    /// escapes the next character.
    pub fn like(self, pattern: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Pattern::new(pattern, false))
    }

    /// As [`like`](Self::like), ignoring case as PostgreSQL's `ILIKE`.
    pub fn ilike(self, pattern: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Pattern::new(pattern, true))
    }

    /// The column does not match this pattern, or is NULL.
    pub fn not_like(self, pattern: &str) -> Filter<M>
    where
        T: Text,
    {
        !self.like(pattern)
    }

    /// As [`not_like`](Self::not_like), ignoring case.
    pub fn not_ilike(self, pattern: &str) -> Filter<M>
    where
        T: Text,
    {
        !self.ilike(pattern)
    }

    /// The column starts with this text, taken literally.
    pub fn starts_with(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(false, text, true, false)))
    }

    /// As [`starts_with`](Self::starts_with), ignoring case.
    pub fn istarts_with(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(false, text, true, true)))
    }

    /// The column ends with this text, taken literally.
    pub fn ends_with(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(true, text, false, false)))
    }

    /// As [`ends_with`](Self::ends_with), ignoring case.
    pub fn iends_with(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(true, text, false, true)))
    }

    /// The column contains this text, taken literally.
    pub fn contains(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(true, text, true, false)))
    }

    /// As [`contains`](Self::contains), ignoring case.
    pub fn icontains(self, text: &str) -> Filter<M>
    where
        T: Text,
    {
        self.pattern(Ok(Pattern::literal(true, text, true, true)))
    }

    /// The array contains all of these values.
    pub fn array_contains<O>(self, values: impl IntoIterator<Item = O>) -> Filter<M>
    where
        T: Array,
        O: Operand<T::Element>,
    {
        self.array(Relation::Contains, values)
    }

    /// The array contains only these values.
    pub fn array_contained<O>(self, values: impl IntoIterator<Item = O>) -> Filter<M>
    where
        T: Array,
        O: Operand<T::Element>,
    {
        self.array(Relation::Contained, values)
    }

    /// The array contains at least one of these values.
    pub fn array_overlaps<O>(self, values: impl IntoIterator<Item = O>) -> Filter<M>
    where
        T: Array,
        O: Operand<T::Element>,
    {
        self.array(Relation::Overlaps, values)
    }

    /// The value at this path in the JSON, `user.id` or `tags.0`. A name that
    /// contains a dot or a quote is in quotes, `"odd.key".id`.
    pub fn path(self, path: &str) -> JsonPath<M>
    where
        T: Document,
    {
        JsonPath::new(self.index).path(path)
    }

    /// The value of this key in the JSON. The name is taken literally.
    pub fn key(self, name: &str) -> JsonPath<M>
    where
        T: Document,
    {
        JsonPath::new(self.index).key(name)
    }

    /// Ascending order, NULL last.
    pub fn asc(self) -> Order<M> {
        Order::new(self.index, false)
    }

    /// Descending order, NULL last.
    pub fn desc(self) -> Order<M> {
        Order::new(self.index, true)
    }

    fn compare(self, comparison: Comparison, value: impl Operand<T>) -> Filter<M> {
        let test = value
            .operand()
            .map(|value| Test::Compare(comparison, value));
        Filter::test(self.index, test)
    }

    fn compare_column<N2>(self, comparison: Comparison, other: Column<M, T, N2>) -> Filter<M> {
        Filter::test(self.index, Ok(Test::CompareColumn(comparison, other.index)))
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
            unreachable!("only Vec implements `Array`");
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
