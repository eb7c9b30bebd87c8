// bunyan, with its serializers. It writes no BigInt, as JSON.stringify does not.
import bunyan from 'bunyan';
import { bound, failure, fields, output, secrets, text } from './events.mjs';

const log = bunyan.createLogger({
  name: 'cart',
  level: 'trace',
  serializers: bunyan.stdSerializers,
  streams: [{ level: 'trace', stream: output('bunyan.log') }],
});
for (const name of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) {
  log[name](`level ${name}`);
}
log.info(text);
log.info(fields, 'fields');
log.error(failure(), 'failed');
log.child(bound).info('child');
log.warn(secrets, 'secret');
const req = { method: 'PUT', url: '/carts/9?x=1', headers: { authorization: secrets.headers.authorization } };
const res = { statusCode: 404, getHeaders: () => ({}), _header: 'HTTP/1.1 404 Not Found\r\n' };
log.info({ req, res, duration: 20 }, 'request completed');
