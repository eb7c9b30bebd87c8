//! Writes the sample that `make up` imports: `cargo run -p testkit --example
//! make-sample`.

#![expect(clippy::expect_used, reason = "a tool of the repository")]

use std::fs;
use std::path::Path;

use testkit::sample;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sample");
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).expect("the sample can be written");
    };
    write("logs.jsonl", sample::json_lines(&sample::logs(1, 500)));
    write(
        "requests.jsonl",
        sample::json_lines(&sample::requests(2, 150)),
    );
}
