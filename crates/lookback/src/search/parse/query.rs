//! The words of a search: what rows are fetched by, and what hits are ranked
//! by.

use std::collections::HashSet;

use crate::embedding::Embedding;
use crate::search::parse::terms::Terms;
use crate::search::parse::text::{lower, runs};

/// The words of a search.
#[derive(Debug)]
pub(crate) struct Query {
    /// What must be in the text, as typed.
    pub(in crate::search) phrases: Vec<String>,
    /// The words as typed, with single spaces between them.
    pub(in crate::search) all: String,
    /// The same in lower case.
    phrase: String,
    /// The distinct words in lower case, in order, that hits are ranked by.
    pub(in crate::search) words: Vec<String>,
    /// The words that rows are fetched by.
    pub(in crate::search) fetched: Vec<Fetched>,
    /// Whether there are words that tell something and no row is fetched by.
    pub(in crate::search) leaves_words_out: bool,
    /// Which likeness is wanted.
    pub(in crate::search) embedding: Option<Embedding>,
}

/// A word that rows are fetched by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::search) struct Fetched {
    pub(in crate::search) word: String,
    /// Its place in the words of the query.
    pub(in crate::search) place: usize,
    /// Pieces of the word: a row that has none of them does not have the word,
    /// nor the word with one letter wrong, nor another ending of it.
    pub(in crate::search) pieces: Vec<String>,
}

/// Words that rows are fetched by: the longest ones, which tell most. Each
/// costs comparisons for every row that has any of them.
const MAX_FETCHED: usize = 8;

/// Words that hits are ranked by: those that rows are fetched by, and the first
/// others.
const MAX_RANKED: usize = 24;

/// The shortest piece that says anything, and that a trigram index serves, in
/// characters.
const MIN_PIECE: usize = 3;

impl Query {
    /// The words of `terms`, which has some.
    pub(crate) fn new(terms: &Terms) -> Self {
        let typed: Vec<&str> = terms
            .phrases
            .iter()
            .chain(&terms.words)
            .flat_map(|words| words.split_whitespace())
            .collect();
        let mut words = distinct(typed.iter().flat_map(|word| runs(word)));
        if words.is_empty() {
            // Nothing but signs: they are looked for as they stand.
            words = distinct(typed.iter().copied());
        }
        let all = typed.join(" ");
        let (mut fetched, leaves_words_out) = fetched(&words);
        let words = ranked(words, &mut fetched);
        Self {
            phrases: terms.phrases.clone(),
            phrase: lower(&all),
            embedding: Embedding::of(&all),
            all,
            fetched,
            leaves_words_out,
            words,
        }
    }

    /// The words as typed, if they are more than one word: with signs in or
    /// around it, a word is too.
    pub(in crate::search) fn phrase(&self) -> Option<&str> {
        let is_one_word = self.words.len() == 1 && self.words[0] == self.phrase;
        (!is_one_word).then_some(self.phrase.as_str())
    }

    /// Whether rows are fetched by their embedding: not where a phrase says
    /// which.
    pub(in crate::search) fn is_fetched_by_likeness(&self) -> bool {
        self.embedding.is_some() && self.phrases.is_empty()
    }
}

/// The distinct words in lower case, in order.
fn distinct<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut known = HashSet::new();
    let words = words.map(lower);
    words.filter(|word| known.insert(word.clone())).collect()
}

/// The words that hits are ranked by: those that rows are fetched by, and of the
/// others the first. The places of the fetched ones are then among these.
fn ranked(words: Vec<String>, fetched: &mut [Fetched]) -> Vec<String> {
    let mut others = MAX_RANKED.saturating_sub(fetched.len());
    let mut ranked = Vec::with_capacity(words.len().min(MAX_RANKED));
    for word in words {
        match fetched.iter_mut().find(|fetched| fetched.word == word) {
            Some(fetched) => fetched.place = ranked.len(),
            None if others > 0 => others -= 1,
            None => continue,
        }
        ranked.push(word);
    }
    ranked
}

/// The longest words that tell something, or if none does, the longest; and
/// whether there are others.
fn fetched(words: &[String]) -> (Vec<Fetched>, bool) {
    let length = |word: &str| word.chars().count();
    let any_tells = words.iter().any(|word| tells(word));
    let mut longest: Vec<Fetched> = words
        .iter()
        .enumerate()
        .filter(|(_, word)| tells(word) || !any_tells)
        .map(|(place, word)| Fetched {
            word: word.clone(),
            place,
            pieces: pieces(word),
        })
        .collect();
    longest.sort_by_key(|fetched| std::cmp::Reverse(length(&fetched.word)));
    let leaves_out = longest.len() > MAX_FETCHED;
    longest.truncate(MAX_FETCHED);
    (longest, leaves_out)
}

/// Whether a word says something of the texts that have it.
pub(in crate::search) fn tells(word: &str) -> bool {
    word.chars().count() >= MIN_PIECE && !STOP_WORDS.contains(&word)
}

/// English words that are in every text and say nothing of it.
const STOP_WORDS: [&str; 37] = [
    "the", "and", "for", "was", "were", "are", "not", "but", "with", "from", "that", "this", "has",
    "have", "had", "its", "into", "been", "being", "can", "could", "did", "does", "will", "would",
    "should", "which", "when", "what", "who", "why", "how", "then", "than", "there", "their",
    "our",
];

/// The start and the end of a word of six characters or more, with at least one
/// character between them from eight on, so that one wrong letter or two that
/// changed places leave one of them whole. Of four or five, the first and the
/// last three. None for a shorter word, which has to be there as it stands, nor
/// for digits: a number with another digit is another number.
fn pieces(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() <= MIN_PIECE
        || !letters.iter().all(|c| c.is_alphanumeric())
        || letters.iter().all(|c| c.is_numeric())
    {
        return Vec::new();
    }
    let length = MIN_PIECE.max((letters.len() - 1) / 2);
    let end = letters.len() - length;
    vec![
        letters[..length].iter().collect(),
        letters[end..].iter().collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Query, pieces};
    use crate::search::Terms;
    use crate::{Log, Model as _};

    fn query(text: &str) -> Query {
        Query::new(&Terms::parse(Log::TABLE, text))
    }

    #[test]
    fn a_wrong_letter_leaves_a_piece() {
        assert_eq!(pieces("conection"), ["cone", "tion"]);
        assert_eq!(pieces("error"), ["err", "ror"]);
        assert_eq!(pieces("dead"), ["dea", "ead"]);
        for whole in ["api", "++", "1608999687919862906"] {
            assert!(pieces(whole).is_empty());
        }
    }

    #[test]
    fn words_are_distinct_and_folded() {
        let query = query("  Found child\tfound CHILD workerEnv.init() ");
        assert_eq!(query.words, ["found", "child", "workerenv", "init"]);
        assert_eq!(query.phrase, "found child found child workerenv.init()");
    }

    #[test]
    fn the_words_to_fetch_by_are_chosen_from_all() {
        let short: String = ('a'..='z').map(|c| format!("{c}{c}{c} ")).collect();
        let query = query(&format!("{short} needles"));
        assert_eq!(query.words.len(), 24);
        assert_eq!(query.words.last().map(String::as_str), Some("needles"));
        assert_eq!(query.fetched[0].word, "needles");
        for fetched in &query.fetched {
            assert_eq!(query.words[fetched.place], fetched.word);
        }
        assert!(query.leaves_words_out);
    }

    #[test]
    fn rows_are_fetched_by_words_that_tell_something() {
        let fetched = |text| {
            query(text)
                .fetched
                .into_iter()
                .map(|f| f.word)
                .collect::<Vec<_>>()
        };
        assert_eq!(fetched("the block is in use"), ["block", "use"]);
        assert_eq!(fetched("the is"), ["the", "is"]);
        assert_eq!(fetched("?! .."), ["?!", ".."]);
        assert_eq!(
            fetched(
                &('a'..='z')
                    .map(|c| format!("{c}{c}{c} "))
                    .collect::<String>()
            )
            .len(),
            8
        );
    }
}
