/** The counts of lines by level over time. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { call } from "../../api/client";
import { bucketFor } from "../../time/range";
import type { LogsState } from "./state";

interface Bucket {
  start: string;
  count: number;
  groups: { value: string; count: number }[];
}

interface Counted {
  data: Bucket[];
  metadata: { bucket: string; total: number };
}

/** What is drawn: a value of each level for each time, without gaps. */
export interface LevelCounts {
  times: number[];
  counts: Record<string, number[]>;
  totals: Record<string, number>;
  total: number;
  from: number;
  until: number;
}

/** From the least to the worst: the last stands at the bottom of the bars. */
export const LEVELS = ["debug", "info", "warn", "error"];

export function fillBuckets(buckets: Bucket[], total: number, from: number, until: number, step: number): LevelCounts {
  // Buckets begin at times of the calendar; those of some days, where the server lets them.
  const offset = buckets[0] ? new Date(buckets[0].start).getTime() % step : 0;
  const first = Math.floor((from - offset) / step) * step + offset;
  const length = Math.max(1, Math.min(Math.ceil((until - first) / step), 1000));
  const times = Array.from({ length }, (_, index) => first + index * step);
  const counts = Object.fromEntries(LEVELS.map((level) => [level, new Array<number>(length).fill(0)]));
  const totals: Record<string, number> = {};
  for (const { start, groups } of buckets) {
    const at = Math.round((new Date(start).getTime() - first) / step);
    for (const { value, count } of groups) {
      totals[value] = (totals[value] ?? 0) + count;
      const line = counts[value];
      if (line && at >= 0 && at < length) line[at] = (line[at] ?? 0) + count;
    }
  }
  return { times, counts, totals, total, from: first, until: Math.max(until, first + length * step) };
}

/** Counts in the window, which goes on while it is live. */
export function useHistogram({ isLive, current: { from, until, asked, parameters } }: LogsState) {
  const bucket = bucketFor(from, until, 120);
  return useQuery({
    queryKey: ["logs", "histogram", parameters, bucket.text, asked],
    queryFn: async ({ signal }): Promise<LevelCounts> => {
      const answer = await call<Counted>("/logs/histogram", { parameters: [...parameters, ["bucket", bucket.text]], signal });
      // While it is live, lines that came since the window was asked for are counted, too.
      const end = isLive && Date.now() < until.getTime() + bucket.ms ? Math.max(until.getTime(), Date.now()) : until.getTime();
      return fillBuckets(answer.data, answer.metadata.total, from.getTime(), end, bucket.ms);
    },
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    gcTime: 60_000,
  });
}
