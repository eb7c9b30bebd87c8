/** Traffic over time by the class of the answers, with the versions that began in it. */
import { useQuery } from "@tanstack/react-query";
import { oneLine } from "../../parts/text";
import { Link, useNavigate } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { sharedParams, useParams } from "../../frame/address";
import { useZoom, ZOOM_HINT } from "../../frame/useZoom";
import { useWindow } from "../../frame/window";
import { Age } from "../../parts/Age";
import { Chart } from "../../parts/Chart";
import { withFilter } from "../../query/parse";
import { fillBuckets, planBuckets } from "../../time/buckets";
import { counted, short } from "../../time/format";
import { formatRange } from "../../time/range";
import { aggregateQuery, useDeploys, useWindowPeriod } from "../metrics/data";
import { untilMinute, WHY_UNTIL } from "../metrics/period";
import { trafficSeries } from "../metrics/series";
import { classSeries } from "./classes";
import { NotUsedHere } from "./NotUsedHere";
import { Panel } from "./Panel";
import type { Searches } from "./summary";
import { useHistogram } from "./useHistogram";
import styles from "./Overview.module.css";

const MOST_BUCKETS = 90;
const HEIGHT = 152;

export function Traffic({ searches }: { searches: Searches }) {
  const { from, until, asked } = useWindow();
  const params = useParams();
  const navigate = useNavigate();
  const zoom = useZoom();
  const marks = useDeploys();
  const kept = sharedParams(params);

  const { histogram, plan: fine, isOfEndpoints } = useHistogram(searches);
  // Without captured requests, windows tell how many there were, and how many failed.
  const isByWindows = isOfEndpoints || (histogram.data?.metadata.total === 0 && searches.requests.length === 0);
  const period = useWindowPeriod();
  const coarse = planBuckets(period.from, period.until, "auto", { most: MOST_BUCKETS });
  const windows = useQuery({ ...aggregateQuery({ asked, from: period.from, until: period.until, filters: searches.windows, bucket: coarse.parameter }), enabled: isByWindows });

  const plan = isByWindows ? coarse : fine;
  const axis = isByWindows ? period : { from, until };
  const starts = plan.starts.join();
  const series = useMemo(
    () => (isByWindows ? trafficSeries(fillBuckets(plan.starts, windows.data?.groups ?? [])) : classSeries(fillBuckets(plan.starts, histogram.data?.data ?? []))),
    // The starts of a plan are the same as long as their text is.
    // eslint-disable-next-line react-hooks/exhaustive-deps
    [histogram.data, isByWindows, starts, windows.data],
  );
  const shown = isByWindows ? windows : histogram;
  const total = isByWindows ? (windows.data?.total.requests ?? 0) : (histogram.data?.metadata.total ?? 0);
  const open = useCallback(
    (low: Date, high: Date) => {
      const range = formatRange({ kind: "between", from: low, until: high });
      void navigate({ to: "/requests", search: (before: Record<string, string>) => ({ q: before["q"] ?? "", range }) });
    },
    [navigate],
  );
  return (
    <Panel
      title="Traffic"
      note={<NotUsedHere text={searches.text} model={searches.traffic} />}
      room={`${HEIGHT + 20}px`}
      beside={
        <span className="quiet small" hidden={shown.isPending}>
          {counted(total, "request")}
          {isByWindows && period.isCut && <span title={WHY_UNTIL}> {untilMinute(period.until)}</span>} · bars of {plan.name}
          <span className={styles.hint}> · click to see the requests, {ZOOM_HINT}</span>
        </span>
      }
      isPending={shown.isPending}
      isOld={shown.isPlaceholderData}
      error={shown.error}
      onRetry={() => void shown.refetch()}
      empty={total === 0 && !shown.isPlaceholderData ? <p className="quiet">{searches.text === "" ? "No requests in this range." : "No requests of this search in this range."}</p> : null}
    >
      <Chart label="Traffic by status class" times={plan.starts} series={series} kind="bars" from={axis.from.getTime()} until={axis.until.getTime()} height={HEIGHT} format={short} marks={marks} onZoom={zoom} onPick={open} />
      <div className={styles.legend}>
        {series.map(({ name, colour, summary }) => (
          <span key={name}>
            <svg width="8" height="8" aria-hidden>
              <rect width="8" height="8" style={{ fill: `var(${colour})` }} />
            </svg>{" "}
            {/^[1-5]xx$/.test(name) ? (
              <Link to="/requests" search={{ ...kept, q: withFilter(searches.text, "status", name) }}>
                {name}
              </Link>
            ) : (
              name
            )}{" "}
            {summary}
          </span>
        ))}
        {marks.map(({ at, name }) => (
          <span key={name}>
            <span className="quiet">┊ new version</span>{" "}
            <Link to="/requests" search={{ ...kept, q: withFilter(searches.text, "version", name) }}>
              <bdi>{oneLine(name).slice(0, 40)}</bdi>
            </Link>{" "}
            <Age at={new Date(at).toISOString()} />
          </span>
        ))}
      </div>
    </Panel>
  );
}
