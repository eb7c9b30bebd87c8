import { expect, test } from "vitest";
import { age, ago, bytes, clock, count, counted, duration, inFull, percent, short } from "./format";

const NOW = new Date("2026-11-29T11:30:00Z");

test("a clock has milliseconds, and its day and year where they are others", () => {
  expect(clock("2026-11-29T11:03:16.535463Z", NOW)).toBe("12:03:16.535");
  expect(clock("2026-11-28T23:00:00Z", NOW)).toBe("00:00:00.000");
  expect(clock("2026-11-28T22:59:59.999Z", NOW)).toMatch(/28.*23:59:59\.999/);
  expect(clock("2025-11-29T11:03:16Z", NOW)).toMatch(/2025.*12:03:16\.000/);
  // The hour that comes twice.
  expect([clock("2026-10-25T00:30:00Z", NOW), clock("2026-10-25T01:30:00Z", NOW)].map((text) => text.slice(-12))).toEqual(["02:30:00.000", "02:30:00.000"]);
});

test.each(["infinity", "-infinity", "", "soon", "+123456789-01-01T00:00:00Z"])("what is no time is shown as it is: %s", (text) => {
  expect([clock(text, NOW), inFull(text), ago(text, NOW)]).toEqual([text, text, text]);
});

test("a time in full has all its digits in UTC, and the zone", () => {
  expect(inFull("2026-11-29T19:49:39.605463Z")).toMatch(/^2026-11-29 19:49:39\.605463 UTC\n.* Europe\/Berlin$/);
  expect(inFull("2026-11-29T19:49:39+01:00")).toMatch(/^2026-11-29 18:49:39\.000 UTC\n/);
});

test.each([
  ["2026-11-29T11:30:00.2Z", "now"],
  ["2026-11-29T11:29:55Z", "5 sec. ago"],
  ["2026-11-29T11:29:00.3Z", "1 min. ago"],
  ["2026-11-29T10:30:10Z", "1 hr. ago"],
  ["2026-11-28T11:40:00Z", "1 day ago"],
  ["2026-11-29T11:35:00Z", "in 5 min."],
])("%s is %s", (text, expected) => {
  expect(ago(text, NOW)).toBe(expected);
});

test("an age is from now; of a range that is over, it is a time", () => {
  expect(age("2026-11-29T10:37:00Z", NOW, false)).toBe("53 min. ago");
  expect(age("2026-11-29T11:30:02Z", NOW, false)).toBe("now");
  expect(age("2026-11-29T10:37:00.123Z", NOW, true)).toBe("11:37:00");
  expect(age("2026-11-27T10:37:00Z", NOW, true)).toMatch(/27.*11:37:00$/);
  expect([age("soon", NOW, false), age("soon", NOW, true)]).toEqual(["soon", "soon"]);
});

test.each([
  [null, "–"],
  [NaN, "–"],
  [Infinity, "–"],
  [0, "< 1 ms"],
  [0.25, "< 1 ms"],
  [0.999, "1 ms"],
  [12.4, "12 ms"],
  [999.7, "1.00 s"],
  [3001, "3.00 s"],
  [59_999, "1 min 0 s"],
  [125_000, "2 min 5 s"],
  [3_599_900, "1 h 0 min"],
  [12_000_000, "3 h 20 min"],
  [-5, "-5 ms"],
])("%s ms is %s", (ms, expected) => {
  expect(duration(ms)).toBe(expected);
});

test.each([
  [0, "0 %"],
  [1, "100 %"],
  [0.00001, "< 0.01 %"],
  [0.0013, "0.13 %"],
  [0.0134, "1.3 %"],
  [0.99999, "> 99.9 %"],
  [NaN, "–"],
  [null, "–"],
])("a share of %s is %s", (share, expected) => {
  expect(percent(share)).toBe(expected);
});

test.each([
  [undefined, "–"],
  [0, "0 B"],
  [999, "999 B"],
  [1000, "1.00 kB"],
  [12_431, "12.4 kB"],
  [124_310, "124 kB"],
  [999_600, "1.00 MB"],
  [5e18, "5000 PB"],
])("%s bytes are %s", (value, expected) => {
  expect(bytes(value)).toBe(expected);
});

test("counts are whole or short", () => {
  expect(count(12_431)).toBe("12,431");
  expect([short(12_431), short(9_999), short(0.125)]).toEqual(["12.4K", "9,999", "0.13"]);
  expect([counted(1, "line"), counted(0, "line"), counted(2431, "line")]).toEqual(["1 line", "0 lines", "2,431 lines"]);
  expect([count(NaN), short(Infinity)]).toEqual(["–", "–"]);
});
