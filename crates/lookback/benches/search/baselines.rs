//! Baseline rankings over the same lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use lookback::embedding::Embedding;
use lookback::{Log, Model as _};
use sqlx::{PgPool, Row as _};

use super::judged::Line;

/// Indexes of lines, the best first, and the elapsed time.
pub(crate) type Answer = (Vec<usize>, Duration);

const ANSWERS: usize = 10;

pub(crate) struct Baselines {
    pool: PgPool,
    words: Vec<HashMap<String, usize>>,
    /// The number of lines with a word.
    having_word: HashMap<String, usize>,
    trigrams: Vec<BTreeSet<String>>,
    having_trigram: HashMap<String, usize>,
    first_id: i64,
}

impl Baselines {
    /// `lines` are the rows of the database, in order.
    pub(crate) async fn new(pool: &PgPool, lines: &[Line]) -> Self {
        let words: Vec<HashMap<String, usize>> =
            lines.iter().map(|line| counted(&line.text)).collect();
        let trigrams: Vec<BTreeSet<String>> =
            lines.iter().map(|line| trigrams(&line.text)).collect();
        let mut having_word = HashMap::new();
        for word in words.iter().flat_map(HashMap::keys) {
            *having_word.entry(word.clone()).or_default() += 1;
        }
        let mut having_trigram = HashMap::new();
        for trigram in trigrams.iter().flatten() {
            *having_trigram.entry(trigram.clone()).or_default() += 1;
        }
        let first = format!("SELECT min(id) FROM {}", Log::TABLE.name());
        let first_id: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(first))
            .fetch_one(pool)
            .await
            .unwrap();
        Self {
            pool: pool.clone(),
            words,
            having_word,
            trigrams,
            having_trigram,
            first_id,
        }
    }

    pub(crate) async fn answers(&self, query: &str) -> Vec<(&'static str, Answer)> {
        let clock = Instant::now();
        let naive = self.naive(query).await;
        let naive = (naive, clock.elapsed());
        vec![
            ("`ILIKE` of the query, then cosine", naive),
            ("BM25 over words", timed(|| self.bm25(query))),
            (
                "IDF-weighted trigrams",
                timed(|| self.trigram_coverage(query)),
            ),
        ]
    }

    /// Lines that contain the query verbatim, then the nearest embeddings.
    async fn naive(&self, query: &str) -> Vec<usize> {
        let escaped = query
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_");
        let vector = Embedding::of(query).map(|e| pgvector::Vector::from(e.as_slice().to_vec()));
        let rows = sqlx::query(
            "SELECT id FROM logs \
             ORDER BY message || ' ' || source || ' ' || level ILIKE '%' || $1 || '%' DESC, embedding <=> $2, id DESC \
             LIMIT 10",
        )
        .bind(escaped)
        .bind(vector)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        rows.iter()
            .map(|row| usize::try_from(row.get::<i64, _>(0) - self.first_id).unwrap())
            .collect()
    }

    /// Okapi BM25 with k1 = 1.2 and b = 0.75.
    fn bm25(&self, query: &str) -> Vec<usize> {
        let count = self.words.len() as f64;
        let lengths: Vec<f64> = self
            .words
            .iter()
            .map(|words| words.values().sum::<usize>() as f64)
            .collect();
        let mean = lengths.iter().sum::<f64>() / count.max(1.0);
        let wanted: BTreeMap<String, usize> = counted(query).into_iter().collect();
        let scores = self.words.iter().zip(&lengths).map(|(words, length)| {
            let of_word = |word: &String| {
                let times = words.get(word).copied().unwrap_or(0) as f64;
                let having = self.having_word.get(word).copied().unwrap_or(0) as f64;
                let idf = (1.0 + (count - having + 0.5) / (having + 0.5)).ln();
                idf * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / mean))
            };
            wanted.keys().map(of_word).sum()
        });
        best(scores.collect())
    }

    /// The share of the query's trigrams in a line, weighted by rarity.
    fn trigram_coverage(&self, query: &str) -> Vec<usize> {
        let count = self.trigrams.len() as f64;
        let wanted: Vec<(String, f64)> = trigrams(query)
            .into_iter()
            .map(|trigram| {
                let having = self.having_trigram.get(&trigram).copied().unwrap_or(0) as f64;
                let idf = ((count + 1.0) / (having + 1.0)).ln() + 1.0;
                (trigram, idf)
            })
            .collect();
        let scores = self.trigrams.iter().map(|line| {
            let had = wanted.iter().filter(|(trigram, _)| line.contains(trigram));
            had.map(|(_, idf)| idf).sum()
        });
        best(scores.collect())
    }
}

fn timed(answer: impl Fn() -> Vec<usize>) -> Answer {
    let clock = Instant::now();
    let rows = answer();
    (rows, clock.elapsed())
}

/// Returns the indexes of the best scores, the newest first among equals.
fn best(scores: Vec<f64>) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len())
        .filter(|place| scores[*place] > 0.0)
        .collect();
    places.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(b.cmp(a)));
    places.truncate(ANSWERS);
    places
}

fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|run| !run.is_empty())
}

fn counted(text: &str) -> HashMap<String, usize> {
    let mut words = HashMap::new();
    for word in runs(text) {
        *words.entry(word.to_lowercase()).or_default() += 1;
    }
    words
}

/// Returns the trigrams of every word, and of the parts of a camel case word.
///
/// Each with a blank before and after.
fn trigrams(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for run in runs(text) {
        let mut parts = vec![run.to_owned()];
        let mut part = String::new();
        let mut last_is_lower = false;
        for c in run.chars() {
            if c.is_uppercase() && last_is_lower {
                parts.push(std::mem::take(&mut part));
            }
            part.push(c);
            last_is_lower = c.is_lowercase();
        }
        parts.push(part);
        for part in parts {
            let padded: Vec<char> = format!(" {} ", part.to_lowercase()).chars().collect();
            all.extend(
                padded
                    .windows(3)
                    .map(|three| three.iter().collect::<String>()),
            );
        }
    }
    all
}
