/** How many lines there are over time, by level, and what they add up to. Dragging zooms. */
import { useMemo } from "react";
import { useZoom, ZOOM_HINT } from "../../frame/useZoom";
import { Chart } from "../../parts/Chart";
import type { Series } from "../../parts/Chart";
import { useLast } from "../../parts/useLast";
import { BY_RANK, countingOf } from "../../parts/nearHits";
import type { FoundWord } from "../../parts/nearHits";
import { NearNote } from "../../parts/NearNote";
import { useLate } from "../../parts/useSettled";
import { checkTerms } from "../../query/terms";
import { count, counted, short } from "../../time/format";
import { usePatternCount } from "./usePatterns";
import { LEVELS, useHistogram } from "./useHistogram";
import type { LogsState } from "./state";
import styles from "./Histogram.module.css";

interface Props {
  state: LogsState;
  /** The number of rows of the list; null until it is known. */
  listed: number | null;
  /** What the best hit was found by. */
  found: readonly FoundWord[];
}

export function Histogram({ state, listed, found }: Props) {
  const { data: answer, error, isPlaceholderData } = useHistogram(state);
  const data = useLast(answer);
  const patterns = usePatternCount(state);
  const zoom = useZoom();
  const series = useMemo(
    (): Series[] => (data ? LEVELS.filter((level) => (data.totals[level] ?? 0) > 0).map((level) => ({ name: level, colour: `--${level}-fill`, values: data.counts[level] ?? [] })) : []),
    [data],
  );
  const isStale = useLate(isPlaceholderData) || error !== null;
  // What looks like a filter and names no field is words: it says so where these are not found.
  const notes = useMemo(() => checkTerms(state.text, "logs").flatMap((check) => (check.note !== null && check.instead === null ? [check.note] : [])), [state.text]);
  const errors = data?.totals["error"] ?? 0;
  const counting = countingOf({ isRanked: state.order === "ranked", counted: data?.total ?? null, listed });
  if (counting !== "counts") {
    // The list says that there is nothing; until it is there, so does nobody.
    return (
      <section className={styles.box} aria-label="Lines over time" data-stale={isStale || undefined}>
        <p className={styles.totals}>
          {counting === "near" && <NearNote text={state.text} query={state.query} noun="line" found={found} />}
          {counting === "near" && notes.map((note) => <span key={note}>{note}</span>)}
        </p>
      </section>
    );
  }
  return (
    <section className={styles.box} aria-label="Lines over time" data-stale={isStale || undefined}>
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
          onZoom={zoom}
        />
      ) : (
        <div className={styles.room} />
      )}
      <p className={styles.totals}>
        {data && (
          <>
            <span>
              <strong>{count(data.total)}</strong> {data.total === 1 ? "line" : "lines"}
            </span>
            <span className={errors > 0 ? "level-error" : "quiet"}>{counted(errors, "error")}</span>
            {patterns && !state.isLive && (
              <span className="quiet">
                {count(patterns.total)}
                {patterns.total_is_exact ? "" : "+"} {patterns.total === 1 ? "pattern" : "patterns"}
              </span>
            )}
            {state.order === "ranked" && <span className="quiet">with all the words, {BY_RANK}</span>}
          </>
        )}
        <span className={styles.hint}>{ZOOM_HINT}</span>
      </p>
    </section>
  );
}
