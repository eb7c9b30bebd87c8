/** Four numbers, each with what it was in the period before, and a way to what explains it. */
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { sharedParams, useParams } from "../../frame/address";
import { shortLine } from "../../parts/text";
import { withFilter } from "../../query/parse";
import { count, duration, percent } from "../../time/format";
import { rateChange, relativeChange } from "../metrics/change";
import type { Change as ChangeOf } from "../metrics/change";
import { Change } from "../metrics/Figures";
import { perSecond, sinceMinute, untilMinute, WHY_SINCE, WHY_UNTIL } from "../metrics/period";
import { WHAT_FAILED } from "../metrics/series";
import { shareOfClass } from "./classes";
import type { useNewPatterns } from "./panels";
import { notUsedBy } from "./summary";
import type { Searches, Summary } from "./summary";
import { useHistogram } from "./useHistogram";
import styles from "./Overview.module.css";

interface Props {
  summary: Summary;
  searches: Searches;
  isNew: ReturnType<typeof useNewPatterns>;
  wasNew: ReturnType<typeof useNewPatterns>;
}

export function Tiles({ summary: { now, before, counted: covered, isOld, isPending, period, source, until }, searches, isNew, wasNew }: Props) {
  // The minute that the other numbers leave out is left out here, too.
  const counted = (useHistogram(searches).histogram.data?.data ?? []).filter(({ start }) => new Date(start) < period.until);
  const refused = shareOfClass(counted, "4xx");
  const kept = sharedParams(useParams());
  const q = kept["q"] ?? "";
  const notUsed = { traffic: notUsedBy(q, searches.traffic), logs: notUsedBy(q, "logs") };
  const since = covered?.now.since ?? null;
  const rate = (requests: number, part: { seconds: number } | undefined) => (part === undefined ? "–" : perSecond(requests, part.seconds));
  const rateOf = (measures: typeof now, part: { seconds: number } | undefined) => (measures === null || part === undefined ? null : measures.requests / part.seconds);
  const of = <T,>(measures: T | null, show: (measures: T) => string) => (measures === null ? "–" : show(measures));
  return (
    <div className={`${styles.tiles ?? ""} ${isOld ? (styles.isOld ?? "") : ""}`} aria-busy={isPending || isOld}>
      <Tile
        to="/requests"
        search={{ ...kept, q }}
        name="Requests/s"
        notUsed={notUsed.traffic}
        {...(since === null ? {} : { title: WHY_SINCE, note: sinceMinute(since, new Date()) })}
        until={until}
        value={of(now, ({ requests }) => rate(requests, covered?.now))}
        change={relativeChange(rateOf(now, covered?.now), rateOf(before, covered?.before))}
        before={of(before, ({ requests }) => rate(requests, covered?.before))}
      />
      <Tile
        to="/requests"
        search={{ ...kept, q: withFilter(q, "status", "5xx") }}
        name="Error rate, 5xx"
        notUsed={notUsed.traffic}
        title={WHAT_FAILED}
        note={refused === null ? "" : `4xx: ${percent(refused)}`}
        until={until}
        value={of(now, ({ errorRate }) => percent(errorRate))}
        change={now && before ? rateChange(now.errorRate, before.errorRate) : null}
        before={of(before, ({ errorRate }) => percent(errorRate))}
      />
      <Tile
        to={source === "windows" ? "/metrics" : "/requests"}
        search={source === "windows" ? { ...kept, sort: "slowest" } : { ...kept, live: "", order: "slowest" }}
        name="Latency, p95"
        notUsed={notUsed.traffic}
        until={until}
        value={of(now, ({ p95 }) => duration(p95))}
        change={relativeChange(now?.p95 ?? null, before?.p95 ?? null)}
        before={of(before, ({ p95 }) => duration(p95))}
      />
      <Tile
        to="/logs"
        search={{ ...kept, view: "patterns", new: "1" }}
        name="New log patterns"
        notUsed={notUsed.logs}
        value={isNew.data ? count(isNew.data.total) : "–"}
        change={relativeChange(isNew.data?.total ?? null, wasNew.data?.total ?? null)}
        before={wasNew.data ? count(wasNew.data.total) : "–"}
      />
    </div>
  );
}

interface TileProps {
  to: string;
  search: Record<string, string>;
  name: string;
  /** The end of what it counts, where that is not the end of the range. */
  until?: Date | null;
  value: ReactNode;
  change: ChangeOf | null;
  before: string;
  /** What it counts, and what it leaves out. */
  title?: string;
  note?: string;
  /** The filters of the search that it leaves out. */
  notUsed: string;
}

function Tile({ to, search, name, until = null, value, change, before, title, note = "", notUsed }: TileProps) {
  return (
    <Link to={to} search={search} className={styles.tile} title={title} data-row>
      <span className={`quiet small ${styles.tileName ?? ""}`}>
        <span>{name}</span>
        {until !== null && <span title={WHY_UNTIL}>{untilMinute(until)}</span>}
      </span>
      <span className={styles.value}>
        <span className={styles.number}>{value}</span> <Change change={change} />
      </span>
      <span className="quiet small">before: {before}{note && ` · ${note}`}</span>
      {notUsed !== "" && (
        <span className="quiet small">
          Not used here: <bdi className="data">{shortLine(notUsed, 40)}</bdi>
        </span>
      )}
    </Link>
  );
}
