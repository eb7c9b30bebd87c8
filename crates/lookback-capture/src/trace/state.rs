//! The header `tracestate`: what the systems that a trace has passed through note of it.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries the state of a trace.
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The most members of a state. One with more is passed on by nobody.
const MOST_MEMBERS: usize = 32;
/// The most bytes of a key, and of a value.
const MOST_BYTES: usize = 256;

/// Returns the state of a trace, as it is passed on: in one line. `None` if there is none, or it is
/// not of the form of [W3C Trace Context](https://www.w3.org/TR/trace-context/#tracestate-header).
pub(super) fn trace_state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut members = Vec::new();
    for line in headers.get_all(TRACESTATE) {
        for member in line.to_str().ok()?.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            if members.len() == MOST_MEMBERS || !is_member(member) {
                return None;
            }
            members.push(member);
        }
    }
    if members.is_empty() {
        return None;
    }
    HeaderValue::from_str(&members.join(",")).ok()
}

fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else {
        return false;
    };
    let is_of_key =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let is_of_value = |byte: u8| matches!(byte, b' '..=b'~') && !b",=".contains(&byte);
    let begins_right = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    begins_right
        && key.len() <= MOST_BYTES
        && key.bytes().all(is_of_key)
        && (1..=MOST_BYTES).contains(&value.len())
        && value.bytes().all(is_of_value)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{TRACESTATE, trace_state};

    fn passed_on(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(TRACESTATE, line.parse().unwrap());
        }
        let state = trace_state(&headers)?;
        Some(state.to_str().unwrap().to_owned())
    }

    #[test]
    fn state_is_passed_on_in_one_line() {
        for (lines, expected) in [
            (&["rojo=00f067aa0ba902b7"][..], "rojo=00f067aa0ba902b7"),
            (
                &["rojo=1 , congo=t61rcWkgMzE", "a@b=x y"],
                "rojo=1,congo=t61rcWkgMzE,a@b=x y",
            ),
            (&["", "a=1,,b=2,"], "a=1,b=2"),
            (&["0a_-*/=!~"], "0a_-*/=!~"),
        ] {
            assert_eq!(passed_on(lines).as_deref(), Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn state_of_another_form_is_not_passed_on() {
        let long = format!("{}=1", "k".repeat(257));
        let many: Vec<String> = (0..33).map(|number| format!("k{number}=1")).collect();
        let many = many.join(",");
        for line in [
            "", " , ", "novalue", "=1", "a=", "A=1", "a b=1", "a=1=2", "-a=1", &long, &many,
        ] {
            assert_eq!(passed_on(&[line]), None, "{line}");
        }
        let most: Vec<String> = (0..32).map(|number| format!("k{number}=1")).collect();
        assert_eq!(passed_on(&[&most.join(",")]), Some(most.join(",")));
    }
}
