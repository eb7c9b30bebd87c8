//! Fetching the rows that may be hits.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::candidates::{Candidate, Candidates, Had, Lettered, Nearest};
use super::parse::query::Query;
use super::rank::MIN_COSINE;
use super::scope::Scope;
use super::statement::scan_settings as scan;
use super::statement::{self, BY_LETTERS, Likeness, RANKED_TEXT, STEP, Sources};
use crate::db::Sql;
use crate::error::Error;
use crate::model::Table;
use crate::search::index::of_summaries;

/// Fetches the candidates among the rows of a scope, ` WHERE …` with its values
/// bound, of which the first `page` are wanted. It is asked for by `scope`, since an index that cannot tell how much
/// it left out makes for a second statement.
pub(crate) async fn candidates(
    table: &'static Table,
    query: &Query,
    scope: &Scope<'_>,
    page: u64,
    conn: &mut PgConnection,
) -> Result<Candidates, Error> {
    let from_driver = |error| Error::from_driver(table, error);
    let mut session = scan::Session::begin(table, conn)
        .await
        .map_err(from_driver)?;
    let fetched = best(table, query, scope, page, &mut session).await;
    let fetched = session.end_with(fetched).await?;
    Ok(Candidates {
        complete: fetched.by_letters <= BY_LETTERS
            && fetched.is_near_complete
            && !query.leaves_words_out,
        candidates: fetched.candidates,
    })
}

/// By summaries where that is less work, else from the whole table.
async fn best(
    table: &'static Table,
    query: &Query,
    scope: &Scope<'_>,
    page: u64,
    session: &mut scan::Session<'_>,
) -> Result<Fetched, Error> {
    if session.is_read_by_summaries(scope).await?
        && let Some(fetched) = by_summaries(table, query, scope, page, session).await?
    {
        return Ok(fetched);
    }
    whole(table, query, scope, session).await
}

/// From the whole table.
async fn whole(
    table: &'static Table,
    query: &Query,
    scope: &Scope<'_>,
    session: &mut scan::Session<'_>,
) -> Result<Fetched, Error> {
    let all = Sources::default();
    let likeness = session.likeness();
    let fetched = fetch(table, query, likeness, &all, scope.records()?, session).await?;
    let by_index = query.is_fetched_by_likeness() && likeness == Likeness::ByIndex;
    if by_index && fetched.ended_early() {
        // The index gave up, or the scope is small: a scan knows.
        return fetch(
            table,
            query,
            Likeness::ByScan,
            &all,
            scope.records()?,
            session,
        )
        .await;
    }
    Ok(fetched)
}

/// As many hits are looked for at least, however short the page.
const SHORT_PAGE: usize = 20;

/// From the places that the summaries of a sealed table name; `None` if nothing
/// of it is sealed.
async fn by_summaries(
    table: &'static Table,
    query: &Query,
    scope: &Scope<'_>,
    page: u64,
    session: &mut scan::Session<'_>,
) -> Result<Option<Fetched>, Error> {
    let page = usize::try_from(page).unwrap_or(usize::MAX).max(SHORT_PAGE);
    let of_summaries = |error| of_summaries(table, error);
    let lettered = Lettered::find(session.conn(), table, query, scope).await;
    let Some(mut lettered) = lettered.map_err(of_summaries)? else {
        return Ok(None);
    };
    let (mut near, mut is_near_all) = (None, true);
    if let Some(vector) = query
        .embedding
        .as_ref()
        .filter(|_| query.is_fetched_by_likeness())
    {
        let nearest = Nearest::find(session.conn(), table, vector, scope).await;
        let Some(nearest) = nearest.map_err(of_summaries)? else {
            return Ok(None);
        };
        (near, is_near_all) = (nearest.places, nearest.is_all);
    }
    loop {
        let sources = Sources {
            letters: Some(lettered.places()),
            near: near.clone(),
        };
        let mut fetched = fetch(
            table,
            query,
            Likeness::ByScan,
            &sources,
            scope.records()?,
            session,
        )
        .await?;
        if lettered.is_enough(&fetched.signatures, page) {
            fetched.is_near_complete &= is_near_all && lettered.is_all();
            return Ok(Some(fetched));
        }
        let more = lettered.go_on(session.conn(), table, query).await;
        more.map_err(of_summaries)?;
    }
}

async fn fetch(
    table: &'static Table,
    query: &Query,
    likeness: Likeness,
    sources: &Sources,
    scope: Sql,
    session: &mut scan::Session<'_>,
) -> Result<Fetched, Error> {
    let from_driver = |error| Error::from_driver(table, error);
    let statement = statement::candidates(table, query, likeness, sources, scope)?;
    let rows = statement
        .fetch_all(session.conn())
        .await
        .map_err(from_driver)?;
    Fetched::read(query, &rows).map_err(from_driver)
}

/// What the statement returned.
struct Fetched {
    candidates: Vec<Candidate>,
    /// What each of them has of the words, two bits a word.
    signatures: Vec<i64>,
    /// The rows that share letters with the words, fetched or not.
    by_letters: i64,
    /// The rows read from an index of embeddings, and the least cosine of them.
    taken: i64,
    least: Option<f64>,
    /// Whether every near row is among the candidates.
    is_near_complete: bool,
}

impl Fetched {
    fn read(query: &Query, rows: &[PgRow]) -> Result<Self, sqlx::Error> {
        let mut fetched = Self {
            candidates: Vec::with_capacity(rows.len()),
            signatures: Vec::with_capacity(rows.len()),
            by_letters: 0,
            taken: 0,
            least: None,
            is_near_complete: true,
        };
        for row in rows {
            fetched.by_letters = row.try_get("__by_letters")?;
            fetched.taken = row.try_get("__taken")?;
            fetched.is_near_complete = row.try_get("__complete")?;
            fetched.least = row.try_get("__least")?;
            let signature: i64 = row.try_get("__signature")?;
            fetched.signatures.push(signature);
            let cosine: Option<f64> = row.try_get("__cosine")?;
            #[allow(clippy::cast_possible_truncation)]
            let cosine = cosine
                .filter(|cosine| cosine.is_finite())
                .map(|cosine| cosine as f32);
            fetched.candidates.push(Candidate {
                id: row.try_get("__id")?,
                fields: cut(row.try_get("__fields")?),
                had: (0..query.fetched.len())
                    .map(|place| had(signature, place))
                    .collect(),
                cosine,
            });
        }
        fetched.candidates.sort_by_key(|candidate| candidate.id);
        Ok(fetched)
    }

    /// Whether fewer rows came from the index than were asked for, and all of
    /// them near.
    fn ended_early(&self) -> bool {
        self.taken < STEP
            && self
                .least
                .is_none_or(|least| least >= f64::from(MIN_COSINE))
    }
}

/// What of the texts is ranked: short ones whole, and of longer ones as much as
/// leaves all of them together at the most characters.
fn cut(mut texts: Vec<String>) -> Vec<String> {
    let mut lengths: Vec<usize> = texts.iter().map(|text| text.chars().count()).collect();
    let (mut room, mut each) = (RANKED_TEXT as usize, 0);
    lengths.sort_unstable();
    for (place, length) in lengths.iter().enumerate() {
        each = room / (lengths.len() - place);
        if *length > each {
            break;
        }
        each = *length;
        room -= length;
    }
    for text in &mut texts {
        if let Some((end, _)) = text.char_indices().nth(each) {
            text.truncate(end);
        }
    }
    texts
}

/// Reads two bits of a signature.
fn had(signature: i64, place: usize) -> Had {
    match (signature >> (2 * place)) & 3 {
        0 => Had::Nothing,
        1 => Had::Piece,
        _ => Had::Word,
    }
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn long_texts_leave_room_for_short_ones() {
        let texts = |lengths: &[usize]| -> Vec<String> {
            lengths.iter().map(|length| "é".repeat(*length)).collect()
        };
        let cut = |lengths: &[usize]| -> Vec<usize> {
            let texts = cut(texts(lengths)).into_iter();
            texts.map(|text| text.chars().count()).collect()
        };
        assert_eq!(cut(&[1_000, 5, 0]), [1_000, 5, 0]);
        assert_eq!(cut(&[9_000, 4, 6]), [1_990, 4, 6]);
        assert_eq!(cut(&[2_000, 200, 2_000]), [900, 200, 900]);
        assert_eq!(cut(&[]), [0; 0]);
    }
}
