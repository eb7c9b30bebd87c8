//! Conditions on the words of a query, and signatures of the words of a row.

use crate::db::Sql;
use crate::error::Error;
use crate::filter::Pattern;
use crate::search::parse::query::{Query, allows_partial_match};

/// Conditions on the words of a query.
pub(in crate::search) struct Words {
    words: Vec<Word>,
    /// The bits of a signature that has all required words.
    required_bits: i64,
    /// The required words that no bit of a signature stands for.
    other_words: Vec<Condition>,
    /// The words as typed.
    phrase: Condition,
}

struct Word {
    whole: Condition,
    /// Patterns of its fragments.
    fragments: Vec<String>,
}

/// The condition that a text contains a word or a phrase.
struct Condition {
    /// The pattern for `LIKE`.
    pattern: String,
    /// The regular expression that it must match, too, so as to be no part of a
    /// longer word.
    regex: Option<String>,
}

impl Condition {
    /// Binds the condition for a word: as a whole word, if its parts are not
    /// selective.
    fn of_word(word: &str, sql: &mut Sql) -> Result<Self, Error> {
        let regex = (!allows_partial_match(word)).then(|| delimited(word));
        Self::bind(word, regex, sql)
    }

    /// Binds the condition for a phrase as whole words.
    fn of_phrase(phrase: &str, sql: &mut Sql) -> Result<Self, Error> {
        let regex = (phrase.len() <= MAX_DELIMITED).then(|| delimited(phrase));
        Self::bind(phrase, regex, sql)
    }

    fn bind(text: &str, regex: Option<String>, sql: &mut Sql) -> Result<Self, Error> {
        let regex = regex.map(|regex| sql.argument(regex)).transpose()?;
        Ok(Self {
            pattern: pattern(text, sql)?,
            regex: regex.map(|regex| format!("lower({regex})")),
        })
    }

    fn of_text(&self, text: &str) -> String {
        let pattern = &self.pattern;
        match &self.regex {
            // The pattern first: it is much faster.
            Some(regex) => format!("({text} LIKE {pattern} AND {text} ~ {regex})"),
            None => format!("{text} LIKE {pattern}"),
        }
    }
}

/// Binds the pattern of a text that contains another. The database converts both
/// to lower case, by the same rules.
fn pattern(text: &str, sql: &mut Sql) -> Result<String, Error> {
    let pattern = sql.argument(Pattern::containing(text))?;
    Ok(format!("lower({pattern})"))
}

/// The length of a phrase, in bytes, up to which it must not be a part of longer
/// words.
const MAX_DELIMITED: usize = 256;

/// Returns the regular expression of a text that is not a part of longer words.
fn delimited(text: &str) -> String {
    let mut regex = String::with_capacity(2 * text.len());
    if text.starts_with(char::is_alphanumeric) {
        regex.push_str("(^|[^[:alnum:]])");
    }
    for letter in text.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() {
            regex.push('\\');
        }
        regex.push(letter);
    }
    if text.ends_with(char::is_alphanumeric) {
        regex.push_str("($|[^[:alnum:]])");
    }
    regex
}

impl Words {
    pub(super) fn bind(query: &Query, sql: &mut Sql) -> Result<Self, Error> {
        let mut words = Vec::new();
        let mut required_bits = 0;
        for (index, word) in query.fetch_words.iter().enumerate() {
            if query.required_words.contains(&word.word) {
                required_bits |= 2 << (2 * index);
            }
            let fragments = word.fragments.iter();
            words.push(Word {
                whole: Condition::of_word(&word.word, sql)?,
                fragments: fragments
                    .map(|fragment| pattern(fragment, sql))
                    .collect::<Result<_, Error>>()?,
            });
        }
        let mut other_words = Vec::new();
        for word in &query.required_words {
            if !query
                .fetch_words
                .iter()
                .any(|fetched| fetched.word == *word)
            {
                other_words.push(Condition::of_word(word, sql)?);
            }
        }
        Ok(Self {
            words,
            required_bits,
            other_words,
            phrase: Condition::of_phrase(&query.phrase, sql)?,
        })
    }

    /// Returns the SQL for the [`Coverage`] of a text with a signature.
    ///
    /// [`Coverage`]: crate::search::candidates::Coverage
    pub(super) fn coverage(&self, text: &str, signature: &str) -> String {
        let bits = self.required_bits;
        let mut all = vec![format!("{signature} & {bits} = {bits}")];
        all.extend(self.other_words.iter().map(|word| word.of_text(text)));
        format!(
            "CASE WHEN NOT ({all}) THEN 0 WHEN {as_typed} THEN 2 ELSE 1 END",
            all = all.join(" AND "),
            as_typed = self.phrase.of_text(text),
        )
    }

    /// Returns the SQL condition that a text contains any of them.
    pub(super) fn any(&self, text: &str) -> String {
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
        format!("{text} LIKE ANY (ARRAY[{}])", patterns.join(", "))
    }

    /// Returns the SQL condition that a text contains the letters of all required words.
    pub(super) fn all(&self, text: &str) -> String {
        let fetched = self.words.iter().enumerate();
        let required = fetched.filter(|(index, _)| self.required_bits >> (2 * index) & 2 == 2);
        let required = required
            .map(|(_, word)| &word.whole)
            .chain(&self.other_words);
        let patterns: Vec<&str> = required.map(|word| word.pattern.as_str()).collect();
        format!("{text} LIKE ALL (ARRAY[{}])", patterns.join(", "))
    }

    /// Returns the SQL for the signature of a text, two bits per word: 2 for the
    /// word, 1 for a fragment.
    pub(super) fn signature(&self, text: &str) -> String {
        let like = |pattern: &String| format!("{text} LIKE {pattern}");
        let words = self.words.iter().map(|word| {
            let fragments = word.fragments.iter().map(like).collect();
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
