import { describe, expect, it } from "vitest";
import { areWhole, timeLabels, valueSteps } from "./axis";

const NOW = new Date("2026-11-29T12:00:00+01:00");
const seconds = (text: string) => new Date(text).getTime() / 1000;
const ticks = (from: string, step: number, many: number) => Array.from({ length: many }, (_, index) => seconds(from) + index * step);

describe("timeLabels", () => {
  it("says clocks alone for today", () => {
    expect(timeLabels(ticks("2026-11-29T10:00:00+01:00", 900, 3), 900, NOW)).toEqual(["10:00", "10:15", "10:30"]);
  });
  it("says the day where it begins, and at first if it is not today", () => {
    expect(timeLabels(ticks("2026-11-28T22:00:00+01:00", 3600, 4), 3600, NOW)).toEqual(["28 Nov 22:00", "23:00", "29 Nov", "01:00"]);
  });
  it("says seconds where they tell ticks apart", () => {
    expect(timeLabels(ticks("2026-11-29T10:00:00+01:00", 30, 2), 30, NOW)).toEqual(["10:00:00", "10:00:30"]);
  });
  it("says days, and the year where it is another one", () => {
    expect(timeLabels(ticks("2026-11-28T00:00:00+01:00", 86_400, 2), 86_400, NOW)).toEqual(["28 Nov", "29 Nov"]);
    expect(timeLabels(ticks("2025-12-31T00:00:00+01:00", 86_400, 2), 86_400, NOW)).toEqual(["31 Dec 2025", "1 Jan 2026"]);
    expect(timeLabels([seconds("2025-12-01T00:00:00+01:00"), seconds("2026-01-01T00:00:00+01:00"), seconds("2026-02-01T00:00:00+01:00")], 86_400 * 28, NOW)).toEqual(["Dec 2025", "Jan 2026", "Feb"]);
  });
});

describe("steps of values", () => {
  it("are whole where the values are", () => {
    expect(valueSteps(areWhole([{ values: [1, null, 3] }])).slice(0, 4)).toEqual([1, 2, 5, 10]);
    expect(valueSteps(areWhole([{ values: [0.5] }])).slice(0, 2)).toEqual([0.000001, 0.000002]);
  });
});
