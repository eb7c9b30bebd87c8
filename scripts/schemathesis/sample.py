"""Writes the document of the API with some of the filters of each operation, and small ids.

An operation has hundreds of them, and a request for each value of each would take hours. Tests in
Rust check that the server takes exactly the filters of the document; here some are drawn for each
operation, others for each seed.
"""

import json
import random
import sys
import urllib.request

FILTERS = 8
# Most of the records of the samples; others are not found.
IDS = 25

# Streams without an end, protocols of their own, and what would end the key of the run or send to
# addresses that are drawn.
NOT_ASKED = {
    "/api/v1/logs/tail": ["get"],
    "/api/v1/requests/tail": ["get"],
    "/mcp": ["post"],
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": ["post"],
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": ["post"],
    "/api/v1/keys/{id}": ["delete"],
    "/api/v1/alerts/{id}/test": ["post"],
}

url, seed = sys.argv[1:]
document = json.load(urllib.request.urlopen(url))
for path, methods in NOT_ASKED.items():
    for method in methods:
        del document["paths"][path][method]
draw = random.Random(int(seed))
for item in document["paths"].values():
    for operation in item.values():
        parameters = operation.get("parameters", [])
        own = [parameter for parameter in parameters if "$ref" not in parameter]
        filters = [parameter for parameter in parameters if "$ref" in parameter]
        sample = draw.sample(filters, min(FILTERS, len(filters)))
        for parameter in own:
            if parameter["name"] == "id":
                parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": IDS}
        if parameters:
            operation["parameters"] = own + sample
json.dump(document, sys.stdout)
