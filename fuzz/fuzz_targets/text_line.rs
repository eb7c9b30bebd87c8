//! Lines of the parts that the formats of text have.
#![no_main]

use arbitrary::Arbitrary;
use fuzz::{AnyOptions, check_lines};
use libfuzzer_sys::fuzz_target;

const PARTS: &[&str] = &[
    "2026-10-11T12:13:14.5Z",
    "2026-10-11 12:13:14,123",
    "Oct 11 12:13:14",
    "11/Oct/2026:12:13:14 +0200",
    "2024-07-17T12:12:05.120394823Z",
    "12:13:14",
    "stdout",
    "stderr",
    "F",
    "P",
    "<34>",
    "<34>1",
    "<999>",
    "host",
    "app[42]:",
    "app:",
    "- - -",
    "[id@1 a=\"b\" c=\"\\\"\"]",
    "BOM",
    "[info]",
    "ERROR",
    "WARN:",
    "level=error",
    "msg=\"a \\\"b\\\"\"",
    "ts=2026-10-11T12:13:14Z",
    "a=",
    "=b",
    "a=1",
    "flag",
    "password=x",
    "heroku[router]:",
    "app[web.1]:",
    "at=info method=GET path=\"/a?b=c\" host=h.example",
    "status=200",
    "service=12ms",
    "192.0.2.9",
    "::1",
    "-",
    "\"GET /a?b=c HTTP/1.1\"",
    "\"\\x16\\x03\"",
    "200",
    "5",
    "\"https://r.example/\"",
    "\"agent \\\"x\\\"\"",
    "0.005",
    "h2",
    "https",
    "app/lb/1",
    "192.0.2.9:1",
    "\"GET https://s.example:443/b?x=1 HTTP/2.0\"",
    "\"Root=1-58337281-1d84f3d73c47ec4e58577259\"",
    "{\"msg\":\"inner\"}",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ":",
    "|",
    "@cee:{\"msg\":\"x\"}",
    "\u{1b}[31m",
    "\u{1b}",
    "Traceback (most recent call last):",
    "  File \"a.py\", line 1",
    "ValueError: x",
    "Caused by: x",
    "\tat f(A.java:1)",
    "ä",
    "日",
    "\0",
    "",
    "  ",
];

#[derive(Arbitrary, Debug)]
enum Part {
    Known(u8),
    Joined(u8),
    Text(String),
    Bytes(Vec<u8>),
}

fuzz_target!(|input: (AnyOptions, Vec<Vec<Part>>)| {
    let (options, lines) = input;
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for parts in &lines {
        let mut line: Vec<u8> = Vec::new();
        for part in parts {
            let known = |at: u8| PARTS[usize::from(at) % PARTS.len()].as_bytes();
            match part {
                Part::Known(at) => {
                    line.extend_from_slice(known(*at));
                    line.push(b' ');
                }
                Part::Joined(at) => line.extend_from_slice(known(*at)),
                Part::Text(text) => line.extend_from_slice(text.as_bytes()),
                Part::Bytes(bytes) => line.extend_from_slice(bytes),
            }
        }
        line.retain(|byte| *byte != b'\n');
        texts.push(line);
    }
    let lines: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    check_lines(&lines, options.get());
});
