//! Templates: texts with their numbers and ids masked.

/// Returns the template of a text: numbers, ids and addresses become `0`.
///
/// Each run of letters and digits that contains a digit is masked. So log lines
/// from the same place in a program have the same template.
///
/// A word of the text that has no digit is in the template, or in one of the
/// masked runs ([`digit_runs`]).
pub(crate) fn template(text: &str) -> String {
    let mut template = String::with_capacity(text.len());
    push_template(&mut template, text, |_| {});
    template
}

/// Appends the template of a text, and passes the masked runs to
/// `on_digit_run`.
pub(super) fn push_template(template: &mut String, text: &str, mut on_digit_run: impl FnMut(&str)) {
    for (run, has_digit) in runs(text) {
        if has_digit {
            template.push('0');
            on_digit_run(run);
        } else {
            template.push_str(run);
        }
    }
}

/// Returns whether a text of this many bytes is short enough to keep its
/// template.
pub(super) fn fits_template(bytes: usize) -> bool {
    const LONGEST: usize = 4_096;
    bytes <= LONGEST
}

/// Returns the runs with a digit.
pub(crate) fn digit_runs(text: &str) -> impl Iterator<Item = &str> {
    runs(text).filter_map(|(run, has_digit)| has_digit.then_some(run))
}

/// Returns whether a text has a digit, and so a part that is in no template.
pub(crate) fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// Returns the templates that a text may have within a longer one, where its
/// first and its last run may be parts of runs with a digit. For a single run
/// without a digit, only itself: within a run with a digit it is masked.
pub(crate) fn templates_within(text: &str) -> Vec<String> {
    let own: Vec<(&str, bool)> = runs(text).collect();
    let is_run = |index: usize| own[index].0.chars().all(char::is_alphanumeric);
    if let [(run, false)] = own.as_slice() {
        return vec![(*run).to_owned()];
    }
    let mut all = Vec::new();
    for first in [false, true] {
        for last in [false, true] {
            let mut within = String::new();
            for (index, (run, has_digit)) in own.iter().enumerate() {
                let at_end = (first && index == 0) || (last && index + 1 == own.len());
                if *has_digit || (at_end && is_run(index)) {
                    within.push('0');
                } else {
                    within.push_str(run);
                }
            }
            if !all.contains(&within) {
                all.push(within);
            }
        }
    }
    all
}

/// Splits a text into runs of letters and digits and the rest between them,
/// each with whether it has a digit.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let bytes = text.as_bytes();
    let mut next = 0;
    std::iter::from_fn(move || {
        let first = next;
        let (mut is_word, mut has_digit) = (None, false);
        while let Some(byte) = bytes.get(next) {
            // Most texts are ASCII, and are read once for each record that is sealed.
            let (is_letter, length) = if byte.is_ascii() {
                (byte.is_ascii_alphanumeric(), 1)
            } else {
                let letter = text[next..].chars().next()?;
                (letter.is_alphanumeric(), letter.len_utf8())
            };
            if *is_word.get_or_insert(is_letter) != is_letter {
                break;
            }
            has_digit |= byte.is_ascii_digit();
            next += length;
        }
        (next > first).then(|| (&text[first..next], has_digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{digit_runs, has_digit, template, templates_within};

    #[test]
    fn template_masks_numbers_and_ids() {
        let text = "blk_-7 from 10.0.0.1:50010 (é7d97b2, user42) ok\nAPI";
        assert_eq!(template(text), "blk_-0 from 0.0.0.0:0 (0, 0) ok\nAPI");
        let runs: Vec<&str> = digit_runs(text).collect();
        assert_eq!(
            runs,
            ["7", "10", "0", "0", "1", "50010", "é7d97b2", "user42"]
        );
        assert_eq!(templates_within("port 50011"), ["port 0", "0 0"]);
        assert_eq!(templates_within("a b"), ["a b", "a 0", "0 b", "0 0"]);
        assert_eq!(templates_within("->"), ["->"]);
        assert_eq!(templates_within(""), [""]);
    }

    proptest! {
        #[test]
        fn template_contains_any_part_of_text_unless_masked(
            before in "[a-c0-9 .-]{0,6}", part in "[a-cé0-9 .-]{0,8}", after in "[a-c0-9 .-]{0,6}",
        ) {
            let text = format!("{before}{part}{after}");
            let whole = template(&text);
            let is_within = templates_within(&part).iter().any(|within| whole.contains(within));
            prop_assert!(is_within || digit_runs(&text).any(|run| run.contains(&part)));
            if !has_digit(&part) && part.chars().all(char::is_alphanumeric) {
                let is_left_out = digit_runs(&text).any(|run| run.contains(&part));
                prop_assert!(whole.contains(&part) || is_left_out);
            }
        }
    }
}
