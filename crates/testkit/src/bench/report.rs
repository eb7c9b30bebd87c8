//! The report of a benchmark.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{Contest, Growth, Times, format_number, workspace};

/// The target of a ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// At least this value.
    AtLeast(f64),
    /// At most this value.
    AtMost(f64),
}

impl Target {
    /// Returns 1 if the target is just met, and more if it is exceeded.
    fn share(self, value: f64) -> f64 {
        match self {
            Self::AtLeast(target) => value / target,
            Self::AtMost(target) => target / value,
        }
    }

    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(target) => value >= target,
            Self::AtMost(target) => value <= target,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(target) => write!(f, "≥ {target}"),
            Self::AtMost(target) => write!(f, "≤ {target}"),
        }
    }
}

/// The figures of a benchmark, for readers and for programs.
#[derive(Debug)]
pub struct Report {
    name: String,
    title: String,
    notes: Map<String, Value>,
    figures: Vec<Figure>,
    ratios: Vec<(String, f64, Target)>,
    growths: Vec<Growth>,
}

#[derive(Debug)]
struct Figure {
    name: String,
    times: Times,
    /// The number of units per time, if a rate is more useful than a time.
    units: Option<u64>,
}

impl Report {
    /// Creates the report of the benchmark `name`, with a one-line `title`.
    pub fn new(name: &str, title: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            notes: Map::new(),
            figures: Vec::new(),
            ratios: Vec::new(),
            growths: Vec::new(),
        }
    }

    /// Adds a setting, or a figure other than a time.
    pub fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.notes.insert(name.to_owned(), value.into());
    }

    /// Adds times; with a number of units (such as rows) per time, also as a rate.
    pub fn figure(&mut self, name: &str, times: &Times, units: Option<u64>) {
        self.figures.push(Figure {
            name: name.to_owned(),
            times: times.clone(),
            units,
        });
    }

    /// Adds all times of a contest.
    pub fn contest(&mut self, contest: &Contest, units: Option<u64>) {
        for (name, times) in contest.iter() {
            self.figure(name, times, units);
        }
    }

    /// Adds a ratio and its target.
    pub fn ratio(&mut self, name: &str, value: f64, target: Target) {
        self.ratios.push((name.to_owned(), value, target));
    }

    /// Adds the growth of a measure.
    pub fn growth(&mut self, growth: &Growth) {
        self.growths.push(growth.clone());
    }

    /// Prints the tables and writes `target/bench/<name>.json`.
    ///
    /// The file's `ratio` is the one farthest from its target.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    #[expect(clippy::print_stdout, reason = "a benchmark prints its report")]
    pub fn finish(&self) {
        println!("{}", self.to_text());
        let folder = workspace("target/bench");
        std::fs::create_dir_all(&folder).unwrap();
        let json = serde_json::to_string_pretty(&self.to_json()).unwrap();
        std::fs::write(folder.join(format!("{}.json", self.name)), json + "\n").unwrap();
    }

    fn to_text(&self) -> String {
        let mut text = format!("\n{}: {}\n", self.name, self.title);
        for (name, value) in &self.notes {
            text += &format!("- {name}: {value}\n");
        }
        if !self.figures.is_empty() {
            text += "\n| what | times | median | p95 | fastest | per second |\n";
            text += "|---|---:|---:|---:|---:|---:|\n";
            for figure in &self.figures {
                let Figure { name, times, units } = figure;
                let ms = |seconds: f64| format!("{} ms", format_number(seconds * 1e3));
                text += &format!(
                    "| {name} | {} | {} | {} | {} | {} |\n",
                    times.count(),
                    ms(times.median()),
                    ms(times.p95()),
                    ms(times.fastest()),
                    units.map_or(String::new(), |units| format_number(rate(units, times))),
                );
            }
        }
        for growth in &self.growths {
            text += &format!("\n{}\n\n{}", growth.title(), growth.table());
        }
        if !self.ratios.is_empty() {
            text += "\n| ratio | measured | target | |\n|---|---:|---:|---|\n";
            for (name, value, target) in &self.ratios {
                let met = if target.is_met(*value) {
                    "met"
                } else {
                    "not met"
                };
                text += &format!(
                    "| {name} | {} | {target} | {met} |\n",
                    format_number(*value)
                );
            }
        }
        text
    }

    fn to_json(&self) -> Value {
        let figures = self.figures.iter().map(|figure| {
            let times = &figure.times;
            let mut json = json!({
                "name": figure.name,
                "times": times.count(),
                "median_ms": times.median() * 1e3,
                "p95_ms": times.p95() * 1e3,
                "fastest_ms": times.fastest() * 1e3,
            });
            if let Some(units) = figure.units {
                json["per_second"] = json!(rate(units, times));
            }
            json
        });
        let ratios = self.ratios.iter().map(|(name, value, target)| {
            json!({
                "name": name,
                "value": value,
                "target": target.to_string(),
                "met": target.is_met(*value),
            })
        });
        let worst = self
            .ratios
            .iter()
            .min_by(|(_, a, to_a), (_, b, to_b)| to_a.share(*a).total_cmp(&to_b.share(*b)));
        json!({
            "name": self.name,
            "title": self.title,
            "notes": self.notes,
            "figures": figures.collect::<Vec<Value>>(),
            "ratio": worst.map(|(_, value, _)| value),
            "ratios": ratios.collect::<Vec<Value>>(),
            "growth": self.growths.iter().map(Growth::to_json).collect::<Vec<Value>>(),
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(units: u64, times: &Times) -> f64 {
    units as f64 / times.median()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn json_ratio_is_the_one_farthest_from_its_target() {
        let mut report = Report::new("x", "this against that");
        report.note("rows", 10);
        let mut times = Times::default();
        times.push(Duration::from_millis(500));
        report.figure("this", &times, Some(1_000));
        report.ratio("fast", 0.9, Target::AtLeast(0.7));
        report.ratio("slow", 2.0, Target::AtMost(1.5));
        let json = report.to_json();
        assert_eq!(json["ratio"], 2.0);
        assert_eq!(json["ratios"][0]["met"], true);
        assert_eq!(json["ratios"][1]["met"], false);
        assert_eq!(json["figures"][0]["per_second"], 2_000.0);
        let text = report.to_text();
        assert!(
            text.contains("| this | 1 | 500 ms | 500 ms | 500 ms | 2,000 |"),
            "{text}"
        );
        assert!(text.contains("| slow | 2.00 | ≤ 1.5 | not met |"), "{text}");
    }
}
