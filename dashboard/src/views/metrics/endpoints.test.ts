import { describe, expect, it } from "vitest";
import { logTicks } from "../../parts/chart/plot";
import { listOf, windowFilters } from "./data";
import type { Group } from "./data";
import { endpointRows, measuresOf, sortEndpoints } from "./endpoints";

const group = (endpoint: string, requests: number, errors: number, p95: number | null): Group => ({
  endpoint,
  requests,
  errors,
  error_rate: requests === 0 ? 0 : errors / requests,
  measured: requests,
  percentiles: { p50: p95, p95, p99: p95 },
  request_size: 0,
  response_size: 0,
});
const total = group("", 0, 0, null);

describe("endpointRows", () => {
  it("has those of both periods, and tells which are new or gone", () => {
    const rows = endpointRows({ groups: [group("GET /a", 10, 0, 5), group("GET /new", 1, 0, 5)], previous: { from: "", until: "", total, groups: [group("GET /a", 20, 0, 5), group("GET /gone", 3, 0, 5)] } });
    expect(rows.map(({ endpoint, now, before }) => [endpoint, now?.requests ?? null, before?.requests ?? null])).toEqual([
      ["GET /a", 10, 20],
      ["GET /new", 1, null],
      ["GET /gone", null, 3],
    ]);
  });
});

describe("measuresOf", () => {
  it("has no rate of errors without requests", () => {
    expect(measuresOf(group("GET /a", 0, 0, null)).errorRate).toBeNull();
    expect(measuresOf(group("GET /a", 4, 1, null)).errorRate).toBe(0.25);
  });
});

describe("sortEndpoints", () => {
  const previous = { from: "", until: "", total, groups: [group("slow", 1000, 1, 900), group("busy", 9000, 9, 10), group("failing", 1000, 1, 20), group("changed", 1000, 1, 10)] };
  const rows = endpointRows({ groups: [group("slow", 1000, 1, 900), group("busy", 9000, 9, 10), group("failing", 1000, 40, 20), group("changed", 1000, 1, 100), group("unmeasured", 500, 0, null)], previous });
  it("puts first what one looks for", () => {
    expect(sortEndpoints(rows, "slowest")[0]?.endpoint).toBe("slow");
    expect(sortEndpoints(rows, "busiest")[0]?.endpoint).toBe("busy");
    expect(sortEndpoints(rows, "failing")[0]?.endpoint).toBe("failing");
    expect(sortEndpoints(rows, "changed")[0]?.endpoint).toBe("changed");
  });
  it("has the same order for the same rows, however they come", () => {
    const names = (some: typeof rows) => sortEndpoints(some, "failing").map(({ endpoint }) => endpoint);
    expect(names([...rows].reverse())).toEqual(names(rows));
    expect(sortEndpoints(rows, "slowest").at(-1)?.endpoint).toBe("unmeasured");
  });
});

describe("windowFilters", () => {
  it("looks for words in the names of endpoints", () => {
    expect(windowFilters("endpoint:*orders*")).toEqual([["endpoint__ilike", "%orders%"]]);
    expect(windowFilters("GET /orders")).toEqual([["endpoint__icontains", "GET /orders"]]);
    expect(windowFilters("level:error")).toEqual([]);
  });
});

describe("listOf", () => {
  it("quotes what would be read as two", () => {
    expect(listOf(["GET /a,b", 'GET /"c"\\'])).toBe('"GET /a,b","GET /\\"c\\"\\\\"');
  });
});

describe("logTicks", () => {
  it("has round values, and fewer where there is no room", () => {
    expect(logTicks(1, 100, 10)).toEqual([1, 2, 5, 10, 20, 50, 100]);
    expect(logTicks(1, 100, 4)).toEqual([1, 10, 100]);
    expect(logTicks(1, 100_000, 3)).toEqual([1, 100, 10_000]);
    expect(logTicks(0.5, 8, 10)).toEqual([0.5, 1, 2, 5]);
  });
});
