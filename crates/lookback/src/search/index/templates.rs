//! What lines have in common that differ in numbers and ids alone.

/// A text of which each run of letters and digits with a digit in it is a `0`:
/// numbers, ids, addresses. Lines of one place in a program have one template.
///
/// A word without a digit is in a text if it is in its template, or in one of
/// the runs that the template leaves out ([`odd_runs`]).
pub(crate) fn template(text: &str) -> String {
    let mut template = String::with_capacity(text.len());
    push_template(&mut template, text, |_| {});
    template
}

/// Adds the template of a text to what is there, and gives the runs that it
/// leaves out to `odd`.
pub(super) fn push_template(template: &mut String, text: &str, mut odd: impl FnMut(&str)) {
    for (run, is_odd) in runs(text) {
        match is_odd {
            true => {
                template.push('0');
                odd(run);
            }
            false => template.push_str(run),
        }
    }
}

/// Whether a text of so many bytes is not too long for its template to be kept.
pub(super) fn is_kept(bytes: usize) -> bool {
    const LONGEST: usize = 4_096;
    bytes <= LONGEST
}

/// The runs with a digit in them.
pub(crate) fn odd_runs(text: &str) -> impl Iterator<Item = &str> {
    runs(text).filter_map(|(run, is_odd)| is_odd.then_some(run))
}

/// Whether a text has a digit, and so a part that is in no template.
pub(crate) fn is_odd(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// The templates that a text may have within a longer one, where its first and
/// its last run may be parts of runs with a digit. Of a text without a digit that
/// is one run, itself alone: in a run with a digit, it is in what templates leave
/// out.
pub(crate) fn templates_within(text: &str) -> Vec<String> {
    let own: Vec<(&str, bool)> = runs(text).collect();
    let is_run = |place: usize| own[place].0.chars().all(char::is_alphanumeric);
    if let [(run, false)] = own.as_slice() {
        return vec![(*run).to_owned()];
    }
    let mut all = Vec::new();
    for first in [false, true] {
        for last in [false, true] {
            let mut within = String::new();
            for (place, (run, is_odd)) in own.iter().enumerate() {
                let at_end = (first && place == 0) || (last && place + 1 == own.len());
                match *is_odd || (at_end && is_run(place)) {
                    true => within.push('0'),
                    false => within.push_str(run),
                }
            }
            if !all.contains(&within) {
                all.push(within);
            }
        }
    }
    all
}

/// A text in runs of letters and digits and what is between them, and whether
/// each has a digit.
pub(super) fn runs(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let bytes = text.as_bytes();
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = next;
        let (mut is_word, mut is_odd) = (None, false);
        while let Some(byte) = bytes.get(next) {
            // Most texts are ASCII, and are read once for each record that is sealed.
            let (is_letter, length) = match byte.is_ascii() {
                true => (byte.is_ascii_alphanumeric(), 1),
                false => {
                    let letter = text[next..].chars().next()?;
                    (letter.is_alphanumeric(), letter.len_utf8())
                }
            };
            if *is_word.get_or_insert(is_letter) != is_letter {
                break;
            }
            is_odd |= byte.is_ascii_digit();
            next += length;
        }
        (next > first).then(|| (&text[first..next], is_odd))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{is_odd, odd_runs, template, templates_within};

    #[test]
    fn numbers_and_ids_are_left_out() {
        let text = "blk_-7 from 10.0.0.1:50010 (é7d97b2, user42) ok\nAPI";
        assert_eq!(template(text), "blk_-0 from 0.0.0.0:0 (0, 0) ok\nAPI");
        let odd: Vec<&str> = odd_runs(text).collect();
        assert_eq!(
            odd,
            ["7", "10", "0", "0", "1", "50010", "é7d97b2", "user42"]
        );
        assert_eq!(templates_within("port 50011"), ["port 0", "0 0"]);
        assert_eq!(templates_within("a b"), ["a b", "a 0", "0 b", "0 0"]);
        assert_eq!(templates_within("->"), ["->"]);
        assert_eq!(templates_within(""), [""]);
    }

    proptest! {
        #[test]
        fn what_is_in_a_text_is_in_its_template_or_left_out(
            before in "[a-c0-9 .-]{0,6}", part in "[a-cé0-9 .-]{0,8}", after in "[a-c0-9 .-]{0,6}",
        ) {
            let text = format!("{before}{part}{after}");
            let whole = template(&text);
            let is_within = templates_within(&part).iter().any(|within| whole.contains(within));
            prop_assert!(is_within || odd_runs(&text).any(|run| run.contains(&part)));
            if !is_odd(&part) && part.chars().all(char::is_alphanumeric) {
                let is_left_out = odd_runs(&text).any(|run| run.contains(&part));
                prop_assert!(whole.contains(&part) || is_left_out);
            }
        }
    }
}
