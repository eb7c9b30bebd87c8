"""OpenTelemetry's SDK of Python: logs and traces by HTTP and gRPC, plain and compressed."""

import logging
import os
import time

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from events import KEY, TRACE_ID, URL, events, expect

headers = {"authorization": f"Bearer {KEY}"}
grpc_url = os.environ["LOOKBACK_GRPC_URL"]
exporters = {
    "py-otlp-http": (
        HttpLogs(f"{URL}/v1/logs", headers=headers),
        HttpSpans(f"{URL}/v1/traces", headers=headers),
    ),
    "py-otlp-http-gzip": (
        HttpLogs(f"{URL}/v1/logs", headers=headers, compression=Compression.Gzip),
        HttpSpans(f"{URL}/v1/traces", headers=headers, compression=Compression.Gzip),
    ),
    "py-otlp-grpc": (
        GrpcLogs(endpoint=grpc_url, insecure=True, headers=headers),
        GrpcSpans(endpoint=grpc_url, insecure=True, headers=headers),
    ),
    "py-otlp-grpc-gzip": (
        GrpcLogs(endpoint=grpc_url, insecure=True, headers=headers, compression=grpc.Compression.Gzip),
        GrpcSpans(endpoint=grpc_url, insecure=True, headers=headers, compression=grpc.Compression.Gzip),
    ),
}
parent = trace.NonRecordingSpan(
    trace.SpanContext(int(TRACE_ID, 16), 0xB7AD6B7169203331, True, trace.TraceFlags(1))
)
names = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

for source, (logs_to, spans_to) in exporters.items():
    resource = Resource.create({"service.name": source, "service.version": "1.2"})
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(logs_to, max_export_batch_size=15))
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(spans_to))
    logger = logging.getLogger(source)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(LoggingHandler(logger_provider=logs))
    with trace.use_span(parent):
        for event in events():
            logger.log(names[event["level"]], event["message"], extra=event["fields"])
        start = 1_000_000 * (time.time_ns() // 1_000_000)
        tracer = spans.get_tracer("scope")
        span = tracer.start_span(
            "PUT /carts",
            kind=trace.SpanKind.SERVER,
            start_time=start,
            attributes={
                "http.request.method": "PUT",
                "url.path": f"/carts/{source}",
                "url.query": "x=1",
                "http.response.status_code": 404,
            },
        )
        span.end(start + 20_000_000)
        tracer.start_span("not a request").end()
    logs.shutdown()
    spans.shutdown()
    expect(
        source,
        ({**event, "trace_id": TRACE_ID} for event in events()),
        [
            {
                "path": f"/carts/{source}",
                "method": "PUT",
                "query": {"x": "1"},
                "status_code": 404,
                "duration": 20,
                "version": "1.2",
                "trace_id": TRACE_ID,
            }
        ],
    )
