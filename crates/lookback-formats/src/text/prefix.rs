//! What a tool puts before each line of a program.

use lookback::value::JsonRef;

use super::{Decoded, Piece, time_at_start, without_colours};
use crate::draft::Draft;
use crate::record::Record;
use crate::time::Rules;
use crate::{Format, json};

/// Reads a line of a container: that of `docker compose logs` (`shop-1  | text`), of `kubectl logs
/// --prefix` (`[pod/shop-7c/app] text`) or stern (`shop-7c6d9f-x2z4k app text`), and the time that
/// `docker logs -t` and `kubectl logs --timestamps` put before each line.
pub(super) fn container(line: &str, rules: Rules<'_>) -> Option<Piece> {
    // Tools colour the names for a terminal.
    let is_coloured = line.starts_with('\u{1b}');
    let names = &line.as_bytes()[..line.len().min(LONGEST_NAMES)];
    let plain = if is_coloured || names.contains(&0x1b) {
        without_colours(line)
    } else {
        line.into()
    };
    let named = of_compose(&plain, is_coloured)
        .or_else(|| of_kubectl(&plain))
        .or_else(|| of_stern(&plain, is_coloured && has_two_colours(line)));
    let is_named = named.is_some();
    let (mut wrapper, mut text) = named.unwrap_or_else(|| (Draft::new(Format::Text), &plain));
    if let Some((time, after)) = of_daemon(text, rules) {
        wrapper.read_time(Some(time));
        text = after;
    } else if !is_named {
        return None;
    }
    Some(Piece {
        stream: String::new(),
        text: text.to_owned(),
        is_part: false,
        wrapper,
    })
}

/// The most bytes of the names before a line.
const LONGEST_NAMES: usize = 256;

/// Whether the first two words of a line have a colour each, as stern writes them.
fn has_two_colours(line: &str) -> bool {
    let mut rest = line;
    for _ in 0..2 {
        // A colour, a word, and the end of the colour.
        let word = rest
            .trim_start_matches(' ')
            .strip_prefix("\u{1b}[")
            .and_then(|rest| rest.split_once('m'));
        let Some((word, after)) = word.and_then(|(_, rest)| rest.split_once("\u{1b}[")) else {
            return false;
        };
        if word.is_empty() || word.contains(' ') {
            return false;
        }
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    true
}

/// Decodes a line behind a prefix, if it is of a known format there: that of `docker logs -t` and
/// `kubectl logs --timestamps`, which is a time, or any text before an object that is a log line.
pub(super) fn decode(line: &str, rules: Rules<'_>) -> Option<Draft> {
    if let Some(draft) = before_object(line, rules) {
        return Some(draft);
    }
    // A line of an access log has a time of its own.
    if !line.as_bytes().contains(&b'"') {
        return None;
    }
    let (time, text) = time_at_start(line, rules)?;
    if !text.contains("] \"") {
        return None;
    }
    let Decoded { draft, is_text } = super::decode(text, rules.within()?);
    let mut wrapper = Draft::new(Format::Text);
    wrapper.read_time(Some(time));
    (!is_text).then(|| draft.wrapped(wrapper))
}

/// Splits `2026-01-02T03:04:05.678901234Z text`: the nine digits are those of Docker, which leaves
/// out the zeros at their end under Kubernetes.
fn of_daemon<'l>(line: &'l str, rules: Rules<'_>) -> Option<(crate::time::Read, &'l str)> {
    let (time, text) = line.split_once(' ').unwrap_or((line, ""));
    let digits = time.strip_suffix('Z')?.split_once('.')?.1.len();
    (time.as_bytes().get(10) == Some(&b'T') && (7..=9).contains(&digits))
        .then(|| Some((rules.time_of_text(time)?, text)))
        .flatten()
}

/// Splits `shop-1  | text`. The name of a container ends with its number; another name counts if
/// it has a colour.
fn of_compose(line: &str, is_coloured: bool) -> Option<(Draft, &str)> {
    let (name, text) = line.split_once('|')?;
    let container = name.trim_end_matches(' ');
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_container = container.len() < name.len()
        && container.starts_with(|c: char| c.is_ascii_alphanumeric())
        && container.chars().all(is_of_name);
    if !is_container {
        return None;
    }
    let numbered = container.rsplit_once(['-', '_']).filter(|(_, number)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    let service = match numbered {
        Some((service, _)) => service,
        None if is_coloured => container,
        None => return None,
    };
    if service.is_empty() {
        return None;
    }
    let mut wrapper = Draft::new(Format::Text);
    wrapper.source = Some(service.to_owned());
    wrapper
        .meta
        .insert("container".to_owned(), container.into());
    Some((wrapper, text.strip_prefix(' ').unwrap_or(text)))
}

/// Splits `shop-7c6d9f-x2z4k app text`. The name of a pod ends with two random words; another name
/// counts if it has a colour.
fn of_stern(line: &str, is_coloured: bool) -> Option<(Draft, &str)> {
    let (pod, rest) = line.split_once(' ')?;
    let (container, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_of_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_random = |word: &str| word.bytes().all(is_of_word);
    let mut words = pod.rsplitn(3, '-');
    let (last, set, name) = (words.next()?, words.next(), words.next());
    let is_pod = last.len() == 5
        && is_random(last)
        && set.is_some_and(|set| {
            (6..=10).contains(&set.len())
                && is_random(set)
                && set.bytes().any(|b| b.is_ascii_digit())
        })
        && name.is_some_and(|name| !name.is_empty());
    let is_name = |name: &str| {
        let mut letters = name.bytes();
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && letters.all(|b| is_of_word(b) || b"-.".contains(&b))
    };
    if !(is_pod || is_coloured) || !is_name(pod) || !is_name(container) {
        return None;
    }
    Some((of_pod(pod, container), text))
}

/// Returns what the names of a pod and a container say.
fn of_pod(pod: &str, container: &str) -> Draft {
    let mut wrapper = Draft::new(Format::Text);
    wrapper.source = Some(container.to_owned());
    for (name, value) in [("pod", pod), ("container", container)] {
        wrapper.meta.insert(name.to_owned(), value.into());
    }
    wrapper
}

/// Splits `[pod/shop-7c/app] text`.
fn of_kubectl(line: &str) -> Option<(Draft, &str)> {
    let (names, text) = line.strip_prefix("[pod/")?.split_once("] ")?;
    let (pod, container) = names.split_once('/')?;
    let is_name = |name: &str| {
        let mut letters = name.bytes();
        !name.is_empty() && letters.all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    };
    if !is_name(pod) || !is_name(container) {
        return None;
    }
    Some((of_pod(pod, container), text))
}

/// Reads an object at the end of a line, if it is a record, and not what a text says more of.
fn before_object(line: &str, rules: Rules<'_>) -> Option<Draft> {
    const LONGEST: usize = 256;
    if !line.ends_with('}') {
        return None;
    }
    let at = line.find('{').filter(|at| (1..LONGEST).contains(at))?;
    let prefix = line[..at].trim_end();
    if prefix.len() == at {
        return None;
    }
    let mut fixed = Vec::new();
    let object = json::read::parse(&line.as_bytes()[at..], &mut fixed)?;
    let JsonRef::Object(members) = object else {
        return None;
    };
    let mut record = Record::new(members);
    if !json::is_log_line(&record, rules) {
        return None;
    }
    let draft = json::one(&mut record, rules.within()?)?;
    let mut wrapper = Draft::new(Format::Text);
    let (time, rest) = time_at_start(prefix, rules).unzip();
    wrapper.read_time(time);
    let rest = rest.unwrap_or(prefix).trim();
    if !rest.is_empty() {
        wrapper.meta.insert("prefix".to_owned(), rest.into());
    }
    Some(draft.wrapped(wrapper))
}
