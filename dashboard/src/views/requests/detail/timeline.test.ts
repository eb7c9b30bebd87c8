import { expect, test } from "vitest";
import type { TraceEntry } from "../../../api/trace";
import { layOut, timeOf } from "./timeline";

function entry(kind: "request" | "call" | "log", time: string, duration: number | null, span = "", parent = ""): TraceEntry {
  return { kind, time, record: { duration, headers: { span_id: span, parent_span_id: parent } } } as unknown as TraceEntry;
}

test("times have microseconds", () => {
  expect(timeOf("2026-11-29T19:49:37.924391Z") - timeOf("2026-11-29T19:49:37.923110Z")).toBeCloseTo(1.281, 2);
  expect(timeOf("2026-11-29T19:49:37Z")).toBe(Date.UTC(2026, 10, 29, 19, 49, 37));
});

test("records lie within the line, and calls below who sent them", () => {
  const line = layOut({
    isComplete: true,
    limit: 1000,
    entries: [entry("request", "2026-11-29T10:00:00.000Z", 100, "a"), entry("log", "2026-11-29T10:00:00.050Z", null), entry("call", "2026-11-29T10:00:00.050Z", 40, "b", "a"), entry("request", "2026-11-29T10:00:00.060Z", 20, "c", "b")],
  });
  expect(line).toMatchObject({ ms: 100, logs: 1, calls: 1 });
  expect(line.rows.map((row) => [row.start, row.length, row.depth])).toEqual([
    [0, 1, 0],
    [0.5, 0, 0],
    [0.5, 0.4, 1],
    [0.6, 0.2, 2],
  ]);
});

test("spans that name each other end", () => {
  expect(layOut({ isComplete: true, limit: 1, entries: [entry("call", "2026-11-29T10:00:00Z", null, "a", "b"), entry("call", "2026-11-29T10:00:00Z", 0, "b", "a")] }).rows[0]?.depth).toBe(8);
});
