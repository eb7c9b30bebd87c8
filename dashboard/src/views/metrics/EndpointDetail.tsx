/** One endpoint in large: its traffic, its errors and its latencies, with the period before, and a heat map. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { sharedParams, useParam, useParams, useSetParams } from "../../frame/address";
import { useKeys } from "../../frame/keys";
import { useZoom } from "../../frame/useZoom";
import { useWindow } from "../../frame/window";
import { Chart } from "../../parts/Chart";
import { shortLine } from "../../parts/text";
import { Folded } from "../../parts/Folded";
import { LookLonger } from "../../parts/LookLonger";
import { Empty, Failure, Loading } from "../../parts/State";
import { Switch } from "../../parts/Tools";
import { bucketStarts, fillBuckets, periodBefore } from "../../time/buckets";
import type { BucketPlan } from "../../time/buckets";
import { bytes, count, duration, percent, short } from "../../time/format";
import { formatRange, UNIT_MS } from "../../time/range";
import { rateChange, relativeChange } from "./change";
import { BucketSelect, useLogScale } from "./Controls";
import { aggregateQuery, useDeploys, useFirstWindow, useWindowPeriod } from "./data";
import { measuresOf } from "./endpoints";
import { Figure } from "./Figures";
import { HeatMap } from "./HeatMap";
import { endpointHint, endpointName } from "../../query/route";
import { requestsOf } from "./links";
import { coveredPart, perSecond, sinceMinute, untilMinute, WHY_SINCE, WHY_UNTIL } from "./period";
import { errorSeries, formatDuration, formatRate, latencySeries, trafficSeries, WHAT_FAILED } from "./series";
import styles from "./Metrics.module.css";

export function EndpointDetail({ endpoint, plan }: { endpoint: string; plan: BucketPlan }) {
  const name = shortLine(endpointName(endpoint));
  const { asked } = useWindow();
  const { from, until, isCut } = useWindowPeriod();
  const params = useParams();
  const setParams = useSetParams();
  const navigate = useNavigate();
  const [compareText, setCompare] = useParam("compare", "1");
  const isCompared = compareText === "1";
  const [isLog, logButton] = useLogScale();
  const marks = useDeploys();
  // Windows are of a minute: a shorter range shows none.
  const zoom = useZoom(UNIT_MS.m);
  const close = () => setParams({ endpoint: "" });
  useKeys([{ keys: "Escape", name: "All endpoints", run: close }]);

  const filters: [string, string][] = [["endpoint", endpoint]];
  const before = periodBefore(plan);
  // The range may begin within its first bucket: of the first one before, as much is left out.
  const leftOut = from.getTime() - (plan.starts[0] ?? from.getTime());
  // Figures compare the very range; charts compare as many buckets.
  const total = useQuery(aggregateQuery({ asked, from, until, filters, compare: true }));
  const now = useQuery(aggregateQuery({ asked, from, until, filters, bucket: plan.parameter, latency: true }));
  const past = useQuery({ ...aggregateQuery({ asked, from: new Date(before.from.getTime() + leftOut), until: before.until, filters, bucket: plan.parameter }), enabled: isCompared, placeholderData: keepPreviousData });

  const firstWindow = useFirstWindow();

  const starts = plan.starts.join();
  const drawn = useMemo(() => {
    const groups = fillBuckets(plan.starts, now.data?.groups ?? []);
    const pastGroups = isCompared && past.data && past.data.groups.length > 0 ? fillBuckets(bucketStarts(before.from.getTime(), before.until.getTime(), plan.name), past.data.groups) : undefined;
    return { groups, traffic: trafficSeries(groups, pastGroups), errors: errorSeries(groups, pastGroups), latency: latencySeries(groups, pastGroups), isPast: pastGroups !== undefined };
    // The starts of a plan, and the period before, are the same as long as their text is.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [now.data, past.data, isCompared, starts, plan.name]);

  const isOld = now.isPlaceholderData || total.isPlaceholderData;
  const shared = { times: plan.starts, from: from.getTime(), until: until.getTime(), marks, group: "metrics", onZoom: zoom };
  const kept = sharedParams(params);
  const requests = requestsOf(endpoint);
  const openRequests = (low: Date, high: Date, duration: string | null) => {
    const range = formatRange({ kind: "between", from: low, until: high });
    void navigate({ to: "/requests", search: { range, q: duration === null ? requests : `${requests} ${duration}` } });
  };
  return (
    <div className={styles.detail}>
      <div className={styles.bar} style={{ paddingInline: 0 }}>
        <button type="button" onClick={close} title="All endpoints (Escape)">
          ← All endpoints
        </button>
        <Folded>
          <BucketSelect plan={plan} />
          {logButton}
          <Switch isOn={isCompared} onChange={(isOn) => setCompare(isOn ? "1" : "0")}>
            Period before
          </Switch>
        </Folded>
      </div>
      <header>
        <h1>
          <strong>
            <bdi className="data" title={endpointHint(endpoint)}>
              {name}
            </bdi>
          </strong>
        </h1>
        <Link to="/requests" search={{ ...kept, q: requests }}>
          Its requests
        </Link>
        <Link to="/requests" search={{ ...kept, q: `${requests} status:5xx` }}>
          Its failed requests (5xx)
        </Link>
        <Link to="/requests" search={{ ...kept, q: `${requests} status:4xx` }}>
          Its refused requests (4xx)
        </Link>
        {isCut && (
          <span className="quiet small" title={WHY_UNTIL}>
            Counted {untilMinute(until)}
          </span>
        )}
      </header>
      <Figures now={total.data?.total} before={total.data?.previous?.total} covered={firstWindow === undefined ? null : coveredPart(from, until, firstWindow)} />
      {now.isPending && <Loading what={`the latencies of ${name}`} />}
      {now.isError && <Failure error={now.error} what="The latencies" onRetry={() => void now.refetch()} />}
      {past.isError && <p className="quiet small">The period before could not be loaded: {past.error.message}</p>}
      {now.data &&
        (now.data.groups.length === 0 && !isOld ? (
          <Empty title="No requests of this endpoint were counted in this range.">
            <span>A longer range may have some.</span>
            <LookLonger />
          </Empty>
        ) : (
          <div className={isOld ? styles.isOld : undefined} aria-busy={isOld}>
            <Part title="Requests" note={drawn.isPast ? "dashed: the period before" : undefined}>
              <Chart {...shared} label={`Requests of ${name}`} kind="bars" height={120} series={drawn.traffic} format={short} />
            </Part>
            <Part title="Error rate, 5xx" note="refusals with 4xx are not counted">
              <Chart {...shared} label={`Error rate (5xx) of ${name}`} kind="lines" height={96} series={drawn.errors} format={formatRate} />
            </Part>
            <Part title="Latency" note="percentiles of all requests in a bucket">
              <Chart {...shared} label={`Latency of ${name}`} kind="lines" height={160} series={drawn.latency} format={formatDuration} isLog={isLog} />
            </Part>
            <Part title="How many requests took how long">
              <HeatMap {...shared} label={`Latencies of ${name} as a heat map`} groups={drawn.groups} onPick={openRequests} />
            </Part>
          </div>
        ))}
    </div>
  );
}

function Part({ title, note, children }: { title: string; note?: string | undefined; children: React.ReactNode }) {
  return (
    <section>
      <h2>
        {title} {note !== undefined && <span className="quiet small">{note}</span>}
      </h2>
      {children}
    </section>
  );
}

const FIGURES = ["Requests", "Requests/s", "Error rate, 5xx", "p50", "p95", "p99", "Received", "Sent"];
type TotalsOf = Parameters<typeof measuresOf>[0];

/** They have their place before they are there, so that the charts below stay where they are. */
function Figures({ now, before, covered }: { now: TotalsOf | undefined; before: TotalsOf | undefined; covered: ReturnType<typeof coveredPart> | null }) {
  if (now === undefined) {
    return (
      <dl className={styles.figures} aria-busy>
        {FIGURES.map((name) => (
          <Figure key={name} name={name} value="–" change={null} />
        ))}
      </dl>
    );
  }
  const [is, was] = [measuresOf(now), before && before.requests > 0 ? measuresOf(before) : null];
  const since = covered?.since ?? null;
  return (
    <dl className={styles.figures}>
      <Figure name="Requests" value={count(is.requests)} change={relativeChange(is.requests, was?.requests ?? null)} />
      <Figure name="Requests/s" value={covered === null ? "–" : perSecond(is.requests, covered.seconds)} change={null} {...(since === null ? {} : { title: WHY_SINCE })}>
        {since !== null && <span className="quiet small"> {sinceMinute(since, new Date())}</span>}
      </Figure>
      <Figure name="Error rate, 5xx" title={WHAT_FAILED} value={percent(is.errorRate)} change={was ? rateChange(is.errorRate, was.errorRate) : null} />
      {(["p50", "p95", "p99"] as const).map((name) => (
        <Figure key={name} name={name} value={duration(is[name])} change={relativeChange(is[name], was?.[name] ?? null)} />
      ))}
      <Figure name="Received" value={bytes(now.request_size)} change={null} />
      <Figure name="Sent" value={bytes(now.response_size)} change={null} />
    </dl>
  );
}
