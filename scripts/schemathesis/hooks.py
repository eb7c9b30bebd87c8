"""Bodies of media types that schemathesis does not know: text, as it is drawn."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson", "application/x-protobuf")
def as_text(context, value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode()
