import { describe, expect, it } from "vitest";
import { changeScore, rateChange, relativeChange } from "./change";
import type { Measures } from "./change";

const base: Measures = { requests: 1000, errorRate: 0.001, p50: 10, p95: 100, p99: 300 };

describe("relativeChange", () => {
  it("says a share for small changes and a factor for large ones", () => {
    expect(relativeChange(112, 100)).toEqual({ text: "+12 %", isLarge: false, direction: 1 });
    expect(relativeChange(50, 100)).toEqual({ text: "−50 %", isLarge: true, direction: -1 });
    expect(relativeChange(340, 100)).toEqual({ text: "×3.4", isLarge: true, direction: 1 });
    expect(relativeChange(120_000, 100)?.text).toBe("×1,200");
  });
  it("says nothing without a value, and new where there was none", () => {
    expect(relativeChange(null, 100)).toBeNull();
    expect(relativeChange(1, null)).toBeNull();
    expect(relativeChange(0, 0)).toBeNull();
    expect(relativeChange(3, 0)?.text).toBe("new");
  });
  it("takes less than half a percent for none", () => {
    expect(relativeChange(1004, 1000)).toEqual({ text: "±0 %", isLarge: false, direction: 0 });
  });
});

describe("rateChange", () => {
  it("is in points of a percent", () => {
    expect(rateChange(0.022, 0.01)).toEqual({ text: "+1.2 pt", isLarge: true, direction: 1 });
    expect(rateChange(0.01, 0.0105)).toEqual({ text: "−0.05 pt", isLarge: false, direction: -1 });
    expect(rateChange(0.5, 0.1)?.text).toBe("+40 pt");
    expect(rateChange(0, 0)?.direction).toBe(0);
  });
  it("is none where one of the two had no requests", () => {
    expect([rateChange(null, 0.05), rateChange(0.05, null), rateChange(null, null)]).toEqual([null, null, null]);
  });
});

describe("changeScore", () => {
  it("is 0 for what did not change, and for what is not there", () => {
    expect(changeScore(base, base)).toBe(0);
    expect(changeScore(null, null)).toBe(0);
  });
  it("is larger for a latency that doubled than for traffic that did", () => {
    expect(changeScore({ ...base, p95: 200 }, base)).toBeGreaterThan(changeScore({ ...base, requests: 2000 }, base));
  });
  it("counts faster as much as slower", () => {
    expect(changeScore({ ...base, p95: 50 }, base)).toBeCloseTo(changeScore(base, { ...base, p95: 50 }), 10);
  });
  it("puts a rate of errors that rose to 10 % before a latency that grew by a half", () => {
    expect(changeScore({ ...base, errorRate: 0.1 }, base)).toBeGreaterThan(changeScore({ ...base, p95: 150 }, base));
  });
  it("counts few requests less", () => {
    const few = { ...base, requests: 3 };
    expect(changeScore({ ...few, p95: 300 }, few)).toBeLessThan(changeScore({ ...base, p95: 300 }, base));
  });
  it("hardly sees 1 ms that becomes 2 ms", () => {
    expect(changeScore({ ...base, p95: 2 }, { ...base, p95: 1 })).toBeLessThan(0.2);
  });
  it("counts what is new and what is gone", () => {
    expect(changeScore(base, null)).toBeGreaterThan(0.5);
    expect(changeScore(null, base)).toBe(changeScore(base, null));
  });
  it("puts a new endpoint that fails before one that does not", () => {
    expect(changeScore({ ...base, errorRate: 0.4 }, null)).toBeGreaterThan(changeScore(base, null));
  });
});
