import { expect, test } from "vitest";
import type { Log } from "../../api/client";
import { MOST_LIVE, NOTHING, reduceLive } from "./useTail";

const logs = (from: number, many: number): Log[] =>
  Array.from({ length: many }, (_, index) => ({ id: from + index, message: "m", level: "info", source: "API", meta: null, trace_id: null, created_at: "2026-11-29T10:00:00Z", updated_at: "2026-11-29T10:00:00Z" }));

test("the newest line comes first", () => {
  const live = reduceLive(reduceLive(NOTHING, { kind: "arrived", logs: logs(1, 2) }), { kind: "arrived", logs: logs(3, 1) });
  expect(live.lines.map((line) => line.id)).toEqual([3, 2, 1]);
});

test("lines wait while the list is held, and are counted", () => {
  const held = reduceLive(reduceLive(NOTHING, { kind: "held", isHeld: true }), { kind: "arrived", logs: logs(1, 37) });
  expect([held.lines.length, held.waitingCount]).toEqual([0, 37]);
  const shown = reduceLive(held, { kind: "held", isHeld: false });
  expect([shown.lines.length, shown.lines[0]?.id, shown.waitingCount]).toEqual([37, 37, 0]);
});

test("only the newest lines are kept, and it is known that some are not", () => {
  let live = NOTHING;
  for (let from = 0; from < MOST_LIVE + 1000; from += 500) live = reduceLive(live, { kind: "arrived", logs: logs(from, 500) });
  expect([live.lines.length, live.isCut, live.lines[0]?.id]).toEqual([MOST_LIVE, true, MOST_LIVE + 999]);
  let held = reduceLive(NOTHING, { kind: "held", isHeld: true });
  for (let from = 0; from < MOST_LIVE + 1000; from += 500) held = reduceLive(held, { kind: "arrived", logs: logs(from, 500) });
  expect([held.waiting.length, held.waitingCount, reduceLive(held, { kind: "show" }).isCut]).toEqual([MOST_LIVE, MOST_LIVE + 1000, true]);
});
