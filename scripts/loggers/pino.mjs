// pino with its default and with names of levels, and pino-http around a real server.
import http from 'node:http';
import pino from 'pino';
import pinoHttp from 'pino-http';
import { big, bound, failure, fields, output, secrets, text } from './events.mjs';

const level = 'trace';
const labels = { formatters: { level: (label) => ({ level: label }) }, timestamp: pino.stdTimeFunctions.isoTime };
for (const [file, options] of [['pino.log', {}], ['pino-labels.log', labels]]) {
  const log = pino({ level, name: 'cart', ...options }, output(file));
  for (const name of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) {
    log[name](`level ${name}`);
  }
  log.info(text);
  log.info({ ...fields, big }, 'fields');
  log.error(failure(), 'failed');
  log.child(bound).info('child');
  log.warn(secrets, 'secret');
}

const log = pino({ name: 'cart' }, output('pino-http.log'));
const handle = pinoHttp({ logger: log });
const server = http.createServer((request, response) => {
  handle(request, response);
  setTimeout(() => {
    response.statusCode = 404;
    response.setHeader('set-cookie', `sid=${secrets.password}`);
    response.end('no');
  }, 20);
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
const response = await fetch(`http://127.0.0.1:${server.address().port}/carts/9?x=1&password=${secrets.password}`, {
  method: 'PUT',
  body: '{}',
  headers: {
    authorization: secrets.headers.authorization,
    traceparent: `00-${bound.trace_id}-b7ad6b7169203331-01`,
  },
});
await response.text();
server.close();
