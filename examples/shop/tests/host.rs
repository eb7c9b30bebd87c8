//! Lookback changes nothing for the application that it is a part of.

use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Shape {
    Circle { radius: f64 },
    Square { side: f64 },
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Price {
    Amount(f64),
    Range { low: f64, high: f64 },
}

#[derive(Debug, PartialEq, Deserialize)]
struct Measured {
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, f64>,
}

/// These types cannot be read if any crate of an application enables the feature
/// `arbitrary_precision` of `serde_json`.
#[test]
fn floats_in_tagged_untagged_and_flattened_types_are_read() {
    let shapes: Vec<Shape> = serde_json::from_str(
        r#"[{"kind": "circle", "radius": 1.5}, {"kind": "square", "side": 2}]"#,
    )
    .unwrap();
    assert_eq!(
        shapes,
        [Shape::Circle { radius: 1.5 }, Shape::Square { side: 2.0 }]
    );
    let prices: Vec<Price> =
        serde_json::from_str(r#"[9.99, {"low": 0.5, "high": 1e3}, 7]"#).unwrap();
    let range = Price::Range {
        low: 0.5,
        high: 1e3,
    };
    assert_eq!(prices, [Price::Amount(9.99), range, Price::Amount(7.0)]);
    let measured: Measured = serde_json::from_str(r#"{"a": 0.25, "b": -1}"#).unwrap();
    assert_eq!(measured.rest["a"], 0.25);
    assert_eq!(
        serde_json::json!(0.1),
        serde_json::from_str::<serde_json::Value>("0.1").unwrap()
    );
}

/// A record of Lookback inside the types of an application.
#[test]
fn records_inside_types_of_the_application_keep_every_digit() {
    #[derive(Deserialize)]
    struct Envelope {
        log: lookback::NewLog,
        score: f64,
    }
    let text = r#"{"log": {"source": "API", "level": "info", "message": "paid",
        "meta": {"amount": 12345678901234567890.10}}, "score": 0.5}"#;
    let envelope: Envelope = serde_json::from_str(text).unwrap();
    assert_eq!(envelope.score, 0.5);
    let meta = envelope.log.meta.expect("meta");
    assert_eq!(meta["amount"].to_string(), "12345678901234567890.10");
}
