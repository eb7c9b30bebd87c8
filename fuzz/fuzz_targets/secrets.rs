//! Masking: of a text, of JSON, and of names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lookback_json::Json;
use lookback_json::secrets::{MASK, Masking, is_secret_name, mask, mask_text};

const SECRET: &str = "Q7vX2kLm9";

fn has_nul(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(has_nul),
        Json::Object(map) => map
            .iter()
            .any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

fuzz_target!(|text: &str| {
    let masked = mask_text(text);
    assert!(!masked.contains('\0'));
    // What is masked stays so.
    assert_eq!(mask_text(&masked), masked);
    let _ = is_secret_name(text);
    // A secret with a name before it is not in the result.
    let secret = SECRET;
    if !text.contains(['"', '=', '\0']) && !text.contains(secret) {
        let line = format!("{text} api_key={secret} {text}");
        assert!(!mask_text(&line).contains(secret), "{line}");
        let line = format!("{text}\nAuthorization: Bearer {secret} {text}");
        assert!(!mask_text(&line).contains(secret), "{line}");
    }
    if let Ok(mut value) = text.parse::<Json>() {
        mask(&mut value);
        let once = value.clone();
        mask(&mut value);
        assert_eq!(value, once);
        assert!(!has_nul(&value));
        let mut object = Json::Object(
            [
                ("db.password".to_owned(), Json::from(secret)),
                ("x".to_owned(), value),
            ]
            .into(),
        );
        mask(&mut object);
        assert_eq!(object["db.password"], *MASK);
    }
    for masking in [
        Masking::new().mask_name("color").keep_name("token"),
        Masking::new().hash_with("key"),
        Masking::new().allow_only(["status", "color", "a"]),
    ] {
        by_rules(&masking, text);
    }
});

/// Masks by other rules: what is masked stays so, and a secret is not in it.
fn by_rules(masking: &Masking, text: &str) {
    let masked = masking.mask_text(text);
    assert!(!masked.contains('\0'));
    assert_eq!(masking.mask_text(&masked), masked, "{text}");
    let _ = masking.is_secret_name(text);
    for name in ["Cookie", "Set-Cookie", "Authorization", "x-api-key", "accept"] {
        let once = masking.mask_header(name, text);
        assert!(!once.contains('\0'));
        assert_eq!(masking.mask_header(name, &once), once, "{name}: {text}");
    }
    if !text.contains(SECRET) {
        let masked = masking.mask_header("x-api-key", &format!("{text}{SECRET}"));
        assert!(!masked.contains(SECRET));
        let masked = masking.mask_header("Authorization", &format!("Bearer {text}{SECRET}"));
        assert!(!masked.contains(SECRET));
        let masked = masking.mask_header("Set-Cookie", &format!("sid={SECRET}{text}"));
        assert!(!masked.contains(SECRET));
    }
    if let Ok(value) = text.parse::<Json>() {
        let members = [("password".to_owned(), SECRET.into()), ("x".to_owned(), value)];
        let mut object = Json::Object(members.into());
        masking.mask(&mut object);
        assert!(!has_nul(&object));
        let once = object.clone();
        masking.mask(&mut object);
        assert_eq!(object, once, "{text}");
        let shown = object["password"].to_string();
        assert!(shown.starts_with("\"[masked"), "{shown}");
    }
}
