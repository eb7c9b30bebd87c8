/** A card of small charts for each endpoint, with their cursors in step. */
import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { useParam, useParams, useSetParams } from "../../frame/address";
import { ZOOM_HINT } from "../../frame/useZoom";
import { useWindow } from "../../frame/window";
import { useHeldOrder } from "../../parts/useHeldOrder";
import { useRowFocus } from "../../parts/useRowFocus";
import { Folded } from "../../parts/Folded";
import { LookLonger } from "../../parts/LookLonger";
import { Empty, Failure, Loading } from "../../parts/State";
import type { BucketPlan } from "../../time/buckets";
import { fillBuckets } from "../../time/buckets";
import { count, counted } from "../../time/format";
import { BucketSelect, useLogScale } from "./Controls";
import { aggregateQuery, listOf, useDeploys, useWindowFilters, useWindowPeriod } from "./data";
import type { Group } from "./data";
import { EndpointCard } from "./EndpointCard";
import { endpointRows, isSort, sortEndpoints, SORTS } from "./endpoints";
import type { EndpointRow } from "./endpoints";
import { untilMinute, WHY_UNTIL } from "./period";
import styles from "./Metrics.module.css";

/** How many endpoints are asked for at a time. */
const PIECE = 24;
const idOf = ({ endpoint }: EndpointRow) => endpoint;

export function EndpointGrid({ plan }: { plan: BucketPlan }) {
  const { asked, refresh } = useWindow();
  const { from, until, isCut } = useWindowPeriod();
  const filters = useWindowFilters();
  const params = useParams();
  const setParams = useSetParams();
  const [sort, setSort] = useParam("sort", "busiest");
  const [shownText, setShown] = useParam("shown", String(PIECE));
  const [isLog, logButton] = useLogScale();
  const marks = useDeploys();
  const view = useRowFocus<HTMLUListElement>();

  const all = useQuery(aggregateQuery({ asked, from, until, filters, byEndpoint: true, compare: true }));
  const rows = useMemo(() => (all.data ? sortEndpoints(endpointRows(all.data), isSort(sort) ? sort : "busiest").filter(({ now }) => now !== null) : []), [all.data, sort]);
  const { rows: ordered, holds } = useHeldOrder(rows, idOf);
  const shown = ordered.slice(0, Math.max(Number(shownText) || PIECE, 1));
  const pieces = Array.from({ length: Math.ceil(shown.length / PIECE) }, (_, index) => shown.slice(index * PIECE, (index + 1) * PIECE).map(({ endpoint }) => endpoint));
  const charts = useQueries({
    queries: pieces.map((endpoints) => aggregateQuery({ asked, from, until, filters: [["endpoint__in", listOf([...endpoints].sort())]], bucket: plan.parameter, byEndpoint: true })),
    combine: useCallback((results: { data?: { groups: Group[] } | undefined; isError: boolean; isPending: boolean; isPlaceholderData: boolean; error: Error | null }[]) => {
      const byEndpoint = new Map<string, Group[]>();
      for (const { data } of results) {
        for (const group of data?.groups ?? []) {
          const groups = byEndpoint.get(group.endpoint ?? "") ?? [];
          groups.push(group);
          byEndpoint.set(group.endpoint ?? "", groups);
        }
      }
      return { byEndpoint, error: results.find(({ isError }) => isError)?.error ?? null, isWaiting: results.some(({ isPending, isPlaceholderData }) => isPending || isPlaceholderData) };
    }, []),
  });

  if (all.isPending) return <Loading what="the latencies of endpoints" />;
  if (all.isError) return <Failure error={all.error} what="The latencies" onRetry={() => void all.refetch()} />;
  const isOld = all.isPlaceholderData || charts.isWaiting;
  const isSearched = (params["q"] ?? "") !== "";
  return (
    <>
      <div className={styles.bar}>
        <label>
          Order
          <select value={isSort(sort) ? sort : "busiest"} onChange={(event) => setSort(event.target.value)}>
            {Object.entries(SORTS).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Folded>
          <BucketSelect plan={plan} />
          {logButton}
        </Folded>
        <p className="quiet small">
          {count(shown.length)} of {counted(rows.length, "endpoint")} · {counted(all.data.total.requests, "request")}
          {isCut && <span title={WHY_UNTIL}> {untilMinute(until)}</span>}
          <span className={styles.hint}> · {ZOOM_HINT}</span>
        </p>
      </div>
      {charts.error && <Failure error={charts.error} what="The charts" onRetry={refresh} />}
      {rows.length === 0 ? (
        <Empty title={isSearched ? "No endpoint of this search had requests in this range." : "No endpoint had requests in this range."}>
          {isSearched ? (
            <>
              <span>
                Words look in the names of endpoints; <code>endpoint:*orders*</code> does, too.
              </span>
              <LookLonger />
              <button type="button" onClick={() => setParams({ q: "" })}>
                Clear the search
              </button>
            </>
          ) : (
            <>
              <span>Applications count the requests of each endpoint minute by minute, and send the counts by capture or OpenTelemetry. Another range may have some.</span>
              <LookLonger />
              <Link to="/start">Send records</Link>
            </>
          )}
        </Empty>
      ) : (
        <ul ref={view} {...holds} className={`${styles.grid ?? ""} ${isOld ? (styles.isOld ?? "") : ""}`} aria-busy={isOld}>
          {shown.map((row) => (
            <Filled key={row.endpoint} groups={charts.byEndpoint.get(row.endpoint)} plan={plan}>
              {(groups) => <EndpointCard row={row} groups={groups} plan={plan} isLog={isLog} marks={marks} />}
            </Filled>
          ))}
        </ul>
      )}
      {shown.length < rows.length && (
        <div className={styles.more}>
          <button type="button" onClick={() => setShown(String(shown.length + PIECE), { replace: true })}>
            {counted(Math.min(PIECE, rows.length - shown.length), "more endpoint")}
          </button>
        </div>
      )}
    </>
  );
}

const NONE: Group[] = [];

/** The groups of one endpoint, one for each bucket. */
function Filled({ groups = NONE, plan, children }: { groups: Group[] | undefined; plan: BucketPlan; children: (groups: (Group | undefined)[]) => React.ReactNode }) {
  const starts = plan.starts.join();
  // The starts of a plan are the same as long as their text is.
  // eslint-disable-next-line react-hooks/exhaustive-deps
  const filled = useMemo(() => fillBuckets(plan.starts, groups), [groups, starts]);
  return <li>{children(filled)}</li>;
}
