//! Generates any number of log lines, each from the seed and its position only.

use std::fmt::Write as _;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, Utc};
use lookback::{Level, NewLog};
use serde_json::json;

use super::templates::{
    FAULTS, FUNCTIONS, HOSTS, METHODS, MODULES, PATHS, RARE, SYLLABLES, TEMPLATES, USERS,
};
use super::{Random, start};

/// The average time between two lines.
pub(super) const MILLISECONDS: u64 = 250;
/// The number of lines over which a trace is spread.
const TRACE: u64 = 12;
/// The number of rare words; the most common of them are less rare.
const RARE_WORDS: u64 = 1_000;

/// Generates the lines `first..first + count` of an endless log.
///
/// They depend on the seed and their positions only.
///
/// They resemble real logs. There are about 250 templates of 20 sources, with frequencies by Zipf's
/// law, mostly `info`. Numbers, addresses, ids, names, paths and times vary. Every fourth line
/// belongs to a trace. Three in a thousand have a rare word, and one in a thousand is a stack
/// trace. There is a line every 250 milliseconds, from 2026-01-01. No lines are kept in memory.
pub fn log_lines(
    seed: u64,
    first: u64,
    count: u64,
) -> impl Iterator<Item = NewLog> + Clone + Send + Sync {
    (first..first + count).map(move |position| log_line(seed, position))
}

/// Returns the time of a line, to about a quarter of a second.
pub fn line_time(position: u64) -> DateTime<Utc> {
    let milliseconds = i64::try_from(position * MILLISECONDS).unwrap_or(i64::MAX);
    start() + TimeDelta::milliseconds(milliseconds)
}

pub(super) fn log_line(seed: u64, position: u64) -> NewLog {
    let mut random = at(seed, position);
    let (source, level, message) = match random.below(1_000) {
        0 => stack_trace(&mut random),
        1..=3 => {
            let (source, level, text) = random.pick(RARE);
            (*source, *level, fill(text, &mut random))
        }
        _ => {
            let template = zipf(&mut random, &KINDS.sums);
            let (source, level, text) = &KINDS.templates[template];
            (*source, *level, fill(text, &mut random))
        }
    };
    let jitter = i64::try_from(random.below(MILLISECONDS)).unwrap_or(0);
    let mut line = NewLog::new(source, level, message)
        .created_at(line_time(position) + TimeDelta::milliseconds(jitter));
    if random.below(2) == 0 {
        let (host, pid) = (random.below(8), 1_000 + random.below(400));
        line = line.meta(json!({"host": format!("node-{host}"), "pid": pid}));
    }
    if random.below(4) == 0 {
        line = line.trace_id(trace_id(seed, position));
    }
    line
}

/// Returns the trace of a line that belongs to one.
pub(super) fn trace_id(seed: u64, position: u64) -> String {
    let mut random = at(!seed, position / TRACE);
    format!("{:016x}{:016x}", random.next(), random.next())
}

/// Creates a generator that is unique to a seed and a position.
fn at(seed: u64, position: u64) -> Random {
    let mut of_seed = Random::new(seed);
    Random::new(Random::new(of_seed.next() ^ position).next())
}

/// The templates, and their weights.
pub(super) struct LineTemplates {
    pub(super) templates: Vec<(&'static str, Level, String)>,
    sums: Vec<u64>,
}

pub(super) static KINDS: LazyLock<LineTemplates> = LazyLock::new(|| {
    let mut templates: Vec<_> = TEMPLATES
        .iter()
        .flat_map(|(source, level, text)| {
            let texts = alternatives(text);
            texts.into_iter().map(|text| (*source, *level, text))
        })
        .collect();
    // The order is unrelated to the text, except for faults, which are rarer than the rest.
    let mut random = Random::new(0);
    templates.sort_by_cached_key(|(_, level, _)| {
        let behind = match level {
            Level::Info => 0,
            Level::Debug => 100,
            Level::Warn => 250,
            Level::Error => 450,
        };
        behind + random.below(1_000)
    });
    let mut sum = 0;
    let weight = |rank: u64| 1_000_000_000 / (rank + 3);
    let sums = (0..templates.len() as u64)
        .map(|rank| {
            sum += weight(rank);
            sum
        })
        .collect();
    LineTemplates { templates, sums }
});

fn alternatives(text: &str) -> Vec<String> {
    let Some((before, rest)) = text.split_once('[') else {
        return vec![text.to_owned()];
    };
    let Some((choices, after)) = rest.split_once(']') else {
        return vec![text.to_owned()];
    };
    let ends = alternatives(after);
    choices
        .split('|')
        .flat_map(|choice| ends.iter().map(move |end| format!("{before}{choice}{end}")))
        .collect()
}

/// Draws an index by weight, from the cumulative weights.
fn zipf(random: &mut Random, sums: &[u64]) -> usize {
    let at = random.below(sums.last().copied().unwrap_or(1));
    sums.partition_point(|sum| *sum <= at)
}

/// Draws one of the items, the first much more often than the last.
fn mostly<'a, T>(random: &mut Random, items: &'a [T]) -> &'a T {
    let end = 1 + random.below(items.len() as u64);
    let index = usize::try_from(random.below(end)).unwrap_or(0);
    &items[index]
}

pub(super) fn fill(text: &str, random: &mut Random) -> String {
    let mut out = String::with_capacity(text.len() + 40);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (slot, after) = after.split_once('}').unwrap_or((after, ""));
        push(slot, &mut out, random);
        rest = after;
    }
    out.push_str(rest);
    out
}

fn push(slot: &str, out: &mut String, random: &mut Random) {
    let written = match slot {
        "n" => write!(out, "{}", random.below(100_000)),
        "s" => write!(out, "{}", random.below(60)),
        "ms" => match random.below(4) {
            0 => write!(out, "{}.{:03} s", random.below(30), random.below(1_000)),
            _ => write!(out, "{} ms", random.below(900)),
        },
        "size" => match random.below(3) {
            0 => write!(out, "{}.{} MB", random.below(900), random.below(10)),
            1 => write!(out, "{}.{} KB", random.below(1_000), random.below(10)),
            _ => write!(out, "{} bytes", random.below(70_000_000)),
        },
        "money" => write!(
            out,
            "{}.{:02} {}",
            random.below(900),
            random.below(100),
            mostly(random, &["EUR", "USD", "GBP"])
        ),
        "ip" => write!(
            out,
            "10.{}.{}.{}",
            random.below(4),
            random.below(256),
            1 + random.below(254)
        ),
        "port" => write!(out, "{}", 1_024 + random.below(60_000)),
        "hex" => write!(out, "{:016x}", random.next()),
        "uuid" => {
            let (high, low) = (random.next(), random.next());
            write!(
                out,
                "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
                high >> 32,
                (high >> 16) & 0xffff,
                high & 0xfff,
                (low >> 48) & 0x3fff | 0x8000,
                low & 0xffff_ffff_ffff
            )
        }
        "rare" => write!(out, "{}", rare_word(random)),
        "user" => write!(out, "{}", mostly(random, USERS)),
        "method" => write!(out, "{}", random.pick(METHODS)),
        "host" => {
            let host: &str = mostly::<&str>(random, HOSTS);
            write!(out, "{}", fill(host, random))
        }
        "path" => {
            let path: &str = mostly::<&str>(random, PATHS);
            write!(out, "{}", fill(path, random))
        }
        _ => unreachable!("templates.rs has no slot {slot}"),
    };
    written.unwrap();
}

/// Generates a word of four syllables that occurs in few lines.
pub(super) fn rare_word(random: &mut Random) -> String {
    let end = 1 + random.below(RARE_WORDS);
    let mut of_word = Random::new(random.below(end));
    (0..4).map(|_| *of_word.pick(SYLLABLES)).collect()
}

fn stack_trace(random: &mut Random) -> (&'static str, Level, String) {
    let (fault, text) = mostly(random, FAULTS);
    let mut message = format!("{fault}: {}", fill(text, random));
    // Uses one of a few call paths, with line numbers.
    let mut way = Random::new(random.below(40));
    for _ in 0..3 + way.below(9) {
        let (module, function) = (way.pick(MODULES), way.pick(FUNCTIONS));
        let line = 20 + random.below(400);
        let _ = write!(message, "\n    at {module}.{function}({line})");
    }
    ("orders", Level::Error, message)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn text(line: &NewLog) -> String {
        format!("{line:?}")
    }

    #[test]
    fn line_depends_only_on_seed_and_position() {
        let all: Vec<String> = log_lines(7, 0, 500).map(|line| text(&line)).collect();
        for first in [0, 1, 123, 499] {
            let count = 500 - first;
            let part: Vec<String> = log_lines(7, first, count).map(|line| text(&line)).collect();
            assert_eq!(part, all[usize::try_from(first).unwrap()..]);
        }
        let other: Vec<String> = log_lines(8, 0, 500).map(|line| text(&line)).collect();
        let same = all.iter().filter(|line| other.contains(line)).count();
        assert_eq!(same, 0);
    }

    #[test]
    fn lines_repeat_like_those_of_real_logs() {
        const COUNT: u64 = 50_000;
        let (mut masked, mut levels) = (BTreeMap::<String, u64>::new(), BTreeMap::new());
        let (mut sources, mut lengths, mut traces) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let mut traced = 0_u64;
        let mut last = start();
        for line in log_lines(42, 0, COUNT) {
            *masked.entry(mask(&line.message)).or_default() += 1;
            *levels.entry(line.level).or_insert(0_u64) += 1;
            sources.insert(line.source);
            lengths.push(line.message.len());
            traced += u64::from(line.trace_id.is_some());
            traces.extend(line.trace_id);
            let time = line.created_at.unwrap();
            assert!(time >= last, "times run forwards");
            last = time;
        }
        assert!((600..4_000).contains(&masked.len()), "{}", masked.len());
        let mut counts: Vec<u64> = masked.into_values().collect();
        counts.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
        let common: u64 = counts.iter().take(100).sum();
        assert!((COUNT / 2..COUNT * 19 / 20).contains(&common), "{common}");
        assert!((15..40).contains(&sources.len()), "{sources:?}");
        let share = |level| levels[&level] * 100 / COUNT;
        assert!((50..80).contains(&share(Level::Info)), "{levels:?}");
        assert!((2..15).contains(&share(Level::Error)), "{levels:?}");
        lengths.sort_unstable();
        let at = |percent| lengths[lengths.len() * percent / 100];
        assert!(at(5) >= 25 && at(98) <= 200, "{} {}", at(5), at(98));
        assert!((20..30).contains(&(traced * 100 / COUNT)), "{traced}");
        assert!((2..5).contains(&(traced / traces.len() as u64)));
    }

    /// Masks digits, and hexadecimal runs with a digit, by a single `0`.
    fn mask(text: &str) -> String {
        let mut out = String::new();
        for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            let digits = word.contains(|c: char| c.is_ascii_digit());
            if digits && word.chars().all(|c| c.is_ascii_hexdigit()) {
                out.push('0');
                out.push_str(&piece[word.len()..]);
            } else {
                out.extend(piece.chars().filter(|c| !c.is_ascii_digit()));
            }
        }
        out
    }
}
