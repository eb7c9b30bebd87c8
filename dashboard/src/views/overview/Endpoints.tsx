/** The endpoints, in the order of what one looks for. */
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import type { ReactNode } from "react";
import { sharedParams, useParam, useParams } from "../../frame/address";
import { Choice } from "../../parts/Choice";
import { LookLonger } from "../../parts/LookLonger";
import { shortLine } from "../../parts/text";
import { useHeldOrder } from "../../parts/useHeldOrder";
import { count, duration, percent, short } from "../../time/format";
import { rateChange, relativeChange } from "../metrics/change";
import { isSort, sortEndpoints, SORTS } from "../metrics/endpoints";
import type { EndpointRow } from "../metrics/endpoints";
import { Change } from "../metrics/Figures";
import { untilMinute, WHY_UNTIL } from "../metrics/period";
import { WHAT_FAILED } from "../metrics/series";
import { endpointHint, endpointName } from "../../query/route";
import { requestsOf } from "../metrics/links";
import { NotUsedHere } from "./NotUsedHere";
import { Panel } from "./Panel";
import type { Searches, Summary } from "./summary";
import { useRefused } from "./useHistogram";
import styles from "./Overview.module.css";

const ROWS = 10;
/** A head, the rows, and what stands below them. */
const ROOM = `calc(28px + ${ROWS + 1} * var(--row))`;
const idOf = ({ endpoint }: EndpointRow) => endpoint;

export function Endpoints({ summary, searches }: { summary: Summary; searches: Searches }) {
  const { rows, source, until, isPending, isOld, error, retry } = summary;
  const refused = useRefused(searches, summary.period);
  const [sort, setSort] = useParam("sort", "changed");
  const [all, setAll] = useParam("all");
  const kept = sharedParams(useParams());
  const used = isSort(sort) ? sort : "changed";
  const sorted = useMemo(() => sortEndpoints(rows, used), [rows, used]);
  const { rows: ordered, holds } = useHeldOrder(sorted, idOf);
  const sorts = (
    <div className={styles.sorts}>
      <Choice label="Order of endpoints" chosen={used} options={Object.entries(SORTS).map(([value, name]) => ({ value, name }))} onChoose={(value) => setSort(value, { replace: true })} />
    </div>
  );
  const none = (
    <div className="quiet">
      <p>No endpoint had requests in this range.</p>
      <LookLonger />
    </div>
  );
  return (
    <Panel title="Endpoints" note={<NotUsedHere text={searches.text} model={searches.traffic} />} room={ROOM} beside={sorts} isPending={isPending} isOld={isOld} error={error} onRetry={retry} empty={rows.length === 0 ? none : null}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">Endpoint</th>
            <th scope="col" className="number">
              Requests
            </th>
            <th scope="col" className="number" title={WHAT_FAILED}>
              Failed, 5xx
            </th>
            <th scope="col" className={`number ${styles.minor ?? ""}`} title="Stored requests that were refused with 4xx">
              4xx
            </th>
            <th scope="col" className={`number ${styles.minor ?? ""}`}>
              p50
            </th>
            <th scope="col" className="number">
              p95
            </th>
            <th scope="col" className={`number ${styles.minor ?? ""}`}>
              p99
            </th>
          </tr>
        </thead>
        <tbody {...holds}>
          {ordered.slice(0, all === "1" ? sorted.length : ROWS).map((row) => (
            <Row key={row.endpoint} row={row} kept={kept} refused={refused?.get(row.endpoint) ?? null} hasWindows={source === "windows"} />
          ))}
        </tbody>
      </table>
      <p className={styles.foot}>
        {sorted.length > ROWS && (
          <button type="button" aria-pressed={all === "1"} onClick={() => setAll(all === "1" ? "" : "1", { replace: true })}>
            All {count(sorted.length)}
          </button>
        )}
        {source === "windows" ? (
          <>
            <Link to="/metrics" search={{ ...kept, sort: used }}>
              As charts
            </Link>
            {until !== null && (
              <span className="quiet" title={WHY_UNTIL}>
                Counted {untilMinute(until)}
              </span>
            )}
          </>
        ) : (
          <span className="quiet">Counted from the stored requests.</span>
        )}
      </p>
    </Panel>
  );
}

function Row({ row: { endpoint, now, before }, kept, refused, hasWindows }: { row: EndpointRow; kept: Record<string, string>; refused: number | null; hasWindows: boolean }) {
  const name = shortLine(endpointName(endpoint));
  const requests = requestsOf(endpoint);
  const toRequests = (q: string, children: ReactNode) => (
    <Link to="/requests" search={{ ...kept, q }}>
      {children}
    </Link>
  );
  return (
    <tr>
      <td title={endpointHint(endpoint)}>
        <Link to={hasWindows ? "/metrics" : "/requests"} search={(hasWindows ? { ...kept, endpoint } : { ...kept, q: requests })} className="data" data-row>
          <bdi>{name}</bdi>
        </Link>
      </td>
      <td className="number">
        {toRequests(requests, now ? short(now.requests) : "0")}{" "}
        {before ? <Change change={relativeChange(now?.requests ?? 0, before.requests)} /> : <span className="small quiet">new</span>}
      </td>
      <td className="number">
        {now ? toRequests(`${requests} status:5xx`, percent(now.errorRate)) : "–"} {now && before && <Change change={rateChange(now.errorRate, before.errorRate)} />}
      </td>
      <td className={`number ${styles.minor ?? ""}`}>{refused === null ? "–" : toRequests(`${requests} status:4xx`, short(refused))}</td>
      {(["p50", "p95", "p99"] as const).map((measure) => {
        const value = now?.[measure] ?? null;
        return (
          <td key={measure} className={`number ${measure === "p95" ? "" : (styles.minor ?? "")}`}>
            {value === null ? "–" : toRequests(`${requests} duration:>=${Math.floor(value)}`, duration(value))} <Change change={relativeChange(value, before?.[measure] ?? null)} />
          </td>
        );
      })}
    </tr>
  );
}
