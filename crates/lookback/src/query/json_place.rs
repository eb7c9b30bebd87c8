//! Places in JSON: ordered by, selected and grouped by.

use super::select::{Cells, Columns, Selection, Terms};
use super::{Keys, Order};
use crate::error::Error;
use crate::filter::JsonPath;
use crate::model::Model;
use crate::value::Json;

impl<M: Model> JsonPath<M> {
    /// Ascending order by the value: strings, numbers by their value, booleans, arrays,
    /// objects. A missing value and `null` are NULL, which is last.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use lookback::Log;
    ///
    /// let slowest = Log::records().order_by(Log::meta().key("ms").desc()?).list(&pool).await?;
    /// # let _ = slowest;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] if the path is none, such as `a..b`.
    pub fn asc(self) -> Result<Order<M>, Error> {
        Ok(Order::of_field(self.field()?, false))
    }

    /// Descending order by the value, NULL last: see [`asc`](Self::asc).
    ///
    /// # Errors
    ///
    /// As [`asc`](Self::asc).
    pub fn desc(self) -> Result<Order<M>, Error> {
        Ok(Order::of_field(self.field()?, true))
    }
}

/// The value at the path, to select or to group by; `None` if it is missing or `null`.
impl<M: Model> Selection<M> for JsonPath<M> {
    type Row = Option<Json>;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        terms.push_field(M::TABLE, &self.field()?)
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<Option<Json>, sqlx::Error> {
        let value = cells.json(&M::TABLE.columns[self.column()])?;
        Ok(Some(value).filter(|value| !value.is_null()))
    }
}

impl<M: Model> Columns<M> for JsonPath<M> {}
impl<M: Model> Keys<M> for JsonPath<M> {}
