//! A secret never reaches the sink, wherever it stands and however it is written.

use std::convert::Infallible;
use std::io::Write as _;

use bytes::Bytes;
use http_body_util::Full;
use lookback_capture::secrets::Masking;
use lookback_capture::{Capture, MemorySink, TeeBody};
use lookback_json::{Json, JsonMap};
use proptest::prelude::*;
use proptest::sample::select;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::server::GENEROUS;

/// Not a word, a number or a text that could come about by chance.
const SECRET: &str = "KEPT-NOWHERE-7f3a";

/// A request with a secret somewhere.
#[derive(Clone, Debug)]
struct Planted {
    uri: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn name() -> impl Strategy<Value = String> {
    select(vec![
        "password",
        "Password",
        "user_password",
        "newPassword",
        "api_key",
        "apiKey",
        "X-Api-Key",
        "access_token",
        "refreshToken",
        "client_secret",
        "authorization",
        "sessionid",
        "csrf_token",
        "private_key",
        "cvv",
        "card_number",
        "pin",
        "credentials",
    ])
    .prop_map(str::to_owned)
}

/// JSON with the secret under its name, at some depth among other members.
fn json() -> impl Strategy<Value = Json> {
    let other = || {
        prop_oneof![
            Just(Json::Null),
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            "[a-z ä\"\\\\{}:,]{0,12}".prop_map(Json::from),
        ]
    };
    let value = prop_oneof![
        Just(Json::from(SECRET)),
        Just(Json::from(vec![SECRET, SECRET])),
        Just([("value", Json::from(SECRET))].into_iter().collect()),
    ];
    let leaf = (name(), value, other()).prop_map(|(name, secret, other)| {
        let mut map = JsonMap::new();
        map.insert("a".to_owned(), other);
        map.insert(name, secret);
        Json::Object(map)
    });
    leaf.prop_recursive(6, 24, 3, move |inner| {
        prop_oneof![
            (inner.clone(), other()).prop_map(|(inner, other)| Json::from(vec![other, inner])),
            ("[a-y]{1,6}", inner.clone(), other()).prop_map(|(key, inner, other)| [
                (key, inner),
                ("z".to_owned(), other)
            ]
            .into_iter()
            .collect()),
            // JSON within a string.
            inner.prop_map(|inner| [("payload", Json::from(inner.to_string()))]
                .into_iter()
                .collect()),
        ]
    })
}

fn encoded(text: &str, all: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' if !all => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

fn form() -> impl Strategy<Value = String> {
    (name(), "[a-z]{0,5}", any::<bool>(), 0..3_u8).prop_map(|(name, other, all, place)| {
        let secret = format!("{}={}", encoded(&name, all), encoded(SECRET, false));
        match place {
            0 => format!("{secret}&q={other}"),
            1 => format!("q={other}&{secret}"),
            _ => format!("user[{name}]={SECRET}&q={other}"),
        }
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn planted() -> impl Strategy<Value = Planted> {
    let json_body = (json(), any::<bool>(), any::<bool>()).prop_map(|(json, is_gzip, is_text)| {
        let text = json.to_string();
        let content_type = if is_text {
            "text/plain"
        } else {
            "application/vnd.api+json"
        };
        let mut headers = vec![("content-type", content_type.to_owned())];
        let mut body = text.into_bytes();
        if is_gzip {
            headers.push(("content-encoding", "gzip".to_owned()));
            body = gzip(&body);
        }
        Planted {
            uri: "/a".to_owned(),
            headers,
            body,
        }
    });
    let form_body = form().prop_map(|form| Planted {
        uri: "/a".to_owned(),
        headers: vec![(
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        )],
        body: form.into_bytes(),
    });
    let query = form().prop_map(|form| Planted {
        uri: format!("/a?{form}").replace(['[', ']'], "%5B"),
        headers: Vec::new(),
        body: Vec::new(),
    });
    let header = prop_oneof![
        Just(("authorization", format!("Bearer {SECRET}"))),
        Just(("authorization", format!("Custom {SECRET}"))),
        Just(("proxy-authorization", SECRET.to_owned())),
        Just(("cookie", format!("theme=dark; session={SECRET}; a=b"))),
        Just(("cookie", format!("session=\"{SECRET}\""))),
        Just(("set-cookie", format!("sid={SECRET}; Path=/; HttpOnly"))),
        Just(("x-api-key", SECRET.to_owned())),
        Just(("x-auth-token", SECRET.to_owned())),
        Just(("referer", format!("https://shop.test/reset?token={SECRET}"))),
        Just(("referer", format!("https://anna:{SECRET}@shop.test/"))),
    ]
    .prop_map(|header| Planted {
        uri: "/a".to_owned(),
        headers: vec![header],
        body: Vec::new(),
    });
    prop_oneof![4 => json_body, 2 => form_body, 2 => query, 2 => header]
}

/// Returns all that reaches the sink of a request whose body, and whose headers, are also those of
/// the response.
fn captured(planted: &Planted, masking: Masking, body_limit: usize) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sink = MemorySink::new();
        let capture = Capture::builder()
            .settings(|settings| {
                settings.masking = masking;
                settings.body_limit = body_limit;
            })
            .start(sink.clone())
            .unwrap();
        let headers = planted.headers.clone();
        let service = capture.layer().layer(service_fn(
            async |request: http::Request<TeeBody<Full<Bytes>>>| {
                let mut response = http::Response::builder();
                for (name, value) in &headers {
                    response = response.header(*name, value);
                }
                Ok::<_, Infallible>(response.body(request.into_body()).unwrap())
            },
        ));
        let mut request = http::Request::post(&planted.uri);
        for (name, value) in &planted.headers {
            request = request.header(*name, value);
        }
        let body = Full::new(Bytes::from(planted.body.clone()));
        let response = service.oneshot(request.body(body).unwrap()).await.unwrap();
        http_body_util::BodyExt::collect(response.into_body())
            .await
            .unwrap();
        capture.flush(GENEROUS).await.unwrap();
        let records = sink.records();
        assert_eq!(records.requests.len(), 1);
        format!("{records:?}")
    })
}

proptest! {
    #[test]
    fn planted_secret_never_reaches_the_sink(planted in planted()) {
        let all = captured(&planted, Masking::new(), 64 * 1024);
        prop_assert!(!all.contains(SECRET) && !all.contains(&encoded(SECRET, false)), "{all}");
        prop_assert!(all.contains("[masked]"), "{all}");
    }

    #[test]
    fn planted_secret_never_reaches_the_sink_from_a_cut_body(planted in planted(), limit in 0..80_usize) {
        let all = captured(&planted, Masking::new(), limit);
        prop_assert!(!all.contains(SECRET) && !all.contains(&encoded(SECRET, false)), "{all}");
    }

    #[test]
    fn planted_secret_is_hashed_or_masked_by_other_rules(planted in planted()) {
        let hashed = captured(&planted, Masking::new().hash_with("key"), 64 * 1024);
        prop_assert!(!hashed.contains(SECRET), "{hashed}");
        let allowed = captured(&planted, Masking::new().allow_only(["q", "host"]), 64 * 1024);
        prop_assert!(!allowed.contains(SECRET), "{allowed}");
    }
}
