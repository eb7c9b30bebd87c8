//! The words and phrases of a search, and the bits of what has them.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::error::Error;
use crate::search::index::bloom_filter;
use crate::search::index::templates::is_odd;
use crate::search::parse::query::Query;
use crate::search::statement::signature;

/// The words and phrases of a query, in the lower case of the database.
pub(super) struct Pieces {
    pub(super) words: Vec<Word>,
    pub(super) phrases: Vec<Piece>,
}

pub(super) struct Word {
    pub(super) whole: Piece,
    pub(super) pieces: Vec<Piece>,
}

/// A part of a text, and the bits of a block that has it.
pub(super) struct Piece {
    pub(super) text: String,
    /// Whether it has a digit.
    pub(super) is_odd: bool,
    /// With a digit: of what templates leave out of it. Else: where a template
    /// leaves it out.
    left_out: Vec<usize>,
    /// Where templates are not known.
    unknown: Vec<usize>,
    /// The bits of a segment of which a template leaves it out.
    letters: Vec<usize>,
    /// Which of all pieces it is.
    number: usize,
}

/// So many bits tell whether a block has a piece: more say hardly more.
const BITS_OF_A_PIECE: usize = 8;

impl Piece {
    fn of(number: usize, text: &str) -> Self {
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
            left_out: match is_odd(text) {
                true => few(&mut bloom_filter::odd_places(text).into_iter()),
                false => few(&mut bloom_filter::left_out_places(text)),
            },
            unknown: few(&mut bloom_filter::text_places(text)),
            letters: few(&mut bloom_filter::letter_places(text)),
            number,
        }
    }

    /// Whether a block, `b`, of a segment, `s`, may have it: without a digit,
    /// elsewhere than in a template, if templates are known.
    fn in_block(&self) -> String {
        let (left_out, unknown) = (
            has("b.grams", &self.left_out),
            has("b.grams", &self.unknown),
        );
        match self.is_odd {
            true => format!("({left_out} AND (b.has_templates OR {unknown}))"),
            false => format!(
                "CASE WHEN b.has_templates THEN s.{} AND {left_out} ELSE {unknown} END",
                self.column()
            ),
        }
    }

    /// What of a segment says whether its templates may leave it out.
    fn column(&self) -> String {
        format!("p{}", self.number)
    }
}

impl Pieces {
    pub(super) async fn of(conn: &mut PgConnection, query: &Query) -> Result<Self, Error> {
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
        let piece = |(number, row): (usize, &PgRow)| Ok(Piece::of(number, row.try_get("lower")?));
        let pieces = rows.iter().enumerate().map(piece);
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
    pub(super) fn has_odd_phrase(&self) -> bool {
        self.phrases.iter().any(|phrase| phrase.is_odd)
    }

    /// Whether records are found by their templates.
    pub(super) fn are_in_templates(&self) -> bool {
        match self.phrases.is_empty() {
            true => self
                .words
                .iter()
                .any(|word| !word.whole.is_odd || word.pieces.iter().any(|piece| !piece.is_odd)),
            false => !self.has_odd_phrase(),
        }
    }

    /// Whether a word, or a phrase, has a digit.
    pub(super) fn has_odd_words(&self) -> bool {
        self.words.iter().any(|word| word.whole.is_odd) || self.has_odd_phrase()
    }

    /// Whether blocks tell how much of a word a record can have: of those with a
    /// digit, if there are any.
    pub(super) fn counts_in_blocks(&self, place: usize) -> bool {
        self.words[place].whole.is_odd || !self.words.iter().any(|word| word.whole.is_odd)
    }

    /// What a block may have of each word, as the signature of a record.
    pub(super) fn signature_of_block(&self) -> String {
        self.signature(&|piece| piece.in_block())
    }

    /// Of a segment, whether its templates may leave out each piece without a
    /// digit: columns for [`signature_of_block`](Self::signature_of_block), each
    /// with a comma before it.
    pub(super) fn columns_of_segment(&self) -> String {
        let column = |piece: &Piece| {
            let column = piece.column();
            format!(", {} AS {column}", has("odd_letters", &piece.letters))
        };
        self.without_digit().map(column).collect()
    }

    /// Whether blocks of a segment, `s`, may have any piece.
    pub(super) fn in_segment(&self) -> String {
        if self.has_odd_words() {
            return "TRUE".to_owned();
        }
        let columns = self
            .without_digit()
            .map(|piece| format!(" OR s.{}", piece.column()));
        format!("(NOT s.has_kinds{})", columns.collect::<String>())
    }

    fn without_digit(&self) -> impl Iterator<Item = &Piece> {
        let words = self.words.iter();
        let words = words.flat_map(|word| std::iter::once(&word.whole).chain(&word.pieces));
        words.chain(&self.phrases).filter(|piece| !piece.is_odd)
    }

    /// What something has of each word, as the signature of a record, from a
    /// condition that says whether it has a piece.
    pub(super) fn signature(&self, has: &dyn Fn(&Piece) -> String) -> String {
        let words = self.words.iter();
        signature(words.map(|word| (has(&word.whole), word.pieces.iter().map(has).collect())))
    }

    /// Whether a block may have all phrases, elsewhere than in templates if all of
    /// them are without a digit.
    pub(super) fn phrases_of_block(&self) -> String {
        let any_is_odd = self.has_odd_phrase();
        let phrases = self.phrases.iter().map(|phrase| {
            // Templates may have those without a digit, and another phrase is in none.
            match any_is_odd && !phrase.is_odd {
                true => format!("(b.has_templates OR {})", has("b.grams", &phrase.unknown)),
                false => phrase.in_block(),
            }
        });
        let phrases: Vec<String> = phrases.collect();
        match phrases.is_empty() {
            true => "TRUE".to_owned(),
            false => format!("({})", phrases.join(" AND ")),
        }
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
