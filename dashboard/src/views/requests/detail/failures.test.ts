import { expect, test } from "vitest";
import type { Trace, TraceEntry } from "../../../api/trace";
import { callCount, findings, lineCount } from "./failures";

const trace = (...entries: TraceEntry[]): Trace => ({ entries, isComplete: true, limit: 1000 });
const sent = (kind: "request" | "call", id: number, status_code: number | null) => ({ kind, time: "", record: { id, status_code } }) as TraceEntry;
const log = (id: number, level: string) => ({ kind: "log", time: "", record: { id, level } }) as TraceEntry;

test("what failed is the calls, then the lines, then other requests, and not the request itself", () => {
  const all = trace(sent("request", 1, 502), log(1, "info"), log(2, "error"), sent("call", 2, 200), sent("call", 3, 504), sent("call", 4, null), sent("request", 5, 500), log(3, "warn"));
  expect(findings(all, 1).map(({ kind, record }) => `${kind} ${record.id}`)).toEqual(["call 3", "call 4", "log 2", "request 5"]);
  expect(findings(trace(), 1)).toEqual([]);
});

test("tabs count errors beside all", () => {
  const all = trace(log(1, "info"), log(2, "error"), log(3, "error"), sent("call", 1, 404), sent("call", 2, 503));
  expect([lineCount(all), callCount(all)]).toEqual(["3, 2 errors", "2, 1 failed"]);
  expect([lineCount(trace(log(1, "error"))), lineCount(trace(log(1, "info"))), callCount(trace())]).toEqual(["1, 1 error", "1", "0"]);
});
