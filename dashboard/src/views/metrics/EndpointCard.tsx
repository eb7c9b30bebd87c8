/** One endpoint as three small charts: its traffic, its rate of errors, its latencies. */
import { Link } from "@tanstack/react-router";
import { memo, useMemo } from "react";
import { useParams } from "../../frame/address";
import { useZoom } from "../../frame/useZoom";
import { Chart } from "../../parts/Chart";
import type { Mark, Series } from "../../parts/Chart";
import { shortLine } from "../../parts/text";
import { endpointHint, endpointName } from "../../query/route";
import type { BucketPlan } from "../../time/buckets";
import { count, duration, percent, short } from "../../time/format";
import { UNIT_MS } from "../../time/range";
import { rateChange, relativeChange } from "./change";
import type { Change as ChangeOf } from "./change";
import { useWindowPeriod } from "./data";
import type { Group } from "./data";
import type { EndpointRow } from "./endpoints";
import { errorSeries, formatDuration, formatRate, latencySeries, trafficSeries } from "./series";
import type { Summaries } from "./series";
import styles from "./Metrics.module.css";

interface Props {
  row: EndpointRow;
  groups: (Group | undefined)[];
  plan: BucketPlan;
  isLog: boolean;
  marks: Mark[];
}

/** A number of the whole period, with its change. */
function summary(value: string, change: ChangeOf | null): Pick<Series, "summary" | "isStrong"> {
  const sign = change === null || change.direction === 0 ? "" : change.direction > 0 ? "▲ " : "▼ ";
  return { summary: change === null ? value : `${value} ${sign}${change.text}`, isStrong: change?.isLarge ?? false };
}

function failedOf({ requests, errorRate }: { requests: number; errorRate: number | null }): number {
  return Math.round(requests * (errorRate ?? 0));
}

function summariesOf({ now, before }: EndpointRow): Summaries {
  if (now === null) return {};
  const latency = (name: "p50" | "p95" | "p99") => summary(duration(now[name]), name === "p95" ? relativeChange(now[name], before?.[name] ?? null) : null);
  return {
    "5xx": summary(count(failedOf(now)), null),
    others: summary(short(now.requests - failedOf(now)), before ? relativeChange(now.requests - failedOf(now), before.requests - failedOf(before)) : null),
    "5xx rate": summary(percent(now.errorRate), before ? rateChange(now.errorRate, before.errorRate) : null),
    p50: latency("p50"),
    p95: latency("p95"),
    p99: latency("p99"),
  };
}

export const EndpointCard = memo(function EndpointCard({ row, groups, plan, isLog, marks }: Props) {
  const { from, until } = useWindowPeriod();
  const params = useParams();
  // Windows are of a minute: a shorter range shows none.
  const zoom = useZoom(UNIT_MS.m);
  const { endpoint } = row;
  const name = shortLine(endpointName(endpoint));
  const [traffic, errors, latency] = useMemo(() => {
    const summaries = summariesOf(row);
    return [trafficSeries(groups, undefined, summaries), errorSeries(groups, undefined, summaries), latencySeries(groups, undefined, summaries)];
  }, [groups, row]);
  // The names of the marks stand at the first chart.
  const lines = useMemo(() => marks.map(({ at }) => ({ at, name: "" })), [marks]);
  const shared = { times: plan.starts, from: from.getTime(), until: until.getTime(), group: "metrics", onZoom: zoom, readout: "line" as const };
  return (
    <article className={styles.card}>
      <h2>
        <Link to="/metrics" search={{ ...params, endpoint }} title={endpointHint(endpoint)} data-row>
          <bdi>{name}</bdi>
        </Link>
      </h2>
      <Chart {...shared} label={`Requests of ${name}`} kind="bars" height={72} series={traffic} format={short} marks={marks} />
      <Chart {...shared} label={`Error rate (5xx) of ${name}`} kind="lines" height={64} series={errors} format={formatRate} marks={lines} />
      <Chart {...shared} label={`Latency of ${name}`} kind="lines" height={96} series={latency} format={formatDuration} isLog={isLog} marks={lines} />
    </article>
  );
});
