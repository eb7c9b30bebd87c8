//! Headers, of which more can be kept than of other values.

use super::names::{is_authorization, is_cookie};
use super::{Masking, has_mask, is_mask};

/// Schemes of `Authorization`, in lower case.
const SCHEMES: [&str; 18] = [
    "apikey",
    "aws4-hmac-sha256",
    "basic",
    "bearer",
    "digest",
    "dpop",
    "hawk",
    "hmac",
    "hoba",
    "jwt",
    "key",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "scram-sha-256",
    "sharedkey",
    "token",
];

/// Attributes of `Set-Cookie`, in lower case.
const ATTRIBUTES: [&str; 9] = [
    "domain",
    "expires",
    "httponly",
    "max-age",
    "partitioned",
    "path",
    "priority",
    "samesite",
    "secure",
];

/// The longest name, in bytes, of a cookie without a value that is shown: a longer text before a
/// `=` may be Base64.
const LONGEST_EMPTY: usize = 8;

/// Returns the scheme and the credentials that a value of `Authorization` has.
pub(super) fn scheme(value: &str) -> Option<(&str, &str)> {
    let (scheme, credentials) = value.split_once([' ', '\t'])?;
    let is_known = |known: &str| scheme.eq_ignore_ascii_case(known);
    let is_scheme = SCHEMES.iter().any(|known| is_known(known));
    (is_scheme && !credentials.trim().is_empty()).then_some((scheme, credentials.trim()))
}

/// Masks the value of a header. See [`Masking::mask_header`].
pub(super) fn mask_header(masking: &Masking, name: &str, value: &str) -> Option<String> {
    let name = name.trim();
    if is_cookie(name) {
        // One that is kept by its name is masked as any text.
        if masking.is_kept(name) {
            return None;
        }
        let is_set = name.len() > "cookie".len();
        return Some(mask_cookies(masking, value, is_set));
    }
    if is_authorization(name)
        && masking.is_secret_name(name)
        && let Some((scheme, credentials)) = scheme(value)
    {
        let credentials = mask_whole(masking, credentials);
        return Some(format!("{scheme} {credentials}"));
    }
    None
}

/// Whether a value is what [`mask_header`] makes of a header, as a record has it.
pub(super) fn is_masked(masking: &Masking, name: &str, value: &str) -> bool {
    has_mask(value) && mask_header(masking, name, value).is_some_and(|masked| masked == value)
}

fn mask_whole(masking: &Masking, value: &str) -> String {
    if value.is_empty() || is_mask(value) {
        value.to_owned()
    } else {
        masking.mask_of(value).into_owned()
    }
}

fn mask_cookies(masking: &Masking, value: &str, is_set: bool) -> String {
    let mut masked = String::with_capacity(value.len());
    for (index, part) in value.split(';').enumerate() {
        if index > 0 {
            masked.push(';');
        }
        let trimmed = part.trim_start();
        masked.push_str(&part[..part.len() - trimmed.len()]);
        let Some((name, value)) = trimmed
            .split_once('=')
            .filter(|pair| is_named(*pair, is_set))
        else {
            let is_flag = is_set && index > 0 && is_attribute(trimmed.trim_end());
            if is_flag {
                masked.push_str(trimmed);
            } else {
                masked.push_str(&mask_whole(masking, trimmed));
            }
            continue;
        };
        // A name is shown: it must not be a secret itself.
        let name = masking.mask_text(name);
        masked.push_str(&name);
        masked.push('=');
        // Cookies that a program joined into one line: `Path=/, b=secret`.
        let is_kept = if is_set && index > 0 {
            is_attribute(name.trim()) && !value.contains('=') && masking.allowed.is_none()
        } else {
            false
        };
        if is_kept || masking.is_kept(name.trim()) {
            masked.push_str(&masking.mask_text(value));
        } else {
            masked.push_str(&mask_whole(masking, value));
        }
    }
    super::without_nul(masked)
}

/// Whether a part of a cookie is a name with a value (RFC 6265), and not a text that has or ends in
/// `=`, as Base64 does.
fn is_named((name, value): (&str, &str), is_set: bool) -> bool {
    // A colon is in the masks of a key.
    let is_of_name = |c: char| c.is_ascii_graphic() && !"()<>@,;\\\"/?={}".contains(c);
    // Cookies that a program joined into one line: `Secure, b=secret`.
    let name = match name.rsplit_once(',') {
        Some((flags, name)) if is_set && flags.split(',').all(|flag| is_attribute(flag.trim())) => {
            name
        }
        _ => name,
    };
    let name = name.trim();
    let is_padding = value.trim_matches('=').is_empty() && name.len() > LONGEST_EMPTY;
    !name.is_empty() && name.chars().all(is_of_name) && !is_padding
}

fn is_attribute(name: &str) -> bool {
    let is_name = |known: &str| name.eq_ignore_ascii_case(known);
    ATTRIBUTES.iter().any(|known| is_name(known))
}
