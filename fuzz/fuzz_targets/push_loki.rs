//! Pushes to Loki: compressed protobuf, and bytes that are not compressed.
#![no_main]

use arbitrary::Arbitrary;
use fuzz::{Message, check_push, field};
use libfuzzer_sys::fuzz_target;
use lookback_formats::push::Push;

#[derive(Arbitrary, Debug)]
enum Body {
    /// As it comes from the network.
    Raw(Vec<u8>),
    Compressed(Vec<u8>),
    Streams(Vec<(String, Vec<Message>)>),
}

fuzz_target!(|body: Body| {
    let body = match body {
        Body::Raw(bytes) => return check_push(Push::Loki, &bytes),
        Body::Compressed(bytes) => bytes,
        Body::Streams(streams) => {
            let mut body = Vec::new();
            for (labels, entries) in streams {
                let mut stream = field(1, labels.as_bytes());
                for entry in &entries {
                    stream.extend(field(2, &entry.encode()));
                }
                body.extend(field(1, &stream));
            }
            body
        }
    };
    let compressed = snap::raw::Encoder::new().compress_vec(&body);
    check_push(Push::Loki, &compressed.expect("a body is below 4 GiB"));
});
