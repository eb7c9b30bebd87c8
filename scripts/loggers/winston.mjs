// winston as JSON, in its form of a line of text, and in one that many applications have.
import winston from 'winston';
import { big, bound, failure, fields, output, secrets, text } from './events.mjs';

const { combine, errors, json, printf, simple, timestamp } = winston.format;
const own = printf((log) => {
  const line = `${log.timestamp} ${log.level}: ${log.message}`;
  return log.stack ? `${line}\n${log.stack}` : line;
});
for (const [file, format] of [
  ['winston.log', combine(errors({ stack: true }), timestamp(), json())],
  ['winston-simple.log', combine(errors({ stack: true }), simple())],
  ['winston-printf.log', combine(errors({ stack: true }), timestamp(), own)],
]) {
  const log = winston.createLogger({
    level: 'silly',
    format,
    defaultMeta: { service: 'mail' },
    transports: [new winston.transports.Stream({ stream: output(file) })],
  });
  for (const name of ['silly', 'debug', 'verbose', 'http', 'info', 'warn', 'error']) {
    log.log(name, `level ${name}`);
  }
  log.info(text);
  log.info('fields', { ...fields, big });
  log.error('failed', failure());
  log.child(bound).info('child');
  log.warn('secret', secrets);
}
