//! The text format of Prometheus.

use std::fmt::Write as _;

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// A text with families of samples.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// The family that is being written.
pub(super) struct Family<'a> {
    name: String,
    out: &'a mut String,
}

impl Exposition {
    /// Begins a family. Names are of this program, and valid.
    pub(super) fn family(&mut self, name: &str, kind: MetricKind, help: &str) -> Family<'_> {
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family {
            name: name.to_owned(),
            out: &mut self.0,
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: f64) -> &mut Self {
        self.suffixed("", labels, &value.to_string());
        self
    }

    pub(super) fn count(&mut self, labels: &[(&str, &str)], value: u64) -> &mut Self {
        self.suffixed("", labels, &value.to_string());
        self
    }

    /// Writes a sample of a histogram, whose names have an end.
    pub(super) fn suffixed(&mut self, suffix: &str, labels: &[(&str, &str)], value: &str) {
        self.out.push_str(&self.name);
        self.out.push_str(suffix);
        if !labels.is_empty() {
            self.out.push('{');
            for (index, (name, value)) in labels.iter().enumerate() {
                if index > 0 {
                    self.out.push(',');
                }
                let _ = write!(self.out, "{name}=\"");
                escape(value, self.out);
                self.out.push('"');
            }
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }
}

/// Appends the value of a label.
fn escape(value: &str, out: &mut String) {
    for letter in value.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exposition, MetricKind};

    #[test]
    fn labels_are_escaped() {
        let mut out = Exposition::default();
        out.family("x_total", MetricKind::Counter, "X.")
            .count(&[("a", "1\"2\\3\n4"), ("b", "é")], 7)
            .count(&[], 8);
        assert_eq!(
            out.finish(),
            "# HELP x_total X.\n# TYPE x_total counter\n\
             x_total{a=\"1\\\"2\\\\3\\n4\",b=\"é\"} 7\nx_total 8\n"
        );
    }
}
