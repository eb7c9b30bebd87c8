import { expect, test } from "vitest";
import type { Log } from "../../api/client";
import { fold, lineOf } from "./lines";

const log = (id: number, message: string): Log => ({ id, message, level: "info", source: "API", meta: null, trace_id: null, created_at: "2026-11-29T10:00:00Z", updated_at: "2026-11-29T10:00:00Z" });
const lines = [log(5, "job 5"), log(4, "other"), log(3, "job 3"), log(2, "job 2")].map(lineOf);

test("copies are one line with their number, at the place of the first", () => {
  expect(fold(lines, null).map((line) => [line.id, line.copies])).toEqual([
    [5, 3],
    [4, 1],
  ]);
});

test("an opened line shows its copies below it", () => {
  expect(fold(lines, 5).map((line) => [line.id, line.isCopy])).toEqual([
    [5, false],
    [3, true],
    [2, true],
    [4, false],
  ]);
});

test("a live line stays where its first copy was", () => {
  expect(fold(lines, null, true).map((line) => [line.id, line.copies])).toEqual([
    [4, 1],
    [5, 3],
  ]);
});
