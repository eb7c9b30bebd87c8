//! The table: a row for each ranking, a column for each class of queries.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Judgment, Measures};

/// Classes in this order, then any others.
const CLASSES: [&str; 5] = ["exact", "scattered", "morph", "typo", "paraphrase"];

#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    answers: Vec<(String, Measures)>,
    took: Vec<Duration>,
}

impl Table {
    pub(crate) fn add(
        &mut self,
        name: &'static str,
        judgment: &Judgment,
        events: &[String],
        took: Duration,
    ) {
        let at = if let Some(at) = self.rows.iter().position(|row| row.name == name) {
            at
        } else {
            self.rows.push(Row {
                name,
                answers: Vec::new(),
                took: Vec::new(),
            });
            self.rows.len() - 1
        };
        let row = &mut self.rows[at];
        row.answers
            .push((judgment.class.clone(), Measures::of(judgment, events)));
        row.took.push(took);
    }

    pub(crate) fn print(&self) {
        let Some(first) = self.rows.first() else {
            println!("no judgments");
            return;
        };
        let classes = self.classes();
        println!(
            "{} queries; success@5 / nDCG@10; time of a query\n",
            first.answers.len()
        );
        let head: Vec<String> = classes
            .iter()
            .map(|class| format!("{class} ({})", first.of(class).count()))
            .collect();
        println!("| ranking | {} | all | median | p95 |", head.join(" | "));
        println!("|---|{}---|---:|---:|", "---|".repeat(head.len()));
        for row in &self.rows {
            let of_classes: Vec<String> = classes
                .iter()
                .map(|class| shown(mean(row.of(class))))
                .collect();
            println!(
                "| {} | {} | {} | {:.1} ms | {:.1} ms |",
                row.name,
                of_classes.join(" | "),
                shown(mean(row.answers.iter().map(|(_, measures)| *measures))),
                row.milliseconds(0.5),
                row.milliseconds(0.95),
            );
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let classes = self.classes();
        let rows = self.rows.iter().map(|row| {
            let measures = |all: Measures, queries: usize| json!({"queries": queries, "success_at_5": all.success, "ndcg_at_10": all.ndcg});
            let of_classes: serde_json::Map<String, Value> = classes
                .iter()
                .map(|class| (class.clone(), measures(mean(row.of(class)), row.of(class).count())))
                .collect();
            json!({
                "ranking": row.name,
                "classes": of_classes,
                "all": measures(mean(row.answers.iter().map(|(_, measures)| *measures)), row.answers.len()),
                "median_ms": row.milliseconds(0.5),
                "p95_ms": row.milliseconds(0.95),
            })
        });
        Value::Array(rows.collect())
    }

    fn classes(&self) -> Vec<String> {
        let mut classes: Vec<String> = CLASSES.map(str::to_owned).to_vec();
        for (class, _) in self.rows.iter().flat_map(|row| &row.answers) {
            if !classes.contains(class) {
                classes.push(class.clone());
            }
        }
        classes
    }
}

impl Row {
    fn of<'a>(&'a self, class: &'a str) -> impl Iterator<Item = Measures> + 'a {
        self.answers
            .iter()
            .filter(move |(of, _)| of == class)
            .map(|(_, measures)| *measures)
    }

    fn milliseconds(&self, share: f64) -> f64 {
        let mut took = self.took.clone();
        took.sort();
        // The nearest rank: the smallest time that this share of the queries does not exceed.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rank, small and not negative"
        )]
        let rank = (share * took.len() as f64).ceil() as usize;
        took.get(rank.saturating_sub(1))
            .map_or(0.0, |took| took.as_secs_f64() * 1e3)
    }
}

fn mean(measures: impl Iterator<Item = Measures>) -> Measures {
    let all: Vec<Measures> = measures.collect();
    let count = all.len().max(1) as f64;
    Measures {
        success: all.iter().map(|m| m.success).sum::<f64>() / count,
        ndcg: all.iter().map(|m| m.ndcg).sum::<f64>() / count,
    }
}

fn shown(measures: Measures) -> String {
    format!("{:.3}/{:.3}", measures.success, measures.ndcg)
}
