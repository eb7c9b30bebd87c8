//! Searches over the sample log lines.

use chrono::SecondsFormat;

use super::lines::{MILLISECONDS, fill, line_time, log_line, rare_word, trace_id};
use super::templates::{PARAPHRASES, TEMPLATES};
use super::{Random, lines::KINDS};

/// A search text with filters.
#[derive(Clone, Debug)]
pub struct Search {
    /// The class of the query: `common`, `rare`, `mixed`, `part`, `id`, `typo` or
    /// `paraphrase`.
    pub class: &'static str,
    /// The words.
    pub words: String,
    /// Filters such as `level=error`, for `Filter::parse_all`.
    ///
    /// Two of three searches have none.
    pub filters: Vec<String>,
}

/// Generates endless searches over lines `0..lines` of [`log_lines`](super::log_lines)`(data, …)`.
///
/// They are deterministic by seed. Searches for ids, and some of the others, come from an existing
/// line. A misspelling or a paraphrase may have no lexical match.
pub fn searches(seed: u64, data: u64, lines: u64) -> impl Iterator<Item = Search> + Send {
    let mut random = Random::new(seed);
    std::iter::repeat_with(move || search(&mut random, data, lines))
}

fn search(random: &mut Random, data: u64, lines: u64) -> Search {
    let position = random.below(lines.max(1));
    let line = log_line(data, position);
    let words = content_words(&line.message);
    let any = content_words(&fill(random.pick(TEMPLATES).2, random));
    let (class, words) = match random.below(8) {
        0 => ("common", some(random, &words, 2)),
        1 => ("common", some(random, &words, 1)),
        2 => ("rare", rare_word(random)),
        3 => (
            "mixed",
            format!("{} {}", some(random, &words, 1), rare_word(random)),
        ),
        4 => ("part", {
            let word = some(random, &any, 1);
            part(random, &word)
        }),
        5 => ("id", id(random, &line.message)),
        6 => ("typo", {
            let words = some(random, &words, 2);
            typo(random, &words)
        }),
        _ => ("paraphrase", (*random.pick(PARAPHRASES)).to_owned()),
    };
    Search {
        class,
        words,
        filters: filters(random, data, lines, position),
    }
}

fn filters(random: &mut Random, data: u64, lines: u64, position: u64) -> Vec<String> {
    match random.below(15) {
        0 => vec!["level=error".to_owned()],
        1 => vec![format!("source={}", random.pick(&KINDS.templates).0)],
        2 => {
            // An hour, a day or a tenth of all lines, whichever is shortest.
            let hour = 3_600_000 / MILLISECONDS;
            let length = (*random.pick(&[hour, 24 * hour])).min(lines / 10).max(1);
            let first = random.below(lines.saturating_sub(length).max(1));
            let time = |position| line_time(position).to_rfc3339_opts(SecondsFormat::Millis, true);
            vec![
                format!("created_at__gte={}", time(first)),
                format!("created_at__lt={}", time(first + length)),
            ]
        }
        3 => vec![format!("trace_id={}", trace_id(data, position))],
        4 => vec![
            "level__in=warn,error".to_owned(),
            format!("source={}", log_line(data, position).source),
        ],
        _ => Vec::new(),
    }
}

/// Returns the words of a text with three or more letters and no digits.
fn content_words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphabetic() && !c.is_ascii_digit());
    let of_letters = |word: &&str| word.len() > 2 && word.chars().all(char::is_alphabetic);
    words.filter(of_letters).map(str::to_owned).collect()
}

/// Picks `count` consecutive words.
fn some(random: &mut Random, words: &[String], count: usize) -> String {
    if words.is_empty() {
        return "error".to_owned();
    }
    let last = words.len().saturating_sub(count);
    let first = usize::try_from(random.below(last as u64 + 1)).unwrap_or(0);
    words[first..words.len().min(first + count)].join(" ")
}

/// Returns the first or the last letters of a word.
fn part(random: &mut Random, word: &str) -> String {
    let length = (word.len() * 2 / 3).max(3).min(word.len());
    match random.below(2) {
        0 => word[..length].to_owned(),
        _ => word[word.len() - length..].to_owned(),
    }
}

/// Returns the longest word of a text with a digit, otherwise the longest word.
fn id(random: &mut Random, text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.retain(|word| word.len() > 2 && word.contains(|c: char| c.is_ascii_digit()));
    let longest = words.iter().max_by_key(|word| word.len());
    match longest {
        Some(word) => word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned(),
        None => random.below(100_000).to_string(),
    }
}

/// Misspells a word: one letter is wrong, missing or doubled, or two are swapped.
fn typo(random: &mut Random, words: &str) -> String {
    let mut letters: Vec<char> = words.chars().collect();
    let at = usize::try_from(random.below(letters.len().saturating_sub(1).max(1) as u64));
    let at = at.unwrap_or(0);
    match random.below(4) {
        0 => letters[at] = 'x',
        1 => drop(letters.remove(at)),
        2 => letters.insert(at, letters[at]),
        _ => letters.swap(at, (at + 1).min(words.len() - 1)),
    }
    letters.into_iter().collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use lookback::{Filter, Log};

    use super::*;

    #[test]
    fn searches_differ_and_are_deterministic_by_seed() {
        let of = |seed| {
            searches(seed, 42, 100_000)
                .take(2_000)
                .collect::<Vec<Search>>()
        };
        let (searches, again) = (of(1), of(1));
        let mut classes = BTreeMap::<&str, usize>::new();
        let mut filtered = 0;
        for (search, again) in searches.iter().zip(&again) {
            assert_eq!(search.words, again.words);
            assert_eq!(search.filters, again.filters);
            assert!(!search.words.trim().is_empty(), "{search:?}");
            *classes.entry(search.class).or_default() += 1;
            filtered += usize::from(!search.filters.is_empty());
            Filter::<Log>::parse_all(&search.filters).unwrap();
        }
        assert_eq!(classes.len(), 7, "{classes:?}");
        assert!(classes.values().all(|count| *count > 150), "{classes:?}");
        assert!((500..900).contains(&filtered), "{filtered}");
        let words: BTreeSet<&str> = searches.iter().map(|search| &*search.words).collect();
        assert!(words.len() > 1_000, "{}", words.len());
        let other = of(2);
        assert!(other.iter().zip(&searches).any(|(a, b)| a.words != b.words));
    }
}
