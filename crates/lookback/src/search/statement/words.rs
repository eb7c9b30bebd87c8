//! Conditions on the words of a query, and signatures of the words of a row.

use crate::db::Sql;
use crate::error::Error;
use crate::filter::word_condition::{Condition, pattern, regex};
use crate::model::Table;
use crate::model::search_text;
use crate::search::parse::query::Query;

/// The text of a row and its signature in SQL.
pub(in crate::search) const TEXT: &str = "__text";
pub(in crate::search) const SIGNATURE: &str = "__signature";

/// Returns an item of the `FROM` list: rows with the given columns, their text and their
/// signature, each computed once.
///
/// `rows` is a table with its conditions. Nested subqueries, because a lateral one would be
/// started again for each row, which takes longer than most conditions.
pub(in crate::search) fn signed_rows(
    table: &'static Table,
    words: &Words,
    columns: &str,
    rows: &str,
) -> String {
    let text = search_text(table);
    let signature = words.signature(TEXT);
    format!(
        "(SELECT *, {signature} AS {SIGNATURE} \
          FROM (SELECT {columns}, {text} AS {TEXT} FROM {rows} OFFSET 0) AS __searched \
          OFFSET 0) AS __signed"
    )
}

/// Returns the items of the `FROM` list after a table: the text of its rows and their
/// signature, for a statement that reads rows in the order of an index until it has enough.
pub(in crate::search) fn lateral_signature(text: &str, words: &Words) -> String {
    let signature = words.signature(TEXT);
    format!(
        "CROSS JOIN LATERAL (SELECT {text} AS {TEXT} OFFSET 0) AS __searched \
         CROSS JOIN LATERAL (SELECT {signature} AS {SIGNATURE} OFFSET 0) AS __signed"
    )
}

/// Returns the SQL condition that a text is not of ASCII characters alone.
pub(super) fn is_not_ascii(text: &str) -> String {
    format!("octet_length({text}) > length({text})")
}

/// Conditions on the words of a query.
pub(in crate::search) struct Words {
    words: Vec<Word>,
    /// The bits of a signature that has all required words.
    required_bits: i64,
    /// The required words that no bit of a signature stands for.
    other_words: Vec<Condition>,
    /// The words as typed.
    phrase: Condition,
    /// The regular expression of any word with accents.
    near: Option<String>,
}

struct Word {
    whole: Condition,
    /// Patterns of its fragments.
    fragments: Vec<String>,
    /// The regular expression of the word with accents, for texts that are not ASCII.
    near: Option<String>,
}

impl Words {
    pub(in crate::search) fn bind(query: &Query, sql: &mut Sql) -> Result<Self, Error> {
        let mut words = Vec::new();
        let mut required_bits = 0;
        for (index, word) in query.fetch_words.iter().enumerate() {
            if query.required.contains(&word.index) {
                required_bits |= 2 << (2 * index);
            }
            let fragments = word.fragments.iter();
            let near = word.near_letters.as_ref();
            words.push(Word {
                whole: Condition::of_word(&word.typed, word.is_id, sql)?,
                fragments: fragments
                    .map(|fragment| pattern(fragment, sql))
                    .collect::<Result<_, Error>>()?,
                near: near.map(|near| regex(near, sql)).transpose()?,
            });
        }
        let mut other_words = Vec::new();
        for index in &query.required {
            if !query.fetch_words.iter().any(|word| word.index == *index) {
                let word = &query.typed_words[*index];
                other_words.push(Condition::of_word(word, query.ids[*index], sql)?);
            }
        }
        // One expression is much faster than one for each word.
        let near = query.fetch_words.iter();
        let near: Vec<&str> = near
            .filter_map(|word| word.near_letters.as_deref())
            .collect();
        let near = match near.as_slice() {
            [] => None,
            near => Some(regex(&near.join("|"), sql)?),
        };
        Ok(Self {
            near,
            words,
            required_bits,
            other_words,
            phrase: Condition::of_phrase(&query.typed, sql)?,
        })
    }

    /// Returns the SQL for the [`Coverage`] of a row with its text and signature.
    ///
    /// [`Coverage`]: crate::search::candidates::Coverage
    pub(in crate::search) fn coverage(&self) -> String {
        let bits = self.required_bits;
        let mut all = vec![format!("{SIGNATURE} & {bits} = {bits}")];
        all.extend(self.other_words.iter().map(|word| word.of_text(TEXT)));
        format!(
            "CASE WHEN NOT ({all}) THEN 0 WHEN {as_typed} THEN 2 ELSE 1 END",
            all = all.join(" AND "),
            as_typed = self.phrase.of_text(TEXT),
        )
    }

    /// Returns the SQL condition that the text of a row contains any of them; words with
    /// accents for the plain ones only with the condition that it is not of ASCII
    /// characters alone.
    pub(super) fn any(&self, text: &str, is_not_ascii: Option<&str>) -> String {
        let patterns = self.words.iter().flat_map(|word| {
            if word.fragments.is_empty() {
                std::slice::from_ref(&word.whole.pattern)
            } else {
                word.fragments.as_slice()
            }
        });
        // Not one condition per pattern: each would compute the text again, which dominates for a
        // long text. An index serves this form as well.
        let patterns: Vec<&str> = patterns.map(String::as_str).collect();
        let mut any = vec![format!("{text} LIKE ANY (ARRAY[{}])", patterns.join(", "))];
        let others = self
            .words
            .iter()
            .filter_map(|word| word.whole.other.as_ref());
        any.extend(others.map(|form| form.of_text(text)));
        if let (Some(near), Some(is_not_ascii)) = (&self.near, is_not_ascii) {
            // Few rows are not ASCII, and an accent is not.
            any.push(format!("(({is_not_ascii}) AND {text} ~ {near})"));
        }
        any.join(" OR ")
    }

    /// Returns the SQL condition that a text contains the letters of all required words.
    pub(in crate::search) fn all(&self, text: &str) -> String {
        let fetched = self.words.iter().enumerate();
        let required = fetched.filter(|(index, _)| self.required_bits >> (2 * index) & 2 == 2);
        let required = required
            .map(|(_, word)| &word.whole)
            .chain(&self.other_words);
        let (other, plain): (Vec<&Condition>, Vec<&Condition>) =
            required.partition(|word| word.other.is_some());
        let patterns: Vec<&str> = plain.iter().map(|word| word.pattern.as_str()).collect();
        let mut all = vec![format!(
            "{text} LIKE ALL (ARRAY[{}]::text[])",
            patterns.join(", ")
        )];
        all.extend(other.iter().map(|word| word.of_text(text)));
        all.join(" AND ")
    }

    /// Returns the SQL for the signature of a text, two bits per word: 2 for the
    /// word, 1 for a fragment.
    pub(super) fn signature(&self, text: &str) -> String {
        let like = |pattern: &String| format!("{text} LIKE {pattern}");
        let words = self.words.iter().map(|word| {
            let mut fragments: Vec<String> = word.fragments.iter().map(like).collect();
            if let Some(near) = &word.near {
                if fragments.is_empty() {
                    fragments.push(word.whole.of_text(text));
                }
                let is_not_ascii = is_not_ascii(text);
                fragments.push(format!("({is_not_ascii} AND {text} ~ {near})"));
            }
            (word.whole.of_text(text), fragments)
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
