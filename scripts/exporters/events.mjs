// The events that each exporter sends, and where it notes what has to be found.
import { writeFileSync } from 'node:fs';

export const url = process.env.LOOKBACK_URL;
export const key = process.env.LOOKBACK_INGEST_KEY;
export const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const levels = ['debug', 'info', 'warn', 'error'];

export const events = Array.from({ length: 40 }, (_, number) => ({
  level: levels[number % 4],
  message: `event ${number}: käse "quoted" 100% \\ /`,
  fields: { order: 140_737_488_355_329 + number, ratio: 0.5, paid: true, note: 'two words' },
}));

// Notes what has to be found: of log lines level, message and fields, of requests their columns.
export function expect(source, records, requests = []) {
  writeFileSync(`${process.env.LOOKBACK_EXPORTERS}/${source}.json`, JSON.stringify({ source, records, requests }));
}
