//! Masking: of a text, of JSON, and of names.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lookback_json::Json;
use lookback_json::secrets::{MASK, is_secret_name, mask, mask_text};

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
    let secret = "Q7vX2kLm9";
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
});
