//! Judgments, and measures of answers against them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lookback::NewLog;
use serde::Deserialize;
use serde_json::Value;

/// A log line, with its answer key.
pub(crate) struct Line {
    record: Value,
    /// The text of the search fields.
    pub(crate) text: String,
    pub(crate) event: String,
}

impl Line {
    pub(crate) fn read(line: &str) -> Self {
        let record: Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| record[name].as_str().unwrap_or_default();
        Self {
            text: format!(
                "{} {} {}",
                field("message"),
                field("source"),
                field("level")
            ),
            event: record["meta"]["event_id"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            record,
        }
    }

    pub(crate) fn to_new(&self) -> NewLog {
        serde_json::from_value(self.record.clone()).unwrap()
    }
}

/// A query and its relevant events.
#[derive(Debug, Deserialize)]
pub(crate) struct Judgment {
    pub(crate) qid: String,
    pub(crate) system: String,
    pub(crate) class: String,
    pub(crate) query: String,
    pub(crate) relevant_event_ids: Vec<String>,
    pub(crate) n_relevant: usize,
}

/// Reads the judgments of each system, ordered by name.
pub(crate) fn by_system(folder: &Path) -> BTreeMap<String, Vec<Judgment>> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    paths.sort();
    let mut systems: BTreeMap<String, Vec<Judgment>> = BTreeMap::new();
    for path in paths {
        for line in fs::read_to_string(path).unwrap().lines() {
            if !line.trim().is_empty() {
                let judgment: Judgment = serde_json::from_str(line).unwrap();
                systems
                    .entry(judgment.system.clone())
                    .or_default()
                    .push(judgment);
            }
        }
    }
    systems
}

/// The quality of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measures {
    /// 1 if one of the first five is relevant.
    pub(crate) success: f64,
    /// Normalised discounted cumulative gain of the first ten: binary gain,
    /// discount by log2, the ideal being all relevant ones first.
    pub(crate) ndcg: f64,
}

impl Measures {
    pub(crate) fn of(judgment: &Judgment, events: &[String]) -> Self {
        let mut left = judgment.n_relevant;
        let mut measures = Self::default();
        for (rank, event) in events.iter().take(10).enumerate() {
            // At most as many as there are relevant lines.
            if left > 0 && judgment.relevant_event_ids.contains(event) {
                left -= 1;
                measures.ndcg += gain(rank);
                if rank < 5 {
                    measures.success = 1.0;
                }
            }
        }
        let ideal: f64 = (0..judgment.n_relevant.min(10)).map(gain).sum();
        measures.ndcg = if ideal > 0.0 {
            measures.ndcg / ideal
        } else {
            0.0
        };
        measures
    }
}

fn gain(rank: usize) -> f64 {
    1.0 / (rank as f64 + 2.0).log2()
}
