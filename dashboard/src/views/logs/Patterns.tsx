/** The patterns of what is shown, the most frequent first. A click shows the lines of one. */
import { useMemo, useState } from "react";
import { useParam, useSetParams } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { columnsIn } from "../../parts/columns";
import { rowOf } from "../../parts/excerpt";
import { Empty, Failure, Loading } from "../../parts/State";
import { useIsNarrow } from "../../parts/useIsNarrow";
import { VirtualList } from "../../parts/VirtualList";
import { withoutCodes } from "../../parts/text";
import { WhyNothing } from "../../parts/WhyNothing";
import { clock, count, inFull, percent } from "../../time/format";
import { withPattern } from "./filters";
import { copyKey } from "./lines";
import { NARROW, pixelsAround, sourceColumns } from "./LineList";
import { Segments } from "./Segments";
import { marksOf, segments, wordsOf } from "./text";
import { useNewPatternList, usePatterns } from "./usePatterns";
import type { Pattern } from "./usePatterns";
import type { LogsState } from "./state";
import styles from "./Patterns.module.css";

const idOf = (pattern: Pattern) => JSON.stringify(pattern.pattern);

/** How many letters of a message fit beside what else is in a row. */
function columnsOf(width: number, times: string, isNew: boolean, isInNarrowWindow: boolean): number {
  const isNarrow = width <= NARROW;
  const [columns, beside] = isNarrow ? [7 + 5, 2] : [9 + 9 + 5 + sourceColumns(width) + times.length, 5];
  const gaps = pixelsAround(beside + (isNew ? 1 : 0), isInNarrowWindow);
  return Math.max(12, columnsIn(width - gaps) - columns - (isNew ? 5 : 0));
}

export function Patterns({ state, newKeys }: { state: LogsState; newKeys: ReadonlySet<string> }) {
  const isNewOnly = useParam("new")[0] === "1" && !state.isDeletedShown;
  const all = usePatterns(state);
  const fresh = useNewPatternList(state, isNewOnly);
  const answer = isNewOnly ? fresh : all;
  const shown = useWindow();
  const setParams = useSetParams();
  const [chosen, setChosen] = useState<string | null>(null);
  const [width, setWidth] = useState(0);
  const marks = useMemo(() => marksOf(wordsOf(state.query.words)), [state.query.words]);
  if (!answer.data) return answer.isError ? <Failure error={answer.error} what="The patterns" onRetry={() => void answer.refetch()} /> : <Loading what="the patterns" />;
  const { data, metadata } = answer.data;
  if (data.length === 0 && isNewOnly && all.data?.data.length !== 0)
    return (
      <Empty title="No new patterns.">
        <span>The period before has all that this range has.</span>
        <button type="button" onClick={() => setParams({ new: "" })}>
          Show all patterns
        </button>
      </Empty>
    );
  if (data.length === 0)
    return state.text === "" ? (
      <Empty title="No lines in this range, so no patterns." />
    ) : (
      <Empty title="No line is like this, so there are no patterns.">
        <WhyNothing model="logs" noun="line" text={state.text} parameters={state.unsearched} asked={state.asked} />
      </Empty>
    );
  const open = ({ example }: Pattern) => {
    setParams({ q: withPattern(state.text, example), new: "", view: "", order: "newest", range: shown.text });
  };
  return (
    <div className={styles.patterns}>
      <Head />
      <VirtualList
        rows={data}
        idOf={idOf}
        label="Patterns"
        chosen={chosen}
        onChoose={(pattern) => setChosen(idOf(pattern))}
        onOpen={open}
        onWidth={setWidth}
        isStale={answer.isPlaceholderData}
        hasKeys
        foot={metadata.total > data.length && <p className={styles.foot}>These are the {count(data.length)} most frequent of {count(metadata.total)} patterns.</p>}
      >
        {(pattern) => <PatternRow pattern={pattern} width={width} marks={marks} isNew={isNewOnly || newKeys.has(copyKey(pattern.example))} />}
      </VirtualList>
    </div>
  );
}

/** What the columns are. A row says it by itself to those who hear it. */
function Head() {
  return (
    <div className={styles.head} aria-hidden>
      <span className={styles.count}>Lines</span>
      <span className={styles.share}>Share</span>
      <span className={styles.level}>Level</span>
      <span className={styles.source}>Source</span>
      <span className={styles.message}>Pattern</span>
      <span className={styles.times}>First – last</span>
    </div>
  );
}

function PatternRow({ pattern, width, marks, isNew }: { pattern: Pattern; width: number; marks: RegExp | null; isNew: boolean }) {
  const { example } = pattern;
  const [first, last] = [pattern.first, pattern.last].map((at) => clock(at).replace(/\.\d+$/, ""));
  const times = `${first ?? ""} – ${last ?? ""}`;
  const columns = columnsOf(width, times, isNew, useIsNarrow());
  const parts = useMemo(() => segments(rowOf(example.message, columns, marks), marks), [columns, example.message, marks]);
  return (
    <>
      <span className={styles.count}>
        {count(pattern.count)}
        {!pattern.count_is_exact && "+"}
      </span>
      <span className={styles.share}>{percent(pattern.share)}</span>
      <span className={`${styles.level ?? ""} level-${example.level}`}>{example.level}</span>
      <bdi className={styles.source} title={withoutCodes(example.source.slice(0, 1000))}>
        {withoutCodes(example.source.slice(0, 100))}
      </bdi>
      <bdi className={styles.message}>
        <Segments parts={parts} />
      </bdi>
      {isNew && (
        <span className={styles.new} title="No such line in the period before">
          new
        </span>
      )}
      <span className={styles.times} title={`First ${inFull(pattern.first)}\nlast ${inFull(pattern.last)}`}>
        {times}
      </span>
    </>
  );
}
