//! The words of a search: those that fetch rows, and those that rank hits.

use crate::embedding::Embedding;
use crate::filter::MatchedWord;
use crate::filter::words::{
    MIN_FRAGMENT, STOP_WORDS, TypedWord, allows_partial_match, distinct, is_function_word,
    typed_words,
};
use crate::letters::{self, fold, is_unspaced};
use crate::search::parse::terms::Terms;

/// The words of a search.
#[derive(Debug)]
pub(crate) struct Query {
    /// Phrases that the text must contain, as typed.
    pub(in crate::search) phrases: Vec<String>,
    /// The words as typed, with single spaces between them.
    pub(in crate::search) all: String,
    /// The words and what else may be a part of a pasted text, as typed.
    pub(in crate::search) typed: String,
    /// Whether the phrase counts only where it is not a part of longer words.
    pub(in crate::search) is_whole: bool,
    /// `typed`, folded.
    phrase: String,
    /// The distinct words, folded, in order, that rank hits.
    pub(in crate::search) words: Vec<String>,
    /// The words as typed.
    pub(in crate::search) typed_words: Vec<String>,
    /// Which of the words are ids that a text may have with separators.
    pub(in crate::search) ids: Vec<bool>,
    /// The words that fetch rows.
    pub(in crate::search) fetch_words: Vec<FetchWord>,
    /// The indexes of the words that a text must have to have all of them: no
    /// function words, unless there are no others.
    pub(in crate::search) required: Vec<usize>,
    /// Whether there are significant words that fetch no row.
    pub(in crate::search) has_unfetched_words: bool,
    /// The embedding of all words.
    pub(in crate::search) embedding: Option<Embedding>,
}

/// A word that fetches rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::search) struct FetchWord {
    /// The word, folded.
    pub(in crate::search) word: String,
    /// The word as typed, without the separators of an id.
    pub(in crate::search) typed: String,
    pub(in crate::search) is_id: bool,
    /// The regular expression of the word with accents and the like.
    pub(in crate::search) near_letters: Option<String>,
    /// Its index in the words of the query.
    pub(in crate::search) index: usize,
    /// Fragments of the word. A row with none of them has neither the word, nor
    /// the word with one wrong letter, nor an inflection of it.
    pub(in crate::search) fragments: Vec<String>,
}

/// The number of words that fetch rows: the longest ones, which are the most
/// selective. Each costs comparisons for every row that has any of them.
const MAX_FETCH_WORDS: usize = 8;

/// The number of words that rank hits: those that fetch rows, and the first of
/// the others.
const MAX_RANKED_WORDS: usize = 24;

impl Query {
    /// Creates the query of `terms`, which has words or phrases.
    pub(crate) fn new(terms: &Terms) -> Self {
        let typed: Vec<&str> = terms
            .phrases
            .iter()
            .chain(&terms.words)
            .flat_map(|words| words.split_whitespace())
            .collect();
        let mut words = distinct(typed_words(&typed).into_iter());
        if words.is_empty() {
            // Punctuation alone is searched for as it is.
            words = distinct(typed.iter().map(|typed| [TypedWord::new(typed)]));
        }
        let all = typed.join(" ");
        // With the exclusions that may be a part of it.
        let phrases = terms.phrases.iter();
        let phrases = phrases.flat_map(|phrase| phrase.split_whitespace());
        let as_typed = phrases.chain(terms.typed.iter().map(String::as_str));
        let as_typed = as_typed.collect::<Vec<&str>>().join(" ");
        let (mut fetch_words, has_unfetched_words) = fetch_words(&words);
        let words = ranked(words, &mut fetch_words);
        let has_other_words = words.iter().any(|word| !is_function_word(&word.word));
        let required = words.iter().enumerate();
        let required =
            required.filter(|(_, word)| !has_other_words || !is_function_word(&word.word));
        let required = required.map(|(index, _)| index).collect();
        Self {
            required,
            phrases: terms.phrases.clone(),
            is_whole: false,
            phrase: fold(&as_typed),
            typed: as_typed,
            embedding: Embedding::of(&all),
            all,
            fetch_words,
            has_unfetched_words,
            ids: words.iter().map(|word| word.is_id).collect(),
            typed_words: words.iter().map(|word| word.typed.clone()).collect(),
            words: words.into_iter().map(|word| word.word).collect(),
        }
    }

    /// Returns the words as typed, if they are more than one word. With
    /// punctuation in or around it, a single word is a phrase too.
    pub(in crate::search) fn phrase(&self) -> Option<&str> {
        let is_one_word = self.words.len() == 1 && self.words[0] == self.phrase;
        (!is_one_word).then_some(self.phrase.as_str())
    }

    /// Returns a query for the words as typed: a phrase, not within longer words.
    pub(in crate::search) fn as_phrase(&self) -> Self {
        Self {
            is_whole: true,
            ..Self::new(&Terms {
                phrases: vec![self.typed.clone()],
                ..Terms::default()
            })
        }
    }

    /// Returns the words that a text must have to have all of them, as a filter.
    pub(crate) fn required_words(&self) -> Vec<MatchedWord> {
        let required = self.required.iter();
        let required = required.map(|index| MatchedWord {
            text: self.typed_words[*index].clone(),
            is_id: self.ids[*index],
        });
        required.collect()
    }

    /// Returns the number of words that rank hits.
    pub(crate) fn word_count(&self) -> usize {
        self.words.len()
    }

    /// Returns whether every hit must contain a phrase.
    pub(crate) fn has_phrases(&self) -> bool {
        !self.phrases.is_empty()
    }

    /// Returns whether rows are also fetched by their embedding. With a phrase,
    /// they are not: the phrase decides.
    pub(in crate::search) fn has_vector_candidates(&self) -> bool {
        self.embedding.is_some() && self.phrases.is_empty()
    }
}

impl TypedWord {
    /// Returns the fragments of the word and, of one with accents, those without.
    fn fragments(&self) -> Vec<String> {
        if self.is_id {
            return Vec::new();
        }
        let own = fragments(&self.typed);
        if self.word.eq_ignore_ascii_case(&self.typed) {
            return own;
        }
        let or_whole = |fragments: Vec<String>, whole: &str| {
            if fragments.is_empty() {
                vec![whole.to_owned()]
            } else {
                fragments
            }
        };
        let folded = or_whole(fragments(&self.word), &self.word);
        let mut all = or_whole(own, &self.typed);
        all.extend(folded);
        all.dedup();
        all
    }
}

/// Returns the words that rank hits: those that fetch rows, and the first of
/// the others. Sets the places of the fetching words to their index among
/// these.
fn ranked(words: Vec<TypedWord>, fetched: &mut [FetchWord]) -> Vec<TypedWord> {
    let mut others = MAX_RANKED_WORDS.saturating_sub(fetched.len());
    let mut ranked = Vec::with_capacity(words.len().min(MAX_RANKED_WORDS));
    for word in words {
        match fetched.iter_mut().find(|fetched| fetched.word == word.word) {
            Some(fetched) => fetched.index = ranked.len(),
            None if others > 0 => others -= 1,
            None => continue,
        }
        ranked.push(word);
    }
    ranked
}

/// Returns the longest significant words, or the longest words if none is
/// significant; and whether there are others.
fn fetch_words(words: &[TypedWord]) -> (Vec<FetchWord>, bool) {
    let length = |word: &str| word.chars().count();
    let any_is_significant = words.iter().any(|word| is_significant(&word.word));
    let mut longest: Vec<FetchWord> = words
        .iter()
        .enumerate()
        .filter(|(_, word)| is_significant(&word.word) || !any_is_significant)
        .map(|(index, word)| FetchWord {
            word: word.word.clone(),
            typed: word.typed.clone(),
            is_id: word.is_id,
            near_letters: if word.is_id {
                None
            } else {
                letters::near_letters(&word.word)
            },
            index,
            fragments: word.fragments(),
        })
        .collect();
    longest.sort_by_key(|fetched| std::cmp::Reverse(length(&fetched.word)));
    let leaves_out = longest.len() > MAX_FETCH_WORDS;
    longest.truncate(MAX_FETCH_WORDS);
    (longest, leaves_out)
}

/// Returns whether a word is no stop word and long enough to be selective.
pub(in crate::search) fn is_significant(word: &str) -> bool {
    let is_long = word.chars().count() >= MIN_FRAGMENT || word.contains(is_unspaced);
    is_long && !STOP_WORDS.contains(&word)
}

/// Returns the fragments of a word: its start and its end.
///
/// In a word of six characters or more, one wrong letter leaves one of the two
/// intact. From seven characters on, they are at least one character apart, so
/// that two swapped letters leave one intact, too. In a word of four or five,
/// they are the first and the last three characters. A shorter word, a word
/// with punctuation and a number have none, and must match as they are: a
/// number with another digit is another number. A word that matches only as a
/// whole word is its own fragment: a row may have it as a part of another.
fn fragments(word: &str) -> Vec<String> {
    if !allows_partial_match(word) {
        return vec![word.to_owned()];
    }
    let letters: Vec<char> = word.chars().collect();
    // In a script without spaces, two characters are a word.
    let least = if word.contains(is_unspaced) {
        2
    } else {
        MIN_FRAGMENT
    };
    if letters.len() <= least
        || !letters.iter().all(|c| c.is_alphanumeric())
        || letters.iter().all(|c| c.is_numeric())
    {
        return Vec::new();
    }
    let length = if least == MIN_FRAGMENT {
        MIN_FRAGMENT.max((letters.len() - 1) / 2)
    } else {
        least
    };
    let end = letters.len() - length;
    vec![
        letters[..length].iter().collect(),
        letters[end..].iter().collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Query, fragments};
    use crate::search::Terms;
    use crate::{Log, Model as _};

    fn query(text: &str) -> Query {
        Query::new(&Terms::parse(Log::TABLE, text))
    }

    #[test]
    fn fragments_are_start_and_end_of_word() {
        assert_eq!(fragments("conection"), ["cone", "tion"]);
        assert_eq!(fragments("error"), ["err", "ror"]);
        assert_eq!(fragments("dead"), ["dea", "ead"]);
        for whole in ["api", "++", "1608999687919862906"] {
            assert!(fragments(whole).is_empty());
        }
    }

    #[test]
    fn query_words_are_distinct_and_folded() {
        let query = query("  Found child\tfound CHILD workerEnv.init() ");
        assert_eq!(query.words, ["found", "child", "workerenv", "init"]);
        assert_eq!(query.phrase, "found child found child workerenv.init()");
    }

    #[test]
    fn fetch_words_are_chosen_from_all_words() {
        let short: String = ('a'..='z').map(|c| format!("{c}{c}{c} ")).collect();
        let query = query(&format!("{short} needles"));
        assert_eq!(query.words.len(), 24);
        assert_eq!(query.words.last().map(String::as_str), Some("needles"));
        assert_eq!(query.fetch_words[0].word, "needles");
        for word in &query.fetch_words {
            assert_eq!(query.words[word.index], word.word);
        }
        assert!(query.has_unfetched_words);
    }

    #[test]
    fn fetch_words_exclude_stop_words() {
        let fetched = |text| {
            query(text)
                .fetch_words
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
