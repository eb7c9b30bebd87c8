/** The requests over time by the class of their status, and how long they took. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { call, read } from "../../api/client";
import { useZoom, ZOOM_HINT } from "../../frame/useZoom";
import { useWindow } from "../../frame/window";
import { Chart } from "../../parts/Chart";
import type { Series } from "../../parts/Chart";
import { BY_RANK, countingOf } from "../../parts/nearHits";
import type { FoundWord } from "../../parts/nearHits";
import { NearNote } from "../../parts/NearNote";
import { Failure } from "../../parts/State";
import { useLate } from "../../parts/useSettled";
import { count, duration, percent, short } from "../../time/format";
import { parse } from "../../query/parse";
import { bucketFor } from "../../time/range";
import { OutgoingNote } from "./OutgoingNote";
import type { RequestSearch } from "./search";
import styles from "./Requests.module.css";

interface Bucket {
  start: string;
  count: number;
  groups: { value: number | null; count: number }[];
}

/** The failures are at the bottom, where their number can be read. */
const CLASSES: { first: number; name: string; colour: string }[] = [
  { first: 1, name: "1xx", colour: "--debug-fill" },
  { first: 2, name: "2xx", colour: "--good-fill" },
  { first: 3, name: "3xx", colour: "--info-fill" },
  { first: 4, name: "4xx", colour: "--warn-fill" },
  { first: 0, name: "no answer", colour: "--debug-fill" },
  { first: 5, name: "5xx", colour: "--error-fill" },
];

function classOf(code: number | null): number {
  return code === null ? 0 : Math.floor(code / 100);
}

interface Props {
  search: RequestSearch;
  /** The number of rows of the list; null until it is known. */
  listed: number | null;
  /** What the best hit was found by. */
  found: readonly FoundWord[];
}

export function Traffic({ search, listed, found }: Props) {
  const { from, until } = useWindow();
  const bucket = bucketFor(from, until);
  const histogram = useQuery({
    queryKey: ["requests", "histogram", bucket.text, search.counted, search.asked],
    queryFn: ({ signal }) => call<{ data: Bucket[] }>("/requests/histogram", { parameters: [...search.counted, ["bucket", bucket.text], ["by", "status_code"]], signal }),
    // The ends belong to the answer: the old drawing keeps its own until the new one is there.
    select: ({ data }) => ({ buckets: data, from: from.getTime(), until: until.getTime(), ms: bucket.ms }),
    placeholderData: keepPreviousData,
  });
  const { data } = histogram;
  const drawn = useMemo(() => (data ? drawing(data.buckets, data.from, data.until, data.ms) : null), [data]);
  const zoom = useZoom();
  const isStale = useLate(histogram.isPlaceholderData);
  if (histogram.isError) return <Failure error={histogram.error} what="The chart" onRetry={() => void histogram.refetch()} />;
  const counting = countingOf({ isRanked: search.order === "ranked", counted: drawn?.all ?? null, listed });
  if (counting !== "counts") return <div className={styles.traffic}>{counting === "near" && <p className={styles.summary}><NearNote text={search.text} query={parse(search.text, "requests")} noun="request" found={found} /></p>}</div>;
  return (
    <div className={styles.traffic} style={{ opacity: isStale ? 0.6 : 1 }}>
      {drawn && data ? (
        <Chart label={`Requests over time: ${count(drawn.all)}, ${count(drawn.failed)} of them 5xx`} times={drawn.times} series={drawn.series} kind="bars" from={data.from} until={data.until} format={short} onZoom={zoom} />
      ) : (
        <div style={{ height: 96 }} />
      )}
      <Summary search={search} all={drawn?.all ?? null} failed={drawn?.failed ?? null} />
    </div>
  );
}

function drawing(buckets: Bucket[], from: number, until: number, ms: number) {
  const byStart = new Map(buckets.map((one) => [new Date(one.start).getTime(), one]));
  const times = new Set(byStart.keys());
  // Buckets without requests are left out of the answer. Those of more than a day begin where the calendar says.
  if (ms <= 86_400_000) for (let at = Math.floor(from / ms) * ms; at < until; at += ms) times.add(at);
  const sorted = [...times].sort((a, b) => a - b);
  const sums = new Map<number, number>();
  const series: Series[] = CLASSES.map((one) => ({
    name: one.name,
    colour: one.colour,
    values: sorted.map((at) => {
      const sum = (byStart.get(at)?.groups ?? []).reduce((before, group) => before + (classOf(group.value) === one.first ? group.count : 0), 0);
      sums.set(one.first, (sums.get(one.first) ?? 0) + sum);
      return sum;
    }),
  })).filter((_, index) => (sums.get(CLASSES[index]?.first ?? 0) ?? 0) > 0);
  return { times: sorted, series, all: [...sums.values()].reduce((before, sum) => before + sum, 0), failed: sums.get(5) ?? 0 };
}

interface Latencies {
  of: { duration__p50: number | null; duration__p95: number | null; duration__max: number | null };
}

function Summary({ search, all, failed }: { search: RequestSearch; all: number | null; failed: number | null }) {
  const { data, isError } = useQuery({
    queryKey: ["requests", "latency", search.counted, search.asked],
    queryFn: ({ signal }) => read<Latencies[]>("/requests/stats", [...search.counted, ["measure", "duration__p50,duration__p95,duration__max"]], signal),
    placeholderData: keepPreviousData,
  });
  const of = data?.[0]?.of;
  return (
    <p className={styles.summary}>
      {all !== null && failed !== null && (
        <>
          <span>
            <strong>{count(all)}</strong> {all === 1 ? "request" : "requests"}
          </span>
          {search.order === "ranked" && <span className="quiet">with all the words, {BY_RANK}</span>}
          <span>
            <strong className={failed > 0 ? "class-5" : ""}>{count(failed)}</strong> of them 5xx {all > 0 && failed > 0 && <span className="quiet">({percent(failed / all)})</span>}
          </span>
        </>
      )}
      {of && !isError && (
        <>
          <span title="Half of the requests took no longer">
            p50 <strong>{duration(of.duration__p50)}</strong>
          </span>
          <span title="95 of 100 requests took no longer">
            p95 <strong>{duration(of.duration__p95)}</strong>
          </span>
          <span>
            slowest <strong>{duration(of.duration__max)}</strong>
          </span>
        </>
      )}
      {/* The last, so that nothing moves when it comes. */}
      <OutgoingNote search={search} />
      <span className={`quiet small ${styles.hint ?? ""}`}>{ZOOM_HINT}</span>
    </p>
  );
}
