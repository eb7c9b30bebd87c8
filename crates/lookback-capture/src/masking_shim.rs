//! stand-in until the rules are configurable
use lookback_json::{Json, JsonMap, secrets};
use std::borrow::Cow;
#[derive(Clone, Debug, Default)]
pub struct Masking;
impl Masking {
    pub fn mask(&self, v: &mut Json) {
        secrets::mask(v)
    }
    pub fn mask_object(&self, v: &mut JsonMap) {
        secrets::mask_object(v)
    }
    pub fn mask_text<'a>(&self, t: &'a str) -> Cow<'a, str> {
        secrets::mask_text(t)
    }
    pub fn mask_header(&self, n: &str, v: &str) -> String {
        let mut j = Json::from(v);
        secrets::mask_field(secrets::is_secret_name(n), &mut j);
        j.as_str().unwrap_or_default().to_owned()
    }
}
