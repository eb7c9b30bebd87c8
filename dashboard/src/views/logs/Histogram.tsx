/** How many lines there are over time, by level, and what they add up to. Dragging zooms; with shift it adds a part. */
import { useCallback, useMemo } from "react";
import { useParam, useSetParams } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { Chart } from "../../parts/Chart";
import type { Series } from "../../parts/Chart";
import { count, short } from "../../time/format";
import { formatRange, parseRange, resolve } from "../../time/range";
import { usePatternCount } from "./usePatterns";
import { LEVELS, useHistogram } from "./useHistogram";
import type { LogsState } from "./state";
import { useLast } from "./useLast";
import styles from "./Histogram.module.css";

const NO_MARKS: { at: number; name: string }[] = [];

export function Histogram({ state }: { state: LogsState }) {
  const shown = useWindow();
  const setParams = useSetParams();
  const [aroundText] = useParam("around");
  // What a part was chosen of by shift: it stays in sight as long as the part is within it.
  const around = useMemo(() => {
    const range = parseRange(aroundText);
    if (!range || shown.range.kind !== "between") return null;
    const ends = resolve(range, new Date());
    return ends.from <= shown.from && ends.until >= shown.until ? ends : null;
  }, [aroundText, shown.from, shown.range.kind, shown.until]);
  const { data: counted, error, isPlaceholderData } = useHistogram(state, around);
  const data = useLast(counted);
  const patterns = usePatternCount(state);

  const zoom = useCallback(
    (from: Date, until: Date, isAdded: boolean) => {
      const part = { kind: "between" as const, from: new Date(Math.floor(from.getTime())), until: new Date(Math.ceil(until.getTime())) };
      if (!isAdded) {
        setParams({ range: formatRange(part), around: "" });
        return;
      }
      const isFirst = around === null;
      const joined = isFirst ? part : { kind: "between" as const, from: new Date(Math.min(+part.from, +shown.from)), until: new Date(Math.max(+part.until, +shown.until)) };
      setParams({ range: formatRange(joined), around: isFirst ? formatRange({ kind: "between", from: shown.from, until: shown.until }) : aroundText });
    },
    [around, aroundText, setParams, shown.from, shown.until],
  );
  const series = useMemo(
    (): Series[] => (data ? LEVELS.filter((level) => (data.totals[level] ?? 0) > 0).map((level) => ({ name: level, colour: `--${level}-fill`, values: data.counts[level] ?? [] })) : []),
    [data],
  );
  const marks = useMemo(
    () =>
      around
        ? [
            { at: shown.from.getTime(), name: "from" },
            { at: shown.until.getTime(), name: "until" },
          ]
        : NO_MARKS,
    [around, shown.from, shown.until],
  );
  const errors = data?.totals["error"] ?? 0;
  return (
    <section className={styles.box} aria-label="Lines over time" data-stale={isPlaceholderData || (error !== null) || undefined}>
      {data ? (
        <Chart
          label={`Lines over time by level: ${count(data.total)} lines, ${count(errors)} of them errors`}
          times={data.times}
          series={series}
          kind="bars"
          from={data.from}
          until={data.until}
          height={96}
          format={short}
          marks={marks}
          onZoom={zoom}
        />
      ) : (
        <div className={styles.room} />
      )}
      <p className={styles.totals}>
        {data && (
          <>
            <span>
              <strong>{count(data.total)}</strong> {data.total === 1 ? "line" : "lines"}{around && " in sight"}
            </span>
            <span className={errors > 0 ? "level-error" : "quiet"}>{count(errors)} error</span>
            {patterns && !state.isLive && (
              <span className="quiet">
                {count(patterns.total)}
                {patterns.total_is_exact ? "" : "+"} {patterns.total === 1 ? "pattern" : "patterns"}
              </span>
            )}
            {state.order === "ranked" && <span className="quiet">with all the words</span>}
          </>
        )}
        <span className={styles.hint}>drag to zoom, ⇧ adds</span>
        {aroundText !== "" && around && (
          <button type="button" className="plain small" onClick={() => setParams({ range: aroundText, around: "" })}>
            Back to all
          </button>
        )}
      </p>
    </section>
  );
}
