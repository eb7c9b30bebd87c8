//! The hits of a search, compared with a plain evaluation of every record.

use std::collections::BTreeSet;

use lookback::embedding::Embedding;
use lookback::{Filter, Level, Log, NewLog};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

/// Words with similar spelling or meaning, and unrelated ones.
const WORDS: [&str; 24] = [
    "connection",
    "Connections",
    "conection",
    "refused",
    "refusing",
    "timeout",
    "time",
    "out",
    "database",
    "dataBase",
    "ledger",
    "the",
    "of",
    "7",
    "1608999687",
    "16089",
    "blk_-7",
    "[preauth]",
    "100%",
    "a_b",
    "ÅNGSTRÖM",
    "ångstrom",
    "!!",
    "pay",
];

pub(super) fn sentence() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&WORDS[..]), 1..6).prop_map(|words| words.join(" "))
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) source: &'static str,
    pub(super) level: Level,
    pub(super) message: String,
    pub(super) deleted: bool,
}

impl Row {
    /// The search fields in their order.
    fn texts(&self) -> [String; 3] {
        let level = self.level.to_string();
        [self.message.clone(), self.source.to_owned(), level]
    }

    fn lower(&self) -> String {
        self.texts().join("\n").to_lowercase()
    }
}

pub(super) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let level = prop::sample::select(vec![Level::Info, Level::Warn, Level::Error]);
    let source = prop::sample::select(vec!["API", "payments", "DB"]);
    let row = (source, level, sentence(), prop::bool::weighted(0.1)).prop_map(
        |(source, level, message, deleted)| Row {
            source,
            level,
            message,
            deleted,
        },
    );
    let row = row.boxed();
    prop_oneof![
        3 => prop::collection::vec(row.clone(), 1..40),
        1 => prop::collection::vec(row, 110..250),
    ]
}

/// A term of a search.
#[derive(Clone, Debug)]
pub(super) enum Term {
    Words(String),
    Phrase(String),
    Without(String),
    Field(&'static str),
}

fn term() -> impl Strategy<Value = Term> {
    let word = || prop::sample::select(&WORDS[..]).prop_map(str::to_owned);
    prop_oneof![
        6 => sentence().prop_map(Term::Words),
        1 => word().prop_map(Term::Phrase),
        1 => word().prop_map(Term::Without),
        1 => prop::sample::select(vec!["level:error", "-level:info", "source:PAY", "-source:db"]).prop_map(Term::Field),
    ]
}

fn search_text(terms: &[Term]) -> String {
    let terms: Vec<String> = terms
        .iter()
        .map(|term| match term {
            Term::Words(words) => words.clone(),
            Term::Phrase(phrase) => format!("\"{phrase}\""),
            Term::Without(word) => format!("-\"{word}\""),
            Term::Field(field) => (*field).to_owned(),
        })
        .collect();
    terms.join(" ")
}

/// A filter of the query, and its evaluation.
type Filtered = (fn() -> Filter<Log>, fn(i64, &Row) -> bool);

const FILTERS: [Filtered; 7] = [
    (|| Log::id().gt(0), |_, _| true),
    (|| Log::source().ne("DB"), |_, row| row.source != "DB"),
    (
        || Log::level().eq(Level::Error),
        |_, row| row.level == Level::Error,
    ),
    (
        || Log::message().like("%con%"),
        |_, row| row.message.contains("con"),
    ),
    (
        || Log::message().ilike("%CON%") | Log::level().eq(Level::Warn),
        |_, row| row.message.to_lowercase().contains("con") || row.level == Level::Warn,
    ),
    (|| Log::id().gt(20), |id, _| id > 20),
    (
        || !(Log::source().eq("API") & Log::id().lt(60)),
        |id, row| row.source != "API" || id >= 60,
    ),
];

#[derive(Clone, Copy, Debug)]
pub(super) enum Deleted {
    Without,
    With,
    Only,
}

#[derive(Clone, Debug)]
pub(super) struct GeneratedSearch {
    terms: Vec<Term>,
    filter: usize,
    deleted: Deleted,
}

pub(super) fn generated_search() -> impl Strategy<Value = GeneratedSearch> {
    let deleted = prop_oneof![
        4 => Just(Deleted::Without),
        1 => Just(Deleted::With),
        1 => Just(Deleted::Only),
    ];
    let terms = prop::collection::vec(term(), 1..4);
    (terms, 0..FILTERS.len(), deleted).prop_map(|(terms, filter, deleted)| GeneratedSearch {
        terms,
        filter,
        deleted,
    })
}

impl GeneratedSearch {
    pub(super) fn query(&self) -> lookback::QueryBuilder<Log> {
        let query = Log::records()
            .filter(FILTERS[self.filter].0())
            .search(search_text(&self.terms))
            .limit(1_000);
        match self.deleted {
            Deleted::Without => query,
            Deleted::With => query.with_deleted(),
            Deleted::Only => query.only_deleted(),
        }
    }

    /// The filter and the mode alone.
    pub(super) fn unsearched(&self) -> lookback::QueryBuilder<Log> {
        Log::records().filter(FILTERS[self.filter].0())
    }

    /// Whether a row passes filters, phrases and exclusions.
    fn passes(&self, id: i64, row: &Row) -> bool {
        let lower = row.lower();
        let is_there = match self.deleted {
            Deleted::Without => !row.deleted,
            Deleted::With => true,
            Deleted::Only => row.deleted,
        };
        is_there
            && FILTERS[self.filter].1(id, row)
            && self.terms.iter().all(|term| match term {
                Term::Words(_) => true,
                Term::Phrase(phrase) => lower.contains(&phrase.to_lowercase()),
                Term::Without(word) => !lower.contains(&word.to_lowercase()),
                Term::Field("level:error") => row.level == Level::Error,
                Term::Field("-level:info") => row.level != Level::Info,
                Term::Field("source:PAY") => row.source == "payments",
                Term::Field("-source:db") => row.source != "DB",
                Term::Field(other) => unreachable!("{other}"),
            })
    }

    /// Words as typed, those of phrases first.
    fn typed(&self) -> Vec<&str> {
        let phrases = self.terms.iter().filter_map(|term| match term {
            Term::Phrase(text) => Some(text),
            _ => None,
        });
        let words = self.terms.iter().filter_map(|term| match term {
            Term::Words(text) => Some(text),
            _ => None,
        });
        phrases
            .chain(words)
            .flat_map(|text| text.split(' '))
            .collect()
    }

    /// The words that make a hit: those of three letters or more that are not stop
    /// words, or all words if there are none of these.
    fn significant(&self) -> BTreeSet<String> {
        let typed = self.typed();
        let mut words: BTreeSet<String> = typed
            .iter()
            .flat_map(|word| word.split(|c: char| !c.is_alphanumeric()))
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        if words.is_empty() {
            return typed.iter().map(|word| (*word).to_owned()).collect();
        }
        let is_significant = |word: &String| word.chars().count() >= 3 && word != "the";
        if words.iter().any(is_significant) {
            words.retain(is_significant);
        }
        words
    }

    /// Fragments of a word: a text with the word, misspelt or not, has one of them.
    fn fragments(word: &str) -> Vec<String> {
        let letters: Vec<char> = word.chars().collect();
        if letters.len() <= 3 || letters.iter().all(char::is_ascii_digit) {
            return vec![word.to_owned()];
        }
        let length = 3.max((letters.len() - 1) / 2);
        let (start, end) = (&letters[..length], &letters[letters.len() - length..]);
        vec![start.iter().collect(), end.iter().collect()]
    }

    /// Whether a row that passes must be a hit, and whether it may be, as documented.
    /// In between, the similarity of two words decides: it depends on the encoder's table,
    /// which is not public.
    fn bounds(&self, row: &Row) -> (bool, bool) {
        let lower = row.lower();
        let typed = self.typed();
        let has_phrase = self
            .terms
            .iter()
            .any(|term| matches!(term, Term::Phrase(_)));
        if has_phrase || typed.is_empty() {
            return (true, true);
        }
        let significant = self.significant();
        let has_word = significant.iter().any(|word| lower.contains(word));
        let has_fragment = significant
            .iter()
            .flat_map(|word| Self::fragments(word))
            .any(|fragment| lower.contains(&fragment));
        let query = Embedding::of(&typed.join(" "));
        let text = Embedding::of(&row.texts().join(" "));
        let is_near = query
            .zip(text)
            .is_some_and(|(query, text)| query.cosine(&text) > 0.4999);
        // With more than eight words, the longest fetch rows.
        (has_word && significant.len() <= 8, has_fragment || is_near)
    }
}

#[tokio::test]
async fn search_finds_same_as_plain_evaluation() {
    let db = testkit::database().await;
    let mut runner = crate::random::runner(20);
    let strategy = (rows(), prop::collection::vec(generated_search(), 12));
    for _ in 0..runner.config().cases {
        let (rows, generated) = strategy.new_tree(&mut runner).unwrap().current();
        sqlx::query("TRUNCATE logs RESTART IDENTITY")
            .execute(&db.pool)
            .await
            .unwrap();
        let new: Vec<NewLog> = rows
            .iter()
            .map(|row| NewLog::new(row.source, row.level, row.message.as_str()))
            .collect();
        Log::records().create_many(&db.pool, &new).await.unwrap();
        for (id, row) in (1..).zip(&rows) {
            if row.deleted {
                Log::records().delete(&db.pool, id).await.unwrap();
            }
        }
        for generated in &generated {
            check(&db, &rows, generated).await;
        }
    }
}

async fn check(db: &testkit::Database, rows: &[Row], generated: &GeneratedSearch) {
    let query = generated.query();
    let all = query.clone().list(&db.pool).await.unwrap();
    let ids: Vec<i64> = all.data.iter().map(|log| log.id).collect();
    let found: BTreeSet<i64> = ids.iter().copied().collect();
    assert_eq!(found.len(), ids.len());
    for (id, row) in (1..).zip(rows) {
        let is_found = found.contains(&id);
        if !generated.passes(id, row) {
            assert!(!is_found, "{generated:?} finds {id}, {row:?}");
            continue;
        }
        let (must, may) = generated.bounds(row);
        assert!(is_found || !must, "{generated:?} leaves out {id}, {row:?}");
        assert!(!is_found || may, "{generated:?} finds {id}, {row:?}");
        // Exactly, by the rules of the library for one row without a database.
        let embedding = Embedding::of(&row.texts().join(" "));
        let search = search_text(&generated.terms);
        let expected = lookback::__private::finds::<Log>(&search, &row.texts(), embedding.as_ref());
        assert_eq!(is_found, expected, "{generated:?}: {id}, {row:?}");
    }
    assert_eq!(all.total.value(), ids.len() as u64, "{generated:?}");
    // The total is a floor if there are more words than fetch rows.
    assert!(
        all.total.is_exact() || generated.significant().len() > 8,
        "{generated:?}"
    );

    // Consecutive pages equal one long page, and hits are in its order.
    let mut paged = Vec::new();
    let length = 7.max(u32::try_from(ids.len()).unwrap() / 3);
    let mut next = query.clone().limit(length);
    loop {
        let hits = next.hits(&db.pool).await.unwrap();
        assert_eq!(hits.total, all.total);
        assert!(hits.data.windows(2).all(|two| two[0].score > two[1].score
            || two[0].score == two[1].score && two[0].record.id > two[1].record.id));
        paged.extend(hits.data.iter().map(|hit| hit.record.id));
        for highlight in hits.data.iter().flat_map(|hit| &hit.highlights) {
            for range in &highlight.ranges {
                assert!(!highlight.text[range.clone()].is_empty());
            }
        }
        match hits.next {
            Some(cursor) => next = query.clone().limit(length).after(cursor),
            None => break,
        }
    }
    assert_eq!(paged, ids, "{generated:?}");
}
