/** Lays the records of a trace out on one line of time. */
import type { Trace, TraceEntry } from "../../../api/trace";

export interface TimelineRow {
  entry: TraceEntry;
  /** Milliseconds since the first record. */
  offset: number;
  /** Where it is on the line, and how much of it, from 0 to 1. */
  start: number;
  length: number;
  /** The service of the same trace that asked for it, by the depth of calls. */
  depth: number;
}

export interface Timeline {
  rows: TimelineRow[];
  /** The length of the line in milliseconds. */
  ms: number;
  logs: number;
  calls: number;
}

/** Milliseconds with fractions: records have microseconds, which a `Date` has not. */
export function timeOf(text: string): number {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return new Date(text.replace(/\.\d+/, "")).getTime() + Number(`0.${fraction || "0"}`) * 1000;
}

export function layOut(trace: Trace): Timeline {
  const ends = trace.entries.map((entry) => timeOf(entry.time) + (entry.kind === "log" ? 0 : (entry.record.duration ?? 0)));
  const from = Math.min(...trace.entries.map((entry) => timeOf(entry.time)));
  // Durations are whole milliseconds: a line shorter than one would be all rounding.
  const ms = Math.max(1, Math.max(...ends) - from);
  const depths = depthsOf(trace.entries);
  return {
    ms,
    rows: trace.entries.map((entry) => {
      const offset = timeOf(entry.time) - from;
      return { entry, offset, start: offset / ms, length: entry.kind === "log" ? 0 : (entry.record.duration ?? 0) / ms, depth: entry.kind === "log" ? 0 : (depths.get(spanOf(entry, "span_id")) ?? 0) };
    }),
    logs: trace.entries.filter((entry) => entry.kind === "log").length,
    calls: trace.entries.filter((entry) => entry.kind === "call").length,
  };
}

function spanOf(entry: TraceEntry, name: "span_id" | "parent_span_id"): string {
  if (entry.kind === "log") return "";
  const headers = entry.record.headers as Record<string, unknown> | null;
  const value = headers?.[name];
  return typeof value === "string" ? value : "";
}

/** How deep each span is below the first; calls without a known parent are one below. */
function depthsOf(entries: TraceEntry[]): Map<string, number> {
  const parents = new Map(entries.filter((entry) => entry.kind !== "log").map((entry) => [spanOf(entry, "span_id"), spanOf(entry, "parent_span_id")]));
  const depths = new Map<string, number>();
  for (const span of parents.keys()) {
    let depth = 0;
    // A cycle of spans that name each other ends at the deepest level that is drawn.
    for (let up = parents.get(span); up !== undefined && parents.has(up) && depth < 8; up = parents.get(up)) depth++;
    depths.set(span, depth);
  }
  return depths;
}
