// OpenTelemetry's exporters of logs and spans, whose bodies are written as they come:
// a line for each body of JSON, a file for each of protobuf.
import { appendFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { gunzipSync } from 'node:zlib';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as JsonLogs } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPTraceExporter as JsonSpans } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufSpans } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { bound, failure, fields, secrets, text } from './events.mjs';

const folder = process.env.LOOKBACK_LOGGERS;
const count = {};
const server = http.createServer(async (request, response) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  let body = Buffer.concat(parts);
  if (request.headers['content-encoding'] === 'gzip') body = gunzipSync(body);
  const signal = request.url.slice(1);
  if (request.headers['content-type'] === 'application/json') {
    appendFileSync(`${folder}/otlp-${signal}.jsonl`, `${body}\n`);
    response.setHeader('content-type', 'application/json');
    response.end('{}');
  } else {
    count[signal] = (count[signal] ?? 0) + 1;
    writeFileSync(`${folder}/otlp-${signal}-${count[signal]}.pb`, body);
    response.setHeader('content-type', 'application/x-protobuf');
    response.end();
  }
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const url = (signal) => `http://127.0.0.1:${server.address().port}/${signal}`;
const resource = resourceFromAttributes({ 'service.name': 'cart', 'service.version': '1.2' });
const context = trace.setSpanContext(ROOT_CONTEXT, {
  traceId: bound.trace_id,
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
});
const request = {
  'http.request.method': 'PUT',
  'url.path': '/carts/9',
  'url.query': `x=1&password=${secrets.password}`,
  'http.response.status_code': 404,
  'http.request.header.authorization': [secrets.headers.authorization],
  'cart.lines': [1, 2],
};

for (const exporter of [new JsonLogs({ url: url('js-logs') }), new ProtobufLogs({ url: url('js-logs') })]) {
  const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor(exporter)] });
  const log = provider.getLogger('scope', '3.4');
  for (const [name, severityNumber] of Object.entries(SeverityNumber)) {
    if (typeof severityNumber === 'number' && severityNumber > 0) {
      log.emit({ severityNumber, severityText: name, body: `level ${name}` });
    }
  }
  const info = { severityNumber: SeverityNumber.INFO, severityText: 'INFO' };
  log.emit({ ...info, body: text });
  log.emit({ ...info, body: 'fields', attributes: { ...fields, count: 4_503_599_627_370_497 } });
  const error = failure();
  log.emit({
    severityNumber: SeverityNumber.ERROR,
    severityText: 'ERROR',
    body: 'failed',
    attributes: { 'exception.type': error.name, 'exception.message': error.message, 'exception.stacktrace': error.stack },
  });
  log.emit({ ...info, body: 'child', attributes: { request_id: bound.request_id }, context });
  log.emit({ ...info, severityNumber: SeverityNumber.WARN, severityText: 'WARN', body: 'secret', attributes: secrets });
  log.emit({ ...info, body: { message: 'body of fields', ...fields } });
  await provider.shutdown();
}

for (const exporter of [new JsonSpans({ url: url('js-traces') }), new ProtobufSpans({ url: url('js-traces') })]) {
  const provider = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter)] });
  const tracer = provider.getTracer('scope');
  const start = Date.now();
  const span = tracer.startSpan('PUT /carts', { kind: SpanKind.SERVER, attributes: request, startTime: start }, context);
  tracer.startSpan('inner', {}, trace.setSpan(context, span)).end();
  span.recordException(failure());
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'not found' });
  span.end(start + 20);
  await provider.shutdown();
}
server.close();
