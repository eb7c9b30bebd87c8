//! Streams of records.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::future::BoxFuture;
use sqlx::postgres::PgRow;

use super::cursor::PageStart;
use super::select::{Selected, Shape};
use super::{Columns, QueryBuilder, Select};
use crate::db::Sql;
use crate::db::{CloseOnDrop, Db};
use crate::error::Error;
use crate::model::Model;

impl<M: Model> QueryBuilder<M> {
    /// Streams the records in order, in constant memory: all of them unless a limit is
    /// set.
    ///
    /// All records are of the moment at which the stream begins. If the stream is
    /// dropped before its end, it closes its connection to a pool, so that the server
    /// stops sending. A connection of the caller stays open, and reads the remaining
    /// rows when it is next used.
    ///
    /// ```no_run
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// use futures_util::TryStreamExt as _;
    /// use lookback::Log;
    ///
    /// let mut errors = Log::records().filter(Log::level().eq("error")).stream(&pool);
    /// while let Some(log) = errors.try_next().await? {
    ///     println!("{}", log.message);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list), in place of a record; the stream then ends. A search
    /// is [`Error::is_invalid`]: list its hits page by page.
    pub fn stream<'c>(&self, db: impl Into<Db<'c>>) -> Records<'c, M> {
        rows(self, self.whole(), db.into())
    }
}

impl<M: Model, S: Columns<M> + Clone + 'static> Select<M, S> {
    /// Streams the rows: see [`QueryBuilder::stream`].
    pub fn stream<'c>(&self, db: impl Into<Db<'c>>) -> Records<'c, S::Row> {
        rows(&self.query, Selected(self.selection.clone()), db.into())
    }
}

/// A stream of records, created by [`QueryBuilder::stream`].
#[must_use = "a stream does nothing unless it is read"]
pub struct Records<'c, R> {
    slot: Slot<R>,
    /// Fills the slot, and waits until it has been emptied.
    work: Option<BoxFuture<'c, Result<(), Error>>>,
}

type Slot<R> = Arc<Mutex<Option<R>>>;

fn rows<'c, M: Model, S: Shape<M> + 'c>(
    query: &QueryBuilder<M>,
    shape: S,
    db: Db<'c>,
) -> Records<'c, S::Row>
where
    S::Row: 'c,
{
    let statement = query.statement(&shape);
    let query = query.clone();
    let slot = Slot::default();
    let filled = Arc::clone(&slot);
    let work = async move {
        let mut session = CloseOnDrop::new(db.session().await?);
        let statement = match query.resolved(session.conn()).await {
            Ok(None) => statement,
            Ok(Some(resolved)) => resolved.statement(&shape),
            Err(error) => Err(error),
        };
        let statement = match statement {
            Ok(statement) => statement,
            Err(error) => {
                session.release();
                return Err(error);
            }
        };
        let mut rows = statement.fetch(session.conn());
        let read = loop {
            match poll_fn(|context| rows.as_mut().poll_next(context)).await {
                None => break Ok(()),
                Some(Err(error)) => break Err(Error::from_driver(M::TABLE, error)),
                Some(Ok(row)) => {
                    let row: PgRow = row;
                    let read = shape.read(&row);
                    let read = read.map_err(|error| Error::of_record(M::TABLE, "a record", error));
                    put(&filled, Some(read?));
                    emptied(&filled).await;
                }
            }
        };
        drop(rows);
        session.release();
        read
    };
    Records {
        slot,
        work: Some(Box::pin(work)),
    }
}

impl<M: Model> QueryBuilder<M> {
    /// The statement that reads all records in order.
    fn statement<S: Shape<M>>(&self, shape: &S) -> Result<Sql, Error> {
        let table = M::TABLE;
        if self.search.is_some() {
            return Err(Error::invalid_field(
                table.name,
                "search",
                "cannot be combined with a stream; list what it finds, page by page",
            ));
        }
        if self.similar_to.is_some() {
            return Err(Error::invalid_field(
                table.name,
                "similar_to",
                "cannot be combined with a stream; list similar records page by page",
            ));
        }
        if self.is_by_distance() {
            // A scan of a vector index ends after a number of rows.
            return Err(Error::invalid_field(
                table.name,
                "nearest_to",
                "cannot be combined with a stream; list the nearest records page by page",
            ));
        }
        self.check_no_if_updated_at("a stream")?;
        // The server counts until the last row is sent.
        self.check_no_timeout("a stream, which takes as long as its reader")?;
        if let Some(PageStart::Before(_)) = self.start {
            return Err(Error::invalid_field(
                table.name,
                "before",
                "cannot be combined with a stream, which only reads forward; use after",
            ));
        }
        self.check_offset()?;
        let mut sql = Sql::default();
        let list = shape.list(&mut sql)?;
        sql.push(&format!("SELECT {list} FROM {}", table.quoted()));
        self.push_where(&mut sql)?;
        self.push_page(&mut sql)?;
        Ok(sql)
    }
}

fn put<R>(slot: &Slot<R>, row: Option<R>) -> Option<R> {
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *slot, row)
}

/// Waits until the slot is empty. It needs no waker: the consumer that takes the row
/// polls for the next one, which polls this again.
async fn emptied<R>(slot: &Slot<R>) {
    poll_fn(|_| {
        let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match *slot {
            Some(_) => Poll::Pending,
            None => Poll::Ready(()),
        }
    })
    .await;
}

impl<R> Records<'_, R> {
    /// Returns the next record; `None` at the end.
    #[cfg(feature = "capture")]
    pub(crate) async fn try_next(&mut self) -> Result<Option<R>, Error> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context))
            .await
            .transpose()
    }
}

impl<R> Stream for Records<'_, R> {
    type Item = Result<R, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(work) = &mut self.work else {
            return Poll::Ready(None);
        };
        let progress = work.as_mut().poll(context);
        let row = put(&self.slot, None);
        if let Poll::Ready(outcome) = progress {
            self.work = None;
            return Poll::Ready(outcome.err().map(Err));
        }
        match row {
            Some(row) => Poll::Ready(Some(Ok(row))),
            None => Poll::Pending,
        }
    }
}

impl<R> std::fmt::Debug for Records<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}
