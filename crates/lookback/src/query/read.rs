//! `get`, `first`, `count` and `list`.

use sqlx::error::BoxDynError;
use sqlx::postgres::PgRow;
use sqlx::{Row as _, ValueRef as _};

use super::{MAX_LIMIT, Page, QueryBuilder, Total};
use crate::db::{Db, Session};
use crate::error::Error;
use crate::model::{Model, Role};
use crate::sql::Sql;
use crate::types::Hidden;
use crate::value::ColumnValue;

impl<M: Model> QueryBuilder<M> {
    /// The record of this id.
    ///
    /// # Errors
    ///
    /// [`Error::is_not_found`] if there is none that the query is about.
    pub async fn get<'c>(&self, db: impl Into<Db<'c>>, id: i64) -> Result<M, Error> {
        let table = M::TABLE;
        let mut sql = self.select()?;
        sql.push(&format!(" AND {} = ", table.role(Role::Id).quoted()));
        sql.bind(id)?;
        let mut session = db.into().session().await?;
        let row = sql
            .fetch_optional(session.conn())
            .await
            .map_err(|error| Error::of_table(table, error))?;
        match row {
            Some(row) => Ok(M::from_row(&row)?),
            None => Err(Error::NotFound {
                table: table.name,
                id,
            }),
        }
    }

    /// The first record in order, if there is any.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn first<'c>(&self, db: impl Into<Db<'c>>) -> Result<Option<M>, Error> {
        let page = self.clone().limit(1).list(db).await?;
        Ok(page.data.into_iter().next())
    }

    /// How many records there are, on every page.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn count<'c>(&self, db: impl Into<Db<'c>>) -> Result<Total, Error> {
        Ok(self.clone().limit(0).list(db).await?.total)
    }

    /// A page of records, and how many there are in all.
    ///
    /// # Errors
    ///
    /// [`Error::is_invalid`] for a filter whose value its column cannot have,
    /// a limit over 10,000, or a search or [`similar_to`](Self::similar_to)
    /// together with an order or with each other; [`Error::is_not_found`] if
    /// there is no record to be similar to.
    pub async fn list<'c>(&self, db: impl Into<Db<'c>>) -> Result<Page<M>, Error> {
        let offset = self.checked_offset()?;
        let mut session = db.into().session().await?;
        self.page(&mut session, offset).await
    }

    /// The offset, with the limit checked too.
    pub(super) fn checked_offset(&self) -> Result<i64, Error> {
        let table = M::TABLE;
        if self.limit > MAX_LIMIT {
            return Err(Error::invalid_field(
                table.name,
                "limit",
                format!("{} is more than {MAX_LIMIT}; read page by page", self.limit),
            ));
        }
        i64::try_from(self.offset).map_err(|_| {
            Error::invalid_field(
                table.name,
                "offset",
                "is beyond the last record of any table",
            )
        })
    }

    /// A page without a search: one statement, so that the page and the total
    /// are of the same moment.
    pub(super) async fn list_ordered(
        &self,
        session: &mut Session<'_>,
        offset: i64,
    ) -> Result<Page<M>, Error> {
        let table = M::TABLE;
        let mut sql = Sql::default();
        self.push_where(&mut sql)?;
        let filter = sql.take_text();
        let limit = sql.argument(i64::from(self.limit))?;
        let offset = sql.argument(offset)?;

        let id = table.role(Role::Id);
        let order = self
            .order
            .iter()
            .map(|(index, descending)| (&table.columns[*index], *descending))
            .chain([(id, true)]);
        // The order is kept beside the columns: one of them may be hidden, and
        // only an outermost ORDER BY is binding.
        let (mut keys, mut inner, mut outer) = (String::new(), Vec::new(), Vec::new());
        for (index, (column, descending)) in order.enumerate() {
            let direction = if descending { "DESC" } else { "ASC" };
            let key = column.order_key();
            keys.push_str(&format!(", {key} AS __key{index}"));
            inner.push(format!("{key} {direction} NULLS LAST"));
            outer.push(format!("page.__key{index} {direction} NULLS LAST"));
        }
        sql.push(&format!(
            "SELECT matched.total AS __total, page.* \
             FROM (SELECT count(*) AS total FROM {from}{filter}) AS matched \
             LEFT JOIN LATERAL (SELECT {columns}{keys} FROM {from}{filter} \
             ORDER BY {inner} LIMIT {limit} OFFSET {offset}) AS page ON TRUE \
             ORDER BY {outer}",
            from = table.quoted(),
            columns = self.selected(),
            inner = inner.join(", "),
            outer = outer.join(", "),
        ));
        let rows = sql
            .fetch_all(session.conn())
            .await
            .map_err(|error| Error::of_table(table, error))?;

        // There is always one row, for the total; a page of no records has a null key.
        let total: i64 = match rows.first() {
            Some(row) => row.try_get("__total")?,
            None => 0,
        };
        let mut data = Vec::with_capacity(rows.len());
        for row in &rows {
            if row.try_get::<Option<i64>, _>(id.name)?.is_some() {
                data.push(M::from_row(row)?);
            }
        }
        Ok(Page {
            data,
            total: Total::Exact(total.unsigned_abs()),
        })
    }

    /// `SELECT … FROM … WHERE …`.
    fn select(&self) -> Result<Sql, Error> {
        let mut sql = Sql::new(&format!(
            "SELECT {} FROM {}",
            self.selected(),
            M::TABLE.quoted()
        ));
        self.push_where(&mut sql)?;
        Ok(sql)
    }
}

/// Reads a column of a row; used by generated code.
///
/// # Errors
///
/// A missing column, or a value that is not a `T`.
pub fn read<T: ColumnValue>(row: &PgRow, name: &str) -> Result<T, sqlx::Error> {
    read_nullable(row, name)?.ok_or_else(|| undecodable(name, "the value is null".into()))
}

/// Reads a nullable column of a row; used by generated code.
///
/// # Errors
///
/// As [`read`].
pub fn read_nullable<T: ColumnValue>(row: &PgRow, name: &str) -> Result<Option<T>, sqlx::Error> {
    let value = row.try_get_raw(name)?;
    if value.is_null() {
        return Ok(None);
    }
    T::from_database(value)
        .map(Some)
        .map_err(|error| undecodable(name, error))
}

/// Reads a hidden column, which may be missing from the row; used by generated
/// code.
///
/// # Errors
///
/// A value that is not a `T`.
pub fn read_hidden<T: ColumnValue>(row: &PgRow, name: &str) -> Result<Hidden<T>, sqlx::Error> {
    if_selected(read(row, name))
}

/// Reads a hidden nullable column; used by generated code.
///
/// # Errors
///
/// As [`read_hidden`].
pub fn read_hidden_nullable<T: ColumnValue>(
    row: &PgRow,
    name: &str,
) -> Result<Hidden<Option<T>>, sqlx::Error> {
    if_selected(read_nullable(row, name))
}

fn if_selected<T>(read: Result<T, sqlx::Error>) -> Result<Hidden<T>, sqlx::Error> {
    match read {
        Ok(value) => Ok(Hidden::present(value)),
        Err(sqlx::Error::ColumnNotFound(_)) => Ok(Hidden::absent()),
        Err(error) => Err(error),
    }
}

fn undecodable(name: &str, source: BoxDynError) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: name.to_owned(),
        source,
    }
}
