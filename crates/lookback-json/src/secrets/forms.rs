//! Secrets that their form shows: credentials behind a scheme or in a URL, and tokens.

use super::{MARK, MASK, Masked, class};

/// The shortest credentials: shorter ones are a word of a sentence.
const MIN_CREDENTIALS: usize = 8;

/// Masks the credentials behind the name of a scheme, such as `Bearer `.
pub(super) fn mask_after(text: &str, scheme: &str) -> Option<String> {
    let mut masked = Masked::new(text);
    let mut from = 0;
    while let Some(found) = text[from..].find(scheme) {
        from += found + scheme.len();
        let is_of_token = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
        let after = &text[from..];
        let end = after.find(|c: char| !is_of_token(c)).unwrap_or(after.len());
        // A short word may be a scheme itself: `bearer bearer abc…`.
        if end >= MIN_CREDENTIALS {
            masked.mask(from..from + end);
            from += end;
        }
    }
    masked.finish()
}

/// Masks the password in `scheme://user:password@host`.
pub(super) fn mask_urls(text: &str) -> Option<String> {
    let mut masked = Masked::new(text);
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
        let Some((credentials, _)) = authority.rsplit_once('@') else {
            continue;
        };
        if let Some((user, password)) = credentials.split_once(':')
            && !password.is_empty()
            && !password.contains(MASK)
        {
            let start = start + user.len() + 1;
            masked.mask(start..start + password.len());
        }
    }
    masked.finish()
}

/// The shortest text that may be a token.
pub(super) const MIN_TOKEN: usize = 18;

/// What the tokens of well-known services begin with, and the fewest characters behind it.
const PREFIXES: [(&str, usize); 15] = [
    ("ghp_", 16),
    ("gho_", 16),
    ("ghs_", 16),
    ("ghu_", 16),
    ("ghr_", 16),
    ("github_pat_", 16),
    ("glpat-", 16),
    ("xoxa-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxr-", 16),
    ("xoxs-", 16),
    ("sk_live_", 10),
    ("rk_live_", 10),
    ("eyJ", 0),
];

const KEY_BEGINS: &str = "-----BEGIN ";

/// Masks tokens of well-known services, JSON Web Tokens and private keys.
pub(super) fn mask_tokens(text: &str) -> Option<String> {
    let mut masked = Masked::new(text);
    let bytes = text.as_bytes();
    let is_mark = |byte: &u8| class(*byte) & MARK != 0;
    let mut from = 0;
    while let Some(found) = bytes[from..].iter().position(is_mark) {
        let at = from + found;
        from = at + 1;
        let found = if text[at..].starts_with(KEY_BEGINS) {
            private_key(text, at)
        } else {
            token(text, at)
        };
        if let Some((start, end)) = found
            && start >= masked.done
        {
            masked.mask(start..end);
            from = end.max(from);
        }
    }
    masked.finish()
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Returns where the token begins and ends whose prefix ends with this byte.
fn token(text: &str, at: usize) -> Option<(usize, usize)> {
    let (before, after) = (&text.as_bytes()[..=at], &text.as_bytes()[at + 1..]);
    let prefixes = PREFIXES.iter();
    let (prefix, least) = prefixes
        .rev()
        .find(|(prefix, _)| before.ends_with(prefix.as_bytes()))?;
    let start = before.len() - prefix.len();
    let is_json = *prefix == "eyJ";
    // In the middle of a word it is by chance.
    let is_inside = |byte: &u8| {
        if is_json {
            is_of_token(*byte)
        } else {
            byte.is_ascii_alphanumeric()
        }
    };
    if before[..start].last().is_some_and(is_inside) {
        return None;
    }
    let part = |bytes: &[u8]| bytes.iter().take_while(|byte| is_of_token(**byte)).count();
    let mut length = part(after);
    if !is_json {
        return (length >= *least).then_some((start, at + 1 + length));
    }
    if !after[length..].starts_with(b".eyJ") {
        return None;
    }
    length += 1;
    length += part(&after[length..]);
    if after[length..].starts_with(b".") {
        length += 1;
        length += part(&after[length..]);
    }
    Some((start, at + 1 + length))
}

/// Returns where the content of a private key begins and ends. One that was cut goes to the end.
fn private_key(text: &str, at: usize) -> Option<(usize, usize)> {
    const MAX_KIND: usize = 32;
    let kind = &text[at + KEY_BEGINS.len()..];
    let is_of_kind = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'0'..=b'9');
    let kind = kind.bytes().take(MAX_KIND);
    let length = kind.take_while(is_of_kind).count();
    let start = at + KEY_BEGINS.len() + length + "-----".len();
    let head = text.get(at..start)?;
    if !head.ends_with("PRIVATE KEY-----") && !head.ends_with("PRIVATE KEY BLOCK-----") {
        return None;
    }
    let content = &text[start..];
    let end = content.find("-----END ").unwrap_or(content.len());
    (end > 0).then_some((start, start + end))
}
