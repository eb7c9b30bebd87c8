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
    "symfony",
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
    "saml",
    "secrets",
    "session",
    "sig",
    "signature",
    "ssn",
    "sso",
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
    b"aut", b"bea", b"car", b"ccn", b"ccv", b"cod", b"coo", b"cvc", b"cvv", b"ede", b"iba", b"jwt",
    b"key", b"otp", b"pas", b"pin", b"psk", b"pwd", b"rti", b"sam", b"sec", b"sid", b"sig", b"soc",
    b"srf", b"ssi", b"ssn", b"sso", b"sym", b"tok",
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
    let last = last_segment(name);
    if Words::of(last).is_secret() {
        return true;
    }
    let whole = Words::of(name);
    let joined = whole.joined();
    // `session.id`
    NAMES.iter().any(|name| name.as_bytes() == joined)
        || last.len() < name.len() && joined.ends_with(b"sessionid")
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
    /// One behind another.
    letters: [u8; LONGEST],
    /// Where each ends.
    ends: [u8; LONGEST],
    count: usize,
}

impl Words {
    /// Takes a name apart that is at most [`LONGEST`] bytes long.
    fn of(name: &str) -> Self {
        let mut words = Self {
            letters: [0; LONGEST],
            ends: [0; LONGEST],
            count: 0,
        };
        let mut end = 0;
        let mut before = b' ';
        let bytes = &name.as_bytes()[..name.len().min(LONGEST)];
        for (at, byte) in bytes.iter().enumerate() {
            let after = bytes.get(at + 1).copied().unwrap_or_default();
            let is_of_word = byte.is_ascii_alphanumeric() || *byte >= 0x80;
            // `userId`, `HTTPServer`
            let is_start = byte.is_ascii_uppercase()
                && (!before.is_ascii_uppercase() || after.is_ascii_lowercase());
            if !is_of_word || is_start {
                end = words.push(end);
            }
            if is_of_word {
                words.letters[end] = byte.to_ascii_lowercase();
                end += 1;
            }
            before = *byte;
        }
        words.push(end);
        words
    }

    /// Adds the word that ends here, and returns where it ends without its digits.
    fn push(&mut self, mut end: usize) -> usize {
        let start = self.end();
        while end > start && self.letters[end - 1].is_ascii_digit() {
            end -= 1;
        }
        if end > start {
            self.ends[self.count] = end as u8;
            self.count += 1;
        }
        end
    }

    /// Where the last word ends.
    fn end(&self) -> usize {
        self.count
            .checked_sub(1)
            .map_or(0, |last| usize::from(self.ends[last]))
    }

    fn joined(&self) -> &[u8] {
        &self.letters[..self.end()]
    }

    /// Returns a word; an empty one behind the last.
    fn word(&self, index: usize) -> &[u8] {
        if index >= self.count {
            return &[];
        }
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.letters[usize::from(start)..usize::from(self.ends[index])]
    }

    fn is_secret(&self) -> bool {
        let Some(index) = self.count.checked_sub(1) else {
            return false;
        };
        let has = |list: &[&str], word: &[u8]| list.iter().any(|known| known.as_bytes() == word);
        let joined = self.joined();
        let last = self.word(index);
        let kind = index.checked_sub(1).map_or(&[][..], |at| self.word(at));
        if has(LAST_WORDS, last)
            || ENDS.iter().any(|end| joined.ends_with(end.as_bytes()))
            || matches!(last, b"key" | b"keys") && has(KINDS_OF_KEY, kind)
            || matches!(last, b"code" | b"codes") && has(KINDS_OF_CODE, kind)
            || last == b"tokens" && has(KINDS_OF_TOKENS, kind)
        {
            return true;
        }
        let is_about = || {
            has(ABOUT, last)
                // `passwordlength`
                || ABOUT.iter().any(|end| end.len() > 3 && last.ends_with(end.as_bytes()))
        };
        let has_letters = |letters: &str| {
            let mut windows = joined.windows(letters.len());
            windows.any(|window| window == letters.as_bytes())
        };
        ((0..self.count).any(|index| has(WORDS, self.word(index)))
            || LETTERS.iter().any(|letters| has_letters(letters)))
            && !is_about()
    }
}
