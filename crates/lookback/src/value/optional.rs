//! The arguments of the setters of optional fields.

/// Marks an [`IntoOptional`] or [`IntoNullable`] that is a value.
#[derive(Debug)]
pub enum ByValue {}

/// Marks an [`IntoOptional`] or [`IntoNullable`] that is an `Option`.
#[derive(Debug)]
pub enum ByOption {}

/// A value for a field that a new record may omit: a `T`, whatever converts into one, or
/// an `Option` of either. `None` omits the field.
///
/// The setters of insert types take it: `.trace_id("4bf9")`, `.trace_id(found)` with an
/// `Option<String>`. `By` is inferred.
#[diagnostic::on_unimplemented(
    message = "a field of `{T}` is not set to `{Self}`",
    label = "give a `{T}`, or an `Option` of one"
)]
pub trait IntoOptional<T, By> {
    /// The value; `None` omits the field.
    fn into_optional(self) -> Option<T>;
}

impl<T, V: Into<T>> IntoOptional<T, ByValue> for V {
    fn into_optional(self) -> Option<T> {
        Some(self.into())
    }
}

impl<T, V: Into<T>> IntoOptional<T, ByOption> for Option<V> {
    fn into_optional(self) -> Option<T> {
        self.map(Into::into)
    }
}

/// A value for a nullable field: a `T`, whatever converts into one, or an `Option<T>`.
/// `None` is NULL.
///
/// The setters of patches take it: `.trace_id("4bf9")`, `.trace_id(None)`. `By` is inferred.
#[diagnostic::on_unimplemented(
    message = "a nullable field of `{T}` is not set to `{Self}`",
    label = "give a `{T}`, or an `Option<{T}>`, of which `None` is NULL"
)]
pub trait IntoNullable<T, By> {
    /// The value; `None` for NULL.
    fn into_nullable(self) -> Option<T>;
}

impl<T, V: Into<T>> IntoNullable<T, ByValue> for V {
    fn into_nullable(self) -> Option<T> {
        Some(self.into())
    }
}

impl<T> IntoNullable<T, ByOption> for Option<T> {
    fn into_nullable(self) -> Self {
        self
    }
}
