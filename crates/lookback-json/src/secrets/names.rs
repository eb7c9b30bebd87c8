//! Which names are those of secrets.
//!
//! A name is taken apart into words: `userPassword`, `user_password` and `user-password` are `user`
//! and `password`. So `author`, `monkey` and `secretary` are not names of secrets.

use std::borrow::Cow;

/// Whole names, without their `-`, `_`, `.` and case.
pub(super) const NAMES: &[&str] = &[
    "awsaccesskeyid",
    "clientassertion",
    "codeverifier",
    "connectsid",
    "idtokenhint",
    "samlresponse",
    "secretid",
    "sid",
];

/// Last words, which make the whole name that of a secret.
pub(super) const LAST_WORDS: &[&str] = &[
    "auth",
    "authorization",
    "bearer",
    "ccv",
    "cookie",
    "cookies",
    "credential",
    "csrf",
    "cvc",
    "cvv",
    "iban",
    "jwt",
    "otp",
    "pass",
    "pin",
    "psk",
    "pw",
    "pwd",
    "secrets",
    "session",
    "sig",
    "signature",
    "ssn",
    "totp",
    "xsrf",
];

/// What the name of a secret ends with, whatever is before it.
pub(super) const ENDS: &[&str] = &[
    "accesskey",
    "apikey",
    "apisecret",
    "cardno",
    "cardnum",
    "cardnumber",
    "ccnum",
    "ccnumber",
    "credentials",
    "creditcard",
    "debitcard",
    "encryptionkey",
    "mysqlpwd",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "pincode",
    "privatekey",
    "secret",
    "secretkey",
    "sessid",
    "sessionid",
    "setcookie",
    "signingkey",
    "dbpass",
    "dbpwd",
    "token",
    "userpass",
];

/// Words anywhere in the name of a secret, unless its last word says that it is about one.
pub(super) const WORDS: &[&str] = &["credential", "credentials", "secret", "token"];

/// Letters anywhere in the name of a secret, unless its last word says that it is about one.
pub(super) const LETTERS: &[&str] = &[
    "accesskey",
    "apikey",
    "aspsessionid",
    "csrf",
    "encryptionkey",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secretkey",
    "socialsecurity",
    "xsrf",
];

/// Words before `key` and `keys`. Other keys are those of rows, caches and maps.
const KINDS_OF_KEY: &[&str] = &[
    "access",
    "account",
    "api",
    "app",
    "application",
    "auth",
    "deploy",
    "encryption",
    "functions",
    "hmac",
    "master",
    "private",
    "secret",
    "service",
    "shared",
    "signing",
    "ssh",
    "subscription",
];

/// Words before `code` and `codes`.
const KINDS_OF_CODE: &[&str] = &[
    "2fa",
    "auth",
    "authorization",
    "backup",
    "card",
    "cvc",
    "cvv",
    "factor",
    "login",
    "mfa",
    "otp",
    "pin",
    "recovery",
    "security",
    "totp",
    "verification",
];

/// Words before `tokens`. Other tokens are those of language models and parsers.
const KINDS_OF_TOKENS: &[&str] = &[
    "access", "api", "auth", "bearer", "csrf", "device", "push", "refresh", "session",
];

/// Last words of names of what is about a secret: `token_count`.
const ABOUT: &[&str] = &[
    "age",
    "alg",
    "algorithm",
    "at",
    "attempts",
    "budget",
    "changed",
    "consent",
    "count",
    "counts",
    "created",
    "date",
    "disabled",
    "domain",
    "enabled",
    "endpoint",
    "error",
    "errors",
    "exists",
    "expiration",
    "expired",
    "expires",
    "expiry",
    "format",
    "id",
    "ids",
    "in",
    "index",
    "issuer",
    "kind",
    "len",
    "length",
    "lifetime",
    "limit",
    "limits",
    "max",
    "method",
    "min",
    "mode",
    "name",
    "names",
    "on",
    "path",
    "policy",
    "present",
    "provider",
    "rate",
    "required",
    "scope",
    "scopes",
    "size",
    "status",
    "strength",
    "time",
    "total",
    "ttl",
    "type",
    "types",
    "updated",
    "uri",
    "url",
    "usage",
    "used",
    "valid",
    "version",
];

/// Names that are words of sentences, too: `unexpected token: …`.
const WORDS_OF_SENTENCES: &[&str] = &[
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "csrf",
    "cvc",
    "cvv",
    "iban",
    "jwt",
    "otp",
    "pass",
    "pin",
    "pwd",
    "secret",
    "secrets",
    "session",
    "sid",
    "sig",
    "signature",
    "ssn",
    "token",
];

/// Three letters that each name of a secret has, one of these at least.
const MARKS: &[&[u8; 3]] = &[
    b"aut", b"bea", b"car", b"ccn", b"ccv", b"cod", b"coo", b"cre", b"cvc", b"cvv", b"deb", b"iba",
    b"jwt", b"key", b"otp", b"pas", b"pin", b"psk", b"pwd", b"sam", b"sec", b"ses", b"sid", b"sig",
    b"soc", b"srf", b"ssn", b"tok", b"sse",
];

/// How much of a name is looked at.
const LONGEST: usize = 64;

/// What a look at each byte of a name finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) has_nul: bool,
    may_be_secret: bool,
}

impl Look {
    /// Most names have no mark, which takes less time to see than to take them apart.
    #[inline]
    pub(super) fn at(name: &str) -> Self {
        const SKIPPED: u8 = 32;
        const NUL: u8 = 64;
        const PERCENT: u8 = 128;
        const CODES: [u8; 256] = {
            let mut codes = [0; 256];
            let mut byte = 0;
            while byte < 256 {
                codes[byte] = byte as u8 & 31;
                byte += 1;
            }
            codes[0] = NUL;
            codes[b'%' as usize] = PERCENT;
            codes[b'-' as usize] = SKIPPED;
            codes[b'_' as usize] = SKIPPED;
            codes[b'.' as usize] = SKIPPED;
            codes[b' ' as usize] = SKIPPED;
            codes
        };
        static MARKED: [u64; 512] = {
            let mut marked = [0; 512];
            let mut at = 0;
            while at < MARKS.len() {
                let [a, b, c] = *MARKS[at];
                let hash = ((a & 31) as usize) << 10 | ((b & 31) as usize) << 5 | (c & 31) as usize;
                marked[hash / 64] |= 1 << (hash % 64);
                at += 1;
            }
            marked
        };
        const PW: usize = ((b'p' & 31) as usize) << 5 | (b'w' & 31) as usize;
        let (mut seen, mut hash, mut found) = (0, 0, 0);
        for byte in name.bytes() {
            let code = CODES[usize::from(byte)];
            seen |= code;
            if code != SKIPPED {
                hash = (hash << 5 | usize::from(code & 31)) & 0x7fff;
                found |= MARKED[hash / 64] >> (hash % 64);
            }
        }
        Self {
            has_nul: seen & NUL != 0,
            may_be_secret: found & 1 != 0 || hash & 0x3ff == PW || seen & PERCENT != 0,
        }
    }

    /// Whether the name that was looked at is that of a secret.
    #[inline]
    pub(super) fn is_secret(self, name: &str) -> bool {
        self.may_be_secret && is_secret(name)
    }
}

/// Whether the value with this name is a secret, by the default rules.
#[inline]
pub(super) fn is_secret_name(name: &str) -> bool {
    Look::at(name).is_secret(name)
}

#[cold]
fn is_secret(name: &str) -> bool {
    let name = decoded(name);
    let Some(name) = end_of(&name) else {
        return false;
    };
    let plain = plain(name);
    // `session.id`
    NAMES.contains(&&*plain)
        || plain.ends_with("sessionid")
        || Words::of(last_segment(name)).is_secret()
}

/// Returns a name without its `-`, `_`, `.`, blanks and case, which are not part of it.
pub(super) fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '-' | '_' | '.' | ' '));
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether the name of a secret is a word of sentences, too.
pub(super) fn is_word(name: &str) -> bool {
    let name = last_segment(name);
    let is_name = |word: &&str| name.eq_ignore_ascii_case(word);
    WORDS_OF_SENTENCES.iter().any(is_name)
}

/// Whether this is the name of a header with cookies.
pub(super) fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie")
}

/// Whether this is the name of a header with a scheme and credentials.
pub(super) fn is_authorization(name: &str) -> bool {
    plain(last_segment(name)).ends_with("authorization")
}

/// Returns a name of a URL as it is meant: `pass%77ord` is `password`.
pub(super) fn decoded(name: &str) -> Cow<'_, str> {
    if name.contains('%') {
        super::encoded::decoded(name)
    } else {
        Cow::Borrowed(name)
    }
}

/// Returns the end of a name that is looked at. `None` for a sentence.
fn end_of(name: &str) -> Option<&str> {
    if name.len() <= LONGEST {
        return Some(name);
    }
    if name.contains(' ') {
        return None;
    }
    let mut start = name.len() - LONGEST;
    while !name.is_char_boundary(start) {
        start += 1;
    }
    Some(&name[start..])
}

/// Returns what is behind the last dot or bracket, which is the name: of
/// `http.request.header.authorization`, and of `user[password]`. An index is not a name.
pub(super) fn last_segment(name: &str) -> &str {
    const SIGNS: [char; 5] = ['[', ']', '.', ':', '/'];
    let mut rest = name;
    loop {
        let trimmed = rest.trim_end_matches(SIGNS);
        let start = trimmed.rfind(SIGNS).map_or(0, |at| at + 1);
        let segment = &trimmed[start..];
        if start == 0 || !segment.bytes().all(|byte| byte.is_ascii_digit()) {
            return segment;
        }
        rest = &trimmed[..start];
    }
}

/// The words of a name, in lower case and without digits at their end.
struct Words {
    words: Vec<String>,
    joined: String,
}

impl Words {
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let mut words = Vec::new();
        let mut word = String::new();
        for (at, c) in name.char_indices() {
            let before = at.checked_sub(1).map_or(b' ', |at| bytes[at]);
            let after = bytes.get(at + 1).copied().unwrap_or_default();
            // `userId`, `HTTPServer`
            let is_start = c.is_ascii_uppercase()
                && (!before.is_ascii_uppercase() || after.is_ascii_lowercase());
            if !c.is_alphanumeric() || is_start {
                words.push(std::mem::take(&mut word));
            }
            if c.is_alphanumeric() {
                word.push(c.to_ascii_lowercase());
            }
        }
        words.push(word);
        for word in &mut words {
            let length = word.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            word.truncate(length);
        }
        words.retain(|word| !word.is_empty());
        let joined = words.concat();
        Self { words, joined }
    }

    fn is_secret(&self) -> bool {
        let Some((last, before)) = self.words.split_last() else {
            return false;
        };
        let has = |list: &[&str], word: &str| list.contains(&word);
        let kind = before.last().map_or("", String::as_str);
        if has(LAST_WORDS, last)
            || ENDS.iter().any(|end| self.joined.ends_with(end))
            || matches!(last.as_str(), "key" | "keys") && has(KINDS_OF_KEY, kind)
            || matches!(last.as_str(), "code" | "codes") && has(KINDS_OF_CODE, kind)
            || last == "tokens" && has(KINDS_OF_TOKENS, kind)
        {
            return true;
        }
        let is_about = || {
            has(ABOUT, last)
                // `passwordlength`
                || ABOUT.iter().any(|end| end.len() > 3 && last.ends_with(end))
        };
        (self.words.iter().any(|word| has(WORDS, word))
            || LETTERS.iter().any(|letters| self.joined.contains(letters)))
            && !is_about()
    }
}
