// The events that each program logs, and the files it writes.
import { createWriteStream, readFileSync } from 'node:fs';

const shared = JSON.parse(readFileSync(new URL('events.json', import.meta.url)));
export const { text, fields, bound, secret } = shared;
export const big = BigInt(shared.big);
export const secrets = {
  user: 'anna',
  password: secret,
  headers: { authorization: `Bearer ${secret}`, accept: '*/*' },
};

// An error with a cause, thrown a few functions deep.
export function failure() {
  const check = () => {
    throw new TypeError(shared.cause);
  };
  try {
    try {
      check();
    } catch (cause) {
      throw new RangeError(shared.failure, { cause });
    }
  } catch (error) {
    return error;
  }
}

export function output(name) {
  return createWriteStream(`${process.env.LOOKBACK_LOGGERS}/${name}`);
}
