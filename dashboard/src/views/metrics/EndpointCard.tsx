/** One endpoint as three small charts: its traffic, its rate of errors, its latencies. */
import { Link } from "@tanstack/react-router";
import { memo, useMemo } from "react";
import { useParams } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { Chart } from "../../parts/Chart";
import type { Mark } from "../../parts/Chart";
import type { BucketPlan } from "../../time/buckets";
import { percent, short } from "../../time/format";
import { rateChange, relativeChange } from "./change";
import type { Group } from "./data";
import type { EndpointRow } from "./endpoints";
import { Change } from "./Figures";
import { errorSeries, formatCount, formatDuration, formatRate, latencySeries, trafficSeries } from "./series";
import { useZoom } from "./useZoom";
import styles from "./Metrics.module.css";

interface Props {
  row: EndpointRow;
  groups: (Group | undefined)[];
  plan: BucketPlan;
  isLog: boolean;
  marks: Mark[];
}

export const EndpointCard = memo(function EndpointCard({ row: { endpoint, now, before }, groups, plan, isLog, marks }: Props) {
  const { from, until } = useWindow();
  const params = useParams();
  const zoom = useZoom();
  const traffic = useMemo(() => trafficSeries(groups), [groups]);
  const errors = useMemo(() => errorSeries(groups, undefined, now ? percent(now.errorRate) : undefined), [groups, now]);
  const latency = useMemo(() => latencySeries(groups, undefined, now ? { p50: now.p50, p95: now.p95, p99: now.p99 } : undefined), [groups, now]);
  const shared = { times: plan.starts, from: from.getTime(), until: until.getTime(), marks, group: "metrics", onZoom: zoom, readout: "line" as const };
  return (
    <article className={styles.card}>
      <h2>
        <Link to="/metrics" search={{ ...params, endpoint }} title={endpoint}>
          <bdi>{endpoint}</bdi>
        </Link>
      </h2>
      <p className={styles.brief}>
        <span>
          {short(now?.requests ?? 0)} requests <Change change={relativeChange(now?.requests ?? 0, before?.requests ?? null)} />
        </span>
        <span>
          {percent(now?.errorRate ?? 0)} failed <Change change={before ? rateChange(now?.errorRate ?? 0, before.errorRate) : null} />
        </span>
        <span>
          p95 {now?.p95 === null || now === null ? "–" : formatDuration(now.p95)} <Change change={relativeChange(now?.p95 ?? null, before?.p95 ?? null)} />
        </span>
      </p>
      <Chart {...shared} label={`Requests of ${endpoint}`} kind="bars" height={64} series={traffic} format={formatCount} />
      <Chart {...shared} label={`Error rate of ${endpoint}`} kind="lines" height={56} series={errors} format={formatRate} />
      <Chart {...shared} label={`Latency of ${endpoint}`} kind="lines" height={88} series={latency} format={formatDuration} isLog={isLog} />
    </article>
  );
});
