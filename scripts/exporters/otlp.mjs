// OpenTelemetry's SDK of Node.js: logs and traces by HTTP (JSON and protobuf) and gRPC.
import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPTraceExporter as GrpcSpans } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonSpans } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufSpans } from '@opentelemetry/exporter-trace-otlp-proto';
import { Metadata } from '@grpc/grpc-js';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { events, expect, key, traceId, url } from './events.mjs';

const headers = { authorization: `Bearer ${key}` };
const metadata = new Metadata();
metadata.set('authorization', `Bearer ${key}`);
const http = (path, compression) => ({ url: `${url}${path}`, headers, compression });
const grpc = (compression) => ({ url: process.env.LOOKBACK_GRPC_URL, metadata, compression });
const exporters = {
  'js-otlp-json': [new JsonLogs(http('/v1/logs')), new JsonSpans(http('/v1/traces'))],
  'js-otlp-json-gzip': [new JsonLogs(http('/v1/logs', 'gzip')), new JsonSpans(http('/v1/traces', 'gzip'))],
  'js-otlp-protobuf': [new ProtobufLogs(http('/v1/logs')), new ProtobufSpans(http('/v1/traces'))],
  'js-otlp-grpc': [new GrpcLogs(grpc()), new GrpcSpans(grpc())],
  'js-otlp-grpc-gzip': [new GrpcLogs(grpc('gzip')), new GrpcSpans(grpc('gzip'))],
};
const context = trace.setSpanContext(ROOT_CONTEXT, {
  traceId,
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
});

for (const [source, [logsTo, spansTo]] of Object.entries(exporters)) {
  const resource = resourceFromAttributes({ 'service.name': source, 'service.version': '1.2' });
  const logs = new LoggerProvider({
    resource,
    processors: [new BatchLogRecordProcessor(logsTo, { maxExportBatchSize: 15 })],
  });
  const logger = logs.getLogger('scope');
  for (const { level, message, fields } of events) {
    const severityText = level.toUpperCase();
    logger.emit({ severityNumber: SeverityNumber[severityText], severityText, body: message, attributes: fields, context });
  }
  await logs.shutdown();
  const spans = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(spansTo)] });
  const tracer = spans.getTracer('scope');
  const start = Date.now();
  const attributes = {
    'http.request.method': 'PUT',
    'url.path': `/carts/${source}`,
    'url.query': 'x=1',
    'http.response.status_code': 404,
  };
  const span = tracer.startSpan('PUT /carts', { kind: SpanKind.SERVER, attributes, startTime: start }, context);
  tracer.startSpan('not a request', {}, context).end();
  span.end(start + 20);
  await spans.shutdown();
  expect(
    source,
    events.map((event) => ({ ...event, trace_id: traceId })),
    [
      {
        path: `/carts/${source}`,
        method: 'PUT',
        query: { x: '1' },
        status_code: 404,
        duration: 20,
        version: '1.2',
        trace_id: traceId,
      },
    ],
  );
}
