import { expect, test } from "vitest";
import { fillBuckets } from "./useHistogram";

const MINUTE = 60_000;
const at = (text: string) => new Date(text).getTime();

test("times without lines are there, with nothing", () => {
  const buckets = [{ start: "2026-11-29T10:02:00Z", count: 3, groups: [{ value: "error", count: 1 }, { value: "info", count: 2 }] }];
  const filled = fillBuckets(buckets, 3, at("2026-11-29T10:00:30Z"), at("2026-11-29T10:04:30Z"), MINUTE);
  expect(filled.times.map((time) => new Date(time).toISOString().slice(11, 16))).toEqual(["10:00", "10:01", "10:02", "10:03", "10:04"]);
  expect(filled.counts["error"]).toEqual([0, 0, 1, 0, 0]);
  expect(filled.totals).toEqual({ error: 1, info: 2 });
});

test("buckets of a week begin where the server lets them", () => {
  const week = 7 * 24 * 60 * MINUTE;
  const filled = fillBuckets([{ start: "2026-11-23T00:00:00Z", count: 1, groups: [{ value: "warn", count: 1 }] }], 1, at("2026-11-10T00:00:00Z"), at("2026-11-29T00:00:00Z"), week);
  expect(filled.times.map((time) => new Date(time).toISOString().slice(0, 10))).toEqual(["2026-11-09", "2026-11-16", "2026-11-23"]);
  expect(filled.counts["warn"]).toEqual([0, 0, 1]);
});
