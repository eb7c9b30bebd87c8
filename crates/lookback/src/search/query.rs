//! The words of a search, taken apart.

use crate::embedding::Embedding;
use crate::value::Problem;

/// The words of a search.
#[derive(Debug)]
pub(crate) struct Query {
    /// All of it in lower case, with single spaces.
    pub(super) phrase: String,
    /// The distinct words in lower case, in order, that hits are ranked by.
    pub(super) words: Vec<String>,
    /// Whether there were words that no row is fetched by.
    words_left_out: bool,
    /// Which likeness is wanted.
    pub(super) embedding: Option<Embedding>,
    /// The words that rows are fetched by, with the pieces that stand for them.
    pub(super) fetched: Vec<Fetched>,
}

/// A word that rows are fetched by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fetched {
    pub(super) word: String,
    /// Halves of the word: a row that has neither does not have the word, nor
    /// the word with one letter wrong, nor another ending of it.
    pub(super) halves: Vec<String>,
}

/// More would be a document, not a search.
const MAX_BYTES: usize = 4096;

/// Words that rows are fetched by: the longest ones, which tell most. Each
/// costs a comparison for every row.
const MAX_FETCHED: usize = 8;

/// Words that hits are ranked by, which are compared with every word of every
/// candidate.
const MAX_RANKED: usize = 16;

/// The shortest piece that says anything, in characters.
const MIN_HALF: usize = 3;

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_BYTES {
            return Err(Problem::new(format!(
                "is {} bytes long; at most {MAX_BYTES} are taken",
                text.len()
            )));
        }
        if text.contains('\0') {
            return Err(Problem::new("holds a NUL character, which no record does"));
        }
        let mut words: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let word = lower(word);
            if !words.contains(&word) {
                words.push(word);
            }
        }
        if words.is_empty() {
            return Err(Problem::new("must hold a word"));
        }

        let mut longest: Vec<&String> = words.iter().collect();
        longest.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
        let words_left_out = words.len() > MAX_FETCHED;
        let fetched = longest
            .iter()
            .take(MAX_FETCHED)
            .map(|word| Fetched {
                word: (*word).clone(),
                halves: halves(word),
            })
            .collect();
        let ranked: Vec<String> = longest.into_iter().take(MAX_RANKED).cloned().collect();
        words.retain(|word| ranked.contains(word));
        Ok(Self {
            phrase: lower(&text.split_whitespace().collect::<Vec<_>>().join(" ")),
            embedding: Embedding::of(text),
            words,
            words_left_out,
            fetched,
        })
    }

    /// Whether a row that has any of the words is fetched.
    pub(super) fn is_fetched_by_every_word(&self) -> bool {
        !self.words_left_out
    }
}

/// The text in lower case, character by character: the last sigma of a word is
/// as any other.
pub(super) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The two halves of the longest run of letters and digits in a word of six
/// characters or more: one wrong letter is in one of them and leaves the other
/// whole. Of four or five characters, the first and the last three, which most
/// wrong letters leave. None for a shorter word.
fn halves(word: &str) -> Vec<String> {
    let run: Vec<char> = word
        .split(|c: char| !c.is_alphanumeric())
        .max_by_key(|run| run.chars().count())
        .unwrap_or_default()
        .chars()
        .collect();
    if run.len() <= MIN_HALF {
        return Vec::new();
    }
    let half = MIN_HALF.max(run.len() / 2);
    let second = (run.len() - MIN_HALF).min(half);
    vec![run[..half].iter().collect(), run[second..].iter().collect()]
}

#[cfg(test)]
mod tests {
    use super::{Query, halves};

    #[test]
    fn a_wrong_letter_leaves_a_half() {
        assert_eq!(halves("conection"), ["cone", "ction"]);
        assert_eq!(halves("workerenv.init()"), ["work", "erenv"]);
        assert_eq!(halves("error"), ["err", "ror"]);
        assert_eq!(halves("dead"), ["dea", "ead"]);
        assert!(halves("api").is_empty());
        assert!(halves("++").is_empty());
    }

    #[test]
    fn words_are_distinct_and_folded() {
        let query = Query::parse("  Found child\tfound CHILD ").expect("words");
        assert_eq!(query.words, ["found", "child"]);
        assert_eq!(query.phrase, "found child found child");
    }

    #[test]
    fn no_words_are_no_search() {
        assert_eq!(
            Query::parse(" \n").map(|_| ()).unwrap_err().to_string(),
            "must hold a word"
        );
        assert!(Query::parse("a\0").is_err());
        assert!(Query::parse(&"x ".repeat(3000)).is_err());
    }
}
