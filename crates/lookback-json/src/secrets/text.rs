//! A look at a text, and a text in which secrets are masked.

use std::borrow::Cow;
use std::ops::Range;

use super::{
    MASK, Masking, cards, encoded, forms, markup, mask_length, named, unlisted, without_nul,
};
use crate::Json;

/// How often a text may be encoded within another.
const MAX_DEPTH: usize = 3;

/// The escapes of a quote in JSON within three other strings of JSON.
const DEEP_QUOTE: &str = r#"\\\\\\\\\\\\\\\""#;

impl Masking {
    pub(super) fn mask_text_at<'a>(&self, text: &'a str, depth: usize) -> Cow<'a, str> {
        let found = Suspicious::in_text(text);
        let has_run = || {
            found.token && forms::next_run(text, 0).is_some()
                || found.card && cards::next_run(text, 0).is_some()
        };
        // Most texts are such ones.
        if !found.is_any() && !has_run() {
            return Cow::Borrowed(text);
        }
        self.mask_repeatedly(text, depth)
    }

    #[inline(never)]
    fn mask_repeatedly<'a>(&self, text: &'a str, depth: usize) -> Cow<'a, str> {
        // A mask may show that what is around it is part of the secret.
        const MOST: usize = 4;
        let Cow::Owned(mut masked) = self.mask_once(text, depth) else {
            return Cow::Borrowed(text);
        };
        for round in 0.. {
            let again = match self.mask_once(&masked, depth) {
                Cow::Owned(again) if again != masked => again,
                _ => break,
            };
            if round < MOST {
                masked = again;
            } else if round < 2 * MOST {
                // A text of broken quotes and brackets. From here on, all of it is masked.
                let pairs = masked.bytes().zip(again.bytes());
                let same = pairs.take_while(|(one, other)| one == other).count();
                masked.truncate(masked.floor_char_boundary(same));
                masked.push_str(MASK);
            } else {
                return Cow::Owned(MASK.to_owned());
            }
        }
        Cow::Owned(masked)
    }

    fn mask_once<'a>(&self, text: &'a str, depth: usize) -> Cow<'a, str> {
        let found = Suspicious::in_text(text);
        let mut masked = Cow::Borrowed(text);
        if found.nul {
            masked = Cow::Owned(without_nul(text.to_owned()));
        }
        let is_strict = self.allowed.is_some();
        if is_strict
            && depth < MAX_DEPTH
            && let Some(json) = self.mask_json(&masked)
        {
            return Cow::Owned(json);
        }
        let mut apply = |mask: &dyn Fn(&str) -> Option<String>| {
            if let Some(text) = mask(&masked) {
                masked = Cow::Owned(text);
            }
        };
        // First, while it is JSON.
        if found.quote && depth < MAX_DEPTH {
            apply(&|text| self.mask_pairs_of_json(text));
        }
        if found.tag {
            apply(&|text| markup::mask_elements(self, text));
        }
        if found.line && found.parameter {
            apply(&|text| markup::mask_parts(self, text));
        }
        if found.private_key {
            apply(&|text| forms::mask_private_keys(self, text));
        }
        if found.token {
            apply(&|text| forms::mask_tokens(self, text));
        }
        if found.url {
            apply(&|text| forms::mask_urls(self, text));
        }
        if found.scheme {
            apply(&|text| forms::mask_schemes(self, text));
        }
        if found.card {
            apply(&|text| cards::mask_cards(self, text));
        }
        if is_strict {
            apply(&|text| unlisted::mask_unlisted(self, text));
        } else {
            if found.parameter {
                apply(&|text| named::mask_parameters(self, text));
            }
            if found.member {
                apply(&|text| named::mask_members(self, text));
            }
        }
        if found.percent && depth < MAX_DEPTH {
            apply(&|text| encoded::mask_encoded(self, text, depth));
        }
        masked
    }

    /// Masks a text that is JSON, all of it.
    fn mask_json(&self, text: &str) -> Option<String> {
        if !may_be_json(text) || text.trim_start().starts_with('"') {
            return None;
        }
        let json: Json = text.parse().ok()?;
        let mut masked = json.clone();
        self.mask_value(&mut masked, false);
        Some(if masked == json {
            text.to_owned()
        } else {
            masked.to_string()
        })
    }

    /// Masks a text that is JSON with lists of names and values, or forms, which only its structure
    /// shows.
    fn mask_pairs_of_json(&self, text: &str) -> Option<String> {
        let may_have_pairs =
            || text.contains("alue") || text.contains('[') || text.contains("form-data");
        if !may_be_json(text) || !may_have_pairs() {
            return None;
        }
        let json: Json = text.parse().ok()?;
        let mut masked = json.clone();
        self.mask(&mut masked);
        (masked != json).then(|| masked.to_string())
    }
}

/// Whether a text begins and ends as JSON. Deep JSON would be looked at again on each level.
fn may_be_json(text: &str) -> bool {
    let text = text.trim();
    let is_enclosed = [('{', '}'), ('[', ']'), ('"', '"')]
        .iter()
        .any(|(start, end)| text.starts_with(*start) && text.ends_with(*end));
    is_enclosed && !text.contains(DEEP_QUOTE)
}

/// What a look at each byte of a text finds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a kind of secrets")]
struct Suspicious {
    nul: bool,
    /// The last letter of the name of a scheme, such as `Bearer `, and a blank.
    scheme: bool,
    /// The `=` of a parameter.
    parameter: bool,
    /// The colon of a member.
    member: bool,
    /// The colon and the `@` of a URL with credentials.
    url: bool,
    /// As long as a token.
    token: bool,
    /// The dashes and the blanks of a private key.
    private_key: bool,
    /// The digits of a card.
    card: bool,
    percent: bool,
    tag: bool,
    line: bool,
    quote: bool,
}

const NUL: u16 = 1;
const EQUALS: u16 = 2;
/// The last letter of the name of a scheme.
const LAST_OF_SCHEME: u16 = 4;
const BLANK: u16 = 8;
const AT: u16 = 16;
const COLON: u16 = 32;
const DASH: u16 = 64;
const DIGIT: u16 = 128;
const PERCENT: u16 = 256;
const TAG: u16 = 512;
const LINE: u16 = 1024;
const QUOTE: u16 = 2048;

const CLASSES: [u16; 256] = {
    let mut classes = [0; 256];
    classes[0] = NUL;
    classes[b'=' as usize] = EQUALS;
    classes[b'r' as usize] = LAST_OF_SCHEME;
    classes[b'R' as usize] = LAST_OF_SCHEME;
    classes[b'c' as usize] = LAST_OF_SCHEME;
    classes[b'C' as usize] = LAST_OF_SCHEME;
    classes[b' ' as usize] = BLANK;
    classes[b'@' as usize] = AT;
    classes[b':' as usize] = COLON;
    classes[b'-' as usize] = DASH;
    classes[b'%' as usize] = PERCENT;
    classes[b'<' as usize] = TAG;
    classes[b'\n' as usize] = LINE;
    // The end of a line in a string of JSON.
    classes[b'\\' as usize] = LINE;
    classes[b'"' as usize] = QUOTE;
    let mut digit = b'0';
    while digit <= b'9' {
        classes[digit as usize] = DIGIT;
        digit += 1;
    }
    classes
};

impl Suspicious {
    #[inline]
    fn in_text(text: &str) -> Self {
        const MIN_PRIVATE_KEY: usize = 27;
        let bytes = text.as_bytes();
        let look = |found, byte: &u8| found | CLASSES[usize::from(*byte)];
        let classes = bytes.iter().fold(0, look);
        let has = |wanted: u16| classes & wanted == wanted;
        // Most texts have not both of them. The fold is without a way out, so that many bytes are
        // looked at together.
        let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
        let scheme = |found, (byte, next): (&u8, &u8)| {
            found | ((byte | 32 == b'r') | (byte | 32 == b'c')) & (*next == b' ')
        };
        Self {
            nul: has(NUL),
            parameter: has(EQUALS),
            scheme: has(LAST_OF_SCHEME | BLANK) && pairs.fold(false, scheme),
            member: has(COLON),
            url: has(COLON | AT),
            token: bytes.len() >= forms::MIN_TOKEN,
            private_key: has(DASH | BLANK) && bytes.len() >= MIN_PRIVATE_KEY,
            card: has(DIGIT) && bytes.len() >= cards::FEWEST,
            percent: has(PERCENT),
            tag: has(TAG),
            line: has(LINE),
            quote: has(QUOTE),
        }
    }

    /// Whether there is more than what long runs of characters may be.
    fn is_any(self) -> bool {
        self.nul
            || self.scheme
            || self.parameter
            || self.member
            || self.private_key
            || self.percent
            || self.tag
            || self.quote
    }
}

/// Returns the next run of bytes of a kind that has at least `LEAST` of them.
///
/// Each of these has one of the bytes that are looked at, which are so far apart.
#[inline]
pub(super) fn next_run<const LEAST: usize>(
    text: &str,
    from: usize,
    is_of_run: impl Fn(u8) -> bool,
) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut at, mut from) = (from + LEAST - 1, from);
    while let Some(byte) = bytes.get(at) {
        if !is_of_run(*byte) {
            at += LEAST;
            continue;
        }
        let before = bytes[from..at].iter().rev();
        let start = at - before.take_while(|byte| is_of_run(**byte)).count();
        let rest = bytes[at..].iter();
        let end = at + rest.take_while(|byte| is_of_run(**byte)).count();
        if end - start >= LEAST {
            return Some(start..end);
        }
        from = end;
        at = end + LEAST;
    }
    None
}

/// A text in which secrets are masked, from its start to its end.
pub(super) struct Masked<'a> {
    masking: &'a Masking,
    pub(super) text: &'a str,
    masked: String,
    /// Where the last secret ended.
    pub(super) done: usize,
}

impl<'a> Masked<'a> {
    pub(super) fn new(masking: &'a Masking, text: &'a str) -> Self {
        Self {
            masking,
            text,
            masked: String::new(),
            done: 0,
        }
    }

    pub(super) fn mask(&mut self, secret: Range<usize>) {
        self.mask_quoted(secret, "");
    }

    pub(super) fn mask_quoted(&mut self, secret: Range<usize>, quote: &str) {
        let before = &self.text[self.done..secret.start];
        let value = &self.text[secret.clone()];
        if mask_length(value) == Some(value.len()) {
            self.masked.extend([before, value]);
        } else {
            let mask = self.masking.mask_of(value);
            self.masked.extend([before, quote, &*mask, quote]);
        }
        self.done = secret.end;
    }

    /// Returns the text. `None` if it has no secrets.
    pub(super) fn finish(self) -> Option<String> {
        (self.done > 0).then(|| self.masked + &self.text[self.done..])
    }
}
