//! The cookie of a session.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};

use crate::client::Client;

/// The name over http. Over https, the prefix makes browsers refuse one that another host of the
/// domain sets.
const NAMES: [&str; 2] = ["lookback_session", "__Host-lookback_session"];

/// The bytes of a token.
const TOKEN: usize = 32;

/// Makes the token of a session.
pub(crate) fn new_token() -> std::io::Result<String> {
    let mut random = [0; TOKEN];
    getrandom::fill(&mut random)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

/// Returns the token of a request; `None` for a text that cannot be one, and if there are several:
/// it is not known which the server set.
pub(crate) fn token(headers: &HeaderMap, client: Client) -> Option<String> {
    let wanted = NAMES[usize::from(client.is_https)];
    let lines = headers.get_all(COOKIE).into_iter();
    let pairs = lines.filter_map(|line| line.to_str().ok());
    let pairs = pairs.flat_map(|line| line.split(';'));
    let mut found = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == wanted).then(|| value.trim())
    });
    let token = found.next().filter(|_| found.next().is_none())?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    (bytes.len() == TOKEN).then(|| token.to_owned())
}

/// The `set-cookie` of a session that ends at some time.
pub(crate) fn set(
    token: &str,
    client: Client,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Option<HeaderValue> {
    let seconds = (expires_at - now).num_seconds().max(0);
    value(token, client, seconds)
}

/// The `set-cookie` that removes the cookie.
pub(crate) fn remove(client: Client) -> Option<HeaderValue> {
    value("", client, 0)
}

fn value(token: &str, client: Client, seconds: i64) -> Option<HeaderValue> {
    let name = NAMES[usize::from(client.is_https)];
    let secure = if client.is_https { "; Secure" } else { "" };
    let cookie =
        format!("{name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    // A token has letters, digits, `-` and `_`.
    HeaderValue::try_from(cookie).ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use chrono::{TimeDelta, Utc};

    use super::{new_token, remove, set, token};
    use crate::client::Client;

    const HTTPS: Client = Client {
        address: None,
        is_https: true,
        is_behind_proxy: false,
    };

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("cookie", line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn cookie_is_http_only_and_of_this_site() {
        let now = Utc::now();
        let (token, end) = (new_token().unwrap(), now + TimeDelta::hours(1));
        assert_eq!(token.len(), 43);
        let value = |client| set(&token, client, end, now).unwrap();
        assert_eq!(
            value(Client::default()),
            format!("lookback_session={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600")
        );
        assert_eq!(
            value(HTTPS),
            format!(
                "__Host-lookback_session={token}; Path=/; HttpOnly; SameSite=Strict; \
                 Max-Age=3600; Secure"
            )
        );
        assert_eq!(
            remove(Client::default()).unwrap(),
            "lookback_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
        );
    }

    #[test]
    fn token_is_read_if_it_is_one_and_the_only_one() {
        let sent = new_token().unwrap();
        let cookie = format!("lookback_session={sent}");
        let found = |lines: &[&str], client| token(&headers(lines), client);
        let http = Client::default();
        assert_eq!(found(&[&cookie], http).as_ref(), Some(&sent));
        let among = format!("a=b; {cookie} ;c=d");
        assert_eq!(found(&["x=y", &among], http).as_ref(), Some(&sent));
        assert_eq!(found(&[&cookie], HTTPS), None);
        let secure = format!("__Host-{cookie}");
        assert_eq!(found(&[&secure, &cookie], HTTPS).as_ref(), Some(&sent));
        let twice = format!("{cookie}; {cookie}");
        for lines in [
            &[&*twice][..],
            &[&cookie, &cookie],
            &["lookback_session="],
            &["lookback_session=AAAA"],
            &["lookback_session=' OR 1=1 --"],
            &["lookback_session"],
            &[],
        ] {
            assert_eq!(found(lines, http), None, "{lines:?}");
        }
    }
}
