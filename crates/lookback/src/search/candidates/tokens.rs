//! The tokens of a search: its words and phrases, with their bits in summaries.

use sqlx::{PgConnection, Row as _};

use crate::db::Sql;
use crate::error::Error;
use crate::letters::lower_sql;
use crate::search::index::bloom_filter;
use crate::search::index::templates::has_digit;
use crate::search::parse::query::Query;
use crate::search::statement::signature;

/// The words and phrases of a query, in the lower case of the database.
pub(super) struct QueryTokens {
    pub(super) words: Vec<WordTokens>,
    pub(super) phrases: Vec<Token>,
    /// The bits of the required words with a digit that blocks know as whole runs.
    short_runs: Vec<Vec<usize>>,
}

pub(super) struct WordTokens {
    pub(super) whole: Token,
    pub(super) tokens: Vec<Token>,
    /// The regular expression of the word with accents.
    near_letters: Option<String>,
}

/// A text, and the bits of the summaries of records that contain it.
pub(super) struct Token {
    pub(super) text: String,
    /// Whether it has a digit.
    pub(super) has_digit: bool,
    /// With a digit: the bits of its masked parts. Without: its bits where a
    /// template masks it.
    masked_bits: Vec<usize>,
    /// The bits in a block without templates.
    text_bits: Vec<usize>,
    /// The bits in a segment that has a template that masks it.
    segment_bits: Vec<usize>,
    /// Its index among all tokens.
    number: usize,
}

/// The number of bits that are tested in a block: more are hardly more
/// selective.
const BITS_PER_TOKEN: usize = 8;

/// The first and the last bytes of an id that blocks know whatever its separators: in most
/// notations of UUIDs they stand together.
const ID_GROUP: usize = 4;

impl Token {
    pub(super) fn of(number: usize, text: &str) -> Self {
        let few = |bits: &mut dyn Iterator<Item = usize>| {
            let mut bits: Vec<usize> = bits.collect();
            bits.sort_unstable();
            bits.dedup();
            // Spread over the token, and the same for the same token.
            let step = bits.len().div_ceil(BITS_PER_TOKEN).max(1);
            bits.into_iter().step_by(step).collect()
        };
        Self {
            text: text.to_owned(),
            has_digit: has_digit(text),
            masked_bits: if has_digit(text) {
                few(&mut bloom_filter::digit_token_bits(text).into_iter())
            } else {
                few(&mut bloom_filter::masked_trigram_bits(text))
            },
            text_bits: few(&mut bloom_filter::text_trigram_bits(text)),
            segment_bits: few(&mut bloom_filter::trigram_positions(text)),
            number,
        }
    }

    /// Returns the SQL condition that a block may contain the token.
    ///
    /// `b` is the block and `s` its segment. A token without a digit counts only
    /// outside of templates, if templates are known.
    pub(super) fn block_condition(&self) -> String {
        let (masked_bits, text_bits) = (
            has("b.bloom_filter", &self.masked_bits),
            has("b.bloom_filter", &self.text_bits),
        );
        if self.has_digit {
            format!("({masked_bits} AND (b.has_templates OR {text_bits}))")
        } else {
            format!(
                "CASE WHEN b.has_templates THEN s.{} AND {masked_bits} ELSE {text_bits} END",
                self.column()
            )
        }
    }

    /// Allows separators within the token: blocks know its first and its last four bytes.
    fn separate(&mut self) {
        let ends = [
            self.text.get(..ID_GROUP),
            self.text
                .len()
                .checked_sub(ID_GROUP)
                .and_then(|at| self.text.get(at..)),
        ];
        let ends = ends.into_iter().flatten();
        let masked_bits = ends.clone().flat_map(bloom_filter::digit_token_bits);
        self.masked_bits = masked_bits.collect();
        self.text_bits = ends.flat_map(bloom_filter::text_trigram_bits).collect();
    }

    /// Returns its [`column`](Self::column), with a comma before it.
    pub(super) fn segment_column(&self) -> String {
        let has = has("trigrams", &self.segment_bits);
        format!(", {has} AS {}", self.column())
    }

    /// Returns the name of the column of a segment that states whether its templates may
    /// mask it.
    pub(super) fn column(&self) -> String {
        format!("p{}", self.number)
    }
}

impl QueryTokens {
    pub(super) async fn of(conn: &mut PgConnection, query: &Query) -> Result<Self, Error> {
        let texts = Self::texts(query);
        if texts.iter().all(|text| text.is_ascii()) {
            let lower: Vec<String> = texts.iter().map(|text| text.to_ascii_lowercase()).collect();
            return Ok(Self::new(query, &lower));
        }
        let lower = lower_sql("text");
        let mut sql = Sql::new(&format!("SELECT {lower} AS lower FROM unnest("));
        sql.bind(&texts)?;
        sql.push("::text[]) WITH ORDINALITY AS t(text, place) ORDER BY place");
        let rows = sql.fetch_all(conn).await?;
        let lower = rows.iter().map(|row| row.try_get("lower"));
        let lower: Vec<String> = lower.collect::<Result<_, sqlx::Error>>()?;
        Ok(Self::new(query, &lower))
    }

    /// Returns the texts of a query: each word with its fragments, then the phrases.
    fn texts(query: &Query) -> Vec<&str> {
        let mut texts: Vec<&str> = Vec::new();
        for word in &query.fetch_words {
            texts.push(&word.typed);
            texts.extend(word.fragments.iter().map(String::as_str));
        }
        texts.extend(query.phrases.iter().map(String::as_str));
        texts
    }

    /// Creates the tokens of a query from its [`texts`](Self::texts) in lower
    /// case.
    fn new(query: &Query, lower: &[String]) -> Self {
        let tokens = lower.iter().enumerate();
        let mut tokens = tokens.map(|(number, text)| Token::of(number, text));
        let mut words = Vec::new();
        for word in &query.fetch_words {
            if let Some(mut whole) = tokens.next() {
                if word.is_id {
                    whole.separate();
                }
                let tokens = tokens.by_ref().take(word.fragments.len()).collect();
                let near_letters = word.near_letters.clone();
                words.push(WordTokens {
                    whole,
                    tokens,
                    near_letters,
                });
            }
        }
        let is_short_run = |word: &&String| {
            word.len() < 4 && has_digit(word) && word.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let required = query.required.iter().map(|index| &query.words[*index]);
        let short_runs = required.filter(is_short_run);
        Self {
            words,
            phrases: tokens.collect(),
            short_runs: short_runs
                .map(|run| bloom_filter::short_run_bits(run).collect())
                .collect(),
        }
    }

    /// Creates the tokens of a query that is in lower case.
    #[cfg(test)]
    pub(super) fn of_lower(query: &Query) -> Self {
        let texts = Self::texts(query).into_iter();
        Self::new(query, &texts.map(str::to_owned).collect::<Vec<_>>())
    }

    /// Returns whether a phrase has a digit, so that templates cannot locate
    /// it.
    pub(super) fn has_digit_phrase(&self) -> bool {
        self.phrases.iter().any(|phrase| phrase.has_digit)
    }

    /// Returns the SQL condition that a block, `b`, of a segment, `s`, may contain records
    /// that cover the search: with all its phrases, or else with all its words.
    ///
    /// Of words with and without a digit, those with one decide.
    pub(super) fn block_covers(&self) -> String {
        if !self.phrases.is_empty() {
            return self.block_has_phrases();
        }
        let has_digit = self.has_digit_words() || self.has_short_runs();
        let words = self.words.iter().map(|word| &word.whole);
        let words = words.filter(|word| word.has_digit || !has_digit);
        let mut all: Vec<String> = words.map(Token::block_condition).collect();
        all.extend(
            self.short_runs
                .iter()
                .map(|bits| has("b.bloom_filter", bits)),
        );
        if all.is_empty() {
            "FALSE".to_owned()
        } else {
            format!("({})", all.join(" AND "))
        }
    }

    /// Returns whether templates may have all words of records that cover the search:
    /// those with a digit are in none.
    pub(super) fn templates_cover(&self) -> bool {
        !self.phrases.is_empty() || !(self.has_digit_words() || self.has_short_runs())
    }

    /// Returns whether the words have a short number, which blocks know as a whole run
    /// only.
    pub(super) fn has_short_runs(&self) -> bool {
        self.phrases.is_empty() && !self.short_runs.is_empty()
    }

    /// Returns the signature of a template with all words.
    pub(super) fn covering_signature(&self) -> i64 {
        (0..self.words.len()).fold(0, |bits, index| bits | 2 << (2 * index))
    }

    /// Returns whether templates locate records.
    pub(super) fn are_in_templates(&self) -> bool {
        if self.phrases.is_empty() {
            self.words.iter().any(|word| {
                !word.whole.has_digit || word.tokens.iter().any(|token| !token.has_digit)
            })
        } else {
            !self.has_digit_phrase()
        }
    }

    /// Returns whether a word or a phrase has a digit.
    pub(super) fn has_digit_words(&self) -> bool {
        self.words.iter().any(|word| word.whole.has_digit) || self.has_digit_phrase()
    }

    /// Returns whether blocks determine how much of a word a record may have:
    /// only words with a digit count, if there are any.
    pub(super) fn counts_in_blocks(&self, index: usize) -> bool {
        self.words[index].whole.has_digit || !self.words.iter().any(|word| word.whole.has_digit)
    }

    /// Returns the SQL for the signature of a block: the words that its records may have.
    pub(super) fn block_signature(&self) -> String {
        self.signature(&|token| token.block_condition(), &|_| None)
    }

    /// Returns columns of a segment for
    /// [`block_signature`](Self::block_signature): for each token without a
    /// digit, whether templates may mask it. Each has a comma before it.
    pub(super) fn segment_columns(&self) -> String {
        self.tokens_without_digit()
            .map(Token::segment_column)
            .collect()
    }

    /// Returns the SQL condition that blocks of the segment `s` may contain any
    /// token.
    pub(super) fn segment_condition(&self) -> String {
        if self.has_digit_words() || self.has_short_runs() {
            return "TRUE".to_owned();
        }
        let columns = self
            .tokens_without_digit()
            .map(|token| format!(" OR s.{}", token.column()));
        format!("(NOT s.has_postings{})", columns.collect::<String>())
    }

    fn tokens_without_digit(&self) -> impl Iterator<Item = &Token> {
        let words = self.words.iter();
        let words = words.flat_map(|word| std::iter::once(&word.whole).chain(&word.tokens));
        words.chain(&self.phrases).filter(|token| !token.has_digit)
    }

    /// Returns the regular expressions of words with accents.
    pub(super) fn near_letters(&self) -> impl Iterator<Item = &str> {
        let words = self.words.iter();
        words.filter_map(|word| word.near_letters.as_deref())
    }

    /// Returns the SQL for a signature, from the condition for each token.
    pub(super) fn signature(
        &self,
        has: &dyn Fn(&Token) -> String,
        has_near: &dyn Fn(&str) -> Option<String>,
    ) -> String {
        let words = self.words.iter();
        signature(words.map(|word| {
            let mut fragments: Vec<String> = word.tokens.iter().map(has).collect();
            if let Some(near) = word.near_letters.as_deref().and_then(has_near) {
                if fragments.is_empty() {
                    fragments.push(has(&word.whole));
                }
                fragments.push(near);
            }
            (has(&word.whole), fragments)
        }))
    }

    /// Returns the SQL condition that a block may contain all phrases; outside of
    /// templates, if none has a digit.
    pub(super) fn block_has_phrases(&self) -> String {
        let any_has_digit = self.has_digit_phrase();
        let phrases = self.phrases.iter().map(|phrase| {
            // Templates may contain those without a digit, but not the phrase with one.
            if any_has_digit && !phrase.has_digit {
                format!(
                    "(b.has_templates OR {})",
                    has("b.bloom_filter", &phrase.text_bits)
                )
            } else {
                phrase.block_condition()
            }
        });
        let phrases: Vec<String> = phrases.collect();
        if phrases.is_empty() {
            "TRUE".to_owned()
        } else {
            format!("({})", phrases.join(" AND "))
        }
    }
}

/// Returns the SQL condition that all of these bits are set.
fn has(bytes: &str, bits: &[usize]) -> String {
    let bits: Vec<String> = bits
        .iter()
        .map(|index| format!("get_bit({bytes}, {index}) = 1"))
        .collect();
    if bits.is_empty() {
        "TRUE".to_owned()
    } else {
        format!("({})", bits.join(" AND "))
    }
}
