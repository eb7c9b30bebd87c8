//! Which names are those of secrets.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Names whose whole value is a secret, without their `-`, `_` and case.
const NAMES: &[&str] = &[
    "authorization",
    "proxyauthorization",
    "cookie",
    "cookies",
    "setcookie",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "sessiontoken",
    "csrftoken",
    "xsrftoken",
    "xcsrftoken",
    "xxsrftoken",
    "xauthtoken",
    "xaccesstoken",
    "xamzsecuritytoken",
    "apikey",
    "xapikey",
    "apisecret",
    "privatekey",
    "secretkey",
    "accesskey",
    "secretaccesskey",
    "credentials",
    "creditcard",
    "cardnumber",
    "cvv",
    "cvc",
    "ssn",
    "sessionid",
    "sid",
    "phpsessid",
    "jsessionid",
    "otp",
    "jwt",
    "xgitlabtoken",
    "xhubsignature",
    "xslacksignature",
    "xamzsignature",
    "xamzcredential",
    "dbpass",
    "dbpwd",
    "mysqlpwd",
    "userpass",
    "signature",
    "sig",
];

/// What the name of a secret ends with, whatever is before it.
const ENDS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
    "encryptionkey",
    "credentials",
];

/// Known names that are words of sentences, too: `unexpected token: …`.
const WORDS: [&str; 15] = [
    "authorization",
    "cookie",
    "cookies",
    "credentials",
    "cvc",
    "cvv",
    "jwt",
    "otp",
    "pwd",
    "secret",
    "sid",
    "sig",
    "signature",
    "ssn",
    "token",
];

/// Whether the value with this name is a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    static KNOWN: LazyLock<HashSet<&[u8]>> =
        LazyLock::new(|| NAMES.iter().map(|name| name.as_bytes()).collect());
    /// The lengths of the known names with each first letter, as bits.
    const LENGTHS: [u64; 256] = {
        let mut lengths = [0; 256];
        let mut at = 0;
        while at < NAMES.len() {
            let name = NAMES[at].as_bytes();
            lengths[name[0] as usize] |= 1 << name.len();
            at += 1;
        }
        lengths
    };
    let mut buffer = [0; LONGEST];
    let Some(plain) = plain(name, &mut buffer) else {
        return false;
    };
    // Behind its last dot or bracket is what it names: `http.request.header.authorization`,
    // `user[password]`.
    let last = last_part(name);
    let first = plain.first().copied().unwrap_or_default();
    let lengths = LENGTHS[usize::from(first)];
    let may_be_known = plain.len() < 64 && lengths & (1 << plain.len()) != 0;
    may_be_known && KNOWN.contains(plain)
        || last.is_some_and(is_secret_name)
        || ENDS.iter().any(|end| plain.ends_with(end.as_bytes()))
}

/// Whether the name of a secret is a word of sentences, too.
pub(super) fn is_word(name: &str) -> bool {
    let mut buffer = [0; LONGEST];
    let name = last_part(name).unwrap_or(name);
    plain(name, &mut buffer).is_some_and(|plain| WORDS.iter().any(|word| word.as_bytes() == plain))
}

/// Whether this is the name of a header with cookies.
pub(super) fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie")
}

/// How much of a name is looked at.
const LONGEST: usize = 64;

/// Returns the end of a name without its `-`, `_`, `.` and case. `None` for a sentence.
fn plain<'a>(name: &str, buffer: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
    let mut bytes = name.as_bytes();
    if bytes.len() > LONGEST {
        if bytes.contains(&b' ') {
            return None;
        }
        bytes = &bytes[bytes.len() - LONGEST..];
    }
    let mut length = 0;
    for byte in bytes {
        if !matches!(byte, b'-' | b'_' | b'.') {
            buffer[length] = byte.to_ascii_lowercase();
            length += 1;
        }
    }
    Some(&buffer[..length])
}

fn last_part(name: &str) -> Option<&str> {
    let inner = name.strip_suffix(']');
    let sign = if inner.is_some() { '[' } else { '.' };
    let (_, last) = inner.unwrap_or(name).rsplit_once(sign)?;
    Some(last)
}
