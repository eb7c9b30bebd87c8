//! The forms of a word: the same letters, written in another way.
//!
//! PostgreSQL converts both sides of a comparison to lower case, by the rules of the
//! database. They differ: a database of locale `C` has no lower case of `Å`, one of
//! Turkish has another of `I`, and none knows that `e` with an accent is `é`. For
//! words with such letters, regular expressions list the forms, and for texts that
//! are not ASCII only.

pub(crate) mod ids;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The accents that are not a letter of their own.
const ACCENTS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';

/// The length of a word, in characters, up to which its forms are looked for.
const MAX_LENGTH: usize = 64;

/// Folds a text: no case, no accents, no ligatures. Passes each character of the
/// folded text with the position of its letter in `text`.
pub(crate) fn fold_each(text: &str, mut push: impl FnMut(usize, char)) {
    let mut letters = text.char_indices().peekable();
    let mut cluster = String::new();
    while let Some((at, letter)) = letters.next() {
        let has_marks = letters.peek().is_some_and(|(_, next)| is_mark(*next));
        if letter.is_ascii() && !has_marks {
            push(at, letter.to_ascii_lowercase());
            continue;
        }
        cluster.clear();
        cluster.push(letter);
        while let Some((_, mark)) = letters.next_if(|(_, next)| is_mark(*next)) {
            cluster.push(mark);
        }
        for letter in cluster.nfc() {
            fold_letter(letter, |folded| push(at, folded));
        }
    }
}

/// Returns the folded text.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut folded = String::with_capacity(text.len());
    fold_each(text, |_, letter| folded.push(letter));
    folded
}

/// Returns a text in the lower case of Unicode, composed. Unlike [`fold`], it keeps
/// accents.
pub(crate) fn lower(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// Returns whether a character modifies the letter before it.
pub(crate) fn is_mark(c: char) -> bool {
    c >= *ACCENTS.start() && is_combining_mark(c)
}

fn fold_letter(letter: char, mut push: impl FnMut(char)) {
    let ligature = match letter {
        'œ' | 'Œ' => "oe",
        'æ' | 'Æ' => "ae",
        'ß' | 'ẞ' => "ss",
        'þ' | 'Þ' => "th",
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'ı' => "i",
        _ => "",
    };
    if !ligature.is_empty() {
        ligature.chars().for_each(push);
        return;
    }
    match letter {
        // Latin, Greek and Cyrillic, ligatures, and letters of full width.
        '\u{c0}'..='\u{52f}'
        | '\u{1e00}'..='\u{1fff}'
        | '\u{fb00}'..='\u{fb06}'
        | '\u{ff01}'..='\u{ff5e}' => {
            let parts = letter.nfkd();
            let parts = parts.filter(|part| !ACCENTS.contains(part));
            for lower in parts.flat_map(char::to_lowercase) {
                match lower {
                    'ς' => push('σ'),
                    accent if ACCENTS.contains(&accent) => {}
                    lower => push(lower),
                }
            }
        }
        _ => letter.to_lowercase().for_each(push),
    }
}

/// Returns whether a character is of a script that is written without spaces, or
/// with few: a part of a run is a word.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Myanmar
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{3040}'..='\u{312f}' // kana, Bopomofo
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' // Han
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' // Hangul
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{3ffff}')
}

/// Returns the regular expression of a typed text in other forms of the same
/// letters: composed or not, in either case. `None` if it has none.
pub(crate) fn same_letters(typed: &str) -> Option<String> {
    if typed.is_ascii() || typed.chars().count() > MAX_LENGTH {
        return None;
    }
    let mut regex = String::new();
    for letter in typed.nfc() {
        if letter.is_ascii() && !letter.eq_ignore_ascii_case(&'i') {
            push_literal(&mut regex, letter.to_ascii_lowercase());
        } else {
            push_alternatives(&mut regex, forms_of(letter));
        }
    }
    Some(regex)
}

/// Returns a letter in both cases, composed or not.
fn forms_of(letter: char) -> Vec<String> {
    let mut forms: Vec<String> = vec![letter.to_string()];
    forms.push(letter.to_lowercase().collect());
    forms.push(letter.to_uppercase().collect());
    match letter {
        'σ' | 'ς' | 'Σ' => forms.extend(["σ", "ς", "Σ"].map(str::to_owned)),
        'i' | 'I' | 'ı' | 'İ' => {
            forms.extend(["i", "I", "ı", "İ", "i\u{307}"].map(str::to_owned));
        }
        _ => {}
    }
    let decomposed: Vec<String> = forms.iter().map(|form| form.nfd().collect()).collect();
    forms.extend(decomposed);
    forms
}

/// The SQL condition that the database has other lower cases than ASCII: in Turkish, that
/// of `I` is `ı`. The planner computes it.
pub(crate) const HAS_OTHER_CASES: &str = "lower('I') <> 'i'";

/// Returns the SQL of a text in lower case: by the rules of the database, whatever the
/// collation of a column, but with `i` for `I` in any, because those of Turkish would keep
/// `LOGIN` from `login`. So the lower case of ASCII is the same everywhere.
///
/// The planner chooses: where the rules are not those of Turkish, an index on `lower(…)`
/// serves it.
pub(crate) fn lower_sql(text: &str) -> String {
    let lower = format!("lower(({text}) COLLATE \"default\")");
    format!("CASE WHEN {HAS_OTHER_CASES} THEN replace({lower}, lower('I'), 'i') ELSE {lower} END")
}

/// How a pattern that ignores case matches letters whose case the database may not know.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OtherCases {
    /// The regular expression of the whole text.
    pub(crate) regex: String,
    /// Whether it counts in any database, and not only in one that
    /// [`HAS_OTHER_CASES`].
    pub(crate) is_everywhere: bool,
}

/// Returns how a pattern of `ILIKE` matches the other forms of its letters. `None` if it
/// has none, or is too long.
pub(crate) fn other_cases(pattern: &str) -> Option<OtherCases> {
    let is_everywhere = !pattern.is_ascii();
    let has_i = pattern.contains(['i', 'I']);
    if !(is_everywhere || has_i) || pattern.chars().count() > MAX_LENGTH {
        return None;
    }
    let mut regex = "^".to_owned();
    let mut letters = pattern.nfc();
    while let Some(letter) = letters.next() {
        let (letter, is_escaped) = match letter {
            '\\' => (letters.next().unwrap_or('\\'), true),
            letter => (letter, false),
        };
        match letter {
            '%' if !is_escaped => regex.push_str(".*"),
            '_' if !is_escaped => regex.push('.'),
            letter if letter.is_alphabetic() => push_alternatives(&mut regex, forms_of(letter)),
            letter => push_literal(&mut regex, letter),
        }
    }
    regex.push('$');
    Some(OtherCases {
        regex,
        is_everywhere,
    })
}

/// Returns the regular expression of a folded word with accents, ligatures and the
/// like, for texts that are not ASCII. `None` if it is too long, or has no letters.
pub(crate) fn near_letters(folded: &str) -> Option<String> {
    let letters: Vec<char> = folded.chars().collect();
    let has_forms = letters
        .iter()
        .any(|letter| letter.is_alphabetic() && !is_unspaced(*letter));
    if letters.len() > MAX_LENGTH || !has_forms {
        return None;
    }
    let forms = unfolded();
    let mut regex = String::new();
    let mut rest = folded;
    while let Some(letter) = rest.chars().next() {
        // A ligature stands for several letters.
        let ligature = forms
            .iter()
            .find(|(key, _)| key.chars().count() > 1 && rest.starts_with(key.as_str()));
        let mut alternatives: Vec<String> = Vec::new();
        let length = match ligature {
            Some((key, ligatures)) => {
                let spelt: String = key
                    .chars()
                    .map(|letter| one_letter(forms, letter))
                    .collect();
                alternatives.push(spelt);
                alternatives.extend(ligatures.chars().map(String::from));
                key.len()
            }
            None => {
                alternatives.push(one_letter(forms, letter));
                letter.len_utf8()
            }
        };
        if alternatives.len() == 1 {
            regex.push_str(&alternatives[0]);
        } else {
            regex.push_str(&format!("(?:{})", alternatives.join("|")));
        }
        rest = &rest[length..];
    }
    Some(regex)
}

/// Returns the regular expression of a folded letter with any accents.
fn one_letter(forms: &BTreeMap<String, String>, letter: char) -> String {
    let mut regex = String::new();
    match forms.get(letter.to_string().as_str()) {
        Some(others) => regex.push_str(&format!("[{letter}{others}]")),
        None => push_literal(&mut regex, letter),
    }
    if letter.is_alphabetic() && !is_unspaced(letter) {
        regex.push_str("[\u{300}-\u{36f}]*");
    }
    regex
}

/// The letters that fold to others, by what they fold to.
fn unfolded() -> &'static BTreeMap<String, String> {
    static UNFOLDED: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    UNFOLDED.get_or_init(|| {
        let blocks = [
            '\u{c0}'..='\u{24f}',
            '\u{370}'..='\u{52f}',
            '\u{1e00}'..='\u{1fff}',
            '\u{fb00}'..='\u{fb06}',
        ];
        let mut forms: BTreeMap<String, String> = BTreeMap::new();
        for letter in blocks.into_iter().flatten() {
            let folded = fold(&letter.to_string());
            let is_word = !folded.is_empty() && folded.chars().all(char::is_alphanumeric);
            if letter.is_alphabetic() && is_word && folded != letter.to_string() {
                forms.entry(folded).or_default().push(letter);
            }
        }
        forms
    })
}

fn push_alternatives(regex: &mut String, mut forms: Vec<String>) {
    forms.sort_unstable();
    forms.dedup();
    if let [form] = forms.as_slice() {
        form.chars().for_each(|letter| push_literal(regex, letter));
        return;
    }
    // The longest first is not needed: a regular expression of PostgreSQL tries all.
    let forms = forms.iter().map(|form| {
        let mut escaped = String::new();
        form.chars()
            .for_each(|letter| push_literal(&mut escaped, letter));
        escaped
    });
    regex.push_str(&format!("(?:{})", forms.collect::<Vec<_>>().join("|")));
}

/// Appends a letter to a regular expression of PostgreSQL, literally.
pub(crate) fn push_literal(regex: &mut String, letter: char) {
    if letter.is_ascii() && !letter.is_ascii_alphanumeric() {
        regex.push('\\');
    }
    regex.push(letter);
}

/// Splits a text into its runs of letters and digits.
pub(crate) fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_in_word(c))
        .filter(|run| !run.is_empty())
}

/// Returns whether a character is a part of a word: a letter, a digit, or an accent
/// of the letter before it.
pub(crate) fn is_in_word(c: char) -> bool {
    c.is_alphanumeric() || is_mark(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{fold, fold_each, near_letters, other_cases, same_letters};

    #[test]
    fn fold_removes_case_accents_and_ligatures() {
        for (text, folded) in [
            ("Résumé", "resume"),
            ("re\u{301}sume\u{301}", "resume"),
            ("Œuvre", "oeuvre"),
            ("STRASSE straße", "strasse strasse"),
            ("ΟΔΟΣ οδός", "οδοσ οδοσ"),
            ("İstanbul ISPARTA ısı", "istanbul isparta isi"),
            ("ﬁle", "file"),
            ("ＡＢＣ", "abc"),
            ("が가ガ", "が가ガ"),
            ("か\u{3099}", "が"),
            ("Москва́", "москва"),
            ("100%", "100%"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
        }
    }

    #[test]
    fn lower_knows_every_letter_and_composes() {
        assert_eq!(super::lower("ÅSA@Exämple.SE"), "åsa@exämple.se");
        assert_eq!(super::lower("A\u{30a}SA"), super::lower("åsa"));
        assert_eq!(super::lower("İ"), super::lower("i\u{307}"));
    }

    #[test]
    fn regexes_list_forms_of_letters() {
        assert_eq!(same_letters("plain"), None);
        assert_eq!(
            same_letters("né").as_deref(),
            Some("n(?:E\u{301}|e\u{301}|É|é)")
        );
        assert_eq!(near_letters("42"), None);
        assert_eq!(near_letters("日本"), None);
        let near = near_letters("oe1").unwrap();
        assert!(
            near.starts_with("(?:[oÒ") && near.ends_with("|Œ|œ)1"),
            "{near}"
        );
    }

    #[test]
    fn other_cases_are_those_of_the_letters_of_a_pattern() {
        assert_eq!(other_cases("%refused%"), None);
        let turkish = other_cases("info\\%").unwrap();
        assert!(!turkish.is_everywhere);
        assert_eq!(
            turkish.regex,
            "^(?:I|I\u{307}|i|i\u{307}|İ|ı)(?:N|n)(?:F|f)(?:O|o)\\%$"
        );
        let umlaut = other_cases("_ö%").unwrap();
        assert!(umlaut.is_everywhere);
        assert_eq!(umlaut.regex, "^.(?:O\u{308}|o\u{308}|Ö|ö).*$");
    }

    proptest! {
        #[test]
        fn fold_is_idempotent_and_keeps_places(text in "[a-zA-ZéÉßœİΣς가が\u{301}\u{3099} -]{0,20}") {
            let folded = fold(&text);
            prop_assert_eq!(&fold(&folded), &folded);
            let mut last = 0;
            let mut letters = String::new();
            fold_each(&text, |at, letter| {
                assert!(text.is_char_boundary(at) && at >= last);
                last = at;
                letters.push(letter);
            });
            prop_assert_eq!(letters, folded);
        }
    }
}
