import { expect, test } from "vitest";
import { countNew, MOST_LIVE, nothingLive, reduceLive } from "./live";
import type { Live } from "./live";

interface Row {
  id: number;
}
const NOTHING: Live<Row> = nothingLive();
const HELD = reduceLive(NOTHING, { kind: "held", isHeld: true });
const rows = (from: number, many: number): Row[] => Array.from({ length: many }, (_, index) => ({ id: from + index }));

test("the newest record comes first", () => {
  const live = reduceLive(reduceLive(NOTHING, { kind: "arrived", records: rows(1, 2) }), { kind: "arrived", records: rows(3, 1) });
  expect(live.arrived.map(({ id }) => id)).toEqual([3, 2, 1]);
});

test("records wait while the list is held, and are counted", () => {
  const held = reduceLive(HELD, { kind: "arrived", records: rows(1, 37) });
  expect([held.arrived.length, held.waitingCount]).toEqual([0, 37]);
  expect(countNew(held, new Set([1, 2, 99]))).toBe(35);
  const shown = reduceLive(held, { kind: "held", isHeld: false });
  expect([shown.arrived.length, shown.arrived[0]?.id, shown.waitingCount]).toEqual([37, 37, 0]);
});

test("only the newest records are kept, and it is known that some are not", () => {
  let live = NOTHING;
  for (let from = 0; from < MOST_LIVE + 1000; from += 500) live = reduceLive(live, { kind: "arrived", records: rows(from, 500) });
  expect([live.arrived.length, live.isCut, live.arrived[0]?.id]).toEqual([MOST_LIVE, true, MOST_LIVE + 999]);
  let held = HELD;
  for (let from = 0; from < MOST_LIVE + 1000; from += 500) held = reduceLive(held, { kind: "arrived", records: rows(from, 500) });
  expect([held.waiting.length, held.waitingCount, reduceLive(held, { kind: "show" }).isCut]).toEqual([MOST_LIVE, MOST_LIVE + 1000, true]);
  expect(countNew(held, new Set())).toBe(MOST_LIVE + 1000);
});

test("what changes nothing is the same as before", () => {
  expect(reduceLive(NOTHING, { kind: "held", isHeld: false })).toBe(NOTHING);
  expect(reduceLive(NOTHING, { kind: "show" })).toBe(NOTHING);
  expect(reduceLive(NOTHING, { kind: "arrived", records: [] })).toBe(NOTHING);
});
