//! Growth of a measure with the number of rows.

use serde_json::{Value, json};

use super::format_number;

/// Named series over the same numbers of rows.
#[derive(Clone, Debug)]
pub struct Growth {
    title: String,
    x: String,
    y: String,
    series: Vec<(String, Vec<(u64, f64)>)>,
}

impl Growth {
    /// Creates a chart without points; `x` and `y` name the axes, with their units.
    pub fn new(title: &str, x: &str, y: &str) -> Self {
        Self {
            title: title.to_owned(),
            x: x.to_owned(),
            y: y.to_owned(),
            series: Vec::new(),
        }
    }

    /// Adds a point to a series.
    ///
    /// # Panics
    ///
    /// If `y` is not a finite number.
    pub fn point(&mut self, series: &str, x: u64, y: f64) {
        assert!(y.is_finite(), "{series} at {x} is {y}");
        match self.series.iter_mut().find(|(name, _)| name == series) {
            Some((_, points)) => points.push((x, y)),
            None => self.series.push((series.to_owned(), vec![(x, y)])),
        }
    }

    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The axes, x and y.
    pub(super) fn axes(&self) -> (&str, &str) {
        (&self.x, &self.y)
    }

    /// The series in the order of their first points.
    pub(super) fn series(&self) -> &[(String, Vec<(u64, f64)>)] {
        &self.series
    }

    /// Formats it as a Markdown table, a line for each number of rows.
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn table(&self) -> String {
        let mut all: Vec<u64> = self.points().map(|(x, _)| x).collect();
        all.sort_unstable();
        all.dedup();
        let names: Vec<&str> = self.series.iter().map(|(name, _)| &**name).collect();
        let mut text = format!("| {} | {} |\n", self.x, names.join(" | "));
        text += &format!("|---:|{}\n", "---:|".repeat(names.len()));
        for x in all {
            let cells = self.series.iter().map(|(_, points)| {
                let found = points.iter().find(|(at, _)| *at == x);
                found.map_or(String::new(), |(_, y)| format_number(*y))
            });
            let cells = cells.collect::<Vec<String>>().join(" | ");
            text += &format!("| {} | {cells} |\n", format_number(x as f64));
        }
        text
    }

    pub(super) fn points(&self) -> impl Iterator<Item = (u64, f64)> {
        self.series
            .iter()
            .flat_map(|(_, points)| points.iter().copied())
    }

    pub(super) fn to_json(&self) -> Value {
        let series = self
            .series
            .iter()
            .map(|(name, points)| json!({"name": name, "points": points}));
        json!({
            "title": self.title,
            "x": self.x,
            "y": self.y,
            "series": series.collect::<Vec<Value>>(),
        })
    }
}
