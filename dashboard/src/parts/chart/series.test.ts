import { describe, expect, it } from "vitest";
import { columns, lonely, middles, unfinished } from "./series";

const series = (name: string, values: (number | null)[], shape?: "bar" | "line") => ({ name, colour: "--text", values, ...(shape ? { shape } : {}) });

describe("columns", () => {
  it("stacks bars, the first on top, and leaves lines alone", () => {
    const drawn = columns([0, 1000], 2000, [series("failed", [1, null]), series("ok", [10, 20]), series("before", [7, null], "line")], "bars", false);
    expect(drawn).toEqual([[0.5, 1.5], [11, 20], [10, 20], [7, null]]);
  });
  it("shows a latency of 0 ms on a logarithmic axis", () => {
    expect(columns([0], 1000, [series("p50", [0])], "lines", true)[1]).toEqual([0.5]);
  });
});

describe("middles", () => {
  it("takes a bucket that is followed by a gap to be as long as the others", () => {
    expect(middles([0, 10, 40], 50)).toEqual([5, 15, 45]);
  });
  it("reaches to the end of the range if there is one bucket", () => {
    expect(middles([0], 60)).toEqual([30]);
    expect(middles([], 60)).toEqual([]);
  });
});

describe("unfinished", () => {
  it("is the last bucket where it goes on beyond the end", () => {
    expect(unfinished([0, 60, 120], 163)).toBe(2);
    expect(unfinished([0, 60, 120], 180)).toBeNull();
    expect(unfinished([0, 60, 240], 263)).toBe(2);
  });
  it("is none of a chart without buckets, or with one that reaches to the end", () => {
    expect(unfinished([], 60)).toBeNull();
    expect(unfinished([0], 43)).toBeNull();
  });
});

describe("lonely", () => {
  it("finds points without a neighbour", () => {
    expect(lonely([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  });
});
