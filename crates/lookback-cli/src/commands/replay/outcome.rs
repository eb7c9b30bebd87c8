//! What became of a request, as a line, as JSON and in the summary.

use std::fmt;

use lookback::replay::{Comparison, Replayed};
use lookback::{Json, NewRequestSnapshot, RequestSnapshot, json};

use super::explained;
use crate::failure::Failure;
use crate::output::{self, DIM, RED, YELLOW};

/// The most differences of a response that are printed.
const MOST_LINES: usize = 10;

pub(super) struct Outcome {
    pub(super) id: i64,
    pub(super) method: String,
    pub(super) path: String,
    captured_status: Option<i32>,
    captured_duration: Option<i32>,
    pub(super) replayed: Replayed<String>,
    /// Places of masked values.
    pub(super) masked: Vec<String>,
    /// The trace of the request that was sent.
    pub(super) trace_id: Option<String>,
    /// The record to store.
    pub(super) record: Option<Box<NewRequestSnapshot>>,
    pub(super) stored_id: Option<i64>,
}

impl Outcome {
    pub(super) fn new(snapshot: &RequestSnapshot, replayed: Replayed<String>) -> Self {
        Self {
            id: snapshot.id,
            method: snapshot.method.clone(),
            path: snapshot.path.clone(),
            captured_status: snapshot.status_code,
            captured_duration: snapshot.duration,
            replayed,
            masked: Vec::new(),
            trace_id: None,
            record: None,
            stored_id: None,
        }
    }

    pub(super) fn comparison(&self) -> Option<&Comparison> {
        match &self.replayed {
            Replayed::Compared(comparison) => Some(comparison),
            _ => None,
        }
    }

    /// Whether the response is as the captured one, or what it is otherwise.
    pub(super) fn word(&self) -> &'static str {
        match &self.replayed {
            Replayed::Compared(comparison) if comparison.is_same() => "same",
            Replayed::Compared(_) => "different",
            Replayed::Failed(_) => "failed",
            Replayed::NotSent(_) => "not sent",
        }
    }

    /// Why there is no response.
    pub(super) fn reason(&self) -> Option<String> {
        match &self.replayed {
            Replayed::Compared(_) => None,
            Replayed::Failed(problem) => Some(problem.clone()),
            Replayed::NotSent(refusal) => Some(explained(refusal)),
        }
    }

    /// Prints a line, and the differences below it.
    pub(super) fn print(&self) -> Result<(), Failure> {
        let style = match self.word() {
            "same" => DIM,
            "not sent" => YELLOW,
            _ => RED,
        };
        let word = format!("{style}{}{style:#}", self.word());
        let number = |number: Option<i32>| number.map_or("-".to_owned(), |n| n.to_string());
        let request = output::printable(&format!("{}  {} {}", self.id, self.method, self.path));
        let Some(comparison) = self.comparison() else {
            let reason = output::printable(&self.reason().unwrap_or_default());
            return Ok(output::line(&format!("{request}  {word}: {reason}"))?);
        };
        let duration = comparison.duration.unwrap_or_default().as_millis();
        output::line(&format!(
            "{request}  {} → {}  {} → {duration} ms  {word}",
            number(self.captured_status),
            comparison.status,
            number(self.captured_duration),
        ))?;
        for difference in comparison.differences.iter().take(MOST_LINES) {
            output::line(&format!(
                "    {}",
                output::printable(&difference.to_string())
            ))?;
        }
        let more = comparison.differences.len().saturating_sub(MOST_LINES) + comparison.more;
        if more > 0 {
            let more = output::grouped(more as u64);
            output::line(&format!("    {DIM}and {more} more (--json){DIM:#}"))?;
        }
        if !comparison.is_same() {
            if !self.masked.is_empty() {
                let places = output::printable(&self.masked.join(", "));
                output::line(&format!("    {DIM}masked: {places}{DIM:#}"))?;
            }
            if let Some(trace_id) = &self.trace_id {
                output::line(&format!("    {DIM}trace_id {trace_id}{DIM:#}"))?;
            }
        }
        Ok(())
    }

    pub(super) fn json(&self) -> Json {
        let mut all = json!({
            "id": self.id,
            "method": self.method,
            "path": self.path,
            "result": self.word().replace(' ', "_"),
            "captured_status": self.captured_status,
            "captured_duration": self.captured_duration,
            "masked": self.masked,
            "trace_id": self.trace_id,
        });
        let Json::Object(map) = &mut all else {
            return all;
        };
        if let Some(reason) = self.reason() {
            map.insert("reason".to_owned(), reason.into());
        }
        if let Some(id) = self.stored_id {
            map.insert("stored_id".to_owned(), id.into());
        }
        if let Some(comparison) = self.comparison()
            && let Json::Object(compared) = comparison.to_json()
        {
            map.extend(compared);
        }
        all
    }
}

/// How many requests became what.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) same: u64,
    pub(super) different: u64,
    pub(super) failed: u64,
    not_sent: u64,
}

impl Counts {
    pub(super) fn add(&mut self, outcome: &Outcome) {
        let count = match &outcome.replayed {
            Replayed::Compared(comparison) if comparison.is_same() => &mut self.same,
            Replayed::Compared(_) => &mut self.different,
            Replayed::Failed(_) => &mut self.failed,
            Replayed::NotSent(_) => &mut self.not_sent,
        };
        *count += 1;
    }

    pub(super) fn all(&self) -> u64 {
        self.same + self.different + self.failed + self.not_sent
    }

    pub(super) fn json(&self, total: usize) -> Json {
        json!({
            "total": total,
            "same": self.same,
            "different": self.different,
            "failed": self.failed,
            "not_sent": self.not_sent,
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.same, "same"),
            (self.different, "different"),
            (self.failed, "failed"),
            (self.not_sent, "not sent"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts
            .map(|(count, word)| format!("{} {word}", output::grouped(count)))
            .collect();
        f.write_str(&counts.join(", "))
    }
}
