//! Pages of hits, by cursors that hold the key of a hit.

use std::cmp::Ordering;

use super::Total;
use super::cursor::{Cursor, PageStart};
use super::shown_patterns::{PatternKey, ShownPatterns};
use crate::db::Sql;
use crate::error::Error;
use crate::json;
use crate::model::{ColumnRole, Table};
use crate::search::{Coverage, Ranked};
use crate::value::{Json, Problem};

const CHANGED: &str = "is a cursor that was changed, or cut";

/// A page of a list of hits.
///
/// Its cursors hold the key of its first or last hit. So hits that are deleted
/// between two pages move no other hit to another page. They hold the newest id
/// before the first page, too: later records are on no other page. A row of a folded
/// search moves when its best hit is deleted, so they hold the patterns before them.
#[derive(Clone, Debug)]
pub(super) struct HitPage {
    /// Identifies the list; cursors of another one are rejected.
    list: String,
    /// The number of hits that are skipped before the first page.
    skip: u64,
    pub(super) limit: u32,
    pub(super) start: HitStart,
}

/// Where a page of hits starts or ends.
#[derive(Clone, Debug)]
pub(super) enum HitStart {
    First,
    After(HitPosition),
    Before(HitPosition),
}

/// A position in a list of hits: that of a hit, which may be deleted by now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HitPosition {
    /// The number of hits before the position, when its page was read.
    pub(super) place: u64,
    pub(super) list: HitList,
    pub(super) key: HitKey,
    /// Of a folded search: the patterns of these hits.
    pub(super) shown: ShownPatterns,
}

/// The list of a position: the same on each of its pages.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HitList {
    /// The greatest id of the list.
    pub(super) until: Option<i64>,
    /// Of a search: see [`SearchList`].
    pub(super) search: Option<SearchList>,
}

/// The order of the hits of a search.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SearchList {
    /// Whether records that cover the search come first, newest first: there are
    /// more of them than are ranked.
    pub(super) lists_covering: bool,
    /// The weights of the words.
    pub(super) weights: Vec<f32>,
    pub(super) total: Total,
}

/// The key of a hit in its list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum HitKey {
    /// Of a list by score.
    Ranked { score: f32, id: i64 },
    /// Of the records that cover a search, newest first.
    Covering { coverage: Coverage, id: i64 },
    /// Of a list by distance.
    Near { distance: f64, id: i64 },
}

impl HitPage {
    pub(super) fn new(
        table: &'static Table,
        list: String,
        skip: u64,
        limit: u32,
        start: Option<&PageStart>,
    ) -> Result<Self, Error> {
        let position = |field, text: &str| {
            HitPosition::parse(table, &list, text)
                .map_err(|problem| Error::invalid_field(table.name, field, problem))
        };
        let start = match start {
            None => HitStart::First,
            Some(PageStart::After(text)) => HitStart::After(position("after", text)?),
            Some(PageStart::Before(text)) => HitStart::Before(position("before", text)?),
        };
        Ok(Self {
            list,
            skip,
            limit,
            start,
        })
    }

    /// Returns a page of the same list with another length, from its start.
    pub(super) fn with_limit(&self, limit: u32) -> Self {
        Self {
            list: self.list.clone(),
            skip: 0,
            limit,
            start: HitStart::First,
        }
    }

    /// Returns the list of the cursor.
    pub(super) fn cursor_list(&self) -> Option<&HitList> {
        match &self.start {
            HitStart::First => None,
            HitStart::After(position) | HitStart::Before(position) => Some(&position.list),
        }
    }

    /// Returns the error for a cursor that does not fit its list.
    pub(super) fn changed_cursor(&self, table: &'static Table) -> Error {
        let field = match self.start {
            HitStart::Before(_) => "before",
            HitStart::First | HitStart::After(_) => "after",
        };
        Error::invalid_field(table.name, field, CHANGED)
    }

    /// Returns the number of hits to read in the direction of the page: one more
    /// than the page, which shows whether there are others.
    pub(super) fn wanted(&self) -> u64 {
        match self.limit {
            0 => 0,
            limit => self.skip.saturating_add(u64::from(limit) + 1),
        }
    }

    /// Returns the number of hits of the list up to the end of the page, and one more.
    pub(super) fn end(&self) -> u64 {
        match &self.start {
            HitStart::First => self.wanted(),
            HitStart::After(position) => position.place.saturating_add(self.wanted()),
            HitStart::Before(position) => position.place,
        }
    }

    /// Takes the hits of the page from those that were [`wanted`](Self::wanted), in
    /// the order of the list.
    pub(super) fn take<T>(&self, mut hits: Vec<T>) -> TakenHits<T> {
        let limit = self.limit as usize;
        match &self.start {
            HitStart::Before(position) => {
                let others = hits.len().saturating_sub(limit);
                hits.drain(..others);
                let before = position.place.saturating_sub(hits.len() as u64);
                TakenHits {
                    place: if others == 0 { 0 } else { before.max(1) },
                    more: true,
                    hits,
                }
            }
            HitStart::First | HitStart::After(_) => {
                let skip = usize::try_from(self.skip).unwrap_or(usize::MAX);
                hits.drain(..skip.min(hits.len()));
                let more = hits.len() > limit && limit > 0;
                hits.truncate(limit);
                TakenHits {
                    place: match &self.start {
                        HitStart::After(position) => position.place,
                        _ => self.skip,
                    },
                    more,
                    hits,
                }
            }
        }
    }

    /// Returns whether the page ends before a cursor.
    pub(super) fn is_backwards(&self) -> bool {
        matches!(self.start, HitStart::Before(_))
    }

    /// Keeps only some hits of a page: those that are nearest to its cursor, or the first.
    pub(super) fn keep<T>(&self, taken: &mut TakenHits<T>, hits: usize) {
        let others = taken.hits.len().saturating_sub(hits);
        if others == 0 {
            return;
        }
        if self.is_backwards() {
            taken.hits.drain(..others);
            taken.place = (taken.place + others as u64).max(1);
        } else {
            taken.hits.truncate(hits);
            taken.more = true;
        }
    }

    /// Returns the cursors of the next page and of the previous page, if there are any.
    ///
    /// `mark` returns the key of a hit, and its pattern in a folded search.
    pub(super) fn cursors<T>(
        &self,
        table: &'static Table,
        taken: &TakenHits<T>,
        list: &HitList,
        mark: impl Fn(&T) -> (HitKey, Option<PatternKey>),
    ) -> Cursors {
        let cursor = |place: u64, ends: PageEnd| {
            let PageEnd { key, shown } = ends;
            let list = list.clone();
            HitPosition {
                place,
                list,
                key,
                shown,
            }
            .cursor(table, &self.list)
        };
        let marks: Vec<(HitKey, Option<PatternKey>)> = taken.hits.iter().map(mark).collect();
        let Some((previous, next)) = self.ends(&marks) else {
            return (None, None);
        };
        let end = taken.place.saturating_add(taken.hits.len() as u64);
        (
            taken.more.then(|| cursor(end, next)),
            (taken.place > 0).then(|| cursor(taken.place, previous)),
        )
    }

    /// Returns the start and the end of a page of hits; `None` if it has none.
    fn ends(&self, marks: &[(HitKey, Option<PatternKey>)]) -> Option<(PageEnd, PageEnd)> {
        let ((first, _), (last, _)) = (marks.first()?, marks.last()?);
        let end = |key: HitKey, shown: ShownPatterns| PageEnd { key, shown };
        let patterns: Vec<PatternKey> = marks.iter().filter_map(|(_, pattern)| *pattern).collect();
        if patterns.is_empty() {
            let none = ShownPatterns::default;
            return Some((end(*first, none()), end(*last, none())));
        }
        let keys = marks.iter().map(|(key, _)| *key);
        Some(match &self.start {
            HitStart::First => (
                end(*first, ShownPatterns::default()),
                end(*last, ShownPatterns::default().followed_by(&patterns)),
            ),
            HitStart::After(position) => {
                let last = keys.chain([position.key]).max_by(HitKey::compare)?;
                let behind = position.shown.followed_by(&patterns);
                (end(*first, position.shown.clone()), end(last, behind))
            }
            // The page ends where the position is, and rows of it may have moved behind that.
            HitStart::Before(position) => {
                let least = keys.chain([position.key]).min_by(HitKey::compare)?;
                (
                    end(least, position.shown.before(&patterns)),
                    end(position.key.just_before(), position.shown.led_by(&patterns)),
                )
            }
        })
    }
}

/// Where a page starts or ends.
struct PageEnd {
    key: HitKey,
    shown: ShownPatterns,
}

/// The cursors of the next page and of the previous page.
pub(super) type Cursors = (Option<Cursor>, Option<Cursor>);

/// The hits of a page.
#[derive(Debug)]
pub(super) struct TakenHits<T> {
    pub(super) hits: Vec<T>,
    /// The number of hits before them.
    pub(super) place: u64,
    /// Whether there are hits after them.
    pub(super) more: bool,
}

impl HitList {
    /// Appends ` AND …`: no record added since the first page.
    pub(super) fn push_until(&self, table: &'static Table, sql: &mut Sql) -> Result<(), Error> {
        if let Some(until) = self.until {
            sql.push(&format!(
                " AND {} <= ",
                table.column_of(ColumnRole::Id).quoted()
            ));
            sql.bind(until)?;
        }
        Ok(())
    }

    fn to_json(&self) -> Json {
        let search = self.search.as_ref().map(|search| {
            let weights: Vec<Json> = search
                .weights
                .iter()
                .map(|weight| weight.to_bits().into())
                .collect();
            let total = [
                Json::from(search.total.value()),
                search.total.is_exact().into(),
            ];
            json!([search.lists_covering, weights, total[0], total[1]])
        });
        json!([self.until, search])
    }

    fn from_json(json: &Json) -> Option<Self> {
        let search = match &json[1] {
            Json::Null => None,
            search => Some(SearchList {
                lists_covering: search[0].as_bool()?,
                weights: search[1]
                    .as_array()?
                    .iter()
                    .map(float)
                    .collect::<Option<_>>()?,
                total: if search[3].as_bool()? {
                    Total::Exact(search[2].as_u64()?)
                } else {
                    Total::AtLeast(search[2].as_u64()?)
                },
            }),
        };
        Some(Self {
            until: json[0].as_i64(),
            search,
        })
    }
}

/// Reads a finite number from its bits.
fn float(bits: &Json) -> Option<f32> {
    let bits = u32::try_from(bits.as_u64()?).ok()?;
    Some(f32::from_bits(bits)).filter(|number| number.is_finite())
}

impl HitKey {
    /// Returns the key of a hit in a list by score.
    pub(super) fn of_ranked(hit: &Ranked) -> Self {
        Self::Ranked {
            score: hit.score,
            id: hit.id,
        }
    }

    /// Compares the places of two hits of a list: those that cover the search first, then
    /// by score; and the newest of equals.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (
                Self::Covering { coverage, id },
                Self::Covering {
                    coverage: other_coverage,
                    id: other_id,
                },
            ) => (other_coverage, other_id).cmp(&(coverage, id)),
            (
                Self::Ranked { score, id },
                Self::Ranked {
                    score: other_score,
                    id: other_id,
                },
            ) => other_score.total_cmp(score).then(other_id.cmp(id)),
            (
                Self::Near { distance, id },
                Self::Near {
                    distance: other_distance,
                    id: other_id,
                },
            ) => distance.total_cmp(other_distance).then(other_id.cmp(id)),
            _ => self.part().cmp(&other.part()),
        }
    }

    /// Returns a key right before this one: of equals, the newest is first. So the row of this
    /// one is after it.
    fn just_before(self) -> Self {
        match self {
            Self::Ranked { score, id } => Self::Ranked {
                score,
                id: id.saturating_add(1),
            },
            Self::Covering { coverage, id } => Self::Covering {
                coverage,
                id: id.saturating_add(1),
            },
            Self::Near { distance, id } => Self::Near {
                distance,
                id: id.saturating_add(1),
            },
        }
    }

    fn part(&self) -> u8 {
        match self {
            Self::Covering { .. } => 0,
            Self::Ranked { .. } | Self::Near { .. } => 1,
        }
    }

    fn to_json(self) -> Json {
        match self {
            Self::Ranked { score, id } => json!(["ranked", score.to_bits(), id]),
            Self::Covering { coverage, id } => json!(["covering", coverage as u8, id]),
            Self::Near { distance, id } => json!(["near", distance.to_bits(), id]),
        }
    }

    fn from_json(json: &Json) -> Option<Self> {
        let id = json[2].as_i64()?;
        Some(match json[0].as_str()? {
            "ranked" => Self::Ranked {
                score: float(&json[1])?,
                id,
            },
            "covering" => Self::Covering {
                coverage: Coverage::from_number(json[1].as_i64()?)?,
                id,
            },
            "near" => Self::Near {
                distance: Some(f64::from_bits(json[1].as_u64()?))
                    .filter(|number| number.is_finite())?,
                id,
            },
            _ => return None,
        })
    }
}

impl HitPosition {
    fn cursor(&self, table: &'static Table, list: &str) -> Cursor {
        let mut position = vec![
            Json::from(self.place),
            self.list.to_json(),
            self.key.to_json(),
        ];
        if !self.shown.is_empty() {
            position.push(self.shown.to_text().into());
        }
        Cursor::encode(&json!([Cursor::VERSION, table.name, list, position]))
    }

    fn parse(table: &'static Table, list: &str, text: &str) -> Result<Self, Problem> {
        let json = Cursor::decode(table, text)?;
        if json[2].as_str() != Some(list) {
            return Err(Problem::new("is a cursor of another list than this search"));
        }
        let json = &json[3];
        let place = json[0]
            .as_u64()
            .filter(|place| i64::try_from(*place).is_ok());
        let shown = match &json[3] {
            Json::Null => Some(ShownPatterns::default()),
            shown => shown.as_str().and_then(ShownPatterns::from_text),
        };
        let position = place
            .zip(HitList::from_json(&json[1]))
            .zip(HitKey::from_json(&json[2]))
            .zip(shown);
        match position {
            Some((((place, list), key), shown)) => Ok(Self {
                place,
                list,
                key,
                shown,
            }),
            None => Err(Problem::new(CHANGED)),
        }
    }
}
