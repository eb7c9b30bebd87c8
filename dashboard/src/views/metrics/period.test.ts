import { expect, test } from "vitest";
import { parseRange, resolve } from "../../time/range";
import { coveredPart, perSecond, untilMinute, windowPeriod } from "./period";

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

test("requests per second are those of the time since the first window", () => {
  const [from, until] = [new Date("2026-11-29T11:00:00Z"), new Date("2026-11-29T12:00:00Z")];
  const at = (clock: string) => new Date(`2026-11-29T${clock}:00Z`);
  expect(coveredPart(from, until, at("11:59"))).toEqual({ seconds: 60, since: at("11:59") });
  // Windows of before cover all of it, and so does a time without any.
  expect(coveredPart(from, until, at("10:20"))).toEqual({ seconds: 3600, since: null });
  expect(coveredPart(from, until, at("11:00"))).toEqual({ seconds: 3600, since: null });
  expect(coveredPart(from, until, null)).toEqual({ seconds: 3600, since: null });
  // None of the period before was counted, though a part of the range was.
  expect(coveredPart(at("10:00"), from, at("11:30"))).toEqual({ seconds: 3600, since: null });
  expect(perSecond(800, 60)).toBe("13.33");
  expect(perSecond(0, 60)).toBe("0");
});
