import { describe, expect, it } from "vitest";
import { durationOf, heatMap, mix, rowEdges, rowOf, strength } from "./heat";

describe("rowEdges", () => {
  it("has a whole millisecond in each row, and grows by a factor above", () => {
    const edges = rowEdges(1, 1200, 36);
    expect(edges.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(edges.at(-1)).toBeGreaterThan(1200);
    expect(edges.length).toBeLessThanOrEqual(37);
    for (let at = 1; at < edges.length; at++) expect((edges[at] ?? 0) - (edges[at - 1] ?? 0)).toBeGreaterThanOrEqual(1);
  });
  it("has a row for what takes less than a millisecond", () => {
    expect(rowEdges(0, 3, 36)).toEqual([0.5, 1, 2, 3, 4]);
    expect(rowEdges(0, 0, 36)).toEqual([0.5, 1]);
  });
  it("has one row for one latency", () => {
    expect(rowEdges(7, 7, 36)).toEqual([7, 8]);
  });
  it("ends at the longest latency that a sketch has", () => {
    expect(rowEdges(0, 4_294_967_295, 36).length).toBeLessThan(60);
  });
});

describe("rowOf", () => {
  const edges = [0.5, 1, 2, 4, 8];
  it("finds the row whose lower end is not above", () => {
    expect([0, 1, 2, 3, 4, 7].map((ms) => rowOf(edges, ms))).toEqual([0, 1, 2, 2, 3, 3]);
  });
  it("keeps what is above in the last row", () => {
    expect(rowOf(edges, 100)).toBe(3);
  });
});

describe("heatMap", () => {
  it("loses no request", () => {
    const columns = [[[0, 5], [1, 10], [12, 3], [1200, 1]], undefined, [[12, 4], [13, 4]]];
    const { cells, most, edges } = heatMap(columns, 10);
    expect(cells.map((rows) => rows.reduce((sum, one) => sum + one, 0))).toEqual([19, 0, 8]);
    expect(most).toBe(10);
    expect(cells.every((rows) => rows.length === edges.length - 1)).toBe(true);
  });
  it("is empty without requests", () => {
    expect(heatMap([undefined, null])).toEqual({ edges: [], cells: [[], []], most: 0 });
  });
});

describe("strength", () => {
  it("grows by the logarithm from one request to the most", () => {
    expect(strength(0, 100)).toBe(0);
    expect(strength(1, 100)).toBe(0);
    expect(strength(10, 100)).toBeCloseTo(0.5, 10);
    expect(strength(100, 100)).toBe(1);
    expect(strength(1, 1)).toBe(1);
  });
});

describe("mix", () => {
  it("goes from one colour to the other", () => {
    expect(mix("rgb(0, 0, 0)", "rgb(200, 100, 50)", 0.5)).toBe("rgb(100, 50, 25)");
    expect(mix("rgb(1, 2, 3)", "rgb(9, 9, 9)", 0)).toBe("rgb(1, 2, 3)");
  });
});

describe("durationOf", () => {
  it("names the whole milliseconds of a row, as far as sketches tell them", () => {
    expect(durationOf([0.5, 1, 2, 5, 700, 800], 0)).toBe("duration:0");
    expect(durationOf([0.5, 1, 2, 5, 700, 800], 1)).toBe("duration:1");
    expect(durationOf([0.5, 1, 2, 5, 700, 800], 2)).toBe("duration:2..4");
    expect(durationOf([0.5, 1, 2, 5, 700, 800], 4)).toBe("duration:693..807");
  });
});
