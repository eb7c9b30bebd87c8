//! The records nearest to a vector.

use std::fmt;
use std::marker::PhantomData;

use super::order::OrderBy;
use super::select::{Cells, Columns, Selection, Terms};
use super::{Column, Operand, QueryBuilder};
use crate::db::{LocalSetting, LocalSettings, Sql};
use crate::error::Error;
use crate::filter::FieldPath;
use crate::hash::fnv1a;
use crate::model::{ColumnDef, Model, Table, check};
use crate::value::{Nearness, Parameter, Problem, Value};

/// A distance between two vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Distance {
    /// 1 minus the cosine of their angle, from 0 to 2: pgvector's `<=>`. An index on it has
    /// `vector_cosine_ops` or `halfvec_cosine_ops`.
    #[default]
    Cosine,
    /// The length of their difference: pgvector's `<->`. An index on it has
    /// `vector_l2_ops` or `halfvec_l2_ops`.
    L2,
    /// Their inner product with the sign changed, so that the largest product is nearest:
    /// pgvector's `<#>`. An index on it has `vector_ip_ops` or `halfvec_ip_ops`.
    InnerProduct,
}

impl Distance {
    fn operator(self) -> &'static str {
        match self {
            Self::Cosine => "<=>",
            Self::L2 => "<->",
            Self::InnerProduct => "<#>",
        }
    }
}

/// The vector that records are ordered by their distance from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    pub(super) distance: Distance,
    /// A vector, or why the given one is not valid.
    vector: Result<Value<'static>, Problem>,
}

impl Target {
    /// The distance of a column in SQL, with the vector bound.
    pub(super) fn sql(
        &self,
        table: &'static Table,
        column: &ColumnDef,
        sql: &mut Sql,
    ) -> Result<String, Error> {
        let refuse = |problem: &Problem| Error::invalid_field(table.name, column.name, problem);
        let vector = self.vector.as_ref().map_err(refuse)?;
        check(column, vector).map_err(|error| Error::invalid(table.name, vec![error]))?;
        let vector = sql.argument(Parameter {
            ty: column.ty,
            value: vector.clone(),
        })?;
        Ok(format!(
            "({} {} {vector})",
            column.quoted(),
            self.distance.operator()
        ))
    }

    /// Formats the target for the order in a cursor: the distance, and a digest of the
    /// vector.
    pub(super) fn to_text(&self) -> String {
        let vector = match &self.vector {
            Ok(vector) => vector.to_json().to_string(),
            Err(problem) => problem.to_string(),
        };
        let digest = fnv1a(vector.bytes());
        format!("{}{digest:016x}", self.distance.operator())
    }
}

impl<M: Model> QueryBuilder<M> {
    /// Orders by the distance of a column from a vector, the nearest first.
    ///
    /// It is for vectors of the application's own; [`similar_to`](Self::similar_to) is for
    /// Lookback's own embeddings. The distance is that of the cosine, or another one that
    /// [`distance`](Self::distance) sets. Records without a vector are left out, filters
    /// and limits apply, and pages go on by cursor.
    ///
    /// Without an index it compares every record that the filters match. An HNSW index of
    /// the model with the operator class of the [`Distance`] makes it fast, and finds most
    /// of the nearest records, not always all: it is an approximation.
    ///
    /// ```
    /// # use chrono::{DateTime, Utc};
    /// # use lookback::embedding::Embedding;
    /// # use lookback::model;
    /// # use lookback::value::Hidden;
    /// use lookback::query::Distance;
    /// use lookback::value::Vector;
    ///
    /// #[model(
    ///     table = "pictures",
    ///     search(title),
    ///     index("pictures_content_idx", "USING hnsw (content vector_l2_ops)")
    /// )]
    /// pub struct Picture {
    ///     pub id: i64,
    ///     pub title: String,
    ///     pub content: Option<Vector<3>>,
    /// #   pub created_at: DateTime<Utc>,
    /// #   pub updated_at: DateTime<Utc>,
    /// #   pub deleted_at: Hidden<Option<DateTime<Utc>>>,
    /// #   pub embedding: Hidden<Option<Embedding>>,
    /// }
    ///
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), lookback::Error> {
    /// let wanted = Vector::from([0.1, 0.2, 0.3]);
    /// let page = Picture::records()
    ///     .nearest_to(Picture::content(), &wanted)
    ///     .distance(Distance::L2)
    ///     .limit(10)
    ///     .select((
    ///         Picture::title(),
    ///         Picture::content().distance_to(&wanted, Distance::L2),
    ///     ))
    ///     .list(&pool)
    ///     .await?;
    /// for (title, distance) in page.data {
    ///     println!("{title} {distance:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn nearest_to<T: Nearness, N>(
        mut self,
        column: Column<M, T, N>,
        vector: impl Operand<T>,
    ) -> Self {
        self.filter.push(column.is_not_null().node);
        self.order.push(OrderBy {
            field: FieldPath::of_column(column.index()),
            target: Some(Target {
                distance: self.distance,
                vector: vector.operand(),
            }),
            descending: false,
            nulls_first: false,
        });
        self
    }

    /// Sets the distance of [`nearest_to`](Self::nearest_to).
    #[must_use]
    pub fn distance(mut self, distance: Distance) -> Self {
        self.distance = distance;
        for by in &mut self.order {
            if let Some(target) = &mut by.target {
                target.distance = distance;
            }
        }
        self
    }

    /// Whether it orders by a distance, for which a vector index may be read.
    pub(super) fn is_by_distance(&self) -> bool {
        self.order.iter().any(|by| by.target.is_some())
    }
}

/// The settings under which a scan of a vector index returns as many rows as a page needs.
///
/// Without them it stops after `hnsw.ef_search` rows, 40 by default, also if the filters
/// match none of them (pgvector, "Iterative Index Scans").
pub(super) async fn begin_scan(
    conn: &mut sqlx::PgConnection,
) -> Result<LocalSettings<&mut sqlx::PgConnection>, Error> {
    let settings = [
        LocalSetting::new("hnsw.iterative_scan", "strict_order"),
        LocalSetting::new("hnsw.ef_search", "200"),
        LocalSetting::new("hnsw.max_scan_tuples", "2147483647"),
    ];
    let (settings, _) = LocalSettings::begin(conn, &settings, |_| Ok(String::new())).await?;
    Ok(settings)
}

/// The distance of a column from a vector, as a selection; `None` where the column is NULL.
pub struct DistanceTo<M> {
    column: usize,
    target: Target,
    of: PhantomData<fn() -> M>,
}

impl<M: Model, T: Nearness, N> Column<M, T, N> {
    /// The distance from a vector, to [`select`](QueryBuilder::select). NULL has none.
    pub fn distance_to(self, vector: impl Operand<T>, distance: Distance) -> DistanceTo<M> {
        DistanceTo {
            column: self.index(),
            target: Target {
                distance,
                vector: vector.operand(),
            },
            of: PhantomData,
        }
    }
}

impl<M: Model> Selection<M> for DistanceTo<M> {
    type Row = Option<f64>;

    fn push(&self, terms: &mut Terms<'_>) -> Result<(), Error> {
        let column = &M::TABLE.columns[self.column];
        let distance = self.target.sql(M::TABLE, column, terms.sql)?;
        terms.push(column, distance);
        Ok(())
    }

    fn read(&self, cells: &mut Cells<'_>) -> Result<Option<f64>, sqlx::Error> {
        cells.nullable()
    }
}

impl<M: Model> Columns<M> for DistanceTo<M> {}

impl<M> Clone for DistanceTo<M> {
    fn clone(&self) -> Self {
        Self {
            column: self.column,
            target: self.target.clone(),
            of: PhantomData,
        }
    }
}

impl<M: Model> fmt::Debug for DistanceTo<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = M::TABLE.columns[self.column].name;
        write!(f, "{column} {} a vector", self.target.distance.operator())
    }
}
