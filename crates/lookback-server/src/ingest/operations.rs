//! The operations that store records.

use lookback::{Log, Metric, Model, RequestSnapshot, json};

use crate::openapi::models::{self, list, object, object_with, reference};
use crate::openapi::{Access, Operation};
use crate::problem::Kind;

pub(crate) fn operations() -> Vec<Operation> {
    [
        vec![
            own::<Log>("/api/v1/logs", "Stores log lines"),
            own::<RequestSnapshot>("/api/v1/requests", "Stores requests"),
            own::<Metric>("/api/v1/metrics", "Stores latency windows").problems(&[Kind::Conflict]),
        ],
        protocols(),
        grpc(),
        bulk(),
    ]
    .concat()
}

/// An operation that stores a body.
fn storing(path: &str, summary: &str, is_put: bool) -> Operation {
    let operation = if is_put {
        Operation::put(path, summary, Access::Ingest)
    } else {
        Operation::post(path, summary, Access::Ingest)
    };
    operation
        .about(
            "The answer comes after the commit. With a header `Idempotency-Key`, a body that is \
             sent again within a day is stored once.",
        )
        .problems(&[Kind::InvalidRecord, Kind::KeyReused])
}

/// Records of Lookback's own form, and those of other programs.
fn own<M: Model>(path: &str, summary: &str) -> Operation {
    let lines =
        || json!({ "type": "string", "description": "Lines of JSON, or of any known format." });
    let record = || json!({ "anyOf": [models::new::<M>(), { "type": "object" }] });
    storing(path, summary, false)
        .body(&[
            (
                "application/json",
                json!({ "anyOf": [record(), list(record())] }),
            ),
            ("application/x-ndjson", lines()),
            ("text/plain", lines()),
        ])
        .json(
            200,
            "Those that are stored, and the first hundred that are not.",
            object([(
                "data",
                object([
                    ("stored", json!({ "type": "integer", "minimum": 0 })),
                    ("rejected", json!({ "type": "integer", "minimum": 0 })),
                    ("errors", list(reference("WrongField"))),
                ]),
            )]),
        )
}

/// OpenTelemetry, and Loki.
fn protocols() -> Vec<Operation> {
    let message = || json!({ "type": "string", "description": "A message of protobuf." });
    let any = || json!({ "type": "object" });
    let otlp = |path, summary| {
        storing(path, summary, false)
            .body(&[
                ("application/x-protobuf", message()),
                ("application/json", any()),
            ])
            .answer(
                200,
                "All are stored, or a partial success.",
                &[
                    ("application/x-protobuf", message()),
                    ("application/json", any()),
                ],
            )
            .problems_as("application/x-protobuf", message())
    };
    vec![
        otlp("/v1/logs", "Stores the log records of an OTLP exporter"),
        otlp(
            "/v1/traces",
            "Stores the server spans of an OTLP exporter as requests",
        ),
        storing(
            "/loki/api/v1/push",
            "Stores the lines of a client of Loki",
            false,
        )
        .body(&[
            ("application/x-protobuf", message()),
            ("application/json", any()),
        ])
        .answer(204, "All are stored.", &[]),
    ]
}

/// OpenTelemetry over gRPC.
fn grpc() -> Vec<Operation> {
    let message = || [("application/grpc", json!({ "type": "string" }))];
    let paths = [
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ];
    let exports = paths.map(|path| {
        storing(path, "The same as OTLP, over gRPC", false)
            .body(&message())
            .answer(200, "A message; its status is in the trailers.", &message())
    });
    exports.to_vec()
}

/// Elasticsearch.
fn bulk() -> Vec<Operation> {
    let about = |path| {
        let version = object_with(
            [("number", json!({ "type": "string" }))],
            [
                "build_flavor",
                "minimum_wire_compatibility_version",
                "minimum_index_compatibility_version",
            ]
            .map(|name| (name, json!({ "type": "string" }))),
        );
        let texts = ["name", "cluster_name", "tagline"];
        let texts = texts.map(|name| (name, json!({ "type": "string" })));
        Operation::get(
            path,
            "Which server this is, for clients of Elasticsearch",
            Access::Ingest,
        )
        .json(
            200,
            "A server of a version that clients know.",
            object(texts.into_iter().chain([("version", version)])),
        )
    };
    let operation = |path, is_put| {
        storing(path, "Stores the documents of a bulk as log lines", is_put)
            .body(&[("application/x-ndjson", json!({ "type": "string" }))])
            .json(
                200,
                "An item for each action.",
                object([
                    ("took", json!({ "type": "integer" })),
                    ("errors", json!({ "type": "boolean" })),
                    ("items", list(json!({ "type": "object" }))),
                ]),
            )
    };
    let paths = ["/elastic/_bulk", "/elastic/{index}/_bulk"];
    let bulks = paths
        .into_iter()
        .flat_map(|path| [operation(path, false), operation(path, true)]);
    [about("/elastic"), about("/elastic/")]
        .into_iter()
        .chain(bulks)
        .collect()
}
