/** What the list of lines says when it has none, when a search is wrong, and below its last row. */
import { ApiError } from "../../api/client";
import { useSetParams } from "../../frame/address";
import { useWindow } from "../../frame/window";
import { LookLonger } from "../../parts/LookLonger";
import { noneHas } from "../../parts/nearHits";
import { Empty, Failure, Loading } from "../../parts/State";
import { WhyNothing } from "../../parts/WhyNothing";
import { counted } from "../../time/format";
import { nameRange } from "../../time/range";
import type { LogsState } from "./state";
import type { useShownLines } from "./useShownLines";
import styles from "./Logs.module.css";

/** What is wrong with the search, above the rows of the one before. */
export function Problem({ what = "lines", error, onRetry }: { what?: string; error: Error; onRetry: () => void }) {
  const api = error instanceof ApiError ? error : null;
  const isPassing = api?.isPassing ?? true;
  return (
    <div role="alert" className={styles.problem}>
      <strong>{isPassing ? `The ${what} could not be loaded.` : "This search has no answer."}</strong>
      {api && api.fields.length > 0
        ? api.fields.map((field) => (
            <span key={field.field}>
              <code>{field.field}</code> {field.problem}
            </span>
          ))
        : error.message}
      <span className="quiet">The rows below are those of before.</span>
      {isPassing && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What stands above rows that others are awaited instead of. */
export function Waiting({ shown }: { shown: ReturnType<typeof useShownLines> }) {
  if (shown.isPending) {
    return (
      <div className={styles.waiting}>
        <Loading what="the lines" onCancel={shown.cancel} />
      </div>
    );
  }
  if (!shown.isCancelled) return null;
  return (
    <div className={styles.waiting} role="status">
      Cancelled. The rows below are those of before.{" "}
      <button type="button" onClick={() => void shown.retry()}>
        Try again
      </button>
    </div>
  );
}

export function ListState({ state, shown }: { state: LogsState; shown: ReturnType<typeof useShownLines> }) {
  const { error, isPending, isCancelled, cancel } = shown;
  const onRetry = () => void shown.retry();
  const setParams = useSetParams();
  const { range } = useWindow();
  if (error) return <Failure error={error} what="The lines" onRetry={onRetry} />;
  if (isPending) return <Loading what="the lines" onCancel={cancel} />;
  if (isCancelled) {
    return (
      <Empty title="Cancelled.">
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      </Empty>
    );
  }
  const isSearched = state.text !== "";
  const missing = noneHas(state.query, "line");
  return (
    <Empty title={state.isLive ? "Waiting for lines …" : isSearched ? (missing === null ? "No line is like this." : `${missing}.`) : "No lines in this range."}>
      <span>
        {isSearched ? "Nothing in " : "Nothing came in "}
        {range.kind === "last" ? `the ${nameRange(range).toLowerCase()}` : nameRange(range)}
        {!isSearched ? "." : missing === null ? " passes the filters." : state.order === "ranked" ? " has it, or what is near it." : "."}
      </span>
      <div className={styles.ways}>
        <LookLonger />
        {state.query.words !== "" && state.order === "newest" && !state.isLive && (
          <button type="button" onClick={() => setParams({ order: "" })}>
            Rank instead: near words count, too
          </button>
        )}
        {isSearched && (
          <button type="button" onClick={() => setParams({ q: "" })}>
            Clear the search
          </button>
        )}
      </div>
      {/* The last, so that nothing moves when it comes. */}
      {isSearched && <WhyNothing model="logs" noun="line" text={state.text} parameters={state.unsearched} asked={state.asked} />}
    </Empty>
  );
}

interface FootProps {
  state: LogsState;
  shown: ReturnType<typeof useShownLines>;
  onMore: () => void;
}

export function ListFoot({ state, shown, onMore }: FootProps) {
  const { lines, all, isMore, isLoadingMore, metadata, tail } = shown;
  if (isLoadingMore) {
    return (
      <p className={styles.foot} role="status">
        Loading more …
      </p>
    );
  }
  const isRanked = state.order === "ranked";
  const total = metadata?.total ?? null;
  return (
    <div className={styles.foot}>
      {isRanked && total !== null && (
        <span>
          {counted(total, "hit", metadata?.total_is_exact === false)}
          {state.isFolded && metadata?.rows !== undefined ? ` in ${counted(metadata.rows, "row", metadata.rows_are_exact === false)}` : ""}.
        </span>
      )}
      {!isRanked && state.isFolded && (
        <span>
          {counted(all.length, "line")} in {counted(lines.length, "row")}
          {isMore ? " so far" : ""}.
        </span>
      )}
      {shown.isCopiesCut && <span>Of the copies, the newest are listed; open the line for all of them.</span>}
      {shown.isTailing && tail.isCut ? (
        <span>Older lines come back when live is off.</span>
      ) : isMore ? (
        <button type="button" onClick={onMore}>
          Load more
        </button>
      ) : (
        (!isRanked || metadata?.total_is_exact) && <span>That is all.</span>
      )}
    </div>
  );
}
