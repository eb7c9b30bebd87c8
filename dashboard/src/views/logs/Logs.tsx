/** The lines of the log: found by words and filters, counted over time, followed live, read in full. */
import type { QueryKey } from "@tanstack/react-query";
import { useCallback, useMemo, useRef, useState } from "react";
import { useParam, useSetParams } from "../../frame/address";
import { useReading } from "../../frame/reading";
import { useWindow } from "../../frame/window";
import { LiveLine } from "../../parts/LiveLine";
import type { FoundWord } from "../../parts/nearHits";
import { Panel } from "../../parts/Panel";
import { Level, Time } from "../../parts/Show";
import { shortLine } from "../../parts/text";
import { useFollowedCounts } from "../../parts/useFollowedCounts";
import { useSaid } from "../../parts/useSaid";
import type { ListControl } from "../../parts/VirtualList";
import { count } from "../../time/format";
import { Histogram } from "./Histogram";
import { LineList } from "./LineList";
import { rowFor } from "./lines";
import type { Line } from "./lines";
import { DetailActions, DetailState, LogDetail, useLog } from "./LogDetail";
import { LogFacets } from "./LogFacets";
import { ListFoot, ListState, Problem, Waiting } from "./ListStates";
import { Patterns } from "./Patterns";
import { useLogsState } from "./state";
import { marksOf, wordsOf } from "./text";
import { LogsToolbar } from "./Toolbar";
import { useNewPatterns, usePatternCount } from "./usePatterns";
import { useRowKeys } from "./useRowKeys";
import { useShownLines } from "./useShownLines";
import styles from "./Logs.module.css";

const NO_WORDS: readonly FoundWord[] = [];
const isCount = ([model, kind]: QueryKey) => model === "logs" && (kind === "histogram" || kind === "facet");

export function Logs() {
  const state = useLogsState();
  const { range, text: rangeText } = useWindow();
  const setParams = useSetParams();
  const [facets] = useParam("facets");
  const [isPaused, setPaused] = useState(false);
  const [isAtTop, setAtTop] = useState(true);
  const [cursor, setCursor] = useState<number | null>(null);
  const [deleted, setDeleted] = useState<ReadonlyMap<number, boolean>>(new Map());
  const [said, say] = useSaid();
  const control = useRef<ListControl>(null);

  useReading(!isAtTop || state.openId !== null);
  const isTailing = state.isLive && range.kind === "last" && state.view === "lines";
  // What one reads stays where it is.
  const shown = useShownLines(state, isTailing, isPaused || !isAtTop || state.openId !== null);
  const { lines, tail } = shown;
  useFollowedCounts(shown.newestId, isCount);
  const patternCount = usePatternCount(state);
  // Rows of the search before say nothing of this one.
  const listed = state.view === "patterns" ? (patternCount?.total ?? null) : shown.loadedAt === 0 || shown.isStale || shown.isPending ? null : lines.length;
  const newKeys = useNewPatterns(state, patternCount?.total ?? null, shown.loadedAt > 0 || state.view === "patterns");

  const { openId, text, query } = state;
  const chosenId = openId ?? cursor;
  const loadedLog = useMemo(() => shown.all.find((line) => line.id === chosenId)?.log ?? lines.find((line) => line.id === chosenId)?.log ?? null, [chosenId, lines, shown.all]);
  const one = useLog(openId, loadedLog);
  const chosen = useMemo(() => rowFor(lines, chosenId, loadedLog ?? one.log), [chosenId, lines, loadedLog, one.log]);
  const isOpen = openId !== null;
  const openCopies = useCallback(
    (line: Line) => {
      const isOpened = line.isOpened || line.copyOf !== null;
      // Who is on a copy that goes is on the line that stands for it.
      if (isOpened) setCursor(line.copyOf ?? line.id);
      setParams({ copies: isOpened ? "" : String(line.id) });
    },
    [setParams],
  );
  const rowKeys = useRowKeys({ chosen, onCopies: openCopies, say });
  const { forget } = rowKeys;
  const choose = useCallback(
    (line: Line) => {
      forget();
      setCursor(line.id);
      // What is open follows the cursor.
      if (isOpen) setParams({ open: String(line.id) }, { replace: true });
    },
    [forget, isOpen, setParams],
  );
  const open = useCallback((line: Line) => setParams({ open: String(line.id) }, { replace: isOpen }), [isOpen, setParams]);
  const close = useCallback(() => {
    setCursor(openId);
    setParams({ open: "", tab: "" });
    control.current?.focus();
  }, [openId, setParams]);

  const marks = useMemo(() => marksOf(wordsOf(query.words)), [query.words]);
  const deletedIds = useMemo(() => new Set([...deleted].filter(([, isDeleted]) => isDeleted).map(([id]) => id)), [deleted]);
  const hasDays = state.from.toDateString() !== new Date().toDateString();
  const { isMore, isLoadingMore, more: loadMore, error } = shown;
  const more = useCallback(() => {
    // Folded rows may not fill the list, however many lines are loaded: then one asks for more.
    if (isMore && !isLoadingMore && !error) void loadMore();
  }, [error, isLoadingMore, isMore, loadMore]);

  const { order, isDeletedShown, asked } = state;
  const answers = { question: JSON.stringify(["logs", text, order, rangeText, isDeletedShown]), version: asked };

  const isDeleted = (id: number) => deleted.get(id) ?? state.isDeletedShown;
  const detail = !isOpen
    ? null
    : one.log
      ? {
          title: (
            <>
              <Time at={one.log.created_at} />
              <Level level={one.log.level} />
              <bdi className={`data ${styles.source ?? ""}`}>{shortLine(one.log.source, 200)}</bdi>
            </>
          ),
          actions: <DetailActions log={one.log} />,
          body: <LogDetail log={one.log} marks={chosen?.marks ?? marks} isDeleted={isDeleted(one.log.id)} onDeleted={(id, is) => setDeleted(new Map(deleted).set(id, is))} />,
        }
      : { title: `Line ${openId}`, body: <DetailState error={one.error} onRetry={() => void one.retry()} /> };

  return (
    <div className={styles.view} data-facets={facets || undefined} data-open={isOpen || undefined}>
      <h1 className="hidden-label">Logs</h1>
      <LogsToolbar state={state} said={said} />
      <Histogram state={state} listed={listed} found={lines[0]?.found ?? NO_WORDS} />
      {state.isLive && state.view === "lines" && <LiveLine what="lines" tail={tail} isPaused={isPaused} onPause={setPaused} />}
      {shown.error && lines.length > 0 && <Problem error={shown.error} onRetry={() => void shown.retry()} />}
      {shown.copiesError && <Problem what="copies" error={shown.copiesError} onRetry={() => void shown.retryCopies()} />}
      <div className={styles.body}>
        <aside id="log-facets" className={styles.facets} aria-label="Fields">
          <LogFacets state={state} lines={shown.lines} listed={listed} />
        </aside>
        <div className={styles.main}>
          <Panel label="Log line" detail={detail} onClose={close}>
            {state.view === "patterns" ? (
              <Patterns state={state} newKeys={newKeys} />
            ) : lines.length === 0 ? (
              <ListState state={state} shown={shown} />
            ) : (
              <>
                <Waiting shown={shown} />
                {isTailing && shown.waiting > 0 && (
                  <button
                    type="button"
                    className={styles.pill}
                    onClick={() => {
                      tail.show();
                      control.current?.scrollToTop();
                    }}
                  >
                    ↑ {count(shown.waiting)} new
                  </button>
                )}
                <LineList
                  label="Log lines"
                  lines={lines}
                  chosenId={chosen?.id ?? null}
                  followId={chosenId}
                  onChoose={choose}
                  onOpen={open}
                  onCopies={openCopies}
                  onPoint={rowKeys.point}
                  onTop={setAtTop}
                  marks={marks}
                  cell={rowKeys.cell}
                  hasDays={hasDays}
                  newKeys={newKeys}
                  deletedIds={deletedIds}
                  isStale={shown.isStale}
                  answers={answers}
                  hasKeys
                  control={control}
                  foot={<ListFoot state={state} shown={shown} onMore={more} />}
                  {...(state.isFolded ? {} : { onEnd: more })}
                />
              </>
            )}
          </Panel>
        </div>
      </div>
    </div>
  );
}
