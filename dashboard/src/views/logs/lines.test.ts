import { expect, test } from "vitest";
import type { Log, LogHit } from "../../api/client";
import { bySimilarity, fold, lineOf, rowFor, withCopiesOf } from "./lines";

const log = (id: number, message: string): Log => ({ id, message, level: "info", source: "API", meta: null, trace_id: null, created_at: "2026-11-29T10:00:00Z", updated_at: "2026-11-29T10:00:00Z" });
const lines = [log(5, "job 5"), log(4, "other"), log(3, "job 3"), log(2, "job 2")].map(lineOf);

test("copies are one line with their number, at the place of the first", () => {
  expect(fold(lines, null).map((line) => [line.id, line.copies])).toEqual([
    [5, 3],
    [4, 1],
  ]);
});

test("an opened line shows its copies below it", () => {
  expect(fold(lines, 5).map((line) => [line.id, line.copyOf, line.isOpened])).toEqual([
    [5, null, true],
    [3, 5, false],
    [2, 5, false],
    [4, null, false],
  ]);
});

test("a live line stays where its first copy was", () => {
  expect(fold(lines, null, true).map((line) => [line.id, line.copies])).toEqual([
    [4, 1],
    [5, 3],
  ]);
});

test("a line stays open when a newer copy stands for all", () => {
  const opened = fold([lineOf(log(6, "job 6")), ...lines], 5, true);
  expect(opened.map((line) => [line.id, line.copyOf, line.isOpened])).toEqual([
    [4, null, false],
    [6, null, true],
    [5, 6, false],
    [3, 6, false],
    [2, 6, false],
  ]);
});

test("copies of a hit stand below it, each once", () => {
  const hits = [{ ...lineOf(log(5, "job 5")), copies: 3 }, lineOf(log(3, "job 3"))];
  expect(withCopiesOf(hits, hits[0] ?? lineOf(log(0, "")), [lineOf(log(3, "job 3")), lineOf(log(2, "job 2"))]).map((line) => [line.id, line.copyOf])).toEqual([
    [5, null],
    [2, 5],
    [3, null],
  ]);
});

test("the row of a copy that is folded is that of the line that stands for it", () => {
  const folded = fold(lines, null);
  expect(rowFor(folded, 3, log(3, "job 3"))?.id).toBe(5);
  expect(rowFor(folded, 4, null)?.id).toBe(4);
  expect(rowFor(folded, 9, log(9, "another"))).toBeNull();
  expect(rowFor(folded, 3, null)).toBeNull();
});

test("lines that have little in common with another are apart", () => {
  const hit = (id: number, similarity: number | null) => ({ ...log(id, "x"), hit: { highlights: [], score: 0, why: { phrase: false, similarity, words: [] } } }) as unknown as LogHit;
  const ids = (hits: LogHit[]) => hits.map((one) => one.id);
  const { similar, less } = bySimilarity([hit(1, 0.92), hit(2, 0.5), hit(3, 0.35), hit(4, -0.2)]);
  expect([ids(similar), ids(less)]).toEqual([[1, 2], [3, 4]]);
  expect(ids(bySimilarity([hit(1, 0.9)]).less)).toEqual([]);
});
