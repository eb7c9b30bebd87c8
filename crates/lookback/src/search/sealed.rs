//! Which records of a sealed table are worth reading: see [`crate::seal`].
//!
//! ```text
//! hot       every record that is not sealed
//! kinds     of those whose template has the most of the words, and of those
//!           whose vector is the nearest, the newest records
//! blocks    those that may have words with digits, or a word within an id
//! ```
//!
//! What is read is read and compared as in any other table, by the one statement
//! of a search, which is given the places instead of the table. So a search
//! finds the same as without summaries, up to its own bounds; beyond these it
//! reads less.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::grammar::containing;
use super::query::Query;
use super::statement::{BY_LETTERS, FAR, KINDS, NEAR, NEAR_OF_A_KIND, OF_A_KIND, PARTS, Words};
use crate::embedding::Embedding;
use crate::error::Error;
use crate::model::{Role, Table};
use crate::seal::grams;
use crate::seal::template::{is_odd, templates_within};
use crate::sql::Sql;
use crate::value::{ColumnValue, Value};

/// Records that are read, instead of all of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// From the one id to the other; neither overlapping nor adjacent.
    ranges: Vec<(i64, i64)>,
    ids: Vec<i64>,
}

impl Places {
    /// Ranges, and ids wherever they are: each record is read once.
    fn new(ranges: Vec<(i64, i64)>, mut ids: Vec<i64>) -> Self {
        let ranges = joined(ranges);
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| {
            let after = ranges.partition_point(|(first, _)| first <= id);
            after == 0 || ranges[after - 1].1 < *id
        });
        Self { ranges, ids }
    }

    /// What stands after `FROM`, under the name of the table.
    pub(crate) fn from(&self, table: &'static Table, sql: &mut Sql) -> Result<String, Error> {
        let (id, from) = (table.role(Role::Id).quoted(), table.quoted());
        let first: Vec<i64> = self.ranges.iter().map(|(first, _)| *first).collect();
        let last: Vec<i64> = self.ranges.iter().map(|(_, last)| *last).collect();
        let (first, last) = (sql.argument(first)?, sql.argument(last)?);
        // `OFFSET 0`: range by range through the primary key, whatever the planner thinks of the
        // number of ranges.
        let mut places = format!(
            "SELECT __r.* FROM unnest({first}::bigint[], {last}::bigint[]) AS __ranges(__first, __last) \
             CROSS JOIN LATERAL (SELECT * FROM {from} WHERE {id} BETWEEN __first AND __last OFFSET 0) AS __r"
        );
        if !self.ids.is_empty() {
            let ids = sql.argument(&self.ids)?;
            places.push_str(&format!(
                " UNION ALL SELECT * FROM {from} WHERE {id} = ANY({ids}::bigint[])"
            ));
        }
        Ok(format!("({places}) AS {}", table.alias()))
    }
}

/// Joins ranges that overlap or follow each other.
fn joined(mut ranges: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    ranges.retain(|(first, last)| first <= last);
    ranges.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined
}

/// What is not sealed: beyond the last segment, and before the first one.
fn hot(first: i64, until: i64) -> [(i64, i64); 2] {
    let before = match first {
        i64::MIN => (0, -1),
        first => (i64::MIN, first - 1),
    };
    let beyond = match until {
        i64::MAX => (0, -1),
        until => (until + 1, i64::MAX),
    };
    [before, beyond]
}

/// Where the records with letters of a query are.
#[derive(Debug)]
pub(super) struct Lettered {
    hot: Vec<(i64, i64)>,
    /// Records of kinds.
    ids: Vec<i64>,
    /// Whether these are all records of kinds that have letters of the query.
    has_all_kinds: bool,
    blocks: Blocks,
}

impl Lettered {
    /// The places of the records of a scope with letters of a query; `None`
    /// where nothing is sealed, or where the filters leave so little that a scan
    /// has to tell.
    pub(super) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        scope: &(impl Fn() -> Result<Sql, Error> + Sync),
    ) -> Result<Option<Self>, Error> {
        let pieces = Pieces::of(conn, query).await?;
        let Some((hot, blocks)) = Blocks::find(conn, table, &pieces, false).await? else {
            return Ok(None);
        };
        let (mut ids, mut has_all_kinds) = (Vec::new(), true);
        if pieces.are_in_templates() {
            let found = LetteredKinds::find(conn, table, query, &pieces, scope).await?;
            let Some(found) = found else { return Ok(None) };
            (ids, has_all_kinds) = found;
        }
        Ok(Some(Self {
            hot: hot.to_vec(),
            ids,
            has_all_kinds,
            blocks,
        }))
    }

    pub(super) fn places(&self) -> Places {
        let blocks = self.blocks.taken().iter();
        let blocks = blocks.map(|(first, last, _)| (*first, *last));
        let ranges = self.hot.iter().copied().chain(blocks);
        Places::new(ranges.collect(), self.ids.clone())
    }

    /// Whether every record with letters of the query is read.
    pub(super) fn is_all(&self) -> bool {
        self.has_all_kinds && self.blocks.is_all()
    }

    /// Whether what is read, with these signatures, is enough.
    pub(super) fn is_enough(&self, signatures: &[i64]) -> bool {
        self.blocks.is_all() || self.blocks.is_enough(signatures)
    }

    /// Takes in more blocks.
    pub(super) async fn go_on(
        &mut self,
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
    ) -> Result<(), Error> {
        if self.blocks.is_list_over() {
            let pieces = Pieces::of(conn, query).await?;
            if let Some((_, all)) = Blocks::find(conn, table, &pieces, true).await? {
                let taken = self.blocks.taken;
                self.blocks = all;
                self.blocks.taken = taken;
            }
        }
        self.blocks.taken = self.blocks.taken.saturating_mul(5);
        Ok(())
    }
}

/// Blocks that may have words of a query.
#[derive(Debug)]
struct Blocks {
    /// Best first, with the most that a record of it can be worth.
    listed: Vec<(i64, i64, f64)>,
    /// How many there are of them, in the list or not.
    counted: u64,
    /// How much each word is worth.
    weights: Vec<f64>,
    /// How many of the blocks are read.
    taken: usize,
    /// How many records are sealed.
    sealed: u64,
}

/// Blocks read at first; then five times as many, each time.
const FIRST_BLOCKS: usize = 64;

/// So many blocks are listed at once.
const LISTED_BLOCKS: usize = 64 * 5 * 5 * 5;

/// A search has read enough where no further record can be better than this
/// many of those that it has; than some of them, in a table of many; or, where
/// it has some at all, after very many.
const ENOUGH: usize = super::statement::BY_LETTERS as usize;
const SOME: usize = 200;
const MANY: u64 = 65_536;
const VERY_MANY: u64 = 262_144;

impl Blocks {
    /// With what is not sealed; `None` where nothing is.
    async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        pieces: &Pieces,
        all: bool,
    ) -> Result<Option<([(i64, i64); 2], Self)>, Error> {
        let mut sql = Sql::default();
        let target = sql.argument(table.name)?;
        let listed = match all {
            true => i64::MAX,
            false => LISTED_BLOCKS as i64,
        };
        let listed = sql.argument(listed)?;
        let count = pieces.words.len();
        sql.push(&format!(
            "WITH sealed AS (\
               SELECT min(first_id) AS __first, max(last_id) AS __until, sum(rows)::bigint AS __sealed \
               FROM sealed_segments WHERE deleted_at IS NULL AND target = {target}), \
             odd AS MATERIALIZED (\
               SELECT first_id, last_id FROM sealed_segments \
               WHERE deleted_at IS NULL AND target = {target} AND has_kinds AND ({odd})), \
             blocks AS MATERIALIZED (\
               SELECT * FROM (SELECT first_id, last_id, {signature} AS __signature FROM search_blocks AS b \
                 WHERE deleted_at IS NULL AND target = {target}{phrases} OFFSET 0) AS s{any}), \
             weights AS (SELECT {weights} FROM blocks), \
             ranked AS (\
               SELECT first_id, last_id, ({score})::float8 AS score FROM blocks CROSS JOIN weights \
               ORDER BY score DESC, first_id DESC LIMIT {listed}) \
             SELECT sealed.*, weights.*, (SELECT count(*) FROM blocks) AS __counted, ranked.* \
             FROM sealed CROSS JOIN weights LEFT JOIN ranked ON TRUE \
             ORDER BY score DESC, first_id DESC",
            odd = pieces.odd_in_segment(),
            signature = pieces.signature_of_block(),
            phrases = pieces.phrases_of_block(),
            any = match pieces.phrases.is_empty() {
                true => " WHERE __signature > 0",
                false => "",
            },
            weights = Words::weights(count),
            score = Words::score((0..count).filter(|place| pieces.counts_in_blocks(*place))),
        ));
        let rows = sql.once().fetch_all(conn).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (Some(first), Some(until)) = (row.try_get("__first")?, row.try_get("__until")?) else {
            return Ok(None);
        };
        let weight = |place: usize| match pieces.counts_in_blocks(place) {
            true => row.try_get(format!("w{place}").as_str()),
            false => Ok(0.0),
        };
        let weights = (0..count).map(weight).collect::<Result<_, _>>()?;
        let mut blocks = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(first) = row.try_get("first_id")? {
                blocks.push((first, row.try_get("last_id")?, row.try_get("score")?));
            }
        }
        let blocks = Self {
            listed: blocks,
            counted: row.try_get::<i64, _>("__counted")?.unsigned_abs(),
            weights,
            taken: FIRST_BLOCKS,
            sealed: row.try_get::<i64, _>("__sealed")?.unsigned_abs(),
        };
        Ok(Some((hot(first, until), blocks)))
    }

    fn taken(&self) -> &[(i64, i64, f64)] {
        &self.listed[..self.taken.min(self.listed.len())]
    }

    /// Whether every block is read.
    fn is_all(&self) -> bool {
        self.taken as u64 >= self.counted
    }

    /// Whether all listed blocks are read, and there are others.
    fn is_list_over(&self) -> bool {
        self.taken >= self.listed.len() && !self.is_all()
    }

    fn is_enough(&self, signatures: &[i64]) -> bool {
        let Some((_, _, bound)) = self.listed.get(self.taken) else {
            return false;
        };
        let worth = |signature: i64| -> f64 {
            let of_word = |(place, weight): (usize, &f64)| {
                let had = u8::try_from((signature >> (2 * place)) & 3).unwrap_or(0);
                f64::from(had) * weight
            };
            self.weights.iter().enumerate().map(of_word).sum()
        };
        let found = signatures.iter().filter(|signature| **signature != 0);
        let (found, best) = found.fold((0, 0), |(found, best), signature| {
            (
                found + 1,
                best + usize::from(worth(*signature) >= bound - 1e-9),
            )
        });
        let read = self.taken().iter();
        let read = read.map(|(first, last, _)| last.abs_diff(*first).saturating_add(1));
        let read = read.fold(0, u64::saturating_add);
        best >= ENOUGH
            || (best >= SOME && self.sealed >= MANY)
            || (found >= SOME && read >= VERY_MANY)
    }
}

/// The words and phrases of a query, in the lower case of the database.
struct Pieces {
    words: Vec<Word>,
    phrases: Vec<Piece>,
}

struct Word {
    whole: Piece,
    pieces: Vec<Piece>,
}

/// A part of a text, and the bits of a block that has it.
struct Piece {
    text: String,
    /// Whether it has a digit.
    is_odd: bool,
    places: Vec<usize>,
    /// Where it is in no template.
    odd_places: Vec<usize>,
    /// The bits of a segment of which a template leaves it out.
    letters: Vec<usize>,
}

/// So many bits tell whether a block has a piece: more say hardly more.
const BITS_OF_A_PIECE: usize = 8;

impl Piece {
    fn of(text: &str) -> Self {
        let few = |places: &mut dyn Iterator<Item = usize>| {
            let mut places: Vec<usize> = places.collect();
            places.sort_unstable();
            places.dedup();
            // Spread over the piece, and the same for the same piece.
            let step = places.len().div_ceil(BITS_OF_A_PIECE).max(1);
            places.into_iter().step_by(step).collect()
        };
        Self {
            text: text.to_owned(),
            is_odd: is_odd(text),
            places: few(&mut grams::places(text)),
            odd_places: few(&mut grams::odd_places(text)),
            letters: few(&mut grams::letter_places(text)),
        }
    }

    /// Whether a block may have it: without a digit, elsewhere than in a
    /// template, if templates are known.
    fn in_block(&self) -> String {
        match self.is_odd {
            true => has("grams", &self.places),
            false => format!(
                "CASE WHEN has_templates THEN {} AND EXISTS (\
                   SELECT FROM odd WHERE b.first_id BETWEEN odd.first_id AND odd.last_id) ELSE {} END",
                has("grams", &self.odd_places),
                has("grams", &self.places)
            ),
        }
    }
}

impl Pieces {
    async fn of(conn: &mut PgConnection, query: &Query) -> Result<Self, Error> {
        let mut texts: Vec<&str> = Vec::new();
        for fetched in &query.fetched {
            texts.push(&fetched.word);
            texts.extend(fetched.pieces.iter().map(String::as_str));
        }
        texts.extend(query.phrases.iter().map(String::as_str));
        let mut sql = Sql::new("SELECT lower(text) AS lower FROM unnest(");
        sql.bind(&texts)?;
        sql.push("::text[]) WITH ORDINALITY AS t(text, place) ORDER BY place");
        let rows = sql.fetch_all(conn).await?;
        let pieces = rows.iter().map(|row| Ok(Piece::of(row.try_get("lower")?)));
        let pieces: Vec<Piece> = pieces.collect::<Result<_, sqlx::Error>>()?;
        let mut pieces = pieces.into_iter();
        let mut words = Vec::new();
        for fetched in &query.fetched {
            if let Some(whole) = pieces.next() {
                let pieces = pieces.by_ref().take(fetched.pieces.len()).collect();
                words.push(Word { whole, pieces });
            }
        }
        let phrases = pieces.collect();
        Ok(Self { words, phrases })
    }

    /// Whether a phrase has a digit, so that templates cannot tell where it is.
    fn has_odd_phrase(&self) -> bool {
        self.phrases.iter().any(|phrase| phrase.is_odd)
    }

    /// Whether records are found by their templates.
    fn are_in_templates(&self) -> bool {
        match self.phrases.is_empty() {
            true => self
                .words
                .iter()
                .any(|word| !word.whole.is_odd || word.pieces.iter().any(|piece| !piece.is_odd)),
            false => !self.has_odd_phrase(),
        }
    }

    /// Whether blocks tell how much of a word a record can have: of those with a
    /// digit, if there are any.
    fn counts_in_blocks(&self, place: usize) -> bool {
        self.words[place].whole.is_odd || !self.words.iter().any(|word| word.whole.is_odd)
    }

    /// What a block may have of each word, as the signature of a record.
    fn signature_of_block(&self) -> String {
        self.signature(&|piece| piece.in_block())
    }

    /// Whether templates of a segment may leave out any piece without a digit.
    fn odd_in_segment(&self) -> String {
        let words = self.words.iter();
        let words = words.flat_map(|word| std::iter::once(&word.whole).chain(&word.pieces));
        let pieces = words.chain(&self.phrases).filter(|piece| !piece.is_odd);
        let pieces: Vec<String> = pieces
            .map(|piece| has("odd_letters", &piece.letters))
            .collect();
        match pieces.is_empty() {
            true => "FALSE".to_owned(),
            false => pieces.join(" OR "),
        }
    }

    fn signature(&self, has: &dyn Fn(&Piece) -> String) -> String {
        let of_word = |(place, word): (usize, &Word)| {
            let piece = match word.pieces.is_empty() {
                true => String::new(),
                false => {
                    let pieces: Vec<String> = word.pieces.iter().map(has).collect();
                    format!(
                        " WHEN {} THEN {}",
                        pieces.join(" OR "),
                        1_i64 << (2 * place)
                    )
                }
            };
            format!(
                "CASE WHEN {} THEN {}{piece} ELSE 0 END",
                has(&word.whole),
                2_i64 << (2 * place)
            )
        };
        let words: Vec<String> = self.words.iter().enumerate().map(of_word).collect();
        format!("({})::bigint", words.join(" + "))
    }

    fn phrases_of_block(&self) -> String {
        let any_is_odd = self.has_odd_phrase();
        let phrases = self.phrases.iter().map(|phrase| match any_is_odd {
            true => format!(" AND {}", has("grams", &phrase.places)),
            false => format!(" AND {}", phrase.in_block()),
        });
        phrases.collect()
    }
}

/// Whether all of these bits are set.
fn has(bytes: &str, places: &[usize]) -> String {
    let bits: Vec<String> = places
        .iter()
        .map(|place| format!("get_bit({bytes}, {place}) = 1"))
        .collect();
    match bits.is_empty() {
        true => "TRUE".to_owned(),
        false => format!("({})", bits.join(" AND ")),
    }
}

/// Kinds whose templates have letters of a query.
struct LetteredKinds {
    /// Of the same of the words and the same distance, the best first.
    groups: Vec<Kind>,
    /// Whether there are no others.
    is_all: bool,
}

/// Groups that are looked at, at first and then.
const GROUPS_AT_FIRST: i64 = 300;
const GROUPS_THEN: i64 = 3_000;

impl LetteredKinds {
    /// The ids of records of a scope that have letters of a query in their
    /// templates, and whether they are all; `None` where only a scan knows.
    async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        pieces: &Pieces,
        scope: &(impl Fn() -> Result<Sql, Error> + Sync),
    ) -> Result<Option<(Vec<i64>, bool)>, Error> {
        for wanted in [GROUPS_AT_FIRST, GROUPS_THEN] {
            let found = Self::read(conn, table, query, pieces, wanted).await?;
            let mut ids: Vec<i64> = Vec::new();
            let (mut few, mut is_starved, mut is_cut) = (0, false, false);
            let mut groups = found.groups.as_slice();
            while few < ENOUGH && !groups.is_empty() {
                let mut counted = 0;
                let some = groups.iter().position(|kind| {
                    counted += kind.ids.len();
                    counted > 2 * ENOUGH
                });
                let (some, others) = groups.split_at(some.unwrap_or(groups.len()).max(1));
                groups = others;
                let looked_at = some.iter().flat_map(|kind| &kind.ids).copied();
                let passing = passing(conn, table, None, scope()?, looked_at.collect()).await?;
                for kind in some {
                    let pass = kind
                        .ids
                        .iter()
                        .filter(|id| passing.contains_key(*id))
                        .count();
                    few += pass.min(OF_A_KIND as usize);
                    is_starved |= kind.is_cut && pass < OF_A_KIND as usize;
                    is_cut |= kind.is_cut;
                }
                ids.extend(passing.into_keys());
            }
            if few >= ENOUGH || (!is_starved && found.is_all) {
                let is_all = found.is_all && groups.is_empty() && !is_cut;
                return Ok(Some((ids, is_all)));
            }
        }
        Ok(None)
    }

    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        query: &Query,
        pieces: &Pieces,
        wanted: i64,
    ) -> Result<Self, Error> {
        let mut sql = Sql::default();
        let target = sql.argument(table.name)?;
        let vector = query.embedding.as_ref();
        let vector = vector.map_or(Value::Null, ColumnValue::to_value);
        sql.bind_value(table.role(Role::Embedding), vector)?;
        let vector = sql.take_text();
        let wanted_groups = sql.argument(wanted)?;
        let mut patterns = Vec::new();
        for word in &pieces.words {
            for piece in std::iter::once(&word.whole).chain(&word.pieces) {
                let pattern = sql.argument(containing(&piece.text))?;
                patterns.push((piece.text.clone(), pattern));
            }
        }
        let pattern = |text: &str| {
            let known = patterns.iter().find(|(known, _)| known == text);
            known.map_or_else(String::new, |(_, pattern)| pattern.clone())
        };
        let signature = pieces.signature(&|piece| match piece.is_odd {
            true => "FALSE".to_owned(),
            false => format!("template LIKE {}", pattern(&piece.text)),
        });
        let mut phrases = String::new();
        for phrase in &pieces.phrases {
            let within = templates_within(&phrase.text);
            let within: Vec<String> = within.iter().map(|text| containing(text)).collect();
            let within = sql.argument(within)?;
            phrases.push_str(&format!(" AND template LIKE ANY ({within}::text[])"));
        }
        let any = match pieces.phrases.is_empty() {
            true => " WHERE __signature > 0",
            false => "",
        };
        let count = pieces.words.len();
        sql.push(&format!(
            "WITH kinds AS MATERIALIZED (\
               SELECT * FROM (\
                 SELECT id, rows, coalesce((nullif(vector <=> {vector}, 'NaN') * {PARTS})::int, 3 * {PARTS}) AS kind, \
                   {signature} AS __signature FROM search_kinds \
                 WHERE deleted_at IS NULL AND target = {target}{phrases} OFFSET 0) AS k{any}), \
             groups AS (SELECT __signature, kind, sum(rows)::bigint AS rows FROM kinds GROUP BY 1, 2), \
             weights AS (SELECT {weights} FROM groups), \
             counted AS (SELECT count(*) AS __groups, coalesce(sum(rows), 0)::bigint AS __rows FROM groups), \
             chosen AS (\
               SELECT __signature, kind, ({score})::float8 AS score FROM groups CROSS JOIN weights \
               ORDER BY score DESC, kind LIMIT {wanted_groups}) \
             SELECT __groups, __signature, kind, kinds.rows, \
               CASE WHEN __rows <= {BY_LETTERS} THEN s.newest_ids ELSE s.newest_ids[1:greatest({listed}, 2 * {BY_LETTERS} / __groups)] END AS ids \
             FROM chosen JOIN kinds USING (__signature, kind) JOIN search_kinds AS s USING (id) CROSS JOIN counted \
             ORDER BY score DESC, kind, __signature",
            weights = Words::weights_of_rows(count),
            score = Words::score(0..count),
            listed = 2 * OF_A_KIND,
        ));
        let rows = sql.fetch_all(conn).await?;
        let mut groups: Vec<Kind> = Vec::new();
        let (mut last, mut counted) = (None, 0);
        for row in &rows {
            counted = row.try_get::<i64, _>("__groups")?;
            let key: (i64, i32) = (row.try_get("__signature")?, row.try_get("kind")?);
            if last != Some(key) {
                groups.push(Kind::default());
                last = Some(key);
            }
            if let Some(kind) = groups.last_mut() {
                let ids: Vec<i64> = row.try_get("ids")?;
                let rows = row.try_get::<i64, _>("rows")?.unsigned_abs();
                kind.is_cut |= rows > ids.len() as u64;
                kind.ids.extend(ids);
            }
        }
        // Few groups may have more of each.
        let each = (2 * ENOUGH / groups.len().max(1)).max(2 * OF_A_KIND as usize);
        for kind in &mut groups {
            kind.newest(match kind.is_cut {
                true => each,
                false => usize::MAX,
            });
        }
        Ok(Self {
            is_all: groups.len() as i64 >= counted,
            groups,
        })
    }
}

/// Where the records nearest to a vector are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Nearest {
    /// `None` for all of the table.
    pub(crate) places: Option<Places>,
    /// Whether no other record is near.
    pub(crate) is_all: bool,
}

/// A kind that is near, with the newest of its records.
#[derive(Debug, Default)]
struct Kind {
    ids: Vec<i64>,
    /// Whether there are records that are not among the ids.
    is_cut: bool,
}

impl Kind {
    /// Puts the newest first, and keeps this many.
    fn newest(&mut self, most: usize) {
        self.ids.sort_unstable_by(|a, b| b.cmp(a));
        self.ids.dedup();
        self.is_cut |= self.ids.len() > most;
        self.ids.truncate(most);
    }
}

/// Kinds looked at, at first and then.
const KINDS_AT_FIRST: i64 = KINDS + KINDS / 4;
const KINDS_THEN: i64 = 20 * KINDS;

/// The ids of a kind that are looked at where there are many records: some may
/// be of deleted records, or not pass the filters.
const IDS: usize = 2 * NEAR_OF_A_KIND as usize;

impl Nearest {
    /// The places of the records of a scope that are near to a vector: all where
    /// they are few, else the newest few of each of the nearest kinds. `None`
    /// where nothing is sealed.
    pub(super) async fn find(
        conn: &mut PgConnection,
        table: &'static Table,
        vector: &Embedding,
        scope: &(impl Fn() -> Result<Sql, Error> + Sync),
    ) -> Result<Option<Self>, Error> {
        for wanted in [KINDS_AT_FIRST, KINDS_THEN] {
            let Some(near) = Near::read(conn, table, vector, wanted).await? else {
                return Ok(None);
            };
            let passing = passing(conn, table, Some(vector), scope()?, near.ids()).await?;
            let (mut alive, mut found, mut is_starved) = (0, 0, false);
            for kind in near.kinds.values() {
                let pass = kind
                    .ids
                    .iter()
                    .filter(|id| passing.contains_key(*id))
                    .count();
                alive += i64::from(pass > 0);
                found += pass as i64;
                is_starved |= kind.is_cut && pass < NEAR_OF_A_KIND as usize;
            }
            let is_enough = alive >= KINDS || found >= NEAR;
            if is_enough || (!is_starved && near.is_all_kinds) {
                let ids = passing.into_keys().collect();
                let is_cut = near.kinds.values().any(|kind| kind.is_cut);
                return Ok(Some(Self {
                    places: Some(Places::new(near.hot, ids)),
                    is_all: near.is_all_kinds && !is_cut,
                }));
            }
        }
        // The filters leave little of what is near: a scan knows.
        Ok(Some(Self {
            places: None,
            is_all: true,
        }))
    }
}

/// The kinds near to a vector.
struct Near {
    hot: Vec<(i64, i64)>,
    /// By their distance.
    kinds: BTreeMap<i32, Kind>,
    is_all_kinds: bool,
}

impl Near {
    async fn read(
        conn: &mut PgConnection,
        table: &'static Table,
        vector: &Embedding,
        wanted: i64,
    ) -> Result<Option<Self>, Error> {
        let mut sql = Sql::default();
        let target = sql.argument(table.name)?;
        sql.bind_value(table.role(Role::Embedding), vector.to_value())?;
        let vector = sql.take_text();
        let wanted_kinds = sql.argument(wanted)?;
        sql.push(&format!(
            "{SEALED}, \
             kinds AS MATERIALIZED (\
               SELECT * FROM (\
                 SELECT (nullif(vector <=> {vector}, 'NaN') * {PARTS})::int AS kind, rows, id FROM search_kinds \
                 WHERE deleted_at IS NULL AND target = {target} OFFSET 0) AS k WHERE kind <= {FAR}), \
             counted AS (SELECT count(DISTINCT kind) AS __kinds, coalesce(sum(rows), 0)::bigint AS __rows FROM kinds), \
             nearest AS (\
               SELECT kind, rows, id FROM kinds WHERE kind <= (SELECT max(kind) FROM (\
                 SELECT DISTINCT kind FROM kinds ORDER BY kind LIMIT {wanted_kinds}) AS n)) \
             SELECT sealed.*, counted.*, n.kind, n.rows, \
               CASE WHEN __rows <= {NEAR} THEN s.newest_ids ELSE s.newest_ids[1:{IDS}] END AS ids \
             FROM sealed CROSS JOIN counted LEFT JOIN (nearest AS n JOIN search_kinds AS s USING (id)) ON TRUE",
            SEALED = sealed(&target),
        ));
        let rows = sql.fetch_all(conn).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let Some(hot) = unsealed(row)? else {
            return Ok(None);
        };
        let all_kinds: i64 = row.try_get("__kinds")?;
        let all_rows: i64 = row.try_get("__rows")?;
        let mut kinds: BTreeMap<i32, Kind> = BTreeMap::new();
        for row in &rows {
            let Some(distance) = row.try_get("kind")? else {
                continue;
            };
            let kind = kinds.entry(distance).or_default();
            let rows = row.try_get::<i64, _>("rows")?.unsigned_abs();
            let ids: Vec<i64> = row.try_get("ids")?;
            kind.is_cut |= rows > ids.len() as u64;
            kind.ids.extend(ids);
        }
        for kind in kinds.values_mut() {
            kind.newest(match all_rows > NEAR {
                true => IDS,
                false => usize::MAX,
            });
        }
        Ok(Some(Self {
            hot,
            is_all_kinds: kinds.len() as i64 >= all_kinds,
            kinds,
        }))
    }

    fn ids(&self) -> Vec<i64> {
        let ids = self.kinds.values().flat_map(|kind| &kind.ids);
        ids.copied().collect()
    }
}

/// Entries that are looked at for the nearest records of all.
const ENTRIES: i64 = 4_000;

/// So many of the newest records of a vector are known, however many it has.
const KNOWN: usize = 100;

/// Where this many records of a scope that are nearest to a vector are, the
/// newest of equals first; `None` where that is not known without a scan.
pub(crate) async fn nearest(
    conn: &mut PgConnection,
    table: &'static Table,
    vector: &Embedding,
    wanted: u64,
    scope: &(impl Fn() -> Result<Sql, Error> + Sync),
) -> Result<Option<Places>, Error> {
    let vector_of = *vector;
    let mut sql = Sql::default();
    let target = sql.argument(table.name)?;
    sql.bind_value(table.role(Role::Embedding), vector.to_value())?;
    let vector = sql.take_text();
    sql.push(&format!(
        "{SEALED}, \
         kinds AS (\
           SELECT vector <=> {vector} AS distance, rows, newest_ids FROM search_kinds \
           WHERE deleted_at IS NULL AND target = {target} ORDER BY distance LIMIT {ENTRIES}) \
         SELECT sealed.*, kinds.* FROM sealed LEFT JOIN kinds ON TRUE ORDER BY distance",
        SEALED = sealed(&target),
    ));
    let rows = sql.fetch_all(conn).await?;
    let Some(hot) = rows.first().map(unsealed).transpose()?.flatten() else {
        return Ok(None);
    };
    let mut kinds: Vec<(f64, Kind)> = Vec::new();
    for row in &rows {
        let Some(distance) = row.try_get::<Option<f64>, _>("distance")? else {
            continue;
        };
        if distance.is_nan() {
            continue;
        }
        if kinds.last().is_none_or(|(last, _)| *last != distance) {
            kinds.push((distance, Kind::default()));
        }
        if let Some((_, kind)) = kinds.last_mut() {
            let ids: Vec<i64> = row.try_get("newest_ids")?;
            let rows = row.try_get::<i64, _>("rows")?.unsigned_abs();
            kind.is_cut |= rows > ids.len() as u64;
            kind.ids.extend(ids);
        }
    }
    let mut is_all = rows.len() < ENTRIES as usize;
    if !is_all {
        // There may be others of the last.
        kinds.pop();
    }
    let ids = kinds.iter_mut().flat_map(|(_, kind)| {
        kind.newest(KNOWN);
        kind.ids.iter().copied()
    });
    let passing = passing(conn, table, Some(&vector_of), scope()?, ids.collect()).await?;
    let (mut places, mut found) = (Vec::new(), 0_u64);
    for (distance, kind) in &kinds {
        // One that was changed meanwhile is of another kind, too.
        let pass = kind.ids.iter().copied();
        let pass = pass.filter(|id| passing.get(id) == Some(&Some(*distance)));
        places.extend(pass);
        found = places.len() as u64;
        if found >= wanted {
            break;
        }
        if kind.is_cut {
            is_all = false;
            break;
        }
    }
    Ok((found >= wanted || is_all).then(|| Places::new(hot, places)))
}

/// The common beginning of statements: what is sealed.
fn sealed(target: &str) -> String {
    format!(
        "WITH sealed AS (\
           SELECT min(first_id) AS __first, max(last_id) AS __until, \
             array_agg(first_id) FILTER (WHERE NOT has_kinds) AS __first_ids, \
             array_agg(last_id) FILTER (WHERE NOT has_kinds) AS __last_ids \
           FROM sealed_segments WHERE deleted_at IS NULL AND target = {target})"
    )
}

/// The ranges of records that are compared one by one; `None` where nothing is
/// sealed.
fn unsealed(row: &PgRow) -> Result<Option<Vec<(i64, i64)>>, sqlx::Error> {
    let (Some(first), Some(until)) = (row.try_get("__first")?, row.try_get("__until")?) else {
        return Ok(None);
    };
    let mut ranges = hot(first, until).to_vec();
    let first_ids: Option<Vec<i64>> = row.try_get("__first_ids")?;
    let last_ids: Option<Vec<i64>> = row.try_get("__last_ids")?;
    let unknown = first_ids.into_iter().flatten();
    ranges.extend(unknown.zip(last_ids.into_iter().flatten()));
    Ok(Some(ranges))
}

/// Which of some records are of a scope, and how far from a vector they are.
async fn passing(
    conn: &mut PgConnection,
    table: &'static Table,
    vector: Option<&Embedding>,
    mut sql: Sql,
    ids: Vec<i64>,
) -> Result<BTreeMap<i64, Option<f64>>, Error> {
    let id = table.role(Role::Id).quoted();
    let embedding = table.role(Role::Embedding);
    let scope = sql.take_text();
    sql.bind_value(embedding, vector.map_or(Value::Null, ColumnValue::to_value))?;
    let vector = sql.take_text();
    let ids = sql.argument(ids)?;
    sql.push(&format!(
        "SELECT {id} AS __id, {embedding} <=> {vector} AS __distance \
         FROM (SELECT * FROM {from} WHERE {id} = ANY({ids}::bigint[]) OFFSET 0) AS {alias}{scope}",
        embedding = embedding.quoted(),
        from = table.quoted(),
        alias = table.alias(),
    ));
    let rows = sql
        .fetch_all(conn)
        .await
        .map_err(|error| Error::of_table(table, error))?;
    let record = |row: &PgRow| Ok((row.try_get("__id")?, row.try_get("__distance")?));
    Ok(rows
        .iter()
        .map(record)
        .collect::<Result<_, sqlx::Error>>()?)
}
