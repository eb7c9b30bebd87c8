//! Levels of other loggers.

use lookback::value::JsonRef;
use lookback::{Json, Level};

use crate::text::without_colours;

/// A level, and whether the four levels of Lookback say all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) level: Level,
    /// Whether it is one of debug, info, warn and error: another one, such as `fatal`, is kept
    /// with the other fields.
    pub(crate) is_exact: bool,
}

/// Reads a level: a name in any case, or a number of a known scale.
pub(crate) fn of(value: &JsonRef<'_>) -> Option<Read> {
    match value {
        JsonRef::String(text) => of_text(text),
        JsonRef::Number(number) => match *number {
            // Those of pino and bunyan.
            "30" => Some(exact(Level::Info)),
            "20" => Some(exact(Level::Debug)),
            "40" => Some(exact(Level::Warn)),
            "50" => Some(exact(Level::Error)),
            number => number.parse().ok().and_then(of_number),
        },
        _ => None,
    }
}

/// As [`of`].
pub(crate) fn of_json(value: &Json) -> Option<Read> {
    match value {
        Json::String(_) | Json::Number(_) => of(&value.into()),
        _ => None,
    }
}

const fn exact(level: Level) -> Read {
    Read {
        level,
        is_exact: true,
    }
}

/// Reads the name of a level, such as `WARN`, `Information`, `DEBUG-4` or `[error]`.
pub(crate) fn of_text(text: &str) -> Option<Read> {
    // The commonest ones.
    match text {
        "info" | "INFO" => return Some(exact(Level::Info)),
        "debug" | "DEBUG" => return Some(exact(Level::Debug)),
        "error" | "ERROR" => return Some(exact(Level::Error)),
        "warn" | "WARN" | "warning" | "WARNING" => return Some(exact(Level::Warn)),
        _ => {}
    }
    // winston may colour it for a terminal.
    if text.contains('\u{1b}') {
        return of_text(&without_colours(text));
    }
    let trimmed = text.trim_matches(|c: char| !c.is_alphanumeric());
    // `INF` is a name.
    if trimmed.starts_with(|c: char| c.is_ascii_digit())
        && let Ok(number) = trimmed.parse::<f64>()
    {
        return of_number(number);
    }
    // slog writes a level between two as `INFO+2`.
    let name = trimmed.split(['+', '-']).next().unwrap_or(trimmed);
    let level = of_name(name)?;
    let exact = ["debug", "info", "warn", "warning", "error", "information"];
    Some(Read {
        level,
        is_exact: exact.iter().any(|exact| exact.eq_ignore_ascii_case(text)),
    })
}

/// The names of levels, by the one of Lookback.
const NAMES: &[(Level, &[&str])] = &[
    (
        Level::Debug,
        &[
            "debug", "trace", "verbose", "silly", "fine", "finer", "finest", "dbg", "trc", "vrb",
            "dbug", "trce", "notset", "d", "t", "v", "debug1", "debug2", "debug3", "debug4",
            "debug5",
        ],
    ),
    (
        Level::Info,
        &[
            "info",
            "information",
            "informational",
            "notice",
            "http",
            "default",
            "config",
            "log",
            "inf",
            "i",
            "n",
            "unspecified",
            "unknown",
            "any",
            "success",
        ],
    ),
    (Level::Warn, &["warn", "warning", "wrn", "w"]),
    (
        Level::Error,
        &[
            "error",
            "err",
            "fatal",
            "critical",
            "crit",
            "panic",
            "dpanic",
            "alert",
            "emerg",
            "emergency",
            "severe",
            "failure",
            "ftl",
            "eror",
            "erro",
            "fail",
            "e",
            "f",
            "c",
        ],
    ),
];

fn of_name(name: &str) -> Option<Level> {
    NAMES
        .iter()
        .find(|(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
        .map(|(level, _)| *level)
}

/// Reads a number: of syslog (0 to 7), of pino and bunyan (10 to 60), of Monolog (100 to 600), or
/// of Logback (5000 to 40000).
fn of_number(number: f64) -> Option<Read> {
    let scale = |debug: f64, info: f64, warn: f64| {
        if number <= debug {
            Level::Debug
        } else if number <= info {
            Level::Info
        } else if number <= warn {
            Level::Warn
        } else {
            Level::Error
        }
    };
    let (level, exact): (Level, &[f64]) = match number {
        0.0..8.0 => (of_syslog(number), &[]),
        8.0..100.0 => (scale(29.0, 39.0, 49.0), &[20.0, 30.0, 40.0, 50.0]),
        100.0..1000.0 => (scale(199.0, 299.0, 399.0), &[100.0, 200.0, 300.0, 400.0]),
        1000.0..100_000.0 => (
            scale(19_999.0, 29_999.0, 39_999.0),
            &[10_000.0, 20_000.0, 30_000.0, 40_000.0],
        ),
        _ => return None,
    };
    Some(Read {
        level,
        is_exact: exact.contains(&number),
    })
}

/// Reads a severity of syslog, from 0 (emergency) to 7 (debug).
pub(crate) fn of_syslog(severity: f64) -> Level {
    match severity {
        ..4.0 => Level::Error,
        4.0..5.0 => Level::Warn,
        5.0..7.0 => Level::Info,
        _ => Level::Debug,
    }
}

/// Reads a severity of OpenTelemetry, from 1 (trace) to 24 (fatal).
pub(crate) fn of_otlp(severity: i64) -> Option<Level> {
    Some(match severity {
        1..=8 => Level::Debug,
        9..=12 => Level::Info,
        13..=16 => Level::Warn,
        17..=24 => Level::Error,
        _ => return None,
    })
}

/// Finds the level that a line of text names near its start.
pub(crate) fn in_text(text: &str) -> Option<Level> {
    const STARTS: [&str; 9] = [
        "Traceback (most recent call last)",
        "panic: ",
        "fatal error: ",
        "http: panic serving ",
        "PHP Fatal error",
        "PHP Parse error",
        "Exception in thread",
        "Unhandled exception",
        "Uncaught ",
    ];
    // Ruby ends the first line of an exception with its class.
    let is_of_ruby = text.ends_with("Error)") && text.contains(":in ");
    let is_panic = text.starts_with("thread '") && text.contains(" panicked at ");
    let is_error = is_exception(text) || is_panic || is_of_ruby;
    if STARTS.iter().any(|start| text.starts_with(start)) || is_error {
        return Some(Level::Error);
    }
    if text.starts_with("PHP Warning") {
        return Some(Level::Warn);
    }
    let near = text
        .char_indices()
        .nth(100)
        .map_or(text, |(end, _)| &text[..end]);
    if let Some(level) = in_brackets(near) {
        return Some(level);
    }
    let words = near.split(|c: char| !c.is_alphanumeric());
    // A single letter or a word in a sentence is no level.
    let is_written_as_level =
        |word: &&str| word.len() > 2 && word.chars().all(|c| c.is_ascii_uppercase());
    let upper = words.clone().filter(is_written_as_level).find_map(of_name);
    upper.or_else(|| {
        let first = near.trim_start_matches('[');
        let (word, _) = first.split_once([':', ']', '\t'])?;
        (word.len() > 2).then(|| of_name(word)).flatten()
    })
}

/// Finds the level that a text behind a time begins with: `error db: slow query`, or
/// `[shop] error: no`.
pub(crate) fn behind_time(text: &str) -> Option<Level> {
    let of_word = |text: &str| {
        let (word, rest) = text.split_at(text.find(|c: char| !c.is_alphanumeric())?);
        let is_word = word.len() > 2 && rest.starts_with([' ', '\t', ':', ']', '|']);
        is_word.then(|| of_name(word)).flatten()
    };
    // Words that begin many a sentence are no levels.
    let is_told = |text: &str| {
        [
            "log ", "default ", "config ", "failure ", "http ", "any ", "unknown ", "success ",
        ]
        .iter()
        .any(|start| text.starts_with(start))
    };
    let text = text.trim_start();
    if is_told(text) {
        return None;
    }
    of_word(text).or_else(|| {
        let (name, after) = text.strip_prefix('[')?.split_once("] ")?;
        let is_name = name.len() <= 64 && !name.contains(' ');
        let (word, _) = after.split_once(':')?;
        (is_name && word.len() > 2).then(|| of_name(word)).flatten()
    })
}

/// Whether a line is an exception, with its stack below: `RangeError: …`, Rails' `Cart::Error
/// (no such cart):`, or `java.lang.IllegalStateException`.
pub(crate) fn is_exception(line: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '$' | ':');
    let end = line.find(|c| !is_of_name(c)).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let is_of_rails = rest.starts_with(" (") && rest.ends_with("):");
    if !(rest.is_empty() || name.ends_with(':') || is_of_rails) {
        return false;
    }
    let name = name.trim_end_matches(':');
    name.starts_with(char::is_alphabetic)
        && (["Error", "Exception"].iter().any(|end| name.ends_with(end))
            || is_of_rails && name.contains("::"))
}

/// Finds the level that stands in brackets at the start of a text, or behind its time: `[warn ]`,
/// and `[core:error]` of Apache.
fn in_brackets(text: &str) -> Option<Level> {
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('[')?;
        // Behind a word it is no level, but part of a sentence. `Nov` and `T` are of a time.
        let mut words = before.split(|c: char| !c.is_alphanumeric());
        if words.any(|word| word.len() > 3 && word.starts_with(char::is_alphabetic)) {
            return None;
        }
        let (inside, after) = after.split_once(']')?;
        let name = inside.rsplit(':').next().unwrap_or(inside).trim();
        if name.len() > 2
            && let Some(level) = of_name(name)
        {
            return Some(level);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::{in_text, of_json, of_text};
    use lookback::{Json, Level};

    #[test]
    fn level_of_any_logger_is_read() {
        for (name, level, is_exact) in [
            ("INFO", Level::Info, true),
            ("Warning", Level::Warn, true),
            ("Verbose", Level::Debug, false),
            ("NOTICE", Level::Info, false),
            ("dpanic", Level::Error, false),
            ("DEBUG-4", Level::Debug, false),
            ("INFO+2", Level::Info, false),
            ("[error]", Level::Error, false),
            ("INF", Level::Info, false),
            ("30", Level::Info, true),
        ] {
            let read = of_text(name).unwrap();
            assert_eq!((read.level, read.is_exact), (level, is_exact), "{name}");
        }
        for (number, level) in [
            ("3", Level::Error),
            ("6", Level::Info),
            ("10", Level::Debug),
            ("35", Level::Info),
            ("60", Level::Error),
            ("250", Level::Info),
            ("600", Level::Error),
            ("5000", Level::Debug),
        ] {
            let number: Json = number.parse().unwrap();
            assert_eq!(of_json(&number).unwrap().level, level, "{number}");
        }
        assert_eq!(of_text("loud"), None);
    }

    #[test]
    fn level_in_text_is_a_word_written_as_one() {
        assert_eq!(
            in_text("2026-01-02 03:04:05 WARN pool is full"),
            Some(Level::Warn)
        );
        assert_eq!(
            in_text("[error] 12#0: no live upstreams"),
            Some(Level::Error)
        );
        assert_eq!(in_text("panic: runtime error"), Some(Level::Error));
        for (text, level) in [
            (
                "2026-01-02T03:04:05Z [debug    ] GET /a [shop]",
                Some(Level::Debug),
            ),
            (
                "2026/01/02 03:04:05 [warn] 12#0: odd ERROR",
                Some(Level::Warn),
            ),
            (
                "[Fri Jan 02 03:04:05.6 2026] [core:error] [pid 3] no",
                Some(Level::Error),
            ),
            ("[shop] [error] no", Some(Level::Error)),
            ("INFO in queue [error] of jobs", Some(Level::Info)),
            ("RangeError: no", Some(Level::Error)),
            ("java.lang.IllegalStateException: no", Some(Level::Error)),
            ("kinds of Error: two", None),
            ("items [error, warn]", None),
            ("queue [error] of jobs", None),
        ] {
            assert_eq!(in_text(text), level, "{text}");
        }
        assert_eq!(in_text("no error so far"), None);
        assert_eq!(in_text("listening on :8080"), None);
    }
}
