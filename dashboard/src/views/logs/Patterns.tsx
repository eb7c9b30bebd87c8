/** The patterns of what is shown, the most frequent first. A click shows the lines of one. */
import { useState } from "react";
import { useSetParams } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { Empty, Failure, Loading } from "../../parts/State";
import { VirtualList } from "../../parts/VirtualList";
import { cutMiddle, oneLine, withoutCodes } from "../../parts/text";
import { clock, count, inFull, percent } from "../../time/format";
import { togglePicked, pickedValues, withCopies } from "./filters";
import { copyKey } from "./lines";
import { segments } from "./text";
import { usePatterns } from "./usePatterns";
import type { Pattern } from "./usePatterns";
import type { LogsState } from "./state";
import styles from "./Patterns.module.css";

const idOf = (pattern: Pattern) => JSON.stringify(pattern.pattern);

/** How much of a message is drawn; what does not fit is not seen. */
const COLUMNS = 240;

export function Patterns({ state, newKeys }: { state: LogsState; newKeys: ReadonlySet<string> }) {
  const answer = usePatterns(state);
  const shown = useWindow();
  const setParams = useSetParams();
  const [chosen, setChosen] = useState<string | null>(null);
  if (!answer.data) return answer.isError ? <Failure error={answer.error} what="The patterns" onRetry={() => void answer.refetch()} /> : <Loading what="the patterns" />;
  const { data, metadata } = answer.data;
  if (data.length === 0) return <Empty title="No lines in this range, so no patterns." />;
  const open = ({ example }: Pattern) => {
    let text = state.text;
    if (!pickedValues(text, "level").chosen.has(example.level)) text = togglePicked(text, "level", example.level, false);
    if (!pickedValues(text, "source").chosen.has(example.source)) text = togglePicked(text, "source", example.source, false);
    setParams({ q: withCopies(text, example), view: "", order: "newest", range: shown.text });
  };
  return (
    <VirtualList
      rows={data}
      idOf={idOf}
      label="Patterns"
      chosen={chosen}
      onChoose={(pattern) => setChosen(idOf(pattern))}
      onOpen={open}
      isStale={answer.isPlaceholderData}
      hasKeys
      foot={metadata.total > data.length && <p className={styles.foot}>These are the {count(data.length)} most frequent of {count(metadata.total)} patterns.</p>}
    >
      {(pattern) => <PatternRow pattern={pattern} isNew={newKeys.has(copyKey(pattern.example))} />}
    </VirtualList>
  );
}

function PatternRow({ pattern, isNew }: { pattern: Pattern; isNew: boolean }) {
  const { example } = pattern;
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
        {segments(cutMiddle(oneLine(example.message), COLUMNS), null).map((part, index) =>
          part.kind === "number" ? (
            <span key={index} className="quiet">
              {part.text}
            </span>
          ) : (
            part.text
          ),
        )}
      </bdi>
      {isNew && (
        <span className={styles.new} title="No such line in the period before">
          new
        </span>
      )}
      <span className={styles.times} title={`First ${inFull(pattern.first)}\nlast ${inFull(pattern.last)}`}>
        {clock(pattern.first).replace(/\.\d+$/, "")} – {clock(pattern.last).replace(/\.\d+$/, "")}
      </span>
    </>
  );
}
