//! Reading a filter on words from the rows that may have them, instead of the whole table.

use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::QueryBuilder;
use crate::db::{LocalSettings, Sql};
use crate::error::Error;
use crate::filter::{Matching, Node};
use crate::model::Model;
use crate::search::{MatchRows, MatchWords, match_settings};

impl<M: Model> QueryBuilder<M> {
    /// Whether each record has some words.
    pub(super) fn has_words(&self) -> bool {
        !self.matchings().is_empty()
    }

    fn matchings(&self) -> Vec<&Matching> {
        let mut found = Vec::new();
        self.filter
            .iter()
            .for_each(|node| matchings(node, &mut found));
        found
    }

    /// Finds the rows that may have the words of the filters; `None` if the table must be read.
    pub(super) async fn match_rows(
        &self,
        conn: &mut PgConnection,
    ) -> Result<Option<MatchRows>, Error> {
        let matchings = self.matchings();
        let words = matchings.iter().flat_map(|matching| &matching.words);
        let phrases = matchings.iter().flat_map(|matching| &matching.phrases);
        let Some(words) = MatchWords::of(words, phrases.map(String::as_str)) else {
            return Ok(None);
        };
        let cost = self.cost_without_words(conn).await?;
        MatchRows::find(conn, M::TABLE, &words, cost).await
    }

    /// The cost of reading the records that pass the filters on anything but words, as the
    /// planner expects it; `None` without such filters.
    async fn cost_without_words(&self, conn: &mut PgConnection) -> Result<Option<f64>, Error> {
        let mut filter = Vec::new();
        for node in &self.filter {
            without_words(node, &mut filter);
        }
        if filter.is_empty() {
            return Ok(None);
        }
        let others = Self {
            filter,
            deleted: self.deleted,
            ..Self::new()
        };
        let mut sql = Sql::new(&format!("SELECT FROM {}", M::TABLE.quoted()));
        others.push_where(&mut sql)?;
        let expected = sql.expected(conn).await;
        let expected = expected.map_err(|error| Error::from_driver(M::TABLE, error))?;
        Ok(expected.map(|expected| expected.cost))
    }
}

/// Collects the conditions on words that each record passes.
fn matchings<'n>(node: &'n Node, found: &mut Vec<&'n Matching>) {
    match node {
        Node::Matching(matching) => found.push(matching),
        Node::All(nodes) => nodes.iter().for_each(|node| matchings(node, found)),
        _ => {}
    }
}

/// Collects the parts of a filter that are no conditions on words.
fn without_words(node: &Node, parts: &mut Vec<Node>) {
    match node {
        Node::Matching(_) => {}
        Node::All(nodes) => nodes.iter().for_each(|node| without_words(node, parts)),
        other => parts.push(other.clone()),
    }
}

/// Reads the rows of a statement over a row set.
pub(super) async fn fetch_matched<M: Model>(
    conn: &mut PgConnection,
    sql: Sql,
) -> Result<Vec<PgRow>, Error> {
    let begun = LocalSettings::begin(conn, &match_settings(), |_| Ok(String::new())).await;
    let (mut settings, _) = begun?;
    let rows = sql.fetch_all(settings.conn()).await;
    let rows = rows.map_err(|error| Error::from_driver(M::TABLE, error));
    let (_, ended) = settings.end().await;
    let rows = rows?;
    ended?;
    Ok(rows)
}
