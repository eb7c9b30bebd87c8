/** What went wrong in a trace: the calls that failed, and what was logged as an error. */
import type { Trace, TraceEntry } from "../../../api/trace";
import type { RequestSnapshot } from "../../../api/client";

/** Whether one who looks at the request asks what went wrong. */
export function hasFailed({ status_code }: RequestSnapshot): boolean {
  return status_code === null || status_code >= 500;
}

/** The records of a trace beside a request that failed, calls first: what was logged often says no more than that they did. */
export function findings(trace: Trace, id: number): TraceEntry[] {
  const failed = trace.entries.filter((entry) => (entry.kind === "log" ? entry.record.level === "error" : entry.record.id !== id && hasFailed(entry.record)));
  return [...failed.filter(({ kind }) => kind === "call"), ...failed.filter(({ kind }) => kind === "log"), ...failed.filter(({ kind }) => kind === "request")];
}

/** `5, 1 error`: how many log lines there are, and how many of them are errors. */
export function lineCount(trace: Trace): string {
  const lines = trace.entries.filter(({ kind }) => kind === "log");
  const errors = lines.filter((entry) => entry.kind === "log" && entry.record.level === "error").length;
  return errors === 0 ? String(lines.length) : `${lines.length}, ${errors} ${errors === 1 ? "error" : "errors"}`;
}

/** `3, 1 failed`: how many calls there are, and how many of them failed. */
export function callCount(trace: Trace): string {
  const calls = trace.entries.flatMap((entry) => (entry.kind === "call" ? [entry.record] : []));
  const failed = calls.filter(hasFailed).length;
  return failed === 0 ? String(calls.length) : `${calls.length}, ${failed} failed`;
}
