//! Rules other than the default ones, and headers.

use super::super::{MASK, Masking, is_mask};
use crate::{Json, JsonMap};

fn masked(masking: &Masking, json: &str) -> String {
    let mut value: Json = json.parse().unwrap();
    masking.mask(&mut value);
    value.to_string()
}

#[test]
fn names_are_added_and_removed() {
    let masking = Masking::new()
        .mask_name("Member-Number")
        .keep_name("session_id");
    assert!(masking.is_secret_name("memberNumber"));
    assert!(masking.is_secret_name("user[member_number]"));
    assert!(!masking.is_secret_name("sessionId"));
    assert!(masking.is_secret_name("password"));
    let json = r#"{"member_number": 1, "session-id": "abc", "a": {"MEMBERNUMBER": [2]}, "b": "memberNumber=3 sessionId=4"}"#;
    let expected = r#"{"a":{"MEMBERNUMBER":["[masked]"]},"b":"memberNumber=[masked] sessionId=4","member_number":"[masked]","session-id":"abc"}"#;
    assert_eq!(masked(&masking, json), expected);
    // The last word counts.
    let masking = masking.keep_name("member_number").mask_name("SessionID");
    assert!(!masking.is_secret_name("memberNumber"));
    assert!(masking.is_secret_name("session_id"));
}

#[test]
fn kept_names_are_masked_by_form() {
    let masking = Masking::new().keep_name("token");
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    assert_eq!(
        masked(&masking, &format!(r#"{{"token": "{jwt}"}}"#)),
        r#"{"token":"[masked]"}"#
    );
    assert_eq!(
        masked(&masking, r#"{"token": "abc"}"#),
        r#"{"token":"abc"}"#
    );
}

#[test]
fn only_listed_names_are_kept() {
    let masking = Masking::new()
        .allow_only(["id", "status", "note"])
        .allow_only(["Page-Size"]);
    let json = r#"{"id": 1, "user": {"id": 2, "email": "a@b.example", "active": true, "tags": ["x"]}, "status": ["new", 3],
        "pageSize": 4, "gone": null, "empty": "", "note": "token=abc id=5 name=anna", "list": [{"name": "id", "value": 6}, {"name": "x", "value": 7}]}"#;
    let expected = r#"{"empty":"","gone":null,"id":1,"list":[{"name":"id","value":6},{"name":"[masked]","value":"[masked]"}],"note":"token=[masked] id=5 name=[masked]","pageSize":4,"status":["new",3],"user":{"active":"[masked]","email":"[masked]","id":2,"tags":["[masked]"]}}"#;
    assert_eq!(masked(&masking, json), expected);
    assert_eq!(masked(&masking, r#""text""#), r#""[masked]""#);
    for (text, expected) in [
        ("/orders?id=1&name=anna+b#x", "/orders?id=1&name=[masked]"),
        ("https://a.example/b?id=1", "https://a.example/b?id=1"),
        (
            r#"{"id": 1, "a": {"b": 2}}"#,
            r#"{"a":{"b":"[masked]"},"id":1}"#,
        ),
        (
            "stored at 12:30 user: anna b, id: 3",
            "stored at 12:30 user: [masked], id: 3",
        ),
        ("a=[1, 2] id=3", "a=[masked] id=3"),
        (
            "<a><id>1</id><b>anna</b>x</a>",
            "<a><id>1</id><b>[masked]</b>[masked]</a>",
        ),
    ] {
        assert_eq!(masking.mask_text(text), expected);
    }
    // A secret name that is listed is kept, and one that is masked is not.
    let masking = Masking::new().allow_only(["token", "id"]).mask_name("id");
    assert_eq!(
        masked(&masking, r#"{"token": "a", "id": 1}"#),
        r#"{"id":"[masked]","token":"a"}"#
    );
}

#[test]
fn hashes_are_those_of_the_secret() {
    // HMAC-SHA256 of RFC 4231, test case 2.
    let masking = Masking::new().hash_with("Jefe");
    let mut value = Json::from("what do ya want for nothing?");
    masking.mask_field("password", &mut value);
    assert_eq!(value, "[masked:5bdcc146bf60754e]");
    let one = |text: &str| masking.mask_text(text).into_owned();
    let mask = one("password=hunter2").replace("password=", "");
    assert!(is_mask(&mask));
    assert_eq!(
        masked(&masking, r#"{"a": {"token": "hunter2"}}"#),
        format!(r#"{{"a":{{"token":"{mask}"}}}}"#)
    );
    assert_eq!(
        one(r#"{"secret": "hunter2"}"#),
        format!(r#"{{"secret": "{mask}"}}"#)
    );
    assert_eq!(
        masking.mask_header("Cookie", "sid=hunter2"),
        format!("sid={mask}")
    );
    assert_ne!(one("password=hunter3"), one("password=hunter2"));
    let other = Masking::new().hash_with("other");
    assert_ne!(other.mask_text("password=hunter2"), one("password=hunter2"));
    // A hash that looks like the number of a card stays.
    let text = "password=[masked:4111111111111111] a";
    assert_eq!(one(text), text);
}

#[test]
fn the_key_is_not_shown() {
    let masking = Masking::new().hash_with("top-key");
    let shown = format!("{masking:?} {masking:#?}");
    assert!(shown.contains("has_key: true"), "{shown}");
    assert!(!shown.contains("top-key"), "{shown}");
    let bytes = format!("{:?}", "top-key".as_bytes());
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}

/// The names that the SDKs of Sentry and the advice of OpenTelemetry leave out or mask, 2026-11.
/// Addresses of clients are kept: they are what is looked for.
#[test]
fn names_that_others_mask_are_masked() {
    let masking = Masking::new();
    let of_python = "password passwd secret api_key apikey auth credentials mysql_pwd privatekey \
        private_key token session csrftoken sessionid x_csrftoken set_cookie cookie authorization \
        proxy-authorization x_api_key aiohttp_session connect.sid csrf_token csrf _csrf _csrf_token \
        PHPSESSID _session symfony user_session _xsrf XSRF-TOKEN";
    let of_javascript = "auth token secret session password passwd pwd jwt bearer sso saml csrf xsrf \
        credentials set-cookie cookie x-sso x-auth-saml";
    let of_opentelemetry = "authorization cookie set-cookie proxy-authorization x-api-key \
        access_token refresh_token session_id sessionid Signature sig AWSAccessKeyId X-Goog-Signature";
    for name in [of_python, of_javascript, of_opentelemetry]
        .into_iter()
        .flat_map(str::split_whitespace)
    {
        assert!(masking.is_secret_name(name), "{name}");
        let mut value: Json = format!("{{\"{name}\": \"x1\"}}").parse().unwrap();
        masking.mask(&mut value);
        assert_eq!(value[name], MASK, "{name}");
    }
    for name in [
        "ip_address",
        "remote_addr",
        "x_forwarded_for",
        "x_real_ip",
        "key",
        "sso_url",
    ] {
        assert!(!masking.is_secret_name(name), "{name}");
    }
}

#[test]
fn objects_of_headers_are_masked_as_headers() {
    let mut headers: Json = r#"{"Authorization": "Bearer abc", "cookie": ["a=b; sid=c", "d"],
        "set-cookie": ["sid=s; Path=/"], "x-api-key": "k", "accept": "*/*", "proxy-authorization": 7,
        "referer": "https://x.example/?token=t"}"#
        .parse()
        .unwrap();
    if let Json::Object(map) = &mut headers {
        Masking::new().mask_headers(map);
    }
    let expected: Json =
        r#"{"Authorization": "Bearer [masked]", "cookie": ["a=[masked]; sid=[masked]", "[masked]"],
        "set-cookie": ["sid=[masked]; Path=/"], "x-api-key": "[masked]", "accept": "*/*",
        "proxy-authorization": "[masked]", "referer": "https://x.example/?token=[masked]"}"#
            .parse()
            .unwrap();
    assert_eq!(headers, expected);
}

#[test]
fn headers_keep_what_is_no_secret() {
    let masking = Masking::new();
    for (name, value, expected) in [
        ("Cookie", "a=b; sid=c=d;e=", "a=[masked]; sid=[masked];e="),
        ("cookie", "lonely", "[masked]"),
        (
            "cookie",
            "dGhpcyBpcyBzZWNyZXQ=; a=b",
            "[masked]; a=[masked]",
        ),
        ("Cookie", "dGhpcyBpcyBzZWNyZXQ==", "[masked]"),
        ("cookie", "{\"user\":\"YWJjZGVmZ2g=\"}", "[masked]"),
        ("Cookie", "", ""),
        (
            "Set-Cookie",
            "sid=a; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
            "sid=[masked]; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
        ),
        (
            "set-cookie",
            "a=b; Path=/, c=d; Secure, e=f; other=g; loose",
            "a=[masked]; Path=[masked]; Secure, e=[masked]; other=[masked]; [masked]",
        ),
        ("Authorization", "Bearer abc", "Bearer [masked]"),
        ("authorization", "basic YTpi", "basic [masked]"),
        ("AUTHORIZATION", "hunter2", "[masked]"),
        ("Authorization", "my own secret", "[masked]"),
        (
            "Proxy-Authorization",
            "Digest username=\"a\", response=\"b\"",
            "Digest [masked]",
        ),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=a/b, Signature=c",
            "AWS4-HMAC-SHA256 [masked]",
        ),
        ("X-Api-Key", "abc", "[masked]"),
        ("Accept", "text/html", "text/html"),
        (
            "Referer",
            "https://a.example/?token=b&c=1",
            "https://a.example/?token=[masked]&c=1",
        ),
        ("X-Auth-Token", "[masked]", MASK),
    ] {
        let masked = masking.mask_header(name, value);
        assert_eq!(masked, expected, "{name}: {value}");
        assert_eq!(masking.mask_header(name, &masked), masked, "again");
        // A record is masked again before it is given to others.
        let once = Json::from(masked.as_str());
        let twice = Json::from(vec![masked.as_str(), masked.as_str()]);
        for value in [once, twice] {
            let mut record = JsonMap::new();
            record.insert(name.to_owned(), value.clone());
            masking.mask_object(&mut record);
            assert_eq!(record[name], value);
        }
    }
    let kept = Masking::new().keep_name("theme").keep_name("cookie");
    assert_eq!(kept.mask_header("Cookie", "theme=dark"), "theme=dark");
    let kept = Masking::new().keep_name("theme");
    assert_eq!(
        kept.mask_header("Cookie", "theme=dark; sid=a"),
        "theme=dark; sid=[masked]"
    );
    let listed = Masking::new().allow_only(["accept", "theme"]);
    assert_eq!(listed.mask_header("Accept", "text/html"), "text/html");
    assert_eq!(listed.mask_header("User-Agent", "curl"), MASK);
    assert_eq!(
        listed.mask_header("Set-Cookie", "theme=a; Path=/x"),
        "theme=a; Path=[masked]"
    );
}
