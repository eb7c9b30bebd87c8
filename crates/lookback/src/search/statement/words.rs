//! Conditions on the words of a query, and signatures of which of them a row has.

use crate::db::Sql;
use crate::error::Error;
use crate::filter::Pattern;
use crate::search::parse::query::Query;

/// Conditions on what rows have of the words of a query.
pub(in crate::search) struct Words {
    words: Vec<Word>,
}

struct Word {
    whole: String,
    pieces: Vec<String>,
}

impl Words {
    pub(super) fn bind(query: &Query, sql: &mut Sql) -> Result<Self, Error> {
        // Both sides in lower case by the same hand, the database's.
        let mut pattern = |piece: &String| {
            Ok(format!(
                "lower({})",
                sql.argument(Pattern::containing(piece))?
            ))
        };
        let mut words = Vec::new();
        for fetched in &query.fetched {
            words.push(Word {
                whole: pattern(&fetched.word)?,
                pieces: fetched
                    .pieces
                    .iter()
                    .map(&mut pattern)
                    .collect::<Result<_, Error>>()?,
            });
        }
        Ok(Self { words })
    }

    /// Whether a text has any of them.
    pub(super) fn any(&self, text: &str) -> String {
        let patterns = self
            .words
            .iter()
            .flat_map(|word| match word.pieces.is_empty() {
                true => std::slice::from_ref(&word.whole),
                false => word.pieces.as_slice(),
            });
        // Not one condition a pattern: each would make the text anew, and of a
        // long one that is what takes time. An index serves this as well.
        let patterns: Vec<&str> = patterns.map(String::as_str).collect();
        format!("{text} LIKE ANY (ARRAY[{}])", patterns.join(", "))
    }

    /// What a text has of each, two bits a word: 2 for the word, 1 for a piece.
    pub(super) fn signature(&self, text: &str) -> String {
        let like = |pattern: &String| format!("{text} LIKE {pattern}");
        let words = self.words.iter().map(|word| {
            let pieces = word.pieces.iter().map(like).collect();
            (like(&word.whole), pieces)
        });
        signature(words)
    }

    /// How rare each word is among the rows that have any.
    pub(in crate::search) fn weights(words: usize) -> String {
        let of_word = |place: usize| {
            format!(
                "ln(1 + count(*)::float8 / (1 + count(*) FILTER (WHERE (__signature >> {}) & 2 = 2))) AS w{place}",
                2 * place
            )
        };
        (0..words).map(of_word).collect::<Vec<_>>().join(", ")
    }

    /// The same, where each row stands for as many as it says.
    pub(in crate::search) fn weights_of_rows(words: usize) -> String {
        let of_word = |place: usize| {
            format!(
                "ln(1 + sum(rows)::float8 / (1 + coalesce(sum(rows) FILTER (WHERE (__signature >> {}) & 2 = 2), 0))) AS w{place}",
                2 * place
            )
        };
        (0..words).map(of_word).collect::<Vec<_>>().join(", ")
    }

    /// What a row has of these words, each by its weight; a piece is worth half.
    pub(in crate::search) fn score(words: impl Iterator<Item = usize>) -> String {
        let of_word = |place: usize| format!("((__signature >> {}) & 3) * w{place}", 2 * place);
        words.map(of_word).collect::<Vec<_>>().join(" + ")
    }
}

/// What something has of words, two bits a word, from conditions that say whether
/// it has each word and each piece of it. What has no piece does not have the
/// word, and most do not.
pub(in crate::search) fn signature(words: impl Iterator<Item = (String, Vec<String>)>) -> String {
    let of_word = |(place, (whole, pieces)): (usize, (String, Vec<String>))| {
        let (word, piece) = (2_i64 << (2 * place), 1_i64 << (2 * place));
        match pieces.is_empty() {
            true => format!("CASE WHEN {whole} THEN {word} ELSE 0 END"),
            false => format!(
                "CASE WHEN NOT ({}) THEN 0 WHEN {whole} THEN {word} ELSE {piece} END",
                pieces.join(" OR ")
            ),
        }
    };
    let words: Vec<String> = words.enumerate().map(of_word).collect();
    format!("({})::bigint", words.join(" + "))
}
