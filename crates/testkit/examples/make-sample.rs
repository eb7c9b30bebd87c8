//! Makes the sample that `make up` imports: `cargo run -p testkit --example
//! make-sample`.

#![allow(clippy::expect_used)]

use std::fs;
use std::path::Path;

use testkit::made;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sample");
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).expect("the sample can be written");
    };
    write("logs.jsonl", made::json_lines(&made::logs(1, 500)));
    write("requests.jsonl", made::json_lines(&made::requests(2, 150)));
}
