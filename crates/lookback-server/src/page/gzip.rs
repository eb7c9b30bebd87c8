//! Files compressed by gzip, which every browser takes.

use std::io::Write as _;

use axum::http::HeaderValue;
use axum::http::header::GetAll;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Compresses a file; `None` if it is not smaller then.
pub(super) fn compress(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < content.len()).then(|| Bytes::from(compressed))
}

/// Whether a client takes gzip.
pub(super) fn is_accepted(headers: GetAll<'_, HeaderValue>) -> bool {
    let values = headers.iter().filter_map(|value| value.to_str().ok());
    let mut codings = values.flat_map(|value| value.split(','));
    codings.any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut weights = parts.filter_map(|part| part.strip_prefix("q="));
        let is_refused = weights.any(|weight| weight.trim_matches(['0', '.']).is_empty());
        name.eq_ignore_ascii_case("gzip") && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use axum::http::header::ACCEPT_ENCODING;
    use axum::http::{HeaderMap, HeaderValue};
    use flate2::read::GzDecoder;

    use super::{compress, is_accepted};

    #[test]
    fn file_is_compressed_if_it_is_smaller_then() {
        let text = "a page ".repeat(100);
        let compressed = compress(text.as_bytes()).unwrap();
        let mut read = String::new();
        GzDecoder::new(&*compressed)
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!(read, text);
        assert!(compress(b"short").is_none());
    }

    #[test]
    fn gzip_is_taken_by_those_who_say_so() {
        for (header, expected) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1, GZIP;q=0.5", true),
            ("gzip; q=0.001", true),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("br", false),
            ("*", false),
            ("xgzip", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(header));
            let accepted = is_accepted(headers.get_all(ACCEPT_ENCODING));
            assert_eq!(accepted, expected, "{header}");
        }
        assert!(!is_accepted(HeaderMap::new().get_all(ACCEPT_ENCODING)));
    }
}
