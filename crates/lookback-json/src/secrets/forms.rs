//! Secrets that their form shows: credentials behind a scheme or in a URL, and tokens.

use std::ops::Range;

use super::Masking;
use super::text::{self, Masked};

/// The shortest credentials: shorter ones are a word of a sentence.
const MIN_CREDENTIALS: usize = 8;

/// Masks the credentials behind `Bearer` and `Basic`.
pub(super) fn mask_schemes(masking: &Masking, text: &str) -> Option<String> {
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(found) = text[from..].find(' ') {
        let end_of_scheme = from + found;
        from = end_of_scheme + 1;
        let before = &text.as_bytes()[..end_of_scheme];
        let is_scheme = |scheme: &[u8]| {
            let start = before.len().checked_sub(scheme.len());
            start.is_some_and(|start| before[start..].eq_ignore_ascii_case(scheme))
        };
        let is_basic = is_scheme(b"basic");
        if !is_basic && !is_scheme(b"bearer") {
            continue;
        }
        let after = text[from..].trim_start_matches(' ');
        let start = text.len() - after.len();
        let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
        let length = after.find(|c: char| !is_of_token(c)).unwrap_or(after.len());
        let credentials = &after[..length];
        // A short word may be a scheme itself: `bearer bearer abc…`.
        let is_secret = if is_basic {
            let is_lower = |byte: u8| byte.is_ascii_lowercase() || byte == b'.';
            let is_word = credentials.bytes().all(is_lower);
            length >= MIN_CREDENTIALS && !is_word || is_user_and_password(credentials)
        } else {
            length >= MIN_CREDENTIALS
        };
        if is_secret {
            masked.mask(start..start + length);
            from = start + length;
        }
    }
    masked.finish()
}

/// Whether a text is `user:password` in Base64.
fn is_user_and_password(text: &str) -> bool {
    const MAX: usize = 64;
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let (mut bits, mut count, mut has_colon) = (0_u32, 0, false);
    for byte in text.trim_end_matches('=').bytes().take(MAX) {
        let Some(value) = value(byte) else {
            return false;
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            let byte = (bits >> count) as u8;
            has_colon |= byte == b':';
            if byte < b' ' {
                return false;
            }
        }
    }
    has_colon
}

/// Masks the password in `scheme://user:password@host`.
pub(super) fn mask_urls(masking: &Masking, text: &str) -> Option<String> {
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(found) = text[from..].find(':') {
        from += found + 1;
        let after = &text[from..];
        // Some programs write `/` in JSON as `\/`.
        let slashes = ["//", r"\/\/"].into_iter().find(|s| after.starts_with(s));
        let Some(slashes) = slashes else {
            continue;
        };
        let start = from + slashes.len();
        let is_end = |c: char| c.is_whitespace() || "/?#\"'<>\\`".contains(c);
        let end = text[start..].find(is_end).unwrap_or(text.len() - start);
        let authority = &text[start..start + end];
        // Its last colon may be that of another URL.
        from = start;
        let at_sign = authority
            .rfind('@')
            .or_else(|| end_of_odd_password(&text[start..], authority));
        let Some(credentials) = at_sign.map(|at| &text[start..start + at]) else {
            continue;
        };
        if let Some((user, password)) = credentials.split_once(':')
            && !password.is_empty()
            && !super::has_mask(password)
            && start + user.len() + 1 >= masked.done
        {
            let start = start + user.len() + 1;
            masked.mask(start..start + password.len());
        }
    }
    masked.finish()
}

/// Returns where the password of a URL ends that has a `/`, `?` or `#`, as no URL should.
fn end_of_odd_password(text: &str, authority: &str) -> Option<usize> {
    const LONGEST: usize = 128;
    let (_, password) = authority.split_once(':')?;
    let is_port = password.bytes().all(|byte| byte.is_ascii_digit());
    if is_port && !password.is_empty() || authority.starts_with('[') {
        return None;
    }
    let is_end = |c: char| c.is_whitespace() || "\"'<>\\`&=,".contains(c);
    let mut rest = text.char_indices().skip(authority.chars().count());
    let (at, _) = rest
        .by_ref()
        .take(LONGEST)
        .find(|(_, c)| *c == '@' || is_end(*c))?;
    (text[at..].starts_with('@') && !text[..at].contains("://")).then_some(at)
}

/// Masks private keys. One that was cut goes to the end.
pub(super) fn mask_private_keys(masking: &Masking, text: &str) -> Option<String> {
    const BEGINS: &str = "-----BEGIN ";
    const MAX_KIND: usize = 32;
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(found) = text[from..].find(BEGINS) {
        let at = from + found;
        from = at + BEGINS.len();
        let is_of_kind =
            |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'0'..=b'9');
        let kind = text[from..].bytes().take(MAX_KIND);
        let length = kind.take_while(is_of_kind).count();
        let start = from + length + "-----".len();
        let Some(head) = text.get(at..start) else {
            continue;
        };
        if head.ends_with("PRIVATE KEY-----") || head.ends_with("PRIVATE KEY BLOCK-----") {
            let content = &text[start..];
            let end = content.find("-----END ").unwrap_or(content.len());
            if end > 0 {
                masked.mask(start..start + end);
            }
            from = start + end;
        }
    }
    masked.finish()
}

/// The shortest text that may be a token, and the shortest run of the characters of tokens.
pub(super) const MIN_TOKEN: usize = 16;

/// The characters behind what a token begins with.
#[derive(Clone, Copy)]
enum Rest {
    /// At least this many letters, digits, `-` and `_`.
    Token(usize),
    /// As `Token`, with a digit and a capital letter among them: words have these beginnings, too.
    Mixed(usize),
    /// Exactly this many capital letters and digits.
    Capitals(usize),
    /// Exactly this many hexadecimal digits, in lower case.
    Hex(usize),
    /// Parts with dots between them, each of at least this many characters.
    Dotted(usize),
}

/// What the tokens of well-known services begin with.
const PREFIXES: &[(&str, Rest)] = &[
    ("ghp_", Rest::Token(16)),
    ("gho_", Rest::Token(16)),
    ("ghs_", Rest::Token(16)),
    ("ghu_", Rest::Token(16)),
    ("ghr_", Rest::Token(16)),
    ("github_pat_", Rest::Token(16)),
    ("glpat-", Rest::Token(16)),
    ("gldt-", Rest::Token(16)),
    ("glrt-", Rest::Token(16)),
    ("glcbt-", Rest::Token(16)),
    ("glptt-", Rest::Token(16)),
    ("glsa_", Rest::Token(30)),
    ("xoxa-", Rest::Token(16)),
    ("xoxb-", Rest::Token(16)),
    ("xoxe-", Rest::Token(16)),
    ("xoxp-", Rest::Token(16)),
    ("xoxr-", Rest::Token(16)),
    ("xoxs-", Rest::Token(16)),
    ("xapp-", Rest::Token(16)),
    ("sk_live_", Rest::Token(10)),
    ("rk_live_", Rest::Token(10)),
    ("sk_test_", Rest::Token(10)),
    ("rk_test_", Rest::Token(10)),
    ("whsec_", Rest::Token(16)),
    ("npm_", Rest::Mixed(30)),
    ("pypi-", Rest::Mixed(40)),
    ("sk-", Rest::Mixed(20)),
    ("dop_v1_", Rest::Token(32)),
    ("doo_v1_", Rest::Token(32)),
    ("dor_v1_", Rest::Token(32)),
    ("dckr_pat_", Rest::Token(16)),
    ("hvs.", Rest::Token(20)),
    ("hvb.", Rest::Token(20)),
    ("hf_", Rest::Mixed(30)),
    ("AGE-SECRET-KEY-1", Rest::Capitals(58)),
    ("AIza", Rest::Token(35)),
    ("ya29.", Rest::Token(16)),
    ("GOCSPX-", Rest::Token(16)),
    ("AKIA", Rest::Capitals(16)),
    ("ASIA", Rest::Capitals(16)),
    ("SG.", Rest::Dotted(16)),
    ("SK", Rest::Hex(32)),
    ("shpat_", Rest::Token(32)),
    ("shpss_", Rest::Token(32)),
];

/// The prefixes that begin with a byte.
const FIRST: [bool; 256] = {
    let mut first = [false; 256];
    let mut at = 0;
    while at < PREFIXES.len() {
        first[PREFIXES[at].0.as_bytes()[0] as usize] = true;
        at += 1;
    }
    first[b'e' as usize] = true;
    first
};

/// Masks tokens of well-known services and JSON Web Tokens.
pub(super) fn mask_tokens(masking: &Masking, text: &str) -> Option<String> {
    let mut masked = Masked::new(masking, text);
    let mut from = 0;
    while let Some(run) = next_run(text, from) {
        from = run.end;
        mask_run(&mut masked, run.start, run.end);
    }
    masked.finish()
}

/// Returns the next run of the characters of tokens.
pub(super) fn next_run(text: &str, from: usize) -> Option<Range<usize>> {
    text::next_run::<MIN_TOKEN>(text, from, |byte| is_of_token(byte) || byte == b'.')
}

/// Masks the tokens in a run of the characters of tokens.
fn mask_run(masked: &mut Masked<'_>, start: usize, end: usize) {
    let bytes = masked.text.as_bytes();
    let run = &bytes[..end];
    if let Some(start) = start_of_bot_token(run, start) {
        masked.mask(start..end);
        return;
    }
    let mut at = start;
    let mut is_inside = false;
    while at < end {
        if !is_inside && FIRST[usize::from(bytes[at])] {
            let length = token(run, at).or_else(|| web_token(run, at));
            if let Some(length) = length {
                masked.mask(at..at + length);
                at += length;
            }
        } else if !is_inside
            && at == start
            && let Some(length) = discord_token(&run[at..])
        {
            masked.mask(at..at + length);
            at += length;
        }
        // In the middle of a word it is by chance.
        is_inside = run.get(at).is_some_and(u8::is_ascii_alphanumeric);
        at += 1;
    }
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// More characters than those of a token are not looked at for what they are.
const MAX_LOOK: usize = 128;

/// The number of bytes of the part of a token that bytes begin with.
fn part(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_of_token(**byte)).count()
}

/// Returns the length of the token that begins here.
fn token(run: &[u8], at: usize) -> Option<usize> {
    let text = &run[at..];
    let starts = |(prefix, _): &&(&str, Rest)| text.starts_with(prefix.as_bytes());
    PREFIXES.iter().filter(starts).find_map(|(prefix, rest)| {
        let after = &text[prefix.len()..];
        let looked = &after[..after.len().min(MAX_LOOK)];
        let looked = &looked[..part(looked)];
        let length = looked.len();
        let length = match *rest {
            Rest::Token(least) => (length >= least).then_some(length),
            Rest::Mixed(least) => {
                let has = |is: fn(&u8) -> bool| looked.iter().any(is);
                let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase);
                (length >= least && is_mixed).then_some(length)
            }
            Rest::Capitals(exactly) => {
                let is = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
                (length == exactly && looked.iter().all(is)).then_some(length)
            }
            Rest::Hex(exactly) => {
                let is = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                (length == exactly && looked.iter().all(is)).then_some(length)
            }
            Rest::Dotted(least) => {
                let second = after.get(length + 1..).map_or(0, part);
                let is_token = length >= least && second >= least && after[length] == b'.';
                is_token.then_some(length + 1 + second)
            }
        };
        // A long one goes on.
        length.map(|length| prefix.len() + length + part(&after[length..]))
    })
}

/// Returns the length of the JSON Web Token that begins here: signed or encrypted.
fn web_token(run: &[u8], at: usize) -> Option<usize> {
    const BEGINS: &[u8] = b"eyJ";
    const MIN_HEADER: usize = 16;
    const MAX_PARTS: usize = 4;
    let text = &run[at..];
    if !text.starts_with(BEGINS) || at.checked_sub(1).is_some_and(|at| is_of_token(run[at])) {
        return None;
    }
    let header = part(text);
    let rest = &text[header..];
    let is_signed = rest.starts_with(b".eyJ");
    let mut length = header;
    let mut parts = 0;
    while parts < MAX_PARTS && text.get(length) == Some(&b'.') {
        length += 1;
        length += part(&text[length..]);
        parts += 1;
    }
    (is_signed || header >= MIN_HEADER && parts == MAX_PARTS).then_some(length)
}

/// Returns the length of a token of Discord: an id in Base64, a time and a signature.
fn discord_token(text: &[u8]) -> Option<usize> {
    if !matches!(text.first(), Some(b'M' | b'N' | b'O')) {
        return None;
    }
    let id = part(text);
    let time = part(text.get(id + 1..)?);
    let signature = part(text.get(id + time + 2..)?);
    let is_token = (23..=28).contains(&id) && (6..=7).contains(&time) && signature >= 27;
    is_token.then_some(id + time + signature + 2)
}

/// Returns where the secret of a bot of Telegram begins: `123456789:AA…`.
fn start_of_bot_token(run: &[u8], start: usize) -> Option<usize> {
    const LENGTH: usize = 35;
    let before = run[..start].strip_suffix(b":")?;
    let id = before
        .iter()
        .rev()
        .take(11)
        .take_while(|b| b.is_ascii_digit());
    let is_token = run.len() - start == LENGTH && run[start..].starts_with(b"AA");
    (is_token && (8..=10).contains(&id.count())).then_some(start)
}
