"""OpenTelemetry's exporters of Python, whose bodies are written as they come."""

import gzip
import http.server
import logging
import threading
import time

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from events import BOUND, FIELDS, SECRET, SECRETS, TEXT, fail, output

count = {}


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        signal = self.path[1:]
        count[signal] = count.get(signal, 0) + 1
        with open(output(f"otlp-{signal}-{count[signal]}.pb"), "wb") as file:
            file.write(body)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
resource = Resource.create({"service.name": "cart", "service.version": "1.2"})

logs = LoggerProvider(resource=resource)
exporter = OTLPLogExporter(f"{address}/py-logs", compression=Compression.Gzip)
logs.add_log_record_processor(BatchLogRecordProcessor(exporter))
spans = TracerProvider(resource=resource)
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{address}/py-traces")))

log = logging.getLogger("cart.scope")
log.propagate = False
log.addHandler(LoggingHandler(logger_provider=logs))
log.setLevel(logging.DEBUG)
for name in ("debug", "info", "warning", "error", "critical"):
    getattr(log, name)("level %s", name)
log.info(TEXT)
# The values of a list have one type, and null is none.
fields = FIELDS | {"list": [1, 2], "count": 4_503_599_627_370_497}
log.info("fields", extra=fields)
try:
    fail()
except ValueError:
    log.exception("failed")
parent = trace.NonRecordingSpan(
    trace.SpanContext(int(BOUND["trace_id"], 16), 0xB7AD6B7169203331, True, trace.TraceFlags(1))
)
with trace.use_span(parent):
    log.info("child", extra={"request_id": BOUND["request_id"]})
log.warning("secret", extra=SECRETS)

with trace.use_span(parent):
    start = 1_000_000 * (time.time_ns() // 1_000_000)
    span = spans.get_tracer("scope").start_span(
        "PUT /carts",
        kind=trace.SpanKind.SERVER,
        start_time=start,
        attributes={
            "http.request.method": "PUT",
            "url.path": "/carts/9",
            "url.query": f"x=1&password={SECRET}",
            "http.response.status_code": 404,
            "http.request.header.authorization": [SECRETS["headers"]["authorization"]],
            "cart.lines": [1, 2],
        },
    )
    span.end(start + 20_000_000)
logs.shutdown()
spans.shutdown()
