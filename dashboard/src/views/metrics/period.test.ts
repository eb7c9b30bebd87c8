import { expect, test } from "vitest";
import { parseRange, resolve } from "../../time/range";
import { untilMinute, windowPeriod } from "./period";

function cut(text: string, nowText: string) {
  const range = parseRange(text);
  if (range === null) throw new Error(text);
  const now = new Date(nowText);
  const { from, until } = resolve(range, now);
  const period = windowPeriod(range, from, until, now);
  return [period.from.toISOString().slice(11, 19), period.until.toISOString().slice(11, 19), period.isCut];
}

test("a range that ends now ends with the last minute that is stored, and stays as long", () => {
  expect(cut("1h", "2026-11-29T12:03:43Z")).toEqual(["11:03:00", "12:03:00", true]);
  expect(cut("5m", "2026-11-29T12:03:43Z")).toEqual(["11:58:00", "12:03:00", true]);
  // What has just ended is still on its way.
  expect(cut("5m", "2026-11-29T12:03:04Z")).toEqual(["11:57:00", "12:02:00", true]);
  expect(cut("5m", "2026-11-29T12:03:05Z")).toEqual(["11:58:00", "12:03:00", true]);
});

test("a range of the past has all minutes that it meets", () => {
  expect(cut("2026-11-29T10:00:20Z..2026-11-29T10:07:40Z", "2026-11-29T12:03:43Z")).toEqual(["10:00:00", "10:08:00", false]);
  expect(cut("2026-11-29T10:00:00Z..2026-11-29T10:07:00Z", "2026-11-29T12:03:43Z")).toEqual(["10:00:00", "10:07:00", false]);
});

test("a range with fixed ends keeps its start where its end is not stored yet", () => {
  expect(cut("2026-11-29T12:00:10Z..2026-11-29T12:03:30Z", "2026-11-29T12:03:43Z")).toEqual(["12:00:00", "12:03:00", true]);
  expect(cut("2026-11-29T12:03:10Z..2026-11-29T12:03:30Z", "2026-11-29T12:03:43Z")).toEqual(["12:03:00", "12:04:00", true]);
});

test("the end is a time of the local zone", () => {
  expect(untilMinute(new Date(2026, 10, 29, 9, 5))).toBe("until 09:05");
});
