//! Typed filters of places in JSON: `Log::meta().path("user.id").eq(42)`.

use std::fmt;
use std::marker::PhantomData;

use crate::filter::tree::JsonTest;
use crate::filter::{Comparison, Filter, Pattern, Relation, Test, key};
use crate::model::Model;
use crate::value::{Json, Problem};

/// A place in a JSON column of `M`.
///
/// Made by [`Column::path`](crate::query::Column::path),
/// [`key`](crate::query::Column::key). A name
/// finds the key of an object; a whole number also finds an element of an
/// array, from 0, or from the end with `-1`.
///
/// Types count: `eq(42)` is not `eq("42")`, and `1` is `1.0`. Numbers are
/// greater and less than numbers alone, and strings than strings alone, by
/// Unicode code points; so a filter never fails on what happens to be there.
///
/// ```
/// use lookback::{Filter, Log};
///
/// let typed = Log::meta().path("user.id").eq(42) | Log::meta().key("odd.key").exists();
/// let text = r#"or(meta.user.id__is=42,meta."odd.key"__exists=true)"#;
/// assert_eq!(typed, Filter::parse(text)?);
/// # Ok::<(), lookback::Error>(())
/// ```
#[must_use]
pub struct JsonPath<M> {
    column: usize,
    path: Result<Vec<String>, Problem>,
    of: PhantomData<fn() -> M>,
}

impl<M: Model> JsonPath<M> {
    pub(crate) fn new(column: usize) -> Self {
        Self {
            column,
            path: Ok(Vec::new()),
            of: PhantomData,
        }
    }

    /// The place at this path from here: names with dots between them; one that
    /// holds a dot or a quote in quotes, as in text.
    pub fn path(mut self, path: &str) -> Self {
        self.path = self.path.and_then(|mut before| {
            before.extend(key::parse_path(path)?);
            Ok(before)
        });
        self
    }

    /// The value of this key, whatever is in its name.
    pub fn key(mut self, name: &str) -> Self {
        if let Ok(path) = &mut self.path {
            path.push(name.to_owned());
        }
        self
    }

    /// The element of an array at this place, from 0; from the end with `-1`.
    pub fn index(self, index: i32) -> Self {
        self.key(&index.to_string())
    }

    /// Is this value, its type included.
    pub fn eq(self, value: impl Into<Json>) -> Filter<M> {
        self.is_in([value])
    }

    /// Is not this value, or is not there.
    pub fn ne(self, value: impl Into<Json>) -> Filter<M> {
        !self.eq(value)
    }

    /// Is one of these values, their types included.
    pub fn is_in<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        let values = values.into_iter().map(Into::into).collect();
        self.test(Ok(JsonTest::In(values)))
    }

    /// Is none of these values, or is not there.
    pub fn not_in<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        !self.is_in(values)
    }

    /// Is a number greater than this one, or a string after this one.
    pub fn gt(self, value: impl Into<Json>) -> Filter<M> {
        self.compare(Comparison::Gt, value)
    }

    /// Is this value, or one that [`gt`](Self::gt) finds.
    pub fn gte(self, value: impl Into<Json>) -> Filter<M> {
        self.compare(Comparison::Gte, value)
    }

    /// Is a number less than this one, or a string before this one.
    pub fn lt(self, value: impl Into<Json>) -> Filter<M> {
        self.compare(Comparison::Lt, value)
    }

    /// Is this value, or one that [`lt`](Self::lt) finds.
    pub fn lte(self, value: impl Into<Json>) -> Filter<M> {
        self.compare(Comparison::Lte, value)
    }

    /// Is one of these two numbers or strings, or between them.
    pub fn between(self, low: impl Into<Json>, high: impl Into<Json>) -> Filter<M> {
        self.clone().gte(low) & self.lte(high)
    }

    /// Is not between these, or is not of their type.
    pub fn not_between(self, low: impl Into<Json>, high: impl Into<Json>) -> Filter<M> {
        !self.between(low, high)
    }

    /// Is there, if only as null.
    pub fn exists(self) -> Filter<M> {
        self.test(Ok(JsonTest::Exists))
    }

    /// Is not there, or null.
    pub fn is_null(self) -> Filter<M> {
        self.test(Ok(JsonTest::IsNull))
    }

    /// Is there, and not null.
    pub fn is_not_null(self) -> Filter<M> {
        !self.is_null()
    }

    /// Is a string that matches this pattern, as [`Column::like`](crate::query::Column::like).
    pub fn like(self, pattern: &str) -> Filter<M> {
        self.test(Pattern::new(pattern, false).map(JsonTest::Like))
    }

    /// As [`like`](Self::like), whatever the case of the letters.
    pub fn ilike(self, pattern: &str) -> Filter<M> {
        self.test(Pattern::new(pattern, true).map(JsonTest::Like))
    }

    /// Is a string that starts with this one.
    pub fn starts_with(self, text: &str) -> Filter<M> {
        self.literal(false, text, true, false)
    }

    /// As [`starts_with`](Self::starts_with), whatever the case of the letters.
    pub fn istarts_with(self, text: &str) -> Filter<M> {
        self.literal(false, text, true, true)
    }

    /// Is a string that ends with this one.
    pub fn ends_with(self, text: &str) -> Filter<M> {
        self.literal(true, text, false, false)
    }

    /// As [`ends_with`](Self::ends_with), whatever the case of the letters.
    pub fn iends_with(self, text: &str) -> Filter<M> {
        self.literal(true, text, false, true)
    }

    /// Is a string with this one in it, or an array with this string among its
    /// elements. For elements of other types, see
    /// [`array_contains`](Self::array_contains).
    pub fn contains(self, text: &str) -> Filter<M> {
        self.clone().literal(true, text, true, false) | self.array_contains([text])
    }

    /// Is a string with this one in it, whatever the case of the letters. Of
    /// arrays it is never true.
    pub fn icontains(self, text: &str) -> Filter<M> {
        self.literal(true, text, true, true)
    }

    /// Is an array that holds all of these.
    pub fn array_contains<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        self.array(Relation::Contains, values)
    }

    /// Is an array that holds nothing but these.
    pub fn array_contained<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        self.array(Relation::Contained, values)
    }

    /// Is an array that holds one of these.
    pub fn array_overlaps<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        self.array(Relation::Overlaps, values)
    }

    fn array<T: Into<Json>>(
        self,
        relation: Relation,
        values: impl IntoIterator<Item = T>,
    ) -> Filter<M> {
        let groups = values.into_iter().map(|value| vec![value.into()]).collect();
        self.test(Ok(JsonTest::Array(relation, groups)))
    }

    fn literal(self, before: bool, text: &str, after: bool, ignore_case: bool) -> Filter<M> {
        let pattern = Pattern::literal(before, text, after, ignore_case);
        self.test(Ok(JsonTest::Like(pattern)))
    }

    fn compare(self, comparison: Comparison, value: impl Into<Json>) -> Filter<M> {
        let value = value.into();
        self.test(match value {
            Json::Number(_) | Json::String(_) => Ok(JsonTest::Compare(comparison, value)),
            other => Err(Problem::wrong_json(&other, "a number or a string")),
        })
    }

    fn test(self, test: Result<JsonTest, Problem>) -> Filter<M> {
        let test = self.path.and_then(|path| Ok(Test::Json(path, test?)));
        Filter::test(self.column, test)
    }
}

impl<M> Clone for JsonPath<M> {
    fn clone(&self) -> Self {
        Self {
            column: self.column,
            path: self.path.clone(),
            of: PhantomData,
        }
    }
}

impl<M: Model> fmt::Debug for JsonPath<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = M::TABLE.columns[self.column].name;
        write!(f, "{}.{column} {:?}", M::TABLE.name, self.path)
    }
}
