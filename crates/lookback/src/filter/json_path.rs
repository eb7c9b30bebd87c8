//! Typed filters on values inside JSON: `Log::meta().path("user.id").eq(42)`.

use std::fmt;
use std::marker::PhantomData;

use crate::error::Error;
use crate::filter::tree::JsonTest;
use crate::filter::{Comparison, FieldPath, Filter, Pattern, Relation, Test, key};
use crate::model::Model;
use crate::value::{Json, Problem};

/// A path to a value in a JSON column of `M`.
///
/// [`Column::path`](crate::query::Column::path) and
/// [`Column::key`](crate::query::Column::key) create it. A name selects the
/// value of a key in an object. A whole number also selects an element of an
/// array, from 0, or from the end with `-1`.
///
/// Types matter: `eq(42)` does not match `"42"`, but `1` equals `1.0`. A number
/// is greater or less than other numbers only, and a string than other strings
/// only, by Unicode code points. So no stored value makes a filter fail.
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

    /// Extends the path by names with dots between them.
    ///
    /// A name that contains a dot or a quote is in quotes, as in text filters.
    pub fn path(mut self, path: &str) -> Self {
        self.path = self.path.and_then(|mut before| {
            before.extend(key::parse_path(path)?);
            Ok(before)
        });
        self
    }

    /// Extends the path by this key. The name is taken literally.
    pub fn key(mut self, name: &str) -> Self {
        if let Ok(path) = &mut self.path {
            path.push(name.to_owned());
        }
        self
    }

    /// Extends the path by an index into an array, from 0; from the end with
    /// `-1`.
    pub fn index(self, index: i32) -> Self {
        self.key(&index.to_string())
    }

    /// The value equals this one, and has the same type.
    pub fn eq(self, value: impl Into<Json>) -> Filter<M> {
        self.is_in([value])
    }

    /// The value does not equal this one, or is missing.
    pub fn ne(self, value: impl Into<Json>) -> Filter<M> {
        !self.eq(value)
    }

    /// The value equals one of these, and has the same type.
    pub fn is_in<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        let values = values.into_iter().map(Into::into).collect();
        self.test(Ok(JsonTest::In(values)))
    }

    /// The value equals none of these, or is missing.
    pub fn not_in<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        !self.is_in(values)
    }

    /// The value is a number greater than this one, or a string after this one.
    pub fn gt(self, value: impl Into<Json>) -> Filter<M> {
        self.compare(Comparison::Gt, value)
    }

    /// The value equals this one, or matches [`gt`](Self::gt).
    pub fn gte(self, value: impl Into<Json>) -> Filter<M> {
        self.compare(Comparison::Gte, value)
    }

    /// The value is a number less than this one, or a string before this one.
    pub fn lt(self, value: impl Into<Json>) -> Filter<M> {
        self.compare(Comparison::Lt, value)
    }

    /// The value equals this one, or matches [`lt`](Self::lt).
    pub fn lte(self, value: impl Into<Json>) -> Filter<M> {
        self.compare(Comparison::Lte, value)
    }

    /// The value is between these two numbers or two strings, inclusive.
    pub fn between(self, low: impl Into<Json>, high: impl Into<Json>) -> Filter<M> {
        self.clone().gte(low) & self.lte(high)
    }

    /// The value is not between these two, has another type, or is missing.
    pub fn not_between(self, low: impl Into<Json>, high: impl Into<Json>) -> Filter<M> {
        !self.between(low, high)
    }

    /// The value is present, even as `null`.
    pub fn exists(self) -> Filter<M> {
        self.test(Ok(JsonTest::Exists))
    }

    /// The value is missing, or `null`.
    pub fn is_null(self) -> Filter<M> {
        self.test(Ok(JsonTest::IsNull))
    }

    /// The value is present, and not `null`.
    pub fn is_not_null(self) -> Filter<M> {
        !self.is_null()
    }

    /// The value is a string that matches this pattern, as in
    /// [`Column::like`](crate::query::Column::like).
    pub fn like(self, pattern: &str) -> Filter<M> {
        self.test(Pattern::new(pattern, false).map(JsonTest::Like))
    }

    /// As [`like`](Self::like), ignoring case.
    pub fn ilike(self, pattern: &str) -> Filter<M> {
        self.test(Pattern::new(pattern, true).map(JsonTest::Like))
    }

    /// The value is a string that starts with this text, taken literally.
    pub fn starts_with(self, text: &str) -> Filter<M> {
        self.literal(false, text, true, false)
    }

    /// As [`starts_with`](Self::starts_with), ignoring case.
    pub fn istarts_with(self, text: &str) -> Filter<M> {
        self.literal(false, text, true, true)
    }

    /// The value is a string that ends with this text, taken literally.
    pub fn ends_with(self, text: &str) -> Filter<M> {
        self.literal(true, text, false, false)
    }

    /// As [`ends_with`](Self::ends_with), ignoring case.
    pub fn iends_with(self, text: &str) -> Filter<M> {
        self.literal(true, text, false, true)
    }

    /// The value is a string that contains this text, or an array with this
    /// string.
    ///
    /// The text is taken literally. For elements of other types, see
    /// [`array_contains`](Self::array_contains).
    pub fn contains(self, text: &str) -> Filter<M> {
        self.clone().literal(true, text, true, false) | self.array_contains([text])
    }

    /// The value is a string that contains this text, ignoring case.
    ///
    /// It does not match arrays.
    pub fn icontains(self, text: &str) -> Filter<M> {
        self.literal(true, text, true, true)
    }

    /// The value is an array that contains all of these values.
    pub fn array_contains<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        self.array(Relation::Contains, values)
    }

    /// The value is an array that contains only these values.
    pub fn array_contained<T: Into<Json>>(self, values: impl IntoIterator<Item = T>) -> Filter<M> {
        self.array(Relation::Contained, values)
    }

    /// The value is an array that contains at least one of these values.
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

    /// Returns the index of the column.
    pub(crate) fn column(&self) -> usize {
        self.column
    }

    /// Returns the place in JSON.
    pub(crate) fn field(&self) -> Result<FieldPath, Error> {
        match &self.path {
            Ok(path) => Ok(FieldPath {
                column: self.column,
                path: path.clone(),
            }),
            Err(problem) => Err(Error::invalid_field(
                M::TABLE.name,
                M::TABLE.columns[self.column].name,
                problem.to_string(),
            )),
        }
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
