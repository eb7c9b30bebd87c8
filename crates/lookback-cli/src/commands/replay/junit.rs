//! Results in the XML of JUnit, which CI systems show.

use std::fmt::Write as _;

use lookback::replay::Replayed;

use super::outcome::Outcome;

/// Returns the report of all results.
pub(super) fn report(outcomes: &[Outcome]) -> String {
    let count = |words: &[&str]| {
        let counted = outcomes
            .iter()
            .filter(|outcome| words.contains(&outcome.word()));
        counted.count()
    };
    let seconds = |outcome: &Outcome| {
        let duration = outcome
            .comparison()
            .and_then(|comparison| comparison.duration);
        duration.unwrap_or_default().as_secs_f64()
    };
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    // Writing to a string does not fail.
    let _ = writeln!(
        xml,
        "<testsuite name=\"lookback replay\" tests=\"{}\" failures=\"{}\" errors=\"{}\" \
         skipped=\"{}\" time=\"{:.3}\">",
        outcomes.len(),
        count(&["different"]),
        count(&["failed"]),
        count(&["not sent"]),
        outcomes.iter().map(seconds).sum::<f64>()
    );
    for outcome in outcomes {
        let name = format!("{} {} ({})", outcome.method, outcome.path, outcome.id);
        let _ = write!(
            xml,
            "<testcase classname=\"lookback.replay\" name=\"{}\" time=\"{:.3}\">",
            escaped(&name),
            seconds(outcome)
        );
        let reason = escaped(&outcome.reason().unwrap_or_default());
        let _ = match &outcome.replayed {
            Replayed::Compared(comparison) if comparison.is_same() => Ok(()),
            Replayed::Compared(comparison) => write!(
                xml,
                "<failure message=\"{} differences\">{}</failure>",
                comparison.differences.len() + comparison.more,
                escaped(&comparison.to_string())
            ),
            Replayed::Failed(_) => write!(xml, "<error message=\"{reason}\"/>"),
            Replayed::NotSent(_) => write!(xml, "<skipped message=\"{reason}\"/>"),
        };
        xml.push_str("</testcase>\n");
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

/// Escapes a text for XML, which has no control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn escaped_text_has_no_markup_and_no_control_characters() {
        assert_eq!(
            escaped("a<b> & \"c\"\n\u{1b}[2J\u{0}"),
            "a&lt;b&gt; &amp; &quot;c&quot;&#10;\u{fffd}[2J\u{fffd}"
        );
    }
}
