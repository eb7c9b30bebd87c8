// Transports of pino and winston to Loki.
import pino from 'pino';
import { pinoLoki } from 'pino-loki';
import winston from 'winston';
import LokiTransport from 'winston-loki';
import { events, expect, key, url } from './events.mjs';

const basicAuth = { username: 'any', password: key };
const stream = pinoLoki({ host: url, basicAuth, labels: { application: 'js-pino-loki' }, batching: { interval: 1 } });
const pinoLogger = pino({ level: 'debug' }, stream);
for (const { level, message, fields } of events) {
  pinoLogger[level]({ fields }, message);
}
stream.end();
await new Promise((closed) => stream.on('close', closed));
expect('js-pino-loki', events);

for (const [source, json] of [
  ['js-winston-loki', true],
  // Compressed by snappy if its package is there; else the transport sends JSON.
  ['js-winston-loki-protobuf', false],
]) {
  const transport = new LokiTransport({
    host: url,
    basicAuth: `any:${key}`,
    labels: { app: source },
    json,
    format: winston.format.json(),
    interval: 1,
    onConnectionError: (error) => {
      throw error;
    },
  });
  const logger = winston.createLogger({ level: 'debug', transports: [transport] });
  for (const { level, message, fields } of events) {
    logger.log({ level, message, ...fields });
  }
  await transport.flush();
  logger.close();
  expect(source, events);
}
