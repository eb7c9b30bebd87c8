//! Conditions on the words of a query, and signatures of the words of a row.

use crate::db::Sql;
use crate::error::Error;
use crate::filter::Pattern;
use crate::search::parse::query::Query;

/// Conditions on the words of a query.
pub(in crate::search) struct Words {
    words: Vec<Word>,
}

struct Word {
    whole: String,
    fragments: Vec<String>,
}

impl Words {
    pub(super) fn bind(query: &Query, sql: &mut Sql) -> Result<Self, Error> {
        // The database converts both sides to lower case, by the same rules.
        let mut pattern = |fragment: &String| {
            Ok(format!(
                "lower({})",
                sql.argument(Pattern::containing(fragment))?
            ))
        };
        let mut words = Vec::new();
        for word in &query.fetch_words {
            words.push(Word {
                whole: pattern(&word.word)?,
                fragments: word
                    .fragments
                    .iter()
                    .map(&mut pattern)
                    .collect::<Result<_, Error>>()?,
            });
        }
        Ok(Self { words })
    }

    /// Returns the SQL condition that a text contains any of them.
    pub(super) fn any(&self, text: &str) -> String {
        let patterns = self.words.iter().flat_map(|word| {
            if word.fragments.is_empty() {
                std::slice::from_ref(&word.whole)
            } else {
                word.fragments.as_slice()
            }
        });
        // Not one condition per pattern: each would compute the text again, which dominates for a
        // long text. An index serves this form as well.
        let patterns: Vec<&str> = patterns.map(String::as_str).collect();
        format!("{text} LIKE ANY (ARRAY[{}])", patterns.join(", "))
    }

    /// Returns the SQL for the signature of a text, two bits per word: 2 for the
    /// word, 1 for a fragment.
    pub(super) fn signature(&self, text: &str) -> String {
        let like = |pattern: &String| format!("{text} LIKE {pattern}");
        let words = self.words.iter().map(|word| {
            let fragments = word.fragments.iter().map(like).collect();
            (like(&word.whole), fragments)
        });
        signature(words)
    }

    /// Returns the SQL for the IDF of each word among the rows that have any.
    pub(in crate::search) fn weights(words: usize) -> String {
        let of_word = |index: usize| {
            format!(
                "ln(1 + count(*)::float8 / (1 + count(*) FILTER (WHERE (__signature >> {}) & 2 = 2))) AS w{index}",
                2 * index
            )
        };
        (0..words).map(of_word).collect::<Vec<_>>().join(", ")
    }

    /// Returns the SQL for the IDF of each word among groups of `rows` rows.
    pub(in crate::search) fn weights_of_rows(words: usize) -> String {
        let of_word = |index: usize| {
            format!(
                "ln(1 + sum(rows)::float8 / (1 + coalesce(sum(rows) FILTER (WHERE (__signature >> {}) & 2 = 2), 0))) AS w{index}",
                2 * index
            )
        };
        (0..words).map(of_word).collect::<Vec<_>>().join(", ")
    }

    /// Returns the SQL for the weighted sum of the words of a row.
    ///
    /// A fragment counts half.
    pub(in crate::search) fn score(words: impl Iterator<Item = usize>) -> String {
        let of_word = |index: usize| format!("((__signature >> {}) & 3) * w{index}", 2 * index);
        words.map(of_word).collect::<Vec<_>>().join(" + ")
    }
}

/// Returns the SQL for a signature, two bits per word.
///
/// Its parts are the conditions for each word and each of its fragments. A text
/// without a fragment does not have the word, which is the common case.
pub(in crate::search) fn signature(words: impl Iterator<Item = (String, Vec<String>)>) -> String {
    let of_word = |(index, (whole, fragments)): (usize, (String, Vec<String>))| {
        let (word, fragment) = (2_i64 << (2 * index), 1_i64 << (2 * index));
        if fragments.is_empty() {
            format!("CASE WHEN {whole} THEN {word} ELSE 0 END")
        } else {
            format!(
                "CASE WHEN NOT ({}) THEN 0 WHEN {whole} THEN {word} ELSE {fragment} END",
                fragments.join(" OR ")
            )
        }
    };
    let words: Vec<String> = words.enumerate().map(of_word).collect();
    format!("({})::bigint", words.join(" + "))
}
